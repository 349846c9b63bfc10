use super::*;
use tim_core::conversation::{Entry, EntryKind};
use tim_core::id::{AccountId, ConversationId, DeviceClass, MessageKey, Seq};

fn sampled() -> TraceContext {
    TraceContext::from_parts(&[5; 16], &[6; 8], 1).unwrap()
}

#[test]
fn a_trace_arrives_with_its_message() {
    let entry = Entry {
        seq: Seq(2),
        kind: EntryKind::Message,
        key: MessageKey([3; 16]),
        sender: AccountId::new("alice").unwrap(),
        sender_class: DeviceClass(2),
        client_id: None,
        timestamp_ns: 1,
        audience: Vec::new(),
        body: Bytes::from_static(b"hello"),
    };
    let push = Push {
        session: SessionId(1),
        conversation: ConversationId([3; 16]),
        entries: vec![Arc::new(entry)],
        cursor: None,
    };
    let traces = vec![(MessageKey([3; 16]), sampled())];
    let request = deliver_request(vec![(vec![push.clone()], traces.clone())]);
    assert_eq!(pushes(request), Some((vec![push], traces)));
}

#[test]
fn a_trace_that_is_none_is_left_out() {
    for (trace_id, flags) in [(&[5; 15][..], 1), (&[0; 16][..], 1), (&[5; 16][..], 0)] {
        let context = peer::TraceContext {
            trace_id: Bytes::copy_from_slice(trace_id),
            flags,
            ..to_trace(sampled())
        };
        assert_eq!(trace(&context), None);
    }
    assert_eq!(trace(&to_trace(sampled())), Some(sampled()));
}
