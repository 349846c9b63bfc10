//! The server API of tim 2.1 over real sockets, called by the `thrift` crate: an implementation of the protocol that is
//! not ours.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::time::Duration;
use support::administered::Administered;
use support::raw::Raw;
use support::thrift_client::{ThriftClient, Value, only, texts};
use tim_wire::{Command, TimAuth, TimStream, Token, WireStruct};

const DOMAIN: &str = "tlnet.top";

struct Served {
    it: Administered,
    ports: Vec<u16>,
}

impl Served {
    async fn start(nodes: usize, more: &str) -> Self {
        Self::start_with(nodes, more, "").await
    }

    async fn start_with(nodes: usize, more: &str, lines: &str) -> Self {
        let lines = format!("enabled = true\n{lines}");
        let it = Administered::start_with_server_api(nodes, more, &lines).await;
        let ports = it.cluster.nodes.iter().map(|node| node.server_api_port).collect();
        Self { it, ports }
    }

    fn client(&self, node: usize) -> ThriftClient {
        ThriftClient::authenticated(self.ports[node])
    }
}

fn named(ack: &Value) -> String {
    ack.text(5).unwrap().to_owned()
}

/// Registers over the API; the account.
fn register(client: &mut ThriftClient, name: &str) -> String {
    let bean = vec![(1, name.into()), (2, "secret".into()), (3, DOMAIN.into())];
    named(&client.done("Register", only(bean)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_get_no_further_than_ping() {
    let served = Served::start(1, "").await;
    let mut client = ThriftClient::connect(served.ports[0]);
    client.done("Ping", Value::Struct(Vec::new()));
    let wrong = client.auth("console", "wrong");
    assert_eq!(wrong.field(3), Some(&Value::I32(4105)));
    assert_eq!(client.refused("LeaveRoom", texts(&["a", "", "b"])), 4105);
    assert!(
        client.try_call("Ping", &Value::Struct(Vec::new())).is_err(),
        "closed"
    );
    let mut client = ThriftClient::connect(served.ports[0]);
    let refused = client.call("Roster", texts(&["a", ""])).unwrap_err();
    assert!(refused.starts_with("4105"), "{refused}");
    let mut client = served.client(0);
    let unknown = client.call("Nothing", texts(&[])).unwrap_err();
    assert!(unknown.contains("no method Nothing"), "{unknown}");
    client.done("Ping", Value::Struct(Vec::new()));
    assert!(
        served
            .it
            .cluster
            .log(0)
            .lines()
            .all(|line| !line.contains("let me in"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_of_passwords_are_counted_by_address() {
    let served = Served::start(1, "failed_authentications_per_address_per_minute = 2").await;
    let mut client = ThriftClient::connect(served.ports[0]);
    let mut codes = Vec::new();
    for _ in 0..3 {
        let Some(Value::I32(code)) = client.auth("console", "wrong").field(3).cloned() else {
            panic!("no code");
        };
        codes.push(code);
    }
    assert_eq!(codes, [4105, 4105, 5104]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_say_nothing_are_closed_and_too_many_are_not_taken() {
    use tokio::io::AsyncReadExt as _;
    let served = Served::start_with(1, "", "idle_timeout_millis = 1000\nconnections_max = 1").await;
    let port = served.ports[0];
    let mut silent = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut second = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut bytes = Vec::new();
    second.read_to_end(&mut bytes).await.unwrap();
    let closed = tokio::time::timeout(Duration::from_secs(20), silent.read_to_end(&mut bytes));
    closed.await.unwrap().unwrap();
    assert!(bytes.is_empty());
    served.client(0).done("Ping", Value::Struct(Vec::new()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_are_made_changed_and_logged_in_by_token() {
    let served = Served::start(1, "").await;
    let mut client = served.client(0);
    let alice = register(&mut client, "alice");
    let again = vec![(1, "alice".into()), (2, "x".into()), (3, DOMAIN.into())];
    assert_eq!(client.refused("Register", only(again)), 4101);
    let by = |kind: i8, name: &str, password: &str| {
        let bean = vec![
            (1, name.into()),
            (2, password.into()),
            (3, DOMAIN.into()),
            (4, Value::I8(kind)),
        ];
        only(bean)
    };
    assert_eq!(client.refused("Token", by(0, "alice", "wrong")), 4102);
    assert_eq!(client.refused("Token", by(1, "nobody", "")), 4106);
    assert_eq!(client.refused("Token", by(9, "alice", "")), 4104);
    for asked in [by(0, "alice", "secret"), by(1, "alice", ""), by(2, &alice, "")] {
        let made = client.done("Token", asked);
        assert_eq!(
            (made.field(2), named(&made)),
            (Some(&Value::I8(15)), alice.clone())
        );
        let mut session = Raw::connect(served.it.cluster.nodes[0].client_port).await;
        let auth = TimAuth {
            token: Some(Token::Text(made.text(7).unwrap().to_owned())),
            ..TimAuth::default()
        };
        session.send_struct(Command::Auth, &auth).await;
        assert!(session.ack(Command::Auth).await.ok);
        session.close().await;
    }
    let change = |old: &str, new: &str| texts(&[&alice, DOMAIN, old, new]);
    assert_eq!(client.refused("ModifyPwd", change("wrong", "new")), 4112);
    client.done("ModifyPwd", change("secret", "new"));
    client.done("Token", by(0, "alice", "new"));
    let profile = Value::Struct(vec![(1, "Alice".into()), (2, "Al".into())]);
    client.done("ModifyUserInfo", only(vec![(1, (&alice).into()), (2, profile)]));
    let path = format!("/accounts/{alice}/profile");
    let (_, shown) = served
        .it
        .call(0, &served.it.read, ("GET", &path), serde_json::Value::Null)
        .await;
    assert_eq!(shown["nickname"], serde_json::json!("Al"));
    let log = served.it.cluster.log(0);
    let audited = log.lines().find(|line| line.contains("change_password")).unwrap();
    assert!(audited.contains("administrator=\"console\""), "{audited}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_online_and_who_is_blocked_concerns_all_nodes() {
    let served = Served::start(3, "").await;
    let mut client = served.client(0);
    let mut accounts = Vec::new();
    let mut sessions = Vec::new();
    for (node, name) in ["alice", "bob", "carol"].into_iter().enumerate() {
        accounts.push(register(&mut client, name));
        sessions.push(served.it.cluster.login(node, name).await);
    }
    let page = |index, limit| only(vec![(1, Value::I64(index)), (2, Value::I64(limit))]);
    let mut seen = Vec::new();
    for index in 0..3 {
        let listed = client.call("OnlineUser", page(index, 1)).unwrap();
        assert_eq!(listed.field(2), Some(&Value::I64(3)), "{listed:?}");
        let Some(Value::List(tids)) = listed.field(1) else {
            panic!("no list");
        };
        seen.push(tids[0].text(1).unwrap().to_owned());
    }
    seen.sort();
    accounts.sort();
    assert_eq!(seen, accounts);
    let block = |seconds| {
        let nodes = accounts.iter().map(Value::from).collect();
        only(vec![(1, Value::List(nodes)), (2, Value::I64(seconds))])
    };
    client.done("SysBlockUser", block(600));
    for session in &mut sessions {
        assert!(session.ack(Command::Logout).await.ok);
    }
    let listed = client.call("SysBlockList", Value::Struct(Vec::new())).unwrap();
    assert!(
        matches!(listed.field(1), Some(Value::Map(pairs)) if pairs.len() == 3),
        "{listed:?}"
    );
    client.done("SysBlockUser", block(-1));
    let listed = client.call("SysBlockList", Value::Struct(Vec::new())).unwrap();
    assert!(
        matches!(listed.field(1), Some(Value::Map(pairs)) if pairs.is_empty()),
        "{listed:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_and_presence_reach_accounts_on_other_nodes() {
    let served = Served::start(3, "").await;
    let mut client = served.client(0);
    let (alice, bob) = (register(&mut client, "alice"), register(&mut client, "bob"));
    let mut of_alice = Raw::connect(served.it.cluster.nodes[1].client_port).await;
    let login = of_alice.login("alice", "secret").await;
    let mut of_bob = served.it.cluster.login(2, "bob").await;
    let message = |more: Vec<(i16, Value)>| {
        let mut fields = vec![(1, Value::I8(2)), (2, Value::I8(1))];
        fields.extend(more);
        Value::Struct(fields)
    };
    let both = Value::List(vec![(&alice).into(), (&bob).into()]);
    let told = message(vec![(3, Value::I64(7)), (11, "from the system".into())]);
    client.done("TimMessageBroadcast", only(vec![(1, both.clone()), (2, told)]));
    for session in [&mut of_alice, &mut of_bob] {
        let heard = session.message().await;
        assert_eq!((heard.ms_type, heard.id), (1, Some(7)));
        assert_eq!(heard.data_string.as_deref(), Some("from the system"));
    }
    let presence = Value::Struct(vec![(3, Value::I8(1)), (4, (&alice).into()), (8, "here".into())]);
    client.done("TimPresenceBroadcast", only(vec![(1, both), (2, presence)]));
    for session in [&mut of_alice, &mut of_bob] {
        let frame = session.frame(Command::Presence).await;
        let heard =
            tim_wire::TimPresence::decode_payload(&frame.payload, tim_wire::Encoding::Thrift).unwrap();
        assert_eq!(heard.from_tid.unwrap().node, alice);
        assert_eq!(heard.status.as_deref(), Some("here"));
    }
    for (one, other) in [(&alice, &bob), (&bob, &alice)] {
        client.done("Addroster", texts(&[one, DOMAIN, other, "hi"]));
    }
    of_bob.notice(4).await;
    of_alice.notice(5).await;
    let connection = u64::from_str_radix(login.n2.as_deref().unwrap(), 16).unwrap();
    let said = message(vec![(7, (&bob).into()), (11, "by proxy".into())]);
    let proxied = vec![(1, Value::I64(connection.cast_signed())), (2, said)];
    client.done("ProxyMessage", only(proxied.clone()));
    let heard = of_bob.message().await;
    assert_eq!(heard.from_node(), Some(alice.as_str()));
    assert_eq!(heard.data_string.as_deref(), Some("by proxy"));
    let nobody = vec![(1, Value::I64(1)), proxied[1].clone()];
    assert_eq!(client.refused("ProxyMessage", only(nobody)), 4106);
    let pulled = |limit| {
        let mut arguments = texts(&[&alice, DOMAIN, &bob]);
        if let Value::Struct(fields) = &mut arguments {
            fields.extend([(4, Value::I64(0)), (5, Value::I64(0)), (6, Value::I64(limit))]);
        }
        arguments
    };
    let history = client.call("PullUserMessage", pulled(10)).unwrap();
    let Some(Value::List(messages)) = history.field(3) else {
        panic!("no list: {history:?}");
    };
    assert_eq!(messages[0].text(11), Some("by proxy"));
    assert_eq!(messages[0].text(6), Some(alice.as_str()));
    client.done("Detect", only(vec![(1, Value::List(vec![(&alice).into()]))]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_read_and_confirmed_as_by_a_device() {
    let served = Served::start(1, "").await;
    let mut client = served.client(0);
    let alice = register(&mut client, "alice");
    let told = |id: i64, text: &str| {
        let message = vec![
            (1, Value::I8(1)),
            (2, Value::I8(1)),
            (3, Value::I64(id)),
            (11, text.into()),
        ];
        let nodes = Value::List(vec![(&alice).into()]);
        only(vec![(1, nodes), (2, Value::Struct(message))])
    };
    for (id, text) in [(11, "one"), (12, "two"), (13, "three")] {
        client.done("TimMessageBroadcast", told(id, text));
    }
    let waiting = |client: &mut ThriftClient, limit: i64| {
        let asked = Value::Struct(vec![
            (1, (&alice).into()),
            (2, DOMAIN.into()),
            (3, Value::I64(limit)),
        ]);
        let listed = client.call("OfflineMsg", asked).unwrap();
        let Some(Value::List(messages)) = listed.field(3).cloned() else {
            panic!("no list: {listed:?}");
        };
        let texts = messages
            .iter()
            .map(|message| message.text(11).unwrap().to_owned());
        texts.collect::<Vec<_>>()
    };
    assert_eq!(waiting(&mut client, 0), ["one", "two", "three"]);
    assert_eq!(waiting(&mut client, 2), ["one", "two"]);
    let confirmed = |ids: &[i64]| {
        let ids = ids.iter().map(|id| Value::I64(*id)).collect();
        Value::Struct(vec![
            (1, (&alice).into()),
            (2, DOMAIN.into()),
            (3, Value::List(ids)),
        ])
    };
    client.done("DelOfflineMsg", confirmed(&[11, 13]));
    // The third waits for the second, as with every device.
    assert_eq!(waiting(&mut client, 0), ["two", "three"]);
    client.done("DelOfflineMsg", confirmed(&[12, 13]));
    assert_eq!(waiting(&mut client, 0), [""; 0]);
    // A class of devices that comes for the first time begins where the account is.
    let mut phone = Raw::connect(served.it.cluster.nodes[0].client_port).await;
    let auth = TimAuth {
        termtyp: Some(1),
        ..support::raw::auth("alice", "secret")
    };
    phone.send_struct(Command::Auth, &auth).await;
    assert!(phone.ack(Command::Auth).await.ok);
    assert_eq!(phone.offline().await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rosters_are_kept() {
    let served = Served::start(1, "").await;
    let mut client = served.client(0);
    let (alice, bob) = (register(&mut client, "alice"), register(&mut client, "bob"));
    let pair = |one: &str, other: &str| texts(&[one, DOMAIN, other, "hi"]);
    assert_eq!(
        client.call("Roster", texts(&[&alice, DOMAIN])).unwrap().texts(1),
        [""; 0],
        "an empty list is a list"
    );
    assert_eq!(client.refused("Authroster", pair(&alice, &bob)), 4105);
    assert_eq!(client.refused("Addroster", pair(&alice, "nobody")), 4106);
    assert_eq!(client.refused("Addroster", pair(&alice, &alice)), 4105);
    client.done("Addroster", pair(&alice, &bob));
    client.done("Addroster", pair(&bob, &alice));
    assert_eq!(client.refused("Addroster", pair(&alice, &bob)), 4117);
    client.done("Authroster", pair(&alice, &bob));
    assert_eq!(
        client.call("Roster", texts(&[&bob, DOMAIN])).unwrap().texts(1),
        [alice.as_str()]
    );
    client.done("Rmroster", pair(&alice, &bob));
    assert_eq!(client.refused("Rmroster", pair(&alice, &bob)), 4104);
    client.done("Blockroster", pair(&alice, &bob));
    assert_eq!(client.refused("Addroster", pair(&bob, &alice)), 4110);
    let blocked = client.call("BlockRosterList", texts(&[&alice, DOMAIN])).unwrap();
    assert_eq!(blocked.texts(1), [bob.as_str()]);
    let refused = client.call("Roster", texts(&["nobody", DOMAIN])).unwrap_err();
    assert!(refused.starts_with("4106"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rooms_are_kept() {
    let served = Served::start(1, "").await;
    let mut client = served.client(0);
    let (alice, bob) = (register(&mut client, "alice"), register(&mut client, "bob"));
    let mut founding = texts(&[&alice, DOMAIN, "plans"]);
    if let Value::Struct(fields) = &mut founding {
        fields.push((4, Value::I8(1)));
    }
    let room = named(&client.done("CreateRoom", founding));
    let own = |who: &str| texts(&[who, DOMAIN, &room, "me"]);
    let other = |who: &str, whom: &str| texts(&[who, DOMAIN, &room, whom, "no"]);
    client.done("AddRoom", own(&bob));
    client.done("RejectRoom", other(&alice, &bob));
    assert_eq!(client.refused("RejectRoom", other(&alice, &bob)), 4109);
    assert_eq!(client.refused("Authgroupuser", own(&bob)), 4105);
    client.done("PullInRoom", other(&alice, &bob));
    assert_eq!(client.refused("PullInRoom", other(&alice, &bob)), 4101);
    client.done("Authgroupuser", own(&bob));
    assert_eq!(
        client.call("UserRoom", texts(&[&bob, DOMAIN])).unwrap().texts(1),
        [room.as_str()]
    );
    let mut both = [alice.as_str(), bob.as_str()];
    both.sort_unstable();
    assert_eq!(
        client
            .call("RoomUsers", texts(&[&room, DOMAIN]))
            .unwrap()
            .texts(1),
        both
    );
    let topic = Value::Struct(vec![(4, "other plans".into())]);
    let change = |who: &String| only(vec![(1, who.into()), (2, (&room).into()), (3, topic.clone())]);
    assert_eq!(client.refused("ModifyRoomInfo", change(&bob)), 4105);
    client.done("ModifyRoomInfo", change(&alice));
    let mut of_bob = served.it.cluster.login(0, "bob").await;
    of_bob
        .send_struct(Command::Message, &{
            let mut said = tim_wire::TimMessage::to_room(&room, 1);
            said.data_string = Some("in the room".to_owned());
            said
        })
        .await;
    while of_bob.message().await.data_string.as_deref() != Some("in the room") {}
    let mut pulled = own(&alice);
    if let Value::Struct(fields) = &mut pulled {
        fields.truncate(3);
        fields.extend([(4, Value::I64(0)), (6, Value::I64(5))]);
    }
    let history = client.call("PullRoomMessage", pulled).unwrap();
    let Some(Value::List(messages)) = history.field(3) else {
        panic!("no list: {history:?}");
    };
    assert_eq!(messages[0].text(11), Some("in the room"));
    assert_eq!(messages[0].text(9), Some(room.as_str()));
    assert_eq!(client.refused("KickRoom", other(&bob, &alice)), 4105);
    client.done("KickRoom", other(&alice, &bob));
    client.done("BlockRoomMember", other(&alice, &bob));
    let banned = client.call("BlockRoomMemberlist", own(&alice)).unwrap();
    assert_eq!(banned.texts(1), [bob.as_str()]);
    client.done("PullInRoom", other(&alice, &bob));
    client.done("LeaveRoom", own(&bob));
    client.done("BlockRoom", own(&bob));
    let blocked = client.call("BlockRoomList", texts(&[&bob, DOMAIN])).unwrap();
    assert_eq!(blocked.texts(1), [room.as_str()]);
    client.done("CancelRoom", own(&alice));
    assert_eq!(client.refused("AddRoom", own(&bob)), 4108);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn virtual_rooms_are_made_subscribed_to_and_removed() {
    let served = Served::start(3, "").await;
    let mut client = served.client(0);
    let (alice, bob) = (register(&mut client, "alice"), register(&mut client, "bob"));
    let mut of_bob = Raw::connect(served.it.cluster.nodes[2].client_port).await;
    let login = of_bob.login("bob", "secret").await;
    let room = named(&client.done("VirtualroomRegister", texts(&[&alice, DOMAIN])));
    client.done("VirtualroomAddAuth", texts(&[&alice, DOMAIN, &room, &bob]));
    let wsid = u64::from_str_radix(login.n2.as_deref().unwrap(), 16).unwrap();
    let connection = |room: &String| {
        let wsid = Value::I64(wsid.cast_signed());
        let named = [
            (2, (&bob).into()),
            (3, DOMAIN.into()),
            (4, room.into()),
            (5, Value::I8(0)),
        ];
        Value::Struct([vec![(1, wsid)], named.to_vec()].concat())
    };
    client.done("VirtualroomSub", connection(&room));
    assert!(of_bob.ack(Command::VirtualRoom).await.ok);
    let stream = TimStream {
        v_node: room.clone(),
        body: Some("frame".into()),
        ..TimStream::default()
    };
    of_bob.send_struct(Command::Stream, &stream).await;
    let frame = of_bob.frame(Command::Stream).await;
    let heard = TimStream::decode_payload(&frame.payload, tim_wire::Encoding::Thrift).unwrap();
    assert_eq!(heard.body.as_deref(), Some(&b"frame"[..]));
    client.done("VirtualroomUnSub", connection(&room));
    assert!(of_bob.ack(Command::VirtualRoom).await.ok);
    client.done("VirtualroomDelAuth", texts(&[&alice, DOMAIN, &room, &bob]));
    client.done("VirtualroomRemove", texts(&[&alice, DOMAIN, &room]));
    let made = client.done("Vroom", only(vec![(1, (&alice).into()), (2, Value::I8(1))]));
    assert_ne!(named(&made), room);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_a_call_ends_the_connection_and_nothing_else() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let served = Served::start(1, "").await;
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0x82, 0x21, 0, 1, b'a', 0x1e],
        &[0x82, 0x21, 0, 0xff, 0x7f],
    ] {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", served.ports[0]))
            .await
            .unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // Bytes that nobody reads end a connection by a reset.
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty());
    }
    served.client(0).done("Ping", Value::Struct(Vec::new()));
}
