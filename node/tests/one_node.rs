//! One node on SQLite: the whole of the client protocol that it offers, in both encodings.

mod support;

use std::time::Duration;
use support::raw::{self, Raw};
use support::{Cluster, http};
use tim_client::SendError;
use tim_wire::frame::{client_frame, empty_client_frame};
use tim_wire::structs::operation;
use tim_wire::{Command, Encoding, TimAck, TimAuth, TimMessage, TimMessageList, TimReq, Token, WireStruct};

#[tokio::test]
async fn two_users_chat_in_both_encodings() {
    let cluster = Cluster::start(1, &["d0"]).await;
    let (alice, bob) = cluster.friends("alice", "bob").await;
    for encoding in Encoding::ALL {
        let mut one = Raw::connect(cluster.nodes[0].client_port).await;
        one.encoding = encoding;
        let ack = one.login("alice", "secret").await;
        assert_eq!(ack.n.as_deref(), Some(alice.as_str()));
        let mut other = cluster.login(0, "bob").await;
        other.offline().await;
        let mut last = 0;
        for number in 0..30 {
            let text = format!("{encoding:?} {number} 哈");
            one.say(&bob, &text).await;
            let echo = one.message().await;
            assert_eq!(echo.data_string.as_deref(), Some(text.as_str()));
            let delivered = other.message().await;
            assert_eq!(delivered.data_string, echo.data_string);
            assert_eq!((delivered.id, delivered.mid), (echo.id, echo.mid));
            assert_eq!(delivered.from_node(), Some(alice.as_str()));
            assert_eq!(
                delivered.from_tid.unwrap().resource.as_deref(),
                Some("android"),
                "live messages name the device"
            );
            assert!(delivered.mid.unwrap() > last, "numbers rise");
            last = delivered.mid.unwrap();
        }
        one.ping().await;
        one.close().await;
        other.close().await;
        cluster.nothing_waits("alice").await;
        cluster.nothing_waits("bob").await;
    }
}

#[tokio::test]
async fn frames_wait_for_the_login_and_keep_their_order() {
    let cluster = Cluster::start(1, &["d0"]).await;
    let (_, bob) = cluster.friends("alice", "bob").await;
    let mut receiver = cluster.login(0, "bob").await;
    receiver.offline().await;
    let mut sender = Raw::connect(cluster.nodes[0].client_port).await;
    // Nothing is waited for: everything is in the socket before the login is decided.
    sender
        .send_struct(Command::Auth, &raw::auth("alice", "secret"))
        .await;
    for number in 0..50 {
        sender.say(&bob, &number.to_string()).await;
    }
    assert!(sender.ack(Command::Auth).await.ok);
    for number in 0..50 {
        let text = Some(number.to_string());
        assert_eq!(sender.message().await.data_string, text);
        assert_eq!(receiver.message().await.data_string, text);
    }
}

#[tokio::test]
async fn registration_token_and_login_of_both_generations() {
    let cluster = Cluster::start(1, &["d0"]).await;
    let port = cluster.nodes[0].client_port;
    let id = cluster.register(0, "tim1").await;
    assert_eq!(id, "UHuS8PoK2LX", "ids are derived as the reference derives them");
    for encoding in Encoding::ALL {
        let again = raw::post(port, Command::Register, encoding, &raw::auth("tim1", "x")).await;
        assert_eq!(again.error.unwrap().code, Some(4101));
        let empty = raw::post(port, Command::Register, encoding, &raw::auth("tim9", "")).await;
        let error = empty.error.unwrap();
        assert_eq!(error.code, Some(4104));
        assert!(error.info.unwrap().starts_with("TIM-P104 auth.pwd"));
        let wrong = raw::post(port, Command::Token, encoding, &raw::auth("tim1", "wrong")).await;
        assert_eq!(wrong.error.unwrap().code, Some(4102));
    }
    // A number and no name, as 2.0 clients; a text with name, as 2.1 clients.
    let first = raw::post(port, Command::Token, Encoding::Json, &raw::auth("tim1", "secret")).await;
    let second = raw::post(
        port,
        Command::Token,
        Encoding::Thrift,
        &raw::auth("tim1", "secret"),
    )
    .await;
    let by_number = TimAuth {
        token: Some(Token::Number(first.t.unwrap())),
        ..TimAuth::default()
    };
    let by_text = TimAuth {
        token: Some(Token::Text(second.n.unwrap())),
        pwd: None,
        ..raw::auth("tim1", "")
    };
    for auth in [by_number, by_text] {
        let mut client = Raw::connect_at(port, "/").await;
        client.send_struct(Command::Auth, &auth).await;
        let ack = client.ack(Command::Auth).await;
        assert!(ack.ok, "{ack:?}");
        assert_eq!(ack.n.as_deref(), Some(id.as_str()));
        let mut twice = Raw::connect(port).await;
        twice.send_struct(Command::Auth, &auth).await;
        let error = twice.ack(Command::Auth).await.error.unwrap();
        assert_eq!(error.code, Some(4115), "a token works once");
    }
}

