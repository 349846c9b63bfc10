//! Single nodes: drain, undrain, delete, and taking a lost one out of the control group.

use super::objects::{gone, namespaced, only};
use crate::context::Context;
use crate::failure::Failure;
use crate::node_links::{NodeAddress, OperatorTrust};
use crate::observe::Seen;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::Resource as _;
use kube::runtime::events::EventType;
use tim_plan::action::DeleteReason;
use tim_proto::control::v1::{DrainRequest, RemoveVoterRequest, UndrainRequest};

/// Asks a node to drain, or to go on. The drain belongs to the pod's uid.
pub(super) async fn drain(
    context: &Context,
    seen: &Seen,
    node: &str,
    uid: &str,
    deadline: Option<Timestamp>,
    leave_control_group: bool,
) -> Result<(), Failure> {
    let (trust, address) = reach(seen, node, Some(uid))?;
    let request = DrainRequest {
        drain_id: uid.to_owned(),
        deadline_ms: deadline.map_or(0, Timestamp::as_millisecond),
        leave_control_group,
    };
    context
        .links
        .call(&trust, address, "drain", |mut control| async move {
            control.drain(request).await
        })
        .await?;
    Ok(())
}

/// Asks a draining node to serve again.
pub(super) async fn undrain(context: &Context, seen: &Seen, node: &str, uid: &str) -> Result<(), Failure> {
    let (trust, address) = reach(seen, node, Some(uid))?;
    let request = UndrainRequest {
        drain_id: String::new(),
    };
    context
        .links
        .call(&trust, address, "undrain", |mut control| async move {
            control.undrain(request).await
        })
        .await?;
    Ok(())
}

/// Asks a serving node to take one that is gone out of the control group.
pub(super) async fn remove_voter(
    context: &Context,
    seen: &Seen,
    voter: &str,
    via: &str,
) -> Result<(), Failure> {
    let (trust, address) = reach(seen, via, None)?;
    let request = RemoveVoterRequest {
        node: voter.to_owned(),
    };
    let call = |mut control: tim_proto::control::v1::node_control_client::NodeControlClient<_>| async move {
        control.remove_voter(request).await
    };
    let reply = context
        .links
        .call(&trust, address, "take a voter out through", call)
        .await?;
    match reply.cause {
        Some(cause) if !reply.removed => Err(Failure::Node {
            operation: format!("take {voter} out of the control group"),
            reason: cause.detail,
        }),
        _ => Ok(()),
    }
}

/// Deletes this life of a pod; the StatefulSet makes it again while its ordinal is wanted.
pub(super) async fn delete(
    context: &Context,
    seen: &Seen,
    node: &str,
    uid: &str,
    reason: DeleteReason,
) -> Result<(), Failure> {
    let cluster = &seen.observed.cluster;
    let (word, note) = match reason {
        DeleteReason::Replaced => ("NodeReplaced", format!("{node} is drained and is made anew")),
        DeleteReason::Broken => ("NodeBroken", format!("{node} does not work and is made anew")),
        DeleteReason::DrainTimeout => ("DrainTimeout", format!("{node} took longer to drain than it may")),
    };
    context
        .events
        .say(&cluster.object_ref(&()), EventType::Normal, word, "Delete", &note)
        .await;
    context.links.forget(uid);
    context.api_writes.add(1, &[]);
    let deleted = namespaced::<Pod>(context, cluster)
        .delete(node, &only(Some(uid.to_owned())))
        .await;
    gone(deleted, &format!("delete pod {node}"))
}

fn reach<'seen>(
    seen: &'seen Seen,
    node: &str,
    uid: Option<&str>,
) -> Result<(OperatorTrust, &'seen NodeAddress), Failure> {
    let failure = |reason: &str| Failure::Node {
        operation: format!("reach {node}"),
        reason: reason.to_owned(),
    };
    let trust = seen
        .secrets
        .operator_trust()
        .ok_or_else(|| failure("the operator has no certificate yet"))?;
    let address = seen
        .addresses
        .get(node)
        .ok_or_else(|| failure("it has no address"))?;
    if uid.is_some_and(|uid| uid != address.uid) {
        return Err(failure("it lives another life by now"));
    }
    Ok((trust, address))
}
