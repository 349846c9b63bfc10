//! What is wrong just now, once per place: shown by readiness and status, logged when it begins, changes and ends.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use tim_catalogue::{Report, Severity, node as causes};
use tracing::Level;

/// Where a trouble is. One place has at most one at a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Place {
    /// The node has not finished its start.
    Start,
    /// A database, by its name in the configuration.
    Database(String),
    /// The links to other nodes.
    Peers,
    /// The cluster secret.
    Secret,
    /// The files of the configuration, as they are now.
    Configuration,
    /// The file with the tokens of administrators.
    Administrators,
    /// A file with a key or certificate.
    Trust,
    /// The control group.
    Control,
    /// The wall clock.
    Clock,
    /// Who is asked about logins.
    LoginCallback,
    /// The database of users.
    UserDatabase,
    /// An answer of the database of users that is too large to be taken.
    UserAnswer,
    /// The issuer of tokens that let clients in.
    Issuer,
    /// Somebody outside who is told of events: which address.
    Webhook(&'static str),
    /// The node is being drained.
    Drain,
}

/// Whether a trouble keeps clients away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Not ready: no new clients.
    NotReady,
    /// A part of the accounts cannot be served: that alone keeps nobody away, unless all parts are so.
    Partial,
    /// Worth saying, but the node serves.
    Told,
}

#[derive(Debug, Clone)]
struct Trouble {
    report: Report,
    effect: Effect,
}

/// All present troubles of the node.
#[derive(Debug, Default)]
pub(crate) struct Board {
    troubles: Mutex<BTreeMap<Place, Trouble>>,
    /// How many parts there are: databases.
    parts: AtomicUsize,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => formatter.write_str("start"),
            Self::Database(name) => write!(formatter, "database {name}"),
            Self::Peers => formatter.write_str("peers"),
            Self::Secret => formatter.write_str("cluster secret"),
            Self::Configuration => formatter.write_str("configuration"),
            Self::Administrators => formatter.write_str("administrators"),
            Self::Trust => formatter.write_str("trust"),
            Self::Control => formatter.write_str("control group"),
            Self::Clock => formatter.write_str("clock"),
            Self::LoginCallback => formatter.write_str("login callback"),
            Self::UserDatabase => formatter.write_str("database of users"),
            Self::UserAnswer => formatter.write_str("answer of the database of users"),
            Self::Issuer => formatter.write_str("issuer of tokens"),
            Self::Webhook(name) => write!(formatter, "webhook {name}"),
            Self::Drain => formatter.write_str("drain"),
        }
    }
}

/// How loudly a report is logged when it begins.
fn level(report: &Report) -> Level {
    if *report.cause() == causes::STARTING {
        // Every start begins so, and needs nobody.
        Level::INFO
    } else if report.cause().severity == Severity::Stays {
        Level::ERROR
    } else {
        Level::WARN
    }
}

fn log(place: &Place, report: &Report, level: Level) {
    let (code, name) = (report.cause().code, report.cause().name);
    match level {
        Level::ERROR => tracing::error!(code, error.type = name, place = %place, "{report}"),
        Level::WARN => tracing::warn!(code, error.type = name, place = %place, "{report}"),
        _ => tracing::info!(code, error.type = name, place = %place, "{report}"),
    }
}

impl Board {
    /// Puts a trouble up; the same one again is neither news nor logged.
    pub(crate) fn raise(&self, place: Place, effect: Effect, report: Report) {
        let mut troubles = self.troubles.lock();
        let known = troubles
            .get(&place)
            .is_some_and(|trouble| trouble.report == report && trouble.effect == effect);
        if known {
            return;
        }
        log(&place, &report, level(&report));
        troubles.insert(place, Trouble { report, effect });
    }

    /// Says aloud that a trouble is still up, whatever it was logged as when it began; whether it is.
    pub(crate) fn remind(&self, place: &Place) -> bool {
        let report = self
            .troubles
            .lock()
            .get(place)
            .map(|trouble| trouble.report.clone());
        if let Some(report) = &report {
            log(place, report, level(report).min(Level::WARN));
        }
        report.is_some()
    }

    /// Says how many parts there are, of which each may be in trouble.
    pub(crate) fn set_parts(&self, parts: usize) {
        self.parts.store(parts, Ordering::Relaxed);
    }

    /// Takes a trouble down.
    pub(crate) fn clear(&self, place: &Place) {
        if let Some(trouble) = self.troubles.lock().remove(place) {
            tracing::info!(code = trouble.report.cause().code, place = %place, "healed: {}", trouble.report.cause().what);
        }
    }

    /// Raises or clears, by what was observed.
    pub(crate) fn observe(&self, place: Place, effect: Effect, report: Option<Report>) {
        match report {
            Some(report) => self.raise(place, effect, report),
            None => self.clear(&place),
        }
    }

    /// Everything that is up.
    pub(crate) fn reports(&self) -> Vec<(Place, Effect, Report)> {
        self.troubles
            .lock()
            .iter()
            .map(|(place, trouble)| (place.clone(), trouble.effect, trouble.report.clone()))
            .collect()
    }

    /// Whether nothing keeps clients away.
    pub(crate) fn is_ready(&self) -> bool {
        self.with(Effect::NotReady) == 0 && !self.is_without_parts()
    }

    /// Whether every part is in trouble.
    pub(crate) fn is_without_parts(&self) -> bool {
        let partial = self.with(Effect::Partial);
        partial > 0 && partial >= self.parts.load(Ordering::Relaxed)
    }

    fn with(&self, effect: Effect) -> usize {
        let troubles = self.troubles.lock();
        troubles
            .values()
            .filter(|trouble| trouble.effect == effect)
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tim_catalogue::{node, storage};

    #[test]
    fn ready_only_without_a_trouble_that_keeps_clients_away() {
        let board = Board::default();
        assert!(board.is_ready());
        board.raise(
            Place::Clock,
            Effect::Told,
            Report::new(&node::CLOCK_JUMP, "jumped"),
        );
        assert!(board.is_ready());
        let database = Place::Database(String::from("d0"));
        board.raise(
            database.clone(),
            Effect::Partial,
            Report::new(&storage::UNREACHABLE, "d0"),
        );
        assert!(!board.is_ready(), "nothing else is there");
        board.set_parts(2);
        assert!(board.is_ready(), "the other database serves");
        board.set_parts(1);
        assert!(!board.is_ready());
        assert_eq!(board.reports().len(), 2);
        board.clear(&database);
        assert!(board.is_ready());
    }

    #[test]
    fn a_start_is_no_warning_until_it_lasts() {
        let starting = Report::new(&node::STARTING, "just started");
        assert_eq!(level(&starting), Level::INFO);
        assert_eq!(level(&starting).min(Level::WARN), Level::WARN, "as a reminder");
        assert_eq!(level(&Report::new(&node::NO_LEADER, "none")), Level::WARN);
        let stays = Report::new(&node::WRONG_CLUSTER, "another one");
        assert_eq!(level(&stays).min(Level::WARN), Level::ERROR);
        let board = Board::default();
        assert!(!board.remind(&Place::Start));
        board.raise(Place::Start, Effect::NotReady, starting);
        assert!(board.remind(&Place::Start));
        board.clear(&Place::Start);
        assert!(!board.remind(&Place::Start));
    }
}
