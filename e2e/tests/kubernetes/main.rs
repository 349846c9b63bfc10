//! Scenarios on a real Kubernetes. `e2e/kubernetes/run` brings the cluster, the images and the order:
//!
//! | module | runs | what |
//! |---|---|---|
//! | `api`, `chart` | first | what the API server and Helm say; needs no running node |
//! | `cluster` | several at once | TimClusters, each in a namespace of its own |
//! | `alone` | one by one | what disturbs everybody: Kubernetes nodes drained, the operator killed |
//! | `afterwards` | at the end | what the audit log and the collector hold of all that |
#![allow(
    clippy::print_stderr,
    reason = "measured times and tallies are shown beside the results"
)]

mod afterwards;
mod alone;
mod api;
mod chart;
mod cluster;
