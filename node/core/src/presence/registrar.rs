//! A node's part as the node of sessions: registers them with their owners and keeps saying that they live.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::id::{NodeName, SessionId};
use crate::placement;
use crate::presence::{Config, RegistrarEffect, RegistrarEvent, Registration};
use crate::time::{Moment, earliest};
use crate::view::View;

/// Sessions are registered anew in portions, this many milliseconds apart.
const PORTION_MS: u64 = 100;

#[derive(Debug)]
struct Held {
    registration: Registration,
    /// The owner that has it, or has been asked to.
    at: Option<NodeName>,
}

#[derive(Debug)]
struct Asked {
    sessions: Vec<SessionId>,
    until: Moment,
}

/// The sessions of a node.
#[derive(Debug)]
pub struct Registrar {
    config: Config,
    name: NodeName,
    view: Arc<View>,
    sessions: BTreeMap<SessionId, Held>,
    /// Registrations under way.
    asked: BTreeMap<u64, Asked>,
    /// To be registered anew, in portions.
    backlog: BTreeSet<SessionId>,
    next_portion: Moment,
    heartbeat_at: Moment,
    /// The view changed: say everything as soon as the backlog is empty.
    say_all: bool,
    last_request: u64,
}

impl Registrar {
    /// The registrar of node `name`, without sessions.
    #[must_use]
    pub fn new(config: Config, name: NodeName, view: Arc<View>, now: Moment) -> Self {
        Self {
            config,
            name,
            view,
            sessions: BTreeMap::new(),
            asked: BTreeMap::new(),
            backlog: BTreeSet::new(),
            next_portion: now,
            heartbeat_at: now,
            say_all: true,
            last_request: 0,
        }
    }

    /// Takes one event and appends what is to be done.
    pub fn handle(&mut self, now: Moment, event: RegistrarEvent, effects: &mut Vec<RegistrarEffect>) {
        match event {
            RegistrarEvent::SessionOpened(registration) => {
                let session = registration.entry.session;
                self.sessions.insert(
                    session,
                    Held {
                        registration,
                        at: None,
                    },
                );
                self.register(now, vec![session], effects);
            }
            RegistrarEvent::SessionClosed(session) => self.closed(session, effects),
            RegistrarEvent::Registered { request, refused } => {
                let Some(asked) = self.asked.remove(&request) else {
                    return;
                };
                for session in &asked.sessions {
                    if !refused.contains(session) && self.sessions.contains_key(session) {
                        effects.push(RegistrarEffect::Registered(*session));
                    }
                }
                self.lost(now, refused, self.config.retry_ms);
            }
            RegistrarEvent::HeartbeatAnswered { missing, .. } => {
                self.lost(now, missing, 0);
                self.timer(now, effects);
            }
            RegistrarEvent::Failed { request } => {
                if let Some(asked) = self.asked.remove(&request) {
                    self.lost(now, asked.sessions, self.config.retry_ms);
                }
            }
            RegistrarEvent::ViewChanged(view) => {
                self.view = view;
                self.move_to_new_owners(now);
                self.timer(now, effects);
            }
            RegistrarEvent::Timer => self.timer(now, effects),
        }
    }

