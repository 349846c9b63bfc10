//! One connection, without its socket: bytes go in, what has to be done comes out, one call after the other.
//!
//! The first call that counts is `Auth`. Before it only `Ping` is answered; anything else ends the connection.

use crate::admin::ack::Ack;
use bytes::{Buf, Bytes, BytesMut};
use tim_wire::ErrorCode;
use tim_wire::server_api::{
    AdmAck, ApplicationErrorKind, AuthBean, Call, Message, MessageKind, ProtocolError, Scanner,
};

/// Largest message of somebody who has not said who it is: name and password fit in.
const UNAUTHENTICATED_BYTES_MAX: usize = 4 << 10;

/// What has to be done next.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// Nothing, until more bytes have come.
    Wait,
    /// This is written.
    Write(Bytes),
    /// This is written, and then the connection ends.
    WriteAndClose(Bytes),
    /// Somebody says who it is; [`Machine::authenticated`] tells whether it is true.
    Authenticate(Message, AuthBean),
    /// Somebody who is known asks for something; the answer is made of the message.
    Do(Message, Box<Call>),
    /// The connection ends: what came is no call.
    Close(ProtocolError),
}

/// A connection.
#[derive(Debug)]
pub(super) struct Machine {
    received: BytesMut,
    scanner: Scanner,
    limit: usize,
    /// The console user, once it is known.
    caller: Option<String>,
}

impl Machine {
    /// For messages of at most so many bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            received: BytesMut::new(),
            scanner: Scanner::new(limit.min(UNAUTHENTICATED_BYTES_MAX)),
            limit,
            caller: None,
        }
    }

    /// Who calls.
    pub(super) fn caller(&self) -> Option<&str> {
        self.caller.as_deref()
    }

    /// Bytes have come. They are bounded by who reads: it reads on only when [`Step::Wait`] was said.
    pub(super) fn received(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
    }

    /// Whether the caller is who it says it is; the answer.
    pub(super) fn authenticated(
        &mut self,
        message: &Message,
        outcome: Result<String, (ErrorCode, String)>,
    ) -> Bytes {
        let ack = match outcome {
            Ok(name) => {
                self.caller = Some(name);
                self.scanner = Scanner::new(self.limit);
                Ack::Done
            }
            Err((code, text)) => Ack::Refused(code, text),
        };
        message.reply(&AdmAck::from(ack)).to_bytes()
    }

    /// What has to be done next.
    pub(super) fn step(&mut self) -> Step {
        if self.received.is_empty() {
            return Step::Wait;
        }
        let length = match self.scanner.scan(&self.received) {
            Ok(None) => return Step::Wait,
            Ok(Some(length)) => length,
            Err(error) => return Step::Close(error),
        };
        let bytes = self
            .received
            .split_to(length.min(self.received.remaining()))
            .freeze();
        match Message::read(&bytes) {
            Ok(message) => self.message(message),
            Err(error) => Step::Close(error),
        }
    }

    fn message(&self, message: Message) -> Step {
        if message.kind != MessageKind::Call {
            let exception = message.exception(
                ApplicationErrorKind::InvalidMessageType,
                "only calls are answered",
            );
            return Step::WriteAndClose(exception.to_bytes());
        }
        let call = match Call::read(&message.name, &message.body) {
            Ok(Some(call)) => call,
            Ok(None) if self.caller.is_none() => {
                let ack = Ack::Refused(ErrorCode::PermissionDenied, UNAUTHENTICATED.to_owned());
                return Step::WriteAndClose(message.reply(&AdmAck::from(ack)).to_bytes());
            }
            Ok(None) => {
                let told = format!("there is no method {}", message.name);
                let exception = message.exception(ApplicationErrorKind::UnknownMethod, told);
                return Step::Write(exception.to_bytes());
            }
            Err(error) => {
                let told = format!("the arguments cannot be read: {error}");
                let exception = message.exception(ApplicationErrorKind::ProtocolError, told);
                return Step::WriteAndClose(exception.to_bytes());
            }
        };
        match call {
            Call::Ping => {
                let alive = AdmAck::from(Ack::Done);
                Step::Write(message.reply(&alive).to_bytes())
            }
            Call::Auth(bean) => Step::Authenticate(message, bean),
            call if self.caller.is_none() => {
                let code = ErrorCode::PermissionDenied;
                Step::WriteAndClose(refused(&message, &call, code, UNAUTHENTICATED))
            }
            call => Step::Do(message, Box::new(call)),
        }
    }
}

