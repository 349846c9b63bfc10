//! Slow things that are watched for as long as the node runs: the members, the map, the clock, the certificate.

use crate::board::{Effect, Place};
use crate::clock::{self, JumpDetector};
use crate::engine::Input;
use crate::node::Node;
use crate::session::Input as SessionInput;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tim_catalogue::{Report, node as causes};
use tim_cluster::links::Handshaker;
use tim_cluster::membership::{MemberState, Members, MembershipEvent};
use tim_core::session;
use tokio::sync::mpsc;

/// How often clock, certificate and control group are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// A jump of the clock is shown for this long.
const CLOCK_SHOWN: Duration = Duration::from_secs(60);
/// Expired login tokens and blocks are swept this often, by one node after the other.
const SWEEP_INTERVAL_MS: u64 = 60_000;
/// After a change of the view sessions look for undelivered messages at this rate: so many per millisecond.
const CHECKS_PER_MS: u64 = 10;
/// The first ones wait this long: the sessions register anew first.
const CHECK_AFTER_MS: u64 = 200;
/// A foreign key is shown for this long after it was last met; others announce themselves more often than that.
const FOREIGN_KEY_SHOWN_MS: u64 = 35_000;
/// Without a leader for this long the control group is said to have none.
const LEADERLESS_AFTER: Duration = Duration::from_secs(5);

/// Passes every change of the set of serving nodes on, until membership ends.
pub(crate) async fn members(node: Arc<Node>) {
    let mut members = node.members.clone();
    loop {
        let present = members.borrow_and_update().clone();
        view_of(&node, &present);
        if members.changed().await.is_err() {
            return;
        }
    }
}

fn view_of(node: &Node, members: &Members) {
    let known = members.clone();
    node.peers.keep_only(|name| known.get(name).is_some());
    node.streams.keep_only(|name| known.get(name).is_some());
    if node.view.load().hash() == members.view().hash() {
        return;
    }
    let view = Arc::new(members.view().clone());
    node.view.store(Arc::clone(&view));
    node.streams.view_changed(Arc::clone(&view));
    node.engine.post(Input::View(view));
    for (place, session) in (0_u64..).zip(node.sessions.ids()) {
        let event = session::Event::ViewChanged {
            check_after_ms: CHECK_AFTER_MS + place / CHECKS_PER_MS,
        };
        // It may have ended meanwhile.
        let _ = node.sessions.post(session, SessionInput::Core(Box::new(event)));
    }
}

/// Gives up what is held when the others hold this node for dead or it was stopped, and joins anew.
pub(crate) async fn membership_events(
    node: Arc<Node>,
    handshaker: Handshaker,
    mut events: mpsc::Receiver<MembershipEvent>,
) {
    while let Some(event) = events.recv().await {
        if event == MembershipEvent::UnknownKey {
            let now = clock::now().0.max(1);
            node.foreign_key_at_ms.store(now, Ordering::Relaxed);
            continue;
        }
        node.engine.post(Input::GiveUp);
        let observed = match &event {
            MembershipEvent::UnknownKey => continue,
            MembershipEvent::DeclaredDead => "the others held this node for dead".to_owned(),
            MembershipEvent::LateTick(late) => format!("stopped for {} ms", late.as_millis()),
        };
        let report = Report::new(&causes::DECLARED_DEAD, observed);
        node.board.raise(Place::Peers, Effect::Told, report);
        match node.membership.rejoin().await {
            Ok(generation) => handshaker.set_generation(generation),
            Err(error) => {
                tracing::warn!(%error, "membership has ended");
                return;
            }
        }
        let draining = node.drain.progress().is_active();
        let state = if draining {
            MemberState::Draining
        } else {
            MemberState::Serving
        };
        let _ = node.membership.set_state(state).await;
        node.board.clear(&Place::Peers);
    }
}

