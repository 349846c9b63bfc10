//! Live streams: operations, pushes, announcements, rooms.

use tim_core::id::{AccountId, NodeName, SessionId, VirtualRoomId};
use tim_core::stream::{Form, Frame, Message, Operation, Outcome, RoomState, Verdict};
use tim_proto::peer::v1 as peer;
use tim_proto::peer::v1::stream_answer::Outcome as OutcomeKind;
use tim_proto::peer::v1::stream_ask::Operation as OperationKind;
use tim_proto::peer::v1::stream_item::Item;
use tim_proto::peer::v1::stream_settled::Verdict as VerdictKind;

fn room(name: &str) -> Option<VirtualRoomId> {
    VirtualRoomId::new(name).ok()
}

fn account(name: &str) -> Option<AccountId> {
    AccountId::new(name).ok()
}

fn to_text(name: impl Into<String>) -> String {
    name.into()
}

fn to_ask(request: u64, room: VirtualRoomId, operation: Operation) -> Option<peer::StreamAsk> {
    let (kind, by, account, binary) = match operation {
        Operation::Create { owner } => (OperationKind::Create, Some(owner), None, false),
        Operation::Remove { by } => (OperationKind::Remove, Some(by), None, false),
        Operation::Grant { by, to } => (OperationKind::Grant, Some(by), Some(to), false),
        Operation::Withdraw { by, from } => (OperationKind::Withdraw, Some(by), Some(from), false),
        Operation::Subscribe(form) => (OperationKind::Subscribe, None, None, form == Form::Binary),
        // Known to the session's node alone.
        Operation::Unsubscribe => return None,
    };
    Some(peer::StreamAsk {
        request,
        room: room.into(),
        operation: kind.into(),
        by: by.map_or_else(String::new, to_text),
        account: account.map_or_else(String::new, to_text),
        binary,
    })
}

fn ask(ask: &peer::StreamAsk) -> Option<Message> {
    let operation = match ask.operation() {
        OperationKind::Unspecified => return None,
        OperationKind::Create => Operation::Create {
            owner: account(&ask.by)?,
        },
        OperationKind::Remove => Operation::Remove {
            by: account(&ask.by)?,
        },
        OperationKind::Grant => Operation::Grant {
            by: account(&ask.by)?,
            to: account(&ask.account)?,
        },
        OperationKind::Withdraw => Operation::Withdraw {
            by: account(&ask.by)?,
            from: account(&ask.account)?,
        },
        OperationKind::Subscribe if ask.binary => Operation::Subscribe(Form::Binary),
        OperationKind::Subscribe => Operation::Subscribe(Form::Struct),
    };
    Some(Message::Ask {
        request: ask.request,
        room: room(&ask.room)?,
        operation,
    })
}

fn to_outcome(outcome: Outcome) -> OutcomeKind {
    match outcome {
        Outcome::Done => OutcomeKind::Done,
        Outcome::Denied => OutcomeKind::Denied,
        Outcome::NoSuchRoom => OutcomeKind::NoSuchRoom,
        Outcome::TooMany => OutcomeKind::TooMany,
        Outcome::Unavailable => OutcomeKind::Unavailable,
    }
}

fn answer(answer: &peer::StreamAnswer) -> Option<Message> {
    let outcome = match answer.outcome() {
        OutcomeKind::Unspecified => return None,
        OutcomeKind::Done => Outcome::Done,
        OutcomeKind::Denied => Outcome::Denied,
        OutcomeKind::NoSuchRoom => Outcome::NoSuchRoom,
        OutcomeKind::TooMany => Outcome::TooMany,
        OutcomeKind::Unavailable => Outcome::Unavailable,
    };
    Some(Message::Answer {
        request: answer.request,
        outcome,
    })
}

fn to_verdict(verdict: Verdict) -> VerdictKind {
    match verdict {
        Verdict::Relayed => VerdictKind::Relayed,
        Verdict::Denied => VerdictKind::Denied,
        Verdict::Unknown => VerdictKind::Unknown,
    }
}

