//! A node's part in the group.

use super::disk::{Change, Disk, Stored, new_raft_id};
use super::error::{ControlError, ProposeError, RemoveError};
use super::founder::Founder;
use super::leader::{self, Answer, Heirs};
use super::log::{Log, Memory};
use super::machine::{ControlView, Machine};
use super::network::Network;
use super::service::RaftService;
use super::status::ControlStatus;
use super::steward;
use super::types::Raft;
use crate::links::{Links, MESSAGE_BYTES_MAX};
use crate::membership::Members;
use crate::metrics::ControlMetrics;
use futures::FutureExt;
use futures::future::BoxFuture;
use openraft::async_runtime::watch::WatchReceiver;
use parking_lot::RwLock;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tim_core::control::{Command, Response};
use tim_core::id::NodeName;
use tim_proto::peer::v1::raft_server::RaftServer;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a command, or a change of the membership, may take altogether.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Wait before another attempt when there is no leader, or it said so.
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// How long handing over leadership may take.
pub(super) const TRANSFER_TIMEOUT: Duration = Duration::from_secs(2);

/// Times and sizes of the group.
#[derive(Debug, Clone)]
pub struct ControlSettings {
    /// The leader says this often that it is there.
    pub heartbeat: Duration,
    /// Without word from a leader another one is looked for after this time at the earliest,
    pub election_min: Duration,
    /// and at the latest.
    pub election_max: Duration,
    /// Entries after which the log is replaced by a snapshot.
    pub snapshot_every: u64,
    /// How often a node looks whether something is to be done about the membership.
    pub step: Duration,
    /// How long no node may have any state before the group is founded anew from the fences.
    pub lost_after: Duration,
    /// A member without a leader for this long asks whether it is still one.
    pub leaderless_max: Duration,
}

impl Default for ControlSettings {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_millis(300),
            election_min: Duration::from_millis(1_200),
            election_max: Duration::from_millis(2_400),
            snapshot_every: 500,
            step: Duration::from_millis(500),
            lost_after: Duration::from_secs(300),
            leaderless_max: Duration::from_secs(15),
        }
    }
}

/// A node's part in the group. Clones are the same.
#[derive(Clone)]
pub struct ControlGroup {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) node: NodeName,
    pub(super) links: Links,
    pub(super) members: watch::Receiver<Arc<Members>>,
    pub(super) settings: ControlSettings,
    pub(super) disk: Disk,
    /// Changes of the membership, of which the engine takes one at a time.
    pub(super) changes: tokio::sync::Mutex<()>,
    leaving: AtomicBool,
    running: RwLock<Running>,
    view: watch::Sender<Arc<ControlView>>,
    status: watch::Sender<Arc<ControlStatus>>,
    cancelled: CancellationToken,
}

#[derive(Clone)]
struct Running {
    raft: Raft,
    group: u64,
}

impl ControlGroup {
    /// Opens the node's state in its data folder and starts the engine. It founds and joins nothing until [`run`](Self::run);
    /// until its [`service`](Self::service) is served no other member reaches it.
    ///
    /// # Errors
    /// The file cannot be used (`TIM-N116`).
    pub async fn open(
        directory: &Path,
        node: NodeName,
        links: Links,
        members: watch::Receiver<Arc<Members>>,
        settings: ControlSettings,
    ) -> Result<Self, ControlError> {
        let directory = directory.to_owned();
        let opened = tokio::task::spawn_blocking(move || Disk::open(&directory)).await;
        let (disk, stored) = opened.map_err(|error| ControlError::Engine(error.to_string()))??;
        let view = watch::Sender::new(Arc::new(ControlView::default()));
        let group = stored.group;
        let raft = start(&settings, &links, &disk, &view, stored).await?;
        let status = ControlStatus::of(&raft.metrics().borrow_watched(), group);
        let shared = Arc::new(Shared {
            node,
            links,
            members,
            settings,
            disk,
            changes: tokio::sync::Mutex::new(()),
            leaving: AtomicBool::new(false),
            running: RwLock::new(Running { raft, group }),
            view,
            status: watch::Sender::new(Arc::new(status)),
            cancelled: CancellationToken::new(),
        });
        let group = Self { shared };
        group.shared.clone().follow_metrics();
        Ok(group)
    }

