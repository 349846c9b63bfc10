//! Live streams: the shell around the pure machine of virtual rooms, in a task of its own.
//!
//! Apart from the engine, so that a room with many subscribers delays no message. Content that waits for the task, or
//! for a courier to another node, is bounded in bytes; what is over is dropped and counted. Everything else is small,
//! bounded by what sessions and rooms there are, and never dropped.

mod couriers;
mod machine;
mod service;

pub(crate) use machine::{Parts, config, run};
pub(crate) use service::service;

use crate::backlog::Backlog;
use couriers::Couriers;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tim_cluster::links::Links;
use tim_core::id::{AccountId, NodeName, SessionId, VirtualRoomId};
use tim_core::stream::{Event, FRAME_OVERHEAD_BYTES, Frame, Message, Operation, Outcome};
use tim_core::view::View;
use tokio::sync::{mpsc, oneshot};

/// Largest push: with what is around it, it fits into a message between nodes.
pub(crate) const FRAME_BYTES_MAX: usize = 8 << 20;

/// What happens to the streams.
#[derive(Debug)]
enum Input {
    Event(Event),
    Asked {
        session: SessionId,
        room: VirtualRoomId,
        operation: Operation,
        reply: oneshot::Sender<Outcome>,
    },
}

impl Input {
    /// Bytes of content.
    fn content_bytes(&self) -> usize {
        match self {
            Self::Event(Event::Pushed { frame, .. }) => frame.body.len() + FRAME_OVERHEAD_BYTES,
            Self::Event(Event::Received { message, .. }) => message.content_bytes(),
            _ => 0,
        }
    }
}

/// What the streams show of themselves.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) rooms: AtomicU64,
    pub(crate) subscriptions: AtomicU64,
}

/// Posts to the streams.
#[derive(Debug, Clone)]
pub(crate) struct Streams {
    inputs: mpsc::UnboundedSender<Input>,
    waiting: Arc<Backlog>,
    couriers: Arc<Couriers>,
    pub(crate) figures: Arc<Figures>,
}

/// The receiving end, until it is started.
#[derive(Debug)]
pub(crate) struct Inputs(mpsc::UnboundedReceiver<Input>);

/// A handle before the task runs, so that others can be built with it.
pub(crate) fn channel(links: Links, limits: &tim_config::Limits) -> (Streams, Inputs) {
    let (inputs, receiver) = mpsc::unbounded_channel();
    let bytes_max = limits.stream_bytes_per_node_max as usize;
    let streams = Streams {
        couriers: Arc::new(Couriers::new(links, inputs.clone(), bytes_max)),
        inputs,
        waiting: Arc::new(Backlog::new(bytes_max)),
        figures: Arc::default(),
    };
    (streams, Inputs(receiver))
}

impl Streams {
    /// Posts; whether there was room. The task ends only with the process, so there is nobody to tell if it is gone.
    fn post(&self, input: Input) -> bool {
        let fits = self.waiting.take(input.content_bytes());
        if fits {
            let _ = self.inputs.send(input);
        }
        fits
    }

    /// What a session wants of a room.
    pub(crate) async fn ask(&self, session: SessionId, room: VirtualRoomId, operation: Operation) -> Outcome {
        let (reply, outcome) = oneshot::channel();
        self.post(Input::Asked {
            session,
            room,
            operation,
            reply,
        });
        outcome.await.unwrap_or(Outcome::Unavailable)
    }

    /// A session pushes; whether there was room for it.
    pub(crate) fn push(
        &self,
        session: SessionId,
        account: AccountId,
        room: VirtualRoomId,
        frame: Frame,
    ) -> bool {
        self.post(Input::Event(Event::Pushed {
            session,
            account,
            room,
            frame,
        }))
    }

    /// A session ended.
    pub(crate) fn session_closed(&self, session: SessionId) {
        self.post(Input::Event(Event::SessionClosed(session)));
    }

    /// Another set of nodes serves.
    pub(crate) fn view_changed(&self, view: Arc<View>) {
        self.post(Input::Event(Event::ViewChanged(view)));
    }

    /// Another node says something; whether there was room for it.
    fn received(&self, from: NodeName, message: Message) -> bool {
        self.post(Input::Event(Event::Received { from, message }))
    }

    /// Forgets nodes that are gone for good; their couriers end.
    pub(crate) fn keep_only(&self, known: impl Fn(&NodeName) -> bool) {
        self.couriers.keep_only(known);
    }
}
