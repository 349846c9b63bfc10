//! The verdict: from what was observed, in the order of what users would notice first.

use super::document::Verdict;
use super::observation::{Controller, NodeObservation, Observation};
use super::room;
use std::time::Duration;
use tim_catalogue::{Cause, command_line, node, storage};
use tim_proto::control::v1::{ControlGroup, Database, NodeState, PartitionMap, StatusReply};

/// A node may take this long to join before that is worth a verdict, in seconds.
const JOIN_SECONDS_MAX: u64 = 60;

/// A process may take this long before it answers; after that its silence is worth a verdict.
const FIRST_ANSWER_MAX: Duration = Duration::from_secs(5);

/// A verdict and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The word.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// What it means for users.
    pub meaning: String,
    /// Code of the cause.
    pub code: Option<String>,
}

impl Judgement {
    fn new(verdict: Verdict, reason: impl Into<String>, meaning: impl Into<String>) -> Self {
        Self {
            verdict,
            reason: reason.into(),
            meaning: meaning.into(),
            code: None,
        }
    }

    fn because(mut self, cause: &Cause) -> Self {
        self.code = Some(cause.code.to_owned());
        self
    }
}

impl Observation {
    /// Nodes that take clients.
    pub fn serving(&self) -> impl Iterator<Item = &NodeObservation> {
        self.nodes.iter().filter(|node| node.is(NodeState::Serving))
    }

    /// The map of the node that knows the newest one.
    pub fn newest_map(&self) -> Option<&PartitionMap> {
        self.replies()
            .filter_map(|reply| reply.map.as_ref())
            .max_by_key(|map| map.version)
    }

    /// The control group as the node sees it that has applied most.
    pub fn control_group(&self) -> Option<&ControlGroup> {
        self.replies()
            .filter_map(|reply| reply.control_group.as_ref())
            .max_by_key(|group| group.applied_index)
    }

    /// Whether no node that serves (or, if none does, no node at all) reaches the database.
    pub fn is_unreachable(&self, database: &str) -> bool {
        let nobody_serves = self.serving().next().is_none();
        let mut views = self
            .nodes
            .iter()
            .filter(|node| nobody_serves || node.is(NodeState::Serving))
            .filter_map(|node| node.reply.as_ref())
            .flat_map(|reply| &reply.databases)
            .filter(|known| known.name == database)
            .peekable();
        views.peek().is_some() && views.all(|known| !known.reachable)
    }

    /// What nodes say of a database.
    pub fn told_of<'a>(&'a self, database: &'a str) -> impl Iterator<Item = &'a Database> {
        let all = self.replies().flat_map(|reply| &reply.databases);
        all.filter(move |known| known.name == database)
    }

    /// The last entry of the control group's log that any node knows of.
    pub fn newest_log_index(&self) -> u64 {
        self.replies()
            .filter_map(|reply| reply.control_group.as_ref())
            .map(|group| group.last_log_index.max(group.applied_index))
            .max()
            .unwrap_or(0)
    }

    /// What kind of database that is, from the nodes, else from the spec.
    pub fn kind_of(&self, database: &str) -> String {
        let told = self
            .told_of(database)
            .find(|known| !known.kind.is_empty())
            .map(|known| match known.kind.as_str() {
                "sqlite" => "SQLite".to_owned(),
                "postgresql" | "postgres" => "PostgreSQL".to_owned(),
                "mysql" => "MySQL".to_owned(),
                "mariadb" => "MariaDB".to_owned(),
                other => other.to_owned(),
            });
        told.or_else(|| {
            self.databases
                .iter()
                .find(|declared| declared.name == database)
                .map(|declared| declared.kind.clone())
        })
        .unwrap_or_default()
    }

    fn replies(&self) -> impl Iterator<Item = &StatusReply> {
        self.nodes.iter().filter_map(|node| node.reply.as_ref())
    }

    fn names(&self, wanted: impl Fn(&NodeObservation) -> bool) -> Vec<&str> {
        self.nodes
            .iter()
            .filter(|node| wanted(node))
            .map(|node| node.name.as_str())
            .collect()
    }
}

