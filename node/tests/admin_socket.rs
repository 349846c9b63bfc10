//! The administrators' WebSocket of tim 2.1, on one node and on three.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use support::PATIENCE;
use support::administered::Administered;
use support::raw::{self, Raw};
use tim_wire::server_api::{AdmAck, AdmSubBean, AdmSubOnlineBean};
use tim_wire::{Command, Encoding, WireStruct};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

const HAS_COME: i8 = 1;
const HAS_GONE: i8 = 2;

struct Console(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// Bytes that wait unread at a client before its server cannot write any more: about as little as a system lets one say.
const TINY_BUFFER_BYTES: u32 = 4_096;
/// Clients that come and go at once.
const GUESTS: usize = 2;
/// Signs of life that are sent together by who does not read what they are answered.
const PINGS_TOGETHER: usize = 10_000;
/// When nothing of that was taken for so long, the node does not read any more either.
const STUCK: Duration = Duration::from_secs(2);

/// What a frame says.
#[derive(Debug)]
enum Told {
    Pong,
    Ack(AdmAck),
    Online(String, i8),
    Closed(Option<u16>),
}

/// A text field of the compact protocol that follows the one before.
fn text(text: &str) -> Vec<u8> {
    [&[0x18, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

impl Console {
    async fn connect(it: &Administered, node: usize) -> Self {
        let url = format!("ws://127.0.0.1:{}/tim", it.cluster.nodes[node].admin_port);
        let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        Self(socket)
    }

    /// As [`Console::connect`], with as little room as possible for what is not read.
    async fn connect_tiny(it: &Administered) -> Self {
        let port = it.cluster.nodes[0].admin_port;
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(TINY_BUFFER_BYTES).unwrap();
        let stream = socket.connect(([127, 0, 0, 1], port).into()).await.unwrap();
        let url = format!("ws://127.0.0.1:{port}/tim");
        let stream = MaybeTlsStream::Plain(stream);
        let (socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
        Self(socket)
    }

    /// Asks and does not read the answers, until nothing more finds room on the way to it.
    async fn fills_what_waits_for_it(&mut self) {
        let ask = async |socket: &mut WebSocketStream<_>| {
            for _ in 0..PINGS_TOGETHER {
                socket.feed(Message::Binary(vec![11].into())).await.unwrap();
            }
            socket.flush().await.unwrap();
        };
        while tokio::time::timeout(STUCK, ask(&mut self.0)).await.is_ok() {}
    }

    async fn known(it: &Administered, node: usize) -> Self {
        let mut console = Self::connect(it, node).await;
        let ack = console.auth("let me in").await;
        assert_eq!(ack.ok, Some(true), "{ack:?}");
        console
    }

    async fn send(&mut self, frame: Vec<u8>) {
        self.0.send(Message::Binary(frame.into())).await.unwrap();
    }

    async fn auth(&mut self, password: &str) -> AdmAck {
        let frame = [vec![12], text("console"), text(password), vec![0]].concat();
        self.send(frame).await;
        match self.told().await {
            Told::Ack(ack) => ack,
            other => panic!("{other:?}"),
        }
    }

    async fn told(&mut self) -> Told {
        let next = tokio::time::timeout(PATIENCE, self.0.next());
        let frame = match next.await.expect("a frame in time") {
            Some(Ok(Message::Binary(frame))) => frame,
            Some(Ok(Message::Close(close))) => return Told::Closed(close.map(|close| close.code.into())),
            other => panic!("{other:?}"),
        };
        let payload = frame.slice(1..);
        match frame[0] {
            11 => Told::Pong,
            12 => Told::Ack(AdmAck::decode_payload(&payload, Encoding::Thrift).unwrap()),
            13 => {
                let bean = AdmSubBean::decode_payload(&payload, Encoding::Thrift).unwrap();
                assert_eq!(bean.sub_type, Some(1));
                let news = AdmSubOnlineBean::decode_payload(&bean.bs.unwrap(), Encoding::Thrift).unwrap();
                Told::Online(news.node.unwrap(), news.status.unwrap())
            }
            other => panic!("a frame {other}"),
        }
    }

    async fn news(&mut self) -> (String, i8) {
        match self.told().await {
            Told::Online(account, status) => (account, status),
            other => panic!("{other:?}"),
        }
    }

    async fn subscribe(&mut self) {
        self.send(vec![13, 0x13, 1, 0]).await;
        // Frames are taken in order, so it has subscribed when this is answered.
        self.send(vec![11]).await;
        assert!(matches!(self.told().await, Told::Pong));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_off_unless_it_is_switched_on_and_strangers_only_ping() {
    let off = Administered::start(1, "").await;
    let url = format!("ws://127.0.0.1:{}/tim", off.cluster.nodes[0].admin_port);
    assert!(tokio_tungstenite::connect_async(url).await.is_err());
    let it = Administered::start(1, "tim_2_1_websocket = true\nwebsockets_max = 1").await;
    let mut console = Console::connect(&it, 0).await;
    let url = format!("ws://127.0.0.1:{}/tim", it.cluster.nodes[0].admin_port);
    let full = tokio_tungstenite::connect_async(url).await.unwrap_err();
    assert!(full.to_string().contains("503"), "{full}");
    console.send(vec![11]).await;
    assert!(matches!(console.told().await, Told::Pong));
    assert_eq!(console.auth("wrong").await.errcode, Some(4105));
    console.send(vec![13, 0x13, 1, 0]).await;
    assert!(matches!(console.told().await, Told::Closed(Some(1008))));
    drop(console);
    // Its place is free once the node has seen the end.
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let url = format!("ws://127.0.0.1:{}/tim", it.cluster.nodes[0].admin_port);
    let mut silent = loop {
        match tokio_tungstenite::connect_async(&url).await {
            Ok((socket, _)) => break Console(socket),
            Err(_) => assert!(tokio::time::Instant::now() < deadline),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let begun = tokio::time::Instant::now();
    assert!(matches!(silent.told().await, Told::Closed(Some(1008))));
    let waited = begun.elapsed();
    assert!(
        (Duration::from_secs(5)..Duration::from_secs(15)).contains(&waited),
        "{waited:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_and_goes_is_told_whatever_node_it_is_on() {
    let it = Administered::start(3, "tim_2_1_websocket = true").await;
    let mut accounts = BTreeMap::new();
    for name in ["alice", "bob", "carol"] {
        accounts.insert(name, it.register(name).await);
    }
    let mut first = Console::known(&it, 0).await;
    let mut second = Console::known(&it, 1).await;
    first.subscribe().await;
    second.subscribe().await;
    // Other nodes are heard once they have been reached; until then somebody comes and goes there.
    let probes = ["probe0", "probe1", "probe2"];
    for name in probes {
        it.register(name).await;
    }
    for console in [&mut first, &mut second] {
        for (node, name) in probes.into_iter().enumerate() {
            loop {
                let probe = it.cluster.login(node, name).await;
                let heard = tokio::time::timeout(Duration::from_millis(300), console.news()).await;
                probe.close().await;
                if heard.is_ok() {
                    break;
                }
            }
        }
    }
    // What is left of the probes has been told when they have been away for so long.
    let quiet = Duration::from_secs(7);
    while tokio::time::timeout(quiet, first.news()).await.is_ok() {}
    while tokio::time::timeout(Duration::from_millis(100), second.news())
        .await
        .is_ok()
    {}

    let mut sessions = Vec::new();
    for (node, name) in ["alice", "bob", "carol"].into_iter().enumerate() {
        sessions.push(it.cluster.login(node, name).await);
        for console in [&mut first, &mut second] {
            assert_eq!(console.news().await, (accounts[name].clone(), HAS_COME), "{name}");
        }
    }
    sessions.remove(0).close().await;
    drop(second);
    assert_eq!(first.news().await, (accounts["alice"].clone(), HAS_GONE));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn console_users_push_into_virtual_rooms() {
    let it = Administered::start(3, "tim_2_1_websocket = true").await;
    let (alice, bob) = (it.register("alice").await, it.register("bob").await);
    let mut owner = it.cluster.login(1, "alice").await;
    let room = owner.create_room().await;
    let mut reader = it.cluster.login(2, "bob").await;
    assert!(reader.subscribe(&room, true).await.ok);
    let mut console = Console::known(&it, 0).await;
    let push = |from: &str, body: &[u8]| {
        let parts = [
            &[17][..],
            room.as_bytes(),
            &[0x83],
            from.as_bytes(),
            &[0x83],
            body,
        ];
        parts.concat()
    };
    console.send(push(&alice, b"frame\x83")).await;
    assert_eq!(reader.stream().await.body, b"frame\x83");
    console.send(push(&bob, b"not his")).await;
    let Told::Ack(ack) = console.told().await else {
        panic!("no ack");
    };
    assert_eq!((ack.ok, ack.errcode), (Some(false), Some(4105)));
    assert_eq!((ack.tim_type, ack.n.as_deref()), (Some(17), Some(room.as_str())));
    assert!(ack.t.is_some());
    console.send(Bytes::from_static(&[17, b'a']).to_vec()).await;
    let Told::Ack(ack) = console.told().await else {
        panic!("no ack");
    };
    assert_eq!(ack.errcode, Some(4104));
    // A guest among the sessions counts as none.
    let status = it.cluster.status(0).await;
    assert_eq!(status["sessions"], serde_json::json!(0), "{status}");
}

/// Accounts come and go until they are told to stop; all that have come.
async fn come_and_go(port: u16, guest: usize, stop: Arc<AtomicBool>) -> Vec<String> {
    let mut come = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let name = format!("guest-{guest}-{}", come.len());
        let mut client = Raw::connect(port).await;
        client.send_struct(Command::Auth, &raw::auth(&name, "")).await;
        assert!(client.ack(Command::Auth).await.ok);
        client.close().await;
        come.push(name);
    }
    come
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_is_closed_and_the_others_hear_everything() {
    let more =
        "tim_2_1_websocket = true\nwebsockets_max = 2\n[accounts]\nids = \"names\"\nusers = \"anyone\"";
    let it = Administered::start(1, more).await;
    let mut slow = Console::connect_tiny(&it).await;
    assert_eq!(slow.auth("let me in").await.ok, Some(true));
    slow.subscribe().await;
    slow.fills_what_waits_for_it().await;
    let mut reading = Console::known(&it, 0).await;
    reading.subscribe().await;
    let stop = Arc::new(AtomicBool::new(false));
    let port = it.cluster.nodes[0].client_port;
    let guests: Vec<_> = (0..GUESTS)
        .map(|guest| tokio::spawn(come_and_go(port, guest, Arc::clone(&stop))))
        .collect();
    let heard = tokio::spawn(async move {
        let mut heard = BTreeSet::new();
        loop {
            let (account, status) = reading.news().await;
            if account == "last" {
                return heard;
            }
            if status == HAS_COME {
                heard.insert(account);
            }
        }
    });
    // The place of who does not read is free before it has read anything.
    let url = format!("ws://127.0.0.1:{}/tim", it.cluster.nodes[0].admin_port);
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while tokio_tungstenite::connect_async(&url).await.is_err() {
        assert!(tokio::time::Instant::now() < deadline, "it is not closed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut come = BTreeSet::new();
    for guest in guests {
        come.extend(guest.await.unwrap());
    }
    let mut last = Raw::connect(port).await;
    last.send_struct(Command::Auth, &raw::auth("last", "")).await;
    assert!(last.ack(Command::Auth).await.ok);
    let heard = heard.await.unwrap();
    let missed: Vec<_> = come.difference(&heard).take(5).collect();
    assert!(missed.is_empty(), "{missed:?} of {}", come.len());
    // What was on its way is all that it gets, and then the end.
    let rest = async { while matches!(slow.0.next().await, Some(Ok(Message::Binary(_)))) {} };
    tokio::time::timeout(PATIENCE, rest)
        .await
        .expect("the end in time");
}
