//! Where the databases of a cluster are, on a machine where a missing Secret means a SQLite file.

use crate::directory::ClusterDirectory;
use crate::file::{FileError, Readers, create_folder, remove_file, write_if_changed};
use crate::objects::{ObjectError, ObjectStore};
use k8s_openapi::api::core::v1::Secret;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tim_crds::TimCluster;
use tim_plan::names::ONLY_DATABASE;
use tim_plan::observed::Dsn;

/// One database and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// Where.
    pub location: Location,
}

/// Where a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A file of this cluster, since no Secret says otherwise.
    File(PathBuf),
    /// What a Secret says; only the scheme is shown to anybody.
    Elsewhere {
        /// `postgres`, `mysql`, …
        scheme: String,
    },
    /// The Secret is there and has no such key.
    KeyMissing,
}

impl Place {
    /// The engine in words.
    pub fn kind(&self) -> &'static str {
        self.known_kind().unwrap_or("unknown")
    }

    /// The engine in words, unless the DSN is missing or names none that is known.
    pub fn known_kind(&self) -> Option<&'static str> {
        match &self.location {
            Location::File(_) => Some("SQLite"),
            Location::KeyMissing => None,
            Location::Elsewhere { scheme } => match scheme.as_str() {
                "sqlite" => Some("SQLite"),
                "postgres" | "postgresql" => Some("PostgreSQL"),
                "mysql" => Some("MySQL"),
                "mariadb" => Some("MariaDB"),
                _ => None,
            },
        }
    }

    fn dsn(&self) -> Dsn {
        match &self.location {
            Location::File(_) => Dsn::Found {
                scheme: "sqlite".into(),
            },
            Location::Elsewhere { scheme } => Dsn::Found {
                scheme: scheme.clone(),
            },
            Location::KeyMissing => Dsn::KeyMissing,
        }
    }
}

/// As a plan wants to know them.
pub fn as_observed(places: &[Place]) -> BTreeMap<String, Dsn> {
    places
        .iter()
        .map(|place| (place.name.clone(), place.dsn()))
        .collect()
}

/// The databases of the cluster, in the order of the spec.
///
/// # Errors
/// A Secret cannot be read.
pub fn places(
    store: &ObjectStore,
    directory: &ClusterDirectory,
    cluster: &TimCluster,
) -> Result<Vec<Place>, ObjectError> {
    Ok(resolve(store, directory, cluster)?
        .into_iter()
        .map(|(place, _)| place)
        .collect())
}

/// Writes the file of each DSN that nodes read, and gives the databases.
///
/// # Errors
/// A Secret cannot be read, or a file not written.
pub fn write(
    store: &ObjectStore,
    directory: &ClusterDirectory,
    cluster: &TimCluster,
) -> Result<Vec<Place>, ObjectError> {
    let resolved = resolve(store, directory, cluster)?;
    create_folder(&directory.data())?;
    for (place, dsn) in &resolved {
        let path = directory.dsn().join(&place.name);
        match dsn {
            Some(dsn) => drop(write_if_changed(&path, dsn, Readers::Owner)?),
            None => remove_file(&path)?,
        }
    }
    Ok(resolved.into_iter().map(|(place, _)| place).collect())
}

/// A database and its DSN, if there is one.
type Resolved = (Place, Option<Vec<u8>>);

fn resolve(
    store: &ObjectStore,
    directory: &ClusterDirectory,
    cluster: &TimCluster,
) -> Result<Vec<Resolved>, ObjectError> {
    if cluster.spec.databases.is_empty() {
        return Ok(vec![in_file(directory, ONLY_DATABASE)?]);
    }
    let databases = cluster.spec.databases.iter();
    databases
        .map(|database| {
            let reference = &database.dsn_secret_ref;
            let Some(secret) = store.get::<Secret>(&reference.name)? else {
                return in_file(directory, &database.name);
            };
            let dsn = secret
                .data
                .and_then(|mut data| data.remove(&reference.key))
                .map(|value| value.0);
            let location = match dsn.as_deref().map(scheme_of) {
                None => Location::KeyMissing,
                Some(scheme) => Location::Elsewhere { scheme },
            };
            Ok((
                Place {
                    name: database.name.clone(),
                    location,
                },
                dsn,
            ))
        })
        .collect()
}

