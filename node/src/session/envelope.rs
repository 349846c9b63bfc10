//! What is stored of a message: the addresses of both sides as the sender's session knew them, and the body.
//!
//! `[version 1] [length of the addresses, 2 bytes BE] [addresses: MessageStamp as thrift] [MessageBody]`. The number,
//! the time and the id come from the entry; a delivery splices the two without decoding the body.

use bytes::{BufMut, Bytes, BytesMut};
use tim_core::conversation::{Entry, EntryKind};
use tim_core::id::{AccountId, ContentHash, Seq};
use tim_wire::{DecodeError, Encoding, MessageBody, MessageStamp, Tid, TimMessage, WireStruct};

/// The form that this version writes; others are refused when read.
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 3;

/// Why a stored body cannot be delivered: it was damaged or written by a newer version. It is skipped, not retried.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnvelopeError {
    /// Not written by this version.
    #[error("a stored body has an unknown form")]
    Form,
    /// The addresses or the body are not what they should be.
    #[error("a stored body cannot be read")]
    Content(#[from] DecodeError),
}

/// Addresses and body of a message.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    stamp: MessageStamp,
    body: MessageBody,
}

impl Envelope {
    /// Of a message from a client: its sender is the session, whatever it says itself. The hash stands for what the
    /// client wrote, so that its own retry is recognised from whichever device state it comes. `target` is the message
    /// that is erased, whose number clients are told in place of the entry's own.
    pub(crate) fn seal(
        message: TimMessage,
        from: &Tid,
        to: Option<Tid>,
        target: Option<Seq>,
    ) -> (Bytes, ContentHash) {
        let room_tid = message.room_tid.as_ref().map(|room| Tid::of(room.node.as_str()));
        let stamp = MessageStamp {
            mid: target.map(mid),
            from_tid: Some(from.clone()),
            to_tid: to,
            room_tid,
            ..MessageStamp::default()
        };
        Self::sealed(message, &stamp, target.map_or(0, |target| target.0))
    }

    /// Of what the system says, which names no sender; the room, if it is about one.
    pub(crate) fn seal_system(message: TimMessage, to: Tid) -> (Bytes, ContentHash) {
        let stamp = MessageStamp {
            to_tid: Some(to),
            room_tid: message.room_tid.clone(),
            ..MessageStamp::default()
        };
        Self::sealed(message, &stamp, 0)
    }

    fn sealed(message: TimMessage, stamp: &MessageStamp, seed: u64) -> (Bytes, ContentHash) {
        let (body, _) = MessageBody::split(message);
        let hash = xxhash_rust::xxh3::xxh3_128_with_seed(body.as_bytes(), seed);
        let hash = ContentHash(hash.to_be_bytes());
        let addresses = stamp.encode_payload(Encoding::Thrift);
        let mut bytes = BytesMut::with_capacity(HEADER_BYTES + addresses.len() + body.as_bytes().len());
        bytes.put_u8(VERSION);
        // Addresses hold ids of at most 64 bytes and what a frame's limit leaves; checked where the frame is taken.
        bytes.put_u16(u16::try_from(addresses.len()).unwrap_or(u16::MAX));
        bytes.put_slice(&addresses);
        bytes.put_slice(body.as_bytes());
        (bytes.freeze(), hash)
    }

    /// Reads what was sealed.
    pub(crate) fn open(bytes: &Bytes) -> Result<Self, EnvelopeError> {
        let header = bytes.first_chunk::<HEADER_BYTES>().ok_or(EnvelopeError::Form)?;
        let length = usize::from(u16::from_be_bytes([header[1], header[2]]));
        if header[0] != VERSION || bytes.len() < HEADER_BYTES + length {
            return Err(EnvelopeError::Form);
        }
        let addresses = bytes.slice(HEADER_BYTES..HEADER_BYTES + length);
        Ok(Self {
            stamp: MessageStamp::decode_payload(&addresses, Encoding::Thrift)?,
            body: MessageBody::from_bytes(bytes.slice(HEADER_BYTES + length..))?,
        })
    }

    /// The place of the message that an entry takes back or burns; nothing for another entry.
    pub(crate) fn target_of(entry: &Entry) -> Option<Seq> {
        if !matches!(
            entry.kind,
            EntryKind::Revoke | EntryKind::Burn | EntryKind::RoomRevoke
        ) {
            return None;
        }
        let mid = Self::open(&entry.body).ok()?.stamp.mid?;
        u64::try_from(mid).ok().map(Seq)
    }

    /// The payload of a live delivery or an echo.
    pub(crate) fn payload(
        self,
        entry: &Entry,
        to: &AccountId,
        encoding: Encoding,
    ) -> Result<Bytes, EnvelopeError> {
        let notice = entry.kind.notice_type();
        let (from_tid, to_tid) = addresses(entry, to, self.stamp.from_tid, self.stamp.to_tid);
        let stamp = MessageStamp {
            id: Some(entry.wire_id()),
            mid: self.stamp.mid.or(Some(mid(entry.seq))),
            timestamp: Some(entry.timestamp_ns),
            from_tid,
            to_tid,
            ..self.stamp
        };
        Ok(match notice {
            None => self.body.payload(&stamp, encoding)?,
            Some(_) => {
                let mut message = self.body.message(stamp)?;
                message.bn_type = notice;
                message.encode_payload(encoding)
            }
        })
    }

