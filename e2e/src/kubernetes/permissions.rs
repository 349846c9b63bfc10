//! The rights that the chart gives the operator, against those that it used.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::audit::Right;

/// The chart's list: `charts/tim-operator/files/rules.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// On the objects of clusters, in the watched namespaces.
    pub clusters: Vec<Rule>,
    /// In the operator's own namespace.
    pub lease: Vec<Rule>,
}

/// A rule of a Role.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// Groups; the core is the empty one.
    pub api_groups: Vec<String>,
    /// Resources, with subresources.
    pub resources: Vec<String>,
    /// Verbs.
    pub verbs: Vec<String>,
}

/// Rights that rules grant, one by one.
pub fn granted<'a>(rules: impl IntoIterator<Item = &'a Rule>) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    for rule in rules {
        for group in &rule.api_groups {
            for resource in &rule.resources {
                rights.extend(
                    rule.verbs
                        .iter()
                        .map(|verb| (group.clone(), resource.clone(), verb.clone())),
                );
            }
        }
    }
    rights
}

/// What differs, one line each: rights that were used and are not granted, and the other way round.
pub fn differences(granted: &BTreeSet<Right>, used: &BTreeSet<Right>) -> Vec<String> {
    let line = |word: &str, (group, resource, verb): &Right| format!("{word}: {verb} {resource} ({group})");
    let missing = used
        .difference(granted)
        .map(|right| line("used, not granted", right));
    let superfluous = granted
        .difference(used)
        .map(|right| line("granted, never used", right));
    missing.chain(superfluous).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_are_compared() {
        let rules: Vec<Rule> = serde_json::from_str(
            r#"[{"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["get"]}]"#,
        )
        .unwrap();
        let used = BTreeSet::from([
            (String::new(), "pods".to_owned(), "get".to_owned()),
            ("apps".to_owned(), "statefulsets".to_owned(), "patch".to_owned()),
        ]);
        let lines = differences(&granted(&rules), &used);
        assert_eq!(
            lines,
            [
                "used, not granted: patch statefulsets (apps)",
                "granted, never used: get services ()"
            ]
        );
    }
}
