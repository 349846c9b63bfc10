//! What the owner of shards and the registrar of sessions want done.

use super::OwnerAnswer;
use super::machines::{Event, Machines};
use crate::peers::ToPeer;
use crate::session::Input as SessionInput;
use tim_core::presence::{OwnerEffect, OwnerEvent, RegistrarEffect, RegistrarEvent};
use tim_core::{delivery, session};

impl Machines {
    pub(super) fn owner_event(&mut self, event: OwnerEvent) {
        let mut effects = Vec::new();
        self.owner.handle(crate::clock::now(), event, &mut effects);
        for effect in effects {
            self.owner_effect(effect);
        }
    }

    fn owner_effect(&mut self, effect: OwnerEffect) {
        match effect {
            OwnerEffect::Registered { request, refused, .. } => {
                if let Some(OwnerAnswer::Registered(refused)) =
                    self.respond(request, OwnerAnswer::Registered(refused))
                {
                    self.push(Event::Registrar(RegistrarEvent::Registered { request, refused }));
                }
            }
            OwnerEffect::HeartbeatAnswer { request, missing, .. } => {
                if let Some(OwnerAnswer::Heartbeat(missing)) =
                    self.respond(request, OwnerAnswer::Heartbeat(missing))
                {
                    self.push(Event::Registrar(RegistrarEvent::HeartbeatAnswered {
                        request,
                        missing,
                    }));
                }
            }
            OwnerEffect::LookupAnswer { request, lookups, .. } => {
                if let Some(OwnerAnswer::Lookups(lookups)) =
                    self.respond(request, OwnerAnswer::Lookups(lookups))
                {
                    self.push(Event::Delivery(delivery::Event::Answered { request, lookups }));
                }
            }
            OwnerEffect::Replicate { to, changes } => {
                self.parts.peers.send(&to, ToPeer::Replicate { changes })
            }
            OwnerEffect::AskSnapshot { to, shards } => {
                self.parts.peers.send(&to, ToPeer::AskSnapshot { shards })
            }
            OwnerEffect::SendSnapshot { to, snapshots } => {
                self.parts.peers.send(&to, ToPeer::SendSnapshot { snapshots });
            }
            OwnerEffect::Yield { to, sessions } if self.is_me(&to) => {
                for session in sessions {
                    // It may have ended meanwhile.
                    let _ = self.parts.sessions.post(session, SessionInput::LogOut);
                }
            }
            OwnerEffect::Yield { to, sessions } => {
                self.parts.peers.send(&to, ToPeer::EndSessions { sessions });
            }
        }
    }

    pub(super) fn registrar_event(&mut self, event: RegistrarEvent) {
        let mut effects = Vec::new();
        self.registrar.handle(crate::clock::now(), event, &mut effects);
        for effect in effects {
            self.registrar_effect(effect);
        }
    }

    fn registrar_effect(&mut self, effect: RegistrarEffect) {
        match effect {
            RegistrarEffect::Register {
                to,
                request,
                registrations,
            } => {
                if self.is_me(&to) {
                    self.push(Event::Owner(OwnerEvent::Register {
                        from: to,
                        request,
                        registrations,
                    }));
                } else {
                    self.parts.peers.send(
                        &to,
                        ToPeer::Register {
                            request,
                            registrations,
                        },
                    );
                }
            }
            RegistrarEffect::Unregister { to, registrations } => {
                if self.is_me(&to) {
                    self.push(Event::Owner(OwnerEvent::Unregister { registrations }));
                } else {
                    self.parts.peers.send(&to, ToPeer::Unregister { registrations });
                }
            }
            RegistrarEffect::Heartbeat {
                to,
                request,
                view,
                whole,
                sessions,
            } => {
                if self.is_me(&to) {
                    self.push(Event::Owner(OwnerEvent::Heartbeat {
                        from: to,
                        request,
                        view,
                        whole,
                        sessions,
                    }));
                } else {
                    self.parts.peers.send(
                        &to,
                        ToPeer::Heartbeat {
                            request,
                            view,
                            whole,
                            sessions,
                        },
                    );
                }
            }
            RegistrarEffect::Registered(session) => {
                // The session may have ended meanwhile.
                let registered = SessionInput::Core(Box::new(session::Event::Registered));
                let _ = self.parts.sessions.post(session, registered);
            }
        }
    }
}
