//! Pods as the plan sees nodes.

use crate::node_links::NodeAddress;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt as _;
use std::net::SocketAddr;
use tim_catalogue::kubernetes;
use tim_crds::cluster::PEER_PORT;
use tim_crds::labels;
use tim_plan::names;
use tim_plan::observed::{Node, NodePhase, NodeReport, Trouble};

/// Reasons of a waiting container that mean: this image does not start.
const IMAGE_TROUBLE: [&str; 6] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "CreateContainerError",
    "RunContainerError",
];
/// Reason of a container that ends again and again.
const CRASHING: &str = "CrashLoopBackOff";

/// A pod as a node, with what it says of itself; none for a pod that is not one of this cluster's nodes.
pub(crate) fn node(
    cluster: &str,
    pod: &Pod,
    report: Option<NodeReport>,
    silent_since: Option<Timestamp>,
) -> Option<Node> {
    let name = pod.name_any();
    let ordinal = names::ordinal(cluster, &name)?;
    Some(Node {
        ordinal,
        uid: pod.uid().unwrap_or_default(),
        revision: pod
            .labels()
            .get(labels::LABEL_REVISION)
            .cloned()
            .unwrap_or_default(),
        phase: phase(pod),
        ready: is_ready(pod),
        created: pod
            .creation_timestamp()
            .map_or(Timestamp::UNIX_EPOCH, |time| time.0),
        trouble: trouble(pod, &name),
        report,
        silent_since,
        name,
    })
}

/// Where a pod's control API is; none while it has no address.
pub(crate) fn address(pod: &Pod) -> Option<NodeAddress> {
    let ip = pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()?;
    Some(NodeAddress {
        name: pod.name_any(),
        uid: pod.uid()?,
        address: SocketAddr::new(ip, PEER_PORT),
    })
}

fn phase(pod: &Pod) -> NodePhase {
    if pod.metadata.deletion_timestamp.is_some() {
        return NodePhase::Terminating;
    }
    let crashing = containers(pod)
        .iter()
        .any(|container| waiting_reason(container) == Some(CRASHING));
    match pod.status.as_ref().and_then(|status| status.phase.as_deref()) {
        Some("Running") if crashing => NodePhase::Failed,
        Some("Running") => NodePhase::Running,
        Some("Failed" | "Succeeded") => NodePhase::Failed,
        _ => NodePhase::Pending,
    }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_deref())
        .unwrap_or_default();
    conditions
        .iter()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn trouble(pod: &Pod, name: &str) -> Option<Trouble> {
    for container in containers(pod) {
        let Some(reason) = waiting_reason(container) else {
            continue;
        };
        if IMAGE_TROUBLE.contains(&reason) {
            let observed = format!("{name}: image {} cannot be used ({reason})", container.image);
            return Some(Trouble {
                cause: &kubernetes::IMAGE_UNAVAILABLE,
                observed,
            });
        }
        if reason == CRASHING {
            let code = container
                .last_state
                .as_ref()
                .and_then(|state| state.terminated.as_ref())
                .map(|end| end.exit_code);
            let code = code.map_or_else(String::new, |code| format!(", exit code {code}"));
            let observed = format!(
                "{name} ends again and again with image {}{code}; see its log",
                container.image
            );
            return Some(Trouble {
                cause: &kubernetes::IMAGE_UNAVAILABLE,
                observed,
            });
        }
    }
    unschedulable(pod).map(|message| Trouble {
        cause: &kubernetes::UNSCHEDULABLE,
        observed: format!("{name} finds no place: {message}"),
    })
}

fn unschedulable(pod: &Pod) -> Option<String> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let scheduled = conditions
        .iter()
        .find(|condition| condition.type_ == "PodScheduled")?;
    (scheduled.status == "False").then(|| scheduled.message.clone().unwrap_or_default())
}

fn containers(pod: &Pod) -> &[ContainerStatus] {
    pod.status
        .as_ref()
        .and_then(|status| status.container_statuses.as_deref())
        .unwrap_or_default()
}

fn waiting_reason(container: &ContainerStatus) -> Option<&str> {
    container.state.as_ref()?.waiting.as_ref()?.reason.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(status: serde_json::Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "chat-1", "uid": "u", "labels": {"timcluster.io/revision": "r"}},
            "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn an_image_that_cannot_be_pulled_is_said_with_its_name() {
        let pod = pod(json!({"phase": "Pending", "containerStatuses": [{
            "name": "node", "image": "nowhere/tim:1", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": "ImagePullBackOff"}}}]}));
        let node = node("chat", &pod, None, None).unwrap();
        assert_eq!(
            (node.ordinal, node.phase, node.ready),
            (1, NodePhase::Pending, false)
        );
        let trouble = node.trouble.unwrap();
        assert_eq!(trouble.cause.code, "TIM-K105");
        assert!(trouble.observed.contains("nowhere/tim:1"));
    }

    #[test]
    fn a_crashing_pod_has_failed_although_it_counts_as_running() {
        let pod = pod(json!({"phase": "Running", "containerStatuses": [{
            "name": "node", "image": "i", "imageID": "", "ready": false, "restartCount": 3,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}));
        assert_eq!(node("chat", &pod, None, None).unwrap().phase, NodePhase::Failed);
        assert!(node("other", &pod, None, None).is_none());
    }
}
