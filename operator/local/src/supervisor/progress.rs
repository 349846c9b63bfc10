//! How far a start is, told step by step.

use crate::event::{Event, Step};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tim_proto::control::v1::{Database, NodeState, StatusReply};

/// What a step waits for is said again at most this often.
const WAITING_INTERVAL: Duration = Duration::from_secs(2);
/// Nothing is said of a wait shorter than this.
const WAITING_MIN: Duration = Duration::from_millis(300);

/// What the steps are judged from.
#[derive(Debug)]
pub(super) struct Picture<'a> {
    /// Names of the wanted nodes.
    pub(super) wanted: &'a [String],
    /// Wanted nodes that have no certificate yet.
    pub(super) without_certificate: usize,
    /// Names of the declared databases.
    pub(super) databases: &'a [String],
    /// What nodes said lately, by name.
    pub(super) replies: &'a [(String, StatusReply)],
}

/// Steps that are done.
#[derive(Debug)]
pub(super) struct Progress {
    done: BTreeSet<Step>,
    ready: bool,
    said: Instant,
    waiting_for: Option<Step>,
}

impl Progress {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            done: BTreeSet::new(),
            ready: false,
            said: now,
            waiting_for: None,
        }
    }

    /// Whether everything was as the spec wants it once.
    pub(super) fn is_ready(&self) -> bool {
        self.ready
    }

    /// What to tell now. Steps are told in their order, each once.
    pub(super) fn follow(&mut self, picture: &Picture<'_>, now: Instant) -> Vec<Event> {
        let mut events = Vec::new();
        if self.ready {
            return events;
        }
        for step in Step::ALL {
            if self.done.contains(&step) {
                continue;
            }
            match judge(step, picture) {
                Ok(detail) => {
                    self.done.insert(step);
                    let schema = schema(picture).filter(|_| step == Step::Databases);
                    events.push(Event::Done { step, detail, schema });
                }
                Err(detail) => {
                    events.extend(self.wait(step, detail, now));
                    return events;
                }
            }
        }
        self.ready = true;
        events.push(Event::Ready {
            messages: messages(picture),
        });
        events
    }

    fn wait(&mut self, step: Step, detail: String, now: Instant) -> Option<Event> {
        let interval = if self.waiting_for == Some(step) {
            WAITING_INTERVAL
        } else {
            WAITING_MIN
        };
        if now.duration_since(self.said) < interval {
            return None;
        }
        self.said = now;
        self.waiting_for = Some(step);
        Some(Event::Waiting { step, detail })
    }
}

/// Particulars of a step that is done, or what it waits for.
fn judge(step: Step, picture: &Picture<'_>) -> Result<String, String> {
    match step {
        Step::Trust => match picture.without_certificate {
            0 => Ok(String::new()),
            missing => Err(format!("{missing} certificates are being made")),
        },
        Step::Databases => databases(picture),
        Step::Nodes => nodes(picture),
        Step::Leader => leader(picture),
    }
}

fn databases(picture: &Picture<'_>) -> Result<String, String> {
    if picture.wanted.is_empty() {
        return Ok(picture.databases.join(", "));
    }
    for name in picture.databases {
        let told: Vec<_> = told(picture, name).collect();
        if !told.iter().any(|database| database.reachable) {
            let cause = told.iter().find_map(|database| database.cause.as_ref());
            return Err(cause.map_or_else(
                || format!("no node has opened {name} yet"),
                |cause| format!("{name}: {} {}", cause.code, cause.detail),
            ));
        }
    }
    Ok(picture.databases.join(", "))
}

/// What nodes say of a database.
fn told<'a>(picture: &Picture<'a>, name: &'a str) -> impl Iterator<Item = &'a Database> {
    let databases = picture.replies.iter().flat_map(|(_, reply)| &reply.databases);
    databases.filter(move |database| database.name == name)
}

/// The lowest schema of any database, if all are known: the others can do more.
fn schema(picture: &Picture<'_>) -> Option<u64> {
    let each = picture
        .databases
        .iter()
        .map(|name| told(picture, name).filter_map(|database| database.schema).max());
    each.collect::<Option<Vec<u64>>>()?.into_iter().min()
}

fn messages(picture: &Picture<'_>) -> Option<u64> {
    if picture.wanted.is_empty() {
        return None;
    }
    let each = picture.databases.iter().map(|name| {
        told(picture, name)
            .filter_map(|database| database.n_messages)
            .max()
    });
    each.sum()
}

fn nodes(picture: &Picture<'_>) -> Result<String, String> {
    let missing: Vec<String> = picture
        .wanted
        .iter()
        .filter_map(|name| {
            let Some((_, reply)) = picture.replies.iter().find(|(known, _)| known == name) else {
                return Some(format!("{name} is starting"));
            };
            if reply.state() == NodeState::Serving {
                return None;
            }
            let cause = reply.causes.first();
            Some(cause.map_or_else(
                || format!("{name} is joining"),
                |cause| format!("{name}: {} {}", cause.code, cause.detail),
            ))
        })
        .collect();
    if missing.is_empty() {
        Ok(picture.wanted.join(" "))
    } else {
        Err(missing.join(", "))
    }
}

