//! The group commit: submissions to many conversations, decided and stored in one transaction.
//!
//! The order inside is that of [`tim_core::conversation`]: fences, conversation rows locked in key order, entries that
//! are there already, the decision, the writes, the members' cursors. The number of statements depends on neither the
//! number of conversations nor, but for the size of an INSERT, on the number of messages.

mod load;
mod write;

use std::collections::BTreeSet;

use tim_core::conversation::{
    BatchResult, ConversationBatch, ConversationOutcome, Decision, Found, KnownEntry, Operation, decide,
};
use tim_core::id::{ConversationId, Slot};
use tim_core::placement;
use tracing::Instrument;

use crate::dsn::Engine;
use crate::error::{Changed, StoreError};
use crate::fence::Access;
use crate::keys::RowKey;
use crate::store::Database;
use crate::transaction::{Backoff, Transaction};
use load::Loaded;

/// After so many failures together every conversation gets a transaction of its own, so that one cannot hold up the
/// others.
const FAILURES_TOGETHER: u32 = 2;

/// A conversation's batch with what is the same in every attempt: its keys, and the sealed bodies.
struct Prepared<'a> {
    batch: &'a ConversationBatch,
    slot: Slot,
    conversation: RowKey,
    messages: Vec<PreparedMessage>,
}

struct PreparedMessage {
    client_key: Option<RowKey>,
    /// The sealed part of its entry; of a room it is made with the decision.
    sealed: Option<Vec<u8>>,
}

/// What a failed or finished append means to the home.
#[must_use]
pub fn batch_result(result: Result<Vec<ConversationOutcome>, StoreError>) -> BatchResult {
    match result {
        Ok(outcomes) => BatchResult::Committed(outcomes),
        Err(error) if error.changed() == Changed::Perhaps => BatchResult::Unknown,
        Err(_) => BatchResult::Failed,
    }
}

impl Database {
    /// Decides and stores batches of conversations whose ranges this database holds; `now_ns` is the wall clock in
    /// Unix nanoseconds. One outcome per batch, in order.
    ///
    /// When it is dropped while it runs, the outcome is unknown as with [`StoreError::CommitInDoubt`]: all of a
    /// transaction or nothing is stored, its locks go with it, and the same batches may be run again.
    ///
    /// A message that is larger than [`crate::MAX_BODY_BYTES`] is refused alone, the others are stored; whoever takes
    /// messages from clients refuses it before.
    ///
    /// # Errors
    /// [`StoreError::CommitInDoubt`]: perhaps stored; run the same batches again, with the same expected versions.
    /// Anything else: nothing was stored.
    pub async fn append(
        &self,
        batches: &[ConversationBatch],
        now_ns: i64,
    ) -> Result<Vec<ConversationOutcome>, StoreError> {
        let span = tracing::info_span!(
            "tim.home commit",
            tim.database.name = self.name().as_str(),
            tim.partition.epoch = batches.first().map_or(0, |batch| batch.epoch.0),
            messaging.batch.message_count =
                batches.iter().map(|batch| batch.submissions.len()).sum::<usize>(),
        );
        async {
            let prepared: Result<Vec<_>, _> = batches.iter().map(|batch| self.prepare_batch(batch)).collect();
            let all: Vec<&ConversationBatch> = batches.iter().collect();
            match prepared {
                // The second would be judged by a state that the first is about to change.
                Ok(_) if has_twice(batches) => self.append_one_by_one(&all, now_ns).await,
                Ok(prepared) => self.append_together(&prepared, now_ns).await,
                Err(_) if batches.len() > 1 => self.append_one_by_one(&all, now_ns).await,
                Err(error) => Err(error),
            }
        }
        .instrument(span)
        .await
    }

