//! A cluster with administrators: a token of each role, and a console user.

use super::raw::DOMAIN;
use super::{Cluster, http};
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::{Command as Process, Stdio};

pub const JSON: &str = "application/json";
pub const FORM: &str = "application/x-www-form-urlencoded";

/// A cluster and a token of each role.
pub struct Administered {
    pub cluster: Cluster,
    pub read: String,
    pub operate: String,
    pub admin: String,
}

/// What the command prints: the token, and the lines for the file.
pub fn make_token(name: &str, role: &str) -> (String, String) {
    let output = Process::new(env!("CARGO_BIN_EXE_tim-node"))
        .args(["admin-token", name, "--role", role])
        .output()
        .unwrap();
    assert!(output.status.success());
    let told = String::from_utf8(output.stderr).unwrap();
    let token = told.lines().find(|line| line.starts_with("tim-admin-")).unwrap();
    (token.to_owned(), String::from_utf8(output.stdout).unwrap())
}

fn make_user(name: &str, password: &str) -> String {
    let mut process = Process::new(env!("CARGO_BIN_EXE_tim-node"))
        .args(["admin-password", name])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(process.stdin.take().unwrap(), "{password}").unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

impl Administered {
    pub async fn start(nodes: usize, more: &str) -> Self {
        Self::start_on(Cluster::prepare(nodes, &["d0", "d1"]), more).await
    }

    /// The same with the server API of tim 2.1, by the lines of its section.
    pub async fn start_with_server_api(nodes: usize, more: &str, server_api: &str) -> Self {
        let mut cluster = Cluster::prepare(nodes, &["d0", "d1"]);
        server_api.clone_into(&mut cluster.server_api);
        Self::start_on(cluster, more).await
    }

    /// A cluster that is prepared, with administrators.
    pub async fn start_on(mut cluster: Cluster, more: &str) -> Self {
        let made: Vec<_> = ["read", "operate", "admin"]
            .map(|role| make_token(role, role))
            .into();
        let lines: String = made.iter().map(|(_, lines)| lines.as_str()).collect();
        let file = cluster.directory.path().join("administrators.toml");
        std::fs::write(&file, lines + &make_user("console", "let me in")).unwrap();
        cluster.extra = format!("[admin]\ntokens_file = \"{}\"\n{more}\n", file.display());
        cluster.run_all().await;
        let mut tokens = made.into_iter().map(|(token, _)| token);
        Self {
            cluster,
            read: tokens.next().unwrap(),
            operate: tokens.next().unwrap(),
            admin: tokens.next().unwrap(),
        }
    }

    /// A call with a token.
    pub async fn call(&self, node: usize, token: &str, what: (&str, &str), body: Value) -> (u16, Value) {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.send(node, token, what, body.as_bytes()).await
    }

    pub async fn send(
        &self,
        node: usize,
        token: &str,
        (method, path): (&str, &str),
        body: &[u8],
    ) -> (u16, Value) {
        let port = self.cluster.nodes[node % self.cluster.nodes.len()].admin_port;
        let bearer = format!("Bearer {token}");
        let (method, path) = (method, format!("/api/v1{path}"));
        let answer = http::request_with(port, (method, &path), &[("Authorization", &bearer)], body).await;
        let (code, body) = answer.unwrap();
        (code, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// A call of the API of 2.0 by the console user.
    pub async fn post(&self, path: &str, kind: &str, body: &str) -> (u16, Value) {
        self.post_with(path, &[("Content-Type", kind)], body.as_bytes())
            .await
    }

    /// The same with headers of its own.
    pub async fn post_with(&self, path: &str, more: &[(&str, &str)], body: &[u8]) -> (u16, Value) {
        let mut headers = vec![("username", "console"), ("password", "let me in")];
        headers.extend(more);
        let port = self.cluster.nodes[0].admin_port;
        let (code, body) = http::request_with(port, ("POST", path), &headers, body)
            .await
            .unwrap();
        (code, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// Registers over the API; the id.
    pub async fn register(&self, name: &str) -> String {
        let body = json!({"name": name, "password": "secret", "domain": DOMAIN});
        let (code, made) = self.call(0, &self.admin, ("POST", "/accounts"), body).await;
        assert_eq!(code, 201, "{made}");
        made["account"].as_str().unwrap().to_owned()
    }
}
