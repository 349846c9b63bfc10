//! The JSON Schemas of what `--output json` prints; `docs/reference/schemas` holds the generated files.

use crate::bench::BenchDocument;
use crate::status::StatusDocument;
use crate::verbs::accounts::AccountsDocument;
use crate::verbs::explain::ExplainDocument;
use crate::verbs::url::UrlDocument;
use crate::verbs::version::VersionDocument;
use schemars::Schema;

/// Every schema with the name of its file.
pub fn all() -> Vec<(&'static str, Schema)> {
    vec![
        ("accounts.schema.json", schemars::schema_for!(AccountsDocument)),
        ("bench.schema.json", schemars::schema_for!(BenchDocument)),
        ("explain.schema.json", schemars::schema_for!(ExplainDocument)),
        ("status.schema.json", schemars::schema_for!(StatusDocument)),
        ("url.schema.json", schemars::schema_for!(UrlDocument)),
        ("version.schema.json", schemars::schema_for!(VersionDocument)),
    ]
}

/// The text of a schema's file.
///
/// # Errors
/// None in practice: schemas are plain data.
pub fn text(schema: &Schema) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(schema).map(|text| text + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// With `TIM_WRITE_SCHEMAS=1` the files are written instead of compared.
    #[test]
    fn the_committed_schemas_are_those_of_the_code() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/schemas");
        for (name, schema) in all() {
            let (path, wanted) = (folder.join(name), text(&schema).unwrap());
            if std::env::var_os("TIM_WRITE_SCHEMAS").is_some() {
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(&path, &wanted).unwrap();
            }
            let committed = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(
                committed, wanted,
                "{name}: TIM_WRITE_SCHEMAS=1 cargo test -p tim-cli schemas"
            );
        }
    }
}
