//! The workload itself: made, changed, scaled out at once and in by one ordinal at a time, its volumes grown.

use super::{Work, facts};
use crate::{
    action::Action,
    intent::Intent,
    names,
    observed::{NodePhase, Observed, Workload},
};

/// Plans the workload's shape: that it is there, its template, more ordinals. New templates come before the nodes that
/// are made anew, or they would be made of the old one. Says whether it is written.
pub(super) fn shape(observed: &Observed, intent: &Intent, blocked: bool, actions: &mut Vec<Action>) -> bool {
    let Some(workload) = &observed.workload else {
        if !blocked {
            // Nodes may be there without it: it was orphaned, or deleted by hand.
            let replicas = facts::kept_ordinals(observed).max(intent.replicas);
            actions.push(Action::ApplyWorkload {
                replicas,
                resource_version: None,
            });
        }
        return true;
    };
    if workload.deleting || !workload.owned {
        return true;
    }
    grow_volumes(observed, actions);
    if blocked {
        return false;
    }
    let size = &observed.cluster.spec.storage.size;
    if workload
        .volume_size
        .as_ref()
        .is_some_and(|present| present != size)
    {
        actions.push(Action::OrphanWorkload {
            uid: workload.uid.clone(),
        });
        return true;
    }
    let changed = workload.hash.as_deref() != Some(observed.desired_workload.as_str()) || workload.drifted;
    let replicas = workload.replicas.max(intent.replicas);
    if changed || replicas != workload.replicas {
        apply(workload, replicas, actions);
        return true;
    }
    false
}

/// Plans the step down to one ordinal less, when its node is empty.
pub(super) fn scale_in(observed: &Observed, intent: &Intent, work: &mut Work, actions: &mut Vec<Action>) {
    let Some(workload) = observed
        .workload
        .as_ref()
        .filter(|workload| intent.replicas < workload.replicas)
    else {
        return;
    };
    if may_scale_in(observed, intent, workload, work) {
        apply(workload, workload.replicas - 1, actions);
    }
}

fn apply(workload: &Workload, replicas: u32, actions: &mut Vec<Action>) {
    actions.push(Action::ApplyWorkload {
        replicas,
        resource_version: Some(workload.resource_version.clone()),
    });
}

/// The highest ordinal may go when its node is empty or gone, and the control group does not count on it any more.
fn may_scale_in(observed: &Observed, intent: &Intent, workload: &Workload, work: &mut Work) -> bool {
    let last = workload.replicas - 1;
    let name = names::node(&intent.name, last);
    let node = observed.nodes.iter().find(|node| node.ordinal == last);
    let empty = match (node, &work.focus) {
        (None, _) => true,
        (Some(node), Some(focus)) => focus.uid == node.uid && focus.empty,
        (Some(_), None) => false,
    };
    if !empty
        || observed
            .nodes
            .iter()
            .any(|node| node.phase == NodePhase::Terminating)
    {
        return false;
    }
    // With the last node the group is laid to rest as a whole; its volume keeps the state.
    if intent.replicas == 0 {
        return true;
    }
    let Some(report) = facts::best_group_report(observed) else {
        // Nobody can tell. Only a cluster that never got as far as a map has no group to be counted on.
        let began = observed
            .cluster
            .status
            .as_ref()
            .is_some_and(|status| status.partitions.is_some());
        if began {
            work.waiting = Some(format!(
                "no node can tell whether the control group counts on {name}"
            ));
        }
        return !began;
    };
    let counted_on = report.voters.contains(&name);
    if counted_on {
        work.waiting = Some(format!("the control group still counts on {name}"));
    }
    !counted_on
}

/// Voters that are gone, or about to go with their ordinal, are taken out of the control group by a node that stays.
pub(super) fn remove_lost_voters(
    observed: &Observed,
    intent: &Intent,
    work: &Work,
    actions: &mut Vec<Action>,
) {
    let stays = |ordinal: u32| ordinal < intent.replicas;
    let Some(via) = observed
        .nodes
        .iter()
        .find(|node| stays(node.ordinal) && facts::is_healthy(node))
    else {
        return;
    };
    let Some(report) = facts::best_group_report(observed) else {
        return;
    };
    let mut lost = facts::lost_voters(observed, intent);
    let kept = facts::kept_ordinals(observed);
    // The next to go: its node is gone or cannot leave by itself.
    if let Some(last) = kept.checked_sub(1).filter(|last| !stays(*last)) {
        let name = names::node(&intent.name, last);
        let node = observed.nodes.iter().find(|node| node.ordinal == last);
        // Empty, or out of time, or gone: it has had its chance to leave by itself.
        let out_of_time = work
            .focus
            .as_ref()
            .is_some_and(|focus| focus.node == name && focus.empty);
        let cannot_leave = node.is_none_or(|node| out_of_time || facts::is_broken(observed, node));
        if cannot_leave && report.voters.contains(&name) {
            lost.push(name);
        }
    }
    actions.extend(lost.into_iter().map(|voter| Action::RemoveVoter {
        voter,
        via: via.name.clone(),
    }));
}

fn grow_volumes(observed: &Observed, actions: &mut Vec<Action>) {
    let size = &observed.cluster.spec.storage.size;
    let smaller = observed
        .volumes
        .iter()
        .filter(|(_, volume)| volume.requested_size != *size);
    actions.extend(smaller.map(|(node, _)| Action::GrowVolume {
        node: node.clone(),
        size: size.clone(),
    }));
}