    /// As it stands in an offline batch or in history: the sender is only its account.
    pub(crate) fn listed(
        self,
        entry: &Entry,
        to: &AccountId,
        offline: bool,
    ) -> Result<(MessageBody, MessageStamp), EnvelopeError> {
        let (from_tid, to_tid) = addresses(entry, to, self.stamp.from_tid, self.stamp.to_tid);
        let only_account = |tid: Option<Tid>| tid.map(|tid| Tid::of(tid.node));
        let stamp = MessageStamp {
            id: offline.then(|| entry.wire_id()),
            mid: self.stamp.mid.or(Some(mid(entry.seq))),
            timestamp: Some(entry.timestamp_ns),
            from_tid: only_account(from_tid),
            to_tid,
            room_tid: self.stamp.room_tid,
            is_offline: offline.then_some(true),
        };
        let Some(notice) = entry.kind.notice_type() else {
            return Ok((self.body, stamp));
        };
        let mut message = self.body.message(MessageStamp::default())?;
        message.bn_type = Some(notice);
        Ok((MessageBody::split(message).0, stamp))
    }

    /// The payload of a message that is relayed and not stored.
    pub(crate) fn relayed(
        self,
        wire_id: i64,
        timestamp_ns: i64,
        encoding: Encoding,
    ) -> Result<Bytes, EnvelopeError> {
        let stamp = MessageStamp {
            id: Some(wire_id),
            timestamp: Some(timestamp_ns),
            ..self.stamp
        };
        Ok(self.body.payload(&stamp, encoding)?)
    }
}

/// Sender and receiver as `to` is told. Whoever joins an open room is told by nobody, and of an application each of those
/// who may let in is the receiver.
fn addresses(
    entry: &Entry,
    to: &AccountId,
    from_tid: Option<Tid>,
    to_tid: Option<Tid>,
) -> (Option<Tid>, Option<Tid>) {
    match entry.kind {
        EntryKind::RoomPassed if entry.audience.contains(&entry.sender) => (None, None),
        EntryKind::RoomApplied => (from_tid, Some(Tid::of(to.as_str()))),
        _ => (from_tid, to_tid),
    }
}

/// tim's number of an entry.
fn mid(seq: Seq) -> i64 {
    i64::try_from(seq.0).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tim_core::id::{DeviceClass, MessageKey};
    use tim_wire::structs::message_kind;

    fn entry(kind: EntryKind, body: Bytes) -> Entry {
        Entry {
            seq: Seq(7),
            kind,
            key: MessageKey([1; 16]),
            sender: AccountId::new("alice").unwrap(),
            sender_class: DeviceClass(1),
            client_id: Some(42),
            timestamp_ns: 1_000,
            audience: Vec::new(),
            body,
        }
    }

    fn bob() -> AccountId {
        AccountId::new("bob").unwrap()
    }

    fn message() -> TimMessage {
        let mut message = TimMessage::direct("bob", 1);
        message.data_string = Some("hello".to_owned());
        message.to_list = Some(vec!["mallory".to_owned()]);
        message.timestamp = Some(5);
        message
    }

    #[test]
    fn a_delivery_has_the_servers_fields_and_the_senders_body() {
        let from = Tid {
            resource: Some("android".to_owned()),
            ..Tid::of("alice")
        };
        let (sealed, _) = Envelope::seal(message(), &from, Some(Tid::of("bob")), None);
        for encoding in Encoding::ALL {
            let payload = Envelope::open(&sealed)
                .unwrap()
                .payload(&entry(EntryKind::Message, sealed.clone()), &bob(), encoding)
                .unwrap();
            let delivered = TimMessage::decode_payload(&payload, encoding).unwrap();
            assert_eq!(delivered.data_string.as_deref(), Some("hello"));
            assert_eq!(
                (delivered.id, delivered.mid, delivered.timestamp),
                (Some(42), Some(7), Some(1_000))
            );
            assert_eq!(delivered.from_tid, Some(from.clone()));
            assert_eq!(delivered.to_node(), Some("bob"));
            assert_eq!(delivered.to_list, None);
            assert_eq!(delivered.ms_type, message_kind::DIRECT);
        }
    }

    #[test]
    fn a_notice_says_which_and_a_listed_sender_is_only_an_account() {
        let from = Tid {
            domain: Some("d".to_owned()),
            ..Tid::of("alice")
        };
        let (sealed, _) = Envelope::seal(message(), &from, Some(Tid::of("bob")), None);
        let request = entry(EntryKind::FriendRequest, sealed.clone());
        let (body, stamp) = Envelope::open(&sealed)
            .unwrap()
            .listed(&request, &bob(), true)
            .unwrap();
        let listed = body.message(stamp).unwrap();
        assert_eq!(listed.bn_type, Some(4));
        assert_eq!(listed.from_tid, Some(Tid::of("alice")));
        assert_eq!(listed.is_offline, Some(true));
    }

    #[test]
    fn a_revoke_tells_the_number_of_what_it_erases() {
        let revoke = |target| {
            let message = TimMessage::direct("bob", 2);
            Envelope::seal(
                message,
                &Tid::of("alice"),
                Some(Tid::of("bob")),
                Some(Seq(target)),
            )
        };
        let (sealed, hash) = revoke(3);
        let envelope = Envelope::open(&sealed).unwrap();
        let payload = envelope
            .clone()
            .payload(
                &entry(EntryKind::Revoke, sealed.clone()),
                &bob(),
                Encoding::Thrift,
            )
            .unwrap();
        let live = TimMessage::decode_payload(&payload, Encoding::Thrift).unwrap();
        assert_eq!((live.od_type, live.mid), (2, Some(3)));
        let (body, stamp) = envelope
            .listed(&entry(EntryKind::Revoke, sealed), &bob(), true)
            .unwrap();
        assert_eq!(body.message(stamp).unwrap().mid, Some(3));
        assert_ne!(hash, revoke(4).1, "another message is another revoke");
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        for bytes in [&b""[..], b"\x01", b"\x01\xff\xff", b"\x02\x00\x00"] {
            assert!(Envelope::open(&Bytes::copy_from_slice(bytes)).is_err());
        }
    }
}
