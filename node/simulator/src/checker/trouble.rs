//! When something was wrong from outside, so that things may take longer.

/// Intervals of trouble, without overlap, in order.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    intervals: Vec<(u64, u64)>,
}

impl Trouble {
    /// Begins never earlier than the interval before it, as time goes on.
    pub(crate) fn add(&mut self, from: u64, until: u64) {
        match self.intervals.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(until),
            _ => self.intervals.push((from, until)),
        }
    }

    /// Whether no trouble touches the time between.
    pub(crate) fn is_quiet(&self, from: u64, until: u64) -> bool {
        self.within(from, until) == 0
    }

    /// How much of the time between was trouble.
    pub(crate) fn within(&self, from: u64, until: u64) -> u64 {
        let first = self.intervals.partition_point(|(_, end)| *end <= from);
        self.intervals[first..]
            .iter()
            .take_while(|(begin, _)| *begin < until)
            .map(|(begin, end)| (*end).min(until) - (*begin).max(from))
            .sum()
    }
}
