use super::*;
use base64::Engine;

fn handshaker(cluster: &str, name: &str, secrets: &[u8]) -> Handshaker {
    let mut ring = format!("primary = \"k{}\"\n", secrets[0]);
    for byte in secrets {
        let secret = base64::engine::general_purpose::STANDARD.encode([*byte; 32]);
        ring += &format!("[[key]]\nid = \"k{byte}\"\nsecret = \"{secret}\"\n");
    }
    let keys = Arc::new(ArcSwap::from_pointee(KeyRing::parse(&ring).unwrap()));
    Handshaker::new(cluster, NodeName::new(name).unwrap(), keys)
}

fn connection(identity: &str, exporter: u8) -> PeerConnection {
    PeerConnection::new(
        identity.parse().unwrap(),
        "127.0.0.1:1".parse().unwrap(),
        [exporter; EXPORTER_BYTES],
    )
}

fn name(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

#[test]
fn both_prove_themselves_to_each_other() {
    let (caller, server) = (
        handshaker("chat", "chat-0", &[1]),
        handshaker("chat", "chat-1", &[1]),
    );
    caller.set_generation(Generation(5));
    server.set_generation(Generation(6));
    let (request, offer) = caller.offer(&[9; EXPORTER_BYTES]);
    let (reply, seen) = server
        .judge(&request, &connection("tim://chat/node/chat-0", 9))
        .unwrap();
    assert_eq!((seen.node, seen.generation), (name("chat-0"), Generation(5)));
    let seen = caller
        .accept_reply(&offer, &reply, &name("chat-1"), &[9; EXPORTER_BYTES])
        .unwrap();
    assert_eq!(
        (seen.node, seen.generation, seen.version),
        (name("chat-1"), Generation(6), 1)
    );
}

#[test]
fn a_proof_is_worth_nothing_elsewhere() {
    let (caller, server) = (
        handshaker("chat", "chat-0", &[1]),
        handshaker("chat", "chat-1", &[1]),
    );
    let (request, offer) = caller.offer(&[9; EXPORTER_BYTES]);
    let judge = |request: &HandshakeRequest, identity: &str, exporter: u8| {
        server.judge(request, &connection(identity, exporter)).map(|_| ())
    };
    assert_eq!(
        judge(&request, "tim://chat/node/chat-0", 8),
        Err(Refused::Secret),
        "another connection"
    );
    assert_eq!(
        judge(&request, "tim://chat/node/chat-2", 9),
        Err(Refused::Cluster),
        "another node"
    );
    assert_eq!(judge(&request, "tim://chat/operator", 9), Err(Refused::Role));
    let mut changed = request.clone();
    changed.boot_generation += 1;
    assert_eq!(
        judge(&changed, "tim://chat/node/chat-0", 9),
        Err(Refused::Secret),
        "changed on the way"
    );
    let (reply, _) = server
        .judge(&request, &connection("tim://chat/node/chat-0", 9))
        .unwrap();
    let accept = |node: &str, exporter: u8| {
        caller.accept_reply(&offer, &reply, &name(node), &[exporter; EXPORTER_BYTES])
    };
    assert_eq!(accept("chat-1", 8), Err(Refusal::Secret));
    assert_eq!(accept("chat-2", 9), Err(Refusal::Secret));
    // A caller's own words, thrown back, prove nothing either.
    let echo = HandshakeReply {
        version: 1,
        nonce: request.nonce.clone(),
        proof: request.proof.clone(),
        key_tag: request.key_tag.clone(),
        node: "chat-1".to_owned(),
        boot_generation: 0,
    };
    assert_eq!(
        caller.accept_reply(&offer, &echo, &name("chat-1"), &[9; EXPORTER_BYTES]),
        Err(Refusal::Secret)
    );
}

#[test]
fn secret_cluster_and_version_are_compared() {
    let server = handshaker("chat", "chat-1", &[1]);
    let judge = |request: &HandshakeRequest| {
        server
            .judge(request, &connection("tim://chat/node/chat-0", 9))
            .map(|_| ())
    };
    assert_eq!(
        judge(&handshaker("chat", "chat-0", &[2]).offer(&[9; 32]).0),
        Err(Refused::Secret)
    );
    assert_eq!(
        judge(&handshaker("other", "chat-0", &[1]).offer(&[9; 32]).0),
        Err(Refused::Cluster)
    );
    let caller = handshaker("chat", "chat-0", &[1]);
    let (mut future, _) = caller.offer(&[9; 32]);
    (future.version_min, future.version_max) = (7, 9);
    let key = caller.keys.load();
    let proof = hmac::sign(key.primary().handshake(), &caller_text(&future, &[9; 32]));
    future.proof = proof.as_ref().to_vec().into();
    assert_eq!(judge(&future), Err(Refused::Version));
    (future.version_min, future.version_max) = (1, 9);
    assert_eq!(
        judge(&future),
        Err(Refused::Secret),
        "versions are part of the proof"
    );
}

#[test]
fn a_ring_that_is_being_replaced_is_understood_either_way() {
    let (old, new) = (
        handshaker("chat", "chat-0", &[1, 2]),
        handshaker("chat", "chat-1", &[2, 1]),
    );
    for (caller, server, from, to) in [(&old, &new, "chat-0", "chat-1"), (&new, &old, "chat-1", "chat-0")] {
        let (request, offer) = caller.offer(&[9; 32]);
        let (reply, _) = server
            .judge(&request, &connection(&format!("tim://chat/node/{from}"), 9))
            .unwrap();
        assert!(caller.accept_reply(&offer, &reply, &name(to), &[9; 32]).is_ok());
    }
}
