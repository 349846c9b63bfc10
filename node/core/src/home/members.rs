//! Who is in a room, as its home has it: read when the tenure begins, then changed with every commit. While the tenure
//! lasts nobody else can have changed it, so that no message reads the rows of all members.

use std::collections::VecDeque;

use imbl::OrdSet;

use crate::conversation::RoomMove;
use crate::home::held_back::HeldBack;
use crate::id::{AccountId, Seq};

/// Moves that are kept, to know who was in the room when an entry was stored that is found again later.
const MAX_MOVES: usize = 256;

#[derive(Debug, Clone, Default)]
pub(super) struct Members {
    /// Deliveries under way share what has not changed since.
    accounts: OrdSet<AccountId>,
    /// Behind this place it is known who was in the room.
    known_since: Seq,
    /// Who came and went since then, in order.
    moves: VecDeque<(Seq, RoomMove)>,
    /// What most of them have not been told.
    pub(super) held_back: HeldBack,
}

impl Members {
    /// Everybody in a room in which somebody came or went with the entry `since` last.
    pub(super) fn new(accounts: Vec<AccountId>, since: Seq) -> Self {
        Self {
            accounts: accounts.into_iter().collect(),
            known_since: since,
            moves: VecDeque::new(),
            held_back: HeldBack::default(),
        }
    }

    /// Somebody comes or goes with the entry in a place.
    pub(super) fn apply(&mut self, at: Seq, moves: RoomMove) {
        change(&mut self.accounts, &moves);
        self.moves.push_back((at, moves));
        if self.moves.len() > MAX_MOVES
            && let Some((oldest, _)) = self.moves.pop_front()
        {
            self.known_since = oldest;
        }
    }

    /// How many accounts are held in memory.
    pub(super) fn len(&self) -> usize {
        self.accounts.len()
    }

    /// Who was in the room with the entry in a place; nothing where that is not known any more.
    pub(super) fn at(&self, seq: Seq) -> Option<OrdSet<AccountId>> {
        if seq < self.known_since {
            return None;
        }
        let later = self.moves.iter().rev().take_while(|(at, _)| *at > seq);
        let mut accounts = self.accounts.clone();
        for (_, moves) in later {
            let undone = match moves {
                RoomMove::Joined(account) => RoomMove::Left(account.clone()),
                RoomMove::Left(account) => RoomMove::Joined(account.clone()),
            };
            change(&mut accounts, &undone);
        }
        Some(accounts)
    }
}

fn change(accounts: &mut OrdSet<AccountId>, moves: &RoomMove) {
    match moves {
        RoomMove::Joined(account) => {
            accounts.insert(account.clone());
        }
        RoomMove::Left(account) => {
            accounts.remove(account);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::account;

    fn at(members: &Members, seq: u64) -> Option<Vec<String>> {
        let accounts = members.at(Seq(seq))?;
        Some(accounts.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn who_was_in_the_room_is_known_behind_the_last_change_before_it_was_read() {
        let mut members = Members::new(vec![account("b"), account("a")], Seq(5));
        members.apply(Seq(8), RoomMove::Joined(account("c")));
        members.apply(Seq(9), RoomMove::Left(account("a")));
        let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(at(&members, 4), None);
        assert_eq!(at(&members, 7), names(&["a", "b"]));
        assert_eq!(at(&members, 8), names(&["a", "b", "c"]));
        assert_eq!(at(&members, 9), names(&["b", "c"]));
    }
}
