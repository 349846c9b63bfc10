//! What two accounts do with each other besides sending messages: roster, taking back and burning, profiles, presence,
//! passwords. On one node and on three, where the two are on different ones; one speaks thrift, the other JSON.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use support::raw::{self, Raw};
use support::{Cluster, load};
use tim_wire::structs::{business, node_kind, operation};
use tim_wire::{
    Command, Encoding, Tid, TimAck, TimMessage, TimNodes, TimPresence, TimReq, TimUserBean, WireStruct,
};

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
    friends_are_listed_removed_and_blocked,
    a_message_is_taken_back_and_another_burnt,
    what_applications_send_waits_and_is_no_history,
    profiles_are_written_and_read,
    a_changed_password_counts_everywhere_at_once,
    presence_reaches_those_it_names_and_all_friends,
);

struct Two {
    cluster: Cluster,
    alice: String,
    bob: String,
    one: Raw,
    other: Raw,
}

impl Two {
    /// Alice on the first node, Bob on the last, friends.
    async fn friends(nodes: usize) -> Self {
        let cluster = Cluster::start_for_many_devices(nodes, &["d0", "d1"]).await;
        let (alice, bob) = cluster.friends("alice", "bob").await;
        let one = cluster.login(0, "alice").await;
        let other = Self::bob(&cluster).await;
        Self {
            cluster,
            alice,
            bob,
            one,
            other,
        }
    }

    async fn bob(cluster: &Cluster) -> Raw {
        let last = cluster.nodes.len() - 1;
        let mut other = Raw::connect(cluster.nodes[last].client_port).await;
        other.encoding = Encoding::Json;
        other.login("bob", "secret").await;
        other
    }

    /// Alice says something; its number.
    async fn says(&mut self, text: &str) -> i64 {
        says(&mut self.one, &self.bob, text).await
    }
}

async fn says(client: &mut Raw, to: &str, text: &str) -> i64 {
    client.say(to, text).await;
    client.message().await.mid.unwrap()
}

/// What came while nobody was there: offline, or live where its delivery was still looking for a session.
async fn missed(client: &mut Raw, count: usize) -> Vec<TimMessage> {
    let mut missed = client.offline().await;
    while missed.len() < count {
        missed.push(client.message().await);
    }
    missed
}

async fn ask(client: &mut Raw, rtype: i32, node: &str) {
    let request = TimReq {
        rtype: Some(rtype),
        node: (!node.is_empty()).then(|| node.to_owned()),
        ..TimReq::default()
    };
    client.send_struct(Command::Business, &request).await;
}

async fn nodes(client: &mut Raw) -> TimNodes {
    let frame = client.frame(Command::Nodes).await;
    TimNodes::decode_payload(&frame.payload, client.encoding).unwrap()
}

/// A list of accounts; an empty one is answered by nothing, which the ping behind it shows.
async fn list(client: &mut Raw, rtype: i32) -> Option<Vec<String>> {
    ask(client, rtype, "").await;
    client
        .send(tim_wire::frame::empty_client_frame(
            Command::Ping,
            client.encoding,
        ))
        .await;
    let answered =
        |frame: &tim_wire::ServerFrame| matches!(frame.command(), Some(Command::Nodes | Command::Ping));
    let frame = client.frame_where(answered).await;
    if frame.command() == Some(Command::Ping) {
        return None;
    }
    client.frame(Command::Ping).await;
    TimNodes::decode_payload(&frame.payload, client.encoding)
        .unwrap()
        .nodelist
}

fn code(ack: &TimAck) -> Option<i32> {
    ack.error.as_ref().and_then(|error| error.code)
}

