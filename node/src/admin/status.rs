//! What the node is doing, as one structure: printed as JSON on `/status`, given to the operator as gRPC.

use crate::board::{Board, Effect};
use crate::node::Node;
use serde::Serialize;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tim_cluster::membership::MemberState;
use tim_core::repartition::{Ending, Phase};
use tim_core::{control, drain};

/// Version of this structure: raised when a field changes its meaning or goes; fields are added without.
pub(crate) const SCHEMA_VERSION: u32 = 1;

/// The body of `/status`.
#[derive(Debug, Clone, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    /// See [`SCHEMA_VERSION`].
    pub(crate) schema_version: u32,
    /// Name of the node.
    pub(crate) node: String,
    /// The cluster.
    pub(crate) cluster_id: String,
    /// Version of the software.
    pub(crate) version: String,
    /// `joining`, `serving`, `draining`, `left`.
    pub(crate) state: &'static str,
    /// Takes clients.
    pub(crate) ready: bool,
    /// What is wrong just now.
    pub(crate) causes: Vec<Cause>,
    /// Number of this life of the node.
    pub(crate) boot_generation: u64,
    /// Failure zone.
    pub(crate) zone: String,
    /// Seconds since the start.
    pub(crate) uptime_seconds: u64,
    /// Resident memory in bytes; 0 where the system does not tell.
    pub(crate) resident_bytes: u64,
    /// SHA-256 of the effective configuration, hexadecimal.
    pub(crate) config_hash: String,
    /// Logged-in sessions.
    pub(crate) sessions: u64,
    /// Connections, logged in or not.
    pub(crate) connections: u64,
    /// Messages answered as stored, per second, over the last ten seconds.
    pub(crate) messages_per_second: f64,
    /// What 99 of 100 of them took at most, in milliseconds; null if there were none.
    pub(crate) ack_p99_milliseconds: Option<f64>,
    /// Conversations whose home this node is and which are loaded.
    pub(crate) homes: u64,
    /// Where it listens.
    pub(crate) addresses: Addresses,
    /// The other nodes as this one sees them.
    pub(crate) view: View,
    /// Which database holds which slots.
    pub(crate) partitions: Partitions,
    /// The group that agrees on the map.
    pub(crate) control: Control,
    /// The databases.
    pub(crate) databases: Vec<Database>,
    /// The node's certificates.
    pub(crate) certificates: Vec<Certificate>,
    /// How a drain stands, if there is one.
    pub(crate) drain: Option<Drain>,
    /// The repartition under way, if there is one.
    pub(crate) repartition: Option<Repartition>,
}

/// A cause and what was observed.
#[derive(Debug, Clone, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cause {
    /// `TIM-…`
    pub(crate) code: String,
    /// Where.
    pub(crate) place: String,
    /// What was observed and what to do.
    pub(crate) message: String,
    /// What was observed, alone: who is told through the control API adds code and remedy itself.
    #[serde(skip)]
    pub(crate) observed: String,
    /// Keeps clients away.
    pub(crate) blocks_readiness: bool,
}

/// Listening sockets.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub(crate) struct Addresses {
    pub(crate) client: String,
    pub(crate) admin: String,
    pub(crate) peer: String,
}

/// The set of serving nodes, and everybody alive.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub(crate) struct View {
    pub(crate) hash: String,
    pub(crate) members: Vec<Member>,
}

/// A live node.
#[derive(Debug, Clone, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) zone: String,
    pub(crate) state: &'static str,
    pub(crate) boot_generation: u64,
    pub(crate) peer_address: String,
}

/// The partition map.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub(crate) struct Partitions {
    pub(crate) version: u64,
    pub(crate) ranges: Vec<Range>,
}

/// A range; it ends where the next one begins.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub(crate) struct Range {
    pub(crate) from: u32,
    pub(crate) database: String,
    pub(crate) epoch: u64,
}

/// The control group.
#[derive(Debug, Clone, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Control {
    pub(crate) raft_id: String,
    pub(crate) leader: Option<String>,
    pub(crate) leader_raft_id: u64,
    pub(crate) is_leader: bool,
    pub(crate) is_voter: bool,
    pub(crate) term: u64,
    pub(crate) applied_index: u64,
    /// Last entry of the log on this node, applied or not.
    pub(crate) last_log_index: u64,
    pub(crate) voters: Vec<String>,
    pub(crate) learners: Vec<String>,
    #[serde(skip)]
    pub(crate) raft_id_number: u64,
}

/// A database.
#[derive(Debug, Clone, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) reachable: bool,
    pub(crate) cause: Option<Cause>,
    pub(crate) ranges_from: Vec<u32>,
    /// Bytes it takes, asked once a minute; null where it did not say.
    pub(crate) size_bytes: Option<u64>,
    /// What 99 of 100 of this node's group commits of the last ten seconds took at most; null if there were none.
    pub(crate) commit_p99_milliseconds: Option<f64>,
    /// Number of its schema.
    pub(crate) schema: Option<u64>,
    /// Messages it held when this node opened it; null where counting would take long.
    pub(crate) messages: Option<u64>,
}

