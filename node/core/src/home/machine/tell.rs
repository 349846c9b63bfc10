//! Telling what has become durable: the senders, and then everybody whom it concerns.

use std::sync::Arc;

use imbl::OrdSet;

use crate::conversation::{Entry, EntryKind, MemberCursor, Operation, RoomMove, Verdict, starting_cursor};
use crate::cursor_sets::CursorSets;
use crate::delivery::Committed;
use crate::home::held_back::Held;
use crate::home::hosted::Queued;
use crate::home::machine::answer;
use crate::home::members::Members;
use crate::home::{Config, Effect};
use crate::id::{AccountId, ConversationId, Seq, SessionId};
use crate::mutation::Mutations;
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
    config: &Config,
    effects: &mut Vec<Effect>,
) {
    let mutations = config.mutations;
    let Some((first, _)) = decided.first() else { return };
    let is_room = matches!(first.submission.operation, Operation::Room(_));
    let accounts = first.submission.recipients();
    let (entries, erased) = answer_all(decided, (cursors, &config.cursor_sets), effects);
    if entries.is_empty() {
        return;
    }
    if is_room {
        let members = members.get_or_insert_default();
        return tell_room(conversation, members, entries, &erased, mutations, effects);
    }
    effects.push(Effect::Committed(Committed {
        conversation,
        members: OrdSet::new(),
        others: accounts,
        entries: entries
            .into_iter()
            .map(|told| (told.entry, told.session))
            .collect(),
        erased,
        cursors: cursors.to_vec(),
    }));
}

/// Answers the senders; what is stored, in order, and the places that it erased.
fn answer_all(
    decided: Vec<(Queued, Verdict)>,
    (cursors, sets): (&[MemberCursor], &CursorSets),
    effects: &mut Vec<Effect>,
) -> (Vec<Told>, Vec<Seq>) {
    let mut entries: Vec<Told> = Vec::new();
    let mut erased = Vec::new();
    for (queued, verdict) in decided {
        let submission = &queued.submission;
        let cursor = (!cursors.is_empty())
            .then(|| starting_cursor(cursors, &submission.sender, sets.of(submission.sender_class)));
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

/// Each entry goes to those who were in the room when it was stored: entries between two changes go together. Who came or
/// went is told it at once, the others with what is next said to everybody.
fn tell_room(
    conversation: ConversationId,
    members: &mut Members,
    entries: Vec<Told>,
    erased: &[Seq],
    mutations: Mutations,
    effects: &mut Vec<Effect>,
) {
    let mut groups: Vec<Committed> = Vec::new();
    for told in entries {
        let Told {
            entry,
            session,
            moves,
        } = told;
        if let Some(moves) = moves.filter(|_| !mutations.keep_members()) {
            members.apply(entry.seq, moves);
        }
        if entry.kind.is_quiet_in_room() {
            groups.extend(tell_concerned(conversation, members, &entry, session));
            members.held_back.keep((entry, session));
            continue;
        }
        // Of long ago: those of then find it by their own search.
        let Some(accounts) = members.at(entry.seq) else {
            continue;
        };
        let quiet: Vec<Held> = members.held_back.before(entry.seq).collect();
        members.held_back.told_up_to(entry.seq);
        let is_outside = |account: &&AccountId| !accounts.contains(*account);
        let others: Vec<AccountId> = entry.audience.iter().filter(is_outside).cloned().collect();
        let fits = |group: &&mut Committed| {
            group.members.ptr_eq(&accounts) && group.others.is_empty() && others.is_empty()
        };
        match groups.last_mut().filter(fits) {
            Some(group) => group.entries.extend(quiet.into_iter().chain([(entry, session)])),
            None => groups.push(Committed {
                conversation,
                members: accounts,
                others,
                entries: quiet.into_iter().chain([(entry, session)]).collect(),
                erased: erased.to_vec(),
                cursors: Vec::new(),
            }),
        }
    }
    effects.extend(groups.into_iter().map(Effect::Committed));
}

/// Tells who came or went with an entry, if anybody is told it.
fn tell_concerned(
    conversation: ConversationId,
    members: &Members,
    entry: &Arc<Entry>,
    session: SessionId,
) -> Option<Committed> {
    // Who comes sees nothing of before; who goes is owed it.
    let comes = matches!(entry.kind, EntryKind::RoomPassed | EntryKind::RoomPulled);
    let owed = members.held_back.before(entry.seq).filter(|_| !comes);
    (!entry.audience.is_empty()).then(|| Committed {
        conversation,
        members: OrdSet::new(),
        others: entry.audience.clone(),
        entries: owed.chain([(entry.clone(), session)]).collect(),
        erased: Vec::new(),
        cursors: Vec::new(),
    })
}