fn leader(picture: &Picture<'_>) -> Result<String, String> {
    if picture.wanted.is_empty() {
        return Ok("no nodes wanted".into());
    }
    let leader = picture
        .replies
        .iter()
        .find(|(_, reply)| reply.control_group.as_ref().is_some_and(|group| group.leader));
    let epoch = picture
        .replies
        .iter()
        .filter_map(|(_, reply)| reply.map.as_ref())
        .flat_map(|map| &map.ranges)
        .map(|range| range.epoch)
        .max();
    match (leader, epoch) {
        (Some((name, _)), Some(epoch)) => Ok(format!("{name}, epoch {epoch}")),
        (None, _) => Err("the nodes elect one".into()),
        (Some(_), None) => Err("the partition map is being written".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tim_proto::control::v1::{ControlGroup, PartitionMap, Range};

    fn reply(state: NodeState, leader: bool) -> StatusReply {
        StatusReply {
            state: state.into(),
            databases: vec![Database {
                name: "d0".into(),
                reachable: true,
                schema: Some(7),
                n_messages: Some(1_204),
                ..Database::default()
            }],
            control_group: Some(ControlGroup {
                leader,
                ..ControlGroup::default()
            }),
            map: Some(PartitionMap {
                version: 1,
                ranges: vec![Range {
                    from: 0,
                    database: "d0".into(),
                    epoch: 7,
                }],
            }),
            ..StatusReply::default()
        }
    }

    fn steps(events: &[Event]) -> Vec<Step> {
        events
            .iter()
            .filter_map(|event| match event {
                Event::Done { step, .. } => Some(*step),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn steps_are_told_in_order_and_once_and_then_it_is_ready() {
        let start = Instant::now();
        let wanted = ["chat-0".to_owned(), "chat-1".to_owned()];
        let databases = ["d0".to_owned()];
        let mut progress = Progress::new(start);
        let mut follow = |without_certificate, replies: &[(String, StatusReply)], now| {
            let picture = Picture {
                wanted: &wanted,
                without_certificate,
                databases: &databases,
                replies,
            };
            progress.follow(&picture, now)
        };
        assert!(follow(2, &[], start).is_empty(), "a short wait is not told");
        let told = follow(2, &[], start + WAITING_MIN);
        assert!(
            matches!(
                &told[..],
                [Event::Waiting {
                    step: Step::Trust,
                    ..
                }]
            ),
            "{told:?}"
        );
        let one = [("chat-0".to_owned(), reply(NodeState::Serving, true))];
        let told = follow(0, &one, start + WAITING_MIN);
        assert_eq!(steps(&told), [Step::Trust, Step::Databases]);
        let schemas: Vec<_> = told
            .iter()
            .filter_map(|event| match event {
                Event::Done { schema, .. } => Some(*schema),
                _ => None,
            })
            .collect();
        assert_eq!(schemas, [None, Some(7)]);
        let both = [
            one[0].clone(),
            ("chat-1".to_owned(), reply(NodeState::Serving, false)),
        ];
        let told = follow(0, &both, start + WAITING_MIN);
        assert_eq!(steps(&told), [Step::Nodes, Step::Leader]);
        assert!(
            matches!(
                told.last(),
                Some(Event::Ready {
                    messages: Some(1_204)
                })
            ),
            "two nodes tell of the same database: {told:?}"
        );
        assert!(matches!(&told[1], Event::Done { detail, .. } if detail == "chat-0, epoch 7"));
        assert!(follow(0, &both, start + WAITING_INTERVAL * 2).is_empty());
    }

    #[test]
    fn figures_that_one_database_does_not_tell_are_left_out() {
        let picture = Picture {
            wanted: &["chat-0".to_owned()],
            without_certificate: 0,
            databases: &["d0".to_owned(), "d1".to_owned()],
            replies: &[("chat-0".to_owned(), reply(NodeState::Serving, true))],
        };
        assert_eq!((schema(&picture), messages(&picture)), (None, None));
    }

    #[test]
    fn a_wait_says_the_cause_that_a_node_gives() {
        let start = Instant::now();
        let mut broken = reply(NodeState::Joining, false);
        broken.databases[0].reachable = false;
        broken.databases[0].cause = Some(tim_proto::control::v1::Cause {
            code: "TIM-S103".into(),
            detail: "refuses connections".into(),
        });
        let picture = Picture {
            wanted: &["chat-0".to_owned()],
            without_certificate: 0,
            databases: &["d0".to_owned()],
            replies: &[("chat-0".to_owned(), broken)],
        };
        let told = Progress::new(start).follow(&picture, start + WAITING_MIN);
        assert!(
            matches!(told.last(), Some(Event::Waiting { detail, .. }) if detail.contains("TIM-S103")),
            "{told:?}"
        );
    }
}
