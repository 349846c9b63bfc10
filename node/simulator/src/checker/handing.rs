//! What reaches a client: true, in order, without gap, and not again once its confirmation is durable.

use std::collections::BTreeSet;

use tim_core::conversation::EntryKind;

use crate::checker::{Checker, Conversation, Handed, StoredEntry, Truth};
use crate::event::Member;
use crate::options::SECOND;

/// So long a committed message may look for its receiver at a home that does not learn of the erasure.
const UNDER_WAY: u64 = 20 * SECOND;

impl Truth {
    /// Whether a client of an account has to confirm it: its own it is only told, except in rooms.
    pub(super) fn needs(&self, account: usize) -> bool {
        self.of_room.is_some() || self.sender != account
    }
}

impl Conversation {
    /// Takes down who is in a room; whom an entry of it is for.
    pub(super) fn told(&mut self, stored: &StoredEntry) -> Option<BTreeSet<usize>> {
        let members = self.members.as_mut()?;
        match stored.moves {
            Some((account, true)) => members.insert(account),
            Some((account, false)) => members.remove(&account),
            None => false,
        };
        Some(match stored.kind {
            EntryKind::RoomMessage | EntryKind::RoomRevoke => members.clone(),
            _ => stored.audience.iter().copied().collect(),
        })
    }

    /// Whether clients of an account ever see an entry.
    pub(super) fn shows(&self, seq: u64, account: usize) -> bool {
        self.entries
            .get(seq as usize - 1)
            .is_some_and(|entry| match entry.kind {
                EntryKind::RoomMessage
                | EntryKind::RoomRevoke
                | EntryKind::RoomApplied
                | EntryKind::RoomPassed
                | EntryKind::RoomRefused
                | EntryKind::RoomPulled
                | EntryKind::RoomKicked => {
                    let is_for = |told: &BTreeSet<usize>| told.contains(&account);
                    entry.erased_at.is_none() && entry.of_room.as_ref().is_some_and(is_for)
                }
                EntryKind::Message
                | EntryKind::Application
                | EntryKind::Revoke
                | EntryKind::Burn
                | EntryKind::System => entry.erased_at.is_none(),
                EntryKind::FriendRequest
                | EntryKind::FriendAccepted
                | EntryKind::FriendRemoved
                | EntryKind::AccountBlocked => entry.sender != account,
                EntryKind::Tombstone | EntryKind::Unannounced => false,
            })
    }

    /// The member's durable cursor at a moment; where it has no row, where it would begin.
    fn cursor_at(&self, member: Member, at: u64) -> u64 {
        let of = |moves: &Vec<(u64, u64)>| {
            let behind = moves.partition_point(|(moved, _)| *moved <= at);
            moves[..behind].last().map(|(_, cursor)| *cursor)
        };
        self.cursors.get(&member).and_then(of).unwrap_or_else(|| {
            let others = self
                .cursors
                .iter()
                .filter(|(other, _)| other.account == member.account);
            others
                .filter_map(|(_, moves)| of(moves))
                .max()
                .unwrap_or_default()
        })
    }
}

impl Checker {
    pub(crate) fn handed(&mut self, now: u64, handed: &Handed) {
        self.delivered += 1;
        // The answer to its sender, who does not know yet that it was erased: it has no place any more.
        let late_answer = handed.own && self.is_erased(handed);
        let wrong = self.wrong_entry(handed);
        if let Some(what) = wrong.or_else(|| (!late_answer).then(|| self.wrong_place(handed)).flatten()) {
            let Handed {
                conversation,
                seq,
                tag,
                member,
                session,
                ..
            } = handed;
            let what = format!("{conversation} {seq} (t{tag}) to {member:?} session {session}: {what}");
            self.violate("I1", now, what);
        }
        if late_answer {
            return;
        }
        if let Some(place) = self.by_id.get(&handed.session) {
            self.sessions[*place]
                .seen
                .entry(handed.conversation)
                .or_default()
                .insert(handed.seq);
        }
        let reached = &mut self.conversations.entry(handed.conversation).or_default().reached;
        let times = reached.entry(handed.member).or_default();
        let place = handed.seq as usize;
        if times.len() <= place {
            times.resize(place + 1, 0);
        }
        if times[place] == 0 {
            times[place] = now;
        }
    }

    fn is_erased(&self, handed: &Handed) -> bool {
        let entries = self
            .conversations
            .get(&handed.conversation)
            .map(|held| &held.entries);
        entries
            .and_then(|entries| entries.get(handed.seq as usize - 1))
            .is_some_and(|entry| entry.erased_at.is_some())
    }

    /// It has to be what the database holds, or held before it was erased, under this number.
    fn wrong_entry(&self, handed: &Handed) -> Option<String> {
        let conversation = self.conversations.get(&handed.conversation)?;
        match conversation.entries.get(handed.seq as usize - 1) {
            None => Some("it is not durable".to_owned()),
            Some(entry)
                if entry
                    .of_room
                    .as_ref()
                    .is_some_and(|told| !told.contains(&handed.member.account)) =>
            {
                Some("it is not for this account".to_owned())
            }
            Some(entry) if entry.tag != handed.tag => Some(format!("there is t{} in this place", entry.tag)),
            Some(entry) => {
                let session = self
                    .by_id
                    .get(&handed.session)
                    .map(|place| &self.sessions[*place])?;
                // A delivery that was under way may still arrive, once its receiver has been found.
                let before = entry.erased_at.is_some_and(|at| at + UNDER_WAY < session.from);
                (before && !handed.own).then(|| "it was erased long before the session began".to_owned())
            }
        }
    }

    fn wrong_place(&self, handed: &Handed) -> Option<String> {
        let conversation = self.conversations.get(&handed.conversation)?;
        let session = self
            .by_id
            .get(&handed.session)
            .map(|place| &self.sessions[*place])?;
        let seen = session.seen.get(&handed.conversation);
        let highest = seen.and_then(|seen| seen.last().copied()).unwrap_or_default();
        let again = seen.is_some_and(|seen| seen.contains(&handed.seq));
        if !handed.own && conversation.cursor_at(handed.member, session.from) >= handed.seq {
            return Some("its confirmation was durable before the login".to_owned());
        }
        if again {
            let durable = conversation.cursor_at(handed.member, handed.sent_at) >= handed.seq;
            let wrong = durable && session.confirms && handed.to_confirm;
            return wrong.then(|| "it was given again although confirmed".to_owned());
        }
        if handed.seq < highest {
            let repeated = handed.own
                && self
                    .tags
                    .get(&handed.tag)
                    .is_some_and(|tag| tag.sessions.len() > 1);
            return (!repeated).then(|| format!("after {highest}"));
        }
        let floor = highest.max(conversation.cursor_at(handed.member, handed.sent_at));
        let missing = (floor + 1..handed.seq).find(|seq| conversation.shows(*seq, handed.member.account));
        missing.map(|missing| format!("before {missing}"))
    }
}
