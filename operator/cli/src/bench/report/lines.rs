//! What a load has come to, for people.

use super::super::measured::Percentiles;
use super::super::server_load::ServerFigures;
use super::{BenchDocument, FirstLogins, Reconnects, Storm};
use crate::quantity::{bytes, count};

impl BenchDocument {
    /// For people.
    pub(in super::super) fn lines(&self) -> Vec<String> {
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
        lines.extend(
            rows.into_iter()
                .filter_map(|(what, row)| Some(times(what, row.as_ref()?))),
        );
        if let Some(storm) = &figures.storm {
            lines.extend(storm_lines(storm, figures.echo.as_ref()));
        }
        if let Some(reconnects) = &figures.reconnects {
            lines.extend(reconnect_lines(reconnects));
        }
        lines.push(self.checked());
        if let Some(server) = &figures.server {
            lines.push(self.server(server));
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
            lines.push(first_logins(first));
        }
        if let Some(each) = figures.bytes_per_session {
            lines.push(format!("session   {each} bytes of the server's memory each"));
        }
        lines
    }

    fn throughput(&self) -> String {
        let figures = &self.figures;
        let done = count(figures.operations);
        let what = match self.setting.load.as_str() {
            "idle" => return format!("idle      {done} sessions kept for {:.1} s", figures.seconds),
            "reconnect" => {
                let broken = figures
                    .reconnects
                    .as_ref()
                    .map_or(0, |reconnects| reconnects.sessions);
                let (broken, seconds) = (count(broken), figures.seconds);
                return format!("back      {done} of {broken} sessions, the last one after {seconds:.2} s");
            }
            "logins" => "logins",
            "relay" => "relayed",
            _ => "stored",
        };
        let mut text = format!(
            "{what:9} {done} in {:.1} s: {:.0} per second",
            figures.seconds,
            per(figures.operations, figures.seconds)
        );
        if self.setting.load == "rooms" {
            let rate = per(figures.checks.delivered, figures.seconds);
            text.push_str(&format!(", {rate:.0} deliveries per second"));
        }
        text
    }

    fn server(&self, server: &ServerFigures) -> String {
        let memory: Vec<String> = server
            .resident_bytes
            .iter()
            .map(|resident| bytes(*resident))
            .collect();
        let rate = server
            .operations_per_processor_second
            .map_or_else(String::new, |rate| {
                format!(", {} per second of it", count(rate.round() as u64))
            });
        format!(
            "server    {:.2} s of processor time{rate}   memory {}",
            server.processor_seconds,
            memory.join(", ")
        )
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
            (checks.unanswered, "without an answer"),
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

fn per(number: u64, seconds: f64) -> f64 {
    number as f64 / seconds.max(f64::MIN_POSITIVE)
}

fn times(what: &str, times: &Percentiles) -> String {
    format!(
        "{what:9} p50 {:.2} ms   p90 {:.2} ms   p99 {:.2} ms   p99.9 {:.2} ms   max {:.1} ms",
        times.p50_milliseconds,
        times.p90_milliseconds,
        times.p99_milliseconds,
        times.p999_milliseconds,
        times.max_milliseconds
    )
}

fn storm_lines(storm: &Storm, alone: Option<&Percentiles>) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(beside) = &storm.echo {
        let mut line = times("in storm", beside);
        if let Some(alone) = alone {
            let factor = beside.p99_milliseconds / alone.p99_milliseconds.max(f64::MIN_POSITIVE);
            line.push_str(&format!("   ({factor:.1} times the p99)"));
        }
        lines.push(line);
    }
    let (p50, p99) = storm.times.map_or((0.0, 0.0), |times| {
        (times.p50_milliseconds, times.p99_milliseconds)
    });
    let mut line = format!(
        "newcomers {} registered and logged in: {:.0} per second, p50 {p50:.0} ms, p99 {p99:.0} ms",
        count(storm.newcomers),
        per(storm.newcomers, storm.seconds)
    );
    if storm.refused > 0 {
        line.push_str(&format!("; {} refused", count(storm.refused)));
    }
    if let Some(why) = &storm.last_refusal {
        line.push_str(&format!(" (last: {})", crate::table::cut(why, 60)));
    }
    lines.push(line);
    lines
}

fn reconnect_lines(reconnects: &Reconnects) -> Vec<String> {
    let mut lines: Vec<String> = reconnects.times.iter().map(|row| times("again", row)).collect();
    lines.push(format!(
        "failed    {} log-ins before those",
        count(reconnects.failed_logins)
    ));
    for process in &reconnects.memory {
        let after = process.after_bytes.map_or_else(
            || "has ended".to_owned(),
            |resident| format!("{} after", bytes(resident)),
        );
        lines.push(format!(
            "process   {}: memory {} before, {} at most, {after}",
            process.pid,
            bytes(process.before_bytes),
            bytes(process.peak_bytes)
        ));
    }
    lines
}

fn first_logins(first: &FirstLogins) -> String {
    let p50 = first.times.map_or(0.0, |times| times.p50_milliseconds);
    format!(
        "before    {} first logins: {:.0} per second, p50 {p50:.1} ms",
        count(first.logins),
        per(first.logins, first.seconds)
    )
}

#[cfg(test)]
mod tests {
    use super::super::{Checks, Figures, Setting};
    use super::*;

