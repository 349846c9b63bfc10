//! The substrate that runs the plan with processes of this machine.
//!
//! `.tim/` is the API server of a laptop: it holds the same objects that Kubernetes would ([`objects`]). One process per
//! cluster, the supervisor, observes processes and nodes, asks the planner what has to be done, and does it.

pub mod changes;
pub mod control;
pub mod databases;
pub mod directory;
pub mod documents;
pub mod event;
pub mod file;
pub mod launch;
pub mod load;
pub mod lock;
pub mod node_record;
pub mod objects;
pub mod poller;
pub mod port;
pub mod process;
pub mod runner;
pub mod supervisor;
pub mod trust;
pub mod view;
pub mod workload;
