//! What the deliveries want done.

use super::machines::{Event, Machines};
use crate::peers::ToPeer;
use crate::session::{Input as SessionInput, SessionTable, Traces};
use std::time::Instant;
use tim_core::delivery::{Effect, Push};
use tim_core::presence::OwnerEvent;

impl Machines {
    pub(super) fn delivery_event(&mut self, event: tim_core::delivery::Event) {
        let mut effects = Vec::new();
        if let tim_core::delivery::Event::Answered { request, .. }
        | tim_core::delivery::Event::AskFailed { request } = &event
            && let Some(asked) = self.asked_at.remove(request)
        {
            let seconds = asked.elapsed().as_secs_f64();
            self.parts.metrics.lookup_duration.record(seconds, &[]);
        }
        self.delivery.handle(crate::clock::now(), event, &mut effects);
        for effect in effects {
            match effect {
                Effect::Ask {
                    to,
                    request,
                    accounts,
                    ..
                } if self.is_me(&to) => self.push(Event::Owner(OwnerEvent::Lookup {
                    from: to,
                    request,
                    accounts,
                })),
                Effect::Ask {
                    to,
                    request,
                    view,
                    accounts,
                } => {
                    self.asked_at.insert(request, Instant::now());
                    self.parts.peers.send(
                        &to,
                        ToPeer::Lookup {
                            request,
                            view,
                            accounts,
                        },
                    );
                }
                Effect::Send { to, pushes } => {
                    let traces = self.traced.sending(&pushes);
                    if self.is_me(&to) {
                        for push in pushes {
                            hand_over(&self.parts.sessions, push, &traces);
                        }
                    } else {
                        self.parts.peers.send(&to, ToPeer::Deliver { pushes, traces });
                    }
                }
            }
        }
    }
}

/// Posts entries to a session of this node; whether it is here.
pub(crate) fn hand_over(sessions: &SessionTable, push: Push, traces: &Traces) -> bool {
    let traces = if traces.is_empty() {
        Vec::new()
    } else {
        traces
            .iter()
            .filter(|(key, _)| push.entries.iter().any(|entry| entry.key == *key))
            .copied()
            .collect()
    };
    let input = SessionInput::Pushed {
        conversation: push.conversation,
        entries: push.entries,
        cursor: push.cursor,
        traces,
    };
    sessions.post(push.session, input).is_ok()
}
