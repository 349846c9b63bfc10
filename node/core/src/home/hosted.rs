//! One conversation at its home.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::conversation::Submission;
use crate::home::RequestId;
use crate::home::members::Members;
use crate::id::{NodeName, SessionId, Tenure, Version};
use crate::submit::{LaneId, LaneStamp};
use crate::time::Moment;

/// A submission that waits or is in a transaction.
#[derive(Debug, Clone)]
pub(super) struct Queued {
    pub(super) from: NodeName,
    pub(super) stamp: LaneStamp,
    pub(super) submission: Arc<Submission>,
}

/// A lane that waits for the conversation to be loaded.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub(super) from: NodeName,
    pub(super) lane: LaneId,
    pub(super) attempt: u64,
    /// Fresh random number that came with the question.
    pub(super) tenure: Tenure,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The version is being read.
    Loading {
        tenure: Tenure,
        /// The load under way, if it has been sent.
        request: Option<RequestId>,
    },
    /// The home knows the version.
    Active { tenure: Tenure, version: Version },
    /// The tenure is over; a transaction is still under way.
    Ending,
}

/// How far a lane's present attempt is.
#[derive(Debug, Clone, Copy)]
pub(super) struct LaneProgress {
    pub(super) attempt: u64,
    pub(super) next_index: u32,
}

#[derive(Debug)]
pub(super) struct Hosted {
    pub(super) stage: Stage,
    pub(super) waiting: Vec<Waiting>,
    pub(super) queue: VecDeque<Queued>,
    /// What the running transaction holds, in order.
    pub(super) in_flight: Vec<Queued>,
    pub(super) running: Option<RequestId>,
    pub(super) lanes: BTreeMap<SessionId, LaneProgress>,
    /// Who is in it, if it is a room.
    pub(super) members: Option<Members>,
    /// Failed transactions in a row.
    pub(super) failures: u32,
    /// A fence refused; not before this moment again.
    pub(super) not_before: Moment,
    pub(super) last_used: Moment,
    /// Stands in its database's list of conversations with work.
    pub(super) listed: bool,
}

impl Hosted {
    pub(super) fn new(tenure: Tenure, now: Moment) -> Self {
        Self {
            stage: Stage::Loading {
                tenure,
                request: None,
            },
            waiting: Vec::new(),
            queue: VecDeque::new(),
            in_flight: Vec::new(),
            running: None,
            lanes: BTreeMap::new(),
            members: None,
            failures: 0,
            not_before: Moment(0),
            last_used: now,
            listed: false,
        }
    }

    /// The lane's newest opening counts; what an older attempt left in the queue will be sent again.
    pub(super) fn begin_attempt(&mut self, lane: LaneId, attempt: u64) -> usize {
        self.lanes.insert(
            lane.session,
            LaneProgress {
                attempt,
                next_index: 0,
            },
        );
        let before = self.queue.len();
        self.queue
            .retain(|queued| queued.stamp.lane.session != lane.session || queued.stamp.attempt >= attempt);
        before - self.queue.len()
    }

    /// Whether the submission is the next one of the lane's newest attempt.
    pub(super) fn is_next(&self, stamp: &LaneStamp) -> bool {
        self.lanes
            .get(&stamp.lane.session)
            .is_some_and(|lane| lane.attempt == stamp.attempt && lane.next_index == stamp.index)
    }

    /// Whether nothing would be lost by forgetting it.
    pub(super) fn is_idle(&self) -> bool {
        self.running.is_none()
            && self.queue.is_empty()
            && self.waiting.is_empty()
            && matches!(self.stage, Stage::Active { .. })
    }

    /// Puts what was in flight back in front.
    pub(super) fn requeue(&mut self) {
        for queued in self.in_flight.drain(..).rev() {
            self.queue.push_front(queued);
        }
    }
}
