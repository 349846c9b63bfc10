//! Accounts for loads: numbered, made once per server and used again.
//!
//! All passwords come from one random seed in a file that only its owner can read, so that a file of a few bytes is enough
//! for any number of accounts.

use crate::failure::{Failure, Outcome};
use futures::stream::{self, StreamExt};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tim_catalogue::command_line;
use tim_client::wire::{Encoding, ErrorCode};
use tim_client::{AccountError, Client, ConnectError, Credentials, Events, Options, Server, register};
use tim_local::file::{Readers, read_optional, write_atomically};

/// Registrations and logins under way at once: servers compute password hashes one after the other.
const UNDER_WAY_MAX: usize = 16;
/// How often a registration is tried that the server's database could not take; some are locked by the next one.
const REGISTRATIONS_MAX: u32 = 5;
/// Before the next try.
const REGISTRATION_PAUSE: Duration = Duration::from_millis(200);
/// How long a session of an earlier run, or of a moment ago, may keep its account's place.
const PLACE_MAX: Duration = Duration::from_secs(45);
/// How often it is looked whether the place is free.
const PLACE_INTERVAL: Duration = Duration::from_secs(1);

/// Accounts at one server.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Known {
    /// Passwords are made of it.
    seed: u64,
    /// Accounts with lower numbers have been registered.
    registered: usize,
    /// Rooms that earlier runs have made and filled, by what they were made for.
    #[serde(default)]
    rooms: BTreeMap<String, String>,
}

/// The accounts of one server.
#[derive(Debug)]
pub(super) struct BenchAccounts {
    path: PathBuf,
    key: String,
    known: Mutex<Known>,
    /// Whether a registration was answered with the account's id in this run.
    registers: AtomicBool,
    /// Whether the server was found to keep no accounts: whoever says a name has it.
    keeps_none: AtomicBool,
    /// Wait between the opening of a connection and its login.
    login_wait: Duration,
}

/// A logged-in account.
pub(super) struct LoggedIn {
    pub(super) client: Client,
    pub(super) events: Events,
    pub(super) node: String,
}

impl BenchAccounts {
    pub(super) fn open(path: &Path, key: &str, login_wait: Duration) -> Outcome<Self> {
        let all = read_all(path)?;
        let known = all.get(key).cloned().unwrap_or_else(|| Known {
            seed: rand::random(),
            registered: 0,
            rooms: BTreeMap::new(),
        });
        Ok(Self {
            path: path.to_owned(),
            key: key.to_owned(),
            known: Mutex::new(known),
            registers: AtomicBool::new(false),
            keeps_none: AtomicBool::new(false),
            login_wait,
        })
    }

    /// Makes accounts up to that number.
    ///
    /// # Errors
    /// The server does not answer, or refuses.
    pub(super) async fn ensure(
        &self,
        count: usize,
        server: &(impl Fn(usize) -> Server + Sync),
        done: impl Fn(),
    ) -> Outcome<()> {
        let first = self.known.lock().registered;
        let mut registering = stream::iter(first..count)
            .map(|number| async move { self.register(number, &server(number)).await })
            .buffered(UNDER_WAY_MAX);
        while let Some(registered) = registering.next().await {
            registered?;
            done();
        }
        let mut known = self.known.lock();
        known.registered = known.registered.max(count);
        self.save(&known)
    }

    /// The ids of accounts, in the order of their numbers; those that are not there yet are made.
    ///
    /// # Errors
    /// As [`Self::log_in`].
    pub(super) async fn ids(
        &self,
        numbers: Range<usize>,
        server: &(impl Fn(usize) -> Server + Sync),
        done: impl Fn(),
    ) -> Outcome<Vec<String>> {
        let end = numbers.end;
        let mut asking = stream::iter(numbers)
            .map(|number| async move { self.id(number, server(number)).await })
            .buffered(UNDER_WAY_MAX);
        let mut ids = Vec::new();
        while let Some(id) = asking.next().await {
            ids.push(id?);
            done();
        }
        let mut known = self.known.lock();
        known.registered = known.registered.max(end);
        self.save(&known)?;
        Ok(ids)
    }

    async fn id(&self, number: usize, server: Server) -> Outcome<String> {
        if let Some(id) = self.register(number, &server).await? {
            return Ok(id);
        }
        // Only a login tells the id of an account that was made earlier.
        let LoggedIn { client, node, .. } = self
            .log_in_when_free(number, server, &|options| options.reconnect = None)
            .await?;
        client.close().await;
        Ok(node)
    }

    /// The number of the first account that no run has registered.
    pub(super) fn n_known(&self) -> usize {
        self.known.lock().registered
    }

