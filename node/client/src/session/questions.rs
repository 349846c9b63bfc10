//! Questions of one kind that wait for their answers. Answers carry no id and come in order.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::{Rejection, RequestError};

/// Who waits.
pub(crate) type Waiting<T> = oneshot::Sender<Result<T, RequestError>>;

/// All of them.
#[derive(Debug)]
pub(crate) struct Questions<T> {
    timeout: Duration,
    /// A question that was given up stays, without its asker, so that a late answer is not taken for the
    /// next one's.
    waiting: VecDeque<(Instant, Option<Waiting<T>>)>,
}

impl<T> Questions<T> {
    pub(crate) const fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            waiting: VecDeque::new(),
        }
    }

    pub(crate) fn push(&mut self, waiting: Waiting<T>, now: Instant) {
        self.waiting.push_back((now + self.timeout, Some(waiting)));
    }

    /// Takes the next answer; says whether anybody had asked.
    pub(crate) fn answered(&mut self, answer: Result<T, Rejection>) -> bool {
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

fn tell<T>(waiting: Option<Waiting<T>>, answer: Result<T, RequestError>) {
    if let Some(waiting) = waiting {
        // Nobody has to wait for it.
        let _ = waiting.send(answer);
    }
}
