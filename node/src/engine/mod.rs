//! The engine: one task that drives the pure machines of the message path (lanes, homes, deliveries, presence).
//!
//! They run in one task because a message passes all of them: on one node a submission goes from its lane through the
//! home and the look-up to the receiving session without a lock, a channel or a switch in between. Whatever takes time
//! (a transaction, another node) is done elsewhere and comes back as an [`Input`]. Sessions and peers post and never
//! wait; how much they may have under way is bounded where it begins (`limits.submissions_per_session_max`, the
//! homes' queues, one stream per peer).

mod delivery;
mod home;
mod machines;
mod presence;
mod spans;
mod submit;

pub(crate) use delivery::hand_over;

use crate::databases::Databases;
use crate::metrics::Metrics;
use crate::peers::Peers;
use crate::session::SessionTable;
use machines::Machines;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tim_core::conversation::Submission;
use tim_core::cursor_sets::CursorSets;
use tim_core::home::RequestId;
use tim_core::id::{AccountId, Generation, NodeName, SessionId};
use tim_core::map::PartitionMap;
use tim_core::presence::{DeviceLimits, Lookup, OwnerEvent, RegistrarEvent, Registration};
use tim_core::time::Moment;
use tim_core::view::View;
use tim_core::{conversation, delivery as core_delivery, home as core_home, submit as core_submit};
use tim_telemetry::TraceContext;
use tokio::sync::{mpsc, oneshot};

/// Inputs taken at once before deadlines are looked at.
const INPUTS_AT_ONCE: usize = 512;
/// Longest sleep without a deadline; only a bound, everything that happens wakes the engine.
const SLEEP_MAX: Duration = Duration::from_secs(1);
/// How often a drain looks whether the homes are quiet.
const QUIET_INTERVAL: Duration = Duration::from_millis(20);

/// What happens to the engine.
#[derive(Debug)]
pub(crate) enum Input {
    /// A session submits.
    Submit {
        session: SessionId,
        submission: Submission,
        trace: Option<TraceContext>,
    },
    /// What no session sends; whoever asked is told what became of it.
    Tell {
        submission: Submission,
        outcome: oneshot::Sender<core_submit::Outcome>,
    },
    /// A peer's lane submits to this home.
    RemoteSubmit {
        from: NodeName,
        stamp: core_submit::LaneStamp,
        submission: Arc<Submission>,
        trace: Option<TraceContext>,
    },
    /// News for the lanes.
    Lanes(core_submit::Event),
    /// News for the homes.
    Home(core_home::Event),
    /// A transaction ended.
    BatchDone {
        request: RequestId,
        result: conversation::BatchResult,
    },
    /// News for the deliveries.
    Delivery(core_delivery::Event),
    /// News for the owner of presence shards that need no answer.
    Owner(OwnerEvent),
    /// A question to the owner of presence shards; the number in the event is replaced.
    Asked {
        event: OwnerEvent,
        reply: oneshot::Sender<OwnerAnswer>,
    },
    /// News for the registrar.
    Registrar(RegistrarEvent),
    /// Another set of nodes serves.
    View(Arc<View>),
    /// A newer map is known.
    Map(Arc<PartitionMap>),
    /// This node was stopped or declared dead: homes and shards are given up.
    GiveUp,
    /// Tells whether no transaction is under way; everything posted before has been handled then.
    Quiet(oneshot::Sender<bool>),
}

/// The answer of an owner to [`Input::Asked`].
#[derive(Debug)]
pub(crate) enum OwnerAnswer {
    /// To a registration: these were refused.
    Registered(Vec<SessionId>),
    /// To a heartbeat: these are not here.
    Heartbeat(Vec<SessionId>),
    /// To a look-up, one per account.
    Lookups(Vec<Lookup>),
}

/// What the engine shows of itself.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) homes: AtomicU64,
    pub(crate) presence_entries: AtomicU64,
    /// Sessions that the presence shards do not know yet.
    pub(crate) unregistered: AtomicU64,
    /// Submissions that wait for a transaction.
    pub(crate) waiting: AtomicU64,
    /// Inputs that wait for the engine.
    pub(crate) inputs: AtomicU64,
}

/// Posts to the engine.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    inputs: mpsc::UnboundedSender<Input>,
    generations: Arc<AtomicU64>,
    pub(crate) figures: Arc<Figures>,
}

