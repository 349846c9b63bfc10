//! Partition databases: schema, fence, sealed rows, repartition steps.
//!
//! A [`Store`] holds the databases of the cluster by name. Every use of a slot carries the epoch the caller believes
//! its range to have; the fence in the database decides whether that is so.
//!
//! ```text
//! store.configure(...)          names and DSNs
//! database.prepare()            connect, migrate, bind to the cluster; repeat until it works
//! database.create_fences(...)   once, when the cluster is founded
//! database.append(...)          the group commit of a home
//! database.open_conversations, entries_after, history, positions, advance_cursors, …
//! store.…(&Move)                the steps of a repartition
//! ```

pub mod account;
mod admit;
pub mod append;
pub mod block;
pub mod connection;
pub mod cursor;
pub mod dsn;
mod entry;
pub mod erase;
pub mod error;
#[cfg(feature = "explain")]
pub mod explain;
pub mod fence;
pub mod figures;
pub mod foreign;
pub mod keys;
pub mod load;
pub mod migration;
pub mod outbox;
mod queries;
mod read;
pub mod repartition;
pub mod retention;
pub mod room;
pub mod roster;
mod schema;
pub mod seal;
mod statement;
pub mod store;
pub mod token;
mod transaction;

pub use account::{Account, Created};
pub use admit::Admitted;
pub use append::batch_result;
pub use block::{Block, BlockCursor, BlockQuery};
pub use cursor::{Advanced, CursorAdvance};
pub use dsn::{Dsn, Engine};
pub use entry::MAX_BODY_BYTES;
pub use erase::{DeletedId, Deletion, Detached, Removal};
pub use error::{Changed, Retry, StoreError};
pub use fence::{Access, Fence, FenceState, Moving};
pub use foreign::{Foreign, ForeignError, Reads, StatementError};
pub use keys::StorageKeys;
pub use load::{EntriesAfter, HistoryQuery, Position, PositionQuery};
pub use migration::Bootstrap;
pub use outbox::{Announce, Event, Happened, MAX_EVENTS_READ, Recipient, RoomNews};
pub use repartition::step_result;
pub use retention::{Keep, Retention, WalkCursor, Walked};
pub use room::StandingQuery;
pub use roster::{ListEntry, Listed, ListedConversation, Listing};
pub use store::{Database, Store, StoreConfig};