async fn friends_are_listed_removed_and_blocked(count: usize) {
    let Two {
        cluster,
        alice,
        bob,
        mut one,
        mut other,
    } = Two::friends(count).await;
    assert_eq!(list(&mut one, business::ROSTER).await, Some(vec![bob.clone()]));
    assert_eq!(
        list(&mut other, business::ROSTER).await,
        Some(vec![alice.clone()])
    );
    assert_eq!(list(&mut one, business::BLOCK_ROSTER_LIST).await, None);

    ask(&mut one, business::REMOVE_ROSTER, &bob).await;
    let ack = one.ack(Command::Business).await;
    assert_eq!((ack.ok, ack.t, ack.n.as_deref()), (true, Some(6), Some(&*bob)));
    let notice = other.notice(business::REMOVE_ROSTER).await;
    assert_eq!(
        (notice.from_node(), notice.od_type),
        (Some(&*alice), operation::BUSINESS)
    );
    assert_eq!(list(&mut one, business::ROSTER).await, None);
    assert_eq!(list(&mut other, business::ROSTER).await, None);
    // It counts at once, for who was removed too.
    other.say(&alice, "still there?").await;
    assert_eq!(code(&other.ack(Command::Message).await), Some(4105));
    ask(&mut one, business::REMOVE_ROSTER, &bob).await;
    let ack = one.ack(Command::Business).await;
    assert_eq!(
        (code(&ack), ack.t),
        (Some(4104), Some(6)),
        "nothing is left to remove"
    );

    // Whoever had nothing to do with the other is told of a block, a friend is not.
    let carol = cluster.register(0, "carol").await;
    let mut third = cluster.login(count - 1, "carol").await;
    ask(&mut one, business::BLOCK_ROSTER, &carol).await;
    assert_eq!(one.ack(Command::Business).await.t, Some(7));
    assert_eq!(
        third.notice(business::BLOCK_ROSTER).await.from_node(),
        Some(&*alice)
    );
    third.add_friend(&alice).await;
    assert_eq!(code(&third.ack(Command::Business).await), Some(4110));
    assert_eq!(
        list(&mut one, business::BLOCK_ROSTER_LIST).await,
        Some(vec![carol.clone()])
    );
    ask(&mut one, business::REMOVE_ROSTER, &carol).await;
    assert!(one.ack(Command::Business).await.ok, "lifts the block");
    assert_eq!(list(&mut one, business::BLOCK_ROSTER_LIST).await, None);
    for (node, expected) in [(&*alice, 4105), ("QdH6CCms5EU", 4106), ("", 4104)] {
        ask(&mut one, business::BLOCK_ROSTER, node).await;
        assert_eq!(code(&one.ack(Command::Business).await), Some(expected), "{node}");
    }
}

async fn a_message_is_taken_back_and_another_burnt(count: usize) {
    let mut two = Two::friends(count).await;
    let first = two.says("a word too much").await;
    two.other.message().await;
    let erase = |od_type, to: &str, mid| TimMessage {
        mid: Some(mid),
        ..TimMessage::direct(to, od_type)
    };
    let revoke = erase(operation::REVOKE, &two.bob, first);
    two.one.send_struct(Command::RevokeMessage, &revoke).await;
    let ack = two.one.ack(Command::RevokeMessage).await;
    let peer = Some(two.bob.clone());
    assert_eq!((ack.ok, ack.n, ack.t, ack.t2), (true, peer, Some(2), Some(first)));
    for client in [&mut two.one, &mut two.other] {
        let told = client.message().await;
        assert_eq!((told.od_type, told.mid), (operation::REVOKE, Some(first)));
        assert_eq!(told.from_node(), Some(&*two.alice));
    }
    // It can be done once, and by the sender alone.
    two.one.send_struct(Command::RevokeMessage, &revoke).await;
    assert_eq!(code(&two.one.ack(Command::RevokeMessage).await), Some(4104));
    let second = two.says("only for you").await;
    two.other.message().await;
    let foreign = erase(operation::REVOKE, &two.alice, second);
    two.other.send_struct(Command::RevokeMessage, &foreign).await;
    assert_eq!(code(&two.other.ack(Command::RevokeMessage).await), Some(4105));

    let own = erase(operation::BURN, &two.bob, second);
    two.one.send_struct(Command::BurnMessage, &own).await;
    assert_eq!(code(&two.one.ack(Command::BurnMessage).await), Some(4105));
    let burn = erase(operation::BURN, &two.alice, second);
    two.other.send_struct(Command::BurnMessage, &burn).await;
    let ack = two.other.ack(Command::BurnMessage).await;
    assert_eq!((ack.ok, ack.t, ack.t2), (true, Some(2), Some(second)));
    for client in [&mut two.one, &mut two.other] {
        let told = client.message().await;
        assert_eq!((told.od_type, told.mid), (operation::BURN, Some(second)));
    }

    // Who was away gets the notices and not the message. An echo counts as confirmed with the frame behind it.
    two.other.ping().await;
    two.other.close().await;
    two.cluster.nothing_waits("bob").await;
    let third = says(&mut two.one, &two.bob, "wait").await;
    let fourth = says(&mut two.one, &two.bob, "forget it").await;
    let revoke = erase(operation::REVOKE, &two.bob, fourth);
    two.one.send_struct(Command::RevokeMessage, &revoke).await;
    assert!(two.one.ack(Command::RevokeMessage).await.ok);
    let mut other = Two::bob(&two.cluster).await;
    let waited = missed(&mut other, 2).await;
    let waited: Vec<_> = waited
        .iter()
        .map(|message| (message.od_type, message.mid, message.data_string.as_deref()))
        .collect();
    assert_eq!(
        waited,
        [
            (operation::NORMAL, Some(third), Some("wait")),
            (operation::REVOKE, Some(fourth), None),
        ]
    );
    let (client, _events) = load::client(&two.cluster, "bob", count - 1).await;
    let history = client.history(&two.alice, None, 10).await.unwrap();
    let left: Vec<_> = history.iter().map(|message| message.mid).collect();
    assert_eq!(left, [Some(third)]);
}

