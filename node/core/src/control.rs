//! What the control group agrees on: the partition map, the repartitions, and the settings of the cluster.
//!
//! A deterministic state machine under a replicated log: [`ControlState::apply`] is all that ever changes it. The
//! map here is an ordered directory of the fences; the truth about a range is its fence row, and the map can be
//! read back from the fences when the group has lost everything.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::Term;
use crate::map::PartitionMap;
use crate::repartition::{OperationId, Phase, Plan, Progress};

/// Most finished repartitions that are remembered.
pub const MAX_FINISHED: usize = 64;

/// Longest name or value of a setting in bytes.
pub const MAX_SETTING_BYTES: usize = 4_096;

/// All of it; what a snapshot of the group holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlState {
    /// `None` until the group was given its first map.
    pub map: Option<PartitionMap>,
    /// Repartitions, running and remembered.
    pub repartitions: BTreeMap<OperationId, Repartition>,
    /// Settings of the cluster, by name.
    pub settings: BTreeMap<String, String>,
    /// Counts starts of repartitions, so that finished ones are forgotten in order.
    pub starts: u64,
}

/// One repartition as the group knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repartition {
    /// How far it is.
    pub progress: Progress,
    /// The highest coordinator term that wrote it.
    pub term: Term,
    /// Somebody wants it cancelled.
    pub cancel: bool,
    /// Order of the start.
    pub started: u64,
}

/// A change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Give the group its first map; ignored when it has one.
    Initialise(PartitionMap),
    /// Replace the map by one read back from the fences; refused unless its version is higher.
    RestoreMap(PartitionMap),
    /// Begin a repartition; asking again with the same plan is fine.
    Start(Plan),
    /// The coordinator's progress.
    Report {
        /// Its term.
        term: Term,
        /// The progress.
        progress: Progress,
    },
    /// Ask for a cancellation.
    Cancel(OperationId),
    /// Put the moved range of a repartition into the map; asking again is fine.
    Publish(OperationId),
    /// Set a setting; an empty value removes it.
    Set {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
}

/// What a change did. A refused one changed nothing, and the same one will be refused again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Response {
    /// Done, or done before.
    Done,
    /// Not done.
    Refused(Refused),
}

/// Why a change was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refused {
    /// The group has no map yet.
    #[error("the cluster has no partition map yet")]
    NoMap,
    /// The map offered is not newer.
    #[error("the map offered is not newer than version {version}")]
    NotNewer {
        /// The version held.
        version: u64,
    },
    /// Another repartition is under way; one at a time.
    #[error("repartition {0:?} is still under way")]
    Running(OperationId),
    /// A repartition of this name has another plan.
    #[error("a repartition of this name exists with another plan")]
    OtherPlan,
    /// No such repartition.
    #[error("no repartition {0:?}")]
    Unknown(OperationId),
    /// The plan does not fit the map.
    #[error("{0}")]
    BadPlan(String),
    /// A higher coordinator term has written.
    #[error("a coordinator of term {} has written", .0.0)]
    OldTerm(Term),
    /// It is over: another coordinator ended it.
    #[error("repartition {0:?} is over")]
    Over(OperationId),
    /// It has gone too far to be cancelled.
    #[error("the cut-over has begun, it cannot be cancelled any more")]
    TooLate,
    /// A setting's name is empty, or name or value are too long.
    #[error("a setting's name has 1 to {MAX_SETTING_BYTES} bytes, its value at most as many")]
    BadSetting,
}

impl ControlState {
    /// Applies one command of the log.
    pub fn apply(&mut self, command: Command) -> Response {
        match command {
            Command::Initialise(map) => {
                self.map.get_or_insert(map);
                Response::Done
            }
            Command::RestoreMap(map) => self.restore(map),
            Command::Start(plan) => respond(self.start(plan)),
            Command::Report { term, progress } => respond(self.report(term, progress)),
            Command::Cancel(operation) => respond(self.cancel(&operation)),
            Command::Publish(operation) => respond(self.publish(&operation)),
            Command::Set { name, value } => self.set(name, value),
        }
    }

    /// The repartition under way, if any.
    #[must_use]
    pub fn running(&self) -> Option<&Repartition> {
        self.repartitions
            .values()
            .find(|repartition| !repartition.progress.phase.is_final())
    }

    fn restore(&mut self, map: PartitionMap) -> Response {
        match &self.map {
            Some(held) if held.version() >= map.version() => Response::Refused(Refused::NotNewer {
                version: held.version(),
            }),
            _ => {
                self.map = Some(map);
                Response::Done
            }
        }
    }

