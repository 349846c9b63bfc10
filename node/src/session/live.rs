//! The part of a connection that exists only after login.

use super::{CloseReason, Envelope, Input, PendingQueue, Routes, SharedMeter, Traces, frames};
use crate::edge::Outbox;
use crate::mailbox::Mailbox;
use crate::node::Node;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use tim_core::conversation::Entry;
use tim_core::id::{AccountId, ConversationId, DeviceClass, MessageKey, SessionId};
use tim_core::rate::Meter;
use tim_core::session::{Effect, Event, Session};
use tim_core::time::Moment;
use tim_telemetry::{Kind, Span, TraceContext, attribute, names};
use tim_wire::{Command, Encoding, Tid, TimAck};
use tokio::sync::oneshot;

/// Who sends, as receivers are told.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    /// Account, domain, device.
    pub(crate) tid: Tid,
}

/// A delivery that waits for its confirmation.
#[derive(Debug)]
struct InFlight {
    sync_id: u32,
    key: MessageKey,
    since: Instant,
    span: Span,
}

/// A logged-in session; lives in its connection's task.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) id: SessionId,
    pub(crate) account: AccountId,
    pub(crate) class: DeviceClass,
    /// The class under which it is kept what was delivered.
    cursor_class: DeviceClass,
    pub(crate) sender: Sender,
    pub(crate) encoding: Encoding,
    pub(crate) pending: PendingQueue,
    pub(crate) last_ping: Moment,
    pub(crate) routes: Routes,
    /// Of this session's requests.
    pub(crate) meter: Meter,
    /// Of the requests of all its account's sessions on this node.
    pub(crate) account_meter: SharedMeter,
    core: Session,
    in_flight: VecDeque<InFlight>,
    traces: Vec<(MessageKey, TraceContext, SystemTime)>,
    settled: Option<oneshot::Sender<()>>,
}

impl Live {
    pub(crate) fn new(
        node: &Node,
        id: SessionId,
        account: AccountId,
        sender: Sender,
        encoding: Encoding,
    ) -> Self {
        let class = DeviceClass(sender.tid.termtyp.unwrap_or(0));
        let cursor_class = node.session_cursors.of(class);
        let now = crate::clock::now();
        Self {
            id,
            core: Session::new(Arc::clone(&node.session_config), account.clone(), now),
            class,
            cursor_class,
            sender,
            encoding,
            pending: PendingQueue::default(),
            last_ping: now,
            routes: Routes::default(),
            meter: Meter::default(),
            account_meter: node.local_accounts.join(&account, id, class),
            in_flight: VecDeque::new(),
            traces: Vec::new(),
            settled: None,
            account,
        }
    }

    /// When the delivery machine, or the wait for a ping, is due.
    pub(crate) fn deadline(&self, node: &Node) -> Moment {
        let silent = self
            .last_ping
            .plus_ms(node.config.sessions.ping_timeout_seconds * 1_000);
        self.core
            .deadline()
            .map_or(silent, |deadline| deadline.min(silent))
    }

    /// A timer has rung, perhaps for nothing.
    pub(crate) fn timer(&mut self, node: &Node, mailbox: &Arc<Mailbox>, out: &mut Outbox) {
        let now = crate::clock::now();
        if now.since_ms(self.last_ping) >= node.config.sessions.ping_timeout_seconds * 1_000 {
            out.close(CloseReason::Silent);
        } else if self.core.deadline().is_some_and(|deadline| deadline <= now) {
            self.handle(node, mailbox, Event::Timer, out);
        }
    }

