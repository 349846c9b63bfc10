//! The decision: ids first, then rights, then numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::conversation::room::{self, Step};
use crate::conversation::{
    ConversationBatch, ConversationState, Entry, EntryKind, KnownEntry, Operation, Refusal, Relation,
    Relations, RoomMember, RoomOperation, Side, Submission, Verdict,
};
use crate::id::{AccountId, Seq};

/// What a transaction has to do for one conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The version is the expected one.
    Apply {
        /// One per submission, in order.
        verdicts: Vec<Verdict>,
        /// The row after it.
        state: ConversationState,
        /// The rows of accounts in a room that are different now.
        members: Vec<RoomMember>,
        /// Whether anything is to be written. The version was raised exactly then.
        changed: bool,
    },
    /// The version is another one: nothing is written. What is there all the same is told, so that an unknown
    /// outcome can be settled.
    Conflict {
        /// Per submission the stored entry, if there is one.
        known: Vec<Option<KnownEntry>>,
    },
}

/// What was read under the lock of a conversation.
#[derive(Debug, Clone, Copy, Default)]
pub struct Found<'a> {
    /// The stored entries that any of the submissions might be.
    pub known: &'a [KnownEntry],
    /// The entries in the places that submissions erase.
    pub targets: &'a [KnownEntry],
    /// The rows of the accounts that submissions to a room concern; those without a row are left out.
    pub members: &'a [RoomMember],
}

/// Decides a batch against the locked state of its conversation and what else was found under the lock; `now_ns` is the
/// wall clock in Unix nanoseconds.
///
/// In this order, per submission: is it stored already (by key, then by the client's own id and content)? Is it
/// allowed? Only then it gets a number. A refusal of something that was sent before (`attempt` > 1) raises the
/// version: the attempt before may still be on its way to the database and must not commit after "no" was said.
#[must_use]
pub fn decide(
    state: &ConversationState,
    found: Found<'_>,
    batch: &ConversationBatch,
    now_ns: i64,
) -> Decision {
    let known = found.known;
    if state.version != batch.expected_version {
        let known = batch
            .submissions
            .iter()
            .map(|submission| find(known, submission).cloned())
            .collect();
        return Decision::Conflict { known };
    }
    let mut judge = Judge {
        state: state.clone(),
        changed: false,
        fresh: Vec::new(),
        targets: found.targets,
        erased: Vec::new(),
        members: rows_by_account(found.members),
        changed_members: BTreeMap::new(),
        members_max: batch.room_members_max,
        now_ns,
    };
    let verdicts = batch
        .submissions
        .iter()
        .map(|submission| judge.one(known, submission))
        .collect();
    if judge.changed {
        judge.state.version = state.version.next();
    }
    Decision::Apply {
        verdicts,
        state: judge.state,
        members: judge.changed_members.into_values().collect(),
        changed: judge.changed,
    }
}

fn rows_by_account(members: &[RoomMember]) -> BTreeMap<AccountId, RoomMember> {
    let by_account = members
        .iter()
        .map(|member| (member.account.clone(), member.clone()));
    by_account.collect()
}

/// Whether `sender` may write to `peer` in their conversation.
///
/// # Errors
/// The reason why not.
pub fn may_send(relations: Relations, sender: &AccountId, peer: &AccountId) -> Result<(), Refusal> {
    if sender != peer && relations.are_friends() {
        Ok(())
    } else {
        Err(Refusal::NotFriends)
    }
}

/// [`may_send`] over a conversation's state, for what is relayed and not stored (tim odType 5).
///
/// # Errors
/// The reason why not.
pub fn may_send_between(
    state: &ConversationState,
    sender: &AccountId,
    peer: &AccountId,
) -> Result<(), Refusal> {
    may_send(state.relations, sender, peer)
}

/// The stored entry that a submission is: by key, else by the client's id and content.
fn find<'a>(known: &'a [KnownEntry], submission: &Submission) -> Option<&'a KnownEntry> {
    known
        .iter()
        .find(|entry| entry.key == submission.key)
        .or_else(|| {
            submission.client_id?;
            known.iter().find(|entry| {
                entry.client_id == submission.client_id
                    && entry.sender == submission.sender
                    && entry.content_hash == submission.content_hash
            })
        })
}

