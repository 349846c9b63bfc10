//! Whose the users are, where they are not the cluster's own: anybody, or those of a database of the operator's.
//!
//! Their accounts have rows here all the same, without a password, from their first login on: profiles, deletion and
//! everything else work as for others. Who may write to whom may be said by them; then a message is vouched for by its
//! session's node, as one within a room is, and their answer is remembered for a short named time. Who is in which room may
//! be said by them as well, see [`rooms`].

mod alignment;
mod directory;
mod lists;
mod rooms;

use super::Accounts;
use crate::board::Board;
use crate::commands::{Refusal, list_both};
use crate::node::Node;
use directory::Directory;
use moka::sync::Cache;
use rooms::KnownRooms;
use std::sync::Arc;
use std::time::Duration;
use tim_catalogue::Report;
use tim_config::NodeConfig;
use tim_core::conversation::{Relation, Side};
use tim_core::id::AccountId;
use tim_core::placement;
use tim_store::{Account, Created};
use tim_wire::{ErrorCode, TimAuth};

/// Pairs of accounts about whom an answer is remembered.
const PERMISSIONS_MAX: u64 = 100_000;
/// How long it is remembered that anybody may write to somebody, who may block them meanwhile.
const ANYONE_KEPT: Duration = Duration::from_secs(10);

/// Where users come from.
#[derive(Debug)]
pub(crate) enum Users {
    /// They are the cluster's own.
    Own,
    /// Whoever comes.
    Anyone(Permissions),
    /// Those of a database.
    Database(Box<Directory>, Permissions, KnownRooms),
}

/// Who may write to whom, as it was a moment ago; what was refused is remembered as well.
#[derive(Debug)]
pub(crate) struct Permissions(Cache<(AccountId, AccountId), Option<Refusal>>);

impl Permissions {
    fn kept(kept: Duration) -> Self {
        let cache = Cache::builder().max_capacity(PERMISSIONS_MAX).time_to_live(kept);
        Self(cache.build())
    }
}

/// What a login was found to be.
pub(super) enum Found {
    /// This account's.
    Account(AccountId),
    /// This account's, if the password fits the stored form.
    Stored(AccountId, String),
    /// Nobody's.
    Nobody,
}

impl Users {
    pub(super) fn new(config: &NodeConfig, board: &Arc<Board>) -> Self {
        match config.accounts.users {
            tim_config::Users::Own => Self::Own,
            tim_config::Users::Anyone => {
                tracing::warn!(
                    "accounts.users is \"anyone\": whoever reaches this node logs in under any name, without a password"
                );
                Self::Anyone(Permissions::kept(ANYONE_KEPT))
            }
            tim_config::Users::Database => {
                let database = &config.accounts.database;
                let kept = Duration::from_millis(database.remembered_millis.max(1));
                let directory = Directory::new(database, Arc::clone(board));
                let rooms = KnownRooms::kept(kept);
                Self::Database(Box::new(directory), Permissions::kept(kept), rooms)
            }
        }
    }

    /// Whether the users of another system can be asked as the configuration says.
    ///
    /// # Errors
    /// A statement that is of no use.
    pub(crate) async fn check(&self) -> Result<(), Report> {
        match self {
            Self::Own | Self::Anyone(_) => Ok(()),
            Self::Database(directory, ..) => directory.check().await,
        }
    }

    /// Whether accounts are known elsewhere than in our databases.
    pub(crate) fn are_elsewhere(&self) -> bool {
        !matches!(self, Self::Own)
    }

    /// Why nobody can register or change a password here; nothing where that is the cluster's own business.
    pub(crate) fn refuse_changes(&self) -> Result<(), Refusal> {
        match self {
            Self::Own => Ok(()),
            Self::Anyone(_) => Err(Refusal::plain(ErrorCode::Database, "no_accounts_here")),
            Self::Database(..) => Err(Refusal::plain(ErrorCode::Interface, "users_are_elsewhere")),
        }
    }

    /// Why nobody can make or end friendships here.
    pub(crate) fn refuse_friends(&self) -> Result<(), Refusal> {
        match self {
            Self::Database(directory, ..) if directory.has_relations() => {
                Err(Refusal::plain(ErrorCode::Interface, "users_are_elsewhere"))
            }
            _ => Ok(()),
        }
    }

