//! What [`tim_peer`] does not know: the engine's inputs, traces, and messages that are not stored.

use super::ToPeer;
use crate::engine::Input;
use crate::online_news::News;
use crate::session::{OnlineAccount, Relayed, Traces};
use bytes::Bytes;
use std::sync::Arc;
use tim_core::conversation::Submission;
use tim_core::delivery::Push;
use tim_core::home;
use tim_core::id::{AccountId, DeviceClass, NodeName, SessionId, Tenure};
use tim_core::submit::LaneStamp;
use tim_peer::{deliveries, lanes};
use tim_proto::peer::v1 as peer;
use tim_telemetry::TraceContext;
use tim_wire::Command;
use tim_wire::frame::BigData;
use tokio::sync::{broadcast, mpsc};
use tonic::Status;

fn to_trace(trace: TraceContext) -> peer::TraceContext {
    peer::TraceContext {
        trace_id: Bytes::copy_from_slice(&trace.trace_id()),
        span_id: Bytes::copy_from_slice(&trace.span_id()),
        flags: trace.flags(),
    }
}

fn trace(trace: &peer::TraceContext) -> Option<TraceContext> {
    TraceContext::from_parts(&trace.trace_id, &trace.span_id, trace.flags)
}

/// A submission.
pub(super) fn submit(
    stamp: &LaneStamp,
    submission: &Submission,
    trace: Option<TraceContext>,
) -> peer::AppendRequest {
    lanes::submit(stamp, submission, trace.map(to_trace))
}

/// A peer's request, for the engine.
pub(super) fn append_request(from: &NodeName, request: peer::AppendRequest) -> Option<Input> {
    let from = from.clone();
    Some(match lanes::append_request(request)? {
        lanes::Asked::Open { lane, attempt } => Input::Home(home::Event::Open {
            from,
            lane,
            attempt,
            tenure: Tenure(crate::random::number()),
        }),
        lanes::Asked::Submit {
            stamp,
            submission,
            trace: context,
        } => Input::RemoteSubmit {
            from,
            stamp,
            submission,
            trace: context.as_ref().and_then(trace),
        },
    })
}

/// What the home says to a peer's lane.
pub(super) fn answer(message: ToPeer) -> Option<peer::AppendReply> {
    match message {
        ToPeer::Opened {
            lane,
            attempt,
            tenure,
        } => Some(lanes::opened(lane, attempt, tenure)),
        ToPeer::OpenRefused {
            lane,
            attempt,
            reason,
        } => Some(lanes::open_refused(lane, attempt, reason)),
        ToPeer::Answer {
            lane,
            attempt,
            index,
            answer,
        } => Some(lanes::answered(lane, attempt, index, *answer)),
        _ => None,
    }
}

/// One call with several batches.
pub(super) fn deliver_request(batches: Vec<(Vec<Push>, Traces)>) -> peer::DeliverRequest {
    let to_traces = |traces: Traces| traces.into_iter().map(|(key, trace)| (key, to_trace(trace)));
    let batches = batches
        .into_iter()
        .map(|(pushes, traces)| (pushes, to_traces(traces).collect()));
    deliveries::deliver_request(batches.collect())
}

/// What a peer delivers.
pub(super) fn pushes(request: peer::DeliverRequest) -> Option<(Vec<Push>, Traces)> {
    let (pushes, traces) = deliveries::pushes(request)?;
    let traces = traces
        .iter()
        .filter_map(|(key, context)| Some((*key, trace(context)?)));
    Some((pushes, traces.collect()))
}

/// What is not stored.
pub(super) fn relay_request(relayed: Vec<(SessionId, Arc<Relayed>)>) -> peer::RelayRequest {
    let entries = relayed.into_iter().map(|(session, relayed)| match &*relayed {
        Relayed::Message {
            wire_id,
            timestamp_ns,
            body,
        } => peer::RelayEntry {
            session: session.0,
            wire_id: *wire_id,
            timestamp_ns: *timestamp_ns,
            body: body.clone(),
            presence: None,
            big_data: None,
        },
        Relayed::Presence(presence) => peer::RelayEntry {
            session: session.0,
            presence: Some(presence.clone()),
            ..peer::RelayEntry::default()
        },
        Relayed::BigData(big_data) => peer::RelayEntry {
            session: session.0,
            big_data: Some(peer::BigData {
                command: u32::from(big_data.command.number()),
                from: big_data.node.clone(),
                data: big_data.data.clone(),
            }),
            ..peer::RelayEntry::default()
        },
    });
    peer::RelayRequest {
        entries: entries.collect(),
    }
}

/// What a peer relays to a session; nothing for what is malformed.
pub(super) fn relayed(entry: peer::RelayEntry) -> Option<Relayed> {
    Some(match (entry.presence, entry.big_data) {
        (Some(presence), _) => Relayed::Presence(presence),
        (None, Some(big_data)) => Relayed::BigData(BigData {
            command: u8::try_from(big_data.command)
                .ok()
                .and_then(Command::from_number)
                .filter(|command| command.is_big_data())?,
            node: big_data.from,
            data: big_data.data,
        }),
        (None, None) => Relayed::Message {
            wire_id: entry.wire_id,
            timestamp_ns: entry.timestamp_ns,
            body: entry.body,
        },
    })
}

/// An account that has sessions here.
pub(super) fn online(online: OnlineAccount) -> peer::OnlineAccount {
    peer::OnlineAccount {
        account: online.account.as_str().to_owned(),
        classes: online.classes.iter().map(|class| i32::from(class.0)).collect(),
    }
}

/// An account that has sessions on a peer; nothing for what is malformed.
pub(super) fn online_account(online: peer::OnlineAccount) -> Option<OnlineAccount> {
    let classes = online
        .classes
        .into_iter()
        .map(|class| i8::try_from(class).map(DeviceClass));
    Some(OnlineAccount {
        account: AccountId::new(online.account).ok()?,
        classes: classes.collect::<Result<_, _>>().ok()?,
    })
}

/// What may wait for a peer that watches.
const NEWS_WAITING_MAX: usize = 1_024;

/// What this node finds out of who comes and goes, for a peer that listens; it ends when the peer does not keep up.
pub(super) fn online_news(
    mut news: broadcast::Receiver<News>,
) -> mpsc::Receiver<Result<peer::OnlineNews, Status>> {
    let (told, heard) = mpsc::channel(NEWS_WAITING_MAX);
    tokio::spawn(async move {
        loop {
            let news = tokio::select! {
                () = told.closed() => return,
                news = news.recv() => news,
            };
            let Ok(News { account, online }) = news else {
                return;
            };
            let account = account.as_str().to_owned();
            if told.try_send(Ok(peer::OnlineNews { account, online })).is_err() {
                return;
            }
        }
    });
    heard
}

#[cfg(test)]
mod tests;
