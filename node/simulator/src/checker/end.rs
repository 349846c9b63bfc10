//! What can be judged only when the run is over.

use std::collections::HashMap;

use tim_core::id::{ConversationId, SessionId};

use crate::checker::{Checker, Conversation, SessionHistory, Violation};
use crate::event::Member;
use crate::options::SECOND;

/// No message waits longer for a client that is online, troubled times not counted.
const LONGEST_WAIT: u64 = 90 * SECOND;

/// And normally not longer than this: the client may ask for its backlog, or be waited for.
const NORMAL_WAIT: u64 = 10 * SECOND;

/// Before "normally" begins, after the last trouble.
const CONVALESCENCE: u64 = 15 * SECOND;

impl Checker {
    pub(crate) fn finish(&mut self, end: u64) {
        self.check_refusals(end);
        self.check_senders(end);
        let mut found = Vec::new();
        for (id, conversation) in &self.conversations {
            for member in &self.members {
                let of_two = [conversation.pair.0, conversation.pair.1].contains(&member.account);
                if conversation.members.is_some() || of_two {
                    self.check_member(*id, conversation, *member, end, &mut found);
                }
            }
        }
        self.violations.append(&mut found);
    }

    /// What was refused every time it was sent is not stored.
    fn check_refusals(&mut self, end: u64) {
        let wrong: Vec<u64> = self
            .tags
            .iter()
            .filter(|(_, tag)| tag.stored.is_some() && tag.refused > 0 && tag.refused == tag.sessions.len())
            .map(|(number, _)| *number)
            .collect();
        for tag in wrong {
            self.violate("I1", end, format!("t{tag} was refused and is stored"));
        }
    }

    /// What one session said in a conversation is stored in this order.
    fn check_senders(&mut self, end: u64) {
        let mut last: HashMap<(SessionId, ConversationId), (u64, u64)> = HashMap::new();
        let mut wrong = Vec::new();
        for send in &self.sends {
            let number = &send.tag;
            let Some(tag) = self.tags.get(number) else {
                continue;
            };
            let Some(seq) = tag.stored else { continue };
            let stored_at = self
                .conversations
                .get(&tag.conversation)
                .and_then(|conversation| conversation.entries.get(seq as usize - 1))
                .map_or(0, |entry| entry.at);
            // What may have been refused, even where the sender never learnt of it, may be stored later.
            let refused = tag.refused > 0 || !send.allowed;
            if refused || stored_at < send.at {
                continue;
            }
            if let Some((before, before_seq)) = last.insert((send.session, tag.conversation), (*number, seq))
                && before_seq >= seq
            {
                wrong.push(format!(
                    "account {} said t{before} before t{number}, stored at {before_seq} and {seq}",
                    tag.account
                ));
            }
        }
        for what in wrong {
            self.violate("I1", end, what);
        }
    }

    fn check_member(
        &self,
        id: ConversationId,
        conversation: &Conversation,
        member: Member,
        end: u64,
        found: &mut Vec<Violation>,
    ) {
        let began = conversation
            .cursors
            .get(&member)
            .and_then(|moves| moves.first())
            .map(|(_, cursor)| *cursor);
        let none = Vec::new();
        let reached = conversation.reached.get(&member).unwrap_or(&none);
        let sessions: Vec<&SessionHistory> = self
            .sessions
            .iter()
            .filter(|session| session.member == member)
            .collect();
        for (place, entry) in conversation.entries.iter().enumerate() {
            let seq = place as u64 + 1;
            let owed = began.is_none_or(|began| seq > began)
                && entry.needs(member.account)
                && conversation.shows(seq, member.account);
            if !owed {
                continue;
            }
            let at = reached.get(seq as usize).copied().filter(|at| *at > 0);
            if at.is_none() {
                let what = format!("{id} {seq} (t{}) never reached {member:?}", entry.tag);
                found.push(Violation {
                    invariant: "I2",
                    at: end,
                    what,
                });
            } else if let Some(wait) = self.too_long(entry.at, at.unwrap_or(end), &sessions, end) {
                let what = format!(
                    "{id} {seq} (t{}) waited {} s for {member:?}",
                    entry.tag,
                    wait / SECOND
                );
                found.push(Violation {
                    invariant: "I4",
                    at: entry.at,
                    what,
                });
            }
        }
    }

    /// How long an entry waited for a client that was online, if that was too long.
    fn too_long(&self, stored: u64, reached: u64, sessions: &[&SessionHistory], end: u64) -> Option<u64> {
        for session in sessions {
            let from = stored.max(session.from);
            let until = session.until.unwrap_or(end);
            if reached <= from {
                return None;
            }
            if until <= from || !session.confirms {
                continue;
            }
            let wait = reached.min(until) - from;
            let quiet = self
                .trouble
                .is_quiet(from.saturating_sub(CONVALESCENCE), from + NORMAL_WAIT);
            let waited = wait - self.trouble.within(from, from + wait);
            if waited > LONGEST_WAIT || (quiet && wait > NORMAL_WAIT) {
                return Some(wait);
            }
        }
        None
    }
}