    /// Notes accounts behind those that were known, so that no later run takes them for new.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn newcomers_are_known(&self, count: usize) -> Outcome<()> {
        let mut known = self.known.lock();
        known.registered += count;
        self.save(&known)
    }

    /// The room that an earlier run has made for something.
    pub(super) fn room(&self, made_for: &str) -> Option<String> {
        self.known.lock().rooms.get(made_for).cloned()
    }

    /// Remembers a room for later runs.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn remember_room(&self, made_for: String, room: String) -> Outcome<()> {
        let mut known = self.known.lock();
        known.rooms.insert(made_for, room);
        self.save(&known)
    }

    /// The id of a new account; none if there has been one of that number, or if the server keeps none.
    ///
    /// # Errors
    /// The server does not answer, or refuses.
    pub(super) async fn register(&self, number: usize, server: &Server) -> Outcome<Option<String>> {
        if self.keeps_none.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let credentials = self.credentials(number);
        let mut tries = 0;
        loop {
            tries += 1;
            let error = match register(server, &credentials, Encoding::Thrift).await {
                Ok(id) => {
                    self.registers.store(true, Ordering::Relaxed);
                    return Ok(Some(id));
                }
                Err(error) => error,
            };
            let AccountError::Refused(rejection) = error else {
                let observed = format!("registering {}: {error}", self.name(number));
                return Err(Failure::new(&command_line::SERVER_UNREACHABLE, observed));
            };
            let no_accounts = match rejection.code() {
                // Made by a run that did not get as far as noting it.
                Some(ErrorCode::HasExist) => return Ok(None),
                Some(ErrorCode::Database | ErrorCode::Overload) if tries < REGISTRATIONS_MAX => {
                    tokio::time::sleep(REGISTRATION_PAUSE).await;
                    continue;
                }
                Some(ErrorCode::Database | ErrorCode::Interface) => !self.registers.load(Ordering::Relaxed),
                _ => false,
            };
            if no_accounts {
                // If that is wrong, the login says so.
                self.keeps_none.store(true, Ordering::Relaxed);
                return Ok(None);
            }
            return Err(Failure::new(
                &command_line::ACCOUNT_REFUSED,
                format!("registering {}: {rejection}", self.name(number)),
            ));
        }
    }

    /// Logs in; an account that the server has forgotten is made again.
    ///
    /// # Errors
    /// The server does not answer, or refuses.
    pub(super) async fn log_in(
        &self,
        number: usize,
        server: Server,
        adjust: &impl Fn(&mut Options),
    ) -> Outcome<LoggedIn> {
        let connected = self.connect(number, server, adjust).await?;
        connected.map_err(|error| self.not_logged_in(number, &error))
    }

    /// Logs in, and waits for the place of a session that has ended where the server notices that late.
    ///
    /// # Errors
    /// As [`Self::log_in`].
    pub(super) async fn log_in_when_free(
        &self,
        number: usize,
        server: Server,
        adjust: &impl Fn(&mut Options),
    ) -> Outcome<LoggedIn> {
        let deadline = Instant::now() + PLACE_MAX;
        loop {
            match self.connect(number, server.clone(), adjust).await? {
                Err(ConnectError::LoginRefused(rejection))
                    if rejection.code() == Some(ErrorCode::OverEntry) && Instant::now() < deadline =>
                {
                    tokio::time::sleep(PLACE_INTERVAL).await;
                }
                connected => return connected.map_err(|error| self.not_logged_in(number, &error)),
            }
        }
    }

    async fn connect(
        &self,
        number: usize,
        server: Server,
        adjust: &impl Fn(&mut Options),
    ) -> Outcome<Result<LoggedIn, ConnectError>> {
        let mut options = Options::new(server.clone(), self.credentials(number));
        options.resource = "tim bench".into();
        options.login_wait = self.login_wait;
        adjust(&mut options);
        let connected = match Client::connect(options.clone()).await {
            Err(ConnectError::LoginRefused(rejection)) if rejection.code() != Some(ErrorCode::OverEntry) => {
                self.register(number, &server).await?;
                Client::connect(options).await
            }
            other => other,
        };
        Ok(connected.map(|(client, events)| {
            let node = client.node().to_owned();
            LoggedIn { client, events, node }
        }))
    }

    fn not_logged_in(&self, number: usize, error: &ConnectError) -> Failure {
        match error {
            ConnectError::LoginRefused(rejection) => Failure::new(
                &command_line::ACCOUNT_REFUSED,
                format!("{}: {rejection}", self.name(number)),
            ),
            other => Failure::new(&command_line::SERVER_UNREACHABLE, other.to_string()),
        }
    }

    /// Logs accounts in, a few at a time, in the order of their numbers.
    ///
    /// # Errors
    /// As [`Self::log_in`].
    pub(super) async fn log_in_all(
        &self,
        count: usize,
        server: &(impl Fn(usize) -> Server + Sync),
        adjust: &(impl Fn(&mut Options) + Sync),
        done: impl Fn(),
    ) -> Outcome<Vec<LoggedIn>> {
        let mut logging_in = stream::iter(0..count)
            .map(|number| self.log_in_when_free(number, server(number), adjust))
            .buffered(UNDER_WAY_MAX);
        let mut all = Vec::with_capacity(count);
        while let Some(logged_in) = logging_in.next().await {
            all.push(logged_in?);
            done();
        }
        Ok(all)
    }

    pub(super) fn credentials(&self, number: usize) -> Credentials {
        let seed = self.known.lock().seed;
        // Short, since servers of the reference take no more than 21 bytes; spread, though no secret of anybody's.
        let mut hasher = DefaultHasher::new();
        (seed, number).hash(&mut hasher);
        Credentials::password(&self.name(number), &format!("{:016x}", hasher.finish()), "")
    }

    fn name(&self, number: usize) -> String {
        let seed = self.known.lock().seed;
        // The seed's own hash: names of two machines differ, and tell nothing of passwords.
        let mut hasher = DefaultHasher::new();
        ("name", seed).hash(&mut hasher);
        format!("bench-{:08x}-{number}", hasher.finish() >> 32)
    }

    fn save(&self, known: &Known) -> Outcome<()> {
        let mut all = read_all(&self.path)?;
        all.insert(self.key.clone(), known.clone());
        let text = serde_json::to_vec_pretty(&all).map_err(|error| Failure::unexpected(&error))?;
        write_atomically(&self.path, &text, Readers::Owner).map_err(|error| Failure::unexpected(&error))
    }
}

fn read_all(path: &Path) -> Outcome<BTreeMap<String, Known>> {
    let content = read_optional(path).map_err(|error| Failure::unexpected(&error))?;
    content.map_or_else(
        || Ok(BTreeMap::new()),
        |content| serde_json::from_slice(&content).map_err(|error| Failure::unexpected(&error)),
    )
}
