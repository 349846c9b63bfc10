//! What the whole run has left in the audit log, at the collector, and in the cluster. Runs at the end.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use tim_e2e::chat_checker::{ACCOUNT_CANARY, PASSWORD, TEXT_CANARY};
use tim_e2e::kubernetes::audit::{requests_of, rights_used};
use tim_e2e::kubernetes::permissions::{Rules, differences, granted};
use tim_e2e::kubernetes::signals::read;
use tim_e2e::kubernetes::surroundings::{OPERATOR, OPERATOR_NAMESPACE};
use tim_e2e::kubernetes::wait::until_all;
use tim_e2e::kubernetes::{Surroundings, repository_root};
use tim_telemetry::names::{ATTRIBUTES, METRICS, SPANS};

/// Series that one node may have.
const SERIES_PER_NODE_MAX: usize = 2_000;
/// How long all namespaces together may take to go.
const CLEAN_UP: Duration = Duration::from_secs(240);
/// Requests that every client makes for itself, without a rule: reviews of rights, discovery.
const OWN_GROUPS: [&str; 2] = ["authorization.k8s.io", "authentication.k8s.io"];

/// A right that an admission plugin asks about, which leaves no request of its own.
const ASKED_BY_ADMISSION: (&str, &str, &str) = ("timcluster.io", "timclusters/finalizers", "update");

#[tokio::test]
async fn the_chart_grants_every_right_that_was_used_and_no_other() -> anyhow::Result<()> {
    let surroundings = Surroundings::find().await?;
    let user = format!("system:serviceaccount:{OPERATOR_NAMESPACE}:{OPERATOR}");
    let requests = requests_of(&surroundings.audit_log().await?, &user)?;
    let refused: Vec<String> = requests
        .iter()
        .filter(|request| request.is_forbidden())
        .map(|request| request.shown())
        .collect();
    anyhow::ensure!(
        refused.is_empty(),
        "refused for want of rights:\n{}",
        refused.join("\n")
    );
    let rules: Rules = serde_yaml::from_str(&std::fs::read_to_string(
        repository_root().join("charts/tim-operator/files/rules.yaml"),
    )?)?;
    let mut used = rights_used(requests.iter().filter(|request| {
        request
            .object_ref
            .as_ref()
            .is_some_and(|object| !OWN_GROUPS.contains(&object.api_group.as_str()))
    }));
    let (group, resource, verb) = ASKED_BY_ADMISSION;
    used.insert((group.to_owned(), resource.to_owned(), verb.to_owned()));
    let differences = differences(&granted(rules.clusters.iter().chain(&rules.lease)), &used);
    anyhow::ensure!(
        differences.is_empty(),
        "{} requests:\n{}",
        requests.len(),
        differences.join("\n")
    );
    Ok(())
}

#[tokio::test]
async fn no_signal_holds_a_password_an_account_or_a_message() -> anyhow::Result<()> {
    let surroundings = Surroundings::find().await?;
    let collected = surroundings.collected().await?;
    anyhow::ensure!(
        collected.len() > 100_000,
        "the collector received only {} bytes",
        collected.len()
    );
    for canary in [PASSWORD, ACCOUNT_CANARY, TEXT_CANARY, "tim:timcluster@"] {
        if let Some(place) = collected.find(canary) {
            let begin = collected[..place]
                .char_indices()
                .rev()
                .nth(300)
                .map_or(0, |(index, _)| index);
            anyhow::bail!(
                "{canary} was told to the collector: {}",
                &collected[begin..place + canary.len()]
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn every_name_in_telemetry_is_in_the_reference() -> anyhow::Result<()> {
    let surroundings = Surroundings::find().await?;
    let signals = read(&surroundings.collected().await?)?;
    let spans: BTreeSet<&str> = SPANS.iter().map(|span| span.name).collect();
    let metrics: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
    let attributes: BTreeSet<&str> = ATTRIBUTES.iter().map(|attribute| attribute.name).collect();
    let mut unknown = BTreeSet::new();
    for span in &signals.spans {
        // Names of spans may end in a closed set of values: the known part is a prefix.
        if !spans.contains(span.name.as_str()) {
            unknown.insert(format!("span {}", span.name));
        }
        unknown.extend(
            span.attributes
                .keys()
                .filter(|name| !attributes.contains(name.as_str()))
                .map(|name| format!("attribute {name} of span {}", span.name)),
        );
    }
    for (metric, used) in &signals.metrics {
        if !metrics.contains(metric.as_str()) {
            unknown.insert(format!("metric {metric}"));
        }
        unknown.extend(
            used.iter()
                .filter(|name| !attributes.contains(name.as_str()))
                .map(|name| format!("attribute {name} of metric {metric}")),
        );
    }
    unknown.extend(
        signals
            .resource_attributes
            .iter()
            .filter(|name| !attributes.contains(name.as_str()))
            .map(|name| format!("resource attribute {name}")),
    );
    anyhow::ensure!(
        unknown.is_empty(),
        "not in the reference:\n{}",
        unknown.into_iter().collect::<Vec<_>>().join("\n")
    );
    let names: BTreeSet<&str> = signals.spans.iter().map(|span| span.service.as_str()).collect();
    anyhow::ensure!(
        names.contains("tim-node") && names.contains("tim-operator"),
        "traces come from {names:?} only"
    );
    for (process, series) in &signals.series {
        anyhow::ensure!(
            series.len() <= SERIES_PER_NODE_MAX,
            "{process} has {} series",
            series.len()
        );
    }
    Ok(())
}

#[tokio::test]
async fn the_namespaces_of_all_tests_that_passed_are_gone() -> anyhow::Result<()> {
    let surroundings = Surroundings::find().await?;
    let namespaces: Api<Namespace> = Api::all(surroundings.client.clone());
    // With `TIM_TEST_KEEP` those of failed tests stay, to be looked at; only those that were asked to go count.
    let deleting = |namespace: &Namespace| namespace.metadata.deletion_timestamp.is_some();
    until_all(&namespaces, "tim-test", "namespaces are gone", CLEAN_UP, |all| {
        !all.values().any(deleting)
    })
    .await
    .context("something holds them")?;
    Ok(())
}
