//! Commands 19 and 91: presence. Passed on to who is online, not stored, not answered unless something is wrong.

use super::{Refusal, message};
use crate::edge::{Connection, Continuation};
use crate::node::Node;
use crate::session::Relayed;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tim_core::id::{AccountId, SessionId};
use tim_core::presence::SessionEntry;
use tim_wire::{Command, Encoding, ErrorCode, Tid, TimPresence, WireStruct};
use tokio::sync::Semaphore;

/// Most accounts that one presence names.
const TARGETS_MAX: usize = 1_000;
/// A session that comes back so soon has not been away: friends are not told of a reconnect or a restart.
const ABSENCE: Duration = Duration::from_secs(5);
/// Ended sessions whose friends may still have to be told; those of more are not.
const ABSENCES_MAX: usize = 4_096;
/// Of those, whose friends are looked up at once: many ends together must not keep the databases from messages.
const TOLD_AT_ONCE: usize = 4;

/// The places of ended sessions whose friends may have to be told.
#[derive(Debug)]
pub(crate) struct Absences {
    waiting: Arc<Semaphore>,
    telling: Semaphore,
    /// The last end of a session of each account that waits; what ended before it says nothing.
    last: Mutex<HashMap<AccountId, SessionId>>,
}

impl Default for Absences {
    fn default() -> Self {
        Self {
            waiting: Arc::new(Semaphore::new(ABSENCES_MAX)),
            telling: Semaphore::new(TOLD_AT_ONCE),
            last: Mutex::default(),
        }
    }
}

impl Absences {
    /// Whether no further session of the account has ended since this one.
    fn is_last(&self, account: &AccountId, session: SessionId) -> bool {
        let mut last = self.last.lock();
        let is_last = last.get(account) == Some(&session);
        if is_last {
            last.remove(account);
        }
        is_last
    }
}

/// Whom a presence is for.
enum Targets {
    Friends,
    Named(Vec<AccountId>),
}

/// Takes a presence: for those it names, or of command 19 without names for all friends.
pub(super) fn begin(connection: &mut Connection, command: Command, presence: TimPresence) {
    let targets = match targets(connection, command, &presence) {
        Ok(targets) => targets,
        Err(refusal) => return refusal.answer(connection, command.tim_type()),
    };
    let Some(live) = &connection.live else { return };
    let (account, node) = (live.account.clone(), Arc::clone(&connection.node));
    let broadcast = matches!(targets, Targets::Friends);
    let presence = TimPresence {
        id: (!broadcast).then(|| i64::try_from(crate::random::number() >> 1).unwrap_or(1)),
        offline: None,
        from_tid: Some(live.sender.tid.clone()),
        to_tid: None,
        to_list: None,
        ..presence
    };
    connection.begin(Box::pin(async move {
        let told = Box::pin(tell(&node, &account, targets, presence)).await;
        let continuation: Continuation = Box::new(move |connection| {
            if let Err(refusal) = told {
                refusal.answer(connection, command.tim_type());
            }
        });
        continuation
    }));
}

fn targets(connection: &Connection, command: Command, presence: &TimPresence) -> Result<Targets, Refusal> {
    let listed = presence.to_list.iter().flatten().map(String::as_str);
    let named: Vec<&str> = presence
        .to_tid
        .iter()
        .map(|tid| tid.node.as_str())
        .chain(listed)
        .collect();
    if named.is_empty() {
        return match command {
            Command::BroadcastPresence => Ok(Targets::Friends),
            _ => {
                let detail = "presence.toTid, presence.toList: one of them is needed".to_owned();
                Err(Refusal::field(ErrorCode::Account, detail))
            }
        };
    }
    if named.len() > TARGETS_MAX {
        let detail = format!("presence.toList: {} accounts; at most {TARGETS_MAX}", named.len());
        return Err(Refusal::field(ErrorCode::Parameters, detail));
    }
    let accounts = named
        .into_iter()
        .map(|node| message::account(&connection.node.ids, Some(node), "presence.to"));
    let mut accounts: Vec<AccountId> = accounts.collect::<Result<_, _>>()?;
    accounts.sort();
    accounts.dedup();
    Ok(Targets::Named(accounts))
}

async fn tell(
    node: &Node,
    account: &AccountId,
    targets: Targets,
    presence: TimPresence,
) -> Result<(), Refusal> {
    let named = matches!(targets, Targets::Named(_));
    let accounts = match targets {
        Targets::Friends => friends(node, account).await?,
        Targets::Named(accounts) => accounts,
    };
    let found = node.look_up_all(accounts).await;
    // Who is online exists; only the others are looked for.
    let absent: Vec<AccountId> = found
        .iter()
        .filter(|(_, sessions)| named && sessions.is_empty())
        .map(|(account, _)| account.clone())
        .collect();
    send(node, &found, &presence);
    if node.accounts.all_exist(node, absent).await? {
        Ok(())
    } else {
        Err(Refusal::plain(ErrorCode::Account, "no_such_account"))
    }
}

async fn friends(node: &Node, account: &AccountId) -> Result<Vec<AccountId>, Refusal> {
    let known = node.databases.acquaintances(account).await;
    let known = known.map_err(|report| Refusal::database(&report))?;
    let friends = known.into_iter().filter(|known| known.is_friend());
    Ok(friends.map(|friend| friend.account).collect())
}

/// One frame per receiver, which names that receiver alone.
fn send(node: &Node, found: &[(AccountId, Vec<SessionEntry>)], presence: &TimPresence) {
    for (account, sessions) in found.iter().filter(|(_, sessions)| !sessions.is_empty()) {
        let presence = TimPresence {
            to_tid: Some(Tid::of(account.as_str())),
            ..presence.clone()
        };
        let relayed = Relayed::Presence(presence.encode_payload(Encoding::Thrift));
        node.relay(sessions, &Arc::new(relayed));
    }
}

/// A session has ended: if the account has none left a moment later, its friends are told. Best effort, as all presence:
/// a node that dies tells nobody.
pub(crate) fn session_ended(node: &Arc<Node>, account: AccountId, session: SessionId, tid: Tid) {
    let Ok(place) = Arc::clone(&node.absences.waiting).try_acquire_owned() else {
        return;
    };
    node.absences.last.lock().insert(account.clone(), session);
    let node = Arc::clone(node);
    tokio::spawn(async move {
        tokio::time::sleep(ABSENCE).await;
        // Boxed: very many wait here at once when a node's clients go elsewhere.
        Box::pin(tell_absence(&node, account, session, tid)).await;
        drop(place);
    });
}

async fn tell_absence(node: &Node, account: AccountId, session: SessionId, tid: Tid) {
    if !node.absences.is_last(&account, session) || !node.is_absent(&account).await {
        return;
    }
    let presence = TimPresence {
        id: Some(i64::try_from(crate::random::number() >> 1).unwrap_or(1)),
        offline: Some(true),
        from_tid: Some(tid),
        ..TimPresence::default()
    };
    let _turn = node.absences.telling.acquire().await;
    // A database that does not answer shows elsewhere.
    let _ = tell(node, &account, Targets::Friends, presence).await;
}
