//! `docs/reference/ports.md`: who talks to whom, from the defaults of the configuration.

use super::page_head;
use std::fmt::Write as _;
use tim_config::NodeConfig;

pub(super) fn render() -> String {
    let listeners = NodeConfig::default().listeners;
    let mut page = page_head(
        "Ports",
        "For the people who write firewall rules. A node opens these and no others; it connects to its peers, its databases, DNS and, \
         where one is configured, the OTLP endpoint. The operator connects to the API server and to the peer port of its nodes.",
    );
    page.push_str("| port | protocol | who connects | encryption |\n|---|---|---|---|\n");
    let rows = [
        (
            listeners.client.address.port(),
            "TCP: WebSocket `/tim` and `/`, HTTP `/tim2` and the page `/chat`",
            "tim clients",
            "TLS when `listeners.client.tls` is set",
        ),
        (
            listeners.admin.address.port(),
            "TCP: HTTP (health, readiness, status, metrics; administrators' API)",
            "kubelet, Prometheus, people, administrators",
            "TLS when `listeners.admin.tls` is set; else none: keep it inside",
        ),
        (
            listeners.server_api.address.port(),
            "TCP: thrift (server API of tim 2.1), only when `listeners.server_api.enabled` is set",
            "administrators' programs",
            "TLS when `listeners.server_api.tls` is set; else none: keep it inside",
        ),
        (
            listeners.peer.port(),
            "TCP: gRPC",
            "other nodes, operator",
            "always mutual TLS, bound to cluster and node",
        ),
        (
            listeners.peer.port(),
            "UDP: gossip",
            "other nodes",
            "always sealed with the cluster's key",
        ),
    ];
    for (port, protocol, who, encryption) in rows {
        let _ = writeln!(page, "| {port} | {protocol} | {who} | {encryption} |");
    }
    page
}
