//! The clusters of `.tim` in a directory of this machine.

use super::{SplitRequest, Target};
use crate::arguments::Global;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::status::Observation;
use crate::status::observation::{
    ConditionObservation, Controller, DeclaredDatabase, NODE_ANSWER_MAX, NodeObservation,
    RepartitionObservation,
};
use async_trait::async_trait;
use std::path::{Path, PathBuf};
use tim_catalogue::command_line;
use tim_crds::cluster::{Database, SecretKey};
use tim_crds::repartition::{ClusterRef, Operation, Split, SplitTarget};
use tim_crds::{TimCluster, TimRepartition, TimRepartitionSpec};
use tim_local::directory::LocalDirectory;
use tim_local::documents::add_split_database;
use tim_local::lock::SupervisorLock;
use tim_local::objects::{ObjectError, ObjectStore};
use tim_local::view::{self, ClusterView, NodeView};

/// The clusters of one directory.
#[derive(Debug, Clone)]
pub struct LocalTarget {
    directory: LocalDirectory,
    shown: String,
}

/// The directory that the options mean, whether or not it holds a `.tim`.
pub fn parent_directory(global: &Global) -> PathBuf {
    global.dir.clone().unwrap_or_else(|| PathBuf::from("."))
}

/// A path as people write it: relative to where they are.
pub fn shown_path(path: &Path) -> String {
    let current = std::env::current_dir().unwrap_or_default();
    let shown = path.strip_prefix(&current).unwrap_or(path);
    let shown = shown.strip_prefix("./").unwrap_or(shown);
    shown.display().to_string()
}

impl LocalTarget {
    /// The `.tim` of the directory that the options mean.
    ///
    /// # Errors
    /// There is none (`TIM-L101`).
    pub fn open(global: &Global) -> Outcome<Self> {
        let parent = parent_directory(global);
        let directory = LocalDirectory::of(&parent);
        if !directory.exists() {
            let shown = if global.dir.is_some() {
                parent.display().to_string()
            } else {
                "this directory".into()
            };
            let above = std::path::absolute(&parent).ok().and_then(|parent| {
                let found = parent
                    .ancestors()
                    .skip(1)
                    .find(|above| LocalDirectory::of(above).exists())?;
                Some(format!(" There is one in {}.", found.display()))
            });
            let observed = format!("{shown} holds no .tim.{}", above.unwrap_or_default());
            return Err(Failure::new(&command_line::NOT_A_CLUSTER_DIRECTORY, observed).exit(Exit::Usage));
        }
        let shown = shown_path(directory.root());
        Ok(Self { directory, shown })
    }

    /// The folder.
    pub fn directory(&self) -> &LocalDirectory {
        &self.directory
    }

    fn store(&self) -> ObjectStore {
        ObjectStore::new(self.directory.objects())
    }
}

/// A failure of the objects or files of `.tim`.
pub(super) fn objects_failure(error: &ObjectError) -> Failure {
    match error {
        ObjectError::Missing { kind, name } => Failure::new(
            &command_line::UNKNOWN_CLUSTER,
            format!("{kind} {name} does not exist"),
        )
        .exit(Exit::Usage),
        other => Failure::unexpected(other),
    }
}

#[async_trait]
impl Target for LocalTarget {
    fn describe(&self, cluster: &str) -> String {
        format!("local cluster {cluster} in {}/", self.shown)
    }

    async fn clusters(&self) -> Outcome<Vec<String>> {
        view::cluster_names(&self.directory).map_err(|error| objects_failure(&error))
    }

    async fn observe(&self, cluster: &str) -> Outcome<Observation> {
        let seen = view::observe(&self.directory, cluster, NODE_ANSWER_MAX).await;
        let seen = seen.map_err(|error| objects_failure(&error))?;
        Ok(observation(&seen, self.describe(cluster)))
    }

    async fn check_changeable(&self, cluster: &str) -> Outcome<()> {
        let lock = self.directory.cluster(cluster).lock();
        match SupervisorLock::holder(&lock) {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(Failure::new(
                &command_line::SUPERVISOR_GONE,
                format!("tim up does not run for {cluster}, and its next start applies the file again"),
            )),
            Err(error) => Err(Failure::unexpected(&error)),
        }
    }

    async fn scale(&self, cluster: &str, replicas: i32) -> Outcome<()> {
        let edited = self.store().edit::<TimCluster, ObjectError>(cluster, |object| {
            object.spec.replicas = replicas;
            Ok(())
        });
        edited.map(drop).map_err(|error| objects_failure(&error))
    }

    fn new_database(&self, observed: &Observation) -> Option<String> {
        let is_free = |name: &String| !observed.databases.iter().any(|database| database.name == *name);
        (0..).map(|number| format!("d{number}")).find(is_free)
    }

