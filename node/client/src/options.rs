//! What a client is told once, when it is made.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tim_wire::{Encoding, TimAuth, Token};

use crate::trust::{self, TrustError};
use crate::{Address, AddressError};

/// A server: any of several addresses of one cluster.
#[derive(Debug, Clone)]
pub struct Server {
    /// Tried in turn.
    pub addresses: Vec<Address>,
    /// Whom to trust at `wss` addresses. Without it such addresses cannot be used.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// How long one address may take to accept a connection, with its handshakes.
    pub connect_timeout: Duration,
    /// How long the answer to a registration or to a request for a token may take, once connected.
    pub answer_timeout: Duration,
    /// A W3C trace context for the connection, sent with the upgrade.
    pub traceparent: Option<String>,
}

impl Server {
    /// How long one address may take, unless told otherwise.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
    /// How long an answer may take, unless told otherwise. Servers hash passwords, which is slow on purpose, and only a
    /// few at a time: when many register at once the last one waits for all the others.
    pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

    /// The same server, trusted at its `wss` addresses when one of these authorities vouches for it: certificates in PEM.
    ///
    /// # Errors
    /// There is none among them, or one cannot be read.
    pub fn trusting(self, authorities: &[u8]) -> Result<Self, TrustError> {
        let tls = Some(trust::trusting(authorities)?);
        Ok(Self { tls, ..self })
    }

    /// A server at these addresses.
    #[must_use]
    pub fn at(addresses: impl IntoIterator<Item = Address>) -> Self {
        Self {
            addresses: addresses.into_iter().collect(),
            tls: None,
            connect_timeout: Self::CONNECT_TIMEOUT,
            answer_timeout: Self::ANSWER_TIMEOUT,
            traceparent: None,
        }
    }
}

/// A server at addresses with commas between them.
impl FromStr for Server {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let addresses: Result<Vec<Address>, _> = text.split(',').map(str::parse).collect();
        Ok(Self::at(addresses?))
    }
}

/// How to log in.
#[derive(Clone)]
pub enum Credentials {
    /// With name and password; can log in again after a break.
    Password {
        /// Login name.
        name: String,
        /// Password.
        password: String,
        /// Namespace of the name; may be empty.
        domain: String,
    },
    /// With a one-time token: a break ends the client, as the token is used up.
    Token {
        /// The token.
        token: Token,
        /// The name it was issued for, which servers of generation 2.1 want to hear again.
        name: Option<String>,
        /// The domain it was issued for.
        domain: Option<String>,
    },
}

impl Credentials {
    /// Name and password in a domain.
    #[must_use]
    pub fn password(name: &str, password: &str, domain: &str) -> Self {
        Self::Password {
            name: name.to_owned(),
            password: password.to_owned(),
            domain: domain.to_owned(),
        }
    }

    /// What is sent.
    pub(crate) fn auth(&self) -> TimAuth {
        match self.clone() {
            Self::Password {
                name,
                password,
                domain,
            } => TimAuth {
                name: Some(name),
                pwd: Some(password),
                domain: Some(domain),
                ..TimAuth::default()
            },
            Self::Token { token, name, domain } => TimAuth {
                token: Some(token),
                name,
                domain,
                ..TimAuth::default()
            },
        }
    }
}

/// Never shows who, nor with which secret.
impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Password { .. } => "Credentials::Password(…)",
            Self::Token { .. } => "Credentials::Token(…)",
        })
    }
}

/// How to come back after a break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReconnectPolicy {
    /// Wait before the first attempt, doubled for each further one. A random part of it is waited, so that
    /// the clients of a dead node do not all come at once. A draining server is left without waiting.
    pub wait_min: Duration,
    /// Where the doubling ends.
    pub wait_max: Duration,
    /// Attempts per break; without a number, for ever. Zero attempts are said by leaving reconnecting out
    /// of [`Options`].
    pub attempts_max: Option<NonZeroU32>,
}

