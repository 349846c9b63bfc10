//! Batches of homes: begin, lock, decide, commit.

use std::sync::Arc;

use tim_core::conversation::{
    BatchResult, ConversationBatch, ConversationOutcome, ConversationState, Decision, Entry, Found,
    RoomMember, RoomMove, Verdict, decide,
};
use tim_core::home::RequestId;
use tim_core::id::{ContentHash, ConversationId, Seq};

use crate::checker::StoredEntry;
use crate::database::Waiting;
use crate::event::{Asker, DatabaseEvent, DatabaseIndex, DatabaseReply, Event};
use crate::node::Status;
use crate::options::{MILLISECOND, Mutation, SECOND};
use crate::world::World;

/// An idle transaction is ended by the database.
const IDLE_LIMIT: u64 = 3 * SECOND;

/// What a transaction will write to one conversation.
pub(crate) struct Write {
    conversation: ConversationId,
    state: ConversationState,
    entries: Vec<(Arc<Entry>, ContentHash, Option<RoomMove>)>,
    erased: Vec<Seq>,
    standings: Vec<RoomMember>,
}

impl Write {
    fn of(
        batch: &ConversationBatch,
        verdicts: &[Verdict],
        state: ConversationState,
        standings: Vec<RoomMember>,
    ) -> Self {
        Self {
            conversation: batch.conversation,
            state,
            entries: entries_of(batch, verdicts),
            erased: erased_by(verdicts),
            standings,
        }
    }
}

pub(crate) struct Transaction {
    asker: Asker,
    request: RequestId,
    conversations: Vec<ConversationId>,
    writes: Vec<Write>,
    outcomes: Vec<ConversationOutcome>,
    /// The home has been answered already.
    answered: bool,
}

impl World {
    pub(crate) fn begin(
        &mut self,
        database: DatabaseIndex,
        asker: Asker,
        request: RequestId,
        batches: Vec<ConversationBatch>,
    ) {
        let node = &self.nodes[asker.node];
        if node.boot != asker.boot || node.status == Status::Down {
            return;
        }
        if node.status == Status::Stopped && self.chance(0.7) {
            // The statement had not left the node when it was stopped.
            let event = DatabaseEvent::Begin {
                asker,
                request,
                batches,
            };
            self.nodes[asker.node]
                .held_up
                .push(Event::Database { database, event });
            return;
        }
        if self.databases[database].down {
            self.answer_batch(asker, request, BatchResult::Failed, 20 * MILLISECOND);
        } else if self.databases[database].may_lock(&batches) {
            self.decide(database, asker, request, batches);
        } else {
            self.databases[database].waiting.push_back(Waiting {
                asker,
                request,
                batches,
            });
        }
    }

    /// The locks are held: reads, decides, and has the commit follow.
    fn decide(
        &mut self,
        database: DatabaseIndex,
        asker: Asker,
        request: RequestId,
        batches: Vec<ConversationBatch>,
    ) {
        if self.chance(0.002) {
            self.answer_batch(asker, request, BatchResult::Failed, 5 * MILLISECOND);
            return;
        }
        let now_ns = self.wall_ns(asker.node);
        // The planted bug: a version that only a refusal raised stays.
        let forgets = self.options.mutation == Some(Mutation::RefuseWithoutVersion);
        let conversations: Vec<ConversationId> = batches.iter().map(|batch| batch.conversation).collect();
        let mut writes = Vec::new();
        let mut outcomes = Vec::new();
        for batch in &batches {
            let row = self.databases[database]
                .rows
                .entry(batch.conversation)
                .or_default();
            let known = row.known(batch);
            let targets = row.targets(batch);
            let cursors = row.cursors(&self.accounts);
            let members = row.concerned(batch);
            let is_room = row.state.room.is_some();
            let found = Found {
                known: &known,
                targets: &targets,
                members: &members,
            };
            match decide(&row.state, found, batch, now_ns) {
                Decision::Conflict { known } => outcomes.push(ConversationOutcome::Conflict { known }),
                Decision::Apply {
                    verdicts,
                    state,
                    members,
                    changed,
                } => {
                    let version = if forgets && !stores(&verdicts) {
                        row.state.version
                    } else {
                        state.version
                    };
                    let state = ConversationState { version, ..state };
                    if changed {
                        writes.push(Write::of(batch, &verdicts, state, members));
                    }
                    outcomes.push(ConversationOutcome::Done {
                        verdicts,
                        version,
                        cursors: if is_room { Vec::new() } else { cursors },
                    });
                }
            }
        }
        self.hold(database, (asker, request), conversations, writes, outcomes);
    }

