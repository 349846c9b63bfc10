//! Frames of the administrators' WebSocket (section 19.3): a command byte and a thrift payload, or raw parts between marks.

use bytes::{BufMut, Bytes, BytesMut};

use super::beans::{AdmAck, AdmSubBean, AuthBean};
use crate::{DecodeError, Encoding, WireStruct};

/// Between the parts of a push.
const MARK: u8 = 0x83;

/// The first byte of a frame.
pub mod socket_command {
    /// A sign of life, answered by the same.
    pub const PING: u8 = 11;
    /// Who it is; and the answer to whatever is answered.
    pub const AUTH: u8 = 12;
    /// What it wants to be told of; and what it is told.
    pub const SUBSCRIBE: u8 = 13;
    /// Bytes for a virtual room.
    pub const PUSH: u8 = 17;
}

/// A frame from a console user's program.
#[derive(Debug, Clone, PartialEq)]
pub enum SocketFrame {
    /// A sign of life.
    Ping,
    /// Who it is.
    Auth(AuthBean),
    /// What it wants to be told of.
    Subscribe(AdmSubBean),
    /// Bytes for a virtual room.
    Push {
        /// The virtual room.
        room: String,
        /// In whose name.
        from: String,
        /// What is pushed.
        data: Bytes,
    },
    /// 14 to 16 do nothing; nor does what nobody knows.
    Other(u8),
}

impl SocketFrame {
    /// Reads a frame.
    ///
    /// # Errors
    /// When it is empty, its payload cannot be read, or a part is missing.
    pub fn read(frame: &Bytes) -> Result<Self, DecodeError> {
        let short = DecodeError::FrameTooShort { length: frame.len() };
        let Some(command) = frame.first() else {
            return Err(short);
        };
        let payload = frame.slice(1..);
        Ok(match *command {
            socket_command::PING => Self::Ping,
            socket_command::AUTH => Self::Auth(AuthBean::decode_payload(&payload, Encoding::Thrift)?),
            socket_command::SUBSCRIBE => {
                Self::Subscribe(AdmSubBean::decode_payload(&payload, Encoding::Thrift)?)
            }
            socket_command::PUSH => {
                let (room, rest) = part(&payload).ok_or(short.clone())?;
                let (from, data) = part(&rest).ok_or(short)?;
                Self::Push { room, from, data }
            }
            other => Self::Other(other),
        })
    }

    /// Writes a frame.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Self::Ping => Bytes::from_static(&[socket_command::PING]),
            Self::Auth(bean) => framed(socket_command::AUTH, bean),
            Self::Subscribe(bean) => framed(socket_command::SUBSCRIBE, bean),
            Self::Push { room, from, data } => {
                let mut frame = BytesMut::with_capacity(3 + room.len() + from.len() + data.len());
                frame.put_u8(socket_command::PUSH);
                frame.put_slice(room.as_bytes());
                frame.put_u8(MARK);
                frame.put_slice(from.as_bytes());
                frame.put_u8(MARK);
                frame.put_slice(data);
                frame.freeze()
            }
            Self::Other(command) => Bytes::copy_from_slice(&[*command]),
        }
    }
}

/// The text before the next mark, and what is behind it. Ids have no byte that could be taken for one.
fn part(bytes: &Bytes) -> Option<(String, Bytes)> {
    let end = bytes.iter().position(|byte| *byte == MARK)?;
    let text = std::str::from_utf8(&bytes[..end]).ok()?.to_owned();
    Some((text, bytes.slice(end + 1..)))
}

fn framed(command: u8, payload: &impl WireStruct) -> Bytes {
    let payload = payload.encode_payload(Encoding::Thrift);
    let mut frame = BytesMut::with_capacity(1 + payload.len());
    frame.put_u8(command);
    frame.put_slice(&payload);
    frame.freeze()
}

/// An answer.
#[must_use]
pub fn socket_answer(ack: &AdmAck) -> Bytes {
    framed(socket_command::AUTH, ack)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn frames_are_as_the_specification_says() {
        let push = SocketFrame::Push {
            room: "ab".to_owned(),
            from: "c".to_owned(),
            data: Bytes::from_static(&[MARK, 1]),
        };
        assert_eq!(push.to_bytes(), &[17, b'a', b'b', 0x83, b'c', 0x83, 0x83, 1][..]);
        assert_eq!(SocketFrame::read(&push.to_bytes()), Ok(push));
        let ack = AdmAck {
            ok: Some(true),
            ..AdmAck::default()
        };
        assert_eq!(socket_answer(&ack), &[0x0c, 0x11, 0][..]);
        for broken in [
            &[][..],
            &[17, b'a'],
            &[17, b'a', 0x83, b'c'],
            &[17, 0xff, 0x83, 0x83],
            &[12],
            &[13, 0x1e],
        ] {
            assert!(
                SocketFrame::read(&Bytes::copy_from_slice(broken)).is_err(),
                "{broken:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn whatever_can_be_read_comes_back(bytes: Vec<u8>) {
            if let Ok(frame) = SocketFrame::read(&bytes.into()) {
                prop_assert_eq!(SocketFrame::read(&frame.to_bytes()), Ok(frame));
            }
        }
    }
}
