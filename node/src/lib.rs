//! The instant-messaging node: clients at its edge, conversations at home, sessions and where they are, a store below.
//!
//! Protocol logic is in `tim_core` and pure; this crate is the shell that gives it sockets, clocks, databases and
//! peers:
//!
//! ```text
//! edge, commands, session   one task per connection
//! engine                    one task for lanes, homes, deliveries, presence
//! databases                 transactions and queries, gathered
//! peers                     couriers to other nodes, and what they call here
//! drain, repartition        slow processes of the cluster
//! admin, node_control       what people, administrators and the operator see
//! ```

mod accounts;
mod admin;
mod admission;
mod backlog;
mod board;
mod chat_page;
mod clock;
mod command_line;
mod commands;
mod databases;
mod drain;
mod drain_request;
mod edge;
mod engine;
mod founder;
mod gauges;
mod mailbox;
mod metrics;
mod node;
mod node_control;
mod online_news;
mod outgoing;
mod pages;
mod peers;
mod port_holder;
mod random;
mod recent;
mod reload;
mod repartition;
mod retention;
mod session;
mod start;
mod streams;
mod supervisor;
mod system_messages;
mod watchers;
mod webhooks;
mod wheel;

pub use command_line::main;

/// The OpenAPI description of the administrators' API, as every node serves it under `/api/v1/openapi.json`.
pub fn administrators_api() -> String {
    admin::api_document()
}
