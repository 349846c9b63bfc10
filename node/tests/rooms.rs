//! Rooms: who is in them, what is said in them, who is told what. On one node and on three, where sender and members are
//! on different ones; some speak thrift, the others JSON.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::time::{Duration, Instant};
use support::people::{OPEN, PRIVATE, People, to_room};
use tim_wire::structs::{business, message_kind, operation};
use tim_wire::{Command, Tid, TimMessage, TimReq, TimRoomBean, WireStruct};

/// Makes a test for one node and one for three out of an asynchronous function that takes their number.
macro_rules! on_one_node_and_on_three {
    ($($test:ident),+ $(,)?) => {
        mod one_node { $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() { super::$test(1).await; })+ }
        mod three_nodes { $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() { super::$test(3).await; })+ }
    };
}

on_one_node_and_on_three!(
    a_room_is_made_joined_and_talked_in,
    an_application_is_answered,
    who_is_removed_hears_nothing_more,
    members_who_were_away_get_everything_in_order,
    refusals_come_as_clients_know_them,
    what_is_told_about_a_room_changes_and_it_is_handed_over,
    messages_within_a_room_reach_one_member,
    a_silent_member_delays_nobody,
);

async fn a_room_is_made_joined_and_talked_in(nodes: usize) {
    let mut people = People::online(nodes, &["a", "b", "c"]).await;
    let room = people.room("a", OPEN).await;
    people.ask("b", business::ADD_ROOM, &room, None).await;
    let passed = people.at("b").notice(business::PASS_ROOM).await;
    assert_eq!((&passed.from_tid, &passed.to_tid), (&None, &None));
    assert_eq!(passed.room_tid, Some(Tid::of(room.as_str())));
    people.done("b", business::PULL_ROOM, &room, Some("c")).await;
    let pulled = people.at("c").notice(business::PULL_ROOM).await;
    assert_eq!(pulled.from_node(), Some(people.id("b").as_str()));
    assert_eq!(pulled.to_node(), Some(people.id("c").as_str()));
    for number in 0..10 {
        let (sender, text) = (["a", "b", "c"][number % 3], number.to_string());
        people.say(sender, &room, &text).await;
        people.all_hear(&["a", "b", "c"], &text).await;
    }
    people.say("a", &room, "last").await;
    let mid = people.all_hear(&["a", "b", "c"], "last").await;
    let mut revoke = to_room(&room, operation::REVOKE, "");
    revoke.mid = Some(mid);
    people.at("a").send_struct(Command::RevokeMessage, &revoke).await;
    let ack = people.at("a").ack(Command::RevokeMessage).await;
    assert_eq!(
        (ack.ok, ack.t, ack.n.as_deref(), ack.t2),
        (true, Some(3), Some(room.as_str()), Some(mid))
    );
    for name in ["a", "b", "c"] {
        let taken_back = people.hears(name).await;
        assert_eq!(
            (taken_back.od_type, taken_back.mid),
            (operation::REVOKE, Some(mid)),
            "{name}"
        );
    }
    let stream = to_room(&room, operation::STREAM, "live");
    people.at("b").send_struct(Command::Message, &stream).await;
    for name in ["a", "c"] {
        let (live, sync_id) = people.at(name).unconfirmed_message().await;
        assert_eq!(
            (live.data_string.as_deref(), sync_id),
            (Some("live"), None),
            "{name}"
        );
    }
    read_in_lists_and_history(&mut people, room).await;
}

/// Everybody is in the room, and ten numbers were said in it last.
async fn read_in_lists_and_history(people: &mut People, room: String) {
    let history = TimReq {
        rtype: Some(2),
        node: Some(room.clone()),
        req_int: Some(0),
        req_int2: Some(3),
        ..TimReq::default()
    };
    people.at("c").send_struct(Command::PullMessages, &history).await;
    let frame = people.at("c").frame(Command::PullMessages).await;
    let encoding = people.at("c").encoding;
    let page = tim_wire::TimMessageList::decode_payload(&frame.payload, encoding).unwrap();
    let texts: Vec<String> = page
        .message_list
        .unwrap()
        .into_iter()
        .filter_map(|message| message.data_string)
        .collect();
    assert_eq!(texts, ["9", "8", "7"]);
    let mut members: Vec<String> = people.ids.values().cloned().collect();
    members.sort();
    let listed = people.list("c", business::ROOM_USERS, Some(&room)).await.unwrap();
    assert_eq!((listed.ntype, listed.node.as_deref()), (3, Some(room.as_str())));
    let mut found = listed.nodelist.unwrap();
    found.sort();
    assert_eq!(found, members);
    let own = people.list("b", business::USER_ROOMS, None).await.unwrap();
    assert_eq!((own.ntype, own.nodelist), (2, Some(vec![room])));
}

