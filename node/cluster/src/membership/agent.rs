//! The shell: a UDP socket, a clock, and the task that runs the protocol.

use super::seeds::{Resolver, addresses};
use super::tick::TickWatch;
use super::{Core, Effect, Event, MemberIdentity, MemberState, Members, Outside, Settings, next_generation};
use crate::keyring::KeyRing;
use crate::metrics::GossipMetrics;
use crate::seal::{DATAGRAM_BYTES_MAX, Opener, Rejection, Sealer};
use arc_swap::ArcSwap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tim_core::id::{Generation, NodeName};
use tim_core::time::Moment;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

/// How often the node looks at its own clock.
const TICK_INTERVAL: Duration = Duration::from_millis(250);
/// Seeds are tried this often even when others are known: two halves of a cluster that began apart find each other.
const SEEDS_INTERVAL: Duration = Duration::from_secs(15);
/// Commands and events that may wait.
const QUEUE_MAX: usize = 64;
/// Datagrams taken from the socket before timers get their turn.
const DATAGRAMS_PER_TURN: usize = 64;
/// Rejected datagrams are logged at most this often.
const REJECTION_LOG_INTERVAL: Duration = Duration::from_secs(10);

/// What a member needs to take part.
pub struct Gossip {
    /// The cluster; part of what is sealed.
    pub cluster_id: String,
    /// This node.
    pub name: NodeName,
    /// Its failure zone; may be empty.
    pub zone: String,
    /// Where others reach it.
    pub advertise: SocketAddr,
    /// A bound socket.
    pub socket: UdpSocket,
    /// The key ring in use; replaced when its file changes.
    pub keys: Arc<ArcSwap<KeyRing>>,
    /// `host:port` of where others may be; names are resolved again and again.
    pub seeds: Vec<String>,
    /// How names are resolved.
    pub resolver: Arc<dyn Resolver>,
    /// Times of the protocol.
    pub settings: Settings,
}

/// What the node must react to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MembershipEvent {
    /// The others hold this node for dead: give up homes and shards, then [`Membership::rejoin`].
    DeclaredDead,
    /// Somebody gossips under a key that is not in the ring: one of the two sides holds another cluster secret. Told again
    /// from time to time while it goes on.
    UnknownKey,
    /// The node was stopped for this long beyond a tick: give up homes and shards, then [`Membership::rejoin`].
    LateTick(Duration),
}

/// Membership has ended; nothing was changed, and nothing will be any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("membership has ended")]
pub struct MembershipError;

enum Command {
    State(MemberState),
    Rejoin(oneshot::Sender<Generation>),
    Leave(oneshot::Sender<()>),
}

/// A running member. Clones are the same member.
#[derive(Clone)]
pub struct Membership {
    members: watch::Receiver<Arc<Members>>,
    commands: mpsc::Sender<Command>,
}

impl Membership {
    /// Live nodes, and every change of them.
    pub fn members(&self) -> watch::Receiver<Arc<Members>> {
        self.members.clone()
    }

    /// Says something else of this node: serving puts it into the view, draining takes it out.
    ///
    /// # Errors
    /// Membership has ended.
    pub async fn set_state(&self, state: MemberState) -> Result<(), MembershipError> {
        self.commands
            .send(Command::State(state))
            .await
            .map_err(|_| MembershipError)
    }

    /// Comes back as a new life, in state joining, after [`MembershipEvent`]; otherwise changes nothing.
    ///
    /// # Errors
    /// Membership has ended.
    pub async fn rejoin(&self) -> Result<Generation, MembershipError> {
        self.ask(Command::Rejoin).await
    }

