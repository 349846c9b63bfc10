//! The spans of sampled messages inside the engine. Nearly all messages are not sampled: then nothing here is touched.

use crate::session::Traces;
use std::collections::HashMap;
use tim_core::conversation::{BatchResult, ConversationBatch};
use tim_core::delivery::{Committed, Push};
use tim_core::home::RequestId;
use tim_core::id::{DatabaseName, MessageKey};
use tim_core::time::Moment;
use tim_telemetry::{Kind, Span, TraceContext, attribute, names};

/// A trace that nobody ended after so long has lost its message; its spans are closed.
const KEPT_MS: u64 = 60_000;
/// Sampled messages under way; more are not followed.
const FOLLOWED_MAX: usize = 4_096;

/// Spans and contexts by message.
#[derive(Debug, Default)]
pub(super) struct Traced {
    /// At the session's node: from the submission to the outcome.
    appends: HashMap<MessageKey, (Span, Moment)>,
    /// At the home: where commit, look-up and delivery hang.
    homes: HashMap<MessageKey, AtHome>,
    batches: HashMap<RequestId, Vec<MessageKey>>,
}

#[derive(Debug)]
struct AtHome {
    context: TraceContext,
    look_up: Span,
    since: Moment,
}

/// Spans of a transaction; they end when it does.
#[derive(Debug, Default)]
pub(super) struct CommitSpans {
    _statement: Span,
    _commit: Span,
}

impl Traced {
    /// A session submits a message of a trace.
    pub(super) fn submitted(&mut self, key: MessageKey, trace: Option<TraceContext>) {
        if trace.is_none() || self.appends.len() >= FOLLOWED_MAX {
            return;
        }
        let span = Span::child(&names::HOME_APPEND, Kind::Internal, trace);
        self.appends.insert(key, (span, crate::clock::now()));
    }

    /// A peer's message of a trace arrives at this home.
    pub(super) fn arrived(&mut self, key: MessageKey, trace: Option<TraceContext>) {
        let Some(context) = trace else { return };
        if self.homes.len() < FOLLOWED_MAX {
            self.homes.insert(
                key,
                AtHome {
                    context,
                    look_up: Span::none(),
                    since: crate::clock::now(),
                },
            );
        }
    }

    /// The home is this node.
    pub(super) fn at_own_home(&mut self, key: MessageKey) {
        if !self.appends.is_empty() {
            let trace = self.sent(key, false);
            self.arrived(key, trace);
        }
    }

    /// The home is another node; what travels with the message.
    pub(super) fn at_remote_home(&mut self, key: MessageKey) -> Option<TraceContext> {
        if self.appends.is_empty() {
            return None;
        }
        self.sent(key, true)
    }

    fn sent(&mut self, key: MessageKey, remote: bool) -> Option<TraceContext> {
        let (span, _) = self.appends.get_mut(&key)?;
        span.set(attribute(&names::HOME_REMOTE, remote));
        span.context()
    }

    /// The message has an outcome.
    pub(super) fn outcome(&mut self, key: MessageKey) {
        if !self.appends.is_empty() {
            self.appends.remove(&key);
        }
    }

    /// A transaction begins: one span, in the trace of its first sampled message, linked to the others.
    pub(super) fn committing(
        &mut self,
        request: RequestId,
        database: &DatabaseName,
        conversations: &[ConversationBatch],
        messages: usize,
    ) -> CommitSpans {
        if self.homes.is_empty() {
            return CommitSpans::default();
        }
        let sampled: Vec<(MessageKey, TraceContext)> = conversations
            .iter()
            .flat_map(|batch| &batch.submissions)
            .filter_map(|submission| {
                self.homes
                    .get(&submission.key)
                    .map(|home| (submission.key, home.context))
            })
            .collect();
        let Some((_, first)) = sampled.first() else {
            return CommitSpans::default();
        };
        let mut commit = Span::child(&names::HOME_COMMIT, Kind::Internal, Some(*first));
        let count = i64::try_from(messages).unwrap_or(i64::MAX);
        commit.set(attribute(&names::MESSAGING_BATCH_MESSAGE_COUNT, count));
        commit.set(attribute(&names::DATABASE_NAME, database.as_str().to_owned()));
        for (_, context) in &sampled {
            commit.link(*context);
        }
        let mut statement = Span::child(&names::INSERT_MESSAGE, Kind::Client, commit.context());
        statement.set(attribute(&names::DB_OPERATION_BATCH_SIZE, count));
        statement.set(attribute(&names::DB_QUERY_SUMMARY, names::INSERT_MESSAGE.name));
        self.batches
            .insert(request, sampled.into_iter().map(|(key, _)| key).collect());
        CommitSpans {
            _statement: statement,
            _commit: commit,
        }
    }

    /// A transaction ended; what it did not store is sent again and then followed anew.
    pub(super) fn committed(&mut self, request: RequestId, result: &BatchResult) {
        if self.batches.is_empty() {
            return;
        }
        let keys = self.batches.remove(&request).unwrap_or_default();
        if !matches!(result, BatchResult::Committed(_)) {
            for key in keys {
                self.homes.remove(&key);
            }
        }
    }

    /// The recipients of what became durable are looked for.
    pub(super) fn looking_up(&mut self, committed: &[Committed]) {
        if self.homes.is_empty() {
            return;
        }
        for (entry, _) in committed.iter().flat_map(|committed| &committed.entries) {
            if let Some(home) = self.homes.get_mut(&entry.key) {
                home.look_up = Span::child(&names::PRESENCE_LOOKUP, Kind::Internal, Some(home.context));
            }
        }
    }

    /// Entries are sent on; what travels with them.
    pub(super) fn sending(&mut self, pushes: &[Push]) -> Traces {
        if self.homes.is_empty() {
            return Vec::new();
        }
        let mut traces = Vec::new();
        for (place, push) in pushes.iter().enumerate() {
            for entry in &push.entries {
                if let Some(home) = self.homes.get_mut(&entry.key) {
                    if home.look_up.is_recording() {
                        let found = i64::try_from(pushes.len()).unwrap_or(i64::MAX);
                        home.look_up.set(attribute(&names::PRESENCE_FOUND, found));
                    }
                    home.look_up = Span::none();
                    if place == 0 || traces.iter().all(|(key, _)| *key != entry.key) {
                        traces.push((entry.key, home.context));
                    }
                }
            }
        }
        traces
    }

    /// Forgets what has waited too long.
    pub(super) fn forget_old(&mut self, now: Moment) {
        if !self.appends.is_empty() {
            self.appends
                .retain(|_, (_, since)| now.since_ms(*since) < KEPT_MS);
        }
        if !self.homes.is_empty() {
            self.homes.retain(|_, home| now.since_ms(home.since) < KEPT_MS);
        }
    }
}