async fn what_applications_send_waits_and_is_no_history(count: usize) {
    let mut two = Two::friends(count).await;
    two.other.close().await;
    let mut message = TimMessage::direct(two.bob.as_str(), operation::APPLICATION_FIRST + 2);
    message.data_string = Some("poll: 3".to_owned());
    two.one.send_struct(Command::Message, &message).await;
    assert_eq!(two.one.message().await.od_type, 33);
    let mut other = Two::bob(&two.cluster).await;
    assert_eq!(missed(&mut other, 1).await[0].od_type, 33);
    let (client, _events) = load::client(&two.cluster, "alice", 0).await;
    assert_eq!(client.history(&two.bob, None, 10).await.unwrap(), []);
}

async fn change_profile(client: &mut Raw, profile: TimUserBean) -> TimAck {
    let change = TimNodes {
        ntype: node_kind::MODIFY_USER,
        usermap: Some(BTreeMap::from([(String::new(), profile)])),
        ..TimNodes::default()
    };
    client.send_struct(Command::Nodes, &change).await;
    client.ack(Command::Nodes).await
}

async fn profiles_are_written_and_read(count: usize) {
    let mut two = Two::friends(count).await;
    let text = |text: &str| Some(text.to_owned());
    let first = TimUserBean {
        nick_name: text("Ally 哈"),
        area: text("here"),
        ..TimUserBean::default()
    };
    let ack = change_profile(&mut two.one, first).await;
    assert_eq!((ack.ok, ack.t), (true, Some(6)));
    let second = TimUserBean {
        area: text("there"),
        create_time: Some(1),
        ..TimUserBean::default()
    };
    assert!(change_profile(&mut two.one, second).await.ok);
    let query = |ids: &[&str]| TimNodes {
        ntype: node_kind::USER_INFO,
        nodelist: Some(ids.iter().map(|id| (*id).to_owned()).collect()),
        ..TimNodes::default()
    };
    let asked = query(&[&two.alice, &two.bob, "QdH6CCms5EU"]);
    two.other.send_struct(Command::Nodes, &asked).await;
    let answer = nodes(&mut two.other).await;
    assert_eq!((answer.ntype, &answer.nodelist), (node_kind::USER_INFO, &None));
    let found = answer.usermap.unwrap();
    assert_eq!(found.len(), 2, "who does not exist is left out");
    let alice = &found[&two.alice];
    assert_eq!(
        (alice.nick_name.as_deref(), alice.area.as_deref()),
        (Some("Ally 哈"), Some("there"))
    );
    assert!(alice.create_time > Some(1), "nobody sets it");
    let fresh = TimUserBean {
        create_time: found[&two.bob].create_time,
        ..TimUserBean::default()
    };
    assert_eq!(found[&two.bob], fresh);

    two.one.send_struct(Command::Nodes, &query(&[])).await;
    assert_eq!(code(&two.one.ack(Command::Nodes).await), Some(4104));
    let large = TimUserBean {
        cover: Some("x".repeat(100_000)),
        ..TimUserBean::default()
    };
    let ack = change_profile(&mut two.one, large).await;
    assert_eq!(code(&ack), Some(4104));
    assert!(ack.error.unwrap().info.unwrap().contains("65536 bytes"));
}

