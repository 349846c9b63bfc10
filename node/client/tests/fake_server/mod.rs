//! A server whose every answer is written by the test.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(clippy::panic, reason = "a test stops at the first surprise")]

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::HeaderMap;
use axum::routing::{any, post};
use tim_client::wire::frame::server_frame;
use tim_client::wire::{ClientFrame, ClientRequest, Command, Encoding, TimAck, TimMessage, WireStruct};
use tim_client::{Address, Credentials, Limits, Options, ReconnectPolicy, Server};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, oneshot};

/// The account id every login gets.
pub(crate) const NODE: &str = "UHuS8PoK2LX";

type HttpCall = (ClientFrame, oneshot::Sender<Vec<u8>>);

#[derive(Clone)]
struct Doors {
    sessions: mpsc::UnboundedSender<Session>,
    http: mpsc::UnboundedSender<HttpCall>,
}

/// The server. What comes in waits until the test takes it.
pub(crate) struct FakeServer {
    pub(crate) address: Address,
    sessions: Mutex<mpsc::UnboundedReceiver<Session>>,
    http: Mutex<mpsc::UnboundedReceiver<HttpCall>>,
    task: tokio::task::JoinHandle<()>,
}

impl FakeServer {
    pub(crate) async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("ws://{}", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        let (session_sender, sessions) = mpsc::unbounded_channel();
        let (http_sender, http) = mpsc::unbounded_channel();
        let doors = Doors {
            sessions: session_sender,
            http: http_sender,
        };
        let router = Router::new()
            .route("/tim", any(upgrade))
            .route("/tim2", post(http_call))
            .with_state(doors);
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Arc::new(Self {
            address,
            sessions: sessions.into(),
            http: http.into(),
            task,
        })
    }

    /// The next WebSocket.
    pub(crate) async fn accept(&self) -> Session {
        self.sessions.lock().await.recv().await.unwrap()
    }

    /// The next WebSocket, logged in.
    pub(crate) async fn accept_logged_in(&self) -> Session {
        let mut session = self.accept().await;
        let ClientRequest::Login(_) = session.request().await else {
            panic!("the first frame is no login");
        };
        let ack = TimAck {
            n: Some(NODE.to_owned()),
            ..TimAck::success(Command::Auth)
        };
        session.send(Command::Ack, None, &ack).await;
        session
    }

    /// Answers the next HTTP request.
    pub(crate) async fn answer_http(&self, answer: impl FnOnce(&ClientFrame) -> Vec<u8>) {
        let (frame, reply) = self.http.lock().await.recv().await.unwrap();
        reply.send(answer(&frame)).unwrap();
    }

    /// Listens no more; existing sessions go on.
    pub(crate) fn stop(&self) {
        self.task.abort();
    }
}

async fn upgrade(
    State(doors): State<Doors>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> axum::response::Response {
    upgrade.on_upgrade(async move |socket| {
        // A test that is over takes no more sessions.
        let _ = doors.sessions.send(Session {
            socket,
            headers,
            encoding: Encoding::Thrift,
        });
    })
}

async fn http_call(State(doors): State<Doors>, body: Bytes) -> Vec<u8> {
    let (reply, answer) = oneshot::channel();
    doors
        .http
        .send((ClientFrame::parse(body).unwrap(), reply))
        .unwrap();
    answer.await.unwrap_or_default()
}

/// One WebSocket of a client.
pub(crate) struct Session {
    socket: WebSocket,
    pub(crate) headers: HeaderMap,
    /// As the client's last frame had it.
    pub(crate) encoding: Encoding,
}

impl Session {
    /// The next frame; nothing when the client has gone.
    pub(crate) async fn frame(&mut self) -> Option<ClientFrame> {
        loop {
            match self.socket.recv().await {
                Some(Ok(Message::Binary(bytes))) => {
                    let frame = ClientFrame::parse(bytes).unwrap();
                    self.encoding = frame.encoding;
                    return Some(frame);
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Text(_))) => panic!("a client frame must be binary"),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
            }
        }
    }

    /// The next frame, read.
    pub(crate) async fn request(&mut self) -> ClientRequest {
        self.frame().await.unwrap().request().unwrap()
    }

    /// The next message.
    pub(crate) async fn message(&mut self) -> TimMessage {
        match self.request().await {
            ClientRequest::Message { message, .. } => message,
            other => panic!("not a message: {other:?}"),
        }
    }

    pub(crate) async fn send(&mut self, command: Command, sync_id: Option<i32>, payload: &impl WireStruct) {
        let frame = server_frame(command, sync_id, &payload.encode_payload(self.encoding));
        self.socket.send(Message::Binary(frame)).await.unwrap();
    }

    /// Echoes a message as a server does that gave it that number.
    pub(crate) async fn echo(&mut self, message: &TimMessage, mid: i64) {
        let echo = TimMessage {
            mid: Some(mid),
            timestamp: Some(mid * 1000),
            from_tid: Some(tim_client::wire::Tid::of(NODE)),
            ..message.clone()
        };
        self.send(Command::Message, None, &echo).await;
    }

    pub(crate) async fn close(mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame {
            code,
            reason: reason.into(),
        };
        self.socket.send(Message::Close(Some(frame))).await.unwrap();
        while self.frame().await.is_some() {}
    }
}

/// Options of an impatient client of these servers.
pub(crate) fn options(servers: &[&FakeServer]) -> Options {
    let server = Server::at(servers.iter().map(|server| server.address.clone()));
    Options {
        reconnect: Some(ReconnectPolicy {
            wait_min: std::time::Duration::from_millis(1),
            wait_max: std::time::Duration::from_millis(10),
            ..ReconnectPolicy::default()
        }),
        limits: Limits {
            close_timeout: std::time::Duration::from_millis(500),
            ..Limits::default()
        },
        ..Options::new(server, Credentials::password("alice", "secret", "tlnet.top"))
    }
}