impl NodeObservation {
    fn is(&self, state: NodeState) -> bool {
        self.reply.as_ref().is_some_and(|reply| reply.state() == state)
    }

    fn has_just_started(&self) -> bool {
        self.present && self.runs_for.is_some_and(|age| age <= FIRST_ANSWER_MAX)
    }

    fn is_starting(&self) -> bool {
        let Some(reply) = &self.reply else {
            return self.has_just_started() && self.trouble.is_none();
        };
        matches!(reply.state(), NodeState::Joining | NodeState::Unspecified)
            && reply.uptime_seconds <= JOIN_SECONDS_MAX
            && first_cause(reply).is_none()
    }
}

/// What keeps a node from serving, code and sentence. That it is starting is no cause, the others say what it waits for.
fn first_cause(reply: &StatusReply) -> Option<(String, String)> {
    let told = reply
        .causes
        .iter()
        .map(|cause| (cause.code.clone(), cause.detail.clone()));
    let of_databases = reply.databases.iter().filter_map(|database| {
        let cause = database.cause.as_ref().filter(|_| !database.reachable)?;
        Some((cause.code.clone(), cause.detail.clone()))
    });
    told.chain(of_databases)
        .find(|(code, _)| *code != node::STARTING.code)
}

/// Judges.
pub fn judge(observed: &Observation) -> Judgement {
    stopped_on_purpose(observed)
        .or_else(|| unavailable(observed))
        .or_else(|| silent_nodes(observed))
        .or_else(|| databases(observed))
        .or_else(|| troubled_nodes(observed))
        .or_else(|| split_view(observed))
        .or_else(|| control_group(observed))
        .or_else(|| controller(observed))
        .or_else(|| under_way(observed))
        .or_else(|| paused(observed))
        .unwrap_or_else(|| {
            let serving = observed.serving().count();
            let reason = match serving {
                1 => "the node serves".to_owned(),
                2 => "both nodes serve".to_owned(),
                _ => format!("all {serving} nodes serve"),
            };
            Judgement::new(Verdict::Healthy, reason, "Messages are stored and delivered.")
        })
}

/// Whether enough voters of the control group serve for it to decide anything.
fn has_quorum(observed: &Observation) -> bool {
    voters(observed).is_some_and(|(serving, all)| serving > all / 2)
}

/// Voters of the control group that serve, and all of them.
fn voters(observed: &Observation) -> Option<(usize, usize)> {
    let voters = &observed.control_group()?.voters;
    let serves = |voter: &&String| observed.serving().any(|node| node.name == **voter);
    Some((voters.iter().filter(serves).count(), voters.len()))
}

fn stopped_on_purpose(observed: &Observation) -> Option<Judgement> {
    (observed.replicas == 0 && observed.nodes.iter().all(|node| !node.present)).then(|| {
        Judgement::new(
            Verdict::Paused,
            "replicas is 0",
            "Nobody can connect. The data are kept.",
        )
    })
}

fn unavailable(observed: &Observation) -> Option<Judgement> {
    if observed.serving().next().is_some() {
        return None;
    }
    if observed.nodes.iter().any(NodeObservation::is_starting) {
        return Some(Judgement::new(
            Verdict::Progressing,
            "the nodes are joining each other",
            "Nobody can connect yet.",
        ));
    }
    let nobody = "Nobody can connect. What was acknowledged is kept.";
    let trouble = observed.nodes.iter().find_map(|node| {
        node.reply
            .as_ref()
            .and_then(first_cause)
            .or_else(|| node.trouble.clone())
    });
    if let Some((code, sentence)) = trouble {
        return Some(Judgement {
            code: Some(code),
            ..Judgement::new(
                Verdict::Unavailable,
                format!("no node serves: {sentence}"),
                nobody,
            )
        });
    }
    if observed.nodes.iter().any(|node| node.present) {
        let silent = observed.nodes.iter().all(|node| node.reply.is_none());
        let reason = if silent {
            "no node answers"
        } else {
            "no node serves"
        };
        return Some(Judgement::new(Verdict::Unavailable, reason, nobody).because(&node::NODE_UNREACHABLE));
    }
    if observed.nodes.is_empty() && observed.controller != Controller::Absent {
        return Some(Judgement::new(
            Verdict::Unknown,
            "no node is known yet",
            "Whether anybody can connect is not known.",
        ));
    }
    if observed.controller == Controller::Absent {
        let reason = "nothing runs; tim up starts it";
        return Some(Judgement::new(Verdict::Unavailable, reason, nobody));
    }
    Some(match cause_of_conditions(observed) {
        Some((code, sentence)) => Judgement {
            code: Some(code),
            ..Judgement::new(Verdict::Unavailable, format!("no node runs: {sentence}"), nobody)
        },
        None if is_first_start(observed) => Judgement::new(
            Verdict::Progressing,
            "the nodes are being started",
            "Nobody can connect yet.",
        ),
        None => Judgement::new(Verdict::Unavailable, "no node runs", nobody),
    })
}

