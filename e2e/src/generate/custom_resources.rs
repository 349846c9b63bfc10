//! `docs/reference/custom-resources.md` from the schemas, and the YAML of the definitions for kubectl and the chart.

use super::{Generated, cell, page_head};
use serde_json::Value;
use std::fmt::Write as _;
use std::path::Path;

/// Deepest level of fields shown; below lie objects of Kubernetes itself.
const DEPTH_MAX: usize = 6;

pub(super) fn render() -> String {
    let mut page = page_head(
        "Custom resources",
        "For the people who write TimCluster and TimRepartition. `kubectl explain timcluster.spec` says the same. Unknown fields are refused \
         by `kubectl apply` and by `tim up`, with the nearest valid one.",
    );
    for kind in ["TimCluster", "TimRepartition"] {
        let Ok(Some(schema)) = tim_crds::yaml::open_api(kind) else {
            continue;
        };
        let _ = writeln!(
            page,
            "## {kind} (`{}`)\n\n{}\n",
            tim_crds::API_VERSION,
            text(&schema, "description")
        );
        for part in ["spec", "status"] {
            let _ = writeln!(
                page,
                "### {part}\n\n| field | type | default | meaning |\n|---|---|---|---|"
            );
            write_fields(&mut page, part, &schema["properties"][part], 0);
            page.push('\n');
        }
    }
    page
}

/// The definitions as files, for `kubectl apply` and for the chart.
pub(super) fn yaml() -> Vec<Generated> {
    let folders = ["crds/yaml", "charts/tim-operator/files/crds"];
    let files = tim_crds::yaml::all().unwrap_or_default();
    folders
        .iter()
        .flat_map(|folder| {
            files.iter().map(|file| Generated {
                path: Path::new(folder).join(&file.name),
                text: file.text.clone(),
            })
        })
        .collect()
}

fn write_fields(page: &mut String, path: &str, schema: &Value, depth: usize) {
    let Some(properties) = schema["properties"].as_object() else {
        return;
    };
    for (name, field) in properties {
        let list = field["type"] == "array";
        let path = format!("{path}.{name}{}", if list { "[]" } else { "" });
        let inner = if list { &field["items"] } else { field };
        let default = if field["default"].is_null() {
            String::new()
        } else {
            format!("`{}`", field["default"])
        };
        let default = if field["properties"].is_object() {
            String::new()
        } else {
            default
        };
        let _ = writeln!(
            page,
            "| `{path}` | {} | {} | {} |",
            kind(field, inner),
            cell(&default),
            meaning(field, inner)
        );
        if depth < DEPTH_MAX {
            write_fields(page, &path, inner, depth + 1);
        }
    }
}

fn kind(field: &Value, inner: &Value) -> String {
    let name = |schema: &Value| match schema["type"].as_str() {
        Some("object") if schema["additionalProperties"].is_object() => String::from("map"),
        Some(name) => name.to_owned(),
        None => String::from("int or string"),
    };
    if field["type"] == "array" {
        format!("list of {}", name(inner))
    } else {
        name(field)
    }
}

fn meaning(field: &Value, inner: &Value) -> String {
    let mut words = text(field, "description");
    if let Some(values) = inner["enum"].as_array() {
        let values: Vec<_> = values
            .iter()
            .filter_map(Value::as_str)
            .map(|value| format!("`{value}`"))
            .collect();
        let _ = write!(words, " One of {}.", values.join(", "));
    }
    cell(&words)
}

fn text(schema: &Value, key: &str) -> String {
    schema[key].as_str().unwrap_or_default().to_owned()
}
