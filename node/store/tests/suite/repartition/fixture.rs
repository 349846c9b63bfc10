//! Two databases, people who write, and what must hold afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tim_core::conversation::{
    ConversationOutcome, Entry, FenceRefusal, RoomOperation, Standing, Submission, Verdict,
};
use tim_core::id::{Epoch, Seq, Slot, Term};
use tim_core::map::HomePlacement;
use tim_core::placement::{self, SLOT_COUNT};
use tim_core::repartition::{Done, OperationId, Plan, Step};
use tim_store::{
    Account, Block, CursorAdvance, Database, EntriesAfter, Fence, ListEntry, Listed, ListedConversation,
    Recipient, Store,
};

use crate::room::Room;
use crate::support::{EPOCH, Engine, Fresh, NOW_NS, Pair, database_name, node_with, whole};

/// Where the slots are split.
pub(crate) const HALF: Slot = Slot(SLOT_COUNT / 2);

/// The tables whose rows move.
pub(super) const MOVED_TABLES: [&str; 12] = [
    "account",
    "token",
    "account_conversation",
    "conversation",
    "member",
    "message",
    "account_block",
    "account_deletion",
    "trimmed",
    "room",
    "room_member",
    "outbox",
];

/// Two databases, of which d1 is empty, and the plan to move the upper half of d0 there.
pub(crate) struct Split {
    pub(super) source: Fresh,
    pub(super) target: Fresh,
    pub(super) plan: Plan,
}

impl Split {
    /// What a comparison of source and target finds.
    pub(crate) async fn is_equal(&self, store: &Store) -> bool {
        match self.step(store, Step::Verify).await {
            Done::Verified { equal } => equal,
            other => panic!("a comparison ended as {other:?}"),
        }
    }

    pub(crate) async fn new(source: Engine, target: Engine) -> Self {
        let plan = Plan {
            operation: OperationId("split-1".to_owned()),
            from: HALF,
            until: Slot(SLOT_COUNT),
            source: database_name("d0"),
            source_epoch: EPOCH,
            target: database_name("d1"),
            target_epoch: Epoch(2),
            homes: HomePlacement::PerConversation,
        };
        Self {
            source: Fresh::new(source).await,
            target: Fresh::new(target).await,
            plan,
        }
    }

    /// A node that knows both databases.
    pub(crate) async fn node(&self) -> Store {
        let (store, source) = node_with(
            crate::support::CLUSTER,
            crate::support::KEY,
            "d0",
            &self.source.dsn,
        );
        store
            .configure([(database_name("d1"), &self.target.dsn)])
            .unwrap();
        source.prepare().await.unwrap();
        source.create_fences(&whole("d0")).await.unwrap();
        store
    }

    pub(crate) async fn step(&self, store: &Store, step: Step) -> Done {
        store.run_step(&self.plan, Term(1), &step).await.unwrap()
    }

    /// How many rows each piece of the copy has.
    pub(super) async fn copied_pieces(&self, store: &Store) -> Vec<u64> {
        let mut pieces = Vec::new();
        loop {
            let done = self.step(store, Step::CopyChunk).await;
            let Done::Copied { rows, finished } = done else {
                panic!("{done:?}")
            };
            pieces.push(rows);
            if finished {
                return pieces;
            }
        }
    }

    pub(super) async fn copy_all(&self, store: &Store) {
        while !matches!(
            self.step(store, Step::CopyChunk).await,
            Done::Copied { finished: true, .. }
        ) {}
    }

    pub(crate) async fn drain_all(&self, store: &Store) {
        while !matches!(
            self.step(store, Step::DrainChanges).await,
            Done::Drained { left: 0 }
        ) {}
    }

    /// From preparing to a copy that is equal as long as nobody writes.
    pub(crate) async fn copied(&self, store: &Store) {
        assert_eq!(self.step(store, Step::PrepareTarget).await, Done::Ok);
        assert_eq!(self.step(store, Step::MarkSource).await, Done::Ok);
        self.copy_all(store).await;
        self.drain_all(store).await;
    }

    /// The cut-over and everything behind it.
    pub(crate) async fn finish(&self, store: &Store) {
        assert_eq!(self.step(store, Step::Close { attempt: 1 }).await, Done::Ok);
        self.drain_all(store).await;
        assert_eq!(
            self.step(store, Step::Move { attempt: 1 }).await,
            Done::Moved(true)
        );
        assert_eq!(self.step(store, Step::OpenTarget).await, Done::Ok);
        while self.step(store, Step::CleanSource).await != (Done::Cleaned { finished: true }) {}
    }
}

