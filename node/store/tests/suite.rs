//! One suite for every engine: what the store promises holds on SQLite, PostgreSQL and MariaDB alike.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::too_many_lines,
    reason = "tests stop at the first surprise, and a scenario is told in one piece"
)]

#[path = "../../../e2e/src/database.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "shared with the end-to-end tests, which use all of it"
)]
mod database;

#[path = "suite/support.rs"]
mod support;

#[path = "suite/account.rs"]
mod account;
#[path = "suite/append.rs"]
mod append;
#[path = "suite/binding.rs"]
mod binding;
#[path = "suite/concurrency.rs"]
mod concurrency;
#[path = "suite/crash.rs"]
mod crash;
#[path = "suite/erase.rs"]
mod erase;
#[path = "suite/failures.rs"]
mod failures;
#[path = "suite/figures.rs"]
mod figures;
#[path = "suite/model.rs"]
mod model;
#[path = "suite/outbox.rs"]
mod outbox;
#[path = "suite/read.rs"]
mod read;
#[path = "suite/repartition.rs"]
mod repartition;
#[path = "suite/retention.rs"]
mod retention;
#[path = "suite/room.rs"]
mod room;
#[path = "suite/secrets.rs"]
mod secrets;
