//! Sections 12 and 13: friends, blocks, passwords, profiles.

use super::stage::{Person, Stage, refusal};
use super::statements;
use crate::support::raw;
use std::collections::BTreeMap;
use tim_wire::structs::{business, node_kind, operation};
use tim_wire::{Command, TimNodes, TimReq, TimUserBean, WireStruct};

statements!(
    "12" "a request of no or an unknown type is answered 4104" => unknown_requests,
    "12.1" "the roster lists friends, and nothing comes when there are none" => the_roster,
    "12.4" "the first request is told to the other, the second makes both friends" => becoming_friends,
    "12.4" "a request to a friend is answered 4117 and told once more" => friends_already,
    "12.4" "who is blocked is answered 4110, nobody 4106, oneself 4105, without words 4104" => refused_requests,
    "12.6" "removing ends it on both sides and is told" => removing,
    "12.7" "blocking a friend ends the friendship unheard, blocking a stranger is told" => blocking,
    "12.18" "the blocked are listed" => the_blocked,
    "12.21" "a password is changed by who knows the old one" => passwords,
    "13.4" "profiles of existing accounts are given to anybody" => profiles,
    "13.6" "a profile is changed field by field, by its owner" => changing_profiles,
    "13" "an empty list or an unknown type is answered 4104" => empty_lists,
);

async fn nodes(person: &mut Person) -> TimNodes {
    let frame = person.frame(Command::Nodes).await;
    assert_eq!(frame.sync_id, None);
    TimNodes::decode_payload(&frame.payload, person.encoding).unwrap()
}

async fn business_refusal(person: &mut Person, rtype: i32, node: &str) -> i32 {
    person.asks(rtype, node).await;
    refusal(&person.ack(Command::Business).await)
}

async fn unknown_requests(stage: &Stage) {
    let mut alice = stage.person(stage.near(), "alice").await;
    for rtype in [
        None,
        Some(0),
        Some(22),
        Some(-1),
        Some(business::FRIEND),
        Some(business::PASS_ROOM),
    ] {
        let request = TimReq {
            rtype,
            ..TimReq::default()
        };
        assert_eq!(
            alice.is_refused(Command::Business, &request).await,
            4104,
            "{rtype:?}"
        );
    }
}

async fn the_roster(stage: &Stage) {
    let (mut alice, bob) = stage.friends().await;
    alice.asks(business::ROSTER, "").await;
    let list = nodes(&mut alice).await;
    assert_eq!(
        (list.ntype, list.nodelist),
        (node_kind::ROSTER, Some(vec![bob.id.clone()]))
    );
    let mut carol = stage.person(stage.near(), "carol").await;
    carol.asks(business::ROSTER, "").await;
    carol.has_nothing_of(Command::Nodes).await;
}

async fn becoming_friends(stage: &Stage) {
    let mut alice = stage.person(stage.near(), "alice").await;
    let mut bob = stage.person(stage.far(), "bob").await;
    alice.add_friend(&bob.id).await;
    let request = bob.notice(business::ADD_ROSTER).await;
    assert_eq!(request.data_string.as_deref(), Some("hi"));
    assert_eq!((request.ms_type, request.od_type), (2, operation::BUSINESS));
    let from = request.from_tid.unwrap();
    assert_eq!(
        (from.node.as_str(), from.resource.as_deref()),
        (&*alice.id, Some("android"))
    );
    alice.has_nothing_of(Command::Ack).await;
    bob.add_friend(&alice.id).await;
    let friend = alice.notice(business::FRIEND).await;
    assert_eq!(friend.from_node(), Some(&*bob.id));
    bob.has_nothing_of(Command::Ack).await;
}

async fn friends_already(stage: &Stage) {
    let (mut alice, mut bob) = stage.friends().await;
    alice.add_friend(&bob.id).await;
    assert_eq!(refusal(&alice.ack(Command::Business).await), 4117);
    assert_eq!(bob.notice(business::FRIEND).await.from_node(), Some(&*alice.id));
}

