//! Names, types and limits of a schema, judged field by field with the line of each.

use regex::Regex;
use serde_json::Value;
use tim_catalogue::configuration::{INVALID_VALUE, MISSING_FIELD, UNKNOWN_FIELD};

use super::{
    Origin, Problem, Problems,
    node::{Content, Node, join},
    problem::did_you_mean,
};

/// Fields of `metadata` that a document may carry.
const METADATA: [&str; 14] = [
    "name",
    "namespace",
    "labels",
    "annotations",
    "finalizers",
    "generateName",
    "ownerReferences",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
];

/// Judges a document against the schema of its kind.
pub(super) fn check(schema: &Value, root: &Node, origin: &Origin) -> Result<(), Problems> {
    let kind = root.text("kind").unwrap_or_default().to_owned();
    let mut walk = Walk {
        origin,
        kind,
        problems: Vec::new(),
    };
    walk.root(schema, root);
    if walk.problems.is_empty() {
        Ok(())
    } else {
        Err(Problems(walk.problems))
    }
}

struct Walk<'a> {
    origin: &'a Origin,
    kind: String,
    problems: Vec<Problem>,
}

impl Walk<'_> {
    fn root(&mut self, schema: &Value, root: &Node) {
        let Content::Fields(fields) = &root.value else {
            return;
        };
        let properties = names(schema);
        for field in fields {
            match field.name.as_str() {
                "apiVersion" | "kind" => {}
                "metadata" => self.metadata(&field.node),
                name if properties.contains(&name) => {
                    self.value(&schema["properties"][name], &field.node, name)
                }
                name => self.unknown(
                    "",
                    name,
                    properties
                        .iter()
                        .copied()
                        .chain(["apiVersion", "kind", "metadata"]),
                ),
            }
        }
        if root
            .get("metadata")
            .and_then(|metadata| metadata.text("name"))
            .is_none()
        {
            self.report(&MISSING_FIELD, "metadata", "metadata.name is missing".into());
        }
        self.required(schema, root, "");
    }

    fn metadata(&mut self, node: &Node) {
        let Content::Fields(fields) = &node.value else {
            return self.wrong_type("metadata", "an object", node);
        };
        for field in fields
            .iter()
            .filter(|field| !METADATA.contains(&field.name.as_str()))
        {
            self.unknown("metadata", &field.name, METADATA.into_iter());
        }
    }

    fn value(&mut self, schema: &Value, node: &Node, path: &str) {
        if matches!(node.value, Content::Null) {
            return; // pruned, like an absent field
        }
        if schema["x-kubernetes-int-or-string"] == true {
            if !matches!(&node.value, Content::Text(_)) && !is_integer(node) {
                self.wrong_type(path, "an integer or a string", node);
            }
            return;
        }
        match (schema["type"].as_str().unwrap_or_default(), &node.value) {
            ("object", Content::Fields(_)) => self.object(schema, node, path),
            ("array", Content::List(items)) => self.list(schema, items, path),
            ("string", Content::Text(text)) => self.text(schema, text, path),
            ("integer", Content::Number(number)) if is_integer(node) => {
                self.number(schema, number.as_f64(), path)
            }
            ("number", Content::Number(number)) => self.number(schema, number.as_f64(), path),
            ("boolean", Content::Bool(_)) | ("", _) => {}
            (wanted, _) => self.wrong_type(path, described(wanted), node),
        }
    }

    fn object(&mut self, schema: &Value, node: &Node, path: &str) {
        let Content::Fields(fields) = &node.value else {
            return;
        };
        let open = schema["x-kubernetes-preserve-unknown-fields"] == true;
        let known = names(schema);
        let values = schema.get("additionalProperties");
        if let Some(most) = schema["maxProperties"].as_u64()
            && fields.len() as u64 > most
        {
            self.report(
                &INVALID_VALUE,
                path,
                format!("{path} has {} entries; at most {most} are allowed", fields.len()),
            );
        }
        for field in fields {
            let below = join(path, &field.name);
            if known.contains(&field.name.as_str()) {
                self.value(&schema["properties"][&field.name], &field.node, &below);
            } else if let Some(values) = values {
                self.value(values, &field.node, &below);
            } else if !open {
                self.unknown(path, &field.name, known.iter().copied());
            }
        }
        self.required(schema, node, path);
    }

    fn required(&mut self, schema: &Value, node: &Node, path: &str) {
        for name in schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            if node
                .get(name)
                .is_none_or(|field| matches!(field.value, Content::Null))
            {
                self.report(&MISSING_FIELD, path, format!("{} is missing", join(path, name)));
            }
        }
    }

    fn list(&mut self, schema: &Value, items: &[Node], path: &str) {
        let count = items.len() as u64;
        if let Some(most) = schema["maxItems"].as_u64().filter(|most| count > *most) {
            self.report(
                &INVALID_VALUE,
                path,
                format!("{path} has {count} entries; at most {most} are allowed"),
            );
        }
        if let Some(least) = schema["minItems"].as_u64().filter(|least| count < *least) {
            self.report(
                &INVALID_VALUE,
                path,
                format!("{path} has {count} entries; at least {least} are needed"),
            );
        }
        for (index, item) in items.iter().enumerate() {
            self.value(&schema["items"], item, &format!("{path}[{index}]"));
        }
        self.duplicates(schema, items, path);
    }

    /// Entries of a keyed list are told apart by their keys.
    fn duplicates(&mut self, schema: &Value, items: &[Node], path: &str) {
        let keys: Vec<&str> = schema["x-kubernetes-list-map-keys"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        if keys.is_empty() {
            return;
        }
        let mut seen = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let identity: Vec<Value> = keys
                .iter()
                .map(|key| item.get(key).map_or(Value::Null, Node::to_json))
                .collect();
            if seen.contains(&identity) {
                let shown: Vec<String> = keys
                    .iter()
                    .zip(&identity)
                    .map(|(key, value)| format!("{key} {value}"))
                    .collect();
                self.report(
                    &INVALID_VALUE,
                    &format!("{path}[{index}]"),
                    format!("{path}[{index}]: {} is there twice", shown.join(", ")),
                );
            }
            seen.push(identity);
        }
    }

    fn text(&mut self, schema: &Value, text: &str, path: &str) {
        let allowed: Vec<&str> = schema["enum"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        if !allowed.is_empty() && !allowed.contains(&text) {
            let hint = did_you_mean("", text, allowed.iter().copied());
            return self.report(
                &INVALID_VALUE,
                path,
                format!("{path} must be one of {} (is {text:?}){hint}", allowed.join(", ")),
            );
        }
        let length = text.chars().count() as u64;
        if let Some(most) = schema["maxLength"].as_u64().filter(|most| length > *most) {
            self.report(
                &INVALID_VALUE,
                path,
                format!("{path} has {length} characters; at most {most} are allowed"),
            );
        } else if let Some(least) = schema["minLength"].as_u64().filter(|least| length < *least) {
            self.report(
                &INVALID_VALUE,
                path,
                format!("{path} has {length} characters; at least {least} are needed"),
            );
        } else if let Some(pattern) = schema["pattern"].as_str()
            && !Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text))
        {
            self.report(
                &INVALID_VALUE,
                path,
                format!("{path} must match {pattern} (is {text:?})"),
            );
        }
    }

    fn number(&mut self, schema: &Value, number: Option<f64>, path: &str) {
        let Some(number) = number else { return };
        if let Some(least) = schema["minimum"].as_f64().filter(|least| number < *least) {
            self.report(
                &INVALID_VALUE,
                path,
                format!("{path} must be at least {least} (is {number})"),
            );
        }
        if let Some(most) = schema["maximum"].as_f64().filter(|most| number > *most) {
            self.report(
                &INVALID_VALUE,
                path,
                format!("{path} must be at most {most} (is {number})"),
            );
        }
    }

    fn unknown<'n>(&mut self, path: &str, name: &str, known: impl Iterator<Item = &'n str>) {
        let below = join(path, name);
        let hint = did_you_mean(path, name, known);
        let message = format!("{below} is not a field of {}{hint}", self.kind);
        self.report(&UNKNOWN_FIELD, &below, message);
    }

    fn wrong_type(&mut self, path: &str, wanted: &str, node: &Node) {
        let is = match &node.value {
            Content::Null => "nothing".to_owned(),
            Content::Bool(value) => value.to_string(),
            Content::Number(number) => number.to_string(),
            Content::Text(text) => format!("the string {text:?}"),
            Content::List(_) => "a list".to_owned(),
            Content::Fields(_) => "an object".to_owned(),
        };
        self.report(&INVALID_VALUE, path, format!("{path} must be {wanted} (is {is})"));
    }

    fn report(&mut self, cause: &'static tim_catalogue::Cause, path: &str, message: String) {
        self.problems.push(self.origin.problem(cause, path, message));
    }
}

fn names(schema: &Value) -> Vec<&str> {
    schema["properties"]
        .as_object()
        .map(|properties| properties.keys().map(String::as_str).collect())
        .unwrap_or_default()
}

fn is_integer(node: &Node) -> bool {
    matches!(&node.value, Content::Number(number) if number.is_i64() || number.is_u64())
}

fn described(schema_type: &str) -> &str {
    match schema_type {
        "object" => "an object",
        "array" => "a list",
        "string" => "a string",
        "integer" => "an integer",
        "number" => "a number",
        "boolean" => "true or false",
        other => other,
    }
}
