//! The trace of a run: a hash always, text when asked for.

/// Collects what happened, so that two runs can be compared.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: u64,
    pub(crate) events: u64,
    print: bool,
}

impl Trace {
    pub(crate) fn new(print: bool) -> Self {
        Self {
            hash: 0xcbf2_9ce4_8422_2325,
            events: 0,
            print,
        }
    }

    /// Mixes numbers into the hash.
    pub(crate) fn note(&mut self, numbers: &[u64]) {
        self.events += 1;
        for number in numbers {
            self.hash = (self.hash ^ number)
                .wrapping_mul(0x0000_0100_0000_01b3)
                .rotate_left(23);
        }
    }

    /// Prints a line, if lines are wanted.
    #[allow(clippy::print_stdout, reason = "the trace is the output that was asked for")]
    pub(crate) fn line(&self, now: u64, text: impl FnOnce() -> String) {
        if self.print {
            println!("{:>11.6} {}", now as f64 / 1e6, text());
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }
}
