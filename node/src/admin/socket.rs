//! The administrators' WebSocket of tim 2.1 (section 19.3 of the wire protocol): console users are told of accounts that
//! come and go in the whole cluster, and push into virtual rooms.
//!
//! One frame after the other, in the task of the connection. What is to be told waits in a bounded queue of its own; who
//! is further behind is closed, and nobody else waits for it.

use super::access::{Interface, Observed, address};
use super::problem::Problem;
use super::routes::AdminState;
use crate::mailbox::Mailbox;
use crate::node::Node;
use crate::online_news::{News, Watcher};
use crate::session::Input;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tim_catalogue::administration::NO_SUCH_PATH;
use tim_catalogue::node::OVERLOADED;
use tim_core::id::{AccountId, SessionId, VirtualRoomId};
use tim_core::stream::Frame;
use tim_wire::server_api::{
    AdmAck, AdmSubBean, AdmSubOnlineBean, AuthBean, SocketFrame, socket_answer, socket_command,
};
use tim_wire::{Encoding, ErrorCode, WireStruct};
use tokio::time::Instant;

/// How long somebody may take to say who it is.
const LOGIN_LIMIT: Duration = Duration::from_secs(10);
/// How long a frame may take to be taken.
const SEND_LIMIT: Duration = Duration::from_secs(10);
/// Accounts in whose names one connection pushes.
const PUSHERS_MAX: usize = 256;
/// `subType`: who comes and goes.
const ONLINE: i8 = 1;
/// `AdmSubOnlineBean.status`.
const HAS_COME: i8 = 1;
const HAS_GONE: i8 = 2;

/// Close codes of RFC 6455 and its registry.
const POLICY: u16 = 1008;
const TOO_SLOW: u16 = 1013;

/// Takes a connection, if the cluster offers this at all and there is room.
pub(super) async fn upgrade(State(state): State<AdminState>, request: Request) -> Response {
    if !state.access.config().tim_2_1_websocket {
        let observed = "the WebSocket of tim 2.1 is switched off (admin.tim_2_1_websocket)";
        return Problem::new(StatusCode::NOT_FOUND, &NO_SUCH_PATH, observed).into_response();
    }
    match Box::pin(try_upgrade(state, request)).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn try_upgrade(state: AdminState, request: Request) -> Result<Response, Problem> {
    let node = super::access::started(&state)?;
    let (mut parts, _) = request.into_parts();
    let from = address(&parts)?;
    let Ok(place) = Arc::clone(&state.access.sockets).try_acquire_owned() else {
        node.metrics.limit_reached("admin.websockets_max");
        let observed = "as many connections are open as admin.websockets_max allows";
        return Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            &OVERLOADED,
            observed,
        ));
    };
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &state).await {
        Ok(upgrade) => upgrade,
        Err(refused) => return Ok(refused.into_response()),
    };
    let most = state.access.config().body_bytes_max as usize;
    Ok(upgrade
        .max_frame_size(most)
        .max_message_size(most)
        .on_upgrade(move |socket| async move {
            Box::pin(Talk::new(state, node, from).run(socket)).await;
            drop(place);
        }))
}

/// A connection.
struct Talk {
    state: AdminState,
    node: Arc<Node>,
    from: IpAddr,
    /// What streams know it by: one number for each account in whose name it pushes, as rights are looked up once per
    /// pusher and room.
    guests: HashMap<AccountId, SessionId>,
    mailbox: Arc<Mailbox>,
    begun: Instant,
    is_known: bool,
    watcher: Option<Watcher>,
}

/// What happens next to a connection.
enum Happened {
    Frame(Option<Result<Message, axum::Error>>),
    News(Option<News>),
    Posted(Vec<Input>),
    TooLate,
}

