//! What is left in conversations of an account that is deleted: the pure rules, which the store carries out.
//!
//! | in a conversation | becomes |
//! |---|---|
//! | what the account has sent | a tombstone that names nobody, unless its messages are to stay |
//! | what was for the account alone (notices, answers to its applications) | a tombstone that names nobody |
//! | what was for the account and others | stays, for the others |
//! | what others have sent | stays theirs |
//! | its rank in a room | goes: a room that it founded has another founder, or has ended |

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::conversation::{Entry, EntryKind, Room};
use crate::id::{AccountId, Seq};

/// What becomes of the messages that a deleted account has sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SentMessages {
    /// They stay readable for those they were sent to, with the account's id as their sender.
    Kept,
    /// Their content and who sent them goes; their places stay, so that a gap means loss and nothing else.
    Erased,
}

impl Entry {
    /// The entry without a deleted account; nothing when it has nothing to do with it. `is_room` says in what it stands:
    /// a notice between two accounts is for whoever has not caused it.
    #[must_use]
    pub fn without_account(&self, account: &AccountId, sent: SentMessages, is_room: bool) -> Option<Self> {
        if self.sender == *account {
            let stays = sent == SentMessages::Kept && self.kind.is_of_people();
            return (!stays).then(|| self.nobodys());
        }
        if is_room {
            return self.without_audience(account);
        }
        let was_told = self.kind.notice_type().is_some() || self.kind == EntryKind::Unannounced;
        (was_told && self.kind != EntryKind::Tombstone).then(|| self.erased())
    }

    /// What is left where nobody is to be found any more.
    fn nobodys(&self) -> Self {
        Self {
            sender: AccountId::system(),
            client_id: None,
            audience: Vec::new(),
            kind: EntryKind::Tombstone,
            body: Bytes::new(),
            ..self.clone()
        }
    }

    fn without_audience(&self, account: &AccountId) -> Option<Self> {
        let mut left = self.clone();
        left.audience.retain(|told| told != account);
        if left.audience.len() == self.audience.len() {
            return None;
        }
        // Nobody is left who could be told; an empty audience must not become everybody.
        if left.audience.is_empty() {
            left = left.erased();
        }
        Some(left)
    }
}

impl EntryKind {
    /// Whether somebody has written it for others to read.
    fn is_of_people(self) -> bool {
        match self {
            Self::Message
            | Self::Application
            | Self::RoomMessage
            | Self::Revoke
            | Self::Burn
            | Self::RoomRevoke => true,
            Self::FriendRequest
            | Self::FriendAccepted
            | Self::Tombstone
            | Self::FriendRemoved
            | Self::AccountBlocked
            | Self::Unannounced
            | Self::RoomApplied
            | Self::RoomPassed
            | Self::RoomRefused
            | Self::RoomPulled
            | Self::RoomKicked
            | Self::System => false,
        }
    }
}

impl Room {
    /// The room without a deleted account. `was_member` says whether it took part, `head` is the room's newest entry.
    /// What it founded goes to `successor`, and has ended where there is nobody.
    #[must_use]
    pub fn without_account(
        &self,
        account: &AccountId,
        was_member: bool,
        successor: Option<&AccountId>,
        head: Seq,
    ) -> Self {
        let mut left = self.clone();
        left.managers.retain(|manager| manager != account);
        if was_member {
            left.members = left.members.saturating_sub(1);
            left.members_since = head;
        }
        if self.founder == *account {
            match successor.filter(|_| !self.cancelled) {
                Some(successor) => {
                    left.managers.retain(|manager| manager != successor);
                    left.founder = successor.clone();
                }
                None => {
                    left.cancelled = true;
                    left.founder = AccountId::system();
                }
            }
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::{QuietRuns, RoomProfile};
    use crate::fixture::account;
    use crate::id::{DeviceClass, MessageKey, RoomId};

    fn entry(kind: EntryKind, sender: &str, audience: &[&str]) -> Entry {
        Entry {
            seq: Seq(3),
            kind,
            key: MessageKey([1; 16]),
            sender: account(sender),
            sender_class: DeviceClass(1),
            client_id: Some(9),
            timestamp_ns: 5,
            audience: audience.iter().map(|name| account(name)).collect(),
            body: Bytes::from_static(b"hello"),
        }
    }

    #[test]
    fn what_it_sent_names_nobody_any_more() {
        let left = entry(EntryKind::Message, "alice", &[])
            .without_account(&account("alice"), SentMessages::Erased, false)
            .unwrap();
        assert_eq!(
            (left.kind, left.sender, left.client_id, left.body.len(), left.seq),
            (EntryKind::Tombstone, AccountId::system(), None, 0, Seq(3))
        );
    }

    #[test]
    fn messages_may_stay_and_notices_do_not() {
        let left =
            |kind| entry(kind, "alice", &[]).without_account(&account("alice"), SentMessages::Kept, false);
        assert_eq!(left(EntryKind::Message), None);
        assert_eq!(left(EntryKind::FriendRequest).unwrap().kind, EntryKind::Tombstone);
    }

    #[test]
    fn what_others_said_to_it_stays_theirs_and_what_was_told_it_alone_goes() {
        let left =
            |kind| entry(kind, "bob", &[]).without_account(&account("alice"), SentMessages::Erased, false);
        assert_eq!(left(EntryKind::Message), None);
        let notice = left(EntryKind::FriendAccepted).unwrap();
        assert_eq!((notice.kind, notice.body.len()), (EntryKind::Tombstone, 0));
    }

    #[test]
    fn who_else_is_told_in_a_room_still_is() {
        let left = |audience: &[&str]| {
            entry(EntryKind::RoomApplied, "bob", audience).without_account(
                &account("alice"),
                SentMessages::Erased,
                true,
            )
        };
        assert_eq!(left(&["carol"]), None);
        assert_eq!(left(&["alice", "carol"]).unwrap().audience, [account("carol")]);
        assert_eq!(left(&["alice"]).unwrap().kind, EntryKind::Tombstone);
        // A message is for everybody, whoever that is.
        let said = entry(EntryKind::RoomMessage, "bob", &[]);
        assert_eq!(
            said.without_account(&account("alice"), SentMessages::Erased, true),
            None
        );
    }

    fn room(founder: &str, managers: &[&str]) -> Room {
        Room {
            id: RoomId::new("room").unwrap(),
            private: true,
            founder: account(founder),
            managers: managers.iter().map(|name| account(name)).collect(),
            members: 3,
            members_since: Seq(2),
            quiet: QuietRuns::default(),
            cancelled: false,
            created_ns: 0,
            profile: RoomProfile::default(),
        }
    }

    #[test]
    fn a_room_that_it_founded_goes_on_under_another_or_ends() {
        let alice = account("alice");
        let bob = account("bob");
        let handed = room("alice", &["bob"]).without_account(&alice, true, Some(&bob), Seq(7));
        assert_eq!(
            (&handed.founder, handed.managers.len(), handed.members),
            (&bob, 0, 2)
        );
        assert_eq!((handed.members_since, handed.cancelled), (Seq(7), false));
        let ended = room("alice", &[]).without_account(&alice, true, None, Seq(7));
        assert_eq!((ended.founder, ended.cancelled), (AccountId::system(), true));
        let left = room("bob", &["alice"]).without_account(&alice, true, None, Seq(7));
        assert_eq!(
            (left.founder, left.managers.len(), left.cancelled),
            (bob, 0, false)
        );
    }
}