    /// What other members call.
    pub fn service(&self) -> RaftServer<impl tim_proto::peer::v1::raft_server::Raft + use<>> {
        RaftServer::new(RaftService {
            shared: self.shared.clone(),
        })
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// Takes part from now on: founds the group if that is this node's to do, else joins it, and, while it leads, looks
    /// after map and voters.
    pub fn run(&self, founder: Arc<dyn Founder>) {
        let cancelled = self.shared.cancelled.clone();
        let work = steward::run(self.shared.clone(), founder);
        tokio::spawn(async move { cancelled.run_until_cancelled(work).await });
    }

    /// Map, repartitions and settings as last seen, and every change.
    pub fn view(&self) -> watch::Receiver<Arc<ControlView>> {
        self.shared.view.subscribe()
    }

    /// How the group stands, and every change.
    pub fn status(&self) -> watch::Receiver<Arc<ControlStatus>> {
        self.shared.status.subscribe()
    }

    /// Proposes a command, at the leader wherever it is.
    ///
    /// # Errors
    /// The state machine refused it, or no leader answered within ten seconds.
    pub async fn propose(&self, command: Command) -> Result<(), ProposeError> {
        let bytes = super::codec::encode(&command);
        let bytes = bytes.map_err(|error| ProposeError::NoLeader {
            reason: error.to_string(),
        })?;
        let answer = self.shared.at_leader(
            || async { leader::propose(&self.shared.raft(), command.clone()).await }.boxed(),
            |link| {
                let bytes = bytes.clone();
                async move { leader::propose_at(&link, bytes).await }.boxed()
            },
        );
        match answer.await {
            Ok(Response::Done) => Ok(()),
            Ok(Response::Refused(refused)) => Err(ProposeError::Refused(refused)),
            Err(reason) => Err(ProposeError::NoLeader { reason }),
        }
    }

    /// Takes a node out of the group, whichever of its volumes has ever been in it. Repeatable.
    ///
    /// # Errors
    /// It is the last voter, or no leader answered within ten seconds; ask again.
    pub async fn remove(&self, node: &NodeName) -> Result<(), RemoveError> {
        let answer = self.shared.at_leader(
            || leader::remove(&self.shared, node).boxed(),
            |link| async move { leader::remove_at(&link, node).await }.boxed(),
        );
        match answer.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(reason)) => Err(RemoveError::Refused(reason)),
            Err(reason) => Err(RemoveError::NoLeader { reason }),
        }
    }

    /// Leaves the group for good: hands over, is taken out, and does not ask for a place again until [`stay`](Self::stay).
    ///
    /// # Errors
    /// As [`remove`](Self::remove); ask again.
    pub async fn leave(&self) -> Result<(), RemoveError> {
        self.shared.leaving.store(true, Ordering::Relaxed);
        self.remove(&self.shared.node).await
    }

    /// Takes part again after [`leave`](Self::leave).
    pub fn stay(&self) {
        self.shared.leaving.store(false, Ordering::Relaxed);
    }

    /// Hands leadership to another voter, if this node leads and there is one that serves. Before a node stops or drains.
    pub async fn hand_over(&self) {
        leader::hand_over(&self.shared, TRANSFER_TIMEOUT, Heirs::Serving).await;
    }

    /// Hands over and ends.
    pub async fn stop(&self) {
        self.hand_over().await;
        self.shared.cancelled.cancel();
        if let Err(error) = self.shared.raft().shutdown().await {
            tracing::warn!(%error, "the control group's engine has not ended well");
        }
    }
}

