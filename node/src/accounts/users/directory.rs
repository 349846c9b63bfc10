//! Users in a database of the operator's, asked by statements of the operator's.
//!
//! As many statements as `requests_max` run or wait at once. After a failure nothing is asked for a moment, so that a database
//! that is down is not asked by everybody; meanwhile whoever needs an answer is told to come back.

use super::Found;
use super::lists::TooLarge;
use crate::board::{Board, Effect, Place};
use crate::commands::Refusal;
use crate::node::Node;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tim_catalogue::{Report, configuration as wrong, node as causes};
use tim_config::UserDatabase;
use tim_core::id::AccountId;
use tim_store::{Foreign, ForeignError, Reads, StatementError};
use tim_wire::ErrorCode;
use tokio::sync::Semaphore;

const LOGIN: &str = "accounts.database.login";
const EXISTS: &str = "accounts.database.exists";
const MAY_MESSAGE: &str = "accounts.database.may_message";
pub(super) const ROSTER: &str = "accounts.database.roster";
pub(super) const ROOMS: &str = "accounts.database.rooms";
pub(super) const ROOM_MEMBERS: &str = "accounts.database.room_members";

/// A statement, under the key by which the operator knows it.
pub(super) type Statement<'a> = (&'static str, &'a str);

/// The database and what is asked of it.
#[derive(Debug)]
pub(crate) struct Directory {
    pub(super) config: UserDatabase,
    /// The DSN as it was read last, and its pool.
    open: Mutex<Option<(String, Foreign)>>,
    places: Semaphore,
    rests_until: Mutex<Option<Instant>>,
    pub(super) too_large: Mutex<Option<TooLarge>>,
    pub(super) board: Arc<Board>,
}

/// What is read of an answer that is yes or no.
const NUMBER: &str = "a number";

/// A statement, and what is read of its answers.
struct Expected<'a> {
    key: &'static str,
    text: &'a str,
    columns: &'a [&'static str],
}

impl Directory {
    pub(super) fn new(config: &UserDatabase, board: Arc<Board>) -> Self {
        Self {
            open: Mutex::default(),
            places: Semaphore::new(config.requests_max as usize),
            rests_until: Mutex::default(),
            too_large: Mutex::default(),
            board,
            config: config.clone(),
        }
    }

    /// Whether relations are said elsewhere.
    pub(super) fn has_relations(&self) -> bool {
        self.judges_messages() || !self.config.roster.is_empty()
    }

    pub(super) fn judges_messages(&self) -> bool {
        !self.config.may_message.is_empty()
    }

    pub(super) fn has_rooms(&self) -> bool {
        !self.config.room_members.is_empty()
    }

    pub(super) async fn log_in(&self, node: &Node, name: &str, password: &str) -> Result<Found, Refusal> {
        let most = super::super::CREDENTIAL_BYTES_MAX;
        if name.is_empty() || name.len() > most || password.is_empty() || password.len() > most {
            return Ok(Found::Nobody);
        }
        let hash_is_given = self.config.login.matches('?').count() == 1;
        let rows = if hash_is_given {
            self.ask((LOGIN, &self.config.login), &[name], 2).await?
        } else {
            self.ask((LOGIN, &self.config.login), &[name, password], 1)
                .await?
        };
        let Some(row) = rows.into_iter().next() else {
            return Ok(Found::Nobody);
        };
        let mut columns = row.into_iter();
        let id = columns.next().unwrap_or_default();
        let Some(account) = AccountId::new(&id).ok().filter(|_| node.ids.is_valid(&id)) else {
            return Err(self.failed("accounts.database.login gives an id that can be none: 1 to 64 bytes without '|' and without the byte 131"));
        };
        Ok(match columns.next() {
            Some(stored) => Found::Stored(account, stored),
            None => Found::Account(account),
        })
    }

    pub(super) async fn exists(&self, account: &AccountId) -> Result<bool, Refusal> {
        if self.config.exists.is_empty() {
            return Ok(true);
        }
        self.says_yes((EXISTS, &self.config.exists), &[account.as_str()])
            .await
    }

    pub(super) async fn may_message(&self, from: &AccountId, to: &AccountId) -> Result<(), Refusal> {
        let asked = [from.as_str(), to.as_str()];
        let statement = (MAY_MESSAGE, self.config.may_message.as_str());
        match self.says_yes(statement, &asked).await? {
            true => Ok(()),
            false => Err(Refusal::plain(ErrorCode::PermissionDenied, "not_friends")),
        }
    }

    /// Whether the first row holds a number above 0.
    async fn says_yes(&self, statement: Statement<'_>, parameters: &[&str]) -> Result<bool, Refusal> {
        let rows = self.ask(statement, parameters, 1).await?;
        let first = rows.first().and_then(|row| row.first());
        Ok(first
            .and_then(|text| text.parse::<f64>().ok())
            .is_some_and(|number| number > 0.0))
    }

