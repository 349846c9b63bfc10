//! What a load has come to, for programs and for people.

use super::checker::Found;
use super::measured::{Live, Percentiles};
use super::server_load::ServerFigures;
use crate::arguments::{BenchArguments, BenchLoad};
use crate::quantity::{bytes, count};
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
    /// Pairs of accounts (direct, relay).
    pub pairs: u32,
    /// Rooms, in each of which one member writes (rooms).
    pub rooms: u32,
    /// Members of each room who are online (rooms).
    pub members: u32,
    /// Members of each room who are not (rooms).
    pub absent: u32,
    /// Sessions or accounts (idle, logins).
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
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Messages stored (direct, rooms), delivered (relay), sessions kept (idle), logins done.
    pub operations: u64,
    /// From sending to the echo (direct), or from connecting to logged in (logins).
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
    /// Strangers that were connected at the end.
    pub strangers: u64,
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
    /// Acknowledged and never arrived; for idle: sessions that ended.
    pub lost: u64,
    /// Arrived twice.
    pub duplicated: u64,
    /// Arrived behind one that was sent later.
    pub reordered: u64,
    /// Arrived again after a reconnect, under the same number: allowed.
    pub redelivered: u64,
    /// Arrived although their acknowledgement was lost with a connection: allowed.
    pub unacknowledged: u64,
    /// Refused, or without an answer: never acknowledged, so nothing was promised.
    pub refused: u64,
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
            setting,
            figures,
        }
    }

    /// For people.
    pub(super) fn lines(&self) -> Vec<String> {
        let figures = &self.figures;
        let mut lines = vec![self.throughput()];
        let first = if self.setting.load == "logins" {
            "login"
        } else {
            "echo"
        };
        let rows = [
            (first, &figures.echo),
            ("delivery", &figures.delivery),
            ("last", &figures.last_delivery),
        ];
        for (what, times) in rows {
            if let Some(times) = times {
                lines.push(format!(
                    "{what:9} p50 {:.2} ms   p90 {:.2} ms   p99 {:.2} ms   p99.9 {:.2} ms   max {:.1} ms",
                    times.p50_milliseconds,
                    times.p90_milliseconds,
                    times.p99_milliseconds,
                    times.p999_milliseconds,
                    times.max_milliseconds
                ));
            }
        }
        lines.push(self.checked());
        if let Some(server) = &figures.server {
            let memory: Vec<String> = server
                .resident_bytes
                .iter()
                .map(|resident| bytes(*resident))
                .collect();
            lines.push(format!(
                "server    {:.2} s of processor time   memory {}",
                server.processor_seconds,
                memory.join(", ")
            ));
        }
        if self.setting.strangers > 0 {
            let (asked, open) = (self.setting.strangers.into(), figures.strangers);
            lines.push(format!(
                "strangers {} of {} connected at the end",
                count(open),
                count(asked)
            ));
        }
        if let Some(first) = &figures.first_logins {
            let rate = first.logins as f64 / first.seconds.max(f64::MIN_POSITIVE);
            let p50 = first.times.map_or(0.0, |times| times.p50_milliseconds);
            lines.push(format!(
                "before    {} first logins: {rate:.0} per second, p50 {p50:.1} ms",
                count(first.logins)
            ));
        }
        if let Some(each) = figures.bytes_per_session {
            lines.push(format!("session   {each} bytes of the server's memory each"));
        }
        lines
    }

    fn throughput(&self) -> String {
        let figures = &self.figures;
        let rate = figures.operations as f64 / figures.seconds.max(f64::MIN_POSITIVE);
        let what = match self.setting.load.as_str() {
            "idle" => {
                return format!(
                    "idle      {} sessions kept for {:.1} s",
                    count(figures.operations),
                    figures.seconds
                );
            }
            "logins" => "logins",
            "relay" => "relayed",
            _ => "stored",
        };
        let mut text = format!(
            "{what:9} {} in {:.1} s: {rate:.0} per second",
            count(figures.operations),
            figures.seconds
        );
        if self.setting.load == "rooms" {
            let rate = figures.checks.delivered as f64 / figures.seconds.max(f64::MIN_POSITIVE);
            text.push_str(&format!(", {rate:.0} deliveries per second"));
        }
        text
    }

    fn checked(&self) -> String {
        let checks = &self.figures.checks;
        let mut text = format!(
            "checked   {} lost   {} doubled   {} out of order",
            count(checks.lost),
            count(checks.duplicated),
            count(checks.reordered)
        );
        let others = [
            (checks.refused, "refused"),
            (checks.reconnects, "reconnects"),
            (checks.redelivered, "delivered again after a reconnect"),
        ];
        for (number, what) in others.into_iter().filter(|(number, _)| *number > 0) {
            text.push_str(&format!("   {} {what}", count(number)));
        }
        if let Some(why) = &checks.last_refusal {
            text.push_str(&format!(" (last: {})", crate::table::cut(why, 60)));
        }
        text
    }
}
