//! Keeping processes running: what kubelet and StatefulSet controller do on Kubernetes.
//!
//! Ordinals below the workload's number run, others are stopped. A process that ends is started again, at once the first
//! time and with growing pauses when it keeps ending. What stops is asked to (SIGTERM) and, after its grace, killed.

mod ending;
mod restart;

pub use ending::Ending;

use crate::directory::ClusterDirectory;
use crate::event::Event;
use crate::file::FileError;
use crate::launch::{LaunchError, Launcher, port_taken};
use crate::node_record::{Life, NodeRecord};
use nix::sys::signal::Signal;
use restart::Restarts;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};
use tim_catalogue::{Report, command_line};
use tim_crds::TimCluster;
use tim_plan::names;

/// After so many ends in a row a node counts as not starting.
pub const ENDS_IN_A_ROW_MAX: u32 = 3;

/// A node as the runner keeps it.
#[derive(Debug)]
pub struct Managed {
    /// Its name.
    pub name: String,
    /// Its ordinal.
    pub ordinal: u32,
    /// What is remembered of it.
    pub record: NodeRecord,
    child: Option<Child>,
    restarts: Restarts,
    kill_at: Option<Instant>,
    trouble: Option<Report>,
}

impl Managed {
    /// Its present life.
    pub fn life(&self) -> Option<&Life> {
        self.record.life.as_ref()
    }

    /// Whether it was told to stop.
    pub fn is_terminating(&self) -> bool {
        self.kill_at.is_some()
    }

    /// Why it does not run, if it keeps ending or cannot be started.
    pub fn trouble(&self) -> Option<&Report> {
        self.trouble.as_ref()
    }

    /// Whether it keeps ending.
    pub fn is_failing(&self) -> bool {
        self.restarts.ends_in_a_row() >= ENDS_IN_A_ROW_MAX
    }
}

/// Keeps the processes of one cluster running.
#[derive(Debug)]
pub struct Runner {
    cluster: String,
    directory: ClusterDirectory,
    launcher: Launcher,
    nodes: BTreeMap<u32, Managed>,
}

impl Runner {
    /// Takes over what an earlier supervisor left running.
    ///
    /// # Errors
    /// The records cannot be read.
    pub fn adopt(cluster: &str, directory: ClusterDirectory, launcher: Launcher) -> Result<Self, FileError> {
        let mut nodes = BTreeMap::new();
        for name in known_nodes(&directory)? {
            let record = NodeRecord::load(&directory.node(&name))?;
            if let (Some(ordinal), Some(mut record)) = (names::ordinal(cluster, &name), record) {
                record.life = record.living().cloned();
                nodes.insert(ordinal, managed(name, ordinal, record));
            }
        }
        Ok(Self {
            cluster: cluster.to_owned(),
            directory,
            launcher,
            nodes,
        })
    }

    /// The nodes it knows, by ordinal; not all of them run.
    pub fn nodes(&self) -> impl Iterator<Item = &Managed> {
        self.nodes.values()
    }

    /// The node of that name.
    pub fn node(&self, name: &str) -> Option<&Managed> {
        self.nodes.get(&names::ordinal(&self.cluster, name)?)
    }

    /// Notices ends, starts what is missing, stops what is too much. `revision` is what new processes are started for.
    pub fn tick(
        &mut self,
        cluster: &TimCluster,
        replicas: u32,
        revision: &str,
        grace: Duration,
    ) -> Vec<Event> {
        let events = self.collect_ended(replicas);
        for ordinal in 0..replicas {
            if let Err(error) = self.start_if_due(cluster, ordinal, replicas, revision) {
                self.note_launch_failure(ordinal, error);
            }
        }
        let surplus: Vec<u32> = self
            .nodes
            .range(replicas..)
            .map(|(ordinal, _)| *ordinal)
            .collect();
        for ordinal in surplus {
            self.terminate_ordinal(ordinal, grace);
        }
        self.kill_overdue();
        events
    }

    /// Tells the node of that life to stop. Says whether there was one.
    pub fn terminate(&mut self, node: &str, uid: &str, grace: Duration) -> bool {
        let ordinal = names::ordinal(&self.cluster, node);
        let known = ordinal.and_then(|ordinal| self.nodes.get(&ordinal));
        let matches = known
            .and_then(Managed::life)
            .is_some_and(|life| life.uid() == uid);
        if let (true, Some(ordinal)) = (matches, ordinal) {
            self.terminate_ordinal(ordinal, grace);
        }
        matches
    }

    /// Kills the node of that life. Says whether there was one.
    pub fn kill(&mut self, node: &str, uid: &str) -> bool {
        self.node(node)
            .and_then(Managed::life)
            .is_some_and(|life| life.uid() == uid && life.process.signal(Signal::SIGKILL))
    }

