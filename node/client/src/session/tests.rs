//! The session against hand-made frames, without socket or clock.

use std::time::Duration;

use tim_wire::frame::server_frame;
use tim_wire::structs::operation;
use tim_wire::{ErrorCode, Tid};
use tokio::sync::oneshot;

use super::*;
use crate::{Credentials, RequestError, SendError, Sent, Server};

type Outcome = oneshot::Receiver<Result<Sent, SendError>>;

fn session(change: impl FnOnce(&mut Options)) -> Session {
    let mut options = Options::new(Server::at([]), Credentials::password("me", "secret", ""));
    change(&mut options);
    let mut session = Session::new(&options);
    session.connected("me-id".to_owned());
    session.output.events.clear();
    session
}

fn outgoing(id: i64) -> (Outgoing, Outcome) {
    let (receipt, outcome) = oneshot::channel();
    let frame = Bytes::copy_from_slice(&id.to_be_bytes());
    (
        Outgoing {
            id,
            tim_type: 90,
            frame,
            receipt,
            span: tracing::Span::none(),
        },
        outcome,
    )
}

fn send(session: &mut Session, id: i64, now: Instant) -> Outcome {
    let (outgoing, outcome) = outgoing(id);
    session.send(outgoing, true, now);
    outcome
}

fn message_from(from: &str, id: i64) -> TimMessage {
    TimMessage {
        id: Some(id),
        mid: Some(id * 10),
        from_tid: Some(Tid::of(from)),
        timestamp: Some(7),
        ..TimMessage::direct("other", operation::NORMAL)
    }
}

fn receive(session: &mut Session, command: Command, sync_id: Option<i32>, payload: &impl WireStruct) {
    let frame = server_frame(command, sync_id, &payload.encode_payload(Encoding::Thrift));
    session.receive(frame, Instant::now()).unwrap();
}

fn frames(session: &mut Session) -> Vec<Bytes> {
    session.output.frames.drain(..).collect()
}

#[test]
fn an_echo_ends_its_message_and_no_other() {
    let mut session = session(|_| {});
    let now = Instant::now();
    let mut first = send(&mut session, 1, now);
    let mut second = send(&mut session, 2, now);
    receive(&mut session, Command::Message, None, &message_from("me-id", 2));
    assert_eq!(
        second.try_recv().unwrap(),
        Ok(Sent {
            id: 2,
            mid: Some(20),
            timestamp: Some(7)
        })
    );
    assert!(first.try_recv().is_err());
    assert!(session.output.events.is_empty());
}

#[test]
fn the_same_id_from_somebody_else_is_not_an_echo() {
    let mut session = session(|_| {});
    let mut outcome = send(&mut session, 1, Instant::now());
    receive(&mut session, Command::Message, Some(9), &message_from("bob", 1));
    assert!(outcome.try_recv().is_err());
    assert!(matches!(
        session.output.events.pop_front(),
        Some(Event::Message { .. })
    ));
}

#[test]
fn what_another_device_sent_is_an_echo_event() {
    let mut session = session(|_| {});
    receive(&mut session, Command::Message, None, &message_from("me-id", 5));
    assert_eq!(
        session.output.events.pop_front(),
        Some(Event::Echo(message_from("me-id", 5)))
    );
}

#[test]
fn a_rejection_names_its_message_or_means_the_oldest() {
    let mut session = session(|_| {});
    let now = Instant::now();
    let mut outcomes: Vec<_> = (1..=3).map(|id| send(&mut session, id, now)).collect();
    let mut ack = TimAck::failure(Command::Message, ErrorCode::PermissionDenied);
    ack.t2 = Some(3);
    receive(&mut session, Command::Ack, None, &ack);
    ack.t2 = None;
    receive(&mut session, Command::Ack, None, &ack);
    let rejected = Err(SendError::Rejected(Rejection::of(&ack)));
    assert_eq!(outcomes[2].try_recv().unwrap(), rejected);
    assert_eq!(outcomes[0].try_recv().unwrap(), rejected);
    assert!(outcomes[1].try_recv().is_err());
    ack.t2 = Some(77);
    receive(&mut session, Command::Ack, None, &ack);
    assert_eq!(session.output.events.pop_front(), Some(Event::Ack(ack)));
}

