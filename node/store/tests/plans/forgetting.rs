//! What goes: messages that are too old, and an account that is deleted.

use crate::rooms::Room;
use crate::support::{EPOCH, NOW_NS, Pair};
use tim_core::conversation::SentMessages;
use tim_core::id::Seq;
use tim_core::placement;
use tim_store::{Database, DeletedId, Deletion, Detached, Keep, Removal, Retention};

/// One page of a walk, in which something goes, and what a device that is behind asks.
pub(crate) async fn old_messages(database: &Database) {
    let keep = Keep {
        age_ns: Some(i64::MAX),
        undelivered_ns: Some(1),
        entries_max: Some(40),
    };
    let retention = Retention {
        direct: keep,
        room: keep,
        system: keep,
    };
    let first = database.trim_page(&retention, None, NOW_NS + 10).await.unwrap();
    assert!(first.removed > 0 && first.next.is_some(), "{first:?}");
    database
        .trim_page(&retention, first.next, NOW_NS + 10)
        .await
        .unwrap();
    let pair = Pair::new("one-0", "other-0");
    database.trimmed_up_to(EPOCH, &pair.id).await.unwrap();
}

/// All steps, in a chat and in a room.
pub(crate) async fn an_account(database: &Database, pair: &Pair, room: &Room) {
    let (account, peer) = (&pair.one, &pair.other);
    let deletion = Deletion {
        account: account.clone(),
        begun_ms: 1,
        sent: SentMessages::Erased,
    };
    let begun = database.begin_deletion(EPOCH, &deletion, false).await.unwrap();
    assert_eq!(begun.as_ref(), Some(&deletion));
    database.deletions().await.unwrap();
    database.detach_from_chat(EPOCH, &pair.id).await.unwrap();
    let founder = crate::support::account("member-0");
    let done = database
        .detach_from_room(EPOCH, &room.id, &founder)
        .await
        .unwrap();
    assert_eq!(done, Detached::Done);
    database
        .erase_entries(EPOCH, &pair.id, &deletion, Seq(0))
        .await
        .unwrap();
    for conversation in [&pair.id, &room.conversation] {
        let removed = database.remove_traces(EPOCH, conversation, account).await;
        assert_eq!(removed.unwrap(), Removal::Done);
    }
    for owner in [account, peer] {
        database.remove_listing(EPOCH, owner, &pair.id).await.unwrap();
    }
    while database.remove_conversation(EPOCH, &pair.id).await.unwrap() == Removal::Some {}
    let system = placement::system_conversation(account);
    database.remove_conversation(EPOCH, &system).await.unwrap();
    assert_eq!(
        database
            .finish_deletion(EPOCH, account, DeletedId::Taken)
            .await
            .unwrap(),
        Removal::Done
    );
}