    async fn append_together(
        &self,
        prepared: &[Prepared<'_>],
        now_ns: i64,
    ) -> Result<Vec<ConversationOutcome>, StoreError> {
        let mut backoff = Backoff::new(self.engine());
        let mut failures = 0;
        loop {
            let error = match self.append_attempt(prepared, now_ns).await {
                Ok(outcomes) => return Ok(outcomes),
                Err(error) => error,
            };
            failures += 1;
            if prepared.len() > 1 && self.may_be_one_conversation(&error, failures) {
                let batches: Vec<_> = prepared.iter().map(|one| one.batch).collect();
                return self.append_one_by_one(&batches, now_ns).await;
            }
            backoff.next(self, error).await?;
        }
    }

    /// Whether another division of the batch could help: a deadlock that repeats, or a row that the engine refuses.
    /// A busy SQLite file has nothing to do with what is written.
    fn may_be_one_conversation(&self, error: &StoreError, failures: u32) -> bool {
        match error {
            StoreError::Contention { .. } => failures >= FAILURES_TOGETHER && self.engine() != Engine::Sqlite,
            StoreError::Engine { .. } | StoreError::DamagedRow { .. } => true,
            _ => false,
        }
    }

    async fn append_one_by_one(
        &self,
        batches: &[&ConversationBatch],
        now_ns: i64,
    ) -> Result<Vec<ConversationOutcome>, StoreError> {
        let mut outcomes = Vec::with_capacity(batches.len());
        for batch in batches {
            let appended = async {
                let prepared = self.prepare_batch(batch)?;
                Box::pin(self.append_together(std::slice::from_ref(&prepared), now_ns)).await
            };
            match appended.await {
                Ok(outcome) => outcomes.extend(outcome),
                Err(error) if error.changed() == Changed::Perhaps => return Err(error),
                Err(error) => {
                    // The others are committed, so the call as a whole cannot fail any more. For this conversation
                    // nothing was written, which is what a conflict says: it is opened anew and sent again in order.
                    tracing::warn!(database = %self.name(), %error, "a conversation could not be written");
                    let known = vec![None; batch.submissions.len()];
                    outcomes.push(ConversationOutcome::Conflict { known });
                }
            }
        }
        Ok(outcomes)
    }

    async fn append_attempt(
        &self,
        prepared: &[Prepared<'_>],
        now_ns: i64,
    ) -> Result<Vec<ConversationOutcome>, StoreError> {
        let mut transaction = self.begin(Access::Write).await?;
        let outcomes = transaction.append(prepared, now_ns).await?;
        if outcomes.changed {
            transaction.commit().await?;
        } else {
            transaction.rollback().await;
        }
        Ok(outcomes.outcomes)
    }

    fn prepare_batch<'a>(&self, batch: &'a ConversationBatch) -> Result<Prepared<'a>, StoreError> {
        let conversation = self.keys().conversation(&batch.conversation);
        let messages = batch
            .submissions
            .iter()
            .map(|submission| {
                let client_key = submission.client_id.map(|id| {
                    self.keys().client(
                        &batch.conversation,
                        &submission.sender,
                        id,
                        &submission.content_hash,
                    )
                });
                let sealed = match submission.operation {
                    // Who is told is known only when it is decided.
                    Operation::Room(_) => None,
                    _ => Some(self.seal_entry(&conversation, submission)?),
                };
                Ok(PreparedMessage { client_key, sealed })
            })
            .collect::<Result<_, StoreError>>()?;
        Ok(Prepared {
            batch,
            slot: placement::slot(&batch.conversation.0),
            conversation,
            messages,
        })
    }
}

/// What one attempt has decided.
struct Outcomes {
    outcomes: Vec<ConversationOutcome>,
    /// Whether there is anything to commit.
    changed: bool,
}

impl Transaction {
    async fn append(&mut self, prepared: &[Prepared<'_>], now_ns: i64) -> Result<Outcomes, StoreError> {
        let Loaded {
            admitted,
            states,
            known,
            cursors,
        } = self.load(prepared).await?;
        let targets = self.targets_of(prepared, &states).await?;
        let members = self.members_of(prepared, &states).await?;
        let mut writes = write::Writes::default();
        let mut outcomes = Vec::with_capacity(prepared.len());
        for (place, one) in prepared.iter().enumerate() {
            if let Err(refusal) = &admitted[place] {
                outcomes.push(ConversationOutcome::Fenced(refusal.clone()));
                continue;
            }
            let locked = states.get(&place);
            let state = locked.cloned().unwrap_or_default();
            let known = known.get(&place).map_or(&[][..], Vec::as_slice);
            let targets = targets.get(&place).map_or(&[][..], Vec::as_slice);
            let erasable: Vec<KnownEntry> = targets.iter().map(|target| target.known.clone()).collect();
            let found = Found {
                known,
                targets: &erasable,
                members: members.get(&place).map_or(&[][..], Vec::as_slice),
            };
            outcomes.push(match decide(&state, found, one.batch, now_ns) {
                Decision::Conflict { known } => ConversationOutcome::Conflict { known },
                Decision::Apply {
                    verdicts,
                    state,
                    members,
                    changed,
                } => {
                    if changed {
                        writes.add(&self.database, one, &verdicts, &state, locked)?;
                        writes.add_members(&self.database, one, &state, &members)?;
                        writes.erase(one, &verdicts, &state, targets);
                        writes.announce(&self.database, one, &verdicts, &state)?;
                    }
                    let cursors = cursors.get(&place).cloned().unwrap_or_default();
                    ConversationOutcome::Done {
                        verdicts,
                        version: state.version,
                        cursors,
                    }
                }
            });
        }
        let changed = !writes.is_empty();
        self.write_appended(writes).await?;
        Ok(Outcomes { outcomes, changed })
    }
}

fn has_twice(batches: &[ConversationBatch]) -> bool {
    let distinct: BTreeSet<ConversationId> = batches.iter().map(|batch| batch.conversation).collect();
    distinct.len() != batches.len()
}
