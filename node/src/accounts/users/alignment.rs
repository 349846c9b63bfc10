//! The alignment of a room: who is in it and who should be are compared, and its home is asked for what differs, each
//! change judged there as all others are. So nodes that align a room at once change each thing once.

use super::directory::Directory;
use crate::commands::Refusal;
use crate::node::Node;
use crate::session::Envelope;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use tim_core::conversation::{
    self, Operation, RoomBody, RoomCreation, RoomOperation, RoomProfile, Standing, Submission,
};
use tim_core::id::{AccountId, ContentHash, DeviceClass, RoomId};
use tim_core::placement;
use tim_core::submit::Outcome;
use tim_store::{Listed, ListedConversation, Listing};
use tim_telemetry::names::Attribute;
use tim_telemetry::{Kind, Span, attribute, names};
use tim_wire::structs::operation;
use tim_wire::{Tid, TimMessage};

/// Changes of one room that are under way at once, and lists of conversations that are written together: enough for a group
/// commit, and no more than one caller's share.
const AT_ONCE: usize = 64;

/// Who has to come, and who to go.
#[derive(Debug, PartialEq, Eq)]
struct Difference {
    admit: Vec<AccountId>,
    dismiss: Vec<AccountId>,
}

impl Difference {
    /// Of two lists, each in order.
    fn between(present: &[AccountId], wanted: &[AccountId]) -> Self {
        let missing = |these: &[AccountId], among: &[AccountId]| {
            let missing = these.iter().filter(|one| among.binary_search(one).is_err());
            missing.cloned().collect()
        };
        Self {
            admit: missing(wanted, present),
            dismiss: missing(present, wanted),
        }
    }
}

/// Brings a room into line; whether there is one. One that nobody is in any more is left as it is, and nobody uses it.
pub(super) async fn align(node: &Node, directory: &Directory, room: &RoomId) -> Result<bool, Refusal> {
    let mut span = Span::root(&names::ROOM_ALIGN, Kind::Internal);
    let aligned = align_within(node, directory, room, &mut span).await;
    if let Err(refusal) = &aligned {
        span.fail(refusal.error_type);
    }
    aligned
}

async fn align_within(
    node: &Node,
    directory: &Directory,
    room: &RoomId,
    span: &mut Span,
) -> Result<bool, Refusal> {
    let wanted = directory.room_members(node, room).await?;
    count(span, &names::ROOM_MEMBERS_WANTED, &wanted);
    if wanted.is_empty() {
        return Ok(false);
    }
    let database = |report: tim_catalogue::Report| Refusal::database(&report);
    if let Some(report) = node.databases.trouble_of(&placement::room_conversation(room)) {
        return Err(Refusal::database(&report));
    }
    let found = node.databases.rooms(std::slice::from_ref(room)).await;
    let found = found.map_err(database)?.into_iter().flatten().next();
    let present = match &found {
        Some(_) => node.databases.room_accounts(room, &[Standing::MEMBER]).await,
        None => Ok(Vec::new()),
    };
    let Difference { admit, dismiss } = Difference::between(&present.map_err(database)?, &wanted);
    count(span, &names::ROOM_MEMBERS_ADMITTED, &admit);
    count(span, &names::ROOM_MEMBERS_DISMISSED, &dismiss);
    if !found.is_some_and(|found| found.is_mirror()) {
        submit(node, creation(room)).await?;
    }
    each(node, room, RoomOperation::Dismiss, dismiss).await?;
    for accounts in admit.chunks(AT_ONCE) {
        let listed = listed(node, room, accounts).await?;
        each(node, room, RoomOperation::Admit, listed).await?;
    }
    Ok(true)
}

fn count(span: &mut Span, name: &'static Attribute, accounts: &[AccountId]) {
    let number = i64::try_from(accounts.len()).unwrap_or(i64::MAX);
    span.set(attribute(name, number));
}