    /// When [`RegistrarEvent::Timer`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        let portion = (!self.backlog.is_empty()).then_some(self.next_portion);
        let answer = self.asked.values().map(|asked| asked.until).min();
        earliest(Some(self.heartbeat_at), earliest(portion, answer))
    }

    /// Sessions of this node.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether the node has no session.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Sessions that no owner has taken yet since they came, or since the view changed.
    #[must_use]
    pub fn unregistered(&self) -> usize {
        self.backlog.len()
            + self
                .asked
                .values()
                .map(|asked| asked.sessions.len())
                .sum::<usize>()
    }

    fn closed(&mut self, session: SessionId, effects: &mut Vec<RegistrarEffect>) {
        let Some(held) = self.sessions.remove(&session) else {
            return;
        };
        self.backlog.remove(&session);
        let owners = placement::shard_owners_of(&held.registration.account, &self.view);
        for to in [owners.primary, owners.follower].into_iter().flatten().cloned() {
            let registrations = vec![held.registration.clone()];
            effects.push(RegistrarEffect::Unregister { to, registrations });
        }
    }

    /// These are not registered (any more): again, after a wait.
    fn lost(&mut self, now: Moment, sessions: Vec<SessionId>, wait_ms: u64) {
        if sessions.is_empty() {
            return;
        }
        for session in sessions {
            if let Some(held) = self.sessions.get_mut(&session) {
                held.at = None;
                self.backlog.insert(session);
            }
        }
        self.next_portion = self.next_portion.max(now.plus_ms(wait_ms));
    }

    fn move_to_new_owners(&mut self, now: Moment) {
        let view = &self.view;
        for (session, held) in &mut self.sessions {
            let primary = placement::shard_owners_of(&held.registration.account, view).primary;
            if held.at.as_ref() != primary {
                held.at = None;
                self.backlog.insert(*session);
            }
        }
        self.say_all = true;
        self.next_portion = self.next_portion.min(now);
        self.heartbeat_at = now;
    }

    fn timer(&mut self, now: Moment, effects: &mut Vec<RegistrarEffect>) {
        let late: Vec<Asked> = self
            .asked
            .extract_if(.., |_, asked| asked.until <= now)
            .map(|(_, asked)| asked)
            .collect();
        for asked in late {
            self.lost(now, asked.sessions, self.config.retry_ms);
        }
        if !self.backlog.is_empty() && self.next_portion <= now {
            let portion: Vec<SessionId> = self
                .backlog
                .iter()
                .copied()
                .take(self.config.reregister_per_100ms)
                .collect();
            for session in &portion {
                self.backlog.remove(session);
            }
            self.next_portion = now.plus_ms(PORTION_MS);
            self.register(now, portion, effects);
        }
        // Everything is said only when everything has been sent before: streams keep the order.
        let ready = !self.say_all || self.backlog.is_empty();
        if self.heartbeat_at <= now && ready {
            self.say_all = false;
            self.heartbeat_at = now.plus_ms(self.config.heartbeat_ms);
            self.heartbeat(effects);
        } else if self.heartbeat_at <= now {
            self.heartbeat_at = now.plus_ms(PORTION_MS);
        }
    }

    fn register(&mut self, now: Moment, sessions: Vec<SessionId>, effects: &mut Vec<RegistrarEffect>) {
        let mut by_owner: BTreeMap<NodeName, Vec<Registration>> = BTreeMap::new();
        let mut ownerless = Vec::new();
        for session in sessions {
            let Some(held) = self.sessions.get_mut(&session) else {
                continue;
            };
            let primary = placement::shard_owners_of(&held.registration.account, &self.view).primary;
            held.at = primary.cloned();
            match primary {
                Some(owner) => by_owner
                    .entry(owner.clone())
                    .or_default()
                    .push(held.registration.clone()),
                None => ownerless.push(session),
            }
        }
        self.lost(now, ownerless, self.config.retry_ms);
        for (to, registrations) in by_owner {
            for part in registrations.chunks(self.config.max_batch) {
                self.last_request += 1;
                let sessions = part
                    .iter()
                    .map(|registration| registration.entry.session)
                    .collect();
                let until = now.plus_ms(self.config.answer_timeout_ms);
                self.asked.insert(self.last_request, Asked { sessions, until });
                effects.push(RegistrarEffect::Register {
                    to: to.clone(),
                    request: self.last_request,
                    registrations: part.to_vec(),
                });
            }
        }
    }

    /// To every node of the view, also those that own nothing of ours: they learn that they miss nothing.
    fn heartbeat(&mut self, effects: &mut Vec<RegistrarEffect>) {
        let mut by_owner: BTreeMap<&NodeName, Vec<SessionId>> = self
            .view
            .nodes()
            .iter()
            .map(|node| (&node.name, Vec::new()))
            .collect();
        for (session, held) in &self.sessions {
            if let Some(sessions) = held.at.as_ref().and_then(|owner| by_owner.get_mut(owner)) {
                sessions.push(*session);
            }
        }
        let view = self.view.hash();
        for (to, sessions) in by_owner {
            let mut parts = sessions.chunks(self.config.max_batch).peekable();
            let mut rest: Option<&[SessionId]> = Some(parts.next().unwrap_or_default());
            while let Some(part) = rest {
                rest = parts.next();
                self.last_request += 1;
                effects.push(RegistrarEffect::Heartbeat {
                    to: to.clone(),
                    request: self.last_request,
                    view,
                    whole: rest.is_none(),
                    sessions: part.to_vec(),
                });
            }
        }
    }

    /// The node whose sessions these are.
    #[must_use]
    pub fn name(&self) -> &NodeName {
        &self.name
    }
}
