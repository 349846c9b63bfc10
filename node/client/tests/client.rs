//! The client against a server that does what each test writes.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(clippy::panic, reason = "a test stops at the first surprise")]

mod fake_server;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fake_server::{FakeServer, NODE, Session, options};
use tim_client::wire::structs::{business, operation};
use tim_client::wire::{
    ClientRequest, Command, Encoding, ErrorCode, Tid, TimAck, TimAuth, TimMessage, TimMessageList, Token,
    WireStruct,
};
use tim_client::{
    AccountError, Advice, Client, CloseReason, Confirm, ConnectError, Credentials, Event, Events, Options,
    RequestError, SendError, Server,
};

async fn connect(server: &Arc<FakeServer>, options: Options) -> (Client, Events, Session) {
    let (connected, session) = tokio::join!(Client::connect(options), server.accept_logged_in());
    let (client, mut events) = connected.unwrap();
    assert_eq!(
        events.next().await,
        Some(Event::Connected {
            node: NODE.to_owned()
        })
    );
    (client, events, session)
}

fn from_bob(id: i64) -> TimMessage {
    TimMessage {
        id: Some(id),
        from_tid: Some(Tid::of("bob-id")),
        data_string: Some(format!("message {id}")),
        ..TimMessage::direct(NODE, operation::NORMAL)
    }
}

fn to_bob(text: &str) -> TimMessage {
    TimMessage {
        data_string: Some(text.to_owned()),
        ..TimMessage::direct("bob-id", operation::NORMAL)
    }
}

#[tokio::test]
async fn logs_in_and_sends_in_both_encodings() {
    for encoding in Encoding::ALL {
        let server = FakeServer::start().await;
        let options = Options {
            encoding,
            ..options(&[&server])
        };
        let connecting = tokio::spawn(Client::connect(options));
        let mut session = server.accept().await;
        let ClientRequest::Login(auth) = session.request().await else {
            panic!("no login")
        };
        assert_eq!(session.encoding, encoding);
        assert_eq!(
            (auth.name.as_deref(), auth.pwd.as_deref()),
            (Some("alice"), Some("secret"))
        );
        assert_eq!(
            (auth.domain.as_deref(), auth.termtyp),
            (Some("tlnet.top"), Some(1))
        );
        let ack = TimAck {
            n: Some(NODE.to_owned()),
            ..TimAck::success(Command::Auth)
        };
        session.send(Command::Ack, None, &ack).await;
        let (client, _events) = connecting.await.unwrap().unwrap();
        assert_eq!(client.node(), NODE);

        let (sent, ()) = tokio::join!(client.send_text("bob-id", "hello"), async {
            let message = session.message().await;
            assert_eq!(message.data_string.as_deref(), Some("hello"));
            assert!(message.id.unwrap() > 0);
            session.echo(&message, 3).await;
        });
        let sent = sent.unwrap();
        assert_eq!((sent.mid, sent.timestamp), (Some(3), Some(3000)));
        client.close().await;
    }
}

#[tokio::test]
async fn registers_and_asks_for_a_token() {
    let server = FakeServer::start().await;
    let place = Server::at([server.address.clone()]);
    let credentials = Credentials::password("alice", "secret", "");
    let reply = |ack: TimAck| {
        move |frame: &tim_client::wire::ClientFrame| {
            let auth: TimAuth = frame.decode().unwrap();
            assert_eq!(auth.name.as_deref(), Some("alice"));
            [&[0x0c][..], &ack.encode_payload(frame.encoding)].concat()
        }
    };
    for encoding in Encoding::ALL {
        let ack = TimAck {
            n: Some(NODE.to_owned()),
            ..TimAck::success(Command::Register)
        };
        let answering = server.answer_http(reply(ack));
        let (node, ()) = tokio::join!(tim_client::register(&place, &credentials, encoding), answering);
        assert_eq!(node.unwrap(), NODE);

        let taken = server.answer_http(reply(TimAck::failure(Command::Register, ErrorCode::HasExist)));
        let (refused, ()) = tokio::join!(tim_client::register(&place, &credentials, encoding), taken);
        let Err(AccountError::Refused(rejection)) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(rejection.code(), Some(ErrorCode::HasExist));

        let ack = TimAck {
            t: Some(7),
            n: Some("text".to_owned()),
            ..TimAck::success(Command::Token)
        };
        let answering = server.answer_http(reply(ack));
        let (token, ()) = tokio::join!(tim_client::token(&place, &credentials, encoding), answering);
        assert_eq!(token.unwrap().number, Some(Token::Number(7)));
    }
    // The reference answers some requests with nothing at all.
    let nothing = server.answer_http(|_| Vec::new());
    let (refused, ()) = tokio::join!(
        tim_client::register(&place, &credentials, Encoding::Thrift),
        nothing
    );
    assert!(matches!(refused, Err(AccountError::NotTim { .. })), "{refused:?}");
}

