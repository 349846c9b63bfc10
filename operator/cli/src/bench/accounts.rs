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
use tim_catalogue::command_line;
use tim_client::wire::{Encoding, ErrorCode};
use tim_client::{AccountError, Client, ConnectError, Credentials, Events, Options, Server, register};
use tim_local::file::{Readers, read_optional, write_atomically};

/// Registrations and logins under way at once: servers compute password hashes one after the other.
const UNDER_WAY_MAX: usize = 16;

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
}

/// A logged-in account.
pub(super) struct LoggedIn {
    pub(super) client: Client,
    pub(super) events: Events,
    pub(super) node: String,
}

impl BenchAccounts {
    pub(super) fn open(path: &Path, key: &str) -> Outcome<Self> {
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
            .log_in(number, server, |options| options.reconnect = None)
            .await?;
        client.close().await;
        Ok(node)
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

    /// The id of a new account; none if there has been one of that number.
    async fn register(&self, number: usize, server: &Server) -> Outcome<Option<String>> {
        match register(server, &self.credentials(number), Encoding::Thrift).await {
            Ok(id) => Ok(Some(id)),
            // Made by a run that did not get as far as noting it.
            Err(AccountError::Refused(rejection)) if rejection.code() == Some(ErrorCode::HasExist) => {
                Ok(None)
            }
            Err(AccountError::Refused(rejection)) => Err(Failure::new(
                &command_line::ACCOUNT_REFUSED,
                format!("{}: {rejection}", self.name(number)),
            )),
            Err(error) => Err(Failure::new(&command_line::SERVER_UNREACHABLE, error.to_string())),
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
        adjust: impl Fn(&mut Options),
    ) -> Outcome<LoggedIn> {
        let mut options = Options::new(server.clone(), self.credentials(number));
        options.resource = "tim bench".into();
        adjust(&mut options);
        let connected = match Client::connect(options.clone()).await {
            Err(ConnectError::LoginRefused(_)) => {
                self.register(number, &server).await?;
                Client::connect(options).await
            }
            other => other,
        };
        let (client, events) = connected.map_err(|error| match error {
            ConnectError::LoginRefused(rejection) => Failure::new(
                &command_line::ACCOUNT_REFUSED,
                format!("{}: {rejection}", self.name(number)),
            ),
            other => Failure::new(&command_line::SERVER_UNREACHABLE, other.to_string()),
        })?;
        let node = client.node().to_owned();
        Ok(LoggedIn { client, events, node })
    }

    /// Logs accounts in, a few at a time, in the order of their numbers.
    ///
    /// # Errors
    /// As [`Self::log_in`].
    pub(super) async fn log_in_all(
        &self,
        count: usize,
        server: &(impl Fn(usize) -> Server + Sync),
        adjust: impl Fn(&mut Options) + Copy,
        done: impl Fn(),
    ) -> Outcome<Vec<LoggedIn>> {
        let mut logging_in = stream::iter(0..count)
            .map(|number| self.log_in(number, server(number), adjust))
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