async fn a_changed_password_counts_everywhere_at_once(count: usize) {
    let mut two = Two::friends(count).await;
    let change = |old: Option<&str>, new: Option<&str>| TimReq {
        rtype: Some(business::MODIFY_AUTH),
        req_str: old.map(str::to_owned),
        req_str2: new.map(str::to_owned),
        ..TimReq::default()
    };
    two.one
        .send_struct(Command::Business, &change(Some("secret"), None))
        .await;
    assert_eq!(code(&two.one.ack(Command::Business).await), Some(4112));
    two.one
        .send_struct(Command::Business, &change(Some("guess"), Some("better")))
        .await;
    let acks = [
        two.one.ack(Command::Business).await,
        two.one.ack(Command::Business).await,
    ];
    assert_eq!([code(&acks[0]), code(&acks[1])], [Some(4105), Some(4112)]);
    // Every node has verified the old one lately.
    for node in 0..count {
        two.cluster.login(node, "alice").await.close().await;
    }
    two.one
        .send_struct(Command::Business, &change(Some("secret"), Some("better")))
        .await;
    let ack = two.one.ack(Command::Business).await;
    assert_eq!((ack.ok, ack.t, ack.n), (true, Some(21), None));
    for node in 0..count {
        let mut client = Raw::connect(two.cluster.nodes[node].client_port).await;
        client
            .send_struct(Command::Auth, &raw::auth("alice", "secret"))
            .await;
        assert_eq!(code(&client.ack(Command::Auth).await), Some(4105), "the old one");
        client.login("alice", "better").await;
    }
}

async fn presence_of(client: &mut Raw) -> TimPresence {
    let frame = client.frame(Command::Presence).await;
    assert_eq!(frame.sync_id, None);
    TimPresence::decode_payload(&frame.payload, client.encoding).unwrap()
}

async fn presence_reaches_those_it_names_and_all_friends(count: usize) {
    let Two {
        cluster,
        alice,
        bob,
        mut one,
        mut other,
    } = Two::friends(count).await;
    let carol = cluster.register(0, "carol").await;
    let mut third = cluster.login(count - 1, "carol").await;
    let mut presence = TimPresence {
        sub_status: Some(1),
        status: Some("at the sea".to_owned()),
        offline: Some(true),
        ..TimPresence::default()
    };
    one.send_struct(Command::BroadcastPresence, &presence).await;
    let seen = presence_of(&mut other).await;
    assert_eq!(
        (seen.status.as_deref(), seen.sub_status),
        (Some("at the sea"), Some(1))
    );
    assert_eq!(seen.from_tid.as_ref().unwrap().node, alice);
    assert_eq!(seen.to_tid, Some(Tid::of(bob.as_str())));
    assert_eq!((seen.offline, seen.id, seen.to_list), (None, None, None));
    // Named ones need not be friends.
    presence.to_list = Some(vec![carol.clone(), bob.clone()]);
    one.send_struct(Command::Presence, &presence).await;
    for (client, account) in [(&mut other, &bob), (&mut third, &carol)] {
        let seen = presence_of(client).await;
        assert_eq!(seen.to_tid, Some(Tid::of(account.as_str())));
        assert!(seen.id.is_some() && seen.to_list.is_none());
    }
    presence.to_list = Some(vec!["QdH6CCms5EU".to_owned()]);
    one.send_struct(Command::Presence, &presence).await;
    assert_eq!(code(&one.ack(Command::Presence).await), Some(4106));
    // The last session ends: friends are told, others are not.
    one.close().await;
    let gone = presence_of(&mut other).await;
    assert_eq!((gone.offline, gone.from_tid.unwrap().node), (Some(true), alice));
    assert!(
        third
            .silent(Command::Presence, std::time::Duration::from_millis(200))
            .await
    );
}
