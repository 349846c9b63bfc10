//! OpenTelemetry set-up and the names of every span, metric and attribute.
