//! What a person sees who opens a port of the node in a browser: what it is, and where to go.

use crate::node::Node;
use axum::response::Html;

fn page(title: &str, body: &str) -> Html<String> {
    Html(format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <style>body{{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem}}\
         code{{background:#eee;padding:.1em .3em}}</style></head><body><h1>{title}</h1>{body}</body></html>"
    ))
}

/// The client port.
pub(crate) fn client(node: &Node) -> Html<String> {
    let scheme = if node.config.listeners.client.tls {
        "wss"
    } else {
        "ws"
    };
    let chat = if node.config.listeners.chat_page {
        "<p><a href=\"/chat\">Chat in this browser</a>: register, talk to somebody, watch a live stream.</p>"
    } else {
        ""
    };
    page(
        "A TimCluster node: clients connect here",
        &format!(
            "<p>This is node <code>{}</code> of cluster <code>{}</code>, TimCluster {}.</p>{chat}\
             <p>tim clients connect to <code>{scheme}://THIS-HOST:{}/tim</code>; register and token requests are \
             posted to <code>/tim2</code>.</p><p>State, metrics and health are on the admin port, {}.</p>",
            node.name,
            node.config.node.cluster_id,
            env!("CARGO_PKG_VERSION"),
            node.addresses.client.port(),
            node.addresses.admin.port(),
        ),
    )
}

/// The admin port.
pub(crate) fn admin(node: &Node) -> Html<String> {
    page(
        "A TimCluster node: administration",
        &format!(
            "<p>This is node <code>{}</code> of cluster <code>{}</code>, TimCluster {}.</p><ul>\
             <li><a href=\"/status\">/status</a> what it is doing, as JSON</li>\
             <li><a href=\"/readyz\">/readyz</a> whether it takes clients, and why not</li>\
             <li><a href=\"/healthz\">/healthz</a> whether the process lives</li>\
             <li><a href=\"/metrics\">/metrics</a> metrics for Prometheus</li></ul>\
             <p>Clients connect to port {}.</p>",
            node.name,
            node.config.node.cluster_id,
            env!("CARGO_PKG_VERSION"),
            node.addresses.client.port(),
        ),
    )
}