    /// Decided: the locks are held until the commit.
    fn hold(
        &mut self,
        database: DatabaseIndex,
        (asker, request): (Asker, RequestId),
        conversations: Vec<ConversationId>,
        writes: Vec<Write>,
        outcomes: Vec<ConversationOutcome>,
    ) {
        let early = self.options.mutation == Some(Mutation::AcknowledgeBeforeCommit);
        if early {
            let result = BatchResult::Committed(outcomes.clone());
            self.answer_batch(asker, request, result, MILLISECOND);
        }
        let held = &mut self.databases[database];
        held.last_transaction += 1;
        let transaction = held.last_transaction;
        held.locked.extend(&conversations);
        let running = Transaction {
            asker,
            request,
            conversations,
            writes,
            outcomes,
            answered: early,
        };
        held.transactions.insert(transaction, running);
        let after = self.database_latency(database) + self.between(300, 4_000);
        let event = DatabaseEvent::Commit {
            transaction,
            tries: 0,
        };
        self.later(after, Event::Database { database, event });
    }

    pub(crate) fn commit(&mut self, database: DatabaseIndex, transaction: u64, tries: u32) {
        let Some(running) = self.databases[database].transactions.get(&transaction) else {
            return;
        };
        let asker = running.asker;
        let node = &self.nodes[asker.node];
        let dead = node.boot != asker.boot || node.status == Status::Down;
        let stopped = node.status == Status::Stopped;
        if dead || (stopped && tries == 0) {
            if self.chance(0.4) {
                // The commit had left the node before.
                self.apply(database, transaction);
                return;
            }
            let limit = if dead {
                self.between(MILLISECOND, IDLE_LIMIT)
            } else {
                IDLE_LIMIT
            };
            self.later(
                limit,
                Event::Database {
                    database,
                    event: DatabaseEvent::Abort { transaction },
                },
            );
            if stopped {
                let event = DatabaseEvent::Commit {
                    transaction,
                    tries: tries + 1,
                };
                self.nodes[asker.node]
                    .held_up
                    .push(Event::Database { database, event });
            }
            return;
        }
        if self.databases[database].down || self.chance(0.003) {
            self.lose_connection(database, transaction);
        } else if self.chance(0.002) {
            self.finish_batch(database, transaction, BatchResult::Failed);
            self.abort(database, transaction);
        } else {
            self.apply(database, transaction);
        }
    }

    /// The connection breaks around the commit: nobody on this side learns whether it happened.
    fn lose_connection(&mut self, database: DatabaseIndex, transaction: u64) {
        self.finish_batch(database, transaction, BatchResult::Unknown);
        let event = match self.random_choice(3) {
            0 => DatabaseEvent::Abort { transaction },
            _ => DatabaseEvent::LateCommit { transaction },
        };
        let after = self.between(0, 2 * SECOND);
        self.later(after, Event::Database { database, event });
    }

    pub(crate) fn late_commit(&mut self, database: DatabaseIndex, transaction: u64) {
        if self.databases[database].transactions.contains_key(&transaction) {
            self.apply(database, transaction);
        }
    }

