//! When the next message is due: at a fixed rate whatever the answers do, or as soon as an answer makes room.

use std::time::{Duration, Instant};

/// When to send.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pace {
    /// Open loop: times are fixed beforehand, and latency counts from them, so that a server that stalls is not spared.
    Rate {
        /// Between two messages of one sender.
        interval: Duration,
        /// Of this sender's first message.
        first: Instant,
    },
    /// Closed loop: so many under way at once.
    Window(usize),
}

impl Pace {
    /// The pace of one of `senders` senders that together keep `rate`, or a window each. Senders begin spread over an
    /// interval, so that they do not all send in one moment.
    pub(super) fn new(rate: Option<u32>, window: u32, sender: usize, senders: usize, start: Instant) -> Self {
        let Some(rate) = rate else {
            return Self::Window(usize::try_from(window).unwrap_or(usize::MAX));
        };
        let senders = u32::try_from(senders.max(1)).unwrap_or(u32::MAX);
        let sender = u32::try_from(sender).unwrap_or(0);
        let interval = Duration::from_secs(1) * senders / rate.max(1);
        Self::Rate {
            interval,
            first: start + interval * sender / senders,
        }
    }

    /// When the message of that number is due, and from when its latency counts; nothing while there is no room.
    pub(super) fn due(&self, number: u64, under_way: usize) -> Option<Instant> {
        match self {
            Self::Rate { interval, first } => {
                let nanoseconds = interval.as_nanos().saturating_mul(u128::from(number));
                let offset = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
                Some(*first + offset)
            }
            Self::Window(window) => (under_way < *window).then(Instant::now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_together_keep_the_rate_and_begin_spread() {
        let start = Instant::now();
        let second = Pace::new(Some(1_000), 1, 1, 4, start);
        assert_eq!(second.due(0, 0).unwrap() - start, Duration::from_millis(1));
        assert_eq!(
            second.due(10, 999).unwrap() - start,
            Duration::from_millis(41),
            "whatever is under way"
        );
    }

    #[test]
    fn a_window_has_room_or_not() {
        let pace = Pace::new(None, 2, 0, 1, Instant::now());
        assert!(pace.due(5, 1).is_some());
        assert!(pace.due(5, 2).is_none());
    }
}
