//! The stream of lanes to one peer: submissions there, answers back.

use super::couriers::Way;
use super::{ToPeer, convert};
use crate::engine::Input;
use futures::StreamExt;
use tim_core::submit;
use tim_proto::peer::v1::{AppendReply, AppendRequest};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Requests between the courier and the connection.
const STREAM_QUEUE: usize = 1_024;

/// Carries until the peer is forgotten. A stream is opened when there is something to send; what is sent while there is
/// none is reported as lost, once, and the lanes open anew.
pub(super) async fn carry(way: Way, mut queue: mpsc::Receiver<ToPeer>) {
    let mut stream: Option<mpsc::Sender<AppendRequest>> = None;
    while let Some(message) = queue.recv().await {
        let request = match message {
            ToPeer::Open { lane, attempt } => convert::open(lane, attempt),
            ToPeer::Submit {
                stamp,
                submission,
                trace,
            } => convert::submit(&stamp, &submission, trace),
            _ => continue,
        };
        if stream.as_ref().is_none_or(mpsc::Sender::is_closed) {
            stream = open(&way).await;
        }
        let sent = match &stream {
            Some(stream) => stream.send(request).await.is_ok(),
            None => false,
        };
        if !sent {
            stream = None;
            drain(&mut queue);
            broken(&way);
        }
    }
}

fn broken(way: &Way) {
    way.engine
        .post(Input::Lanes(submit::Event::StreamBroken { node: way.to.clone() }));
}

/// What waits was meant for the stream that broke.
fn drain(queue: &mut mpsc::Receiver<ToPeer>) {
    while queue.try_recv().is_ok() {}
}

async fn open(way: &Way) -> Option<mpsc::Sender<AppendRequest>> {
    let link = way.links.link(&way.to).await.ok()?;
    let (requests, receiver) = mpsc::channel(STREAM_QUEUE);
    let replies = link
        .home()
        .append(ReceiverStream::new(receiver))
        .await
        .ok()?
        .into_inner();
    tokio::spawn(answers(way.clone(), replies, requests.clone()));
    Some(requests)
}

/// Posts answers until the stream ends, which the lanes are told.
async fn answers(
    way: Way,
    mut replies: tonic::Streaming<AppendReply>,
    requests: mpsc::Sender<AppendRequest>,
) {
    while let Some(Ok(reply)) = replies.next().await {
        if let Some(event) = convert::append_reply(&way.to, reply) {
            way.engine.post(Input::Lanes(event));
        }
    }
    // Held until here: the courier sees by it that the stream has ended.
    drop(requests);
    broken(&way);
}