pub(super) async fn fences(store: &Store, database: &str) -> Vec<Fence> {
    let database = store.database(&database_name(database)).unwrap();
    database.fences().await.unwrap()
}

/// Where a conversation is after the split, and under which epoch.
pub(super) fn place(store: &Store, pair: &Pair, moved: bool) -> (Database, Epoch) {
    if moved && placement::slot(&pair.id.0) >= HALF {
        (store.database(&database_name("d1")).unwrap(), Epoch(2))
    } else {
        (store.database(&database_name("d0")).unwrap(), EPOCH)
    }
}

pub(super) fn pairs(count: usize) -> Vec<Pair> {
    (0..count)
        .map(|number| Pair::new(&format!("one-{number}"), &format!("other-{number}")))
        .collect()
}

/// Accounts, tokens, lists, cursors and messages, for every table to have rows on both sides of the cut.
pub(super) async fn fill(store: &Store, pairs: &[Pair]) {
    let database = store.database(&database_name("d0")).unwrap();
    for (number, pair) in pairs.iter().enumerate() {
        pair.befriend(&database).await;
        let messages = (0..number % 5).map(|_| pair.message(b"before")).collect();
        database.append(&[pair.batch(2, messages)], NOW_NS).await.unwrap();
        let made = Account {
            id: pair.one.clone(),
            password_hash: "hash".to_owned(),
            created_ns: 1,
            profile: vec![7],
        };
        database.create_account(EPOCH, &made).await.unwrap();
        database
            .put_token(EPOCH, format!("token-{number}").as_bytes(), &pair.one, i64::MAX)
            .await
            .unwrap();
        let block = Block {
            account: pair.one.clone(),
            until_ms: 77,
        };
        database.block_account(EPOCH, &block, 1).await.unwrap();
        let mut event = [0; 16];
        event[..8].copy_from_slice(&(number as u64).to_be_bytes());
        let to = [(Recipient::Webhook, event)];
        database
            .put_presence_event(EPOCH, (&pair.one, true), &to, NOW_NS)
            .await
            .unwrap();
        let listed = ListedConversation {
            conversation: pair.id,
            what: Listed::Direct(pair.other.clone()),
        };
        let entry = ListEntry {
            account: pair.one.clone(),
            epoch: EPOCH,
            listed,
        };
        database.list_conversations(&[entry]).await.unwrap();
        let advance = CursorAdvance {
            conversation: pair.id,
            epoch: EPOCH,
            account: pair.other.clone(),
            class: tim_core::id::DeviceClass(1),
            from: Seq(0),
            to: Seq(1),
        };
        database.advance_cursors(&[advance]).await.unwrap();
        let mut room = Room::named(&format!("room-{number}"));
        let (one, other) = (pair.one.as_str(), pair.other.as_str());
        room.ask(&database, one, one, RoomOperation::Create)
            .await
            .unwrap();
        room.ask(&database, one, other, RoomOperation::Pull)
            .await
            .unwrap();
    }
}

pub(super) async fn check_filled(store: &Store, pairs: &[Pair]) {
    for (number, pair) in pairs.iter().enumerate() {
        let (database, epoch) = place(store, pair, true);
        let query = EntriesAfter {
            conversation: pair.id,
            epoch,
            after: Seq(0),
            limit: 500,
            max_bytes: usize::MAX,
        };
        assert_eq!(
            database.entries_after(query).await.unwrap().len(),
            2 + number % 5,
            "pair {number}"
        );
        let by_slot = |slot: Slot| {
            if slot >= HALF {
                ("d1", Epoch(2))
            } else {
                ("d0", EPOCH)
            }
        };
        let room = Room::named(&format!("room-{number}"));
        let (name, epoch) = by_slot(placement::slot(&room.conversation.0));
        let database = store.database(&database_name(name)).unwrap();
        let asked = [(room.conversation, epoch)];
        let states = database.open_conversations(&asked).await.unwrap();
        let state = states.into_iter().next().unwrap().unwrap();
        assert_eq!(state.room.unwrap().id, room.id);
        let members = database
            .room_accounts(&room.conversation, epoch, &[Standing::MEMBER])
            .await
            .unwrap();
        assert_eq!(members.len(), 2, "room {number}");
        let (name, epoch) = by_slot(placement::slot(pair.one.as_bytes()));
        let database = store.database(&database_name(name)).unwrap();
        let found = database.find_account(epoch, &pair.one).await.unwrap().unwrap();
        assert_eq!(found.profile, [7]);
        let blocked = database.blocked_until(epoch, &pair.one, 0).await.unwrap();
        assert_eq!(blocked, Some(77));
        let lists = database
            .conversations_of(&[(pair.one.clone(), epoch)])
            .await
            .unwrap();
        assert_eq!(lists[0].as_ref().unwrap().len(), 1);
        let token = format!("token-{number}");
        let (name, epoch) = by_slot(placement::slot(token.as_bytes()));
        let database = store.database(&database_name(name)).unwrap();
        assert_eq!(
            database
                .take_token(epoch, token.as_bytes(), 0)
                .await
                .unwrap()
                .as_ref(),
            Some(&pair.one)
        );
    }
}

