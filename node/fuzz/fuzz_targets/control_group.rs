//! What members of the control group send each other, inside what Raft wraps around it: a state (of a snapshot, or read from
//! a peer) in the first line, and a command of the log in every further one. Whatever is taken must leave a map that
//! every slot finds its range in, and a state that comes back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tim_core::control::{Command, ControlState};
use tim_core::id::Slot;
use tim_core::placement::SLOT_COUNT;

fuzz_target!(|input: &[u8]| {
    let mut lines = input.split(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let mut state: ControlState = serde_json::from_slice(first).unwrap_or_default();
    check(&state);
    for line in lines {
        if let Ok(command) = serde_json::from_slice::<Command>(line) {
            state.apply(command);
            check(&state);
        }
    }
});

fn check(state: &ControlState) {
    let written = serde_json::to_vec(state).expect("a state can be written");
    let read: ControlState = serde_json::from_slice(&written).expect("what was written can be read");
    assert_eq!(&read, state);
    let _ = state.running();
    let Some(map) = &state.map else {
        return;
    };
    let mut from = Slot(0);
    for range in map.ranges() {
        assert_eq!(range.from, from);
        assert_eq!(map.range_of(from), range);
        from = map.end_of(from);
    }
    assert_eq!(from, Slot(SLOT_COUNT));
}
