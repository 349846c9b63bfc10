//! Settings of the pods: resources, drain, disruption, telemetry.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the pods.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Pod {
    /// Seconds that Kubernetes gives a node to drain and stop.
    #[serde(default = "default_grace_seconds")]
    #[schemars(range(min = 1, max = 86400))]
    pub termination_grace_period_seconds: i64,
    /// Resources of the node's container.
    #[serde(default, skip_serializing_if = "Resources::is_empty")]
    pub resources: Resources,
    /// A partial pod template (`metadata`, `spec`), merged over the operator's as a strategic merge: containers, volumes
    /// and environment by name, everything else by key. The node's container is called `node`.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    #[schemars(schema_with = "crate::schema::open_object")]
    pub overlay: serde_json::Map<String, serde_json::Value>,
}

fn default_grace_seconds() -> i64 {
    360
}

impl Default for Pod {
    fn default() -> Self {
        Self {
            termination_grace_period_seconds: default_grace_seconds(),
            resources: Resources::default(),
            overlay: serde_json::Map::new(),
        }
    }
}

/// Resources of a container, as in a pod.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// What is reserved.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8))]
    pub requests: BTreeMap<String, IntOrString>,
    /// What may not be exceeded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8))]
    pub limits: BTreeMap<String, IntOrString>,
}

impl Resources {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.limits.is_empty()
    }
}

/// How a node is emptied before it stops.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Drain {
    /// Seconds a drain may take.
    #[serde(default = "default_timeout_seconds")]
    #[schemars(range(min = 1, max = 86400))]
    pub timeout_seconds: i64,
    /// Seconds between leaving the Service and the first closed connection, for load balancers to notice.
    #[serde(default = "default_settle_seconds")]
    #[schemars(range(min = 0, max = 3600))]
    pub settle_seconds: i64,
    /// Connections closed per second, so that the others are not stormed.
    #[serde(default = "default_connections_per_second")]
    #[schemars(range(min = 1, max = 100000))]
    pub connections_per_second: i64,
    /// What happens when the time is over.
    #[serde(default)]
    pub on_timeout: DrainTimeout,
}

fn default_timeout_seconds() -> i64 {
    300
}

fn default_settle_seconds() -> i64 {
    5
}

fn default_connections_per_second() -> i64 {
    500
}

impl Default for Drain {
    fn default() -> Self {
        Self {
            timeout_seconds: default_timeout_seconds(),
            settle_seconds: default_settle_seconds(),
            connections_per_second: default_connections_per_second(),
            on_timeout: DrainTimeout::default(),
        }
    }
}

/// What happens when a drain takes longer than it may.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DrainTimeout {
    /// The node stops; its clients reconnect elsewhere, nothing acknowledged is lost.
    #[default]
    Force,
    /// The node is left draining until it is empty.
    Wait,
}

/// How many nodes an eviction may take away.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Disruption {
    /// Nodes that may be away voluntarily at the same time. 0 forbids evictions.
    #[serde(default = "default_max_unavailable")]
    #[schemars(range(min = 0, max = 1000))]
    pub max_unavailable: i32,
}

fn default_max_unavailable() -> i32 {
    1
}

impl Default for Disruption {
    fn default() -> Self {
        Self {
            max_unavailable: default_max_unavailable(),
        }
    }
}

/// Where traces, metrics and logs go.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct Telemetry {
    /// OTLP/gRPC endpoint such as `http://collector:4317`. Absent: the standard OTEL_* variables, else nothing is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = r"^(https?://.+)?$"))]
    pub otlp_endpoint: Option<String>,
}

impl Telemetry {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.otlp_endpoint.is_none()
    }
}
