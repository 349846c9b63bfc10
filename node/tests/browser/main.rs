//! The chat page in a real Chromium against a real node: what two people see of each other, and what the browser saw of
//! the page. `e2e/test-all.sh browser` brings Chromium and runs these; without it they would fail, so `cargo test` leaves
//! them out.

#[path = "../support/mod.rs"]
mod support;

mod accessibility;
mod conversations;
mod hostile;
mod keyboard;
mod names;
mod people;
mod rooms;
mod streams;