fn settled(settled: &peer::StreamSettled) -> Option<Message> {
    let verdict = match settled.verdict() {
        VerdictKind::Unspecified => return None,
        VerdictKind::Relayed => Verdict::Relayed,
        VerdictKind::Denied => Verdict::Denied,
        VerdictKind::Unknown => Verdict::Unknown,
    };
    Some(Message::Settled {
        room: room(&settled.room)?,
        session: SessionId(settled.session),
        number: settled.number,
        verdict,
    })
}

fn to_frame(frame: Frame) -> Option<peer::StreamFrame> {
    Some(peer::StreamFrame {
        id: frame.id,
        dtype: frame.dtype.map(i32::from),
        body: frame.body,
    })
}

fn frame(frame: Option<peer::StreamFrame>) -> Option<Frame> {
    let frame = frame?;
    let dtype = frame.dtype.map(i8::try_from).transpose().ok()?;
    Some(Frame {
        id: frame.id,
        dtype,
        body: frame.body,
    })
}

fn to_state(state: RoomState) -> peer::VirtualRoomState {
    peer::VirtualRoomState {
        room: state.room.into(),
        owner: state.owner.into(),
        pushers: state.pushers.into_iter().map(to_text).collect(),
        version: state.version,
        removed: state.removed,
        idle_ms: state.idle_ms,
        subscribers: state.subscribers.into_iter().map(to_text).collect(),
    }
}

fn state(state: &peer::VirtualRoomState) -> Option<RoomState> {
    let subscribers = state.subscribers.iter().map(|name| NodeName::new(name).ok());
    Some(RoomState {
        room: room(&state.room)?,
        owner: account(&state.owner)?,
        pushers: state
            .pushers
            .iter()
            .map(|name| account(name))
            .collect::<Option<_>>()?,
        version: state.version,
        removed: state.removed,
        idle_ms: state.idle_ms,
        subscribers: subscribers.collect::<Option<_>>()?,
    })
}

/// What a node says; nothing for what stays at the session's node.
pub fn item(message: Message) -> Option<peer::StreamItem> {
    let item = match message {
        Message::Ask {
            request,
            room,
            operation,
        } => Item::Ask(to_ask(request, room, operation)?),
        Message::Answer { request, outcome } => Item::Answer(peer::StreamAnswer {
            request,
            outcome: to_outcome(outcome).into(),
        }),
        Message::Push {
            room,
            session,
            account,
            number,
            frame,
        } => Item::Push(peer::StreamPush {
            room: room.into(),
            session: session.0,
            account: account.into(),
            number,
            frame: to_frame(frame),
        }),
        Message::Settled {
            room,
            session,
            number,
            verdict,
        } => Item::Settled(peer::StreamSettled {
            room: room.into(),
            session: session.0,
            number,
            verdict: to_verdict(verdict).into(),
        }),
        Message::Fan {
            room,
            owner,
            session,
            number,
            frame,
        } => Item::Fan(peer::StreamFan {
            room: room.into(),
            owner: owner.into(),
            session: session.0,
            number,
            frame: to_frame(frame),
        }),
        Message::Announce { rooms, subscribed } => Item::Announce(peer::StreamAnnounce {
            rooms: rooms.into_iter().map(to_text).collect(),
            subscribed,
        }),
        Message::Put(state) => Item::Put(to_state(state)),
    };
    Some(peer::StreamItem { item: Some(item) })
}