    fn start(&mut self, plan: Plan) -> Result<(), Refused> {
        if let Some(known) = self.repartitions.get(&plan.operation) {
            return if known.progress.plan == plan {
                Ok(())
            } else {
                Err(Refused::OtherPlan)
            };
        }
        if let Some(running) = self.running() {
            return Err(Refused::Running(running.progress.plan.operation.clone()));
        }
        check_plan(self.map.as_ref().ok_or(Refused::NoMap)?, &plan)?;
        self.starts = self.starts.saturating_add(1);
        let repartition = Repartition {
            progress: Progress::new(plan.clone()),
            term: Term(0),
            cancel: false,
            started: self.starts,
        };
        self.repartitions.insert(plan.operation, repartition);
        self.forget_old();
        Ok(())
    }

    fn report(&mut self, term: Term, progress: Progress) -> Result<(), Refused> {
        let operation = &progress.plan.operation;
        let held = self
            .repartitions
            .get_mut(operation)
            .ok_or_else(|| Refused::Unknown(operation.clone()))?;
        if held.term > term {
            return Err(Refused::OldTerm(held.term));
        }
        if held.progress.plan != progress.plan {
            return Err(Refused::OtherPlan);
        }
        // What is over stays over: a late report must not wake it, and who sends it must not go on.
        if held.progress.phase.is_final() {
            return if held.progress == progress {
                Ok(())
            } else {
                Err(Refused::Over(operation.clone()))
            };
        }
        held.term = term;
        held.progress = progress;
        Ok(())
    }

    fn cancel(&mut self, operation: &OperationId) -> Result<(), Refused> {
        let held = self
            .repartitions
            .get_mut(operation)
            .ok_or_else(|| Refused::Unknown(operation.clone()))?;
        match held.progress.phase {
            Phase::Undoing(_) | Phase::Ended(_) => Ok(()),
            ref phase if phase.can_cancel() => {
                held.cancel = true;
                Ok(())
            }
            _ => Err(Refused::TooLate),
        }
    }

    fn publish(&mut self, operation: &OperationId) -> Result<(), Refused> {
        let held = self
            .repartitions
            .get(operation)
            .ok_or_else(|| Refused::Unknown(operation.clone()))?;
        let plan = &held.progress.plan;
        let map = self.map.as_ref().ok_or(Refused::NoMap)?;
        let present = map.range_of(plan.from);
        if present.from == plan.from && present.epoch >= plan.target_epoch {
            return Ok(());
        }
        check_plan(map, plan)?;
        let next = map
            .split(plan.from, plan.target.clone(), plan.homes, plan.target_epoch)
            .map_err(|bad| Refused::BadPlan(bad.to_string()))?;
        self.map = Some(next);
        Ok(())
    }

    fn set(&mut self, name: String, value: String) -> Response {
        if name.is_empty() || name.len() > MAX_SETTING_BYTES || value.len() > MAX_SETTING_BYTES {
            return Response::Refused(Refused::BadSetting);
        }
        if value.is_empty() {
            self.settings.remove(&name);
        } else {
            self.settings.insert(name, value);
        }
        Response::Done
    }

    fn forget_old(&mut self) {
        let finished = |repartition: &Repartition| {
            repartition
                .progress
                .phase
                .is_final()
                .then_some(repartition.started)
        };
        while self.repartitions.values().filter_map(finished).count() > MAX_FINISHED {
            let oldest = self.repartitions.values().filter_map(finished).min();
            self.repartitions
                .retain(|_, repartition| Some(repartition.started) != oldest);
        }
    }
}

fn respond(result: Result<(), Refused>) -> Response {
    result.map_or_else(Response::Refused, |()| Response::Done)
}

/// A split moves the upper part of one range to another database.
fn check_plan(map: &PartitionMap, plan: &Plan) -> Result<(), Refused> {
    let bad = |reason: String| Err(Refused::BadPlan(reason));
    if plan.from >= plan.until {
        return bad(format!("no slots from {} to {}", plan.from, plan.until));
    }
    let range = map.range_of(plan.from);
    if range.from == plan.from {
        return bad(format!("a range begins at slot {} already", plan.from));
    }
    if map.end_of(plan.from) != plan.until {
        return bad(format!(
            "the range of slot {} ends at {}",
            plan.from,
            map.end_of(plan.from)
        ));
    }
    if range.database != plan.source || range.epoch != plan.source_epoch {
        return bad(format!(
            "slot {} is in {} at epoch {}",
            plan.from, range.database, range.epoch
        ));
    }
    if plan.target == plan.source {
        return bad("source and target are the same database".to_owned());
    }
    if plan.target_epoch <= plan.source_epoch {
        return bad("the target's epoch must be higher than the source's".to_owned());
    }
    Ok(())
}