impl Shared {
    pub(super) fn raft(&self) -> Raft {
        self.running.read().raft.clone()
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    /// The group this node belongs to; 0 for none.
    pub(super) fn group(&self) -> u64 {
        self.running.read().group
    }

    pub(super) async fn set_group(&self, group: u64) -> std::io::Result<()> {
        if self.group() == group {
            return Ok(());
        }
        self.disk.make(Change::Group(group)).await?;
        self.running.write().group = group;
        self.refresh_status();
        Ok(())
    }

    pub(super) fn status(&self) -> Arc<ControlStatus> {
        self.status.borrow().clone()
    }

    pub(super) fn view(&self) -> Arc<ControlView> {
        self.view.borrow().clone()
    }

    /// Takes over what a peer knows, if it is more.
    pub(super) fn offer_view(&self, offered: ControlView) {
        self.view.send_if_modified(|present| {
            let newer = offered.is_newer_than(present);
            if newer {
                *present = Arc::new(offered);
            }
            newer
        });
    }

    /// Forgets everything but what the node works with, and becomes a member without state, under a new raft id.
    pub(super) async fn begin_anew(&self) -> Result<(), ControlError> {
        let engine = |error: &dyn std::fmt::Display| ControlError::Engine(error.to_string());
        self.raft().shutdown().await.map_err(|error| engine(&error))?;
        let raft_id = new_raft_id();
        self.disk
            .make(Change::Wipe(raft_id))
            .await
            .map_err(|error| engine(&error))?;
        let stored = Stored {
            raft_id,
            ..Stored::default()
        };
        let raft = start(&self.settings, &self.links, &self.disk, &self.view, stored).await?;
        *self.running.write() = Running { raft, group: 0 };
        self.refresh_status();
        Ok(())
    }

    fn refresh_status(&self) {
        let running = self.running.read().clone();
        let status = ControlStatus::of(&running.raft.metrics().borrow_watched(), running.group);
        self.status.send_if_modified(|present| {
            let changed = **present != status;
            if changed {
                *present = Arc::new(status);
            }
            changed
        });
    }

    fn follow_metrics(self: Arc<Self>) {
        let measured = ControlMetrics::default();
        tokio::spawn(async move {
            loop {
                // One receiver per engine: a fresh one would call the present state news, again and again.
                let mut metrics = self.raft().metrics();
                loop {
                    self.refresh_status();
                    self.say_status(&measured);
                    let changed = tokio::select! {
                        biased;
                        () = self.cancelled.cancelled() => return,
                        changed = metrics.changed() => changed,
                    };
                    if changed.is_err() {
                        // The engine has ended: for good, or to be replaced by one without state.
                        tokio::time::sleep(self.settings.step).await;
                        break;
                    }
                }
            }
        });
    }

    fn say_status(&self, measured: &ControlMetrics) {
        let status = self.status();
        measured.record(status.is_leader, status.term.0);
        // One that was told to end has not failed.
        if status.failed.is_some() && !self.cancelled.is_cancelled() {
            let code = tim_catalogue::node::CONTROL_LOG.code;
            tracing::error!(
                code,
                reason = status.failed,
                "{code}: the control group has stopped on this node"
            );
        }
    }

    /// Asks the leader, wherever it is, until it answers or the time is over.
    async fn at_leader<'a, T>(
        &self,
        // Boxed: calls of either kind are made from tasks, and rustc cannot prove that of async closures.
        here: impl Fn() -> BoxFuture<'a, Answer<T>>,
        there: impl Fn(crate::links::Link) -> BoxFuture<'a, Answer<T>>,
    ) -> Result<T, String> {
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        let mut reason = "there is none".to_owned();
        let mut hint: Option<NodeName> = None;
        loop {
            let status = self.status();
            let known = hint
                .take()
                .or_else(|| status.leader.as_ref().map(|(_, node)| node.clone()));
            let attempt = async {
                match known {
                    Some(node) if node == self.node => here().await,
                    Some(node) => match self.links.link(&node).await {
                        Ok(link) => there(link).await,
                        Err(error) => Answer::Unknown(error.to_string()),
                    },
                    None => self.ask_anybody().await,
                }
            };
            match tokio::time::timeout_at(deadline, attempt).await {
                Ok(Answer::Done(done)) => return Ok(done),
                Ok(Answer::NotLeader(leader)) => hint = leader.filter(|leader| *leader != self.node),
                Ok(Answer::Unknown(said)) => reason = said,
                Err(_) => return Err(reason),
            }
            tokio::time::sleep_until(deadline.min(Instant::now() + RETRY_PAUSE)).await;
            if Instant::now() >= deadline {
                return Err(reason);
            }
        }
    }

    /// Where somebody else knows the leader, while this node does not: it is no member yet.
    async fn ask_anybody<T>(&self) -> Answer<T> {
        for link in self.peers().await {
            if let Some(leader) = leader::leader_known_to(&link).await {
                return Answer::NotLeader(Some(leader));
            }
        }
        Answer::NotLeader(None)
    }

    /// Links to all other live nodes that can be had.
    pub(super) async fn peers(&self) -> Vec<crate::links::Link> {
        let names: Vec<NodeName> = {
            let members = self.members.borrow();
            members
                .nodes()
                .keys()
                .filter(|name| **name != self.node)
                .cloned()
                .collect()
        };
        let links = futures::future::join_all(names.iter().map(|name| self.links.link(name))).await;
        links.into_iter().filter_map(Result::ok).collect()
    }
}

async fn start(
    settings: &ControlSettings,
    links: &Links,
    disk: &Disk,
    view: &watch::Sender<Arc<ControlView>>,
    stored: Stored,
) -> Result<Raft, ControlError> {
    let engine = |error: &dyn std::fmt::Display| ControlError::Engine(error.to_string());
    let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let config = openraft::Config {
        cluster_name: "tim".to_owned(),
        heartbeat_interval: milliseconds(settings.heartbeat),
        election_timeout_min: milliseconds(settings.election_min),
        election_timeout_max: milliseconds(settings.election_max),
        snapshot_policy: openraft::SnapshotPolicy::LogsSinceLast(settings.snapshot_every),
        max_in_snapshot_log_to_keep: settings.snapshot_every / 2,
        enable_pre_vote: Some(true),
        ..openraft::Config::default()
    };
    let config = config.validate().map_err(|error| engine(&error))?;
    let machine =
        Machine::new(disk.clone(), stored.snapshot, view.clone()).map_err(|error| engine(&error))?;
    let memory = Memory {
        entries: stored.entries,
        purged: stored.purged,
        vote: stored.vote,
        committed: stored.committed,
    };
    let log = Log::new(disk.clone(), memory);
    let network = Network { links: links.clone() };
    Raft::new(stored.raft_id, Arc::new(config), network, log, machine)
        .await
        .map_err(|error| engine(&error))
}
