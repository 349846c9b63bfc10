//! A cluster as any process of this machine can see it, whether or not somebody supervises it.

use crate::control::Controls;
use crate::databases::{self, Place};
use crate::directory::{ClusterDirectory, LocalDirectory};
use crate::file::FileError;
use crate::lock::{Holder, SupervisorLock};
use crate::node_record::NodeRecord;
use crate::objects::{ObjectError, ObjectStore};
use crate::runner::known_nodes;
use jiff::Timestamp;
use std::time::Duration;
use tim_crds::{TimCluster, TimRepartition};
use tim_plan::names;
use tim_proto::control::v1::StatusReply;

/// A cluster at one moment.
#[derive(Debug, Clone)]
pub struct ClusterView {
    /// The object, with the status that the supervisor wrote last.
    pub cluster: TimCluster,
    /// Who supervises it, if anybody does.
    pub supervisor: Option<Holder>,
    /// The nodes, wanted or running, by ordinal.
    pub nodes: Vec<NodeView>,
    /// The databases.
    pub places: Vec<Place>,
    /// Its repartitions, by name.
    pub repartitions: Vec<TimRepartition>,
}

/// A node at one moment.
#[derive(Debug, Clone)]
pub struct NodeView {
    /// Its name.
    pub name: String,
    /// Whether the spec wants it.
    pub wanted: bool,
    /// What is remembered of it; nothing before its first start.
    pub record: Option<NodeRecord>,
    /// Whether its process runs.
    pub running: bool,
    /// What it said; nothing if it did not answer in time.
    pub reply: Option<StatusReply>,
}

impl NodeView {
    /// Number of its process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        let record = self.record.as_ref().filter(|_| self.running)?;
        record.life.as_ref().map(|life| life.process.pid)
    }

    /// For how long its process has run.
    pub fn runs_for(&self) -> Option<Duration> {
        let record = self.record.as_ref().filter(|_| self.running)?;
        let life = record.life.as_ref()?;
        Duration::try_from(Timestamp::now().duration_since(life.started)).ok()
    }
}

/// Looks at the cluster: every node is asked at the same time and may take `answer_max`.
///
/// # Errors
/// The objects cannot be read, or there is no such cluster.
pub async fn observe(
    directory: &LocalDirectory,
    name: &str,
    answer_max: Duration,
) -> Result<ClusterView, ObjectError> {
    let store = ObjectStore::new(directory.objects());
    let cluster: TimCluster = store.get(name)?.ok_or_else(|| ObjectError::Missing {
        kind: "TimCluster".into(),
        name: name.into(),
    })?;
    let folder = directory.cluster(name);
    let places = databases::places(&store, &folder, &cluster)?;
    let mut repartitions: Vec<TimRepartition> = store.list()?;
    repartitions.retain(|repartition| repartition.spec.cluster_ref.name == name);
    // Before the supervisor has made its certificate nobody can be asked.
    let controls = Controls::load(&folder.tls(), &cluster.cluster_id()).ok();
    let nodes = node_records(&folder, &cluster)?
        .into_iter()
        .map(|(node, wanted, record)| look(controls.as_ref(), node, wanted, record, answer_max));
    Ok(ClusterView {
        nodes: futures::future::join_all(nodes).await,
        supervisor: SupervisorLock::holder(&folder.lock())?,
        cluster,
        places,
        repartitions,
    })
}

async fn look(
    controls: Option<&Controls>,
    name: String,
    wanted: bool,
    record: Option<NodeRecord>,
    answer_max: Duration,
) -> NodeView {
    let running = record.as_ref().is_some_and(|record| record.living().is_some());
    let reply = match (controls, &record) {
        (Some(controls), Some(record)) if running => controls
            .status(&name, record.peer_address(), answer_max)
            .await
            .ok(),
        _ => None,
    };
    NodeView {
        name,
        wanted,
        record,
        running,
        reply,
    }
}

/// Wanted nodes and those that still run, by ordinal.
fn node_records(
    folder: &ClusterDirectory,
    cluster: &TimCluster,
) -> Result<Vec<(String, bool, Option<NodeRecord>)>, FileError> {
    let name = cluster.metadata.name.clone().unwrap_or_default();
    let replicas = u32::try_from(cluster.spec.replicas).unwrap_or(0);
    let mut ordinals: Vec<u32> = known_nodes(folder)?
        .iter()
        .filter_map(|node| names::ordinal(&name, node))
        .collect();
    ordinals.extend(0..replicas);
    ordinals.sort_unstable();
    ordinals.dedup();
    let mut nodes = Vec::new();
    for ordinal in ordinals {
        let node = names::node(&name, ordinal);
        let record = NodeRecord::load(&folder.node(&node))?;
        let running = record.as_ref().is_some_and(|record| record.living().is_some());
        if ordinal < replicas || running {
            nodes.push((node, ordinal < replicas, record));
        }
    }
    Ok(nodes)
}

/// Names of the clusters of that directory.
///
/// # Errors
/// The objects cannot be read.
pub fn cluster_names(directory: &LocalDirectory) -> Result<Vec<String>, ObjectError> {
    ObjectStore::new(directory.objects()).names::<TimCluster>()
}

/// Stops the nodes of a cluster that nobody supervises: asks them to, waits, and kills what has not stopped in time.
/// Says how many ran.
///
/// # Errors
/// The records cannot be read.
pub async fn stop_unsupervised(folder: &ClusterDirectory, grace: Duration) -> Result<usize, FileError> {
    use nix::sys::signal::Signal;
    const LOOK: Duration = Duration::from_millis(50);
    let mut lives = Vec::new();
    for node in known_nodes(folder)? {
        let record = NodeRecord::load(&folder.node(&node))?;
        lives.extend(record.and_then(|record| record.living().map(|life| life.process)));
    }
    for life in &lives {
        life.signal(Signal::SIGTERM);
    }
    let deadline = tokio::time::Instant::now() + grace;
    while lives.iter().any(|life| life.is_alive()) {
        if tokio::time::Instant::now() >= deadline {
            for life in &lives {
                life.signal(Signal::SIGKILL);
            }
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(lives.len())
}

/// Throws a cluster's data, keys, logs and objects away. Nothing of it may run.
///
/// # Errors
/// Something cannot be removed; the rest is still there then, and doing it again goes on.
pub fn discard(directory: &LocalDirectory, name: &str) -> Result<(), ObjectError> {
    let store = ObjectStore::new(directory.objects());
    let repartitions: Vec<TimRepartition> = store.list()?;
    for repartition in repartitions {
        if let (true, Some(object)) = (
            repartition.spec.cluster_ref.name == name,
            &repartition.metadata.name,
        ) {
            store.delete::<TimRepartition>(object)?;
        }
    }
    store.delete::<TimCluster>(name)?;
    Ok(crate::file::remove_folder(directory.cluster(name).root())?)
}
