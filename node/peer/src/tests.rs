//! What is sent arrives as it was.

use super::*;
use crate::deliveries::{deliver_request, pushes};
use crate::lanes::{Asked, answered, append_reply, append_request, submit};
use crate::passwords::{TAGS_MAX, is_remembered_request, remember_request, tag, tags};
use crate::presence::{
    lookup_reply, lookups, put_snapshot_request, register_request, registrations, replicate_request,
    replication, shards, snapshots,
};
use std::sync::Arc;
use tim_core::conversation::{Entry, KnownEntry, Operation, RoomOperation, Submission};
use tim_core::delivery::Push;
use tim_core::id::{
    AccountId, ContentHash, Generation, MessageKey, NodeName, Seq, SessionId, ShardId, Tenure,
};
use tim_core::presence::{Lookup, Registration, Replication, SessionEntry, Snapshot};
use tim_core::submit::{Answer, Event, LaneId, LaneStamp};

fn account(name: &str) -> AccountId {
    AccountId::new(name).unwrap()
}

fn lane() -> LaneId {
    LaneId {
        session: SessionId(7),
        conversation: ConversationId([3; 16]),
    }
}

fn trace() -> peer::TraceContext {
    peer::TraceContext {
        trace_id: Bytes::from_static(&[5; 16]),
        span_id: Bytes::from_static(&[6; 8]),
        flags: 1,
    }
}

fn sample(client_id: Option<i64>) -> Submission {
    Submission {
        key: MessageKey([1; 16]),
        conversation: lane().conversation,
        sender: account("alice"),
        peer: account("bob"),
        sender_class: DeviceClass(-1),
        operation: Operation::AddFriend,
        client_id,
        content_hash: ContentHash([2; 16]),
        attempt: 3,
        vouched: false,
        body: Bytes::from_static(b"body"),
    }
}

#[test]
fn submissions() {
    for client_id in [None, Some(0), Some(-5)] {
        let submission = sample(client_id);
        let stamp = LaneStamp {
            lane: lane(),
            tenure: Tenure(9),
            attempt: 4,
            index: 2,
        };
        let trace = Some(trace());
        let request = submit(&stamp, &submission, trace.clone());
        let submission = Arc::new(submission);
        let sent = Asked::Submit {
            stamp,
            submission,
            trace,
        };
        assert_eq!(append_request(request), Some(sent));
    }
}

