//! The replicated log: in memory for reading, on disk for keeping.

use super::codec::encode;
use super::disk::{Change, Disk, Done, encoded};
use super::types::{Entry, LogId, TypeConfig, Vote};
use openraft::entry::RaftEntry;
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::{LogState, OptionalSend, RaftLogReader};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::ops::RangeBounds;
use std::sync::Arc;

/// What is read.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) entries: BTreeMap<u64, Entry>,
    pub(super) purged: Option<LogId>,
    pub(super) vote: Option<Vote>,
    pub(super) committed: Option<LogId>,
}

/// The log. Clones are the same one.
#[derive(Clone)]
pub(super) struct Log {
    memory: Arc<RwLock<Memory>>,
    disk: Disk,
}

impl Log {
    pub(super) fn new(disk: Disk, memory: Memory) -> Self {
        Self {
            memory: Arc::new(RwLock::new(memory)),
            disk,
        }
    }
}

impl RaftLogReader<TypeConfig> for Log {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, io::Error> {
        Ok(self
            .memory
            .read()
            .entries
            .range(range)
            .map(|(_, entry)| entry.clone())
            .collect())
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.memory.read().vote)
    }
}

impl RaftLogStorage<TypeConfig> for Log {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, io::Error> {
        let memory = self.memory.read();
        let last = memory.entries.last_key_value().map(|(_, entry)| entry.log_id());
        Ok(LogState {
            last_purged_log_id: memory.purged,
            last_log_id: last.or(memory.purged),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        self.disk.make(Change::Vote(encode(vote)?)).await?;
        self.memory.write().vote = Some(*vote);
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        let bytes = committed.map(|id| encode(&id)).transpose()?;
        self.memory.write().committed = committed;
        self.disk.make(Change::Committed(bytes)).await
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.memory.read().committed)
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<(u64, Entry)> = entries.into_iter().map(|entry| (entry.index(), entry)).collect();
        let bytes = encoded(entries.iter().cloned())?;
        self.memory.write().entries.extend(entries);
        self.disk
            .queue(Change::Append(bytes), Done::Flushed(callback))
            .await
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> Result<(), io::Error> {
        let from = last_log_id.map_or(0, |id| id.index + 1);
        self.memory.write().entries.split_off(&from);
        self.disk.make(Change::Truncate(from)).await
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), io::Error> {
        {
            let mut memory = self.memory.write();
            memory.entries = memory.entries.split_off(&(log_id.index + 1));
            memory.purged = Some(log_id);
        }
        self.disk
            .make(Change::Purge(log_id.index, encode(&log_id)?))
            .await
    }
}