fn in_file(directory: &ClusterDirectory, name: &str) -> Result<Resolved, ObjectError> {
    let path = directory.data().join(format!("{name}.db"));
    let absolute = std::path::absolute(&path).map_err(FileError::at(&path))?;
    let dsn = format!("sqlite://{}", absolute.display());
    Ok((
        Place {
            name: name.to_owned(),
            location: Location::File(path),
        },
        Some(dsn.into_bytes()),
    ))
}

/// What stands before the first colon; nothing else of a DSN is shown to anybody.
fn scheme_of(dsn: &[u8]) -> String {
    let end = dsn.iter().position(|byte| *byte == b':').unwrap_or(0);
    String::from_utf8_lossy(&dsn[..end]).trim().to_owned()
}

/// The further configuration of `spec.config.secretRefs`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FurtherConfiguration {
    /// A hash of each by `NAME/KEY`; nothing where there is no such Secret or key.
    pub hashes: BTreeMap<String, Option<String>>,
    /// The files that nodes read after their own, in order.
    pub files: Vec<PathBuf>,
}

/// Writes the further configuration of `spec.config.secretRefs` to files.
///
/// # Errors
/// A Secret cannot be read, or a file not written.
pub fn write_config_secrets(
    store: &ObjectStore,
    directory: &ClusterDirectory,
    cluster: &TimCluster,
) -> Result<FurtherConfiguration, ObjectError> {
    let mut further = FurtherConfiguration::default();
    for (index, reference) in cluster.spec.config.secret_refs.iter().enumerate() {
        let secret = store.get::<Secret>(&reference.name)?;
        let content = secret
            .and_then(|secret| secret.data?.remove(&reference.key))
            .map(|value| value.0);
        if let Some(content) = &content {
            let path = directory.keys().join(format!("config-{index}.toml"));
            write_if_changed(&path, content, Readers::Owner)?;
            further.files.push(path);
        }
        let hash = content.map(|content| tim_plan::intent::hash(&content));
        further
            .hashes
            .insert(format!("{}/{}", reference.name, reference.key), hash);
    }
    Ok(further)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::LocalDirectory;
    use k8s_openapi::ByteString;
    use tim_crds::cluster::{Database, SecretKey};

    #[test]
    fn a_missing_secret_is_a_file_and_a_present_one_decides() {
        let folder = tempfile::tempdir().unwrap();
        let directory = LocalDirectory::of(folder.path()).cluster("chat");
        let store = ObjectStore::new(folder.path().join(".tim/objects"));
        let mut cluster = TimCluster::new("chat", tim_crds::TimClusterSpec::default());
        let database = |name: &str| Database {
            name: name.into(),
            dsn_secret_ref: SecretKey {
                name: format!("chat-{name}"),
                key: "dsn".into(),
            },
        };
        cluster.spec.databases = vec![database("d0"), database("d1"), database("d2")];
        for (name, key) in [("chat-d1", "dsn"), ("chat-d2", "other")] {
            let mut secret = Secret::default();
            secret.metadata.name = Some(name.into());
            secret.data = Some([(key.to_owned(), ByteString(b"postgres://u:secret@h/d".to_vec()))].into());
            store.apply(&secret, |_, _| {}).unwrap();
        }
        let places = write(&store, &directory, &cluster).unwrap();
        let kinds: Vec<&str> = places.iter().map(Place::kind).collect();
        assert_eq!(kinds, ["SQLite", "PostgreSQL", "unknown"]);
        assert!(!format!("{places:?}").contains("secret"), "no DSN is shown");
        let read = |name: &str| std::fs::read_to_string(directory.dsn().join(name)).ok();
        assert!(read("d0").unwrap().ends_with("/.tim/chat/data/d0.db"));
        assert_eq!(read("d1").unwrap(), "postgres://u:secret@h/d");
        assert_eq!(read("d2"), None);
        assert_eq!(as_observed(&places)["d2"], Dsn::KeyMissing);
    }

    #[test]
    fn a_cluster_without_databases_has_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let directory = LocalDirectory::of(folder.path()).cluster("chat");
        let store = ObjectStore::new(folder.path().join(".tim/objects"));
        let cluster = TimCluster::new("chat", tim_crds::TimClusterSpec::default());
        let places = places(&store, &directory, &cluster).unwrap();
        assert_eq!(places.len(), 1);
        assert_eq!(places[0].name, ONLY_DATABASE);
    }
}
