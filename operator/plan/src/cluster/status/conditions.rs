//! The conditions of a cluster. Machines read these: Flux and Argo CD by Ready, Reconciling and Stalled, people by the rest.

use jiff::SignedDuration;
use tim_catalogue::Report;
use tim_crds::{Condition, cluster::Range};

use super::Picture;
use crate::{
    cluster::{
        certificates, facts,
        problems::{Area, Problem},
    },
    condition::{Judgement, merge},
    observed::{Node, ReportedRange},
};

/// A node that began less than this ago is starting, not failing.
const STARTING: SignedDuration = SignedDuration::from_secs(60);

pub(super) fn of(picture: &Picture<'_>, before: &[Condition]) -> Vec<Condition> {
    let judgements = vec![
        ready(picture),
        available(picture),
        progressing("Progressing", picture),
        degraded(picture),
        reconciled(picture),
        databases_ready(picture),
        certificates_valid(picture),
        layout_differs(picture),
        repartitioning(picture),
        paused(picture),
        progressing("Reconciling", picture),
        stalled(picture),
    ];
    merge(
        before,
        judgements,
        picture.observed.cluster.metadata.generation,
        picture.observed.now,
    )
}

fn ready(picture: &Picture<'_>) -> Judgement {
    if picture.intent.deleting {
        return Judgement::no("Ready", "Deleting", "the cluster is being deleted");
    }
    if let Some(problem) = first_problem(picture) {
        return Judgement::because("Ready", "False", &problem.report);
    }
    match (picture.settled, picture.intent.replicas) {
        (true, 0) => Judgement::yes("Ready", "Stopped", "replicas is 0; data is kept"),
        (true, wanted) => Judgement::yes("Ready", "AllNodesServe", format!("{wanted} nodes serve")),
        (false, _) => Judgement::no("Ready", "NotAllNodesServe", "not all wanted nodes serve yet"),
    }
}

fn available(picture: &Picture<'_>) -> Judgement {
    if picture.healthy > 0 {
        Judgement::yes("Available", "NodesServe", "clients can connect")
    } else if picture.intent.replicas == 0 {
        Judgement::no("Available", "Stopped", "replicas is 0; data is kept")
    } else {
        Judgement::no("Available", "NoNodeServes", "no node serves")
    }
}

fn progressing(type_: &'static str, picture: &Picture<'_>) -> Judgement {
    if picture.intent.paused {
        return Judgement::no(
            type_,
            "Paused",
            "the annotation timcluster.io/pause stops all writes",
        );
    }
    if picture.problems.iter().any(Problem::stays) {
        return Judgement::no(type_, "Blocked", "nothing goes on until the problem is mended");
    }
    let starting = picture
        .observed
        .nodes
        .iter()
        .any(|node| !facts::is_healthy(node) && is_starting(picture, node));
    let missing = !facts::missing_ordinals(picture.observed, picture.intent).is_empty();
    let moving = !picture.actions.is_empty() || picture.work.focus.is_some() || starting || missing;
    let superfluous = picture
        .observed
        .nodes
        .iter()
        .any(|node| !facts::is_wanted(picture.intent, node));
    if moving || superfluous || picture.intent.deleting {
        Judgement::yes(type_, "Working", "the cluster is being brought to its spec")
    } else {
        Judgement::no(type_, "Idle", "nothing is under way")
    }
}

fn degraded(picture: &Picture<'_>) -> Judgement {
    if let Some(problem) = first_problem(picture) {
        return Judgement::because("Degraded", "True", &problem.report);
    }
    let failing = picture.observed.nodes.iter().find(|node| {
        facts::is_wanted(picture.intent, node)
            && !facts::is_healthy(node)
            && !is_starting(picture, node)
            && picture
                .work
                .focus
                .as_ref()
                .is_none_or(|focus| focus.uid != node.uid)
            && !facts::is_draining(node)
            && node.phase != crate::observed::NodePhase::Terminating
    });
    match failing {
        Some(node) => {
            let observed = format!("{} does not serve", node.name);
            let report = Report::new(&tim_catalogue::node::NODE_UNREACHABLE, observed);
            Judgement::because("Degraded", "True", &report)
        }
        None => Judgement::no("Degraded", "AsExpected", "nothing is wrong"),
    }
}