async fn refused_requests(stage: &Stage) {
    let mut alice = stage.person(stage.near(), "alice").await;
    let mut bob = stage.person(stage.far(), "bob").await;
    bob.asks(business::BLOCK_ROSTER, &alice.id).await;
    assert!(bob.ack(Command::Business).await.ok);
    let own = alice.id.clone();
    for (node, code) in [
        (&*bob.id, 4110),
        ("9Du8P7srDKT", 4106),
        ("UHuS8PoK2Mi", 4106),
        (&*own, 4105),
    ] {
        alice.add_friend(node).await;
        assert_eq!(refusal(&alice.ack(Command::Business).await), code, "{node}");
    }
    assert_eq!(
        business_refusal(&mut alice, business::ADD_ROSTER, &bob.id).await,
        4104
    );
}

async fn removing(stage: &Stage) {
    let (mut alice, mut bob) = stage.friends().await;
    alice.asks(business::REMOVE_ROSTER, &bob.id).await;
    let ack = alice.ack(Command::Business).await;
    assert_eq!((ack.ok, ack.t, ack.n.as_deref()), (true, Some(6), Some(&*bob.id)));
    assert_eq!(
        bob.notice(business::REMOVE_ROSTER).await.from_node(),
        Some(&*alice.id)
    );
    for person in [&mut alice, &mut bob] {
        person.asks(business::ROSTER, "").await;
        person.has_nothing_of(Command::Nodes).await;
    }
    assert_eq!(
        business_refusal(&mut alice, business::REMOVE_ROSTER, &bob.id).await,
        4104
    );
}

async fn blocking(stage: &Stage) {
    let (mut alice, mut bob) = stage.friends().await;
    alice.asks(business::BLOCK_ROSTER, &bob.id).await;
    let ack = alice.ack(Command::Business).await;
    assert_eq!((ack.ok, ack.t, ack.n.as_deref()), (true, Some(7), Some(&*bob.id)));
    bob.asks(business::ROSTER, "").await;
    bob.has_nothing_of(Command::Nodes).await;
    let mut carol = stage.person(stage.far(), "carol").await;
    alice.asks(business::BLOCK_ROSTER, &carol.id).await;
    assert!(alice.ack(Command::Business).await.ok);
    assert_eq!(
        carol.notice(business::BLOCK_ROSTER).await.from_node(),
        Some(&*alice.id)
    );
    bob.has_nothing_of(Command::Message).await;
    let own = alice.id.clone();
    assert_eq!(
        business_refusal(&mut alice, business::BLOCK_ROSTER, &own).await,
        4105
    );
}

async fn the_blocked(stage: &Stage) {
    let mut alice = stage.person(stage.near(), "alice").await;
    alice.asks(business::BLOCK_ROSTER_LIST, "").await;
    alice.has_nothing_of(Command::Nodes).await;
    let bob = stage.register("bob").await;
    alice.asks(business::BLOCK_ROSTER, &bob).await;
    assert!(alice.ack(Command::Business).await.ok);
    alice.asks(business::BLOCK_ROSTER_LIST, "").await;
    let list = nodes(&mut alice).await;
    assert_eq!(
        (list.ntype, list.nodelist),
        (node_kind::BLOCKED_ACCOUNTS, Some(vec![bob]))
    );
}

