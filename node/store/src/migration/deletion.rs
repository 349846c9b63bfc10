//! Accounts that are being deleted, and how far conversations have been trimmed.

use sea_orm_migration::sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use super::engine_of;
use crate::schema::{ACCOUNT_DELETION, TRIMMED};

pub(super) struct Deletion;

impl MigrationName for Deletion {
    fn name(&self) -> &str {
        "m0003_deletion"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Deletion {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let engine = engine_of(connection.get_database_backend());
        for table in [&ACCOUNT_DELETION, &TRIMMED] {
            connection.execute_unprepared(&table.create(engine)).await?;
        }
        Ok(())
    }
}
