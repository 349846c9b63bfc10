//! The rules of rooms (specification of the wire, sections 10, 12 and 13): who may do what, and what it changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{
    MAX_MANAGERS, QuietRuns, Rank, Room, RoomBody, RoomChange, RoomCreation, RoomMember, RoomMove,
    RoomOperation, Standing,
};
use crate::conversation::{EntryKind, Refusal, Relation, Submission};
use crate::id::{AccountId, Seq};

/// What is known when an operation is judged.
pub(crate) struct Found<'a> {
    /// The room, if it is there.
    pub(crate) room: Option<&'a Arc<Room>>,
    /// The rows of the accounts concerned, as this batch has left them.
    pub(crate) members: &'a BTreeMap<AccountId, RoomMember>,
    /// The place that an entry would get.
    pub(crate) seq: Seq,
    /// Wall clock in Unix nanoseconds.
    pub(crate) now_ns: i64,
    /// Most members a room may have.
    pub(crate) members_max: u32,
}

/// What an allowed operation does.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) kind: EntryKind,
    /// Who alone is told; nobody here: everybody, if the kind is told at all.
    pub(crate) audience: Vec<AccountId>,
    /// The room as it is after it, where it differs.
    pub(crate) room: Option<Room>,
    /// The row of an account that it changes.
    pub(crate) member: Option<RoomMember>,
    pub(crate) moves: Option<RoomMove>,
}

impl Step {
    fn of(kind: EntryKind) -> Self {
        Self {
            kind,
            audience: Vec::new(),
            room: None,
            member: None,
            moves: None,
        }
    }
}

/// Judges everything but what a revoke needs to know of its target.
pub(crate) fn judge(
    found: &Found<'_>,
    operation: RoomOperation,
    submission: &Submission,
) -> Result<Step, Refusal> {
    if operation == RoomOperation::Create {
        return create(found, submission);
    }
    let room = found.room.ok_or(Refusal::NoSuchRoom)?;
    let of = Operation {
        found,
        room,
        sender: &submission.sender,
        target: &submission.peer,
    };
    match operation {
        RoomOperation::Message => of.speak(EntryKind::RoomMessage),
        RoomOperation::Revoke(_) => of.speak(EntryKind::RoomRevoke),
        RoomOperation::Admit => of.admit_as_said(),
        RoomOperation::Dismiss => of.dismiss(),
        _ if room.is_mirror() => Err(Refusal::NotAllowed),
        RoomOperation::Create => Err(Refusal::NoSuchRoom),
        RoomOperation::Join => of.join(),
        RoomOperation::Refuse => of.refuse(),
        RoomOperation::Pull => of.pull(),
        RoomOperation::Kick => of.kick(),
        RoomOperation::Block => of.block(),
        RoomOperation::Ban => of.ban(),
        RoomOperation::Leave => of.leave(),
        RoomOperation::Cancel => of.cancel(),
        RoomOperation::Modify => of.modify(submission),
    }
}

fn create(found: &Found<'_>, submission: &Submission) -> Result<Step, Refusal> {
    let made = RoomCreation::from_body(&submission.body).ok_or(Refusal::Malformed)?;
    let founder = submission.sender.clone();
    if founder == AccountId::system() {
        return mirror(found, made);
    }
    if found.room.is_some() {
        return Err(Refusal::AlreadyMember);
    }
    let mut member = RoomMember::stranger(founder.clone());
    member.standing = Standing::MEMBER;
    member.windows.open(before(found.seq));
    Ok(Step {
        room: Some(Room {
            members: 1,
            ..empty(found, made, founder.clone())
        }),
        member: Some(member),
        moves: Some(RoomMove::Joined(founder)),
        ..Step::of(EntryKind::Unannounced)
    })
}

/// A room in which nobody is yet.
fn empty(found: &Found<'_>, made: RoomCreation, founder: AccountId) -> Room {
    Room {
        id: made.id,
        private: made.private,
        founder,
        managers: Vec::new(),
        members: 0,
        members_since: found.seq,
        quiet: QuietRuns::default(),
        cancelled: false,
        created_ns: found.now_ns,
        profile: made.profile,
    }
}

/// A room whose members are said elsewhere. One that is there becomes it as it is, until its members are compared.
fn mirror(found: &Found<'_>, made: RoomCreation) -> Result<Step, Refusal> {
    let system = AccountId::system();
    let room = match found.room {
        Some(room) if room.is_mirror() => return Err(Refusal::AlreadyMember),
        Some(room) => Room {
            founder: system,
            managers: Vec::new(),
            cancelled: false,
            ..room.as_ref().clone()
        },
        None => empty(found, made, system),
    };
    Ok(Step {
        room: Some(room),
        ..Step::of(EntryKind::Unannounced)
    })
}

fn before(seq: Seq) -> Seq {
    Seq(seq.0.saturating_sub(1))
}

