//! The plan of one TimCluster.
//!
//! The order is that of dependence: Secrets and certificates, then objects, then the workload, then single nodes. At most
//! one node is away because the plan wants it so; see `disruption`.

mod certificates;
mod deletion;
mod disruption;
mod facts;
mod problems;
mod status;
mod workload;

use std::time::Duration;

use tim_catalogue::Report;
use tim_crds::{TimClusterStatus, labels};

use crate::{
    action::{Action, SecretKind},
    intent::Intent,
    observed::Observed,
};
pub use disruption::Focus;
use problems::Problem;

/// When to look again while something is under way.
const REQUEUE_BUSY: Duration = Duration::from_secs(1);
/// When to look again when nothing is: changes are watched, only what nodes say has to be asked for.
const REQUEUE_IDLE: Duration = Duration::from_secs(10);

/// What has to be done, what to say about it, and when to look again.
#[derive(Debug, Clone)]
pub struct Plan {
    /// In order. At the first failure the rest is left to the next plan.
    pub actions: Vec<Action>,
    /// What to write to `/status`; equal to the present one when there is nothing new.
    pub status: TimClusterStatus,
    /// What is wrong just now, for Events and logs; texts are stable while the cause is.
    pub problems: Vec<Report>,
    /// When to look again at the latest.
    pub requeue: Duration,
}

/// What is going on, for the status.
#[derive(Debug, Default)]
struct Work {
    focus: Option<Focus>,
    /// What a step waits for, in words.
    waiting: Option<String>,
}

/// Makes the plan.
pub fn plan(observed: &Observed) -> Plan {
    let intent = Intent::of(observed);
    let problems = problems::find(observed, &intent);
    let mut work = Work::default();
    let actions = if intent.deleting {
        deletion::plan(observed, &intent)
    } else if intent.paused {
        Vec::new()
    } else {
        wanted(observed, &intent, &problems, &mut work)
    };
    let status = status::build(observed, &intent, &problems, &work, &actions);
    let busy = !actions.is_empty() || status::is_busy(&status);
    Plan {
        actions,
        status,
        problems: problems.into_iter().map(|problem| problem.report).collect(),
        requeue: if busy { REQUEUE_BUSY } else { REQUEUE_IDLE },
    }
}

fn wanted(observed: &Observed, intent: &Intent, problems: &[Problem], work: &mut Work) -> Vec<Action> {
    let mut actions = Vec::new();
    if !has_finalizer(observed) {
        actions.push(Action::AddFinalizer);
    }
    secrets(observed, &mut actions);
    certificates::plan(observed, intent, &mut actions);
    objects(observed, &mut actions);
    let blocked = problems.iter().any(|problem| problem.blocks);
    let written = workload::shape(observed, intent, blocked, &mut actions);
    disruption::plan(observed, intent, blocked, work, &mut actions);
    workload::remove_lost_voters(observed, intent, work, &mut actions);
    if !written {
        workload::scale_in(observed, intent, work, &mut actions);
    }
    actions
}

fn has_finalizer(observed: &Observed) -> bool {
    observed
        .cluster
        .metadata
        .finalizers
        .iter()
        .flatten()
        .any(|name| name == labels::FINALIZER)
}

fn secrets(observed: &Observed, actions: &mut Vec<Action>) {
    for kind in [SecretKind::Cluster, SecretKind::Storage, SecretKind::Authority] {
        let absent = !observed.secrets.present.contains(&kind) && !observed.secrets.foreign.contains(&kind);
        let allowed = kind != SecretKind::Storage || !problems::has_been_made(observed);
        if absent && allowed {
            actions.push(Action::CreateSecret(kind));
        }
    }
}

fn objects(observed: &Observed, actions: &mut Vec<Action>) {
    for (id, hash) in &observed.desired {
        match observed.present.get(id) {
            Some(present) if !present.owned => {}
            Some(present) if present.hash.as_ref() == Some(hash) && !present.drifted => {}
            _ => actions.push(Action::ApplyObject(id.clone())),
        }
    }
    // While node.toml cannot be made, the one in use stays.
    let keep_config = observed.config_problem.is_some();
    for (id, present) in &observed.present {
        let kept = keep_config && id.kind == "ConfigMap";
        if present.owned && !kept && !observed.desired.contains_key(id) {
            actions.push(Action::RemoveObject(id.clone()));
        }
    }
}