/// The lists of conversations are supersets, so they name the room first. Who is being deleted comes into no room.
async fn listed(node: &Node, room: &RoomId, accounts: &[AccountId]) -> Result<Vec<AccountId>, Refusal> {
    let listed = ListedConversation {
        conversation: placement::room_conversation(room),
        what: Listed::Room(room.clone()),
    };
    let listings = node.databases.list_for_each(accounts, &listed).await;
    let listings = listings.map_err(|report| Refusal::database(&report))?;
    let listed = accounts
        .iter()
        .zip(listings)
        .filter(|(_, listing)| *listing == Listing::Listed);
    Ok(listed.map(|(account, _)| account.clone()).collect())
}

async fn each(
    node: &Node,
    room: &RoomId,
    operation: RoomOperation,
    accounts: Vec<AccountId>,
) -> Result<(), Refusal> {
    let changes = accounts
        .into_iter()
        .map(|account| Box::pin(submit(node, change(room, operation, account))));
    futures::stream::iter(changes)
        .buffer_unordered(AT_ONCE)
        .try_for_each(|()| std::future::ready(Ok(())))
        .await
}

async fn submit(node: &Node, submission: Submission) -> Result<(), Refusal> {
    match node.engine.tell(submission).await {
        Some(
            Outcome::Stored { .. }
            // Another node was faster.
            | Outcome::Refused(
                conversation::Refusal::AlreadyMember | conversation::Refusal::NothingPending,
            ),
        ) => Ok(()),
        Some(Outcome::Refused(refusal)) => {
            let detail = format!("the room cannot be given its members now, try again: {refusal}");
            Err(Refusal::overloaded(&detail))
        }
        Some(Outcome::Busy) | None => Err(Refusal::overloaded(
            "too many changes of rooms have no outcome yet",
        )),
    }
}

/// A mirror in which nobody is yet.
fn creation(room: &RoomId) -> Submission {
    let made = RoomCreation {
        id: room.clone(),
        private: true,
        profile: RoomProfile::default(),
    };
    let sealed = (made.to_body(), ContentHash::default());
    of_system(room, RoomOperation::Create, AccountId::system(), sealed)
}

/// Somebody comes or goes, and is told so by nobody in particular.
fn change(room: &RoomId, operation: RoomOperation, account: AccountId) -> Submission {
    let mut notice = TimMessage::direct(account.as_str(), operation::BUSINESS);
    notice.room_tid = Some(Tid::of(room.as_str()));
    let sealed = Envelope::seal_system(notice, Tid::of(account.as_str()));
    of_system(room, operation, account, sealed)
}

fn of_system(
    room: &RoomId,
    operation: RoomOperation,
    concerned: AccountId,
    (body, content_hash): (Bytes, ContentHash),
) -> Submission {
    Submission {
        key: crate::random::message_key(),
        conversation: placement::room_conversation(room),
        sender: AccountId::system(),
        peer: concerned,
        sender_class: DeviceClass(0),
        operation: Operation::Room(operation),
        client_id: None,
        content_hash,
        attempt: 1,
        vouched: false,
        body,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_differs_comes_or_goes() {
        let accounts = |names: &[&str]| -> Vec<AccountId> {
            names.iter().map(|name| AccountId::new(name).unwrap()).collect()
        };
        let difference = |present: &[&str], wanted: &[&str]| {
            let found = Difference::between(&accounts(present), &accounts(wanted));
            (found.admit, found.dismiss)
        };
        assert_eq!(
            difference(&["a", "b", "d"], &["b", "c", "d", "e"]),
            (accounts(&["c", "e"]), accounts(&["a"]))
        );
        assert_eq!(difference(&[], &["a"]), (accounts(&["a"]), accounts(&[])));
        assert_eq!(
            difference(&["a", "b"], &["a", "b"]),
            (accounts(&[]), accounts(&[]))
        );
    }
}
