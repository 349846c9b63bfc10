//! The request/response channel: registering an account, and asking for a login token.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{HOST, ORIGIN};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tim_wire::frame::client_frame;
use tim_wire::{Command, Encoding, ErrorCode, ServerFrame, TimAck, Token, WireStruct};
use tokio::time::timeout;

use crate::transport::Transport;
use crate::{AccountError, Address, ConnectError, Credentials, Rejection, Server};

/// The path of the channel.
const PATH: &str = "/tim2";
/// An ack is a few dozen bytes; more is not from a tim server.
const RESPONSE_BYTES_MAX: usize = 64 << 10;

/// A one-time login token in the forms the server gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedToken {
    /// As a number, from servers that serve clients of 2.0.
    pub number: Option<Token>,
    /// As text, from servers of 2.1.
    pub text: Option<Token>,
}

/// Creates an account and gives its id.
///
/// # Errors
/// [`AccountError::Refused`] with 4101 when the name is taken.
pub async fn register(
    server: &Server,
    credentials: &Credentials,
    encoding: Encoding,
) -> Result<String, AccountError> {
    let (ack, address) = request(server, Command::Register, credentials, encoding).await?;
    ack.n.ok_or(AccountError::NotTim {
        address,
        reason: "no account id in its answer".to_owned(),
    })
}

/// Asks for a one-time login token.
///
/// # Errors
/// [`AccountError::Refused`] with 4102 when the password is wrong.
pub async fn token(
    server: &Server,
    credentials: &Credentials,
    encoding: Encoding,
) -> Result<IssuedToken, AccountError> {
    let (ack, _) = request(server, Command::Token, credentials, encoding).await?;
    Ok(IssuedToken {
        number: ack.t.map(Token::Number),
        text: ack.n.map(Token::Text),
    })
}

/// Registers an account unless there is one of that name. Whether the password is the account's the login tells.
///
/// # Errors
/// As [`register`], but not because the account exists.
pub async fn ensure_account(
    server: &Server,
    credentials: &Credentials,
    encoding: Encoding,
) -> Result<(), AccountError> {
    match register(server, credentials, encoding).await {
        Err(AccountError::Refused(why)) if why.code() == Some(ErrorCode::HasExist) => Ok(()),
        registered => registered.map(drop),
    }
}

/// Asks the first address that can be reached.
async fn request(
    server: &Server,
    command: Command,
    credentials: &Credentials,
    encoding: Encoding,
) -> Result<(TimAck, Address), AccountError> {
    let frame = client_frame(command, encoding, &credentials.auth().encode_payload(encoding));
    let mut last = ConnectError::NoAddress;
    for address in &server.addresses {
        let limit = server.connect_timeout;
        let opened = timeout(limit, Transport::open(server, address))
            .await
            .unwrap_or_else(|_| {
                Err(ConnectError::Timeout {
                    address: address.clone(),
                    step: "connection",
                    limit,
                })
            });
        match opened {
            Ok(transport) => {
                let limit = server.answer_timeout;
                let answered = timeout(limit, post(transport, address, server, frame)).await;
                let body = answered.map_err(|_| AccountError::Broken {
                    address: address.clone(),
                    reason: format!("no answer within {} s", limit.as_secs_f32()),
                })??;
                let ack = read_ack(address, body, encoding)?;
                return if ack.ok {
                    Ok((ack, address.clone()))
                } else {
                    Err(AccountError::Refused(Rejection::of(&ack)))
                };
            }
            Err(error) => last = error,
        }
    }
    Err(last.into())
}

/// One POST on a connection of its own: these requests are rare.
async fn post(
    transport: Transport,
    address: &Address,
    server: &Server,
    frame: Bytes,
) -> Result<Bytes, AccountError> {
    let broken = |reason: String| AccountError::Broken {
        address: address.clone(),
        reason,
    };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(transport))
        .await
        .map_err(|error| broken(error.to_string()))?;
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(PATH)
        .header(HOST, address.authority())
        .header(ORIGIN, address.origin());
    if let Some(traceparent) = &server.traceparent {
        request = request.header("traceparent", traceparent);
    }
    let request = request
        .body(Full::new(frame))
        .map_err(|error| broken(error.to_string()))?;
    let exchange = async {
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| broken(error.to_string()))?;
        let status = response.status();
        if !status.is_success() {
            let reason = format!("HTTP status {status} at {PATH}");
            return Err(AccountError::NotTim {
                address: address.clone(),
                reason,
            });
        }
        let body = Limited::new(response.into_body(), RESPONSE_BYTES_MAX)
            .collect()
            .await;
        Ok(body.map_err(|error| broken(error.to_string()))?.to_bytes())
    };
    // The connection has to be driven for the exchange to move; it ends with it.
    tokio::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        ended = connection => match ended {
            Ok(()) => exchange.await,
            Err(error) => Err(broken(error.to_string())),
        },
    }
}

fn read_ack(address: &Address, body: Bytes, encoding: Encoding) -> Result<TimAck, AccountError> {
    let not_tim = |reason: String| AccountError::NotTim {
        address: address.clone(),
        reason,
    };
    let frame = ServerFrame::parse(body).map_err(|_| not_tim("an empty answer".to_owned()))?;
    if frame.command() != Some(Command::Ack) {
        return Err(not_tim(format!("an answer of type {}", frame.number)));
    }
    TimAck::decode_payload(&frame.payload, encoding).map_err(|error| not_tim(error.to_string()))
}
