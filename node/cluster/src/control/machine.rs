//! The state machine, and the view of it that the node works with.

use super::codec::{decode, encode};
use super::disk::{Change, Disk};
use super::types::{LogId, Snapshot, SnapshotMeta, StoredMembership, TypeConfig};
use futures::{Stream, TryStreamExt};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder};
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;
use tim_core::control::ControlState;
use tokio::sync::watch;

/// The group's state as this node knows it; possibly behind the leader's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ControlView {
    /// Map, repartitions, settings.
    pub state: ControlState,
    /// Index of the last log entry in it.
    pub applied_index: u64,
}

impl ControlView {
    /// Whether it says more than `other`: a newer map, or the same map and more of the log.
    pub(super) fn is_newer_than(&self, other: &Self) -> bool {
        let order = |view: &Self| {
            (
                view.state.map.as_ref().map(|map| map.version()),
                view.applied_index,
            )
        };
        order(self) > order(other)
    }
}

/// Applies commands in order.
#[derive(Clone)]
pub(super) struct Machine {
    inner: Arc<Mutex<Inner>>,
    view: watch::Sender<Arc<ControlView>>,
    disk: Disk,
}

#[derive(Default)]
struct Inner {
    state: ControlState,
    applied: Option<LogId>,
    membership: StoredMembership,
    snapshot: Option<(SnapshotMeta, Vec<u8>)>,
}

impl Machine {
    /// Begins with the last snapshot; what the log has beyond it is applied by openraft.
    pub(super) fn new(
        disk: Disk,
        snapshot: Option<(SnapshotMeta, Vec<u8>)>,
        view: watch::Sender<Arc<ControlView>>,
    ) -> io::Result<Self> {
        let mut inner = Inner::default();
        if let Some((meta, data)) = snapshot {
            inner.state = decode(&data)?;
            inner.adopt(meta, data);
        }
        let machine = Self {
            inner: Arc::new(Mutex::new(inner)),
            view,
            disk,
        };
        machine.publish();
        Ok(machine)
    }

    /// What was known before, from a peer, stays until this machine knows a map itself.
    fn publish(&self) {
        let view = {
            let inner = self.inner.lock();
            ControlView {
                state: inner.state.clone(),
                applied_index: inner.applied.map_or(0, |id| id.index),
            }
        };
        self.view.send_if_modified(|present| {
            let changed = (view.state.map.is_some() || present.state.map.is_none()) && **present != view;
            if changed {
                *present = Arc::new(view);
            }
            changed
        });
    }
}

impl Inner {
    fn adopt(&mut self, meta: SnapshotMeta, data: Vec<u8>) {
        self.applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        self.snapshot = Some((meta, data));
    }
}

impl RaftStateMachine<TypeConfig> for Machine {
    type SnapshotData = Vec<u8>;
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        let inner = self.inner.lock();
        Ok((inner.applied, inner.membership.clone()))
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        while let Some((entry, responder)) = entries.try_next().await? {
            let response = {
                let mut inner = self.inner.lock();
                inner.applied = Some(entry.log_id);
                match entry.payload {
                    EntryPayload::Blank => None,
                    EntryPayload::Normal(proposal) => Some(inner.state.apply(proposal.0)),
                    EntryPayload::Membership(membership) => {
                        inner.membership = StoredMembership::new(Some(entry.log_id), membership);
                        None
                    }
                }
            };
            // Whoever hears that it is done shall find it in the view.
            self.publish();
            if let Some(responder) = responder {
                responder.send(response);
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: Vec<u8>) -> Result<(), io::Error> {
        let state: ControlState = decode(&snapshot)?;
        self.disk
            .make(Change::Snapshot {
                meta: encode(meta)?,
                data: snapshot.clone(),
            })
            .await?;
        {
            let mut inner = self.inner.lock();
            inner.state = state;
            inner.adopt(meta.clone(), snapshot);
        }
        self.publish();
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        let current = self.inner.lock().snapshot.clone();
        Ok(current.map(|(meta, snapshot)| Snapshot { meta, snapshot }))
    }
}

impl RaftSnapshotBuilder<TypeConfig> for Machine {
    type SnapshotData = Vec<u8>;

    async fn build_snapshot(&mut self) -> Result<Snapshot, io::Error> {
        let (meta, data) = {
            let inner = self.inner.lock();
            let meta = SnapshotMeta {
                last_log_id: inner.applied,
                last_membership: inner.membership.clone(),
            };
            (meta, encode(&inner.state)?)
        };
        self.disk
            .make(Change::Snapshot {
                meta: encode(&meta)?,
                data: data.clone(),
            })
            .await?;
        self.inner.lock().snapshot = Some((meta.clone(), data.clone()));
        Ok(Snapshot { meta, snapshot: data })
    }
}
