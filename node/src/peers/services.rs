//! What peers call on this node. Who calls is known from the connection: certificate and proof were checked before.

use super::{Peers, convert};
use crate::accounts::{blocks, deletion, online};
use crate::engine::{Engine, Input, OwnerAnswer, hand_over};
use crate::node::Node;
use crate::session::{Input as SessionInput, SessionTable};
use futures::Stream;
use std::pin::Pin;
use std::sync::Arc;
use tim_cluster::links::{MESSAGE_BYTES_MAX, PeerConnection};
use tim_core::id::{AccountId, NodeName, SessionId};
use tim_core::presence::OwnerEvent;
use tim_peer::{passwords, presence};
use tim_proto::peer::v1 as peer;
use tim_proto::peer::v1::delivery_server::{Delivery, DeliveryServer};
use tim_proto::peer::v1::home_server::{Home, HomeServer};
use tim_proto::peer::v1::passwords_server::{Passwords, PasswordsServer};
use tim_proto::peer::v1::presence_server::{Presence, PresenceServer};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};

/// Most accounts in one answer to [`Peers::list_online`].
const ONLINE_MAX: usize = 1_000;

/// What the services work with.
#[derive(Debug, Clone)]
pub(crate) struct Services {
    pub(crate) engine: Engine,
    pub(crate) peers: Arc<Peers>,
    pub(crate) sessions: Arc<SessionTable>,
    pub(crate) node: Arc<Node>,
}

/// The services of the message path.
pub(crate) fn routes(services: &Services) -> Routes {
    Routes::new(
        HomeServer::new(services.clone())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX),
    )
    .add_service(PresenceServer::new(services.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX))
    .add_service(PasswordsServer::new(services.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX))
    .add_service(DeliveryServer::new(services.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX))
}

/// Who calls.
pub(crate) fn caller<T>(request: &Request<T>) -> Result<NodeName, Status> {
    request
        .extensions()
        .get::<Option<PeerConnection>>()
        .and_then(|connection| connection.as_ref()?.verified())
        .map(|peer| peer.node.clone())
        .ok_or_else(|| Status::permission_denied("the caller has not proved who it is"))
}

pub(crate) fn malformed() -> Status {
    Status::invalid_argument("a field of the message is malformed")
}

type Replies = Pin<Box<dyn Stream<Item = Result<peer::AppendReply, Status>> + Send>>;

#[tonic::async_trait]
impl Home for Services {
    type AppendStream = Replies;

    async fn append(
        &self,
        request: Request<Streaming<peer::AppendRequest>>,
    ) -> Result<Response<Self::AppendStream>, Status> {
        let from = caller(&request)?;
        let answers = self.peers.opened_stream(&from);
        let (engine, mut requests) = (self.engine.clone(), request.into_inner());
        tokio::spawn(async move {
            while let Some(Ok(request)) = requests.next().await {
                match convert::append_request(&from, request) {
                    Some(input) => engine.post(input),
                    None => tracing::warn!(peer = %from, "a malformed submission is dropped"),
                }
            }
        });
        let replies = ReceiverStream::new(answers).filter_map(|answer| convert::answer(answer).map(Ok));
        Ok(Response::new(Box::pin(replies)))
    }
}

#[tonic::async_trait]
impl Presence for Services {
    async fn register(
        &self,
        request: Request<peer::RegisterRequest>,
    ) -> Result<Response<peer::RegisterReply>, Status> {
        let from = caller(&request)?;
        let registrations = presence::registrations(request.into_inner().entries).ok_or_else(malformed)?;
        let event = OwnerEvent::Register {
            from,
            request: 0,
            registrations,
        };
        match self.engine.ask(event).await {
            Some(OwnerAnswer::Registered(refused)) => Ok(Response::new(peer::RegisterReply {
                refused_sessions: refused.into_iter().map(|session| session.0).collect(),
            })),
            _ => Err(Status::unavailable("the node ends")),
        }
    }

