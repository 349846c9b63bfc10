//! Lanes: submissions and their answers.

use crate::{
    audience, bytes16, class, conversation, kind, refusal, to_audience, to_bytes, to_kind, to_refusal,
};
use std::sync::Arc;
use tim_core::conversation::{Entry, KnownEntry, Operation, RoomOperation, Submission};
use tim_core::id::{AccountId, ContentHash, DeviceClass, MessageKey, NodeName, Seq, SessionId, Tenure};
use tim_core::submit::{Answer, Event, LaneId, LaneStamp, OpenRefusal};
use tim_proto::peer::v1 as peer;
use tim_proto::peer::v1::answer::Answer as AnswerKind;
use tim_proto::peer::v1::append_reply::Reply;
use tim_proto::peer::v1::append_request::Request;

fn to_lane(lane: LaneId, attempt: u64) -> Option<peer::Lane> {
    Some(peer::Lane {
        session: lane.session.0,
        conversation: to_bytes(lane.conversation.0),
        attempt,
    })
}

fn lane(lane: &peer::Lane) -> Option<LaneId> {
    Some(LaneId {
        session: SessionId(lane.session),
        conversation: conversation(&lane.conversation)?,
    })
}

/// A request to open.
pub fn open(lane: LaneId, attempt: u64) -> peer::AppendRequest {
    peer::AppendRequest {
        lane: to_lane(lane, attempt),
        request: Some(Request::Open(peer::Open {})),
        trace: None,
    }
}

/// A submission.
pub fn submit(
    stamp: &LaneStamp,
    submission: &Submission,
    trace: Option<peer::TraceContext>,
) -> peer::AppendRequest {
    peer::AppendRequest {
        lane: to_lane(stamp.lane, stamp.attempt),
        request: Some(Request::Submit(peer::Submit {
            tenure: stamp.tenure.0,
            index: stamp.index,
            operation: to_operation(submission.operation).into(),
            sender: submission.sender.as_str().to_owned(),
            recipient: submission.peer.as_str().to_owned(),
            sender_class: i32::from(submission.sender_class.0),
            message_key: to_bytes(submission.key.0),
            client_id: submission.client_id,
            content_hash: to_bytes(submission.content_hash.0),
            body: submission.body.clone(),
            sent: submission.attempt,
            target: submission.operation.target().map_or(0, |target| target.0),
            vouched: submission.vouched,
        })),
        trace,
    }
}

fn to_operation(operation: Operation) -> peer::Operation {
    match operation {
        Operation::Message => peer::Operation::Message,
        Operation::Application => peer::Operation::Application,
        Operation::AddFriend => peer::Operation::AddFriend,
        Operation::RemoveFriend => peer::Operation::RemoveFriend,
        Operation::BlockAccount => peer::Operation::BlockAccount,
        Operation::Revoke(_) => peer::Operation::Revoke,
        Operation::Burn(_) => peer::Operation::Burn,
        Operation::System => peer::Operation::System,
        Operation::Room(operation) => match operation {
            RoomOperation::Message => peer::Operation::RoomMessage,
            RoomOperation::Revoke(_) => peer::Operation::RoomRevoke,
            RoomOperation::Create => peer::Operation::RoomCreate,
            RoomOperation::Join => peer::Operation::RoomJoin,
            RoomOperation::Refuse => peer::Operation::RoomRefuse,
            RoomOperation::Pull => peer::Operation::RoomPull,
            RoomOperation::Kick => peer::Operation::RoomKick,
            RoomOperation::Block => peer::Operation::RoomBlock,
            RoomOperation::Ban => peer::Operation::RoomBan,
            RoomOperation::Leave => peer::Operation::RoomLeave,
            RoomOperation::Cancel => peer::Operation::RoomCancel,
            RoomOperation::Modify => peer::Operation::RoomModify,
            RoomOperation::Admit => peer::Operation::RoomAdmit,
            RoomOperation::Dismiss => peer::Operation::RoomDismiss,
        },
    }
}

