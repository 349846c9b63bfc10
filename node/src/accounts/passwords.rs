//! Password hashing on threads of its own: a login storm must not take the I/O threads, and memory is what argon2id
//! costs by design (19 MiB a hash), so it is bounded by the number of workers.

use argon2::password_hash::{PasswordHash, SaltString};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine as _;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tim_config::Passwords;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

/// How long a worker keeps its memory after the last hash: an idle node shall be small.
const MEMORY_KEPT: Duration = Duration::from_secs(2);
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

/// A hash was not computed. Nothing changed; the same may work a moment later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HashError {
    /// As many wait as may.
    #[error("too many logins wait for a password worker")]
    Busy,
    /// The stored form is not one of ours, or argon2 refused its parameters.
    #[error("the stored credential is not understood")]
    Malformed,
}

enum Work {
    Hash,
    /// The stored form, or nothing for an account that does not exist: then as much is computed, and it never fits.
    Verify(Option<Stored>),
}

/// What a bcrypt hash begins with, whichever its version.
const BCRYPT: &str = "$2";
/// More than so many bytes bcrypt does not look at, and nobody can have been registered with.
const BCRYPT_BYTES_MAX: usize = 72;

/// The stored form of a password.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    text: String,
    /// What was hashed in front of the password, by other engines.
    before: Vec<u8>,
}

impl From<String> for Stored {
    fn from(text: String) -> Self {
        Self {
            text,
            before: Vec::new(),
        }
    }
}

impl Stored {
    /// A form that may be another engine's, which hashed something in front of the password.
    pub(crate) fn of(text: String, before: impl FnOnce() -> Vec<u8>) -> Self {
        match is_foreign(&text) {
            true => Self {
                before: before(),
                text,
            },
            false => text.into(),
        }
    }
}

/// Whether a stored form is not ours, and is to be replaced by ours when its password is next seen.
pub(crate) fn is_foreign(stored: &str) -> bool {
    stored.starts_with(BCRYPT)
}

struct Job {
    password: Zeroizing<String>,
    work: Work,
    reply: oneshot::Sender<Result<Outcome, HashError>>,
}

enum Outcome {
    Hashed(String),
    Verified(bool),
}

/// The workers. Ends when dropped.
#[derive(Debug, Clone)]
pub(crate) struct PasswordWorkers {
    queue: SyncSender<Job>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Job")
    }
}

impl PasswordWorkers {
    /// Starts the threads.
    pub(crate) fn start(config: &Passwords) -> anyhow::Result<Self> {
        let (queue, jobs) = sync_channel(config.queue_max as usize);
        let jobs = Arc::new(Mutex::new(jobs));
        let params = Params::new(config.memory_kib, config.iterations, 1, Some(HASH_BYTES))
            .map_err(|error| anyhow::anyhow!("accounts.passwords: {error}"))?;
        for index in 0..config.workers {
            let (jobs, params) = (Arc::clone(&jobs), params.clone());
            std::thread::Builder::new()
                .name(format!("tim-password-{index}"))
                .spawn(move || worker(&jobs, &params))?;
        }
        Ok(Self { queue })
    }

    /// Hashes a new password into its stored form.
    pub(crate) async fn hash(&self, password: String) -> Result<String, HashError> {
        match self.run(password, Work::Hash).await? {
            Outcome::Hashed(stored) => Ok(stored),
            Outcome::Verified(_) => Err(HashError::Malformed),
        }
    }

    /// Whether a password fits a stored form. Without one it takes as long and says no.
    pub(crate) async fn verify(&self, password: String, stored: Option<Stored>) -> Result<bool, HashError> {
        match self.run(password, Work::Verify(stored)).await? {
            Outcome::Verified(fits) => Ok(fits),
            Outcome::Hashed(_) => Err(HashError::Malformed),
        }
    }