/// One sender per pair; follows the fences as a node does, and knows what was acknowledged.
pub(super) async fn write_until_done(store: Store, pair: Pair, done: Arc<AtomicBool>) -> Vec<u32> {
    let mut acknowledged = Vec::new();
    let mut moved = false;
    let mut waiting: Option<Submission> = None;
    let mut number = 0_u32;
    while !done.load(Ordering::SeqCst) || waiting.is_some() {
        let (database, epoch) = place(&store, &pair, moved);
        let submission = waiting
            .take()
            .unwrap_or_else(|| pair.message(&number.to_be_bytes()));
        let states = database.open_conversations(&[(pair.id, epoch)]).await.unwrap();
        let outcome = match &states[0] {
            Err(refusal) => ConversationOutcome::Fenced(refusal.clone()),
            Ok(state) => {
                let mut batch = pair.batch(state.version.0, vec![submission.clone()]);
                batch.epoch = epoch;
                database.append(&[batch], NOW_NS).await.unwrap().remove(0)
            }
        };
        match outcome {
            ConversationOutcome::Done { verdicts, .. } => {
                assert!(matches!(verdicts[0], Verdict::Store { .. }), "{verdicts:?}");
                acknowledged.push(number);
                number += 1;
            }
            ConversationOutcome::Fenced(FenceRefusal::Moved { to, epoch }) => {
                assert_eq!((to, epoch), (database_name("d1"), Epoch(2)));
                moved = true;
                store
                    .finish_move(&database_name("d0"), placement::slot(&pair.id.0))
                    .await
                    .unwrap();
                waiting = Some(submission);
            }
            ConversationOutcome::Fenced(_) => {
                tokio::task::yield_now().await;
                waiting = Some(submission);
            }
            ConversationOutcome::Conflict { .. } => panic!("nobody else writes to this conversation"),
        }
    }
    acknowledged
}

/// What was acknowledged is there, at the new place, in the order sent, once.
pub(super) async fn check_written(store: &Store, pair: &Pair, acknowledged: &[u32]) {
    let (database, epoch) = place(store, pair, true);
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let after = entries.last().map_or(Seq(0), |entry| entry.seq);
        let query = EntriesAfter {
            conversation: pair.id,
            epoch,
            after,
            limit: 500,
            max_bytes: usize::MAX,
        };
        let more = database.entries_after(query).await.unwrap();
        if more.is_empty() {
            break;
        }
        entries.extend(more);
    }
    assert!(
        entries
            .iter()
            .enumerate()
            .all(|(place, entry)| entry.seq.0 == place as u64 + 1)
    );
    let bodies: Vec<u32> = entries[2..]
        .iter()
        .map(|entry| u32::from_be_bytes(entry.body.as_ref().try_into().unwrap()))
        .collect();
    assert_eq!(bodies, acknowledged);
}

pub(super) async fn waiters(fresh: &Fresh, query: &str, expected: &str) -> bool {
    // MariaDB shows what it showed before when it is asked again within 100 ms.
    tokio::time::sleep(Duration::from_millis(130)).await;
    fresh.sql(query).await == expected
}

/// A pair whose conversation is in the upper half.
pub(super) fn moving_pair() -> Pair {
    pairs(20)
        .into_iter()
        .find(|pair| placement::slot(&pair.id.0) >= HALF)
        .unwrap()
}
