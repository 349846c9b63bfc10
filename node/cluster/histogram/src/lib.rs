//! Counts openraft's batch sizes and durations in 65 buckets, one per bit length, and computes nothing ahead.
//!
//! openraft keeps sixteen histograms for statistics that only its feature `runtime-stats` shows, and takes them from the crate
//! `base2histogram`. That crate computes the bounds of all sixteen precisions it knows at first use: 27 MB in each node, for
//! numbers that nobody reads. This crate stands in for it (`[patch.crates-io]` in the workspace's `Cargo.toml`) with the same
//! names and signatures, as far as openraft as we build it calls them, and nothing else. Written for this purpose, not
//! derived from the original; the reasons and when it goes are in `docs/adr/2026-11-21-a-small-histogram-for-openraft.md`.

mod chart;

use std::fmt;
use std::marker::PhantomData;

pub use chart::AsciiChart;

/// How often which magnitudes were seen. A bucket holds the values of one bit length: 0, 1, 2–3, 4–7, 8–15 …
///
/// `Slot` is what the original hangs to slices of time; here it is a name in the type only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram<Slot = ()> {
    /// Counts by bit length, only as long as the largest value seen needs: an unused histogram owns no memory.
    counts: Vec<u64>,
    slot: PhantomData<Slot>,
}

impl<Slot> Default for Histogram<Slot> {
    fn default() -> Self {
        Self::new()
    }
}

impl<Slot> Histogram<Slot> {
    /// An empty one.
    pub fn new() -> Self {
        Self {
            counts: Vec::new(),
            slot: PhantomData,
        }
    }

    /// Counts one value.
    pub fn record(&mut self, value: u64) {
        self.record_n(value, 1);
    }

    /// Counts a value that was seen `times` times. At most 65 counters are ever kept; a full one stays at its largest number.
    pub fn record_n(&mut self, value: u64, times: u64) {
        let bucket = bucket_of(value);
        if times == 0 {
            return;
        }
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(bucket) {
            *count = count.saturating_add(times);
        }
    }

    /// How many values were counted.
    pub fn total(&self) -> u64 {
        self.counts
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// An upper bound, less than twice too large, of the value below which the share `rank` (0.0 to 1.0) of all values
    /// lies; 0 when nothing was counted.
    pub fn percentile(&self, rank: f64) -> u64 {
        let wanted = (self.total() as f64 * rank).ceil().max(1.0);
        let mut seen = 0_u64;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen = seen.saturating_add(*count);
            if seen as f64 >= wanted {
                return largest_in(bucket);
            }
        }
        0
    }

    /// The percentiles that openraft prints.
    pub fn percentile_stats(&self) -> PercentileStats {
        PercentileStats {
            samples: self.total(),
            p0_1: self.percentile(0.001),
            p1: self.percentile(0.01),
            p5: self.percentile(0.05),
            p10: self.percentile(0.1),
            p50: self.percentile(0.5),
            p90: self.percentile(0.9),
            p99: self.percentile(0.99),
            p99_9: self.percentile(0.999),
        }
    }

    /// Largest value and count of each bucket that counted something, small values first.
    pub(crate) fn filled(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.counts
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
            .map(|(bucket, count)| (largest_in(bucket), *count))
    }
}

/// A value's bit length, 0 to 64.
fn bucket_of(value: u64) -> usize {
    (u64::BITS - value.leading_zeros()) as usize
}

/// The largest value of that bit length.
fn largest_in(bucket: usize) -> u64 {
    u32::try_from(bucket)
        .ok()
        .and_then(|bits| u64::MAX.checked_shr(u64::BITS - bits.min(u64::BITS)))
        .unwrap_or(0)
}

/// What [`Histogram::percentile_stats`] tells; each an upper bound in the unit of the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PercentileStats {
    /// How many values were counted.
    pub samples: u64,
    /// One value of a thousand is not larger.
    pub p0_1: u64,
    /// One value of a hundred is not larger.
    pub p1: u64,
    /// One value of twenty is not larger.
    pub p5: u64,
    /// One value of ten is not larger.
    pub p10: u64,
    /// Half of the values are not larger.
    pub p50: u64,
    /// Nine values of ten are not larger.
    pub p90: u64,
    /// 99 values of a hundred are not larger.
    pub p99: u64,
    /// 999 values of a thousand are not larger.
    pub p99_9: u64,
}

impl fmt::Display for PercentileStats {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} samples, median up to {}, 90 % up to {}, 99 % up to {}",
            self.samples, self.p50, self.p90, self.p99
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_falls_into_the_bucket_of_its_bit_length() {
        for (value, bucket) in [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (u64::MAX, 64)] {
            assert_eq!(bucket_of(value), bucket, "{value}");
            assert!(largest_in(bucket) >= value, "{value}");
        }
        assert_eq!(
            [0, 1, 2, 3, 63, 64].map(largest_in),
            [0, 1, 3, 7, u64::MAX >> 1, u64::MAX]
        );
    }

    #[test]
    fn an_empty_one_says_zero_and_owns_nothing() {
        let empty = Histogram::<()>::new();
        assert_eq!(
            (empty.total(), empty.percentile(0.5), empty.counts.capacity()),
            (0, 0, 0)
        );
        assert_eq!(empty.percentile_stats().p99_9, 0);
    }

    #[test]
    fn percentiles_bound_the_values_by_less_than_twice() {
        let mut histogram = Histogram::<()>::new();
        (1..=1000).for_each(|value| histogram.record(value));
        let stats = histogram.percentile_stats();
        assert_eq!(stats.samples, 1000);
        for (bound, exact) in [
            (stats.p0_1, 1),
            (stats.p10, 100),
            (stats.p50, 500),
            (stats.p99, 990),
            (stats.p99_9, 999),
        ] {
            assert!(bound >= exact && bound < exact * 2, "{bound} for {exact}");
        }
        assert_eq!(
            stats.to_string(),
            "1000 samples, median up to 511, 90 % up to 1023, 99 % up to 1023"
        );
    }

    #[test]
    fn the_extremes_are_counted() {
        let mut histogram = Histogram::<()>::default();
        histogram.record(0);
        histogram.record(u64::MAX);
        histogram.record_n(7, 0);
        assert_eq!(
            (histogram.percentile(0.0), histogram.percentile(1.0)),
            (0, u64::MAX)
        );
        assert_eq!(histogram.filled().collect::<Vec<_>>(), [(0, 1), (u64::MAX, 1)]);
    }

    #[test]
    fn the_original_histogram_is_not_in_the_tree() -> std::io::Result<()> {
        let locked = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../Cargo.lock"))?;
        let ours: Vec<_> = locked
            .split("\n\n")
            .filter(|package| package.contains("name = \"base2histogram\""))
            .collect();
        assert_eq!(ours.len(), 1, "{ours:?}: the patch in Cargo.toml is not used");
        assert!(
            ours.iter().all(|package| !package.contains("source =")),
            "{ours:?}: from a registry"
        );
        Ok(())
    }
}
