//! Logs, metrics, traces.

use crate::LoadError;
use serde::{Deserialize, Serialize};

/// Section `[telemetry]`. The standard `OTEL_*` variables are honoured where a key is left empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// OTLP/gRPC endpoint (`http://host:4317`); empty: `OTEL_EXPORTER_OTLP_ENDPOINT`, and without that nothing is sent.
    pub otlp_endpoint: String,
    /// Log filter in the form of `RUST_LOG` (`info`, `tim_node=debug,info`).
    pub log_filter: String,
    /// Log lines as JSON (for collectors) or as text (for people).
    pub log_json: bool,
    /// Share of traces that are kept, 0.0 to 1.0.
    pub trace_ratio: f64,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            otlp_endpoint: String::new(),
            log_filter: String::from("info"),
            log_json: true,
            trace_ratio: 0.01,
        }
    }
}

impl Telemetry {
    pub(crate) fn validate(&self) -> Result<(), LoadError> {
        if !(0.0..=1.0).contains(&self.trace_ratio) {
            return Err(LoadError::invalid(
                "telemetry.trace_ratio",
                &self.trace_ratio.to_string(),
                "0.0 to 1.0",
            ));
        }
        let endpoint = &self.otlp_endpoint;
        if !endpoint.is_empty() && !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
            return Err(LoadError::invalid(
                "telemetry.otlp_endpoint",
                &crate::shown_address(endpoint),
                "http://host:port or https://host:port",
            ));
        }
        Ok(())
    }
}
