//! Starting one node: its ports, its files, its process.

use crate::directory::ClusterDirectory;
use crate::file::{FileError, Readers, create_folder, write_if_changed};
use crate::node_record::{Life, Ports};
use crate::port;
use crate::process::{ProcessId, start_detached};
use crate::trust::TrustFiles;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Child;
use tim_catalogue::{Report, command_line};
use tim_crds::TimCluster;
use tim_crds::cluster::ListenerName;
use tim_plan::node_config::{NodePlace, Surroundings, render};

/// A log larger than this is put aside when its node starts.
const LOG_BYTES_MAX: u64 = 16 << 20;

/// A node could not be started. Nothing runs; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// A file or the program.
    #[error(transparent)]
    File(#[from] FileError),
    /// The configuration, or a port.
    #[error("{0}")]
    Refused(Report),
}

/// What starting nodes needs to know of the cluster.
#[derive(Debug, Clone)]
pub struct Launcher {
    directory: ClusterDirectory,
    trust: TrustFiles,
    program: PathBuf,
    first_client_port: Option<u16>,
    further_configuration: Vec<PathBuf>,
}

/// Ports that a node got instead of those it should have, and why.
pub type PortNotes = Vec<String>;

impl Launcher {
    /// `first_client_port` is what `--port` insists on for the first node.
    pub fn new(
        directory: ClusterDirectory,
        trust: TrustFiles,
        program: PathBuf,
        first_client_port: Option<u16>,
    ) -> Self {
        Self {
            directory,
            trust,
            program,
            first_client_port,
            further_configuration: Vec::new(),
        }
    }

    /// Files that new processes read after their own configuration.
    pub fn use_further_configuration(&mut self, files: Vec<PathBuf>) {
        self.further_configuration = files;
    }

    /// The program that nodes run.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Ports for the node of that ordinal: those it had if they are free, else those of the spec for the first node, else
    /// any free ones. `taken` are ports of other nodes.
    ///
    /// # Errors
    /// The port of `--port` is taken, or no port is free.
    pub fn ports(
        &self,
        cluster: &TimCluster,
        ordinal: u32,
        before: Option<Ports>,
        taken: &BTreeSet<u16>,
    ) -> Result<(Ports, PortNotes), LaunchError> {
        let mut notes = Vec::new();
        let mut avoid = taken.clone();
        let first = ordinal == 0;
        let insisted = self.first_client_port.filter(|_| first);
        if let Some(port) = insisted
            && !port::is_free(port)
        {
            return Err(LaunchError::Refused(port_taken(port)));
        }
        let wanted = |name| first.then(|| cluster.spec.listener(name).port);
        let client = match insisted {
            Some(port) => port,
            None => pick(
                before.map(|ports| ports.client),
                wanted(ListenerName::Client),
                &mut avoid,
                &mut notes,
            )?,
        };
        avoid.insert(client);
        let admin = pick(
            before.map(|ports| ports.admin),
            wanted(ListenerName::Admin),
            &mut avoid,
            &mut notes,
        )?;
        let peer = pick(before.map(|ports| ports.peer), None, &mut avoid, &mut Vec::new())?;
        if !notes.is_empty() && first {
            notes.push("--port insists".into());
        }
        Ok((Ports { client, admin, peer }, notes))
    }

    /// Writes the node's configuration.
    ///
    /// # Errors
    /// The spec has a mistake that only shows here, or a file cannot be written.
    pub fn write_configuration(
        &self,
        cluster: &TimCluster,
        node: &str,
        ports: Ports,
        seeds: Vec<String>,
    ) -> Result<(), LaunchError> {
        let folder = self.directory.node(node);
        create_folder(&folder.volume())?;
        let surroundings = Surroundings {
            client: port::loopback(ports.client),
            admin: port::loopback(ports.admin),
            peer: port::loopback(ports.peer),
            seeds,
            data_directory: folder.volume(),
            keyring_file: self.trust.key_ring(),
            storage_key_file: self.trust.storage_key(),
            tls_directory: self.trust.node_directory(),
            dsn_directory: self.directory.dsn(),
            node: Some(NodePlace {
                name: node.to_owned(),
                advertise_host: "127.0.0.1".into(),
            }),
        };
        let text = render(&for_this_machine(cluster), &surroundings).map_err(LaunchError::Refused)?;
        write_if_changed(&folder.config(), text.as_bytes(), Readers::Everyone)?;
        Ok(())
    }

