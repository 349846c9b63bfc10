//! Questions about an observation that several steps ask.

use jiff::SignedDuration;

use crate::{
    intent::Intent,
    names,
    observed::{Node, NodePhase, NodeReport, Observed, ReportedState},
};

/// A running node that has been silent for this long is taken for broken.
const SILENCE: SignedDuration = SignedDuration::from_secs(10);

/// Whether users can use the node.
pub(super) fn is_healthy(node: &Node) -> bool {
    node.phase == NodePhase::Running
        && node.ready
        && node
            .report
            .as_ref()
            .is_some_and(|report| report.state == ReportedState::Serving)
}

/// Whether the node does nothing for anybody, so that taking it away costs nothing: it does not start, has not joined,
/// or has been silent for long.
pub(super) fn is_broken(observed: &Observed, node: &Node) -> bool {
    if node.ready || node.phase == NodePhase::Terminating {
        return false;
    }
    match &node.report {
        Some(report) => report.state == ReportedState::Joining && report.sessions == 0,
        None => node.phase != NodePhase::Running || node.trouble.is_some() || is_silent(observed, node),
    }
}

fn is_silent(observed: &Observed, node: &Node) -> bool {
    node.silent_since
        .is_some_and(|since| observed.now.duration_since(since) >= SILENCE)
}

/// Whether the node is being emptied, or is empty.
pub(super) fn is_draining(node: &Node) -> bool {
    node.phase == NodePhase::Running
        && node
            .report
            .as_ref()
            .is_some_and(|report| matches!(report.state, ReportedState::Draining | ReportedState::Left))
}

/// Whether a drain that was asked for has nothing left to do.
pub(super) fn is_drained(node: &Node) -> bool {
    node.report.as_ref().is_some_and(|report| {
        report.state == ReportedState::Left
            || report
                .drain
                .as_ref()
                .is_some_and(|drain| drain.done && drain.id == node.uid)
    })
}

/// Whether the spec wants that ordinal.
pub(super) fn is_wanted(intent: &Intent, node: &Node) -> bool {
    node.ordinal < intent.replicas
}

/// How many ordinals the workload keeps; without a workload as many as there are nodes of.
pub(super) fn kept_ordinals(observed: &Observed) -> u32 {
    match &observed.workload {
        Some(workload) => workload.replicas,
        None => observed
            .nodes
            .iter()
            .map(|node| node.ordinal + 1)
            .max()
            .unwrap_or(0),
    }
}

/// The report that knows the control group best.
pub(super) fn best_group_report(observed: &Observed) -> Option<&NodeReport> {
    reports(observed)
        .filter(|report| !report.voters.is_empty())
        .max_by_key(|report| report.applied_index)
}

/// The report that knows the newest map.
pub(super) fn best_map_report(observed: &Observed) -> Option<&NodeReport> {
    reports(observed)
        .filter(|report| !report.ranges.is_empty())
        .max_by_key(|report| report.map_version)
}

fn reports(observed: &Observed) -> impl Iterator<Item = &NodeReport> {
    observed.nodes.iter().filter_map(|node| node.report.as_ref())
}

/// The wanted ordinals of which there is no node.
pub(super) fn missing_ordinals(observed: &Observed, intent: &Intent) -> Vec<u32> {
    (0..intent.replicas)
        .filter(|ordinal| !observed.nodes.iter().any(|node| node.ordinal == *ordinal))
        .collect()
}

/// Voters of the control group whose node is gone for good: no node, and no ordinal that would bring it back.
pub(super) fn lost_voters(observed: &Observed, intent: &Intent) -> Vec<String> {
    let kept = kept_ordinals(observed).max(intent.replicas);
    let Some(report) = best_group_report(observed) else {
        return Vec::new();
    };
    report
        .voters
        .iter()
        .filter(|voter| names::ordinal(&intent.name, voter).is_some_and(|ordinal| ordinal >= kept))
        .filter(|voter| !observed.nodes.iter().any(|node| node.name == **voter))
        .cloned()
        .collect()
}