#[test]
fn after_a_break_all_without_an_outcome_go_out_again_in_order() {
    let mut session = session(|_| {});
    let now = Instant::now();
    let _outcomes: Vec<_> = (1..=4).map(|id| send(&mut session, id, now)).collect();
    let sent = frames(&mut session);
    receive(&mut session, Command::Message, None, &message_from("me-id", 2));
    session.disconnected();
    let (later, _outcome) = outgoing(5);
    session.send(later, false, now);
    assert!(session.output.frames.is_empty());
    session.connected("me-id".to_owned());
    let again = frames(&mut session);
    assert_eq!(again[..3], [sent[0].clone(), sent[2].clone(), sent[3].clone()]);
    assert_eq!(again[3][..], 5_i64.to_be_bytes());
}

#[test]
fn an_own_message_in_an_offline_batch_is_its_echo() {
    let mut session = session(|_| {});
    let mut outcome = send(&mut session, 1, Instant::now());
    session.disconnected();
    session.connected("me-id".to_owned());
    session.output.events.clear();
    let list = TimMessageList {
        message_list: Some(vec![message_from("me-id", 1), message_from("other", 2)]),
        ..TimMessageList::default()
    };
    receive(&mut session, Command::OfflineMessages, Some(9), &list);
    assert_eq!(outcome.try_recv().unwrap().unwrap().mid, Some(10));
    let Some(Event::OfflineBatch { messages, .. }) = session.output.events.pop_front() else {
        panic!("no batch");
    };
    assert_eq!(messages.len(), 1, "only the other's is left to show");
}

#[test]
fn a_message_without_outcome_times_out_alone() {
    let mut session = session(|options| options.limits.send_timeout = Duration::from_secs(60));
    let now = Instant::now();
    let mut first = send(&mut session, 1, now);
    let mut second = send(&mut session, 2, now + Duration::from_secs(1));
    assert_eq!(session.deadline(), Some(now + Duration::from_secs(60)));
    session.tick(now + Duration::from_secs(60));
    assert_eq!(first.try_recv().unwrap(), Err(SendError::Timeout));
    assert!(second.try_recv().is_err());
}

#[test]
fn a_repetition_is_confirmed_and_not_shown() {
    let mut session = session(|_| {});
    receive(&mut session, Command::Message, Some(1), &message_from("bob", 1));
    receive(&mut session, Command::Message, Some(2), &message_from("bob", 1));
    assert_eq!(session.output.events.len(), 1);
    assert_eq!(
        frames(&mut session),
        [
            confirmation_frame(1, Encoding::Thrift),
            confirmation_frame(2, Encoding::Thrift)
        ]
    );
}

#[test]
fn offline_batches_leave_out_what_was_shown() {
    let mut session = session(|_| {});
    receive(&mut session, Command::Message, Some(1), &message_from("bob", 1));
    session.output.events.clear();
    let messages = vec![message_from("bob", 1), message_from("bob", 2)];
    let list = TimMessageList {
        id: Some(1),
        message_list: Some(messages),
    };
    receive(&mut session, Command::OfflineMessages, Some(2), &list);
    receive(&mut session, Command::OfflineMessages, Some(3), &list);
    receive(&mut session, Command::OfflineEnd, None, &TimReq::default());
    let events: Vec<_> = session.output.events.drain(..).collect();
    let [Event::OfflineBatch { messages, .. }, Event::OfflineEnd] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(messages[..], [message_from("bob", 2)]);
    assert_eq!(frames(&mut session).len(), 3);
}

#[test]
fn late_confirmations_wait_for_their_time() {
    let mut session = session(|options| options.confirm = Confirm::After(Duration::from_secs(5)));
    receive(&mut session, Command::Message, Some(1), &message_from("bob", 1));
    assert!(session.output.frames.is_empty());
    let due = session.deadline().unwrap();
    session.tick(due - Duration::from_millis(1));
    assert!(session.output.frames.is_empty());
    session.tick(due);
    assert_eq!(frames(&mut session), [confirmation_frame(1, Encoding::Thrift)]);
}

#[test]
fn the_application_confirms_only_on_the_same_connection() {
    let mut session = session(|options| options.confirm = Confirm::ByApplication);
    receive(&mut session, Command::Message, Some(4), &message_from("bob", 1));
    let Some(Event::Message {
        confirmation: Some(confirmation),
        ..
    }) = session.output.events.pop_front()
    else {
        panic!("no confirmation to give");
    };
    assert!(session.output.frames.is_empty());
    session.confirm(confirmation);
    assert_eq!(frames(&mut session), [confirmation_frame(4, Encoding::Thrift)]);
    session.disconnected();
    session.connected("me-id".to_owned());
    session.confirm(confirmation);
    assert!(session.output.frames.is_empty());
}

