//! What the lanes want done.

use super::machines::{Event, Machines};
use crate::peers::ToPeer;
use crate::session::Input as SessionInput;
use tim_core::home;
use tim_core::id::Tenure;
use tim_core::submit::{Config, Effect};

pub(super) fn config(limits: &tim_config::Limits) -> Config {
    Config {
        max_pending_per_session: limits.submissions_per_session_max as usize,
        ..Config::default()
    }
}

impl Machines {
    pub(super) fn lanes_event(&mut self, event: tim_core::submit::Event) {
        let mut effects = Vec::new();
        self.lanes.handle(crate::clock::now(), event, &mut effects);
        for effect in effects {
            self.lanes_effect(effect);
        }
    }

    fn lanes_effect(&mut self, effect: Effect) {
        match effect {
            Effect::SendOpen { to, lane, attempt } if self.is_me(&to) => {
                self.push(Event::Home(home::Event::Open {
                    from: to,
                    lane,
                    attempt,
                    tenure: Tenure(crate::random::number()),
                }))
            }
            Effect::SendOpen { to, lane, attempt } => {
                self.parts.peers.send(&to, ToPeer::Open { lane, attempt })
            }
            Effect::SendSubmission {
                to,
                stamp,
                submission,
            } if self.is_me(&to) => {
                self.traced.at_own_home(submission.key);
                self.push(Event::Home(home::Event::Submit {
                    from: to,
                    stamp,
                    submission,
                }));
            }
            Effect::SendSubmission {
                to,
                stamp,
                submission,
            } => {
                let trace = self.traced.at_remote_home(submission.key);
                self.parts.peers.send(
                    &to,
                    ToPeer::Submit {
                        stamp,
                        submission,
                        trace,
                    },
                );
            }
            Effect::Outcome {
                session,
                conversation,
                key,
                outcome,
            } => {
                self.traced.outcome(key);
                let Some(outcome) = self.told(session, outcome) else {
                    return;
                };
                // The session may have ended; then nobody is told.
                let _ = self.parts.sessions.post(
                    session,
                    SessionInput::Outcome {
                        key,
                        conversation,
                        outcome,
                    },
                );
            }
        }
    }
}
