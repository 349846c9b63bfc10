//! The client protocol, statement by statement: bytes in, bytes out, in both encodings, on one node and on three, over
//! SQLite, PostgreSQL and MariaDB.
//!
//! ```text
//! cargo test -p tim-node --test conformance                     # all of it
//! cargo test -p tim-node --test conformance -- sqlite-3 10.5    # what contains these words
//! ```
//!
//! A test is called by deployment, encoding, section of the specification and the statement. On three nodes who acts and
//! who is acted upon are on different ones. Each test makes accounts of its own, so they share their clusters.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests stop at the first surprise"
)]

#[path = "../../e2e/src/database.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "shared with the end-to-end tests, which use all of it"
)]
mod database;
#[allow(
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    reason = "part of the test"
)]
mod statements;
mod support;

use libtest_mimic::{Arguments, Trial};
use statements::stage::{Deployment, ENCODINGS, Stage};
use std::process::ExitCode;
use std::sync::Arc;

/// Tests wait most of the time: for nodes, and once for a client that does not confirm.
const TESTS_AT_ONCE: usize = 6;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(TESTS_AT_ONCE);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let runtime = Arc::new(runtime);
    let deployments: Vec<Arc<Deployment>> = Deployment::all().map(Arc::new).collect();
    let mut trials = Vec::new();
    for deployment in &deployments {
        for (encoding, encoding_name) in ENCODINGS {
            for statement in statements::all() {
                let (deployment, runtime) = (Arc::clone(deployment), Arc::clone(&runtime));
                let name = format!(
                    "{} {encoding_name} {} {}",
                    deployment.title, statement.section, statement.says
                );
                trials.push(Trial::test(name, move || {
                    runtime.block_on(async {
                        let stage = Stage::new(deployment.running().await, encoding);
                        (statement.check)(&stage).await;
                    });
                    Ok(())
                }));
            }
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    // Ends the nodes, then their databases.
    drop(deployments);
    conclusion.exit_code()
}