    /// Tells the others that this node goes, and ends.
    ///
    /// # Errors
    /// Membership had ended before.
    pub async fn leave(&self) -> Result<(), MembershipError> {
        self.ask(Command::Leave).await
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, MembershipError> {
        let (sender, receiver) = oneshot::channel();
        self.commands
            .send(command(sender))
            .await
            .map_err(|_| MembershipError)?;
        receiver.await.map_err(|_| MembershipError)
    }
}

/// Starts a member in state joining; it ends with [`Membership::leave`], or when all handles are gone.
pub fn start(gossip: Gossip) -> (Membership, mpsc::Receiver<MembershipEvent>) {
    let generation = next_generation(unix_ms(), None, 0, rand::random());
    let identity = MemberIdentity::new(&gossip.name, generation, gossip.advertise, &gossip.zone);
    let core = Core::new(identity, &gossip.settings, rand::random());
    let (members_sender, members) = watch::channel(Arc::new(core.members().clone()));
    let (commands, command_receiver) = mpsc::channel(QUEUE_MAX);
    let (events, event_receiver) = mpsc::channel(QUEUE_MAX);
    let agent = Agent {
        core,
        began: Instant::now(),
        // Not the generation: a clock that goes back must not make two lives seal alike.
        sealer: Sealer::new(&gossip.cluster_id, rand::random()),
        opener: Opener::new(&gossip.cluster_id),
        gossip,
        members: members_sender,
        events,
        metrics: GossipMetrics::default(),
        last_rejection_log: None,
        n_attempts: 0,
        late: Duration::ZERO,
    };
    tokio::spawn(agent.run(command_receiver));
    (Membership { members, commands }, event_receiver)
}

struct Agent {
    core: Core,
    began: Instant,
    sealer: Sealer,
    opener: Opener,
    gossip: Gossip,
    members: watch::Sender<Arc<Members>>,
    events: mpsc::Sender<MembershipEvent>,
    metrics: GossipMetrics,
    last_rejection_log: Option<Instant>,
    n_attempts: u32,
    late: Duration,
}

impl Agent {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut watch = TickWatch::new(TICK_INTERVAL, self.gossip.settings.late_tick, self.now());
        let mut tick = tokio::time::interval(TICK_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (found_sender, mut found) = mpsc::channel(1);
        let mut seeds = tokio::time::interval(self.gossip.settings.announce_interval);
        seeds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last_announced: Option<Instant> = None;
        loop {
            let deadline = self.until_deadline();
            tokio::select! {
                biased;
                // First, so that whoever was stopped finds out before it believes what its old timers say.
                _ = tick.tick() => {
                    if let Some(late) = watch.tick(self.now()) {
                        self.late = late;
                        self.handle(Event::Stopped).await;
                    }
                }
                command = commands.recv() => {
                    let Some(command) = command else { break };
                    if self.command(command).await { break }
                }
                Some(addresses) = found.recv() => self.handle(Event::Announce(addresses)).await,
                _ = seeds.tick() => {
                    let due = last_announced.is_none_or(|last| last.elapsed() >= SEEDS_INTERVAL);
                    if due || self.core.is_alone() {
                        last_announced = Some(Instant::now());
                        self.look_for_seeds(found_sender.clone());
                    }
                }
                () = tokio::time::sleep(deadline) => self.handle(Event::Timer).await,
                readable = self.gossip.socket.readable() => match readable {
                    Ok(()) => self.receive(&mut watch).await,
                    Err(error) => {
                        tracing::warn!(%error, "gossip socket is not readable");
                        tokio::time::sleep(TICK_INTERVAL).await;
                    }
                },
            }
        }
    }

