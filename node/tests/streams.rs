//! Virtual rooms, live streams and big data, on one node and on three.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use bytes::Bytes;
use std::time::{Duration, Instant};
use support::raw::Raw;
use support::stream::{Heard, big_frame, owners, room_with_relay};
use support::{Cluster, http};
use tim_client::{Client, Credentials, Event, Events, Options, RequestError, Server, StreamForm};
use tim_wire::structs::virtual_room;
use tim_wire::{Command, Encoding, TimReq, TimStream};

/// Longest interruption of a stream by the loss of its relay; the simulator holds the same.
const INTERRUPTION_MAX: Duration = Duration::from_secs(1);

async fn login(cluster: &Cluster, node: usize, name: &str, encoding: Encoding) -> Raw {
    let mut raw = Raw::connect(cluster.nodes[node].client_port).await;
    raw.encoding = encoding;
    raw.login(name, "secret").await;
    raw
}

fn as_struct(room: &str, body: &[u8], dtype: Option<i8>, owner: &str) -> Heard {
    Heard {
        room: room.to_owned(),
        body: body.to_vec(),
        of_struct: Some((dtype, owner.to_owned())),
    }
}

fn as_binary(room: &str, body: &[u8]) -> Heard {
    Heard {
        room: room.to_owned(),
        body: body.to_vec(),
        of_struct: None,
    }
}

/// Both push forms to both subscription forms, in both encodings, each on the given nodes.
async fn all_forms(cluster: &Cluster, owner: &str, pusher: usize, subscribers: usize) {
    for encoding in Encoding::ALL {
        let mut push = login(cluster, pusher, "owner", encoding).await;
        let room = push.create_room().await;
        let mut readers = Vec::new();
        for binary in [false, true] {
            let mut reader = login(cluster, subscribers, "reader", encoding).await;
            assert!(reader.subscribe(&room, binary).await.ok);
            readers.push(reader);
        }
        push.push(&room, b"\x01\x83|").await;
        push.send_big(Command::BigBinaryStream, &room, b"raw").await;
        let mut short = vec![Command::BigBinaryStream.number()];
        short.extend_from_slice(room.as_bytes());
        short.extend_from_slice(b"\x83short");
        push.send(Bytes::from(short)).await;
        for (body, dtype) in [(&b"\x01\x83|"[..], Some(7)), (b"raw", None), (b"short", None)] {
            let first = readers[0].stream().await;
            assert_eq!(first, as_struct(&room, body, dtype, owner));
            assert_eq!(readers[1].stream().await, as_binary(&room, body));
        }
        for reader in readers {
            reader.close().await;
        }
        push.close().await;
    }
}

#[tokio::test]
async fn all_forms_combine() {
    let cluster = Cluster::start_for_many_devices(1, &["d0"]).await;
    let owner = cluster.register(0, "owner").await;
    cluster.register(0, "reader").await;
    all_forms(&cluster, &owner, 0, 0).await;
}

#[tokio::test]
async fn bad_requests_are_answered_by_field() {
    let cluster = Cluster::start_for_many_devices(1, &["d0"]).await;
    cluster.register(0, "owner").await;
    let reader = cluster.register(0, "reader").await;
    let mut client = cluster.login(0, "owner").await;
    let room = client.create_room().await;
    let request = |rtype: Option<i32>, node: Option<&str>, node2: Option<&str>, req_int| TimReq {
        rtype,
        node: node.map(str::to_owned),
        node2: node2.map(str::to_owned),
        req_int,
        ..TimReq::default()
    };
    let table = [
        (request(None, None, None, None), 4104, "request.rtype"),
        (request(Some(7), Some(&room), None, None), 4104, "request.rtype"),
        (request(Some(2), None, None, None), 4104, "request.node"),
        (
            request(Some(5), Some("nonsense!"), None, None),
            4104,
            "request.node",
        ),
        (request(Some(6), Some(""), None, None), 4104, "request.node"),
        (request(Some(3), Some(&room), None, None), 4104, "request.node2"),
        (
            request(Some(4), Some(&room), Some("x!"), None),
            4104,
            "request.node2",
        ),
        (
            request(Some(5), Some(&room), None, Some(2)),
            5101,
            "request.reqInt",
        ),
        (
            request(Some(5), Some(&reader), None, None),
            5101,
            "no such virtual room",
        ),
        (
            request(Some(3), Some(&reader), Some(&reader), None),
            5101,
            "no such virtual room",
        ),
    ];
    for (request, code, text) in table {
        let ack = client.ask_room(&request).await;
        let error = ack.error.unwrap();
        assert!(!ack.ok);
        assert_eq!(error.code, Some(code), "{request:?}");
        assert!(error.info.unwrap().contains(text), "{request:?}");
        assert_eq!(ack.t, Some(i64::from(request.rtype.unwrap_or(0))));
    }
    // Pushes: a room that is no id, one that is not there, no right.
    client.push("nonsense!", b"x").await;
    let (code, text) = client.refusal(Command::Stream).await;
    assert!(code == 4104 && text.contains("stream.VNode"), "{code} {text}");
    client.push(&reader, b"x").await;
    assert_eq!(client.refusal(Command::Stream).await.0, 4105);
    let mut other = cluster.login(0, "reader").await;
    other.send_big(Command::BigBinaryStream, &room, b"x").await;
    let ack = other.ack(Command::Stream).await;
    assert_eq!(ack.n.as_deref(), Some(room.as_str()));
    assert_eq!(ack.error.unwrap().code, Some(4105));
    client.ping().await;
}

