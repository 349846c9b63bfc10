//! Why an operation cannot start yet.

use tim_catalogue::{Report, node, repartition};

use super::{Known, Observed, cut};

/// What it waits for; nothing: it may start, or has.
pub(super) fn waiting(observed: &Observed) -> Option<Report> {
    if matches!(observed.known, Known::Report(_)) || observed.repartition.spec.cancel {
        return None;
    }
    let name = &observed.repartition.spec.cluster_ref.name;
    let Some(cluster) = &observed.cluster else {
        return Some(Report::new(
            &repartition::CLUSTER_MISSING,
            format!("clusterRef: there is no TimCluster {name} in this namespace"),
        ));
    };
    let split = observed.repartition.spec.operation.split.as_ref()?;
    let (at, target) = cut(split)?;
    if !cluster
        .spec
        .databases
        .iter()
        .any(|database| database.name == target)
    {
        return Some(Report::new(
            &repartition::TARGET_INVALID,
            format!("target \"{target}\" is not one of spec.databases of TimCluster {name}"),
        ));
    }
    if let Some(first) = ahead(observed) {
        return Some(Report::new(
            &repartition::ONE_AT_A_TIME,
            format!("{first} comes first: one repartition runs at a time"),
        ));
    }
    if observed.known == Known::Silence || observed.ranges.is_empty() {
        return Some(Report::new(
            &node::NODE_UNREACHABLE,
            format!("no node of {name} answers"),
        ));
    }
    range(observed, split.from, at, &target)
}

/// The repartition that comes before this one: one that has begun, else an older one.
fn ahead(observed: &Observed) -> Option<&str> {
    let own = &observed.repartition;
    let begun = own
        .status
        .as_ref()
        .is_some_and(|status| status.operation_id.is_some());
    let created = own.metadata.creation_timestamp.as_ref().map(|time| time.0);
    let name = own.metadata.name.as_deref().unwrap_or_default();
    let own_turn = (!begun, created, name);
    let turns = observed
        .others
        .iter()
        .map(|other| (!other.started, Some(other.created), other.name.as_str()));
    turns
        .filter(|turn| *turn < own_turn)
        .min()
        .map(|(_, _, name)| name)
}

fn range(observed: &Observed, from: u32, at: u32, target: &str) -> Option<Report> {
    let mut ranges = observed.ranges.clone();
    ranges.sort_by_key(|range| range.from);
    let Some(index) = ranges.iter().position(|range| range.from == from) else {
        let known = ranges
            .iter()
            .map(|range| range.from.to_string())
            .collect::<Vec<_>>()
            .join(", ");
        return Some(Report::new(
            &repartition::SLOT_INVALID,
            format!("no range begins at {from}; ranges begin at {known}"),
        ));
    };
    let end = ranges
        .get(index + 1)
        .map_or(tim_crds::SLOT_COUNT, |next| next.from);
    if at <= from || at >= end {
        return Some(Report::new(
            &repartition::SLOT_INVALID,
            format!("slot {at} is not inside the range {from} … {}", end - 1),
        ));
    }
    let source = &ranges[index].database;
    (source == target).then(|| {
        Report::new(
            &repartition::TARGET_INVALID,
            format!("\"{target}\" holds the range {from} … {} already", end - 1),
        )
    })
}

/// What the nodes said when they were asked to start it.
pub(super) fn refusal(observed: &Observed) -> Option<Report> {
    if observed.known != Known::Nothing || observed.repartition.spec.cancel {
        return None;
    }
    let (code, details) = observed.refusal.as_ref()?;
    let cause = tim_catalogue::find(code).unwrap_or(&repartition::STEP_REFUSED);
    Some(Report::new(cause, details.clone()))
}
