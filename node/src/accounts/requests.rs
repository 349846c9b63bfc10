//! What is asked by a single request, without a session: registrations and login tokens.

use super::{Accounts, parameters};
use crate::commands::Refusal;
use crate::node::Node;
use bytes::Bytes;
use std::net::IpAddr;
use tim_wire::{ClientFrame, ClientRequest, Command, Encoding, ErrorCode, TimAck, TimAuth, WireStruct};

/// Answers `/tim2`: register and token; everything else is empty, as with the reference.
pub(crate) async fn http_request(node: &Node, body: Bytes, from: IpAddr) -> Bytes {
    let Ok(frame) = ClientFrame::parse(body) else {
        return Bytes::new();
    };
    let command = match frame.command() {
        Some(command @ (Command::Register | Command::Token)) => command,
        _ => return Bytes::new(),
    };
    let outcome = match frame.request() {
        _ if node.throttle.is_off(frame.number) => {
            node.metrics.limit_reached("sessions.commands_off");
            Err(Refusal::switched_off(frame.number))
        }
        Ok(ClientRequest::Register(auth)) => {
            let registered = node.accounts.register(node, &auth, from).await;
            registered.map(|account| TimAck {
                n: Some(account.as_str().to_owned()),
                ..TimAck::success(command)
            })
        }
        Ok(ClientRequest::Token(auth)) => node.accounts.token(node, &auth, from).await,
        Ok(_) => return Bytes::new(),
        Err(error) => Err(parameters(&format!("the request cannot be read: {error}"))),
    };
    let ack = outcome.unwrap_or_else(|refusal| refusal.ack(command.tim_type()));
    encode(&ack, frame.encoding)
}

impl Accounts {
    async fn token(&self, node: &Node, auth: &TimAuth, from: IpAddr) -> Result<TimAck, Refusal> {
        let Some(account) = self.verify(node, auth, from).await? else {
            return Err(Refusal::plain(ErrorCode::NoPass, "wrong_password"));
        };
        let (token, _) = self.make_token(node, &account).await?;
        // Both forms: clients of either generation find theirs.
        Ok(TimAck {
            t: Some(token.number()),
            n: Some(token.text()),
            ..TimAck::success(Command::Token)
        })
    }
}

/// The leading byte never says JSON; the encoding is the request's.
fn encode(ack: &TimAck, encoding: Encoding) -> Bytes {
    tim_wire::frame::server_frame(Command::Ack, None, &ack.encode_payload(encoding))
}
