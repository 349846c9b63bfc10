//! One word and a reason, for humans.

use tim_crds::cluster::ClusterPhase;

use super::Picture;
use crate::{
    cluster::{Focus, facts},
    names,
};

pub(super) fn of(picture: &Picture<'_>) -> (ClusterPhase, String) {
    let intent = picture.intent;
    let nodes = picture.observed.nodes.len();
    if intent.deleting {
        return (ClusterPhase::Deleting, format!("{nodes} nodes left"));
    }
    if intent.paused {
        return (
            ClusterPhase::Paused,
            "the annotation timcluster.io/pause stops all writes".into(),
        );
    }
    if let Some(problem) = picture.problems.iter().find(|problem| problem.blocks) {
        return (ClusterPhase::Blocked, problem.report.condition_message());
    }
    if let Some(under_way) = under_way(picture) {
        return under_way;
    }
    let wanted = usize::try_from(intent.replicas).unwrap_or(usize::MAX);
    let trouble = picture
        .problems
        .first()
        .map(|problem| problem.report.condition_message());
    match picture.healthy {
        _ if picture.settled && wanted == 0 => (ClusterPhase::Stopped, "replicas is 0; data is kept".into()),
        _ if picture.settled && trouble.is_none() => {
            (ClusterPhase::Running, format!("{wanted} of {wanted} nodes serve"))
        }
        0 if picture
            .observed
            .cluster
            .status
            .as_ref()
            .is_none_or(|status| status.current_revision.is_none()) =>
        {
            (
                ClusterPhase::Pending,
                trouble.unwrap_or_else(|| format!("0 of {wanted} nodes serve")),
            )
        }
        0 => (
            ClusterPhase::Unavailable,
            trouble.unwrap_or_else(|| format!("0 of {wanted} nodes serve")),
        ),
        some => (
            ClusterPhase::Degraded,
            trouble.unwrap_or_else(|| format!("{some} of {wanted} nodes serve")),
        ),
    }
}

fn under_way(picture: &Picture<'_>) -> Option<(ClusterPhase, String)> {
    let (observed, intent) = (picture.observed, picture.intent);
    let kept = facts::kept_ordinals(observed);
    if kept > intent.replicas || observed.nodes.iter().any(|node| node.ordinal >= intent.replicas) {
        let last = names::node(&intent.name, kept.max(1) - 1);
        let reason = picture
            .work
            .waiting
            .clone()
            .or_else(|| picture.work.focus.as_ref().map(|focus| draining(picture, focus)));
        return Some((
            ClusterPhase::ScalingIn,
            reason.unwrap_or_else(|| format!("{last} stops")),
        ));
    }
    if let Some(focus) = &picture.work.focus {
        return Some((ClusterPhase::Updating, draining(picture, focus)));
    }
    let stale = observed
        .nodes
        .iter()
        .filter(|node| node.revision != intent.revision)
        .count();
    let replaced = observed.cluster.status.as_ref().is_some_and(|status| {
        status
            .current_revision
            .as_ref()
            .is_some_and(|revision| *revision != intent.revision)
    });
    let unsettled = stale > 0 || replaced && !picture.settled;
    if unsettled && picture.problems.is_empty() {
        return Some((
            ClusterPhase::Updating,
            format!(
                "{} of {} nodes are replaced",
                observed.nodes.len() - stale,
                intent.replicas
            ),
        ));
    }
    let starting = observed.nodes.iter().any(|node| !facts::is_healthy(node));
    let missing = !facts::missing_ordinals(observed, intent).is_empty();
    let began = observed
        .cluster
        .status
        .as_ref()
        .is_some_and(|status| status.current_revision.is_some());
    let growing = missing || starting && began && picture.healthy > 0 && picture.problems.is_empty();
    growing.then(|| {
        let phase = if began {
            ClusterPhase::ScalingOut
        } else {
            ClusterPhase::Pending
        };
        (
            phase,
            format!("{} of {} nodes serve", picture.healthy, intent.replicas),
        )
    })
}

fn draining(picture: &Picture<'_>, focus: &Focus) -> String {
    let node = picture.observed.nodes.iter().find(|node| node.uid == focus.uid);
    let left = node
        .and_then(|node| node.report.as_ref())
        .map_or(0, |report| report.sessions);
    if focus.empty {
        format!("{} is drained and stops", focus.node)
    } else {
        format!(
            "draining {} ({left} of {} connections left)",
            focus.node, focus.initial_sessions
        )
    }
}