    /// Tells all nodes to stop.
    pub fn terminate_all(&mut self, grace: Duration) -> usize {
        let ordinals: Vec<u32> = self.nodes.keys().copied().collect();
        ordinals
            .into_iter()
            .filter(|ordinal| self.terminate_ordinal(*ordinal, grace))
            .count()
    }

    /// Collects what has ended while all are being stopped; says how many still run.
    pub fn wind_down(&mut self) -> usize {
        self.collect_ended(0);
        self.kill_overdue();
        self.nodes
            .values()
            .filter(|node| node.record.life.is_some())
            .count()
    }

    /// Tells those that still run once more to stop.
    pub fn ask_again(&self) {
        for life in self.nodes.values().filter_map(Managed::life) {
            life.process.signal(Signal::SIGTERM);
        }
    }

    /// Kills all at once; says how many there were.
    pub fn kill_all(&mut self) -> usize {
        let lives = self.nodes.values().filter_map(Managed::life);
        lives.filter(|life| life.process.signal(Signal::SIGKILL)).count()
    }

    /// Files that new processes read after their own configuration.
    pub fn use_further_configuration(&mut self, files: Vec<PathBuf>) {
        self.launcher.use_further_configuration(files);
    }

    /// Why no configuration can be made of the spec, if it cannot.
    pub fn configuration_problem(&self, cluster: &TimCluster) -> Option<Report> {
        self.launcher.problem(cluster)
    }

    /// Forgets the volume of a node that does not run.
    ///
    /// # Errors
    /// The folder cannot be removed.
    pub fn delete_volume(&mut self, node: &str) -> Result<(), FileError> {
        let runs = self.node(node).and_then(Managed::life).is_some();
        if !runs {
            crate::file::remove_folder(&self.directory.node(node).volume())?;
        }
        Ok(())
    }

    /// Addresses under which nodes find each other.
    fn seeds(&self) -> Vec<String> {
        self.nodes
            .values()
            .map(|node| node.record.peer_address().to_string())
            .collect()
    }

    fn start_if_due(
        &mut self,
        cluster: &TimCluster,
        ordinal: u32,
        replicas: u32,
        revision: &str,
    ) -> Result<(), LaunchError> {
        // All nodes get their ports before the first starts, so that each knows where the others will be.
        for other in 0..replicas {
            self.ensure_record(cluster, other)?;
        }
        let seeds = self.seeds();
        let Some(node) = self.nodes.get_mut(&ordinal) else {
            return Ok(());
        };
        if node.record.life.is_some() || !node.restarts.is_due(Instant::now()) {
            return Ok(());
        }
        let (name, before) = (node.name.clone(), node.record.ports);
        let taken = self.taken_ports(ordinal);
        let (ports, notes) = self.launcher.ports(cluster, ordinal, Some(before), &taken)?;
        let Some(node) = self.nodes.get_mut(&ordinal) else {
            return Ok(());
        };
        if !notes.is_empty() || ports != before {
            node.record.port_notes = notes;
        }
        node.record.ports = ports;
        set_tls(&mut node.record, cluster);
        self.launcher.write_configuration(cluster, &name, ports, seeds)?;
        let (child, life) = self.launcher.start(&name, revision)?;
        node.record.life = Some(life);
        node.child = Some(child);
        node.kill_at = None;
        node.restarts.started(Instant::now());
        node.record.save(&self.directory.node(&name))?;
        tracing::info!(
            node = name,
            pid = node.record.life.as_ref().map(|life| life.process.pid),
            "node started"
        );
        Ok(())
    }

    fn ensure_record(&mut self, cluster: &TimCluster, ordinal: u32) -> Result<(), LaunchError> {
        if self.nodes.contains_key(&ordinal) {
            return Ok(());
        }
        let taken = self.taken_ports(ordinal);
        let (ports, notes) = self.launcher.ports(cluster, ordinal, None, &taken)?;
        let name = names::node(&self.cluster, ordinal);
        let record = NodeRecord {
            ports,
            client_tls: false,
            admin_tls: false,
            port_notes: notes,
            trouble: None,
            life: None,
        };
        record.save(&self.directory.node(&name))?;
        self.nodes.insert(ordinal, managed(name, ordinal, record));
        Ok(())
    }

    fn taken_ports(&self, but: u32) -> BTreeSet<u16> {
        let others = self.nodes.iter().filter(|(ordinal, _)| **ordinal != but);
        others
            .flat_map(|(_, node)| {
                let ports = node.record.ports;
                [ports.client, ports.admin, ports.peer]
            })
            .collect()
    }

