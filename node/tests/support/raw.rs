//! A client that speaks frames: what it sends is exactly what the test says.

use super::{PATIENCE, http};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use std::time::Duration;
use tim_wire::frame::{client_frame, confirmation_frame, empty_client_frame};
use tim_wire::structs::{business, operation};
use tim_wire::{
    Command, Encoding, ServerFrame, TimAck, TimAuth, TimMessage, TimMessageList, TimReq, WireStruct,
};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub const DOMAIN: &str = "tlnet.top";

#[derive(Debug)]
pub struct Raw {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub encoding: Encoding,
    /// Frames that came while another one was waited for.
    waiting: Vec<ServerFrame>,
}

pub fn auth(name: &str, password: &str) -> TimAuth {
    TimAuth {
        name: Some(name.to_owned()),
        pwd: Some(password.to_owned()),
        domain: Some(DOMAIN.to_owned()),
        resource: Some("android".to_owned()),
        termtyp: Some(1),
        ..TimAuth::default()
    }
}

/// Posts a frame to `/tim2`; the ack.
pub async fn post(port: u16, command: Command, encoding: Encoding, auth: &TimAuth) -> TimAck {
    let frame = client_frame(command, encoding, &auth.encode_payload(encoding));
    let (code, body) = http::request(port, "POST", "/tim2", &frame).await.unwrap();
    assert_eq!(code, 200);
    assert_eq!(body.first(), Some(&Command::Ack.number()), "{body:?}");
    TimAck::decode_payload(&Bytes::copy_from_slice(&body[1..]), encoding).unwrap()
}

/// Registers an account, which may exist already on the same password; its id.
pub async fn register(port: u16, name: &str, password: &str) -> String {
    let ack = post(port, Command::Register, Encoding::Thrift, &auth(name, password)).await;
    assert!(ack.ok, "{ack:?}");
    ack.n.unwrap()
}

impl Raw {
    pub async fn connect(port: u16) -> Self {
        Self::connect_at(port, "/tim").await
    }

    pub async fn connect_at(port: u16, path: &str) -> Self {
        let url = format!("ws://127.0.0.1:{port}{path}");
        let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        Self {
            socket,
            encoding: Encoding::Thrift,
            waiting: Vec::new(),
        }
    }

    pub async fn send(&mut self, frame: Bytes) {
        self.socket.send(Message::Binary(frame)).await.unwrap();
    }

    pub async fn send_struct(&mut self, command: Command, payload: &impl WireStruct) {
        let frame = client_frame(command, self.encoding, &payload.encode_payload(self.encoding));
        self.send(frame).await;
    }

    pub async fn login(&mut self, name: &str, password: &str) -> TimAck {
        self.send_struct(Command::Auth, &auth(name, password)).await;
        let ack = self.ack(Command::Auth).await;
        assert!(ack.ok, "{ack:?}");
        ack
    }

    /// The next frame, whatever it is; `None` when the server has closed.
    pub async fn next(&mut self) -> Option<ServerFrame> {
        if !self.waiting.is_empty() {
            return Some(self.waiting.remove(0));
        }
        self.receive().await
    }

