//! A node that writes to the range: it believes a database and an epoch, and follows what the fences say.

use super::database::{Row, State};
use super::world::{Event, KEYS, World};
use crate::options::{MILLISECOND, Mutation};

/// A node that waited longer for a cut-over sets it back.
const PAUSE_LIMIT: u64 = 600 * MILLISECOND;

#[derive(Debug, Clone)]
pub(super) struct Writer {
    place: usize,
    epoch: u64,
    /// Since when a cut-over makes it wait.
    waits_since: Option<u64>,
    /// The transaction under way.
    running: Option<Transaction>,
}

#[derive(Debug, Clone, Copy)]
struct Transaction {
    key: u32,
    delete: bool,
    /// The fence said so when it was read.
    copying: bool,
    holds: bool,
}

impl Default for Writer {
    fn default() -> Self {
        Self {
            place: 0,
            epoch: 1,
            waits_since: None,
            running: None,
        }
    }
}

impl World {
    /// Takes the fence; goes on if range and epoch are as the node believes, else corrects the belief.
    pub(super) fn write(&mut self, number: usize) {
        let (place, epoch) = (self.writers[number].place, self.writers[number].epoch);
        let fence = self.databases[place].fence;
        let again = match fence.map(|fence| (fence, fence.state)) {
            Some((fence, State::Open)) if fence.epoch == epoch => {
                self.begin_write(number, fence.copying);
                return;
            }
            Some((fence, State::Closing(attempt))) if fence.epoch == epoch => {
                self.wait_for_cutover(number, attempt);
                self.between(5 * MILLISECOND, 20 * MILLISECOND)
            }
            Some((fence, State::Open | State::Closing(_))) => {
                self.believe(number, place, fence.epoch);
                MILLISECOND
            }
            Some((fence, State::Moved)) => {
                self.believe(number, 1 - place, fence.epoch);
                self.between(MILLISECOND, 5 * MILLISECOND)
            }
            Some((fence, State::Incoming)) => {
                self.open_if_decided(place, fence.operation);
                self.between(5 * MILLISECOND, 20 * MILLISECOND)
            }
            None => {
                let (place, epoch) = self.group.map;
                self.believe(number, place, epoch);
                self.between(5 * MILLISECOND, 20 * MILLISECOND)
            }
        };
        self.later(again, Event::Write { writer: number });
    }

    fn believe(&mut self, number: usize, place: usize, epoch: u64) {
        let writer = &mut self.writers[number];
        (writer.place, writer.epoch, writer.waits_since) = (place, epoch, None);
    }

    fn begin_write(&mut self, number: usize, copying: bool) {
        let transaction = Transaction {
            key: self.between(0, u64::from(KEYS) - 1) as u32,
            delete: self.chance(0.1),
            copying,
            // The planted bug: the fence is read, and not held until the commit.
            holds: !self.has(Mutation::FenceWithoutLock),
        };
        let place = self.writers[number].place;
        self.databases[place].held += usize::from(transaction.holds);
        self.writers[number].waits_since = None;
        self.writers[number].running = Some(transaction);
        let after = self.latency();
        self.later(after, Event::Committed { writer: number });
    }

    pub(super) fn write_committed(&mut self, number: usize) {
        let place = self.writers[number].place;
        if let Some(transaction) = self.writers[number].running.take() {
            self.last_version += 1;
            let (version, key) = (self.last_version, transaction.key);
            let database = &mut self.databases[place];
            database.held -= usize::from(transaction.holds);
            let seen = database
                .rows
                .get(&key)
                .filter(|row| !row.deleted)
                .map(|row| row.version);
            let deleted = transaction.delete;
            // Deleting what is not there changes nothing; a deletion is a state as long as somebody copies.
            if deleted && !transaction.copying {
                database.rows.remove(&key);
            } else {
                database.rows.insert(key, Row { version, deleted });
            }
            if transaction.copying {
                database.notes.insert(key, version);
            }
            self.acknowledged(key, seen, (!deleted).then_some(version));
        }
        let after = self.between(MILLISECOND, 30 * MILLISECOND);
        self.later(after, Event::Write { writer: number });
    }

    /// Whoever waits too long for a cut-over sets it back, so that a dead coordinator stops nobody.
    fn wait_for_cutover(&mut self, number: usize, attempt: u32) {
        let (now, place) = (self.now, self.writers[number].place);
        let since = *self.writers[number].waits_since.get_or_insert(now);
        let database = &mut self.databases[place];
        if now - since > PAUSE_LIMIT
            && database.held == 0
            && let Some(fence) = &mut database.fence
        {
            fence.state = State::Open;
            fence.closings = fence.closings.max(attempt + 1);
        }
    }

    /// Any node may open the target once the source says `moved`.
    fn open_if_decided(&mut self, place: usize, operation: u32) {
        let decided = self.databases[1 - place].has_moved(operation);
        let target = &mut self.databases[place];
        if decided
            && target.held == 0
            && let Some(fence) = &mut target.fence
        {
            fence.state = State::Open;
        }
    }
}
