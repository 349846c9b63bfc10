//! The user's files: read, checked, and applied to the objects as `kubectl apply` would.

use crate::changes::{FieldChange, between_clusters};
use crate::file::FileError;
use crate::objects::{Applied, ObjectError, ObjectStore};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret as StoredSecret;
use kube::ResourceExt;
use std::path::PathBuf;
use std::time::SystemTime;
use tim_catalogue::{Report, command_line, configuration};
use tim_crds::cluster::Database;
use tim_crds::document::{self, Object, Origin, Problems, Secret, Skipped};
use tim_crds::{TimCluster, TimRepartition};

/// On a TimCluster: databases that `tim split` has added, separated by commas. A file that does not name them does not
/// take them away, as on an API server fields of another manager stay.
pub const ANNOTATION_SPLIT_DATABASES: &str = "local.timcluster.io/split-databases";
/// On a TimCluster: the files it was applied from, one per line.
pub const ANNOTATION_SOURCE: &str = "local.timcluster.io/source";

/// Why files cannot be applied. Nothing was changed; it stays so until they are mended.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Mistakes in the files, each with file and line.
    #[error(transparent)]
    Problems(#[from] Problems),
    /// The files as a whole cannot be used.
    #[error("{0}")]
    Refused(Report),
    /// The objects could not be read or written.
    #[error(transparent)]
    Objects(#[from] ObjectError),
}

/// The files of one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// In the order in which they are read.
    pub files: Vec<PathBuf>,
    /// A number of nodes that the command line set instead of the file's, and the file's number then: as long as the file
    /// says the same, the command line's holds.
    pub replicas: Option<ReplicasOverride>,
}

/// See [`Source::replicas`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplicasOverride {
    /// What the command line said.
    pub wanted: i32,
    /// What the file said when it was first read.
    pub file: Option<i32>,
}

/// What the files hold.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The one cluster.
    pub cluster: TimCluster,
    /// Where it was written.
    pub origin: Origin,
    /// Repartitions of it.
    pub repartitions: Vec<(TimRepartition, Origin)>,
    /// Secrets it may refer to.
    pub secrets: Vec<Secret>,
    /// Documents that only Kubernetes can use.
    pub skipped: Vec<Skipped>,
}

/// What applying the files did.
#[derive(Debug)]
pub struct AppliedSource {
    /// The cluster.
    pub cluster: Applied<TimCluster>,
    /// Databases that a split had added and that the files do not name: kept.
    pub kept_databases: Vec<String>,
    /// Documents that only Kubernetes can use.
    pub skipped: Vec<Skipped>,
}

impl Source {
    /// Reads and checks the files.
    ///
    /// # Errors
    /// See [`SourceError`].
    pub fn load(&self) -> Result<Loaded, SourceError> {
        let mut clusters = Vec::new();
        let mut loaded = Partial::default();
        for path in &self.files {
            let file = path.display().to_string();
            let text = std::fs::read_to_string(path).map_err(|error| unreadable(&file, &error))?;
            let documents = document::read(&file, &text)?;
            loaded.skipped.extend(documents.skipped);
            for document in documents.objects {
                match document.object {
                    Object::Cluster(cluster) => clusters.push((*cluster, document.origin)),
                    Object::Repartition(repartition) => {
                        loaded.repartitions.push((*repartition, document.origin))
                    }
                    Object::Secret(secret) => loaded.add_secret(secret)?,
                }
            }
        }
        let (cluster, origin) = self.only_one(clusters)?;
        let Partial {
            repartitions,
            secrets,
            skipped,
        } = loaded;
        Ok(Loaded {
            cluster,
            origin,
            repartitions,
            secrets,
            skipped,
        })
    }

    fn only_one(&self, mut clusters: Vec<(TimCluster, Origin)>) -> Result<(TimCluster, Origin), SourceError> {
        let files = self
            .files
            .iter()
            .map(|file| file.display().to_string())
            .collect::<Vec<_>>()
            .join(", ");
        if clusters.len() == 1
            && let Some((mut cluster, origin)) = clusters.pop()
        {
            if let Some(replicas) = self.replicas
                && replicas.file.is_none_or(|file| file == cluster.spec.replicas)
            {
                cluster.spec.replicas = replicas.wanted;
            }
            return Ok((cluster, origin));
        }
        if clusters.is_empty() {
            return Err(refused(
                &command_line::NOT_ONE_CLUSTER,
                format!("{files}: no TimCluster is in it"),
            ));
        }
        let names: Vec<String> = clusters
            .iter()
            .map(|(cluster, _)| {
                let namespace = cluster.namespace();
                namespace.map_or_else(
                    || cluster.name_any(),
                    |namespace| format!("{namespace}/{}", cluster.name_any()),
                )
            })
            .collect();
        let first = clusters[0].0.name_any();
        if clusters.iter().all(|(cluster, _)| cluster.name_any() == first) {
            let observed = format!(
                "{files}: {} have one name, and .tim has no namespaces",
                names.join(" and ")
            );
            return Err(refused(&command_line::NAMES_COLLIDE, observed));
        }
        let observed = format!(
            "{files}: {} TimClusters are in it ({})",
            clusters.len(),
            names.join(", ")
        );
        Err(refused(&command_line::NOT_ONE_CLUSTER, observed))
    }