impl Default for ReconnectPolicy {
    fn default() -> Self {
        Self {
            wait_min: Duration::from_millis(200),
            wait_max: Duration::from_secs(5),
            attempts_max: None,
        }
    }
}

/// When a delivery is confirmed. Only what is confirmed is not sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Confirm {
    /// As soon as it is in the application's queue.
    #[default]
    OnReceipt,
    /// Some time after that, as a slow device would.
    After(Duration),
    /// When the application calls [`crate::Client::confirm`], or never.
    ByApplication,
}

/// What bounds the client's memory and patience.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Messages sent and without an outcome; a further one waits for its turn.
    pub in_flight_max: usize,
    /// Frames handed to the task that writes, and not yet taken.
    pub commands_max: usize,
    /// Events that the application has not taken. When they are full, the client stops reading.
    pub events_max: usize,
    /// Message ids remembered to leave out repetitions; 0 shows every repetition.
    pub remembered_max: usize,
    /// Largest frame accepted or sent, in bytes.
    pub frame_bytes_max: usize,
    /// Buffer per connection for reading, in bytes.
    pub read_buffer_bytes: usize,
    /// How long a login may take.
    pub login_timeout: Duration,
    /// How long a message may be without an outcome, reconnects included.
    pub send_timeout: Duration,
    /// How long the answer to a request may take.
    pub request_timeout: Duration,
    /// How long a goodbye may take.
    pub close_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            in_flight_max: 1024,
            commands_max: 256,
            events_max: 1024,
            remembered_max: 4096,
            frame_bytes_max: 32 << 20,
            read_buffer_bytes: 8 << 10,
            login_timeout: Duration::from_secs(10),
            send_timeout: Duration::from_secs(60),
            request_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(2),
        }
    }
}

/// What a client is made with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where.
    pub server: Server,
    /// Who.
    pub credentials: Credentials,
    /// Encoding of all frames.
    pub encoding: Encoding,
    /// Free text about the device.
    pub resource: String,
    /// Class of the device; accounts are limited in sessions per class.
    pub termtyp: i8,
    /// How to come back after a break; without it a break ends the client.
    pub reconnect: Option<ReconnectPolicy>,
    /// How often to say that one is there.
    pub ping_interval: Duration,
    /// After how many pings without any frame from the server the connection counts as dead.
    pub silent_pings_max: u32,
    /// Wait between the upgrade and the login. Servers of the reference drop some sessions that log in within a
    /// millisecond.
    pub login_wait: Duration,
    /// When deliveries are confirmed.
    pub confirm: Confirm,
    /// Bounds.
    pub limits: Limits,
}

impl Options {
    /// How often clients of the reference ping.
    pub const PING_INTERVAL: Duration = Duration::from_secs(15);
    /// After how many silent pings clients of the reference give a connection up.
    pub const SILENT_PINGS_MAX: u32 = 3;

    /// The usual client of that server.
    #[must_use]
    pub fn new(server: Server, credentials: Credentials) -> Self {
        Self {
            server,
            credentials,
            encoding: Encoding::Thrift,
            resource: concat!("tim-client ", env!("CARGO_PKG_VERSION")).to_owned(),
            termtyp: 1,
            reconnect: Some(ReconnectPolicy::default()),
            ping_interval: Self::PING_INTERVAL,
            silent_pings_max: Self::SILENT_PINGS_MAX,
            login_wait: Duration::ZERO,
            confirm: Confirm::default(),
            limits: Limits::default(),
        }
    }

    /// The login that is sent.
    pub(crate) fn auth(&self) -> TimAuth {
        TimAuth {
            resource: Some(self.resource.clone()),
            termtyp: Some(self.termtyp),
            ..self.credentials.auth()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_read_from_its_addresses() {
        let server: Server = "ws://a:1,wss://b:2".parse().unwrap();
        let shown: Vec<String> = server.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["ws://a:1/tim", "wss://b:2/tim"]);
        assert!("ws://a:1,".parse::<Server>().is_err());
    }
}
