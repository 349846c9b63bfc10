//! Real sockets on loopback: who gets through, who does not, and what is seen of it.

use super::*;
use crate::keyring::KeyRing;
use crate::membership::{MemberIdentity, Members};
use crate::tls::authority::Authority;
use crate::tls::{PeerIdentity, Trust};
use arc_swap::ArcSwap;
use base64::Engine;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tim_core::id::{Generation, NodeName};
use tim_proto::control::v1 as control;
use tim_proto::control::v1::node_control_client::NodeControlClient;
use tim_proto::peer::v1 as peer;
use tim_proto::peer::v1::delivery_server::{Delivery, DeliveryServer};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status};

struct Sessions;

#[tonic::async_trait]
impl Delivery for Sessions {
    async fn deliver(
        &self,
        _: Request<peer::DeliverRequest>,
    ) -> Result<Response<peer::DeliverReply>, Status> {
        Ok(Response::new(peer::DeliverReply {
            overloaded: true,
            ..Default::default()
        }))
    }
    async fn relay(&self, _: Request<peer::RelayRequest>) -> Result<Response<peer::RelayReply>, Status> {
        Ok(Response::new(peer::RelayReply::default()))
    }
    async fn end_sessions(
        &self,
        _: Request<peer::EndSessionsRequest>,
    ) -> Result<Response<peer::EndSessionsReply>, Status> {
        Ok(Response::new(peer::EndSessionsReply::default()))
    }
    async fn ask_sessions(
        &self,
        _: Request<peer::AskSessionsRequest>,
    ) -> Result<Response<peer::AskSessionsReply>, Status> {
        Ok(Response::new(peer::AskSessionsReply::default()))
    }
    async fn end_account(
        &self,
        _: Request<peer::EndAccountRequest>,
    ) -> Result<Response<peer::EndAccountReply>, Status> {
        Ok(Response::new(peer::EndAccountReply::default()))
    }

    async fn list_online(
        &self,
        _: Request<peer::ListOnlineRequest>,
    ) -> Result<Response<peer::ListOnlineReply>, Status> {
        Ok(Response::new(peer::ListOnlineReply::default()))
    }

    async fn send_as(&self, _: Request<peer::SendAsRequest>) -> Result<Response<peer::SendAsReply>, Status> {
        Ok(Response::new(peer::SendAsReply::default()))
    }

    type WatchOnlineStream = tokio_stream::Empty<Result<peer::OnlineNews, Status>>;

    async fn watch_online(
        &self,
        _: Request<peer::WatchOnlineRequest>,
    ) -> Result<Response<Self::WatchOnlineStream>, Status> {
        Ok(Response::new(tokio_stream::empty()))
    }
}

