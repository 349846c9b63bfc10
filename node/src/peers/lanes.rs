//! The stream of lanes to one peer: submissions there, answers back.

use super::couriers::Way;
use super::{ToPeer, convert};
use crate::engine::Input;
use futures::StreamExt;
use tim_core::submit;
use tim_peer::lanes;
use tim_proto::peer::v1::{AppendReply, AppendRequest};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;

/// Requests between the courier and the connection.
const STREAM_QUEUE: usize = 1_024;

/// Carries until the peer is forgotten. A stream is opened when there is something to send; what is sent while there is
/// none is reported as lost, once, and the lanes open anew.
pub(super) async fn carry(way: Way, mut queue: mpsc::Receiver<ToPeer>) {
    let mut stream: Option<Stream> = None;
    while let Some(message) = queue.recv().await {
        let request = match message {
            ToPeer::Open { lane, attempt } => lanes::open(lane, attempt),
            ToPeer::Submit {
                stamp,
                submission,
                trace,
            } => convert::submit(&stamp, &submission, trace),
            _ => continue,
        };
        if stream.as_ref().is_none_or(Stream::is_over) {
            stream = open(&way).await;
        }
        let sent = match &mut stream {
            Some(stream) => stream.send(request).await,
            None => false,
        };
        if !sent {
            stream = None;
            drain(&mut queue);
            broken(&way);
        }
    }
}

/// Both directions of a stream. The peer may end its answers and go on reading, which it does when this node was out of its
/// view for a moment; what is sent then would never be answered, so either end is the end of both.
struct Stream {
    requests: mpsc::Sender<AppendRequest>,
    answers: JoinHandle<()>,
}

impl Stream {
    fn is_over(&self) -> bool {
        self.answers.is_finished() || self.requests.is_closed()
    }

    /// Whether it went out.
    async fn send(&mut self, request: AppendRequest) -> bool {
        if self.is_over() {
            return false;
        }
        tokio::select! {
            biased;
            _ = &mut self.answers => false,
            sent = self.requests.send(request) => sent.is_ok(),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.answers.abort();
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

async fn open(way: &Way) -> Option<Stream> {
    let link = way.links.link(&way.to).await.ok()?;
    let (requests, receiver) = mpsc::channel(STREAM_QUEUE);
    let replies = link
        .home()
        .append(ReceiverStream::new(receiver))
        .await
        .ok()?
        .into_inner();
    let answers = tokio::spawn(answers(way.clone(), replies));
    Some(Stream { requests, answers })
}

/// Posts answers until the stream ends, which the lanes are told.
async fn answers(way: Way, mut replies: tonic::Streaming<AppendReply>) {
    while let Some(Ok(reply)) = replies.next().await {
        if let Some(event) = lanes::append_reply(&way.to, reply) {
            way.engine.post(Input::Lanes(event));
        }
    }
    broken(&way);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stream_whose_answers_have_ended_takes_nothing_though_the_peer_still_reads() {
        let (requests, _reading) = mpsc::channel(STREAM_QUEUE);
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let mut stream = Stream {
            requests,
            answers: tokio::spawn(async move { drop(ended.await) }),
        };
        assert!(stream.send(AppendRequest::default()).await);
        drop(end);
        while !stream.is_over() {
            tokio::task::yield_now().await;
        }
        assert!(!stream.send(AppendRequest::default()).await);
    }

    #[tokio::test]
    async fn a_full_stream_ends_with_its_answers() {
        let (requests, _stuck) = mpsc::channel(1);
        let mut stream = Stream {
            requests,
            answers: tokio::spawn(tokio::task::yield_now()),
        };
        let mut sent = 0;
        while stream.send(AppendRequest::default()).await {
            sent += 1;
        }
        assert!(sent <= 1, "the queue holds one");
    }
}
