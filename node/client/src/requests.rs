//! What a client asks beside sending: messages taken back, friends, profiles, presence, the password.
//!
//! Operations that nobody waits for are answered by an [`crate::Event::Ack`] (its `tim_type` is the command's, `t` the
//! operation's) or by the notice, list or profiles that they are about.

use std::collections::BTreeMap;

use tim_wire::structs::{business, node_kind, operation};
use tim_wire::{Tid, TimMessage, TimNodes, TimPresence, TimReq, TimUserBean};

use crate::{Client, SendError, Sent};

impl Client {
    /// Takes back a message that this account has sent to another one, by its number (`mid`). Both sides get a notice,
    /// its text is erased.
    ///
    /// # Errors
    /// As [`Self::send_message`].
    pub async fn revoke(&self, to: &str, mid: i64) -> Result<Sent, SendError> {
        self.erase(to, mid, operation::REVOKE).await
    }

    /// Burns a message, by its number (`mid`), after it was read: it is erased on both sides.
    ///
    /// # Errors
    /// As [`Self::send_message`].
    pub async fn burn(&self, to: &str, mid: i64) -> Result<Sent, SendError> {
        self.erase(to, mid, operation::BURN).await
    }

    async fn erase(&self, to: &str, mid: i64, kind: i8) -> Result<Sent, SendError> {
        self.send_message(TimMessage {
            mid: Some(mid),
            ..TimMessage::direct(to, kind)
        })
        .await
    }

    /// Ends a friendship; the other side gets a notice.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn remove_friend(&self, node: &str) -> Result<(), SendError> {
        self.about(business::REMOVE_ROSTER, node).await
    }

    /// Blocks an account: it can send this one nothing until this one adds it again.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn block(&self, node: &str) -> Result<(), SendError> {
        self.about(business::BLOCK_ROSTER, node).await
    }

    /// Asks for the accounts that this one blocks, which come as an [`crate::Event::Nodes`].
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn request_blocked(&self) -> Result<(), SendError> {
        self.send_business(TimReq {
            rtype: Some(business::BLOCK_ROSTER_LIST),
            ..TimReq::default()
        })
        .await
    }

    async fn about(&self, rtype: i32, node: &str) -> Result<(), SendError> {
        self.send_business(TimReq {
            rtype: Some(rtype),
            node: Some(node.to_owned()),
            ..TimReq::default()
        })
        .await
    }

    /// Asks for a new password. The sessions that there are go on.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn change_password(&self, old: &str, new: &str) -> Result<(), SendError> {
        self.send_business(TimReq {
            rtype: Some(business::MODIFY_AUTH),
            req_str: Some(old.to_owned()),
            req_str2: Some(new.to_owned()),
            ..TimReq::default()
        })
        .await
    }

    /// Asks for profiles, which come as an [`crate::Event::Nodes`]; accounts that do not exist are left out.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn request_profiles(&self, nodes: &[&str]) -> Result<(), SendError> {
        self.send_nodes(&TimNodes {
            ntype: node_kind::USER_INFO,
            nodelist: Some(nodes.iter().map(|node| (*node).to_owned()).collect()),
            ..TimNodes::default()
        })
        .await
    }

    /// Changes this account's profile: the fields that are given, the others stay.
    ///
    /// # Errors
    /// When there is no connection, or the profile is larger than a frame may be.
    pub async fn change_profile(&self, profile: TimUserBean) -> Result<(), SendError> {
        self.send_nodes(&TimNodes {
            ntype: node_kind::MODIFY_USER,
            // Whose it is, the server knows.
            usermap: Some(BTreeMap::from([(String::new(), profile)])),
            ..TimNodes::default()
        })
        .await
    }

    /// Tells all friends who are online a status of the application's own, or with `to` that account alone.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn tell_status(&self, to: Option<&str>, status: &str) -> Result<(), SendError> {
        self.send_presence(&TimPresence {
            to_tid: to.map(Tid::of),
            status: Some(status.to_owned()),
            ..TimPresence::default()
        })
        .await
    }
}
