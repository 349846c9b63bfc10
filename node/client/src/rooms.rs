//! Rooms: who is in them, and what is said in them.
//!
//! Operations are answered by an [`crate::Event::Ack`] (`t` is the operation, `n` the room, `n2` the account), or by the
//! notice, the list or the data that they are about.

use std::collections::BTreeMap;

use tim_wire::structs::{business, node_kind, operation};
use tim_wire::{TimMessage, TimNodes, TimReq, TimRoomBean};

use crate::{Client, RequestError, SendError, Sent};

/// `TimReq.reqInt` of a new room.
const PRIVATE: i64 = 1;
const OPEN: i64 = 2;
/// `TimReq.rtype` of a room's history.
const HISTORY: i32 = 2;

impl Client {
    /// Sends a text to everybody in a room and waits until it is stored.
    ///
    /// # Errors
    /// As [`Self::send_message`].
    pub async fn send_to_room(&self, room: &str, text: &str) -> Result<Sent, SendError> {
        self.send_message(TimMessage {
            data_string: Some(text.to_owned()),
            ..TimMessage::to_room(room, operation::NORMAL)
        })
        .await
    }

    /// Takes back a message of this account in a room, by its number (`mid`).
    ///
    /// # Errors
    /// As [`Self::send_message`].
    pub async fn revoke_in_room(&self, room: &str, mid: i64) -> Result<Sent, SendError> {
        self.send_message(TimMessage {
            mid: Some(mid),
            ..TimMessage::to_room(room, operation::REVOKE)
        })
        .await
    }

    /// The messages of a room up to number `mid`, or the newest without it; newest first. For its members.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn room_history(
        &self,
        room: &str,
        mid: Option<i64>,
        limit: u32,
    ) -> Result<Vec<TimMessage>, RequestError> {
        self.pull(HISTORY, room, mid, limit).await
    }

    /// Makes a room; the acknowledgement names it. Into a private one its founder and managers let others in.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn create_room(&self, topic: &str, private: bool) -> Result<(), SendError> {
        self.send_business(TimReq {
            rtype: Some(business::NEW_ROOM),
            node: Some(topic.to_owned()),
            req_int: Some(if private { PRIVATE } else { OPEN }),
            ..TimReq::default()
        })
        .await
    }

    /// Joins an open room, or applies to a private one with a text for those who may let in.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn join_room(&self, room: &str, text: &str) -> Result<(), SendError> {
        self.send_business(TimReq {
            req_str: Some(text.to_owned()),
            ..of_room(business::ADD_ROOM, room, None)
        })
        .await
    }

    /// Takes an account into a room.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn pull_into_room(&self, room: &str, account: &str) -> Result<(), SendError> {
        self.send_business(of_room(business::PULL_ROOM, room, Some(account)))
            .await
    }

    /// Turns an application to a room down.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn refuse_room(&self, room: &str, account: &str) -> Result<(), SendError> {
        self.send_business(of_room(business::REFUSE_ROOM, room, Some(account)))
            .await
    }

    /// Removes an account from a room.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn kick_from_room(&self, room: &str, account: &str) -> Result<(), SendError> {
        self.send_business(of_room(business::KICK_ROOM, room, Some(account)))
            .await
    }

    /// Removes an account from a room and keeps it out.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn ban_from_room(&self, room: &str, account: &str) -> Result<(), SendError> {
        self.send_business(of_room(business::BLOCK_ROOM_MEMBER, room, Some(account)))
            .await
    }

    /// Leaves a room.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn leave_room(&self, room: &str) -> Result<(), SendError> {
        self.send_business(of_room(business::LEAVE_ROOM, room, None))
            .await
    }

    /// Leaves a room, and cannot be taken in again until this account joins by itself.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn block_room(&self, room: &str) -> Result<(), SendError> {
        self.send_business(of_room(business::BLOCK_ROOM, room, None))
            .await
    }

    /// Ends a room that this account has founded and is alone in.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn cancel_room(&self, room: &str) -> Result<(), SendError> {
        self.send_business(of_room(business::CANCEL_ROOM, room, None))
            .await
    }

    /// Asks for the rooms that this account is in, which come as an [`crate::Event::Nodes`]; nothing comes if there are none.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn request_rooms(&self) -> Result<(), SendError> {
        self.send_business(TimReq {
            rtype: Some(business::USER_ROOMS),
            ..TimReq::default()
        })
        .await
    }

    /// Asks who is in a room that this account is in.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn request_room_members(&self, room: &str) -> Result<(), SendError> {
        self.send_business(of_room(business::ROOM_USERS, room, None))
            .await
    }

    /// Asks what is told about rooms, which comes as an [`crate::Event::Nodes`]; those that are not there are left out.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn request_room_info(&self, rooms: &[&str]) -> Result<(), SendError> {
        self.send_nodes(&TimNodes {
            ntype: node_kind::ROOM_INFO,
            nodelist: Some(rooms.iter().map(|room| (*room).to_owned()).collect()),
            ..TimNodes::default()
        })
        .await
    }

    /// Changes what is told about a room: the fields that are given, the others stay. Its founder may name managers, and
    /// another founder.
    ///
    /// # Errors
    /// When there is no connection, or the data is larger than a frame may be.
    pub async fn change_room(&self, room: &str, bean: TimRoomBean) -> Result<(), SendError> {
        self.send_nodes(&TimNodes {
            ntype: node_kind::MODIFY_ROOM,
            roommap: Some(BTreeMap::from([(room.to_owned(), bean)])),
            ..TimNodes::default()
        })
        .await
    }
}

fn of_room(rtype: i32, room: &str, account: Option<&str>) -> TimReq {
    TimReq {
        rtype: Some(rtype),
        node: Some(room.to_owned()),
        node2: account.map(str::to_owned),
        ..TimReq::default()
    }
}
