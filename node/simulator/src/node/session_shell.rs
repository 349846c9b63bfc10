//! Sessions: frames of clients in, effects of delivery out.

use bytes::Bytes;
use rand::Rng;
use tim_core::conversation::{Operation, RoomOperation, Submission};
use tim_core::delivery::Push;
use tim_core::id::{AccountId, ContentHash, ConversationId, Generation, MessageKey, SessionId};
use tim_core::placement;
use tim_core::presence::{RegistrarEvent, Registration, SessionEntry};
use tim_core::session::{self, Effect, Session};
use tim_core::submit;

use std::collections::VecDeque;

use crate::event::{
    ClientFrame, ClientIndex, DatabaseReply, Event, Member, NodeFrame, NodeIndex, Said, Statement,
};
use crate::node::{NodeSession, Search};
use crate::world::World;

impl World {
    pub(crate) fn client_frame(
        &mut self,
        node: NodeIndex,
        boot: u64,
        session: SessionId,
        frame: ClientFrame,
    ) {
        let kept = frame.clone();
        if !self.is_awake(node, boot, || Event::FromClient {
            node,
            boot,
            session,
            frame: kept,
        }) {
            return;
        }
        self.trace.note(&[4, self.now, node as u64, session.0]);
        self.trace.line(self.now, || {
            format!("n{node} <- s{:04x} {frame:?}", session.0 & 0xffff)
        });
        if let ClientFrame::Login { client } = frame {
            self.log_in(node, session, client);
            return;
        }
        self.session_event(node, session, session::Event::Frame);
        let Some(held) = self.nodes[node].sessions.get_mut(&session) else {
            return;
        };
        if held.enlisting.is_some() {
            held.waiting_frames.push_back(frame);
            return;
        }
        self.frame(node, session, frame);
    }

    fn frame(&mut self, node: NodeIndex, session: SessionId, frame: ClientFrame) {
        match frame {
            ClientFrame::Login { .. } | ClientFrame::Ping => {}
            ClientFrame::Confirm(sync_id) => {
                self.session_event(node, session, session::Event::Confirmed(sync_id));
            }
            ClientFrame::AskOffline => self.session_event(node, session, session::Event::OfflineRequested),
            ClientFrame::Say(said) if said.operation == Operation::AddFriend => {
                let Some(held) = self.nodes[node].sessions.get_mut(&session) else {
                    return;
                };
                let account = held.member.account;
                held.enlisting = Some((said, vec![account, said.peer]));
                self.enlist(node, session, account, said.peer, account);
                self.enlist(node, session, account, said.peer, said.peer);
            }
            ClientFrame::Say(said) => self.submit(node, session, said),
        }
    }

    fn log_in(&mut self, node: NodeIndex, session: SessionId, client: ClientIndex) {
        let now = self.moment();
        let (member, class) = (self.clients[client].member, self.clients[client].device);
        let account = self.accounts[member.account].clone();
        let mutations = self.options.core_mutations();
        let config = session::Config {
            mutations,
            ..session::Config::default()
        };
        self.nodes[node].sessions.insert(
            session,
            NodeSession {
                machine: Session::new(config, account.clone(), now),
                client,
                member,
                account: account.clone(),
                last_sent: 0,
                timer: None,
                enlisting: None,
                waiting_frames: VecDeque::new(),
            },
        );
        self.checker
            .logged_in(self.now, session, member, self.clients[client].confirms());
        let entry = SessionEntry {
            session,
            node: self.names[node].clone(),
            class,
            generation: Generation(1),
            logged_in_ms: self.now,
        };
        let registration = Registration { account, entry };
        self.registrar_event(node, RegistrarEvent::SessionOpened(registration));
        self.write(node, session, NodeFrame::LoggedIn);
        self.schedule_session(node, session);
    }

    /// The node's end of a session.
    pub(crate) fn socket_gone(&mut self, node: NodeIndex, boot: u64, session: SessionId) {
        if !self.is_awake(node, boot, || Event::SocketGone { node, boot, session }) {
            return;
        }
        if self.nodes[node].sessions.remove(&session).is_some() {
            self.trace.note(&[5, self.now, node as u64, session.0]);
            self.trace.line(self.now, || {
                format!("n{node}: s{:04x} is gone", session.0 & 0xffff)
            });
            self.checker.session_dropped(self.now, session);
            self.registrar_event(node, RegistrarEvent::SessionClosed(session));
            self.submit_event(node, submit::Event::SessionClosed(session));
        }
    }