/// What the engine works with.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) name: NodeName,
    pub(crate) view: Arc<View>,
    pub(crate) map: Arc<PartitionMap>,
    pub(crate) sessions: Arc<SessionTable>,
    pub(crate) databases: Arc<Databases>,
    pub(crate) peers: Arc<Peers>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) limits: tim_config::Limits,
    pub(crate) devices: DeviceLimits,
    /// Which classes of devices share a cursor.
    pub(crate) cursor_sets: CursorSets,
    pub(crate) need_map: Arc<tokio::sync::Notify>,
}

/// The receiving end, until it is started.
#[derive(Debug)]
pub(crate) struct Inputs(mpsc::UnboundedReceiver<Input>);

/// A handle before there is an engine, so that others can be built with it.
pub(crate) fn channel() -> (Engine, Inputs) {
    let (inputs, receiver) = mpsc::unbounded_channel();
    let engine = Engine {
        inputs,
        // Higher in every life of the process: a session that registers anew must not lose against its old entry.
        generations: Arc::new(AtomicU64::new(
            u64::try_from(crate::clock::wall_ms()).unwrap_or(1) << 20,
        )),
        figures: Arc::default(),
    };
    (engine, Inputs(receiver))
}

/// Runs until the process ends.
pub(crate) async fn run(engine: Engine, parts: Parts, inputs: Inputs) {
    let mut receiver = inputs.0;
    let mut machines = Machines::new(engine.clone(), parts);
    let mut batch = Vec::with_capacity(INPUTS_AT_ONCE);
    loop {
        let now = crate::clock::now();
        let wait = machines.deadline().map_or(SLEEP_MAX, |deadline: Moment| {
            Duration::from_millis(deadline.since_ms(now)).min(SLEEP_MAX)
        });
        if !wait.is_zero()
            && let Ok(0) = tokio::time::timeout(wait, receiver.recv_many(&mut batch, INPUTS_AT_ONCE)).await
        {
            return;
        }
        for input in batch.drain(..) {
            machines.input(input);
        }
        machines.timers();
        machines.show();
        engine
            .figures
            .inputs
            .store(receiver.len() as u64, Ordering::Relaxed);
    }
}

impl Engine {
    /// Posts anything. The engine ends only with the process, so there is nobody to tell if it is gone.
    pub(crate) fn post(&self, input: Input) {
        let _ = self.inputs.send(input);
    }

    /// A session submits a message.
    pub(crate) fn submit(&self, session: SessionId, submission: Submission, trace: Option<TraceContext>) {
        self.post(Input::Submit {
            session,
            submission,
            trace,
        });
    }

    /// Submits what no session sends, and waits for its outcome. It goes on when nobody waits any more.
    pub(crate) async fn tell(&self, submission: Submission) -> Option<core_submit::Outcome> {
        let (outcome, told) = oneshot::channel();
        self.post(Input::Tell { submission, outcome });
        told.await.ok()
    }

    /// A session logged in.
    pub(crate) fn session_opened(&self, registration: Registration) {
        self.post(Input::Registrar(RegistrarEvent::SessionOpened(registration)));
    }

    /// A session ended.
    pub(crate) fn session_closed(&self, session: SessionId) {
        self.post(Input::Lanes(core_submit::Event::SessionClosed(session)));
        self.post(Input::Registrar(RegistrarEvent::SessionClosed(session)));
    }

    /// A number for a new registration, higher than all before.
    pub(crate) fn next_generation(&self) -> Generation {
        Generation(self.generations.fetch_add(1, Ordering::Relaxed))
    }

    /// Asks this node's own shards.
    pub(crate) async fn ask(&self, event: OwnerEvent) -> Option<OwnerAnswer> {
        let (reply, answer) = oneshot::channel();
        self.post(Input::Asked { event, reply });
        answer.await.ok()
    }

    /// Where sessions of accounts are, by this node's own shards.
    pub(crate) async fn look_up(&self, from: NodeName, accounts: Vec<AccountId>) -> Vec<Lookup> {
        match self
            .ask(OwnerEvent::Lookup {
                from,
                request: 0,
                accounts,
            })
            .await
        {
            Some(OwnerAnswer::Lookups(lookups)) => lookups,
            _ => Vec::new(),
        }
    }

    /// Waits until no transaction is under way.
    pub(crate) async fn quiet(&self) {
        loop {
            let (reply, quiet) = oneshot::channel();
            self.post(Input::Quiet(reply));
            if quiet.await.unwrap_or(true) {
                return;
            }
            tokio::time::sleep(QUIET_INTERVAL).await;
        }
    }
}
