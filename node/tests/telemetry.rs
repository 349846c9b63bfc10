//! What leaves a node: one trace over two nodes, nothing personal in it, and nothing that slows when nobody takes it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;
use support::Cluster;
use support::collector::{Collector, Span};

const STAGES: [&str; 6] = [
    "tim.frame message",
    "tim.home append",
    "tim.home commit",
    "INSERT tim_message",
    "tim.presence lookup",
    "tim.deliver",
];

/// The spans of a trace that has all stages on at least two nodes.
fn whole_trace(spans: &[Span]) -> Option<Vec<Span>> {
    let traces: BTreeSet<&Vec<u8>> = spans.iter().map(|span| &span.trace).collect();
    traces.into_iter().find_map(|trace| {
        let of_trace: Vec<Span> = spans
            .iter()
            .filter(|span| span.trace == *trace)
            .cloned()
            .collect();
        let nodes: BTreeSet<&String> = of_trace.iter().map(|span| &span.node).collect();
        let whole = STAGES
            .iter()
            .all(|stage| of_trace.iter().any(|span| span.name == *stage));
        (whole && nodes.len() >= 2).then_some(of_trace)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_trace_shows_a_message_over_two_nodes_to_its_confirmation() {
    let (collector, endpoint) = Collector::start().await;
    let mut cluster = Cluster::prepare(3, &["d0", "d1"]);
    cluster.telemetry = format!("otlp_endpoint = \"{endpoint}\"\ntrace_ratio = 1.0\n");
    cluster.run_all().await;
    let (_, bob) = cluster.friends("canary-alice", "canary-bob").await;
    let mut sender = cluster.login(0, "canary-alice").await;
    let mut receiver = cluster.login(1, "canary-bob").await;
    receiver.offline().await;
    let deadline = tokio::time::Instant::now() + support::PATIENCE;
    let trace = loop {
        sender.say(&bob, "canary text").await;
        sender.message().await;
        receiver.message().await;
        if let Some(trace) = whole_trace(&collector.spans()) {
            break trace;
        }
        assert!(tokio::time::Instant::now() < deadline, "{:?}", collector.spans());
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let stage = |name: &str| trace.iter().find(|span| span.name == name).unwrap();
    let (frame, append) = (stage("tim.frame message"), stage("tim.home append"));
    assert!(frame.parent.is_empty(), "the root");
    assert_eq!(append.parent, frame.id);
    assert_eq!(stage("tim.home commit").parent, append.id);
    assert_eq!(stage("INSERT tim_message").parent, stage("tim.home commit").id);
    assert!(frame.begin_ns <= append.begin_ns && append.end_ns <= frame.end_ns);
    // What is between the stages is less than a millisecond, give or take a busy machine's.
    assert_eq!(
        stage("tim.deliver").attributes["tim.deliver.outcome"],
        "confirmed"
    );
    assert_ne!(stage("tim.deliver").node, frame.node);
    let listed: BTreeSet<&str> = tim_telemetry::names::SPANS.iter().map(|span| span.name).collect();
    let known: BTreeSet<&str> = tim_telemetry::names::ATTRIBUTES
        .iter()
        .map(|attribute| attribute.name)
        .collect();
    for span in collector.spans() {
        assert!(
            listed.contains(span.name.as_str()),
            "{} is in no reference",
            span.name
        );
        for (name, value) in &span.attributes {
            assert!(known.contains(name.as_str()), "{name} is in no reference");
            assert!(
                !value.contains("canary") && !value.contains(&bob),
                "{name} is personal"
            );
        }
    }
}

#[tokio::test]
async fn a_collector_that_is_down_holds_nothing_up() {
    let mut cluster = Cluster::prepare(1, &["d0"]);
    cluster.telemetry = "otlp_endpoint = \"http://127.0.0.1:9\"\ntrace_ratio = 1.0\n".to_owned();
    cluster.run_all().await;
    let (_, bob) = cluster.friends("alice", "bob").await;
    let mut sender = cluster.login(0, "alice").await;
    for number in 0..200 {
        sender.say(&bob, &number.to_string()).await;
    }
    for _ in 0..200 {
        sender.message().await;
    }
    cluster.terminate(0).await;
}
