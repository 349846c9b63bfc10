//! Entries that are too old, or too many, go: oldest first, a few at a time, in transactions of their own.
//!
//! A walk reads conversations in the order of their key, page by page, and of each only its oldest entry. What is to go is
//! the beginning of a conversation, up to a place that is kept in `tim_trimmed`: a device that has not come so far is told
//! that there is nothing up to there, so that a gap still means loss and nothing else.
//!
//! Rows stay where a repartition copies their range, as its other side would keep them: the next walk takes them.

use sea_orm::QueryResult;
use tim_core::conversation::EntryKind;
use tim_core::id::{ConversationId, Epoch, Seq, Slot};
use tim_core::placement::SLOT_COUNT;

use crate::error::StoreError;
use crate::fence::Access;
use crate::keys::RowKey;
use crate::read;
use crate::repartition::rows::{Behind, SlotRange, condition};
use crate::schema::{CONVERSATION, LANE, MEMBER, MESSAGE, ROOM_RELATIONS, TRIMMED};
use crate::statement::Cell;
use crate::store::Database;
use crate::transaction::{Transaction, summary};

/// Conversations that one page of a walk looks at.
pub const PAGE_CONVERSATIONS: u32 = 200;

/// Most entries that one transaction removes.
pub const MAX_REMOVED_ENTRIES: usize = 500;

/// How long the entries of a kind of conversations are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    /// Those that are older go, in nanoseconds; `None`: age does not matter.
    pub age_ns: Option<i64>,
    /// Those that not every device has confirmed stay until they are so old; `None`: it does not matter who has confirmed
    /// what. Not for rooms.
    pub undelivered_ns: Option<i64>,
    /// Only so many entries stay, notices and what was taken back among them; `None`: any number.
    pub entries_max: Option<u64>,
}

/// What is kept for how long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// Chats of two.
    pub direct: Keep,
    /// Rooms.
    pub room: Keep,
    /// What the system has told accounts.
    pub system: Keep,
}

impl Retention {
    /// Whether anything goes at all.
    #[must_use]
    pub fn is_on(&self) -> bool {
        let removes = |keep: &Keep| keep.age_ns.is_some() || keep.entries_max.is_some();
        [self.direct, self.room, self.system].iter().any(removes)
    }
}

/// Where the next page of a walk begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalkCursor {
    slot: i32,
    conversation: RowKey,
}

/// What one page of a walk has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Walked {
    /// Entries that are gone.
    pub removed: u64,
    /// Where the next page begins; nothing when this was the last.
    pub next: Option<WalkCursor>,
}

/// A conversation whose beginning may have to go.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    slot: i32,
    conversation: RowKey,
    head: u64,
    keep: Keep,
    is_direct: bool,
}

impl Database {
    /// One page of a walk over the conversations of this database; `now_ns` is the wall clock in Unix nanoseconds. Every
    /// conversation has transactions of its own.
    ///
    /// # Errors
    /// Any of the database; what is gone by then stays gone. The page may be walked again.
    pub async fn trim_page(
        &self,
        retention: &Retention,
        behind: Option<WalkCursor>,
        now_ns: i64,
    ) -> Result<Walked, StoreError> {
        let (candidates, next) = self
            .transact(Access::Read, &move |transaction| {
                Box::pin(async move {
                    let found = transaction.candidates(retention, behind, now_ns).await?;
                    Ok((transaction, found))
                })
            })
            .await?;
        let mut walked = Walked { removed: 0, next };
        for candidate in &candidates {
            loop {
                let removed = self.trim(candidate, now_ns).await?;
                walked.removed += removed;
                if removed < MAX_REMOVED_ENTRIES as u64 {
                    break;
                }
            }
        }
        Ok(walked)
    }

    async fn trim(&self, candidate: &Candidate, now_ns: i64) -> Result<u64, StoreError> {
        self.transact(Access::Write, &move |mut transaction| {
            Box::pin(async move {
                let removed = transaction.trim(candidate, now_ns).await?;
                Ok((transaction, removed))
            })
        })
        .await
    }

