//! Accounts that come with hashes of another engine: the reference engine's bcrypt hashes, which are replaced by ours when
//! their passwords are first seen.

use super::{Accounts, passwords};
use crate::commands::Refusal;
use crate::node::Node;
use argon2::password_hash::PasswordHash;
use tim_core::id::AccountId;
use tim_store::{Account, Created};

/// Form of a bcrypt hash: `$2b$10$` and 53 characters of salt and hash.
const BCRYPT_CHARACTERS: usize = 60;
/// Highest cost of a bcrypt hash that is taken: each step doubles what a login costs.
const BCRYPT_COST_MAX: u32 = 14;

/// What the reference engine hashes in front of a password: the eight bytes of the id, its salt, the domain.
pub(super) fn before_password(node: &Node, account: &AccountId, domain: &str) -> Vec<u8> {
    let number = node.ids.number_of(account.as_str());
    let id = number.map(u64::to_be_bytes).unwrap_or_default();
    [&id[..], node.config.accounts.salt.as_bytes(), domain.as_bytes()].concat()
}

/// The stored form of a password that was just seen to fit: another engine's is replaced, if it is still there.
pub(super) async fn renewed(node: &Node, account: &AccountId, stored: String, password: &str) -> String {
    if !passwords::is_foreign(&stored) {
        return stored;
    }
    let Ok(fresh) = node.accounts.workers.hash(password.to_owned()).await else {
        // With the next login.
        return stored;
    };
    let change = |account: &mut Account| {
        let present = account.password_hash == stored;
        if present {
            account.password_hash.clone_from(&fresh);
        }
        present
    };
    match node.databases.change_account(account, &change).await {
        Ok(Some(changed)) if changed.password_hash == fresh => fresh,
        _ => stored,
    }
}

/// Whether a stored form is one that logins understand.
fn is_understood(hash: &str) -> bool {
    if !passwords::is_foreign(hash) {
        return PasswordHash::new(hash).is_ok_and(|parsed| parsed.algorithm.as_str() == "argon2id");
    }
    let cost = hash.get(4..6).and_then(|cost| cost.parse::<u32>().ok());
    hash.len() == BCRYPT_CHARACTERS && hash.is_ascii() && cost.is_some_and(|cost| cost <= BCRYPT_COST_MAX)
}

impl Accounts {
    /// Makes an account with a hash from elsewhere; one that is there stays as it is.
    pub(crate) async fn import(
        &self,
        node: &Node,
        account: AccountId,
        password_hash: String,
        profile: Vec<u8>,
    ) -> Result<Created, Refusal> {
        self.users.refuse_changes()?;
        if !node.ids.is_valid(account.as_str()) {
            return Err(super::parameters("account: not an account id of this cluster"));
        }
        if !is_understood(&password_hash) {
            return Err(super::parameters(&format!(
                "passwordHash: neither argon2id in PHC form nor bcrypt of a cost of at most {BCRYPT_COST_MAX}"
            )));
        }
        let made = Account {
            id: account,
            password_hash,
            created_ns: crate::clock::wall_ns(),
            profile,
        };
        let created = node.databases.create_account(&made).await;
        created.map_err(|report| Refusal::database(&report))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hashes_that_logins_understand_are_taken() {
        let bcrypt = bcrypt::hash("secret", 4).unwrap();
        assert!(is_understood(&bcrypt));
        assert!(is_understood(
            "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"
        ));
        for other in [
            "",
            "secret",
            "$2b$10$short",
            "$1$md5$abc",
            &bcrypt.replace("$04$", "$31$"),
        ] {
            assert!(!is_understood(other), "{other}");
        }
    }
}
