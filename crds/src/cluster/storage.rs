//! The volume of each node.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The volume of each node.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0").message(Message::Expression(
        "'TIM-C104 storage.size cannot shrink (from ' + oldSelf.size + ' to ' + self.size + '): volumes only grow. try: size: ' + oldSelf.size".into()
    )),
    validation = Rule::new("has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)").message(
        "TIM-C104 storage.storageClassName cannot be changed, added or removed: existing volumes keep their class"
    )
)]
pub struct Storage {
    /// Size of the volume; it can grow where the class allows expansion, never shrink.
    #[serde(default = "default_size")]
    #[schemars(
        length(max = 16),
        regex(pattern = r"^[1-9][0-9]{0,9}(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?$")
    )]
    pub size: String,
    /// Class of the volume. Absent: the default class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub storage_class_name: Option<String>,
    /// What happens to volumes that are not needed any more.
    #[serde(default)]
    pub retain: Retain,
}

fn default_size() -> String {
    "1Gi".into()
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            size: default_size(),
            storage_class_name: None,
            retain: Retain::default(),
        }
    }
}

/// What happens to volumes that are not needed any more.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct Retain {
    /// When the TimCluster is deleted. Retain also keeps the Secret with the storage key, without which databases cannot
    /// be read.
    #[serde(default)]
    pub when_deleted: RetainPolicy,
    /// When `replicas` is lowered.
    #[serde(default)]
    pub when_scaled: RetainPolicy,
}

/// Keep or remove.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RetainPolicy {
    /// Keep.
    #[default]
    Retain,
    /// Remove.
    Delete,
}

impl RetainPolicy {
    /// The word that Kubernetes uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retain => "Retain",
            Self::Delete => "Delete",
        }
    }
}
