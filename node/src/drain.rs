//! Leaving without loss: the shell around the pure drain.
//!
//! A drain is asked for by the operator, by `tim-node drain` before a container stops, or by the signal that ends the
//! process; it lives as long as somebody asks again.

use crate::board::{Effect as BoardEffect, Place};
use crate::engine::Input;
use crate::node::Node;
use crate::session::{CloseReason, Input as SessionInput};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tim_catalogue::{Report, node as causes};
use tim_cluster::membership::MemberState;
use tim_core::drain::{Config, Drain, Effect, Event, Phase};
use tim_core::id::SessionId;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// Requests and news that may wait; each is small, and a node closes a few thousand sessions a second at most.
const INPUTS_MAX: usize = 4_096;
/// How often it is looked whether a closed session is gone.
const CLOSED_INTERVAL: Duration = Duration::from_millis(10);
/// How long leaving the control group is tried before the drain goes on without.
const LEAVE_LIMIT: Duration = Duration::from_secs(20);
/// How long a session that was told to close may take before it counts as closed.
const CLOSED_LIMIT: Duration = Duration::from_secs(5);
/// Wait between two attempts to leave the control group.
const LEAVE_RETRY: Duration = Duration::from_millis(500);

/// How a drain stands, for status and operator.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) drain_id: String,
    pub(crate) phase: Option<Phase>,
    pub(crate) sessions_remaining: usize,
    pub(crate) homes_remaining: u64,
    pub(crate) leadership_handed_over: bool,
    pub(crate) membership_left: bool,
    pub(crate) deadline_ms: i64,
}

impl Progress {
    /// Whether the node drains, or has.
    pub(crate) fn is_active(&self) -> bool {
        self.phase.is_some_and(|phase| phase != Phase::Serving)
    }

    /// Whether nothing is left here.
    pub(crate) fn is_done(&self) -> bool {
        self.phase == Some(Phase::Drained)
    }
}

/// What somebody wants of the drain.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Belongs to one life of the node; another id begins anew.
    pub(crate) drain_id: String,
    /// How long it may take altogether; `None`: as configured.
    pub(crate) limit: Option<Duration>,
    /// The node will not come back: it leaves the control group, too.
    pub(crate) leave_control_group: bool,
    /// Skips the wait for load balancers: the process ends anyway.
    pub(crate) at_once: bool,
    /// Asked on this machine, before the process ends: the operator, which sees a node drain that it has not chosen, does
    /// not call that off. It ends when nobody asks any more.
    pub(crate) of_this_machine: bool,
}

enum DrainInput {
    Ask(Asked, oneshot::Sender<()>),
    Undrain(oneshot::Sender<()>),
    Event(Event),
    LeadershipHandedOver,
    MembershipLeft,
}

/// Asks the drain, and sees how it stands.
#[derive(Clone)]
pub(crate) struct DrainControl {
    inputs: mpsc::Sender<DrainInput>,
    progress: watch::Receiver<Progress>,
}

/// The receiving end, until it is started.
pub(crate) struct DrainInputs {
    inputs: mpsc::Receiver<DrainInput>,
    sender: mpsc::Sender<DrainInput>,
    progress: watch::Sender<Progress>,
}

/// A handle before there is a node, so that the node can hold it.
pub(crate) fn channel() -> (DrainControl, DrainInputs) {
    let (sender, inputs) = mpsc::channel(INPUTS_MAX);
    let (progress, shown) = watch::channel(Progress::default());
    let control = DrainControl {
        inputs: sender.clone(),
        progress: shown,
    };
    (
        control,
        DrainInputs {
            inputs,
            sender,
            progress,
        },
    )
}

impl DrainControl {
    /// How it stands.
    pub(crate) fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }

    /// Begins a drain or keeps it going.
    pub(crate) async fn ask(&self, asked: Asked) -> Progress {
        let (done, taken) = oneshot::channel();
        if self.inputs.send(DrainInput::Ask(asked, done)).await.is_ok() {
            let _ = taken.await;
        }
        self.progress()
    }

    /// Serves again.
    pub(crate) async fn undrain(&self) {
        let (done, taken) = oneshot::channel();
        if self.inputs.send(DrainInput::Undrain(done)).await.is_ok() {
            let _ = taken.await;
        }
    }

    /// Returns when nothing is left here.
    pub(crate) async fn drained(&self) {
        let mut progress = self.progress.clone();
        let _ = progress.wait_for(Progress::is_done).await;
    }
}

