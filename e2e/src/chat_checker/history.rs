//! What was sent and what came, and what is wrong with it. Pure, so that the judge itself is tested.

use std::collections::BTreeMap;

/// A message, by its number in the order of sending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentMessage {
    /// 0, 1, 2, … of its sender.
    pub number: u64,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a message, as its sender knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing yet.
    Waiting,
    /// Acknowledged, with its number in the conversation.
    Stored {
        /// That number.
        mid: i64,
    },
    /// Refused: it must never arrive.
    Refused(String),
    /// It may arrive, once.
    Unknown(String),
}

impl Outcome {
    /// Whether it was acknowledged.
    pub fn is_stored(&self) -> bool {
        matches!(self, Self::Stored { .. })
    }
}

/// A delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The sender's number.
    pub number: u64,
    /// Number in the conversation.
    pub mid: i64,
    /// The message's id.
    pub id: i64,
}

/// One way of a conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Direction {
    /// Who to whom.
    pub name: String,
    /// In the order of sending.
    pub sent: Vec<SentMessage>,
    /// In the order of arrival, with repetitions.
    pub received: Vec<Received>,
}

/// Both ways.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conversation {
    /// One per sender.
    pub directions: [Direction; 2],
}

/// Everything that must not be, one line each.
pub fn judge(conversation: &Conversation) -> Vec<String> {
    let mut violations = Vec::new();
    let mut owner_of_mid: BTreeMap<i64, (usize, u64)> = BTreeMap::new();
    for (side, direction) in conversation.directions.iter().enumerate() {
        let mut say = |text: String| violations.push(format!("{}: {text}", direction.name));
        let first = first_deliveries(direction, &mut say);
        check_outcomes(direction, &first, &mut say);
        check_order(direction, &mut say);
        let stored = direction.sent.iter().filter_map(|sent| match sent.outcome {
            Outcome::Stored { mid } => Some((sent.number, mid)),
            _ => None,
        });
        for (number, mid) in stored.chain(first.iter().map(|(number, received)| (*number, received.mid))) {
            let owner = *owner_of_mid.entry(mid).or_insert((side, number));
            if owner != (side, number) {
                say(format!(
                    "message {number} has number {mid} of the conversation, which another message has too"
                ));
            }
        }
    }
    violations
}

/// The first delivery of each message; complains of a later one that differs, and of an order that is not the conversation's.
fn first_deliveries<'a>(
    direction: &'a Direction,
    say: &mut impl FnMut(String),
) -> BTreeMap<u64, &'a Received> {
    let mut first: BTreeMap<u64, &Received> = BTreeMap::new();
    let mut highest = i64::MIN;
    for received in &direction.received {
        let number = received.number;
        if let Some(before) = first.get(&number) {
            if (before.mid, before.id) != (received.mid, received.id) {
                say(format!(
                    "message {number} is doubled: it came as number {} and {} of the conversation",
                    before.mid, received.mid
                ));
            }
            continue;
        }
        if received.mid < highest {
            say(format!(
                "message {number} (number {} of the conversation) came after number {highest}",
                received.mid
            ));
        }
        highest = highest.max(received.mid);
        first.insert(number, received);
    }
    first
}

fn check_outcomes(direction: &Direction, first: &BTreeMap<u64, &Received>, say: &mut impl FnMut(String)) {
    for SentMessage { number, outcome } in &direction.sent {
        match (outcome, first.get(number)) {
            (Outcome::Stored { mid }, None) => say(format!(
                "message {number} (number {mid}) was acknowledged and is lost"
            )),
            (Outcome::Stored { mid }, Some(received)) if received.mid != *mid => {
                say(format!(
                    "message {number} was acknowledged as number {mid} and came as {}",
                    received.mid
                ));
            }
            (Outcome::Refused(reason), Some(received)) => {
                say(format!(
                    "message {number} was refused ({reason}) and came as number {}",
                    received.mid
                ));
            }
            (Outcome::Waiting, _) => say(format!("message {number} has no outcome")),
            _ => {}
        }
    }
}

/// Acknowledged messages of one sender are numbered in the order of sending.
fn check_order(direction: &Direction, say: &mut impl FnMut(String)) {
    let mut before: Option<(u64, i64)> = None;
    for sent in &direction.sent {
        let Outcome::Stored { mid } = sent.outcome else {
            continue;
        };
        if let Some((number, last)) = before
            && mid <= last
        {
            say(format!(
                "message {} is number {mid}, but message {number} before it is {last}",
                sent.number
            ));
        }
        before = Some((sent.number, mid));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Conversation {
        let direction = |name: &str, offset: i64| Direction {
            name: name.into(),
            sent: (0..4)
                .map(|number| SentMessage {
                    number,
                    outcome: Outcome::Stored {
                        mid: 2 * number as i64 + offset,
                    },
                })
                .collect(),
            received: (0..4)
                .map(|number| Received {
                    number,
                    mid: 2 * number as i64 + offset,
                    id: 100 + number as i64,
                })
                .collect(),
        };
        Conversation {
            directions: [direction("a to b", 1), direction("b to a", 2)],
        }
    }

    /// Changes a good history and gives what is said then.
    fn after(change: impl FnOnce(&mut Direction)) -> String {
        let mut conversation = good();
        change(&mut conversation.directions[0]);
        judge(&conversation).join("; ")
    }

    #[test]
    fn a_good_history_is_good() {
        assert_eq!(judge(&good()), Vec::<String>::new());
        // The same again is a redelivery, also late.
        assert_eq!(after(|way| way.received.push(way.received[0].clone())), "");
        assert_eq!(
            after(|way| way.sent[3].outcome = Outcome::Unknown("timeout".into())),
            ""
        );
    }

    #[test]
    fn each_wrong_is_found() {
        assert!(
            after(|way| {
                way.received.remove(1);
            })
            .contains("message 1 (number 3) was acknowledged and is lost")
        );
        assert!(after(|way| way.received.swap(1, 2)).contains("came after"));
        let doubled = after(|way| {
            way.received.push(Received {
                number: 0,
                mid: 99,
                id: 100,
            })
        });
        assert!(doubled.contains("doubled"), "{doubled}");
        assert!(
            after(|way| way.sent[2].outcome = Outcome::Refused("no".into()))
                .contains("refused (no) and came")
        );
        assert!(after(|way| way.sent[2].outcome = Outcome::Waiting).contains("no outcome"));
        assert!(after(|way| way.received[3].mid = 50).contains("acknowledged as number 7 and came as 50"));
        let swapped = after(|way| {
            way.sent[1].outcome = Outcome::Stored { mid: 5 };
            way.sent[2].outcome = Outcome::Stored { mid: 3 };
        });
        assert!(swapped.contains("but message 1 before it is 5"), "{swapped}");
        let shared = after(|way| {
            way.sent[3].outcome = Outcome::Stored { mid: 8 };
            way.received[3].mid = 8;
        });
        assert!(shared.contains("which another message has too"), "{shared}");
    }
}
