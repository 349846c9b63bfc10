//! One link per peer, made when it is first needed.

use super::client::{Link, connect};
use super::error::LinkError;
use super::handshake::Handshaker;
use crate::membership::Members;
use crate::tls::Trust;
use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tim_core::id::{Generation, NodeName};
use tokio::sync::watch;
use tokio::time::Instant;

/// Wait after the first failed attempt; doubled with each further one,
const BACKOFF_MIN: Duration = Duration::from_millis(50);
/// up to this.
const BACKOFF_MAX: Duration = Duration::from_secs(2);

/// The links of this node. Clones share them.
#[derive(Clone)]
pub struct Links {
    shared: Arc<Shared>,
}

struct Shared {
    trust: Trust,
    handshaker: Handshaker,
    members: watch::Receiver<Arc<Members>>,
    slots: Mutex<HashMap<NodeName, Arc<Slot>>>,
}

#[derive(Default)]
struct Slot {
    link: ArcSwapOption<Link>,
    /// Held while connecting, so that a peer sees one attempt at a time.
    attempts: tokio::sync::Mutex<Attempts>,
}

#[derive(Default)]
struct Attempts {
    target: Option<(SocketAddr, Generation)>,
    n_failed: u32,
    not_before: Option<Instant>,
    last: String,
}

impl Links {
    /// Links to whomever membership shows.
    pub fn new(trust: Trust, handshaker: Handshaker, members: watch::Receiver<Arc<Members>>) -> Self {
        let shared = Shared {
            trust,
            handshaker,
            members,
            slots: Mutex::new(HashMap::new()),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The link to a node if there is one; never waits.
    pub fn standing(&self, node: &NodeName) -> Option<Link> {
        let slot = self.shared.slots.lock().get(node).cloned()?;
        slot.standing()
    }

    /// The link to a node, made now if need be. Concurrent callers share one attempt.
    ///
    /// # Errors
    /// There is none; nothing was sent. See [`LinkError`] for what helps.
    pub async fn link(&self, node: &NodeName) -> Result<Link, LinkError> {
        let slot = self.shared.slots.lock().entry(node.clone()).or_default().clone();
        if let Some(link) = slot.standing() {
            return Ok(link);
        }
        // A task of its own: a caller that gives up must not undo what has been achieved for the next one.
        let attempt = tokio::spawn(self.clone().attempt(node.clone(), slot));
        attempt.await.unwrap_or_else(|_| {
            Err(LinkError::Unreachable {
                node: node.clone(),
                reason: "this node is stopping".to_owned(),
            })
        })
    }

    async fn attempt(self, node: NodeName, slot: Arc<Slot>) -> Result<Link, LinkError> {
        let mut attempts = slot.attempts.lock().await;
        if let Some(link) = slot.standing() {
            return Ok(link);
        }
        self.target(&node, &mut attempts)?;
        attempts.may_try(&node)?;
        let Some((address, _)) = attempts.target else {
            return Err(LinkError::Unknown { node });
        };
        match connect(&self.shared.trust, &self.shared.handshaker, &node, address).await {
            Ok(link) => {
                tracing::debug!(peer = %node, %address, "link made");
                attempts.succeeded();
                slot.link.store(Some(Arc::new(link.clone())));
                Ok(link)
            }
            Err(error) => {
                attempts.failed(&node, &error);
                Err(error)
            }
        }
    }

    /// Where the node is now. One that membership has lost is tried where it was: the group that keeps the map goes on
    /// over links while gossip is disturbed.
    fn target(&self, node: &NodeName, attempts: &mut Attempts) -> Result<(), LinkError> {
        let members = self.shared.members.borrow();
        let present = members
            .get(node)
            .map(|member| (member.address, member.generation));
        if present.is_some() && present != attempts.target {
            *attempts = Attempts {
                target: present,
                ..Attempts::default()
            };
        }
        if attempts.target.is_none() {
            drop(members);
            self.shared.slots.lock().remove(node);
            return Err(LinkError::Unknown { node: node.clone() });
        }
        Ok(())
    }
}

impl Slot {
    fn standing(&self) -> Option<Link> {
        self.link
            .load()
            .as_deref()
            .filter(|link| !link.is_closed())
            .cloned()
    }
}

impl Attempts {
    fn may_try(&self, node: &NodeName) -> Result<(), LinkError> {
        if self.not_before.is_some_and(|moment| Instant::now() < moment) {
            return Err(LinkError::Waiting {
                node: node.clone(),
                reason: self.last.clone(),
            });
        }
        Ok(())
    }

    fn succeeded(&mut self) {
        self.n_failed = 0;
        self.not_before = None;
    }

    fn failed(&mut self, node: &NodeName, error: &LinkError) {
        if self.n_failed == 0 || self.last != error.to_string() {
            let code = error.cause().code;
            tracing::warn!(code, peer = %node, "{code}: {error}");
        }
        self.last = error.to_string();
        self.not_before = Some(Instant::now() + backoff(self.n_failed, rand::random()));
        self.n_failed = self.n_failed.saturating_add(1);
    }
}

/// Doubles, is bounded, and is spread over its upper half so that nodes do not try in step.
fn backoff(n_failed: u32, random: u8) -> Duration {
    let whole = BACKOFF_MIN.saturating_mul(1 << n_failed.min(16)).min(BACKOFF_MAX);
    whole / 2 + whole.mul_f64(f64::from(random) / 512.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stay_within_bounds() {
        assert!(backoff(0, 255) <= BACKOFF_MIN && backoff(0, 0) >= BACKOFF_MIN / 2);
        assert!(backoff(3, 0) > backoff(0, 255));
        assert!(backoff(u32::MAX, 255) <= BACKOFF_MAX);
    }
}
