//! When and where to try again. Pure: the caller waits, and brings the randomness.

use std::time::Duration;

use crate::ReconnectPolicy;

/// One attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// From 1.
    pub(crate) number: u32,
    /// Wait before it.
    pub(crate) wait: Duration,
    /// Index of the address.
    pub(crate) address: usize,
}

/// The attempts of one break.
#[derive(Debug)]
pub(crate) struct Backoff {
    policy: ReconnectPolicy,
    addresses: usize,
    /// Where the connection was.
    last_address: usize,
    /// The server asked to go: waiting would only cost time.
    draining: bool,
    /// Breaks just before this one: whoever is thrown out again and again comes back ever slower.
    quick_breaks: u32,
    made: u32,
}

impl Backoff {
    pub(crate) fn new(policy: ReconnectPolicy, addresses: usize, last_address: usize) -> Self {
        Self {
            policy,
            addresses: addresses.max(1),
            last_address,
            draining: false,
            quick_breaks: 0,
            made: 0,
        }
    }

    /// The server asked to go.
    pub(crate) fn draining(self, draining: bool) -> Self {
        Self { draining, ..self }
    }

    /// So many connections before this one broke soon after they were made.
    pub(crate) fn after_quick_breaks(self, quick_breaks: u32) -> Self {
        Self { quick_breaks, ..self }
    }

    /// The next attempt, or nothing when they are used up. `chance` in 0..1 shortens the wait.
    pub(crate) fn next(&mut self, chance: f64) -> Option<Attempt> {
        if self.policy.attempts_max.is_some_and(|max| self.made >= max.get()) {
            return None;
        }
        let wait = self.wait(chance);
        self.made = self.made.saturating_add(1);
        self.last_address = (self.last_address + 1) % self.addresses;
        Some(Attempt {
            number: self.made,
            wait,
            address: self.last_address,
        })
    }

    fn wait(&self, chance: f64) -> Duration {
        // A draining server is left at once; each other address gets one free try.
        let round = self.made / u32::try_from(self.addresses).unwrap_or(u32::MAX);
        if self.draining && round == 0 && self.quick_breaks == 0 {
            return Duration::ZERO;
        }
        let factor = 2_u32.saturating_pow(self.made.saturating_add(self.quick_breaks).min(16));
        let longest = self
            .policy
            .wait_min
            .saturating_mul(factor)
            .min(self.policy.wait_max);
        // At least half of it, so that a long outage is not hammered.
        longest.mul_f64(0.5 + 0.5 * chance.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn policy(attempts: u32) -> ReconnectPolicy {
        ReconnectPolicy {
            wait_min: Duration::from_millis(100),
            wait_max: Duration::from_millis(300),
            attempts_max: NonZeroU32::new(attempts),
        }
    }

    #[test]
    fn waits_double_up_to_the_limit_and_addresses_take_turns() {
        let mut backoff = Backoff::new(policy(4), 3, 1);
        let attempts: Vec<_> = std::iter::from_fn(|| backoff.next(1.0)).collect();
        let seen: Vec<_> = attempts
            .iter()
            .map(|attempt| (attempt.wait.as_millis(), attempt.address))
            .collect();
        assert_eq!(seen, [(100, 2), (200, 0), (300, 1), (300, 2)]);
        assert_eq!(attempts.last().map(|attempt| attempt.number), Some(4));
    }

    #[test]
    fn chance_takes_at_most_half() {
        assert_eq!(
            Backoff::new(policy(1), 1, 0).next(0.0).unwrap().wait.as_millis(),
            50
        );
    }

    #[test]
    fn a_draining_server_is_left_at_once_for_another_address() {
        let mut backoff = Backoff::new(policy(9), 2, 0).draining(true);
        let first = backoff.next(1.0).unwrap();
        assert_eq!((first.wait, first.address), (Duration::ZERO, 1));
        assert_eq!(backoff.next(1.0).unwrap().wait, Duration::ZERO);
        assert!(backoff.next(1.0).unwrap().wait > Duration::ZERO);
    }

    #[test]
    fn whoever_is_thrown_out_again_and_again_waits_longer() {
        let first_wait = |backoff: Backoff| backoff.after_quick_breaks(2).next(1.0).unwrap().wait.as_millis();
        assert_eq!(first_wait(Backoff::new(policy(1), 1, 0)), 300);
        assert_eq!(first_wait(Backoff::new(policy(1), 1, 0).draining(true)), 300);
    }

    #[test]
    fn without_a_limit_it_never_ends() {
        let mut backoff = Backoff::new(policy(0), 1, 0);
        for _ in 0..100_000 {
            assert!(backoff.next(1.0).is_some());
        }
    }
}
