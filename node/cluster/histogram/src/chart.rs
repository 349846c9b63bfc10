//! Histograms one below the other as text, which openraft's statistics can print.

use std::fmt;

use crate::Histogram;

/// Named histograms; printed, each is its name and one `≤ largest value: count` per bucket that counted something.
#[derive(Debug, Default)]
pub struct AsciiChart {
    rows: Vec<(String, Histogram)>,
}

impl AsciiChart {
    /// Without a row.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more row.
    #[must_use]
    #[allow(clippy::should_implement_trait, reason = "the name that openraft calls")]
    pub fn add(mut self, name: impl Into<String>, histogram: Histogram) -> Self {
        self.rows.push((name.into(), histogram));
        self
    }
}

impl fmt::Display for AsciiChart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, histogram) in &self.rows {
            write!(formatter, "{name}")?;
            for (largest, count) in histogram.filled() {
                write!(formatter, "  ≤ {largest}: {count}")?;
            }
            writeln!(formatter)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_names_the_filled_buckets() {
        let mut histogram = Histogram::new();
        [1, 5, 6].into_iter().for_each(|value| histogram.record(value));
        let chart = AsciiChart::new()
            .add("applied", histogram)
            .add("nothing", Histogram::new());
        assert_eq!(chart.to_string(), "applied  ≤ 1: 1  ≤ 7: 2\nnothing\n");
    }
}