fn operation(operation: peer::Operation, target: u64) -> Option<Operation> {
    let room = |operation| Some(Operation::Room(operation));
    match operation {
        peer::Operation::Unspecified => None,
        peer::Operation::Message => Some(Operation::Message),
        peer::Operation::Application => Some(Operation::Application),
        peer::Operation::AddFriend => Some(Operation::AddFriend),
        peer::Operation::RemoveFriend => Some(Operation::RemoveFriend),
        peer::Operation::BlockAccount => Some(Operation::BlockAccount),
        peer::Operation::Revoke => Some(Operation::Revoke(Seq(target))),
        peer::Operation::Burn => Some(Operation::Burn(Seq(target))),
        peer::Operation::System => Some(Operation::System),
        peer::Operation::RoomMessage => room(RoomOperation::Message),
        peer::Operation::RoomRevoke => room(RoomOperation::Revoke(Seq(target))),
        peer::Operation::RoomCreate => room(RoomOperation::Create),
        peer::Operation::RoomJoin => room(RoomOperation::Join),
        peer::Operation::RoomRefuse => room(RoomOperation::Refuse),
        peer::Operation::RoomPull => room(RoomOperation::Pull),
        peer::Operation::RoomKick => room(RoomOperation::Kick),
        peer::Operation::RoomBlock => room(RoomOperation::Block),
        peer::Operation::RoomBan => room(RoomOperation::Ban),
        peer::Operation::RoomLeave => room(RoomOperation::Leave),
        peer::Operation::RoomCancel => room(RoomOperation::Cancel),
        peer::Operation::RoomModify => room(RoomOperation::Modify),
        peer::Operation::RoomAdmit => room(RoomOperation::Admit),
        peer::Operation::RoomDismiss => room(RoomOperation::Dismiss),
    }
}

/// What a peer asks of a home.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// To open a lane.
    Open {
        /// Which.
        lane: LaneId,
        /// The sender's number of the opening.
        attempt: u64,
    },
    /// To take a submission.
    Submit {
        /// Its place in the lane.
        stamp: LaneStamp,
        /// It.
        submission: Arc<Submission>,
        /// The trace it belongs to.
        trace: Option<peer::TraceContext>,
    },
}

/// A peer's request.
pub fn append_request(request: peer::AppendRequest) -> Option<Asked> {
    let header = request.lane.as_ref()?;
    let (lane, attempt) = (lane(header)?, header.attempt);
    Some(match request.request? {
        Request::Open(_) => Asked::Open { lane, attempt },
        Request::Submit(submit) => Asked::Submit {
            stamp: LaneStamp {
                lane,
                tenure: Tenure(submit.tenure),
                attempt,
                index: submit.index,
            },
            submission: Arc::new(submission(lane, submit)?),
            trace: request.trace,
        },
    })
}

fn submission(lane: LaneId, submit: peer::Submit) -> Option<Submission> {
    Some(Submission {
        operation: operation(submit.operation(), submit.target)?,
        key: MessageKey(bytes16(&submit.message_key)?),
        conversation: lane.conversation,
        sender: AccountId::new(&submit.sender).ok()?,
        peer: AccountId::new(&submit.recipient).ok()?,
        sender_class: class(submit.sender_class)?,
        client_id: submit.client_id,
        content_hash: ContentHash(bytes16(&submit.content_hash)?),
        attempt: submit.sent,
        vouched: submit.vouched,
        body: submit.body,
    })
}

/// The home has opened a lane.
pub fn opened(lane: LaneId, attempt: u64, tenure: Tenure) -> peer::AppendReply {
    reply(lane, attempt, Reply::Opened(peer::Opened { tenure: tenure.0 }))
}

/// The home does not open a lane.
pub fn open_refused(lane: LaneId, attempt: u64, reason: OpenRefusal) -> peer::AppendReply {
    let busy = reason == OpenRefusal::Busy;
    reply(lane, attempt, Reply::OpenRefused(peer::OpenRefused { busy }))
}

/// What has become of a submission.
pub fn answered(lane: LaneId, attempt: u64, index: u32, answer: Answer) -> peer::AppendReply {
    let answer = Some(to_answer(answer));
    reply(lane, attempt, Reply::Answer(peer::Answer { index, answer }))
}

