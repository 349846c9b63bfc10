//! The CEL rules of a schema, judged here as an API server judges them.

use kube::core::cel::{ErrorKind, Validator};
use serde_json::Value;
use tim_catalogue::configuration;

use super::{Origin, Problem, Problems};

/// Judges every rule; with `old` also those on what cannot change.
pub(super) fn check(
    schema: &Value,
    value: &Value,
    old: Option<&Value>,
    origin: &Origin,
) -> Result<(), Problems> {
    let Err(errors) = Validator::new().validate(schema, value, old) else {
        return Ok(());
    };
    let problems = errors
        .as_slice()
        .iter()
        .map(|error| {
            let (cause, message) = if error.kind == ErrorKind::ValidationFailure {
                split_code(&error.message)
            } else {
                (&configuration::INVALID_VALUE, error.message.as_str())
            };
            Problem::new(
                cause,
                origin.file(),
                origin.line_of(&field_of(&error.field_path, message)),
                message,
            )
        })
        .collect();
    Err(Problems(problems))
}

/// A rule on several fields is broken at the first field that its message names, if that can be found.
fn field_of(path: &str, message: &str) -> String {
    let word = message.split([' ', ':']).next().unwrap_or_default();
    super::node::join(path, word)
}

/// Messages of rules begin with their code.
fn split_code(message: &str) -> (&'static tim_catalogue::Cause, &str) {
    let invalid = (&configuration::INVALID_VALUE, message);
    let Some((code, rest)) = message.split_once(' ') else {
        return invalid;
    };
    tim_catalogue::find(code).map_or(invalid, |cause| (cause, rest))
}