fn name(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

fn handshaker(node: &str, secret: u8) -> Handshaker {
    let secret = base64::engine::general_purpose::STANDARD.encode([secret; 32]);
    let ring = format!("primary = \"k1\"\n[[key]]\nid = \"k1\"\nsecret = \"{secret}\"\n");
    let keys = Arc::new(ArcSwap::from_pointee(KeyRing::parse(&ring).unwrap()));
    Handshaker::new("chat", name(node), keys)
}

struct Served {
    address: SocketAddr,
    trust: Trust,
    shutdown: CancellationToken,
    done: tokio::task::JoinHandle<Result<(), ServeError>>,
}

async fn serve(trust: Trust, secret: u8) -> Served {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let server = PeerServer {
        listener,
        trust: trust.clone(),
        handshaker: handshaker("chat-0", secret),
        grace: Duration::from_millis(50),
    };
    let routes = tonic::service::Routes::new(DeliveryServer::new(Sessions));
    let done = tokio::spawn(server.serve(routes, shutdown.clone()));
    Served {
        address,
        trust,
        shutdown,
        done,
    }
}

fn members(address: SocketAddr, generation: u64) -> Arc<Members> {
    let identity = MemberIdentity::new(&name("chat-0"), Generation(generation), address, "");
    Arc::new(Members::of(&[identity]))
}

fn links(trust: Trust, secret: u8, address: SocketAddr) -> (Links, watch::Sender<Arc<Members>>) {
    let (sender, receiver) = watch::channel(members(address, 1));
    (Links::new(trust, handshaker("chat-1", secret), receiver), sender)
}

const NODE_0: &str = "tim://chat/node/chat-0";
const NODE_1: &str = "tim://chat/node/chat-1";

#[tokio::test]
async fn a_node_of_the_cluster_calls_another_over_one_link() {
    let authority = Authority::new();
    let served = serve(authority.trust(NODE_0), 1).await;
    let (links, _members) = links(authority.trust(NODE_1), 1, served.address);
    let node = name("chat-0");
    let (one, two) = tokio::join!(links.link(&node), links.link(&node));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.peer(), two.peer());
    let reply = one
        .delivery()
        .deliver(peer::DeliverRequest::default())
        .await
        .unwrap();
    assert!(reply.get_ref().overloaded);
    assert!(matches!(
        links.link(&name("chat-9")).await,
        Err(LinkError::Unknown { .. })
    ));

    served.shutdown.cancel();
    served.done.await.unwrap().unwrap();
    one.closed().await;
    assert!(links.standing(&node).is_none());
    assert!(matches!(
        links.link(&node).await,
        Err(LinkError::Unreachable { .. })
    ));
    assert!(
        matches!(links.link(&node).await, Err(LinkError::Waiting { .. })),
        "attempts are paced"
    );
}

#[tokio::test]
async fn a_call_that_a_node_of_another_version_does_not_know_breaks_no_link() {
    let authority = Authority::new();
    let served = serve(authority.trust(NODE_0), 1).await;
    let (links, _members) = links(authority.trust(NODE_1), 1, served.address);
    let link = links.link(&name("chat-0")).await.unwrap();
    let (mut passwords, mut delivery) = (link.passwords(), link.delivery());
    let (unknown, known) = tokio::join!(
        passwords.is_remembered(peer::IsRememberedRequest::default()),
        delivery.deliver(peer::DeliverRequest::default()),
    );
    assert_eq!(unknown.unwrap_err().code(), Code::Unimplemented);
    assert!(known.unwrap().into_inner().overloaded);
    assert!(!link.is_closed());
    let deliver = delivery.deliver(peer::DeliverRequest::default()).await;
    assert!(deliver.unwrap().into_inner().overloaded, "as before");
}

#[tokio::test]
async fn who_holds_another_secret_is_refused_and_may_call_nothing() {
    let authority = Authority::new();
    let served = serve(authority.trust(NODE_0), 1).await;
    let (links, _members) = links(authority.trust(NODE_1), 2, served.address);
    let error = links.link(&name("chat-0")).await.unwrap_err();
    assert_eq!(error.cause().code, "TIM-N102");

    // Past the handshake that failed, with a certificate of the cluster: every call is refused in the same words.
    let channel = operator_channel(&authority.trust(NODE_1), "chat", &name("chat-0"), served.address)
        .await
        .unwrap();
    let mut delivery = peer::delivery_client::DeliveryClient::new(channel.clone());
    let refused = delivery
        .deliver(peer::DeliverRequest::default())
        .await
        .unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::PermissionDenied, "refused")
    );
    let refused = NodeControlClient::new(channel)
        .status(control::StatusRequest {})
        .await
        .unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::PermissionDenied, "refused")
    );
}

