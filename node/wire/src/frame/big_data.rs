//! Big-data frames (section 15): `[command] [length]? [target] [separator] [data]`, in the form with the
//! length that timjs sends and the one without that timgo and atim send.
//!
//! Which form a frame has is decided by its content: bytes 1…4 equal to the length of the message say the
//! long form; a number above any allowed length says that the target begins there; anything else announces
//! more messages that belong to this one.

use bytes::{Bytes, BytesMut};

use super::FLAG;
use crate::Command;

/// First byte, four bytes of length, and at least one more.
const LONG_FORM_LENGTH_MIN: usize = 6;
const LENGTH_FIELD_END: usize = 5;

/// A complete big-data frame.
#[derive(Clone, PartialEq, Eq)]
pub struct BigData {
    /// 95, 96 or 97.
    pub command: Command,
    /// Account, or virtual room; towards clients of 95 and 96 the sender.
    pub node: String,
    /// The data.
    pub data: Bytes,
}

/// Leaves out who and what: no account and no content may reach a log.
impl std::fmt::Debug for BigData {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { command, data, .. } = self;
        formatter
            .debug_struct("BigData")
            .field("command", command)
            .field("data_length", &data.len())
            .finish_non_exhaustive()
    }
}

/// What a WebSocket message of a client is, seen as a big-data frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BigDataPiece {
    /// A whole frame.
    Complete(BigData),
    /// The beginning of a frame of `length` bytes; the following messages of the socket belong to it.
    First {
        /// Length of the whole frame.
        length: usize,
    },
    /// Longer than it says: answered with 4114 of type 96.
    TooLong,
    /// Too short to mean anything, or without a separator: passed over in silence.
    Ignored,
}

impl BigData {
    /// Looks at one message whose command is a big-data one. `length_max` is the largest frame allowed, in
    /// bytes; a frame that announces more has the short form.
    #[must_use]
    pub fn parse(frame: &Bytes, length_max: usize) -> BigDataPiece {
        let Some(command) = big_command(frame) else {
            return BigDataPiece::Ignored;
        };
        if frame.len() < LONG_FORM_LENGTH_MIN {
            return BigDataPiece::Ignored;
        }
        let announced = announced_length(frame);
        if announced == frame.len() {
            return complete(command, &frame.slice(LENGTH_FIELD_END..));
        }
        if announced > length_max {
            return complete(command, &frame.slice(1..));
        }
        if announced < frame.len() {
            return BigDataPiece::TooLong;
        }
        BigDataPiece::First { length: announced }
    }

    /// Reads the form that the server sends: never with a length.
    #[must_use]
    pub fn parse_from_server(command: Command, payload: &Bytes) -> Option<Self> {
        match complete(command, payload) {
            BigDataPiece::Complete(big_data) => Some(big_data),
            _ => None,
        }
    }

    /// The frame that the server sends.
    #[must_use]
    pub fn server_frame(&self) -> Bytes {
        let mut frame = BytesMut::with_capacity(2 + self.node.len() + self.data.len());
        frame.extend_from_slice(&[self.command.number()]);
        self.write_body(&mut frame);
        frame.freeze()
    }

    /// The frame that a client sends, with its length.
    #[must_use]
    pub fn client_frame(&self) -> Bytes {
        let length = LENGTH_FIELD_END + self.node.len() + 1 + self.data.len();
        let mut frame = BytesMut::with_capacity(length);
        frame.extend_from_slice(&[self.command.number()]);
        // Frames of 4 GiB are refused by every WebSocket on the way.
        frame.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        self.write_body(&mut frame);
        frame.freeze()
    }

    fn write_body(&self, frame: &mut BytesMut) {
        frame.extend_from_slice(self.node.as_bytes());
        frame.extend_from_slice(&[separator(self.command)]);
        frame.extend_from_slice(&self.data);
    }
}

fn big_command(frame: &[u8]) -> Option<Command> {
    let number = frame.first()? & !FLAG;
    Command::from_number(number).filter(|command| command.is_big_data())
}

fn announced_length(frame: &[u8]) -> usize {
    let field = frame
        .get(1..)
        .and_then(|rest| rest.first_chunk::<4>())
        .copied()
        .unwrap_or_default();
    usize::try_from(u32::from_be_bytes(field)).unwrap_or(usize::MAX)
}

/// Text ends its target with `|`, bytes with 0x83.
const fn separator(command: Command) -> u8 {
    if matches!(command, Command::BigString) {
        b'|'
    } else {
        0x83
    }
}

fn complete(command: Command, body: &Bytes) -> BigDataPiece {
    let Some(end) = body.iter().position(|byte| *byte == separator(command)) else {
        return BigDataPiece::Ignored;
    };
    match std::str::from_utf8(&body[..end]) {
        Ok(node) => BigDataPiece::Complete(BigData {
            command,
            node: node.to_owned(),
            data: body.slice(end + 1..),
        }),
        Err(_) => BigDataPiece::Ignored,
    }
}

/// Joins the messages of one socket into big-data frames, in bounded memory.
#[derive(Debug)]
pub struct BigDataAssembler {
    length_max: usize,
    begun: Option<Begun>,
}

#[derive(Debug)]
struct Begun {
    collected: BytesMut,
    length: usize,
}

impl BigDataAssembler {
    /// For frames of at most `length_max` bytes.
    #[must_use]
    pub const fn new(length_max: usize) -> Self {
        Self {
            length_max,
            begun: None,
        }
    }

    /// Whether a frame was begun: then every message of the socket belongs to it, whatever its first byte.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.begun.is_some()
    }

    /// Bytes held for a begun frame.
    #[must_use]
    pub fn collected_length(&self) -> usize {
        self.begun.as_ref().map_or(0, |begun| begun.collected.len())
    }

    /// Takes a message. Nothing while a begun frame is not yet whole. As with the reference, a message that
    /// overshoots the frame ends it and stands for itself: the caller treats [`Err`] as a new frame.
    ///
    /// # Errors
    /// Gives the message back when it overshoots the begun frame.
    pub fn push(&mut self, message: Bytes) -> Result<Option<BigDataPiece>, Bytes> {
        let Some(mut begun) = self.begun.take() else {
            return Ok(self.begin(&message));
        };
        let length = begun.collected.len() + message.len();
        if length > begun.length {
            return Err(message);
        }
        begun.collected.extend_from_slice(&message);
        if length < begun.length {
            self.begun = Some(begun);
            return Ok(None);
        }
        Ok(Some(BigData::parse(&begun.collected.freeze(), self.length_max)))
    }

    fn begin(&mut self, message: &Bytes) -> Option<BigDataPiece> {
        match BigData::parse(message, self.length_max) {
            BigDataPiece::First { length } => {
                // Memory is taken as bytes arrive, never as announced.
                self.begun = Some(Begun {
                    collected: BytesMut::from(&message[..]),
                    length,
                });
                None
            }
            piece => Some(piece),
        }
    }
}