#[tokio::test]
async fn rights_are_granted_and_withdrawn_and_rooms_end() {
    let mut cluster = Cluster::prepare(1, &["d0"]);
    cluster.extra = "[sessions]\nvirtual_room_idle_seconds = 2\n".to_owned();
    cluster.run_all().await;
    let owner_id = cluster.register(0, "owner").await;
    let guest_id = cluster.register(0, "guest").await;
    let mut owner = cluster.login(0, "owner").await;
    let mut guest = cluster.login(0, "guest").await;
    let (room, other) = (owner.create_room().await, owner.create_room().await);
    for room in [&room, &other] {
        assert!(owner.subscribe(room, false).await.ok);
    }
    let denied = guest
        .room_request(virtual_room::GRANT, &room, Some(&guest_id))
        .await;
    assert_eq!(denied.error.unwrap().code, Some(4105));
    guest.push(&room, b"no").await;
    assert_eq!(guest.refusal(Command::Stream).await.0, 4105);
    owner.done(virtual_room::GRANT, &room, Some(&guest_id)).await;
    guest.push(&room, b"yes").await;
    let heard = owner.stream().await;
    assert_eq!(
        heard,
        as_struct(&room, b"yes", Some(7), &owner_id),
        "the owner is told as the sender"
    );
    owner.done(virtual_room::WITHDRAW, &room, Some(&guest_id)).await;
    guest.push(&room, b"no").await;
    assert_eq!(guest.refusal(Command::Stream).await.0, 4105);
    // One room less; the other goes on.
    owner.done(virtual_room::UNSUBSCRIBE, &room, None).await;
    owner.push(&room, b"unheard").await;
    owner.push(&other, b"heard").await;
    assert_eq!(owner.stream().await.body, b"heard");
    // Another form.
    assert!(owner.subscribe(&other, true).await.ok);
    owner.push(&other, b"raw").await;
    assert_eq!(owner.stream().await, as_binary(&other, b"raw"));
    // Only the owner's removal counts, but everybody's is answered.
    guest.done(virtual_room::REMOVE, &room, None).await;
    assert!(guest.subscribe(&room, false).await.ok);
    owner.done(virtual_room::REMOVE, &room, None).await;
    owner.push(&room, b"gone").await;
    assert_eq!(owner.refusal(Command::Stream).await.0, 4105);
    // And what nobody uses goes by itself, subscriptions with their connection.
    owner.close().await;
    guest.close().await;
    cluster
        .until(0, "/metrics", "no room and no subscription", |_, body| {
            let is_zero = |name: &str| {
                let mut lines = body.lines().filter(|line| line.starts_with(name));
                lines.next().is_some_and(|line| line.ends_with(" 0"))
            };
            is_zero("tim_stream_room_count") && is_zero("tim_stream_subscription_count")
        })
        .await;
}

