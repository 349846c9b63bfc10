//! Reading the tree from files and environment, and saying what is wrong with it.

use crate::NodeConfig;
use figment::Figment;
use figment::providers::{Format, Serialized, Toml};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use tim_catalogue::{Cause, Report, configuration};

/// Prefix of the variables that override keys: `TIM_STORAGE__CONNECTIONS_MAX=4`.
pub fn environment_prefix() -> &'static str {
    "TIM_"
}

/// A configuration that cannot be used. Nothing was started; it will not change by itself.
#[derive(Debug, thiserror::Error)]
#[error("{report}")]
pub struct LoadError {
    report: Report,
}

impl LoadError {
    /// The catalogue's cause with what was observed.
    pub fn report(&self) -> &Report {
        &self.report
    }

    pub(crate) fn new(cause: &'static Cause, observed: String) -> Self {
        Self {
            report: Report::new(cause, observed),
        }
    }

    pub(crate) fn missing(key: &str) -> Self {
        Self::new(&configuration::MISSING_FIELD, format!("{key} is not set"))
    }

    pub(crate) fn invalid(key: &str, value: &str, valid: &str) -> Self {
        Self::new(
            &configuration::INVALID_VALUE,
            format!("{key}: \"{value}\"; valid: {valid}"),
        )
    }

    pub(crate) fn unknown_name(key: &str, value: &str, valid: &[String]) -> Self {
        Self::invalid(key, value, &valid.join(", "))
    }

    pub(crate) fn in_range(key: &str, value: u64, valid: RangeInclusive<u64>) -> Result<(), Self> {
        if valid.contains(&value) {
            return Ok(());
        }
        Err(Self::invalid(
            key,
            &value.to_string(),
            &format!("{} to {}", valid.start(), valid.end()),
        ))
    }
}

/// Reads, merges and checks the configuration. `environment` is the process environment, or a test's.
///
/// # Errors
/// An unreadable file (`TIM-C103`), an unknown key with its nearest valid one (`TIM-C101`), a value of the wrong form
/// (`TIM-C102`), or what [`NodeConfig::validate`] finds.
pub fn load(files: &[PathBuf], environment: &BTreeMap<String, String>) -> Result<NodeConfig, LoadError> {
    let config = merge(files, environment)?;
    config.validate()?;
    Ok(config)
}

/// As [`load`], without the checks of values; for tools that complete a configuration before they check it.
///
/// # Errors
/// As [`load`], but for values outside their valid set.
pub fn merge(files: &[PathBuf], environment: &BTreeMap<String, String>) -> Result<NodeConfig, LoadError> {
    let mut figment = Figment::from(Serialized::defaults(NodeConfig::default()));
    for file in files {
        figment = figment.merge(Toml::string(&read(file)?));
    }
    figment
        .merge(Serialized::globals(environment_tree(environment)))
        .extract()
        .map_err(|error| explain(&error, files))
}

fn read(file: &Path) -> Result<String, LoadError> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        LoadError::new(
            &configuration::UNREADABLE_FILE,
            format!("{}: {error}", file.display()),
        )
    })?;
    toml::from_str::<toml::Table>(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| {
            text[..span.start.min(text.len())].lines().count().max(1)
        });
        LoadError::new(
            &configuration::UNREADABLE_FILE,
            format!(
                "{}:{line}: not valid TOML: {}",
                file.display(),
                error.message().lines().next().unwrap_or("")
            ),
        )
    })?;
    Ok(text)
}

/// Turns `TIM_STORAGE__CONNECTIONS_MAX=4` into `storage.connections_max = 4`; names without `__` are not ours.
fn environment_tree(environment: &BTreeMap<String, String>) -> figment::value::Dict {
    let mut tree = figment::value::Dict::new();
    for (name, value) in environment {
        let Some(path) = name.strip_prefix(environment_prefix()) else {
            continue;
        };
        let keys: Vec<String> = path.split("__").map(str::to_ascii_lowercase).collect();
        if keys.len() < 2 || keys.iter().any(String::is_empty) {
            continue;
        }
        insert(&mut tree, &keys, parse_value(value));
    }
    tree
}

fn parse_value(text: &str) -> figment::value::Value {
    // The parser of figment's own environment provider: numbers, booleans, lists in brackets, else text.
    text.parse().unwrap_or_else(|_| figment::value::Value::from(text))
}

fn insert(tree: &mut figment::value::Dict, keys: &[String], value: figment::value::Value) {
    let Some((first, rest)) = keys.split_first() else {
        return;
    };
    if rest.is_empty() {
        tree.insert(first.clone(), value);
        return;
    }
    let mut inner = match tree.remove(first) {
        Some(figment::value::Value::Dict(_, dict)) => dict,
        _ => figment::value::Dict::new(),
    };
    insert(&mut inner, rest, value);
    tree.insert(first.clone(), figment::value::Value::from(inner));
}

fn explain(error: &figment::Error, files: &[PathBuf]) -> LoadError {
    use figment::error::Kind;
    let place = files
        .iter()
        .map(|file| file.display().to_string())
        .collect::<Vec<_>>()
        .join(", ");
    let place = if place.is_empty() {
        String::from("environment")
    } else {
        place
    };
    let path = error.path.join(".");
    match &error.kind {
        Kind::UnknownField(field, valid) => {
            let parent = error
                .path
                .iter()
                .take_while(|part| *part != field)
                .cloned()
                .collect::<Vec<_>>();
            let full = |name: &str| {
                parent
                    .iter()
                    .map(String::as_str)
                    .chain([name])
                    .collect::<Vec<_>>()
                    .join(".")
            };
            let nearest = valid.iter().max_by(|left, right| {
                strsim::jaro_winkler(left, field).total_cmp(&strsim::jaro_winkler(right, field))
            });
            let hint = nearest.map_or_else(String::new, |name| format!("; did you mean {}?", full(name)));
            LoadError::new(
                &configuration::UNKNOWN_FIELD,
                format!(
                    "{place}: {} is not a key of the node's configuration{hint}",
                    full(field)
                ),
            )
        }
        Kind::MissingField(field) => LoadError::missing(&format!("{path}.{field}")),
        kind => LoadError::new(&configuration::INVALID_VALUE, format!("{place}: {path}: {kind}")),
    }
}