    fn note_launch_failure(&mut self, ordinal: u32, error: LaunchError) {
        let report = match error {
            LaunchError::Refused(report) => report,
            LaunchError::File(error) => Report::new(&command_line::NODE_DOES_NOT_START, error.to_string()),
        };
        if let Some(node) = self.nodes.get_mut(&ordinal) {
            node.restarts.ended(Instant::now());
            set_trouble(&self.directory, node, Some(report));
        }
    }

    /// Notices what has ended; ordinals below `replicas` are started again.
    fn collect_ended(&mut self, replicas: u32) -> Vec<Event> {
        let mut events = Vec::new();
        for node in self.nodes.values_mut() {
            let Some(ending) = ending::of(node.child.as_mut(), node.record.life.as_ref()) else {
                continue;
            };
            let asked = node.kill_at.take().is_some();
            node.record.life = None;
            node.child = None;
            if asked {
                node.restarts.reset();
                set_trouble(&self.directory, node, None);
                events.push(Event::Stopped {
                    node: node.name.clone(),
                    again: node.ordinal < replicas,
                });
                continue;
            }
            node.restarts.ended(Instant::now());
            if node.is_failing() {
                let log = self.directory.node_log(&node.name);
                let observed = format!(
                    "{} ends again and again ({ending}); see {}",
                    node.name,
                    log.display()
                );
                let report = Report::new(&command_line::NODE_DOES_NOT_START, observed);
                set_trouble(&self.directory, node, Some(report));
            } else {
                set_trouble(&self.directory, node, None);
            }
            events.push(Event::Ended {
                node: node.name.clone(),
                how: ending.to_string(),
            });
        }
        events
    }

    /// Clears what was said of a node that runs well again.
    pub fn note_serving(&mut self, name: &str) {
        let ordinal = names::ordinal(&self.cluster, name);
        if let Some(node) = ordinal.and_then(|ordinal| self.nodes.get_mut(&ordinal))
            && node.trouble.is_some()
        {
            set_trouble(&self.directory, node, None);
        }
    }

    fn terminate_ordinal(&mut self, ordinal: u32, grace: Duration) -> bool {
        let Some(node) = self.nodes.get_mut(&ordinal) else {
            return false;
        };
        let Some(life) = node.record.life.as_ref() else {
            return false;
        };
        if node.kill_at.is_none() {
            life.process.signal(Signal::SIGTERM);
            node.kill_at = Some(Instant::now() + grace);
        }
        true
    }

    fn kill_overdue(&mut self) {
        let now = Instant::now();
        for node in self.nodes.values() {
            if let (Some(kill_at), Some(life)) = (node.kill_at, node.record.life.as_ref())
                && now >= kill_at
            {
                life.process.signal(Signal::SIGKILL);
            }
        }
    }

    /// Refuses a `--port` that somebody else has, before anything is touched.
    ///
    /// # Errors
    /// The port is taken by a process that is not the first node.
    pub fn check_port(&self, port: Option<u16>) -> Result<(), Report> {
        let Some(port) = port.filter(|port| !crate::port::is_free(*port)) else {
            return Ok(());
        };
        let own = self
            .nodes
            .get(&0)
            .is_some_and(|node| node.record.ports.client == port && node.life().is_some());
        if own { Ok(()) } else { Err(port_taken(port)) }
    }
}

fn managed(name: String, ordinal: u32, record: NodeRecord) -> Managed {
    Managed {
        name,
        ordinal,
        record,
        child: None,
        restarts: Restarts::default(),
        kill_at: None,
        trouble: None,
    }
}

/// Notes trouble, or that there is none, where `tim status` finds it too.
fn set_trouble(directory: &ClusterDirectory, node: &mut Managed, trouble: Option<Report>) {
    node.record.trouble = trouble
        .as_ref()
        .map(|report| (report.cause().code.to_owned(), report.observed().to_owned()));
    node.trouble = trouble;
    // A record that cannot be written now is written at the next start; lives that are over are known to be anyway.
    if let Err(error) = node.record.save(&directory.node(&node.name)) {
        tracing::warn!(node = node.name, %error, "the record of a node could not be written");
    }
}

fn set_tls(record: &mut NodeRecord, cluster: &TimCluster) {
    use tim_crds::cluster::ListenerName;
    record.client_tls = cluster.spec.listener(ListenerName::Client).tls;
    record.admin_tls = cluster.spec.listener(ListenerName::Admin).tls;
}

/// Names of all nodes that have a folder.
///
/// # Errors
/// The folder cannot be read.
pub fn known_nodes(directory: &ClusterDirectory) -> Result<Vec<String>, FileError> {
    let folder = directory.nodes();
    match std::fs::read_dir(&folder) {
        Ok(entries) => Ok(entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(FileError::at(&folder)(error)),
    }
}

#[cfg(test)]
mod tests;