#[tokio::test]
async fn wrong_logins_are_refused_and_strangers_are_cut_off() {
    let mut cluster = Cluster::prepare(1, &["d0"]);
    cluster.extra = "[sessions]\nlogin_timeout_millis = 1500\n".to_owned();
    cluster.run_all().await;
    let port = cluster.nodes[0].client_port;
    cluster.register(0, "alice").await;
    for auth in [
        raw::auth("alice", "wrong"),
        raw::auth("nobody", "secret"),
        TimAuth::default(),
    ] {
        let mut client = Raw::connect(port).await;
        client.send_struct(Command::Auth, &auth).await;
        assert_eq!(client.ack(Command::Auth).await.error.unwrap().code, Some(4105));
    }
    let mut stranger = Raw::connect(port).await;
    // A ping before login is accepted and not answered; anything else closes.
    stranger
        .send(empty_client_frame(Command::Ping, Encoding::Thrift))
        .await;
    stranger.ask_offline().await;
    assert!(stranger.next().await.is_none());
    let mut silent = Raw::connect(port).await;
    assert!(silent.next().await.is_none(), "closed without a login");
}

#[tokio::test]
async fn messages_wait_for_who_is_away_and_come_in_order() {
    let cluster = Cluster::start(1, &["d0", "d1"]).await;
    let (alice, bob) = cluster.friends("alice", "bob").await;
    let mut sender = cluster.login(0, "alice").await;
    for number in 0..35 {
        sender.say(&bob, &number.to_string()).await;
        sender.message().await;
    }
    let mut receiver = cluster.login(0, "bob").await;
    let waited = receiver.offline().await;
    let texts: Vec<String> = waited
        .iter()
        .filter_map(|message| message.data_string.clone())
        .collect();
    let expected: Vec<String> = (0..35).map(|number| number.to_string()).collect();
    assert_eq!(texts, expected);
    let first = &waited[0];
    assert_eq!(first.is_offline, Some(true));
    assert_eq!(first.from_tid, Some(tim_wire::Tid::of(alice.clone())));
    assert!(first.mid.unwrap() > 0);
    // Live again.
    sender.say(&bob, "live").await;
    assert_eq!(receiver.message().await.data_string.as_deref(), Some("live"));
    assert!(receiver.offline().await.is_empty(), "everything is confirmed");
    receiver.close().await;
    cluster.nothing_waits("bob").await;
}

#[tokio::test]
async fn a_backlog_is_pushed_to_clients_that_do_not_ask() {
    let mut cluster = Cluster::prepare(1, &["d0"]);
    cluster.extra = "[sessions]\noffline_grace_millis = 300\n".to_owned();
    cluster.run_all().await;
    let (_, bob) = cluster.friends("alice", "bob").await;
    let mut sender = cluster.login(0, "alice").await;
    sender.say(&bob, "are you there?").await;
    sender.message().await;
    let mut receiver = cluster.login(0, "bob").await;
    let pushed = receiver.message().await;
    assert_eq!(pushed.data_string.as_deref(), Some("are you there?"));
}

#[tokio::test]
async fn what_is_not_confirmed_is_sent_again_under_a_new_number() {
    let mut cluster = Cluster::prepare(1, &["d0"]);
    cluster.extra = "[sessions]\nconfirm_timeout_millis = 300\n".to_owned();
    cluster.run_all().await;
    let (_, bob) = cluster.friends("alice", "bob").await;
    let mut sender = cluster.login(0, "alice").await;
    let mut receiver = cluster.login(0, "bob").await;
    receiver.offline().await;
    sender.say(&bob, "hello").await;
    let (first, first_sync) = receiver.unconfirmed_message().await;
    let (second, second_sync) = receiver.unconfirmed_message().await;
    assert_eq!((first.id, first.mid), (second.id, second.mid));
    assert_ne!(first_sync, second_sync);
    receiver.confirm(second_sync.unwrap()).await;
    receiver.ping().await;
    assert!(
        receiver
            .silent(Command::Message, Duration::from_millis(900))
            .await
    );
    assert!(receiver.offline().await.is_empty());
}