    async fn receive(&mut self) -> Option<ServerFrame> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.socket.next())
                .await
                .expect("a frame in time")?;
            match message.ok()? {
                Message::Binary(frame) => return Some(ServerFrame::parse(frame).unwrap()),
                Message::Text(_) => panic!("clients ignore text frames"),
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }

    /// Waits until the server closes; the code it gives.
    pub async fn closed(&mut self) -> Option<u16> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.socket.next())
                .await
                .expect("the end in time")?;
            if let Message::Close(frame) = message.ok()? {
                return frame.map(|frame| u16::from(frame.code));
            }
        }
    }

    /// The next frame that fits; others are kept for later.
    pub async fn frame_where(&mut self, fits: impl Fn(&ServerFrame) -> bool) -> ServerFrame {
        if let Some(place) = self.waiting.iter().position(&fits) {
            return self.waiting.remove(place);
        }
        loop {
            let frame = self.receive().await.expect("the connection stays open");
            if fits(&frame) {
                return frame;
            }
            self.waiting.push(frame);
        }
    }

    /// The next frame of a command.
    pub async fn frame(&mut self, command: Command) -> ServerFrame {
        self.frame_where(|frame| frame.command() == Some(command)).await
    }

    /// The next ack of a command.
    pub async fn ack(&mut self, command: Command) -> TimAck {
        let encoding = self.encoding;
        let frame = self
            .frame_where(|frame| {
                frame.command() == Some(Command::Ack)
                    && TimAck::decode_payload(&frame.payload, encoding)
                        .is_ok_and(|ack| ack.tim_type == command.tim_type())
            })
            .await;
        TimAck::decode_payload(&frame.payload, encoding).unwrap()
    }

    /// An ack of a command that has come already, while something else was waited for.
    pub fn waiting_ack(&mut self, command: Command) -> Option<TimAck> {
        let encoding = self.encoding;
        let decoded = |frame: &ServerFrame| {
            let ack = TimAck::decode_payload(&frame.payload, encoding).ok()?;
            (frame.command() == Some(Command::Ack) && ack.tim_type == command.tim_type()).then_some(ack)
        };
        let place = self.waiting.iter().position(|frame| decoded(frame).is_some())?;
        decoded(&self.waiting.remove(place))
    }

    /// The next message; confirmed if that was asked for.
    pub async fn message(&mut self) -> TimMessage {
        let (message, sync_id) = self.unconfirmed_message().await;
        if let Some(sync_id) = sync_id {
            self.confirm(sync_id).await;
        }
        message
    }

    /// The next message and the sync id that it wants confirmed.
    pub async fn unconfirmed_message(&mut self) -> (TimMessage, Option<i32>) {
        let frame = self.frame(Command::Message).await;
        let message = TimMessage::decode_payload(&frame.payload, self.encoding).unwrap();
        (message, frame.sync_id)
    }

    pub async fn confirm(&mut self, sync_id: i32) {
        let frame = confirmation_frame(sync_id, self.encoding);
        self.send(frame).await;
    }

    /// The next notice of a business type.
    pub async fn notice(&mut self, business_type: i32) -> TimMessage {
        loop {
            let message = self.message().await;
            if message.bn_type == Some(business_type) {
                return message;
            }
        }
    }

    pub async fn add_friend(&mut self, account: &str) {
        let request = TimReq {
            rtype: Some(business::ADD_ROSTER),
            node: Some(account.to_owned()),
            req_str: Some("hi".to_owned()),
            ..TimReq::default()
        };
        self.send_struct(Command::Business, &request).await;
    }

    pub async fn say(&mut self, to: &str, text: &str) {
        self.say_with_id(to, text, None).await;
    }

    pub async fn say_with_id(&mut self, to: &str, text: &str, id: Option<i64>) {
        let mut message = TimMessage::direct(to, operation::NORMAL);
        message.data_string = Some(text.to_owned());
        message.id = id;
        self.send_struct(Command::Message, &message).await;
    }

    pub async fn ping(&mut self) {
        let frame = empty_client_frame(Command::Ping, self.encoding);
        self.send(frame).await;
        self.frame(Command::Ping).await;
    }

    pub async fn ask_offline(&mut self) {
        let frame = empty_client_frame(Command::OfflineMessages, self.encoding);
        self.send(frame).await;
    }

    /// All offline messages up to their end, confirmed.
    pub async fn offline(&mut self) -> Vec<TimMessage> {
        self.ask_offline().await;
        let mut all = Vec::new();
        loop {
            let frame = self
                .frame_where(|frame| {
                    matches!(
                        frame.command(),
                        Some(Command::OfflineMessages | Command::OfflineEnd)
                    )
                })
                .await;
            if frame.command() == Some(Command::OfflineEnd) {
                return all;
            }
            let list = TimMessageList::decode_payload(&frame.payload, self.encoding).unwrap();
            all.extend(list.message_list.unwrap_or_default());
            self.confirm(frame.sync_id.expect("batches are confirmed")).await;
        }
    }

    /// Whether nothing of a command comes within a time. Only for things that must not come.
    pub async fn silent(&mut self, command: Command, wait: Duration) -> bool {
        tokio::time::timeout(wait, self.frame(command)).await.is_err()
    }

    pub async fn close(mut self) {
        let _ = self.socket.close(None).await;
    }
}
