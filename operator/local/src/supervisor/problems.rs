//! What is wrong, told once and only when it lasts: a start and a restart have words of their own.

use crate::event::Event;
use std::time::{Duration, Instant};
use tim_catalogue::{Report, node};

/// A problem is told when it has lasted this long.
const TOLD_AFTER: Duration = Duration::from_secs(2);

#[derive(Debug)]
struct Known {
    report: Report,
    since: Instant,
    told: bool,
}

/// Problems of the last plan.
#[derive(Debug, Default)]
pub(super) struct Problems {
    known: Vec<Known>,
}

impl Problems {
    /// What to tell now that these are the problems.
    pub(super) fn follow(&mut self, now_wrong: Vec<Report>, now: Instant) -> Vec<Event> {
        let mut events = Vec::new();
        self.known.retain(|known| {
            let stays = now_wrong.contains(&known.report);
            if !stays && known.told {
                events.push(Event::Healed(known.report.clone()));
            }
            stays
        });
        for report in now_wrong {
            if !self.known.iter().any(|known| known.report == report) {
                self.known.push(Known {
                    report,
                    since: now,
                    told: false,
                });
            }
        }
        for known in self
            .known
            .iter_mut()
            .filter(|known| !known.told && is_worth_telling(&known.report))
        {
            if now.duration_since(known.since) >= TOLD_AFTER {
                known.told = true;
                events.push(Event::Problem(known.report.clone()));
            }
        }
        events
    }
}

fn is_worth_telling(report: &Report) -> bool {
    let told_otherwise = [
        node::NODE_UNREACHABLE.code,
        node::STARTING.code,
        node::DRAINING.code,
    ];
    !told_otherwise.contains(&report.cause().code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tim_catalogue::storage;

    #[test]
    fn a_problem_is_told_once_when_it_lasts_and_once_when_it_is_over() {
        let start = Instant::now();
        let report = Report::new(&storage::UNREACHABLE, "d0 refuses connections");
        let mut problems = Problems::default();
        assert!(problems.follow(vec![report.clone()], start).is_empty());
        let told = problems.follow(vec![report.clone()], start + TOLD_AFTER);
        assert!(matches!(&told[..], [Event::Problem(told)] if *told == report));
        assert!(
            problems
                .follow(vec![report.clone()], start + TOLD_AFTER * 2)
                .is_empty()
        );
        let over = problems.follow(Vec::new(), start + TOLD_AFTER * 3);
        assert!(matches!(&over[..], [Event::Healed(over)] if *over == report));
    }

    #[test]
    fn what_heals_at_once_is_never_told() {
        let start = Instant::now();
        let mut problems = Problems::default();
        let report = Report::new(&storage::UNREACHABLE, "d0 refuses connections");
        problems.follow(vec![report], start);
        assert!(problems.follow(Vec::new(), start + TOLD_AFTER * 2).is_empty());
    }
}