    async fn run(&self, password: String, work: Work) -> Result<Outcome, HashError> {
        let (reply, outcome) = oneshot::channel();
        let job = Job {
            password: Zeroizing::new(password),
            work,
            reply,
        };
        self.queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) | TrySendError::Disconnected(_) => HashError::Busy,
        })?;
        outcome.await.map_err(|_| HashError::Busy)?
    }
}

/// Hashes one password without workers, for a command.
///
/// # Errors
/// An empty password, or one that is too long.
pub(crate) fn hash_once(password: &str) -> anyhow::Result<String> {
    let length = password.len();
    anyhow::ensure!(
        (1..=super::CREDENTIAL_BYTES_MAX).contains(&length),
        "the first line of the input has {length} bytes; a password has 1 to {}",
        super::CREDENTIAL_BYTES_MAX
    );
    let config = Passwords::default();
    let params = Params::new(config.memory_kib, config.iterations, 1, Some(HASH_BYTES));
    let params = params.map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok(hash(password, &params, &mut Vec::new())?)
}

fn worker(jobs: &Mutex<Receiver<Job>>, params: &Params) {
    let mut memory: Vec<Block> = Vec::new();
    loop {
        let next = jobs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv_timeout(MEMORY_KEPT);
        match next {
            Ok(job) => {
                let outcome = match &job.work {
                    Work::Hash => hash(&job.password, params, &mut memory).map(Outcome::Hashed),
                    Work::Verify(stored) => {
                        verify(&job.password, stored.as_ref(), params, &mut memory).map(Outcome::Verified)
                    }
                };
                // The connection that asked may be gone.
                let _ = job.reply.send(outcome);
            }
            Err(RecvTimeoutError::Timeout) => memory = Vec::new(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn compute(
    password: &str,
    salt: &[u8],
    params: &Params,
    memory: &mut Vec<Block>,
) -> Result<[u8; HASH_BYTES], HashError> {
    if memory.len() < params.block_count() {
        memory.resize(params.block_count(), Block::default());
    }
    let mut output = [0; HASH_BYTES];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
        .hash_password_into_with_memory(
            password.as_bytes(),
            salt,
            &mut output,
            &mut memory[..params.block_count()],
        )
        .map_err(|_| HashError::Malformed)?;
    Ok(output)
}

fn hash(password: &str, params: &Params, memory: &mut Vec<Block>) -> Result<String, HashError> {
    let salt: [u8; SALT_BYTES] = crate::random::bytes();
    let output = compute(password, &salt, params, memory)?;
    let text = |bytes: &[u8]| base64::engine::general_purpose::STANDARD_NO_PAD.encode(bytes);
    // The PHC string format, which argon2's own tools read.
    Ok(format!(
        "$argon2id$v=19$m={},t={},p={}${}${}",
        params.m_cost(),
        params.t_cost(),
        params.p_cost(),
        text(&salt),
        text(&output)
    ))
}

fn verify(
    password: &str,
    stored: Option<&Stored>,
    params: &Params,
    memory: &mut Vec<Block>,
) -> Result<bool, HashError> {
    if let Some(foreign) = stored.filter(|stored| is_foreign(&stored.text)) {
        return verify_bcrypt(password, foreign);
    }
    // Accounts of another user system have none.
    let Some(stored) = stored
        .map(|stored| stored.text.as_str())
        .filter(|text| !text.is_empty())
    else {
        compute(password, &[0; SALT_BYTES], params, memory)?;
        return Ok(false);
    };
    let parsed = PasswordHash::new(stored).map_err(|_| HashError::Malformed)?;
    // The stored parameters count, not today's: they may have been raised since.
    let params = Params::try_from(&parsed).map_err(|_| HashError::Malformed)?;
    let salt = parsed.salt.ok_or(HashError::Malformed)?;
    let mut salt_bytes = [0; 64];
    let salt = SaltString::from_b64(salt.as_str()).map_err(|_| HashError::Malformed)?;
    let salt = salt
        .as_salt()
        .decode_b64(&mut salt_bytes)
        .map_err(|_| HashError::Malformed)?
        .to_vec();
    let expected = parsed.hash.ok_or(HashError::Malformed)?;
    let output = compute(password, &salt, &params, memory)?;
    Ok(aws_lc_rs::constant_time::verify_slices_are_equal(&output, expected.as_bytes()).is_ok())
}

/// As the reference engine does it: bcrypt over what it puts in front, and the password.
fn verify_bcrypt(password: &str, stored: &Stored) -> Result<bool, HashError> {
    let hashed = Zeroizing::new([stored.before.as_slice(), password.as_bytes()].concat());
    if hashed.len() > BCRYPT_BYTES_MAX {
        return Ok(false);
    }
    bcrypt::verify(hashed.as_slice(), &stored.text).map_err(|_| HashError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Passwords {
        Passwords {
            memory_kib: 64,
            iterations: 1,
            workers: 1,
            queue_max: 4,
            ..Passwords::default()
        }
    }

    #[tokio::test]
    async fn only_the_right_password_fits() {
        let workers = PasswordWorkers::start(&small()).unwrap();
        let stored = workers.hash("correct".to_owned()).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{stored}");
        assert!(
            workers
                .verify("correct".to_owned(), Some(stored.clone().into()))
                .await
                .unwrap()
        );
        assert!(
            !workers
                .verify("wrong".to_owned(), Some(stored.into()))
                .await
                .unwrap()
        );
        assert!(!workers.verify("correct".to_owned(), None).await.unwrap());
        assert_eq!(
            workers
                .verify("x".to_owned(), Some("nonsense".to_owned().into()))
                .await,
            Err(HashError::Malformed)
        );
    }

    #[tokio::test]
    async fn stored_parameters_outlive_a_change_of_configuration() {
        let before = PasswordWorkers::start(&small()).unwrap();
        let stored = before.hash("correct".to_owned()).await.unwrap();
        let raised = Passwords {
            memory_kib: 128,
            iterations: 2,
            ..small()
        };
        let after = PasswordWorkers::start(&raised).unwrap();
        assert!(
            after
                .verify("correct".to_owned(), Some(stored.into()))
                .await
                .unwrap()
        );
    }

    #[tokio::test]
    async fn a_full_queue_refuses_instead_of_growing() {
        let config = Passwords {
            memory_kib: 65_536,
            queue_max: 1,
            ..small()
        };
        let workers = PasswordWorkers::start(&config).unwrap();
        let logins = (0..16).map(|_| {
            let workers = workers.clone();
            tokio::spawn(async move { workers.hash("p".to_owned()).await })
        });
        let outcomes = futures::future::join_all(logins.collect::<Vec<_>>()).await;
        let busy = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Ok(Err(HashError::Busy))))
            .count();
        assert!(busy > 0 && busy < 16, "{busy} of 16 were refused");
    }

    #[tokio::test]
    async fn a_password_of_the_reference_engine_fits() {
        let workers = PasswordWorkers::start(&small()).unwrap();
        let before = b"\xa3\x2a\x37\x94\x00\x81\xaf\x40salt of the cluster".to_vec();
        let stored = bcrypt::hash([&before[..], b"secret"].concat(), 4).unwrap();
        let fits = |password: &str, before: &[u8]| {
            let stored = Stored::of(stored.clone(), || before.to_vec());
            let (workers, password) = (workers.clone(), password.to_owned());
            async move { workers.verify(password, Some(stored)).await }
        };
        assert_eq!(fits("secret", &before).await, Ok(true));
        assert_eq!(fits("other", &before).await, Ok(false));
        assert_eq!(fits("secret", b"of another account").await, Ok(false));
        assert_eq!(
            fits(&"x".repeat(80), &before).await,
            Ok(false),
            "bcrypt would look at its beginning alone"
        );
        assert_eq!(
            workers
                .verify("x".to_owned(), Some("$2y$nonsense".to_owned().into()))
                .await,
            Err(HashError::Malformed)
        );
    }
}
