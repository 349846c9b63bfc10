//! Gossip: what comes from the network, as it is (first byte even), or sealed by a holder of the secret (odd), so that the
//! decoder behind the seal is reached too.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::net::SocketAddr;
use std::sync::LazyLock;
use tim_gossip::keyring::KeyRing;
use tim_gossip::membership::{Core, Event, MemberIdentity, Settings};
use tim_gossip::seal::{Opener, PAYLOAD_BYTES_MAX, Sealer};
use tim_core::id::{Generation, NodeName};
use tim_core::time::Moment;

const RING: &str = "primary = \"k1\"\n[[key]]\nid = \"k1\"\nsecret = \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"\n";

static KEYS: LazyLock<KeyRing> = LazyLock::new(|| KeyRing::parse(RING).expect("a ring"));

fuzz_target!(|input: &[u8]| {
    let Some((kind, rest)) = input.split_first() else {
        return;
    };
    let mut opener = Opener::new("chat");
    if kind % 2 == 0 {
        let _ = opener.open(&KEYS, rest);
        return;
    }
    let payload = &rest[..rest.len().min(PAYLOAD_BYTES_MAX)];
    let datagram = Sealer::new("chat", 1).seal(&KEYS, payload).expect("not too long");
    assert_eq!(opener.open(&KEYS, &datagram).as_deref(), Ok(payload));

    let name = NodeName::new("chat-0").expect("a name");
    let address = SocketAddr::from(([10, 0, 0, 1], 5083));
    let identity = MemberIdentity::new(&name, Generation(1), address, "");
    let mut core = Core::new(identity, &Settings::default(), 1);
    let mut effects = Vec::new();
    core.handle(Moment(1), Event::Payload(payload.to_vec()), &mut effects);
    let mut now = Moment(1);
    for _ in 0..4 {
        now = core.deadline().map_or(now, |deadline| deadline.max(now));
        core.handle(now, Event::Timer, &mut effects);
    }
});
