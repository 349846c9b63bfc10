//! Taking single nodes away on purpose, one at a time: scale-in, and replacement by another revision.
//!
//! A node is first drained, which it does only as long as somebody asks. So a change of mind needs no clean-up: nobody
//! asks any more, and a node that the spec wants is told to serve. Nodes that do nothing for anybody are not drained:
//! a broken revision never stands in the way of a corrected one.

use jiff::{SignedDuration, Timestamp};
use tim_crds::cluster::DrainTimeout;

use super::{Work, facts};
use crate::{
    action::{Action, DeleteReason},
    condition::whole_seconds,
    intent::Intent,
    observed::{Node, NodePhase, Observed},
};

/// The one node that is being taken away.
#[derive(Debug, Clone, PartialEq)]
pub struct Focus {
    /// Its name.
    pub node: String,
    /// Its life.
    pub uid: String,
    /// When its drain began.
    pub started: Timestamp,
    /// When its drain ends, if `onTimeout` is Force.
    pub deadline: Timestamp,
    /// Sessions when it began.
    pub initial_sessions: u64,
    /// Whether its ordinal goes too.
    pub leaves_for_good: bool,
    /// Whether it can be taken away now.
    pub empty: bool,
}

/// Plans drains, undrains and replacements. Scale-in itself is a step of the workload, for a focus that is empty.
pub(super) fn plan(
    observed: &Observed,
    intent: &Intent,
    blocked: bool,
    work: &mut Work,
    actions: &mut Vec<Action>,
) {
    delete_broken(observed, intent, blocked, actions);
    let chosen = choose(observed, intent, blocked);
    let others = observed
        .nodes
        .iter()
        .filter(|node| facts::is_draining(node) && chosen.is_none_or(|chosen| chosen.uid != node.uid));
    let mut alone = true;
    for node in others {
        actions.push(Action::Undrain {
            node: node.name.clone(),
            uid: node.uid.clone(),
        });
        alone = false;
    }
    let Some(node) = chosen.filter(|node| alone || facts::is_draining(node)) else {
        return;
    };
    let focus = focus(observed, intent, node);
    // One that waits for its ordinal to go is asked on, or it would begin to serve again.
    if !focus.empty || focus.leaves_for_good && facts::is_draining(node) {
        let forced = observed.cluster.spec.drain.on_timeout == DrainTimeout::Force;
        actions.push(Action::Drain {
            node: node.name.clone(),
            uid: node.uid.clone(),
            deadline: forced.then_some(focus.deadline),
            // The last one keeps the group's state for when it comes back.
            leave_control_group: focus.leaves_for_good && node.ordinal > 0,
        });
    } else if !focus.leaves_for_good {
        let reason = if facts::is_drained(node) {
            DeleteReason::Replaced
        } else {
            DeleteReason::DrainTimeout
        };
        actions.push(Action::DeleteNode {
            node: node.name.clone(),
            uid: node.uid.clone(),
            reason,
        });
    }
    work.focus = Some(focus);
}

/// Nodes of a wrong revision that do nothing for anybody are made anew at once.
fn delete_broken(observed: &Observed, intent: &Intent, blocked: bool, actions: &mut Vec<Action>) {
    if blocked {
        return;
    }
    for node in &observed.nodes {
        let stale = facts::is_wanted(intent, node) && node.revision != intent.revision;
        if stale && facts::is_broken(observed, node) {
            let (node, uid) = (node.name.clone(), node.uid.clone());
            actions.push(Action::DeleteNode {
                node,
                uid,
                reason: DeleteReason::Broken,
            });
        }
    }
}

/// Which node is taken away now: the one already begun with, else the next.
fn choose<'a>(observed: &'a Observed, intent: &Intent, blocked: bool) -> Option<&'a Node> {
    let has_reason = |node: &Node| {
        !facts::is_wanted(intent, node) && is_last(observed, node)
            || facts::is_wanted(intent, node) && !blocked && node.revision != intent.revision
    };
    let begun = observed
        .nodes
        .iter()
        .filter(|node| facts::is_draining(node) && asked_by_us(node) && has_reason(node));
    if let Some(node) = begun.min_by_key(|node| (started(observed, node), node.ordinal)) {
        return Some(node);
    }
    if observed
        .nodes
        .iter()
        .any(|node| node.phase == NodePhase::Terminating)
    {
        return None;
    }
    let victim = observed
        .nodes
        .iter()
        .find(|node| !facts::is_wanted(intent, node) && is_last(observed, node));
    if victim.is_some() {
        return victim;
    }
    if blocked {
        return None;
    }
    let stale = observed
        .nodes
        .iter()
        .filter(|node| node.revision != intent.revision && !facts::is_broken(observed, node));
    stale
        .filter(|node| may_go(observed, intent, node))
        .max_by_key(|node| {
            let leads = node.report.as_ref().is_some_and(|report| report.leader);
            // What does not serve anyway goes first, the leader of the control group last.
            (!facts::is_healthy(node), !leads, node.ordinal)
        })
}

/// Only the highest ordinal can be taken away.
fn is_last(observed: &Observed, node: &Node) -> bool {
    node.ordinal + 1 == facts::kept_ordinals(observed)
}

fn asked_by_us(node: &Node) -> bool {
    let drain = node.report.as_ref().and_then(|report| report.drain.as_ref());
    drain.is_some_and(|drain| drain.id == node.uid)
}

/// A node that serves may go only if all others do; one that does not serve may always go.
fn may_go(observed: &Observed, intent: &Intent, node: &Node) -> bool {
    let others_serve = facts::missing_ordinals(observed, intent).is_empty()
        && observed
            .nodes
            .iter()
            .filter(|other| other.uid != node.uid && facts::is_wanted(intent, other))
            .all(facts::is_healthy);
    let answers = node.report.is_some();
    node.phase == NodePhase::Running && answers && (others_serve || !facts::is_healthy(node))
}

fn started(observed: &Observed, node: &Node) -> Timestamp {
    noted(observed, node).map_or(whole_seconds(observed.now), |drain| drain.started_at.0)
}

fn noted<'a>(observed: &'a Observed, node: &Node) -> Option<&'a tim_crds::cluster::DrainStatus> {
    let nodes = observed.cluster.status.iter().flat_map(|status| &status.nodes);
    nodes
        .filter(|noted| noted.uid.as_deref() == Some(node.uid.as_str()))
        .find_map(|noted| noted.drain.as_ref())
}

fn focus(observed: &Observed, intent: &Intent, node: &Node) -> Focus {
    let drain = &observed.cluster.spec.drain;
    let started = started(observed, node);
    let deadline = started
        .checked_add(SignedDuration::from_secs(drain.timeout_seconds))
        .unwrap_or(started);
    let sessions = node.report.as_ref().map_or(0, |report| report.sessions);
    let noted_sessions =
        noted(observed, node).and_then(|drain| u64::try_from(drain.initial_connections).ok());
    let overdue = observed.now >= deadline && drain.on_timeout == DrainTimeout::Force;
    Focus {
        node: node.name.clone(),
        uid: node.uid.clone(),
        started,
        deadline,
        initial_sessions: noted_sessions.unwrap_or(sessions),
        leaves_for_good: !facts::is_wanted(intent, node),
        empty: facts::is_drained(node) || overdue || facts::is_broken(observed, node),
    }
}
