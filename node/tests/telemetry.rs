//! What leaves a node: one trace over two nodes, nothing personal in it, and nothing that slows when nobody takes it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;
use support::administered::Administered;
use support::collector::{Collector, Span};
use support::thrift_client::{ThriftClient, Value, texts};
use support::{Cluster, http};

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

/// How many messages a node has acknowledged, and how long that has taken in all, as its metrics say.
async fn acknowledged(cluster: &Cluster) -> (f64, f64) {
    let (_, metrics) = http::get(cluster.nodes[0].admin_port, "/metrics").await.unwrap();
    let value = |name: &str| -> f64 {
        let line = metrics.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().next_back().unwrap().parse().unwrap()
    };
    (
        value("tim_message_ack_duration_seconds_count"),
        value("tim_message_ack_duration_seconds_sum"),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stages_of_a_message_fill_the_time_to_its_acknowledgement() {
    const MESSAGES: usize = 20;
    const MILLISECOND: f64 = 1e-3;
    let (collector, endpoint) = Collector::start().await;
    let mut cluster = Cluster::prepare(2, &["d0"]);
    cluster.telemetry = format!("otlp_endpoint = \"{endpoint}\"\ntrace_ratio = 1.0\n");
    cluster.run_all().await;
    let (_, bob) = cluster.friends("alice", "bob").await;
    let mut sender = cluster.login(0, "alice").await;
    let mut measured = Vec::new();
    for number in 0..MESSAGES {
        let before = acknowledged(&cluster).await;
        sender.say(&bob, &number.to_string()).await;
        sender.message().await;
        let after = acknowledged(&cluster).await;
        assert!((after.0 - before.0 - 1.0).abs() < 0.5, "{before:?} {after:?}");
        measured.push(after.1 - before.1);
    }
    let seconds = |span: &Span| (span.end_ns - span.begin_ns) as f64 / 1e9;
    let deadline = tokio::time::Instant::now() + support::PATIENCE;
    // In the order of their sending.
    let pairs: Vec<(f64, f64)> = loop {
        let spans = collector.spans();
        let stages = |name: &'static str| spans.iter().filter(move |span| span.name == name);
        let mut frames: Vec<&Span> = stages("tim.frame message").collect();
        frames.sort_by_key(|frame| frame.begin_ns);
        let pairs: Vec<_> = frames
            .into_iter()
            .filter_map(|frame| {
                let append = stages("tim.home append").find(|append| append.parent == frame.id)?;
                Some((seconds(frame), seconds(append)))
            })
            .collect();
        if pairs.len() >= MESSAGES {
            break pairs;
        }
        assert!(tokio::time::Instant::now() < deadline, "{} traces", pairs.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    // What the trace says is what the metrics say; of half the messages, since a busy machine comes between the two.
    let mut off: Vec<f64> = pairs
        .iter()
        .zip(measured)
        .map(|((frame, _), measured)| (frame - measured).abs())
        .collect();
    off.sort_by(f64::total_cmp);
    assert!(off[MESSAGES / 2] < MILLISECOND, "{off:?}");
    // And no stage is missing: what none accounts for is less than a millisecond in the message that waited least for a
    // processor.
    let gaps = pairs.iter().map(|(frame, append)| frame - append);
    let smallest = gaps.fold(f64::INFINITY, f64::min);
    assert!((0.0..MILLISECOND).contains(&smallest), "{smallest} s");
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

/// A call, its interface, and how it ended.
type Called = (String, String, String, Option<String>);

fn calls(spans: &[Span]) -> BTreeSet<Called> {
    let calls = spans.iter().filter(|span| span.name == "tim.admin call");
    calls
        .filter_map(|span| {
            let of = |name: &str| span.attributes.get(name).cloned();
            Some((
                of("tim.admin.interface")?,
                of("tim.admin.operation")?,
                of("tim.admin.outcome")?,
                of("error.type"),
            ))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn administrators_calls_are_spans_whatever_the_interface() {
    use futures::{SinkExt as _, StreamExt as _};
    use tokio_tungstenite::tungstenite::Message;
    let (collector, endpoint) = Collector::start().await;
    let mut cluster = Cluster::prepare(1, &["d0"]);
    cluster.telemetry = format!("otlp_endpoint = \"{endpoint}\"\ntrace_ratio = 1.0\n");
    cluster.server_api = "enabled = true".to_owned();
    let it = Administered::start_on(cluster, "tim_2_0_api = true\ntim_2_1_websocket = true").await;
    let none = serde_json::Value::Null;
    it.call(0, &it.read, ("GET", "/blocks"), none.clone()).await;
    it.call(0, "tim-admin-canary", ("GET", "/blocks"), none.clone())
        .await;
    let missing = ("PUT", "/accounts/canary-account/password");
    it.call(0, &it.admin, missing, serde_json::json!({"password": "canary"}))
        .await;
    it.post("/timBlockList", support::administered::JSON, "").await;
    let node = &it.cluster.nodes[0];
    let mut thrift = ThriftClient::authenticated(node.server_api_port);
    thrift.call("SysBlockList", Value::Struct(Vec::new())).unwrap();
    let _ = thrift.call("Roster", texts(&["canary-account", ""]));
    let url = format!("ws://127.0.0.1:{}/tim", node.admin_port);
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    let text = |text: &str| [&[0x18, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    for frame in [
        [vec![12], text("console"), text("wrong"), vec![0]].concat(),
        [vec![12], text("console"), text("let me in"), vec![0]].concat(),
    ] {
        socket.send(Message::Binary(frame.into())).await.unwrap();
        socket.next().await.unwrap().unwrap();
    }
    socket
        .send(Message::Binary(vec![13, 0x13, 1, 0].into()))
        .await
        .unwrap();

    let wanted = [
        ("api_v1", "list_blocks", "done", None),
        ("api_v1", "authenticate", "refused", Some("not_authenticated")),
        ("api_v1", "set_password", "refused", Some("no_such_account")),
        ("tim_2_0", "list_blocks", "done", None),
        ("server_api", "list_blocks", "done", None),
        ("websocket", "authenticate", "refused", Some("not_authenticated")),
        ("websocket", "watch_online", "done", None),
    ];
    let wanted = wanted.map(
        |(interface, operation, outcome, error): (&str, &str, &str, Option<&str>)| {
            let error = error.map(str::to_owned);
            (
                interface.to_owned(),
                operation.to_owned(),
                outcome.to_owned(),
                error,
            )
        },
    );
    let deadline = tokio::time::Instant::now() + support::PATIENCE;
    while !wanted.iter().all(|call| calls(&collector.spans()).contains(call)) {
        let seen = calls(&collector.spans());
        assert!(tokio::time::Instant::now() < deadline, "{seen:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for span in collector.spans() {
        let personal = span.attributes.values().any(|value| value.contains("canary"));
        assert!(!personal, "{span:?}");
    }
}
