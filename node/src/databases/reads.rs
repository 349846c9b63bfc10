//! What sessions ask: which messages they miss, and those messages. Many sessions per query.

use super::shown::shown_behind;
use super::{Databases, SESSIONS_PER_QUERY_MAX};
use crate::mailbox::Mailbox;
use crate::session::Input;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tim_catalogue::Report;
use tim_core::conversation::Entry;
use tim_core::id::{AccountId, ConversationId, DatabaseName, DeviceClass, Epoch, Seq};
use tim_core::placement;
use tim_core::session::{Event, Position};
use tim_store::{EntriesAfter, HistoryQuery, PositionQuery};

/// Queries for undelivered messages that run at once per database.
pub(super) const UNDELIVERED_WORKERS: usize = 2;
/// Fetches that run at once per database.
pub(super) const FETCH_WORKERS: usize = 4;
/// Fetches that one worker takes: each is a query of its own.
const FETCHES_AT_ONCE: usize = 8;
/// Bodies in the answer to one fetch, in bytes.
const FETCH_BYTES_MAX: usize = 1 << 20;
/// Wait for more logins before lists are read.
const GATHER: Duration = Duration::from_millis(2);
/// The same for sessions that only look once more, as each does every minute and after a change of view: of 15,000 that are idle
/// each would be a query of its own otherwise.
const GATHER_CHECKS: Duration = Duration::from_millis(200);

/// A session that looks for undelivered messages.
#[derive(Debug)]
pub(super) struct UndeliveredJob {
    mailbox: Arc<Mailbox>,
    account: AccountId,
    class: DeviceClass,
    epoch: Epoch,
    all: bool,
}

/// A session that fetches entries.
#[derive(Debug)]
pub(super) struct FetchJob {
    mailbox: Arc<Mailbox>,
    account: AccountId,
    class: DeviceClass,
    conversation: ConversationId,
    epoch: Epoch,
    after: Option<Seq>,
    limit: u32,
}

/// Tells a session; it may have ended.
pub(super) fn tell(mailbox: &Mailbox, event: Event) {
    let _ = mailbox.post(Input::Core(Box::new(event)));
}

impl Databases {
    /// Looks for messages that an account's class of devices has not confirmed; the answer is posted.
    pub(crate) fn fetch_undelivered(
        self: &Arc<Self>,
        mailbox: &Arc<Mailbox>,
        account: AccountId,
        class: DeviceClass,
        all: bool,
    ) {
        let (name, epoch) = self.place(account.as_bytes());
        let job = UndeliveredJob {
            mailbox: Arc::clone(mailbox),
            account,
            class,
            epoch,
            all,
        };
        let databases = Arc::clone(self);
        let queues = self.queues(&name);
        let (queue, gather) = match all {
            true => (&queues.undelivered, GATHER),
            false => (&queues.checks, GATHER_CHECKS),
        };
        let queue = Arc::clone(queue);
        queue.add(job, gather, SESSIONS_PER_QUERY_MAX, move |jobs| {
            let (databases, name) = (Arc::clone(&databases), name.clone());
            async move { Box::pin(databases.undelivered(&name, jobs)).await }
        });
    }

    async fn undelivered(&self, name: &DatabaseName, jobs: Vec<UndeliveredJob>) {
        let accounts: Vec<(AccountId, Epoch)> =
            jobs.iter().map(|job| (job.account.clone(), job.epoch)).collect();
        let lists = match self.store.database(name) {
            Ok(database) => {
                let result = database.conversations_of(&accounts).await;
                self.note(name, &result, false);
                result.ok()
            }
            Err(_) => None,
        };
        let Some(lists) = lists else {
            return jobs
                .iter()
                .for_each(|job| tell(&job.mailbox, Event::UndeliveredFailed));
        };
        // One query per database that holds any of the conversations, whoever they are of.
        let mut queries: HashMap<DatabaseName, Vec<(usize, PositionQuery)>> = HashMap::new();
        let mut failed = vec![false; jobs.len()];
        for (place, list) in lists.into_iter().enumerate() {
            let Ok(list) = list else {
                failed[place] = true;
                self.need_map.notify_one();
                continue;
            };
            for listed in list {
                let (database, epoch) = self.place(&listed.conversation.0);
                let query = PositionQuery {
                    conversation: listed.conversation,
                    epoch,
                    account: jobs[place].account.clone(),
                };
                queries.entry(database).or_default().push((place, query));
            }
            // Everybody has one with the system, so no list needs to name it.
            let account = jobs[place].account.clone();
            let conversation = placement::system_conversation(&account);
            let (database, epoch) = self.place(&conversation.0);
            let query = PositionQuery {
                conversation,
                epoch,
                account,
            };
            queries.entry(database).or_default().push((place, query));
        }
        let mut positions: Vec<Vec<Position>> = vec![Vec::new(); jobs.len()];
        for (database, queries) in queries {
            self.positions(&database, &jobs, queries, &mut positions, &mut failed)
                .await;
        }
        for ((job, positions), failed) in jobs.into_iter().zip(positions).zip(failed) {
            tracing::trace!(
                all = job.all,
                failed,
                ?positions,
                "looked for undelivered messages"
            );
            let event = if failed {
                Event::UndeliveredFailed
            } else {
                Event::Undelivered(positions)
            };
            tell(&job.mailbox, event);
        }
    }