async fn an_application_is_answered(nodes: usize) {
    let mut people = People::online(nodes, &["a", "b", "c", "d"]).await;
    let room = people.room("a", PRIVATE).await;
    people.done("a", business::PULL_ROOM, &room, Some("b")).await;
    people.at("b").notice(business::PULL_ROOM).await;
    let bean = TimRoomBean {
        managers: Some(vec![people.id("b")]),
        ..TimRoomBean::default()
    };
    assert!(people.modify("a", &room, bean).await.ok);
    people.ask("c", business::ADD_ROOM, &room, None).await;
    for leader in ["a", "b"] {
        let applied = people.at(leader).notice(business::ADD_ROOM).await;
        assert_eq!(applied.data_string.as_deref(), Some("please"));
        assert_eq!(applied.from_node(), Some(people.id("c").as_str()));
        assert_eq!(applied.to_node(), Some(people.id(leader).as_str()));
    }
    people.log_out("c").await;
    people.done("b", business::REFUSE_ROOM, &room, Some("c")).await;
    let missed = people.log_in("c").await;
    let kinds: Vec<Option<i32>> = missed.iter().map(|notice| notice.bn_type).collect();
    assert_eq!(
        kinds,
        [Some(business::REFUSE_ROOM)],
        "who was away is told, and that alone"
    );
    people.ask("c", business::ADD_ROOM, &room, None).await;
    for leader in ["a", "b"] {
        people.at(leader).notice(business::ADD_ROOM).await;
    }
    people.done("b", business::PULL_ROOM, &room, Some("c")).await;
    let passed = people.at("c").notice(business::PASS_ROOM).await;
    assert_eq!(passed.from_node(), Some(people.id("b").as_str()));
    people.say("c", &room, "here I am").await;
    people.all_hear(&["a", "b", "c"], "here I am").await;
    people
        .done("b", business::BLOCK_ROOM_MEMBER, &room, Some("d"))
        .await;
    let banned = people
        .list("b", business::BLOCK_ROOM_MEMBER_LIST, Some(&room))
        .await;
    assert_eq!(banned.unwrap().nodelist, Some(vec![people.id("d")]));
    assert_eq!(
        people
            .list("c", business::BLOCK_ROOM_MEMBER_LIST, Some(&room))
            .await,
        None
    );
}

async fn who_is_removed_hears_nothing_more(nodes: usize) {
    let mut people = People::online(nodes, &["a", "b", "c"]).await;
    let room = people.room("a", OPEN).await;
    people.join("b", &room).await;
    people.join("c", &room).await;
    people.say("b", &room, "before").await;
    people.all_hear(&["a", "b", "c"], "before").await;
    people.done("a", business::KICK_ROOM, &room, Some("c")).await;
    people.say("a", &room, "after").await;
    people.all_hear(&["a", "b"], "after").await;
    let kicked = people.at("c").notice(business::KICK_ROOM).await;
    assert_eq!(kicked.from_node(), Some(people.id("a").as_str()));
    people.hears_nothing("c").await;
    // At once, also for what it says itself.
    people.say("c", &room, "still here?").await;
    let refused = people.at("c").ack(Command::Message).await;
    assert_eq!(refused.error.unwrap().code, Some(4105));
    assert_eq!(people.list("c", business::USER_ROOMS, None).await, None);
    people.log_out("c").await;
    people.cluster.nothing_waits("c").await;
    people.log_in("c").await;
    // It comes back, and what was said meanwhile is not for it.
    people.join("c", &room).await;
    people.say("b", &room, "again").await;
    people.all_hear(&["a", "b", "c"], "again").await;
    people.done("c", business::LEAVE_ROOM, &room, None).await;
    people.say("b", &room, "without").await;
    people.all_hear(&["a", "b"], "without").await;
    people.hears_nothing("c").await;
    people.done("b", business::BLOCK_ROOM, &room, None).await;
    let blocked = people.list("b", business::BLOCK_ROOM_LIST, None).await.unwrap();
    assert_eq!((blocked.ntype, blocked.nodelist), (9, Some(vec![room.clone()])));
    people.done("a", business::CANCEL_ROOM, &room, None).await;
    assert_eq!(people.info("b", &room).await, None, "it has ended");
}

