//! What users write: files of several YAML documents, checked as an API server would, with file, line and nearest name.
//!
//! [`read`] takes a text and gives the objects in it, defaults filled in, or every problem found. Kinds other than
//! TimCluster, TimRepartition and Secret are skipped and named, since the same file is often applied to Kubernetes too.
//! [`Origin::check_change`] judges a changed object against the one before it, as an update of the API server does.

mod node;
mod problem;
mod rules;
mod secret;
mod structure;
#[cfg(test)]
mod tests;

use kube::{Resource, core::cel};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tim_catalogue::configuration;

pub use node::Origin;
pub use problem::{Problem, Problems};
pub use secret::Secret;

use crate::{API_VERSION, GROUP, TimCluster, TimRepartition, yaml};
use node::Node;

/// Largest text that is read, in bytes; Kubernetes itself takes objects up to 1.5 MiB.
pub const TEXT_BYTES_MAX: usize = 4 << 20;

/// An object of a file.
#[derive(Debug, Clone)]
pub enum Object {
    /// A cluster, with defaults.
    Cluster(Box<TimCluster>),
    /// A repartition, with defaults.
    Repartition(Box<TimRepartition>),
    /// A Secret, which clusters refer to.
    Secret(Secret),
}

/// An object and where it was written.
#[derive(Debug, Clone)]
pub struct Document {
    /// The object.
    pub object: Object,
    /// File and lines.
    pub origin: Origin,
}

/// A document of a kind that is none of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Where it begins.
    pub line: u64,
}

/// What a file holds.
#[derive(Debug, Clone, Default)]
pub struct Documents {
    /// The objects, in the order of the file.
    pub objects: Vec<Document>,
    /// What was left out.
    pub skipped: Vec<Skipped>,
}

/// Reads a text of YAML documents; `file` is only named in messages.
///
/// # Errors
/// Every problem found, in the order of the file. Nothing was changed.
pub fn read(file: &str, text: &str) -> Result<Documents, Problems> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Problem::new(
            &configuration::UNREADABLE_FILE,
            file,
            1,
            format!(
                "the file has {} bytes; at most {TEXT_BYTES_MAX} are read",
                text.len()
            ),
        )
        .into());
    }
    let mut documents = Documents::default();
    let mut problems = Vec::new();
    for root in node::parse(file, text)? {
        match document(file, &root) {
            Ok(Read::Object(document)) => documents.objects.push(*document),
            Ok(Read::Skipped(skipped)) => documents.skipped.push(skipped),
            Err(found) => problems.extend(found.0),
        }
    }
    if problems.is_empty() {
        Ok(documents)
    } else {
        Err(Problems(problems))
    }
}

enum Read {
    Object(Box<Document>),
    Skipped(Skipped),
}

fn document(file: &str, root: &Node) -> Result<Read, Problems> {
    let origin = Origin::new(file, root);
    let api_version = root.text("apiVersion").unwrap_or_default();
    let kind = root.text("kind").unwrap_or_default();
    let name = root
        .get("metadata")
        .and_then(|metadata| metadata.text("name"))
        .unwrap_or_default();
    if api_version == "v1" && kind == "Secret" {
        let secret = secret::from_node(root, &origin)?;
        return Ok(Read::Object(Box::new(Document {
            object: Object::Secret(secret),
            origin,
        })));
    }
    let group = api_version.split('/').next().unwrap_or_default();
    if group != GROUP {
        if kind == "TimCluster" || kind == "TimRepartition" {
            return Err(wrong_version(&origin, api_version).into());
        }
        return Ok(Read::Skipped(Skipped {
            kind: kind.to_owned(),
            name: name.to_owned(),
            line: root.line,
        }));
    }
    if api_version != API_VERSION {
        return Err(wrong_version(&origin, api_version).into());
    }
    let object = match kind {
        "TimCluster" => Object::Cluster(Box::new(typed(root, &origin, kind)?)),
        "TimRepartition" => Object::Repartition(Box::new(typed(root, &origin, kind)?)),
        _ => {
            let known = ["TimCluster", "TimRepartition"];
            let message = format!(
                "kind {kind:?} is not one of {}{}",
                known.join(", "),
                problem::did_you_mean("", kind, known.into_iter())
            );
            return Err(origin
                .problem(&configuration::INVALID_VALUE, "kind", message)
                .into());
        }
    };
    Ok(Read::Object(Box::new(Document { object, origin })))
}

fn wrong_version(origin: &Origin, api_version: &str) -> Problem {
    let message = format!("apiVersion must be {API_VERSION} (is {api_version:?})");
    origin.problem(&configuration::INVALID_VALUE, "apiVersion", message)
}

fn typed<T: DeserializeOwned>(root: &Node, origin: &Origin, kind: &str) -> Result<T, Problems> {
    let schema = schema_of(kind, origin)?;
    structure::check(&schema, root, origin)?;
    let value = cel::apply_defaults(&schema, &root.to_json());
    rules::check(&schema, &value, None, origin)?;
    serde_json::from_value(value).map_err(|error| {
        origin
            .problem(&configuration::INVALID_VALUE, "", error.to_string())
            .into()
    })
}

fn schema_of(kind: &str, origin: &Origin) -> Result<Value, Problem> {
    let unreadable = |reason: String| origin.problem(&configuration::INVALID_VALUE, "", reason);
    yaml::open_api(kind)
        .map_err(|error| unreadable(error.to_string()))?
        .ok_or_else(|| unreadable(format!("kind {kind} has no schema")))
}

impl Origin {
    /// Judges `new` as the update of `old`: the rules on fields that cannot change.
    ///
    /// # Errors
    /// Every rule broken. Nothing was changed.
    pub fn check_change<T: Resource<DynamicType = ()> + Serialize>(
        &self,
        old: &T,
        new: &T,
    ) -> Result<(), Problems> {
        let schema = schema_of(&T::kind(&()), self)?;
        let defaulted = |object: &T| match serde_json::to_value(object) {
            Ok(value) => Ok(cel::apply_defaults(&schema, &value)),
            Err(error) => Err(self.problem(&configuration::INVALID_VALUE, "", error.to_string())),
        };
        rules::check(&schema, &defaulted(new)?, Some(&defaulted(old)?), self)
    }
}