    async fn positions(
        &self,
        name: &DatabaseName,
        jobs: &[UndeliveredJob],
        queries: Vec<(usize, PositionQuery)>,
        positions: &mut [Vec<Position>],
        failed: &mut [bool],
    ) {
        let (places, queries): (Vec<usize>, Vec<PositionQuery>) = queries.into_iter().unzip();
        let answers = match self.store.database(name) {
            Ok(database) => {
                let result = database.positions(&queries).await;
                self.note(name, &result, false);
                result.ok()
            }
            Err(_) => None,
        };
        let Some(answers) = answers else {
            return places.into_iter().for_each(|place| failed[place] = true);
        };
        for ((place, query), answer) in places.into_iter().zip(queries).zip(answers) {
            let job = &jobs[place];
            match answer {
                Err(_) => {
                    failed[place] = true;
                    self.need_map.notify_one();
                }
                Ok(position) => {
                    let cursor = position.cursor(&job.account, job.class);
                    // One that never had an entry costs the session nothing: its first one is found like any other.
                    if (job.all && position.head > Seq(0)) || cursor < position.head {
                        positions[place].push(Position {
                            conversation: query.conversation,
                            cursor,
                            head: position.head,
                        });
                    }
                }
            }
        }
    }

    /// Reads entries of a conversation in order; the answer is posted.
    pub(crate) fn fetch_entries(
        self: &Arc<Self>,
        mailbox: &Arc<Mailbox>,
        account: AccountId,
        class: DeviceClass,
        conversation: ConversationId,
        after: Option<Seq>,
        limit: u32,
    ) {
        let (name, epoch) = self.place(&conversation.0);
        let job = FetchJob {
            mailbox: Arc::clone(mailbox),
            account,
            class,
            conversation,
            epoch,
            after,
            limit,
        };
        let databases = Arc::clone(self);
        let queue = Arc::clone(&self.queues(&name).fetches);
        queue.add(job, Duration::ZERO, FETCHES_AT_ONCE, move |jobs| {
            let (databases, name) = (Arc::clone(&databases), name.clone());
            async move {
                for job in jobs {
                    let event = Box::pin(databases.fetch(&name, &job)).await;
                    tell(
                        &job.mailbox,
                        event.unwrap_or(Event::FetchFailed(job.conversation)),
                    );
                }
            }
        });
    }

    async fn fetch(&self, name: &DatabaseName, job: &FetchJob) -> Option<Event> {
        let database = self.store.database(name).ok()?;
        let query = PositionQuery {
            conversation: job.conversation,
            epoch: job.epoch,
            account: job.account.clone(),
        };
        let result = database.positions(&[query]).await;
        self.note(name, &result, false);
        let Some(Ok(position)) = result.ok()?.into_iter().next() else {
            self.need_map.notify_one();
            return None;
        };
        let cursor = position.cursor(&job.account, job.class);
        let from = job.after.unwrap_or(cursor);
        let result = shown_behind(&database, (&job.conversation, job.epoch), from, &position).await;
        self.note(name, &result, false);
        let shown = result.ok()?;
        let mut entries: Vec<Arc<Entry>> = Vec::new();
        if shown.until > shown.after {
            let result = database
                .entries_after(EntriesAfter {
                    conversation: job.conversation,
                    epoch: job.epoch,
                    after: shown.after,
                    limit: job.limit,
                    max_bytes: FETCH_BYTES_MAX,
                })
                .await;
            self.note(name, &result, false);
            let visible = result.ok()?.into_iter().filter(|entry| entry.seq <= shown.until);
            entries = visible.map(Arc::new).collect();
        }
        let expected = shown.after.next();
        let is_gap = match entries.first() {
            Some(first) => first.seq > expected,
            None => position.head > shown.after && shown.until > shown.after,
        };
        let mut nothing_until = shown.after;
        if is_gap {
            // What is missing at the beginning has gone because it was too old; anything else would be a loss.
            let result = database.trimmed_up_to(job.epoch, &job.conversation).await;
            self.note(name, &result, false);
            nothing_until = nothing_until.max(result.ok()?.min(shown.until));
            entries.retain(|entry| entry.seq > nothing_until);
        }
        tracing::trace!(after = ?job.after, entries = entries.len(), ?position, "fetched entries");
        // What was stored between the two queries is there already.
        let newest = entries.last().map_or(Seq(0), |entry| entry.seq);
        Some(Event::Fetched {
            conversation: job.conversation,
            entries,
            skip: (nothing_until > from).then_some((from, nothing_until)),
            cursor,
            head: position.head.max(newest),
        })
    }

    /// A page of history, newest first.
    pub(crate) async fn history(
        &self,
        conversation: &ConversationId,
        up_to: Option<Seq>,
        not_after_ns: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Entry>, Report> {
        let (name, epoch) = self.place(&conversation.0);
        let database = self.database(&name)?;
        let query = HistoryQuery {
            conversation: *conversation,
            epoch,
            up_to,
            not_after_ns,
            limit,
        };
        let result = database.history(query).await;
        self.note(&name, &result, false);
        result.map_err(|error| error.report())
    }
}