struct Shell {
    node: Arc<Node>,
    machine: Drain,
    sender: mpsc::Sender<DrainInput>,
    /// What is being told to the others about this node; the next word waits for it.
    telling: Option<JoinHandle<()>>,
    asked: Asked,
    progress: Progress,
}

/// Runs until the process ends.
pub(crate) async fn run(node: Arc<Node>, mut inputs: DrainInputs) {
    let asked = Asked {
        drain_id: String::new(),
        limit: None,
        leave_control_group: false,
        at_once: false,
        of_this_machine: false,
    };
    let mut shell = Shell {
        machine: Drain::new(config(&node, &asked)),
        node,
        sender: inputs.sender.clone(),
        telling: None,
        asked,
        progress: Progress::default(),
    };
    loop {
        let now = crate::clock::now();
        let wait = shell
            .machine
            .deadline()
            .map_or(Duration::from_secs(1), |deadline| {
                Duration::from_millis(deadline.since_ms(now))
            });
        tokio::select! {
            input = inputs.inputs.recv() => match input {
                Some(input) => shell.input(input),
                None => return,
            },
            () = tokio::time::sleep(wait) => shell.event(Event::Timer),
        }
        shell.show(&inputs.progress);
    }
}

fn config(node: &Node, asked: &Asked) -> Config {
    let settings = &node.config.drain;
    let limit = asked
        .limit
        .unwrap_or(Duration::from_secs(settings.timeout_seconds));
    let settle_ms = settings.settle_seconds * 1_000;
    Config {
        // The wait for load balancers is part of the first step.
        step_timeout_ms: settle_ms + 10_000,
        settle_timeout_ms: settings.confirmation_wait_millis,
        // At a tenth of a second per session this many at once keep to the configured rate.
        parallel_sessions: (settings.connections_per_second as usize / 10).max(1),
        deadline_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
        ..Config::default()
    }
}

impl Shell {
    fn input(&mut self, input: DrainInput) {
        match input {
            DrainInput::Ask(asked, done) => {
                if self.machine.phase() == Phase::Serving || asked.drain_id != self.asked.drain_id {
                    self.begin(&asked);
                }
                self.asked = asked;
                self.event(Event::Asked);
                let _ = done.send(());
            }
            DrainInput::Undrain(done) => {
                if !self.asked.of_this_machine {
                    self.event(Event::Undrain);
                }
                let _ = done.send(());
            }
            DrainInput::Event(event) => self.event(event),
            DrainInput::LeadershipHandedOver => self.progress.leadership_handed_over = true,
            DrainInput::MembershipLeft => self.progress.membership_left = true,
        }
    }

    fn begin(&mut self, asked: &Asked) {
        let config = config(&self.node, asked);
        if self.machine.phase() == Phase::Serving {
            self.machine = Drain::new(config);
        }
        self.progress.deadline_ms =
            crate::clock::wall_ms().saturating_add(i64::try_from(config.deadline_ms).unwrap_or(i64::MAX));
        self.progress.leadership_handed_over = false;
        self.progress.membership_left = false;
        tracing::info!(tim.drain.id = asked.drain_id, "drain asked for");
    }

    fn show(&mut self, shown: &watch::Sender<Progress>) {
        self.progress.drain_id.clone_from(&self.asked.drain_id);
        self.progress.phase = Some(self.machine.phase());
        self.progress.sessions_remaining = if self.machine.phase() == Phase::ClosingSessions {
            self.machine.sessions_left()
        } else {
            self.node.sessions.count()
        };
        self.progress.homes_remaining = self.node.engine.figures.homes.load(Ordering::Relaxed);
        shown.send_if_modified(|present| {
            let changed = *present != self.progress;
            if changed {
                present.clone_from(&self.progress);
            }
            changed
        });
    }

    fn event(&mut self, event: Event) {
        let mut effects = Vec::new();
        self.machine.handle(crate::clock::now(), event, &mut effects);
        for effect in effects {
            self.effect(effect);
        }
    }

    /// Says one thing after the other: a change of mind must not overtake what it changes.
    fn tell(&mut self, word: impl Future<Output = ()> + Send + 'static) {
        let before = self.telling.take();
        self.telling = Some(tokio::spawn(async move {
            if let Some(before) = before {
                let _ = before.await;
            }
            word.await;
        }));
    }

