//! Injected states and the verdict each must give.

use super::*;
use crate::status::observation::DeclaredDatabase;
use tim_proto::control::v1::{Cause as ToldCause, DrainProgress, Member, Range, View};

/// A healthy cluster of three nodes on two databases.
pub(crate) fn healthy() -> Observation {
    let names = ["chat-0", "chat-1", "chat-2"];
    Observation {
        cluster: "chat".into(),
        cluster_id: "default.chat".into(),
        target: "local cluster chat in .tim/".into(),
        replicas: 3,
        databases: vec![DeclaredDatabase {
            name: "d0".into(),
            kind: "SQLite".into(),
        }],
        nodes: names.iter().map(|name| node(name, &names)).collect(),
        ..Observation::default()
    }
}

fn node(name: &str, members: &[&str]) -> NodeObservation {
    let leader = name == "chat-1";
    NodeObservation {
        name: name.into(),
        wanted: true,
        pid: Some(41_220),
        present: true,
        client_url: Some("ws://127.0.0.1:5080/tim".into()),
        admin_url: Some("http://127.0.0.1:5082".into()),
        reply: Some(StatusReply {
            node: name.into(),
            version: "0.1.0".into(),
            state: NodeState::Serving.into(),
            uptime_seconds: 100,
            n_sessions: 5_203,
            resident_bytes: 40_000_000,
            view: Some(View {
                hash: 1,
                members: members
                    .iter()
                    .map(|member| Member {
                        name: (*member).into(),
                        ..Member::default()
                    })
                    .collect(),
            }),
            map: Some(PartitionMap {
                version: 1,
                ranges: vec![
                    Range {
                        from: 0,
                        database: "d0".into(),
                        epoch: 1,
                    },
                    Range {
                        from: 524_288,
                        database: "d1".into(),
                        epoch: 41,
                    },
                ],
            }),
            control_group: Some(ControlGroup {
                leader,
                leader_raft_id: 7,
                leader_node: "chat-1".into(),
                voters: members.iter().map(|member| (*member).into()).collect(),
                applied_index: 5,
                ..ControlGroup::default()
            }),
            databases: ["d0", "d1"].iter().map(|name| database(name, true)).collect(),
            ..StatusReply::default()
        }),
        ..NodeObservation::default()
    }
}

fn database(name: &str, reachable: bool) -> Database {
    Database {
        name: name.into(),
        kind: "sqlite".into(),
        reachable,
        cause: (!reachable).then(|| ToldCause {
            code: "TIM-S107".into(),
            detail: "no space left".into(),
        }),
        ..Database::default()
    }
}

fn reply(observed: &mut Observation, index: usize) -> &mut StatusReply {
    observed.nodes[index].reply.as_mut().unwrap()
}

fn all_replies(observed: &mut Observation, change: impl Fn(&mut StatusReply)) {
    for node in &mut observed.nodes {
        change(node.reply.as_mut().unwrap());
    }
}

fn verdict(observed: &Observation) -> (Verdict, Option<String>) {
    let judgement = judge(observed);
    assert!(!judgement.reason.is_empty() && judgement.meaning.ends_with('.'));
    if let Some(code) = &judgement.code {
        assert!(tim_catalogue::find(code).is_some(), "{code} cannot be explained");
    }
    (judgement.verdict, judgement.code)
}

fn code(cause: &Cause) -> Option<String> {
    Some(cause.code.to_owned())
}

#[test]
fn all_well() {
    assert_eq!(verdict(&healthy()), (Verdict::Healthy, None));
    assert!(room::to_lose_a_node(&healthy()));
}

