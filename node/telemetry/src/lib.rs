//! Telemetry of every process of the project: what a log line, a metric and a span is called, and how they leave.
//!
//! [`start`] sets up `tracing` for logs, OTLP for traces, metrics and logs where an endpoint is configured, and a
//! registry that [`Telemetry::prometheus_text`] prints for `/metrics`. Exporters run on threads of their own behind
//! bounded queues that drop: with the collector down nothing waits and memory stays where it is.
//!
//! Names are constants in [`names`], nowhere else; the reference in the documentation is generated from them
//! ([`reference_markdown`]). No signal carries message content, an account name or the address of a client.
//!
//! A message's spans are made through [`Span`], which is nothing (one null pointer) for the traces that are not
//! sampled: the decision falls once, at the sender's frame, and travels with [`TraceContext`].

mod context;
mod exporters;
mod instruments;
mod logs;
pub mod names;
mod reference;
mod settings;
mod span;
mod start;

pub use context::TraceContext;
pub use instruments::{
    Counter, Gauge, Histogram, UpDownCounter, attribute, counter, gauge, histogram, observe_f64, observe_i64,
    observe_u64, observe_u64_counter, up_down_counter,
};
pub use opentelemetry::KeyValue;
pub use reference::reference_markdown;
pub use settings::Settings;
pub use span::{Kind, Span};
pub use start::{StartError, Telemetry, start};