    fn row(p99_milliseconds: f64) -> Option<Percentiles> {
        Some(Percentiles {
            p50_milliseconds: 1.0,
            p90_milliseconds: 2.0,
            p99_milliseconds,
            p999_milliseconds: 40.0,
            max_milliseconds: 50.0,
            count: 3,
        })
    }

    fn shown(load: &str, figures: Figures) -> String {
        let setting = Setting {
            load: load.into(),
            addresses: Vec::new(),
            pairs: 1,
            rooms: 1,
            members: 2,
            absent: 0,
            silent: 0,
            sessions: 1,
            strangers: 0,
            rate: None,
            window: 1,
            payload_bytes: 64,
            duration_seconds: 1.0,
        };
        BenchDocument::new(setting, figures).lines().join("\n")
    }

    #[test]
    fn a_storm_is_told_by_what_others_noticed_of_it() {
        let text = shown(
            "storm",
            Figures {
                echo: row(4.0),
                storm: Some(Storm {
                    newcomers: 120,
                    refused: 0,
                    last_refusal: None,
                    seconds: 2.0,
                    times: row(600.0),
                    echo: row(6.0),
                }),
                ..Figures::default()
            },
        );
        assert!(
            text.contains("(1.5 times the p99)") && text.contains("60 per second"),
            "{text}"
        );
    }

    #[test]
    fn sessions_that_did_not_come_back_are_lost() {
        let figures = Figures {
            seconds: 3.25,
            operations: 4_999,
            checks: Checks {
                lost: 1,
                ..Checks::default()
            },
            reconnects: Some(Reconnects {
                sessions: 5_000,
                back: 4_999,
                failed_logins: 7,
                last_seconds: 3.25,
                times: row(3_000.0),
                memory: Vec::new(),
            }),
            ..Figures::default()
        };
        let text = shown("reconnect", figures);
        assert!(
            text.contains("4,999 of 5,000 sessions, the last one after 3.25 s"),
            "{text}"
        );
        assert!(text.contains("1 lost") && text.contains("7 log-ins"), "{text}");
    }

    #[test]
    fn messages_without_an_answer_fail_the_run() {
        let checks = Checks {
            unanswered: 3,
            ..Checks::default()
        };
        assert_eq!(checks.violations(), ["3 without an answer"]);
    }

    #[test]
    fn what_the_server_needed_is_told_per_operation() {
        let text = shown(
            "relay",
            Figures {
                seconds: 2.0,
                operations: 20_000,
                server: Some(ServerFigures {
                    resident_bytes: vec![1_000_000],
                    resident_bytes_grown: 0,
                    processor_seconds: 0.5,
                    operations_per_processor_second: None,
                }),
                ..Figures::default()
            },
        );
        assert!(
            text.contains("0.50 s of processor time, 40,000 per second of it"),
            "{text}"
        );
    }
}