struct Judge<'a> {
    state: ConversationState,
    changed: bool,
    /// Stored by this very batch; two attempts of one message may stand in it.
    fresh: Vec<KnownEntry>,
    targets: &'a [KnownEntry],
    /// Erased by this very batch.
    erased: Vec<Seq>,
    /// Rows of accounts of a room, as this batch has left them.
    members: BTreeMap<AccountId, RoomMember>,
    changed_members: BTreeMap<AccountId, RoomMember>,
    members_max: u32,
    now_ns: i64,
}

/// What an allowed operation amounts to.
struct Allowed {
    kind: EntryKind,
    relations: Relations,
    refusal: Option<Refusal>,
    /// What it changes in a room.
    step: Option<Step>,
}

impl Allowed {
    fn of(kind: EntryKind, relations: Relations) -> Self {
        Self {
            kind,
            relations,
            refusal: None,
            step: None,
        }
    }
}

impl Judge<'_> {
    fn one(&mut self, known: &[KnownEntry], submission: &Arc<Submission>) -> Verdict {
        if let Some(entry) = find(known, submission).or_else(|| find(&self.fresh, submission)) {
            return Verdict::Known(entry.clone());
        }
        match self.rights(submission) {
            Err(refusal) => {
                self.changed |= submission.attempt > 1;
                Verdict::Refuse(refusal)
            }
            Ok(allowed) => self.store(submission, allowed),
        }
    }

    fn rights(&self, submission: &Submission) -> Result<Allowed, Refusal> {
        let (sender, peer) = (&submission.sender, &submission.peer);
        let relations = self.state.relations;
        match submission.operation {
            Operation::Message | Operation::Application => {
                self.may_send(submission)?;
                let kind = match submission.operation {
                    Operation::Application => EntryKind::Application,
                    _ => EntryKind::Message,
                };
                Ok(Allowed::of(kind, relations))
            }
            // Who may speak for the system was decided before.
            Operation::System => Ok(Allowed::of(EntryKind::System, relations)),
            Operation::AddFriend => add_friend(relations, sender, peer),
            Operation::RemoveFriend => remove_friend(relations, sender, peer),
            Operation::BlockAccount => block_account(relations, sender, peer),
            Operation::Revoke(target) => {
                self.erasable(submission, target, sender)?;
                Ok(Allowed::of(EntryKind::Revoke, relations))
            }
            Operation::Burn(target) => {
                self.erasable(submission, target, peer)?;
                Ok(Allowed::of(EntryKind::Burn, relations))
            }
            Operation::Room(operation) => self.in_room(operation, submission),
        }
    }

    fn may_send(&self, submission: &Submission) -> Result<(), Refusal> {
        let (sender, peer) = (&submission.sender, &submission.peer);
        if submission.vouched && sender != peer {
            return Ok(());
        }
        may_send(self.state.relations, sender, peer)
    }

    fn in_room(&self, operation: RoomOperation, submission: &Submission) -> Result<Allowed, Refusal> {
        let found = room::Found {
            room: self.state.room.as_ref(),
            members: &self.members,
            seq: self.state.head.next(),
            now_ns: self.now_ns,
            members_max: self.members_max,
        };
        let step = room::judge(&found, operation, submission)?;
        if let RoomOperation::Revoke(target) = operation {
            self.is_there(target, EntryKind::RoomMessage, &submission.sender)?;
        }
        Ok(Allowed {
            step: Some(step),
            ..Allowed::of(EntryKind::Unannounced, self.state.relations)
        })
    }

    /// Whether the message in a place may be erased: it is there, and of whom it has to be.
    fn erasable(&self, submission: &Submission, target: Seq, sent_by: &AccountId) -> Result<(), Refusal> {
        self.may_send(submission)?;
        self.is_there(target, EntryKind::Message, sent_by)
    }

    fn is_there(&self, target: Seq, kind: EntryKind, sent_by: &AccountId) -> Result<(), Refusal> {
        let message = self
            .targets
            .iter()
            .find(|entry| entry.seq == target && entry.kind == kind)
            .filter(|_| !self.erased.contains(&target))
            .ok_or(Refusal::NoSuchMessage)?;
        if message.sender == *sent_by {
            Ok(())
        } else {
            Err(Refusal::NotTheirs)
        }
    }

    fn store(&mut self, submission: &Submission, allowed: Allowed) -> Verdict {
        let becomes_friends = allowed.relations.are_friends() && !self.state.relations.are_friends();
        let (mut kind, mut audience, mut moves) = (allowed.kind, Vec::new(), None);
        if let Some(step) = allowed.step {
            (kind, audience, moves) = (step.kind, step.audience, step.moves);
            if let Some(room) = step.room {
                self.state.room = Some(Arc::new(room));
            }
            if let Some(member) = step.member {
                let account = member.account.clone();
                self.members.insert(account.clone(), member.clone());
                self.changed_members.insert(account, member);
            }
            if let Some(room) = self.state.room.as_mut().filter(|_| kind.is_quiet_in_room()) {
                Arc::make_mut(room).quiet.add(self.state.head.next());
            }
        }
        let entry = Entry {
            seq: self.state.head.next(),
            kind,
            key: submission.key,
            sender: submission.sender.clone(),
            sender_class: submission.sender_class,
            client_id: submission.client_id,
            timestamp_ns: self.now_ns.max(self.state.last_timestamp_ns),
            audience,
            body: match (submission.operation, kind) {
                // How a room was changed is in the room; of the entry the place is enough.
                (Operation::Room(_), EntryKind::Unannounced) => Bytes::new(),
                _ => submission.body.clone(),
            },
        };
        self.state.head = entry.seq;
        self.state.last_timestamp_ns = entry.timestamp_ns;
        self.state.relations = allowed.relations;
        self.changed = true;
        let erases = submission.operation.target();
        self.erased.extend(erases);
        self.fresh.push(KnownEntry::of(&entry, submission.content_hash));
        Verdict::Store {
            entry: Arc::new(entry),
            refusal: allowed.refusal,
            becomes_friends,
            erases,
            moves,
        }
    }
}

