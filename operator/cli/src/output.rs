//! The forms of a result: a table for people, documents for programs.

use crate::failure::{Failure, Outcome};
use crate::terminal::Terminal;
use serde::Serialize;

/// `--output`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum OutputFormat {
    /// For people.
    #[default]
    Table,
    /// For people with wide terminals.
    Wide,
    /// For programs; described by a JSON Schema in docs/reference/schemas.
    Json,
    /// The same as YAML.
    Yaml,
    /// Names only, one per line.
    Name,
}

impl OutputFormat {
    /// Whether a program reads it.
    pub fn is_document(self) -> bool {
        matches!(self, Self::Json | Self::Yaml)
    }
}

/// Writes a document as JSON or YAML.
///
/// # Errors
/// None in practice: the documents are plain data.
pub fn write_document(terminal: &Terminal, format: OutputFormat, document: &impl Serialize) -> Outcome<()> {
    // Where only ASCII can be shown JSON is written, which is YAML too and has escapes for the rest.
    let yaml = format == OutputFormat::Yaml && terminal.unicode();
    let text = if yaml {
        serde_yaml::to_string(document).map_err(|error| Failure::unexpected(&error))?
    } else {
        serde_json::to_string_pretty(document).map_err(|error| Failure::unexpected(&error))?
    };
    terminal.data(&text);
    Ok(())
}
