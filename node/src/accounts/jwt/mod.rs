//! Logins with JSON Web Tokens of another user system: who made the token says who logs in.

mod keys;
mod verify;

use crate::board::{Board, Effect, Place};
use crate::outgoing::Outgoing;
use jsonwebtoken::jwk::JwkSet;
use keys::{Known, Need, Store};
use parking_lot::Mutex;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tim_catalogue::{Report, node as causes};
use tim_config::JsonWebTokens;
pub(crate) use verify::Identity;

/// How long the issuer may take to tell its keys.
const KEYS_TIMEOUT: Duration = Duration::from_secs(5);
/// Largest set of keys, or secret, in bytes.
const KEYS_BYTES_MAX: usize = 256 << 10;

/// Why a token lets nobody in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// It is not a token of the issuer, not for us, or not now.
    Wrong,
    /// The issuer's keys cannot be read.
    NoKeys,
}

/// Knows the tokens of one issuer.
#[derive(Debug)]
pub(crate) struct Tokens {
    config: JsonWebTokens,
    store: Mutex<Store>,
    /// Only one reads the keys at a time; others wait for what it finds.
    reading: tokio::sync::Mutex<()>,
    outgoing: Outgoing,
    board: Arc<Board>,
}

impl Tokens {
    /// Nothing, where no issuer is configured.
    pub(crate) fn new(config: &JsonWebTokens, board: Arc<Board>) -> Option<Self> {
        (!config.issuer.is_empty()).then(|| Self {
            store: Mutex::new(Store::new(config)),
            reading: tokio::sync::Mutex::default(),
            outgoing: Outgoing::new(KEYS_TIMEOUT),
            config: config.clone(),
            board,
        })
    }

    /// Whether an account that is not there is made.
    pub(crate) fn creates_accounts(&self) -> bool {
        self.config.create_accounts
    }

    /// Whose token it is.
    pub(crate) async fn identity(&self, token: &str) -> Result<Identity, Denied> {
        let header = verify::header(&self.config, token).ok_or(Denied::Wrong)?;
        let keys = self.keys(header.key_id.as_deref()).await?;
        let now = crate::clock::wall_ms() / 1_000;
        verify::identity(&self.config, &keys, &header, token, now).ok_or(Denied::Wrong)
    }

    /// The keys as they are known, read again when that is due or a key is wanted that they do not have.
    async fn keys(&self, key_id: Option<&str>) -> Result<Arc<Known>, Denied> {
        let need = self.store.lock().need(key_id, crate::clock::now());
        match need {
            Need::Nothing(keys) => return Ok(keys),
            Need::InVain => return Err(Denied::NoKeys),
            // What is there serves all but the one who reads.
            Need::Soon(keys) if self.reading.try_lock().is_err() => return Ok(keys),
            Need::Soon(_) | Need::Now => {}
        }
        let _only = self.reading.lock().await;
        // Whoever was before may have read them.
        let need = self.store.lock().need(key_id, crate::clock::now());
        match need {
            Need::Nothing(keys) => return Ok(keys),
            Need::InVain => return Err(Denied::NoKeys),
            Need::Soon(_) | Need::Now => {}
        }
        let read = self.read().await;
        let now = crate::clock::now();
        match read {
            Ok(keys) => {
                self.board.clear(&Place::Issuer);
                self.store.lock().read(keys, now);
            }
            Err(reason) => {
                let report = Report::new(&causes::ISSUER_KEYS_UNREADABLE, reason);
                self.board.raise(Place::Issuer, Effect::Told, report);
                self.store.lock().failed(now);
            }
        }
        self.store.lock().usable(now).ok_or(Denied::NoKeys)
    }

    async fn read(&self) -> Result<Known, String> {
        let config = &self.config;
        if !config.secret_file.as_os_str().is_empty() {
            let secret = file(&config.secret_file, "secret_file").await?;
            return match secret.trim_ascii_end() {
                [] => Err(format!(
                    "{} (accounts.jwt.secret_file): is empty",
                    config.secret_file.display()
                )),
                secret => Ok(Known::secret(secret)),
            };
        }
        let (place, text) = if config.jwks_url.is_empty() {
            let place = config.jwks_file.display().to_string();
            (place, file(&config.jwks_file, "jwks_file").await?.into())
        } else {
            let got = self.outgoing.get(&config.jwks_url, KEYS_BYTES_MAX).await;
            let place = tim_config::shown_address(&config.jwks_url);
            let got = got.map_err(|reason| format!("{place} (accounts.jwt.jwks_url): {reason}"))?;
            (place, got)
        };
        let set: JwkSet =
            serde_json::from_slice(&text).map_err(|error| format!("{place}: not a set of keys: {error}"))?;
        Known::published(&set)
            .ok_or_else(|| format!("{place}: no key that could verify a signature, or too many"))
    }
}

async fn file(path: &Path, key: &str) -> Result<Vec<u8>, String> {
    let told = |reason: String| format!("{} (accounts.jwt.{key}): {reason}", path.display());
    let length = tokio::fs::metadata(path)
        .await
        .map_err(|error| told(error.to_string()))?
        .len();
    if length > KEYS_BYTES_MAX as u64 {
        return Err(told(format!("{length} bytes; at most {KEYS_BYTES_MAX}")));
    }
    tokio::fs::read(path)
        .await
        .map_err(|error| told(error.to_string()))
}