/// The rules of adding a friend (specification of the wire, section 12, rtype 4).
fn add_friend(relations: Relations, sender: &AccountId, peer: &AccountId) -> Result<Allowed, Refusal> {
    if sender == peer {
        return Err(Refusal::OwnAccount);
    }
    let side = Side::of(sender, peer);
    let added = relations.with(side, Relation::Added);
    match relations.get(side.other()) {
        Relation::Blocked => Err(Refusal::Blocked),
        Relation::Added if relations.are_friends() => Ok(Allowed {
            refusal: Some(Refusal::AlreadyFriends),
            ..Allowed::of(EntryKind::FriendAccepted, relations)
        }),
        Relation::Added => Ok(Allowed::of(EntryKind::FriendAccepted, added)),
        Relation::None => Ok(Allowed::of(EntryKind::FriendRequest, added)),
    }
}

/// The rules of removing (section 12, rtype 6): both sides' friendship ends and the sender's own block; a block of the
/// other side stays, and nothing is told to somebody who has blocked the sender.
fn remove_friend(relations: Relations, sender: &AccountId, peer: &AccountId) -> Result<Allowed, Refusal> {
    if sender == peer || relations == Relations::default() {
        return Err(Refusal::NotRelated);
    }
    let side = Side::of(sender, peer);
    let removed = relations.with(side, Relation::None);
    Ok(match relations.get(side.other()) {
        Relation::Blocked => Allowed::of(EntryKind::Unannounced, removed),
        Relation::None | Relation::Added => Allowed::of(
            EntryKind::FriendRemoved,
            removed.with(side.other(), Relation::None),
        ),
    })
}

/// The rules of blocking (section 12, rtype 7): friendship ends on both sides; only who had nothing to do with the
/// sender before is told.
fn block_account(relations: Relations, sender: &AccountId, peer: &AccountId) -> Result<Allowed, Refusal> {
    if sender == peer {
        return Err(Refusal::OwnAccount);
    }
    let side = Side::of(sender, peer);
    let kind = if relations == Relations::default() {
        EntryKind::AccountBlocked
    } else {
        EntryKind::Unannounced
    };
    let other = match relations.get(side.other()) {
        Relation::Blocked => Relation::Blocked,
        Relation::None | Relation::Added => Relation::None,
    };
    let blocked = relations.with(side, Relation::Blocked).with(side.other(), other);
    Ok(Allowed::of(kind, blocked))
}

#[cfg(test)]
mod tests;
