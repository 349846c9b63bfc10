//! Whether a live object still is what was applied.
//!
//! The API server fills in defaults and other controllers add fields, so a live object is compared only in the fields that
//! the desired one has. Quantities are compared by value, since the server rewrites them (`0.5` becomes `500m`).

use serde_json::Value;

/// Whether `live` has everything that `desired` says.
pub(crate) fn covers(live: &Value, desired: &Value) -> bool {
    match (live, desired) {
        (Value::Object(live), Value::Object(desired)) => {
            desired.iter().all(|(key, wanted)| match live.get(key) {
                Some(found) => covers(found, wanted),
                None => is_empty(wanted),
            })
        }
        (Value::Array(live), Value::Array(desired)) => {
            live.len() == desired.len()
                && live
                    .iter()
                    .zip(desired)
                    .all(|(found, wanted)| covers(found, wanted))
        }
        (Value::String(found), Value::String(wanted)) => found == wanted || same_quantity(found, wanted),
        (found, wanted) => found == wanted || (is_empty(found) && is_empty(wanted)),
    }
}

/// Null, and containers without content: the server leaves them out.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.values().all(is_empty),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

fn same_quantity(left: &str, right: &str) -> bool {
    matches!((quantity_nanos(left), quantity_nanos(right)), (Some(left), Some(right)) if left == right)
}

/// A Kubernetes quantity in billionths of its unit; none for what is not one.
fn quantity_nanos(text: &str) -> Option<i128> {
    const NANOS: i128 = 1_000_000_000;
    let digits = text
        .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let unit = match suffix {
        "n" => 1,
        "u" => 1_000,
        "m" => 1_000_000,
        "" => NANOS,
        "k" => NANOS * 1_000,
        "M" => NANOS * 1_000_000,
        "G" => NANOS * 1_000_000_000,
        "T" => NANOS * 1_000_000_000_000,
        "Ki" => NANOS << 10,
        "Mi" => NANOS << 20,
        "Gi" => NANOS << 30,
        "Ti" => NANOS << 40,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let mantissa: i128 = format!("{whole}{fraction}").parse().ok()?;
    mantissa.checked_mul(unit).map(|value| value / scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn defaults_and_foreign_fields_are_no_drift() {
        let desired = json!({"spec": {"ports": [{"port": 5080}], "selector": {"a": "b"}, "extra": null}});
        let live = json!({"spec": {"ports": [{"port": 5080, "protocol": "TCP"}], "selector": {"a": "b"}, "clusterIP": "1.2.3.4"}});
        assert!(covers(&live, &desired));
    }

    #[test]
    fn an_edited_a_removed_and_an_added_element_are_drift() {
        let desired = json!({"spec": {"ports": [{"port": 5080}]}});
        assert!(!covers(&json!({"spec": {"ports": [{"port": 5081}]}}), &desired));
        assert!(!covers(&json!({"spec": {"ports": []}}), &desired));
        assert!(!covers(
            &json!({"spec": {"ports": [{"port": 5080}, {"port": 1}]}}),
            &desired
        ));
    }

    #[test]
    fn quantities_are_compared_by_value() {
        let desired = json!({"cpu": "0.5", "memory": "1024Mi"});
        assert!(covers(&json!({"cpu": "500m", "memory": "1Gi"}), &desired));
        assert!(!covers(&json!({"cpu": "501m", "memory": "1Gi"}), &desired));
    }
}