async fn passwords(stage: &Stage) {
    let mut alice = stage.person(stage.near(), "alice").await;
    let change = |old: Option<&str>, new: Option<&str>| TimReq {
        rtype: Some(business::MODIFY_AUTH),
        req_str: old.map(str::to_owned),
        req_str2: new.map(str::to_owned),
        ..TimReq::default()
    };
    for (old, new) in [(None, Some("better")), (Some("secret"), None)] {
        assert_eq!(alice.is_refused(Command::Business, &change(old, new)).await, 4112);
    }
    let wrong = change(Some("guess"), Some("better"));
    assert_eq!(alice.is_refused(Command::Business, &wrong).await, 4105);
    assert_eq!(refusal(&alice.ack(Command::Business).await), 4112, "a second ack");
    alice
        .send_struct(Command::Business, &change(Some("secret"), Some("better")))
        .await;
    let ack = alice.ack(Command::Business).await;
    assert_eq!((ack.ok, ack.t, ack.n), (true, Some(21), None));
    let mut elsewhere = stage.connect(stage.far()).await;
    let old = raw::auth(&stage.name("alice"), "secret");
    elsewhere.send_struct(Command::Auth, &old).await;
    assert_eq!(refusal(&elsewhere.ack(Command::Auth).await), 4105);
    elsewhere.login(&stage.name("alice"), "better").await;
}

fn query(ids: &[&str]) -> TimNodes {
    TimNodes {
        ntype: node_kind::USER_INFO,
        nodelist: Some(ids.iter().map(|id| (*id).to_owned()).collect()),
        ..TimNodes::default()
    }
}

fn change(key: &str, profile: TimUserBean) -> TimNodes {
    TimNodes {
        ntype: node_kind::MODIFY_USER,
        usermap: Some(BTreeMap::from([(key.to_owned(), profile)])),
        ..TimNodes::default()
    }
}

async fn profiles(stage: &Stage) {
    let alice = stage.register("alice").await;
    let mut bob = stage.person(stage.far(), "bob").await;
    bob.send_struct(Command::Nodes, &query(&[&alice, "9Du8P7srDKT"]))
        .await;
    let answer = nodes(&mut bob).await;
    assert_eq!((answer.ntype, &answer.nodelist), (node_kind::USER_INFO, &None));
    let found = answer.usermap.unwrap();
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        [&alice],
        "who does not exist is left out"
    );
    let fresh = TimUserBean {
        create_time: found[&alice].create_time,
        ..TimUserBean::default()
    };
    assert_eq!(found[&alice], fresh);
    assert!(fresh.create_time.is_some());
}

async fn changing_profiles(stage: &Stage) {
    let mut alice = stage.person(stage.near(), "alice").await;
    let mut bob = stage.person(stage.far(), "bob").await;
    let text = |text: &str| Some(text.to_owned());
    let first = TimUserBean {
        nick_name: text("Ally"),
        area: text("here"),
        ..TimUserBean::default()
    };
    let second = TimUserBean {
        area: text("there"),
        ..TimUserBean::default()
    };
    // The key says nothing: everybody has one profile.
    for profile in [change("", first), change(&bob.id, second)] {
        alice.send_struct(Command::Nodes, &profile).await;
        let ack = alice.ack(Command::Nodes).await;
        assert_eq!((ack.ok, ack.t), (true, Some(6)));
    }
    let both = query(&[&alice.id, &bob.id]);
    bob.send_struct(Command::Nodes, &both).await;
    let found = nodes(&mut bob).await.usermap.unwrap();
    let of_alice = &found[&alice.id];
    assert_eq!(
        (of_alice.nick_name.as_deref(), of_alice.area.as_deref()),
        (Some("Ally"), Some("there"))
    );
    assert_eq!(found[&bob.id].area, None);
}

async fn empty_lists(stage: &Stage) {
    let mut alice = stage.person(stage.near(), "alice").await;
    let unknown = TimNodes {
        ntype: 99,
        nodelist: Some(vec![alice.id.clone()]),
        ..TimNodes::default()
    };
    let nobody = TimNodes {
        ntype: node_kind::MODIFY_USER,
        usermap: Some(BTreeMap::new()),
        ..TimNodes::default()
    };
    for (place, asked) in [query(&[]), unknown, nobody].iter().enumerate() {
        assert_eq!(
            alice.is_refused(Command::Nodes, asked).await,
            4104,
            "request {place}"
        );
    }
}
