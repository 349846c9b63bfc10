//! The weather: quiet and storm in turn, and what strikes in the storm.

use rand::Rng;
use tim_core::conversation::Operation;

use crate::client::Line;
use crate::event::{ClientAction, ClientIndex, DatabaseIndex, Event, Fault, NodeIndex};
use crate::membership::SOONEST_SUSPICION;
use crate::node::Status;
use crate::options::{MILLISECOND, SECOND};
use crate::world::World;

/// How long after a fault its consequences may be felt.
const AFTERMATH: u64 = 8 * SECOND;

/// A node that was stopped for longer finds itself late.
const LATE_AFTER: u64 = 3 * SECOND;

/// Pairs that become friends at the same time.
const RACES_AT_ONCE: usize = 3;

/// Who may become friends in the middle of a fault, and where.
#[derive(Debug, Clone, Copy)]
struct Race {
    accounts: (usize, usize),
    clients: (ClientIndex, ClientIndex),
    home: NodeIndex,
}

impl World {
    pub(crate) fn fault(&mut self, fault: Fault) {
        self.trace.note(&[10, self.now]);
        self.trace.line(self.now, || format!("fault {fault:?}"));
        match fault {
            Fault::Weather { storm } => self.weather(storm),
            Fault::Strike => self.strike(),
            Fault::Stop { node, away } => self.stop(node, away),
            Fault::Restart { node } => self.restart(node),
            Fault::Wake { node, boot } => self.wake(node, boot),
            Fault::Heal { one, other } => {
                self.network.set_cut(one, other, false);
                self.reachability_changed();
            }
            Fault::DatabaseWell { database } => {
                self.databases[database].down = false;
                self.databases[database].slowness = 1;
            }
            Fault::SlowLink => self.slow_link(),
            Fault::Calm => self.become_calm(),
        }
    }

    fn weather(&mut self, storm: bool) {
        if self.calm {
            return;
        }
        self.storm = storm;
        let length = if storm {
            self.between(20, 60)
        } else {
            self.between(35, 60)
        } * SECOND;
        if storm {
            self.checker.trouble(self.now, self.now + length + AFTERMATH);
            self.later(SECOND, Event::Fault(Fault::Strike));
        }
        self.later(length, Event::Fault(Fault::Weather { storm: !storm }));
    }

    fn strike(&mut self) {
        if !self.storm || self.calm {
            return;
        }
        self.faults += 1;
        let node = self.random.random_range(0..self.nodes.len());
        match self.random.random_range(0..100) {
            0..18 => self.crash(node),
            18..40 => {
                let away = self.between(100 * MILLISECOND, 9 * SECOND);
                self.stop(node, away);
            }
            40..55 => self.partition(node),
            55..65 => self.isolate(node),
            65..85 => self.trouble_database(),
            _ => (0..RACES_AT_ONCE).for_each(|_| self.race_for_friendship()),
        }
        let after = self.between(500 * MILLISECOND, 8 * SECOND);
        self.later(after, Event::Fault(Fault::Strike));
    }

    fn crash(&mut self, node: NodeIndex) {
        let up = self.nodes.iter().filter(|node| node.status == Status::Up).count();
        if self.nodes[node].status != Status::Up || up < 2 {
            return;
        }
        self.nodes[node].status = Status::Down;
        self.nodes[node].held_up.clear();
        for other in (0..self.nodes.len()).filter(|other| *other != node) {
            self.break_streams(node, other, 200 * MILLISECOND);
        }
        let sessions: Vec<_> = self.nodes[node]
            .sessions
            .iter()
            .map(|(session, held)| (*session, held.client))
            .collect();
        for (session, client) in sessions {
            self.checker.session_dropped(self.now, session);
            if self.clients[client].session == session && self.clients[client].line != Line::Offline {
                let after = self.between(5 * MILLISECOND, 500 * MILLISECOND);
                self.client_later(client, after, ClientAction::Disconnected);
            }
        }
        self.reachability_changed();
        let away = self.between(300 * MILLISECOND, 12 * SECOND);
        self.checker.trouble(self.now, self.now + away + AFTERMATH);
        self.later(away, Event::Fault(Fault::Restart { node }));
    }

    fn restart(&mut self, node: NodeIndex) {
        let boot = self.nodes[node].boot + 1;
        self.nodes[node].boot = boot;
        self.join(node, boot);
        self.nodes[node] = self.new_node(node, boot);
        self.schedule_timers(node);
        self.reachability_changed();
    }

    fn stop(&mut self, node: NodeIndex, away: u64) {
        let up = self.nodes.iter().filter(|node| node.status == Status::Up).count();
        if self.nodes[node].status != Status::Up || up < 2 {
            return;
        }
        self.nodes[node].status = Status::Stopped;
        self.nodes[node].stopped_at = self.now;
        let boot = self.nodes[node].boot;
        self.reachability_changed();
        self.checker.trouble(self.now, self.now + away + AFTERMATH);
        self.later(away, Event::Fault(Fault::Wake { node, boot }));
        // Some clients lose patience.
        let clients: Vec<_> = self.nodes[node]
            .sessions
            .values()
            .map(|held| held.client)
            .collect();
        for client in clients {
            if self.clients[client].is_at(node) && self.chance(0.3) {
                let after = self.between(SECOND, 7 * SECOND);
                self.client_later(client, after, ClientAction::Leave);
            }
        }
    }

