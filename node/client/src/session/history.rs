//! Questions for history that wait for their answers. Answers carry no id and come in order.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tim_wire::TimMessage;
use tokio::sync::oneshot;

use crate::{Rejection, RequestError};

/// Who waits.
pub(crate) type Waiting = oneshot::Sender<Result<Vec<TimMessage>, RequestError>>;

/// All of them.
#[derive(Debug)]
pub(crate) struct Histories {
    timeout: Duration,
    /// A question that was given up stays, without its asker, so that a late answer is not taken for the
    /// next one's.
    waiting: VecDeque<(Instant, Option<Waiting>)>,
}

impl Histories {
    pub(crate) const fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            waiting: VecDeque::new(),
        }
    }

    pub(crate) fn push(&mut self, waiting: Waiting, now: Instant) {
        self.waiting.push_back((now + self.timeout, Some(waiting)));
    }

    /// Takes the next answer; says whether anybody had asked.
    pub(crate) fn answered(&mut self, answer: Result<Vec<TimMessage>, Rejection>) -> bool {
        let Some((_, waiting)) = self.waiting.pop_front() else {
            return false;
        };
        tell(waiting, answer.map_err(RequestError::Rejected));
        true
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.waiting
            .iter()
            .find(|(_, waiting)| waiting.is_some())
            .map(|(deadline, _)| *deadline)
    }

    pub(crate) fn expire(&mut self, now: Instant) {
        let overdue = self
            .waiting
            .iter_mut()
            .take_while(|(deadline, _)| *deadline <= now);
        for (_, waiting) in overdue {
            tell(waiting.take(), Err(RequestError::Timeout));
        }
    }

    pub(crate) fn disconnected(&mut self) {
        for (_, waiting) in self.waiting.drain(..) {
            tell(waiting, Err(RequestError::Disconnected));
        }
    }
}

fn tell(waiting: Option<Waiting>, answer: Result<Vec<TimMessage>, RequestError>) {
    if let Some(waiting) = waiting {
        // Nobody has to wait for it.
        let _ = waiting.send(answer);
    }
}
