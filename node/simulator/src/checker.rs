//! Holds the invariants against what happened.
//!
//! Knows what clients said, were told and were handed, and what the databases hold; nothing of the machines in
//! between. What can be judged at once is judged at once, the rest at the end of the run.

mod end;
mod handing;
mod trouble;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tim_core::conversation::EntryKind;
use tim_core::id::{ConversationId, SessionId};

use crate::checker::trouble::Trouble;
use crate::event::Member;
use crate::options::SECOND;

/// Most entries a session may hold in memory: window, offline batch and what is held ahead of a gap.
const MAX_IN_MEMORY: usize = 256 + 10 + 64;

/// A run with so many violations is ended.
const ENOUGH: usize = 5;

/// Something that must not happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which invariant.
    pub invariant: &'static str,
    /// When, in virtual microseconds.
    pub at: u64,
    /// What.
    pub what: String,
}

/// An entry that became durable.
pub(crate) struct StoredEntry {
    pub(crate) conversation: ConversationId,
    pub(crate) pair: (usize, usize),
    pub(crate) seq: u64,
    pub(crate) tag: u64,
    pub(crate) sender: usize,
    pub(crate) kind: EntryKind,
    pub(crate) timestamp_ns: i64,
    /// Whom alone it is for, in a room.
    pub(crate) audience: Vec<usize>,
    /// Who came into a room with it, or went.
    pub(crate) moves: Option<(usize, bool)>,
}

/// An entry that reached a client.
pub(crate) struct Handed {
    pub(crate) session: SessionId,
    pub(crate) member: Member,
    pub(crate) conversation: ConversationId,
    pub(crate) seq: u64,
    pub(crate) tag: u64,
    pub(crate) own: bool,
    pub(crate) to_confirm: bool,
    pub(crate) sent_at: u64,
}

/// What presence knows at a moment at which all nodes are up and of one view.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    pub(crate) view_changed_at: u64,
    /// Live sessions, and whether a look-up finds them.
    pub(crate) sessions: Vec<(SessionId, bool)>,
    /// Sessions that any owner still has.
    pub(crate) registered: Vec<SessionId>,
    /// Most entries that any session holds in memory.
    pub(crate) in_memory: usize,
}

#[derive(Debug)]
struct Truth {
    tag: u64,
    sender: usize,
    kind: EntryKind,
    timestamp_ns: i64,
    at: u64,
    /// When a later entry took its content away.
    erased_at: Option<u64>,
    /// Whom it is for, in a room: those who were in it, or those whom a notice is for.
    of_room: Option<BTreeSet<usize>>,
}

#[derive(Debug, Default)]
struct Conversation {
    pair: (usize, usize),
    /// Who is in it now, if it is a room.
    members: Option<BTreeSet<usize>>,
    entries: Vec<Truth>,
    /// Where each member's row began, and how it moved.
    cursors: BTreeMap<Member, Vec<(u64, u64)>>,
    /// What each member's clients confirmed.
    confirmed: BTreeMap<Member, BTreeSet<u64>>,
    /// When each entry first reached each member; 0 for never.
    reached: BTreeMap<Member, Vec<u64>>,
}

#[derive(Debug)]
struct SessionHistory {
    member: Member,
    from: u64,
    until: Option<u64>,
    dropped_at: Option<u64>,
    confirms: bool,
    seen: BTreeMap<ConversationId, BTreeSet<u64>>,
}

#[derive(Debug)]
struct Tag {
    conversation: ConversationId,
    account: usize,
    sessions: Vec<SessionId>,
    refused: usize,
    stored: Option<u64>,
}

/// Something said once, or once more.
#[derive(Debug)]
struct Send {
    session: SessionId,
    tag: u64,
    at: u64,
    /// The two were friends already: it cannot be refused.
    allowed: bool,
}

