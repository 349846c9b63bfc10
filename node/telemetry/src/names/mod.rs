//! Every name that telemetry uses, with what it means and how long it will last.
//!
//! Names of ours begin with `tim.`; the others are of the OpenTelemetry semantic conventions, in the version that
//! [`SCHEMA_URL`] names. A test refuses a name that is used and not listed here.

mod attributes;
mod metrics;
mod spans;

pub use attributes::*;
pub use metrics::*;
pub use spans::*;

/// The instrumentation scope of everything of ours.
pub const SCOPE: &str = "tim";

/// The conventions that the standard names follow.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.44.0";

/// How long a name lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stability {
    /// Kept, or renamed with both names for one minor version.
    Stable,
    /// May be renamed with a line in the CHANGELOG; follows a convention that is not finished.
    Development,
}

/// An attribute of spans, metrics or log records.
#[derive(Debug)]
pub struct Attribute {
    /// Its name.
    pub name: &'static str,
    /// What it says, and its values if they are a closed set.
    pub description: &'static str,
    /// How long it lasts.
    pub stability: Stability,
}

/// A span.
#[derive(Debug)]
pub struct SpanName {
    /// Its name.
    pub name: &'static str,
    /// Kind as OpenTelemetry has it.
    pub kind: &'static str,
    /// What it measures and where it hangs.
    pub description: &'static str,
    /// Its attributes.
    pub attributes: &'static [&'static Attribute],
    /// How long it lasts.
    pub stability: Stability,
}

/// What a metric's numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Comes and goes.
    UpDownCounter,
    /// The present value.
    Gauge,
    /// Distribution.
    Histogram,
}

/// A metric.
#[derive(Debug)]
pub struct Metric {
    /// OpenTelemetry name; the Prometheus form follows by the usual translation.
    pub name: &'static str,
    /// UCUM unit, or `{thing}`.
    pub unit: &'static str,
    /// What its numbers are.
    pub kind: MetricKind,
    /// What it says.
    pub description: &'static str,
    /// Its attributes.
    pub attributes: &'static [&'static Attribute],
    /// How long it lasts.
    pub stability: Stability,
}

/// Buckets of durations in seconds: from 0.5 ms, since the aim for a message is 15 ms.
const SECONDS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    30.0, 90.0,
];
/// Buckets of counts in a batch.
const COUNTS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

impl Metric {
    /// The buckets of a histogram, by its unit.
    pub fn boundaries(&self) -> &'static [f64] {
        if self.unit == "s" { SECONDS } else { COUNTS }
    }
}