#[tokio::test]
async fn a_subscriber_that_does_not_read_loses_the_oldest_and_delays_nobody() {
    let mut cluster = Cluster::prepare(1, &["d0"]);
    cluster.extra = "[limits]\nstream_bytes_per_session_max = 65536\n".to_owned();
    cluster.run_all().await;
    let (_, slow_id) = cluster.friends("owner", "slow").await;
    cluster.register(0, "quick").await;
    let mut owner = cluster.login(0, "owner").await;
    let mut slow = cluster.login(0, "slow").await;
    let mut quick = cluster.login(0, "quick").await;
    let room = owner.create_room().await;
    for reader in [&mut slow, &mut quick] {
        assert!(reader.subscribe(&room, true).await.ok);
    }
    slow.offline().await;
    // Nobody reads the slow one's socket meanwhile: what its kernel buffers do not take has to go.
    let piece = vec![0_u8; 32 * 1_024];
    let count = 1_000_u32;
    for number in 0..count {
        let data = [&number.to_be_bytes()[..], &piece].concat();
        owner.push(&room, &data).await;
        assert_eq!(quick.stream().await.body[..4], number.to_be_bytes());
    }
    owner.say(&slow_id, "a message").await;
    owner.message().await;
    let (_, metrics) = http::get(cluster.nodes[0].admin_port, "/metrics").await.unwrap();
    let dropped = metrics
        .lines()
        .find(|line| line.starts_with("tim_stream_frames_dropped"));
    assert!(dropped.is_some_and(|line| !line.ends_with(" 0")), "{dropped:?}");
    assert_eq!(slow.message().await.data_string.as_deref(), Some("a message"));
    let mut last = None;
    while last != Some(count - 1) {
        let body = slow.stream().await.body;
        let number = u32::from_be_bytes(body[..4].try_into().unwrap());
        assert!(last.is_none_or(|last| last < number), "in order");
        last = Some(number);
    }
}

#[tokio::test]
async fn big_data_in_all_forms_and_pieces() {
    let cluster = Cluster::start_for_many_devices(1, &["d0"]).await;
    let (alice, bob) = cluster.friends("alice", "bob").await;
    let stranger = cluster.register(0, "stranger").await;
    let mut one = cluster.login(0, "alice").await;
    let mut devices = [
        cluster.login(0, "bob").await,
        login(&cluster, 0, "bob", Encoding::Json).await,
    ];
    let large = vec![9_u8; 300_000];
    for (command, separator) in [(Command::BigString, b'|'), (Command::BigBinary, 0x83)] {
        one.send_big(command, &bob, &large).await;
        let mut short = vec![command.number() | 0x80];
        short.extend_from_slice(bob.as_bytes());
        short.push(separator);
        short.extend_from_slice(b"short form");
        one.send(Bytes::from(short)).await;
        // In pieces, of which one looks like a ping.
        let whole = big_frame(command, &bob, b"in \x0d pieces");
        let place = whole.len() - 8;
        for piece in [
            whole.slice(..6),
            whole.slice(6..place),
            whole.slice(place..=place),
            whole.slice(place + 1..),
        ] {
            one.send(piece).await;
        }
        for device in &mut devices {
            for data in [&large[..], b"short form", b"in \x0d pieces"] {
                assert_eq!(device.big(command).await, (alice.clone(), data.to_vec()));
            }
        }
    }
    // Longer than it says; then a beginning that the next message overshoots, which stands for itself.
    one.send(Bytes::from_static(b"\x5f\0\0\0\x06abc|")).await;
    assert_eq!(one.refusal(Command::BigBinary).await.0, 4114);
    one.send(Bytes::from_static(b"\x60\0\0\0\x0eabcdef")).await;
    one.send_big(Command::BigString, &bob, b"after").await;
    assert_eq!(one.refusal(Command::BigBinary).await.0, 4114);
    assert_eq!(devices[0].big(Command::BigString).await.1, b"after");
    // Too short to mean anything; nothing to whom it must not go.
    one.send(Bytes::from_static(b"\x5f\0\0\0\x05")).await;
    for (target, code) in [
        (stranger.as_str(), 4105),
        (alice.as_str(), 4105),
        ("ZsV5WMTqYAv", 4106),
        ("x", 4106),
    ] {
        one.send_big(Command::BigBinary, target, b"data").await;
        assert_eq!(one.refusal(Command::BigBinary).await.0, code, "{target}");
    }
    one.ping().await;
}

