use std::net::{IpAddr, Ipv4Addr};

use super::*;

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap_or_default()
}

fn node(name: &str) -> Holder {
    Holder::Node {
        name: name.into(),
        dns_names: vec![format!("{name}.chat-nodes"), "localhost".into()],
        addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
    }
}

#[test]
fn an_authority_vouches_for_what_it_issued_and_for_nothing_else() -> anyhow::Result<()> {
    let authority = Authority::new("chat-eu", now())?;
    let leaf = authority.issue("chat-eu", &node("chat-0"), now())?;
    assert!(authority.vouches_for("chat-eu", &node("chat-0"), &leaf.certificate));
    assert!(
        !authority.vouches_for("chat-eu", &node("chat-1"), &leaf.certificate),
        "another node"
    );
    assert!(
        !authority.vouches_for("other", &node("chat-0"), &leaf.certificate),
        "another cluster"
    );
    assert!(
        !authority.vouches_for("chat-eu", &Holder::Operator, &leaf.certificate),
        "another role"
    );
    let stranger = Authority::new("chat-eu", now())?;
    assert!(
        !stranger.vouches_for("chat-eu", &node("chat-0"), &leaf.certificate),
        "another authority"
    );
    assert!(!authority.vouches_for("chat-eu", &node("chat-0"), "rubbish"));
    Ok(())
}

#[test]
fn a_stored_authority_goes_on_issuing() -> anyhow::Result<()> {
    let made = Authority::new("chat-eu", now())?;
    let stored = Authority::from_pem(made.bundle(), made.key())?;
    let leaf = stored.issue("chat-eu", &Holder::Operator, now())?;
    assert!(made.vouches_for("chat-eu", &Holder::Operator, &leaf.certificate));
    let other = Authority::new("chat-eu", now())?;
    assert!(
        Authority::from_pem(made.bundle(), other.key()).is_err(),
        "key of another"
    );
    Ok(())
}

#[test]
fn renewal_keeps_the_old_certificate_until_it_ends() -> anyhow::Result<()> {
    let old = Authority::new("chat-eu", now())?;
    assert!(!old.needs_renewal(now())?);
    let later = old.not_after()? - SignedDuration::from_hours(364 * 24);
    assert!(old.needs_renewal(later)?);
    let new = old.renewed("chat-eu", later)?;
    assert_eq!(new.bundle().matches("BEGIN CERTIFICATE").count(), 2);
    assert!(new.bundle().contains(old.bundle().trim()), "written as it was");
    assert!(!new.needs_renewal(later)?);
    let much_later = new.not_after()? - SignedDuration::from_hours(24);
    assert_eq!(
        new.renewed("chat-eu", much_later)?
            .bundle()
            .matches("BEGIN CERTIFICATE")
            .count(),
        2,
        "the ended one is gone"
    );
    Ok(())
}

#[test]
fn certificates_are_renewed_after_two_thirds_of_their_time() -> anyhow::Result<()> {
    let leaf = Authority::new("c", now())?.issue("c", &Holder::Operator, now())?;
    let certificate = inspect(&leaf.certificate)?;
    assert!(certificate.not_before < now() && certificate.not_after > now());
    let left = certificate.not_after.duration_since(renew_at(certificate));
    assert_eq!(left.as_hours() / 24, 30);
    Ok(())
}

#[test]
fn keys_are_32_random_bytes_and_never_displayed() -> anyhow::Result<()> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let (first, second) = (new_storage_key()?, new_storage_key()?);
    assert_ne!(first, second);
    assert_eq!(STANDARD.decode(first.trim())?.len(), 32);
    let ring: toml::Table = toml::from_str(&new_key_ring()?)?;
    assert_eq!(ring["primary"].as_str(), Some("k1"));
    assert_eq!(
        STANDARD
            .decode(ring["key"][0]["secret"].as_str().unwrap_or_default())?
            .len(),
        32
    );
    let authority = Authority::new("c", now())?;
    assert!(!format!("{authority:?}").contains("KEY"));
    Ok(())
}
