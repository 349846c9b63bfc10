use super::authority::{Authority, Issued};
use super::*;
use base64::Engine;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const NODE_0: &str = "tim://chat/node/chat-0";
const NODE_1: &str = "tim://chat/node/chat-1";

/// Both ends over a pipe: what each side says to the connection.
async fn meet(server: &Trust, client: &Trust, expected: &str) -> (Result<(), String>, Result<(), String>) {
    let (near, far) = tokio::io::duplex(1 << 16);
    let acceptor = tokio_rustls::TlsAcceptor::from(server.server_config());
    let config = client.client_config(expected.parse().unwrap()).unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let serve = async {
        let mut stream = acceptor.accept(far).await.map_err(|error| error.to_string())?;
        stream
            .write_all(b"secret")
            .await
            .map_err(|error| error.to_string())?;
        stream.shutdown().await.map_err(|error| error.to_string())
    };
    let connect = async {
        let name = rustls_pki_types::ServerName::try_from("node").unwrap();
        let mut stream = connector
            .connect(name, near)
            .await
            .map_err(|error| error.to_string())?;
        let mut text = String::new();
        stream
            .read_to_string(&mut text)
            .await
            .map_err(|error| error.to_string())?;
        assert_eq!(text, "secret");
        Ok(())
    };
    tokio::join!(serve, connect)
}

#[tokio::test]
async fn two_nodes_of_one_cluster_meet() {
    let authority = Authority::new();
    let (server, client) = (authority.trust(NODE_0), authority.trust(NODE_1));
    assert_eq!(meet(&server, &client, NODE_0).await, (Ok(()), Ok(())));
}

#[tokio::test]
async fn nothing_is_said_to_who_is_of_another_cluster_or_authority() {
    let authority = Authority::new();
    let server = authority.trust(NODE_0);
    for stranger in [
        authority.trust("tim://other/node/chat-1"),
        authority.trust("tim://other/operator"),
        Authority::new().trust(NODE_1),
    ] {
        let (served, got) = meet(&server, &stranger, NODE_0).await;
        assert!(served.is_err() && got.is_err(), "{served:?} {got:?}");
    }
}

#[tokio::test]
async fn a_node_is_refused_by_who_expects_another_one() {
    let authority = Authority::new();
    let (server, client) = (authority.trust(NODE_0), authority.trust(NODE_1));
    for expected in [NODE_1, "tim://chat/operator", "tim://other/node/chat-0"] {
        assert!(meet(&server, &client, expected).await.1.is_err(), "{expected}");
    }
}

#[tokio::test]
async fn who_has_an_ended_certificate_is_refused_on_either_side() {
    let authority = Authority::new();
    let expired = Trust::new(authority.issue_expired(NODE_1).material(NODE_1)).unwrap();
    assert!(expired.status().expired);
    let valid = authority.trust(NODE_0);
    assert!(!valid.status().expired);
    assert!(
        meet(&valid, &expired, NODE_0)
            .await
            .0
            .unwrap_err()
            .contains("xpired")
    );
    assert!(
        meet(&expired, &valid, NODE_1)
            .await
            .1
            .unwrap_err()
            .contains("xpired")
    );
}

#[test]
fn parts_that_do_not_fit_are_refused_with_their_code() {
    let authority = Authority::new();
    let (one, two) = (authority.issue(NODE_0), authority.issue(NODE_0));
    let check = |chain: &str, key: &str, uri: &str| {
        Material::from_pem(
            one.roots.as_bytes(),
            chain.as_bytes(),
            key.as_bytes(),
            &uri.parse().unwrap(),
        )
        .map(|_| ())
        .map_err(|error| error.cause().code)
    };
    assert_eq!(check(&one.chain, &one.key, NODE_0), Ok(()));
    assert_eq!(check(&one.chain, &two.key, NODE_0), Err("TIM-N109"));
    assert_eq!(check("", &one.key, NODE_0), Err("TIM-N109"));
    assert_eq!(check(&one.chain, "nonsense", NODE_0), Err("TIM-N109"));
    assert_eq!(check(&one.chain, &one.key, NODE_1), Err("TIM-N109"));
    assert_eq!(
        check(&one.chain, &one.key, "tim://other/node/chat-0"),
        Err("TIM-N103")
    );
}

fn write(directory: &Path, issued: &Issued) {
    std::fs::write(directory.join("ca.crt"), &issued.roots).unwrap();
    std::fs::write(directory.join("chat-0.crt"), &issued.chain).unwrap();
    std::fs::write(directory.join("chat-0.key"), &issued.key).unwrap();
}

fn write_ring(path: &Path, id: &str) {
    let secret = base64::engine::general_purpose::STANDARD.encode([7; 32]);
    std::fs::write(
        path,
        format!("primary = \"{id}\"\n[[key]]\nid = \"{id}\"\nsecret = \"{secret}\"\n"),
    )
    .unwrap();
}

#[tokio::test]
async fn files_are_replaced_while_in_use_and_a_bad_set_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let keyring_file = folder.path().join("keyring.toml");
    let (old, new) = (Authority::new(), Authority::new());
    write(folder.path(), &old.issue(NODE_0));
    write_ring(&keyring_file, "k1");
    let files = TrustFiles {
        tls_directory: folder.path().to_owned(),
        stem: "chat-0".to_owned(),
        identity: NODE_0.parse().unwrap(),
        keyring_file: keyring_file.clone(),
    };
    let mut reloader = TrustReloader::load(files).unwrap();
    let (server, keys) = (reloader.trust(), reloader.keys());
    assert_eq!(meet(&server, &old.trust(NODE_1), NODE_0).await, (Ok(()), Ok(())));
    assert_eq!(reloader.look(), Looked::default(), "nothing has changed");

    std::fs::write(folder.path().join("chat-0.key"), old.issue(NODE_0).key).unwrap();
    std::fs::write(&keyring_file, "nonsense").unwrap();
    let failed = Looked {
        failed: true,
        ..Looked::default()
    };
    assert_eq!(reloader.look(), failed);
    assert_eq!(reloader.look(), Looked::default(), "not complained of twice");
    assert_eq!(meet(&server, &old.trust(NODE_1), NODE_0).await, (Ok(()), Ok(())));
    assert_eq!(keys.load().primary().id(), "k1");

    write(folder.path(), &new.issue(NODE_0));
    write_ring(&keyring_file, "k2");
    assert!(reloader.look().material_replaced);
    assert_eq!(meet(&server, &new.trust(NODE_1), NODE_0).await, (Ok(()), Ok(())));
    assert!(
        meet(&server, &old.trust(NODE_1), NODE_0).await.0.is_err(),
        "roots are replaced too"
    );
    assert_eq!(keys.load().primary().id(), "k2");
}