async fn members_who_were_away_get_everything_in_order(nodes: usize) {
    let mut people = People::online(nodes, &["a", "b", "c"]).await;
    let room = people.room("a", OPEN).await;
    people.join("b", &room).await;
    people.say("a", &room, "nobody else hears this").await;
    people.all_hear(&["a", "b"], "nobody else hears this").await;
    people.join("c", &room).await;
    people.log_out("c").await;
    for number in 0..25 {
        people
            .say(["a", "b"][number % 2], &room, &number.to_string())
            .await;
        people.all_hear(&["a", "b"], &number.to_string()).await;
    }
    people.done("a", business::KICK_ROOM, &room, Some("c")).await;
    people.say("b", &room, "not for who is gone").await;
    let missed = people.log_in("c").await;
    let texts: Vec<&str> = missed
        .iter()
        .filter(|message| message.ms_type == message_kind::ROOM)
        .filter_map(|message| message.data_string.as_deref())
        .collect();
    let expected: Vec<String> = (0..25).map(|number| number.to_string()).collect();
    assert_eq!(texts, expected);
    assert!(missed.iter().all(|message| message.is_offline == Some(true)));
    assert_eq!(missed.last().unwrap().bn_type, Some(business::KICK_ROOM));
    people.log_out("c").await;
    people.cluster.nothing_waits("c").await;
}

/// Who asks, what, of which room, about whom; the code, and whether it is said twice.
type Refused<'a> = (&'a str, i32, &'a str, Option<&'a str>, i32, bool);

async fn refusals_come_as_clients_know_them(nodes: usize) {
    let mut people = People::online(nodes, &["a", "b", "c"]).await;
    let (open, private) = (people.room("a", OPEN).await, people.room("a", PRIVATE).await);
    people.join("b", &open).await;
    people
        .done("a", business::BLOCK_ROOM_MEMBER, &private, Some("c"))
        .await;
    let elsewhere = tim_wire::IdScheme::default().room_id([7; 8], "");
    let b = Some("b");
    #[rustfmt::skip]
    let cases: &[Refused<'_>] = &[
        ("b", business::ADD_ROOM, &open, None, 4101, true),
        ("c", business::ADD_ROOM, &private, None, 4110, false),
        ("c", business::ADD_ROOM, &elsewhere, None, 4104, true),
        ("b", business::REFUSE_ROOM, &open, Some("c"), 4105, true),
        ("a", business::REFUSE_ROOM, &open, Some("c"), 4109, true),
        ("a", business::REFUSE_ROOM, &open, b, 4103, true),
        ("a", business::PULL_ROOM, &open, Some("a"), 4105, true),
        ("a", business::PULL_ROOM, &open, b, 4101, true),
        ("b", business::PULL_ROOM, &private, b, 4105, true),
        ("a", business::PULL_ROOM, &elsewhere, b, 4109, true),
        ("b", business::KICK_ROOM, &open, Some("a"), 4105, true),
        ("a", business::KICK_ROOM, &open, Some("a"), 4105, true),
        ("a", business::BLOCK_ROOM, &open, None, 4105, true),
        ("b", business::BLOCK_ROOM_MEMBER, &open, Some("a"), 4105, true),
        ("a", business::LEAVE_ROOM, &open, None, 4105, true),
        ("a", business::CANCEL_ROOM, &open, None, 4105, true),
        ("b", business::LEAVE_ROOM, "nonsense", None, 4104, true),
        ("c", business::ROOM_USERS, &open, None, 4104, false),
        ("c", business::ROOM_USERS, &elsewhere, None, 4106, false),
    ];
    for (who, rtype, room, other, code, twice) in cases {
        people.ask(who, *rtype, room, *other).await;
        let case = format!("{who} {rtype} {room}");
        let named = people.at(who).ack(Command::Business).await;
        assert_eq!(named.error.unwrap().code, Some(*code), "{case}");
        assert_eq!(named.t, Some(i64::from(*rtype)), "{case}");
        if *twice {
            assert_eq!(named.n.as_deref(), Some(*room), "{case}");
            let bare = people.at(who).ack(Command::Business).await;
            assert_eq!(bare.error.unwrap().code, Some(*code), "{case}");
            assert_eq!((bare.t, bare.n), (None, None), "{case}");
        }
        people.hears_nothing(who).await;
    }
    for (od_type, room, code) in [
        (operation::NORMAL, &private, 4105),
        (operation::NORMAL, &elsewhere, 4106),
        (operation::BURN, &open, 4104),
        (operation::BUSINESS, &open, 4104),
        (operation::APPLICATION_FIRST, &open, 4104),
        (operation::STREAM, &private, 4105),
    ] {
        let message = to_room(room, od_type, "text");
        people.at("b").send_struct(Command::Message, &message).await;
        let refused = people.at("b").ack(Command::Message).await;
        assert_eq!(refused.error.unwrap().code, Some(code), "{od_type}");
    }
    let mut nowhere = to_room(&open, operation::NORMAL, "text");
    nowhere.room_tid = None;
    people.at("b").send_struct(Command::Message, &nowhere).await;
    let refused = people.at("b").ack(Command::Message).await;
    assert_eq!(refused.error.unwrap().code, Some(4105));
}