fn reply(lane: LaneId, attempt: u64, reply: Reply) -> peer::AppendReply {
    peer::AppendReply {
        lane: to_lane(lane, attempt),
        reply: Some(reply),
    }
}

fn to_answer(answer: Answer) -> AnswerKind {
    match answer {
        Answer::Stored {
            entry,
            refusal,
            cursor,
        } => AnswerKind::Stored(peer::Stored {
            seq: entry.seq.0,
            kind: to_kind(entry.kind).into(),
            timestamp_ns: entry.timestamp_ns,
            audience: to_audience(&entry.audience),
            refusal: to_refusal(refusal).into(),
            cursor: cursor.map(|cursor| cursor.0),
        }),
        Answer::Known { known, cursor } => AnswerKind::Known(peer::Known {
            message_key: to_bytes(known.key.0),
            sender: known.sender.as_str().to_owned(),
            client_id: known.client_id,
            content_hash: to_bytes(known.content_hash.0),
            seq: known.seq.0,
            kind: to_kind(known.kind).into(),
            timestamp_ns: known.timestamp_ns,
            audience: to_audience(&known.audience),
            cursor: cursor.map(|cursor| cursor.0),
        }),
        Answer::Refused(refusal) => AnswerKind::Refused(to_refusal(Some(refusal)).into()),
        Answer::Conflict => AnswerKind::Conflict(peer::Conflict {}),
        Answer::Busy => AnswerKind::Full(peer::Full {}),
    }
}

/// A home's answer, for the lanes.
pub fn append_reply(from: &NodeName, reply: peer::AppendReply) -> Option<Event> {
    let header = reply.lane.as_ref()?;
    let (lane, attempt) = (lane(header)?, header.attempt);
    Some(match reply.reply? {
        Reply::Opened(opened) => Event::Opened {
            from: from.clone(),
            lane,
            attempt,
            tenure: Tenure(opened.tenure),
        },
        Reply::OpenRefused(refused) => Event::OpenRefused {
            from: from.clone(),
            lane,
            attempt,
            reason: if refused.busy {
                OpenRefusal::Busy
            } else {
                OpenRefusal::NotHome
            },
        },
        Reply::Answer(answer) => Event::Answered {
            lane,
            attempt,
            index: answer.index,
            answer: from_answer(answer.answer?)?,
        },
    })
}

fn from_answer(answer: AnswerKind) -> Option<Answer> {
    Some(match answer {
        AnswerKind::Stored(stored) => Answer::Stored {
            refusal: refusal(stored.refusal()),
            cursor: stored.cursor.map(Seq),
            entry: Arc::new(Entry {
                seq: Seq(stored.seq),
                kind: kind(stored.kind())?,
                timestamp_ns: stored.timestamp_ns,
                audience: audience(&stored.audience)?,
                ..unfilled()?
            }),
        },
        AnswerKind::Known(known) => Answer::Known {
            cursor: known.cursor.map(Seq),
            known: KnownEntry {
                key: MessageKey(bytes16(&known.message_key)?),
                sender: AccountId::new(&known.sender).ok()?,
                client_id: known.client_id,
                content_hash: ContentHash(bytes16(&known.content_hash)?),
                seq: Seq(known.seq),
                kind: kind(known.kind())?,
                timestamp_ns: known.timestamp_ns,
                audience: audience(&known.audience)?,
            },
        },
        AnswerKind::Refused(code) => Answer::Refused(refusal(peer::Refusal::try_from(code).ok()?)?),
        AnswerKind::Conflict(_) => Answer::Conflict,
        AnswerKind::Full(_) => Answer::Busy,
    })
}

/// What the lane fills in from its own submission: it does not travel twice.
fn unfilled() -> Option<Entry> {
    Some(Entry {
        seq: Seq(0),
        kind: tim_core::conversation::EntryKind::Message,
        key: MessageKey::default(),
        sender: AccountId::new("-").ok()?,
        sender_class: DeviceClass(0),
        client_id: None,
        timestamp_ns: 0,
        audience: Vec::new(),
        body: bytes::Bytes::new(),
    })
}
