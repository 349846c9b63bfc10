//! `tim bench` against a server that keeps no promise: it says how many messages met which fate, and fails.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod common;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::routing::{get, post};
use common::{Place, schema};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tim_client::wire::frame::{ClientFrame, server_frame};
use tim_client::wire::{Command, Encoding, Tid, TimAck, TimAuth, TimMessage, WireStruct};
use tokio::sync::mpsc;

/// What this server does with messages of that number.
const VANISHES: u64 = 5;
const IS_NOT_DELIVERED: u64 = 7;
const IS_DELIVERED_TWICE: u64 = 9;
const IS_OVERTAKEN: u64 = 11;

type Sessions = Arc<Mutex<HashMap<String, mpsc::UnboundedSender<Bytes>>>>;

fn ack(command: Command, name: &str) -> Bytes {
    let ack = TimAck {
        n: Some(name.to_owned()),
        ..TimAck::success(command)
    };
    server_frame(Command::Ack, None, &ack.encode_payload(Encoding::Thrift))
}

fn name_of(frame: &ClientFrame) -> String {
    let auth = TimAuth::decode_payload(&frame.payload, Encoding::Thrift).unwrap();
    auth.name.unwrap()
}

async fn register(body: Bytes) -> Bytes {
    ack(Command::Register, &name_of(&ClientFrame::parse(body).unwrap()))
}

async fn serve(mut socket: WebSocket, sessions: Sessions) {
    let (out, mut outgoing) = mpsc::unbounded_channel();
    let (mut name, mut numbers, mut held) = (String::new(), 0_i64, None);
    loop {
        tokio::select! {
            Some(frame) = outgoing.recv() => socket.send(Message::Binary(frame)).await.unwrap(),
            received = socket.recv() => {
                let Some(Ok(Message::Binary(bytes))) = received else { return };
                let frame = ClientFrame::parse(bytes).unwrap();
                match frame.command() {
                    Some(Command::Auth) => {
                        name = name_of(&frame);
                        sessions.lock().unwrap().insert(name.clone(), out.clone());
                        out.send(ack(Command::Auth, &name)).unwrap();
                    }
                    Some(Command::Message) => {
                        numbers += 1;
                        let mut message = TimMessage::decode_payload(&frame.payload, Encoding::Thrift).unwrap();
                        message.mid = Some(numbers);
                        message.from_tid = Some(Tid { node: name.clone(), ..Tid::default() });
                        pass_on(&message, &out, &sessions, &mut held);
                    }
                    _ => {}
                }
            }
        }
    }
}

fn pass_on(
    message: &TimMessage,
    sender: &mpsc::UnboundedSender<Bytes>,
    sessions: &Sessions,
    held: &mut Option<Bytes>,
) {
    let payload = message.encode_payload(Encoding::Thrift);
    let text = message.data_string.as_deref().unwrap();
    let number = text.split(' ').next().unwrap().parse::<u64>().ok();
    if number == Some(VANISHES) {
        return;
    }
    sender
        .send(server_frame(Command::Message, None, &payload))
        .unwrap();
    let to = message.to_tid.as_ref().unwrap().node.clone();
    let receiver = sessions.lock().unwrap().get(&to).unwrap().clone();
    let frame = server_frame(Command::Message, Some(1), &payload);
    match number {
        Some(IS_NOT_DELIVERED) => {}
        Some(IS_OVERTAKEN) => *held = Some(frame),
        Some(IS_DELIVERED_TWICE) => {
            receiver.send(frame.clone()).unwrap();
            receiver.send(frame).unwrap();
        }
        _ => {
            receiver.send(frame).unwrap();
            held.take().map(|frame| receiver.send(frame));
        }
    }
}

/// Runs the server; its address.
fn start() -> String {
    let (ready, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            ready.send(listener.local_addr().unwrap()).unwrap();
            let talk = async |upgrade: WebSocketUpgrade, State(sessions): State<Sessions>| {
                upgrade.on_upgrade(|socket| serve(socket, sessions))
            };
            let routes = Router::new()
                .route("/tim2", post(register))
                .route("/tim", get(talk));
            axum::serve(listener, routes.with_state(Sessions::default()))
                .await
                .unwrap();
        });
    });
    format!("ws://{}/tim", address.recv().unwrap())
}

#[test]
fn what_another_server_loses_doubles_reorders_and_forgets_is_counted() {
    let place = Place::empty();
    let url = start();
    let run = place.run(&[
        "bench",
        "direct",
        "--url",
        &url,
        "--pairs",
        "1",
        "--rate",
        "20",
        "--duration",
        "1s",
        "--no-friends",
        "--login-wait",
        "1ms",
        "--answer-timeout",
        "1s",
        "--output",
        "json",
    ]);
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(run.status.code(), Some(1), "{said}");
    for fate in ["1 lost", "1 doubled", "1 out of order", "1 without an answer"] {
        assert!(said.contains(fate), "{said}");
    }
    let document: Value = serde_json::from_slice(&run.stdout).unwrap();
    let wrong = schema::violations(&schema::committed("bench.schema.json"), &document);
    assert!(wrong.is_empty(), "{wrong:?}");
    let checks = &document["figures"]["checks"];
    let counted =
        ["stored", "lost", "duplicated", "reordered", "unanswered"].map(|name| checks[name].as_u64());
    assert_eq!(
        counted,
        [Some(19), Some(1), Some(1), Some(1), Some(1)],
        "{checks:#}"
    );
    assert!(document["figures"]["echo"]["count"].as_u64() == Some(19) && document["passed"] == false);
}
