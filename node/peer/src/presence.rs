//! Presence: registrations, look-ups, what owners tell each other.

use crate::class;
use tim_core::id::{AccountId, Generation, NodeName, SessionId, ShardId, ViewHash};
use tim_core::placement::SHARD_COUNT;
use tim_core::presence::{Lookup, Registration, Replication, SessionEntry, Snapshot};
use tim_proto::peer::v1 as peer;
use tim_proto::peer::v1::lookup_result::Kind;

fn to_entry(account: &str, entry: &SessionEntry) -> peer::SessionEntry {
    peer::SessionEntry {
        account: account.to_owned(),
        session: entry.session.0,
        node: entry.node.as_str().to_owned(),
        device_class: i32::from(entry.class.0),
        generation: entry.generation.0,
        logged_in_ms: entry.logged_in_ms,
    }
}

fn entry(entry: &peer::SessionEntry) -> Option<SessionEntry> {
    Some(SessionEntry {
        session: SessionId(entry.session),
        node: NodeName::new(&entry.node).ok()?,
        class: class(entry.device_class)?,
        generation: Generation(entry.generation),
        logged_in_ms: entry.logged_in_ms,
    })
}

fn to_entries(registrations: &[Registration]) -> Vec<peer::SessionEntry> {
    registrations
        .iter()
        .map(|registration| to_entry(registration.account.as_str(), &registration.entry))
        .collect()
}

/// Registrations of a message.
pub fn registrations(entries: Vec<peer::SessionEntry>) -> Option<Vec<Registration>> {
    entries
        .iter()
        .map(|message| {
            Some(Registration {
                account: AccountId::new(&message.account).ok()?,
                entry: entry(message)?,
            })
        })
        .collect()
}

/// Sessions by their numbers.
pub fn sessions(numbers: Vec<u64>) -> Vec<SessionId> {
    numbers.into_iter().map(SessionId).collect()
}

/// Accounts of a message.
pub fn accounts(names: &[String]) -> Option<Vec<AccountId>> {
    names.iter().map(|name| AccountId::new(name).ok()).collect()
}

/// Shards of a message.
pub fn shards(numbers: &[u32]) -> Option<Vec<ShardId>> {
    numbers
        .iter()
        .map(|number| {
            u16::try_from(*number)
                .ok()
                .filter(|number| *number < SHARD_COUNT)
                .map(ShardId)
        })
        .collect()
}

/// A request to register.
pub fn register_request(registrations: &[Registration]) -> peer::RegisterRequest {
    peer::RegisterRequest {
        entries: to_entries(registrations),
    }
}

/// A request to forget.
pub fn unregister_request(registrations: &[Registration]) -> peer::UnregisterRequest {
    peer::UnregisterRequest {
        entries: to_entries(registrations),
    }
}

/// A heartbeat.
pub fn heartbeat_request(view: ViewHash, whole: bool, sessions: &[SessionId]) -> peer::HeartbeatRequest {
    peer::HeartbeatRequest {
        view_hash: view.0,
        whole,
        sessions: sessions.iter().map(|session| session.0).collect(),
    }
}

/// A question for sessions of accounts.
pub fn lookup_request(view: ViewHash, accounts: &[AccountId]) -> peer::LookupRequest {
    peer::LookupRequest {
        view_hash: view.0,
        accounts: accounts
            .iter()
            .map(|account| account.as_str().to_owned())
            .collect(),
    }
}

/// The answers to a look-up. Whose the sessions are the asker knows.
pub fn lookup_reply(lookups: Vec<Lookup>) -> peer::LookupReply {
    let result = |lookup: Lookup| {
        let (kind, sessions) = match lookup {
            Lookup::Found(sessions) => (Kind::Sessions, sessions),
            Lookup::Nobody => (Kind::Nobody, Vec::new()),
            Lookup::Unknown { seen } => (Kind::Unknown, seen),
        };
        peer::LookupResult {
            kind: kind.into(),
            sessions: sessions.iter().map(|session| to_entry("", session)).collect(),
        }
    };
    peer::LookupReply {
        results: lookups.into_iter().map(result).collect(),
    }
}

/// The answers to a look-up; what is malformed is not certain.
pub fn lookups(reply: peer::LookupReply) -> Vec<Lookup> {
    let lookup = |result: peer::LookupResult| {
        let sessions: Option<Vec<SessionEntry>> = result.sessions.iter().map(entry).collect();
        match (result.kind(), sessions) {
            (Kind::Sessions, Some(sessions)) => Lookup::Found(sessions),
            (Kind::Nobody, Some(_)) => Lookup::Nobody,
            (_, seen) => Lookup::Unknown {
                seen: seen.unwrap_or_default(),
            },
        }
    };
    reply.results.into_iter().map(lookup).collect()
}

/// What the other replica is told.
pub fn replicate_request(changes: &Replication) -> peer::ReplicateRequest {
    peer::ReplicateRequest {
        upserts: to_entries(&changes.upserts),
        removals: to_entries(&changes.removals),
        renewals: changes.renewals.iter().map(|session| session.0).collect(),
    }
}

/// What the other replica tells.
pub fn replication(request: peer::ReplicateRequest) -> Option<Replication> {
    Some(Replication {
        upserts: registrations(request.upserts)?,
        removals: registrations(request.removals)?,
        renewals: sessions(request.renewals),
    })
}

/// A request for whole shards.
pub fn ask_snapshot_request(shards: &[ShardId]) -> peer::AskSnapshotRequest {
    peer::AskSnapshotRequest {
        shards: shards.iter().map(|shard| u32::from(shard.0)).collect(),
    }
}

/// Whole shards.
pub fn put_snapshot_request(snapshots: &[Snapshot]) -> peer::PutSnapshotRequest {
    let snapshot = |snapshot: &Snapshot| peer::ShardSnapshot {
        shard: u32::from(snapshot.shard.0),
        complete: snapshot.complete,
        entries: snapshot
            .entries
            .iter()
            .map(|(registration, _)| to_entry(registration.account.as_str(), &registration.entry))
            .collect(),
        ages_ms: snapshot.entries.iter().map(|(_, age_ms)| *age_ms).collect(),
    };
    peer::PutSnapshotRequest {
        snapshots: snapshots.iter().map(snapshot).collect(),
    }
}

/// Whole shards of a message.
pub fn snapshots(request: peer::PutSnapshotRequest) -> Option<Vec<Snapshot>> {
    let snapshot = |snapshot: peer::ShardSnapshot| {
        let entries = registrations(snapshot.entries)?;
        if entries.len() != snapshot.ages_ms.len() {
            return None;
        }
        Some(Snapshot {
            shard: *shards(&[snapshot.shard])?.first()?,
            complete: snapshot.complete,
            entries: entries.into_iter().zip(snapshot.ages_ms).collect(),
        })
    };
    request.snapshots.into_iter().map(snapshot).collect()
}