#[tokio::test]
async fn nobody_without_login_makes_the_node_keep_a_beginning() {
    let cluster = Cluster::start_for_many_devices(1, &["d0"]).await;
    let mut stranger = Raw::connect(cluster.nodes[0].client_port).await;
    stranger.send(Bytes::from_static(b"\x60\0\x01\0\0abcdef")).await;
    assert_eq!(stranger.closed().await, Some(1008));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_and_big_data_cross_nodes() {
    let cluster = Cluster::start_for_many_devices(3, &["d0", "d1"]).await;
    let owner_id = cluster.register(0, "owner").await;
    cluster.register(0, "reader").await;
    for (pusher, subscribers) in [(0, 1), (2, 2), (1, 0)] {
        all_forms(&cluster, &owner_id, pusher, subscribers).await;
    }
    // Owner, relay and subscriber each on a node of its own, and a guest that pushes from the subscriber's.
    let guest_id = cluster.register(0, "guest").await;
    let mut owner = cluster.login(0, "owner").await;
    let mut guest = cluster.login(2, "guest").await;
    let room = room_with_relay(&cluster, &mut owner, 1).await;
    assert!(guest.subscribe(&room, false).await.ok);
    owner.done(virtual_room::GRANT, &room, Some(&guest_id)).await;
    for number in 0..200_u32 {
        owner.push(&room, &number.to_be_bytes()).await;
    }
    for number in 0..200_u32 {
        let heard = guest.stream().await;
        assert_eq!(heard, as_struct(&room, &number.to_be_bytes(), Some(7), &owner_id));
    }
    guest.push(&room, b"guest").await;
    assert_eq!(guest.stream().await.body, b"guest");
    owner.done(virtual_room::WITHDRAW, &room, Some(&guest_id)).await;
    guest.push(&room, b"guest").await;
    assert_eq!(guest.refusal(Command::Stream).await.0, 4105);
    let (alice, bob) = cluster.friends("alice", "bob").await;
    let mut sender = cluster.login(0, "alice").await;
    let mut devices = Vec::new();
    for node in 0..3 {
        devices.push(cluster.login(node, "bob").await);
    }
    let large = vec![3_u8; 900_000];
    for _ in 0..8 {
        sender.send_big(Command::BigBinary, &bob, &large).await;
        for device in &mut devices {
            assert_eq!(
                device.big(Command::BigBinary).await,
                (alice.clone(), large.clone())
            );
        }
    }
}

/// Pushes until a number of frames has been heard since something; the longest silence.
async fn interruption(
    pusher: &mut Raw,
    reader: &mut Raw,
    room: &str,
    from: &mut u32,
    count: u32,
) -> Duration {
    let (mut since, mut longest, mut last) = (Instant::now(), Duration::ZERO, None);
    let end = *from + count;
    while last.is_none_or(|last| last + 1 < end) {
        if *from < end {
            pusher.push(room, &from.to_be_bytes()).await;
            *from += 1;
        }
        let heard = tokio::time::timeout(Duration::from_millis(10), reader.stream()).await;
        if let Ok(heard) = heard {
            let number = u32::from_be_bytes(heard.body.try_into().unwrap());
            assert!(last.is_none_or(|last| last < number), "in order and never twice");
            last = Some(number);
            longest = longest.max(since.elapsed());
            since = Instant::now();
        }
        assert!(since.elapsed() < support::PATIENCE, "the stream goes on");
    }
    longest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_goes_on_when_the_node_of_its_relay_is_killed_or_stopped() {
    let mut cluster = Cluster::start_for_many_devices(3, &["d0"]).await;
    cluster.register(0, "owner").await;
    cluster.register(0, "reader").await;
    let mut owner = cluster.login(0, "owner").await;
    let mut reader = cluster.login(2, "reader").await;
    let room = room_with_relay(&cluster, &mut owner, 1).await;
    assert_eq!(owners(&cluster, &room)[0], 1);
    assert!(reader.subscribe(&room, true).await.ok);
    let mut number = 0;
    interruption(&mut owner, &mut reader, &room, &mut number, 100).await;
    cluster.kill(1);
    let killed = interruption(&mut owner, &mut reader, &room, &mut number, 100).await;
    assert!(killed < INTERRUPTION_MAX, "{killed:?}");
    cluster.see_each_other(2).await;
    interruption(&mut owner, &mut reader, &room, &mut number, 50).await;
    // It comes back and is the relay again, with all that it has to know.
    cluster.spawn(1);
    cluster.ready(1).await;
    cluster.see_each_other(3).await;
    let back = interruption(&mut owner, &mut reader, &room, &mut number, 100).await;
    assert!(back < INTERRUPTION_MAX, "{back:?}");
    let mut late = cluster.login(1, "reader").await;
    assert!(late.subscribe(&room, true).await.ok);
    owner.push(&room, b"late").await;
    assert_eq!(late.stream().await.body, b"late");
    assert_eq!(reader.stream().await.body, b"late");
    late.close().await;
    // A process that is stopped says nothing and breaks nothing.
    cluster.signal(1, "STOP");
    let stopped = interruption(&mut owner, &mut reader, &room, &mut number, 100).await;
    assert!(stopped < INTERRUPTION_MAX, "{stopped:?}");
    cluster.signal(1, "CONT");
    cluster.see_each_other(3).await;
    interruption(&mut owner, &mut reader, &room, &mut number, 50).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_does_not_notice_that_the_node_of_its_relay_leaves() {
    let mut cluster = Cluster::start_for_many_devices(3, &["d0"]).await;
    cluster.register(0, "owner").await;
    cluster.register(0, "reader").await;
    let mut owner = cluster.login(0, "owner").await;
    let mut reader = cluster.login(2, "reader").await;
    let room = room_with_relay(&cluster, &mut owner, 1).await;
    assert!(reader.subscribe(&room, false).await.ok);
    let mut number = 0;
    let streaming = interruption(&mut owner, &mut reader, &room, &mut number, 300);
    let (longest, ()) = tokio::join!(streaming, cluster.terminate(1));
    assert!(longest < INTERRUPTION_MAX, "{longest:?}");
    cluster.see_each_other(2).await;
    // On what is left it finds its way as well.
    owner.done(virtual_room::REMOVE, &room, None).await;
    owner.push(&room, b"gone").await;
    assert_eq!(owner.refusal(Command::Stream).await.0, 4105);
}

#[tokio::test]
async fn the_client_library_streams() {
    let cluster = Cluster::start_for_many_devices(1, &["d0"]).await;
    let (owner_id, friend_id) = cluster.friends("owner", "friend").await;
    let (owner, _) = connect(&cluster, "owner").await;
    let (friend, mut events) = connect(&cluster, "friend").await;
    let room = owner.create_virtual_room().await.unwrap();
    friend.subscribe(&room, StreamForm::Struct).await.unwrap();
    let refused = friend.grant_push(&room, &friend_id).await.unwrap_err();
    assert!(matches!(refused, RequestError::Rejected(rejection) if rejection.number == 4105));
    owner.grant_push(&room, &friend_id).await.unwrap();
    friend
        .push_stream(&room, Some(1), Bytes::from_static(b"mine"))
        .await
        .unwrap();
    match next(&mut events).await {
        Event::Stream(stream) => assert_eq!(stream.from_node, owner_id),
        other => panic!("{other:?}"),
    }
    owner.withdraw_push(&room, &friend_id).await.unwrap();
    friend.subscribe(&room, StreamForm::Binary).await.unwrap();
    owner
        .push_binary(&room, Bytes::from_static(b"raw"))
        .await
        .unwrap();
    match next(&mut events).await {
        Event::BinaryStream(stream) => {
            assert_eq!((stream.node, &stream.data[..]), (room.clone(), &b"raw"[..]))
        }
        other => panic!("{other:?}"),
    }
    friend.unsubscribe(&room).await.unwrap();
    owner.remove_virtual_room(&room).await.unwrap();
    owner.send_big_string(&friend_id, "text").await.unwrap();
    owner
        .send_big_binary(&friend_id, Bytes::from_static(b"bytes"))
        .await
        .unwrap();
    for data in [&b"text"[..], b"bytes"] {
        match next(&mut events).await {
            Event::BigData(big) => assert_eq!((big.node, &big.data[..]), (owner_id.clone(), data)),
            other => panic!("{other:?}"),
        }
    }
}

async fn connect(cluster: &Cluster, name: &str) -> (Client, Events) {
    let server = Server::at([cluster.client_url(0).parse().unwrap()]);
    let options = Options::new(
        server,
        Credentials::password(name, "secret", support::raw::DOMAIN),
    );
    Client::connect(options).await.unwrap()
}

/// The next event that is not about the connection itself.
async fn next(events: &mut Events) -> Event {
    loop {
        let event = tokio::time::timeout(support::PATIENCE, events.next()).await;
        match event.unwrap().unwrap() {
            Event::Connected { .. } => {}
            event => return event,
        }
    }
}

#[tokio::test]
async fn a_stream_with_every_byte_comes_through_json() {
    let cluster = Cluster::start_for_many_devices(1, &["d0"]).await;
    let owner_id = cluster.register(0, "owner").await;
    let mut client = login(&cluster, 0, "owner", Encoding::Json).await;
    let room = client.create_room().await;
    assert!(client.subscribe(&room, false).await.ok);
    let body: Vec<u8> = (0..=255).collect();
    let stream = TimStream {
        v_node: room.clone(),
        body: Some(Bytes::from(body.clone())),
        ..TimStream::default()
    };
    client.send_struct(Command::Stream, &stream).await;
    assert_eq!(client.stream().await, as_struct(&room, &body, None, &owner_id));
}
