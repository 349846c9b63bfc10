//! What goes into a datagram, checked when it comes out of one.

use super::identity::MemberIdentity;
use bytes::{Buf, BufMut};
use foca::{Codec, Header, Member, Message, PostcardCodec};
use tim_core::id::MAX_NAME_BYTES;

/// Longest zone, in bytes.
pub(super) const ZONE_BYTES_MAX: usize = 64;

/// Why a content is refused. It came from a holder of the secret, so it is a fault, not an attack.
#[derive(Debug, thiserror::Error)]
pub(super) enum CodecError {
    #[error(transparent)]
    Postcard(#[from] postcard::Error),
    #[error("a member without a name, or with too long a name or zone")]
    Member,
}

/// Postcard, and names within their bounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct CheckedCodec;

impl Codec<MemberIdentity> for CheckedCodec {
    type Error = CodecError;

    fn encode_header(
        &mut self,
        header: &Header<MemberIdentity>,
        buffer: impl BufMut,
    ) -> Result<(), CodecError> {
        Ok(PostcardCodec.encode_header(header, buffer)?)
    }

    fn decode_header(&mut self, buffer: impl Buf) -> Result<Header<MemberIdentity>, CodecError> {
        let header: Header<MemberIdentity> = PostcardCodec.decode_header(buffer)?;
        let anybody = header.dst.name.is_empty() && header.message == Message::Announce;
        let named = |identity: &MemberIdentity| check(identity).is_ok();
        let inner = match &header.message {
            Message::PingReq { target, .. } | Message::IndirectAck { target, .. } => named(target),
            Message::IndirectPing { origin, .. } | Message::ForwardedAck { origin, .. } => named(origin),
            _ => true,
        };
        if inner && named(&header.src) && (anybody || named(&header.dst)) {
            Ok(header)
        } else {
            Err(CodecError::Member)
        }
    }

    fn encode_member(
        &mut self,
        member: &Member<MemberIdentity>,
        buffer: impl BufMut,
    ) -> Result<(), CodecError> {
        Ok(PostcardCodec.encode_member(member, buffer)?)
    }

    fn decode_member(&mut self, buffer: impl Buf) -> Result<Member<MemberIdentity>, CodecError> {
        let member: Member<MemberIdentity> = PostcardCodec.decode_member(buffer)?;
        check(member.id())?;
        Ok(member)
    }
}

fn check(identity: &MemberIdentity) -> Result<(), CodecError> {
    let named = !identity.name.is_empty() && identity.name.len() <= MAX_NAME_BYTES;
    if named && identity.zone.len() <= ZONE_BYTES_MAX {
        Ok(())
    } else {
        Err(CodecError::Member)
    }
}
