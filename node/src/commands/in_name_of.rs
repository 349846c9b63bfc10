//! What clients ask of rosters, rooms and history, asked by an administrator in the name of an account. The checks, the
//! order and the judges are those of the clients' requests; only who is told of the outcome is another.

use super::message::Draft;
use super::{Actor, Refusal, business, history, lists, message, room_info, room_lists, rooms};
use crate::databases::{Acquaintance, Waiting};
use crate::node::Node;
use crate::session::Relayed;
use std::collections::HashSet;
use std::sync::Arc;
use tim_core::conversation::{Entry, Operation};
use tim_core::id::{AccountId, RoomId, SessionId, VirtualRoomId};
use tim_core::stream::Outcome as StreamOutcome;
use tim_core::submit::Outcome;
use tim_wire::structs::{business as rtype, node_kind};
use tim_wire::{Encoding, ErrorCode, Tid, TimMessage, TimPresence, TimReq, TimRoomBean, WireStruct};

pub(crate) use history::{Asked as HistoryAsked, Of as HistoryOf};

/// Messages of one conversation that are looked through for what waits.
const WAITING_MAX: u32 = 1_000;

/// A list of accounts or rooms that an account can ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum List {
    /// The friends.
    Friends,
    /// Whom the account has blocked.
    BlockedAccounts,
    /// The rooms that it is in.
    Rooms,
    /// The rooms that it has blocked.
    BlockedRooms,
    /// Whom a room that it manages has banned.
    Banned(RoomId),
}

/// A request of command 41 about another account.
pub(crate) async fn roster(
    node: &Arc<Node>,
    actor: &Actor,
    number: i32,
    request: TimReq,
) -> Result<(), Refusal> {
    node.accounts.users.refuse_friends()?;
    let asked = business::check(&node.ids, actor, number, request)?;
    exists(node, actor).await?;
    if asked.is_listed {
        Box::pin(business::prepare(node, actor, &asked)).await?;
    }
    Box::pin(submit(node, actor, asked.draft(actor))).await
}

/// A request of command 41 about a room; which room it is.
pub(crate) async fn room(
    node: &Arc<Node>,
    actor: &Actor,
    number: i32,
    request: TimReq,
) -> Result<RoomId, Refusal> {
    node.accounts.users.refuse_room_changes()?;
    let asked = rooms::check(&node.ids, actor, number, request)?;
    exists(node, actor).await?;
    Box::pin(rooms::prepare(node, &asked)).await?;
    let room = asked.room.clone();
    Box::pin(submit(node, actor, asked.draft())).await?;
    Ok(room)
}

/// A new room.
pub(crate) async fn create_room(
    node: &Arc<Node>,
    actor: &Actor,
    topic: String,
    kind: i64,
) -> Result<RoomId, Refusal> {
    let request = TimReq {
        node: Some(topic),
        req_int: Some(kind),
        ..TimReq::default()
    };
    Box::pin(room(node, actor, rtype::NEW_ROOM, request)).await
}

/// What is said about a room.
pub(crate) async fn change_room(
    node: &Arc<Node>,
    actor: &Actor,
    room: &str,
    given: TimRoomBean,
) -> Result<(), Refusal> {
    node.accounts.users.refuse_room_changes()?;
    let draft = room_info::check_change(&node.ids, actor, room, given)?;
    exists(node, actor).await?;
    Box::pin(submit(node, actor, draft)).await
}

/// A list as the account itself would be told it.
pub(crate) async fn list(node: &Node, account: &AccountId, list: List) -> Result<Vec<String>, Refusal> {
    Ok(match list {
        List::Friends => lists::of(node, account, (node_kind::ROSTER, Acquaintance::is_friend)).await?,
        List::BlockedAccounts => {
            lists::of(
                node,
                account,
                (node_kind::BLOCKED_ACCOUNTS, Acquaintance::is_blocked),
            )
            .await?
        }
        List::Rooms => room_lists::of(node, account, room_lists::Which::Own).await?,
        List::BlockedRooms => room_lists::of(node, account, room_lists::Which::Blocked).await?,
        List::Banned(room) => {
            let banned = room_lists::banned_from(node, &room, account).await?;
            banned.iter().map(|account| account.as_str().to_owned()).collect()
        }
    })
}

/// Whom a room has banned, for whoever may see everything.
pub(crate) async fn all_banned(node: &Node, room: &RoomId) -> Result<Vec<AccountId>, Refusal> {
    let banned = node.databases.room_accounts(room, &room_lists::BANNED).await;
    banned.map_err(|report| Refusal::database(&report))
}

/// A page of history as the account would be told it, newest first.
pub(crate) async fn messages(
    node: &Node,
    account: &AccountId,
    of: &HistoryOf,
    asked: HistoryAsked,
) -> Result<Vec<TimMessage>, Refusal> {
    let entries = Box::pin(history::page(node, account, of, asked)).await?;
    let messages = entries
        .iter()
        .filter_map(|entry| history::message(entry, account));
    Ok(messages.collect())
}

/// What waits for the class of devices that an administrator stands for, oldest first, at most so many.
pub(crate) async fn waiting(node: &Node, actor: &Actor, limit: usize) -> Result<Vec<TimMessage>, Refusal> {
    let waiting = of_all_conversations(node, actor).await?;
    let entries = waiting.iter().flat_map(|waiting| &waiting.entries);
    let mut entries: Vec<&Arc<Entry>> = entries.filter(|entry| entry.shown_to(&actor.account)).collect();
    // Stable, and timestamps never decrease within a conversation: its order stays.
    entries.sort_by_key(|entry| entry.timestamp_ns);
    let messages = entries
        .into_iter()
        .filter_map(|entry| history::waiting_message(entry, &actor.account));
    Ok(messages.take(limit).collect())
}

