//! Opens a logged-in WebSocket.

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use hyper::Request;
use hyper::header::{
    CONNECTION, HOST, HeaderValue, ORIGIN, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use tim_wire::frame::client_frame;
use tim_wire::{Command, ServerFrame, TimAck, WireStruct};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::protocol::{Message, WebSocketConfig};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::transport::Transport;
use crate::{Address, ConnectError, Options, Rejection};

/// A logged-in socket.
pub(crate) type Socket = WebSocketStream<Transport>;

/// Opens and logs in, each step within its limit. Gives the account id with the socket.
pub(crate) async fn open(options: &Options, address: &Address) -> Result<(Socket, String), ConnectError> {
    let limit = options.server.connect_timeout;
    let mut socket =
        timeout(limit, upgrade(options, address))
            .await
            .map_err(|_| ConnectError::Timeout {
                address: address.clone(),
                step: "connection",
                limit,
            })??;
    tokio::time::sleep(options.login_wait).await;
    let limit = options.limits.login_timeout;
    let ack = timeout(limit, log_in(options, address, &mut socket))
        .await
        .map_err(|_| ConnectError::Timeout {
            address: address.clone(),
            step: "answer to the login",
            limit,
        })??;
    if !ack.ok {
        return Err(ConnectError::LoginRefused(Rejection::of(&ack)));
    }
    Ok((socket, ack.n.unwrap_or_default()))
}

async fn upgrade(options: &Options, address: &Address) -> Result<Socket, ConnectError> {
    let failed = |reason: String| ConnectError::Handshake {
        address: address.clone(),
        reason,
    };
    let transport = Transport::open(&options.server, address).await?;
    let request = upgrade_request(options, address).map_err(|error| failed(error.to_string()))?;
    let limits = &options.limits;
    let config = WebSocketConfig::default()
        .read_buffer_size(limits.read_buffer_bytes)
        .write_buffer_size(limits.read_buffer_bytes)
        .max_message_size(Some(limits.frame_bytes_max))
        .max_frame_size(Some(limits.frame_bytes_max));
    let (socket, _) = client_async_with_config(request, transport, Some(config))
        .await
        .map_err(|error| failed(error.to_string()))?;
    Ok(socket)
}

fn upgrade_request(options: &Options, address: &Address) -> Result<Request<()>, hyper::http::Error> {
    let mut request = Request::builder()
        .uri(address.to_string())
        .header(HOST, address.authority())
        .header(ORIGIN, address.origin())
        .header(CONNECTION, HeaderValue::from_static("Upgrade"))
        .header(UPGRADE, HeaderValue::from_static("websocket"))
        .header(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))
        .header(SEC_WEBSOCKET_KEY, generate_key());
    if let Some(traceparent) = &options.server.traceparent {
        request = request.header("traceparent", traceparent);
    }
    debug_assert!(address.path().starts_with('/'));
    request.body(())
}

async fn log_in(options: &Options, address: &Address, socket: &mut Socket) -> Result<TimAck, ConnectError> {
    let failed = |reason: String| ConnectError::Handshake {
        address: address.clone(),
        reason,
    };
    let encoding = options.encoding;
    let frame = client_frame(Command::Auth, encoding, &options.auth().encode_payload(encoding));
    socket
        .send(Message::Binary(frame))
        .await
        .map_err(|error| failed(error.to_string()))?;
    loop {
        let message = match socket.next().await {
            Some(Ok(message)) => message,
            Some(Err(error)) => return Err(failed(format!("during the login: {error}"))),
            None => return Err(failed("closed during the login".to_owned())),
        };
        let Some(bytes) = message_bytes(message) else {
            continue;
        };
        if let Some(ack) = login_ack(bytes, options).map_err(|error| failed(error.to_string()))? {
            return Ok(ack);
        }
    }
}

/// The payload of a data message; nothing for control frames.
pub(crate) fn message_bytes(message: Message) -> Option<Bytes> {
    match message {
        Message::Binary(bytes) => Some(bytes),
        Message::Text(text) => Some(text.into()),
        _ => None,
    }
}

/// The answer to the login, if the frame is it.
fn login_ack(bytes: Bytes, options: &Options) -> Result<Option<TimAck>, tim_wire::DecodeError> {
    let frame = ServerFrame::parse(bytes)?;
    if frame.command() != Some(Command::Ack) {
        return Ok(None);
    }
    let ack = TimAck::decode_payload(&frame.payload, options.encoding)?;
    Ok((ack.tim_type == Command::Auth.tim_type()).then_some(ack))
}
