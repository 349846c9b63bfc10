//! Traces, metrics and logs as the collector wrote them down: one batch of OTLP in JSON per line.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// A span.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Trace it belongs to.
    pub trace: String,
    /// Its id.
    pub id: String,
    /// The span it hangs under; empty for a root.
    pub parent: String,
    /// Name.
    pub name: String,
    /// `service.instance.id` of the process.
    pub instance: String,
    /// `service.name` of the process.
    pub service: String,
    /// Begin, in Unix nanoseconds.
    pub start_nanos: u128,
    /// End, in Unix nanoseconds.
    pub end_nanos: u128,
    /// Attributes, values as text.
    pub attributes: BTreeMap<String, String>,
}

/// A log record.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// `service.instance.id` of the process.
    pub instance: String,
    /// `service.name` of the process.
    pub service: String,
    /// Severity, such as `WARN`.
    pub severity: String,
    /// The text.
    pub body: String,
    /// Attributes, values as text.
    pub attributes: BTreeMap<String, String>,
}

/// Everything that a collector received.
#[derive(Debug, Default)]
pub struct Signals {
    /// Spans in the order of arrival.
    pub spans: Vec<Span>,
    /// Log records in the order of arrival.
    pub records: Vec<Record>,
    /// Names of metrics, each with the attributes seen on its points.
    pub metrics: BTreeMap<String, BTreeSet<String>>,
    /// Names of resource attributes.
    pub resource_attributes: BTreeSet<String>,
    /// Number of series of each process: `service.instance.id` to distinct (metric, attributes).
    pub series: BTreeMap<String, BTreeSet<String>>,
}

/// Reads a collector's file. A last line that is still being written is left out.
///
/// # Errors
/// A line is not JSON.
pub fn read(file: &str) -> anyhow::Result<Signals> {
    let mut signals = Signals::default();
    let complete = file.rfind('\n').map_or("", |end| &file[..end]);
    for line in complete.lines() {
        let batch: Value = serde_json::from_str(line)?;
        for resource in list(&batch, "resourceSpans") {
            let origin = Origin::of(resource, &mut signals);
            for span in scoped(resource, "scopeSpans", "spans") {
                signals.spans.push(origin.span(span));
            }
        }
        for resource in list(&batch, "resourceLogs") {
            let origin = Origin::of(resource, &mut signals);
            for record in scoped(resource, "scopeLogs", "logRecords") {
                signals.records.push(origin.record(record));
            }
        }
        for resource in list(&batch, "resourceMetrics") {
            let origin = Origin::of(resource, &mut signals);
            for metric in scoped(resource, "scopeMetrics", "metrics") {
                origin.metric(metric, &mut signals);
            }
        }
    }
    Ok(signals)
}

impl Signals {
    /// The spans of each trace.
    pub fn traces(&self) -> BTreeMap<&str, Vec<&Span>> {
        let mut traces: BTreeMap<&str, Vec<&Span>> = BTreeMap::new();
        for span in &self.spans {
            traces.entry(&span.trace).or_default().push(span);
        }
        traces
    }
}

/// The process that a batch comes from.
struct Origin {
    service: String,
    instance: String,
}

impl Origin {
    fn of(resource: &Value, signals: &mut Signals) -> Self {
        let attributes = attributes(&resource["resource"]);
        signals.resource_attributes.extend(attributes.keys().cloned());
        let get = |name: &str| attributes.get(name).cloned().unwrap_or_default();
        Self {
            service: get("service.name"),
            instance: get("service.instance.id"),
        }
    }

    fn span(&self, span: &Value) -> Span {
        Span {
            trace: text(&span["traceId"]),
            id: text(&span["spanId"]),
            parent: text(&span["parentSpanId"]),
            name: text(&span["name"]),
            instance: self.instance.clone(),
            service: self.service.clone(),
            start_nanos: text(&span["startTimeUnixNano"]).parse().unwrap_or_default(),
            end_nanos: text(&span["endTimeUnixNano"]).parse().unwrap_or_default(),
            attributes: attributes(span),
        }
    }

    fn record(&self, record: &Value) -> Record {
        Record {
            instance: self.instance.clone(),
            service: self.service.clone(),
            severity: text(&record["severityText"]),
            body: any_value(&record["body"]),
            attributes: attributes(record),
        }
    }

    fn metric(&self, metric: &Value, signals: &mut Signals) {
        let name = text(&metric["name"]);
        let names = signals.metrics.entry(name.clone()).or_default();
        let series = signals
            .series
            .entry(format!("{}/{}", self.service, self.instance))
            .or_default();
        for kind in ["gauge", "sum", "histogram", "exponentialHistogram", "summary"] {
            for point in list(&metric[kind], "dataPoints") {
                let attributes = attributes(point);
                series.insert(format!("{name} {attributes:?}"));
                names.extend(attributes.into_keys());
            }
        }
    }
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value[name].as_array().into_iter().flatten()
}

fn scoped<'a>(resource: &'a Value, scopes: &str, items: &'static str) -> impl Iterator<Item = &'a Value> {
    list(resource, scopes).flat_map(move |scope| list(scope, items))
}

fn attributes(value: &Value) -> BTreeMap<String, String> {
    list(value, "attributes")
        .map(|attribute| (text(&attribute["key"]), any_value(&attribute["value"])))
        .collect()
}

/// OTLP wraps each value in an object that names its type.
fn any_value(value: &Value) -> String {
    value
        .as_object()
        .and_then(|typed| typed.values().next())
        .map_or_else(String::new, text)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(
        || {
            if value.is_null() {
                String::new()
            } else {
                value.to_string()
            }
        },
        str::to_owned,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = concat!(
        r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"tim-node"}},{"key":"service.instance.id","value":{"stringValue":"chat-0"}}]},"scopeSpans":[{"spans":[{"traceId":"t","spanId":"s","parentSpanId":"","name":"tim.frame message","startTimeUnixNano":"5","endTimeUnixNano":"9","attributes":[{"key":"tim.frame.type","value":{"intValue":"17"}}]}]}]}]}"#,
        "\n",
        r#"{"resourceMetrics":[{"resource":{},"scopeMetrics":[{"metrics":[{"name":"tim.session.count","gauge":{"dataPoints":[{"asInt":"1","attributes":[{"key":"a","value":{"boolValue":true}}]},{"asInt":"1"}]}}]}]}]}"#,
        "\n",
        r#"{"resourceLogs":[{"resource":{},"scopeLogs":[{"logRecords":[{"severityText":"WARN","body":{"stringValue":"text"},"attributes":[]}]}]}]}"#,
        "\n{\"half"
    );

    #[test]
    fn the_three_signals_are_read() {
        let signals = read(FILE).unwrap();
        assert_eq!(signals.spans[0].instance, "chat-0");
        assert_eq!(signals.spans[0].attributes["tim.frame.type"], "17");
        assert_eq!(signals.spans[0].end_nanos - signals.spans[0].start_nanos, 4);
        assert!(signals.metrics["tim.session.count"].contains("a"));
        assert_eq!(signals.series["/"].len(), 2);
        assert_eq!(
            (
                signals.records[0].severity.as_str(),
                signals.records[0].body.as_str()
            ),
            ("WARN", "text")
        );
    }
}