async fn what_is_told_about_a_room_changes_and_it_is_handed_over(nodes: usize) {
    let mut people = People::online(nodes, &["a", "b", "c"]).await;
    let room = people.room("a", PRIVATE).await;
    people.done("a", business::PULL_ROOM, &room, Some("b")).await;
    people.at("b").notice(business::PULL_ROOM).await;
    let bean = people.info("c", &room).await.unwrap();
    assert_eq!(bean.founder, Some(people.id("a")));
    assert_eq!((bean.topic.as_deref(), bean.gtype), (Some("the topic"), Some(1)));
    assert!(bean.create_time.is_some_and(|time| time > 0));
    let label = |text: &str| TimRoomBean {
        label: Some(text.to_owned()),
        ..TimRoomBean::default()
    };
    let ack = people.modify("a", &room, label("new")).await;
    assert_eq!((ack.ok, ack.t), (true, Some(7)));
    let refused = people.modify("b", &room, label("mine")).await;
    assert_eq!(refused.error.unwrap().code, Some(4105));
    let changed = people.info("b", &room).await.unwrap();
    assert_eq!(
        (changed.label.as_deref(), changed.topic.as_deref()),
        (Some("new"), Some("the topic"))
    );
    let hand_over = TimRoomBean {
        founder: Some(people.id("b")),
        ..TimRoomBean::default()
    };
    assert!(people.modify("a", &room, hand_over).await.ok);
    let bean = people.info("c", &room).await.unwrap();
    assert_eq!(bean.founder, Some(people.id("b")));
    people.done("a", business::LEAVE_ROOM, &room, None).await;
    people.done("b", business::CANCEL_ROOM, &room, None).await;
}

async fn messages_within_a_room_reach_one_member(nodes: usize) {
    let mut people = People::online(nodes, &["a", "b", "c"]).await;
    let room = people.room("a", OPEN).await;
    people.join("b", &room).await;
    let mut private = TimMessage::direct(people.id("b"), operation::NORMAL);
    private.room_tid = Some(Tid::of(room.as_str()));
    private.data_string = Some("between us".to_owned());
    people.at("a").send_struct(Command::Message, &private).await;
    for name in ["a", "b"] {
        let heard = people.at(name).message().await;
        assert_eq!(heard.data_string.as_deref(), Some("between us"), "{name}");
        assert_eq!(heard.room_tid, Some(Tid::of(room.as_str())), "{name}");
    }
    // They are no friends, and outside of the room they stay strangers.
    people.done("a", business::KICK_ROOM, &room, Some("b")).await;
    people.at("b").notice(business::KICK_ROOM).await;
    people.at("a").send_struct(Command::Message, &private).await;
    let refused = people.at("a").ack(Command::Message).await;
    assert_eq!(refused.error.unwrap().code, Some(4105));
}

async fn a_silent_member_delays_nobody(nodes: usize) {
    let mut people = People::online(nodes, &["a", "b", "c"]).await;
    let room = people.room("a", OPEN).await;
    people.join("b", &room).await;
    people.join("c", &room).await;
    // From now on the first in any order reads nothing and confirms nothing.
    let began = Instant::now();
    for number in 0..20 {
        people.say("b", &room, &number.to_string()).await;
        people.all_hear(&["b", "c"], &number.to_string()).await;
    }
    // One confirmation that is waited for would be ten seconds.
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    for number in 0..20 {
        people.all_hear(&["a"], &number.to_string()).await;
    }
}