    pub(crate) fn abort(&mut self, database: DatabaseIndex, transaction: u64) {
        if let Some(ended) = self.databases[database].transactions.remove(&transaction) {
            if !ended.answered {
                self.answer_batch(ended.asker, ended.request, BatchResult::Failed, MILLISECOND);
            }
            self.release(database, &ended.conversations);
        }
    }

    /// It is durable.
    fn apply(&mut self, database: DatabaseIndex, transaction: u64) {
        let Some(done) = self.databases[database].transactions.remove(&transaction) else {
            return;
        };
        for write in done.writes {
            let pair = self.pair_of(&write.conversation);
            for (entry, _, moves) in &write.entries {
                let stored = StoredEntry {
                    conversation: write.conversation,
                    pair,
                    seq: entry.seq.0,
                    tag: Self::tag_of(&entry.body),
                    sender: self.account_index(&entry.sender),
                    kind: entry.kind,
                    timestamp_ns: entry.timestamp_ns,
                    audience: entry
                        .audience
                        .iter()
                        .map(|account| self.account_index(account))
                        .collect(),
                    moves: moves.as_ref().map(|moves| match moves {
                        RoomMove::Joined(account) => (self.account_index(account), true),
                        RoomMove::Left(account) => (self.account_index(account), false),
                    }),
                };
                self.checker.committed(self.now, &stored);
            }
            for seq in &write.erased {
                self.checker.erased(self.now, &write.conversation, seq.0);
            }
            let row = self.databases[database]
                .rows
                .entry(write.conversation)
                .or_default();
            row.state = write.state;
            for member in write.standings {
                row.standings.insert(member.account.clone(), member);
            }
            for (entry, hash, _) in write.entries {
                row.insert(entry, hash);
            }
            for seq in write.erased {
                row.erase(seq);
            }
        }
        if !done.answered {
            self.answer_batch(done.asker, done.request, BatchResult::Committed(done.outcomes), 0);
        }
        self.release(database, &done.conversations);
    }

    /// Lets go of the locks; those who wait go on, in their order.
    fn release(&mut self, database: DatabaseIndex, conversations: &[ConversationId]) {
        for conversation in conversations {
            self.databases[database].locked.remove(conversation);
        }
        let waiting = std::mem::take(&mut self.databases[database].waiting);
        for Waiting {
            asker,
            request,
            batches,
        } in waiting
        {
            self.begin(database, asker, request, batches);
        }
    }

    fn finish_batch(&mut self, database: DatabaseIndex, transaction: u64, result: BatchResult) {
        let Some(running) = self.databases[database].transactions.get_mut(&transaction) else {
            return;
        };
        if !std::mem::replace(&mut running.answered, true) {
            let (asker, request) = (running.asker, running.request);
            self.answer_batch(asker, request, result, MILLISECOND);
        }
    }

    fn answer_batch(&mut self, asker: Asker, request: RequestId, result: BatchResult, after: u64) {
        let reply = DatabaseReply::Batch { request, result };
        let after = after + self.between(100, 800);
        self.answer(asker, reply, after);
    }

    pub(crate) fn random_choice(&mut self, choices: u64) -> u64 {
        self.between(0, choices - 1)
    }
}

fn entries_of(
    batch: &ConversationBatch,
    verdicts: &[Verdict],
) -> Vec<(Arc<Entry>, ContentHash, Option<RoomMove>)> {
    let pairs = batch.submissions.iter().zip(verdicts);
    pairs
        .filter_map(|(submission, verdict)| match verdict {
            Verdict::Store { entry, moves, .. } => {
                Some((entry.clone(), submission.content_hash, moves.clone()))
            }
            _ => None,
        })
        .collect()
}

fn erased_by(verdicts: &[Verdict]) -> Vec<Seq> {
    let erased = verdicts.iter().filter_map(|verdict| match verdict {
        Verdict::Store { erases, .. } => *erases,
        _ => None,
    });
    erased.collect()
}

fn stores(verdicts: &[Verdict]) -> bool {
    verdicts
        .iter()
        .any(|verdict| matches!(verdict, Verdict::Store { .. }))
}
