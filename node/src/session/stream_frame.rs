//! A frame of a virtual room on its way to the sessions of this node: encoded once per form, however many they are.

use bytes::Bytes;
use std::sync::OnceLock;
use tim_core::id::{AccountId, VirtualRoomId};
use tim_core::stream::{Form, Frame};
use tim_wire::frame::{BigData, server_frame};
use tim_wire::{Command, Encoding, TimStream, WireStruct};

/// A frame, and what was made of it.
#[derive(Debug)]
pub(crate) struct StreamFrame {
    room: VirtualRoomId,
    owner: AccountId,
    frame: Frame,
    thrift: OnceLock<Bytes>,
    json: OnceLock<Bytes>,
    binary: OnceLock<Bytes>,
}

impl StreamFrame {
    pub(crate) fn new(room: VirtualRoomId, owner: AccountId, frame: Frame) -> Self {
        Self {
            room,
            owner,
            frame,
            thrift: OnceLock::new(),
            json: OnceLock::new(),
            binary: OnceLock::new(),
        }
    }

    /// What is written to a client.
    pub(crate) fn bytes(&self, form: Form, encoding: Encoding) -> Bytes {
        let bytes = match (form, encoding) {
            (Form::Binary, _) => self.binary.get_or_init(|| self.raw()),
            (Form::Struct, Encoding::Thrift) => self.thrift.get_or_init(|| self.encoded(encoding)),
            (Form::Struct, Encoding::Json) => self.json.get_or_init(|| self.encoded(encoding)),
        };
        bytes.clone()
    }

    fn raw(&self) -> Bytes {
        let big_data = BigData {
            command: Command::BigBinaryStream,
            node: self.room.as_str().to_owned(),
            data: self.frame.body.clone(),
        };
        big_data.server_frame()
    }

    fn encoded(&self, encoding: Encoding) -> Bytes {
        let stream = TimStream {
            id: self.frame.id,
            v_node: self.room.as_str().to_owned(),
            dtype: self.frame.dtype,
            body: Some(self.frame.body.clone()),
            from_node: self.owner.as_str().to_owned(),
        };
        server_frame(Command::Stream, None, &stream.encode_payload(encoding))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_those_of_the_reference() {
        let frame = Frame {
            id: 1,
            dtype: Some(1),
            body: Bytes::from_static(&[1, 2, 3]),
        };
        let room = VirtualRoomId::new("room").unwrap();
        let frame = StreamFrame::new(room, AccountId::new("own").unwrap(), frame);
        assert_eq!(
            &frame.bytes(Form::Struct, Encoding::Thrift)[..],
            b"\x5e\x16\x02\x18\x04room\x13\x01\x18\x03\x01\x02\x03\x18\x03own\x00"
        );
        assert_eq!(
            &frame.bytes(Form::Binary, Encoding::Json)[..],
            b"\x61room\x83\x01\x02\x03"
        );
        let json = frame.bytes(Form::Struct, Encoding::Json);
        assert!(json.windows(7).any(|part| part == b"\"VNode\""));
    }
}
