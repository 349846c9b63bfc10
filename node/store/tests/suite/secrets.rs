//! Invariant I8: the databases hold no readable message, name, profile or account id.

use std::path::Path;

use tim_core::id::DeviceClass;
use tim_store::{Account, Block, CursorAdvance, ListEntry, Listed, ListedConversation};

use crate::support::{EPOCH, Engine, Fresh, Pair, account, append_one, on_every_engine};

on_every_engine!(nothing_that_people_wrote_is_readable);

const CANARIES: [&str; 6] = [
    "canary-account-one",
    "canary-account-two",
    "canary-message-body",
    "canary-password-hash",
    "canary-profile",
    "canary-login-token",
];

async fn nothing_that_people_wrote_is_readable(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let pair = Pair::new(CANARIES[0], CANARIES[1]);
    pair.befriend(&database).await;
    let mut message = pair.message(CANARIES[2].as_bytes());
    message.client_id = Some(77);
    append_one(&database, pair.batch(2, vec![message])).await;
    let one = Account {
        id: account(CANARIES[0]),
        password_hash: CANARIES[3].to_owned(),
        created_ns: 1,
        profile: CANARIES[4].as_bytes().to_vec(),
    };
    database.create_account(EPOCH, &one).await.unwrap();
    database
        .put_token(EPOCH, CANARIES[5].as_bytes(), &account(CANARIES[0]), 1)
        .await
        .unwrap();
    let block = Block {
        account: account(CANARIES[0]),
        until_ms: 1,
    };
    database.block_account(EPOCH, &block, 1).await.unwrap();
    let listed = ListedConversation {
        conversation: pair.id,
        what: Listed::Direct(pair.other.clone()),
    };
    database
        .list_conversations(&[ListEntry {
            account: pair.one.clone(),
            epoch: EPOCH,
            listed,
        }])
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    let advance = CursorAdvance {
        conversation: pair.id,
        epoch: EPOCH,
        account: pair.other.clone(),
        class: DeviceClass(1),
        from: tim_core::id::Seq(0),
        to: tim_core::id::Seq(3),
    };
    database.advance_cursors(&[advance]).await.unwrap();

    let bytes = dump(&fresh).await;
    // The dump is worth something only if it has what is known to be there in the clear.
    assert!(
        contains(&bytes, b"cluster-1"),
        "the dump of {} bytes misses the binding",
        bytes.len()
    );
    let sealed: usize = fresh.sum("LENGTH(sealed)", "tim_message").await.parse().unwrap();
    assert!(bytes.len() > sealed);
    for canary in CANARIES {
        assert!(!contains(&bytes, canary.as_bytes()), "{canary} is readable");
    }
    assert!(!contains(&bytes, &pair.id.0), "the conversation's id is readable");
}

pub(crate) fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// SQLite: every byte of every file. The servers: every column of every table of the database, as bytes.
pub(crate) async fn dump(fresh: &Fresh) -> Vec<u8> {
    use sqlx::{Connection as _, Row as _};
    match fresh.engine {
        Engine::Sqlite => files(fresh.directory.path()),
        Engine::Postgres => {
            let mut connection = sqlx::PgConnection::connect(&fresh.dsn).await.unwrap();
            let list = "SELECT table_name::text, column_name::text FROM information_schema.columns \
                        WHERE table_schema = 'public' ORDER BY 1, 2";
            let columns = sqlx::query(list).fetch_all(&mut connection).await.unwrap();
            let mut bytes = Vec::new();
            for column in columns {
                let (table, column): (String, String) = (column.get(0), column.get(1));
                // Sent as text; bytea in its escape form shows printable bytes as they are.
                let text = format!(
                    "SELECT convert_to(CASE WHEN pg_typeof({column})::text = 'bytea' \
                     THEN encode({column}::text::bytea, 'escape') ELSE {column}::text END, 'UTF8') FROM {table}"
                );
                sqlx::query("SET bytea_output = 'escape'")
                    .execute(&mut connection)
                    .await
                    .unwrap();
                for row in sqlx::query(sqlx::AssertSqlSafe(text))
                    .fetch_all(&mut connection)
                    .await
                    .unwrap()
                {
                    bytes.extend(row.get::<Option<Vec<u8>>, _>(0).unwrap_or_default());
                    bytes.push(b'\n');
                }
            }
            bytes
        }
        Engine::MariaDb => {
            let mut connection = sqlx::MySqlConnection::connect(&fresh.dsn).await.unwrap();
            let list = "SELECT CAST(table_name AS CHAR), CAST(column_name AS CHAR) FROM information_schema.columns \
                        WHERE table_schema = DATABASE() ORDER BY 1, 2";
            let columns = sqlx::query(list).fetch_all(&mut connection).await.unwrap();
            let mut bytes = Vec::new();
            for column in columns {
                let (table, column): (String, String) = (column.get(0), column.get(1));
                let text = format!("SELECT CAST({column} AS BINARY) FROM {table}");
                for row in sqlx::query(sqlx::AssertSqlSafe(text))
                    .fetch_all(&mut connection)
                    .await
                    .unwrap()
                {
                    bytes.extend(row.get::<Option<Vec<u8>>, _>(0).unwrap_or_default());
                    bytes.push(b'\n');
                }
            }
            bytes
        }
    }
}

fn files(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        bytes.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    bytes
}
