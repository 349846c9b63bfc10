//! Clients that mean harm, or are broken: each is answered as the protocol says or cut off, nothing hangs, the others
//! chat on, and nothing of it is worth a line in the log above INFO.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use bytes::Bytes;
use std::time::{Duration, Instant};
use support::raw::{self, Raw};
use support::socket::{self, Socket};
use support::{Cluster, http};
use tim_wire::frame::{client_frame, empty_client_frame};
use tim_wire::structs::operation;
use tim_wire::{Command, Encoding, TimAck, TimMessage, WireStruct};
use tokio::sync::{mpsc, oneshot};

/// Two friends who chat while others do harm.
struct Peaceful {
    cluster: Cluster,
    alice: Raw,
    bob: Raw,
    bob_id: String,
}

impl Peaceful {
    async fn begin(extra: &str) -> Self {
        let mut cluster = Cluster::prepare(1, &["d0"]);
        cluster.extra = extra.to_owned();
        cluster.run_all().await;
        let (_, bob_id) = cluster.friends("alice", "bob").await;
        cluster.register(0, "mallory").await;
        let alice = cluster.login(0, "alice").await;
        let mut bob = cluster.login(0, "bob").await;
        bob.offline().await;
        Self {
            cluster,
            alice,
            bob,
            bob_id,
        }
    }

    fn port(&self) -> u16 {
        self.cluster.nodes[0].client_port
    }

    /// A message from one to the other, soon.
    async fn chats(&mut self, text: &str) {
        let begun = Instant::now();
        self.alice.say(&self.bob_id, text).await;
        assert_eq!(self.bob.message().await.data_string.as_deref(), Some(text));
        self.alice.message().await;
        assert!(begun.elapsed() < Duration::from_secs(10), "the others wait");
    }

    fn nothing_is_logged(&self) {
        let log = self.cluster.log(0);
        let loud: Vec<&str> = log
            .lines()
            .filter(|line| line.contains("WARN") || line.contains("ERROR"))
            .collect();
        assert!(loud.is_empty(), "{loud:#?}");
    }
}

