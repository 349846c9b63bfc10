//! What an operator may ask: begin a repartition, cancel it. Any node takes the request and passes it to the leader.

use crate::node::Node;
use std::time::Duration;
use tim_catalogue::{Report, node as node_causes, repartition as causes};
use tim_cluster::control::ProposeError;
use tim_core::control::{Command, ControlState, Refused};
use tim_core::id::{DatabaseName, Epoch, Slot};
use tim_core::repartition::{OperationId, Plan};
use tim_store::Database;
use tokio::time::Instant;

/// A split, as it is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) operation: OperationId,
    /// First slot that moves, to the end of its range.
    pub(crate) at: Slot,
    pub(crate) target: String,
}

/// How long a request waits for what is just coming up: the map of a node that has started, a database that was added
/// to the configuration. Shorter than callers wait for an answer.
const START_WAIT: Duration = Duration::from_secs(4);
/// How often it is looked whether it is there.
const START_LOOK: Duration = Duration::from_millis(100);

/// Why a request cannot begin.
enum Refusal {
    /// It never will.
    Final(Report),
    /// Perhaps in a moment.
    NotYet(Report),
}

/// Begins a repartition; asking again for the same one is fine.
pub(crate) async fn start(node: &Node, request: Request) -> Result<(), Report> {
    let deadline = Instant::now() + START_WAIT;
    let plan = loop {
        let planned = {
            let view = node.control.view();
            let view = view.borrow();
            if view.state.repartitions.contains_key(&request.operation) {
                return Ok(());
            }
            plan(node, &view.state, &request)
        };
        match planned {
            Ok(plan) => break plan,
            Err(Refusal::Final(report)) => return Err(report),
            Err(Refusal::NotYet(report)) if Instant::now() >= deadline => return Err(report),
            Err(Refusal::NotYet(_)) => tokio::time::sleep(START_LOOK).await,
        }
    };
    propose(node, Command::Start(plan)).await
}

/// The target, open at this node. One that is not named at all shall not be waited for without end: its name may be
/// misspelt, or its configuration on the way.
fn target(node: &Node, name: &str) -> Result<Database, Refusal> {
    let invalid = |detail: String| Report::new(&causes::TARGET_INVALID, detail);
    let target = DatabaseName::new(name)
        .map_err(|error| Refusal::Final(invalid(format!("target database: {error}"))))?;
    let declared = node.databases.declared();
    if !declared.contains(&target) {
        let names: Vec<String> = declared.iter().map(ToString::to_string).collect();
        let detail = format!("target database \"{target}\" is not one of {}", names.join(", "));
        return Err(Refusal::NotYet(invalid(detail)));
    }
    let closed = |detail: &str| {
        let trouble = node.databases.trouble_at(&target);
        let observed = trouble.map_or_else(|| detail.to_owned(), |trouble| trouble.observed().to_owned());
        Refusal::NotYet(Report::new(&causes::TARGET_UNREACHABLE, observed))
    };
    if !node.databases.opened().borrow().contains(&target) {
        return Err(closed("it is being opened"));
    }
    let database = node.databases.store().database(&target);
    database.map_err(|_| closed("it is being opened"))
}

fn plan(node: &Node, state: &ControlState, request: &Request) -> Result<Plan, Refusal> {
    let map = state.map.as_ref().ok_or_else(|| {
        Refusal::NotYet(Report::new(
            &node_causes::NO_LEADER,
            "the control group has no partition map yet",
        ))
    })?;
    let slot_invalid = |detail: String| Refusal::Final(Report::new(&causes::SLOT_INVALID, detail));
    if request.at.0 >= tim_core::placement::SLOT_COUNT {
        let last = tim_core::placement::SLOT_COUNT - 1;
        return Err(slot_invalid(format!(
            "slot {} is behind the last one, {last}",
            request.at
        )));
    }
    let range = map.range_of(request.at);
    if range.from == request.at {
        return Err(slot_invalid(format!(
            "a range begins at slot {} already",
            request.at
        )));
    }
    if range.database.as_str() == request.target {
        let detail = format!(
            "slot {} is in database \"{}\" already",
            request.at, request.target
        );
        return Err(Refusal::Final(Report::new(&causes::TARGET_INVALID, detail)));
    }
    let database = target(node, &request.target)?;
    let newest = map.ranges().iter().map(|range| range.epoch.0).max().unwrap_or(0);
    Ok(Plan {
        operation: request.operation.clone(),
        from: request.at,
        until: map.end_of(request.at),
        source: range.database.clone(),
        source_epoch: range.epoch,
        target: database.name().clone(),
        target_epoch: Epoch(newest + 1),
        homes: database.home_placement(),
    })
}

/// Cancels a repartition that has not begun its cut-over.
pub(crate) async fn cancel(node: &Node, operation: OperationId) -> Result<(), Report> {
    propose(node, Command::Cancel(operation)).await
}

async fn propose(node: &Node, command: Command) -> Result<(), Report> {
    match node.control.propose(command).await {
        Ok(()) => Ok(()),
        Err(error @ ProposeError::NoLeader { .. }) => {
            Err(Report::new(&node_causes::NO_LEADER, error.to_string()))
        }
        Err(ProposeError::Refused(refused)) => {
            let cause = match &refused {
                Refused::Running(_) => &causes::ONE_AT_A_TIME,
                Refused::TooLate | Refused::OldTerm(_) => &causes::STEP_REFUSED,
                Refused::NoMap => &node_causes::NO_LEADER,
                _ => &causes::SLOT_INVALID,
            };
            Err(Report::new(cause, refused.to_string()))
        }
    }
}
