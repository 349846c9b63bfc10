//! Virtual rooms, live streams, and unstructured data to accounts.

use bytes::Bytes;
use tim_wire::frame::BigData;
use tim_wire::structs::virtual_room;
use tim_wire::{Command, TimAck, TimReq, TimStream};
use tokio::sync::oneshot;

use crate::driver::Order;
use crate::{Client, RequestError, SendError};

/// How a subscriber gets what is pushed into a virtual room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamForm {
    /// As an [`crate::Event::Stream`], with type and owner.
    Struct,
    /// As an [`crate::Event::BinaryStream`]: the bytes alone.
    Binary,
}

impl Client {
    /// Makes a virtual room that this account owns; its id. It goes by itself some minutes after the last push.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn create_virtual_room(&self) -> Result<String, RequestError> {
        let ack = self.virtual_room(virtual_room::CREATE, None, None, None).await?;
        Ok(ack.n.unwrap_or_default())
    }

    /// Ends a virtual room. Of somebody else's room nothing happens, and nothing is said.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn remove_virtual_room(&self, room: &str) -> Result<(), RequestError> {
        self.virtual_room(virtual_room::REMOVE, Some(room), None, None)
            .await?;
        Ok(())
    }

    /// Lets an account push into a room of this one.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn grant_push(&self, room: &str, account: &str) -> Result<(), RequestError> {
        self.virtual_room(virtual_room::GRANT, Some(room), Some(account), None)
            .await?;
        Ok(())
    }

    /// Lets an account push no more.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn withdraw_push(&self, room: &str, account: &str) -> Result<(), RequestError> {
        self.virtual_room(virtual_room::WITHDRAW, Some(room), Some(account), None)
            .await?;
        Ok(())
    }

    /// Subscribes, on this connection alone: after an [`crate::Event::Connected`] it has to be done again. Once more with
    /// another form changes the form.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn subscribe(&self, room: &str, form: StreamForm) -> Result<(), RequestError> {
        let number = (form == StreamForm::Binary).then_some(1);
        self.virtual_room(virtual_room::SUBSCRIBE, Some(room), None, number)
            .await?;
        Ok(())
    }

    /// Ends a subscription.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn unsubscribe(&self, room: &str) -> Result<(), RequestError> {
        self.virtual_room(virtual_room::UNSUBSCRIBE, Some(room), None, None)
            .await?;
        Ok(())
    }

    /// Pushes into a virtual room: for those who are subscribed now. A refusal comes as an [`crate::Event::Ack`].
    ///
    /// # Errors
    /// When there is no connection, or the data is too large.
    pub async fn push_stream(&self, room: &str, dtype: Option<i8>, data: Bytes) -> Result<(), SendError> {
        let stream = TimStream {
            v_node: room.to_owned(),
            dtype,
            body: Some(data),
            ..TimStream::default()
        };
        self.send_frame(self.frame(Command::Stream, &stream)?).await
    }

    /// As [`Self::push_stream`], as raw bytes.
    ///
    /// # Errors
    /// When there is no connection, or the data is too large.
    pub async fn push_binary(&self, room: &str, data: Bytes) -> Result<(), SendError> {
        self.send_raw(Command::BigBinaryStream, room, data).await
    }

    /// Sends unstructured text to who is online now, without an echo. A refusal comes as an [`crate::Event::Ack`].
    ///
    /// # Errors
    /// When there is no connection, or the text is too large.
    pub async fn send_big_string(&self, to: &str, text: &str) -> Result<(), SendError> {
        let data = Bytes::copy_from_slice(text.as_bytes());
        self.send_raw(Command::BigString, to, data).await
    }

    /// As [`Self::send_big_string`], with bytes.
    ///
    /// # Errors
    /// When there is no connection, or the data is too large.
    pub async fn send_big_binary(&self, to: &str, data: Bytes) -> Result<(), SendError> {
        self.send_raw(Command::BigBinary, to, data).await
    }

    async fn send_raw(&self, command: Command, node: &str, data: Bytes) -> Result<(), SendError> {
        let big_data = BigData {
            command,
            node: node.to_owned(),
            data,
        };
        self.send_frame(big_data.client_frame()).await
    }

    async fn virtual_room(
        &self,
        rtype: i32,
        room: Option<&str>,
        account: Option<&str>,
        number: Option<i64>,
    ) -> Result<TimAck, RequestError> {
        let request = TimReq {
            rtype: Some(rtype),
            node: room.map(str::to_owned),
            node2: account.map(str::to_owned),
            req_int: number,
            ..TimReq::default()
        };
        let (waiting, answer) = oneshot::channel();
        self.order(Order::VirtualRoom { request, waiting }).await?;
        answer.await.unwrap_or(Err(RequestError::Closed))
    }
}
