//! The local API server: objects in files, with generations, resource versions and a status beside each.
//!
//! Everything that changes what is wanted goes through here, whoever does it: `tim up` with a file, `tim scale` or
//! `tim split` in another terminal. The supervisor sees the change in the files and acts. A lock file makes each
//! read-change-write of one process whole; readers need none, since files are replaced at once.

use crate::changes::{FieldChange, between};
use crate::file::{
    FileError, Readers, create_folder, read_optional, remove_file, write_atomically, write_if_changed,
};
use kube::Resource;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// On an object: its body as the file had it when it was applied last.
const ANNOTATION_LAST_APPLIED: &str = "local.timcluster.io/last-applied";

/// An object could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The system refused. Nothing was changed.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file in `.tim/objects` is not such an object. Nothing was changed; it stays so until the file is mended.
    #[error("{}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// There is no such object. Nothing was changed.
    #[error("{kind} {name} does not exist")]
    Missing {
        /// Kind of the object.
        kind: String,
        /// Its name.
        name: String,
    },
}

/// What applying a document did.
#[derive(Debug, Clone)]
pub struct Applied<T> {
    /// The object as it is now.
    pub object: T,
    /// Whether it is new.
    pub created: bool,
    /// Fields of its body that changed.
    pub changes: Vec<FieldChange>,
    /// Those of `changes` that the file had not changed: somebody else had (`tim scale`), and the file takes it back.
    pub reverted: Vec<FieldChange>,
}

/// A kind of object that can be kept.
pub trait Stored: Resource<DynamicType = ()> + Serialize + DeserializeOwned + Clone {}
impl<T: Resource<DynamicType = ()> + Serialize + DeserializeOwned + Clone> Stored for T {}

/// The objects of one `.tim`.
#[derive(Debug, Clone)]
pub struct ObjectStore {
    root: PathBuf,
}

impl ObjectStore {
    /// The store in that folder; it need not exist.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The object of that name, its status included.
    ///
    /// # Errors
    /// See [`ObjectError`].
    pub fn get<T: Stored>(&self, name: &str) -> Result<Option<T>, ObjectError> {
        let Some(mut tree) = self.read_tree(&self.path::<T>(name))? else {
            return Ok(None);
        };
        let status_path = self.status_path::<T>(name);
        if let (Some(status), Value::Object(fields)) = (self.read_tree(&status_path)?, &mut tree) {
            fields.insert("status".into(), status);
        }
        from_tree(tree, &self.path::<T>(name)).map(Some)
    }

    /// All objects of the kind, by name.
    ///
    /// # Errors
    /// See [`ObjectError`].
    pub fn list<T: Stored>(&self) -> Result<Vec<T>, ObjectError> {
        self.names::<T>()?
            .iter()
            .filter_map(|name| self.get(name).transpose())
            .collect()
    }

