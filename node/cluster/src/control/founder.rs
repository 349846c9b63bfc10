//! The one place outside the group that says which group is the cluster's.

use async_trait::async_trait;
use tim_core::map::PartitionMap;

/// The first database does not answer, or says something that cannot be. Nothing was decided; it is asked again.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct FounderError(pub String);

/// The unique row in the first database, and the fences. The node gives this; calls are repeated until they succeed.
#[async_trait]
pub trait Founder: Send + Sync + 'static {
    /// The group that the row names; `None` while there is no row.
    ///
    /// # Errors
    /// The database did not answer.
    async fn group(&self) -> Result<Option<u64>, FounderError>;

    /// Names `group` in the row, if the row still says `expected` (`None`: if there is no row). Atomic. Gives what the row
    /// says afterwards, whoever wrote it.
    ///
    /// # Errors
    /// The outcome is not known; ask again.
    async fn claim(&self, expected: Option<u64>, group: u64) -> Result<u64, FounderError>;

    /// The map a group without one begins with: as the fences say, or, in a new cluster, as configured.
    ///
    /// # Errors
    /// A database did not answer.
    async fn map(&self) -> Result<PartitionMap, FounderError>;
}
