//! What the operator is told: arguments, or variables of the same name.

use clap::{Parser, Subcommand};
use std::net::SocketAddr;

/// Makes clusters of instant-messaging nodes of every TimCluster it sees.
#[derive(Debug, Clone, Parser)]
#[command(name = "tim-operator", version)]
pub(crate) struct Settings {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Namespaces to look at; none: all of them (needs the rights of a ClusterRole)
    #[arg(
        long = "watch-namespace",
        env = "TIM_OPERATOR_WATCH_NAMESPACES",
        value_delimiter = ','
    )]
    pub(crate) watch_namespaces: Vec<String>,

    /// Namespace of the operator itself, for its lease
    #[arg(long, env = "POD_NAMESPACE", default_value = "default")]
    pub(crate) namespace: String,

    /// Name of this replica, for the lease and for Events
    #[arg(long, env = "POD_NAME", default_value = "tim-operator")]
    pub(crate) identity: String,

    /// Name of the lease that decides which replica acts
    #[arg(long, env = "TIM_OPERATOR_LEASE", default_value = "tim-operator")]
    pub(crate) lease: String,

    /// Address of health, readiness and metrics
    #[arg(long, env = "TIM_OPERATOR_LISTEN", default_value = "0.0.0.0:8080")]
    pub(crate) listen: SocketAddr,

    /// OTLP/gRPC endpoint; without it OTEL_EXPORTER_OTLP_ENDPOINT counts
    #[arg(long, env = "TIM_OPERATOR_OTLP_ENDPOINT", default_value = "")]
    pub(crate) otlp_endpoint: String,

    /// Log filter in the form of RUST_LOG
    #[arg(long, env = "TIM_OPERATOR_LOG", default_value = "info")]
    pub(crate) log: String,

    /// Log lines as text instead of JSON
    #[arg(long, env = "TIM_OPERATOR_LOG_TEXT")]
    pub(crate) log_text: bool,

    /// Image of nodes for clusters whose spec names none
    #[arg(long, env = "TIM_OPERATOR_NODE_IMAGE", default_value = concat!("timcluster/tim-node:", env!("CARGO_PKG_VERSION")))]
    pub(crate) default_image: String,

    /// Clusters worked on at the same time
    #[arg(long, env = "TIM_OPERATOR_CONCURRENCY", default_value_t = 16)]
    pub(crate) concurrency: u16,
}

/// What the program does instead of operating.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Ask a URL, answer with the exit code whether it is well (`helm test` runs this)
    Check {
        /// What to ask
        #[arg(long)]
        url: String,
    },
}

impl Settings {
    /// The settings of logs, metrics and traces.
    pub(crate) fn telemetry(&self) -> tim_telemetry::Settings {
        let mut telemetry = tim_telemetry::Settings::new("tim-operator", env!("CARGO_PKG_VERSION"));
        telemetry.otlp_endpoint.clone_from(&self.otlp_endpoint);
        telemetry.log_filter.clone_from(&self.log);
        telemetry.log_json = !self.log_text;
        telemetry.service_instance_id.clone_from(&self.identity);
        telemetry.trace_ratio = 1.0;
        telemetry
    }
}
