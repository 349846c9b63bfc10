//! What is said about a cluster: counts, nodes, conditions, and one word with a reason for humans.

mod conditions;
mod nodes;
mod phase;

use tim_crds::{
    TimClusterStatus, Time,
    cluster::{Certificates, PartitionRange, Partitions},
};

use super::{Work, certificates, facts, problems::Problem};
use crate::{
    action::Action,
    condition::{is_true, whole_seconds},
    intent::{Intent, selector},
    observed::Observed,
    trust,
};

/// Ranges shown at most; beyond that only their number is.
const RANGES_SHOWN_MAX: usize = 64;
/// Names of waiting repartitions shown at most.
const QUEUED_SHOWN_MAX: usize = 100;

/// Everything the parts of the status are made from.
struct Picture<'a> {
    observed: &'a Observed,
    intent: &'a Intent,
    problems: &'a [Problem],
    work: &'a Work,
    actions: &'a [Action],
    /// Nodes of wanted ordinals that users can use.
    healthy: usize,
    /// All nodes are as the spec wants them.
    settled: bool,
}

/// Makes the status.
pub(super) fn build(
    observed: &Observed,
    intent: &Intent,
    problems: &[Problem],
    work: &Work,
    actions: &[Action],
) -> TimClusterStatus {
    let before = observed.cluster.status.clone().unwrap_or_default();
    let healthy = observed
        .nodes
        .iter()
        .filter(|node| facts::is_healthy(node) && facts::is_wanted(intent, node))
        .count();
    let wanted = usize::try_from(intent.replicas).unwrap_or(usize::MAX);
    let current = observed
        .nodes
        .iter()
        .filter(|node| node.revision == intent.revision)
        .count();
    let settled = healthy == wanted && observed.nodes.len() == wanted && current == wanted;
    let picture = Picture {
        observed,
        intent,
        problems,
        work,
        actions,
        healthy,
        settled,
    };
    let (phase, phase_reason) = phase::of(&picture);
    let is_focus = |uid: &str| work.focus.as_ref().is_some_and(|focus| focus.uid == uid);
    let ready = observed.nodes.iter().filter(|node| facts::is_healthy(node));
    TimClusterStatus {
        observed_generation: observed.cluster.metadata.generation,
        phase: Some(phase),
        phase_reason: Some(phase_reason),
        replicas: count(observed.nodes.len()),
        ready_replicas: count(ready.clone().count()),
        updated_replicas: count(current),
        available_replicas: count(ready.filter(|node| !is_focus(&node.uid)).count()),
        selector: Some(
            selector(&observed.cluster)
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect::<Vec<_>>()
                .join(","),
        ),
        version: version(&picture).or(before.version),
        target_image: Some(intent.image.clone()).filter(|image| !image.is_empty()),
        current_revision: if settled && wanted > 0 {
            Some(intent.revision.clone())
        } else {
            before.current_revision
        },
        update_revision: Some(intent.revision.clone()),
        conditions: conditions::of(&picture, &before.conditions),
        nodes: nodes::of(&picture),
        partitions: partitions(observed, before.partitions),
        certificates: certificates_of(observed, intent),
    }
}

/// Whether the status says that something is under way.
pub(super) fn is_busy(status: &TimClusterStatus) -> bool {
    is_true(&status.conditions, "Progressing") || is_true(&status.conditions, "Degraded")
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// The version, once all nodes run the same.
fn version(picture: &Picture<'_>) -> Option<String> {
    if !picture.settled {
        return None;
    }
    let mut versions = picture
        .observed
        .nodes
        .iter()
        .filter_map(|node| node.report.as_ref())
        .map(|report| &report.version);
    let first = versions.next()?;
    (!first.is_empty() && versions.all(|version| version == first)).then(|| first.clone())
}

/// As the nodes report it; what was known stays while nobody answers.
fn partitions(observed: &Observed, before: Option<Partitions>) -> Option<Partitions> {
    let known = facts::best_map_report(observed).map(|report| {
        let map: Vec<PartitionRange> = report
            .ranges
            .iter()
            .map(|range| PartitionRange {
                from: range.from,
                database: range.database.clone(),
                epoch: i64::try_from(range.epoch).unwrap_or(i64::MAX),
            })
            .collect();
        Partitions {
            epoch: map.iter().map(|range| range.epoch).max().unwrap_or(0),
            ranges: count(map.len()),
            map: if map.len() > RANGES_SHOWN_MAX {
                Vec::new()
            } else {
                map
            },
            ..Partitions::default()
        }
    });
    let mut partitions = known.or(before)?;
    let mut waiting: Vec<_> = observed.repartitions.iter().collect();
    waiting.sort_by(|left, right| {
        (!left.started, left.created, &left.name).cmp(&(!right.started, right.created, &right.name))
    });
    let mut names = waiting.into_iter().map(|repartition| repartition.name.clone());
    partitions.active_repartition = names.next();
    partitions.queued_repartitions = names.take(QUEUED_SHOWN_MAX).collect();
    Some(partitions)
}

fn certificates_of(observed: &Observed, intent: &Intent) -> Option<Certificates> {
    let all = certificates::holders(observed, intent);
    let known = all
        .iter()
        .filter_map(|name| observed.secrets.certificates.get(name));
    let first = known.min_by_key(|certificate| certificate.not_after)?;
    Some(Certificates {
        not_after: Time(whole_seconds(first.not_after)),
        renew_at: Time(whole_seconds(trust::renew_at(*first))),
    })
}
