use super::*;
use crate::keyring::KeyRing;
use base64::Engine;

fn ring(secrets: &[u8]) -> KeyRing {
    let mut text = format!("primary = \"k{}\"\n", secrets[0]);
    for byte in secrets {
        let secret = base64::engine::general_purpose::STANDARD.encode([*byte; 32]);
        text += &format!("[[key]]\nid = \"k{byte}\"\nsecret = \"{secret}\"\n");
    }
    KeyRing::parse(&text).unwrap()
}

#[test]
fn what_is_sealed_is_opened_once() {
    let ring = ring(&[1]);
    let (mut sealer, mut opener) = (Sealer::new("chat", 7), Opener::new("chat"));
    for payload in [b"".as_slice(), b"ping", &[9; PAYLOAD_BYTES_MAX]] {
        let datagram = sealer.seal(&ring, payload).unwrap();
        assert!(datagram.len() <= DATAGRAM_BYTES_MAX);
        assert_eq!(opener.open(&ring, &datagram).unwrap(), payload);
        assert_eq!(opener.open(&ring, &datagram), Err(Rejection::Replayed));
    }
    assert_eq!(
        sealer.seal(&ring, &[0; PAYLOAD_BYTES_MAX + 1]),
        Err(SealError::TooLong)
    );
}

#[test]
fn any_changed_byte_is_noticed() {
    let ring = ring(&[1]);
    let datagram = Sealer::new("chat", 7).seal(&ring, b"payload").unwrap();
    for position in 0..datagram.len() {
        let mut changed = datagram.clone();
        changed[position] ^= 1;
        assert!(
            Opener::new("chat").open(&ring, &changed).is_err(),
            "byte {position}"
        );
    }
    for length in 0..datagram.len() {
        assert!(
            Opener::new("chat").open(&ring, &datagram[..length]).is_err(),
            "length {length}"
        );
    }
}

#[test]
fn another_secret_and_another_cluster_are_told_apart() {
    let datagram = Sealer::new("chat", 7).seal(&ring(&[1]), b"payload").unwrap();
    assert_eq!(
        Opener::new("chat").open(&ring(&[2]), &datagram),
        Err(Rejection::UnknownKey)
    );
    assert_eq!(
        Opener::new("other").open(&ring(&[1]), &datagram),
        Err(Rejection::Forged)
    );
}

#[test]
fn a_key_is_replaced_without_a_gap() {
    let (old, both, both_new, new) = (ring(&[1]), ring(&[1, 2]), ring(&[2, 1]), ring(&[2]));
    let (mut sealer, mut opener) = (Sealer::new("chat", 7), Opener::new("chat"));
    for (sending, receiving) in [
        (&old, &both),
        (&both, &both_new),
        (&both_new, &both),
        (&both_new, &new),
    ] {
        let datagram = sealer.seal(sending, b"x").unwrap();
        assert_eq!(opener.open(receiving, &datagram).unwrap(), b"x");
    }
    let late = sealer.seal(&old, b"x").unwrap();
    assert_eq!(opener.open(&new, &late), Err(Rejection::UnknownKey));
}

#[test]
fn two_lives_never_share_a_key() {
    let ring = ring(&[1]);
    let one = Sealer::new("chat", 1).seal(&ring, b"same").unwrap();
    let two = Sealer::new("chat", 2).seal(&ring, b"same").unwrap();
    assert_ne!(one[25..], two[25..]);
}

#[test]
fn the_memory_of_lives_is_bounded_and_forgets_the_one_unheard_for_longest() {
    let ring = ring(&[1]);
    let mut opener = Opener::new("chat");
    let first = Sealer::new("chat", 0).seal(&ring, b"x").unwrap();
    let second = Sealer::new("chat", 1).seal(&ring, b"x").unwrap();
    opener.open(&ring, &first).unwrap();
    opener.open(&ring, &second).unwrap();
    for boot in 2..=u64::try_from(BOOTS_MAX).unwrap() {
        let datagram = Sealer::new("chat", boot).seal(&ring, b"x").unwrap();
        opener.open(&ring, &datagram).unwrap();
    }
    assert_eq!(opener.open(&ring, &second), Err(Rejection::Replayed));
    assert!(opener.open(&ring, &first).is_ok());
}
