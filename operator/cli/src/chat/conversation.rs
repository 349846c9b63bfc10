//! The lines that were typed, in order: at most one is on its way, so that none overtakes another.

use std::collections::VecDeque;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Idle,
    OnItsWay,
    /// Refused since the two are not friends yet: the line waits for that.
    WaitsForFriend,
}

/// Lines without an outcome.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    lines: VecDeque<String>,
    state: State,
}

impl Outbox {
    /// A line was typed.
    pub(super) fn push(&mut self, line: String) {
        self.lines.push_back(line);
    }

    /// The line to send now; it is on its way then.
    pub(super) fn next(&mut self) -> Option<String> {
        if self.state != State::Idle {
            return None;
        }
        let line = self.lines.front()?.clone();
        self.state = State::OnItsWay;
        Some(line)
    }

    /// The line on its way has its outcome; gives it.
    pub(super) fn finished(&mut self) -> Option<String> {
        self.state = State::Idle;
        self.lines.pop_front()
    }

    /// The line on its way was refused since the two are not friends. Says whether that is news.
    pub(super) fn not_friends(&mut self) -> bool {
        std::mem::replace(&mut self.state, State::WaitsForFriend) != State::WaitsForFriend
    }

    /// The two may be friends now: the line is tried again.
    pub(super) fn try_again(&mut self) {
        if self.state == State::WaitsForFriend {
            self.state = State::Idle;
        }
    }

    /// Whether it waits for a friendship.
    pub(super) fn waits_for_friend(&self) -> bool {
        self.state == State::WaitsForFriend
    }

    /// How many lines have no outcome.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_leave_one_after_the_other() {
        let mut outbox = Outbox::default();
        outbox.push("one".into());
        outbox.push("two".into());
        assert_eq!(outbox.next().as_deref(), Some("one"));
        assert_eq!(outbox.next(), None, "the first has no outcome yet");
        assert_eq!(outbox.finished().as_deref(), Some("one"));
        assert_eq!(outbox.next().as_deref(), Some("two"));
    }

    #[test]
    fn a_line_refused_for_want_of_friendship_keeps_its_place() {
        let mut outbox = Outbox::default();
        outbox.push("one".into());
        outbox.push("two".into());
        outbox.next();
        assert!(outbox.not_friends());
        assert_eq!(outbox.next(), None);
        outbox.try_again();
        assert_eq!(outbox.next().as_deref(), Some("one"));
        assert_eq!(outbox.len(), 2);
    }
}
