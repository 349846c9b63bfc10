//! The first tables.

use sea_orm_migration::sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use super::engine_of;
use crate::dsn::Engine;
use crate::schema::{CHANGE, MAX_ROW_KEY_BYTES, MOVING};

pub(super) struct FirstTables;

impl MigrationName for FirstTables {
    fn name(&self) -> &str {
        "m0001_first_tables"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for FirstTables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let engine = engine_of(connection.get_database_backend());
        for statement in statements(engine) {
            connection.execute_unprepared(&statement).await?;
        }
        Ok(())
    }
}

/// Text of a bounded length, compared bytewise.
fn name_type(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "TEXT",
        Engine::Postgres => "VARCHAR(64) COLLATE \"C\"",
        Engine::MySql => "VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    }
}

fn statements(engine: Engine) -> Vec<String> {
    let name = name_type(engine);
    let suffix = if engine == Engine::MySql {
        " ENGINE=InnoDB"
    } else {
        ""
    };
    let bytes = match engine {
        Engine::Sqlite => "BLOB".to_owned(),
        Engine::Postgres => "BYTEA".to_owned(),
        Engine::MySql => format!("VARBINARY({MAX_ROW_KEY_BYTES})"),
    };
    let mut statements = vec![
        format!(
            "CREATE TABLE IF NOT EXISTS tim_binding (id SMALLINT NOT NULL PRIMARY KEY, cluster {name} NOT NULL, \
             name {name} NOT NULL, key_check {bytes} NOT NULL, schema_minimum BIGINT NOT NULL){suffix}"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS tim_bootstrap (id SMALLINT NOT NULL PRIMARY KEY, node {name} NOT NULL, \
             raft_id BIGINT NOT NULL){suffix}"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS tim_fence (from_slot INT NOT NULL PRIMARY KEY, to_slot INT NOT NULL, \
             epoch BIGINT NOT NULL, state SMALLINT NOT NULL, closing BIGINT NOT NULL, moved_to {name}, \
             operation {name}, moving_from INT NOT NULL, other {name}, copying SMALLINT NOT NULL, \
             term BIGINT NOT NULL, closings BIGINT NOT NULL){suffix}"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS tim_copy (operation {name} NOT NULL, table_code SMALLINT NOT NULL, \
             slot INT NOT NULL, row_key {bytes} NOT NULL, rows_copied BIGINT NOT NULL, done SMALLINT NOT NULL, \
             PRIMARY KEY (operation, table_code)){suffix}"
        ),
    ];
    statements.extend(MOVING.iter().map(|table| table.create(engine)));
    statements.push(CHANGE.create(engine));
    statements.extend(MOVING.iter().flat_map(|table| table.create_indexes(engine)));
    statements
}
