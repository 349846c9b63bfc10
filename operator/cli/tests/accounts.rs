//! `tim accounts import` against a listener that answers as a node's administrators' API does, and against a node.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod common;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use common::{Place, schema};
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use tim_client::wire::IdScheme;
use tim_client::{Client, ConnectError, Credentials, Options, Server};

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

/// What an administrator's token is made of: the token, and the lines for the node's file.
fn administrator() -> (String, String) {
    let node = common::program().with_file_name("tim-node");
    let made = Command::new(node)
        .args(["admin-token", "root", "--role", "admin"])
        .output()
        .unwrap();
    let token = told(&made);
    let token = token.lines().find(|line| line.starts_with("tim-admin-")).unwrap();
    (token.to_owned(), String::from_utf8(made.stdout).unwrap())
}

/// As the reference engine stores a password: bcrypt over the id's bytes, its salt, the domain and the password.
fn reference_hash(name: &str, domain: &str, password: &str) -> String {
    let ids = IdScheme::default();
    let number = ids.number_of(&ids.account_id(name, domain)).unwrap();
    let salt = "#@*=+-<>?:|$&()%$#{]aQkLIPM79643028U'TRKF_}";
    let texts = [salt, domain, password].concat();
    bcrypt::hash([&number.to_be_bytes(), texts.as_bytes()].concat(), 4).unwrap()
}

async fn log_in(url: &str, password: &str) -> Result<String, ConnectError> {
    let server = Server::at([url.parse().unwrap()]);
    let credentials = Credentials::password("bob", password, "example.org");
    let (client, _events) = Client::connect(Options::new(server, credentials)).await?;
    let node = client.node().to_owned();
    client.close().await;
    Ok(node)
}

#[test]
fn who_was_imported_into_a_node_logs_in_with_the_password_of_before() {
    common::ensure_node_program();
    let place = Place::with_example();
    let (token, lines) = administrator();
    let at = |name: &str| place.folder.path().join(name);
    std::fs::write(at("token"), token).unwrap();
    std::fs::write(at("administrators.toml"), lines).unwrap();
    let file = std::fs::read_to_string(place.file()).unwrap();
    let more = format!(
        "  listeners:\n  - {{name: client, port: 5080}}\n  - {{name: admin, port: 5082, tls: true}}\n  config:\n    \
         inline:\n      admin: {{tokens_file: \"{}\"}}\n",
        at("administrators.toml").display()
    );
    std::fs::write(place.file(), file + &more).unwrap();
    let up = place.run(&["up", "chat.yaml", "--detach", "--replicas", "1"]);
    assert_eq!(up.status.code(), Some(0), "{}{}", told(&up), place.logs());

    let hash = reference_hash("bob", "example.org", "of before");
    let input = [
        json!({"name": "bob", "domain": "example.org", "passwordHash": hash}).to_string(),
        "{".to_owned(),
        json!({"account": "nonsense", "passwordHash": hash}).to_string(),
        json!({"name": "carol", "passwordHash": "$2b$31$cost beyond every patience"}).to_string(),
        json!({"name": "dora", "domain": "example.org", "passwordHash": hash}).to_string(),
    ];
    std::fs::write(at("accounts.ndjson"), input.join("\n")).unwrap();
    let call = ["accounts", "import", "accounts.ndjson", "--token-file", "token"];
    let trusting = ["--ca-file", ".tim/chat/tls/ca.crt", "--output", "json"];
    for (created, existing) in [(2, 0), (0, 2)] {
        let output = place.run(&[&call[..], &trusting[..]].concat());
        assert_eq!(output.status.code(), Some(3), "{}", told(&output));
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let figures = ["lines", "created", "existing", "refusedCount"].map(|name| document[name].as_u64());
        assert_eq!(figures, [Some(5), Some(created), Some(existing), Some(3)]);
        let refused = document["refused"].as_array().unwrap().iter();
        let numbers: Vec<_> = refused.map(|one| one["line"].as_u64()).collect();
        assert_eq!(numbers, [Some(2), Some(3), Some(4)], "{document:#}");
    }

    let urls = place.run(&["url", "--output", "name"]);
    let url = String::from_utf8(urls.stdout).unwrap().trim().to_owned();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let wrong = log_in(&url, "another").await;
        assert!(matches!(wrong, Err(ConnectError::LoginRefused(_))), "{wrong:?}");
        let account = IdScheme::default().account_id("bob", "example.org");
        assert_eq!(log_in(&url, "of before").await.unwrap(), account);
    });
    assert_eq!(place.exit_code(&["down"]), 0);
}
