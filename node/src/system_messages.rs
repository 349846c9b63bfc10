//! System messages: what administrators have the system tell accounts. Each is an entry of the account's system
//! conversation, so it is stored, ordered, delivered and confirmed as every other message, and waits for who is away.

use crate::commands::Refusal;
use crate::node::Node;
use crate::session::Envelope;
use futures::StreamExt;
use std::sync::Arc;
use tim_core::conversation::{Operation, Submission};
use tim_core::id::{AccountId, DeviceClass};
use tim_core::placement;
use tim_core::submit::Outcome;
use tim_wire::structs::{message_kind, operation};
use tim_wire::{ErrorCode, Tid, TimMessage};

/// Most accounts that are told by one call.
pub(crate) const TARGETS_MAX: usize = 1_000;
/// Accounts of one call that are told at once: enough for a group commit, and no more than one caller's share.
const AT_ONCE: usize = 64;

/// What became of a message for one account.
pub(crate) type Told = (AccountId, Result<(), Refusal>);

/// A message as the system may send it: whatever its sender said of sender, room and receivers is left out.
pub(crate) fn checked(mut message: TimMessage) -> Result<TimMessage, Refusal> {
    message.ms_type = message_kind::SYSTEM;
    message.od_type = match message.od_type {
        0 | operation::NORMAL => operation::NORMAL,
        application @ operation::APPLICATION_FIRST.. => application,
        other => {
            let detail = format!("message.odType: {other}; valid: 1, 31 to 127");
            return Err(Refusal::field(ErrorCode::Parameters, detail));
        }
    };
    message.from_tid = None;
    message.room_tid = None;
    let bytes = Envelope::seal_system(message.clone(), Tid::default()).0.len();
    // The receiver's id is not in it yet.
    if bytes + tim_core::id::MAX_NAME_BYTES > tim_store::MAX_BODY_BYTES {
        return Err(Refusal::too_large(bytes));
    }
    Ok(message)
}

/// Tells accounts, each on its own; one result each, in any order. A message that has an id of its own is stored once
/// per account however often it is sent.
pub(crate) async fn tell(node: &Arc<Node>, accounts: Vec<AccountId>, message: &TimMessage) -> Vec<Told> {
    let telling = accounts.into_iter().map(|account| async move {
        let told = Box::pin(tell_one(node, &account, message.clone())).await;
        if let Err(refusal) = &told {
            node.metrics.rejected_with(refusal.error_type);
        }
        (account, told)
    });
    futures::stream::iter(telling)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}

async fn tell_one(node: &Node, account: &AccountId, message: TimMessage) -> Result<(), Refusal> {
    if !node.accounts.exists(node, account).await? {
        return Err(Refusal::plain(ErrorCode::Account, "no_such_account"));
    }
    let conversation = placement::system_conversation(account);
    if let Some(report) = node.databases.trouble_of(&conversation) {
        return Err(Refusal::database(&report));
    }
    let client_id = message.id.filter(|id| *id != 0);
    let (body, content_hash) = Envelope::seal_system(message, Tid::of(account.as_str()));
    let submission = Submission {
        key: crate::random::message_key(),
        conversation,
        sender: AccountId::system(),
        peer: account.clone(),
        sender_class: DeviceClass(0),
        operation: Operation::System,
        client_id,
        content_hash,
        attempt: 1,
        vouched: false,
        body,
    };
    match node.engine.tell(submission).await {
        Some(Outcome::Stored { .. }) => {
            node.metrics.accepted_system();
            Ok(())
        }
        Some(Outcome::Refused(refusal)) => Err(Refusal::judged(refusal)),
        Some(Outcome::Busy) | None => Err(Refusal::overloaded(
            "too many messages of administrators have no outcome yet",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_caller_says_of_sender_and_kind_does_not_count() {
        let mut message = TimMessage::direct("bob", 0);
        message.from_tid = Some(Tid::of("alice"));
        message.room_tid = Some(Tid::of("room"));
        let checked = checked(message).unwrap();
        assert_eq!(
            (checked.ms_type, checked.od_type),
            (message_kind::SYSTEM, operation::NORMAL)
        );
        assert_eq!((checked.from_tid, checked.room_tid), (None, None));
    }

    #[test]
    fn only_kinds_that_stand_for_themselves_are_sent() {
        for (kind, fits) in [
            (1, true),
            (31, true),
            (127, true),
            (2, false),
            (4, false),
            (5, false),
            (-1, false),
        ] {
            assert_eq!(checked(TimMessage::direct("bob", kind)).is_ok(), fits, "{kind}");
        }
        let mut large = TimMessage::direct("bob", 1);
        large.data_string = Some("x".repeat(tim_store::MAX_BODY_BYTES));
        assert_eq!(checked(large).unwrap_err().error_type, "row_too_large");
    }
}
