//! What stands in the way, in the words of the catalogue.

use tim_catalogue::{Report, Severity, configuration, kubernetes, node, storage};

use super::facts;
use crate::{
    action::SecretKind,
    intent::Intent,
    names, node_config,
    observed::{Dsn, Node, NodePhase, Observed},
};

/// Schemes of a DSN that nodes understand.
const SCHEMES: [&str; 5] = ["sqlite", "postgres", "postgresql", "mysql", "mariadb"];

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Problem {
    pub(super) report: Report,
    pub(super) area: Area,
    /// Whether no node may be added or replaced while it lasts.
    pub(super) blocks: bool,
}

/// Which condition speaks of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Area {
    Spec,
    Databases,
    Objects,
    Nodes,
}

impl Problem {
    fn blocking(area: Area, report: Report) -> Self {
        Self {
            report,
            area,
            blocks: true,
        }
    }

    fn noted(area: Area, report: Report) -> Self {
        Self {
            report,
            area,
            blocks: false,
        }
    }

    /// Whether nothing will change until somebody acts.
    pub(super) fn stays(&self) -> bool {
        self.blocks && self.report.cause().severity == Severity::Stays
    }
}

/// Everything that is wrong, the gravest first.
pub(super) fn find(observed: &Observed, intent: &Intent) -> Vec<Problem> {
    let mut problems = Vec::new();
    if intent.deleting {
        return problems;
    }
    spec(observed, intent, &mut problems);
    secrets(observed, intent, &mut problems);
    databases(observed, intent, &mut problems);
    names_taken(observed, intent, &mut problems);
    nodes(observed, intent, &mut problems);
    problems
}

fn spec(observed: &Observed, intent: &Intent, problems: &mut Vec<Problem>) {
    if let Some(report) = &observed.config_problem {
        problems.push(Problem::blocking(Area::Spec, report.clone()));
    }
    if intent.image.is_empty() {
        let report = Report::new(
            &configuration::MISSING_FIELD,
            "spec.image is missing and the operator has no default image",
        );
        problems.push(Problem::blocking(Area::Spec, report));
    }
    for (reference, content) in &observed.config_secrets {
        if content.is_none() {
            let report = Report::new(
                &kubernetes::CONFIG_SECRET_MISSING,
                format!("spec.config.secretRefs: Secret {reference} does not exist or has no such key"),
            );
            problems.push(Problem::blocking(Area::Spec, report));
        }
    }
}

/// Whether nodes may have stored something: then a missing storage key is a loss and not a beginning.
pub(super) fn has_been_made(observed: &Observed) -> bool {
    let status = observed.cluster.status.as_ref();
    observed.workload.is_some()
        || !observed.nodes.is_empty()
        || status.is_some_and(|status| status.current_revision.is_some() || status.partitions.is_some())
}

fn secrets(observed: &Observed, intent: &Intent, problems: &mut Vec<Problem>) {
    let storage_key = SecretKind::Storage;
    if !observed.secrets.present.contains(&storage_key) && has_been_made(observed) {
        let name = names::secret(&intent.name, storage_key);
        let report = Report::new(
            &kubernetes::STORAGE_KEY_MISSING,
            format!("Secret {name}, which holds the storage key, is gone"),
        );
        problems.push(Problem::blocking(Area::Databases, report));
    }
}

fn databases(observed: &Observed, intent: &Intent, problems: &mut Vec<Problem>) {
    for (index, database) in observed.cluster.spec.databases.iter().enumerate() {
        let reference = &database.dsn_secret_ref;
        let place = format!(
            "databases[{index}] \"{}\": Secret {}, key {}",
            database.name, reference.name, reference.key
        );
        let report = match observed.databases.get(&database.name) {
            None | Some(Dsn::SecretMissing) => Report::new(
                &storage::SECRET_MISSING,
                format!("{place}: there is no such Secret"),
            ),
            Some(Dsn::KeyMissing) => Report::new(
                &storage::SECRET_MISSING,
                format!("{place}: the Secret has no such key"),
            ),
            Some(Dsn::Found { scheme }) if !SCHEMES.contains(&scheme.as_str()) => Report::new(
                &storage::UNKNOWN_SCHEME,
                format!("{place}: unknown scheme. Known: sqlite, postgres, mysql"),
            ),
            Some(Dsn::Found { scheme })
                if scheme == "sqlite" && intent.replicas > 1 && !observed.shared_disk =>
            {
                Report::new(
                    &configuration::SQLITE_ONE_REPLICA,
                    format!(
                        "databases: SQLite lives on one node's disk, so replicas must be 1 (is {})",
                        intent.replicas
                    ),
                )
                .with_remedy("replicas: 1, or give databases a PostgreSQL or MySQL DSN")
            }
            Some(Dsn::Found { .. }) => continue,
        };
        problems.push(Problem::blocking(Area::Databases, report));
    }
    forgotten_database(observed, problems);
}

