//! The outbox: events that others outside of the cluster are owed. One of a message is written in the message's own
//! transaction, so there is none without the other; each stays until it has been handed over.
//!
//! An event stands in the partition of what it is about and moves with it. What it says is sealed.

use sea_orm::QueryResult;
use serde::{Deserialize, Serialize};
use tim_core::conversation::{Entry, EntryKind, Operation, Room, RoomMove, RoomOperation, Submission};
use tim_core::id::{AccountId, ConversationId, Epoch, RoomId, Slot};
use tim_core::placement;

use crate::error::StoreError;
use crate::fence::{Access, FenceState};
use crate::keys::RowKey;
use crate::read;
use crate::schema::OUTBOX;
use crate::seal::Place;
use crate::statement::{Cell, Row};
use crate::store::Database;
use crate::transaction::{Transaction, summary};

/// Most events that are read at once.
pub const MAX_EVENTS_READ: u32 = 1_000;

/// What leaves an event behind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Announce {
    /// Whether messages do.
    pub messages: bool,
    /// Whether changes of rooms do.
    pub rooms: bool,
    /// Whether the event holds the message's body.
    pub content: bool,
}

impl Announce {
    fn of(self, conversation: &ConversationId, stored: &Stored<'_>) -> Option<Happened> {
        let entry = || Entry {
            body: if self.content {
                stored.entry.body.clone()
            } else {
                Default::default()
            },
            ..stored.entry.clone()
        };
        match (stored.entry.kind, stored.submission.operation, stored.room) {
            (EntryKind::Message | EntryKind::Application, _, _) if self.messages => Some(Happened::Message {
                conversation: *conversation,
                to: stored.submission.peer.clone(),
                entry: entry(),
            }),
            (EntryKind::RoomMessage, _, Some(room)) if self.messages => Some(Happened::RoomMessage {
                room: room.id.clone(),
                entry: entry(),
            }),
            (_, Operation::Room(operation), Some(room)) if self.rooms => Some(Happened::RoomChanged {
                room: room.id.clone(),
                change: RoomNews::of(operation, stored.moves)?,
                by: stored.submission.sender.clone(),
            }),
            _ => None,
        }
    }
}

/// For whom an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Recipient {
    /// The webhook.
    Webhook,
    /// The one that takes logins and logouts as tim 2.0 tells them.
    LoginStates,
}

impl Recipient {
    fn code(self) -> i64 {
        match self {
            Self::Webhook => 1,
            Self::LoginStates => 2,
        }
    }
}

/// What has happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Happened {
    /// A message was stored.
    Message {
        /// In which conversation.
        conversation: ConversationId,
        /// To whom.
        to: AccountId,
        /// The message; without its body unless that is wanted.
        entry: Entry,
    },
    /// An account has its first session, or none any more.
    Presence {
        /// Which account.
        account: AccountId,
        /// Whether it has one.
        online: bool,
    },
    /// A message to a room was stored.
    RoomMessage {
        /// Which room.
        room: RoomId,
        /// The message; without its body unless that is wanted.
        entry: Entry,
    },
    /// A room is not what it was.
    RoomChanged {
        /// Which room.
        room: RoomId,
        /// In what.
        change: RoomNews,
        /// Who did it.
        by: AccountId,
    },
}

/// What is new about a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoomNews {
    /// It was made.
    Created,
    /// What is told about it, its managers or its founder.
    Modified,
    /// It has ended.
    Cancelled,
    /// Somebody takes part.
    Joined(AccountId),
    /// Somebody takes part no more.
    Left(AccountId),
}

impl RoomNews {
    fn of(operation: RoomOperation, moves: Option<&RoomMove>) -> Option<Self> {
        match (operation, moves) {
            (RoomOperation::Create, _) => Some(Self::Created),
            (RoomOperation::Modify, _) => Some(Self::Modified),
            (RoomOperation::Cancel, _) => Some(Self::Cancelled),
            (_, Some(RoomMove::Joined(account))) => Some(Self::Joined(account.clone())),
            (_, Some(RoomMove::Left(account))) => Some(Self::Left(account.clone())),
            (_, None) => None,
        }
    }
}

