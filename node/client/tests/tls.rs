//! `wss`: the client trusts whom it is told to trust, and nobody else.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tim_client::wire::frame::server_frame;
use tim_client::wire::{Command, Encoding, TimAck, WireStruct};
use tim_client::{Client, ConnectError, Credentials, Options, Server};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::Message;

/// A certificate for localhost: as the server holds it, and as text.
struct Certificate {
    held: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    pem: String,
}

fn certificate() -> Certificate {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    Certificate {
        held: cert.der().clone(),
        key: PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap(),
        pem: cert.pem(),
    }
}

/// Lets one client log in, if it gets that far.
async fn serve_one(listener: TcpListener, acceptor: TlsAcceptor) -> Option<()> {
    let (stream, _) = listener.accept().await.unwrap();
    let stream = acceptor.accept(stream).await.ok()?;
    let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
    socket.next().await.unwrap().unwrap();
    let ack = TimAck {
        n: Some("node".to_owned()),
        ..TimAck::success(Command::Auth)
    };
    let frame: Bytes = server_frame(Command::Ack, None, &ack.encode_payload(Encoding::Thrift));
    socket.send(Message::Binary(frame)).await.unwrap();
    while socket.next().await.is_some_and(|message| message.is_ok()) {}
    Some(())
}

async fn connect(trusted: Option<&Certificate>, served: &Certificate) -> Result<(), ConnectError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = builder
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![served.held.clone()], served.key.clone_key())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(serve_one(listener, TlsAcceptor::from(Arc::new(config))));
    let mut server = Server::at([format!("wss://localhost:{port}").parse().unwrap()]);
    if let Some(trusted) = trusted {
        server = server.trusting(trusted.pem.as_bytes()).unwrap();
    }
    let options = Options::new(server, Credentials::password("alice", "secret", ""));
    match Client::connect(options).await {
        Ok((client, _events)) => {
            client.close().await;
            serving.await.unwrap();
            Ok(())
        }
        Err(error) => Err(error),
    }
}

#[tokio::test]
async fn a_trusted_server_is_used() {
    let served = certificate();
    connect(Some(&served), &served).await.unwrap();
}

#[tokio::test]
async fn another_certificate_is_refused() {
    let refused = connect(Some(&certificate()), &certificate()).await;
    assert!(
        matches!(refused, Err(ConnectError::Unreachable { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn without_trust_nothing_is_even_tried() {
    let refused = connect(None, &certificate()).await;
    assert!(
        matches!(refused, Err(ConnectError::NoTrust { .. })),
        "{refused:?}"
    );
}

#[test]
fn text_without_a_certificate_is_no_trust() {
    let server = || Server::at(["wss://localhost:1".parse().unwrap()]);
    let refused = |pem: &str| server().trusting(pem.as_bytes()).unwrap_err().to_string();
    assert_eq!(refused("nothing"), "no certificate in PEM form");
    assert!(
        refused("-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n").contains("cannot be used")
    );
}