    /// Up to which place the entries of a conversation are gone; 0 for none.
    ///
    /// # Errors
    /// [`StoreError::FenceRefused`], or any of the database.
    pub async fn trimmed_up_to(
        &self,
        epoch: Epoch,
        conversation: &ConversationId,
    ) -> Result<Seq, StoreError> {
        self.transact(Access::Read, &move |mut transaction| {
            Box::pin(async move {
                transaction
                    .admit_one(&conversation.0, epoch, Access::Read)
                    .await?;
                let text = "SELECT up_to FROM tim_trimmed WHERE slot = ? AND conversation = ?";
                let values = transaction.conversation_key(conversation);
                let rows = transaction
                    .rows(summary("SELECT", TRIMMED.name), text, values)
                    .await?;
                let up_to = rows.first().map(|row| read::number(row, 0)).transpose();
                let up_to = up_to.map_err(|error| transaction.database.error(error))?;
                Ok((transaction, Seq(up_to.unwrap_or(0))))
            })
        })
        .await
    }
}

impl Candidate {
    /// Whether an entry is to go by its age and place; `confirmed` is what every device has.
    fn goes(&self, seq: u64, timestamp_ns: i64, confirmed: Option<u64>, now_ns: i64) -> bool {
        let is_older = |age_ns: i64| timestamp_ns < now_ns.saturating_sub(age_ns);
        let is_old = self.keep.age_ns.is_some_and(is_older);
        let is_beyond = |most: u64| seq <= self.head.saturating_sub(most);
        let is_many = self.keep.entries_max.is_some_and(is_beyond);
        let waits = match (confirmed, self.keep.undelivered_ns) {
            (Some(confirmed), Some(undelivered_ns)) => seq > confirmed && !is_older(undelivered_ns),
            _ => false,
        };
        (is_old || is_many) && !waits
    }
}

impl Transaction {
    /// The conversations of the next page whose oldest entry is to go, and where the page after it begins.
    async fn candidates(
        &self,
        retention: &Retention,
        behind: Option<WalkCursor>,
        now_ns: i64,
    ) -> Result<(Vec<Candidate>, Option<WalkCursor>), StoreError> {
        let all = SlotRange {
            from: Slot(0),
            until: Slot(SLOT_COUNT),
        };
        let behind = behind.map(|cursor| {
            vec![
                Cell::Number(i64::from(cursor.slot)),
                Cell::bytes(&cursor.conversation),
            ]
        });
        let (condition, values) = condition(self.engine(), &CONVERSATION, all, &Behind(behind));
        // The page first, by the primary key; then of each conversation its first entry, by the primary key as well.
        let text = format!(
            "SELECT page.slot, page.conversation, page.head, page.relations, m.seq, m.timestamp_ns, m.kind FROM \
             (SELECT slot, conversation, head, relations FROM tim_conversation \
             WHERE {condition} ORDER BY slot, conversation LIMIT {PAGE_CONVERSATIONS}) page \
             LEFT JOIN tim_message m ON m.slot = page.slot AND m.conversation = page.conversation AND m.lane = {LANE} \
             AND m.seq = (SELECT o.seq FROM tim_message o WHERE o.slot = page.slot \
             AND o.conversation = page.conversation AND o.lane = {LANE} ORDER BY o.seq LIMIT 1) \
             ORDER BY page.slot, page.conversation"
        );
        let rows = self
            .rows(summary("SELECT", CONVERSATION.name), &text, values)
            .await?;
        let mut candidates = Vec::new();
        let mut last = None;
        for row in &rows {
            let found = candidate(row, retention, now_ns).map_err(|error| self.database.error(error))?;
            let (cursor, candidate) = found;
            last = Some(cursor);
            candidates.extend(candidate);
        }
        let is_full = rows.len() == PAGE_CONVERSATIONS as usize;
        Ok((candidates, last.filter(|_| is_full)))
    }

    /// Removes the beginning of a conversation, as far as it is to go; how many entries.
    async fn trim(&mut self, candidate: &Candidate, now_ns: i64) -> Result<u64, StoreError> {
        let slot = Slot(candidate.slot.max(0) as u32);
        self.take(&[slot]).await?;
        // Of a range that is elsewhere now, or on its way, the database that has it takes care.
        if !self.is_quiet(slot) {
            return Ok(0);
        }
        let key = || vec![candidate.slot.into(), candidate.conversation.to_vec().into()];
        let text = format!(
            "SELECT seq, timestamp_ns FROM tim_message WHERE slot = ? AND conversation = ? AND lane = {LANE} \
             ORDER BY seq LIMIT {MAX_REMOVED_ENTRIES}"
        );
        let rows = self.rows(summary("SELECT", MESSAGE.name), &text, key()).await?;
        let confirmed = match candidate.keep.undelivered_ns {
            Some(_) => Some(self.confirmed_by_all(candidate).await?),
            None => None,
        };
        let mut up_to = None;
        for row in &rows {
            let error = |error| self.database.error(error);
            let seq = read::number(row, 0).map_err(error)?;
            let timestamp_ns = row.try_get_by_index::<i64>(1).map_err(error)?;
            if !candidate.goes(seq, timestamp_ns, confirmed, now_ns) {
                break;
            }
            up_to = Some(seq as i64);
        }
        let Some(up_to) = up_to else {
            return Ok(0);
        };
        let text = format!(
            "DELETE FROM tim_message WHERE slot = ? AND conversation = ? AND lane = {LANE} AND seq <= ?"
        );
        let mut values = key();
        values.push(up_to.into());
        let removed = self.run(summary("DELETE", MESSAGE.name), &text, values).await?;
        let trimmed = vec![
            Cell::Number(i64::from(candidate.slot)),
            Cell::bytes(&candidate.conversation),
            Cell::Number(up_to),
            // It only grows.
            Cell::Number(up_to),
        ];
        self.upsert(&TRIMMED, vec![trimmed]).await?;
        Ok(removed)
    }