#[test]
fn a_fresh_start_is_progress_whatever_is_there_already() {
    let mut observed = healthy();
    for node in &mut observed.nodes {
        node.reply = None;
        node.runs_for = Some(Duration::from_millis(300));
    }
    assert_eq!(verdict(&observed).0, Verdict::Progressing, "no node answers yet");
    observed.nodes[0] = healthy().nodes.remove(0);
    assert_eq!(verdict(&observed).0, Verdict::Progressing, "two do not yet");
    for (node, told) in observed.nodes.iter_mut().zip(healthy().nodes) {
        node.reply = told.reply;
        node.runs_for = Some(Duration::from_secs(1));
    }
    all_replies(&mut observed, |reply| {
        reply.control_group = Some(ControlGroup::default());
    });
    assert_eq!(verdict(&observed), (Verdict::Progressing, None), "no leader yet");
    for node in &mut observed.nodes {
        node.runs_for = Some(FIRST_ANSWER_MAX + Duration::from_secs(1));
    }
    assert_eq!(verdict(&observed), (Verdict::Degraded, code(&node::NO_LEADER)));
    for node in &mut observed.nodes {
        node.reply = None;
    }
    assert_eq!(verdict(&observed).0, Verdict::Unavailable, "they had their time");
}

#[test]
fn one_node_stopped_by_a_signal_does_not_answer() {
    let mut observed = healthy();
    observed.nodes[2].reply = None;
    assert_eq!(
        verdict(&observed),
        (Verdict::Degraded, code(&node::NODE_UNREACHABLE))
    );
    assert!(
        judge(&observed)
            .reason
            .contains("1 of 3 nodes does not answer: chat-2")
    );
    assert!(judge(&observed).meaning.contains("losing one more"));
    assert!(!room::to_lose_a_node(&observed));
}

#[test]
fn too_few_voters_answer() {
    let mut observed = healthy();
    observed.nodes[1].reply = None;
    observed.nodes[2].reply = None;
    assert_eq!(
        verdict(&observed),
        (Verdict::Degraded, code(&node::NODE_UNREACHABLE))
    );
    let meaning = judge(&observed).meaning;
    assert!(meaning.contains("changes of the partition map wait"), "{meaning}");
}

#[test]
fn no_node_answers() {
    let mut observed = healthy();
    observed.nodes.iter_mut().for_each(|node| node.reply = None);
    assert_eq!(verdict(&observed).0, Verdict::Unavailable);
}

#[test]
fn no_node_runs() {
    let mut observed = healthy();
    for node in &mut observed.nodes {
        node.reply = None;
        node.present = false;
    }
    assert_eq!(verdict(&observed).0, Verdict::Unavailable);
}

#[test]
fn bootstrap_is_progress() {
    let mut observed = healthy();
    all_replies(&mut observed, |reply| {
        reply.set_state(NodeState::Joining);
        reply.uptime_seconds = 2;
        reply.causes = vec![ToldCause {
            code: node::STARTING.code.into(),
            detail: "waits for its databases".into(),
        }];
    });
    assert_eq!(verdict(&observed).0, Verdict::Progressing);
    all_replies(&mut observed, |reply| reply.databases[1] = database("d1", false));
    assert_eq!(
        verdict(&observed),
        (Verdict::Unavailable, Some("TIM-S107".into())),
        "what it waits for is told"
    );
}

#[test]
fn a_join_that_never_ends_is_not_progress() {
    let mut observed = healthy();
    all_replies(&mut observed, |reply| {
        reply.set_state(NodeState::Joining);
        reply.uptime_seconds = 600;
    });
    assert_eq!(verdict(&observed).0, Verdict::Unavailable);
}

#[test]
fn nodes_that_cannot_start_say_why() {
    let mut observed = healthy();
    all_replies(&mut observed, |reply| {
        reply.set_state(NodeState::Joining);
        reply.causes = vec![ToldCause {
            code: "TIM-S103".into(),
            detail: "database d0 refuses connections".into(),
        }];
    });
    assert_eq!(
        verdict(&observed),
        (Verdict::Unavailable, Some("TIM-S103".into()))
    );
}

