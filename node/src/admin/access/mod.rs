//! Who may call the administrators' interfaces: tokens and console users of the configuration and of a file of their own.

mod caller;
mod file;
mod observed;

pub(super) use caller::{Admin, Caller, Operate, Read, address, started};
pub(super) use observed::{Interface, Observed};

use super::problem::Problem;
use crate::edge::AddressRate;
use crate::node::Node;
use arc_swap::ArcSwap;
use axum::http::StatusCode;
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::sync::Arc;
use tim_catalogue::{Report, administration as causes};
use tim_config::{Administrators, Role};
use tokio::sync::Semaphore;

/// Bytes of a token that are left to chance.
const TOKEN_BYTES: usize = 32;
/// What tokens begin with, so that scanners for secrets know one.
const TOKEN_PREFIX: &str = "tim-admin-";

/// A token that is known by its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    name: String,
    role: Role,
    sha256: [u8; 32],
}

/// Everybody who may call.
#[derive(Debug, Default, PartialEq, Eq)]
struct Known {
    tokens: Vec<Token>,
    users: Vec<tim_config::ConsoleUser>,
    /// Why the file cannot be used.
    trouble: Option<Report>,
}

/// The door to the administrators' interfaces.
#[derive(Debug)]
pub(crate) struct Access {
    config: tim_config::Admin,
    known: ArcSwap<Known>,
    failures: AddressRate,
    /// Places for requests that are served at once.
    pub(super) places: Semaphore,
    /// Places for WebSockets.
    pub(super) sockets: Arc<Semaphore>,
}

/// A new token and the lines for the file.
#[derive(Debug)]
pub(crate) struct NewToken {
    /// Told once, and stored nowhere.
    pub(crate) token: String,
    /// What belongs into the file.
    pub(crate) lines: String,
}

/// Makes a token.
pub(crate) fn new_token(name: &str, role: Role) -> NewToken {
    use base64::Engine as _;
    let random: [u8; TOKEN_BYTES] = crate::random::bytes();
    let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random);
    let token = format!("{TOKEN_PREFIX}{text}");
    let hash: String = Sha256::digest(token.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let role = role.as_str();
    NewToken {
        lines: format!("[[tokens]]\nname = \"{name}\"\nrole = \"{role}\"\nsha256 = \"{hash}\"\n"),
        token,
    }
}

/// The bytes of a hash that was checked to be one.
fn digest(hexadecimal: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    let pairs = hexadecimal.as_bytes().chunks_exact(2);
    for (byte, pair) in digest.iter_mut().zip(pairs) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}

impl Known {
    fn of(lists: [&Administrators; 2], trouble: Option<Report>) -> Self {
        let tokens = lists.iter().flat_map(|list| &list.tokens).filter_map(|token| {
            Some(Token {
                name: token.name.clone(),
                role: token.role,
                sha256: digest(&token.sha256)?,
            })
        });
        Self {
            tokens: tokens.collect(),
            users: lists.iter().flat_map(|list| list.users.clone()).collect(),
            trouble,
        }
    }

    /// Whose token it is. All are looked at, and each for the same time.
    fn by_token(&self, presented: &str) -> Option<(String, Role)> {
        let presented = Sha256::digest(presented.as_bytes());
        let mut found = None;
        for token in &self.tokens {
            let same = aws_lc_rs::constant_time::verify_slices_are_equal(&presented, &token.sha256);
            if same.is_ok() {
                found = Some(token);
            }
        }
        found.map(|token| (token.name.clone(), token.role))
    }

    fn unconfigured(&self) -> Problem {
        let why = match &self.trouble {
            None => "no token is configured".to_owned(),
            Some(report) => format!("no token can be used: {}", report.observed()),
        };
        Problem::new(StatusCode::FORBIDDEN, &causes::NOT_CONFIGURED, why)
    }
}

fn wrong(observed: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, &causes::NOT_AUTHENTICATED, observed)
}

impl Access {
    /// Reads the file for the first time.
    pub(crate) fn new(config: &tim_config::Admin) -> Self {
        let per_minute = config.failed_authentications_per_address_per_minute;
        let key = "admin.failed_authentications_per_address_per_minute";
        Self {
            known: ArcSwap::from_pointee(file::known(config)),
            failures: AddressRate::per_minute(key, per_minute),
            places: Semaphore::new(config.requests_max as usize),
            sockets: Arc::new(Semaphore::new(config.websockets_max as usize)),
            config: config.clone(),
        }
    }

    pub(super) fn config(&self) -> &tim_config::Admin {
        &self.config
    }

    /// Who presents a token.
    fn by_token(
        &self,
        node: &Node,
        presented: Option<&str>,
        from: IpAddr,
    ) -> Result<(String, Role), Problem> {
        let known = self.known.load();
        if known.tokens.is_empty() {
            return Err(known.unconfigured());
        }
        let Some(presented) = presented else {
            return Err(wrong("the header Authorization: Bearer TOKEN is missing"));
        };
        // The right token gets in however many wrong ones come from its address: many callers may share one, and nobody
        // guesses so many random bits.
        if let Some(caller) = known.by_token(presented) {
            return Ok(caller);
        }
        self.failures.take(from, &node.metrics)?;
        Err(wrong("the token is not one of those that are configured"))
    }

    /// Whether a console user has given its password; as much is computed for one that does not exist.
    pub(super) async fn by_password(
        &self,
        node: &Node,
        (name, password): (&str, &str),
        from: IpAddr,
    ) -> Result<(), Problem> {
        self.failures.look(from, &node.metrics)?;
        let known = self.known.load_full();
        let user = known.users.iter().find(|user| user.name == name);
        let stored = user.map(|user| user.password_hash.clone());
        if node.accounts.fits(password.to_owned(), stored).await? {
            return Ok(());
        }
        let _ = self.failures.take(from, &node.metrics);
        Err(wrong("username or password are wrong"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(names: &[(&str, Role)]) -> (Known, Vec<String>) {
        let mut lines = String::new();
        let mut tokens = Vec::new();
        for (name, role) in names {
            let made = new_token(name, *role);
            lines.push_str(&made.lines);
            tokens.push(made.token);
        }
        let read = Administrators::parse(&lines, "tokens.toml").unwrap();
        (Known::of([&read, &Administrators::default()], None), tokens)
    }

    #[test]
    fn the_lines_of_a_new_token_let_that_token_in_and_no_other() {
        let (known, tokens) = known(&[("ci", Role::Read), ("root", Role::Admin)]);
        assert_eq!(known.by_token(&tokens[0]), Some(("ci".to_owned(), Role::Read)));
        assert_eq!(known.by_token(&tokens[1]), Some(("root".to_owned(), Role::Admin)));
        for other in ["", "tim-admin-", &tokens[0][1..], &format!("{} ", tokens[1])] {
            assert_eq!(known.by_token(other), None, "{other}");
        }
        assert_ne!(tokens[0], tokens[1]);
        assert!(tokens[0].len() > 50 && !format!("{known:?}").contains(&tokens[0]));
    }
}