    /// Changes whenever one of the files does; for watching.
    pub fn fingerprint(&self) -> Vec<Option<(SystemTime, u64)>> {
        self.files
            .iter()
            .map(|file| {
                let metadata = std::fs::metadata(file).ok()?;
                Some((metadata.modified().ok()?, metadata.len()))
            })
            .collect()
    }
}

#[derive(Default)]
struct Partial {
    repartitions: Vec<(TimRepartition, Origin)>,
    secrets: Vec<Secret>,
    skipped: Vec<Skipped>,
}

impl Partial {
    fn add_secret(&mut self, secret: Secret) -> Result<(), SourceError> {
        if self.secrets.iter().any(|other| other.name == secret.name) {
            let observed = format!("Secret {} is there twice", secret.name);
            return Err(refused(&command_line::NAMES_COLLIDE, observed));
        }
        self.secrets.push(secret);
        Ok(())
    }
}

impl Loaded {
    /// The change against what is there, judged as an API server judges an update.
    ///
    /// # Errors
    /// A field that cannot change was changed.
    pub fn check_against(&self, store: &ObjectStore) -> Result<(), SourceError> {
        let name = self.cluster.name_any();
        if let Some(present) = store.get::<TimCluster>(&name)? {
            self.origin.check_change(&present, &self.cluster)?;
        }
        for (repartition, origin) in &self.repartitions {
            if let Some(present) = store.get::<TimRepartition>(&repartition.name_any())? {
                origin.check_change(&present, repartition)?;
            }
        }
        Ok(())
    }

    /// What applying would change in the cluster; nothing if it would be made anew.
    ///
    /// # Errors
    /// As [`Loaded::check_against`].
    pub fn preview(&self, store: &ObjectStore) -> Result<Option<Vec<FieldChange>>, SourceError> {
        self.check_against(store)?;
        let present = store.get::<TimCluster>(&self.cluster.name_any())?;
        Ok(present.map(|present| {
            let mut wanted = self.cluster.clone();
            keep_split_databases(&present, &mut wanted);
            between_clusters(&present, &wanted)
        }))
    }

    /// Makes the objects what the files say.
    ///
    /// # Errors
    /// See [`SourceError`]; nothing was changed unless writing failed half-way, and then applying again completes it.
    pub fn apply(self, store: &ObjectStore, source: &Source) -> Result<AppliedSource, SourceError> {
        self.check_against(store)?;
        for secret in &self.secrets {
            store.apply(&stored(secret), |_, _| {})?;
        }
        let mut document = self.cluster;
        let files = source
            .files
            .iter()
            .map(|file| file.display().to_string())
            .collect::<Vec<_>>()
            .join("\n");
        document.annotations_mut().insert(ANNOTATION_SOURCE.into(), files);
        let mut kept_databases = Vec::new();
        let cluster = store.apply(&document, |present: &TimCluster, wanted: &mut TimCluster| {
            kept_databases = keep_split_databases(present, wanted);
        })?;
        for (repartition, _) in &self.repartitions {
            store.apply(repartition, |_, _| {})?;
        }
        Ok(AppliedSource {
            cluster,
            kept_databases,
            skipped: self.skipped,
        })
    }
}

/// Names of databases that `tim split` has added to a cluster.
pub fn split_databases(cluster: &TimCluster) -> Vec<String> {
    let names = cluster.annotations().get(ANNOTATION_SPLIT_DATABASES);
    names.map_or_else(Vec::new, |names| names.split(',').map(str::to_owned).collect())
}

/// Adds a database for a split to the object's spec and notes that the file does not own it.
pub fn add_split_database(cluster: &mut TimCluster, database: Database) {
    let mut names = split_databases(cluster);
    names.push(database.name.clone());
    cluster.spec.databases.push(database);
    cluster
        .annotations_mut()
        .insert(ANNOTATION_SPLIT_DATABASES.into(), names.join(","));
}

fn keep_split_databases(present: &TimCluster, wanted: &mut TimCluster) -> Vec<String> {
    let mut kept = Vec::new();
    for name in split_databases(present) {
        let is_named = wanted.spec.databases.iter().any(|database| database.name == name);
        let known = present
            .spec
            .databases
            .iter()
            .find(|database| database.name == name);
        if let (false, Some(database)) = (is_named, known) {
            add_split_database(wanted, database.clone());
            kept.push(name);
        }
    }
    kept
}

fn stored(secret: &Secret) -> StoredSecret {
    let mut stored = StoredSecret::default();
    stored.metadata.name = Some(secret.name.clone());
    stored.metadata.namespace.clone_from(&secret.namespace);
    stored.data = Some(
        secret
            .data
            .iter()
            .map(|(key, value)| (key.clone(), ByteString(value.clone())))
            .collect(),
    );
    stored
}

fn unreadable(file: &str, error: &std::io::Error) -> SourceError {
    refused(&configuration::UNREADABLE_FILE, format!("{file}: {error}"))
}

fn refused(cause: &'static tim_catalogue::Cause, observed: String) -> SourceError {
    SourceError::Refused(Report::new(cause, observed))
}

impl From<FileError> for SourceError {
    fn from(error: FileError) -> Self {
        Self::Objects(error.into())
    }
}

#[cfg(test)]
mod tests;