/// A certificate.
#[derive(Debug, Clone, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Certificate {
    pub(crate) purpose: String,
    pub(crate) not_after_unix_seconds: i64,
    pub(crate) subject_uri: String,
}

/// A drain.
#[derive(Debug, Clone, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Drain {
    pub(crate) drain_id: String,
    pub(crate) phase: &'static str,
    pub(crate) sessions_remaining: u64,
    pub(crate) homes_remaining: u64,
    pub(crate) control_leadership_handed_over: bool,
    pub(crate) control_membership_left: bool,
    pub(crate) done: bool,
    pub(crate) deadline_unix_ms: i64,
}

/// A repartition.
#[derive(Debug, Clone, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Repartition {
    pub(crate) operation_id: String,
    pub(crate) phase: &'static str,
    pub(crate) from: u32,
    pub(crate) until: u32,
    pub(crate) source_database: String,
    pub(crate) target_database: String,
    pub(crate) rows_copied: u64,
    pub(crate) changes_pending: u64,
    pub(crate) mismatches: u32,
    pub(crate) write_pause_ms: u64,
    pub(crate) waits_for: Option<String>,
    pub(crate) coordinator: Option<String>,
    pub(crate) term: u64,
    pub(crate) cancelling: bool,
}

/// A member's state in a word.
pub(crate) fn state_word(state: MemberState) -> &'static str {
    match state {
        MemberState::Joining => "joining",
        MemberState::Serving => "serving",
        MemberState::Draining => "draining",
    }
}

/// A phase in a word, and its number for the metric.
pub(crate) fn phase_word(phase: &Phase) -> (&'static str, u64) {
    match phase {
        Phase::Preparing | Phase::Marking => ("preparing", 1),
        Phase::Copying => ("copying", 2),
        Phase::CatchingUp => ("catchingUp", 3),
        Phase::Verifying => ("verifying", 4),
        Phase::CuttingOver | Phase::Publishing => ("cuttingOver", 5),
        Phase::Cleaning => ("cleaning", 6),
        Phase::Completed => ("succeeded", 7),
        Phase::Undoing(_) => ("cancelling", 8),
        Phase::Ended(Ending::Canceled) => ("cancelled", 9),
        Phase::Ended(Ending::Failed(_)) => ("failed", 10),
    }
}

fn drain_word(phase: drain::Phase) -> &'static str {
    match phase {
        drain::Phase::Serving => "serving",
        drain::Phase::LeavingView => "leavingView",
        drain::Phase::HandingOver => "handingOver",
        drain::Phase::ClosingSessions => "closingSessions",
        drain::Phase::Drained => "drained",
    }
}

/// Resident memory of this process.
pub(crate) fn resident_bytes() -> u64 {
    // Second field of statm: resident pages.
    const PAGE_BYTES: u64 = 4_096;
    std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split_whitespace().nth(1)?.parse::<u64>().ok())
        .map_or(0, |pages| pages * PAGE_BYTES)
}

/// What is up on the board.
pub(crate) fn causes(board: &Board) -> Vec<Cause> {
    let without_parts = board.is_without_parts();
    board
        .reports()
        .into_iter()
        .map(|(place, effect, report)| Cause {
            code: report.cause().code.to_owned(),
            place: place.to_string(),
            message: report.to_string(),
            observed: report.observed().to_owned(),
            blocks_readiness: effect == Effect::NotReady || (effect == Effect::Partial && without_parts),
        })
        .collect()
}

impl Status {
    /// The node as it is now.
    pub(crate) fn of(node: &Node) -> Self {
        let members = node.members.borrow().clone();
        let own = members.get(&node.name);
        let recent = node.metrics.recent.figures(Instant::now());
        Self {
            schema_version: SCHEMA_VERSION,
            node: node.name.as_str().to_owned(),
            cluster_id: node.config.node.cluster_id.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            state: if node.drain.progress().is_done() {
                "left"
            } else {
                state_word(node.state())
            },
            ready: node.board.is_ready(),
            causes: causes(&node.board),
            boot_generation: own.map_or(0, |own| own.generation.0),
            zone: node.config.node.zone.clone(),
            uptime_seconds: node.started.elapsed().as_secs(),
            resident_bytes: resident_bytes(),
            config_hash: node.config_hash.clone(),
            sessions: node.sessions.count() as u64,
            connections: node.admission.taken() as u64,
            messages_per_second: recent.per_second,
            ack_p99_milliseconds: recent.p99_milliseconds,
            homes: node.engine.figures.homes.load(Ordering::Relaxed),
            addresses: Addresses {
                client: node.addresses.client.to_string(),
                admin: node.addresses.admin.to_string(),
                peer: node.addresses.peer.to_string(),
            },
            view: View {
                hash: format!("{:016x}", members.view().hash().0),
                members: members
                    .nodes()
                    .iter()
                    .map(|(name, member)| Member {
                        name: name.as_str().to_owned(),
                        zone: member.zone.clone(),
                        state: state_word(member.state),
                        boot_generation: member.generation.0,
                        peer_address: member.address.to_string(),
                    })
                    .collect(),
            },
            partitions: partitions(node),
            control: control_status(node),
            databases: databases(node),
            certificates: certificates(node),
            drain: drain_status(node),
            repartition: running(node),
        }
    }
}

