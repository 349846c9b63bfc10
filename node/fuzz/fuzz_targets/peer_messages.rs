//! What other nodes send of lanes, presence, deliveries, streams and verified passwords, as the kind that the first byte chooses. What
//! can be read must come back when it is sent on.
#![no_main]

use libfuzzer_sys::fuzz_target;
use prost::Message;
use tim_core::id::NodeName;
use tim_peer::deliveries::{deliver_request, pushes};
use tim_peer::lanes::{Asked, append_reply, append_request, open, submit};
use tim_peer::passwords::{TAGS_MAX, is_remembered_request, remember_request, tag, tags};
use tim_peer::presence::{
    accounts, ask_snapshot_request, lookup_reply, lookups, put_snapshot_request, register_request, registrations,
    replicate_request, replication, shards, snapshots,
};
use tim_peer::streams::{item, message};
use tim_proto::peer::v1 as peer;

fn read<T: Message + Default>(bytes: &[u8]) -> T {
    // Bytes that are no message at all are tonic's to refuse.
    T::decode(bytes).unwrap_or_default()
}

fuzz_target!(|input: &[u8]| {
    let Some((kind, bytes)) = input.split_first() else {
        return;
    };
    match kind % 11 {
        0 => lanes(read(bytes)),
        1 => {
            let from = NodeName::new("chat-1").expect("a name");
            let _ = append_reply(&from, read(bytes));
        }
        2 => {
            if let Some(read) = registrations(read::<peer::RegisterRequest>(bytes).entries) {
                assert_eq!(registrations(register_request(&read).entries), Some(read));
            }
        }
        3 => {
            let read = lookups(read(bytes));
            assert_eq!(lookups(lookup_reply(read.clone())), read);
        }
        4 => {
            let _ = accounts(&read::<peer::LookupRequest>(bytes).accounts);
            if let Some(read) = shards(&read::<peer::AskSnapshotRequest>(bytes).shards) {
                assert_eq!(shards(&ask_snapshot_request(&read).shards), Some(read));
            }
        }
        5 => {
            if let Some(read) = replication(read(bytes)) {
                assert_eq!(replication(replicate_request(&read)), Some(read));
            }
        }
        6 => {
            if let Some(read) = snapshots(read(bytes)) {
                assert_eq!(snapshots(put_snapshot_request(&read)), Some(read));
            }
        }
        8 => {
            if let Some(read) = message(read(bytes)) {
                assert_eq!(item(read.clone()).and_then(message), Some(read));
            }
        }
        9 => {
            if let Some(read) = tags(&read(bytes)) {
                assert!(read.len() <= TAGS_MAX);
                assert_eq!(tags(&remember_request(read.clone())), Some(read));
            }
        }
        10 => {
            if let Some(read) = tag(&read(bytes)) {
                assert_eq!(tag(&is_remembered_request(&read)), Some(read));
            }
        }
        // An entry is named by its place in the conversation: one that stands twice with other content comes back once.
        _ => {
            if let Some((read, traces)) = pushes(read(bytes)) {
                assert!(pushes(deliver_request(vec![(read, traces)])).is_some());
            }
        }
    }
});

fn lanes(request: peer::AppendRequest) {
    let Some(asked) = append_request(request) else {
        return;
    };
    let again = match &asked {
        Asked::Open { lane, attempt } => open(*lane, *attempt),
        Asked::Submit { stamp, submission, trace } => submit(stamp, submission, trace.clone()),
    };
    assert_eq!(append_request(again), Some(asked));
}
