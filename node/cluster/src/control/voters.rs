//! Who votes: an odd number up to five, following the nodes with delay. Pure.
//!
//! It grows from one odd number to the next in one change: with two voters, the loss of either one's volume would be the loss
//! of the group. It shrinks by one at a time.

use std::time::Duration;

/// Most voters.
const VOTERS_MAX: usize = 5;
/// A learner is made a voter when it has been there and up to date for this long.
const PROMOTE_AFTER: Duration = Duration::from_secs(3);
/// A voter that has been away for this long is replaced, if somebody can take its place.
const REPLACE_AFTER: Duration = Duration::from_secs(60);
/// A member that has been away for this long counts no more.
const GONE_AFTER: Duration = Duration::from_secs(600);

/// A member of the group as its leader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) is_voter: bool,
    pub(super) presence: Presence,
    /// Has nearly all of the log.
    pub(super) is_up_to_date: bool,
}

/// Whether membership shows its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// Serving, for so long.
    Serving(Duration),
    /// There, but coming or going.
    Other,
    /// Away, for so long.
    Away(Duration),
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Learners to voters, together.
    Promote(Vec<u64>),
    /// Voter to learner.
    Demote(u64),
    /// Learner out of the group.
    Forget(u64),
}

/// The next step, if one is due. `own` is the leader, which is never demoted here.
pub(super) fn next_step(own: u64, members: &[Candidate]) -> Option<Step> {
    let count = members.iter().filter(|member| !member.is_gone()).count();
    let wanted = odd(count.min(VOTERS_MAX));
    let n_voters = members.iter().filter(|member| member.is_voter).count();
    let n_well = members
        .iter()
        .filter(|member| member.is_voter && !member.is_replaceable())
        .count();
    let ready = promotable(members);
    let reachable = odd((n_well + ready.len()).min(wanted));
    if n_well < reachable {
        return Some(Step::Promote(ready[..reachable - n_well].to_vec()));
    }
    if n_voters > wanted {
        // Those away first; then the highest name, which scaling takes first too.
        let voters = members
            .iter()
            .filter(|member| member.is_voter && member.id != own);
        if let Some(voter) = voters.max_by_key(|member| (member.away(), &member.name)) {
            return Some(Step::Demote(voter.id));
        }
    }
    let forgotten = members.iter().find(|member| !member.is_voter && member.is_gone());
    forgotten.map(|member| Step::Forget(member.id))
}

impl Candidate {
    fn away(&self) -> Duration {
        match self.presence {
            Presence::Away(away) => away,
            _ => Duration::ZERO,
        }
    }

    fn is_gone(&self) -> bool {
        self.away() >= GONE_AFTER
    }

    fn is_replaceable(&self) -> bool {
        self.away() >= REPLACE_AFTER
    }

    fn is_promotable(&self) -> bool {
        let settled = matches!(self.presence, Presence::Serving(since) if since >= PROMOTE_AFTER);
        !self.is_voter && self.is_up_to_date && settled
    }
}

/// Who can be made a voter, lowest name first.
fn promotable(members: &[Candidate]) -> Vec<u64> {
    let mut ready: Vec<&Candidate> = members.iter().filter(|member| member.is_promotable()).collect();
    ready.sort_by_key(|member| &member.name);
    ready.iter().map(|member| member.id).collect()
}

/// The largest odd number that is not larger; one for none.
fn odd(number: usize) -> usize {
    number.saturating_sub(1) / 2 * 2 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Presence = Presence::Serving(Duration::from_secs(3_600));

    fn member(id: u64, is_voter: bool, presence: Presence) -> Candidate {
        Candidate {
            id,
            name: format!("chat-{id}"),
            is_voter,
            presence,
            is_up_to_date: true,
        }
    }

    /// Carries out steps until none is left; gives the voters and every number of voters on the way.
    fn settle(mut members: Vec<Candidate>) -> (Vec<u64>, Vec<usize>) {
        let n_voters = |members: &[Candidate]| members.iter().filter(|member| member.is_voter).count();
        let mut numbers = vec![n_voters(&members)];
        while let Some(step) = next_step(0, &members) {
            assert!(numbers.len() < 20, "it ends");
            let mut vote = |id: u64, is_voter: bool| {
                members
                    .iter_mut()
                    .find(|member| member.id == id)
                    .unwrap()
                    .is_voter = is_voter;
            };
            match step {
                Step::Promote(ids) => ids.into_iter().for_each(|id| vote(id, true)),
                Step::Demote(id) => vote(id, false),
                Step::Forget(id) => members.retain(|member| member.id != id),
            }
            numbers.push(n_voters(&members));
        }
        let voters = members
            .iter()
            .filter(|member| member.is_voter)
            .map(|member| member.id);
        (voters.collect(), numbers)
    }

    #[test]
    fn the_number_is_odd_and_at_most_five() {
        for (n_nodes, voters) in [(1, 1), (2, 1), (3, 3), (4, 3), (5, 5), (6, 5), (16, 5)] {
            let members = (0..n_nodes).map(|id| member(id, id == 0, LONG)).collect();
            let (found, numbers) = settle(members);
            assert_eq!(found.len(), voters, "{n_nodes} nodes");
            assert!(
                numbers.iter().all(|number| number % 2 == 1),
                "{numbers:?}: never two"
            );
        }
    }

    #[test]
    fn one_alone_does_not_become_the_second_voter() {
        let joining = member(2, false, Presence::Other);
        let members = vec![member(0, true, LONG), member(1, false, LONG), joining];
        assert_eq!(next_step(0, &members), None);
    }

    #[test]
    fn who_has_just_come_or_lags_or_goes_does_not_vote_yet() {
        let mut late = member(2, false, LONG);
        late.is_up_to_date = false;
        let members = vec![
            member(0, true, LONG),
            member(1, false, Presence::Serving(Duration::from_secs(1))),
            late,
            member(3, false, Presence::Other),
        ];
        assert_eq!(next_step(0, &members), None);
    }

    #[test]
    fn a_voter_that_is_away_is_replaced_if_somebody_can() {
        let away = Presence::Away(Duration::from_secs(61));
        let mut members = vec![
            member(0, true, LONG),
            member(1, true, LONG),
            member(2, true, away),
        ];
        assert_eq!(next_step(0, &members), None, "nobody can: it may come back");
        members.push(member(3, false, LONG));
        assert_eq!(settle(members), (vec![0, 1, 3], vec![3, 4, 3]));
        let briefly = Presence::Away(Duration::from_secs(59));
        let members = vec![
            member(0, true, LONG),
            member(1, true, LONG),
            member(2, true, briefly),
            member(3, false, LONG),
        ];
        assert_eq!(next_step(0, &members), None);
    }

    #[test]
    fn who_is_gone_for_good_is_forgotten_and_the_number_follows() {
        let gone = Presence::Away(Duration::from_secs(601));
        let members = vec![
            member(0, true, LONG),
            member(1, true, gone),
            member(2, true, gone),
        ];
        let (voters, numbers) = settle(members);
        assert_eq!((voters, numbers), (vec![0], vec![3, 2, 1, 1, 1]));
    }

    #[test]
    fn the_leader_is_never_demoted() {
        let members = vec![member(9, true, LONG), member(1, true, LONG)];
        assert_eq!(next_step(9, &members), Some(Step::Demote(1)));
    }
}
