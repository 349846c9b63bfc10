//! Effects of homes, lanes and deliveries.

use tim_core::conversation::EntryKind;
use tim_core::delivery;
use tim_core::home;
use tim_core::id::NodeName;
use tim_core::submit::{self, Outcome};

use crate::event::{Asker, DatabaseEvent, Event, Machine, NodeFrame, NodeIndex, PeerMessage, Statement};
use crate::world::World;

impl World {
    pub(crate) fn home_event(&mut self, node: NodeIndex, event: home::Event) {
        let mut effects = Vec::new();
        let now = self.moment();
        self.nodes[node].home.handle(now, event, &mut effects);
        for effect in effects {
            self.home_effect(node, effect);
        }
        self.schedule_timer(node, Machine::Home);
    }

    fn home_effect(&mut self, node: NodeIndex, effect: home::Effect) {
        match effect {
            home::Effect::Load {
                request,
                database,
                conversations,
            } => {
                let database = self.database_index(&database);
                self.ask_database(
                    node,
                    database,
                    Statement::Load {
                        request,
                        conversations,
                    },
                );
            }
            home::Effect::RunBatch {
                request,
                database,
                conversations,
            } => {
                let database = self.database_index(&database);
                let asker = Asker {
                    node,
                    boot: self.nodes[node].boot,
                };
                let event = DatabaseEvent::Begin {
                    asker,
                    request,
                    batches: conversations,
                };
                let after = self.database_latency(database);
                self.later(after, Event::Database { database, event });
            }
            home::Effect::Committed(committed) => {
                self.delivery_event(node, delivery::Event::Committed(vec![committed]));
            }
            home::Effect::NeedMap => {
                let map = self.map.clone();
                self.home_event(node, home::Event::MapChanged(map));
            }
            to_lane => {
                if let Some((to, message)) = message_to_lane(to_lane) {
                    let to = self.node_index(&to);
                    self.send(node, to, message);
                }
            }
        }
    }

    pub(crate) fn submit_event(&mut self, node: NodeIndex, event: submit::Event) {
        let mut effects = Vec::new();
        let now = self.moment();
        self.nodes[node].submitter.handle(now, event, &mut effects);
        for effect in effects {
            match effect {
                submit::Effect::SendOpen { to, lane, attempt } => {
                    let to = self.node_index(&to);
                    self.send(node, to, PeerMessage::Open { lane, attempt });
                }
                submit::Effect::SendSubmission {
                    to,
                    stamp,
                    submission,
                } => {
                    let to = self.node_index(&to);
                    self.send(node, to, PeerMessage::Submit { stamp, submission });
                }
                submit::Effect::Outcome {
                    session,
                    conversation,
                    key,
                    outcome,
                } => {
                    let tag = self.nodes[node].tags.remove(&key).unwrap_or_default();
                    match outcome {
                        // The session is no member there.
                        Outcome::Stored { entry, .. } if entry.kind == EntryKind::System => {
                            self.write(node, session, NodeFrame::Told { tag });
                        }
                        Outcome::Stored {
                            entry,
                            cursor,
                            repeated,
                            ..
                        } => {
                            let event = tim_core::session::Event::Accepted {
                                conversation,
                                entry,
                                cursor,
                                repeated,
                            };
                            self.session_event(node, session, event);
                        }
                        Outcome::Refused(_) => self.write(node, session, NodeFrame::Refused { tag }),
                        Outcome::Busy => self.write(node, session, NodeFrame::Busy { tag }),
                    }
                }
            }
        }
        self.schedule_timer(node, Machine::Submitter);
    }

    pub(crate) fn delivery_event(&mut self, node: NodeIndex, event: delivery::Event) {
        let mut effects = Vec::new();
        let now = self.moment();
        self.nodes[node].delivery.handle(now, event, &mut effects);
        for effect in effects {
            match effect {
                delivery::Effect::Ask {
                    to,
                    request,
                    accounts,
                    ..
                } => {
                    let to = self.node_index(&to);
                    self.send(node, to, PeerMessage::Ask { request, accounts });
                }
                delivery::Effect::Send { to, pushes } => {
                    let to = self.node_index(&to);
                    self.send(node, to, PeerMessage::Push(pushes));
                }
            }
        }
        self.schedule_timer(node, Machine::Delivery);
    }
}

/// What a home tells a lane, and on which node the lane is.
fn message_to_lane(effect: home::Effect) -> Option<(NodeName, PeerMessage)> {
    Some(match effect {
        home::Effect::Opened {
            to,
            lane,
            attempt,
            tenure,
        } => (
            to,
            PeerMessage::Opened {
                lane,
                attempt,
                tenure,
            },
        ),
        home::Effect::OpenRefused {
            to,
            lane,
            attempt,
            reason,
        } => (
            to,
            PeerMessage::OpenRefused {
                lane,
                attempt,
                reason,
            },
        ),
        home::Effect::Answer {
            to,
            lane,
            attempt,
            index,
            answer,
        } => (
            to,
            PeerMessage::Answer {
                lane,
                attempt,
                index,
                answer,
            },
        ),
        _ => return None,
    })
}