    /// What was held up is handled as fast as it can be; the node notices somewhere on the way that it is late.
    fn wake(&mut self, node: NodeIndex, boot: u64) {
        if self.nodes[node].boot != boot || self.nodes[node].status != Status::Stopped {
            return;
        }
        self.nodes[node].status = Status::Up;
        let late = self.now - self.nodes[node].stopped_at >= LATE_AFTER;
        let held_up = std::mem::take(&mut self.nodes[node].held_up);
        let notices = self.random.random_range(0..=held_up.len());
        for (place, event) in held_up.into_iter().enumerate() {
            if late && place == notices {
                self.give_up(node);
            }
            self.handle(event);
        }
        if late && notices == 0 {
            self.give_up(node);
        }
        self.reachability_changed();
        for subject in 0..self.nodes.len() {
            let after = self.between(0, SECOND);
            self.later(
                after,
                Event::Opinion {
                    observer: node,
                    subject,
                },
            );
        }
    }

    /// Cuts one link; gossip finds a way around.
    fn partition(&mut self, one: NodeIndex) {
        let other = (one + self.random.random_range(1..self.nodes.len())) % self.nodes.len();
        self.cut(one, other);
    }

    /// Cuts all links of a node.
    fn isolate(&mut self, node: NodeIndex) {
        for other in (0..self.nodes.len()).filter(|other| *other != node) {
            self.cut(node, other);
        }
    }

    fn cut(&mut self, one: NodeIndex, other: NodeIndex) {
        if self.network.is_cut(one, other) {
            return;
        }
        self.network.set_cut(one, other, true);
        self.break_streams(one, other, 3 * SECOND);
        self.reachability_changed();
        let away = self.between(500 * MILLISECOND, 15 * SECOND);
        self.checker.trouble(self.now, self.now + away + AFTERMATH);
        self.later(away, Event::Fault(Fault::Heal { one, other }));
    }

    /// One link after the other is slow for a while, in quiet times too: that is no trouble, only slower.
    fn slow_link(&mut self) {
        let one = self.random.random_range(0..self.nodes.len());
        let other = (one + self.random.random_range(1..self.nodes.len())) % self.nodes.len();
        let by = self.between(100 * MILLISECOND, 400 * MILLISECOND);
        self.network.set_slow(one, other, by);
        let length = self.between(20 * SECOND, 40 * SECOND);
        self.later(length, Event::Fault(Fault::SlowLink));
    }

    fn trouble_database(&mut self) {
        let database: DatabaseIndex = self.random.random_range(0..self.databases.len());
        if self.databases[database].down || self.databases[database].slowness > 1 {
            return;
        }
        if self.chance(0.4) {
            self.databases[database].down = true;
        } else {
            self.databases[database].slowness = self.between(10, 150);
        }
        let length = self.between(SECOND, 12 * SECOND);
        self.checker.trouble(self.now, self.now + length + AFTERMATH);
        self.later(length, Event::Fault(Fault::DatabaseWell { database }));
    }

    /// Two strangers become friends while one of them writes already, and their home is stopped in the middle: for so
    /// short that it goes on as if nothing had been, though others have asked the next home meanwhile.
    fn race_for_friendship(&mut self) {
        let Some((place, race)) = self.find_race() else {
            return;
        };
        self.strangers.remove(place);
        let Race {
            accounts: (one, other),
            clients: (first, second),
            home,
        } = race;
        self.say_new(first, other, Operation::AddFriend);
        let start = self.between(100 * MILLISECOND, 600 * MILLISECOND);
        let lag = self.between(0, 20 * MILLISECOND);
        let say = |peer, operation| ClientAction::Say { peer, operation };
        self.client_later(second, start, say(one, Operation::AddFriend));
        self.client_later(first, start + lag, say(other, Operation::Message));
        if self.chance(0.7) {
            let after = start + self.between(0, lag + 15 * MILLISECOND);
            let away = self.between(SOONEST_SUSPICION, LATE_AFTER);
            self.later(after, Event::Fault(Fault::Stop { node: home, away }));
            // Of all nodes that of the eager one notices first: its message is at the next home before the friendship.
            let (observer, subject) = (self.clients[first].node, home);
            self.later(after + SOONEST_SUSPICION, Event::Opinion { observer, subject });
        }
    }

    /// Strangers whose sessions and home are on three nodes, if there are such; else any that are online.
    fn find_race(&self) -> Option<(usize, Race)> {
        let of = |(one, other): (usize, usize)| {
            let clients = (self.online(one)?, self.online(other)?);
            let view = &self.nodes[self.clients[clients.0].node].view;
            let home = self.map.home(&self.conversation_of(one, other), view)?;
            Some(Race {
                accounts: (one, other),
                clients,
                home: self.node_index(home),
            })
        };
        let apart = |race: &Race| {
            let (first, second) = (
                self.clients[race.clients.0].node,
                self.clients[race.clients.1].node,
            );
            first != second && first != race.home && second != race.home
        };
        let mut races = self
            .strangers
            .iter()
            .enumerate()
            .filter_map(|(place, pair)| of(*pair).map(|race| (place, race)));
        let any = races.next()?;
        if apart(&any.1) {
            return Some(any);
        }
        races.find(|(_, race)| apart(race)).or(Some(any))
    }

    /// A client of the account that is logged in.
    pub(crate) fn online(&self, account: usize) -> Option<ClientIndex> {
        self.clients
            .iter()
            .position(|client| client.member.account == account && client.line == Line::Online)
    }

    fn become_calm(&mut self) {
        self.calm = true;
        self.storm = false;
        for client in 0..self.clients.len() {
            // Everybody comes once more, behaves, and stays.
            let action = match self.clients[client].line {
                Line::Offline => ClientAction::Connect,
                Line::LoggingIn | Line::Online => ClientAction::Leave,
            };
            let after = self.between(15 * SECOND, 20 * SECOND);
            self.client_later(client, after, action);
        }
    }
}