/// Takes every newer map that the control group publishes.
pub(crate) async fn control(node: Arc<Node>) {
    let mut view = node.control.view();
    loop {
        let map = view.borrow_and_update().state.map.clone();
        if let Some(map) = map.and_then(|map| node.databases.adopt(map)) {
            node.engine.post(Input::Map(map));
        }
        if view.changed().await.is_err() {
            return;
        }
    }
}

/// Looks at clock, certificate and control group.
pub(crate) async fn environment(node: Arc<Node>) {
    let mut jumps = JumpDetector::start();
    let mut jumped_at = None;
    let mut apart = false;
    let mut leaderless_since: Option<tokio::time::Instant> = None;
    let mut interval = tokio::time::interval(LOOK_INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let now = tokio::time::Instant::now();
        if let Some(jump) = jumps.look(clock::wall_ns(), clock::monotonic_ns()) {
            let direction = if jump > 0 { "forward" } else { "back" };
            let seconds = jump.unsigned_abs() / 1_000_000_000;
            let report = Report::new(
                &causes::CLOCK_JUMP,
                format!("the clock went {direction} by {seconds} s"),
            );
            node.board.raise(Place::Clock, Effect::Told, report);
            jumped_at = Some(now);
        } else if jumped_at.is_some_and(|at| now.duration_since(at) > CLOCK_SHOWN) {
            node.board.clear(&Place::Clock);
            jumped_at = None;
        }
        node.board.observe(Place::Trust, Effect::Told, expired(&node));
        let led = node.control.status().borrow().leader.is_some();
        apart = cluster_secret(&node, apart, led).await;
        let since = *leaderless_since.get_or_insert(now);
        if led {
            leaderless_since = None;
            node.board.clear(&Place::Control);
        } else if now.duration_since(since) > LEADERLESS_AFTER {
            let report = Report::new(&causes::NO_LEADER, "no leader is known to this node");
            node.board.raise(Place::Control, Effect::Told, report);
        }
    }
}

/// A node that is alone, and in no control group that has a leader, while others gossip under another key has the wrong
/// secret, as far as anybody can tell: it serves nobody until that is right. One that has company, or leads a group of
/// its own, only says so: strangers who send datagrams must not be able to stop it. Whether the node stands apart now.
async fn cluster_secret(node: &Node, apart: bool, led: bool) -> bool {
    let last = node.foreign_key_at_ms.load(Ordering::Relaxed);
    let recent = last != 0 && clock::now().0.saturating_sub(last) < FOREIGN_KEY_SHOWN_MS;
    let alone = node.members.borrow().nodes().len() <= 1;
    let wrong = recent && alone && !led;
    if recent {
        let (effect, observed) = if wrong {
            (
                Effect::NotReady,
                "others gossip under a key that is not in this node's ring, and nobody under one that is",
            )
        } else {
            (
                Effect::Told,
                "somebody gossips under a key that is not in this cluster's ring",
            )
        };
        let report = Report::new(&causes::WRONG_CLUSTER_SECRET, observed);
        node.board.raise(Place::Secret, effect, report);
    } else {
        node.board.clear(&Place::Secret);
    }
    let starting = !apart && !node.takes_logins();
    if wrong != apart && !starting && !node.drain.progress().is_active() {
        node.takes_logins.store(!wrong, Ordering::Relaxed);
        let state = if wrong {
            MemberState::Joining
        } else {
            MemberState::Serving
        };
        let _ = node.membership.set_state(state).await;
        return wrong;
    }
    apart
}

fn expired(node: &Node) -> Option<Report> {
    let status = node.trust.status();
    status.expired.then(|| {
        let observed = format!(
            "the certificate of {} has ended; links that stand stay, new ones fail",
            status.identity
        );
        Report::new(&causes::CERTIFICATE_EXPIRED, observed)
    })
}

/// Sweeps expired login tokens and blocks from time to time.
pub(crate) async fn sweep(node: Arc<Node>) {
    loop {
        tokio::time::sleep(Duration::from_millis(crate::random::jittered_ms(
            SWEEP_INTERVAL_MS,
        )))
        .await;
        for name in node.databases.store().databases() {
            node.databases.sweep_expired(&name).await;
        }
    }
}