/// What of that waits no longer, by the ids of the messages. As with every device, a message waits as long as one before it
/// in its conversation does.
pub(crate) async fn confirm(node: &Node, actor: &Actor, ids: &HashSet<i64>) -> Result<(), Refusal> {
    for waiting in of_all_conversations(node, actor).await? {
        let confirmed = waiting
            .entries
            .iter()
            .take_while(|entry| !entry.shown_to(&actor.account) || ids.contains(&entry.wire_id()));
        if let Some(last) = confirmed.last() {
            let moved = (waiting.cursor, last.seq);
            let done = node
                .databases
                .confirm(&actor.account, actor.class, &waiting.conversation, moved);
            done.await.map_err(|report| Refusal::database(&report))?;
        }
    }
    Ok(())
}

async fn of_all_conversations(node: &Node, actor: &Actor) -> Result<Vec<Waiting>, Refusal> {
    exists(node, actor).await?;
    let waiting = node.databases.waiting(&actor.account, actor.class, WAITING_MAX);
    waiting.await.map_err(|report| Refusal::database(&report))
}

/// Whether two accounts are friends.
pub(crate) async fn are_friends(node: &Node, one: &AccountId, other: &AccountId) -> Result<bool, Refusal> {
    let conversation = tim_core::placement::direct_conversation(one, other);
    let state = node.databases.conversation_state(&conversation).await;
    let state = state.map_err(|report| Refusal::database(&report))?;
    Ok(state.relations.are_friends())
}

/// Passes presence on to who is online of those it is for.
pub(crate) async fn tell_presence(
    node: &Node,
    accounts: Vec<AccountId>,
    presence: &TimPresence,
) -> Result<(), Refusal> {
    for (account, sessions) in node.look_up_all(accounts).await {
        if sessions.is_empty() {
            continue;
        }
        let presence = TimPresence {
            to_tid: Some(Tid::of(account.as_str())),
            to_list: None,
            ..presence.clone()
        };
        let relayed = Relayed::Presence(presence.encode_payload(Encoding::Thrift));
        node.relay(&sessions, &Arc::new(relayed));
    }
    Ok(())
}

/// An operation on a virtual room that needs no session of its own.
pub(crate) async fn virtual_room(
    node: &Node,
    room: VirtualRoomId,
    operation: tim_core::stream::Operation,
) -> StreamOutcome {
    // No session: nobody subscribes, and nothing ends with it.
    let nobody = SessionId(crate::random::number());
    node.streams.ask(nobody, room, operation).await
}

async fn exists(node: &Node, actor: &Actor) -> Result<(), Refusal> {
    match node.accounts.exists(node, &actor.account).await? {
        true => Ok(()),
        false => Err(Refusal::plain(ErrorCode::Account, "no_such_account")),
    }
}

/// Gives a draft to a lane of its own and waits for what becomes of it.
async fn submit(node: &Node, actor: &Actor, draft: Draft) -> Result<(), Refusal> {
    if draft.body.len() > tim_store::MAX_BODY_BYTES {
        return Err(Refusal::too_large(draft.body.len()));
    }
    if let Some(report) = node.databases.trouble_of(&draft.conversation) {
        return Err(Refusal::database(&report));
    }
    let operation = draft.operation;
    let submission = draft.submission(actor.account.clone(), actor.class);
    match node.engine.tell(submission).await {
        Some(Outcome::Stored { refusal: None, .. }) => {
            match operation {
                Operation::Room(_) => node.metrics.accepted_room(),
                _ => node.metrics.accepted_direct(),
            }
            Ok(())
        }
        Some(
            Outcome::Stored {
                refusal: Some(refusal),
                ..
            }
            | Outcome::Refused(refusal),
        ) => Err(judged(operation, refusal)),
        Some(Outcome::Busy) | None => Err(Refusal::overloaded(
            "too many operations of administrators have no outcome yet",
        )),
    }
}

fn judged(operation: Operation, refusal: tim_core::conversation::Refusal) -> Refusal {
    match operation {
        Operation::Room(operation) => rooms::judged(operation, refusal),
        _ => Refusal::judged(refusal),
    }
}

/// A room's id as a request names it.
pub(crate) fn room_id(node: &Node, field: &str, id: &str) -> Result<RoomId, Refusal> {
    message::room(&node.ids, Some(id), field, ErrorCode::Parameters)
}

/// Whether an operation on a room concerns another account than who asks.
pub(crate) fn names_another(number: i32) -> bool {
    matches!(
        number,
        rtype::REFUSE_ROOM | rtype::PULL_ROOM | rtype::KICK_ROOM | rtype::BLOCK_ROOM_MEMBER
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use tim_core::conversation::RoomOperation;

    #[test]
    fn refusals_are_called_as_clients_are_told() {
        let unknown = tim_core::conversation::Refusal::NoSuchRoom;
        let join = judged(Operation::Room(RoomOperation::Join), unknown);
        assert_eq!(join.code, ErrorCode::Parameters);
        let modify = judged(Operation::Room(RoomOperation::Modify), unknown);
        assert_eq!(modify.code, ErrorCode::PermissionDenied);
    }
}
