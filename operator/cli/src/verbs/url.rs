//! `tim url`: where clients connect, and what to paste into a client of one's own.

use crate::arguments::{ClientLanguage, Global, UrlArguments};
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::output::{OutputFormat, write_document};
use crate::servers::LocalServer;
use crate::terminal::Terminal;
use schemars::JsonSchema;
use serde::Serialize;
use tim_client::Address;

/// Version of the document.
const SCHEMA_VERSION: u32 = 1;

/// What programs get.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UrlDocument {
    /// Version of this form.
    pub schema_version: u32,
    /// Name of the cluster.
    pub cluster: String,
    /// Its nodes; a client needs any of them, and comes back faster when it knows several.
    pub nodes: Vec<NodeUrls>,
}

/// Addresses of one node.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeUrls {
    /// Where clients open their WebSocket.
    pub web_socket: String,
    /// Where accounts are registered and login tokens asked for, by POST.
    pub requests: String,
    /// The chat page, unless it is switched off.
    pub chat_page: String,
}

/// Shows the addresses.
///
/// # Errors
/// No cluster of that name runs here.
pub async fn run(terminal: &Terminal, global: &Global, arguments: &UrlArguments) -> Outcome {
    let LocalServer {
        cluster,
        mut addresses,
        ..
    } = LocalServer::find(global, arguments.cluster.as_deref()).await?;
    addresses.sort_by_key(Address::port);
    let document = UrlDocument {
        schema_version: SCHEMA_VERSION,
        cluster,
        nodes: addresses.iter().map(NodeUrls::of).collect(),
    };
    if global.output.is_document() {
        write_document(terminal, global.output, &document)?;
    } else if let Some(language) = arguments.language {
        snippet(language, &document)
            .iter()
            .for_each(|line| terminal.result(line));
    } else if global.output == OutputFormat::Name {
        let urls = document.nodes.iter().map(|node| &node.web_socket);
        urls.for_each(|url| terminal.result(url));
    } else {
        for node in &document.nodes {
            terminal.result(format!("{:<34} clients", node.web_socket));
            terminal.result(format!("{:<34} register, login token", node.requests));
            terminal.result(format!("{:<34} chat page", node.chat_page));
        }
    }
    Ok(Exit::Done)
}

impl NodeUrls {
    fn of(address: &Address) -> Self {
        let at = |path: &str| {
            let scheme = if address.tls() { "https" } else { "http" };
            let host = match address.host() {
                host if host.contains(':') => format!("[{host}]"),
                host => host.to_owned(),
            };
            format!("{scheme}://{host}:{}{path}", address.port())
        };
        Self {
            web_socket: address.to_string(),
            requests: at("/tim2"),
            chat_page: at("/chat"),
        }
    }
}

/// Lines for a terminal of somebody who writes a client in a language: the example, running against this cluster.
fn snippet(language: ClientLanguage, document: &UrlDocument) -> Vec<String> {
    let urls: Vec<&str> = document
        .nodes
        .iter()
        .map(|node| node.web_socket.as_str())
        .collect();
    let (folder, command) = match language {
        ClientLanguage::Javascript => ("javascript", "node client.mjs"),
        ClientLanguage::Python => ("python", "python3 client.py"),
        ClientLanguage::Go => ("go", "go run ."),
        ClientLanguage::Rust => ("rust", "cargo run -p tim-client --example client --"),
    };
    let mut lines = vec![format!("cd examples/clients/{folder}")];
    match language {
        ClientLanguage::Javascript => lines.push("npm ci".to_owned()),
        ClientLanguage::Python => lines.push("pip install websockets".to_owned()),
        ClientLanguage::Go | ClientLanguage::Rust => {}
    }
    lines.push(format!("export URLS={}", urls.join(",")));
    lines.push(format!("{command} $URLS bob secret"));
    lines.push(String::new());
    lines.push(
        "# in a second terminal, after the first two lines, with the address that the first one prints"
            .to_owned(),
    );
    lines.push(format!("{command} $URLS alice secret BOBS-ADDRESS 10"));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_gets_the_addresses_of_all_nodes() {
        let addresses: Vec<Address> = ["ws://127.0.0.1:5080/tim", "wss://[::1]:5081/tim"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        let document = UrlDocument {
            schema_version: SCHEMA_VERSION,
            cluster: "chat".into(),
            nodes: addresses.iter().map(NodeUrls::of).collect(),
        };
        assert_eq!(document.nodes[0].requests, "http://127.0.0.1:5080/tim2");
        assert_eq!(document.nodes[1].chat_page, "https://[::1]:5081/chat");
        for language in [
            ClientLanguage::Javascript,
            ClientLanguage::Python,
            ClientLanguage::Go,
            ClientLanguage::Rust,
        ] {
            let lines = snippet(language, &document);
            let urls = "export URLS=ws://127.0.0.1:5080/tim,wss://[::1]:5081/tim".to_owned();
            assert!(lines.contains(&urls), "{lines:?}");
        }
    }
}
