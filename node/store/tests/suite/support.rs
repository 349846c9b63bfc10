//! Fresh databases of every engine, and shorthand for what the tests talk about.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use bytes::Bytes;
use tempfile::TempDir;
use tim_core::conversation::{
    ConversationBatch, ConversationOutcome, ConversationState, Operation, Submission, Verdict,
};
use tim_core::id::{
    AccountId, ContentHash, ConversationId, DatabaseName, DeviceClass, Epoch, MessageKey, Seq, Version,
};
use tim_core::map::PartitionMap;
use tim_core::placement;
use tim_store::{Database, StorageKeys, Store, StoreConfig};

use crate::database::{Kind, Server};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
    MariaDb,
}

/// Makes one test per engine out of an asynchronous function that takes the engine.
macro_rules! on_every_engine {
    ($($test:ident),+ $(,)?) => {
        mod sqlite { $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() { crate::support::within_limit(super::$test(crate::support::Engine::Sqlite)).await; })+ }
        mod postgres { $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() { crate::support::within_limit(super::$test(crate::support::Engine::Postgres)).await; })+ }
        mod mariadb { $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() { crate::support::within_limit(super::$test(crate::support::Engine::MariaDb)).await; })+ }
    };
}
pub(crate) use on_every_engine;

pub(crate) const CLUSTER: &str = "cluster-1";
pub(crate) const KEY: [u8; 32] = [0x5a; 32];

static POSTGRES: LazyLock<Mutex<Server>> =
    LazyLock::new(|| Mutex::new(Server::start(Kind::Postgres).unwrap()));
static MARIADB: LazyLock<Mutex<Server>> = LazyLock::new(|| Mutex::new(Server::start(Kind::MariaDb).unwrap()));

/// An empty database of one engine; several stores may be opened on it, as several nodes would.
pub(crate) struct Fresh {
    pub(crate) engine: Engine,
    pub(crate) dsn: String,
    pub(crate) directory: TempDir,
}

impl Fresh {
    pub(crate) async fn new(engine: Engine) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("d0.db");
        let dsn = tokio::task::spawn_blocking(move || match engine {
            Engine::Sqlite => format!("sqlite:{}", file.display()),
            Engine::Postgres => on_server(&POSTGRES),
            Engine::MariaDb => on_server(&MARIADB),
        })
        .await
        .unwrap();
        Self {
            engine,
            dsn,
            directory,
        }
    }

    /// Runs SQL past the store, as an administrator or an accident would.
    pub(crate) async fn sql(&self, text: &str) -> String {
        use sqlx::{Column as _, Connection as _, Executor as _, Row as _};
        let text = sqlx::AssertSqlSafe(text.to_owned());
        // Only the first column of the first row is of interest, as text.
        match self.engine {
            Engine::Sqlite => {
                let mut connection = sqlx::SqliteConnection::connect(&self.dsn).await.unwrap();
                let row = connection.fetch_optional(text).await.unwrap();
                row.filter(|row| !row.columns().is_empty())
                    .map_or(String::new(), |row| {
                        row.get_unchecked::<String, _>(row.columns()[0].ordinal())
                    })
            }
            Engine::Postgres => {
                let mut connection = sqlx::PgConnection::connect(&self.dsn).await.unwrap();
                let row = connection.fetch_optional(text).await.unwrap();
                row.map_or(String::new(), |row| row.get::<i64, _>(0).to_string())
            }
            Engine::MariaDb => {
                let mut connection = sqlx::MySqlConnection::connect(&self.dsn).await.unwrap();
                let row = connection.fetch_optional(text).await.unwrap();
                row.map_or(String::new(), |row| row.get::<i64, _>(0).to_string())
            }
        }
    }

    /// What of a table adds up to, as text.
    pub(crate) async fn sum(&self, summand: &str, table: &str) -> String {
        let integer = match self.engine {
            Engine::MariaDb => "SIGNED",
            Engine::Sqlite | Engine::Postgres => "BIGINT",
        };
        self.sql(&format!("SELECT CAST(SUM({summand}) AS {integer}) FROM {table}"))
            .await
    }

    /// A node's view of the database, not prepared.
    pub(crate) fn raw_node(&self) -> (Store, Database) {
        node_with(CLUSTER, KEY, "d0", &self.dsn)
    }

    /// A node's view of the database, migrated and with one fence over all slots.
    pub(crate) async fn node(&self) -> Database {
        let (_, database) = self.raw_node();
        database.prepare().await.unwrap();
        database.create_fences(&whole("d0")).await.unwrap();
        database
    }
}

fn on_server(server: &LazyLock<Mutex<Server>>) -> String {
    let server = server.lock().unwrap();
    server.dsn(&server.create_database().unwrap())
}

pub(crate) fn node_with(cluster: &str, key: [u8; 32], name: &str, dsn: &str) -> (Store, Database) {
    let keys = StorageKeys::single(key.into()).unwrap();
    let store = Store::new(StoreConfig {
        cluster: cluster.to_owned(),
        keys,
    });
    store.configure([(database_name(name), dsn)]).unwrap();
    let database = store.database(&database_name(name)).unwrap();
    (store, database)
}

pub(crate) fn database_name(name: &str) -> DatabaseName {
    DatabaseName::new(name).unwrap()
}