#[test]
fn a_late_answer_does_not_go_to_the_next_question() {
    let mut session = session(|options| options.limits.request_timeout = Duration::from_secs(1));
    let now = Instant::now();
    let (first, mut first_answer) = oneshot::channel();
    session.request_history(&TimReq::default(), first, now);
    session.tick(now + Duration::from_secs(1));
    assert_eq!(first_answer.try_recv().unwrap(), Err(RequestError::Timeout));
    let (second, mut second_answer) = oneshot::channel();
    session.request_history(&TimReq::default(), second, now + Duration::from_secs(1));
    let page = |id| TimMessageList {
        id: None,
        message_list: Some(vec![message_from("bob", id)]),
    };
    receive(&mut session, Command::PullMessages, None, &page(1));
    assert!(second_answer.try_recv().is_err());
    receive(&mut session, Command::PullMessages, None, &page(2));
    assert_eq!(
        second_answer.try_recv().unwrap(),
        Ok(vec![message_from("bob", 2)])
    );
}

#[test]
fn a_break_answers_who_asked_for_history() {
    let mut session = session(|_| {});
    let (waiting, mut answer) = oneshot::channel();
    session.request_history(&TimReq::default(), waiting, Instant::now());
    session.disconnected();
    assert_eq!(answer.try_recv().unwrap(), Err(RequestError::Disconnected));
}

#[test]
fn a_forced_logout_is_noticed() {
    let mut session = session(|_| {});
    receive(
        &mut session,
        Command::Ack,
        None,
        &TimAck::success(Command::Logout),
    );
    assert!(session.output.forced_logout && session.output.events.is_empty());
}

#[test]
fn broken_frames_are_errors_and_unknown_ones_are_events() {
    let mut session = session(|_| {});
    for frame in [&[][..], &[0xda, 0, 0], &[0x5a, 0x13]] {
        assert!(
            session
                .receive(Bytes::copy_from_slice(frame), Instant::now())
                .is_err()
        );
    }
    session
        .receive(Bytes::from_static(&[0x5f, b'a', b'!']), Instant::now())
        .unwrap();
    assert!(matches!(session.output.events.pop_front(), Some(Event::Frame(_))));
    session
        .receive(Bytes::from_static(&[0x0d]), Instant::now())
        .unwrap();
    assert!(session.output.events.is_empty());
}

#[test]
fn a_dropped_session_leaves_nobody_waiting() {
    let mut session = session(|_| {});
    let mut outcome = send(&mut session, 1, Instant::now());
    drop(session);
    assert_eq!(outcome.try_recv().unwrap(), Err(SendError::Closed));
}

#[test]
fn raw_frames_are_told_apart_and_rooms_answer_in_order() {
    let mut session = session(|_| {});
    for frame in [&b"\x5fbob|text"[..], b"\x61room\x83data"] {
        session
            .receive(Bytes::from_static(frame), Instant::now())
            .unwrap();
    }
    match session.output.events.pop_front() {
        Some(Event::BigData(big)) => assert_eq!((big.node.as_str(), &big.data[..]), ("bob", &b"text"[..])),
        other => panic!("{other:?}"),
    }
    match session.output.events.pop_front() {
        Some(Event::BinaryStream(big)) => assert_eq!(big.node, "room"),
        other => panic!("{other:?}"),
    }
    let mut answers = Vec::new();
    for _ in 0..2 {
        let (waiting, answer) = oneshot::channel();
        session.operate_room(&TimReq::default(), waiting, Instant::now());
        answers.push(answer);
    }
    let made = TimAck {
        n: Some("room".to_owned()),
        ..TimAck::success(Command::VirtualRoom)
    };
    let refused = TimAck::failure(Command::VirtualRoom, ErrorCode::Undefined);
    receive(&mut session, Command::Ack, None, &made);
    receive(&mut session, Command::Ack, None, &refused);
    assert_eq!(answers[0].try_recv().unwrap(), Ok(made));
    assert!(matches!(
        answers[1].try_recv().unwrap(),
        Err(RequestError::Rejected(rejection)) if rejection.number == 5101
    ));
    assert!(session.output.events.is_empty());
}
