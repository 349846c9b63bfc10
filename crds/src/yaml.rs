//! The resource definitions as an API server takes them, and as they are committed under `crds/yaml`.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::Value;

use crate::{TimCluster, TimRepartition, schema};

/// Why no definition could be made; a fault of the types, found by this crate's tests. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The derived schema cannot be read back.
    #[error("the derived schema does not read back: {0}")]
    Schema(#[from] serde_json::Error),
    /// The definition cannot be written as YAML.
    #[error("the definition does not write as YAML: {0}")]
    Yaml(#[from] serde_yaml::Error),
}

/// A definition and the file it is committed as.
#[derive(Debug, Clone)]
pub struct File {
    /// Name below `crds/yaml`.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Both definitions, as they are published.
///
/// # Errors
/// [`Error`], which a test of this crate rules out.
pub fn definitions() -> Result<Vec<CustomResourceDefinition>, Error> {
    [TimCluster::crd(), TimRepartition::crd()]
        .iter()
        .map(|definition| schema::published(definition).map_err(Error::from))
        .collect()
}

/// Both definitions as the files of `crds/yaml`.
///
/// # Errors
/// [`Error`], which a test of this crate rules out.
pub fn all() -> Result<Vec<File>, Error> {
    definitions()?
        .iter()
        .map(|definition| {
            let plural = &definition.spec.names.plural;
            let group = &definition.spec.group;
            let text = format!(
                "# Generated from crds/src by `cargo generate`\n{}",
                serde_yaml::to_string(definition)?
            );
            Ok(File {
                name: format!("{group}_{plural}.yaml"),
                text,
            })
        })
        .collect()
}

/// The OpenAPI schema of a kind, or nothing where the kind is not one of ours.
///
/// # Errors
/// [`Error`], which a test of this crate rules out.
pub fn open_api(kind: &str) -> Result<Option<Value>, Error> {
    Ok(definitions()?
        .iter()
        .find(|definition| definition.spec.names.kind == kind)
        .and_then(schema::open_api))
}