#[tokio::test]
async fn what_was_taken_back_before_its_confirmation_is_not_sent_again() {
    let cluster = Cluster::start(1, &["d0"]).await;
    let (_, bob) = cluster.friends("alice", "bob").await;
    let mut sender = cluster.login(0, "alice").await;
    let mut receiver = cluster.login(0, "bob").await;
    receiver.offline().await;
    sender.say(&bob, "a word too much").await;
    let mid = sender.message().await.mid;
    receiver.unconfirmed_message().await;
    let revoke = TimMessage {
        mid,
        ..TimMessage::direct(&bob, operation::REVOKE)
    };
    sender.send_struct(Command::RevokeMessage, &revoke).await;
    assert_eq!(receiver.message().await.od_type, operation::REVOKE);
    // It would come after ten seconds.
    assert!(receiver.silent(Command::Message, Duration::from_secs(12)).await);
}

#[tokio::test]
async fn a_clients_own_retry_is_recognised() {
    let cluster = Cluster::start(1, &["d0"]).await;
    let (_, bob) = cluster.friends("alice", "bob").await;
    let mut sender = cluster.login(0, "alice").await;
    let mut receiver = cluster.login(0, "bob").await;
    receiver.offline().await;
    sender.say_with_id(&bob, "once", Some(77)).await;
    let first = sender.message().await;
    sender.close().await;
    let mut sender = cluster.login(0, "alice").await;
    sender.say_with_id(&bob, "once", Some(77)).await;
    let again = sender.message().await;
    assert_eq!((first.id, first.mid), (Some(77), again.mid));
    sender.say(&bob, "next").await;
    assert_eq!(receiver.message().await.data_string.as_deref(), Some("once"));
    assert_eq!(receiver.message().await.data_string.as_deref(), Some("next"));
}

#[tokio::test]
async fn streams_reach_who_is_online_and_nobody_else() {
    let cluster = Cluster::start(1, &["d0"]).await;
    let (alice, bob) = cluster.friends("alice", "bob").await;
    let mut sender = cluster.login(0, "alice").await;
    let mut receiver = cluster.login(0, "bob").await;
    receiver.offline().await;
    let mut stream = TimMessage::direct(bob.as_str(), operation::STREAM);
    stream.data_binary = Some(vec![1, 2, 3].into());
    sender.send_struct(Command::Message, &stream).await;
    // One library sends both kinds as zero.
    stream.ms_type = 0;
    stream.od_type = 0;
    sender.send_struct(Command::Message, &stream).await;
    for _ in 0..2 {
        let (message, sync_id) = receiver.unconfirmed_message().await;
        assert_eq!(message.data_binary.as_deref(), Some(&[1, 2, 3][..]));
        assert_eq!(
            (message.od_type, message.mid, sync_id),
            (operation::STREAM, None, None)
        );
        assert_eq!(message.from_node(), Some(alice.as_str()));
    }
    cluster.register(0, "carol").await;
    let carol = cluster.register(0, "dave").await;
    let mut to_stranger = TimMessage::direct(carol, operation::STREAM);
    to_stranger.data_string = Some("x".to_owned());
    sender.send_struct(Command::Message, &to_stranger).await;
    assert_eq!(sender.ack(Command::Message).await.error.unwrap().code, Some(4105));
}

#[tokio::test]
async fn friendship_is_asked_granted_and_told() {
    let cluster = Cluster::start(1, &["d0", "d1"]).await;
    let (alice, bob) = (
        cluster.register(0, "alice").await,
        cluster.register(0, "bob").await,
    );
    let mut one = cluster.login(0, "alice").await;
    one.say(&bob, "too early").await;
    assert_eq!(one.ack(Command::Message).await.error.unwrap().code, Some(4105));
    one.add_friend(&bob).await;
    // Frames of one connection are handled in order, so the request is on its way when the ping is answered.
    one.ping().await;
    // The other side was away: the notice waits, or comes a moment later.
    let mut other = cluster.login(0, "bob").await;
    let mut notices = other.offline().await;
    if notices.is_empty() {
        notices.push(other.message().await);
    }
    assert_eq!(notices.len(), 1);
    assert_eq!(
        (notices[0].bn_type, notices[0].od_type),
        (Some(4), operation::BUSINESS)
    );
    assert_eq!(notices[0].data_string.as_deref(), Some("hi"));
    assert_eq!(notices[0].from_node(), Some(alice.as_str()));
    other.add_friend(&alice).await;
    assert_eq!(one.notice(5).await.from_node(), Some(bob.as_str()));
    one.say(&bob, "now").await;
    assert_eq!(other.message().await.data_string.as_deref(), Some("now"));
    one.add_friend(&bob).await;
    assert_eq!(one.ack(Command::Business).await.error.unwrap().code, Some(4117));
    let unknown = "QdH6CCms5EU";
    one.add_friend(unknown).await;
    assert_eq!(one.ack(Command::Business).await.error.unwrap().code, Some(4106));
    one.add_friend(&alice).await;
    assert_eq!(one.ack(Command::Business).await.error.unwrap().code, Some(4105));
}

