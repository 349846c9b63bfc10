//! `tim version`.

use crate::exit::Exit;
use crate::failure::Outcome;
use crate::output::{OutputFormat, write_document};
use crate::terminal::Terminal;
use schemars::JsonSchema;
use serde::Serialize;

/// What programs get.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VersionDocument {
    /// Version of this form.
    pub schema_version: u32,
    /// Version of the program.
    pub version: &'static str,
}

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Shows the version.
///
/// # Errors
/// None in practice.
pub fn run(terminal: &Terminal, format: OutputFormat) -> Outcome {
    if format.is_document() {
        write_document(
            terminal,
            format,
            &VersionDocument {
                schema_version: 1,
                version: VERSION,
            },
        )?;
    } else {
        terminal.result(format!("tim {VERSION}"));
    }
    Ok(Exit::Done)
}
