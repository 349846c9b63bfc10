//! Accounts that this program has made: their passwords in a file that only its owner can read.
//!
//! A password is random, made once per account and never shown; for a chat on a laptop nobody has to think of one.

use crate::failure::{Failure, Outcome};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use tim_catalogue::command_line;
use tim_client::wire::{Encoding, ErrorCode, IdScheme};
use tim_client::{AccountError, Credentials, Server, register};
use tim_local::file::{FileError, Readers, create_folder, read_optional, write_atomically};

/// Characters of a password: 62 to the power of this is far beyond guessing.
const PASSWORD_CHARACTERS: usize = 24;
/// All accounts of this program are in the empty domain.
const DOMAIN: &str = "";

/// One account.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    password: String,
    /// Its id at the server.
    pub node: String,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Account")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

/// The accounts of one file.
#[derive(Debug)]
pub struct Accounts {
    path: PathBuf,
    /// Distinguishes servers in a file that serves several; empty for the file of a local cluster.
    server: String,
    accounts: BTreeMap<String, Account>,
    /// Two programs that register at the same time do so one after the other.
    _lock: File,
}

impl Accounts {
    /// The accounts of the file for that server; the file need not exist.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn open(path: &Path, server: &str) -> Outcome<Self> {
        let failed = |error: FileError| Failure::unexpected(&error);
        if let Some(folder) = path.parent() {
            create_folder(folder).map_err(failed)?;
        }
        let lock_path = path.with_extension("lock");
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock_path);
        let lock = lock.and_then(|file| file.lock().map(|()| file));
        let lock = lock.map_err(FileError::at(&lock_path)).map_err(failed)?;
        let content = read_optional(path).map_err(failed)?;
        let accounts =
            content.map_or_else(|| Ok(BTreeMap::new()), |content| serde_json::from_slice(&content));
        let accounts = accounts.map_err(|error| Failure::unexpected(&error))?;
        Ok(Self {
            path: path.to_owned(),
            server: server.to_owned(),
            accounts,
            _lock: lock,
        })
    }

    /// The account of that name, made now if this program has not made it before.
    ///
    /// # Errors
    /// The server does not answer, or has an account of that name with another password.
    pub async fn ensure(&mut self, server: &Server, name: &str) -> Outcome<Account> {
        let key = self.key(name);
        if let Some(known) = self.accounts.get(&key) {
            return Ok(known.clone());
        }
        let password = new_password();
        let node = self.register(server, name, &password).await?;
        let account = Account { password, node };
        self.accounts.insert(key, account.clone());
        self.save()?;
        Ok(account)
    }

    /// Makes an account of the file again, with the same password: the server has forgotten it (its data are new).
    ///
    /// # Errors
    /// As [`Self::ensure`].
    pub async fn renew(&mut self, server: &Server, name: &str) -> Outcome<Account> {
        let key = self.key(name);
        let Some(known) = self.accounts.get(&key).cloned() else {
            return self.ensure(server, name).await;
        };
        let node = self.register(server, name, &known.password).await?;
        let account = Account { node, ..known };
        self.accounts.insert(key, account.clone());
        self.save()?;
        Ok(account)
    }

    /// The id of somebody at that server: of an account of the file, else by the way servers make ids unless they were
    /// configured otherwise.
    pub fn node_of(&self, name: &str) -> String {
        let known = self
            .accounts
            .get(&self.key(name))
            .map(|account| account.node.clone());
        known.unwrap_or_else(|| IdScheme::default().account_id(name, DOMAIN))
    }

    /// The name of an account of the file.
    pub fn name_of(&self, node: &str) -> Option<String> {
        let (key, _) = self.accounts.iter().find(|(_, account)| account.node == node)?;
        let name = key.split('@').next().unwrap_or(key);
        Some(name.to_owned())
    }

    fn key(&self, name: &str) -> String {
        if self.server.is_empty() {
            name.to_owned()
        } else {
            format!("{name}@{}", self.server)
        }
    }

    async fn register(&self, server: &Server, name: &str, password: &str) -> Outcome<String> {
        let credentials = Credentials::password(name, password, DOMAIN);
        match register(server, &credentials, Encoding::Thrift).await {
            Ok(node) => Ok(node),
            Err(AccountError::Refused(rejection)) if rejection.code() == Some(ErrorCode::HasExist) => {
                let observed = format!(
                    "\"{name}\" is taken there, and {} has no password for it",
                    self.path.display()
                );
                Err(Failure::new(&command_line::ACCOUNT_REFUSED, observed))
            }
            Err(AccountError::Refused(rejection)) => Err(Failure::new(
                &command_line::ACCOUNT_REFUSED,
                format!("\"{name}\": {rejection}"),
            )),
            Err(error) => Err(Failure::new(&command_line::SERVER_UNREACHABLE, error.to_string())),
        }
    }

    fn save(&self) -> Outcome<()> {
        let text = serde_json::to_vec_pretty(&self.accounts).map_err(|error| Failure::unexpected(&error))?;
        write_atomically(&self.path, &text, Readers::Owner).map_err(|error| Failure::unexpected(&error))
    }
}

impl Account {
    /// How it logs in.
    pub fn credentials(&self, name: &str) -> Credentials {
        Credentials::password(name, &self.password, DOMAIN)
    }
}

fn new_password() -> String {
    use rand::Rng;
    rand::rng()
        .sample_iter(rand::distr::Alphanumeric)
        .take(PASSWORD_CHARACTERS)
        .map(char::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn accounts(folder: &Path, server: &str) -> Accounts {
        Accounts::open(&folder.join("chat-accounts.json"), server).unwrap()
    }

    #[test]
    fn passwords_are_kept_for_their_owner_only_and_never_displayed() {
        let folder = tempfile::tempdir().unwrap();
        let mut open = accounts(folder.path(), "");
        let account = Account {
            password: new_password(),
            node: "id".into(),
        };
        assert_eq!(account.password.len(), PASSWORD_CHARACTERS);
        assert!(!format!("{account:?}").contains(&account.password));
        open.accounts.insert("alice".into(), account.clone());
        open.save().unwrap();
        drop(open);
        let mode = std::fs::metadata(folder.path().join("chat-accounts.json"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = accounts(folder.path(), "");
        assert_eq!(again.node_of("alice"), "id");
        assert_eq!(again.name_of("id").as_deref(), Some("alice"));
    }

    #[test]
    fn accounts_of_two_servers_do_not_mix() {
        let folder = tempfile::tempdir().unwrap();
        let mut open = accounts(folder.path(), "a:1");
        open.accounts.insert(
            open.key("alice"),
            Account {
                password: "p".into(),
                node: "id".into(),
            },
        );
        open.save().unwrap();
        drop(open);
        assert_ne!(accounts(folder.path(), "b:1").node_of("alice"), "id");
        assert_eq!(accounts(folder.path(), "a:1").node_of("alice"), "id");
    }
}