#[tokio::test]
async fn wrong_frames_are_answered_with_what_is_wrong_and_the_connection_stays() {
    let cluster = Cluster::start(1, &["d0"]).await;
    let (alice, bob) = cluster.friends("alice", "bob").await;
    let mut client = cluster.login(0, "alice").await;
    let message = |ms_type, od_type, to: &str| TimMessage {
        ms_type,
        od_type,
        ..TimMessage::direct(to, 1)
    };
    let expected = [
        (message(1, 1, &bob), 4104, "TIM-P104 message.msType"),
        (message(2, 9, &bob), 4104, "TIM-P104 message.odType"),
        (message(2, 2, &bob), 4104, "TIM-P104 message.mid: missing"),
        (message(2, 4, &bob), 4104, "TIM-P104 message.odType: 4"),
        (message(3, 1, &bob), 4105, "TIM-P104 message.roomTid: missing"),
        (message(2, 1, ""), 4104, "TIM-P104 message.to: empty"),
        (message(2, 1, "no id"), 4106, "TIM-P104 message.to"),
        (message(2, 1, &alice), 4105, "permission denied"),
        (message(2, 1, "QdH6CCms5EU"), 4106, "account incorrect"),
    ];
    for (number, (mut message, code, info)) in (1..).zip(expected) {
        message.id = Some(number);
        client.send_struct(Command::Message, &message).await;
        let ack = client.ack(Command::Message).await;
        assert_eq!(ack.t2, Some(number), "the message that is refused");
        let error = ack.error.unwrap();
        assert_eq!(error.code, Some(code), "{info}");
        assert!(error.info.clone().unwrap().starts_with(info), "{error:?}");
    }
    for (number, code) in [(20_u8, 4104), (22, 4104), (94, 4104), (95, 4106), (77, 4104)] {
        client
            .send(vec![number, 0x19, 0, 0, 0, 0, 0, b'|', b'x'].into())
            .await;
        let frame = client.frame(Command::Ack).await;
        let ack = TimAck::decode_payload(&frame.payload, Encoding::Thrift).unwrap();
        assert_eq!((ack.ok, ack.tim_type), (false, number.cast_signed()));
        assert_eq!(ack.error.unwrap().code, Some(code));
    }
    client
        .send(client_frame(Command::Message, Encoding::Json, b"{broken"))
        .await;
    assert_eq!(client.ack(Command::Message).await.error.unwrap().code, Some(4113));
    for rtype in [1, 2, 18, 19, 20] {
        let request = TimReq {
            rtype: Some(rtype),
            ..TimReq::default()
        };
        client.send_struct(Command::Business, &request).await;
    }
    client
        .send_struct(Command::Presence, &tim_wire::TimPresence::default())
        .await;
    let nobody = client.ack(Command::Presence).await.error.unwrap();
    assert_eq!(nobody.code, Some(4106), "presence has to name somebody");
    client
        .send_struct(Command::BroadcastPresence, &tim_wire::TimPresence::default())
        .await;
    client
        .send_struct(Command::Auth, &raw::auth("alice", "secret"))
        .await;
    let ack = client.ack(Command::Auth).await;
    assert!(ack.ok && ack.n.is_none(), "logged in already");
    client.ping().await;
}