    /// The names of all objects of the kind, in order.
    ///
    /// # Errors
    /// See [`ObjectError`].
    pub fn names<T: Stored>(&self) -> Result<Vec<String>, ObjectError> {
        let folder = self.folder::<T>();
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(FileError::at(&folder)(error).into()),
        };
        let mut names: Vec<String> = entries
            .flatten()
            .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".yaml")?.to_owned()))
            .filter(|name| !name.ends_with(".status"))
            .collect();
        names.sort();
        Ok(names)
    }

    /// Makes the object what the document says, as `kubectl apply` does, after `adjust` has had its say on both (to keep
    /// what another command added). The first argument of `adjust` is what is there.
    ///
    /// # Errors
    /// See [`ObjectError`].
    pub fn apply<T: Stored>(
        &self,
        document: &T,
        adjust: impl FnOnce(&T, &mut T),
    ) -> Result<Applied<T>, ObjectError> {
        let _lock = self.lock()?;
        let name = name_of(document)?;
        let mut wanted = document.clone();
        let wanted_body = body(&to_tree(document, &self.path::<T>(&name))?);
        annotate(&mut wanted, &wanted_body);
        let Some(present) = self.get::<T>(&name)? else {
            let object = self.create(wanted)?;
            return Ok(Applied {
                object,
                created: true,
                changes: Vec::new(),
                reverted: Vec::new(),
            });
        };
        adjust(&present, &mut wanted);
        let path = self.path::<T>(&name);
        let present_body = body(&to_tree(&present, &path)?);
        let last_applied = last_applied(&present);
        let changes = between(&present_body, &body(&to_tree(&wanted, &path)?));
        let reverted = last_applied.map_or_else(Vec::new, |last| {
            let by_file = between(&last, &wanted_body);
            let by_others = between(&last, &present_body);
            changes
                .iter()
                .filter(|change| {
                    by_others.iter().any(|other| other.path == change.path)
                        && !by_file.iter().any(|own| own.path == change.path)
                })
                .cloned()
                .collect()
        });
        let object = self.replace(&present, wanted)?;
        Ok(Applied {
            object,
            created: false,
            changes,
            reverted,
        })
    }

    /// Changes the object under the lock.
    ///
    /// # Errors
    /// [`ObjectError::Missing`] if there is none, what `change` returns, and see [`ObjectError`].
    pub fn edit<T: Stored, E: From<ObjectError>>(
        &self,
        name: &str,
        change: impl FnOnce(&mut T) -> Result<(), E>,
    ) -> Result<T, E> {
        let _lock = self.lock()?;
        let present: T = self.get(name)?.ok_or_else(|| ObjectError::Missing {
            kind: T::kind(&()).into_owned(),
            name: name.to_owned(),
        })?;
        let mut wanted = present.clone();
        change(&mut wanted)?;
        Ok(self.replace(&present, wanted)?)
    }

    /// Writes a new object; one of that name is replaced.
    ///
    /// # Errors
    /// See [`ObjectError`].
    pub fn add<T: Stored>(&self, object: T) -> Result<T, ObjectError> {
        let _lock = self.lock()?;
        self.create(object)
    }

    /// Replaces the status. Says whether it differed.
    ///
    /// # Errors
    /// See [`ObjectError`].
    pub fn write_status<T: Stored>(&self, name: &str, status: &impl Serialize) -> Result<bool, ObjectError> {
        let path = self.status_path::<T>(name);
        let text = serde_yaml::to_string(status).map_err(|error| malformed(&path, &error))?;
        Ok(write_if_changed(&path, text.as_bytes(), Readers::Everyone)?)
    }

    /// Removes object and status.
    ///
    /// # Errors
    /// See [`ObjectError`].
    pub fn delete<T: Stored>(&self, name: &str) -> Result<(), ObjectError> {
        let _lock = self.lock()?;
        remove_file(&self.path::<T>(name))?;
        remove_file(&self.status_path::<T>(name))?;
        Ok(())
    }

    /// A value that changes whenever an object of the kind does (its status apart); for watching.
    pub fn fingerprint<T: Stored>(&self) -> Vec<(PathBuf, SystemTime, u64)> {
        let Ok(entries) = fs::read_dir(self.folder::<T>()) else {
            return Vec::new();
        };
        let mut seen: Vec<_> = entries
            .flatten()
            .filter(|entry| {
                let name = entry.file_name();
                name.to_str()
                    .is_some_and(|name| name.ends_with(".yaml") && !name.ends_with(".status.yaml"))
            })
            .filter_map(|entry| {
                let metadata = entry.metadata().ok()?;
                Some((entry.path(), metadata.modified().ok()?, metadata.len()))
            })
            .collect();
        seen.sort();
        seen
    }

    fn create<T: Stored>(&self, mut object: T) -> Result<T, ObjectError> {
        let name = name_of(&object)?;
        let metadata = object.meta_mut();
        metadata.generation = Some(1);
        metadata.resource_version = Some("1".into());
        metadata.uid = Some(format!("{:032x}", rand::random::<u128>()));
        metadata.creation_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(
            jiff::Timestamp::now(),
        ));
        self.write(&name, &object)?;
        Ok(object)
    }

    fn replace<T: Stored>(&self, present: &T, mut wanted: T) -> Result<T, ObjectError> {
        let name = name_of(present)?;
        let path = self.path::<T>(&name);
        let before = present.meta();
        let metadata = wanted.meta_mut();
        metadata.uid.clone_from(&before.uid);
        metadata.creation_timestamp.clone_from(&before.creation_timestamp);
        metadata.generation = before.generation;
        metadata.resource_version.clone_from(&before.resource_version);
        let (old, new) = (to_tree(present, &path)?, to_tree(&wanted, &path)?);
        if without_status(&old) == without_status(&new) {
            return Ok(present.clone());
        }
        let metadata = wanted.meta_mut();
        if body(&old) != body(&new) {
            metadata.generation = Some(before.generation.unwrap_or(0) + 1);
        }
        let version: u64 = before
            .resource_version
            .as_deref()
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        metadata.resource_version = Some((version + 1).to_string());
        self.write(&name, &wanted)?;
        Ok(wanted)
    }

    fn write<T: Stored>(&self, name: &str, object: &T) -> Result<(), ObjectError> {
        let path = self.path::<T>(name);
        let tree = without_status(&to_tree(object, &path)?);
        let text = serde_yaml::to_string(&tree).map_err(|error| malformed(&path, &error))?;
        let readers = if T::kind(&()) == "Secret" {
            Readers::Owner
        } else {
            Readers::Everyone
        };
        Ok(write_atomically(&path, text.as_bytes(), readers)?)
    }

    fn lock(&self) -> Result<File, ObjectError> {
        create_folder(&self.root)?;
        let path = self.root.join("lock");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(FileError::at(&path))?;
        file.lock().map_err(FileError::at(&path))?;
        Ok(file)
    }

    fn read_tree(&self, path: &Path) -> Result<Option<Value>, ObjectError> {
        let Some(content) = read_optional(path)? else {
            return Ok(None);
        };
        serde_yaml::from_slice(&content)
            .map(Some)
            .map_err(|error| malformed(path, &error))
    }

    fn folder<T: Stored>(&self) -> PathBuf {
        self.root.join(T::kind(&()).as_ref())
    }

    fn path<T: Stored>(&self, name: &str) -> PathBuf {
        self.folder::<T>().join(format!("{name}.yaml"))
    }

    fn status_path<T: Stored>(&self, name: &str) -> PathBuf {
        self.folder::<T>().join(format!("{name}.status.yaml"))
    }
}

