//! One suite for every engine: what the store promises holds on SQLite, PostgreSQL and MariaDB alike.

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
#[path = "suite/read.rs"]
mod read;
#[path = "suite/repartition.rs"]
mod repartition;
#[path = "suite/secrets.rs"]
mod secrets;