#[test]
fn one_database_down_leaves_the_others() {
    let mut observed = healthy();
    all_replies(&mut observed, |reply| reply.databases[1] = database("d1", false));
    assert_eq!(verdict(&observed), (Verdict::Degraded, Some("TIM-S107".into())));
}

#[test]
fn all_databases_down_is_never_healthy() {
    let mut observed = healthy();
    all_replies(&mut observed, |reply| {
        reply.databases = ["d0", "d1"].iter().map(|name| database(name, false)).collect();
    });
    assert_eq!(verdict(&observed).0, Verdict::Unavailable);
}

#[test]
fn a_database_that_one_node_still_reaches_is_reachable() {
    let mut observed = healthy();
    reply(&mut observed, 0).databases[1] = database("d1", false);
    assert_eq!(verdict(&observed).0, Verdict::Healthy);
}

#[test]
fn no_leader() {
    let mut observed = healthy();
    all_replies(&mut observed, |reply| {
        let group = reply.control_group.as_mut().unwrap();
        group.leader = false;
        group.leader_raft_id = 0;
    });
    assert_eq!(verdict(&observed), (Verdict::Degraded, code(&node::NO_LEADER)));
}

#[test]
fn draining() {
    let mut observed = healthy();
    let draining = reply(&mut observed, 2);
    draining.set_state(NodeState::Draining);
    draining.drain = Some(DrainProgress {
        n_sessions_remaining: 12,
        ..DrainProgress::default()
    });
    assert_eq!(verdict(&observed), (Verdict::Progressing, code(&node::DRAINING)));
}

#[test]
fn scaling_out_and_in() {
    let mut observed = healthy();
    observed.replicas = 5;
    assert_eq!(verdict(&observed).0, Verdict::Progressing);
    let mut observed = healthy();
    observed.replicas = 2;
    observed.nodes[2].wanted = false;
    assert_eq!(verdict(&observed).0, Verdict::Progressing);
}

#[test]
fn replicas_zero_is_a_pause_once_all_have_stopped() {
    let mut observed = healthy();
    observed.replicas = 0;
    observed.nodes.clear();
    assert_eq!(verdict(&observed).0, Verdict::Paused);
}

#[test]
fn paused_by_annotation_hides_no_fault() {
    let mut observed = healthy();
    observed.paused = true;
    assert_eq!(verdict(&observed).0, Verdict::Paused);
    observed.nodes[0].reply = None;
    assert_eq!(verdict(&observed).0, Verdict::Degraded);
}

#[test]
fn nodes_that_do_not_see_each_other() {
    let mut observed = healthy();
    reply(&mut observed, 2).view.as_mut().unwrap().members.truncate(1);
    assert_eq!(verdict(&observed).0, Verdict::Progressing);
}

#[test]
fn a_supervisor_that_was_killed() {
    let mut observed = healthy();
    observed.controller = Controller::Absent;
    assert_eq!(
        verdict(&observed),
        (Verdict::Degraded, code(&command_line::SUPERVISOR_GONE))
    );
}

#[test]
fn an_operator_that_lags_behind() {
    let mut observed = healthy();
    observed.controller = Controller::Behind;
    assert_eq!(verdict(&observed).0, Verdict::Progressing);
}

#[test]
fn a_node_that_ends_again_and_again() {
    let mut observed = healthy();
    observed.nodes[2].reply = None;
    observed.nodes[2].present = false;
    observed.nodes[2].trouble = Some(("TIM-L113".into(), "it ended 5 times".into()));
    assert_eq!(verdict(&observed), (Verdict::Degraded, Some("TIM-L113".into())));
}

#[test]
fn a_node_being_started_again_is_progress() {
    let mut observed = healthy();
    observed.nodes[2].reply = None;
    observed.nodes[2].present = false;
    assert_eq!(verdict(&observed).0, Verdict::Progressing);
}

#[test]
fn nothing_known_is_unknown() {
    let mut observed = healthy();
    observed.nodes.clear();
    assert_eq!(verdict(&observed).0, Verdict::Unknown);
}
