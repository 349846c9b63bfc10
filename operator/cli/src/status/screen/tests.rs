use super::*;
use crate::status::document::{ConditionRow, PartitionRow, RepartitionRow};
use crate::terminal::width;

fn document() -> StatusDocument {
    let node = |name: &str, state: &str, note: &str| NodeRow {
        name: name.into(),
        pid: Some(41_220),
        state: state.into(),
        sessions: (state != "silent").then_some(5_203),
        messages_per_second: (state != "silent").then_some(1_840.4),
        ack_p99_milliseconds: (state != "silent").then_some(11.2),
        lag: (state != "silent").then_some(0),
        client_url: Some("ws://127.0.0.1:5080/tim".into()),
        admin_url: Some("http://127.0.0.1:5082".into()),
        zone: None,
        version: Some("0.1.0".into()),
        resident_bytes: Some(222_298_112),
        uptime_seconds: Some(525_600),
        control_leader: false,
        note: note.into(),
    };
    StatusDocument {
        schema_version: 1,
        cluster: "chat".into(),
        cluster_id: "default.chat".into(),
        target: "local cluster chat in .tim/".into(),
        verdict: Verdict::Degraded,
        reason: "1 of 3 nodes does not answer: chat-2".into(),
        meaning: "Chat goes on; no message is at risk.".into(),
        code: Some("TIM-N104".into()),
        observed_at: "2026-11-20T14:07:22Z".into(),
        replicas: 3,
        serving: 2,
        epoch: 41,
        partitions: vec![PartitionRow {
            from: 0,
            to: 524_287,
            database: "d0".into(),
            kind: "SQLite".into(),
            state: "ok".into(),
            size_bytes: Some(44_023_414_784),
            commit_p99_milliseconds: Some(4.1),
            epoch: 41,
        }],
        nodes: vec![
            node("chat-0", "serving", "control leader"),
            node("chat-2", "silent", &"no answer; ".repeat(20)),
        ],
        room_to_lose_a_node: false,
        no_room_because: Some("needs 3 serving".into()),
        certificates_not_after: Some("2027-01-20T00:00:00Z".into()),
        repartitions: vec![RepartitionRow {
            name: "chat-split-1".into(),
            phase: "Copying".into(),
            percent: 42,
            reason: Some("copying rows".into()),
        }],
        conditions: vec![ConditionRow {
            kind: "Degraded".into(),
            status: "True".into(),
            reason: "NodeUnreachable".into(),
            message: "chat-2 does not answer ".repeat(10),
        }],
    }
}

fn shown(detail: Detail) -> Vec<String> {
    lines(&document(), detail, "2026-11-20T00:00:00Z".parse().unwrap())
}

#[test]
fn one_line_says_verdict_reason_and_code() {
    let first = &shown(Detail::default())[0];
    for part in [
        "chat",
        "DEGRADED",
        "does not answer: chat-2",
        "tim explain TIM-N104",
    ] {
        assert!(first.contains(part), "{first}");
    }
}

#[test]
fn no_line_is_wider_than_the_limit() {
    for line in shown(Detail {
        wide: true,
        verbose: true,
    }) {
        assert!(width(&line) <= WIDTH_MAX, "{} columns: {line}", width(&line));
    }
}

#[test]
fn a_long_reason_takes_more_lines_and_the_code_one_of_its_own() {
    let mut document = document();
    document.reason = "database d0: it refuses connections ".repeat(6);
    let lines = lines(&document, Detail::default(), Timestamp::UNIX_EPOCH);
    assert!(lines.iter().all(|line| width(line) <= WIDTH_MAX));
    let told = lines[..4]
        .join(" ")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let expected = format!("{} [TIM-N104, tim explain TIM-N104]", document.reason.trim());
    assert!(told.contains(&expected), "{told}");
    assert!(
        lines
            .iter()
            .any(|line| line.trim() == "[TIM-N104, tim explain TIM-N104]")
    );
}

#[test]
fn a_node_that_answers_tells_its_load() {
    let text = shown(Detail::default()).join("\n");
    assert!(text.contains("5,203  1,840    11 ms    0  212 Mi"), "{text}");
}

#[test]
fn a_partition_tells_size_and_commits_of_its_database() {
    let text = shown(Detail::default()).join("\n");
    assert!(text.contains("STATE     SIZE  COMMIT P99  EPOCH"), "{text}");
    assert!(text.contains("41.0 Gi      4.1 ms     41"), "{text}");
    let mut unknown = document();
    unknown.partitions[0].size_bytes = None;
    unknown.partitions[0].commit_p99_milliseconds = None;
    let lines = lines(&unknown, Detail::default(), Timestamp::UNIX_EPOCH);
    let row = lines.iter().find(|line| line.contains("524287")).unwrap();
    assert!(row.ends_with("-           -     41"), "{row}");
}

#[test]
fn columns_that_nobody_fills_are_left_out() {
    let first = |document: &StatusDocument| {
        let all = lines(document, Detail::default(), Timestamp::UNIX_EPOCH);
        all.into_iter()
            .find(|line| line.contains("NODE"))
            .unwrap_or_default()
    };
    let mut document = document();
    assert!(first(&document).contains("PID") && !first(&document).contains("ZONE"));
    for node in &mut document.nodes {
        (node.pid, node.zone) = (None, Some("a".into()));
    }
    assert!(!first(&document).contains("PID") && first(&document).contains("ZONE"));
    document.nodes.clear();
    let all = lines(&document, Detail::default(), Timestamp::UNIX_EPOCH);
    assert!(
        all.contains(&"No node runs, and none is wanted.".to_owned()),
        "{all:?}"
    );
}

#[test]
fn the_footer_names_certificates_and_the_running_repartition() {
    let text = shown(Detail::default()).join("\n");
    assert!(text.contains("Certificates: 61 d."), "{text}");
    assert!(text.contains("Repartition: chat-split-1 Copying 42 %."), "{text}");
    assert!(text.contains("Room to lose a node: no (needs 3 serving)."));
}

#[test]
fn conditions_are_for_those_who_ask() {
    assert!(!shown(Detail::default()).join("\n").contains("NodeUnreachable"));
    assert!(
        shown(Detail {
            verbose: true,
            wide: false
        })
        .join("\n")
        .contains("NodeUnreachable")
    );
}
