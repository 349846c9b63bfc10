//! Databases, the partitions on them, and additions to the nodes' configuration.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One key of a Secret in the same namespace.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct SecretKey {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key in the Secret.
    #[serde(default = "dsn")]
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

fn dsn() -> String {
    "dsn".into()
}

/// A database that holds partitions.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct Database {
    /// Name by which ranges refer to it.
    #[schemars(length(min = 1, max = 40), regex(pattern = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// The Secret with its DSN (`sqlite:`, `postgres:` or `mysql:`). On a laptop a Secret that is not among the documents
    /// means a SQLite file.
    pub dsn_secret_ref: SecretKey,
}

/// Which database holds which slots.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct Partitioning {
    /// The partition map that a new cluster begins with: each range reaches from its lower bound to the next. Read once;
    /// later edits move nothing and set the condition LayoutDiffers. Absent: the databases share the slots evenly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(
        merge_strategy = ListMerge::Map(vec!["from".into()]),
        validation = Rule::new("size(self) == 0 || self.exists_one(r, r.from == 0)").message("TIM-C108 partitioning.layout: exactly one range must begin at slot 0, else the first slots belong to nobody")
    )]
    pub layout: Vec<Range>,
}

impl Partitioning {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.layout.is_empty()
    }
}

/// A range of slots, by its lower bound, and the database that holds it.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct Range {
    /// First slot of the range.
    #[schemars(range(min = 0, max = 1048575))]
    pub from: u32,
    /// Name of a database in `spec.databases`.
    #[schemars(length(min = 1, max = 40))]
    pub database: String,
}

/// Additions to the nodes' configuration file.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// Keys of node.toml, as in the configuration reference; they win over what the operator sets, except identity,
    /// addresses and paths. A change restarts the nodes one by one.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    #[schemars(schema_with = "crate::schema::open_object")]
    pub inline: serde_json::Map<String, serde_json::Value>,
    /// Secrets with further TOML, read in this order, each over the ones before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into(), "key".into()]))]
    pub secret_refs: Vec<ConfigSecret>,
}

impl Config {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.inline.is_empty() && self.secret_refs.is_empty()
    }
}

/// One key of a Secret that holds TOML.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct ConfigSecret {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key in the Secret.
    #[serde(default = "toml_key")]
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

fn toml_key() -> String {
    "tim.toml".into()
}
