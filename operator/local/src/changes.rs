//! What differs between two specs, in the words of the file: `replicas 3 → 5`.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use tim_crds::TimCluster;

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    /// Where: `replicas`, `databases[d2].dsnSecretRef.name`.
    pub path: String,
    /// The value before; absent if the field was not there.
    pub before: Option<String>,
    /// The value after; absent if the field is gone.
    pub after: Option<String>,
}

impl fmt::Display for FieldChange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(formatter, "{} {before} → {after}", self.path),
            // What an added object holds stands in the file; one line cannot show it.
            (None, Some(after)) if after.starts_with('{') => write!(formatter, "{} added", self.path),
            (None, Some(after)) => write!(formatter, "{} added: {after}", self.path),
            (Some(_), None) => write!(formatter, "{} removed", self.path),
            (None, None) => formatter.write_str(&self.path),
        }
    }
}

/// Keys by which the entries of a list are told apart, as the schema's list-maps have them.
const LIST_KEYS: [&str; 2] = ["name", "from"];

/// What differs between the specs of two clusters.
pub fn between_clusters(before: &TimCluster, after: &TimCluster) -> Vec<FieldChange> {
    let tree = |cluster: &TimCluster| serde_json::to_value(&cluster.spec).unwrap_or_default();
    between(&tree(before), &tree(after))
}

/// All fields that differ, in the order of their paths.
pub fn between(before: &Value, after: &Value) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    compare("", Some(before), Some(after), &mut changes);
    changes
}

fn compare(path: &str, before: Option<&Value>, after: Option<&Value>, changes: &mut Vec<FieldChange>) {
    if before == after {
        return;
    }
    match (before, after) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let old: BTreeMap<String, &Value> = old.iter().map(|(key, value)| (key.clone(), value)).collect();
            let new: BTreeMap<String, &Value> = new.iter().map(|(key, value)| (key.clone(), value)).collect();
            compare_entries(&old, &new, changes, |key| {
                if path.is_empty() {
                    key.to_owned()
                } else {
                    format!("{path}.{key}")
                }
            });
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => match (keyed(old), keyed(new)) {
            (Some(old), Some(new)) => compare_entries(&old, &new, changes, |key| format!("{path}[{key}]")),
            _ => push(path, before, after, changes),
        },
        _ => push(path, before, after, changes),
    }
}

fn compare_entries(
    old: &BTreeMap<String, &Value>,
    new: &BTreeMap<String, &Value>,
    changes: &mut Vec<FieldChange>,
    path_of: impl Fn(&str) -> String,
) {
    let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        compare(
            &path_of(key),
            old.get(key).copied(),
            new.get(key).copied(),
            changes,
        );
    }
}

/// The list by the keys of its entries, if each has one.
fn keyed(list: &[Value]) -> Option<BTreeMap<String, &Value>> {
    list.iter()
        .map(|entry| {
            let key = LIST_KEYS.iter().find_map(|key| entry.get(key))?;
            Some((plain(key), entry))
        })
        .collect()
}

fn push(path: &str, before: Option<&Value>, after: Option<&Value>, changes: &mut Vec<FieldChange>) {
    changes.push(FieldChange {
        path: path.to_owned(),
        before: before.map(plain),
        after: after.map(plain),
    });
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn texts(before: &Value, after: &Value) -> Vec<String> {
        between(before, after).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_changed_number_is_told_with_both_values() {
        assert_eq!(
            texts(&json!({"replicas": 3}), &json!({"replicas": 5})),
            ["replicas 3 → 5"]
        );
    }

    #[test]
    fn list_entries_are_known_by_name_not_by_place() {
        let before = json!({"databases": [{"name": "d0", "k": 1}, {"name": "d1", "k": 1}]});
        let after = json!({"databases": [{"name": "d1", "k": 2}, {"name": "d2", "k": 1}]});
        assert_eq!(
            texts(&before, &after),
            [
                "databases[d0] removed",
                "databases[d1].k 1 → 2",
                "databases[d2] added"
            ]
        );
    }

    #[test]
    fn equal_specs_have_no_changes() {
        assert!(between(&json!({"a": [1, 2]}), &json!({"a": [1, 2]})).is_empty());
    }
}