fn partitions(node: &Node) -> Partitions {
    let map = node.databases.map();
    Partitions {
        version: map.version(),
        ranges: map
            .ranges()
            .iter()
            .map(|range| Range {
                from: range.from.0,
                database: range.database.as_str().to_owned(),
                epoch: range.epoch.0,
            })
            .collect(),
    }
}

fn control_status(node: &Node) -> Control {
    let status = node.control.status();
    let status = status.borrow();
    let names = |names: &[tim_core::id::NodeName]| names.iter().map(ToString::to_string).collect();
    Control {
        raft_id: status.raft_id.to_string(),
        raft_id_number: status.raft_id,
        leader: status.leader.as_ref().map(|(_, name)| name.as_str().to_owned()),
        leader_raft_id: status.leader.as_ref().map_or(0, |(id, _)| *id),
        is_leader: status.is_leader,
        is_voter: status.is_voter,
        term: status.term.0,
        applied_index: status.applied_index,
        last_log_index: status.last_log_index,
        voters: names(&status.voters),
        learners: names(&status.learners),
    }
}

fn databases(node: &Node) -> Vec<Database> {
    let map = node.databases.map();
    let opened = node.databases.opened();
    let is_open = |name: &tim_core::id::DatabaseName| opened.borrow().contains(name);
    let shown = causes(&node.board);
    let reports = node.board.reports();
    let now = Instant::now();
    node.databases
        .declared()
        .into_iter()
        .map(|name| {
            let place = crate::board::Place::Database(name.as_str().to_owned());
            let words = place.to_string();
            let cause = shown.iter().find(|cause| cause.place == words).cloned();
            let trouble = reports.iter().find(|(where_, ..)| *where_ == place);
            let answers = trouble.is_none_or(|(_, effect, _)| *effect == Effect::Told);
            let opened = node.databases.store().database(&name).ok();
            let figures = node.databases.figures(&name);
            Database {
                kind: opened
                    .as_ref()
                    .map_or_else(String::new, |database| database.engine().system_name().to_owned()),
                reachable: is_open(&name) && answers,
                cause,
                ranges_from: map.ranges_of(&name).map(|range| range.from.0).collect(),
                size_bytes: figures.size_bytes,
                commit_p99_milliseconds: node.metrics.commits(&name, now).p99_milliseconds,
                schema: figures.schema,
                messages: figures.messages,
                name: name.as_str().to_owned(),
            }
        })
        .collect()
}

fn certificates(node: &Node) -> Vec<Certificate> {
    let status = node.trust.status();
    let mut purposes = vec!["peer"];
    if node.config.listeners.client.tls {
        purposes.push("client");
    }
    if node.config.listeners.admin.tls {
        purposes.push("admin");
    }
    purposes
        .into_iter()
        .map(|purpose| Certificate {
            purpose: purpose.to_owned(),
            not_after_unix_seconds: status.not_after,
            subject_uri: status.identity.to_string(),
        })
        .collect()
}

fn drain_status(node: &Node) -> Option<Drain> {
    let progress = node.drain.progress();
    if !progress.is_active() {
        return None;
    }
    Some(Drain {
        drain_id: progress.drain_id.clone(),
        phase: drain_word(progress.phase?),
        sessions_remaining: progress.sessions_remaining as u64,
        homes_remaining: progress.homes_remaining,
        control_leadership_handed_over: progress.leadership_handed_over,
        control_membership_left: progress.membership_left,
        done: progress.is_done(),
        deadline_unix_ms: progress.deadline_ms,
    })
}

fn running(node: &Node) -> Option<Repartition> {
    let view = node.control.view();
    let view = view.borrow();
    view.state.running().map(|held| repartition(node, held))
}

/// A repartition with what this node knows of it.
pub(crate) fn repartition(node: &Node, held: &control::Repartition) -> Repartition {
    let progress = &held.progress;
    let figures = node.repartition.of(&progress.plan.operation);
    let status = node.control.status();
    let status = status.borrow();
    let failed = match &progress.phase {
        Phase::Undoing(Ending::Failed(reason)) | Phase::Ended(Ending::Failed(reason)) => Some(reason.clone()),
        _ => None,
    };
    Repartition {
        operation_id: progress.plan.operation.0.clone(),
        phase: phase_word(&progress.phase).0,
        from: progress.plan.from.0,
        until: progress.plan.until.0,
        source_database: progress.plan.source.as_str().to_owned(),
        target_database: progress.plan.target.as_str().to_owned(),
        rows_copied: progress.rows_copied,
        changes_pending: figures.as_ref().map_or(0, |figures| figures.changes_pending),
        mismatches: progress.mismatches,
        write_pause_ms: figures.as_ref().map_or(0, |figures| figures.write_pause_ms),
        waits_for: failed.or_else(|| figures.and_then(|figures| figures.waits_for)),
        coordinator: status.leader.as_ref().map(|(_, name)| name.as_str().to_owned()),
        term: held.term.0,
        cancelling: held.cancel,
    }
}
