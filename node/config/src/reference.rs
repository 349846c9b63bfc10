//! Every key with type, default and description, for the generated reference.

use crate::NodeConfig;
use schemars::generate::SchemaSettings;
use serde_json::Value;

/// One key of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Full name, `sessions.ping_timeout_seconds`.
    pub path: String,
    /// Type as the schema names it.
    pub kind: String,
    /// Default in TOML form; empty where a key has none.
    pub default: String,
    /// What it is for.
    pub description: String,
}

/// One section and its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Name as in `[sessions]`.
    pub name: String,
    /// What the section is about.
    pub description: String,
    /// Its keys in order of declaration.
    pub keys: Vec<Key>,
}

/// The whole tree by sections.
pub fn sections() -> Vec<Section> {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let schema = Value::from(settings.into_generator().into_root_schema_for::<NodeConfig>());
    let defaults = serde_json::to_value(NodeConfig::default()).unwrap_or_default();
    let mut sections = Vec::new();
    for (name, section) in properties(&schema) {
        let mut keys = Vec::new();
        collect(name, section, &defaults[name], &mut keys);
        sections.push(Section {
            name: name.clone(),
            description: description(section),
            keys,
        });
    }
    sections
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["properties"].as_object().into_iter().flatten()
}

fn description(schema: &Value) -> String {
    schema["description"]
        .as_str()
        .unwrap_or_default()
        .replace('\n', " ")
}

fn collect(prefix: &str, schema: &Value, defaults: &Value, keys: &mut Vec<Key>) {
    for (name, property) in properties(schema) {
        let path = format!("{prefix}.{name}");
        let default = &defaults[name];
        if property["properties"].is_object() {
            collect(&path, property, default, keys);
            continue;
        }
        let kind = property["type"].as_str().unwrap_or("value");
        let default = if default.is_null() {
            String::new()
        } else {
            default.to_string()
        };
        keys.push(Key {
            path,
            kind: kind.to_owned(),
            default,
            description: description(property),
        });
    }
}