/// One range over all slots at epoch 1.
pub(crate) fn whole(name: &str) -> PartitionMap {
    PartitionMap::even(&[(database_name(name), tim_core::map::HomePlacement::PerConversation)]).unwrap()
}

pub(crate) fn account(name: &str) -> AccountId {
    AccountId::new(name).unwrap()
}

pub(crate) const EPOCH: Epoch = Epoch(1);

/// Two accounts and their conversation.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) one: AccountId,
    pub(crate) other: AccountId,
    pub(crate) id: ConversationId,
}

impl Pair {
    pub(crate) fn new(one: &str, other: &str) -> Self {
        let (one, other) = (account(one), account(other));
        let id = placement::direct_conversation(&one, &other);
        Self { one, other, id }
    }

    /// Makes the two friends: versions 1 and 2, entries 1 and 2.
    pub(crate) async fn befriend(&self, database: &Database) {
        for (place, (sender, peer)) in [(&self.one, &self.other), (&self.other, &self.one)]
            .into_iter()
            .enumerate()
        {
            let submission = submission(self, sender, peer, Operation::AddFriend, b"hello");
            let outcome = append_one(database, self.batch(place as u64, vec![submission])).await;
            assert!(matches!(outcome, ConversationOutcome::Done { .. }), "{outcome:?}");
        }
    }

    pub(crate) fn message(&self, text: &[u8]) -> Submission {
        submission(self, &self.one, &self.other, Operation::Message, text)
    }

    pub(crate) fn batch(&self, version: u64, submissions: Vec<Submission>) -> ConversationBatch {
        ConversationBatch {
            conversation: self.id,
            expected_version: Version(version),
            epoch: EPOCH,
            room_members_max: 100,
            submissions: submissions.into_iter().map(Arc::new).collect(),
        }
    }
}

pub(crate) fn submission(
    pair: &Pair,
    sender: &AccountId,
    peer: &AccountId,
    operation: Operation,
    text: &[u8],
) -> Submission {
    Submission {
        key: next_key(),
        conversation: pair.id,
        sender: sender.clone(),
        peer: peer.clone(),
        sender_class: DeviceClass(1),
        operation,
        client_id: None,
        content_hash: ContentHash([7; 16]),
        attempt: 1,
        vouched: false,
        body: Bytes::copy_from_slice(text),
    }
}

/// Different in every call, so that no test depends on chance.
pub(crate) fn next_key() -> MessageKey {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    MessageKey((u128::from(number) | u128::from(std::process::id()) << 64).to_be_bytes())
}

pub(crate) const NOW_NS: i64 = 1_700_000_000_000_000_000;

pub(crate) async fn append_one(database: &Database, batch: ConversationBatch) -> ConversationOutcome {
    database.append(&[batch], NOW_NS).await.unwrap().remove(0)
}

/// The row of a pair's conversation as a home would load it.
pub(crate) async fn state_of(database: &Database, pair: &Pair) -> ConversationState {
    let mut states = database.open_conversations(&[(pair.id, EPOCH)]).await.unwrap();
    states.remove(0).unwrap()
}

/// The places of what was stored; panics on anything else.
pub(crate) fn stored(outcome: &ConversationOutcome) -> Vec<Seq> {
    let ConversationOutcome::Done { verdicts, .. } = outcome else {
        panic!("not done: {outcome:?}");
    };
    verdicts
        .iter()
        .map(|verdict| match verdict {
            Verdict::Store { entry, .. } => entry.seq,
            other => panic!("not stored: {other:?}"),
        })
        .collect()
}

/// A connection past the store, for what another program or an unlucky moment would do.
pub(crate) enum Raw {
    Sqlite(sqlx::SqliteConnection),
    Postgres(sqlx::PgConnection),
    MariaDb(sqlx::MySqlConnection),
}

impl Raw {
    pub(crate) async fn open(fresh: &Fresh) -> Self {
        use sqlx::Connection as _;
        match fresh.engine {
            Engine::Sqlite => Self::Sqlite(sqlx::SqliteConnection::connect(&fresh.dsn).await.unwrap()),
            Engine::Postgres => Self::Postgres(sqlx::PgConnection::connect(&fresh.dsn).await.unwrap()),
            Engine::MariaDb => Self::MariaDb(sqlx::MySqlConnection::connect(&fresh.dsn).await.unwrap()),
        }
    }

    pub(crate) async fn run(&mut self, text: &str) {
        use sqlx::Executor as _;
        let text = sqlx::AssertSqlSafe(text.to_owned());
        match self {
            Self::Sqlite(connection) => drop(connection.execute(text).await.unwrap()),
            Self::Postgres(connection) => drop(connection.execute(text).await.unwrap()),
            Self::MariaDb(connection) => drop(connection.execute(text).await.unwrap()),
        }
    }
}

/// Far more than any test takes: one that does not end says so instead of hanging.
const TEST_LIMIT: std::time::Duration = std::time::Duration::from_secs(180);

/// Runs a test, and fails it when it does not end.
pub(crate) async fn within_limit(test: impl Future<Output = ()>) {
    assert!(
        tokio::time::timeout(TEST_LIMIT, test).await.is_ok(),
        "no end within {TEST_LIMIT:?}"
    );
}

/// Looks again and again until it is so. A test that waits for something that never comes fails here.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !is_so().await {
        assert!(std::time::Instant::now() < deadline, "waited for: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
