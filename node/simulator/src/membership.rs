//! A model of gossip: every node has its own opinion about every other, formed with a delay.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use tim_core::id::{Generation, NodeName, ViewHash};
use tim_core::view::{NodeInfo, View};

use crate::event::{Event, NodeIndex};
use crate::node::Status;
use crate::options::{MILLISECOND, SECOND};
use crate::world::World;

/// A node that is gone is believed to be alive for at least so long.
pub(crate) const SOONEST_SUSPICION: u64 = SECOND;

pub(crate) struct Views {
    zones: Vec<String>,
    /// Which life of each other node a node believes in.
    opinions: Vec<Vec<Option<u64>>>,
    /// One object per set of nodes, so that its table of shards is made once.
    known: BTreeMap<ViewHash, Arc<View>>,
    /// When a view last changed anywhere.
    pub(crate) changed_at: u64,
}

impl Views {
    pub(crate) fn new(names: &[NodeName], random: &mut ChaCha8Rng) -> Self {
        let zones = random.random_range(1..=3);
        Self {
            zones: (0..names.len())
                .map(|node| format!("z{}", node % zones))
                .collect(),
            opinions: vec![vec![Some(1); names.len()]; names.len()],
            known: BTreeMap::new(),
            changed_at: 0,
        }
    }

    fn build(&mut self, names: &[NodeName], observer: NodeIndex) -> Arc<View> {
        let opinions = &self.opinions[observer];
        let nodes = opinions.iter().enumerate().filter_map(|(node, life)| {
            life.map(|boot| NodeInfo {
                name: names[node].clone(),
                zone: self.zones[node].clone(),
                boot_generation: Generation(boot),
            })
        });
        let view = View::new(nodes.collect());
        self.known
            .entry(view.hash())
            .or_insert_with(|| Arc::new(view))
            .clone()
    }
}

impl World {
    /// The view of a node as its opinions are now.
    pub(crate) fn view_of(&mut self, observer: NodeIndex) -> Arc<View> {
        self.views.build(&self.names, observer)
    }

    /// Something about a node's reachability changed: everybody forms an opinion after a while.
    pub(crate) fn reachability_changed(&mut self) {
        for observer in 0..self.nodes.len() {
            for subject in 0..self.nodes.len() {
                let believed = self.views.opinions[observer][subject];
                let true_life = self.life_seen_by(observer, subject);
                if observer == subject || believed == true_life {
                    continue;
                }
                // Joining spreads quickly, death is only noticed after suspicion.
                let after = if true_life.is_some() {
                    self.between(100 * MILLISECOND, 1_500 * MILLISECOND)
                } else {
                    self.between(SOONEST_SUSPICION, 3_200 * MILLISECOND)
                };
                self.later(after, Event::Opinion { observer, subject });
            }
        }
    }

    pub(crate) fn opinion(&mut self, observer: NodeIndex, subject: NodeIndex) {
        if self.nodes[observer].status != Status::Up {
            // It forms its opinions anew when it is back.
            return;
        }
        let life = self.life_seen_by(observer, subject);
        if self.views.opinions[observer][subject] == life {
            return;
        }
        self.views.opinions[observer][subject] = life;
        self.views.changed_at = self.now;
        self.trace.note(&[
            3,
            self.now,
            observer as u64,
            subject as u64,
            life.unwrap_or_default(),
        ]);
        self.trace
            .line(self.now, || format!("n{observer} sees n{subject} as {life:?}"));
        let view = self.view_of(observer);
        self.view_changed(observer, view);
    }

    /// A node that starts joins before it serves: it knows whom it reaches.
    pub(crate) fn join(&mut self, node: NodeIndex, boot: u64) {
        for subject in 0..self.nodes.len() {
            self.views.opinions[node][subject] = self.life_seen_by(node, subject);
        }
        self.views.opinions[node][node] = Some(boot);
        self.views.changed_at = self.now;
    }

    /// Directly, or over a third node that reaches both.
    fn life_seen_by(&self, observer: NodeIndex, subject: NodeIndex) -> Option<u64> {
        if observer == subject {
            return Some(self.nodes[subject].boot);
        }
        let up = |node: NodeIndex| self.nodes[node].status == Status::Up;
        let open = |one, other| !self.network.is_cut(one, other);
        let direct = open(observer, subject);
        let around = (0..self.nodes.len()).any(|third| {
            third != observer
                && third != subject
                && up(third)
                && open(observer, third)
                && open(third, subject)
        });
        (up(subject) && (direct || around)).then_some(self.nodes[subject].boot)
    }
}