    /// Takes what others posted, except outcomes.
    pub(crate) fn input(&mut self, node: &Node, mailbox: &Arc<Mailbox>, input: Input, out: &mut Outbox) {
        match input {
            Input::Pushed {
                conversation,
                entries,
                cursor,
                traces,
            } => self.pushed(node, mailbox, (conversation, entries, traces), cursor, out),
            Input::Core(event) => self.handle(node, mailbox, *event, out),
            Input::Relayed(relayed) => self.relayed(node, &relayed, out),
            Input::Settle(settled) => {
                self.settled = Some(settled);
                self.handle(node, mailbox, Event::StopDelivery, out);
            }
            Input::Resume => {
                self.settled = None;
                self.handle(node, mailbox, Event::ResumeDelivery, out);
            }
            Input::LogOut => {
                node.metrics.sessions_ended.add(1, &[]);
                out.push(frames::ack(&TimAck::success(Command::Logout), self.encoding));
                out.close(CloseReason::LoggedOut);
            }
            Input::Stream { frame, form } => {
                let dropped = out.push_stream(frame.bytes(form, self.encoding));
                node.metrics.frames_delivered.add(1, &[]);
                if dropped > 0 {
                    node.metrics.frames_dropped.add(dropped, &[]);
                }
            }
            Input::PushRefused(room) => {
                let refused = crate::commands::push_refused(&room);
                node.metrics.rejected_with(crate::commands::PUSH_REFUSED);
                out.push(frames::ack(&refused, self.encoding));
            }
            Input::Close(reason) => out.close(reason),
            // The connection takes these.
            Input::Outcome { .. } | Input::SendAs { .. } => {}
        }
    }

    fn pushed(
        &mut self,
        node: &Node,
        mailbox: &Arc<Mailbox>,
        (conversation, entries, traces): (ConversationId, Vec<Arc<Entry>>, Traces),
        cursor: Option<tim_core::id::Seq>,
        out: &mut Outbox,
    ) {
        for (key, context) in traces {
            // Bounded: a trace whose entry is never handed on must not stay for ever.
            if self.traces.len() < node.session_config.max_unconfirmed {
                self.traces.push((key, context, SystemTime::now()));
            }
        }
        let event = Event::Pushed {
            conversation,
            entries,
            cursor,
        };
        self.handle(node, mailbox, event, out);
    }

    fn relayed(&mut self, node: &Node, relayed: &super::Relayed, out: &mut Outbox) {
        if out.is_behind() {
            node.metrics.frames_dropped.add(1, &[]);
            return;
        }
        match frames::relayed(relayed, self.encoding) {
            Ok(frame) => out.push(frame),
            Err(error) => tracing::debug!(%error, "a relayed message is dropped"),
        }
    }

    /// Gives an event to the delivery machine and does what it says.
    pub(crate) fn handle(&mut self, node: &Node, mailbox: &Arc<Mailbox>, event: Event, out: &mut Outbox) {
        let mut effects = Vec::new();
        self.core.handle(crate::clock::now(), event, &mut effects);
        for effect in effects {
            self.effect(node, mailbox, effect, out);
        }
        if self.settled.is_some()
            && self.core.is_settled()
            && let Some(settled) = self.settled.take()
        {
            // Whoever drains may have given up waiting.
            let _ = settled.send(());
        }
    }

    fn effect(&mut self, node: &Node, mailbox: &Arc<Mailbox>, effect: Effect, out: &mut Outbox) {
        match effect {
            Effect::SendEntry {
                sync_id,
                conversation,
                entry,
            } => self.send_entry(node, mailbox, sync_id, (conversation, &entry), out),
            Effect::SendOffline { sync_id, entries } => {
                match frames::offline_batch(&entries, &self.account, sync_id, self.encoding) {
                    Ok(frame) => out.push(frame),
                    Err(error) => tracing::warn!(%error, "an offline batch cannot be encoded"),
                }
            }
            Effect::SendOfflineEnd => out.push(frames::offline_end()),
            Effect::FetchEntries {
                conversation,
                after,
                limit,
            } => node.databases.fetch_entries(
                mailbox,
                self.account.clone(),
                self.cursor_class,
                conversation,
                after,
                limit,
            ),
            Effect::MoveCursor {
                conversation,
                from,
                to,
            } => node.databases.move_cursor(
                mailbox,
                self.account.clone(),
                self.cursor_class,
                conversation,
                (from, to),
                false,
            ),
            Effect::FetchUndelivered { all } => {
                node.databases
                    .fetch_undelivered(mailbox, self.account.clone(), self.cursor_class, all);
            }
        }
    }

