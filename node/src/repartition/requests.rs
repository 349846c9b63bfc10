//! What an operator may ask: begin a repartition, cancel it. Any node takes the request and passes it to the leader.

use crate::node::Node;
use tim_catalogue::{Report, node as node_causes, repartition as causes};
use tim_cluster::control::ProposeError;
use tim_core::control::{Command, ControlState, Refused};
use tim_core::id::{DatabaseName, Epoch, Slot};
use tim_core::repartition::{OperationId, Plan};

/// A split, as it is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) operation: OperationId,
    /// First slot that moves, to the end of its range.
    pub(crate) at: Slot,
    pub(crate) target: String,
}

/// Begins a repartition; asking again for the same one is fine.
pub(crate) async fn start(node: &Node, request: Request) -> Result<(), Report> {
    let plan = {
        let view = node.control.view();
        let view = view.borrow();
        if view.state.repartitions.contains_key(&request.operation) {
            return Ok(());
        }
        plan(node, &view.state, &request)?
    };
    // The target must be known here: a name that is misspelt shall not wait for ever.
    propose(node, Command::Start(plan)).await
}

fn plan(node: &Node, state: &ControlState, request: &Request) -> Result<Plan, Report> {
    let map = state.map.as_ref().ok_or_else(|| {
        Report::new(
            &node_causes::NO_LEADER,
            "the control group has no partition map yet",
        )
    })?;
    let invalid = |detail: String| Report::new(&causes::TARGET_INVALID, detail);
    let target =
        DatabaseName::new(&request.target).map_err(|error| invalid(format!("target database: {error}")))?;
    let database = node.databases.store().database(&target).map_err(|_| {
        let names: Vec<String> = node
            .databases
            .store()
            .databases()
            .iter()
            .map(ToString::to_string)
            .collect();
        invalid(format!(
            "target database \"{target}\" is not one of {}",
            names.join(", ")
        ))
    })?;
    if request.at.0 >= tim_core::placement::SLOT_COUNT {
        return Err(Report::new(
            &causes::SLOT_INVALID,
            format!(
                "slot {} is behind the last one, {}",
                request.at,
                tim_core::placement::SLOT_COUNT - 1
            ),
        ));
    }
    let range = map.range_of(request.at);
    if range.from == request.at {
        return Err(Report::new(
            &causes::SLOT_INVALID,
            format!("a range begins at slot {} already", request.at),
        ));
    }
    if range.database == target {
        return Err(invalid(format!(
            "slot {} is in database \"{target}\" already",
            request.at
        )));
    }
    let newest = map.ranges().iter().map(|range| range.epoch.0).max().unwrap_or(0);
    Ok(Plan {
        operation: request.operation.clone(),
        from: request.at,
        until: map.end_of(request.at),
        source: range.database.clone(),
        source_epoch: range.epoch,
        target,
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
