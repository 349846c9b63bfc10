//! How many connections the node takes, as places that are given back by dropping them.
//!
//! Places of connections without a login are given to whoever comes last: where all are taken, the stranger that came
//! first yields. Silent ones can so keep nobody out. Who is being answered about a login yields to nobody.

use futures::task::AtomicWaker;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tim_config::Limits;

/// Counts connections against their limits.
#[derive(Debug)]
pub(crate) struct Admission {
    connections: Counted,
    /// Of those and of HTTP connections the ones that nobody has logged in on.
    strangers: Arc<Strangers>,
}

#[derive(Debug)]
struct Counted {
    taken: Arc<AtomicUsize>,
    most: usize,
}

/// One place; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Counted {
    fn new(most: u32) -> Self {
        Self {
            taken: Arc::default(),
            most: most as usize,
        }
    }

    fn take(&self) -> Option<Place> {
        let place = Place(Arc::clone(&self.taken));
        // Counted first: two at once must not both take the last place.
        (self.taken.fetch_add(1, Ordering::Relaxed) < self.most).then_some(place)
    }
}

/// Connections before their login.
#[derive(Debug)]
struct Strangers {
    most: usize,
    line: Mutex<Line>,
}

#[derive(Debug, Default)]
struct Line {
    next: u64,
    /// Those that would yield, by the number that each got when it came.
    waiting: BTreeMap<u64, Arc<Call>>,
    /// How many more there are, that do not yield.
    busy: usize,
}

/// How a stranger hears that it has to go.
#[derive(Debug, Default)]
struct Call {
    to_go: AtomicBool,
    waker: AtomicWaker,
}

/// The place of one stranger.
#[derive(Debug)]
pub(crate) struct StrangerPlace {
    strangers: Arc<Strangers>,
    number: u64,
    call: Arc<Call>,
    is_busy: bool,
}

/// What a newcomer gets.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) place: StrangerPlace,
    /// Another has lost its place for it.
    pub(crate) another_yields: bool,
}

impl Strangers {
    fn admit(self: &Arc<Self>) -> Option<Admitted> {
        let mut line = self.line.lock();
        let yielding = if line.waiting.len() + line.busy < self.most {
            None
        } else {
            Some(line.waiting.pop_first()?.1)
        };
        let (number, call) = (line.next, Arc::new(Call::default()));
        line.next += 1;
        line.waiting.insert(number, Arc::clone(&call));
        drop(line);
        if let Some(yielding) = &yielding {
            yielding.to_go.store(true, Ordering::Release);
            yielding.waker.wake();
        }
        Some(Admitted {
            place: StrangerPlace {
                strangers: Arc::clone(self),
                number,
                call,
                is_busy: false,
            },
            another_yields: yielding.is_some(),
        })
    }
}

impl StrangerPlace {
    /// The stranger is being answered about a login, or is not any more. It keeps its turn.
    pub(crate) fn set_busy(&mut self, busy: bool) {
        let mut line = self.strangers.line.lock();
        if busy && line.waiting.remove(&self.number).is_some() {
            line.busy += 1;
            self.is_busy = true;
        } else if !busy && self.is_busy {
            line.busy -= 1;
            self.is_busy = false;
            line.waiting.insert(self.number, Arc::clone(&self.call));
        }
    }

    /// Ready when the place is another's.
    pub(crate) fn poll_yields(&self, context: &Context<'_>) -> Poll<()> {
        self.call.waker.register(context.waker());
        if self.call.to_go.load(Ordering::Acquire) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Drop for StrangerPlace {
    fn drop(&mut self) {
        let mut line = self.strangers.line.lock();
        if self.is_busy {
            line.busy -= 1;
        } else {
            // It is another's already where this finds nothing.
            line.waiting.remove(&self.number);
        }
    }
}

impl Admission {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            connections: Counted::new(limits.connections_max),
            strangers: Arc::new(Strangers {
                most: limits.unauthenticated_max as usize,
                line: Mutex::default(),
            }),
        }
    }

    /// A place for one WebSocket connection, if there is one.
    pub(crate) fn connection(&self) -> Option<Place> {
        self.connections.take()
    }

    /// A place for a connection before its login, at the cost of the one that came first where all are taken; none while
    /// all that have one are being answered.
    pub(crate) fn stranger(&self) -> Option<Admitted> {
        self.strangers.admit()
    }

    /// How many WebSocket connections there are.
    pub(crate) fn taken(&self) -> usize {
        self.connections.taken.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    fn admission() -> Admission {
        Admission::new(&Limits {
            connections_max: 2,
            unauthenticated_max: 2,
            ..Limits::default()
        })
    }

    fn has_to_go(place: &StrangerPlace) -> bool {
        place.poll_yields(&Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn a_full_node_takes_nobody_until_somebody_leaves() {
        let admission = admission();
        let (one, two) = (admission.connection(), admission.connection());
        assert!(one.is_some() && two.is_some());
        assert!(admission.connection().is_none());
        drop(one);
        assert_eq!(admission.taken(), 1);
        assert!(admission.connection().is_some());
    }

    #[test]
    fn the_stranger_that_came_first_yields() {
        let admission = admission();
        let one = admission.stranger().unwrap();
        let two = admission.stranger().unwrap();
        assert!(!one.another_yields && !two.another_yields);
        let three = admission.stranger().unwrap();
        assert!(three.another_yields);
        assert!(has_to_go(&one.place) && !has_to_go(&two.place) && !has_to_go(&three.place));
        // Its place is another's: that it goes frees none.
        drop(one);
        assert!(admission.stranger().unwrap().another_yields);
        assert!(has_to_go(&two.place));
        drop((two, three));
        assert!(!admission.stranger().unwrap().another_yields);
    }

    #[test]
    fn who_is_being_answered_yields_to_nobody_and_keeps_its_turn() {
        let admission = admission();
        let mut one = admission.stranger().unwrap().place;
        let mut two = admission.stranger().unwrap().place;
        one.set_busy(true);
        let mut three = admission.stranger().unwrap().place;
        assert!(!has_to_go(&one) && has_to_go(&two));
        // Too late.
        two.set_busy(true);
        three.set_busy(true);
        assert!(admission.stranger().is_none(), "all are being answered");
        one.set_busy(false);
        three.set_busy(false);
        let four = admission.stranger().unwrap();
        assert!(has_to_go(&one) && !has_to_go(&three));
        two.set_busy(false);
        drop((one, two, three, four));
        assert_eq!(admission.strangers.line.lock().busy, 0);
        assert!(admission.strangers.line.lock().waiting.is_empty());
    }
}
