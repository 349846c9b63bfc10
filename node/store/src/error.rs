//! What can go wrong at a database, and what the caller may do about it.

use sea_orm::{DbErr, RuntimeErr};
use tim_catalogue::{Cause, Report, repartition, storage};
use tim_core::id::{DatabaseName, Slot, Term};

use crate::dsn::BadDsn;
use tim_core::conversation::FenceRefusal;

/// Whether a failed operation may have changed the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// Nothing was changed.
    No,
    /// The outcome is unknown until the database has been asked.
    Perhaps,
}

/// Whether trying the same again makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It may work a moment later.
    Soon,
    /// Only after the caller has taken a newer map or another term.
    AfterNews,
    /// Not before somebody changed something.
    AfterRemedy,
}

/// A failed operation at a database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The DSN cannot be used. Nothing changed; the same DSN fails again.
    #[error("database {database}: {source}")]
    BadDsn {
        /// The database's name in the specification.
        database: DatabaseName,
        /// What is wrong.
        #[source]
        source: BadDsn,
    },
    /// No database of that name was opened. Nothing changed; a newer map or configuration may know it.
    #[error("no database {database} is configured")]
    UnknownDatabase {
        /// The name asked for.
        database: DatabaseName,
    },
    /// The database does not answer, or the connection broke before the commit. Nothing changed; retry.
    #[error("database {database} ({place}) does not answer")]
    Unreachable {
        /// The database's name.
        database: DatabaseName,
        /// Host and port, or the file.
        place: String,
        /// What the driver said.
        #[source]
        source: DbErr,
    },
    /// The database took longer than the limit. Nothing changed; retry.
    #[error("database {database} did not answer in time")]
    Timeout {
        /// The database's name.
        database: DatabaseName,
    },
    /// Other writers kept the rows or the file busy in every attempt. Nothing changed; retry.
    #[error("database {database} is busy, {attempts} attempts met other writers")]
    Contention {
        /// The database's name.
        database: DatabaseName,
        /// How often it was tried.
        attempts: u32,
    },
    /// The connection broke while the commit was under way. Perhaps changed; look before saying anything.
    #[error("database {database}: the outcome of a commit is unknown")]
    CommitInDoubt {
        /// The database's name.
        database: DatabaseName,
        /// What the driver said, absent when the time limit ended the wait.
        #[source]
        source: Option<DbErr>,
    },
    /// The database refuses the user, or the user lacks a right. Nothing changed; retry after a remedy.
    #[error("database {database} ({place}) refuses the user")]
    AccessDenied {
        /// The database's name.
        database: DatabaseName,
        /// Host and port, or the file.
        place: String,
        /// What the driver said.
        #[source]
        source: DbErr,
    },
    /// The database has no space left. Nothing changed; reads go on.
    #[error("database {database} ({place}): no space left")]
    DiskFull {
        /// The database's name.
        database: DatabaseName,
        /// Host and port, or the file.
        place: String,
    },
    /// The database is bound to another cluster. Nothing changed; it stays so.
    #[error("database {database} belongs to cluster {bound_to}, this is cluster {cluster}")]
    ForeignCluster {
        /// The database's name here.
        database: DatabaseName,
        /// The cluster id in the database.
        bound_to: String,
        /// Our cluster id.
        cluster: String,
    },
    /// The database is bound to this cluster under another name: two DSNs lead to one database. Nothing changed.
    #[error("database {database} is database {bound_to} already: two DSNs lead to one database")]
    ForeignName {
        /// The name it was opened under.
        database: DatabaseName,
        /// The name in the database.
        bound_to: String,
    },
    /// The schema needs a newer node. Nothing changed; it stays so for this version.
    #[error("database {database} needs schema version {needed} or newer, this node knows {known}")]
    SchemaTooNew {
        /// The database's name.
        database: DatabaseName,
        /// The lowest version that may use it.
        needed: i64,
        /// The version of this node.
        known: i64,
    },
    /// The database was sealed with another storage key. Nothing changed; it stays so.
    #[error("database {database} was sealed with another storage key")]
    WrongStorageKey {
        /// The database's name.
        database: DatabaseName,
    },
    /// A row could not be opened or understood: damaged, or moved to where it does not belong. Nothing changed.
    #[error("database {database}: a row of {table} is damaged ({reason})")]
    DamagedRow {
        /// The database's name.
        database: DatabaseName,
        /// The table, never a key or a value.
        table: &'static str,
        /// What was seen.
        reason: &'static str,
    },
    /// Something is larger than the store takes. Nothing changed; the same thing fails again.
    #[error("database {database}: {bytes} bytes for a row of {table}, {limit} are the limit")]
    TooLarge {
        /// The database's name.
        database: DatabaseName,
        /// Where it should have gone.
        table: &'static str,
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The fence does not agree with what the caller believes. Nothing changed; take the newer map first.
    #[error("database {database}: the fence refuses slot {slot}")]
    FenceRefused {
        /// The database's name.
        database: DatabaseName,
        /// A slot that was refused.
        slot: Slot,
        /// What the fence says.
        refused: FenceRefusal,
    },
    /// A step of a repartition came from a coordinator that has been replaced. Nothing changed.
    #[error("database {database} has seen term {seen}, the step came with {term}")]
    StaleTerm {
        /// The database's name.
        database: DatabaseName,
        /// The highest term seen.
        seen: Term,
        /// The term of the step.
        term: Term,
    },
    /// A step of a repartition does not fit what the fence says. Nothing changed; look at the states first.
    #[error("database {database}: {reason}")]
    StepRefused {
        /// The database's name.
        database: DatabaseName,
        /// Which condition failed.
        reason: &'static str,
    },
    /// Anything else the engine refused. Nothing changed, as the transaction was rolled back.
    #[error("database {database} refused a statement")]
    Engine {
        /// The database's name.
        database: DatabaseName,
        /// What the driver said.
        #[source]
        source: DbErr,
    },
}

