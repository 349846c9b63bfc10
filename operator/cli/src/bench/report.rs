//! What a load has come to, for programs; [`lines`] is for people.

mod lines;

use super::checker::Found;
use super::measured::{Live, Percentiles};
use super::server_load::{ProcessMemory, ServerFigures};
use crate::arguments::{BenchArguments, BenchLoad};
use crate::quantity::count;
use clap::ValueEnum;
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::atomic::Ordering;
use tim_client::Address;

/// Version of the form.
const SCHEMA_VERSION: u32 = 1;

/// A measured load.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BenchDocument {
    /// Version of this form.
    pub schema_version: u32,
    /// Version of the tool.
    pub tool_version: String,
    /// What was asked for.
    pub setting: Setting,
    /// What came of it.
    pub figures: Figures,
    /// Whether nothing was lost, doubled or reordered.
    pub passed: bool,
}

/// What was asked for.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Setting {
    /// Kind of load.
    pub load: String,
    /// Addresses of the server.
    pub addresses: Vec<String>,
    /// Pairs of accounts (direct, relay, storm).
    pub pairs: u32,
    /// Rooms, in each of which one member writes (rooms).
    pub rooms: u32,
    /// Members of each room who are online (rooms).
    pub members: u32,
    /// Members of each room who are not (rooms).
    pub absent: u32,
    /// Members of each room, of those who are online, who read nothing (rooms).
    pub silent: u32,
    /// Sessions or accounts (idle, reconnect, logins).
    pub sessions: u32,
    /// Connections that never log in, held open meanwhile.
    pub strangers: u32,
    /// Operations per second that were offered; absent: as fast as answers came.
    pub rate: Option<u32>,
    /// Operations of one sender under way at once, without a rate.
    pub window: u32,
    /// Bytes of text in each message.
    pub payload_bytes: u32,
    /// How long it was to take, in seconds.
    pub duration_seconds: f64,
}

/// What came of it.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Messages stored (direct, rooms, storm), delivered (relay), sessions kept (idle) or back (reconnect), logins done.
    pub operations: u64,
    /// From sending to the echo (direct, rooms; storm: without newcomers), or from connecting to logged in (logins).
    pub echo: Option<Percentiles>,
    /// From sending to the arrival at the other side.
    pub delivery: Option<Percentiles>,
    /// From sending to the arrival at the last member who is online (rooms).
    pub last_delivery: Option<Percentiles>,
    /// What the checker found.
    pub checks: Checks,
    /// What the server's processes took.
    pub server: Option<ServerFigures>,
    /// By how much the server's memory grew per session, in bytes.
    pub bytes_per_session: Option<i64>,
    /// What came before the measurement (logins).
    pub first_logins: Option<FirstLogins>,
    /// How the sessions of a node that ended fared (reconnect).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconnects: Option<Reconnects>,
    /// What newcomers got, and what others noticed of them (storm).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storm: Option<Storm>,
    /// Strangers that were connected at the end.
    pub strangers: u64,
}

/// How the sessions of a node that ended fared.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reconnects {
    /// Sessions that lost their connection.
    pub sessions: u64,
    /// Those that logged in again.
    pub back: u64,
    /// Attempts of theirs that failed first, at the node that had ended and at others.
    pub failed_logins: u64,
    /// From the end of the node until the last one was back, in seconds.
    pub last_seconds: f64,
    /// From the end of the node until each was back.
    pub times: Option<Percentiles>,
    /// Memory of the server's processes.
    pub memory: Vec<ProcessMemory>,
}

/// What newcomers got, and what others noticed of them.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Storm {
    /// Accounts that were registered and logged in.
    pub newcomers: u64,
    /// Newcomers who were refused or had no answer.
    pub refused: u64,
    /// The last refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_refusal: Option<String>,
    /// How long the storm took, in seconds.
    pub seconds: f64,
    /// From connecting to register to logged in.
    pub times: Option<Percentiles>,
    /// From sending a message to its echo, meanwhile.
    pub echo: Option<Percentiles>,
}

/// The first login of each account in a run.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FirstLogins {
    /// How many.
    pub logins: u64,
    /// How long all of them took, in seconds.
    pub seconds: f64,
    /// From connecting to logged in.
    pub times: Option<Percentiles>,
}

/// What the checker found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Checks {
    /// Acknowledged by the server.
    pub stored: u64,
    /// Arrived.
    pub delivered: u64,
    /// Acknowledged and never arrived; for idle: sessions that ended; for reconnect: those that did not come back.
    pub lost: u64,
    /// Arrived twice.
    pub duplicated: u64,
    /// Arrived behind one that was sent later.
    pub reordered: u64,
    /// Arrived again after a reconnect, under the same number: allowed.
    pub redelivered: u64,
    /// Arrived although their acknowledgement was lost with a connection: allowed.
    pub unacknowledged: u64,
    /// Refused: never acknowledged, so nothing was promised.
    pub refused: u64,
    /// Neither acknowledged nor refused in the time for it: a failure, for nobody knows what became of them.
    pub unanswered: u64,
    /// Connections that were made anew.
    pub reconnects: u64,
    /// The last refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_refusal: Option<String>,
}

impl Checks {
    pub(super) fn of(found: Found, live: &Live) -> Self {
        Self {
            stored: found.stored,
            delivered: found.delivered,
            lost: found.lost,
            duplicated: found.duplicated,
            reordered: found.reordered,
            redelivered: found.redelivered,
            unacknowledged: found.unacknowledged,
            refused: live.refused.load(Ordering::Relaxed),
            unanswered: live.unanswered.load(Ordering::Relaxed),
            reconnects: live.reconnects.load(Ordering::Relaxed),
            last_refusal: live.last_refusal.lock().clone(),
        }
    }

    /// Broken promises, in words.
    pub(super) fn violations(&self) -> Vec<String> {
        [
            (self.lost, "lost"),
            (self.duplicated, "doubled"),
            (self.reordered, "out of order"),
            (self.unanswered, "without an answer"),
        ]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{} {what}", count(number)))
        .collect()
    }
}

impl Setting {
    pub(super) fn of(arguments: &BenchArguments, addresses: &[Address]) -> Self {
        Self {
            load: name(arguments.load),
            addresses: addresses.iter().map(ToString::to_string).collect(),
            pairs: arguments.pairs,
            rooms: arguments.rooms,
            members: arguments.members,
            absent: arguments.absent,
            silent: arguments.silent,
            sessions: arguments.sessions,
            strangers: arguments.strangers,
            rate: arguments.rate,
            window: arguments.window,
            payload_bytes: arguments.payload,
            duration_seconds: arguments.duration.as_secs_f64(),
        }
    }
}

fn name(load: BenchLoad) -> String {
    load.to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}

impl BenchDocument {
    pub(super) fn new(setting: Setting, figures: Figures) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            tool_version: crate::verbs::version::VERSION.to_owned(),
            passed: figures.checks.violations().is_empty(),
            figures: Figures {
                server: figures.server.map(|server| match setting.load.as_str() {
                    "idle" | "reconnect" => server,
                    _ => server.for_operations(figures.operations),
                }),
                ..figures
            },
            setting,
        }
    }
}