/// Whether somebody works on it, and no node has ever run.
fn is_first_start(observed: &Observation) -> bool {
    let works = observed
        .conditions
        .iter()
        .any(|condition| condition.kind == "Progressing" && condition.status == "True");
    (works || observed.controller == Controller::Behind) && observed.newest_map().is_none()
}

/// What the conditions say is wrong, code and sentence; where no node runs nobody else can say it.
fn cause_of_conditions(observed: &Observation) -> Option<(String, String)> {
    observed.conditions.iter().find_map(|condition| {
        let (code, sentence) = condition.message.split_once(' ')?;
        tim_catalogue::find(code).map(|cause| (cause.code.to_owned(), sentence.to_owned()))
    })
}

fn silent_nodes(observed: &Observation) -> Option<Judgement> {
    let silent =
        observed.names(|node| node.wanted && node.present && node.reply.is_none() && !node.is_starting());
    let gone = observed.names(|node| node.wanted && !node.present);
    let (names, verb) = match (silent.is_empty(), gone.is_empty()) {
        (false, _) => (silent, "not answer"),
        (true, false) if observed.controller == Controller::Absent => (gone, "not run"),
        _ => return None,
    };
    let (total, count) = (
        observed.nodes.iter().filter(|node| node.wanted).count(),
        names.len(),
    );
    let does = if count == 1 { "does" } else { "do" };
    let reason = format!("{count} of {total} nodes {does} {verb}: {}", names.join(", "));
    let meaning = if room::to_lose_a_node(observed) {
        "Chat goes on; no message is at risk."
    } else if has_quorum(observed) {
        "Chat goes on; no message is at risk; losing one more node would stop changes of the map."
    } else {
        "Chat goes on; no message is at risk; changes of the partition map wait for more nodes."
    };
    Some(Judgement::new(Verdict::Degraded, reason, meaning).because(&node::NODE_UNREACHABLE))
}

fn databases(observed: &Observation) -> Option<Judgement> {
    let map = observed.newest_map()?;
    let mut down: Vec<&str> = map
        .ranges
        .iter()
        .map(|range| range.database.as_str())
        .filter(|database| observed.is_unreachable(database))
        .collect();
    down.sort_unstable();
    down.dedup();
    if down.is_empty() {
        return None;
    }
    let all = map
        .ranges
        .iter()
        .all(|range| down.contains(&range.database.as_str()));
    let told = observed
        .told_of(down[0])
        .find(|database| !database.reachable)
        .and_then(|database| database.cause.as_ref());
    let reason = told.map_or_else(
        || format!("database {} does not answer", down.join(", ")),
        |cause| format!("database {}: {}", down.join(", "), cause.detail),
    );
    let (verdict, meaning) = if all {
        (
            Verdict::Unavailable,
            "Messages are answered as busy and wait at their senders; none is lost.",
        )
    } else {
        (
            Verdict::Degraded,
            "Messages of its slots are answered as busy and wait at their senders; the others go on.",
        )
    };
    let code = told.map_or_else(
        || storage::UNREACHABLE.code.to_owned(),
        |cause| cause.code.clone(),
    );
    Some(Judgement {
        code: Some(code),
        ..Judgement::new(verdict, reason, meaning)
    })
}

