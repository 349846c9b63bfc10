//! The user's overlay over the operator's pod template, merged as `kubectl patch --type strategic` would: objects key by
//! key, null removes, lists of named things by name, other lists replaced.

use serde_json::Value;

/// By which field entries of a list are told apart.
fn merge_key(list: &str) -> Option<&'static str> {
    Some(match list {
        "containers" | "initContainers" | "ephemeralContainers" | "volumes" | "env" | "imagePullSecrets" => {
            "name"
        }
        "volumeMounts" => "mountPath",
        "volumeDevices" => "devicePath",
        "ports" => "containerPort",
        "hostAliases" => "ip",
        "topologySpreadConstraints" => "topologyKey",
        _ => return None,
    })
}

/// `below` with `above` merged into it.
pub(super) fn merged(mut below: Value, above: &Value) -> Value {
    merge(&mut below, above, "");
    below
}

fn merge(below: &mut Value, above: &Value, name: &str) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (key, value) in above {
                if value.is_null() {
                    below.remove(key);
                    continue;
                }
                match below.get_mut(key) {
                    Some(present) => merge(present, value, key),
                    None => {
                        below.insert(key.clone(), without_nulls(value));
                    }
                }
            }
        }
        (Value::Array(below), Value::Array(above)) => match merge_key(name) {
            Some(key) => merge_list(below, above, key),
            None => above.clone_into(below),
        },
        (below, above) => *below = without_nulls(above),
    }
}

fn merge_list(below: &mut Vec<Value>, above: &[Value], key: &str) {
    for entry in above {
        let present = below
            .iter_mut()
            .find(|present| entry.get(key).is_some() && present.get(key) == entry.get(key));
        match present {
            Some(present) => merge(present, entry, ""),
            None => below.push(without_nulls(entry)),
        }
    }
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(_, field)| !field.is_null())
            .map(|(key, field)| (key.clone(), without_nulls(field)))
            .collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn named_things_merge_by_name_and_others_are_replaced() {
        let below = json!({"spec": {
            "containers": [{"name": "node", "image": "a", "args": ["x"], "env": [{"name": "A", "value": "1"}]}],
            "tolerations": [{"key": "old"}],
        }});
        let above = json!({"spec": {
            "containers": [{"name": "node", "args": ["y"], "env": [{"name": "A", "value": "2"}, {"name": "B", "value": "3"}]}, {"name": "sidecar"}],
            "tolerations": [{"key": "new"}],
            "nodeSelector": {"disk": "fast"},
        }});
        assert_eq!(
            merged(below, &above),
            json!({"spec": {
                "containers": [
                    {"name": "node", "image": "a", "args": ["y"], "env": [{"name": "A", "value": "2"}, {"name": "B", "value": "3"}]},
                    {"name": "sidecar"},
                ],
                "tolerations": [{"key": "new"}],
                "nodeSelector": {"disk": "fast"},
            }})
        );
    }

    #[test]
    fn null_removes() {
        let below = json!({"securityContext": {"fsGroup": 1, "runAsNonRoot": true}});
        assert_eq!(
            merged(below, &json!({"securityContext": {"fsGroup": null}, "x": null})),
            json!({"securityContext": {"runAsNonRoot": true}})
        );
    }
}