fn reconciled(picture: &Picture<'_>) -> Judgement {
    if let Some(problem) = picture.problems.iter().find(|problem| problem.blocks) {
        return Judgement::because("Reconciled", "False", &problem.report);
    }
    if picture.intent.paused {
        return Judgement::unknown(
            "Reconciled",
            "Paused",
            "the annotation timcluster.io/pause stops all writes",
        );
    }
    if picture.settled && picture.actions.is_empty() {
        Judgement::yes(
            "Reconciled",
            "UpToDate",
            "objects and nodes are as the spec wants them",
        )
    } else {
        Judgement::no(
            "Reconciled",
            "Working",
            "objects and nodes are being brought to the spec",
        )
    }
}

fn databases_ready(picture: &Picture<'_>) -> Judgement {
    let type_ = "DatabasesReady";
    if let Some(problem) = picture
        .problems
        .iter()
        .find(|problem| problem.area == Area::Databases)
    {
        return Judgement::because(type_, "False", &problem.report);
    }
    if picture.healthy > 0 {
        Judgement::yes(type_, "Reachable", "all databases answer")
    } else {
        Judgement::unknown(type_, "NotAsked", "no node serves that could tell")
    }
}

fn certificates_valid(picture: &Picture<'_>) -> Judgement {
    let type_ = "CertificatesValid";
    let held = &picture.observed.secrets.certificates;
    for name in certificates::holders(picture.observed, picture.intent) {
        match held.get(&name) {
            None => return Judgement::no(type_, "Missing", format!("{name} has no certificate yet")),
            Some(certificate) if certificate.not_after <= picture.observed.now => {
                let report = Report::new(
                    &tim_catalogue::node::CERTIFICATE_EXPIRED,
                    format!("the certificate of {name} has ended"),
                );
                return Judgement::because(type_, "False", &report);
            }
            Some(_) => {}
        }
    }
    Judgement::yes(type_, "Valid", "all certificates are valid")
}

fn layout_differs(picture: &Picture<'_>) -> Judgement {
    let type_ = "LayoutDiffers";
    let mut wanted: Vec<&Range> = picture.observed.cluster.spec.partitioning.layout.iter().collect();
    wanted.sort_by_key(|range| range.from);
    let Some(report) = facts::best_map_report(picture.observed) else {
        return Judgement::unknown(type_, "MapUnknown", "no node has told its partition map");
    };
    if wanted.is_empty() {
        return Judgement::no(type_, "NoLayout", "the spec names no layout");
    }
    let same = wanted.len() == report.ranges.len()
        && wanted
            .iter()
            .zip(&report.ranges)
            .all(|(wanted, present)| wanted.from == present.from && wanted.database == present.database);
    if same {
        return Judgement::no(type_, "Same", "the map is as the layout names it");
    }
    let message = format!(
        "spec: {}; nodes: {}. A layout is read once; TimRepartitions move data",
        wanted
            .iter()
            .map(|range| format!("{}→{}", range.from, range.database))
            .collect::<Vec<_>>()
            .join(" "),
        report
            .ranges
            .iter()
            .map(|ReportedRange { from, database, .. }| format!("{from}→{database}"))
            .collect::<Vec<_>>()
            .join(" "),
    );
    Judgement::yes(type_, "MapDiffers", message)
}

fn repartitioning(picture: &Picture<'_>) -> Judgement {
    let active = picture
        .observed
        .repartitions
        .iter()
        .find(|repartition| repartition.started);
    match active {
        Some(repartition) => Judgement::yes(
            "Repartitioning",
            "Moving",
            format!("{} moves data", repartition.name),
        ),
        None => Judgement::no("Repartitioning", "None", "no data is being moved"),
    }
}

fn paused(picture: &Picture<'_>) -> Judgement {
    if picture.intent.paused {
        Judgement::yes(
            "Paused",
            "Annotation",
            "the annotation timcluster.io/pause stops all writes",
        )
    } else {
        Judgement::no("Paused", "NotPaused", "writes are not stopped")
    }
}

fn stalled(picture: &Picture<'_>) -> Judgement {
    match picture.problems.iter().find(|problem| problem.stays()) {
        Some(problem) => Judgement::because("Stalled", "True", &problem.report),
        None => Judgement::no("Stalled", "NotStalled", "nothing waits for somebody to act"),
    }
}

fn first_problem<'a>(picture: &Picture<'a>) -> Option<&'a Problem> {
    picture.problems.first()
}

fn is_starting(picture: &Picture<'_>, node: &Node) -> bool {
    node.trouble.is_none() && picture.observed.now.duration_since(node.created) < STARTING
}
