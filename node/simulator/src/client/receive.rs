//! What reaches a client.

use rand::Rng;
use tim_core::conversation::{Entry, EntryKind, Operation};
use tim_core::id::{ConversationId, Seq, SessionId};

use std::sync::Arc;

use crate::checker::Handed;
use crate::client::{Line, Manners, SEEN_MAX, Seen};
use crate::event::{ClientAction, ClientIndex, NodeFrame};
use crate::options::{MILLISECOND, SECOND};
use crate::world::World;

impl World {
    pub(crate) fn reaches_client(
        &mut self,
        client: ClientIndex,
        session: SessionId,
        sent_at: u64,
        frame: NodeFrame,
    ) {
        if self.clients[client].session != session || self.clients[client].line == Line::Offline {
            return;
        }
        self.trace.note(&[9, self.now, client as u64, session.0]);
        self.trace.line(self.now, || format!("c{client} <- {frame:?}"));
        match frame {
            NodeFrame::LoggedIn => self.client_is_in(client),
            NodeFrame::Entry {
                sync_id,
                conversation,
                entry,
            } => {
                self.take(client, sent_at, conversation, &entry, sync_id.is_some());
                if let Some(sync_id) = sync_id {
                    self.confirm(client, sync_id, vec![(conversation, entry.seq)]);
                }
            }
            NodeFrame::Offline { sync_id, entries } => {
                for (conversation, entry) in &entries {
                    self.take(client, sent_at, *conversation, entry, true);
                }
                let seqs = entries
                    .iter()
                    .map(|(conversation, entry)| (*conversation, entry.seq))
                    .collect();
                self.confirm(client, sync_id, seqs);
            }
            NodeFrame::OfflineEnd => {}
            NodeFrame::Told { tag } => {
                self.clients[client].unanswered.remove(&tag);
            }
            NodeFrame::Refused { tag } => {
                self.clients[client].unanswered.remove(&tag);
                self.checker.refused(tag);
            }
            NodeFrame::Busy { tag } => {
                self.clients[client].unanswered.remove(&tag);
                self.checker.busy(tag);
            }
        }
    }

    fn client_is_in(&mut self, client: ClientIndex) {
        self.clients[client].line = Line::Online;
        self.client_later(client, SECOND, ClientAction::Act);
        self.client_later(client, 15 * SECOND, ClientAction::Ping);
        if self.clients[client].asks_offline {
            let after = self.between(MILLISECOND, 2 * SECOND);
            self.client_later(client, after, ClientAction::AskOffline);
        }
        self.greet(client);
        // With ids of its own it says again what was not answered; without, it would say it twice.
        let again: Vec<_> = self.clients[client]
            .unanswered
            .values()
            .filter(|said| said.client_id.is_some())
            .copied()
            .collect();
        self.clients[client]
            .unanswered
            .retain(|_, said| said.client_id.is_some());
        for said in again {
            self.say(client, said);
        }
    }

    /// Somebody who is online already writes to who has just come: while the session is being registered.
    fn greet(&mut self, client: ClientIndex) {
        if self.calm || !self.chance(0.3) {
            return;
        }
        let peer = self.random.random_range(0..self.accounts.len());
        let account = self.clients[client].member.account;
        if peer != account
            && self.are_friends(peer, account)
            && let Some(greeter) = self.online(peer)
        {
            let after = self.between(0, 300 * MILLISECOND);
            let operation = Operation::Message;
            let greeting = ClientAction::Say {
                peer: account,
                operation,
            };
            self.client_later(greeter, after, greeting);
        }
    }

    fn take(
        &mut self,
        client: ClientIndex,
        sent_at: u64,
        conversation: ConversationId,
        entry: &Arc<Entry>,
        to_confirm: bool,
    ) {
        let tag = Self::tag_of(&entry.body);
        let member = self.clients[client].member;
        let own = self.account_index(&entry.sender) == member.account;
        if own {
            self.clients[client].unanswered.remove(&tag);
        }
        if entry.kind == EntryKind::Message {
            let (one, other) = self.pair_of(&conversation);
            let peer = if one == member.account { other } else { one };
            let seq = entry.seq;
            let seen = &mut self.clients[client].seen;
            seen.push_back(Seen { peer, seq, own });
            if seen.len() > SEEN_MAX {
                seen.pop_front();
            }
        }
        let handed = Handed {
            session: self.clients[client].session,
            member,
            conversation,
            seq: entry.seq.0,
            tag,
            own,
            to_confirm,
            sent_at,
        };
        self.checker.handed(self.now, &handed);
    }

    fn confirm(&mut self, client: ClientIndex, sync_id: u32, entries: Vec<(ConversationId, Seq)>) {
        let confirms = match self.clients[client].manners {
            Manners::Good => true,
            Manners::Careless => self.chance(0.6),
            Manners::Mute => false,
        };
        if confirms {
            let after = self.between(0, 50 * MILLISECOND);
            self.client_later(client, after, ClientAction::Confirm { sync_id, entries });
        }
    }
}
