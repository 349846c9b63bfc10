//! Deliveries: each entry once, however many sessions it is for.

use crate::{audience, bytes16, class, conversation, kind, to_audience, to_bytes, to_kind};
use std::collections::HashMap;
use std::sync::Arc;
use tim_core::conversation::Entry;
use tim_core::delivery::Push;
use tim_core::id::{AccountId, ConversationId, MessageKey, Seq, SessionId};
use tim_proto::peer::v1 as peer;

/// The traces of the messages that belong to one.
pub type Traces = Vec<(MessageKey, peer::TraceContext)>;

fn to_entry(entry: &Entry, traces: &Traces) -> peer::DeliverEntry {
    let traced = traces
        .iter()
        .find(|(key, _)| *key == entry.key)
        .map(|(_, trace)| trace.clone());
    peer::DeliverEntry {
        seq: entry.seq.0,
        kind: to_kind(entry.kind).into(),
        message_key: to_bytes(entry.key.0),
        sender: entry.sender.as_str().to_owned(),
        sender_class: i32::from(entry.sender_class.0),
        client_id: entry.client_id,
        timestamp_ns: entry.timestamp_ns,
        audience: to_audience(&entry.audience),
        body: entry.body.clone(),
        trace: traced,
    }
}

fn entry(entry: &peer::DeliverEntry) -> Option<Entry> {
    Some(Entry {
        seq: Seq(entry.seq),
        kind: kind(entry.kind())?,
        key: MessageKey(bytes16(&entry.message_key)?),
        sender: AccountId::new(&entry.sender).ok()?,
        sender_class: class(entry.sender_class)?,
        client_id: entry.client_id,
        timestamp_ns: entry.timestamp_ns,
        audience: audience(&entry.audience)?,
        body: entry.body.clone(),
    })
}

/// One call with several batches.
pub fn deliver_request(batches: Vec<(Vec<Push>, Traces)>) -> peer::DeliverRequest {
    let mut request = peer::DeliverRequest::default();
    let mut places: HashMap<(ConversationId, Seq), u32> = HashMap::new();
    for (pushes, traces) in batches {
        for push in pushes {
            let mut entries = Vec::with_capacity(push.entries.len());
            for entry in &push.entries {
                let place = *places.entry((push.conversation, entry.seq)).or_insert_with(|| {
                    request.entries.push(to_entry(entry, &traces));
                    u32::try_from(request.entries.len() - 1).unwrap_or(u32::MAX)
                });
                entries.push(place);
            }
            request.pushes.push(peer::Push {
                session: push.session.0,
                conversation: to_bytes(push.conversation.0),
                entries,
                cursor: push.cursor.map(|cursor| cursor.0),
            });
        }
    }
    request
}

/// What a peer delivers.
pub fn pushes(request: peer::DeliverRequest) -> Option<(Vec<Push>, Traces)> {
    let mut traces = Traces::new();
    let mut entries = Vec::with_capacity(request.entries.len());
    for message in request.entries {
        let entry = entry(&message)?;
        if let Some(trace) = message.trace {
            traces.push((entry.key, trace));
        }
        entries.push(Arc::new(entry));
    }
    let mut pushes = Vec::with_capacity(request.pushes.len());
    for push in request.pushes {
        let of_push: Option<Vec<Arc<Entry>>> = push
            .entries
            .iter()
            .map(|place| entries.get(usize::try_from(*place).ok()?).cloned())
            .collect();
        pushes.push(Push {
            session: SessionId(push.session),
            conversation: conversation(&push.conversation)?,
            entries: of_push?,
            cursor: push.cursor.map(Seq),
        });
    }
    Some((pushes, traces))
}
