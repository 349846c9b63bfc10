//! What a process says about itself, and where its signals go.

/// Input of [`crate::start`]; the standard `OTEL_*` variables are honoured where a field is left empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `service.name`: `tim-node`, `tim-operator`.
    pub service_name: &'static str,
    /// `service.version`.
    pub service_version: &'static str,
    /// `service.namespace`: the cluster; empty: not said.
    pub service_namespace: String,
    /// `service.instance.id`: the node's name; empty: not said.
    pub service_instance_id: String,
    /// OTLP/gRPC endpoint; empty: `OTEL_EXPORTER_OTLP_ENDPOINT`, and without that nothing is sent.
    pub otlp_endpoint: String,
    /// Log filter in the form of `RUST_LOG`; that variable wins when it is set.
    pub log_filter: String,
    /// Log lines as JSON, else as text.
    pub log_json: bool,
    /// Share of messages that are traced, 0.0 to 1.0; `OTEL_TRACES_SAMPLER(_ARG)` wins when set.
    pub trace_ratio: f64,
}

impl Settings {
    /// Settings with what has no sensible default; logs as text at `info`, one message in a hundred traced.
    pub fn new(service_name: &'static str, service_version: &'static str) -> Self {
        Self {
            service_name,
            service_version,
            service_namespace: String::new(),
            service_instance_id: String::new(),
            otlp_endpoint: String::new(),
            log_filter: String::from("info"),
            log_json: false,
            trace_ratio: 0.01,
        }
    }

    /// Where OTLP goes, if anywhere: the configured endpoint, else whether a standard variable names one.
    pub(crate) fn exports(&self, environment: impl Fn(&str) -> Option<String>) -> bool {
        if environment("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return false;
        }
        !self.otlp_endpoint.is_empty()
            || ENDPOINT_VARIABLES
                .iter()
                .any(|name| environment(name).is_some_and(|value| !value.is_empty()))
    }

    /// The share of messages to trace, from the standard variables or the configuration.
    pub(crate) fn ratio(&self, environment: impl Fn(&str) -> Option<String>) -> f64 {
        let argument = || {
            environment("OTEL_TRACES_SAMPLER_ARG")
                .and_then(|value| value.parse::<f64>().ok())
                .filter(|ratio| (0.0..=1.0).contains(ratio))
        };
        match environment("OTEL_TRACES_SAMPLER").as_deref() {
            Some("always_on" | "parentbased_always_on") => 1.0,
            Some("always_off" | "parentbased_always_off") => 0.0,
            Some("traceidratio" | "parentbased_traceidratio") => argument().unwrap_or(1.0),
            _ => self.trace_ratio,
        }
    }

    /// Whether a signal is switched off by its standard variable (`OTEL_TRACES_EXPORTER=none`).
    pub(crate) fn switched_off(environment: impl Fn(&str) -> Option<String>, variable: &str) -> bool {
        environment(variable).is_some_and(|value| value == "none")
    }
}

const ENDPOINT_VARIABLES: [&str; 4] = [
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
        move |name| {
            pairs
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        }
    }

    #[test]
    fn nothing_is_exported_without_an_endpoint() {
        let settings = Settings::new("test", "0");
        assert!(!settings.exports(variables(&[])));
        assert!(settings.exports(variables(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4317")])));
        let configured = Settings {
            otlp_endpoint: String::from("http://c:4317"),
            ..settings
        };
        assert!(configured.exports(variables(&[])));
        assert!(!configured.exports(variables(&[("OTEL_SDK_DISABLED", "TRUE")])));
    }

    #[test]
    fn standard_sampler_variables_win() {
        let settings = Settings::new("test", "0");
        assert_eq!(settings.ratio(variables(&[])), 0.01);
        assert_eq!(
            settings.ratio(variables(&[("OTEL_TRACES_SAMPLER", "always_on")])),
            1.0
        );
        let given = variables(&[
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.5"),
        ]);
        assert_eq!(settings.ratio(given), 0.5);
    }
}
