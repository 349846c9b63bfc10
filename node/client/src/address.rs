//! Where a server listens.

use std::fmt;
use std::str::FromStr;

use hyper::Uri;

/// The path of the WebSocket when an address names none.
const DEFAULT_PATH: &str = "/tim";
/// The port of a client listener when an address names none.
const DEFAULT_PORT: u16 = 5080;

/// The address of one client listener: `ws://host:port`, `wss://host:port`, or just `host:port`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    tls: bool,
    host: String,
    port: u16,
    path: String,
}

impl Address {
    /// Whether the connection is encrypted.
    #[must_use]
    pub const fn tls(&self) -> bool {
        self.tls
    }

    /// Name or IP address; an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Host and port as in a `Host` header.
    pub(crate) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The path of the WebSocket.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// What a page of this server would send as `Origin`; the reference server wants one.
    pub(crate) fn origin(&self) -> String {
        format!(
            "{}://{}",
            if self.tls { "https" } else { "http" },
            self.authority()
        )
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            tls,
            host,
            port,
            path,
        } = self;
        write!(
            formatter,
            "{}://{host}:{port}{path}",
            if *tls { "wss" } else { "ws" }
        )
    }
}

/// A text that is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not an address of a server; known forms: ws://host:port, wss://host:port, host:port")]
pub struct AddressError {
    text: String,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let refused = || AddressError {
            text: text.to_owned(),
        };
        let full = if text.contains("://") {
            text.to_owned()
        } else {
            format!("ws://{text}")
        };
        let uri: Uri = full.parse().map_err(|_| refused())?;
        let tls = match uri.scheme_str() {
            Some("ws" | "http") => false,
            Some("wss" | "https") => true,
            _ => return Err(refused()),
        };
        let host = uri
            .host()
            .filter(|host| !host.is_empty())
            .ok_or_else(refused)?
            .to_owned();
        // Nothing but a port may stand beside the host.
        let after_host = uri
            .authority()
            .and_then(|authority| authority.as_str().strip_prefix(&host));
        if !after_host.is_some_and(str::is_empty) && uri.port_u16().is_none() {
            return Err(refused());
        }
        let path = if matches!(uri.path(), "" | "/") {
            DEFAULT_PATH
        } else {
            uri.path()
        };
        Ok(Self {
            tls,
            host,
            port: uri.port_u16().unwrap_or(DEFAULT_PORT),
            path: path.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_are_read() {
        for (text, shown) in [
            ("ws://127.0.0.1:5081", "ws://127.0.0.1:5081/tim"),
            ("ws://chat.example/", "ws://chat.example:5080/tim"),
            ("wss://chat.example:443/other", "wss://chat.example:443/other"),
            ("localhost:7000", "ws://localhost:7000/tim"),
            ("https://chat.example", "wss://chat.example:5080/tim"),
            ("ws://[::1]:9/tim", "ws://[::1]:9/tim"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), shown);
        }
        assert_eq!("ws://[::1]:9".parse::<Address>().unwrap().host(), "::1");
    }

    #[test]
    fn other_text_is_refused_by_name() {
        for text in [
            "",
            "ftp://a",
            "ws://",
            "a b",
            "ws://a:99999",
            "ws://me@a",
            "ws://a:",
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains("known forms"), "{error}");
        }
    }
}
