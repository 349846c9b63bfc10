//! From the derived schemas to those that are published.
//!
//! Two things are changed. `nullable` goes: an API server then drops a null before it sets defaults, so that null and
//! absent mean the same in every rule. Formats that Kubernetes does not know go too, since it warns about each of them.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};

/// Formats that Kubernetes knows and the resources use.
const KNOWN_FORMATS: [&str; 3] = ["int32", "int64", "date-time"];

/// An object whose keys are not described: it is merged into something of another owner.
pub(crate) fn open_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}

/// The resource definition as it is published.
pub(crate) fn published(
    definition: &CustomResourceDefinition,
) -> Result<CustomResourceDefinition, serde_json::Error> {
    let mut value = serde_json::to_value(definition)?;
    if let Some(schema) = value.pointer_mut("/spec/versions/0/schema/openAPIV3Schema") {
        polish(schema);
    }
    serde_json::from_value(value)
}

/// The OpenAPI schema of a published definition.
pub(crate) fn open_api(definition: &CustomResourceDefinition) -> Option<Value> {
    let validation = definition.spec.versions.first()?.schema.as_ref()?;
    serde_json::to_value(validation.open_api_v3_schema.as_ref()?).ok()
}

fn polish(schema: &mut Value) {
    let Value::Object(node) = schema else { return };
    node.remove("nullable");
    if let Some(Value::String(format)) = node.get("format")
        && !KNOWN_FORMATS.contains(&format.as_str())
    {
        node.remove("format");
    }
    for_each_subschema(node, polish);
}

fn for_each_subschema(node: &mut Map<String, Value>, visit: fn(&mut Value)) {
    if let Some(Value::Object(properties)) = node.get_mut("properties") {
        properties.values_mut().for_each(visit);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(child) = node.get_mut(key) {
            visit(child);
        }
    }
}
