//! What a request says.

use crate::session::Envelope;
use serde_json::{Value, json};
use tim_core::conversation::{Entry, EntryKind};
use tim_core::id::AccountId;
use tim_store::{Event, Happened, RoomNews};
use tim_wire::{Encoding, WireStruct};

/// Several events for the webhook.
pub(super) fn batch(cluster: &str, events: &[Event]) -> Vec<u8> {
    let events: Vec<Value> = events.iter().filter_map(event).collect();
    json!({"cluster": cluster, "events": events})
        .to_string()
        .into_bytes()
}

/// The hexadecimal form of an event's id.
pub(super) fn id(event: &Event) -> String {
    event.id.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn event(event: &Event) -> Option<Value> {
    let mut told = match event.happened.as_ref()? {
        Happened::Presence { account, online } => json!({
            "type": if *online { "account.online" } else { "account.offline" },
            "account": account.as_str(),
        }),
        Happened::Message { to, entry, .. } => message(entry, ("to", to.as_str()), to),
        // Those to whom it goes are many; it is shown as its sender sees it.
        Happened::RoomMessage { room, entry } => message(entry, ("room", room.as_str()), &entry.sender),
        Happened::RoomChanged { room, change, by } => {
            let (change, account) = match change {
                RoomNews::Created => ("created", by),
                RoomNews::Modified => ("modified", by),
                RoomNews::Cancelled => ("cancelled", by),
                RoomNews::Joined(account) => ("joined", account),
                RoomNews::Left(account) => ("left", account),
            };
            let mut told = json!({
                "type": "room.changed",
                "room": room.as_str(),
                "change": change,
            });
            // Where the members are said elsewhere, nobody has done it.
            let people = [("account", account), ("by", by)].into_iter();
            for (name, account) in people.filter(|(_, account)| **account != AccountId::system()) {
                told[name] = Value::from(account.as_str());
            }
            told
        }
    };
    told["id"] = Value::from(id(event));
    told["atUnixMillis"] = Value::from(event.at_ns / 1_000_000);
    Some(told)
}

fn message(entry: &Entry, (key, to): (&str, &str), shown_to: &AccountId) -> Value {
    let mut message = json!({
        // As text: JavaScript rounds numbers of this size.
        "id": entry.wire_id().to_string(),
        "mid": entry.seq.0,
        "from": entry.sender.as_str(),
        "deviceClass": entry.sender_class.0,
        "isApplication": entry.kind == EntryKind::Application,
        "content": content(entry, shown_to),
    });
    message[key] = Value::from(to);
    json!({"type": "message.sent", "message": message})
}

/// The message in the JSON of the client protocol; nothing where it is not wanted, or cannot be read.
fn content(entry: &Entry, to: &AccountId) -> Option<Value> {
    if entry.body.is_empty() {
        return None;
    }
    let (body, stamp) = Envelope::open(&entry.body)
        .and_then(|envelope| envelope.listed(entry, to, false))
        .ok()?;
    let message = body.message(stamp).ok()?;
    serde_json::from_slice(&message.encode_payload(Encoding::Json)).ok()
}

/// One login or logout in the form of tim 2.0; nothing for another event.
pub(super) fn login_state(event: &Event) -> Option<Vec<u8>> {
    match event.happened.as_ref()? {
        Happened::Presence { account, online } => {
            let state = json!({"node": account.as_str(), "active": online});
            Some(state.to_string().into_bytes())
        }
        Happened::Message { .. } | Happened::RoomMessage { .. } | Happened::RoomChanged { .. } => None,
    }
}
