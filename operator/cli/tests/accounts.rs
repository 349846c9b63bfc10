//! `tim accounts import` against a listener that answers as a node's administrators' API does.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod common;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use common::schema;
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

/// What a listener was sent, and how it answers.
#[derive(Clone, Default)]
struct Listener {
    bodies: Arc<Mutex<Vec<String>>>,
    /// Answers of error, which come first.
    failures: Arc<Mutex<Vec<StatusCode>>>,
}

impl Listener {
    /// Serves until the test ends; its address.
    fn start(&self) -> String {
        let (listener, taking) = (std::net::TcpListener::bind("127.0.0.1:0").unwrap(), self.clone());
        let url = format!("http://{}", listener.local_addr().unwrap());
        listener.set_nonblocking(true).unwrap();
        let take = move |headers: HeaderMap, body: Bytes| async move { taking.answer(&headers, &body) };
        let router = axum::Router::new().route("/api/v1/accounts/import", post(take));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, router).await.unwrap();
            });
        });
        url
    }

    fn answer(&self, headers: &HeaderMap, body: &[u8]) -> (StatusCode, String) {
        if let Some(status) = self.failures.lock().unwrap().pop() {
            let problem = json!({"code": "TIM-A102", "detail": "it is so", "remedy": "do this"});
            return (status, problem.to_string());
        }
        assert_eq!(headers["authorization"], "Bearer tim-admin-right");
        let text = String::from_utf8(body.to_vec()).unwrap();
        let refused: Vec<Value> = (1..)
            .zip(text.lines())
            .filter(|(_, line)| line.contains("refuse-me"))
            .map(
                |(number, _)| json!({"line": number, "reason": "account: not an account id of this cluster"}),
            )
            .collect();
        let created = text.lines().count() - refused.len();
        self.bodies.lock().unwrap().push(text);
        let told = json!({"created": created, "existing": 0, "refused": refused});
        (StatusCode::OK, told.to_string())
    }
}

fn import(input: &str, more: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "tim-admin-right\n").unwrap();
    let mut command = Command::new(common::program())
        .args(["accounts", "import", "-", "--token-file"])
        .arg(&token)
        .args(more)
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, input) = (command.stdin.take().unwrap(), input.to_owned());
    // It may end before it has read everything.
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = command.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn line(name: &str) -> String {
    json!({"name": name, "domain": "example.org", "passwordHash": "$2a$10$hash of somebody"}).to_string()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn lines_go_in_batches_and_wrong_ones_are_named_by_their_number_in_the_input() {
    let listener = Listener::default();
    let url = listener.start();
    let mut lines: Vec<String> = (0..1_200).map(|number| line(&format!("user{number}"))).collect();
    lines[2] = "not JSON".to_owned();
    lines[700] = line("refuse-me");
    lines[900] = json!({"name": "carol", "passwordHash": "secret of carol"}).to_string();
    let output = import(&lines.join("\n"), &["--url", &url, "--output", "json"]);
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let violations = schema::violations(&schema::committed("accounts.schema.json"), &document);
    assert!(violations.is_empty(), "{violations:?}");
    assert_eq!(
        (&document["lines"], &document["created"]),
        (&json!(1_200), &json!(1_197))
    );
    let numbers: Vec<_> = document["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["line"])
        .collect();
    assert_eq!(numbers, [3, 701, 901]);
    let bodies = listener.bodies.lock().unwrap();
    assert!(
        bodies.len() > 1
            && bodies
                .iter()
                .all(|body| body.lines().count() <= 500 && body.len() <= 97 << 10)
    );
    let sent: Vec<&str> = bodies.iter().flat_map(|body| body.lines()).collect();
    assert_eq!(sent.len(), 1_198);
    let told = told(&output);
    assert!(
        told.contains("line 701: account: not an account id") && told.contains("lines done"),
        "{told}"
    );
    assert!(told.contains("TIM-L122") && told.contains("try: "), "{told}");
    assert!(
        !told.contains("secret of") && !told.contains("tim-admin-right"),
        "{told}"
    );
}

#[test]
fn a_dry_run_contacts_nobody() {
    let listener = Listener::default();
    let url = listener.start();
    let output = import(&format!("{}\n{{\n", line("bob")), &["--url", &url, "--dry-run"]);
    assert_eq!(output.status.code(), Some(3));
    let summary = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(summary.trim(), "2 lines: 1 can be imported, 1 not");
    assert!(listener.bodies.lock().unwrap().is_empty());
    let output = import(&line("bob"), &["--dry-run"]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
}

#[test]
fn what_passes_is_tried_again_and_what_does_not_stops_with_the_place() {
    let listener = Listener::default();
    let url = listener.start();
    listener
        .failures
        .lock()
        .unwrap()
        .push(StatusCode::SERVICE_UNAVAILABLE);
    let output = import(&line("bob"), &["--url", &url]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    listener.failures.lock().unwrap().push(StatusCode::UNAUTHORIZED);
    let output = import(&format!("\n{}", line("bob")), &["--url", &url]);
    assert_eq!(output.status.code(), Some(1));
    let told = told(&output);
    for part in ["TIM-L123", "line 2", "TIM-A102", "it is so"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let output = import(&line("bob"), &["--url", "https://anna:hidden@example.org"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(!self::told(&output).contains("hidden"));
}