    fn send_entry(
        &mut self,
        node: &Node,
        mailbox: &Arc<Mailbox>,
        sync_id: Option<u32>,
        (conversation, entry): (ConversationId, &Arc<Entry>),
        out: &mut Outbox,
    ) {
        match frames::entry(entry, &self.account, sync_id, self.encoding) {
            Ok(Some(frame)) => out.push(frame),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%conversation, seq = entry.seq.0, %error, "a stored message cannot be delivered")
            }
        }
        if let Some(sync_id) = sync_id {
            self.track(node, sync_id, entry.key);
        }
        if let Some(seq) = Envelope::target_of(entry) {
            self.handle(node, mailbox, Event::Erased { conversation, seq }, out);
        }
    }

    fn track(&mut self, node: &Node, sync_id: u32, key: MessageKey) {
        let span = match self.traces.iter().position(|(traced, ..)| *traced == key) {
            None => Span::none(),
            Some(place) => {
                let (_, context, arrived) = self.traces.swap_remove(place);
                Span::child_since(&names::DELIVER, Kind::Internal, Some(context), arrived)
            }
        };
        let late = self.in_flight.front().is_some_and(|oldest| {
            oldest.since.elapsed().as_millis() >= u128::from(node.config.sessions.confirm_timeout_millis)
        });
        if late {
            let before = self.in_flight.len();
            self.in_flight.retain(|delivery| delivery.key != key);
            if self.in_flight.len() < before {
                node.metrics.redelivered.add(1, &[]);
            }
        }
        if self.in_flight.len() >= node.session_config.max_unconfirmed {
            self.in_flight.pop_front();
        }
        self.in_flight.push_back(InFlight {
            sync_id,
            key,
            since: Instant::now(),
            span,
        });
    }

    /// Takes the session out of the tables of this node.
    pub(crate) fn forget(&self, node: &Node) {
        node.sessions.remove(self.id);
        node.local_accounts.leave(&self.account, self.id);
    }

    /// The session ends: what the client has confirmed is kept, so that it is not given that again.
    pub(crate) fn save(&self, node: &Node, mailbox: &Arc<Mailbox>) {
        for (conversation, from, to) in self.core.unsaved() {
            node.databases.move_cursor(
                mailbox,
                self.account.clone(),
                self.cursor_class,
                conversation,
                (from, to),
                true,
            );
        }
    }

    /// The client confirmed a sync id.
    pub(crate) fn confirmed(&mut self, node: &Node, mailbox: &Arc<Mailbox>, sync_id: u32, out: &mut Outbox) {
        if let Some(place) = self
            .in_flight
            .iter()
            .position(|delivery| delivery.sync_id == sync_id)
        {
            if let Some(mut delivery) = self.in_flight.remove(place) {
                node.metrics.delivered.add(1, &[]);
                node.metrics
                    .delivery_duration
                    .record(delivery.since.elapsed().as_secs_f64(), &[]);
                if delivery.span.is_recording() {
                    delivery.span.set(attribute(&names::DELIVER_OUTCOME, "confirmed"));
                }
            }
            if self.in_flight.is_empty() {
                // An idle session keeps no buffer.
                self.in_flight = VecDeque::new();
            }
        }
        self.handle(node, mailbox, Event::Confirmed(sync_id), out);
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        for delivery in &mut self.in_flight {
            if delivery.span.is_recording() {
                delivery.span.set(attribute(&names::DELIVER_OUTCOME, "gone"));
            }
        }
    }
}