    async fn split(&self, cluster: &str, request: &SplitRequest) -> Outcome<String> {
        let store = self.store();
        let failed = |error: ObjectError| objects_failure(&error);
        if request.new_database {
            let database = Database {
                name: request.target.clone(),
                dsn_secret_ref: SecretKey {
                    name: format!("{cluster}-{}", request.target),
                    key: "dsn".into(),
                },
            };
            store
                .edit::<TimCluster, ObjectError>(cluster, |object| {
                    add_split_database(object, database);
                    Ok(())
                })
                .map_err(failed)?;
        }
        let taken = store.names::<TimRepartition>().map_err(failed)?;
        let mut repartition = repartition(cluster, &taken, request);
        repartition.metadata.namespace = store
            .get::<TimCluster>(cluster)
            .map_err(failed)?
            .and_then(|object| object.metadata.namespace);
        let added = store.add(repartition).map_err(failed)?;
        Ok(added.metadata.name.unwrap_or_default())
    }

    async fn repartition(&self, name: &str) -> Outcome<TimRepartition> {
        let found = self
            .store()
            .get::<TimRepartition>(name)
            .map_err(|error| objects_failure(&error))?;
        found.ok_or_else(|| {
            Failure::new(
                &command_line::UNKNOWN_CLUSTER,
                format!("TimRepartition {name} does not exist"),
            )
        })
    }
}

/// The object of a split, under the first name that is free.
pub(super) fn repartition(cluster: &str, taken: &[String], request: &SplitRequest) -> TimRepartition {
    let is_free = |name: &String| !taken.contains(name);
    let name = (1..)
        .map(|number| format!("{cluster}-split-{number}"))
        .find(is_free)
        .unwrap_or_default();
    let split = Split {
        from: request.from,
        at: vec![request.at],
        targets: vec![SplitTarget {
            database: request.target.clone(),
        }],
    };
    let spec = TimRepartitionSpec {
        cluster_ref: ClusterRef {
            name: cluster.to_owned(),
        },
        operation: Operation { split: Some(split) },
        ..TimRepartitionSpec::default()
    };
    TimRepartition::new(&name, spec)
}

fn observation(seen: &ClusterView, target: String) -> Observation {
    let cluster = &seen.cluster;
    let status = cluster.status.clone().unwrap_or_default();
    let generation = cluster.metadata.generation;
    let annotations = cluster.metadata.annotations.clone().unwrap_or_default();
    let controller = match &seen.supervisor {
        None => Controller::Absent,
        Some(_) if status.observed_generation == generation => Controller::Current,
        Some(_) => Controller::Behind,
    };
    Observation {
        cluster: cluster.metadata.name.clone().unwrap_or_default(),
        cluster_id: cluster.cluster_id(),
        target,
        replicas: u32::try_from(cluster.spec.replicas).unwrap_or(0),
        paused: annotations
            .get(tim_crds::labels::ANNOTATION_PAUSE)
            .is_some_and(|value| value == "true"),
        databases: seen
            .places
            .iter()
            .map(|place| DeclaredDatabase {
                name: place.name.clone(),
                kind: place.kind().into(),
            })
            .collect(),
        nodes: seen.nodes.iter().map(node_observation).collect(),
        repartitions: seen
            .repartitions
            .iter()
            .filter_map(repartition_observation)
            .collect(),
        conditions: status.conditions.iter().map(condition_observation).collect(),
        controller,
        image: None,
    }
}

fn node_observation(node: &NodeView) -> NodeObservation {
    let record = node.record.as_ref();
    NodeObservation {
        name: node.name.clone(),
        wanted: node.wanted,
        pid: node.pid(),
        present: node.running,
        runs_for: node.runs_for(),
        trouble: record.and_then(|record| record.trouble.clone()),
        client_url: record.map(|record| record.client_url()),
        admin_url: record.map(|record| record.admin_url()),
        reply: node.reply.clone(),
        silent_seconds: None,
    }
}

/// A repartition that has not ended.
pub(super) fn repartition_observation(repartition: &TimRepartition) -> Option<RepartitionObservation> {
    let status = repartition.status.clone().unwrap_or_default();
    (!status.phase.is_final()).then(|| RepartitionObservation {
        name: repartition.metadata.name.clone().unwrap_or_default(),
        phase: status.phase.as_str().into(),
        percent: status.progress.map_or(-1, |progress| progress.percent),
        reason: status.phase_reason,
    })
}

/// A condition of the object.
pub(super) fn condition_observation(condition: &tim_crds::Condition) -> ConditionObservation {
    ConditionObservation {
        kind: condition.type_.clone(),
        status: condition.status.clone(),
        reason: condition.reason.clone(),
        message: condition.message.clone(),
    }
}
