//! Telling what has become durable: the senders, and then everybody whom it concerns.

use std::sync::Arc;

use crate::conversation::{Entry, MemberCursor, Operation, RoomMove, Verdict, starting_cursor};
use crate::delivery::Committed;
use crate::home::Effect;
use crate::home::hosted::Queued;
use crate::home::machine::answer;
use crate::home::members::Members;
use crate::id::{AccountId, ConversationId, Seq, SessionId};
use crate::submit::{Answer, rebuild};

/// An entry to be handed to delivery.
struct Told {
    entry: Arc<Entry>,
    session: SessionId,
    moves: Option<RoomMove>,
}

/// Answers the senders, then hands the entries to delivery.
pub(super) fn tell(
    conversation: ConversationId,
    members: &mut Option<Members>,
    decided: Vec<(Queued, Verdict)>,
    cursors: &[MemberCursor],
    effects: &mut Vec<Effect>,
) {
    let Some((first, _)) = decided.first() else { return };
    let is_room = matches!(first.submission.operation, Operation::Room(_));
    let pair = vec![first.submission.sender.clone(), first.submission.peer.clone()];
    let (entries, erased) = answer_all(decided, cursors, effects);
    if entries.is_empty() {
        return;
    }
    if is_room {
        let members = members.get_or_insert_default();
        return tell_room(conversation, members, entries, erased, effects);
    }
    effects.push(Effect::Committed(Committed {
        conversation,
        accounts: Arc::new(pair),
        others: Vec::new(),
        entries: entries.into_iter().map(|told| (told.entry, told.session)).collect(),
        erased,
        cursors: cursors.to_vec(),
    }));
}

/// What is stored although the tenure has ended. To a room nothing is delivered: who is in it now, its new home knows.
pub(super) fn tell_known(
    conversation: ConversationId,
    decided: Vec<(Queued, Verdict)>,
    effects: &mut Vec<Effect>,
) {
    let is_room = |(queued, _): &(Queued, Verdict)| matches!(queued.submission.operation, Operation::Room(_));
    if decided.first().is_some_and(is_room) {
        answer_all(decided, &[], effects);
    } else {
        tell(conversation, &mut None, decided, &[], effects);
    }
}

/// Answers the senders; what is stored, in order, and the places that it erased.
fn answer_all(
    decided: Vec<(Queued, Verdict)>,
    cursors: &[MemberCursor],
    effects: &mut Vec<Effect>,
) -> (Vec<Told>, Vec<Seq>) {
    let mut entries: Vec<Told> = Vec::new();
    let mut erased = Vec::new();
    for (queued, verdict) in decided {
        let submission = &queued.submission;
        let cursor = (!cursors.is_empty())
            .then(|| starting_cursor(cursors, &submission.sender, submission.sender_class));
        let session = queued.stamp.lane.session;
        let said = match verdict {
            Verdict::Store {
                entry,
                refusal,
                erases,
                moves,
                ..
            } => {
                entries.push(Told {
                    entry: entry.clone(),
                    session,
                    moves,
                });
                erased.extend(erases);
                Answer::Stored {
                    entry,
                    refusal,
                    cursor,
                }
            }
            Verdict::Known(known) => {
                // Whoever stored it may have died before delivering it.
                entries.push(Told {
                    entry: Arc::new(rebuild(submission, &known)),
                    session,
                    moves: None,
                });
                Answer::Known { known, cursor }
            }
            Verdict::Refuse(refusal) => Answer::Refused(refusal),
        };
        effects.push(answer(queued, said));
    }
    entries.sort_by_key(|told| told.entry.seq);
    entries.dedup_by_key(|told| told.entry.seq);
    (entries, erased)
}

/// Each entry goes to those who were in the room when it was stored: entries between two changes go together.
fn tell_room(
    conversation: ConversationId,
    members: &mut Members,
    entries: Vec<Told>,
    erased: Vec<Seq>,
    effects: &mut Vec<Effect>,
) {
    let known_since = members.since;
    let mut together: Vec<(Arc<Entry>, SessionId)> = Vec::new();
    let mut commit = |accounts: Arc<Vec<AccountId>>,
                      others: Vec<AccountId>,
                      entries: Vec<(Arc<Entry>, SessionId)>| {
        if !entries.is_empty() {
            effects.push(Effect::Committed(Committed {
                conversation,
                accounts,
                others,
                entries,
                erased: erased.clone(),
                cursors: Vec::new(),
            }));
        }
    };
    for told in entries {
        let Told {
            entry,
            session,
            moves,
        } = told;
        if let Some(moves) = &moves {
            commit(members.accounts(), Vec::new(), std::mem::take(&mut together));
            members.apply(entry.seq, moves);
        } else if entry.seq <= known_since {
            // It is from before the last change of members; those of then find it by their own search.
            continue;
        }
        let others: Vec<AccountId> = entry
            .audience
            .iter()
            .filter(|account| !members.contains(account))
            .cloned()
            .collect();
        if moves.is_some() || !others.is_empty() {
            commit(members.accounts(), Vec::new(), std::mem::take(&mut together));
            commit(members.accounts(), others, vec![(entry, session)]);
        } else {
            together.push((entry, session));
        }
    }
    commit(members.accounts(), Vec::new(), together);
}