/// A database that holds slots cannot leave the spec.
fn forgotten_database(observed: &Observed, problems: &mut Vec<Problem>) {
    let declared = node_config::databases(&observed.cluster);
    let known = facts::best_map_report(observed)
        .into_iter()
        .flat_map(|report| report.ranges.iter().map(|range| &range.database));
    let noted = observed
        .cluster
        .status
        .iter()
        .flat_map(|status| &status.partitions)
        .flat_map(|partitions| partitions.map.iter().map(|range| &range.database));
    let moving = observed
        .repartitions
        .iter()
        .filter(|repartition| repartition.started)
        .flat_map(|repartition| &repartition.targets);
    // What the nodes say now counts; what was noted counts while none of them answers.
    let mut used: Vec<&String> = known.collect();
    if used.is_empty() {
        used = noted.collect();
    }
    used.extend(moving);
    if let Some(database) = used.into_iter().find(|database| !declared.contains(database)) {
        let report = Report::new(
            &storage::UNKNOWN_DATABASE,
            format!("databases: \"{database}\" still holds slots but is not in spec.databases"),
        )
        .with_remedy("put the database back, or move its slots away first");
        problems.push(Problem::blocking(Area::Databases, report));
    }
}

fn names_taken(observed: &Observed, intent: &Intent, problems: &mut Vec<Problem>) {
    let taken = observed
        .present
        .iter()
        .filter(|(_, present)| !present.owned)
        .map(|(id, _)| id.to_string());
    let secrets = observed
        .secrets
        .foreign
        .iter()
        .map(|kind| format!("Secret/{}", names::secret(&intent.name, *kind)));
    let workload = observed
        .workload
        .iter()
        .filter(|workload| !workload.owned)
        .map(|_| format!("StatefulSet/{}", names::workload(&intent.name)));
    for name in taken.chain(secrets).chain(workload) {
        let report = Report::new(
            &kubernetes::NAME_TAKEN,
            format!("{name} exists and is not controlled by this TimCluster"),
        );
        problems.push(Problem::blocking(Area::Objects, report));
    }
}

fn nodes(observed: &Observed, intent: &Intent, problems: &mut Vec<Problem>) {
    for node in observed
        .nodes
        .iter()
        .filter(|node| facts::is_wanted(intent, node))
    {
        if let Some(report) = of_node(observed, node) {
            problems.push(report);
        }
    }
}

fn of_node(observed: &Observed, node: &Node) -> Option<Problem> {
    if let Some(trouble) = &node.trouble {
        return Some(Problem::noted(
            Area::Nodes,
            Report::new(trouble.cause, format!("{}: {}", node.name, trouble.observed)),
        ));
    }
    let Some(report) = &node.report else {
        let lost = node.phase == NodePhase::Running && facts::is_broken(observed, node);
        return lost.then(|| {
            Problem::noted(
                Area::Nodes,
                Report::new(&node::NODE_UNREACHABLE, format!("{} does not answer", node.name)),
            )
        });
    };
    if let Some((code, details)) = report.database_causes.first() {
        return Some(Problem::noted(Area::Databases, relayed(code, details)));
    }
    let (code, details) = report
        .causes
        .iter()
        .find(|(code, _)| *code != node::DRAINING.code)?;
    Some(Problem::noted(
        Area::Nodes,
        relayed(code, &format!("{}: {details}", node.name)),
    ))
}

/// A node speaks in codes of the same catalogue.
fn relayed(code: &str, details: &str) -> Report {
    Report::new(
        tim_catalogue::find(code).unwrap_or(&node::NODE_UNREACHABLE),
        details,
    )
}
