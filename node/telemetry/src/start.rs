//! Setting everything up once, and shutting it down in bounded time.

use crate::logs::BoxedLayer;
use crate::{Settings, exporters, logs, span};
use opentelemetry::global;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::time::Duration;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

/// What the exporters themselves do must not be exported, or every batch makes the next one. Spans of libraries have names
/// that are not ours to promise.
const EXPORT_FILTER: &str = "info,kube_runtime=off,kube_client=off,h2=off,hyper=off,hyper_util=off,tonic=off,tower=off,opentelemetry=off,opentelemetry_sdk=off,opentelemetry_otlp=off,opentelemetry-otlp=off,openraft=off,tim_store=warn";

/// Telemetry could not be set up; the process can run without it.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The endpoint or a standard variable is wrong. Nothing was set up; will not change by itself.
    #[error("telemetry exporter: {reason}")]
    Exporter {
        /// In the words of the exporter.
        reason: String,
    },
    /// Another subscriber is installed already (only in tests). Nothing was set up.
    #[error("a subscriber for log lines is installed already")]
    Installed,
}

/// What runs; keep it until the process ends, then [`Telemetry::shutdown`].
#[derive(Debug)]
pub struct Telemetry {
    tracer: Option<SdkTracerProvider>,
    logger: Option<SdkLoggerProvider>,
    meter: SdkMeterProvider,
    registry: prometheus::Registry,
}

/// Installs log lines, metrics and, where an endpoint is configured, OTLP for all three signals.
/// Call it inside the runtime that lives until [`Telemetry::shutdown`]: the exporters' connections belong to it.
///
/// # Errors
/// [`StartError`]; nothing is left behind but what the global providers already were.
pub fn start(settings: &Settings) -> Result<Telemetry, StartError> {
    let environment = |name: &str| std::env::var(name).ok();
    let export = settings.exports(environment);
    let wanted = |variable| export && !Settings::switched_off(environment, variable);
    let resource = exporters::resource(settings);
    let registry = prometheus::Registry::new();
    let meter = exporters::meter(
        settings,
        resource.clone(),
        &registry,
        wanted("OTEL_METRICS_EXPORTER"),
    )?;
    let tracer = wanted("OTEL_TRACES_EXPORTER")
        .then(|| exporters::tracer(settings, resource.clone()))
        .transpose()?;
    let logger = wanted("OTEL_LOGS_EXPORTER")
        .then(|| exporters::logger(settings, resource))
        .transpose()?;
    global::set_meter_provider(meter.clone());
    global::set_text_map_propagator(TraceContextPropagator::new());
    if let Some(tracer) = &tracer {
        global::set_tracer_provider(tracer.clone());
        span::sample(settings.ratio(environment));
    }
    tracing_subscriber::registry()
        .with(layers(settings, tracer.as_ref(), logger.as_ref()))
        .try_init()
        .map_err(|_| StartError::Installed)?;
    Ok(Telemetry {
        tracer,
        logger,
        meter,
        registry,
    })
}

fn layers(
    settings: &Settings,
    tracer: Option<&SdkTracerProvider>,
    logger: Option<&SdkLoggerProvider>,
) -> Vec<BoxedLayer<Registry>> {
    let filter = logs::filter(&settings.log_filter, std::env::var("RUST_LOG").ok());
    let mut layers: Vec<BoxedLayer<Registry>> =
        vec![logs::layer(settings.log_json).with_filter(filter).boxed()];
    if let Some(tracer) = tracer {
        // Where in the code and in which thread is nobody's question, and would be paid for with every span.
        let layer = tracing_opentelemetry::layer()
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_tracer(tracer.tracer(crate::names::SCOPE))
            .with_filter(EnvFilter::new(EXPORT_FILTER));
        layers.push(layer.boxed());
    }
    if let Some(logger) = logger {
        let layer = OpenTelemetryTracingBridge::new(logger).with_filter(EnvFilter::new(EXPORT_FILTER));
        layers.push(layer.boxed());
    }
    layers
}

impl Telemetry {
    /// All metrics in the text form of Prometheus.
    pub fn prometheus_text(&self) -> String {
        prometheus_text(&self.registry)
    }

    /// A handle that prints the metrics, for the admin listener.
    pub fn scrape(&self) -> impl Fn() -> String + Send + Sync + Clone + 'static {
        let registry = self.registry.clone();
        move || prometheus_text(&registry)
    }

    /// Sends what is queued, waits at most `limit` for it, and ends. Off the runtime's threads, since exporters block.
    pub async fn shutdown(self, limit: Duration) {
        let ended = tokio::task::spawn_blocking(move || {
            if let Some(tracer) = self.tracer {
                let _ = tracer.shutdown_with_timeout(limit);
            }
            if let Some(logger) = self.logger {
                let _ = logger.shutdown_with_timeout(limit);
            }
            let _ = self.meter.shutdown_with_timeout(limit);
        });
        // An exporter that hangs is left behind: the process ends all the same.
        let _ = tokio::time::timeout(limit, ended).await;
    }
}

fn prometheus_text(registry: &prometheus::Registry) -> String {
    prometheus::TextEncoder::new()
        .encode_to_string(&registry.gather())
        .unwrap_or_default()
}
