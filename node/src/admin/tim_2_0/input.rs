//! The body of a call: JSON, or a form whose fields have the same names and hold nested objects as JSON text. Fields that
//! the call does not know are passed over, as by the reference.

use crate::admin::problem::Problem;
use axum::body::Bytes;
use axum::http::StatusCode;
use serde_json::{Map, Value};
use tim_catalogue::administration::INVALID_REQUEST;
use tim_wire::{Encoding, TimMessage, TimRoomBean, TimUserBean, WireStruct};

/// The content type of forms; everything else is JSON.
const FORM: &str = "application/x-www-form-urlencoded";

/// The fields of a call.
#[derive(Debug, Default)]
pub(super) struct Input(Map<String, Value>);

fn invalid(observed: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, &INVALID_REQUEST, observed)
}

impl Input {
    pub(super) fn read(body: &[u8], content_type: &str) -> Result<Self, Problem> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        if content_type == FORM {
            let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(body)
                .map_err(|error| invalid(format!("the body is not a form: {error}")))?;
            let pairs = pairs
                .into_iter()
                .map(|(name, value)| (name, Value::String(value)));
            return Ok(Self(pairs.collect()));
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            // Lists of accounts come bare where nobody reads them.
            Ok(_) => Ok(Self::default()),
            Err(error) => Err(invalid(format!("the body is not JSON: {error}"))),
        }
    }

    /// A text that may be missing; `null` is as good as absent.
    pub(super) fn optional_text(&self, field: &str) -> Result<Option<String>, Problem> {
        match self.0.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Problem::field(field, "a text is needed")),
        }
    }

    /// A text that is needed.
    pub(super) fn text(&self, field: &str) -> Result<String, Problem> {
        let text = self.optional_text(field)?.filter(|text| !text.is_empty());
        text.ok_or_else(|| Problem::field(field, "is missing"))
    }

    /// A number that is needed.
    pub(super) fn number(&self, field: &str) -> Result<i64, Problem> {
        let number = match self.0.get(field) {
            Some(Value::Number(number)) => number.as_i64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            _ => None,
        };
        number.ok_or_else(|| Problem::field(field, "a whole number is needed"))
    }

    /// A list of accounts that is needed: bare, separated by commas in a form, or in `TimNodes`.
    pub(super) fn accounts(&self, field: &str) -> Result<Vec<String>, Problem> {
        let read = match self.0.get(field) {
            Some(Value::String(text)) if text.starts_with(['[', '{']) => {
                serde_json::from_str(text).unwrap_or_default()
            }
            Some(Value::String(text)) => text.split(',').map(str::trim).collect(),
            Some(value) => value.clone(),
            None => Value::Null,
        };
        let list = match &read {
            Value::Object(nodes) => nodes.get("nodelist").unwrap_or(&Value::Null),
            other => other,
        };
        let names = list.as_array().and_then(|list| {
            let texts = list.iter().map(|name| name.as_str().map(str::to_owned));
            texts.collect::<Option<Vec<_>>>()
        });
        names.ok_or_else(|| Problem::field(field, "a list of accounts is needed"))
    }

    /// A message that is needed, as the client protocol has it in JSON.
    pub(super) fn message(&self, field: &str) -> Result<TimMessage, Problem> {
        TimMessage::decode_payload(&self.object(field, "a message is needed")?, Encoding::Json)
            .map_err(|error| Problem::field(field, &format!("the message cannot be read: {error}")))
    }

    /// The text of a nested object; forms hold it as text.
    fn object(&self, field: &str, needed: &str) -> Result<Bytes, Problem> {
        match self.0.get(field) {
            Some(Value::String(text)) => Ok(text.clone().into()),
            Some(object @ Value::Object(_)) => Ok(object.to_string().into()),
            _ => Err(Problem::field(field, needed)),
        }
    }

    /// The data of a room that is needed, as the client protocol has it in JSON.
    pub(super) fn room(&self, field: &str) -> Result<TimRoomBean, Problem> {
        TimRoomBean::decode_payload(
            &self.object(field, "the data of a room is needed")?,
            Encoding::Json,
        )
        .map_err(|error| Problem::field(field, &format!("the data of the room cannot be read: {error}")))
    }

    /// A profile that is needed, as the client protocol has it in JSON.
    pub(super) fn profile(&self, field: &str) -> Result<TimUserBean, Problem> {
        TimUserBean::decode_payload(&self.object(field, "a profile is needed")?, Encoding::Json)
            .map_err(|error| Problem::field(field, &format!("the profile cannot be read: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_forms_are_the_same_call() {
        let json = br#"{"node": "a", "time": -1, "domain": null, "userbean": {"name": "Alice", "gender": 1}, "more": []}"#;
        let form = b"node=a&time=-1&userbean=%7B%22name%22%3A%22Alice%22%2C%22gender%22%3A1%7D";
        for (body, kind) in [(&json[..], "application/json"), (&form[..], FORM)] {
            let input = Input::read(body, kind).unwrap();
            assert_eq!(input.text("node").unwrap(), "a");
            assert_eq!(input.number("time").unwrap(), -1);
            assert_eq!(input.optional_text("domain").unwrap(), None);
            let profile = input.profile("userbean").unwrap();
            assert_eq!(
                (profile.name.as_deref(), profile.gender),
                (Some("Alice"), Some(1))
            );
        }
    }

    #[test]
    fn what_is_missing_or_of_another_type_is_named() {
        let input = Input::read(br#"{"name": 3, "empty": ""}"#, "").unwrap();
        let told = |problem: Problem| problem.wire().1;
        assert!(told(input.text("name").unwrap_err()).contains("name: a text is needed"));
        assert!(told(input.text("empty").unwrap_err()).contains("empty: is missing"));
        assert!(told(input.number("time").unwrap_err()).contains("time: a whole number"));
        assert!(told(input.profile("userbean").unwrap_err()).contains("userbean: a profile"));
        assert!(told(Input::read(b"{", "application/json").unwrap_err()).contains("TIM-A104"));
        assert!(Input::read(b"", "").is_ok() && Input::read(b"[\"a\"]", "").is_ok());
    }
}
