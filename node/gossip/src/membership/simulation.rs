//! Several cores in virtual time, over a network that loses.

use super::core::{Core, Effect, Event, Outside};
use super::identity::{MemberIdentity, MemberState};
use super::settings::Settings;
use rand_foca::rngs::StdRng;
use rand_foca::{RngExt, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use tim_core::id::{Generation, NodeName};
use tim_core::time::Moment;

const ANNOUNCE_MS: u64 = 500;
const DELAY_MS: std::ops::Range<u64> = 1..10;

pub(super) struct Node {
    pub(super) core: Core,
    pub(super) dead: bool,
    pub(super) outs: Vec<Outside>,
}

pub(super) struct Cluster {
    pub(super) nodes: Vec<Node>,
    pub(super) now: Moment,
    pub(super) loss: f64,
    /// Pairs that do not hear each other.
    pub(super) cut: BTreeSet<(usize, usize)>,
    announce_at: Moment,
    wire: BTreeMap<(Moment, u64), (usize, Vec<u8>)>,
    n_sent: u64,
    random: StdRng,
}

pub(super) fn address(index: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, u8::try_from(index).unwrap()], 5083))
}

pub(super) fn name(index: usize) -> NodeName {
    NodeName::new(format!("chat-{index}")).unwrap()
}

pub(super) fn identity(index: usize, generation: u64) -> MemberIdentity {
    MemberIdentity::new(&name(index), Generation(generation), address(index), "a")
}

impl Cluster {
    /// Nodes that have found each other and serve.
    pub(super) fn formed(n_nodes: usize, seed: u64) -> Self {
        let mut cluster = Self {
            nodes: Vec::new(),
            now: Moment(0),
            loss: 0.0,
            cut: BTreeSet::new(),
            announce_at: Moment(0),
            wire: BTreeMap::new(),
            n_sent: 0,
            random: StdRng::seed_from_u64(seed),
        };
        for index in 0..n_nodes {
            let core = Core::new(
                identity(index, 1),
                &Settings::default(),
                seed * 1_000 + index as u64,
            );
            cluster.nodes.push(Node {
                core,
                dead: false,
                outs: Vec::new(),
            });
        }
        for index in 0..n_nodes {
            cluster.event(index, Event::State(MemberState::Serving));
        }
        let formed = cluster.run_until(30_000, |cluster| {
            (0..n_nodes).all(|index| cluster.serving(index).len() == n_nodes)
        });
        assert!(formed, "the cluster forms");
        cluster
    }

    pub(super) fn serving(&self, index: usize) -> Vec<String> {
        let view = self.nodes[index].core.members().view();
        view.nodes().iter().map(|node| node.name.to_string()).collect()
    }

    pub(super) fn n_serving(&self, index: usize) -> usize {
        self.nodes[index].core.members().view().nodes().len()
    }

    pub(super) fn sees(&self, index: usize, other: usize) -> bool {
        self.nodes[index].core.members().view().contains(&name(other))
    }

    pub(super) fn event(&mut self, index: usize, event: Event) {
        let mut effects = Vec::new();
        let node = &mut self.nodes[index];
        node.core.handle(self.now, event, &mut effects);
        for effect in effects {
            match effect {
                Effect::Send { to, payload } => self.send(index, to, payload),
                Effect::Out(outside) => self.nodes[index].outs.push(outside),
                Effect::MembersChanged => {}
                Effect::Malformed => panic!("a payload of our own was refused"),
            }
        }
    }

    fn send(&mut self, from: usize, to: SocketAddr, payload: Vec<u8>) {
        let Some(to) = (0..self.nodes.len()).find(|index| address(*index) == to) else {
            return;
        };
        let is_cut = self.cut.contains(&(from, to)) || self.cut.contains(&(to, from));
        if is_cut || self.random.random_bool(self.loss) {
            return;
        }
        let arrives = self.now.plus_ms(self.random.random_range(DELAY_MS));
        self.n_sent += 1;
        self.wire.insert((arrives, self.n_sent), (to, payload));
    }

    /// Runs until the condition holds or the time is over; whether it held.
    pub(super) fn run_until(&mut self, milliseconds: u64, condition: impl Fn(&Self) -> bool) -> bool {
        let end = self.now.plus_ms(milliseconds);
        loop {
            if condition(self) {
                return true;
            }
            let arrival = self.wire.first_key_value().map(|((moment, _), _)| *moment);
            let timer = self
                .nodes
                .iter()
                .filter(|node| !node.dead)
                .filter_map(|node| node.core.deadline())
                .min();
            let next = [arrival, timer, Some(self.announce_at)]
                .into_iter()
                .flatten()
                .min()
                .unwrap_or(end);
            if next >= end {
                self.now = end;
                return condition(self);
            }
            self.now = self.now.max(next);
            self.announce();
            if arrival.is_some_and(|arrival| arrival <= self.now) {
                let Some((_, (to, payload))) = self.wire.pop_first() else {
                    continue;
                };
                if !self.nodes[to].dead {
                    self.event(to, Event::Payload(payload));
                }
            }
            for index in 0..self.nodes.len() {
                let node = &self.nodes[index];
                if !node.dead && node.core.deadline().is_some_and(|deadline| deadline <= self.now) {
                    self.event(index, Event::Timer);
                }
            }
        }
    }

    /// As the shell does: whoever is alone asks the seed again.
    fn announce(&mut self) {
        if self.announce_at > self.now {
            return;
        }
        self.announce_at = self.now.plus_ms(ANNOUNCE_MS);
        for index in 0..self.nodes.len() {
            if !self.nodes[index].dead && self.nodes[index].core.is_alone() {
                self.event(index, Event::Announce(vec![address(0), address(1)]));
            }
        }
    }

    pub(super) fn run(&mut self, milliseconds: u64) {
        self.run_until(milliseconds, |_| false);
    }
}