/// The connection ends, with a close code where there is somebody to tell.
struct End(Option<(u16, &'static str)>);

impl Talk {
    fn new(state: AdminState, node: Arc<Node>, from: IpAddr) -> Self {
        Self {
            state,
            node,
            from,
            guests: HashMap::new(),
            mailbox: Arc::default(),
            begun: Instant::now(),
            is_known: false,
            watcher: None,
        }
    }

    async fn run(mut self, mut socket: WebSocket) {
        let End(close) = loop {
            let happened = self.next(&mut socket).await;
            if let Err(end) = Box::pin(self.handle(&mut socket, happened)).await {
                break end;
            }
        };
        if let Some((code, reason)) = close {
            let close = CloseFrame {
                code,
                reason: reason.into(),
            };
            let _ = tokio::time::timeout(SEND_LIMIT, socket.send(Message::Close(Some(close)))).await;
        }
        for guest in self.guests.into_values() {
            self.node.sessions.remove_guest(guest);
            self.node.streams.session_closed(guest);
        }
        self.mailbox.close();
    }

    async fn next(&mut self, socket: &mut WebSocket) -> Happened {
        let late = self.begun + LOGIN_LIMIT;
        let (mailbox, is_known) = (Arc::clone(&self.mailbox), self.is_known);
        let posted = async move {
            let mut inputs = Vec::new();
            std::future::poll_fn(|context| mailbox.poll_take(context, &mut inputs)).await;
            inputs
        };
        let news = async {
            match &mut self.watcher {
                Some(watcher) => watcher.next().await.ok(),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            frame = socket.recv() => Happened::Frame(frame),
            news = news => Happened::News(news),
            posted = posted => Happened::Posted(posted),
            () = tokio::time::sleep_until(late), if !is_known => Happened::TooLate,
        }
    }

    async fn handle(&mut self, socket: &mut WebSocket, happened: Happened) -> Result<(), End> {
        match happened {
            Happened::TooLate => Err(End(Some((POLICY, "nobody has said who it is in time")))),
            Happened::News(None) => Err(End(Some((TOO_SLOW, "news were missed")))),
            Happened::News(Some(news)) => send(socket, told(&news)).await,
            Happened::Posted(inputs) => {
                for input in inputs {
                    if let Input::PushRefused(room) = input {
                        send(
                            socket,
                            self.push_refused(room.as_str(), ErrorCode::PermissionDenied),
                        )
                        .await?;
                    }
                }
                Ok(())
            }
            Happened::Frame(Some(Ok(Message::Binary(frame)))) => Box::pin(self.frame(socket, frame)).await,
            Happened::Frame(Some(Ok(Message::Close(_))) | None | Some(Err(_))) => Err(End(None)),
            // What is no frame of this protocol is passed over.
            Happened::Frame(Some(Ok(_))) => Ok(()),
        }
    }

    async fn frame(&mut self, socket: &mut WebSocket, frame: Bytes) -> Result<(), End> {
        let Ok(frame) = SocketFrame::read(&frame) else {
            let ack = refusal(ErrorCode::Parameters);
            return send(socket, socket_answer(&ack)).await;
        };
        match frame {
            SocketFrame::Ping => send(socket, SocketFrame::Ping.to_bytes()).await,
            SocketFrame::Auth(bean) => {
                let ack = Box::pin(self.authenticate(bean)).await;
                send(socket, socket_answer(&ack)).await
            }
            _ if !self.is_known => Err(End(Some((POLICY, "the first frame has to say who it is")))),
            SocketFrame::Subscribe(bean) if bean.sub_type == Some(ONLINE) => {
                let observed = Observed::begin(Interface::WebSocket, "watch_online");
                self.watcher.get_or_insert_with(|| Watcher::new(&self.node));
                observed.end(&self.node, None);
                Ok(())
            }
            SocketFrame::Subscribe(_) => {
                let ack = refusal(ErrorCode::Parameters);
                send(socket, socket_answer(&ack)).await
            }
            SocketFrame::Push { room, from, data } => match self.push(&room, &from, data) {
                Ok(()) => Ok(()),
                Err(code) => send(socket, self.push_refused(&room, code)).await,
            },
            SocketFrame::Other(_) => Ok(()),
        }
    }

    async fn authenticate(&mut self, bean: AuthBean) -> AdmAck {
        let (name, password) = (
            bean.username.unwrap_or_default(),
            bean.password.unwrap_or_default(),
        );
        let fits = self
            .state
            .access
            .by_password(&self.node, (&name, &password), self.from);
        match Box::pin(fits).await {
            Ok(()) => {
                self.is_known = true;
                tracing::info!(
                    administrator = name,
                    operation = "open_websocket",
                    "an administrator's call"
                );
                AdmAck {
                    ok: Some(true),
                    ..AdmAck::default()
                }
            }
            Err(problem) => {
                Observed::refused(Interface::WebSocket, "authenticate", &self.node, problem.name());
                refusal(problem.wire().0)
            }
        }
    }

    /// What streams know an account by that pushes through this connection.
    fn guest(&mut self, account: &AccountId) -> Result<SessionId, ErrorCode> {
        if let Some(guest) = self.guests.get(account) {
            return Ok(*guest);
        }
        if self.guests.len() >= PUSHERS_MAX {
            return Err(ErrorCode::OverEntry);
        }
        let guest = crate::random::session_id();
        self.node.sessions.insert_guest(guest, Arc::clone(&self.mailbox));
        self.guests.insert(account.clone(), guest);
        Ok(guest)
    }

    fn push(&mut self, room: &str, from: &str, data: Bytes) -> Result<(), ErrorCode> {
        let room = VirtualRoomId::new(room).map_err(|_| ErrorCode::Parameters)?;
        let account = AccountId::new(from).map_err(|_| ErrorCode::Parameters)?;
        let guest = self.guest(&account)?;
        let frame = Frame {
            id: i64::try_from(crate::random::number() >> 1).unwrap_or(1),
            dtype: None,
            body: data,
        };
        let observed = Observed::begin(Interface::WebSocket, "push_into_virtual_room");
        let is_taken = self.node.streams.push(guest, account, room, frame);
        observed.end(&self.node, (!is_taken).then_some(OVERLOADED.name));
        is_taken.then_some(()).ok_or(ErrorCode::Overload)
    }

    fn push_refused(&self, room: &str, code: ErrorCode) -> Bytes {
        socket_answer(&AdmAck {
            tim_type: Some(socket_command::PUSH.cast_signed()),
            n: Some(room.to_owned()),
            t: Some(i64::from(self.node.server_mark)),
            ..refusal(code)
        })
    }
}

fn refusal(code: ErrorCode) -> AdmAck {
    AdmAck {
        ok: Some(false),
        errcode: Some(code.number()),
        ..AdmAck::default()
    }
}

fn told(news: &News) -> Bytes {
    let bean = AdmSubOnlineBean {
        node: Some(news.account.as_str().to_owned()),
        status: Some(if news.online { HAS_COME } else { HAS_GONE }),
    };
    SocketFrame::Subscribe(AdmSubBean {
        sub_type: Some(ONLINE),
        bs: Some(bean.encode_payload(Encoding::Thrift)),
    })
    .to_bytes()
}

/// Writes a frame; the connection ends when it is not taken.
async fn send(socket: &mut WebSocket, frame: Bytes) -> Result<(), End> {
    match tokio::time::timeout(SEND_LIMIT, socket.send(Message::Binary(frame))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(End(None)),
        Err(_) => Err(End(Some((TOO_SLOW, "frames are not taken")))),
    }
}