fn troubled_nodes(observed: &Observation) -> Option<Judgement> {
    let (name, code, sentence) = observed
        .nodes
        .iter()
        .filter(|node| node.wanted)
        .find_map(|node| {
            let told = node
                .reply
                .as_ref()
                .filter(|reply| !matches!(reply.state(), NodeState::Serving | NodeState::Draining))
                .and_then(first_cause);
            let (code, sentence) = told.or_else(|| node.trouble.clone().filter(|_| node.reply.is_none()))?;
            Some((node.name.as_str(), code, sentence))
        })?;
    Some(Judgement {
        code: Some(code),
        ..Judgement::new(
            Verdict::Degraded,
            format!("{name} does not serve: {sentence}"),
            "Chat goes on with the other nodes.",
        )
    })
}

/// Every serving node must see every other: a split view means two homes for one conversation and slow delivery.
fn split_view(observed: &Observation) -> Option<Judgement> {
    let serving: Vec<&NodeObservation> = observed.serving().collect();
    let blind = serving.iter().find_map(|node| {
        let view = node.reply.as_ref()?.view.as_ref()?;
        let missing = serving
            .iter()
            .find(|other| !view.members.iter().any(|member| member.name == other.name))?;
        Some((node.name.as_str(), missing.name.as_str()))
    });
    blind.map(|(node, missing)| {
        Judgement::new(
            Verdict::Progressing,
            format!("{node} does not see {missing} yet"),
            "Messages are stored; some wait until the nodes have found each other.",
        )
    })
}

fn control_group(observed: &Observation) -> Option<Judgement> {
    let has_leader = observed
        .replies()
        .filter_map(|reply| reply.control_group.as_ref())
        .any(|group| group.leader || group.leader_raft_id != 0);
    if !has_leader && observed.nodes.iter().any(NodeObservation::has_just_started) {
        return Some(Judgement::new(
            Verdict::Progressing,
            "the control group elects its leader",
            "Chat goes on; changes of the partition map wait.",
        ));
    }
    (!has_leader).then(|| {
        Judgement::new(
            Verdict::Degraded,
            "the control group has no leader",
            "Chat goes on; changes of the partition map wait.",
        )
        .because(&node::NO_LEADER)
    })
}

fn controller(observed: &Observation) -> Option<Judgement> {
    match observed.controller {
        Controller::Current => None,
        Controller::Behind => Some(Judgement::new(
            Verdict::Progressing,
            "the latest change of the object has not been taken up yet",
            "Chat goes on.",
        )),
        Controller::Absent => Some(
            Judgement::new(
                Verdict::Degraded,
                "tim up does not run, so nobody restarts a node that ends",
                "Chat goes on; changes wait for the next tim up, which adopts the nodes.",
            )
            .because(&command_line::SUPERVISOR_GONE),
        ),
    }
}

fn under_way(observed: &Observation) -> Option<Judgement> {
    let draining = observed.names(|node| node.is(NodeState::Draining) || node.is(NodeState::Left));
    if !draining.is_empty() {
        return Some(
            Judgement::new(
                Verdict::Progressing,
                format!("draining {}", draining.join(", ")),
                "Clients are moved to other nodes.",
            )
            .because(&node::DRAINING),
        );
    }
    let surplus = observed.names(|node| !node.wanted && node.present);
    if !surplus.is_empty() {
        return Some(Judgement::new(
            Verdict::Progressing,
            format!("stopping {}", surplus.join(", ")),
            "Chat goes on.",
        ));
    }
    let serving = observed.serving().count();
    let wanted = usize::try_from(observed.replicas).unwrap_or(usize::MAX);
    (serving < wanted).then(|| {
        Judgement::new(
            Verdict::Progressing,
            format!("{serving} of {wanted} nodes serve"),
            "Chat goes on.",
        )
    })
}

fn paused(observed: &Observation) -> Option<Judgement> {
    observed.paused.then(|| {
        Judgement::new(
            Verdict::Paused,
            "the annotation timcluster.io/pause stops all changes",
            "Chat goes on; changes of the spec wait.",
        )
    })
}

#[cfg(test)]
pub(super) mod tests;
