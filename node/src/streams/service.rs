//! What peers call on this node.

use super::Streams;
use crate::metrics::Metrics;
use crate::peers::{caller, malformed};
use std::sync::Arc;
use tim_cluster::links::MESSAGE_BYTES_MAX;
use tim_peer::streams::message;
use tim_proto::peer::v1 as peer;
use tim_proto::peer::v1::streams_server::{Streams as Service, StreamsServer};
use tonic::{Request, Response, Status};

/// The service.
pub(crate) fn service(streams: Streams, metrics: Arc<Metrics>) -> StreamsServer<impl Service> {
    StreamsServer::new(Served { streams, metrics }).max_decoding_message_size(MESSAGE_BYTES_MAX)
}

struct Served {
    streams: Streams,
    metrics: Arc<Metrics>,
}

#[tonic::async_trait]
impl Service for Served {
    async fn carry(
        &self,
        request: Request<peer::CarryRequest>,
    ) -> Result<Response<peer::CarryReply>, Status> {
        let from = caller(&request)?;
        let items = request.into_inner().items;
        let messages: Option<Vec<_>> = items.into_iter().map(message).collect();
        for message in messages.ok_or_else(malformed)? {
            if !self.streams.received(from.clone(), message) {
                self.metrics.frames_dropped.add(1, &[]);
            }
        }
        Ok(Response::new(peer::CarryReply {}))
    }
}
