//! The outbox, for databases that were made before there was one.

use sea_orm_migration::sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use super::engine_of;
use crate::schema::OUTBOX;

pub(super) struct Outbox;

impl MigrationName for Outbox {
    fn name(&self) -> &str {
        "m0002_outbox"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Outbox {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let engine = engine_of(connection.get_database_backend());
        connection.execute_unprepared(&OUTBOX.create(engine)).await?;
        for index in OUTBOX.create_indexes(engine) {
            connection.execute_unprepared(&index).await?;
        }
        Ok(())
    }
}
