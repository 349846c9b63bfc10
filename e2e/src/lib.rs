//! End-to-end tests: real processes, real databases, a real Kubernetes; and the generator of the reference pages.

pub mod chat_checker;
pub mod database;
pub mod generate;
pub mod kubernetes;
