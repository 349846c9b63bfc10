//! A client of the tim protocol, for any server that speaks it: the command line, the benchmark and the
//! tests stand on it, and so can a bot or a bridge.
//!
//! ```text
//! Client  --commands-->  driver (one task: socket, clock)  --events-->  Events
//!                           |
//!                        session (pure: what a frame means, what waits for an echo)
//! ```
//!
//! A client logs in, keeps the connection alive, finds another address when it breaks, sends again in
//! order what had no echo yet, confirms what is delivered and leaves out what it has shown already.
//! The application takes [`Event`]s and calls methods of [`Client`]; [`SendError::advice`] says what to do
//! about a failure.

mod account;
mod address;
mod backoff;
mod client;
mod connection;
mod driver;
mod error;
mod event;
mod options;
mod requests;
mod rooms;
mod session;
mod streams;
mod telemetry;
mod transport;
mod trust;

pub use account::{IssuedToken, ensure_account, register, token};
pub use address::Address;
pub use address::AddressError;
pub use client::{Client, Receipt};
pub use error::{AccountError, Advice, CloseReason, ConnectError, Rejection, RequestError, SendError};
pub use event::{Confirmation, Event, Events, Sent};
pub use options::{Confirm, Credentials, Limits, Options, ReconnectPolicy, Server};
pub use streams::StreamForm;
pub use tim_wire as wire;
pub use trust::TrustError;