    async fn heartbeat(
        &self,
        request: Request<peer::HeartbeatRequest>,
    ) -> Result<Response<peer::HeartbeatReply>, Status> {
        let from = caller(&request)?;
        let heartbeat = request.into_inner();
        let event = OwnerEvent::Heartbeat {
            from,
            request: 0,
            view: tim_core::id::ViewHash(heartbeat.view_hash),
            whole: heartbeat.whole,
            sessions: presence::sessions(heartbeat.sessions),
        };
        match self.engine.ask(event).await {
            Some(OwnerAnswer::Heartbeat(missing)) => Ok(Response::new(peer::HeartbeatReply {
                missing_sessions: missing.into_iter().map(|session| session.0).collect(),
            })),
            _ => Err(Status::unavailable("the node ends")),
        }
    }

    async fn unregister(
        &self,
        request: Request<peer::UnregisterRequest>,
    ) -> Result<Response<peer::PresenceDone>, Status> {
        caller(&request)?;
        let registrations = presence::registrations(request.into_inner().entries).ok_or_else(malformed)?;
        self.engine
            .post(Input::Owner(OwnerEvent::Unregister { registrations }));
        Ok(Response::new(peer::PresenceDone {}))
    }

    async fn lookup(
        &self,
        request: Request<peer::LookupRequest>,
    ) -> Result<Response<peer::LookupReply>, Status> {
        let from = caller(&request)?;
        let accounts = presence::accounts(&request.into_inner().accounts).ok_or_else(malformed)?;
        let lookups = self.engine.look_up(from, accounts).await;
        Ok(Response::new(presence::lookup_reply(lookups)))
    }

    async fn replicate(
        &self,
        request: Request<peer::ReplicateRequest>,
    ) -> Result<Response<peer::PresenceDone>, Status> {
        let from = caller(&request)?;
        let changes = presence::replication(request.into_inner()).ok_or_else(malformed)?;
        self.engine
            .post(Input::Owner(OwnerEvent::Replicate { from, changes }));
        Ok(Response::new(peer::PresenceDone {}))
    }

    async fn ask_snapshot(
        &self,
        request: Request<peer::AskSnapshotRequest>,
    ) -> Result<Response<peer::PresenceDone>, Status> {
        let from = caller(&request)?;
        let shards = presence::shards(&request.into_inner().shards).ok_or_else(malformed)?;
        self.engine
            .post(Input::Owner(OwnerEvent::SnapshotAsked { from, shards }));
        Ok(Response::new(peer::PresenceDone {}))
    }

    async fn put_snapshot(
        &self,
        request: Request<peer::PutSnapshotRequest>,
    ) -> Result<Response<peer::PresenceDone>, Status> {
        let from = caller(&request)?;
        let snapshots = presence::snapshots(request.into_inner()).ok_or_else(malformed)?;
        self.engine
            .post(Input::Owner(OwnerEvent::SnapshotArrived { from, snapshots }));
        Ok(Response::new(peer::PresenceDone {}))
    }
}

#[tonic::async_trait]
impl Passwords for Services {
    async fn remember(
        &self,
        request: Request<peer::RememberRequest>,
    ) -> Result<Response<peer::RememberReply>, Status> {
        caller(&request)?;
        let tags = passwords::tags(&request.into_inner()).ok_or_else(malformed)?;
        self.node.accounts.remembered.keep(tags);
        Ok(Response::new(peer::RememberReply {}))
    }

    async fn is_remembered(
        &self,
        request: Request<peer::IsRememberedRequest>,
    ) -> Result<Response<peer::IsRememberedReply>, Status> {
        caller(&request)?;
        let tag = passwords::tag(&request.into_inner()).ok_or_else(malformed)?;
        let remembered = self.node.accounts.remembered.keeps(&tag);
        Ok(Response::new(peer::IsRememberedReply { remembered }))
    }
}