/// The checker of one run.
#[derive(Debug, Default)]
pub struct Checker {
    conversations: BTreeMap<ConversationId, Conversation>,
    sessions: Vec<SessionHistory>,
    by_id: HashMap<SessionId, usize>,
    tags: BTreeMap<u64, Tag>,
    /// What was said, in order.
    sends: Vec<Send>,
    members: BTreeSet<Member>,
    trouble: Trouble,
    violations: Vec<Violation>,
    stored: u64,
    delivered: u64,
}

impl Checker {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.violations.len() >= ENOUGH
    }

    pub(crate) fn into_violations(self) -> Vec<Violation> {
        self.violations
    }

    pub(crate) fn stored(&self) -> u64 {
        self.stored
    }

    pub(crate) fn delivered(&self) -> u64 {
        self.delivered
    }

    fn violate(&mut self, invariant: &'static str, at: u64, what: String) {
        self.violations.push(Violation { invariant, at, what });
    }

    /// Until then things may take longer.
    pub(crate) fn trouble(&mut self, from: u64, until: u64) {
        self.trouble.add(from, until);
    }

    pub(crate) fn said(&mut self, tag: u64, member: Member, conversation: ConversationId) {
        let account = member.account;
        let tag_history = Tag {
            conversation,
            account,
            sessions: Vec::new(),
            refused: 0,
            stored: None,
        };
        self.tags.insert(tag, tag_history);
    }

    pub(crate) fn sent(&mut self, now: u64, tag: u64, session: SessionId, allowed: bool) {
        self.sends.push(Send {
            session,
            tag,
            at: now,
            allowed,
        });
        if let Some(tag) = self.tags.get_mut(&tag) {
            tag.sessions.push(session);
        }
    }

    pub(crate) fn refused(&mut self, tag: u64) {
        if let Some(tag) = self.tags.get_mut(&tag) {
            tag.refused += 1;
        }
    }

    /// Nothing was sent, so nothing may be stored: as a refusal.
    pub(crate) fn busy(&mut self, tag: u64) {
        self.refused(tag);
    }

    pub(crate) fn logged_in(&mut self, now: u64, session: SessionId, member: Member, confirms: bool) {
        self.members.insert(member);
        self.by_id.insert(session, self.sessions.len());
        self.sessions.push(SessionHistory {
            member,
            from: now,
            until: None,
            dropped_at: None,
            confirms,
            seen: BTreeMap::new(),
        });
    }

    /// The client's end of a session.
    pub(crate) fn session_left(&mut self, now: u64, session: SessionId) {
        if let Some(history) = self.by_id.get(&session).map(|place| &mut self.sessions[*place]) {
            history.until.get_or_insert(now);
        }
    }

    /// The node's end of a session.
    pub(crate) fn session_dropped(&mut self, now: u64, session: SessionId) {
        self.session_left(now, session);
        if let Some(history) = self.by_id.get(&session).map(|place| &mut self.sessions[*place]) {
            history.dropped_at.get_or_insert(now);
        }
    }

    /// An account is in a room from the start.
    pub(crate) fn in_room(&mut self, conversation: ConversationId, account: usize) {
        let held = self.conversations.entry(conversation).or_default();
        held.members.get_or_insert_default().insert(account);
    }

    pub(crate) fn committed(&mut self, now: u64, stored: &StoredEntry) {
        self.stored += 1;
        let conversation = self.conversations.entry(stored.conversation).or_default();
        conversation.pair = stored.pair;
        let of_room = conversation.told(stored);
        let expected = conversation.entries.len() as u64 + 1;
        let last_ns = conversation
            .entries
            .last()
            .map_or(i64::MIN, |entry| entry.timestamp_ns);
        conversation.entries.push(Truth {
            tag: stored.tag,
            sender: stored.sender,
            kind: stored.kind,
            timestamp_ns: stored.timestamp_ns,
            at: now,
            erased_at: None,
            of_room,
        });
        if stored.seq != expected {
            let what = format!(
                "{}: {} stored where {expected} was due",
                stored.conversation, stored.seq
            );
            self.violate("I1", now, what);
        }
        if stored.timestamp_ns < last_ns {
            self.violate(
                "I1",
                now,
                format!("{}: time ran backwards at {expected}", stored.conversation),
            );
        }
        let earlier = self
            .tags
            .get_mut(&stored.tag)
            .and_then(|tag| tag.stored.replace(stored.seq));
        if let Some(earlier) = earlier {
            let what = format!("t{} stored twice, at {earlier} and {}", stored.tag, stored.seq);
            self.violate("I1", now, what);
        }
    }

    /// A message was revoked or burnt: nobody is owed it any more.
    pub(crate) fn erased(&mut self, now: u64, conversation: &ConversationId, seq: u64) {
        let held = self.conversations.entry(*conversation).or_default();
        match held.entries.get_mut(seq as usize - 1) {
            Some(entry) if entry.kind.is_message() && entry.erased_at.is_none() => {
                entry.erased_at = Some(now);
            }
            _ => self.violate(
                "I1",
                now,
                format!("{conversation}: {seq} was erased, which is no message"),
            ),
        }
    }

    pub(crate) fn cursor_began(
        &mut self,
        now: u64,
        conversation: ConversationId,
        member: Member,
        cursor: u64,
    ) {
        let cursors = &mut self.conversations.entry(conversation).or_default().cursors;
        cursors.insert(member, vec![(now, cursor)]);
    }

    /// A cursor moves only over what the client confirmed, and what needs no confirmation.
    pub(crate) fn cursor_moved(&mut self, now: u64, conversation: ConversationId, member: Member, to: u64) {
        let held = self.conversations.entry(conversation).or_default();
        let moves = held.cursors.entry(member).or_default();
        let from = moves.last().map_or(0, |(_, cursor)| *cursor);
        moves.push((now, to));
        let skipped = (from + 1..=to).find(|seq| {
            let place = *seq as usize - 1;
            let owed = match held.entries.get(place) {
                Some(entry) => entry.needs(member.account) && held.shows(*seq, member.account),
                None => true,
            };
            owed && !held
                .confirmed
                .get(&member)
                .is_some_and(|confirmed| confirmed.contains(seq))
        });
        if to <= from {
            self.violate(
                "I2",
                now,
                format!("{conversation}: cursor of {member:?} went from {from} to {to}"),
            );
        }
        if let Some(skipped) = skipped {
            let what =
                format!("{conversation}: cursor of {member:?} moved to {to} over unconfirmed {skipped}");
            self.violate("I2", now, what);
        }
    }

    pub(crate) fn confirmed(&mut self, conversation: ConversationId, member: Member, seq: u64) {
        let held = self.conversations.entry(conversation).or_default();
        held.confirmed.entry(member).or_default().insert(seq);
    }

    pub(crate) fn probed(&mut self, now: u64, probe: &Probe) {
        if probe.in_memory > MAX_IN_MEMORY {
            self.violate(
                "I3",
                now,
                format!("{} entries in one session's memory", probe.in_memory),
            );
        }
        let settled = now.saturating_sub(probe.view_changed_at) > 12 * SECOND
            && self.trouble.is_quiet(now.saturating_sub(12 * SECOND), now);
        if settled {
            let lost = probe.sessions.iter().find(|(session, found)| {
                !found
                    && self
                        .by_id
                        .get(session)
                        .is_some_and(|place| self.sessions[*place].from + 3 * SECOND < now)
            });
            if let Some((session, _)) = lost {
                self.violate("I5", now, format!("session {session} is not found"));
            }
        }
        if settled && self.trouble.is_quiet(now.saturating_sub(25 * SECOND), now) {
            let ghost = probe.registered.iter().find(|session| {
                let history = self.by_id.get(session).map(|place| &self.sessions[*place]);
                history
                    .and_then(|history| history.dropped_at)
                    .is_some_and(|at| at + 20 * SECOND < now)
            });
            if let Some(session) = ghost {
                self.violate(
                    "I5",
                    now,
                    format!("an entry of the dead session {session} is still there"),
                );
            }
        }
    }
}