#[test]
fn every_operation_arrives() {
    use RoomOperation::*;
    let in_rooms = [
        Message,
        Revoke(Seq(8)),
        Create,
        Join,
        Refuse,
        Pull,
        Kick,
        Block,
        Ban,
        Leave,
        Cancel,
        Modify,
        Admit,
        Dismiss,
    ];
    let others = [
        Operation::Message,
        Operation::Revoke(Seq(8)),
        Operation::Burn(Seq(9)),
    ];
    for operation in in_rooms.map(Operation::Room).into_iter().chain(others) {
        let submission = Submission {
            operation,
            vouched: true,
            ..sample(None)
        };
        let stamp = LaneStamp {
            lane: lane(),
            tenure: Tenure(9),
            attempt: 4,
            index: 2,
        };
        match append_request(submit(&stamp, &submission, None)) {
            Some(Asked::Submit {
                submission: arrived, ..
            }) => assert_eq!(*arrived, submission),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn answers() {
    let from = NodeName::new("chat-1").unwrap();
    let known = KnownEntry {
        key: MessageKey([1; 16]),
        sender: account("alice"),
        client_id: Some(4),
        content_hash: ContentHash([2; 16]),
        seq: Seq(12),
        kind: EntryKind::FriendAccepted,
        timestamp_ns: 99,
        audience: vec![account("bob")],
    };
    let refused = [
        Refusal::NotFriends,
        Refusal::Blocked,
        Refusal::OwnAccount,
        Refusal::AlreadyFriends,
        Refusal::NotAMember,
        Refusal::NotAllowed,
        Refusal::AlreadyMember,
        Refusal::Cancelled,
        Refusal::NoSuchRoom,
        Refusal::NothingPending,
        Refusal::OtherwiseRelated,
        Refusal::RoomFull,
        Refusal::BannedFromPrivate,
        Refusal::Malformed,
    ];
    let mut all: Vec<Answer> = refused.into_iter().map(Answer::Refused).collect();
    all.extend([Answer::Conflict, Answer::Busy]);
    all.extend([None, Some(Seq(3))].map(|cursor| Answer::Known {
        known: known.clone(),
        cursor,
    }));
    for sent in all {
        let reply = answered(lane(), 5, 6, sent.clone());
        match append_reply(&from, reply).unwrap() {
            Event::Answered {
                lane: arrived,
                attempt: 5,
                index: 6,
                answer,
            } => {
                assert_eq!(arrived, lane());
                assert_eq!(answer, sent);
            }
            other => panic!("{other:?}"),
        }
    }
}

fn entry(seq: u64) -> Arc<Entry> {
    Arc::new(Entry {
        seq: Seq(seq),
        kind: EntryKind::Message,
        key: MessageKey([seq as u8; 16]),
        sender: account("alice"),
        sender_class: DeviceClass(2),
        client_id: None,
        timestamp_ns: 1,
        audience: vec![account("bob")],
        body: Bytes::from_static(b"hello"),
    })
}

#[test]
fn deliveries_carry_an_entry_once() {
    let push = |session, entries| Push {
        session: SessionId(session),
        conversation: lane().conversation,
        entries,
        cursor: Some(Seq(1)),
    };
    let sent = vec![push(1, vec![entry(2), entry(3)]), push(2, vec![entry(3)])];
    let sent_traces = vec![(MessageKey([3; 16]), trace())];
    let request = deliver_request(vec![(sent.clone(), sent_traces.clone())]);
    assert_eq!(request.entries.len(), 2);
    let (arrived, traces) = pushes(request).unwrap();
    assert_eq!(arrived, sent);
    assert_eq!(traces, sent_traces);
}

#[test]
fn presence() {
    let registration = Registration {
        account: account("alice"),
        entry: SessionEntry {
            session: SessionId(7),
            node: NodeName::new("chat-2").unwrap(),
            class: DeviceClass(1),
            generation: Generation(8),
            logged_in_ms: 9,
        },
    };
    let one = vec![registration.clone()];
    assert_eq!(registrations(register_request(&one).entries), Some(one.clone()));
    let changes = Replication {
        upserts: one.clone(),
        removals: one.clone(),
        renewals: vec![SessionId(1)],
    };
    assert_eq!(replication(replicate_request(&changes)), Some(changes));
    let shots = vec![Snapshot {
        shard: ShardId(4_095),
        complete: true,
        entries: one.into_iter().map(|registration| (registration, 17)).collect(),
    }];
    assert_eq!(snapshots(put_snapshot_request(&shots)), Some(shots));
    let found = vec![
        Lookup::Found(vec![registration.entry.clone()]),
        Lookup::Nobody,
        Lookup::Unknown {
            seen: vec![registration.entry],
        },
    ];
    assert_eq!(lookups(lookup_reply(found.clone())), found);
    assert_eq!(shards(&[4_096]), None, "there are only 4,096");
}

#[test]
fn tags_of_passwords() {
    let sent = [[1; 32], [2; 32]];
    assert_eq!(tags(&remember_request(sent)), Some(sent.to_vec()));
    assert_eq!(tag(&is_remembered_request(&sent[0])), Some(sent[0]));
    let short = Bytes::from_static(&[1; 31]);
    assert_eq!(tag(&peer::IsRememberedRequest { tag: short.clone() }), None);
    let with_a_short_one = peer::RememberRequest { tags: vec![short] };
    assert_eq!(tags(&with_a_short_one), None);
    let too_many = remember_request(vec![[1; 32]; TAGS_MAX + 1]);
    assert_eq!(tags(&too_many), None);
}
