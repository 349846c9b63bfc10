//! The table of specs that must be refused, for the tests of this crate and for those against a real API server.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::API_VERSION;

/// One bad spec, or one bad change, and the words it is refused with.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BadSpec {
    /// What is bad about it.
    pub name: String,
    /// Its kind.
    #[serde(default = "cluster")]
    pub kind: String,
    /// Name of the object.
    #[serde(default = "bad")]
    pub metadata_name: String,
    /// The spec before, where the case is a change.
    pub old: Option<Value>,
    /// The bad spec.
    pub spec: Value,
    /// What both checkers say.
    pub message: Option<String>,
    /// What this crate says, where that differs.
    pub local: Option<String>,
    /// What the API server says, where that differs; part of its message.
    pub server: Option<String>,
}

fn cluster() -> String {
    "TimCluster".into()
}

fn bad() -> String {
    "bad".into()
}

impl BadSpec {
    /// The object with a spec: the bad one, or the one before.
    pub fn object(&self, spec: &Value) -> Value {
        json!({ "apiVersion": API_VERSION, "kind": self.kind, "metadata": { "name": self.metadata_name }, "spec": spec })
    }
}

/// All bad specs.
///
/// # Errors
/// The table is not YAML; a test rules this out.
pub fn bad_specs() -> Result<Vec<BadSpec>, serde_yaml::Error> {
    serde_yaml::from_str(include_str!("../tests/bad-specs.yaml"))
}
