//! The status as a document for programs. Fields are only added within a version of the schema.

use super::observation::{NodeObservation, Observation};
use super::room;
use super::verdict::{self, Judgement};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use tim_proto::control::v1::{NodeState, StatusReply};

/// Version of the form; rises only when something is taken away or changes its meaning.
pub const SCHEMA_VERSION: u32 = 1;
const SLOT_COUNT: u32 = tim_crds::SLOT_COUNT;

/// A cluster at one moment.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusDocument {
    /// Version of this form.
    pub schema_version: u32,
    /// Name of the cluster.
    pub cluster: String,
    /// Its identity in databases and certificates.
    pub cluster_id: String,
    /// What was asked, in words.
    pub target: String,
    /// Whether all is well.
    pub verdict: Verdict,
    /// Why the verdict is what it is.
    pub reason: String,
    /// What it means for users.
    pub meaning: String,
    /// A code for `tim explain`, if there is a cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// When this was observed, RFC 3339.
    pub observed_at: String,
    /// Nodes wanted.
    pub replicas: u32,
    /// Nodes that serve.
    pub serving: u32,
    /// Highest epoch of the partition map; 0 before there is one.
    pub epoch: u64,
    /// The partition map.
    pub partitions: Vec<PartitionRow>,
    /// The nodes.
    pub nodes: Vec<NodeRow>,
    /// Whether one node may be lost without losing service or the ability to change the map.
    pub room_to_lose_a_node: bool,
    /// What is missing where there is no such room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_room_because: Option<String>,
    /// The first certificate to end, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificates_not_after: Option<String>,
    /// Repartitions that have not ended.
    pub repartitions: Vec<RepartitionRow>,
    /// Conditions of the object.
    pub conditions: Vec<ConditionRow>,
}

/// Whether all is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// All is as the spec wants it.
    Healthy,
    /// On the way there, nothing is wrong.
    Progressing,
    /// Chat goes on, something is wrong.
    Degraded,
    /// Nobody can chat.
    Unavailable,
    /// Stopped on purpose.
    Paused,
    /// Nothing answers, so nothing is known.
    Unknown,
}

impl Verdict {
    /// The word people read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Healthy => "HEALTHY",
            Self::Progressing => "PROGRESSING",
            Self::Degraded => "DEGRADED",
            Self::Unavailable => "UNAVAILABLE",
            Self::Paused => "PAUSED",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// A range of slots.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PartitionRow {
    /// First slot.
    pub from: u32,
    /// Last slot.
    pub to: u32,
    /// Database that holds it.
    pub database: String,
    /// What kind of database that is.
    pub kind: String,
    /// `ok`, or `unreachable` as the nodes see it.
    pub state: String,
    /// Bytes of the whole database, as of a minute ago at most; null if no node knows.
    pub size_bytes: Option<u64>,
    /// What 99 of 100 group commits of the last ten seconds took, in milliseconds, at the slowest node.
    pub commit_p99_milliseconds: Option<f64>,
    /// Number of the range's last change.
    pub epoch: u64,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeRow {
    /// Its name.
    pub name: String,
    /// Its process, on a laptop.
    pub pid: Option<u32>,
    /// `serving`, `joining`, `draining`, `left`, `silent` (there, but no answer), `stopped`.
    pub state: String,
    /// Clients connected.
    pub sessions: Option<u64>,
    /// Messages stored for its clients, per second over the last ten seconds.
    pub messages_per_second: Option<f64>,
    /// What 99 of 100 of them took at most until the answer, in milliseconds; null if there were none.
    pub ack_p99_milliseconds: Option<f64>,
    /// Entries of the control group's log that any node knows and this one has not applied; null in no group.
    pub lag: Option<u64>,
    /// Where clients connect.
    pub client_url: Option<String>,
    /// Where administrators look.
    pub admin_url: Option<String>,
    /// Its failure zone.
    pub zone: Option<String>,
    /// Version of its program.
    pub version: Option<String>,
    /// Memory, in bytes.
    pub resident_bytes: Option<u64>,
    /// How long it has been running, in seconds.
    pub uptime_seconds: Option<u64>,
    /// Whether it leads the control group.
    pub control_leader: bool,
    /// Anything worth knowing.
    pub note: String,
}

/// A repartition that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RepartitionRow {
    /// Its name.
    pub name: String,
    /// Its phase.
    pub phase: String,
    /// Percent of the copy; -1 unknown.
    pub percent: i32,
    /// What it waits for.
    pub reason: Option<String>,
}

