//! One message, one trace, across two nodes.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;
use tim_e2e::chat_checker::{Chat, Plan};
use tim_e2e::kubernetes::Sandbox;
use tim_e2e::kubernetes::signals::{Signals, Span, read};
use tim_e2e::kubernetes::tim_cluster::{Cluster, PATIENCE};

/// What a trace of a delivered message holds, in the order of its beginnings.
const STAGES: [&str; 5] = [
    "tim.frame message",
    "tim.home append",
    "tim.home commit",
    "tim.presence lookup",
    "tim.deliver",
];
/// How long spans may take from a node to the collector's file.
const ARRIVAL: Duration = Duration::from_secs(60);
/// Stages that make up the time to the acknowledgement may differ by so much from it.
const TOLERANCE_NANOS: u128 = 1_000_000;

fn stage<'a>(spans: &[&'a Span], name: &str) -> Option<&'a Span> {
    spans
        .iter()
        .copied()
        .filter(|span| span.name == name)
        .min_by_key(|span| span.start_nanos)
}

/// A trace with every stage, on at least two nodes of that namespace.
fn complete<'a>(signals: &'a Signals, nodes: &BTreeSet<String>) -> Option<Vec<&'a Span>> {
    signals.traces().into_values().find(|spans| {
        let instances: BTreeSet<&str> = spans.iter().map(|span| span.instance.as_str()).collect();
        let ours = instances
            .iter()
            .filter(|instance| nodes.contains(**instance))
            .count();
        ours >= 2 && STAGES.iter().all(|name| stage(spans, name).is_some())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_follows_a_message_from_the_senders_node_to_the_confirmation() -> anyhow::Result<()> {
    Sandbox::run("trace", async |sandbox| {
        let endpoint = sandbox.surroundings.collector().await?.context("no collector")?;
        sandbox.apply_file("examples/postgresql.yaml").await?;
        let mut object: serde_json::Value = serde_yaml::from_str(&std::fs::read_to_string(
            tim_e2e::kubernetes::repository_root().join("examples/chat.yaml"),
        )?)?;
        // A name of its own, so that its spans are told apart.
        object["metadata"]["name"] = json!("traced");
        object["spec"]["telemetry"] = json!({"otlpEndpoint": endpoint});
        object["spec"]["config"] = json!({"inline": {"telemetry": {"trace_ratio": 1.0}}});
        sandbox.apply(&object.to_string()).await?;
        let cluster = Cluster::of(sandbox, "traced");
        cluster.until_serving(3).await?;
        let nodes = [
            cluster.node(0).await?,
            cluster.node(1).await?,
            cluster.node(2).await?,
        ];
        let plan = Plan {
            pairs: 6,
            ..Plan::named("traced")
        };
        let mut chat = Chat::start(&plan, |person| nodes[(person / 2 + person % 2) % 3].clone()).await?;
        chat.until_all_chat(10, PATIENCE).await?;
        chat.end(PATIENCE).await?;

        let names: BTreeSet<String> = cluster.pods().await?.into_keys().collect();
        let begin = std::time::Instant::now();
        let signals = loop {
            let signals = read(&sandbox.surroundings.collected().await?)?;
            if complete(&signals, &names).is_some() {
                break signals;
            }
            anyhow::ensure!(
                begin.elapsed() < ARRIVAL,
                "no complete trace in {ARRIVAL:?}: {}",
                seen(&signals, &names)
            );
            // A file tells nobody when it grows.
            tokio::time::sleep(Duration::from_millis(500)).await;
        };
        check(&complete(&signals, &names).context("the trace that was just seen")?)
    })
    .await
}

fn seen(signals: &Signals, nodes: &BTreeSet<String>) -> String {
    let names: BTreeSet<(&str, &str)> = signals
        .spans
        .iter()
        .filter(|span| nodes.contains(&span.instance))
        .map(|span| (span.instance.as_str(), span.name.as_str()))
        .collect();
    format!("{} spans, of these nodes: {names:?}", signals.spans.len())
}

/// Every span hangs under another one of the trace, begins in the order of the stages, and the stages up to the commit fill
/// the time to the acknowledgement.
fn check(spans: &[&Span]) -> anyhow::Result<()> {
    let ids: BTreeSet<&str> = spans.iter().map(|span| span.id.as_str()).collect();
    let roots: Vec<&str> = spans
        .iter()
        .filter(|span| !ids.contains(span.parent.as_str()))
        .map(|span| span.name.as_str())
        .collect();
    anyhow::ensure!(roots == ["tim.frame message"], "roots: {roots:?}");
    let stages: Vec<&Span> = STAGES.iter().filter_map(|name| stage(spans, name)).collect();
    for pair in stages.windows(2) {
        let [before, after] = pair else { continue };
        anyhow::ensure!(
            before.start_nanos <= after.start_nanos + TOLERANCE_NANOS,
            "{} begins after {}",
            before.name,
            after.name
        );
    }
    let (frame, append, commit) = (stages[0], stages[1], stages[2]);
    let within = |inner: &Span, outer: &Span| {
        inner.start_nanos + TOLERANCE_NANOS >= outer.start_nanos
            && inner.end_nanos <= outer.end_nanos + TOLERANCE_NANOS
    };
    anyhow::ensure!(
        within(append, frame),
        "the append is no part of the time to the acknowledgement"
    );
    anyhow::ensure!(within(commit, append), "the commit is no part of the append");
    let line: Vec<String> = stages
        .iter()
        .map(|span| {
            format!(
                "{} on {} {:.2} ms",
                span.name,
                span.instance,
                (span.end_nanos - span.start_nanos) as f64 / 1e6
            )
        })
        .collect();
    eprintln!("one trace: {}", line.join(" → "));
    Ok(())
}