    fn leave_view(&mut self) {
        let (node, sender) = (Arc::clone(&self.node), self.sender.clone());
        let settle = if self.asked.at_once {
            Duration::ZERO
        } else {
            Duration::from_secs(node.config.drain.settle_seconds)
        };
        node.takes_logins.store(false, Ordering::Relaxed);
        self.tell(async move {
            node.takes_logins.store(false, Ordering::Relaxed);
            let report = Report::new(&causes::DRAINING, "asked to leave");
            node.board.raise(Place::Drain, BoardEffect::NotReady, report);
            let _ = node.membership.set_state(MemberState::Draining).await;
            tokio::spawn(async move {
                left_view(&node, settle).await;
                let _ = sender.send(DrainInput::Event(Event::LeftView)).await;
            });
        });
    }

    fn effect(&mut self, effect: Effect) {
        let (node, sender) = (Arc::clone(&self.node), self.sender.clone());
        match effect {
            Effect::LeaveView => self.leave_view(),
            Effect::JoinView => self.tell(async move {
                node.control.stay();
                let _ = node.membership.set_state(MemberState::Serving).await;
                node.takes_logins.store(true, Ordering::Relaxed);
                node.board.clear(&Place::Drain);
            }),
            Effect::HandOver => {
                let leave = self.asked.leave_control_group;
                tokio::spawn(async move {
                    hand_over(&node, leave, &sender).await;
                    let _ = sender.send(DrainInput::Event(Event::HandedOver)).await;
                });
            }
            Effect::ListSessions => {
                let sessions = Event::Sessions(node.sessions.ids());
                tokio::spawn(async move { sender.send(DrainInput::Event(sessions)).await });
            }
            Effect::SettleSession(session) => {
                // Posted here and now: whatever is posted later comes later.
                let (settled, done) = oneshot::channel();
                let posted = node.sessions.post(session, SessionInput::Settle(settled));
                tokio::spawn(async move {
                    if posted.is_ok() {
                        // Dropped when the session ends: that is settled, too.
                        let _ = done.await;
                    }
                    let _ = sender.send(DrainInput::Event(Event::Settled(session))).await;
                });
            }
            Effect::ResumeSession(session) => {
                // One that has ended needs nothing.
                let _ = node.sessions.post(session, SessionInput::Resume);
            }
            Effect::CloseSession(session) => {
                tokio::spawn(async move {
                    close(&node, session).await;
                    let _ = sender.send(DrainInput::Event(Event::Closed(session))).await;
                });
            }
            Effect::Drained => tracing::info!("drained"),
        }
    }
}

/// Until this node's own view no longer has it; gossip carries the news meanwhile.
async fn left_view(node: &Node, settle: Duration) {
    let mut members = node.members.clone();
    let _ = members
        .wait_for(|members| !members.view().contains(&node.name))
        .await;
    // One round of gossip at least.
    tokio::time::sleep(settle.max(Duration::from_millis(200))).await;
}

/// Nothing in flight at the homes, leadership elsewhere, and, if the node goes for good, no place in the control group.
async fn hand_over(node: &Node, leave: bool, sender: &mpsc::Sender<DrainInput>) {
    node.engine.post(Input::GiveUp);
    node.engine.quiet().await;
    node.control.hand_over().await;
    let _ = sender.send(DrainInput::LeadershipHandedOver).await;
    if !leave {
        return;
    }
    let deadline = tokio::time::Instant::now() + LEAVE_LIMIT;
    while tokio::time::Instant::now() < deadline {
        match node.control.leave().await {
            Ok(()) => {
                let _ = sender.send(DrainInput::MembershipLeft).await;
                return;
            }
            Err(error) => tracing::warn!(%error, "the control group is not left yet"),
        }
        tokio::time::sleep(LEAVE_RETRY).await;
    }
}

async fn close(node: &Node, session: SessionId) {
    if node
        .sessions
        .post(session, SessionInput::Close(CloseReason::Restart))
        .is_err()
    {
        return;
    }
    let gone = async {
        while node.sessions.contains(session) {
            tokio::time::sleep(CLOSED_INTERVAL).await;
        }
    };
    let _ = tokio::time::timeout(CLOSED_LIMIT, gone).await;
}