    /// The friends of an account, where they are elsewhere.
    pub(crate) async fn roster(&self, account: &AccountId) -> Option<Result<Vec<AccountId>, Refusal>> {
        match self {
            Self::Database(directory, ..) => directory.roster(account).await,
            _ => None,
        }
    }

    /// Whether somebody else than the conversation's home says who may write to whom.
    pub(crate) fn judge_messages(&self) -> bool {
        match self {
            Self::Own => false,
            Self::Anyone(_) => true,
            Self::Database(directory, ..) => directory.judges_messages(),
        }
    }

    /// Whether an account may write to another, as it was a moment ago; nothing where that has to be asked.
    pub(crate) fn remembered(&self, from: &AccountId, to: &AccountId) -> Option<Result<(), Refusal>> {
        let permissions = match self {
            Self::Own => return None,
            Self::Anyone(permissions) | Self::Database(_, permissions, _) => permissions,
        };
        let known = permissions.0.get(&(from.clone(), to.clone()))?;
        Some(known.map_or(Ok(()), Err))
    }

    /// Whether an account may write to another. If so, both lists of conversations name their chat, durably.
    pub(crate) async fn may_message(
        &self,
        node: &Node,
        from: &AccountId,
        to: &AccountId,
    ) -> Result<(), Refusal> {
        if let Some(known) = self.remembered(from, to) {
            return known;
        }
        let (permissions, answer) = match self {
            Self::Own => return Ok(()),
            Self::Anyone(permissions) => (permissions, not_blocked(node, from, to).await),
            Self::Database(directory, permissions, _) => (permissions, directory.may_message(from, to).await),
        };
        let answer = match answer {
            Ok(()) => list_both(node, from, to).await,
            refused => refused,
        };
        // That nobody has answered is not an answer.
        let is_answer =
            |refusal: &Refusal| !matches!(refusal.code, ErrorCode::Database | ErrorCode::Overload);
        if answer.as_ref().err().is_none_or(is_answer) {
            let key = (from.clone(), to.clone());
            permissions.0.insert(key, answer.clone().err());
        }
        answer
    }

    /// Whether there is such an account, as far as they say.
    pub(super) async fn exists(&self, account: &AccountId) -> Result<bool, Refusal> {
        match self {
            Self::Own | Self::Anyone(_) => Ok(true),
            Self::Database(directory, ..) => directory.exists(account).await,
        }
    }

    /// Whose a login is; nothing where the cluster's own accounts say that.
    pub(super) async fn find(&self, node: &Node, auth: &TimAuth) -> Option<Result<Found, Refusal>> {
        let name = auth.name.as_deref().unwrap_or_default();
        match self {
            Self::Own => None,
            Self::Anyone(_) => {
                let id = AccountId::new(name).ok().filter(|_| node.ids.is_valid(name));
                Some(Ok(id.map_or(Found::Nobody, Found::Account)))
            }
            Self::Database(directory, ..) => {
                let password = auth.pwd.as_deref().unwrap_or_default();
                Some(directory.log_in(node, name, password).await)
            }
        }
    }
}

/// Anybody may write to whoever exists and has not blocked them.
async fn not_blocked(node: &Node, from: &AccountId, to: &AccountId) -> Result<(), Refusal> {
    if !node.accounts.exists(node, to).await? {
        return Err(Refusal::plain(ErrorCode::Account, "no_such_account"));
    }
    let conversation = placement::direct_conversation(from, to);
    let state = node.databases.conversation_state(&conversation).await;
    let relations = state.map_err(|report| Refusal::database(&report))?.relations;
    match relations.get(Side::of(to, from)) {
        Relation::Blocked => Err(Refusal::plain(ErrorCode::Blocked, "blocked")),
        Relation::None | Relation::Added => Ok(()),
    }
}

impl Accounts {
    /// The row of an account whose password is not known here; whether it may be used: one that was deleted may not.
    pub(super) async fn ensure(&self, node: &Node, account: &AccountId) -> Result<bool, Refusal> {
        if self.there(node, account).await? {
            return Ok(true);
        }
        let made = Account {
            id: account.clone(),
            // No password fits that.
            password_hash: String::new(),
            created_ns: crate::clock::wall_ns(),
            profile: Vec::new(),
        };
        let created = node.databases.create_account(&made).await;
        match created.map_err(|report| Refusal::database(&report))? {
            Created::New => Ok(true),
            // Somebody else was first, or it has been deleted.
            Created::Exists => self.there(node, account).await,
        }
    }
}
