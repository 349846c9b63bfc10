//! The reference of all names, as the documentation shows it.

use crate::names::{ATTRIBUTES, Attribute, METRICS, MetricKind, SCHEMA_URL, SPANS, Stability};
use std::fmt::Write;

/// Markdown with every span, metric and attribute, its unit, kind and stability.
pub fn reference_markdown() -> String {
    let mut text = format!(
        "# Telemetry\n\nGenerated from the source (`cargo generate`). Conventions: {SCHEMA_URL}. \
         Prometheus names follow by the usual translation: dots become underscores, units and `_total` are appended.\n"
    );
    spans(&mut text);
    metrics(&mut text);
    attributes(&mut text);
    text
}

fn spans(text: &mut String) {
    text.push_str(
        "\n## Spans\n\n| span | kind | what it measures | attributes | stability |\n|---|---|---|---|---|\n",
    );
    for span in SPANS {
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} | {} |",
            span.name,
            span.kind,
            span.description,
            list(span.attributes),
            word(span.stability)
        );
    }
}

fn metrics(text: &mut String) {
    text.push_str("\n## Metrics\n\n| metric | unit | kind | what it says | attributes | stability |\n|---|---|---|---|---|---|\n");
    for metric in METRICS {
        let kind = match metric.kind {
            MetricKind::Counter => "counter",
            MetricKind::UpDownCounter => "up-down counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        };
        let _ = writeln!(
            text,
            "| `{}` | `{}` | {kind} | {} | {} | {} |",
            metric.name,
            metric.unit,
            metric.description,
            list(metric.attributes),
            word(metric.stability)
        );
    }
}

fn attributes(text: &mut String) {
    text.push_str("\n## Attributes\n\n| attribute | what it says | stability |\n|---|---|---|\n");
    for attribute in ATTRIBUTES {
        let _ = writeln!(
            text,
            "| `{}` | {} | {} |",
            attribute.name,
            attribute.description,
            word(attribute.stability)
        );
    }
}

fn list(attributes: &[&Attribute]) -> String {
    attributes
        .iter()
        .map(|attribute| format!("`{}`", attribute.name))
        .collect::<Vec<_>>()
        .join(" ")
}

fn word(stability: Stability) -> &'static str {
    match stability {
        Stability::Stable => "stable",
        Stability::Development => "development",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_well_formed() {
        let names: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
        let unique: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(names.len(), unique.len());
        for metric in METRICS {
            assert!(
                !metric.name.ends_with("_total"),
                "{} gets its suffix from the exporter",
                metric.name
            );
            assert!(!metric.unit.is_empty(), "{}", metric.name);
        }
    }

    #[test]
    fn no_name_that_the_conventions_have_dropped() {
        let gone = [
            "rpc.system",
            "rpc.service",
            "rpc.grpc.status_code",
            "rpc.response.status_code",
            "db.system",
            "messaging.operation",
            "messaging.client_id",
            "deployment.environment",
            "error.message",
            "event.name",
        ];
        for attribute in ATTRIBUTES {
            assert!(!gone.contains(&attribute.name), "{}", attribute.name);
        }
    }

    #[test]
    fn every_attribute_of_a_span_or_metric_is_listed() {
        let listed: BTreeSet<&str> = ATTRIBUTES.iter().map(|attribute| attribute.name).collect();
        let used = SPANS
            .iter()
            .flat_map(|span| span.attributes)
            .chain(METRICS.iter().flat_map(|metric| metric.attributes));
        for attribute in used {
            assert!(listed.contains(attribute.name));
        }
        let text = reference_markdown();
        assert!(METRICS.iter().all(|metric| text.contains(metric.name)));
    }
}