    fn submit(&mut self, node: NodeIndex, session: SessionId, said: Said) {
        let Some(held) = self.nodes[node].sessions.get(&session) else {
            return;
        };
        let (sender, peer) = (held.account.clone(), self.accounts[said.peer].clone());
        let (class, held_account) = (self.clients[held.client].device, held.member.account);
        let conversation = self.conversation_said(held_account, &said);
        // Clients stand in for administrators: whoever has the system speak is no party to it.
        let sender = match said.operation {
            Operation::System | Operation::Room(RoomOperation::Admit | RoomOperation::Dismiss) => {
                AccountId::system()
            }
            _ => sender,
        };
        let key = MessageKey(self.random.random());
        let mut content = [0; 16];
        content[..8].copy_from_slice(&said.tag.to_be_bytes());
        let submission = Submission {
            key,
            conversation,
            sender,
            peer,
            sender_class: class,
            operation: said.operation,
            client_id: said.client_id,
            content_hash: ContentHash(content),
            attempt: 0,
            vouched: false,
            body: Bytes::copy_from_slice(&said.tag.to_be_bytes()),
        };
        self.nodes[node].tags.insert(key, said.tag);
        self.submit_event(node, submit::Event::Submit { session, submission });
    }

    fn enlist(&mut self, node: NodeIndex, session: SessionId, account: usize, peer: usize, listed: usize) {
        let conversation = placement::direct_conversation(&self.accounts[account], &self.accounts[peer]);
        let database = self.database_of(self.accounts[listed].as_bytes());
        let statement = Statement::Enlist {
            session,
            account: listed,
            conversation,
        };
        self.ask_database(node, database, statement);
    }

    fn enlisted(
        &mut self,
        node: NodeIndex,
        session: SessionId,
        account: usize,
        conversation: ConversationId,
        done: bool,
    ) {
        let Some(held) = self.nodes[node].sessions.get_mut(&session) else {
            return;
        };
        let Some((said, missing)) = &mut held.enlisting else {
            return;
        };
        if !done {
            let database = self.database_of(self.accounts[account].as_bytes());
            self.ask_database(
                node,
                database,
                Statement::Enlist {
                    session,
                    account,
                    conversation,
                },
            );
            return;
        }
        missing.retain(|other| *other != account);
        if !missing.is_empty() {
            return;
        }
        let said = *said;
        held.enlisting = None;
        let mut frames = std::mem::take(&mut held.waiting_frames);
        self.submit(node, session, said);
        while let Some(frame) = frames.pop_front() {
            self.frame(node, session, frame);
            if let Some(held) = self.nodes[node].sessions.get_mut(&session)
                && held.enlisting.is_some()
            {
                held.waiting_frames = frames;
                return;
            }
        }
    }

    pub(crate) fn pushed(&mut self, node: NodeIndex, pushes: Vec<Push>) {
        for Push {
            session,
            conversation,
            entries,
            cursor,
        } in pushes
        {
            self.session_event(
                node,
                session,
                session::Event::Pushed {
                    conversation,
                    entries,
                    cursor,
                },
            );
        }
    }

    pub(crate) fn session_event(&mut self, node: NodeIndex, session: SessionId, event: session::Event) {
        let now = self.moment();
        let Some(held) = self.nodes[node].sessions.get_mut(&session) else {
            return;
        };
        let member = held.member;
        let mut effects = Vec::new();
        held.machine.handle(now, event, &mut effects);
        for effect in effects {
            self.session_effect(node, session, member, effect);
        }
        self.schedule_session(node, session);
    }

    fn session_effect(&mut self, node: NodeIndex, session: SessionId, member: Member, effect: Effect) {
        match effect {
            Effect::SendEntry {
                sync_id,
                conversation,
                entry,
            } => {
                self.write(
                    node,
                    session,
                    NodeFrame::Entry {
                        sync_id,
                        conversation,
                        entry,
                    },
                );
            }
            Effect::SendOffline { sync_id, entries } => {
                self.write(node, session, NodeFrame::Offline { sync_id, entries });
            }
            Effect::SendOfflineEnd => self.write(node, session, NodeFrame::OfflineEnd),
            Effect::FetchEntries {
                conversation,
                after,
                limit,
            } => {
                let database = self.database_of(&conversation.0);
                let statement = Statement::Fetch {
                    session,
                    member,
                    conversation,
                    after,
                    limit,
                };
                self.ask_database(node, database, statement);
            }
            Effect::MoveCursor {
                conversation,
                from,
                to,
            } => {
                let database = self.database_of(&conversation.0);
                let statement = Statement::MoveCursor {
                    session,
                    member,
                    conversation,
                    from,
                    to,
                };
                self.ask_database(node, database, statement);
            }
            Effect::FetchUndelivered { .. } => {
                self.nodes[node].last_search += 1;
                let number = self.nodes[node].last_search;
                let search = Search {
                    session,
                    member,
                    remaining: 0,
                    positions: Vec::new(),
                    failed: false,
                };
                self.nodes[node].searches.insert(number, search);
                let database = self.database_of(self.accounts[member.account].as_bytes());
                let statement = Statement::List {
                    search: number,
                    account: member.account,
                };
                self.ask_database(node, database, statement);
            }
        }
    }