/// The code of the closing frame at the end of what a server has sent.
fn close_code(bytes: &[u8]) -> Option<u16> {
    let [.., 0x88, 2, high, low] = bytes else {
        return None;
    };
    Some(u16::from_be_bytes([*high, *low]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_but_login_and_ping_is_taken_before_a_login() {
    let mut peaceful = Peaceful::begin("").await;
    let port = peaceful.port();
    let strangers = (0..=127_u8).filter(|number| ![13, 16].contains(number));
    let cut_off = strangers.map(|number| async move {
        let mut socket = Socket::upgraded(port).await;
        socket.send_message(&[number, 1, 2, 3]).await;
        let said = socket.rest().await;
        assert_eq!(said.len(), 4, "command {number} gets no answer: {said:?}");
        assert_eq!(close_code(&said), Some(1008), "command {number}");
    });
    futures::future::join_all(cut_off).await;
    peaceful.chats("undisturbed").await;
    peaceful.nothing_is_logged();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_frames_are_cut_off_and_half_ones_hold_up_nobody() {
    let mut peaceful = Peaceful::begin("[sessions]\nlogin_timeout_millis = 1500\n").await;
    let port = peaceful.port();
    let broken: [(&str, &[u8], Option<u16>); 6] = [
        ("not masked", &[0x82, 1, 13], Some(1002)),
        ("reserved bits", &[0xf2, 0x81, 0, 0, 0, 0, 13], Some(1002)),
        ("an unknown kind", &[0x87, 0x81, 0, 0, 0, 0, 13], Some(1002)),
        (
            "a control frame too long, never seen whole",
            &[0x89, 0xfe, 0xff, 0xff, 0, 0, 0, 0],
            Some(1008),
        ),
        (
            "text that is none",
            &[0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28],
            Some(1002),
        ),
        ("half a header", &[0x82], Some(1008)),
    ];
    for (what, bytes, code) in broken {
        let mut socket = Socket::upgraded(port).await;
        socket.send(bytes).await;
        assert_eq!(close_code(&socket.rest().await), code, "{what}");
    }
    let mut socket = Socket::upgraded(port).await;
    let whole = socket::message(&[16, 0x18, 4, b't']);
    socket.send(&whole[..whole.len() - 2]).await;
    assert_eq!(close_code(&socket.rest().await), Some(1008), "half a frame");
    peaceful.chats("undisturbed").await;
    peaceful.nothing_is_logged();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_that_is_too_large_is_refused_before_it_is_read() {
    let mut peaceful = Peaceful::begin("[limits]\nframe_bytes_max = 4096\n").await;
    let port = peaceful.port();
    for length in [4_097_u64, 1 << 31, (1 << 63) - 1] {
        let mut socket = Socket::upgraded(port).await;
        let mut header = vec![0x82, 0xff];
        header.extend_from_slice(&length.to_be_bytes());
        header.extend_from_slice(&[0; 4]);
        socket.send(&header).await;
        let said = socket.rest().await;
        assert_eq!(close_code(&said), Some(1009), "{length}");
        let text = String::from_utf8_lossy(&said).into_owned();
        assert!(text.contains("TIM-P107 limits.frame_bytes_max is 4096"), "{text}");
    }
    // After login as well, whatever came before; a message in pieces is no way round.
    let mut client = peaceful.cluster.login(0, "mallory").await;
    client.send(vec![90; 5_000].into()).await;
    let frame = client.frame(Command::Ack).await;
    let ack = TimAck::decode_payload(&frame.payload, Encoding::Thrift).unwrap();
    assert_eq!(ack.error.unwrap().code, Some(4104));
    assert_eq!(client.closed().await, Some(1009));
    let mut pieces = Socket::upgraded(port).await;
    let mut first = socket::message(&[16; 4_000]);
    first[0] = 0x02;
    let mut next = socket::message(&[16; 4_000]);
    next[0] = 0x00;
    pieces.send(&first).await;
    pieces.send(&next).await;
    assert_eq!(close_code(&pieces.rest().await), Some(1009));
    let (code, body) = http::request(port, "POST", "/tim2", &[14; 5_000]).await.unwrap();
    assert_eq!(code, 413);
    assert!(String::from_utf8_lossy(&body).starts_with("TIM-P107"));
    // As large as it may be.
    let mut client = Raw::connect(port).await;
    client.login("mallory", "secret").await;
    client.send(vec![90; 4_096].into()).await;
    client.ack(Command::Message).await;
    client.ping().await;
    peaceful.chats("undisturbed").await;
    peaceful.nothing_is_logged();
}

/// Payloads that are no struct in their encoding.
fn nonsense() -> Vec<(Encoding, Vec<u8>)> {
    let nested = |depth: usize| {
        let mut text = "{\"msType\":2,\"odType\":1,\"extend\":".to_owned();
        text.extend(std::iter::repeat_n("[", depth));
        text.into_bytes()
    };
    let in_lists = |depth: u8| {
        // Lists in lists, as a field that nobody knows.
        let mut bytes = vec![0xf9];
        bytes.extend(std::iter::repeat_n(0x19, usize::from(depth)));
        bytes
    };
    vec![
        (Encoding::Json, nested(100_000)),
        (
            Encoding::Json,
            [nested(50_000), b"]".repeat(50_000), b"}".to_vec()].concat(),
        ),
        (
            Encoding::Json,
            b"{\"dataString\":\"\xc3\x28\",\"msType\":2}".to_vec(),
        ),
        (Encoding::Json, vec![0xff; 1_000]),
        (Encoding::Json, Vec::new()),
        (Encoding::Thrift, in_lists(250)),
        // A text of four thousand million bytes; a list of as many.
        (Encoding::Thrift, vec![0x18, 0xff, 0xff, 0xff, 0xff, 0x0f]),
        (Encoding::Thrift, vec![0x19, 0xf8, 0xff, 0xff, 0xff, 0xff, 0x0f]),
        (Encoding::Thrift, vec![0x18, 2, 0xc3, 0x28, 0]),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payloads_that_make_no_sense_are_answered() {
    let mut peaceful = Peaceful::begin("").await;
    let mut client = peaceful.cluster.login(0, "mallory").await;
    let payloads = nonsense();
    let commands = [
        Command::Message,
        Command::Presence,
        Command::BroadcastPresence,
        Command::Business,
        Command::Nodes,
        Command::PullMessages,
    ];
    for (place, (encoding, payload)) in payloads.iter().enumerate() {
        for command in commands {
            client.send(client_frame(command, *encoding, payload)).await;
            // Frames are handled in order, so the answer stands before that of the ping.
            let ping = empty_client_frame(Command::Ping, Encoding::Thrift);
            client.send(ping).await;
            let mut answers = Vec::new();
            loop {
                let frame = client.next().await.expect("the connection stays");
                if frame.command() == Some(Command::Ping) {
                    break;
                }
                answers.push(TimAck::decode_payload(&frame.payload, Encoding::Thrift).unwrap());
            }
            let code = answers.first().and_then(|ack| ack.error.as_ref()?.code);
            // A presence to all friends needs no field that could be wrong.
            let may_be_fine = command == Command::BroadcastPresence;
            let refused = code.is_some_and(|code| (4_104..=4_113).contains(&code));
            assert!(refused || may_be_fine, "{place} {command:?}: {answers:?}");
            assert!(answers.iter().all(|ack| ack.tim_type == command.tim_type()));
        }
    }
    for (_, payload) in &payloads {
        let mut stranger = Raw::connect(peaceful.port()).await;
        for encoding in Encoding::ALL {
            stranger.encoding = encoding;
            stranger
                .send(client_frame(Command::Auth, encoding, payload))
                .await;
            let ack = stranger.ack(Command::Auth).await;
            let code = ack.error.unwrap().code.unwrap();
            assert!([4104, 4105, 4113].contains(&code), "{code}");
            let register = client_frame(Command::Register, encoding, payload);
            let (code, body) = http::request(peaceful.port(), "POST", "/tim2", &register)
                .await
                .unwrap();
            assert_eq!((code, body.first()), (200, Some(&Command::Ack.number())));
        }
    }
    peaceful.chats("undisturbed").await;
    peaceful.nothing_is_logged();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_who_never_log_in_keep_nobody_out() {
    let mut peaceful = Peaceful::begin("[sessions]\nlogin_timeout_millis = 4000\n").await;
    let port = peaceful.port();
    let mut strangers = Vec::new();
    for number in 0..600 {
        strangers.push(match number % 3 {
            0 => Socket::upgraded(port).await,
            // Neither says what it wants.
            1 => Socket::plain(port).await,
            _ => {
                let mut half = Socket::plain(port).await;
                half.send(b"GET /tim HTTP/1.1\r\nHost:").await;
                half
            }
        });
    }
    peaceful.cluster.login(0, "mallory").await.ping().await;
    peaceful.chats("undisturbed").await;
    let begun = Instant::now();
    for (number, mut stranger) in strangers.into_iter().enumerate() {
        let said = stranger.rest().await;
        if number % 3 == 0 {
            assert_eq!(close_code(&said), Some(1008));
        }
    }
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "all are cut off in time"
    );
    peaceful.nothing_is_logged();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_strangers_yield_to_newcomers() {
    let limits = "[limits]\nunauthenticated_max = 20\n[sessions]\nlogin_timeout_millis = 300000\n";
    let mut peaceful = Peaceful::begin(limits).await;
    let port = peaceful.port();
    let mut strangers = Vec::new();
    for number in 0..20 {
        strangers.push(match number % 2 {
            0 => Socket::upgraded(port).await,
            _ => Socket::plain(port).await,
        });
    }
    let begun = Instant::now();
    peaceful.cluster.login(0, "mallory").await.ping().await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(close_code(&strangers.remove(0).rest().await), Some(1013));
    // Each registers and logs in while all places are taken: the oldest go, and no more than are needed.
    for number in 0..3 {
        peaceful.cluster.register(0, &format!("user{number}")).await;
    }
    assert_eq!(
        strangers.remove(0).rest().await,
        b"",
        "nothing was asked over HTTP"
    );
    let metrics = peaceful.cluster.until(0, "/metrics", "counted", |_, body| {
        body.contains("tim_stranger_yielded")
    });
    assert!(!metrics.await.contains("limits.unauthenticated_max"));
    peaceful.chats("who is in stays in").await;
    peaceful.nothing_is_logged();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_its_login_yields_to_nobody() {
    let (asked, mut waiting) = mpsc::unbounded_channel::<oneshot::Sender<()>>();
    let answer = move |body: String| async move {
        if body.contains("mallory") {
            let (answer, may_answer) = oneshot::channel();
            asked.send(answer).unwrap();
            may_answer.await.unwrap();
        }
        "\u{1}"
    };
    let outside = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", outside.local_addr().unwrap());
    let router = axum::Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(outside, router).await });
    let config = format!(
        "[limits]\nunauthenticated_max = 2\n[accounts.callback]\nurl = \"{url}\"\ntimeout_millis = 30000\n"
    );
    let peaceful = Peaceful::begin(&config).await;
    let port = peaceful.port();
    let mut first = Raw::connect(port).await;
    first
        .send_struct(Command::Auth, &raw::auth("mallory", "secret"))
        .await;
    let answer_first = waiting.recv().await.unwrap();
    let mut silent = Socket::upgraded(port).await;
    // It came later, and goes first.
    let mut second = Raw::connect(port).await;
    assert_eq!(close_code(&silent.rest().await), Some(1013));
    second
        .send_struct(Command::Auth, &raw::auth("mallory", "wrong"))
        .await;
    let answer_second = waiting.recv().await.unwrap();
    // Now there is nobody who could yield.
    let (code, body) = upgrade(port).await;
    assert_eq!(code, 503, "{body}");
    assert!(body.contains("TIM-N113") && body.contains("limits.unauthenticated_max"));
    answer_first.send(()).unwrap();
    assert!(first.ack(Command::Auth).await.ok);
    answer_second.send(()).unwrap();
    assert!(!second.ack(Command::Auth).await.ok);
    // Its turn has come again: one finds the place of the first, the next one its place.
    let _newcomer = Raw::connect(port).await;
    let _another = Raw::connect(port).await;
    assert_eq!(second.closed().await, Some(1013));
    first.ping().await;
    peaceful.nothing_is_logged();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_sessions_than_there_is_room_for_are_turned_away() {
    let mut peaceful = Peaceful::begin("[limits]\nconnections_max = 30\n").await;
    let port = peaceful.port();
    let mut sessions = Vec::new();
    for number in 0..28 {
        let name = format!("user{number}");
        peaceful.cluster.register(0, &name).await;
        sessions.push(peaceful.cluster.login(0, &name).await);
    }
    let (code, body) = upgrade(port).await;
    assert_eq!(code, 503, "{body}");
    assert!(body.contains("limits.connections_max"), "{body}");
    peaceful.chats("who is in stays in").await;
    drop(sessions);
    let metrics = peaceful.cluster.until(0, "/metrics", "counted", |_, body| {
        body.contains("limits.connections_max")
    });
    assert!(metrics.await.contains("tim_limit_refused"));
    peaceful.nothing_is_logged();
}

/// Asks for an upgrade; the code and the text of the answer.
async fn upgrade(port: u16) -> (u16, String) {
    let mut socket = Socket::plain(port).await;
    let request = "GET /tim HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    socket.send(request.as_bytes()).await;
    let said = String::from_utf8_lossy(&socket.rest().await).into_owned();
    let code = said.split_whitespace().nth(1).and_then(|code| code.parse().ok());
    (code.unwrap_or_else(|| panic!("no code in {said}")), said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_does_not_arrive_is_given_up() {
    let mut peaceful = Peaceful::begin("").await;
    let mut idle = Socket::plain(peaceful.port()).await;
    idle.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut slow = Socket::plain(peaceful.port()).await;
    slow.send(b"POST /tim2 HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n\x0e\x18")
        .await;
    peaceful.chats("undisturbed").await;
    let said = String::from_utf8_lossy(&slow.rest().await).into_owned();
    // Nor is one waited for that never comes after another.
    let answered = String::from_utf8_lossy(&idle.rest().await).into_owned();
    assert!(answered.starts_with("HTTP/1.1 200"), "{answered}");
    assert!(
        said.starts_with("HTTP/1.1 408") && said.contains("TIM-P108"),
        "{said}"
    );
    peaceful.nothing_is_logged();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_refused_with_the_time_to_wait_and_is_in_nobodys_way() {
    const BURST: usize = 50;
    const FLOOD: usize = 2_000;
    let limits = format!("[limits]\nsession_requests_per_second = {BURST}\n");
    let mut peaceful = Peaceful::begin(&limits).await;
    let (bob, port) = (peaceful.bob_id.clone(), peaceful.port());
    let flood = tokio::spawn(async move {
        let mut mallory = Raw::connect(port).await;
        mallory.login("mallory", "secret").await;
        let (mut refused, mut waits) = (0, Vec::new());
        for number in 1..=i64::try_from(FLOOD).unwrap() {
            mallory.say_with_id(&bob, "flood", Some(number)).await;
        }
        // Bob is no friend: what passes is refused for that, with another code.
        for _ in 0..FLOOD {
            let ack = mallory.ack(Command::Message).await;
            assert!(ack.t2.is_some_and(|id| id > 0), "the message is named");
            let error = ack.error.unwrap();
            if error.code == Some(5104) {
                let info = error.info.unwrap();
                assert!(
                    info.starts_with(&format!(
                        "TIM-P103 limits.session_requests_per_second is {BURST}; again in "
                    )),
                    "{info}"
                );
                let wait = info.rsplit_once("again in ").unwrap().1;
                waits.push(wait.strip_suffix(" ms").unwrap().parse::<u64>().unwrap());
                refused += 1;
            }
        }
        mallory.ping().await;
        let wait = Duration::from_millis(*waits.last().unwrap());
        tokio::time::sleep(wait + Duration::from_millis(20)).await;
        mallory.say(&bob, "slowly now").await;
        let error = mallory.ack(Command::Message).await.error.unwrap();
        assert_eq!(error.code, Some(4105), "it is heard again: {error:?}");
        refused
    });
    for number in 0..10 {
        peaceful.chats(&format!("undisturbed {number}")).await;
    }
    let refused = flood.await.unwrap();
    assert!(refused > FLOOD / 2, "{refused} of {FLOOD}");
    assert!(refused <= FLOOD - BURST, "a burst passes: {refused}");
    peaceful.nothing_is_logged();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_sessions_of_an_account_share_its_rate() {
    let extra = "[limits]\naccount_requests_per_second = 40\n[sessions]\nper_account_max = 4\nper_device_class_max = 4\n";
    let peaceful = Peaceful::begin(extra).await;
    let mut devices = Vec::new();
    for _ in 0..4 {
        devices.push(peaceful.cluster.login(0, "mallory").await);
    }
    let mut refused = 0;
    for device in &mut devices {
        for _ in 0..30 {
            device.say(&peaceful.bob_id, "flood").await;
        }
    }
    for device in &mut devices {
        for _ in 0..30 {
            let error = device.ack(Command::Message).await.error.unwrap();
            refused += usize::from(error.code == Some(5104));
            let info = error.info.unwrap();
            assert!(
                error.code != Some(5104) || info.contains("limits.account_requests_per_second is 40"),
                "{info}"
            );
        }
        device.ping().await;
    }
    assert!(refused > 0, "120 at once are more than 40");
    peaceful.nothing_is_logged();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_its_answers_is_not_read_either() {
    let mut peaceful =
        Peaceful::begin("[limits]\noutbound_bytes_max = 65536\nframe_bytes_max = 1024\nsession_requests_per_second = 0\naccount_requests_per_second = 0\n").await;
    let mut mallory = peaceful.cluster.login(0, "mallory").await;
    // Each is answered with an error of a hundred bytes. What nobody reads stays in the sockets, and then here.
    let mut stream = TimMessage::direct("", operation::STREAM);
    stream.data_string = Some("x".repeat(500));
    let frame: Bytes = client_frame(
        Command::Message,
        Encoding::Thrift,
        &stream.encode_payload(Encoding::Thrift),
    );
    let mut sent = 0;
    while sent < 400_000 {
        let sending = mallory.send(frame.clone());
        if tokio::time::timeout(Duration::from_secs(2), sending)
            .await
            .is_err()
        {
            break;
        }
        sent += 1;
    }
    assert!(sent < 400_000, "the server stops to read");
    peaceful.chats("undisturbed").await;
    // It reads at last: every frame that went out whole has its answer.
    for _ in 0..sent {
        assert_eq!(
            mallory.ack(Command::Message).await.error.unwrap().code,
            Some(4104)
        );
    }
    peaceful.nothing_is_logged();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guessing_passwords_is_slowed_down_and_switched_off_commands_are_told() {
    let extra = "[limits]\nfailed_logins_per_address_per_minute = 10\nregistrations_per_address_per_minute = 5\n\
                 [sessions]\ncommands_off = [15, 21, 42, 95]\n";
    let mut peaceful = Peaceful::begin(extra).await;
    let port = peaceful.port();
    let mut mallory = Raw::connect(port).await;
    let mut codes = Vec::new();
    for _ in 0..14 {
        mallory
            .send_struct(Command::Auth, &raw::auth("bob", "guess"))
            .await;
        let error = mallory.ack(Command::Auth).await.error.unwrap();
        codes.push(error.code.unwrap());
        let info = error.info.unwrap();
        assert!(
            error.code == Some(4105) || info.contains("limits.failed_logins_per_address_per_minute is 10"),
            "{info}"
        );
    }
    assert_eq!(codes[..10], [4105; 10]);
    assert_eq!(codes[10..], [5104; 4]);
    // Who has logged in lately gets in from the same address.
    peaceful.bob.close().await;
    peaceful.bob = peaceful.cluster.login(0, "bob").await;
    // Three are registered already.
    let register = async |name: &str| {
        let auth = raw::auth(name, "secret");
        raw::post(port, Command::Register, Encoding::Json, &auth).await
    };
    assert!(register("dave").await.ok && register("erin").await.ok);
    let error = register("frank").await.error.unwrap();
    assert_eq!(error.code, Some(5104));
    let info = error.info.unwrap();
    assert!(
        info.starts_with("TIM-P103 limits.registrations_per_address_per_minute is 5"),
        "{info}"
    );
    let token = raw::post(port, Command::Token, Encoding::Json, &raw::auth("bob", "secret")).await;
    assert_eq!(token.error.unwrap().code, Some(4107));
    for number in [21_u8, 42, 95] {
        let alice = &mut peaceful.alice;
        alice
            .send(vec![number, 0, 0, 0, 9, b'a', b'|', b'x', b'y'].into())
            .await;
        let frame = alice.frame(Command::Ack).await;
        let ack = TimAck::decode_payload(&frame.payload, Encoding::Thrift).unwrap();
        assert_eq!(ack.tim_type, number.cast_signed());
        let error = ack.error.unwrap();
        assert_eq!(error.code, Some(4107));
        assert!(
            error
                .info
                .unwrap()
                .starts_with(&format!("TIM-P102 command {number}"))
        );
    }
    peaceful.chats("undisturbed").await;
    peaceful.nothing_is_logged();
}