#[tonic::async_trait]
impl Delivery for Services {
    async fn deliver(
        &self,
        request: Request<peer::DeliverRequest>,
    ) -> Result<Response<peer::DeliverReply>, Status> {
        caller(&request)?;
        let (pushes, traces) = convert::pushes(request.into_inner()).ok_or_else(malformed)?;
        let mut gone_sessions = Vec::new();
        for push in pushes {
            let session = push.session;
            if !hand_over(&self.sessions, push, &traces) {
                gone_sessions.push(session.0);
            }
        }
        Ok(Response::new(peer::DeliverReply {
            gone_sessions,
            overloaded: false,
        }))
    }

    async fn relay(
        &self,
        request: Request<peer::RelayRequest>,
    ) -> Result<Response<peer::RelayReply>, Status> {
        caller(&request)?;
        let mut gone_sessions = Vec::new();
        for entry in request.into_inner().entries {
            let session = SessionId(entry.session);
            let relayed = Arc::new(convert::relayed(entry).ok_or_else(malformed)?);
            if self
                .sessions
                .post(session, SessionInput::Relayed(relayed))
                .is_err()
            {
                gone_sessions.push(session.0);
            }
        }
        Ok(Response::new(peer::RelayReply { gone_sessions }))
    }

    async fn end_sessions(
        &self,
        request: Request<peer::EndSessionsRequest>,
    ) -> Result<Response<peer::EndSessionsReply>, Status> {
        caller(&request)?;
        for session in presence::sessions(request.into_inner().sessions) {
            // It may have ended meanwhile.
            let _ = self.sessions.post(session, SessionInput::LogOut);
        }
        Ok(Response::new(peer::EndSessionsReply {}))
    }

    async fn ask_sessions(
        &self,
        request: Request<peer::AskSessionsRequest>,
    ) -> Result<Response<peer::AskSessionsReply>, Status> {
        caller(&request)?;
        let mut gone_sessions = request.into_inner().sessions;
        gone_sessions.retain(|session| !self.sessions.contains(SessionId(*session)));
        Ok(Response::new(peer::AskSessionsReply { gone_sessions }))
    }

    async fn end_account(
        &self,
        request: Request<peer::EndAccountRequest>,
    ) -> Result<Response<peer::EndAccountReply>, Status> {
        caller(&request)?;
        let request = request.into_inner();
        let account = AccountId::new(&request.account).map_err(|_| malformed())?;
        let ended = if request.deleted {
            deletion::end_here(&self.node, &account)
        } else if request.log_out_only {
            online::log_out_here(&self.node, &account)
        } else {
            blocks::end_here(&self.node, &account, request.until_ms)
        };
        let sessions = u32::try_from(ended).unwrap_or(u32::MAX);
        Ok(Response::new(peer::EndAccountReply { sessions }))
    }

    async fn send_as(
        &self,
        request: Request<peer::SendAsRequest>,
    ) -> Result<Response<peer::SendAsReply>, Status> {
        caller(&request)?;
        let request = request.into_inner();
        let found = online::send_as_here(&self.node, SessionId(request.session), request.frame).await;
        Ok(Response::new(peer::SendAsReply { found }))
    }

    type WatchOnlineStream = ReceiverStream<Result<peer::OnlineNews, Status>>;

    async fn watch_online(
        &self,
        request: Request<peer::WatchOnlineRequest>,
    ) -> Result<Response<Self::WatchOnlineStream>, Status> {
        caller(&request)?;
        let news = self.node.online_news.of_this_node();
        Ok(Response::new(ReceiverStream::new(convert::online_news(news))))
    }

    async fn list_online(
        &self,
        request: Request<peer::ListOnlineRequest>,
    ) -> Result<Response<peer::ListOnlineReply>, Status> {
        caller(&request)?;
        let request = request.into_inner();
        let after = match request.after.as_str() {
            "" => None,
            account => Some(AccountId::new(account).map_err(|_| malformed())?),
        };
        let limit = (request.limit as usize).min(ONLINE_MAX);
        let listed = self.node.local_accounts.list(after.as_ref(), limit);
        let accounts = listed.into_iter().map(convert::online).collect();
        Ok(Response::new(peer::ListOnlineReply { accounts }))
    }
}
