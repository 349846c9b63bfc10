//! What a verb acts on: the clusters of a directory on this machine, or those of a namespace on Kubernetes.
//!
//! A name, directory or context that does not exist is an error that lists those that do; there is never a default for it.

mod admin_status;
mod kubernetes;
mod local;

pub use kubernetes::KubernetesTarget;
pub use local::{LocalTarget, parent_directory, shown_path};

use crate::arguments::Global;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::status::Observation;
use async_trait::async_trait;
use tim_catalogue::{command_line, repartition};
use tim_crds::TimRepartition;

/// A split that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitRequest {
    /// Lower bound of the range that is cut.
    pub from: u32,
    /// First slot that moves.
    pub at: u32,
    /// Last slot that moves.
    pub to: u32,
    /// Database that has it.
    pub source: String,
    /// Database that gets it.
    pub target: String,
    /// Whether that database is new and has to be declared.
    pub new_database: bool,
}

/// Clusters somewhere.
#[async_trait]
pub trait Target: Send + Sync {
    /// The cluster in words, for people to see what they act on.
    fn describe(&self, cluster: &str) -> String;
    /// Names of all clusters.
    async fn clusters(&self) -> Outcome<Vec<String>>;
    /// The cluster as it is now.
    async fn observe(&self, cluster: &str) -> Outcome<Observation>;
    /// Refuses if nobody would carry a change out.
    async fn check_changeable(&self, cluster: &str) -> Outcome<()>;
    /// What [`Target::scale`] would send, for people to see beforehand; nothing where nothing is sent.
    fn scale_patch(&self, _cluster: &str, _replicas: i32) -> Option<String> {
        None
    }
    /// The object that [`Target::split`] would create, for people to see beforehand; nothing where nothing is sent.
    async fn split_object(&self, _cluster: &str, _request: &SplitRequest) -> Outcome<Option<String>> {
        Ok(None)
    }
    /// Sets the number of nodes.
    async fn scale(&self, cluster: &str, replicas: i32) -> Outcome<()>;
    /// A name for a database that a split makes; nothing where it cannot make one.
    fn new_database(&self, observed: &Observation) -> Option<String>;
    /// Makes the TimRepartition, and gives its name.
    async fn split(&self, cluster: &str, request: &SplitRequest) -> Outcome<String>;
    /// A TimRepartition of the cluster.
    async fn repartition(&self, name: &str) -> Outcome<TimRepartition>;
}

/// The target that the options mean.
///
/// # Errors
/// It does not exist.
pub async fn choose(global: &Global, kubectl_plugin: bool) -> Outcome<Box<dyn Target>> {
    if kubectl_plugin || global.context.is_some() || global.namespace.is_some() {
        return Ok(Box::new(KubernetesTarget::open(global).await?));
    }
    Ok(Box::new(LocalTarget::open(global)?))
}

/// The cluster of that name, or the only one.
///
/// # Errors
/// There is none of that name, or there are several and none was named.
pub async fn find_cluster(target: &dyn Target, name: Option<&str>) -> Outcome<String> {
    let known = target.clusters().await?;
    pick_cluster(&known, name)
}

fn pick_cluster(known: &[String], name: Option<&str>) -> Outcome<String> {
    let list = if known.is_empty() {
        "none".to_owned()
    } else {
        known.join(", ")
    };
    let unknown =
        |observed: String| Err(Failure::new(&command_line::UNKNOWN_CLUSTER, observed).exit(Exit::Usage));
    match (name, known) {
        (Some(name), _) if known.iter().any(|other| other == name) => Ok(name.to_owned()),
        (Some(name), _) => unknown(format!("there is no cluster \"{name}\". Known: {list}")),
        (None, [only]) => Ok(only.clone()),
        (None, []) => unknown("there is no cluster yet".into()),
        (None, _) => Err(
            Failure::usage(format!("there are several clusters; name one of them: {list}"))
                .remedy("put its name behind the verb"),
        ),
    }
}

/// Works out a split: which range, from where, to where.
///
/// # Errors
/// The slot or the database cannot be used; each says what can.
pub fn plan_split(
    observed: &Observation,
    at: u32,
    to: Option<&str>,
    new_database: Option<String>,
) -> Outcome<SplitRequest> {
    let Some(map) = observed.newest_map() else {
        return Err(Failure::new(
            &repartition::SLOT_INVALID,
            "no node has told the partition map yet",
        ));
    };
    let mut starts: Vec<_> = map.ranges.iter().collect();
    starts.sort_by_key(|range| range.from);
    let next = starts
        .iter()
        .map(|range| range.from)
        .find(|from| *from > at)
        .unwrap_or(tim_crds::SLOT_COUNT);
    let Some(range) = starts.iter().rfind(|range| range.from <= at) else {
        return Err(Failure::new(
            &repartition::SLOT_INVALID,
            format!("no range holds slot {at}"),
        ));
    };
    if range.from == at {
        let observed =
            format!("slot {at} is the lower bound of a range already; the part that moves begins inside one");
        return Err(Failure::new(&repartition::SLOT_INVALID, observed).exit(Exit::Usage));
    }
    let declared: Vec<&str> = observed
        .databases
        .iter()
        .map(|database| database.name.as_str())
        .collect();
    let free: Vec<&str> = declared
        .iter()
        .copied()
        .filter(|name| *name != range.database)
        .collect();
    let (target, new_database) = match (to, new_database) {
        (Some(name), _) if name == range.database => {
            let observed = format!(
                "slot {at} is in {name} already; choose another database: {}",
                free.join(", ")
            );
            return Err(Failure::new(&repartition::TARGET_INVALID, observed).exit(Exit::Usage));
        }
        (Some(name), _) if declared.contains(&name) => (name.to_owned(), false),
        (Some(name), _) => {
            let observed = format!(
                "\"{name}\" is not in spec.databases. Known: {}",
                declared.join(", ")
            );
            return Err(Failure::new(&repartition::TARGET_INVALID, observed).exit(Exit::Usage));
        }
        (None, Some(name)) => (name, true),
        (None, None) => {
            let observed = format!("--to is missing. Databases of the cluster: {}", free.join(", "));
            return Err(Failure::usage(observed)
                .remedy("name one of them with --to, or declare another in spec.databases"));
        }
    };
    Ok(SplitRequest {
        from: range.from,
        at,
        to: next - 1,
        source: range.database.clone(),
        target,
        new_database,
    })
}

#[cfg(test)]
mod tests;