/// A condition of the object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConditionRow {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// True, False or Unknown.
    pub status: String,
    /// One word why.
    pub reason: String,
    /// A sentence why.
    pub message: String,
}

impl StatusDocument {
    /// What an observation amounts to.
    pub fn of(observation: &Observation, now: Timestamp) -> Self {
        let Judgement {
            verdict,
            reason,
            meaning,
            code,
        } = verdict::judge(observation);
        let no_room = room::reason_against(observation);
        Self {
            schema_version: SCHEMA_VERSION,
            cluster: observation.cluster.clone(),
            cluster_id: observation.cluster_id.clone(),
            target: observation.target.clone(),
            verdict,
            reason,
            meaning,
            code,
            observed_at: now.to_string(),
            replicas: observation.replicas,
            serving: count(observation.serving().count()),
            epoch: observation.newest_map().map_or(0, |map| {
                map.ranges.iter().map(|range| range.epoch).max().unwrap_or(0)
            }),
            partitions: partitions(observation),
            nodes: observation
                .nodes
                .iter()
                .map(|node| NodeRow::of(node, observation.newest_log_index()))
                .collect(),
            room_to_lose_a_node: no_room.is_none(),
            no_room_because: no_room,
            certificates_not_after: certificates_not_after(observation),
            repartitions: observation.repartitions.iter().map(RepartitionRow::of).collect(),
            conditions: observation.conditions.iter().map(ConditionRow::of).collect(),
        }
    }
}

impl RepartitionRow {
    fn of(observed: &super::observation::RepartitionObservation) -> Self {
        Self {
            name: observed.name.clone(),
            phase: observed.phase.clone(),
            percent: observed.percent,
            reason: observed.reason.clone(),
        }
    }
}

impl ConditionRow {
    fn of(observed: &super::observation::ConditionObservation) -> Self {
        Self {
            kind: observed.kind.clone(),
            status: observed.status.clone(),
            reason: observed.reason.clone(),
            message: observed.message.clone(),
        }
    }
}

impl NodeRow {
    fn of(node: &NodeObservation, newest_log_index: u64) -> Self {
        let reply = node.reply.as_ref();
        Self {
            name: node.name.clone(),
            pid: node.pid,
            state: state_word(node).into(),
            sessions: reply.map(|reply| reply.n_sessions),
            messages_per_second: reply.map(|reply| reply.messages_per_second),
            ack_p99_milliseconds: reply.and_then(|reply| reply.ack_p99_milliseconds),
            lag: reply
                .and_then(|reply| reply.control_group.as_ref())
                .filter(|group| !group.voters.is_empty())
                .map(|group| newest_log_index.saturating_sub(group.applied_index)),
            client_url: node.client_url.clone(),
            admin_url: node.admin_url.clone(),
            zone: reply.map(|reply| reply.zone.clone()),
            version: reply.map(|reply| reply.version.clone()),
            resident_bytes: reply.map(|reply| reply.resident_bytes),
            uptime_seconds: reply.map(|reply| reply.uptime_seconds),
            control_leader: reply.is_some_and(is_leader),
            note: note(node),
        }
    }
}

fn state_word(node: &NodeObservation) -> &'static str {
    match &node.reply {
        Some(reply) => match reply.state() {
            NodeState::Serving => "serving",
            NodeState::Draining => "draining",
            NodeState::Left => "left",
            NodeState::Joining | NodeState::Unspecified => "joining",
        },
        None if node.present => "silent",
        None => "stopped",
    }
}

fn is_leader(reply: &StatusReply) -> bool {
    reply.control_group.as_ref().is_some_and(|group| group.leader)
}