    fn now(&self) -> Moment {
        Moment(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn until_deadline(&self) -> Duration {
        self.core.deadline().map_or(TICK_INTERVAL, |deadline| {
            Duration::from_millis(deadline.since_ms(self.now()))
        })
    }

    fn look_for_seeds(&self, found: mpsc::Sender<Vec<SocketAddr>>) {
        let (resolver, seeds) = (self.gossip.resolver.clone(), self.gossip.seeds.clone());
        // Beside the loop: a slow name server must not stop the protocol. One answer may wait, more are dropped.
        tokio::spawn(async move {
            let _ = found.try_send(addresses(resolver.as_ref(), &seeds).await);
        });
    }

    /// Whether the member ends with this command.
    async fn command(&mut self, command: Command) -> bool {
        match command {
            Command::State(state) => self.handle(Event::State(state)).await,
            Command::Rejoin(answer) => {
                let previous = self.core.identity().generation();
                let next = next_generation(unix_ms(), Some(previous), self.n_attempts, rand::random());
                self.n_attempts += 1;
                self.handle(Event::Rejoin(next)).await;
                let _ = answer.send(self.core.identity().generation());
            }
            Command::Leave(answer) => {
                self.handle(Event::Leave).await;
                let _ = answer.send(());
                return true;
            }
        }
        false
    }

    async fn receive(&mut self, watch: &mut TickWatch) {
        let mut buffer = [0; DATAGRAM_BYTES_MAX + 1];
        for _ in 0..DATAGRAMS_PER_TURN {
            let Ok((length, from)) = self.gossip.socket.try_recv_from(&mut buffer) else {
                return;
            };
            if let Some(late) = watch.tick(self.now()) {
                self.late = late;
                self.handle(Event::Stopped).await;
            }
            match self.opener.open(&self.gossip.keys.load(), &buffer[..length]) {
                Ok(payload) => self.handle(Event::Payload(payload)).await,
                Err(rejection) => self.reject(rejection, from),
            }
        }
    }

    fn reject(&mut self, rejection: Rejection, from: SocketAddr) {
        self.metrics.rejected(rejection);
        let quiet = self
            .last_rejection_log
            .is_some_and(|last| last.elapsed() < REJECTION_LOG_INTERVAL);
        if quiet {
            return;
        }
        self.last_rejection_log = Some(Instant::now());
        if rejection == Rejection::UnknownKey {
            // Told again at the next one if the queue is full.
            let _ = self.events.try_send(MembershipEvent::UnknownKey);
            let code = tim_catalogue::node::WRONG_CLUSTER_SECRET.code;
            tracing::warn!(code, %from, "{code}: gossip under a key that is not in the ring; is a node of another cluster, or with another key ring, pointed here?");
        } else {
            tracing::info!(%from, error.type = rejection.error_type(), "gossip refused");
        }
    }

    async fn handle(&mut self, event: Event) {
        let mut effects = Vec::new();
        self.core.handle(self.now(), event, &mut effects);
        for effect in effects {
            self.carry_out(effect).await;
        }
    }

    async fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Send { to, payload } => match self.sealer.seal(&self.gossip.keys.load(), &payload) {
                Ok(datagram) => {
                    // Unreachable, refused, full: the protocol allows for loss.
                    if let Err(error) = self.gossip.socket.send_to(&datagram, to).await {
                        tracing::trace!(%error, %to, "gossip not sent");
                    }
                }
                Err(error) => tracing::warn!(%error, "gossip not sealed"),
            },
            Effect::MembersChanged => {
                let members = Arc::new(self.core.members().clone());
                if !self.core.is_alone() {
                    self.n_attempts = 0;
                }
                self.metrics.members(&members);
                tracing::info!(
                    tim.view.hash = members.view().hash().0,
                    serving = members.view().nodes().len(),
                    alive = members.nodes().len(),
                    "members changed"
                );
                self.members.send_replace(members);
            }
            Effect::Out(Outside::Left) => {}
            Effect::Out(Outside::DeclaredDead) => self.out(MembershipEvent::DeclaredDead).await,
            Effect::Out(Outside::Stopped) => self.out(MembershipEvent::LateTick(self.late)).await,
            Effect::Malformed => self.metrics.rejected(Rejection::Malformed),
        }
    }

    async fn out(&mut self, event: MembershipEvent) {
        tracing::warn!(
            ?event,
            "out of the cluster: giving up what is held, then joining anew"
        );
        let _ = self.events.send(event).await;
    }
}

fn unix_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| u64::try_from(elapsed.as_millis()).unwrap_or(0))
}

#[cfg(test)]
mod tests;
