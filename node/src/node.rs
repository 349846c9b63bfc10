//! The node as its parts see it.

use crate::accounts::Accounts;
use crate::admission::Admission;
use crate::board::Board;
use crate::commands::{Absences, Throttle};
use crate::databases::Databases;
use crate::drain::DrainControl;
use crate::engine::{self, Engine};
use crate::metrics::Metrics;
use crate::online_news::OnlineNews;
use crate::peers::Peers;
use crate::session::{Input, LocalAccounts, Relayed, SessionTable};
use crate::streams::Streams;
use crate::webhooks::Webhooks;
use crate::wheel::Wheel;
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;
use tim_cluster::control::ControlGroup;
use tim_cluster::membership::{MemberState, Members, Membership};
use tim_cluster::tls::Trust;
use tim_config::NodeConfig;
use tim_core::cursor_sets::CursorSets;
use tim_core::id::{AccountId, NodeName};
use tim_core::placement;
use tim_core::presence::{Lookup, OwnerEvent, Registration, SessionEntry};
use tim_core::session;
use tim_core::view::View;
use tim_wire::IdScheme;
use tokio::sync::watch;

/// Where the node listens, ports filled in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addresses {
    pub(crate) client: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) peer: SocketAddr,
}

/// Everything a connection, a service or the admin listener needs.
pub(crate) struct Node {
    pub(crate) config: NodeConfig,
    pub(crate) config_hash: String,
    pub(crate) name: NodeName,
    pub(crate) started: Instant,
    pub(crate) addresses: Addresses,
    pub(crate) ids: IdScheme,
    /// A number for `TimAck.t` of a login; clients only print it.
    pub(crate) server_mark: i32,
    pub(crate) session_config: Arc<session::Config>,
    /// Which classes of devices share a cursor.
    pub(crate) session_cursors: CursorSets,
    pub(crate) board: Arc<Board>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) wheel: Arc<Wheel>,
    pub(crate) admission: Admission,
    pub(crate) throttle: Throttle,
    pub(crate) local_accounts: LocalAccounts,
    pub(crate) sessions: Arc<SessionTable>,
    pub(crate) engine: Engine,
    pub(crate) databases: Arc<Databases>,
    pub(crate) peers: Arc<Peers>,
    pub(crate) streams: Streams,
    pub(crate) accounts: Accounts,
    pub(crate) absences: Absences,
    pub(crate) webhooks: Webhooks,
    pub(crate) online_news: OnlineNews,
    pub(crate) membership: Membership,
    pub(crate) members: watch::Receiver<Arc<Members>>,
    pub(crate) view: ArcSwap<View>,
    pub(crate) trust: Trust,
    pub(crate) control: ControlGroup,
    pub(crate) drain: DrainControl,
    pub(crate) repartition: crate::repartition::Figures,
    pub(crate) walks: crate::retention::Walks,
    pub(crate) takes_logins: AtomicBool,
    /// When somebody gossiped under a foreign key for the last time; 0: never.
    pub(crate) foreign_key_at_ms: AtomicU64,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Node")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Node {
    /// Whether a new login is taken; not while the node starts or leaves.
    pub(crate) fn takes_logins(&self) -> bool {
        self.takes_logins.load(Ordering::Relaxed)
    }

    /// What this node says of itself to the others.
    pub(crate) fn state(&self) -> MemberState {
        self.members
            .borrow()
            .get(&self.name)
            .map_or(MemberState::Joining, |member| member.state)
    }

    /// Where the sessions of an account are, by the shard's primary; nobody when it cannot be asked.
    pub(crate) async fn look_up(&self, account: &AccountId) -> Vec<SessionEntry> {
        let mut found = self.look_up_all(vec![account.clone()]).await;
        found.pop().map(|(_, sessions)| sessions).unwrap_or_default()
    }

    /// Whether an account certainly has no session: a primary that cannot be asked, or is not sure, is no proof.
    pub(crate) async fn is_absent(&self, account: &AccountId) -> bool {
        let found = self.ask_primaries(vec![account.clone()]).await;
        found.iter().all(|(_, lookup)| *lookup == Some(Lookup::Nobody))
    }

    /// Where the sessions of accounts are, as far as their primaries say; in any order.
    pub(crate) async fn look_up_all(&self, accounts: Vec<AccountId>) -> Vec<(AccountId, Vec<SessionEntry>)> {
        let found = self.ask_primaries(accounts).await.into_iter();
        let sessions = found.map(|(account, lookup)| match lookup {
            Some(Lookup::Found(sessions) | Lookup::Unknown { seen: sessions }) => (account, sessions),
            Some(Lookup::Nobody) | None => (account, Vec::new()),
        });
        sessions.collect()
    }

    /// One question per primary; nothing from one that cannot be asked.
    async fn ask_primaries(&self, accounts: Vec<AccountId>) -> Vec<(AccountId, Option<Lookup>)> {
        let view = self.view.load_full();
        let mut found = Vec::with_capacity(accounts.len());
        let mut by_primary: HashMap<NodeName, Vec<AccountId>> = HashMap::new();
        for account in accounts {
            match placement::shard_owners_of(&account, &view).primary.cloned() {
                Some(primary) => by_primary.entry(primary).or_default().push(account),
                None => found.push((account, None)),
            }
        }
        for (primary, accounts) in by_primary {
            let lookups = if primary == self.name {
                self.engine.look_up(self.name.clone(), accounts.clone()).await
            } else {
                let asked = self.peers.look_up(&primary, view.hash(), &accounts).await;
                asked.unwrap_or_default()
            };
            let lookups = lookups.into_iter().map(Some).chain(std::iter::repeat(None));
            found.extend(accounts.into_iter().zip(lookups));
        }
        found
    }

    /// Tells the primary of an account that sessions of it have ended; what is posted after it comes after it.
    pub(crate) async fn forget_sessions(&self, account: &AccountId, registrations: Vec<Registration>) {
        let view = self.view.load_full();
        match placement::shard_owners_of(account, &view).primary {
            None => {}
            Some(primary) if *primary == self.name => {
                let event = OwnerEvent::Unregister { registrations };
                self.engine.post(engine::Input::Owner(event));
            }
            Some(primary) => self.peers.forget_sessions(primary, &registrations).await,
        }
    }

    /// Sends what is not stored to sessions wherever they are. Who has ended misses it; nothing is owed.
    pub(crate) fn relay(&self, sessions: &[SessionEntry], relayed: &Arc<Relayed>) {
        for entry in sessions {
            let relayed = Arc::clone(relayed);
            if entry.node == self.name {
                let _ = self.sessions.post(entry.session, Input::Relayed(relayed));
            } else {
                let session = entry.session;
                if !self.peers.relay(&entry.node, session, relayed) {
                    self.metrics.frames_dropped.add(1, &[]);
                }
            }
        }
    }
}
