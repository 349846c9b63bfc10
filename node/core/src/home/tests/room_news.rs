use super::*;
use crate::home::held_back::HELD_BACK_MAX;

fn joined(seq: u64, who: &str) -> Verdict {
    stored_in_room(seq, Some(RoomMove::Joined(account(who))), &[who])
}

fn left(seq: u64, who: &str) -> Verdict {
    stored_in_room(seq, Some(RoomMove::Left(account(who))), &[who])
}

/// Each with the places and whom they are told.
fn in_words(told: &[(Vec<u64>, Vec<String>)]) -> Vec<String> {
    let line = |(seqs, to): &(Vec<u64>, Vec<String>)| format!("{seqs:?} to {}", to.concat());
    told.iter().map(line).collect()
}

#[test]
fn an_entry_of_a_room_goes_to_who_was_in_it_then() {
    let mut room = RoomRig::with(&["a", "b", "c"]);
    let told = room.verdicts(vec![
        stored_in_room(10, None, &[]),
        left(11, "c"),
        stored_in_room(12, None, &[]),
        stored_in_room(13, None, &[]),
        joined(14, "d"),
        stored_in_room(15, None, &[]),
    ]);
    let expected = [
        "[10] to abc",
        "[11] to c",
        "[11, 12] to ab",
        "[13] to ab",
        "[14] to d",
        "[14, 15] to abd",
    ];
    let mut all = in_words(&told);
    // What was decided together may go together.
    if let Some(place) = all.iter().position(|line| line == "[11, 12, 13] to ab") {
        all.splice(
            place..=place,
            expected[2..4].iter().map(|line| (*line).to_owned()),
        );
    }
    assert_eq!(all, expected);
}

#[test]
fn who_comes_costs_the_others_nothing_until_somebody_speaks() {
    let mut room = RoomRig::with(&["a", "b"]);
    let told = room.verdicts(vec![joined(10, "c"), joined(11, "d"), left(12, "c")]);
    assert_eq!(
        in_words(&told),
        ["[10] to c", "[11] to d", "[10, 11, 12] to c"],
        "who goes is owed what it has not been told"
    );
    let told = room.verdicts(vec![stored_in_room(13, None, &[])]);
    assert_eq!(in_words(&told), ["[10, 11, 12, 13] to abd"]);
    let told = room.verdicts(vec![stored_in_room(14, None, &[])]);
    assert_eq!(in_words(&told), ["[14] to abd"]);
}

#[test]
fn what_is_held_back_is_bounded() {
    let mut room = RoomRig::with(&["a"]);
    let last = 10 + 2 * HELD_BACK_MAX as u64;
    for seq in 10..last {
        room.verdicts(vec![left(seq, "x")]);
    }
    let told = room.verdicts(vec![stored_in_room(last, None, &[])]);
    let (seqs, _) = &told[0];
    assert_eq!(seqs.len(), HELD_BACK_MAX + 1);
    assert_eq!(seqs.last(), Some(&last));
}
