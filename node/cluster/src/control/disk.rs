//! The file: one writer, which commits together what waits together.
//!
//! Reads happen once, at the start; afterwards everything is in memory too ([`super::log`]), for the log is short.

use super::codec::{decode, encode};
use super::error::ControlError;
use super::types::{Entry, LogId, SnapshotMeta, TypeConfig, Vote};
use openraft::storage::IOFlushed;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableError, WriteTransaction};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use tokio::sync::{mpsc, oneshot};

const FACTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("facts");
const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");

const RAFT_ID: &str = "raft_id";
const GROUP: &str = "group";
const VOTE: &str = "vote";
const COMMITTED: &str = "committed";
const PURGED: &str = "purged";
const SNAPSHOT_META: &str = "snapshot_meta";
const SNAPSHOT_DATA: &str = "snapshot_data";

/// Writes that may wait; more make the writer's callers wait.
const QUEUE_MAX: usize = 1_024;
/// Writes in one transaction.
const BATCH_MAX: usize = 256;
/// Pages kept in memory; the file is small and hardly read.
const CACHE_BYTES: usize = 1 << 20;
/// Name of the file in the node's data folder.
pub(super) const FILE_NAME: &str = "control.redb";

/// What the file holds at the start.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub(super) raft_id: u64,
    pub(super) group: u64,
    pub(super) vote: Option<Vote>,
    pub(super) committed: Option<LogId>,
    pub(super) purged: Option<LogId>,
    pub(super) entries: BTreeMap<u64, Entry>,
    pub(super) snapshot: Option<(SnapshotMeta, Vec<u8>)>,
}

/// One change of the file.
#[derive(Debug)]
pub(super) enum Change {
    Append(Vec<(u64, Vec<u8>)>),
    /// Entries from this index on.
    Truncate(u64),
    /// Entries up to this index, and the id of the last of them.
    Purge(u64, Vec<u8>),
    Vote(Vec<u8>),
    Committed(Option<Vec<u8>>),
    Snapshot {
        meta: Vec<u8>,
        data: Vec<u8>,
    },
    Group(u64),
    /// Everything, and a new raft id.
    Wipe(u64),
}

/// Who is told when it is durable.
pub(super) enum Done {
    Flushed(IOFlushed<TypeConfig>),
    Told(oneshot::Sender<io::Result<()>>),
}

impl Done {
    fn tell(self, result: io::Result<()>) {
        match self {
            Self::Flushed(flushed) => flushed.io_completed(result),
            Self::Told(sender) => {
                let _ = sender.send(result);
            }
        }
    }
}

/// The way to the writer. It ends, and the file is closed, when all clones are gone.
#[derive(Clone)]
pub(super) struct Disk {
    queue: mpsc::Sender<(Change, Done)>,
}

impl Disk {
    /// Opens or makes the file and starts its writer.
    pub(super) fn open(directory: &Path) -> Result<(Self, Stored), ControlError> {
        let path = directory.join(FILE_NAME);
        let failed = |error: &dyn std::fmt::Display| file_error(&path, error);
        std::fs::create_dir_all(directory).map_err(|error| failed(&error))?;
        let database = redb::Builder::new()
            .set_cache_size(CACHE_BYTES)
            .create(&path)
            .map_err(|error| failed(&error))?;
        let mut stored = read(&database).map_err(|error| failed(&error))?;
        if stored.raft_id == 0 {
            stored.raft_id = new_raft_id();
            write(&database, &[Change::Wipe(stored.raft_id)]).map_err(|error| failed(&error))?;
        }
        let (queue, receiver) = mpsc::channel(QUEUE_MAX);
        std::thread::Builder::new()
            .name("tim-control-log".to_owned())
            .spawn(move || run(&database, receiver))
            .map_err(|error| failed(&error))?;
        Ok((Self { queue }, stored))
    }

    /// Queues a change; whoever is named is told when it is durable. Changes become durable in the order queued.
    pub(super) async fn queue(&self, change: Change, done: Done) -> io::Result<()> {
        self.queue.send((change, done)).await.map_err(|_| closed())
    }

    /// Makes a change and waits until it is durable.
    pub(super) async fn make(&self, change: Change) -> io::Result<()> {
        let (sender, receiver) = oneshot::channel();
        self.queue(change, Done::Told(sender)).await?;
        receiver.await.map_err(|_| closed())?
    }
}

pub(super) fn new_raft_id() -> u64 {
    rand::random_range(1..=u64::MAX)
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the control group's file is closed")
}

fn file_error(path: &Path, error: &dyn std::fmt::Display) -> ControlError {
    ControlError::File {
        path: path.display().to_string(),
        reason: error.to_string(),
    }
}