    pub(crate) fn reply(&mut self, node: NodeIndex, boot: u64, reply: DatabaseReply) {
        let kept = reply.clone();
        if !self.is_awake(node, boot, || Event::Reply {
            node,
            boot,
            reply: kept,
        }) {
            return;
        }
        self.trace.note(&[6, self.now, node as u64]);
        self.trace
            .line(self.now, || format!("n{node} <- database {reply:?}"));
        match reply {
            DatabaseReply::Loaded { request, found } => {
                self.home_event(node, tim_core::home::Event::Loaded { request, found });
            }
            DatabaseReply::Batch { request, result } => {
                self.home_event(node, tim_core::home::Event::BatchDone { request, result });
            }
            DatabaseReply::Fetched {
                session,
                conversation,
                found,
            } => {
                let event = match found {
                    Some(found) => session::Event::Fetched {
                        conversation,
                        entries: found.entries,
                        skip: found.skip,
                        cursor: found.cursor,
                        head: found.head,
                    },
                    None => session::Event::FetchFailed(conversation),
                };
                self.session_event(node, session, event);
            }
            DatabaseReply::CursorMoved {
                session,
                conversation,
                cursor,
            } => {
                let event = match cursor {
                    Some(cursor) => session::Event::CursorMoved { conversation, cursor },
                    None => session::Event::CursorFailed(conversation),
                };
                self.session_event(node, session, event);
            }
            DatabaseReply::Listed {
                search,
                conversations,
            } => self.listed(node, search, conversations),
            DatabaseReply::Positions { search, positions } => {
                let Some(running) = self.nodes[node].searches.get_mut(&search) else {
                    return;
                };
                running.remaining -= 1;
                match positions {
                    Some(mut found) => running.positions.append(&mut found),
                    None => running.failed = true,
                }
                self.search_progressed(node, search);
            }
            DatabaseReply::Enlisted {
                session,
                account,
                conversation,
                done,
            } => {
                self.enlisted(node, session, account, conversation, done);
            }
        }
    }

    /// The account's list is known: asks every database of it.
    fn listed(&mut self, node: NodeIndex, search: u64, conversations: Option<Vec<ConversationId>>) {
        let mut by_database: Vec<Vec<ConversationId>> = vec![Vec::new(); self.databases.len()];
        let Some(running) = self.nodes[node].searches.get(&search) else {
            return;
        };
        // Everybody has one with the system; no list names it.
        let of_system = placement::system_conversation(&self.accounts[running.member.account]);
        let listed = conversations.iter().flatten().copied();
        for conversation in listed.chain(conversations.is_some().then_some(of_system)) {
            by_database[self.database_of(&conversation.0)].push(conversation);
        }
        let Some(running) = self.nodes[node].searches.get_mut(&search) else {
            return;
        };
        running.failed = conversations.is_none();
        running.remaining = by_database.iter().filter(|listed| !listed.is_empty()).count();
        let member = running.member;
        for (database, conversations) in by_database.into_iter().enumerate() {
            if !conversations.is_empty() {
                self.ask_database(
                    node,
                    database,
                    Statement::Positions {
                        search,
                        member,
                        conversations,
                    },
                );
            }
        }
        self.search_progressed(node, search);
    }

    fn search_progressed(&mut self, node: NodeIndex, search: u64) {
        let done = self.nodes[node]
            .searches
            .get(&search)
            .is_some_and(|running| running.remaining == 0);
        if !done {
            return;
        }
        let Some(found) = self.nodes[node].searches.remove(&search) else {
            return;
        };
        let event = if found.failed {
            session::Event::UndeliveredFailed
        } else {
            session::Event::Undelivered(found.positions)
        };
        self.session_event(node, found.session, event);
    }

    /// Writes to a socket.
    pub(crate) fn write(&mut self, node: NodeIndex, session: SessionId, frame: NodeFrame) {
        let after = self.between(200, 15_000);
        let now = self.now;
        let Some(held) = self.nodes[node].sessions.get_mut(&session) else {
            return;
        };
        let at = held.last_sent.max(now + after);
        held.last_sent = at;
        let client = held.client;
        self.queue.push(
            at,
            Event::ToClient {
                client,
                session,
                sent_at: now,
                frame,
            },
        );
    }

    pub(crate) fn session_timer(&mut self, node: NodeIndex, boot: u64, session: SessionId) {
        if !self.is_awake(node, boot, || Event::SessionTimer { node, boot, session }) {
            return;
        }
        if let Some(held) = self.nodes[node].sessions.get_mut(&session) {
            held.timer = None;
            self.session_event(node, session, session::Event::Timer);
        }
    }

    fn schedule_session(&mut self, node: NodeIndex, session: SessionId) {
        let boot = self.nodes[node].boot;
        let Some(held) = self.nodes[node].sessions.get_mut(&session) else {
            return;
        };
        let Some(deadline) = held.machine.deadline() else {
            return;
        };
        if held.timer.is_none_or(|at| at > deadline) {
            held.timer = Some(deadline);
            let at = (deadline.0 * 1_000).max(self.now + 1);
            self.queue.push(at, Event::SessionTimer { node, boot, session });
        }
    }
}
