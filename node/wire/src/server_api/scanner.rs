//! Finds the end of a message in bytes that arrive in pieces.

use super::ProtocolError;
use super::envelope::head;
use crate::DecodeError;
use crate::thrift::{DEPTH_MAX, Kind, Reader};

/// Where a message is, structs and lists around the next value included. Every byte is looked at once, whatever the pieces.
#[derive(Debug)]
pub struct Scanner {
    limit: usize,
    /// Bytes that were passed.
    position: usize,
    has_head: bool,
    open: Vec<Open>,
}

/// What has begun and not ended.
#[derive(Debug)]
enum Open {
    Struct {
        previous: i16,
    },
    /// Values of a list or a map, whose kinds alternate.
    Values {
        kinds: [Kind; 2],
        left: u64,
    },
    /// Bytes of a text, a double or the like.
    Bytes {
        left: u64,
    },
}

/// Why scanning stops.
enum Stop {
    More,
    Failed(ProtocolError),
}

impl From<DecodeError> for Stop {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Truncated { .. } => Self::More,
            error => Self::Failed(error.into()),
        }
    }
}

impl From<ProtocolError> for Stop {
    fn from(error: ProtocolError) -> Self {
        match error {
            ProtocolError::Content(error) => error.into(),
            error => Self::Failed(error),
        }
    }
}

impl Scanner {
    /// For messages of at most so many bytes.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self {
            limit,
            position: 0,
            has_head: false,
            open: Vec::new(),
        }
    }

    /// Goes on in the bytes of a message, which are all that have come since its first one; tells its length once it is
    /// whole, and begins anew behind it then.
    ///
    /// # Errors
    /// When they are no message, or a larger one than is allowed.
    pub fn scan(&mut self, bytes: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let outcome = self.go_on(bytes);
        let length = match outcome {
            Ok(()) => Some(self.position),
            Err(Stop::More) => None,
            Err(Stop::Failed(error)) => return Err(error),
        };
        if length.unwrap_or(bytes.len()) > self.limit {
            return Err(ProtocolError::TooLarge { limit: self.limit });
        }
        if length.is_some() {
            *self = Self::new(self.limit);
        }
        Ok(length)
    }

    fn go_on(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        if !self.has_head {
            let mut reader = Reader::new(bytes);
            head(&mut reader)?;
            self.has_head = true;
            self.position = reader.position();
            self.begin(Open::Struct { previous: 0 })?;
        }
        while !self.open.is_empty() {
            // What is cut off is begun anew with the next piece; it has a few bytes at most.
            let rest = bytes.get(self.position..).unwrap_or_default();
            self.step(rest)?;
        }
        Ok(())
    }

    fn begin(&mut self, open: Open) -> Result<(), Stop> {
        // The bytes of a text are no depth of their own.
        if self.open.len() > DEPTH_MAX {
            return Err(Stop::Failed(DecodeError::Depth { limit: DEPTH_MAX }.into()));
        }
        self.open.push(open);
        Ok(())
    }

    fn step(&mut self, rest: &[u8]) -> Result<(), Stop> {
        let mut reader = Reader::new(rest);
        match self.open.last_mut() {
            None => Ok(()),
            Some(Open::Bytes { left }) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                *left -= taken as u64;
                self.position += taken;
                if *left > 0 {
                    return Err(Stop::More);
                }
                self.open.pop();
                Ok(())
            }
            Some(Open::Struct { previous }) => match reader.field(*previous)? {
                None => {
                    self.position += reader.position();
                    self.open.pop();
                    Ok(())
                }
                Some(field) => {
                    let opened = opens(&mut reader, field.kind, false)?;
                    *previous = field.id;
                    self.position += reader.position();
                    opened.map_or(Ok(()), |open| self.begin(open))
                }
            },
            Some(Open::Values { left: 0, .. }) => {
                self.open.pop();
                Ok(())
            }
            Some(Open::Values { kinds, left }) => {
                let opened = opens(&mut reader, kinds[0], true)?;
                kinds.swap(0, 1);
                *left -= 1;
                self.position += reader.position();
                opened.map_or(Ok(()), |open| self.begin(open))
            }
        }
    }
}

/// Reads the beginning of a value: what it opens, if it is not over with that.
fn opens(reader: &mut Reader<'_>, kind: Kind, is_element: bool) -> Result<Option<Open>, DecodeError> {
    Ok(match kind {
        // In a field the value is in the header.
        Kind::True | Kind::False if !is_element => None,
        Kind::True | Kind::False | Kind::I8 => {
            reader.byte()?;
            None
        }
        Kind::I16 | Kind::I32 | Kind::I64 => {
            reader.varint()?;
            None
        }
        Kind::Double => Some(Open::Bytes { left: 8 }),
        Kind::Uuid => Some(Open::Bytes { left: 16 }),
        Kind::Binary => Some(Open::Bytes {
            left: reader.varint()?,
        }),
        Kind::List | Kind::Set => {
            let byte = reader.byte()?;
            let kind = element(byte & 0x0f)?;
            let left = match byte >> 4 {
                15 => reader.varint()?,
                short => u64::from(short),
            };
            Some(Open::Values {
                kinds: [kind, kind],
                left,
            })
        }
        Kind::Map => match reader.varint()? {
            0 => None,
            count => {
                let byte = reader.byte()?;
                Some(Open::Values {
                    kinds: [element(byte >> 4)?, element(byte & 0x0f)?],
                    left: count.saturating_mul(2),
                })
            }
        },
        Kind::Struct => Some(Open::Struct { previous: 0 }),
    })
}

fn element(code: u8) -> Result<Kind, DecodeError> {
    Kind::from_code(code).ok_or(DecodeError::Kind { code, position: 0 })
}