fn note(node: &NodeObservation) -> String {
    let mut parts = Vec::new();
    match &node.reply {
        Some(reply) => {
            if is_leader(reply) {
                parts.push("control leader".to_owned());
            }
            if let Some(drain) = &reply.drain
                && reply.state() != NodeState::Serving
            {
                parts.push(format!("{} sessions left", drain.n_sessions_remaining));
            }
            // That it is starting is said last: the others say why that takes long.
            let (starting, others): (Vec<_>, Vec<_>) = reply
                .causes
                .iter()
                .partition(|cause| cause.code == tim_catalogue::node::STARTING.code);
            let causes = others.into_iter().chain(starting);
            parts.extend(causes.map(|cause| format!("{} {}", cause.code, cause.detail)));
        }
        None => {
            if let Some((code, sentence)) = &node.trouble {
                parts.push(format!("{code} {sentence}"));
            } else if node.present {
                parts.push("no answer in 2 s".to_owned());
            }
            if let Some(seconds) = node.silent_seconds {
                parts.push(format!("last heard {seconds} s ago"));
            }
        }
    }
    if !node.wanted {
        parts.push("not wanted any more".to_owned());
    }
    parts.join("; ")
}

fn partitions(observation: &Observation) -> Vec<PartitionRow> {
    let Some(map) = observation.newest_map() else {
        return Vec::new();
    };
    let mut ranges: Vec<_> = map.ranges.iter().collect();
    ranges.sort_by_key(|range| range.from);
    let ends = ranges.iter().skip(1).map(|range| range.from).chain([SLOT_COUNT]);
    ranges
        .iter()
        .zip(ends)
        .map(|(range, end)| PartitionRow {
            from: range.from,
            to: end.saturating_sub(1),
            database: range.database.clone(),
            kind: observation.kind_of(&range.database),
            state: if observation.is_unreachable(&range.database) {
                "unreachable"
            } else {
                "ok"
            }
            .into(),
            size_bytes: observation
                .told_of(&range.database)
                .filter_map(|told| told.size_bytes)
                .max(),
            commit_p99_milliseconds: observation
                .told_of(&range.database)
                .filter_map(|told| told.commit_p99_milliseconds)
                .max_by(f64::total_cmp),
            epoch: range.epoch,
        })
        .collect()
}

fn certificates_not_after(observation: &Observation) -> Option<String> {
    let first = observation
        .nodes
        .iter()
        .filter_map(|node| node.reply.as_ref())
        .flat_map(|reply| &reply.certificates)
        .map(|certificate| certificate.not_after_unix_seconds)
        .min()?;
    Timestamp::from_second(first).ok().map(|time| time.to_string())
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::verdict::tests::healthy;

    fn told(change: impl Fn(usize, &mut StatusReply)) -> StatusDocument {
        let mut observed = healthy();
        for (index, node) in observed.nodes.iter_mut().enumerate() {
            change(index, node.reply.as_mut().unwrap());
        }
        StatusDocument::of(&observed, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn of_what_the_nodes_say_of_a_database_the_largest_is_shown() {
        let status = told(|index, reply| {
            let database = &mut reply.databases[0];
            database.size_bytes = [Some(4_096), None, Some(8_192)][index];
            database.commit_p99_milliseconds = [None, Some(7.5), Some(2.5)][index];
        });
        let [first, second] = &status.partitions[..] else {
            panic!("{:?}", status.partitions)
        };
        assert_eq!(
            (first.size_bytes, first.commit_p99_milliseconds),
            (Some(8_192), Some(7.5))
        );
        assert_eq!((second.size_bytes, second.commit_p99_milliseconds), (None, None));
    }

    #[test]
    fn a_node_lags_behind_the_newest_entry_that_anybody_knows() {
        let status = told(|index, reply| {
            let group = reply.control_group.as_mut().unwrap();
            (group.applied_index, group.last_log_index) = [(5, 5), (9, 9), (0, 0)][index];
            if index == 2 {
                group.voters.clear();
            }
        });
        let lags: Vec<_> = status.nodes.iter().map(|node| node.lag).collect();
        assert_eq!(lags, [Some(4), Some(0), None]);
    }

    #[test]
    fn the_reason_against_room_is_told_only_without_room() {
        let status = told(|_, _| {});
        assert_eq!((status.room_to_lose_a_node, status.no_room_because), (true, None));
        let status = told(|_, reply| reply.control_group.as_mut().unwrap().voters.truncate(1));
        assert_eq!(status.no_room_because.as_deref(), Some("1 of 3 voters so far"));
    }
}