#[tokio::test]
async fn a_refusal_names_its_message_and_a_message_too_large_is_in_nobodys_way() {
    let mut cluster = Cluster::prepare(1, &["d0"]);
    cluster.extra = "[limits]\nframe_bytes_max = 16777216\n".to_owned();
    cluster.run_all().await;
    let (_, bob) = cluster.friends("alice", "bob").await;
    let stranger = cluster.register(0, "carol").await;
    let (client, mut events) = support::load::client(&cluster, "alice", 0).await;
    tokio::spawn(async move { while events.next().await.is_some() {} });
    let large = "x".repeat(9 << 20);
    let wanted = [
        (TimMessage::direct(&bob, 1), "hello", None),
        (TimMessage::direct(&stranger, 1), "hello", Some(4105)),
        (TimMessage::direct(&bob, 1), large.as_str(), Some(4104)),
        (TimMessage::direct("QdH6CCms5EU", 1), "hello", Some(4106)),
        (TimMessage::direct(&bob, 2), "hello", Some(4104)),
        (TimMessage::direct(&stranger, 5), "hello", Some(4105)),
        (TimMessage::direct(&bob, 1), "goodbye", None),
    ];
    // All at once: what is refused at the edge overtakes what a database has to decide.
    let mut receipts = Vec::new();
    for (mut message, text, code) in wanted {
        message.data_string = Some(text.to_owned());
        receipts.push((client.submit(message).await.unwrap(), code));
    }
    for (place, (receipt, code)) in receipts.into_iter().enumerate() {
        let refused = receipt.await.err().map(|error| match error {
            SendError::Rejected(rejection) => rejection,
            other => panic!("message {place}: {other}"),
        });
        assert_eq!(
            refused.as_ref().map(|rejection| rejection.number),
            code,
            "message {place}"
        );
        if place == 2 {
            assert!(refused.unwrap().info.starts_with("TIM-S117"));
        }
    }
}

#[tokio::test]
async fn history_is_paged_from_the_newest() {
    let cluster = Cluster::start(1, &["d0"]).await;
    let (_, bob) = cluster.friends("alice", "bob").await;
    let mut client = cluster.login(0, "alice").await;
    let mut mids = Vec::new();
    for number in 0..12 {
        client.say(&bob, &number.to_string()).await;
        mids.push(client.message().await.mid.unwrap());
    }
    let mut pull = async |newest: i64, limit: i64| {
        let request = TimReq {
            rtype: Some(1),
            node: Some(bob.clone()),
            req_int: Some(newest),
            req_int2: Some(limit),
            ..TimReq::default()
        };
        client.send_struct(Command::PullMessages, &request).await;
        let frame = client.frame(Command::PullMessages).await;
        let list = TimMessageList::decode_payload(&frame.payload, Encoding::Thrift).unwrap();
        let messages = list.message_list.unwrap_or_default();
        messages
            .iter()
            .filter_map(|message| message.mid)
            .collect::<Vec<i64>>()
    };
    let newest: Vec<i64> = mids.iter().rev().take(5).copied().collect();
    assert_eq!(pull(0, 5).await, newest);
    let older: Vec<i64> = mids.iter().rev().skip(4).take(3).copied().collect();
    assert_eq!(
        pull(*newest.last().unwrap(), 3).await,
        older,
        "the place named is included"
    );
    assert_eq!(pull(1_000_000, 1_000).await.len(), 12);
}

#[tokio::test]
async fn ports_say_what_they_are() {
    let cluster = Cluster::start(1, &["d0"]).await;
    let node = &cluster.nodes[0];
    for (port, path, code, words) in [
        (node.client_port, "/", 200, "clients connect"),
        (node.client_port, "/tim", 426, "ws://"),
        (node.client_port, "/nothing", 404, "clients connect"),
        (node.admin_port, "/", 200, "/status"),
        (node.admin_port, "/healthz", 200, "ok"),
        (node.admin_port, "/readyz", 200, "\"ready\":true"),
        (node.admin_port, "/metrics", 200, "tim_session_count"),
        (node.admin_port, "/nothing", 404, "/status"),
    ] {
        let (answered, body) = http::get(port, path).await.unwrap();
        assert_eq!(answered, code, "{path}");
        assert!(body.contains(words), "{path}: {body}");
    }
    let (_, empty) = http::request(node.client_port, "POST", "/tim2", &[])
        .await
        .unwrap();
    assert!(empty.is_empty());
    let status = cluster.status(0).await;
    assert_eq!(status["schemaVersion"], 1);
    assert_eq!(status["state"], "serving");
    assert_eq!(status["partitions"]["ranges"][0]["database"], "d0");
    let path = "/drain?id=test&limit_seconds=5";
    let (code, body) = http::request(node.admin_port, "POST", path, &[]).await.unwrap();
    let body = String::from_utf8_lossy(&body).into_owned();
    assert_eq!(code, 200, "whoever is on this machine may ask: {body}");
    assert!(body.contains("sessionsRemaining"), "{body}");
}
