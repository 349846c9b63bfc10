//! OTLP exporters, each behind a processor with its own thread and a bounded queue that drops.

use crate::{Settings, StartError};
use opentelemetry::KeyValue;
use opentelemetry_otlp::{LogExporter, MetricExporter, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};

pub(crate) fn resource(settings: &Settings) -> Resource {
    let mut attributes = vec![KeyValue::new("service.version", settings.service_version)];
    if !settings.service_namespace.is_empty() {
        attributes.push(KeyValue::new(
            "service.namespace",
            settings.service_namespace.clone(),
        ));
    }
    if !settings.service_instance_id.is_empty() {
        attributes.push(KeyValue::new(
            "service.instance.id",
            settings.service_instance_id.clone(),
        ));
    }
    let builder = Resource::builder().with_schema_url(attributes, crate::names::SCHEMA_URL);
    // The standard variable outranks the built-in name.
    if std::env::var_os("OTEL_SERVICE_NAME").is_some() {
        builder.build()
    } else {
        builder.with_service_name(settings.service_name).build()
    }
}

macro_rules! exporter {
    ($kind:ident, $settings:expr) => {{
        let builder = $kind::builder().with_tonic();
        let builder = if $settings.otlp_endpoint.is_empty() {
            builder
        } else {
            builder.with_endpoint($settings.otlp_endpoint.clone())
        };
        builder.build().map_err(|error| StartError::Exporter {
            reason: error.to_string(),
        })
    }};
}

/// Spans arrive here only if they are wanted: messages are sampled at their root ([`crate::Span::root`]).
pub(crate) fn tracer(settings: &Settings, resource: Resource) -> Result<SdkTracerProvider, StartError> {
    Ok(SdkTracerProvider::builder()
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
        .with_resource(resource)
        .with_batch_exporter(exporter!(SpanExporter, settings)?)
        .build())
}

pub(crate) fn logger(settings: &Settings, resource: Resource) -> Result<SdkLoggerProvider, StartError> {
    Ok(SdkLoggerProvider::builder()
        .with_resource(resource)
        .with_batch_exporter(exporter!(LogExporter, settings)?)
        .build())
}

pub(crate) fn meter(
    settings: &Settings,
    resource: Resource,
    registry: &prometheus::Registry,
    export: bool,
) -> Result<SdkMeterProvider, StartError> {
    let scrape = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .scope_info_enabled(false)
        .build()
        .map_err(|error| StartError::Exporter {
            reason: error.to_string(),
        })?;
    let mut builder = SdkMeterProvider::builder()
        .with_resource(resource)
        .with_reader(scrape);
    if export {
        builder = builder.with_periodic_exporter(exporter!(MetricExporter, settings)?);
    }
    Ok(builder.build())
}