impl StoreError {
    /// Whether the database may have been changed.
    #[must_use]
    pub fn changed(&self) -> Changed {
        match self {
            Self::CommitInDoubt { .. } => Changed::Perhaps,
            _ => Changed::No,
        }
    }

    /// Whether the same call may work later.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::Contention { .. }
            | Self::CommitInDoubt { .. }
            | Self::AccessDenied { .. }
            | Self::DiskFull { .. }
            | Self::Engine { .. } => Retry::Soon,
            Self::UnknownDatabase { .. }
            | Self::FenceRefused { .. }
            | Self::StaleTerm { .. }
            | Self::StepRefused { .. } => Retry::AfterNews,
            Self::BadDsn { .. }
            | Self::ForeignCluster { .. }
            | Self::ForeignName { .. }
            | Self::SchemaTooNew { .. }
            | Self::WrongStorageKey { .. }
            | Self::TooLarge { .. }
            | Self::DamagedRow { .. } => Retry::AfterRemedy,
        }
    }

    /// The entry of the catalogue.
    #[must_use]
    pub fn cause(&self) -> &'static Cause {
        match self {
            Self::BadDsn {
                source: BadDsn::UnknownScheme { .. },
                ..
            } => &storage::UNKNOWN_SCHEME,
            Self::BadDsn { .. } => &storage::MALFORMED_DSN,
            Self::UnknownDatabase { .. } => &storage::UNKNOWN_DATABASE,
            Self::Unreachable { .. } => &storage::UNREACHABLE,
            Self::Timeout { .. } | Self::Contention { .. } => &storage::TIMEOUT,
            Self::CommitInDoubt { .. } => &storage::COMMIT_IN_DOUBT,
            Self::AccessDenied { .. } => &storage::ACCESS_DENIED,
            Self::DiskFull { .. } => &storage::DISK_FULL,
            Self::ForeignCluster { .. } => &storage::FOREIGN_CLUSTER,
            Self::ForeignName { .. } => &storage::DATABASE_TWICE,
            Self::SchemaTooNew { .. } => &storage::SCHEMA_TOO_NEW,
            Self::WrongStorageKey { .. } => &storage::WRONG_STORAGE_KEY,
            Self::DamagedRow { .. } => &storage::DAMAGED_ROW,
            Self::TooLarge { .. } => &storage::TOO_LARGE,
            Self::FenceRefused { .. } => &storage::FENCE_REFUSED,
            Self::StaleTerm { .. } => &repartition::STALE_TERM,
            Self::StepRefused { .. } => &repartition::STEP_REFUSED,
            Self::Engine { .. } => &storage::ENGINE,
        }
    }

    /// What a user is shown; never a value out of a statement.
    #[must_use]
    pub fn report(&self) -> Report {
        Report::new(self.cause(), self.to_string())
    }
}

