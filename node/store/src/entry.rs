//! Entries in their stored form: what is in columns, and what is sealed.

use bytes::Bytes;
use sea_orm::QueryResult;
use serde::{Deserialize, Serialize};
use tim_core::conversation::{Entry, EntryKind, KnownEntry, Submission};
use tim_core::id::{AccountId, ContentHash, DeviceClass, MessageKey, Seq};

use crate::error::StoreError;
use crate::keys::RowKey;
use crate::read;
use crate::schema::MESSAGE;
use crate::seal::{MAX_SEALED_BYTES, Place};
use crate::store::Database;

/// What is sealed with a body takes at most this much: the sender, its device, the client's id, the content's hash.
const BESIDE_BODY_BYTES: usize = 1_024;

/// The largest body of a message that a database takes.
pub const MAX_BODY_BYTES: usize = MAX_SEALED_BYTES - BESIDE_BODY_BYTES;

/// What of an entry nobody reads without the storage key.
#[derive(Debug, Serialize, Deserialize)]
struct Secret<'a> {
    sender: &'a str,
    sender_class: i8,
    client_id: Option<i64>,
    content_hash: [u8; 16],
    #[serde(borrow)]
    audience: Vec<&'a str>,
    body: &'a [u8],
}

/// An entry and what a retry is recognised by.
struct Opened {
    entry: Entry,
    content_hash: ContentHash,
}

impl Database {
    /// Seals what is secret of a submission, bound to its conversation and message key.
    pub(crate) fn seal_entry(
        &self,
        conversation: &RowKey,
        submission: &Submission,
    ) -> Result<Vec<u8>, StoreError> {
        let secret = Secret {
            sender: submission.sender.as_str(),
            sender_class: submission.sender_class.0,
            client_id: submission.client_id,
            content_hash: submission.content_hash.0,
            audience: Vec::new(),
            body: &submission.body,
        };
        let plain = postcard::to_stdvec(&secret).map_err(|_| self.damaged_entry("it cannot be encoded"))?;
        self.seal(place(&[conversation, &submission.key.0]), &plain)
    }

    /// Seals what is secret of a decided entry: of a room, who is told is known only then.
    pub(crate) fn seal_decided(
        &self,
        conversation: &RowKey,
        entry: &Entry,
        content_hash: ContentHash,
    ) -> Result<Vec<u8>, StoreError> {
        let secret = Secret {
            sender: entry.sender.as_str(),
            sender_class: entry.sender_class.0,
            client_id: entry.client_id,
            content_hash: content_hash.0,
            audience: entry.audience.iter().map(AccountId::as_str).collect(),
            body: &entry.body,
        };
        let plain = postcard::to_stdvec(&secret).map_err(|_| self.damaged_entry("it cannot be encoded"))?;
        self.seal(place(&[conversation, &entry.key.0]), &plain)
    }

    /// Reads an entry from the columns of [`read::ENTRY_COLUMNS`].
    pub(crate) fn entry(
        &self,
        conversation: &RowKey,
        row: &QueryResult,
        column: usize,
    ) -> Result<Entry, StoreError> {
        Ok(self.opened(conversation, row, column)?.entry)
    }

    /// [`Self::entry`] with the hash of its content.
    pub(crate) fn hashed_entry(
        &self,
        conversation: &RowKey,
        row: &QueryResult,
        column: usize,
    ) -> Result<(Entry, ContentHash), StoreError> {
        let Opened { entry, content_hash } = self.opened(conversation, row, column)?;
        Ok((entry, content_hash))
    }

    /// Reads of an entry what decides whether a submission is it.
    pub(crate) fn known_entry(
        &self,
        conversation: &RowKey,
        row: &QueryResult,
        column: usize,
    ) -> Result<KnownEntry, StoreError> {
        let Opened { entry, content_hash } = self.opened(conversation, row, column)?;
        Ok(KnownEntry::of(&entry, content_hash))
    }

    /// What decides whether an entry may be erased, and its sealed part as it is without the body.
    pub(crate) fn erasable(
        &self,
        conversation: &RowKey,
        row: &QueryResult,
        column: usize,
    ) -> Result<(KnownEntry, Vec<u8>), StoreError> {
        let opened = self.opened(conversation, row, column)?;
        let tombstone = self.seal_decided(conversation, &opened.entry.erased(), opened.content_hash)?;
        Ok((KnownEntry::of(&opened.entry, opened.content_hash), tombstone))
    }

    fn opened(&self, conversation: &RowKey, row: &QueryResult, column: usize) -> Result<Opened, StoreError> {
        let error = |error| self.error(error);
        let key = read::key(row, column + 1).map_err(error)?;
        let kind = row.try_get_by_index::<i16>(column + 2).map_err(error)?;
        let kind = EntryKind::from_code(kind).ok_or_else(|| self.damaged_entry("its kind is not known"))?;
        let sealed: Vec<u8> = row.try_get_by_index(column + 4).map_err(error)?;
        let plain = self.open_sealed(place(&[conversation, &key]), sealed)?;
        let secret: Secret<'_> = postcard::from_bytes(&plain)
            .map_err(|_| self.damaged_entry("its sealed part is not understood"))?;
        let sender =
            AccountId::new(secret.sender).map_err(|_| self.damaged_entry("its sender is not a name"))?;
        Ok(Opened {
            content_hash: ContentHash(secret.content_hash),
            entry: Entry {
                seq: Seq(read::number(row, column).map_err(error)?),
                kind,
                key: MessageKey(key),
                sender,
                sender_class: DeviceClass(secret.sender_class),
                client_id: secret.client_id,
                timestamp_ns: row.try_get_by_index(column + 3).map_err(error)?,
                audience: secret
                    .audience
                    .into_iter()
                    .map(AccountId::new)
                    .collect::<Result<_, _>>()
                    .map_err(|_| self.damaged_entry("one of its audience is not a name"))?,
                body: Bytes::copy_from_slice(secret.body),
            },
        })
    }

    fn damaged_entry(&self, reason: &'static str) -> StoreError {
        StoreError::DamagedRow {
            database: self.name().clone(),
            table: MESSAGE.name,
            reason,
        }
    }
}

fn place<'a>(keys: &'a [&'a RowKey]) -> Place<'a> {
    Place {
        table: &MESSAGE,
        column: "sealed",
        keys,
    }
}
