//! A node's `/status` page, read through the API server: the same facts that the control API tells a supervisor.

use serde::Deserialize;
use tim_proto::control::v1 as control;

/// The fields that are used; nodes of other versions may have more or fewer.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct AdminStatus {
    node: String,
    cluster_id: String,
    version: String,
    state: String,
    causes: Vec<Cause>,
    zone: String,
    uptime_seconds: u64,
    resident_bytes: u64,
    sessions: u64,
    messages_per_second: f64,
    ack_p99_milliseconds: Option<f64>,
    view: View,
    partitions: Partitions,
    control: Control,
    databases: Vec<Database>,
    certificates: Vec<Certificate>,
    drain: Option<Drain>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Cause {
    code: String,
    message: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct View {
    members: Vec<Member>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Member {
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Partitions {
    version: u64,
    ranges: Vec<Range>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Range {
    from: u32,
    database: String,
    epoch: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Control {
    leader: Option<String>,
    leader_raft_id: u64,
    is_leader: bool,
    is_voter: bool,
    term: u64,
    applied_index: u64,
    last_log_index: u64,
    voters: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Database {
    name: String,
    kind: String,
    reachable: bool,
    cause: Option<Cause>,
    size_bytes: Option<u64>,
    commit_p99_milliseconds: Option<f64>,
    schema: Option<u64>,
    messages: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Certificate {
    purpose: String,
    not_after_unix_seconds: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Drain {
    sessions_remaining: u64,
    done: bool,
}

impl Cause {
    fn told(self) -> control::Cause {
        // The page repeats the code and adds what to try; both are shown otherwise here.
        let detail = self
            .message
            .strip_prefix(&self.code)
            .unwrap_or(&self.message)
            .trim_start_matches([':', ' ']);
        let detail = detail.split(". try: ").next().unwrap_or(detail).to_owned();
        control::Cause {
            code: self.code,
            detail,
        }
    }
}

impl AdminStatus {
    /// As the control API would say it.
    pub(super) fn reply(self) -> control::StatusReply {
        let state = match self.state.as_str() {
            "serving" => control::NodeState::Serving,
            "draining" => control::NodeState::Draining,
            "left" => control::NodeState::Left,
            _ => control::NodeState::Joining,
        };
        control::StatusReply {
            node: self.node,
            cluster_id: self.cluster_id,
            version: self.version,
            state: state.into(),
            causes: self.causes.into_iter().map(Cause::told).collect(),
            zone: self.zone,
            uptime_seconds: self.uptime_seconds,
            resident_bytes: self.resident_bytes,
            n_sessions: self.sessions,
            messages_per_second: self.messages_per_second,
            ack_p99_milliseconds: self.ack_p99_milliseconds,
            view: Some(control::View {
                members: self
                    .view
                    .members
                    .into_iter()
                    .map(|member| control::Member {
                        name: member.name,
                        ..control::Member::default()
                    })
                    .collect(),
                ..control::View::default()
            }),
            map: Some(self.partitions.map()),
            control_group: Some(control::ControlGroup {
                leader_node: self.control.leader.unwrap_or_default(),
                leader_raft_id: self.control.leader_raft_id,
                leader: self.control.is_leader,
                voter: self.control.is_voter,
                term: self.control.term,
                applied_index: self.control.applied_index,
                last_log_index: self.control.last_log_index,
                voters: self.control.voters,
                ..control::ControlGroup::default()
            }),
            databases: self.databases.into_iter().map(Database::told).collect(),
            certificates: self
                .certificates
                .into_iter()
                .map(|certificate| control::Certificate {
                    purpose: certificate.purpose,
                    not_after_unix_seconds: certificate.not_after_unix_seconds,
                    ..control::Certificate::default()
                })
                .collect(),
            drain: self.drain.map(|drain| control::DrainProgress {
                n_sessions_remaining: drain.sessions_remaining,
                done: drain.done,
                ..control::DrainProgress::default()
            }),
            ..control::StatusReply::default()
        }
    }
}

impl Partitions {
    fn map(self) -> control::PartitionMap {
        control::PartitionMap {
            version: self.version,
            ranges: self
                .ranges
                .into_iter()
                .map(|range| control::Range {
                    from: range.from,
                    database: range.database,
                    epoch: range.epoch,
                })
                .collect(),
        }
    }
}

impl Database {
    fn told(self) -> control::Database {
        control::Database {
            name: self.name,
            kind: self.kind,
            reachable: self.reachable,
            cause: self.cause.map(Cause::told),
            size_bytes: self.size_bytes,
            commit_p99_milliseconds: self.commit_p99_milliseconds,
            schema: self.schema,
            n_messages: self.messages,
            ..control::Database::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_becomes_what_the_control_api_says() {
        let page = serde_json::json!({
            "schemaVersion": 1, "node": "chat-0", "state": "draining", "sessions": 7, "newField": 1,
            "causes": [{"code": "TIM-N112", "message": "TIM-N112 asked to leave. try: nothing", "place": "drain"}],
            "partitions": {"version": 3, "ranges": [{"from": 0, "database": "d0", "epoch": 2}]},
            "control": {"raftId": "1", "isLeader": true, "leaderRaftId": 1, "voters": ["chat-0"],
                "appliedIndex": 7, "lastLogIndex": 9},
            "databases": [{"name": "d0", "sizeBytes": 4096, "commitP99Milliseconds": 3.5, "schema": 1}],
            "drain": {"sessionsRemaining": 7, "done": false}
        });
        let reply = serde_json::from_value::<AdminStatus>(page).unwrap().reply();
        assert_eq!(reply.state(), control::NodeState::Draining);
        assert_eq!(
            (reply.causes[0].code.as_str(), reply.causes[0].detail.as_str()),
            ("TIM-N112", "asked to leave")
        );
        assert_eq!(reply.map.unwrap().ranges[0].epoch, 2);
        let group = reply.control_group.unwrap();
        assert!(group.leader);
        assert_eq!((group.applied_index, group.last_log_index), (7, 9));
        let database = &reply.databases[0];
        assert_eq!(
            (database.size_bytes, database.commit_p99_milliseconds),
            (Some(4_096), Some(3.5))
        );
        assert_eq!((database.schema, database.n_messages), (Some(1), None));
        assert_eq!(reply.drain.unwrap().n_sessions_remaining, 7);
    }
}
