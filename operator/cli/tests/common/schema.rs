//! Checks a document against a JSON Schema, as far as the committed schemas use its words.

use serde_json::Value;

/// What does not fit, with its place.
pub(crate) fn violations(schema: &Value, document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(schema, schema, document, "$", &mut found);
    found
}

/// The committed schema of that name.
pub(crate) fn committed(name: &str) -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/reference/schemas")
        .join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn check(root: &Value, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = reference
            .trim_start_matches("#/")
            .split('/')
            .fold(root, |node, part| &node[part]);
        return check(root, target, value, place, found);
    }
    for choice in ["anyOf", "oneOf"] {
        if let Some(choices) = schema[choice].as_array() {
            let fits = choices.iter().any(|one| {
                let mut inner = Vec::new();
                check(root, one, value, place, &mut inner);
                inner.is_empty()
            });
            if !fits {
                found.push(format!("{place}: {value} fits none of {choice}"));
            }
        }
    }
    if let Some(constant) = schema.get("const")
        && constant != value
    {
        found.push(format!("{place}: {value} is not {constant}"));
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        found.push(format!("{place}: {value} is not one of {allowed:?}"));
    }
    check_type(schema, value, place, found);
    for name in schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        if value.get(name).is_none() {
            found.push(format!("{place}: {name} is missing"));
        }
    }
    for (name, inner) in value.as_object().into_iter().flatten() {
        match schema["properties"].get(name) {
            Some(property) => check(root, property, inner, &format!("{place}.{name}"), found),
            None if schema.get("properties").is_some() => {
                found.push(format!("{place}.{name} is not in the schema"))
            }
            None => {}
        }
    }
    if let Some(items) = schema.get("items") {
        for (index, inner) in value.as_array().into_iter().flatten().enumerate() {
            check(root, items, inner, &format!("{place}[{index}]"), found);
        }
    }
}

fn check_type(schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => return,
    };
    let fits = types.iter().any(|kind| match *kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    });
    if !fits {
        found.push(format!("{place}: {value} is not {types:?}"));
    }
}