/// The answer that says no: an ack, or thrift's own exception where the result has no place for a code.
pub(super) fn refused(message: &Message, call: &Call, code: ErrorCode, text: &str) -> Bytes {
    let answer = match call {
        Call::OnlineUser(_)
        | Call::SysBlockList
        | Call::Roster(_)
        | Call::UserRoom(_)
        | Call::RoomUsers(_)
        | Call::BlockRosterList(_)
        | Call::BlockRoomList(_)
        | Call::BlockRoomMemberlist(_)
        | Call::PullUserMessage(_)
        | Call::PullRoomMessage(_)
        | Call::OfflineMsg(_) => {
            let told = format!("{} {text}", code.number());
            message.exception(ApplicationErrorKind::InternalError, told)
        }
        _ => message.reply(&AdmAck::from(Ack::Refused(code, text.to_owned()))),
    };
    answer.to_bytes()
}

const UNAUTHENTICATED: &str =
    "the first call of a connection has to be Auth, with a console user and its password";

#[cfg(test)]
mod tests {
    use super::*;
    use tim_wire::server_api::{ByNode, ToNode, result};

    fn message(call: &Call) -> Message {
        Message {
            kind: MessageKind::Call,
            sequence: 7,
            name: call.name().to_owned(),
            body: call.arguments(),
        }
    }

    fn asked(machine: &mut Machine, call: &Call) -> Step {
        machine.received(&message(call).to_bytes());
        machine.step()
    }

    fn ack(bytes: &Bytes) -> AdmAck {
        result(&Message::read(bytes).unwrap().body).unwrap().unwrap()
    }

    #[test]
    fn only_pings_are_answered_before_auth() {
        let mut machine = Machine::new(1 << 20);
        let Step::Write(pong) = asked(&mut machine, &Call::Ping) else {
            panic!("not answered");
        };
        assert_eq!(ack(&pong).ok, Some(true));
        let leave = Call::LeaveRoom(ToNode::default());
        let Step::WriteAndClose(refused) = asked(&mut machine, &leave) else {
            panic!("not refused");
        };
        assert_eq!(ack(&refused).errcode, Some(4105));
        // A list has no place for a code.
        let Step::WriteAndClose(refused) = asked(&mut machine, &Call::Roster(ByNode::default())) else {
            panic!("not refused");
        };
        let refused = Message::read(&refused).unwrap();
        assert_eq!(refused.kind, MessageKind::Exception);
        assert!(refused.body.windows(4).any(|part| part == b"4105"));
    }

    #[test]
    fn who_is_known_is_served_call_by_call() {
        let mut machine = Machine::new(1 << 20);
        let auth = Call::Auth(AuthBean::default());
        let Step::Authenticate(asking, _) = asked(&mut machine, &auth) else {
            panic!("not asked");
        };
        let refused = machine.authenticated(&asking, Err((ErrorCode::PermissionDenied, String::new())));
        assert_eq!((ack(&refused).ok, machine.caller()), (Some(false), None));
        machine.authenticated(&asking, Ok("root".to_owned()));
        let calls = [Call::SysBlockList, Call::Roster(ByNode::default())];
        let bytes: Vec<u8> = calls.iter().flat_map(|call| message(call).to_bytes()).collect();
        let (first, rest) = bytes.split_at(9);
        machine.received(first);
        assert_eq!(machine.step(), Step::Wait);
        machine.received(rest);
        for call in calls {
            assert_eq!(machine.step(), Step::Do(message(&call), Box::new(call)));
        }
        assert_eq!(machine.step(), Step::Wait);
    }

    #[test]
    fn strangers_may_send_little() {
        let large = Call::Auth(AuthBean {
            username: Some("x".repeat(UNAUTHENTICATED_BYTES_MAX)),
            ..AuthBean::default()
        });
        let mut machine = Machine::new(1 << 20);
        assert!(matches!(
            asked(&mut machine, &large),
            Step::Close(ProtocolError::TooLarge { .. })
        ));
        let mut machine = Machine::new(1 << 20);
        machine.authenticated(&message(&large), Ok("root".to_owned()));
        assert!(matches!(asked(&mut machine, &large), Step::Authenticate(..)));
    }

    #[test]
    fn what_is_no_call_is_told_where_that_helps() {
        let mut machine = Machine::new(1 << 20);
        machine.authenticated(&message(&Call::Ping), Ok("root".to_owned()));
        let unknown = Message {
            name: "Nothing".to_owned(),
            ..message(&Call::Ping)
        };
        machine.received(&unknown.to_bytes());
        let Step::Write(told) = machine.step() else {
            panic!("not told");
        };
        assert_eq!(Message::read(&told).unwrap().kind, MessageKind::Exception);
        let one_way = Message {
            kind: MessageKind::OneWay,
            ..message(&Call::Ping)
        };
        machine.received(&one_way.to_bytes());
        assert!(matches!(machine.step(), Step::WriteAndClose(_)));
        machine.received(b"GET / HTTP/1.1\r\n");
        assert!(matches!(machine.step(), Step::Close(ProtocolError::Form { .. })));
    }
}
