//! Lists that the database gives: friends, rooms, members of rooms. All of a list or nothing of it: who is missing in a part
//! would be taken for somebody who does not belong to it.

use super::directory::{Directory, ROOM_MEMBERS, ROOMS, ROSTER, Statement};
use crate::board::{Effect, Place};
use crate::commands::Refusal;
use crate::node::Node;
use std::time::{Duration, Instant};
use tim_catalogue::{Report, node as causes};
use tim_core::id::{AccountId, RoomId};

/// An answer that was too large is shown for so long after it was last met, unless the same question has a good one before.
const SHOWN: Duration = Duration::from_secs(600);

/// The question whose answer was too large last.
#[derive(Debug)]
pub(super) struct TooLarge {
    key: &'static str,
    about: String,
    at: Instant,
}

impl Directory {
    pub(super) async fn roster(&self, account: &AccountId) -> Option<Result<Vec<AccountId>, Refusal>> {
        if self.config.roster.is_empty() {
            return None;
        }
        let asked = self.list((ROSTER, &self.config.roster), account.as_str());
        Some(asked.await.map(|ids| sorted(ids, |id| AccountId::new(id).ok())))
    }

    /// The rooms of an account.
    pub(super) async fn rooms(&self, node: &Node, account: &AccountId) -> Result<Vec<RoomId>, Refusal> {
        let asked = self.list((ROOMS, &self.config.rooms), account.as_str());
        let ids = asked.await?;
        let valid = |id: &String| node.ids.is_valid(id);
        Ok(sorted(ids, |id| {
            Some(id).filter(valid).and_then(|id| RoomId::new(id).ok())
        }))
    }

    /// The members of a room; nobody: there is no such room.
    pub(super) async fn room_members(&self, node: &Node, room: &RoomId) -> Result<Vec<AccountId>, Refusal> {
        let asked = self.list((ROOM_MEMBERS, &self.config.room_members), room.as_str());
        let ids = asked.await?;
        let valid = |id: &String| node.ids.is_valid(id);
        let members = sorted(ids, |id| {
            Some(id).filter(valid).and_then(|id| AccountId::new(id).ok())
        });
        let most = node.config.limits.room_members_max;
        if members.len() > most as usize {
            let observed = format!(
                "{ROOM_MEMBERS}: a room has more members than limits.room_members_max, which is {most}"
            );
            let remedy =
                "raise limits.room_members_max, or make the room smaller; nobody was taken out of it";
            return Err(self.is_too_large((ROOM_MEMBERS, room.as_str()), observed, remedy));
        }
        self.fits((ROOM_MEMBERS, room.as_str()));
        Ok(members)
    }

    async fn list(&self, statement: Statement<'_>, about: &str) -> Result<Vec<String>, Refusal> {
        let rows = self.ask(statement, &[about], 1).await?;
        Ok(rows.into_iter().flatten().collect())
    }

    pub(super) fn has_too_many_rows(&self, (key, parameters): (&'static str, &[&str])) -> Refusal {
        let about = parameters.first().copied().unwrap_or_default();
        let most = self.config.rows_max;
        let observed =
            format!("{key}: an answer has more rows than accounts.database.rows_max, which is {most}");
        let remedy = "raise accounts.database.rows_max, or let the statement answer with fewer rows; until then such \
                      an answer counts for nothing, and nobody is taken out of a room because of it";
        self.is_too_large((key, about), observed, remedy)
    }

    /// That concerns who has asked alone: the database is well, and asked on. Whom it is about is not told.
    fn is_too_large(&self, (key, about): (&'static str, &str), observed: String, remedy: &str) -> Refusal {
        *self.too_large.lock() = Some(TooLarge {
            key,
            about: about.to_owned(),
            at: Instant::now(),
        });
        let refusal = Refusal::answer_of_no_use(&observed);
        let report = Report::new(&causes::USER_DATABASE_FAILS, observed).with_remedy(remedy);
        self.board.raise(Place::UserAnswer, Effect::Told, report);
        refusal
    }

    /// An answer can be taken. That of [`ROOM_MEMBERS`] says so itself: it may have too many members all the same.
    pub(super) fn answered(&self, (key, parameters): (&'static str, &[&str])) {
        if key != ROOM_MEMBERS {
            self.fits((key, parameters.first().copied().unwrap_or_default()));
        }
    }

    fn fits(&self, (key, about): (&'static str, &str)) {
        let mut last = self.too_large.lock();
        let is_over = |last: &TooLarge| (last.key == key && last.about == about) || last.at.elapsed() > SHOWN;
        if last.as_ref().is_some_and(is_over) {
            *last = None;
            self.board.clear(&Place::UserAnswer);
        }
    }
}

/// Each once, in order, without what cannot be an id.
fn sorted<T: Ord>(ids: Vec<String>, id: impl Fn(String) -> Option<T>) -> Vec<T> {
    let mut ids: Vec<T> = ids.into_iter().filter_map(id).collect();
    ids.sort();
    ids.dedup();
    ids
}
