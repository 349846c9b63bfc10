//! Carrying what the streams say to other nodes: one courier per node, so that a slow one delays no other, one call at
//! a time, so that what is said arrives in order.

use super::Input;
use crate::backlog::Backlog;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tim_cluster::links::Links;
use tim_core::id::NodeName;
use tim_core::stream::{Event, Message};
use tim_peer::streams::item;
use tim_proto::peer::v1 as peer;
use tokio::sync::mpsc;

/// What goes in one call, at most;
const ITEMS_AT_ONCE: usize = 512;
/// and after the item that reaches this many bytes nothing more is added.
const BYTES_AT_ONCE: usize = 2 << 20;
/// Wait after a node could not be reached: what comes meanwhile goes in one attempt.
const RETRY: Duration = Duration::from_millis(50);

#[derive(Debug, Clone)]
struct Courier {
    queue: mpsc::UnboundedSender<Message>,
    waiting: Arc<Backlog>,
}

/// All couriers.
pub(super) struct Couriers {
    links: Links,
    inputs: mpsc::UnboundedSender<Input>,
    bytes_max: usize,
    couriers: Mutex<HashMap<NodeName, Courier>>,
}

impl std::fmt::Debug for Couriers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Couriers").finish_non_exhaustive()
    }
}

impl Couriers {
    pub(super) fn new(links: Links, inputs: mpsc::UnboundedSender<Input>, bytes_max: usize) -> Self {
        Self {
            links,
            inputs,
            bytes_max,
            couriers: Mutex::default(),
        }
    }

    /// Sends without waiting; whether there was room for it.
    pub(super) fn send(&self, to: &NodeName, message: Message) -> bool {
        let courier = self.courier(to);
        let fits = courier.waiting.take(message.content_bytes());
        if fits {
            // The courier lives as long as its queue.
            let _ = courier.queue.send(message);
        }
        fits
    }

    fn courier(&self, to: &NodeName) -> Courier {
        let mut couriers = self.couriers.lock();
        if let Some(courier) = couriers.get(to) {
            return courier.clone();
        }
        let (queue, messages) = mpsc::unbounded_channel();
        let courier = Courier {
            queue,
            waiting: Arc::new(Backlog::new(self.bytes_max)),
        };
        couriers.insert(to.clone(), courier.clone());
        let way = Way {
            links: self.links.clone(),
            inputs: self.inputs.clone(),
            waiting: Arc::clone(&courier.waiting),
            to: to.clone(),
        };
        tokio::spawn(carry(way, messages));
        courier
    }

    pub(super) fn keep_only(&self, known: impl Fn(&NodeName) -> bool) {
        self.couriers.lock().retain(|name, _| known(name));
    }
}

struct Way {
    links: Links,
    inputs: mpsc::UnboundedSender<Input>,
    waiting: Arc<Backlog>,
    to: NodeName,
}

async fn carry(way: Way, mut queue: mpsc::UnboundedReceiver<Message>) {
    while let Some(first) = queue.recv().await {
        let mut bytes = first.content_bytes();
        let mut items = Vec::with_capacity(1);
        items.extend(item(first));
        while items.len() < ITEMS_AT_ONCE
            && bytes < BYTES_AT_ONCE
            && let Ok(message) = queue.try_recv()
        {
            bytes += message.content_bytes();
            items.extend(item(message));
        }
        let arrived = call(&way, items).await;
        way.waiting.give_back(bytes);
        if !arrived {
            let unreached = Input::Event(Event::Unreached(way.to.clone()));
            // The streams end only with the process.
            let _ = way.inputs.send(unreached);
            tokio::time::sleep(RETRY).await;
        }
    }
}

async fn call(way: &Way, items: Vec<peer::StreamItem>) -> bool {
    let Ok(link) = way.links.link(&way.to).await else {
        return false;
    };
    match link.streams().carry(peer::CarryRequest { items }).await {
        Ok(_) => true,
        Err(status) => {
            tracing::debug!(peer = %way.to, %status, "a part of the streams did not arrive");
            false
        }
    }
}
