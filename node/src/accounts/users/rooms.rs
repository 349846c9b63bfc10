//! Rooms whose members a database of the operator's says: ours are mirrors of them, brought into line before they are used.
//!
//! One alignment per room at a time on a node. Its outcome counts for `remembered_millis` from the moment at which the
//! database was asked.

use super::{Users, alignment};
use crate::accounts::users::directory::Directory;
use crate::commands::Refusal;
use crate::node::Node;
use moka::sync::Cache;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tim_core::id::{AccountId, RoomId};
use tim_wire::ErrorCode;
use tokio::sync::Mutex;

/// Rooms about which something is remembered.
const ROOMS_MAX: u64 = 100_000;
/// What was not used for so long is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(900);
/// How long a use of a room may wait for its members. What is done by then stays done: the next use goes on from there.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// What is known of rooms, each behind the lock of its alignment.
#[derive(Debug)]
pub(crate) struct KnownRooms {
    rooms: Cache<RoomId, Arc<Mutex<Option<Known>>>>,
    kept: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    asked: Instant,
    is_there: bool,
}

impl KnownRooms {
    pub(super) fn kept(kept: Duration) -> Self {
        let rooms = Cache::builder()
            .max_capacity(ROOMS_MAX)
            .time_to_idle(FORGOTTEN_AFTER)
            .build();
        Self { rooms, kept }
    }

    fn fresh(&self, known: Option<Known>) -> Option<bool> {
        let known = known.filter(|known| known.asked.elapsed() < self.kept)?;
        Some(known.is_there)
    }

    fn get(&self, room: &RoomId) -> Option<bool> {
        let place = self.rooms.get(room)?;
        let known = place.try_lock().ok()?;
        self.fresh(*known)
    }

    async fn align(&self, node: &Node, directory: &Directory, room: &RoomId) -> Result<bool, Refusal> {
        let place = self.rooms.get_with_by_ref(room, Arc::default);
        let mut known = place.lock().await;
        if let Some(is_there) = self.fresh(*known) {
            return Ok(is_there);
        }
        let asked = Instant::now();
        let is_there = Box::pin(alignment::align(node, directory, room)).await?;
        *known = Some(Known { asked, is_there });
        Ok(is_there)
    }
}

impl Users {
    /// Why nobody can make, change or end rooms here, or take part in them otherwise than is said elsewhere.
    pub(crate) fn refuse_room_changes(&self) -> Result<(), Refusal> {
        match self {
            Self::Database(directory, ..) if directory.has_rooms() => {
                Err(Refusal::plain(ErrorCode::Interface, "users_are_elsewhere"))
            }
            _ => Ok(()),
        }
    }

    /// The rooms of an account, where they are said elsewhere.
    pub(crate) async fn rooms_of(
        &self,
        node: &Node,
        account: &AccountId,
    ) -> Option<Result<Vec<RoomId>, Refusal>> {
        match self {
            Self::Database(directory, ..) if directory.has_rooms() => {
                Some(directory.rooms(node, account).await)
            }
            _ => None,
        }
    }

    /// Whether a room can be used as it is: yes, or there is no such room; nothing where that has to be asked. Where rooms
    /// are the cluster's own their homes know all about them.
    pub(crate) fn knows_room(&self, room: &RoomId) -> Option<bool> {
        match self {
            Self::Database(directory, _, rooms) if directory.has_rooms() => rooms.get(room),
            _ => Some(true),
        }
    }

    /// Gives a room the members that it has elsewhere, unless that was done a moment ago; whether there is such a room.
    pub(crate) async fn align_room(&self, node: &Node, room: &RoomId) -> Result<bool, Refusal> {
        let (directory, rooms) = match self {
            Self::Database(directory, _, rooms) if directory.has_rooms() => (directory, rooms),
            _ => return Ok(true),
        };
        let aligned = tokio::time::timeout(WAIT_MAX, rooms.align(node, directory, room)).await;
        aligned.unwrap_or_else(|_| {
            let detail = "the room is being given its members by accounts.database.room_members, try again";
            Err(Refusal::overloaded(detail))
        })
    }
}
