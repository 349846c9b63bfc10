//! Instruments by their entry in [`crate::names`], so that no metric has a name, unit or bucket of its own.

use crate::names::{Attribute, Metric, SCHEMA_URL, SCOPE};
use opentelemetry::metrics::{AsyncInstrument, Meter};
use opentelemetry::{InstrumentationScope, KeyValue, Value, global};
use std::sync::OnceLock;

/// Counts events.
pub type Counter = opentelemetry::metrics::Counter<u64>;
/// Records durations in seconds, or sizes.
pub type Histogram = opentelemetry::metrics::Histogram<f64>;
/// The present value of something.
pub type Gauge = opentelemetry::metrics::Gauge<f64>;
/// Counts what comes and goes.
pub type UpDownCounter = opentelemetry::metrics::UpDownCounter<i64>;

fn meter() -> &'static Meter {
    static METER: OnceLock<Meter> = OnceLock::new();
    METER.get_or_init(|| {
        global::meter_with_scope(
            InstrumentationScope::builder(SCOPE)
                .with_version(env!("CARGO_PKG_VERSION"))
                .with_schema_url(SCHEMA_URL)
                .build(),
        )
    })
}

/// An attribute by its entry.
pub fn attribute(attribute: &Attribute, value: impl Into<Value>) -> KeyValue {
    KeyValue::new(attribute.name, value)
}

/// A counter; call [`crate::start`] before.
pub fn counter(metric: &Metric) -> Counter {
    meter()
        .u64_counter(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .build()
}

/// An up-down counter; call [`crate::start`] before.
pub fn up_down_counter(metric: &Metric) -> UpDownCounter {
    meter()
        .i64_up_down_counter(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .build()
}

/// A gauge that is set; call [`crate::start`] before.
pub fn gauge(metric: &Metric) -> Gauge {
    meter()
        .f64_gauge(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .build()
}

/// A histogram with the buckets of its unit; call [`crate::start`] before.
pub fn histogram(metric: &Metric) -> Histogram {
    meter()
        .f64_histogram(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .with_boundaries(metric.boundaries().to_vec())
        .build()
}

/// What is read whenever metrics are collected.
fn reading<T>(
    read: impl Fn() -> Vec<(T, Vec<KeyValue>)> + Send + Sync + 'static,
) -> impl Fn(&dyn AsyncInstrument<T>) + Send + Sync + 'static {
    move |observer| {
        for (value, attributes) in read() {
            observer.observe(value, &attributes);
        }
    }
}

/// A gauge that is read when metrics are collected.
pub fn observe_u64(metric: &Metric, read: impl Fn() -> Vec<(u64, Vec<KeyValue>)> + Send + Sync + 'static) {
    meter()
        .u64_observable_gauge(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .with_callback(reading(read))
        .build();
}

/// As [`observe_u64`], for values that may be negative.
pub fn observe_i64(metric: &Metric, read: impl Fn() -> Vec<(i64, Vec<KeyValue>)> + Send + Sync + 'static) {
    meter()
        .i64_observable_gauge(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .with_callback(reading(read))
        .build();
}

/// As [`observe_u64`], for fractions.
pub fn observe_f64(metric: &Metric, read: impl Fn() -> Vec<(f64, Vec<KeyValue>)> + Send + Sync + 'static) {
    meter()
        .f64_observable_gauge(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .with_callback(reading(read))
        .build();
}

/// A counter that something else keeps and that is read when metrics are collected.
pub fn observe_u64_counter(
    metric: &Metric,
    read: impl Fn() -> Vec<(u64, Vec<KeyValue>)> + Send + Sync + 'static,
) {
    meter()
        .u64_observable_counter(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .with_callback(reading(read))
        .build();
}