    /// Whether the statements are taken by the database and give the columns that are read. One that does not answer now says
    /// nothing about them.
    ///
    /// # Errors
    /// The statement that will never be of use, what it lacks, and what to do.
    pub(super) async fn check(&self) -> Result<(), Report> {
        let pool = match self.pool() {
            Ok(pool) => pool,
            Err(reason) => {
                self.failed(&reason);
                return Ok(());
            }
        };
        for statement in self.statements() {
            let Expected { key, text, columns } = statement;
            let parameters = text.matches('?').count();
            let reads = match columns {
                [NUMBER] => Reads::Number,
                _ => Reads::Columns(columns.len()),
            };
            let observed = match pool.check(text, parameters, reads).await {
                Ok(()) => continue,
                Err(error @ StatementError::NoNumber(_)) => {
                    let remedy = format!("let {key} select a whole number or a truth value, above 0 for yes");
                    let report = Report::new(&wrong::INVALID_VALUE, format!("{key}: {error}"));
                    return Err(report.with_remedy(remedy));
                }
                Err(StatementError::Unreachable(reason)) => {
                    self.failed(&reason);
                    return Ok(());
                }
                Err(StatementError::Refused(reason)) => {
                    let observed = format!("{key}: the database does not take the statement: {reason}");
                    let remedy =
                        format!("correct {key}, or let the user of the DSN read the tables that it names");
                    return Err(Report::new(&wrong::INVALID_VALUE, observed).with_remedy(remedy));
                }
                Err(StatementError::Columns(found)) => (found, columns.get(found)),
            };
            let (found, missing) = observed;
            let missing = missing.copied().unwrap_or_default();
            let observed = format!(
                "{key}: the statement answers with {found} columns; column {} is missing: {missing}",
                found + 1
            );
            let remedy = format!("let {key} select, in this order: {}", columns.join(", "));
            return Err(Report::new(&wrong::INVALID_VALUE, observed).with_remedy(remedy));
        }
        Ok(())
    }

    /// The statements that are set, and what is read of their answers.
    fn statements(&self) -> Vec<Expected<'_>> {
        let config = &self.config;
        let login: &[&str] = match config.login.matches('?').count() {
            1 => &["the account's id", "the password's hash"],
            _ => &["the account's id"],
        };
        let all: [(_, _, &[&str]); 6] = [
            (LOGIN, &config.login, login),
            (EXISTS, &config.exists, &[NUMBER]),
            (MAY_MESSAGE, &config.may_message, &[NUMBER]),
            (ROSTER, &config.roster, &["the friend's id"]),
            (ROOMS, &config.rooms, &["the room's id"]),
            (ROOM_MEMBERS, &config.room_members, &["the member's id"]),
        ];
        let set = all.into_iter().filter(|(_, text, _)| !text.is_empty());
        set.map(|(key, text, columns)| Expected { key, text, columns })
            .collect()
    }

    pub(super) async fn ask(
        &self,
        (key, text): Statement<'_>,
        parameters: &[&str],
        columns: usize,
    ) -> Result<Vec<Vec<String>>, Refusal> {
        let place = self.places.try_acquire();
        let _place = place.map_err(|_| {
            Refusal::overloaded("accounts.database.requests_max statements have no answer yet")
        })?;
        if self
            .rests_until
            .lock()
            .is_some_and(|until| Instant::now() < until)
        {
            return Err(Refusal::users_unknown());
        }
        let pool = self.pool().map_err(|reason| self.failed(&reason))?;
        match pool.rows(text, parameters, columns).await {
            Ok(rows) => {
                self.board.clear(&Place::UserDatabase);
                self.answered((key, parameters));
                Ok(rows)
            }
            Err(ForeignError::TooMany(_)) => Err(self.has_too_many_rows((key, parameters))),
            Err(error) => Err(self.failed(&error.to_string())),
        }
    }

    /// The pool for the DSN as the file says it now; after a success the file is not read again.
    fn pool(&self) -> Result<Foreign, String> {
        let mut open = self.open.lock();
        let failed_before = self.rests_until.lock().is_some();
        if let Some((_, pool)) = open.as_ref().filter(|_| !failed_before) {
            return Ok(pool.clone());
        }
        let text = std::fs::read_to_string(&self.config.dsn_file)
            .map_err(|error| format!("{}: {error}", self.config.dsn_file.display()))?;
        let dsn = text.trim().to_owned();
        *self.rests_until.lock() = None;
        if let Some((_, pool)) = open.as_ref().filter(|(known, _)| *known == dsn) {
            return Ok(pool.clone());
        }
        let config = &self.config;
        let timeout = Duration::from_millis(config.timeout_millis);
        let pool = Foreign::open(&dsn, config.connections_max, timeout, config.rows_max as usize);
        let pool = pool.map_err(|error| error.to_string())?;
        if let Some((_, old)) = open.replace((dsn, pool.clone())) {
            // What still runs on it ends first.
            tokio::spawn(async move { old.close().await });
        }
        Ok(pool)
    }

    fn failed(&self, reason: &str) -> Refusal {
        *self.rests_until.lock() = Some(Instant::now() + Duration::from_millis(self.config.rest_millis));
        let report = Report::new(
            &causes::USER_DATABASE_FAILS,
            format!("accounts.database: {reason}"),
        );
        self.board.raise(Place::UserDatabase, Effect::Told, report);
        Refusal::users_unknown()
    }
}