/// An operation on a room that is there.
struct Operation<'a> {
    found: &'a Found<'a>,
    room: &'a Room,
    sender: &'a AccountId,
    target: &'a AccountId,
}

impl Operation<'_> {
    fn row(&self, account: &AccountId) -> RoomMember {
        let known = self.found.members.get(account).cloned();
        known.unwrap_or_else(|| RoomMember::stranger(account.clone()))
    }

    fn is_member(&self, account: &AccountId) -> bool {
        self.row(account).standing.is_member()
    }

    fn speak(&self, kind: EntryKind) -> Result<Step, Refusal> {
        if self.is_member(self.sender) {
            Ok(Step::of(kind))
        } else {
            Err(Refusal::NotAMember)
        }
    }

    fn not_cancelled(&self) -> Result<(), Refusal> {
        if self.room.cancelled {
            Err(Refusal::Cancelled)
        } else {
            Ok(())
        }
    }

    fn by_manager(&self) -> Result<Rank, Refusal> {
        let rank = self.room.rank(self.sender);
        if rank >= Rank::Manager && !self.room.cancelled {
            Ok(rank)
        } else {
            Err(Refusal::NotAllowed)
        }
    }

    /// A manager about somebody else, of lower rank.
    fn above_target(&self) -> Result<(), Refusal> {
        let rank = self.by_manager()?;
        if self.sender == self.target {
            return Err(Refusal::OwnAccount);
        }
        if rank > self.room.rank(self.target) {
            Ok(())
        } else {
            Err(Refusal::NotAllowed)
        }
    }

    /// `account` takes part from this entry on, which tells it so.
    fn admit(&self, mut row: RoomMember, kind: EntryKind) -> Result<Step, Refusal> {
        if self.room.members >= self.found.members_max {
            return Err(Refusal::RoomFull);
        }
        row.standing = Standing::MEMBER;
        row.windows.open(before(self.found.seq));
        let account = row.account.clone();
        Ok(Step {
            audience: vec![account.clone()],
            room: Some(Room {
                members: self.room.members + 1,
                members_since: self.found.seq,
                ..self.room.clone()
            }),
            member: Some(row),
            moves: Some(RoomMove::Joined(account)),
            ..Step::of(kind)
        })
    }

    /// `account` takes part no more, if it did. Who is told of it sees this entry as its last.
    fn part(&self, mut row: RoomMember, standing: Standing, kind: EntryKind, is_told: bool) -> Step {
        let was_member = row.standing.is_member();
        row.standing = standing;
        let account = row.account.clone();
        let mut step = Step::of(kind);
        if is_told {
            step.audience.push(account.clone());
        }
        if was_member {
            row.windows.close(if is_told {
                self.found.seq
            } else {
                before(self.found.seq)
            });
            let mut room = self.room.clone();
            room.members = room.members.saturating_sub(1);
            room.members_since = self.found.seq;
            room.managers.retain(|manager| *manager != account);
            step.room = Some(room);
            step.moves = Some(RoomMove::Left(account));
        } else if is_told {
            row.windows.show(self.found.seq);
        }
        step.member = Some(row);
        step
    }

    fn by_system(&self) -> Result<(), Refusal> {
        if *self.sender == AccountId::system() && self.room.is_mirror() {
            Ok(())
        } else {
            Err(Refusal::NotAllowed)
        }
    }

    /// What account and room have done about each other before does not count.
    fn admit_as_said(&self) -> Result<Step, Refusal> {
        self.by_system()?;
        let row = self.row(self.target);
        if row.standing.is_member() {
            return Err(Refusal::AlreadyMember);
        }
        self.admit(row, EntryKind::RoomPulled)
    }

    fn dismiss(&self) -> Result<Step, Refusal> {
        self.by_system()?;
        let row = self.row(self.target);
        if !row.standing.is_member() {
            return Err(Refusal::NothingPending);
        }
        Ok(self.part(row, Standing::default(), EntryKind::RoomKicked, true))
    }

    fn join(&self) -> Result<Step, Refusal> {
        self.not_cancelled()?;
        let mut row = self.row(self.sender);
        if row.standing.is_member() {
            return Err(Refusal::AlreadyMember);
        }
        if row.standing.is_banned() {
            return Err(if self.room.private {
                Refusal::BannedFromPrivate
            } else {
                Refusal::Blocked
            });
        }
        if !self.room.private {
            return self.admit(row, EntryKind::RoomPassed);
        }
        row.standing = Standing::APPLIED;
        Ok(Step {
            audience: self.room.leaders(),
            member: Some(row),
            ..Step::of(EntryKind::RoomApplied)
        })
    }

    fn refuse(&self) -> Result<Step, Refusal> {
        self.not_cancelled()?;
        self.by_manager()?;
        let row = self.row(self.target);
        if row.standing == Standing::APPLIED {
            Ok(self.part(row, Standing::default(), EntryKind::RoomRefused, true))
        } else if row.standing == Standing::default() {
            Err(Refusal::NothingPending)
        } else {
            Err(Refusal::OtherwiseRelated)
        }
    }

    fn pull(&self) -> Result<Step, Refusal> {
        if self.sender == self.target {
            return Err(Refusal::OwnAccount);
        }
        self.not_cancelled()?;
        let is_manager = self.by_manager().is_ok();
        if self.room.private && !is_manager {
            return Err(Refusal::NotAllowed);
        }
        let row = self.row(self.target);
        if row.standing.is_member() {
            return Err(Refusal::AlreadyMember);
        }
        if row.standing.has_blocked() || (row.standing.is_banned() && !is_manager) {
            return Err(Refusal::Blocked);
        }
        let kind = if row.standing == Standing::APPLIED {
            EntryKind::RoomPassed
        } else {
            EntryKind::RoomPulled
        };
        self.admit(row, kind)
    }

    fn kick(&self) -> Result<Step, Refusal> {
        self.above_target()?;
        let row = self.row(self.target);
        if !row.standing.is_member() {
            return Err(Refusal::NothingPending);
        }
        Ok(self.part(row, Standing::default(), EntryKind::RoomKicked, true))
    }

    fn ban(&self) -> Result<Step, Refusal> {
        self.above_target()?;
        let row = self.row(self.target);
        let standing = Standing {
            room: Relation::Blocked,
            account: keeps_block(row.standing.account),
        };
        Ok(self.part(row, standing, EntryKind::Unannounced, false))
    }

    fn block(&self) -> Result<Step, Refusal> {
        self.not_founder()?;
        let row = self.row(self.sender);
        let standing = Standing {
            room: keeps_block(row.standing.room),
            account: Relation::Blocked,
        };
        Ok(self.part(row, standing, EntryKind::Unannounced, false))
    }

    fn leave(&self) -> Result<Step, Refusal> {
        self.not_founder()?;
        let row = self.row(self.sender);
        if row.standing.account != Relation::Added {
            return Err(Refusal::NothingPending);
        }
        let standing = Standing {
            room: keeps_block(row.standing.room),
            account: Relation::None,
        };
        Ok(self.part(row, standing, EntryKind::Unannounced, false))
    }

    fn not_founder(&self) -> Result<(), Refusal> {
        if self.room.rank(self.sender) == Rank::Founder && !self.room.cancelled {
            Err(Refusal::NotAllowed)
        } else {
            Ok(())
        }
    }

    fn cancel(&self) -> Result<Step, Refusal> {
        let alone = self.room.members == 1 && self.is_member(self.sender);
        if self.by_manager()? != Rank::Founder || !alone {
            return Err(Refusal::NotAllowed);
        }
        let row = self.row(self.sender);
        let mut step = self.part(row, Standing::default(), EntryKind::Unannounced, false);
        if let Some(room) = &mut step.room {
            room.cancelled = true;
        }
        Ok(step)
    }

    fn modify(&self, submission: &Submission) -> Result<Step, Refusal> {
        let change = RoomChange::from_body(&submission.body).ok_or(Refusal::Malformed)?;
        let is_founder = self.by_manager()? == Rank::Founder;
        let mut room = self.room.clone();
        room.profile = room.profile.changed_by(&change.profile);
        if let Some(mut managers) = change.managers {
            managers.retain(|manager| *manager != room.founder);
            managers.sort();
            managers.dedup();
            if managers != room.managers {
                self.may_lead(is_founder, &managers)?;
                room.managers = managers;
            }
        }
        // Of others it is passed over: clients of the reference send back what they were told.
        if let Some(founder) = change
            .founder
            .filter(|founder| is_founder && *founder != room.founder)
        {
            room.managers.retain(|manager| *manager != founder);
            room.managers.push(std::mem::replace(&mut room.founder, founder));
            room.managers.sort();
            self.may_lead(is_founder, std::slice::from_ref(&room.founder))?;
            self.may_lead(is_founder, &room.managers)?;
        }
        Ok(Step {
            room: Some(room),
            ..Step::of(EntryKind::Unannounced)
        })
    }

    /// Whether the founder may give these the lead: they take part, and they are not too many.
    fn may_lead(&self, is_founder: bool, accounts: &[AccountId]) -> Result<(), Refusal> {
        if !is_founder {
            return Err(Refusal::NotAllowed);
        }
        let known_leader = |account: &AccountId| self.room.rank(account) > Rank::Plain;
        let fits = |account: &AccountId| known_leader(account) || self.is_member(account);
        if accounts.len() <= MAX_MANAGERS && accounts.iter().all(fits) {
            Ok(())
        } else {
            Err(Refusal::Malformed)
        }
    }
}

/// A block outlives whatever else ends.
fn keeps_block(side: Relation) -> Relation {
    match side {
        Relation::Blocked => Relation::Blocked,
        Relation::None | Relation::Added => Relation::None,
    }
}
