//! Rooms while nodes die and ranges move: nothing that was said in them is lost.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use support::people::{OPEN, People};
use support::{Cluster, operator};
use tim_proto::control::v1::{
    RepartitionOperation, RepartitionPhase, RepartitionStatusRequest, StartRepartitionRequest,
};
use tim_wire::structs::business;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_node_loses_nothing_of_a_room() {
    let mut people = People::online(3, &["a", "b", "c"]).await;
    let mut rooms = Vec::new();
    for _ in 0..4 {
        let room = people.room("a", OPEN).await;
        people.join("b", &room).await;
        people.join("c", &room).await;
        rooms.push(room);
    }
    // The node of `c` dies: it was home of some of the rooms, and has shards.
    for (number, room) in rooms.iter().enumerate() {
        people.say("a", room, &format!("before {number}")).await;
        people
            .all_hear(&["a", "b", "c"], &format!("before {number}"))
            .await;
    }
    people.cluster.kill(2);
    people.sessions.remove("c");
    for (number, room) in rooms.iter().enumerate() {
        people.say("b", room, &format!("meanwhile {number}")).await;
    }
    for name in ["a", "b"] {
        let mut heard = Vec::new();
        for _ in 0..rooms.len() {
            heard.push(people.hears(name).await.data_string.unwrap());
        }
        heard.sort();
        let expected: Vec<String> = (0..4).map(|number| format!("meanwhile {number}")).collect();
        assert_eq!(heard, expected, "{name}");
    }
    people.cluster.spawn(2);
    people.cluster.ready(2).await;
    people.cluster.see_each_other(3).await;
    let mut missed: Vec<String> = people
        .log_in("c")
        .await
        .into_iter()
        .filter_map(|message| message.data_string)
        .filter(|text| text.starts_with("meanwhile"))
        .collect();
    missed.sort();
    missed.dedup();
    assert_eq!(missed.len(), rooms.len(), "{missed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rooms_move_with_a_split_while_people_talk() {
    let mut cluster = Cluster::prepare(1, &["d0", "d1"]);
    cluster.extra = "[partitioning]\nlayout = [{ from = 0, database = \"d0\" }]\n".to_owned();
    cluster.run_all().await;
    let mut people = People::online_at(cluster, &["a", "b", "c"]).await;
    let mut rooms = Vec::new();
    for _ in 0..8 {
        let room = people.room("a", OPEN).await;
        people.join("b", &room).await;
        rooms.push(room);
    }
    let mut control = operator::connect(&people.cluster, 0).await;
    let request = StartRepartitionRequest {
        operation_id: "split-1".to_owned(),
        operation: RepartitionOperation::Split.into(),
        from: 0,
        at: 524_288,
        target_database: "d1".to_owned(),
        write_pause_max_ms: 1_000,
    };
    let mut number = 0;
    let mut started = false;
    loop {
        // In every room, and somebody comes and goes, whichever database it is in just now.
        for room in &rooms {
            people.join("c", room).await;
            let text = format!("number {number}");
            people.say("b", room, &text).await;
            people.all_hear(&["a", "b", "c"], &text).await;
            people.done("a", business::KICK_ROOM, room, Some("c")).await;
            people.at("c").notice(business::KICK_ROOM).await;
            number += 1;
        }
        if !started {
            // A node that has just become the only voter may have no leader yet.
            let reply = control.start_repartition(request.clone()).await.unwrap();
            started = reply.into_inner().cause.is_none();
            continue;
        }
        let asked = RepartitionStatusRequest {
            operation_id: "split-1".to_owned(),
        };
        let status = control.repartition_status(asked).await.unwrap().into_inner();
        match status.repartition.unwrap().phase() {
            RepartitionPhase::Succeeded => break,
            RepartitionPhase::Failed | RepartitionPhase::Cancelled => panic!("the split failed"),
            _ => assert!(number < 4_000, "the split does not end"),
        }
    }
    for room in &rooms {
        let members = people.list("b", business::ROOM_USERS, Some(room)).await.unwrap();
        assert_eq!(members.nodelist.unwrap().len(), 2, "{room}");
        assert_eq!(
            people.info("c", room).await.unwrap().topic.as_deref(),
            Some("the topic")
        );
        people.say("a", room, "behind the split").await;
        people.all_hear(&["a", "b"], "behind the split").await;
    }
}