#[tokio::test]
async fn the_answer_to_a_registration_has_a_limit_of_its_own() {
    let server = FakeServer::start().await;
    let connect_timeout = Duration::from_millis(200);
    let place = Server {
        connect_timeout,
        ..Server::at([server.address.clone()])
    };
    let credentials = Credentials::password("alice", "secret", "");
    let ack = TimAck {
        n: Some(NODE.to_owned()),
        ..TimAck::success(Command::Register)
    };
    let late = async {
        tokio::time::sleep(2 * connect_timeout).await;
        server
            .answer_http(move |frame| [&[0x0c][..], &ack.encode_payload(frame.encoding)].concat())
            .await;
    };
    let (node, ()) = tokio::join!(tim_client::register(&place, &credentials, Encoding::Thrift), late);
    assert_eq!(node.unwrap(), NODE, "later than a connection may take");

    let hasty = Server {
        answer_timeout: Duration::from_millis(50),
        ..place
    };
    let Err(AccountError::Broken { reason, .. }) =
        tim_client::register(&hasty, &credentials, Encoding::Thrift).await
    else {
        panic!("answered by nobody")
    };
    assert!(reason.contains("no answer within 0.05 s"), "{reason}");
}

#[tokio::test]
async fn takes_the_next_address_when_one_is_dead() {
    let (dead, alive) = (FakeServer::start().await, FakeServer::start().await);
    dead.stop();
    // Aborting is not yet closing: only a refused connection proves that nobody listens.
    while tokio::net::TcpStream::connect((dead.address.host(), dead.address.port()))
        .await
        .is_ok()
    {
        tokio::task::yield_now().await;
    }
    let (client, _events, _session) = connect(&alive, options(&[&dead, &alive])).await;
    assert!(client.is_connected());
    let refused = Client::connect(options(&[&dead])).await;
    assert!(matches!(refused, Err(ConnectError::Unreachable { .. })));
}

#[tokio::test]
async fn a_refused_login_is_not_tried_elsewhere() {
    let (first, second) = (FakeServer::start().await, FakeServer::start().await);
    let connecting = tokio::spawn(Client::connect(options(&[&first, &second])));
    let mut session = first.accept().await;
    session.request().await;
    session
        .send(
            Command::Ack,
            None,
            &TimAck::failure(Command::Auth, ErrorCode::PermissionDenied),
        )
        .await;
    let Err(error) = connecting.await.unwrap() else {
        panic!("logged in")
    };
    assert!(!error.may_heal());
    let ConnectError::LoginRefused(rejection) = error else {
        panic!("{error}")
    };
    assert_eq!(rejection.code(), Some(ErrorCode::PermissionDenied));
}

#[tokio::test]
async fn confirms_what_it_shows_and_shows_it_once() {
    let server = FakeServer::start().await;
    let (_client, mut events, mut session) = connect(&server, options(&[&server])).await;
    for sync_id in 1..=2 {
        session.send(Command::Message, Some(sync_id), &from_bob(1)).await;
        assert_eq!(session.request().await, ClientRequest::Confirm { sync_id });
    }
    session.send(Command::Message, Some(3), &from_bob(2)).await;
    for id in 1..=2 {
        let Some(Event::Message { message, .. }) = events.next().await else {
            panic!("no message")
        };
        assert_eq!(message, from_bob(id));
    }
}

#[tokio::test]
async fn confirms_late_or_when_told() {
    let server = FakeServer::start().await;
    let late = Options {
        confirm: Confirm::After(Duration::from_millis(20)),
        ..options(&[&server])
    };
    let (_client, mut events, mut session) = connect(&server, late).await;
    session.send(Command::Message, Some(1), &from_bob(1)).await;
    assert!(matches!(events.next().await, Some(Event::Message { .. })));
    assert_eq!(session.request().await, ClientRequest::Confirm { sync_id: 1 });

    let told = Options {
        confirm: Confirm::ByApplication,
        ..options(&[&server])
    };
    let (client, mut events, mut session) = connect(&server, told).await;
    session.send(Command::Message, Some(1), &from_bob(1)).await;
    session.send(Command::Message, Some(2), &from_bob(2)).await;
    events.next().await.unwrap();
    let Some(Event::Message {
        confirmation: Some(second),
        ..
    }) = events.next().await
    else {
        panic!()
    };
    client.confirm(second).await;
    assert_eq!(session.request().await, ClientRequest::Confirm { sync_id: 2 });
}

