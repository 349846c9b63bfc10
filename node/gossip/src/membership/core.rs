//! The protocol: events in, effects out; no clock, no socket, its randomness from a seed.

use super::codec::CheckedCodec;
use super::identity::{MemberIdentity, MemberState};
use super::members::Members;
use super::settings::Settings;
use foca::{Foca, NoCustomBroadcast, Notification, Runtime, State, Timer};
use rand_foca::SeedableRng;
use rand_foca::rngs::StdRng;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use tim_core::id::Generation;
use tim_core::time::Moment;

/// What happens to a member.
#[derive(Debug, Clone)]
pub enum Event {
    /// An authentic payload arrived.
    Payload(Vec<u8>),
    /// [`Core::deadline`] has passed.
    Timer,
    /// Nodes may be at these addresses: ask them for the members.
    Announce(Vec<SocketAddr>),
    /// Say something else of oneself.
    State(MemberState),
    /// This node was stopped for longer than others wait.
    Stopped,
    /// Come back as a new life; what was held has been given up.
    Rejoin(Generation),
    /// Go for good and tell the others.
    Leave,
}

/// Why a member is out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// The others hold this life for dead.
    DeclaredDead,
    /// It was stopped, and may be held for dead.
    Stopped,
    /// It has left.
    Left,
}

/// What the shell has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Seal and send; losing it is allowed for.
    Send {
        /// Where to.
        to: SocketAddr,
        /// What.
        payload: Vec<u8>,
    },
    /// [`Core::members`] has changed.
    MembersChanged,
    /// This life has ended; nothing is heard of others until [`Event::Rejoin`].
    Out(Outside),
    /// A payload was not what it should be.
    Malformed,
}

/// The state of one member.
pub struct Core {
    foca: Foca<MemberIdentity, CheckedCodec, StdRng, NoCustomBroadcast>,
    timers: BTreeMap<(Moment, u64), Timer<MemberIdentity>>,
    n_timers: u64,
    outside: Option<Outside>,
    members: Members,
    /// Something that `members` shows has changed since they were collected.
    is_stale: bool,
}

impl Core {
    /// A member that knows nobody.
    pub fn new(identity: MemberIdentity, settings: &Settings, seed: u64) -> Self {
        let members = Members::collect([&identity].into_iter());
        Self {
            foca: Foca::new(
                identity,
                settings.foca(),
                StdRng::seed_from_u64(seed),
                CheckedCodec,
            ),
            timers: BTreeMap::new(),
            n_timers: 0,
            outside: None,
            members,
            is_stale: false,
        }
    }

    /// Live nodes as known now.
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// Whether any other live node is known.
    pub fn is_alone(&self) -> bool {
        self.foca.num_members() == 0
    }

    /// This member as it is known to the others.
    pub fn identity(&self) -> &MemberIdentity {
        self.foca.identity()
    }

    /// When [`Event::Timer`] is wanted next.
    pub fn deadline(&self) -> Option<Moment> {
        self.timers.first_key_value().map(|((moment, _), _)| *moment)
    }

    /// Takes an event; effects are to be carried out in order.
    pub fn handle(&mut self, now: Moment, event: Event, effects: &mut Vec<Effect>) {
        match event {
            Event::Payload(payload) => self.payload(now, &payload, effects),
            Event::Timer => self.timer(now, effects),
            Event::Announce(addresses) => self.announce(now, addresses, effects),
            Event::State(state) => self.change_state(now, state, effects),
            Event::Stopped => self.stop(effects),
            Event::Rejoin(generation) => self.rejoin(now, generation, effects),
            Event::Leave => self.leave(now, effects),
        }
        self.publish(effects);
    }

    fn payload(&mut self, now: Moment, payload: &[u8], effects: &mut Vec<Effect>) {
        // Whoever is out has nothing to say: an answer would tell the others that it lives.
        if self.outside.is_some() {
            return;
        }
        let result = self.with_foca(now, effects, |foca, runtime| foca.handle_data(payload, runtime));
        if let Err(error) = result {
            tracing::debug!(%error, "gossip payload refused");
            effects.push(Effect::Malformed);
        }
    }

    fn timer(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let later = self.timers.split_off(&(now, u64::MAX));
        let mut due: Vec<_> = std::mem::replace(&mut self.timers, later).into_values().collect();
        // Overdue timers are given in the order that the protocol expects, not in that of their moments.
        due.sort();
        for timer in due {
            if self.outside.is_some() && !matches!(timer, Timer::RemoveDown(_)) || self.is_refuted(&timer) {
                continue;
            }
            let result = self.with_foca(now, effects, |foca, runtime| foca.handle_timer(timer, runtime));
            if let Err(error) = result {
                tracing::debug!(%error, "gossip timer out of order");
            }
        }
    }

    /// Whether a suspected member has defended itself meanwhile. foca would leave it alive, and tell it all the same that it
    /// is dead (2.0.0, `Timer::ChangeSuspectToDown`), so such a timer is kept from it.
    fn is_refuted(&self, timer: &Timer<MemberIdentity>) -> bool {
        let Timer::ChangeSuspectToDown {
            member_id,
            incarnation,
            ..
        } = timer
        else {
            return false;
        };
        !self.foca.iter_membership_state().any(|member| {
            member.id() == member_id
                && member.incarnation() == *incarnation
                && member.state() == State::Suspect
        })
    }