/// The writer's thread.
fn run(database: &Database, mut queue: mpsc::Receiver<(Change, Done)>) {
    while let Some(first) = queue.blocking_recv() {
        let (mut changes, mut waiting) = (vec![first.0], vec![first.1]);
        while changes.len() < BATCH_MAX
            && let Ok((change, done)) = queue.try_recv()
        {
            changes.push(change);
            waiting.push(done);
        }
        let result = write(database, &changes);
        if let Err(error) = &result {
            let code = tim_catalogue::node::CONTROL_LOG.code;
            tracing::error!(code, %error, "{code}: the control group's log cannot be written");
        }
        for done in waiting {
            // An io::Error cannot be cloned; its text is what there is to tell.
            done.tell(
                result
                    .as_ref()
                    .map_or_else(|error| Err(io::Error::other(error.to_string())), |()| Ok(())),
            );
        }
    }
}

fn write(database: &Database, changes: &[Change]) -> Result<(), Box<redb::Error>> {
    let boxed = |error: redb::Error| Box::new(error);
    let transaction = database.begin_write().map_err(|error| boxed(error.into()))?;
    for change in changes {
        apply(&transaction, change).map_err(boxed)?;
    }
    transaction.commit().map_err(|error| boxed(error.into()))
}

fn apply(transaction: &WriteTransaction, change: &Change) -> Result<(), redb::Error> {
    let mut facts = transaction.open_table(FACTS)?;
    let mut log = transaction.open_table(LOG)?;
    match change {
        Change::Append(entries) => {
            for (index, entry) in entries {
                log.insert(index, entry.as_slice())?;
            }
        }
        Change::Truncate(from) => log.retain_in(*from.., |_, _| false)?,
        Change::Purge(upto, id) => {
            log.retain_in(..=*upto, |_, _| false)?;
            facts.insert(PURGED, id.as_slice())?;
        }
        Change::Vote(vote) => {
            facts.insert(VOTE, vote.as_slice())?;
        }
        Change::Committed(Some(id)) => {
            facts.insert(COMMITTED, id.as_slice())?;
        }
        Change::Committed(None) => {
            facts.remove(COMMITTED)?;
        }
        Change::Snapshot { meta, data } => {
            facts.insert(SNAPSHOT_META, meta.as_slice())?;
            facts.insert(SNAPSHOT_DATA, data.as_slice())?;
        }
        Change::Group(group) => {
            facts.insert(GROUP, group.to_be_bytes().as_slice())?;
        }
        Change::Wipe(raft_id) => {
            facts.retain(|_, _| false)?;
            log.retain(|_, _| false)?;
            facts.insert(RAFT_ID, raft_id.to_be_bytes().as_slice())?;
        }
    }
    Ok(())
}

fn read(database: &Database) -> Result<Stored, Box<dyn std::error::Error + Send + Sync>> {
    let transaction = database.begin_read()?;
    let facts = match transaction.open_table(FACTS) {
        Ok(facts) => facts,
        Err(TableError::TableDoesNotExist(_)) => return Ok(Stored::default()),
        Err(error) => return Err(error.into()),
    };
    let bytes = |name: &str| -> Result<Option<Vec<u8>>, redb::StorageError> {
        Ok(facts.get(name)?.map(|value| value.value().to_vec()))
    };
    let number = |name: &str| -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
        let Some(value) = bytes(name)? else { return Ok(0) };
        Ok(u64::from_be_bytes(value.as_slice().try_into()?))
    };
    let mut entries = BTreeMap::new();
    for row in transaction.open_table(LOG)?.iter()? {
        let (index, entry) = row?;
        entries.insert(index.value(), decode(entry.value())?);
    }
    let snapshot = match (bytes(SNAPSHOT_META)?, bytes(SNAPSHOT_DATA)?) {
        (Some(meta), Some(data)) => Some((decode(&meta)?, data)),
        _ => None,
    };
    Ok(Stored {
        raft_id: number(RAFT_ID)?,
        group: number(GROUP)?,
        vote: bytes(VOTE)?.map(|vote| decode(&vote)).transpose()?,
        committed: bytes(COMMITTED)?.map(|id| decode(&id)).transpose()?,
        purged: bytes(PURGED)?.map(|id| decode(&id)).transpose()?,
        entries,
        snapshot,
    })
}

pub(super) fn encoded(entries: impl IntoIterator<Item = (u64, Entry)>) -> io::Result<Vec<(u64, Vec<u8>)>> {
    entries
        .into_iter()
        .map(|(index, entry)| Ok((index, encode(&entry)?)))
        .collect()
}