/// What a peer says; nothing for what is malformed.
pub fn message(item: peer::StreamItem) -> Option<Message> {
    match item.item? {
        Item::Ask(message) => ask(&message),
        Item::Answer(message) => answer(&message),
        Item::Push(push) => Some(Message::Push {
            room: room(&push.room)?,
            session: SessionId(push.session),
            account: account(&push.account)?,
            number: push.number,
            frame: frame(push.frame)?,
        }),
        Item::Settled(message) => settled(&message),
        Item::Fan(fan) => Some(Message::Fan {
            room: room(&fan.room)?,
            owner: account(&fan.owner)?,
            session: SessionId(fan.session),
            number: fan.number,
            frame: frame(fan.frame)?,
        }),
        Item::Announce(announce) => Some(Message::Announce {
            rooms: announce
                .rooms
                .iter()
                .map(|name| room(name))
                .collect::<Option<_>>()?,
            subscribed: announce.subscribed,
        }),
        Item::Put(message) => state(&message).map(Message::Put),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn names() -> (VirtualRoomId, AccountId, AccountId) {
        let [alice, bob] = ["alice", "bob"].map(|name| account(name).unwrap());
        (room("5UuHvyshZND").unwrap(), alice, bob)
    }

    fn operations() -> Vec<Message> {
        let (room, alice, bob) = names();
        let operations = [
            Operation::Create { owner: alice.clone() },
            Operation::Remove { by: alice.clone() },
            Operation::Grant {
                by: alice.clone(),
                to: bob.clone(),
            },
            Operation::Withdraw { by: alice, from: bob },
            Operation::Subscribe(Form::Struct),
            Operation::Subscribe(Form::Binary),
        ];
        let asks = operations.map(|operation| Message::Ask {
            request: 7,
            room: room.clone(),
            operation,
        });
        let outcomes = [
            Outcome::Done,
            Outcome::Denied,
            Outcome::NoSuchRoom,
            Outcome::TooMany,
            Outcome::Unavailable,
        ];
        let answers = outcomes.map(|outcome| Message::Answer { request: 8, outcome });
        asks.into_iter().chain(answers).collect()
    }

    fn frames() -> Vec<Message> {
        let (room, alice, bob) = names();
        let session = SessionId(1);
        let frame = |dtype| Frame {
            id: -4,
            dtype,
            body: Bytes::from_static(b"data"),
        };
        let mut frames = Vec::new();
        for dtype in [None, Some(-1)] {
            frames.push(Message::Push {
                room: room.clone(),
                session,
                account: bob.clone(),
                number: 3,
                frame: frame(dtype),
            });
            frames.push(Message::Fan {
                room: room.clone(),
                owner: alice.clone(),
                session,
                number: 3,
                frame: frame(dtype),
            });
        }
        let verdicts = [Verdict::Relayed, Verdict::Denied, Verdict::Unknown];
        frames.extend(verdicts.map(|verdict| Message::Settled {
            room: room.clone(),
            session,
            number: 2,
            verdict,
        }));
        frames
    }

    fn rooms() -> Vec<Message> {
        let (room, alice, bob) = names();
        let state = RoomState {
            room: room.clone(),
            owner: alice,
            pushers: vec![bob],
            version: 9,
            removed: true,
            idle_ms: 10,
            subscribers: vec![NodeName::new("chat-1").unwrap()],
        };
        let announce = Message::Announce {
            rooms: vec![room],
            subscribed: true,
        };
        vec![announce, Message::Put(state)]
    }

    #[test]
    fn everything_arrives_as_it_was() {
        for sent in [operations(), frames(), rooms()].concat() {
            assert_eq!(message(item(sent.clone()).unwrap()), Some(sent));
        }
    }

    #[test]
    fn what_is_malformed_is_nothing() {
        assert_eq!(message(peer::StreamItem { item: None }), None);
        let push = peer::StreamPush {
            room: "room".to_owned(),
            account: "alice".to_owned(),
            frame: Some(peer::StreamFrame {
                dtype: Some(128),
                ..peer::StreamFrame::default()
            }),
            ..peer::StreamPush::default()
        };
        let item = |push| peer::StreamItem {
            item: Some(Item::Push(push)),
        };
        assert_eq!(message(item(push.clone())), None, "a dtype is one byte");
        assert_eq!(message(item(peer::StreamPush { frame: None, ..push })), None);
    }
}