/// What a driver's error means for the transaction it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Deadlock, lock wait or a busy file: repeat the transaction.
    Contention,
    /// The connection is gone or was never there.
    Connection,
    /// The engine ended the statement after its limit, or no connection came free.
    Timeout,
    /// Login or a right was refused.
    Denied,
    /// No space left.
    Full,
    /// Anything else.
    Other,
}

/// Reads the engine's code out of a driver error.
pub(crate) fn fault_of(error: &DbErr) -> Fault {
    let source = match error {
        DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout) => return Fault::Timeout,
        DbErr::ConnectionAcquire(_) => return Fault::Connection,
        DbErr::Conn(RuntimeErr::SqlxError(source))
        | DbErr::Exec(RuntimeErr::SqlxError(source))
        | DbErr::Query(RuntimeErr::SqlxError(source)) => source,
        _ => return Fault::Other,
    };
    match source.as_ref() {
        sqlx::Error::PoolTimedOut => Fault::Timeout,
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::StorageFull => Fault::Full,
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Fault::Connection,
        sqlx::Error::Database(error) => {
            if let Some(error) = error.try_downcast_ref::<sqlx::sqlite::SqliteError>() {
                sqlite_fault(sqlx::error::DatabaseError::code(error).as_deref())
            } else if let Some(error) = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
                postgres_fault(error.code())
            } else if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
                mysql_fault(error.number())
            } else {
                Fault::Other
            }
        }
        _ => Fault::Other,
    }
}

/// Primary result codes of <https://www.sqlite.org/rescode.html>; the low byte of an extended code.
fn sqlite_fault(code: Option<&str>) -> Fault {
    let code: i32 = code.and_then(|code| code.parse().ok()).unwrap_or(0);
    match code & 0xff {
        5 | 6 => Fault::Contention,
        3 | 8 | 23 => Fault::Denied,
        13 => Fault::Full,
        10 | 14 => Fault::Connection,
        _ => Fault::Other,
    }
}

/// SQLSTATE classes of PostgreSQL, appendix A of its manual.
fn postgres_fault(code: &str) -> Fault {
    match code {
        "40001" | "40P01" | "55P03" => Fault::Contention,
        "57014" => Fault::Timeout,
        "53100" => Fault::Full,
        "42501" | "3D000" => Fault::Denied,
        "25P03" | "53300" => Fault::Connection,
        _ if code.starts_with("08") || code.starts_with("57P") => Fault::Connection,
        _ if code.starts_with("28") => Fault::Denied,
        _ => Fault::Other,
    }
}

/// Server error numbers of MySQL and MariaDB.
fn mysql_fault(number: u16) -> Fault {
    match number {
        1205 | 1213 | 1020 => Fault::Contention,
        1969 | 3024 | 1317 => Fault::Timeout,
        1021 | 1114 | 1041 => Fault::Full,
        1044 | 1045 | 1142 | 1143 | 1049 | 1227 | 1698 => Fault::Denied,
        1040 | 1053 | 1152..=1161 | 1184 | 1927 | 2006 | 2013 | 4031 => Fault::Connection,
        _ => Fault::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_codes_tell_what_to_do() {
        assert_eq!(sqlite_fault(Some("517")), Fault::Contention);
        assert_eq!(sqlite_fault(Some("13")), Fault::Full);
        assert_eq!(sqlite_fault(Some("2067")), Fault::Other);
        assert_eq!(postgres_fault("40P01"), Fault::Contention);
        assert_eq!(postgres_fault("57P01"), Fault::Connection);
        assert_eq!(postgres_fault("28P01"), Fault::Denied);
        assert_eq!(postgres_fault("23505"), Fault::Other);
        assert_eq!(mysql_fault(1213), Fault::Contention);
        assert_eq!(mysql_fault(1045), Fault::Denied);
        assert_eq!(mysql_fault(1062), Fault::Other);
    }
}