fn name_of<T: Stored>(object: &T) -> Result<String, ObjectError> {
    object.meta().name.clone().ok_or_else(|| ObjectError::Malformed {
        path: PathBuf::from(T::kind(&()).as_ref()),
        reason: "metadata.name is missing".into(),
    })
}

fn annotate<T: Stored>(object: &mut T, applied: &Value) {
    let annotations = object.meta_mut().annotations.get_or_insert_default();
    annotations.insert(ANNOTATION_LAST_APPLIED.into(), applied.to_string());
}

fn last_applied<T: Stored>(object: &T) -> Option<Value> {
    let text = object.meta().annotations.as_ref()?.get(ANNOTATION_LAST_APPLIED)?;
    serde_json::from_str(text).ok()
}

fn to_tree<T: Stored>(object: &T, path: &Path) -> Result<Value, ObjectError> {
    serde_json::to_value(object).map_err(|error| malformed(path, &error))
}

fn from_tree<T: Stored>(tree: Value, path: &Path) -> Result<T, ObjectError> {
    serde_json::from_value(tree).map_err(|error| malformed(path, &error))
}

fn malformed(path: &Path, error: &impl ToString) -> ObjectError {
    ObjectError::Malformed {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

fn without_status(tree: &Value) -> Value {
    let mut tree = tree.clone();
    if let Value::Object(fields) = &mut tree {
        fields.remove("status");
    }
    tree
}

/// What a user wrote: `spec`, or for kinds without one all fields but metadata, status and type.
fn body(tree: &Value) -> Value {
    if let Some(spec) = tree.get("spec") {
        return spec.clone();
    }
    let mut rest = tree.clone();
    if let Value::Object(fields) = &mut rest {
        for key in ["apiVersion", "kind", "metadata", "status"] {
            fields.remove(key);
        }
    }
    rest
}

#[cfg(test)]
mod tests;