/// What is about to be stored, and the room it belongs to, if it is one.
pub(crate) struct Stored<'a> {
    pub(crate) submission: &'a Submission,
    pub(crate) entry: &'a Entry,
    pub(crate) moves: Option<&'a RoomMove>,
    pub(crate) room: Option<&'a Room>,
}

/// An event that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its identity; the same however often it is handed over.
    pub id: [u8; 16],
    /// When it happened, in Unix nanoseconds.
    pub at_ns: i64,
    /// What has happened; nothing when this version does not understand it.
    pub happened: Option<Happened>,
    slot: Slot,
}

fn place<'a>(keys: &'a [&'a RowKey]) -> Place<'a> {
    Place {
        table: &OUTBOX,
        column: "sealed",
        keys,
    }
}

impl Database {
    /// The event of an entry that is about to be stored, if anybody is to be told of it.
    pub(crate) fn event_of(
        &self,
        conversation: &ConversationId,
        stored: &Stored<'_>,
    ) -> Result<Option<Row>, StoreError> {
        let Some(happened) = self.inner.shared.announce.of(conversation, stored) else {
            return Ok(None);
        };
        let (id, at_ns) = (stored.entry.key.0, stored.entry.timestamp_ns);
        let slot = placement::slot(&conversation.0);
        self.event_row(slot, id, Recipient::Webhook, at_ns, &happened)
            .map(Some)
    }

    fn event_row(
        &self,
        slot: Slot,
        id: [u8; 16],
        to: Recipient,
        at_ns: i64,
        happened: &Happened,
    ) -> Result<Row, StoreError> {
        let plain = postcard::to_stdvec(happened).map_err(|_| self.damaged_event("it cannot be encoded"))?;
        let sealed = self.seal(place(&[&id]), &plain)?;
        Ok(vec![
            Cell::Number(i64::from(slot.0)),
            Cell::bytes(&id),
            Cell::Number(to.code()),
            Cell::Number(0),
            Cell::Number(at_ns),
            Cell::Bytes(sealed),
            Cell::Number(1),
        ])
    }

    fn damaged_event(&self, reason: &'static str) -> StoreError {
        StoreError::DamagedRow {
            database: self.name().clone(),
            table: OUTBOX.name,
            reason,
        }
    }

    /// Keeps an event about an account's presence for recipients; `id` differs between events. Doing it again changes
    /// nothing.
    ///
    /// # Errors
    /// [`StoreError::FenceRefused`], or any of the database.
    pub async fn put_presence_event(
        &self,
        epoch: Epoch,
        (account, online): (&AccountId, bool),
        recipients: &[(Recipient, [u8; 16])],
        at_ns: i64,
    ) -> Result<(), StoreError> {
        let slot = placement::slot(account.as_bytes());
        let happened = Happened::Presence {
            account: account.clone(),
            online,
        };
        let rows = recipients
            .iter()
            .map(|(to, id)| self.event_row(slot, *id, *to, at_ns, &happened));
        let rows: &Vec<Row> = &rows.collect::<Result<_, _>>()?;
        self.transact(Access::Write, &move |mut transaction| {
            Box::pin(async move {
                transaction
                    .admit_one(account.as_bytes(), epoch, Access::Write)
                    .await?;
                transaction.insert_absent(&OUTBOX, rows.clone()).await?;
                Ok((transaction, ()))
            })
        })
        .await
    }

    /// The oldest events that wait for a recipient, at most so many.
    ///
    /// # Errors
    /// Any of the database.
    pub async fn waiting_events(&self, to: Recipient, limit: u32) -> Result<Vec<Event>, StoreError> {
        self.transact(Access::Read, &move |transaction| {
            Box::pin(async move {
                let events = transaction.waiting_events(to, limit).await?;
                Ok((transaction, events))
            })
        })
        .await
    }

    /// How many events wait for a recipient.
    ///
    /// # Errors
    /// Any of the database.
    pub async fn count_waiting_events(&self, to: Recipient) -> Result<u64, StoreError> {
        self.transact(Access::Read, &move |transaction| {
            Box::pin(async move {
                let text = "SELECT COUNT(*) FROM tim_outbox WHERE target = ? AND sent = 0";
                let rows = transaction
                    .rows(summary("SELECT", OUTBOX.name), text, vec![to.code().into()])
                    .await?;
                let count = rows.first().map(|row| row.try_get_by_index::<i64>(0));
                let count = count
                    .transpose()
                    .map_err(|error| transaction.database.error(error))?;
                Ok((transaction, count.map_or(0, |count| count.max(0) as u64)))
            })
        })
        .await
    }

    /// Takes events out of the outbox: they were handed over, or given up. Those of a range that has gone elsewhere since
    /// they were read stay, and are told again from there.
    ///
    /// # Errors
    /// Any of the database.
    pub async fn remove_events(&self, events: &[Event]) -> Result<(), StoreError> {
        self.transact(Access::Write, &move |mut transaction| {
            Box::pin(async move {
                let mut slots: Vec<Slot> = events.iter().map(|event| event.slot).collect();
                slots.sort_unstable();
                slots.dedup();
                transaction.take(&slots).await?;
                for event in events {
                    transaction.remove_event(event).await?;
                }
                Ok((transaction, ()))
            })
        })
        .await
    }

    fn event(&self, row: &QueryResult) -> Result<Event, StoreError> {
        let error = |error| self.error(error);
        let slot = row.try_get_by_index::<i32>(0).map_err(error)?;
        let id = read::key(row, 1).map_err(error)?;
        let at_ns = row.try_get_by_index::<i64>(2).map_err(error)?;
        let sealed = row.try_get_by_index::<Vec<u8>>(3).map_err(error)?;
        let plain = self.open_sealed(place(&[&id]), sealed)?;
        Ok(Event {
            id,
            at_ns,
            happened: postcard::from_bytes(&plain).ok(),
            slot: Slot(slot.max(0) as u32),
        })
    }
}

impl Transaction {
    async fn waiting_events(&self, to: Recipient, limit: u32) -> Result<Vec<Event>, StoreError> {
        // Those of a range that is elsewhere, or on its way here, are told by the database that has it.
        let fences = self.all_fences().await?;
        let is_here = |slot: Slot| {
            let fence = fences.iter().find(|fence| fence.from <= slot && slot < fence.to);
            fence.is_some_and(|fence| matches!(fence.state, FenceState::Open | FenceState::Closing(_)))
        };
        let limit = limit.min(MAX_EVENTS_READ);
        let text = format!(
            "SELECT slot, event, made_ns, sealed FROM tim_outbox WHERE target = ? AND sent = 0 \
             ORDER BY made_ns, event LIMIT {limit}"
        );
        let rows = self
            .rows(summary("SELECT", OUTBOX.name), &text, vec![to.code().into()])
            .await?;
        let events: Vec<Event> = rows
            .iter()
            .map(|row| self.database.event(row))
            .collect::<Result<_, _>>()?;
        Ok(events.into_iter().filter(|event| is_here(event.slot)).collect())
    }

    /// Where the range is being copied it only counts as handed over: a deletion is a state until the copy is done.
    async fn remove_event(&mut self, event: &Event) -> Result<(), StoreError> {
        let fence = self
            .fences
            .iter()
            .find(|fence| fence.from <= event.slot && event.slot < fence.to);
        let Some(fence) = fence.filter(|fence| fence.state == FenceState::Open) else {
            return Ok(());
        };
        let (slot, copying) = (i64::from(event.slot.0), fence.copying);
        let values = vec![(event.slot.0 as i32).into(), event.id.to_vec().into()];
        if copying {
            let text = "UPDATE tim_outbox SET sent = 1, version = 2 WHERE slot = ? AND event = ?";
            self.run(summary("UPDATE", OUTBOX.name), text, values).await?;
            self.note_change(&OUTBOX, &[Cell::Number(slot), Cell::bytes(&event.id)], 2);
        } else {
            let text = "DELETE FROM tim_outbox WHERE slot = ? AND event = ?";
            self.run(summary("DELETE", OUTBOX.name), text, values).await?;
        }
        Ok(())
    }
}