#[tokio::test]
async fn an_operator_calls_node_control_and_nothing_else() {
    let authority = Authority::new();
    let served = serve(authority.trust(NODE_0), 1).await;
    let operator = authority.trust("tim://chat/operator");
    let channel = operator_channel(&operator, "chat", &name("chat-0"), served.address)
        .await
        .unwrap();
    // The test serves no NodeControl: that it is missing is told to who may call it.
    let status = NodeControlClient::new(channel.clone())
        .status(control::StatusRequest {})
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    let mut delivery = peer::delivery_client::DeliveryClient::new(channel);
    let refused = delivery
        .deliver(peer::DeliverRequest::default())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let wrong = operator_channel(&operator, "chat", &name("chat-7"), served.address)
        .await
        .unwrap_err();
    assert_eq!(wrong.cause().code, "TIM-N103", "the node is checked by name");
}

#[tokio::test]
async fn another_cluster_gets_no_link_either_way() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let served = serve(ours.trust(NODE_0), 1).await;
    for stranger in [theirs.trust(NODE_1), ours.trust("tim://other/node/chat-1")] {
        let (links, _members) = links(stranger, 1, served.address);
        let error = links.link(&name("chat-0")).await.unwrap_err();
        assert!(
            matches!(error, LinkError::OtherPeer { .. } | LinkError::Unreachable { .. }),
            "{error}"
        );
    }
}

#[tokio::test]
async fn an_ended_certificate_makes_no_new_link_and_breaks_none() {
    let authority = Authority::new();
    let served = serve(authority.trust(NODE_0), 1).await;
    let (links_1, _members) = links(authority.trust(NODE_1), 1, served.address);
    let link = links_1.link(&name("chat-0")).await.unwrap();
    served
        .trust
        .replace(authority.issue_expired(NODE_0).material(NODE_0))
        .unwrap();
    assert!(served.trust.status().expired);
    link.delivery()
        .relay(peer::RelayRequest::default())
        .await
        .unwrap();

    let (fresh, _members) = links(authority.trust(NODE_1), 1, served.address);
    let error = fresh.link(&name("chat-0")).await.unwrap_err();
    assert_eq!(error.cause().code, "TIM-N108");

    let own = Trust::new(authority.issue_expired(NODE_1).material(NODE_1)).unwrap();
    served
        .trust
        .replace(authority.issue(NODE_0).material(NODE_0))
        .unwrap();
    let (fresh, _members) = links(own, 1, served.address);
    let error = fresh.link(&name("chat-0")).await.unwrap_err();
    assert_eq!(error.cause().code, "TIM-N108", "{error}");
}

#[tokio::test]
async fn a_replaced_authority_is_used_for_the_next_link() {
    let (old, new) = (Authority::new(), Authority::new());
    let served = serve(old.trust(NODE_0), 1).await;
    let client = old.trust(NODE_1);
    let (links, members_sender) = links(client.clone(), 1, served.address);
    links.link(&name("chat-0")).await.unwrap();
    served.trust.replace(new.issue(NODE_0).material(NODE_0)).unwrap();
    client.replace(new.issue(NODE_1).material(NODE_1)).unwrap();
    assert!(
        links.standing(&name("chat-0")).is_some(),
        "the standing link is not touched"
    );
    let (fresh, _members) = self::links(client, 1, served.address);
    fresh.link(&name("chat-0")).await.unwrap();
    drop(members_sender);
}

#[tokio::test]
async fn a_node_that_moved_is_tried_at_once_where_it_is_now() {
    let authority = Authority::new();
    let (links, members_sender) = links(authority.trust(NODE_1), 1, "127.0.0.1:1".parse().unwrap());
    let node = name("chat-0");
    assert!(links.link(&node).await.is_err());
    let served = serve(authority.trust(NODE_0), 1).await;
    members_sender.send_replace(members(served.address, 2));
    assert_eq!(links.link(&node).await.unwrap().address(), served.address);
    members_sender.send_replace(Arc::new(Members::default()));
    assert!(
        links.link(&node).await.is_ok(),
        "a link that stands needs no membership"
    );
}

#[test]
fn identities_print_as_certificates_say_them() {
    let identity: PeerIdentity = NODE_0.parse().unwrap();
    assert_eq!(identity.to_string(), NODE_0);
}