    fn announce(&mut self, now: Moment, addresses: Vec<SocketAddr>, effects: &mut Vec<Effect>) {
        if self.outside.is_some() {
            return;
        }
        let own = self.foca.identity().address;
        for address in addresses.into_iter().filter(|address| *address != own) {
            let to = MemberIdentity::whoever(address);
            self.attempt(now, effects, |foca, runtime| foca.announce(to, runtime));
        }
    }

    fn change_state(&mut self, now: Moment, state: MemberState, effects: &mut Vec<Effect>) {
        let identity = self.foca.identity();
        if identity.state == state {
            return;
        }
        let changed = MemberIdentity {
            state,
            revision: identity.revision + 1,
            ..identity.clone()
        };
        if self.outside.is_some() {
            // Said with the next life.
            return;
        }
        self.become_identity(now, changed, effects);
    }

    fn stop(&mut self, effects: &mut Vec<Effect>) {
        if self.outside.is_none() {
            self.outside = Some(Outside::Stopped);
            self.is_stale = true;
            effects.push(Effect::Out(Outside::Stopped));
        }
    }

    fn rejoin(&mut self, now: Moment, generation: Generation, effects: &mut Vec<Effect>) {
        let identity = self.foca.identity();
        if self.outside.is_none() || generation.0 <= identity.generation {
            return;
        }
        let renewed = MemberIdentity {
            generation: generation.0,
            revision: 0,
            state: MemberState::Joining,
            ..identity.clone()
        };
        self.outside = None;
        self.become_identity(now, renewed, effects);
    }

    fn become_identity(&mut self, now: Moment, identity: MemberIdentity, effects: &mut Vec<Effect>) {
        self.is_stale = true;
        self.attempt(now, effects, |foca, runtime| {
            foca.change_identity(identity, runtime)
        });
        // A change of identity goes to a few; asking every known member makes it known to all and brings back what was missed.
        let others: Vec<_> = self
            .foca
            .iter_members()
            .map(|member| member.id().clone())
            .collect();
        for other in others {
            self.attempt(now, effects, |foca, runtime| foca.announce(other, runtime));
        }
    }

    fn leave(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        if self.outside == Some(Outside::Left) {
            return;
        }
        self.outside = Some(Outside::Left);
        self.is_stale = true;
        self.attempt(now, effects, |foca, runtime| foca.leave_cluster(runtime));
        effects.push(Effect::Out(Outside::Left));
    }

    fn attempt(
        &mut self,
        now: Moment,
        effects: &mut Vec<Effect>,
        action: impl FnOnce(&mut MemberFoca, &mut Collector<'_>) -> Result<(), foca::Error>,
    ) {
        if let Err(error) = self.with_foca(now, effects, action) {
            // Names and zones are bounded, so an encoder never fails; nothing else can go wrong here.
            tracing::warn!(%error, "gossip action failed");
        }
    }

    fn with_foca(
        &mut self,
        now: Moment,
        effects: &mut Vec<Effect>,
        action: impl FnOnce(&mut MemberFoca, &mut Collector<'_>) -> Result<(), foca::Error>,
    ) -> Result<(), foca::Error> {
        let mut collector = Collector {
            now,
            effects,
            timers: &mut self.timers,
            n_timers: &mut self.n_timers,
            defunct: false,
            changed: false,
        };
        let result = action(&mut self.foca, &mut collector);
        let defunct = collector.defunct;
        self.is_stale |= collector.changed;
        if defunct && self.outside.is_none() {
            self.outside = Some(Outside::DeclaredDead);
            self.is_stale = true;
            effects.push(Effect::Out(Outside::DeclaredDead));
        }
        result
    }

    fn publish(&mut self, effects: &mut Vec<Effect>) {
        if !std::mem::take(&mut self.is_stale) {
            return;
        }
        let own = self.outside.is_none().then(|| self.foca.identity().clone());
        let others = self.foca.iter_members().map(foca::Member::id);
        let members = Members::collect(others.chain(own.as_ref()));
        if members != self.members {
            self.members = members;
            effects.push(Effect::MembersChanged);
        }
    }
}

type MemberFoca = Foca<MemberIdentity, CheckedCodec, StdRng, NoCustomBroadcast>;

/// Collects what foca wants done.
struct Collector<'a> {
    now: Moment,
    effects: &'a mut Vec<Effect>,
    timers: &'a mut BTreeMap<(Moment, u64), Timer<MemberIdentity>>,
    n_timers: &'a mut u64,
    defunct: bool,
    changed: bool,
}

impl Runtime<MemberIdentity> for Collector<'_> {
    fn notify(&mut self, notification: Notification<'_, MemberIdentity>) {
        match notification {
            Notification::Defunct => self.defunct = true,
            Notification::MemberUp(_) | Notification::MemberDown(_) | Notification::Rename(..) => {
                self.changed = true
            }
            _ => {}
        }
    }

    fn send_to(&mut self, to: MemberIdentity, data: &[u8]) {
        self.effects.push(Effect::Send {
            to: to.address,
            payload: data.to_vec(),
        });
    }

    fn submit_after(&mut self, event: Timer<MemberIdentity>, after: Duration) {
        *self.n_timers += 1;
        let delay_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        self.timers
            .insert((self.now.plus_ms(delay_ms), *self.n_timers), event);
    }
}