#[tokio::test]
async fn after_a_break_unfinished_messages_go_again_in_order_with_their_ids() {
    let (first, second) = (FakeServer::start().await, FakeServer::start().await);
    let (client, mut events, mut session) = connect(&first, options(&[&first, &second])).await;
    let mut receipts = Vec::new();
    for text in ["a", "b", "c"] {
        receipts.push(client.submit(to_bob(text)).await.unwrap());
    }
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(session.message().await);
    }
    session.echo(&seen[0], 1).await;
    assert_eq!(receipts.remove(0).await.unwrap().mid, Some(1));
    drop(session);

    let mut session = second.accept_logged_in().await;
    assert!(matches!(
        events.next().await,
        Some(Event::Reconnecting { attempt: 1, .. })
    ));
    assert!(matches!(events.next().await, Some(Event::Connected { .. })));
    for (mid, receipt) in (2..).zip(receipts) {
        let message = session.message().await;
        assert_eq!(&message, &seen[mid - 1]);
        session.echo(&message, i64::try_from(mid).unwrap()).await;
        assert_eq!(receipt.await.unwrap().mid, Some(i64::try_from(mid).unwrap()));
    }
}

#[tokio::test]
async fn a_draining_server_is_left_without_waiting() {
    let (draining, other) = (FakeServer::start().await, FakeServer::start().await);
    let mut options = options(&[&draining, &other]);
    // Longer than the test may take: only an attempt without waiting gets through.
    let hour = Duration::from_secs(3600);
    options.reconnect = options.reconnect.map(|policy| tim_client::ReconnectPolicy {
        wait_min: hour,
        wait_max: hour,
        ..policy
    });
    let (client, mut events, session) = connect(&draining, options).await;
    let (_session, ()) = tokio::join!(other.accept_logged_in(), session.close(1012, "service restart"));
    let Some(Event::Reconnecting { wait, reason, .. }) = events.next().await else {
        panic!()
    };
    assert_eq!(wait, Duration::ZERO);
    assert!(reason.contains("1012"), "{reason}");
    assert!(matches!(events.next().await, Some(Event::Connected { .. })));
    assert!(client.is_connected());
}

#[tokio::test]
async fn gives_up_when_told_to() {
    let server = FakeServer::start().await;
    let mut options = options(&[&server]);
    options.reconnect = options.reconnect.map(|policy| tim_client::ReconnectPolicy {
        attempts_max: NonZeroU32::new(2),
        ..policy
    });
    let (client, mut events, session) = connect(&server, options).await;
    let receipt = client.submit(to_bob("never answered")).await.unwrap();
    drop(session);
    for _ in 0..2 {
        // Accepted and dropped before the answer to the login.
        drop(server.accept().await);
    }
    let mut last = None;
    while let Some(event) = events.next().await {
        last = Some(event);
    }
    assert!(
        matches!(last, Some(Event::Closed(CloseReason::Lost(_)))),
        "{last:?}"
    );
    assert_eq!(receipt.await, Err(SendError::Closed));
    assert_eq!(client.send_text("bob-id", "late").await, Err(SendError::Closed));
}

