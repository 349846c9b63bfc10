//! Tags of verified passwords.

use bytes::Bytes;
use tim_proto::peer::v1 as peer;

/// Bytes of a tag.
pub const TAG_BYTES: usize = 32;
/// Most tags in one message.
pub const TAGS_MAX: usize = 512;

/// A tag as it travels.
pub type TagBytes = [u8; TAG_BYTES];

/// Tags to remember.
pub fn remember_request(tags: impl IntoIterator<Item = TagBytes>) -> peer::RememberRequest {
    let tags = tags.into_iter().map(|tag| Bytes::copy_from_slice(&tag));
    peer::RememberRequest { tags: tags.collect() }
}

/// Tags of a message, which has at most [`TAGS_MAX`].
pub fn tags(request: &peer::RememberRequest) -> Option<Vec<TagBytes>> {
    if request.tags.len() > TAGS_MAX {
        return None;
    }
    request.tags.iter().map(tag_of).collect()
}

/// A question for a tag.
pub fn is_remembered_request(tag: &TagBytes) -> peer::IsRememberedRequest {
    peer::IsRememberedRequest {
        tag: Bytes::copy_from_slice(tag),
    }
}

/// The tag that is asked for.
pub fn tag(request: &peer::IsRememberedRequest) -> Option<TagBytes> {
    tag_of(&request.tag)
}

fn tag_of(bytes: &Bytes) -> Option<TagBytes> {
    bytes.as_ref().try_into().ok()
}
