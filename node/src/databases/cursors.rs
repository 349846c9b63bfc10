//! Moving delivered cursors: everything that was confirmed within a moment in one transaction per database.

use super::Databases;
use super::reads::tell;
use crate::mailbox::Mailbox;
use std::sync::Arc;
use std::time::Duration;
use tim_core::id::{AccountId, ConversationId, DatabaseName, DeviceClass, Epoch, Seq};
use tim_core::session::Event;
use tim_store::{Advanced, CursorAdvance};

/// How long confirmations are gathered. Until then a device that breaks off is given its last messages again, which it
/// knows by their ids; in return a transaction carries the confirmations of many.
const GATHER: Duration = Duration::from_millis(50);
/// Most cursors in one transaction.
const CURSORS_PER_TRANSACTION: usize = 2_000;

/// A cursor to be moved.
#[derive(Debug)]
pub(super) struct MoveJob {
    mailbox: Arc<Mailbox>,
    account: AccountId,
    class: DeviceClass,
    conversation: ConversationId,
    epoch: Epoch,
    from: Seq,
    to: Seq,
    /// The session has ended: what stood elsewhere by an earlier move of it is moved on from there.
    last: bool,
}

impl Databases {
    /// Moves a cursor, if it still is where the session saw it; the answer is posted.
    pub(crate) fn move_cursor(
        self: &Arc<Self>,
        mailbox: &Arc<Mailbox>,
        account: AccountId,
        class: DeviceClass,
        conversation: ConversationId,
        (from, to): (Seq, Seq),
        last: bool,
    ) {
        let (name, epoch) = self.place(&conversation.0);
        let job = MoveJob {
            mailbox: Arc::clone(mailbox),
            account,
            class,
            conversation,
            epoch,
            from,
            to,
            last,
        };
        let databases = Arc::clone(self);
        let queue = Arc::clone(&self.queues(&name).cursors);
        queue.add(job, GATHER, CURSORS_PER_TRANSACTION, move |jobs| {
            let (databases, name) = (Arc::clone(&databases), name.clone());
            async move {
                Box::pin(databases.move_cursors(&name, jobs)).await;
                // The next transaction takes what is confirmed until then.
                tokio::time::sleep(GATHER).await;
            }
        });
    }

    async fn move_cursors(self: &Arc<Self>, name: &DatabaseName, jobs: Vec<MoveJob>) {
        let advances: Vec<CursorAdvance> = jobs
            .iter()
            .map(|job| CursorAdvance {
                conversation: job.conversation,
                epoch: job.epoch,
                account: job.account.clone(),
                class: job.class,
                from: job.from,
                to: job.to,
            })
            .collect();
        let answers = match self.store.database(name) {
            Ok(database) => {
                let result = database.advance_cursors(&advances).await;
                self.note(name, &result, true);
                result.ok()
            }
            Err(_) => None,
        };
        let mut answers = answers.into_iter().flatten();
        for job in jobs {
            let answer = answers.next();
            if let (true, Some(Ok(Advanced::Elsewhere(cursor)))) = (job.last, &answer) {
                self.move_on(job, *cursor);
                continue;
            }
            let event = match answer {
                Some(Ok(Advanced::Moved)) => Event::CursorMoved {
                    conversation: job.conversation,
                    cursor: job.to,
                },
                Some(Ok(Advanced::Elsewhere(cursor))) => Event::CursorMoved {
                    conversation: job.conversation,
                    cursor,
                },
                Some(Err(_)) => {
                    self.need_map.notify_one();
                    Event::CursorFailed(job.conversation)
                }
                None => Event::CursorFailed(job.conversation),
            };
            tell(&job.mailbox, event);
        }
    }

    /// The last move of a session, once more from where the cursor stands now.
    fn move_on(self: &Arc<Self>, job: MoveJob, cursor: Seq) {
        if cursor < job.to {
            self.move_cursor(
                &job.mailbox,
                job.account,
                job.class,
                job.conversation,
                (cursor, job.to),
                true,
            );
        }
    }
}