#[tokio::test]
async fn without_reconnecting_a_break_is_the_end() {
    let server = FakeServer::start().await;
    let (_client, mut events, session) = connect(
        &server,
        Options {
            reconnect: None,
            ..options(&[&server])
        },
    )
    .await;
    drop(session);
    assert!(matches!(
        events.next().await,
        Some(Event::Closed(CloseReason::Lost(_)))
    ));
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn a_forced_logout_is_final() {
    let server = FakeServer::start().await;
    let (_client, mut events, mut session) = connect(&server, options(&[&server])).await;
    session
        .send(Command::Ack, None, &TimAck::success(Command::Logout))
        .await;
    assert_eq!(
        events.next().await,
        Some(Event::Closed(CloseReason::ForcedLogout))
    );
}

#[tokio::test]
async fn rejections_time_outs_and_sizes_are_told_apart() {
    let server = FakeServer::start().await;
    let (client, _events, mut session) = connect(&server, options(&[&server])).await;
    let (outcome, ()) = tokio::join!(client.send_text("bob-id", "no"), async {
        let message = session.message().await;
        let mut ack = TimAck::failure(Command::Message, ErrorCode::Overload);
        ack.t2 = message.id;
        session.send(Command::Ack, None, &ack).await;
    });
    let Err(error) = outcome else { panic!("sent") };
    assert!(matches!(&error, SendError::Rejected(rejection) if rejection.number == 5104));
    assert_eq!(error.advice(), Advice::RetryLater);

    let mut impatient = options(&[&server]);
    impatient.limits.send_timeout = Duration::from_millis(20);
    impatient.limits.frame_bytes_max = 1000;
    let (client, _events, _session) = connect(&server, impatient).await;
    let error = client.send_text("bob-id", "never answered").await.unwrap_err();
    assert_eq!(
        (error.clone(), error.advice()),
        (SendError::Timeout, Advice::RetryWithSameId)
    );

    let error = client.send_text("bob-id", &"x".repeat(1000)).await.unwrap_err();
    assert!(matches!(error, SendError::TooLarge { limit: 1000, .. }));
}

#[tokio::test]
async fn other_requests_reach_the_server() {
    let server = FakeServer::start().await;
    let (client, mut events, mut session) = connect(&server, options(&[&server])).await;
    client
        .send_stream("bob-id", Bytes::from_static(b"live"))
        .await
        .unwrap();
    let live = session.message().await;
    assert_eq!(
        (live.od_type, live.data_binary.as_deref()),
        (operation::STREAM, Some(&b"live"[..]))
    );
    assert!(live.id.is_some(), "a rejection could not name it");
    client.add_friend("bob-id", "hi").await.unwrap();
    let ClientRequest::Business(request) = session.request().await else {
        panic!()
    };
    assert_eq!(
        (request.rtype, request.req_str.as_deref()),
        (Some(business::ADD_ROSTER), Some("hi"))
    );
    client.request_offline().await.unwrap();
    assert_eq!(session.request().await, ClientRequest::OfflineMessages);
    let list = TimMessageList {
        id: Some(1),
        message_list: Some(vec![from_bob(1)]),
    };
    session.send(Command::OfflineMessages, Some(5), &list).await;
    assert_eq!(session.request().await, ClientRequest::Confirm { sync_id: 5 });
    session
        .send(Command::OfflineEnd, None, &tim_client::wire::TimReq::default())
        .await;
    let Some(Event::OfflineBatch { messages, .. }) = events.next().await else {
        panic!()
    };
    assert_eq!(messages, [from_bob(1)]);
    assert_eq!(events.next().await, Some(Event::OfflineEnd));
}

#[tokio::test]
async fn history_is_answered_refused_or_given_up() {
    let server = FakeServer::start().await;
    let (client, _events, mut session) = connect(&server, options(&[&server])).await;
    let (page, ()) = tokio::join!(client.history("bob-id", None, 10), async {
        let ClientRequest::PullMessages(request) = session.request().await else {
            panic!()
        };
        assert_eq!(
            (request.rtype, request.req_int, request.req_int2),
            (Some(1), Some(0), Some(10))
        );
        let list = TimMessageList {
            id: None,
            message_list: Some(vec![from_bob(1)]),
        };
        session.send(Command::PullMessages, None, &list).await;
    });
    assert_eq!(page.unwrap(), [from_bob(1)]);
    let (refused, ()) = tokio::join!(client.history("nobody", Some(4), 10), async {
        session.request().await;
        let ack = TimAck::failure(Command::PullMessages, ErrorCode::Parameters);
        session.send(Command::Ack, None, &ack).await;
    });
    assert!(matches!(refused, Err(RequestError::Rejected(_))));
    let mut impatient = options(&[&server]);
    impatient.limits.request_timeout = Duration::from_millis(20);
    let (client, _events, _session) = connect(&server, impatient).await;
    let given_up = client.history("bob-id", None, 10).await;
    assert_eq!(given_up, Err(RequestError::Timeout));
}

#[tokio::test]
async fn pings_and_leaves_a_silent_server() {
    let server = FakeServer::start().await;
    let options = Options {
        ping_interval: Duration::from_millis(20),
        silent_pings_max: 2,
        reconnect: None,
        ..options(&[&server])
    };
    let (_client, mut events, mut session) = connect(&server, options).await;
    assert_eq!(session.request().await, ClientRequest::Ping);
    let Some(Event::Closed(CloseReason::Lost(reason))) = events.next().await else {
        panic!()
    };
    assert!(reason.contains("silent"), "{reason}");
}

#[tokio::test]
async fn an_application_that_takes_nothing_stops_the_reading_and_loses_nothing() {
    let server = FakeServer::start().await;
    let mut options = options(&[&server]);
    options.limits.events_max = 2;
    let (_client, mut events, mut session) = connect(&server, options).await;
    for id in 1..=50 {
        session
            .send(Command::Message, Some(i32::try_from(id).unwrap()), &from_bob(id))
            .await;
    }
    for id in 1..=50 {
        let Some(Event::Message { message, .. }) = events.next().await else {
            panic!()
        };
        assert_eq!(message.id, Some(id));
    }
    for sync_id in 1..=50 {
        assert_eq!(session.request().await, ClientRequest::Confirm { sync_id });
    }
}

#[tokio::test]
async fn dropped_events_do_not_stop_the_client() {
    let server = FakeServer::start().await;
    let (client, events, mut session) = connect(&server, options(&[&server])).await;
    drop(events);
    session.send(Command::Message, Some(1), &from_bob(1)).await;
    assert_eq!(session.request().await, ClientRequest::Confirm { sync_id: 1 });
    let (sent, ()) = tokio::join!(client.send_text("bob-id", "hello"), async {
        let message = session.message().await;
        session.echo(&message, 1).await;
    });
    assert!(sent.is_ok());
}

#[tokio::test]
async fn the_number_of_messages_in_flight_is_bounded() {
    let server = FakeServer::start().await;
    let mut options = options(&[&server]);
    options.limits.in_flight_max = 1;
    let (client, _events, mut session) = connect(&server, options).await;
    let receipt = client.submit(to_bob("first")).await.unwrap();
    let second = client.submit(to_bob("second"));
    tokio::pin!(second);
    let first = session.message().await;
    assert!(futures::poll!(second.as_mut()).is_pending());
    session.echo(&first, 1).await;
    receipt.await.unwrap();
    let receipt = second.await.unwrap();
    let second = session.message().await;
    session.echo(&second, 2).await;
    assert_eq!(receipt.await.unwrap().mid, Some(2));
}

#[tokio::test]
async fn of_many_requests_that_wait_at_once_none_is_lost() {
    const REQUESTS: usize = 500;
    let server = FakeServer::start().await;
    let mut options = options(&[&server]);
    options.limits.commands_max = REQUESTS;
    let (client, _events, mut session) = connect(&server, options).await;
    for number in 0..REQUESTS {
        client.add_friend(&number.to_string(), "hi").await.unwrap();
    }
    for number in 0..REQUESTS {
        let ClientRequest::Business(request) = session.request().await else {
            panic!()
        };
        assert_eq!(request.node, Some(number.to_string()));
    }
}

#[tokio::test]
async fn closing_writes_what_is_left_and_says_goodbye() {
    let server = FakeServer::start().await;
    let (client, mut events, mut session) = connect(&server, options(&[&server])).await;
    let receipt = client.submit(to_bob("last words")).await.unwrap();
    let closing = tokio::spawn(client.close());
    assert_eq!(session.message().await.data_string.as_deref(), Some("last words"));
    assert!(session.frame().await.is_none());
    closing.await.unwrap();
    assert_eq!(
        events.next().await,
        Some(Event::Closed(CloseReason::ByApplication))
    );
    assert_eq!(receipt.await, Err(SendError::Closed));
}

#[tokio::test]
async fn dropping_all_handles_says_goodbye_too() {
    let server = FakeServer::start().await;
    let (client, mut events, mut session) = connect(&server, options(&[&server])).await;
    drop(client);
    assert!(session.frame().await.is_none());
    assert_eq!(
        events.next().await,
        Some(Event::Closed(CloseReason::ByApplication))
    );
}

#[tokio::test]
async fn the_upgrade_carries_origin_and_trace_context() {
    let server = FakeServer::start().await;
    let mut options = options(&[&server]);
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    options.server.traceparent = Some(traceparent.to_owned());
    let (_client, _events, session) = connect(&server, options).await;
    assert_eq!(session.headers["traceparent"], traceparent);
    assert!(
        session.headers["origin"]
            .to_str()
            .unwrap()
            .starts_with("http://127.0.0.1:")
    );
    assert!(!session.headers.contains_key("sec-websocket-extensions"));
}
