//! The network between nodes: ordered streams that break, and messages that travel alone and may be lost, doubled
//! or overtaken.

use rand::Rng;

use crate::event::{Event, NodeIndex, PeerMessage};
use crate::node::Status;
use crate::options::{MILLISECOND, SECOND};
use crate::world::World;

/// Of a hundred changes so many reach the replica that follows late, and by how much at most: its node has other things to
/// do. Longer than most look-ups after a login, far shorter than what repairs a registry.
const LATE_CHANGES: u32 = 20;
const LATE_MAX: u64 = SECOND;

/// One direction of a link.
#[derive(Debug, Clone, Copy, Default)]
struct Stream {
    /// Raised by every break; what was sent under an older one is lost.
    epoch: u64,
    /// Nothing overtakes on a stream.
    last_arrival: u64,
    /// The sender will be told of a break that it has not noticed yet.
    telling: bool,
}

pub(crate) struct Network {
    count: usize,
    streams: Vec<Stream>,
    cut: Vec<bool>,
    /// The link that is slow just now, both ways, and by how much.
    slow: Option<(NodeIndex, NodeIndex, u64)>,
}

impl Network {
    pub(crate) fn new(count: usize) -> Self {
        Self {
            count,
            streams: vec![Stream::default(); count * count],
            cut: vec![false; count * count],
            slow: None,
        }
    }

    pub(crate) fn is_cut(&self, one: NodeIndex, other: NodeIndex) -> bool {
        self.cut[one * self.count + other]
    }

    pub(crate) fn set_cut(&mut self, one: NodeIndex, other: NodeIndex, cut: bool) {
        self.cut[one * self.count + other] = cut;
        self.cut[other * self.count + one] = cut;
    }

    pub(crate) fn set_slow(&mut self, one: NodeIndex, other: NodeIndex, by: u64) {
        self.slow = Some((one, other, by));
    }

    fn slowness(&self, from: NodeIndex, to: NodeIndex) -> u64 {
        match self.slow {
            Some((one, other, by)) if (from, to) == (one, other) || (from, to) == (other, one) => by,
            _ => 0,
        }
    }

    fn stream(&mut self, from: NodeIndex, to: NodeIndex) -> &mut Stream {
        &mut self.streams[from * self.count + to]
    }
}

impl World {
    pub(crate) fn send(&mut self, from: NodeIndex, to: NodeIndex, message: PeerMessage) {
        let unreachable = self.network.is_cut(from, to) || self.nodes[to].status == Status::Down;
        if from == to {
            let after = self.between(5, 50);
            self.send_in_order(from, to, after, message);
        } else if !message.is_streamed() {
            self.send_alone(from, to, unreachable, message);
        } else if unreachable {
            self.tell_of_break(from, to, SECOND);
        } else {
            let latency = self.latency(from, to);
            self.send_in_order(from, to, latency, message);
        }
    }

    fn send_in_order(&mut self, from: NodeIndex, to: NodeIndex, latency: u64, message: PeerMessage) {
        let boot = self.nodes[to].boot;
        let earliest = self.now + latency;
        let stream = self.network.stream(from, to);
        stream.last_arrival = stream.last_arrival.max(earliest);
        let (at, epoch) = (stream.last_arrival, Some(stream.epoch));
        self.queue.push(
            at,
            Event::Peer {
                from,
                to,
                epoch,
                boot,
                message,
            },
        );
    }

    fn send_alone(&mut self, from: NodeIndex, to: NodeIndex, unreachable: bool, message: PeerMessage) {
        if unreachable || (self.storm && self.chance(0.03)) {
            return;
        }
        let boot = self.nodes[to].boot;
        let latency = self.latency(from, to) + self.lag(&message);
        let twice = self.storm && self.chance(0.02);
        let again = twice.then(|| latency + self.latency(from, to));
        for after in again.into_iter().chain([latency]) {
            let event = Event::Peer {
                from,
                to,
                epoch: None,
                boot,
                message: message.clone(),
            };
            self.later(after, event);
        }
    }

    /// What is on its way between two nodes is lost; both ends notice after a while.
    pub(crate) fn break_streams(&mut self, one: NodeIndex, other: NodeIndex, slowest: u64) {
        for (from, to) in [(one, other), (other, one)] {
            self.network.stream(from, to).epoch += 1;
            self.tell_of_break(from, to, slowest);
        }
    }

    fn tell_of_break(&mut self, from: NodeIndex, to: NodeIndex, slowest: u64) {
        if !std::mem::replace(&mut self.network.stream(from, to).telling, true) {
            let after = self.between(10 * MILLISECOND, slowest);
            let boot = self.nodes[from].boot;
            self.later(
                after,
                Event::StreamBroken {
                    at: from,
                    boot,
                    node: to,
                },
            );
        }
    }

    pub(crate) fn peer_arrived(
        &mut self,
        from: NodeIndex,
        to: NodeIndex,
        epoch: Option<u64>,
        boot: u64,
        message: PeerMessage,
    ) {
        let lost = self.nodes[to].boot != boot
            || self.nodes[to].status == Status::Down
            || (from != to && self.network.is_cut(from, to))
            || epoch.is_some_and(|epoch| self.network.stream(from, to).epoch != epoch);
        if lost {
            return;
        }
        if self.nodes[to].status == Status::Stopped {
            self.nodes[to].held_up.push(Event::Peer {
                from,
                to,
                epoch,
                boot,
                message,
            });
            return;
        }
        self.trace.note(&[1, self.now, from as u64, to as u64]);
        self.trace
            .line(self.now, || format!("n{from}->n{to} {message:?}"));
        self.node_receives(from, to, message);
    }

    pub(crate) fn stream_broke(&mut self, at: NodeIndex, boot: u64, node: NodeIndex) {
        self.network.stream(at, node).telling = false;
        if self.nodes[at].boot != boot || self.nodes[at].status == Status::Down {
            return;
        }
        if self.nodes[at].status == Status::Stopped {
            self.nodes[at]
                .held_up
                .push(Event::StreamBroken { at, boot, node });
            return;
        }
        self.trace.note(&[2, self.now, at as u64, node as u64]);
        self.trace
            .line(self.now, || format!("n{at}: stream to n{node} broke"));
        self.lanes_lose(at, node);
    }

    /// By how much a replica lags with a change.
    fn lag(&mut self, message: &PeerMessage) -> u64 {
        let may = self.options.has_lagging_replicas() && matches!(message, PeerMessage::Replicate { .. });
        match may && self.random.random_range(0..100) < LATE_CHANGES {
            true => self.between(MILLISECOND, LATE_MAX),
            false => 0,
        }
    }

    /// Mostly under a millisecond, sometimes much more.
    fn latency(&mut self, from: NodeIndex, to: NodeIndex) -> u64 {
        let base = self.network.slowness(from, to) + self.random.random_range(100..900);
        match self.random.random_range(0..100) {
            0 => base + self.random.random_range(0..200 * MILLISECOND),
            1..=9 => base + self.random.random_range(0..20 * MILLISECOND),
            _ => base,
        }
    }
}