    /// The place that every device has confirmed; an account that has confirmed nothing yet has no row.
    async fn confirmed_by_all(&self, candidate: &Candidate) -> Result<u64, StoreError> {
        let text = "SELECT COUNT(DISTINCT account), MIN(position) FROM tim_member WHERE slot = ? AND conversation = ?";
        let values = vec![candidate.slot.into(), candidate.conversation.to_vec().into()];
        let rows = self.rows(summary("SELECT", MEMBER.name), text, values).await?;
        let Some(row) = rows.first() else {
            return Ok(0);
        };
        let error = |error| self.database.error(error);
        let accounts = row.try_get_by_index::<i64>(0).map_err(error)?;
        let lowest = row.try_get_by_index::<Option<i64>>(1).map_err(error)?;
        let all = if candidate.is_direct { 2 } else { 1 };
        Ok(lowest
            .filter(|_| accounts >= all)
            .map_or(0, |lowest| lowest.max(0) as u64))
    }
}

fn candidate(
    row: &QueryResult,
    retention: &Retention,
    now_ns: i64,
) -> Result<(WalkCursor, Option<Candidate>), sea_orm::DbErr> {
    let cursor = WalkCursor {
        slot: row.try_get_by_index(0)?,
        conversation: read::key(row, 1)?,
    };
    let Some(oldest) = row.try_get_by_index::<Option<i64>>(4)? else {
        return Ok((cursor, None));
    };
    let is_room = row.try_get_by_index::<i16>(3)? == ROOM_RELATIONS;
    // Only the system writes to its conversations.
    let is_system = row.try_get_by_index::<i16>(6)? == EntryKind::System.to_code();
    let keep = match (is_room, is_system) {
        (true, _) => Keep {
            undelivered_ns: None,
            ..retention.room
        },
        (false, true) => retention.system,
        (false, false) => retention.direct,
    };
    let candidate = Candidate {
        slot: cursor.slot,
        conversation: cursor.conversation,
        head: read::number(row, 2)?,
        keep,
        is_direct: !is_room && !is_system,
    };
    let goes = candidate.goes(oldest.max(0) as u64, row.try_get_by_index(5)?, None, now_ns);
    Ok((cursor, goes.then_some(candidate)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_is_old_or_too_much_and_not_waited_for() {
        let with = |keep| Candidate {
            slot: 0,
            conversation: RowKey::default(),
            head: 10,
            keep,
            is_direct: true,
        };
        let old = with(Keep {
            age_ns: Some(100),
            ..Keep::default()
        });
        assert!(old.goes(1, 899, None, 1_000) && !old.goes(1, 900, None, 1_000));
        let many = with(Keep {
            entries_max: Some(4),
            ..Keep::default()
        });
        assert!(many.goes(6, 999, None, 1_000) && !many.goes(7, 0, None, 1_000));
        let waiting = with(Keep {
            age_ns: Some(100),
            undelivered_ns: Some(500),
            entries_max: None,
        });
        assert!(waiting.goes(3, 600, Some(3), 1_000), "all have it");
        assert!(!waiting.goes(4, 600, Some(3), 1_000), "somebody waits for it");
        assert!(waiting.goes(4, 499, Some(3), 1_000), "but not for ever");
        assert!(!with(Keep::default()).goes(1, 0, None, i64::MAX));
    }

    #[test]
    fn without_a_wish_nothing_is_walked() {
        assert!(!Retention::default().is_on());
        let mut retention = Retention::default();
        retention.room.entries_max = Some(1_000);
        assert!(retention.is_on());
    }
}