    /// Starts the node's process; its configuration has been written.
    ///
    /// # Errors
    /// The program or the log cannot be opened.
    pub fn start(&self, node: &str, revision: &str) -> Result<(Child, Life), LaunchError> {
        let log = self.directory.node_log(node);
        create_folder(&self.directory.logs())?;
        put_aside(&log)?;
        let configuration = self.directory.node(node).config();
        let files = std::iter::once(&configuration).chain(&self.further_configuration);
        let files = files.flat_map(|file| ["--config".to_owned(), file.display().to_string()]);
        let arguments: Vec<String> = std::iter::once("run".to_owned()).chain(files).collect();
        let child = start_detached(&self.program, &arguments, &log)?;
        // A process that is gone already has no start time any more; its end is noticed through the child.
        let process = ProcessId::of(child.id()).unwrap_or(ProcessId {
            pid: child.id(),
            start_ticks: 0,
        });
        Ok((
            child,
            Life {
                process,
                revision: revision.to_owned(),
                started: Timestamp::now(),
            },
        ))
    }

    /// Why no configuration can be made of the spec, if it cannot.
    pub fn problem(&self, cluster: &TimCluster) -> Option<Report> {
        let nowhere = port::loopback(0);
        let surroundings = Surroundings {
            client: nowhere,
            admin: nowhere,
            peer: nowhere,
            seeds: Vec::new(),
            data_directory: PathBuf::new(),
            keyring_file: PathBuf::new(),
            storage_key_file: PathBuf::new(),
            tls_directory: PathBuf::new(),
            dsn_directory: PathBuf::new(),
            node: None,
        };
        render(&for_this_machine(cluster), &surroundings).err()
    }
}

/// Names the program in its present form: a rebuilt one is another image.
pub fn program_identity(program: &Path) -> String {
    let written = std::fs::metadata(program).ok().and_then(|metadata| {
        let since = metadata
            .modified()
            .ok()?
            .duration_since(std::time::UNIX_EPOCH)
            .ok()?;
        Some(format!("{}-{}", since.as_millis(), metadata.len()))
    });
    format!("{}@{}", program.display(), written.unwrap_or_default())
}

/// What the same spec means on one machine: no load balancer has to notice that a node leaves, and people read the logs.
fn for_this_machine(cluster: &TimCluster) -> TimCluster {
    let mut cluster = cluster.clone();
    cluster.spec.drain.settle_seconds = 0;
    let telemetry = cluster
        .spec
        .config
        .inline
        .entry("telemetry")
        .or_insert_with(|| serde_json::json!({}));
    if let Some(telemetry) = telemetry.as_object_mut() {
        telemetry
            .entry("log_json")
            .or_insert(serde_json::Value::Bool(false));
    }
    cluster
}

fn pick(
    before: Option<u16>,
    wanted: Option<u16>,
    avoid: &mut BTreeSet<u16>,
    notes: &mut PortNotes,
) -> Result<u16, LaunchError> {
    if let Some(port) = before.filter(|port| !avoid.contains(port) && port::is_free(*port)) {
        avoid.insert(port);
        return Ok(port);
    }
    let mut instead_of = None;
    if let Some(port) = wanted.filter(|port| !avoid.contains(port)) {
        if port::is_free(port) {
            avoid.insert(port);
            return Ok(port);
        }
        instead_of = Some(port);
    }
    let Some(chosen) = port::choose(avoid) else {
        let report = Report::new(
            &command_line::PORT_TAKEN,
            "no port between 20000 and 31999 is free",
        );
        return Err(LaunchError::Refused(report));
    };
    if let Some(port) = instead_of {
        notes.push(format!("{}: took {chosen}", used_by(port)));
    }
    Ok(chosen)
}

fn used_by(port: u16) -> String {
    match port::owner(port) {
        Some(owner) => format!("{port} is used by process {} ({})", owner.pid, owner.name),
        None => format!("{port} is used by another process"),
    }
}

/// What `--port` with a taken port is answered.
pub fn port_taken(port: u16) -> Report {
    Report::new(&command_line::PORT_TAKEN, format!("port {}", used_by(port))).with_remedy(format!(
        "tim up --port {}, or leave --port out to take a free one",
        port.saturating_add(1)
    ))
}

fn put_aside(log: &Path) -> Result<(), LaunchError> {
    if std::fs::metadata(log).is_ok_and(|metadata| metadata.len() > LOG_BYTES_MAX) {
        std::fs::rename(log, log.with_extension("log.1")).map_err(FileError::at(log))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
