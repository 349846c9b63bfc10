//! One timer for all sessions: whoever has a deadline is woken by a single ticking task, so that an idle session costs
//! one list entry instead of a timer of its own.

use crate::mailbox::Mailbox;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tim_core::time::Moment;

/// How often the wheel looks; deadlines are kept to this precision, never early.
pub(crate) const TICK: Duration = Duration::from_millis(50);

/// Those who wait, by tick.
#[derive(Debug, Default)]
pub(crate) struct Wheel {
    slots: Mutex<BTreeMap<u64, Vec<Weak<Mailbox>>>>,
}

fn tick_of(moment: Moment) -> u64 {
    const TICK_MS: u64 = TICK.as_millis() as u64;
    moment.0.div_ceil(TICK_MS)
}

impl Wheel {
    /// Wakes the mailbox with a timer at or after the moment. There is no un-arming: being woken for nothing is harmless.
    pub(crate) fn arm(&self, at: Moment, mailbox: &Arc<Mailbox>) {
        self.slots
            .lock()
            .entry(tick_of(at))
            .or_default()
            .push(Arc::downgrade(mailbox));
    }

    /// Wakes all whose time has come; returns how many.
    pub(crate) fn advance(&self, now: Moment) -> usize {
        let due = {
            let mut slots = self.slots.lock();
            // Whatever lies in a tick that has begun is due; the tick after stays.
            let later = slots.split_off(&(now.0 / (TICK.as_millis() as u64) + 1));
            std::mem::replace(&mut *slots, later)
        };
        let mut woken = 0;
        for mailbox in due.into_values().flatten().filter_map(|weak| weak.upgrade()) {
            mailbox.ring();
            woken += 1;
        }
        woken
    }

    /// Turns until the process ends.
    pub(crate) async fn turn(self: Arc<Self>) {
        let mut interval = tokio::time::interval(TICK);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            self.advance(crate::clock::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_woken_early_and_nobody_twice() {
        let wheel = Wheel::default();
        let mailbox = Arc::new(Mailbox::default());
        wheel.arm(Moment(120), &mailbox);
        assert_eq!(wheel.advance(Moment(119)), 0);
        assert_eq!(wheel.advance(Moment(149)), 0);
        assert_eq!(wheel.advance(Moment(150)), 1);
        assert_eq!(wheel.advance(Moment(10_000)), 0);
        wheel.arm(Moment(10_001), &mailbox);
        drop(mailbox);
        assert_eq!(
            wheel.advance(Moment(20_000)),
            0,
            "a session that ended is forgotten"
        );
    }
}
