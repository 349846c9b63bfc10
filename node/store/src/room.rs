//! Rooms and the rows of their members in their stored form.

mod load;

pub use load::StandingQuery;

use sea_orm::QueryResult;
use serde::{Deserialize, Serialize};
use tim_core::conversation::{Room, RoomMember, Standing, Window, Windows};
use tim_core::id::{AccountId, Slot};

use crate::error::StoreError;
use crate::keys::RowKey;
use crate::read;
use crate::schema::{ROOM, ROOM_MEMBER, Table};
use crate::seal::Place;
use crate::statement::{Cell, Row};
use crate::store::Database;

/// What of a member's row nobody reads without the storage key.
#[derive(Debug, Serialize, Deserialize)]
struct Secret<'a> {
    account: &'a str,
    windows: Vec<Window>,
}

impl Database {
    /// The row of a room; its version is that of the conversation.
    pub(crate) fn room_row(
        &self,
        slot: Slot,
        conversation: &RowKey,
        room: &Room,
        version: i64,
    ) -> Result<Row, StoreError> {
        let plain =
            postcard::to_stdvec(room).map_err(|_| self.damaged_room(&ROOM, "it cannot be encoded"))?;
        let sealed = self.seal(room_place(&[conversation]), &plain)?;
        Ok(vec![
            Cell::Number(i64::from(slot.0)),
            Cell::bytes(conversation),
            Cell::Bytes(sealed),
            Cell::Number(version),
        ])
    }

    /// Reads the sealed part of a room.
    pub(crate) fn room(&self, conversation: &RowKey, sealed: Vec<u8>) -> Result<Room, StoreError> {
        let plain = self.open_sealed(room_place(&[conversation]), sealed)?;
        postcard::from_bytes(&plain)
            .map_err(|_| self.damaged_room(&ROOM, "its sealed part is not understood"))
    }

    /// The row of an account of a room; its version is that of the conversation.
    pub(crate) fn member_row(
        &self,
        slot: Slot,
        conversation: &RowKey,
        member: &RoomMember,
        version: i64,
    ) -> Result<Row, StoreError> {
        let account = self.keys().account(&member.account);
        let secret = Secret {
            account: member.account.as_str(),
            windows: member.windows.as_slice().to_vec(),
        };
        let plain = postcard::to_stdvec(&secret)
            .map_err(|_| self.damaged_room(&ROOM_MEMBER, "it cannot be encoded"))?;
        let sealed = self.seal(member_place(&[conversation, &account]), &plain)?;
        Ok(vec![
            Cell::Number(i64::from(slot.0)),
            Cell::bytes(conversation),
            Cell::bytes(&account),
            Cell::Number(i64::from(member.standing.to_byte())),
            Cell::Bytes(sealed),
            Cell::Number(version),
        ])
    }

    /// Reads standing and sealed part of an account's row, from `column` on.
    pub(crate) fn member(
        &self,
        conversation: &RowKey,
        account: &RowKey,
        row: &QueryResult,
        column: usize,
    ) -> Result<RoomMember, StoreError> {
        let error = |error| self.error(error);
        let standing = row.try_get_by_index::<i16>(column).map_err(error)?;
        let sealed: Vec<u8> = row.try_get_by_index(column + 1).map_err(error)?;
        let damaged = |reason| self.damaged_room(&ROOM_MEMBER, reason);
        let standing = u8::try_from(standing).ok().and_then(Standing::from_byte);
        let plain = self.open_sealed(member_place(&[conversation, account]), sealed)?;
        let secret: Secret<'_> =
            postcard::from_bytes(&plain).map_err(|_| damaged("its sealed part is not understood"))?;
        Ok(RoomMember {
            account: AccountId::new(secret.account).map_err(|_| damaged("its account is not a name"))?,
            standing: standing.ok_or_else(|| damaged("its standing is not known"))?,
            windows: Windows::from_stored(secret.windows),
        })
    }

    /// [`Self::member`] of a row that begins with the account's key at `column`.
    pub(crate) fn keyed_member(
        &self,
        conversation: &RowKey,
        row: &QueryResult,
        column: usize,
    ) -> Result<RoomMember, StoreError> {
        let account = read::key(row, column).map_err(|error| self.error(error))?;
        self.member(conversation, &account, row, column + 1)
    }

    fn damaged_room(&self, table: &'static Table, reason: &'static str) -> StoreError {
        StoreError::DamagedRow {
            database: self.name().clone(),
            table: table.name,
            reason,
        }
    }
}

fn room_place<'a>(keys: &'a [&'a RowKey]) -> Place<'a> {
    Place {
        table: &ROOM,
        column: "sealed",
        keys,
    }
}

fn member_place<'a>(keys: &'a [&'a RowKey]) -> Place<'a> {
    Place {
        table: &ROOM_MEMBER,
        column: "sealed",
        keys,
    }
}
