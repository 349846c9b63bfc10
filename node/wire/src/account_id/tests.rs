//! The vectors of section 17.

use proptest::prelude::*;

use super::*;

const DOMAIN: &str = "tlnet.top";

#[test]
fn checksums_have_their_check_values() {
    assert_eq!(CRC_64.checksum(b"123456789"), 0x995D_C9BB_DF19_39FA);
    assert_eq!(CRC_8.checksum(b"123456789"), 0xF4);
}

#[test]
fn default_scheme_gives_the_ids_of_the_reference() {
    let scheme = IdScheme::default();
    assert_eq!(scheme.check_seed, [0, 0x10, 0, 0, 0, 0, 0, 0]);
    for (name, id) in [
        ("tim1", "UHuS8PoK2LX"),
        ("tim2", "QdH6CCms5EU"),
        ("js1", "CpsQjjWDkV"),
        ("rm1", "QKcerXrj5ko"),
        ("rm2", "UgG98YTZ7E8"),
        ("rm3", "Z2NYoKvgGkN"),
        ("of1", "6E66PX9dZY6"),
        ("of2", "9Du8P7srDKT"),
    ] {
        assert_eq!(scheme.account_id(name, DOMAIN), id, "{name}");
        assert!(scheme.is_valid(id), "{id}");
    }
    assert_eq!(base58::decode("UHuS8PoK2LX"), Some(0xa32a_3794_5481_af40));
    assert_eq!(base58::decode("QdH6CCms5EU"), Some(0x8d3f_5a48_3348_0d4d));
    assert!(scheme.is_valid("NRKxQdJEzAo"));
}

#[test]
fn the_sender_of_system_messages_is_nobodys_id() {
    for scheme in [IdScheme::default(), IdScheme::default().with_names_as_ids()] {
        assert!(!scheme.is_valid("|system"));
    }
}

#[test]
fn seed_and_mask_seed_of_the_first_family_agree() {
    for scheme in [IdScheme::with_seed(9_589_443), IdScheme::with_mask_seed("j")] {
        assert_eq!(scheme.account_id("tim1", DOMAIN), "UHuS8PoK2Mi");
        assert_eq!(scheme.account_id("tim2", DOMAIN), "QdH6CCms5FV");
        for id in [
            "5pThTQ6Ycp1",
            "AaAGFd4JaHf",
            "Q6uWRj6inkY",
            "AoCr4JXU9KM",
            "NGhMpCbk2wQ",
            "JXjh2vcocNk",
            "d4RCZD2bxiW",
        ] {
            assert!(scheme.is_valid(id), "{id}");
            assert!(!IdScheme::default().is_valid(id), "{id}");
        }
    }
}

#[test]
fn second_family_has_mask_seed_t() {
    let scheme = IdScheme::with_mask_seed("t");
    assert_eq!(scheme.account_id("tim1", DOMAIN), "UHuS8PoK2M9");
    for id in [
        "QdH6CCms5Ex",
        "KonwQpiwisv",
        "5UuHvyshZND",
        "ZsV5WMTqYAv",
        "h3NZByXYMA9",
    ] {
        assert!(scheme.is_valid(id), "{id}");
    }
}

#[test]
fn families_differ_from_the_default_by_one_check_byte() {
    let number = |id: &str| base58::decode(id).unwrap();
    for (first, default, second) in [
        ("QdH6CCms5FV", "QdH6CCms5EU", "QdH6CCms5Ex"),
        ("UHuS8PoK2Mi", "UHuS8PoK2LX", "UHuS8PoK2M9"),
    ] {
        assert_eq!(number(first) ^ number(default), 0xc5);
        assert_eq!(number(second) ^ number(default), 0x24);
    }
}

#[test]
fn names_may_be_ids_unless_they_hold_what_ends_an_id() {
    let scheme = IdScheme::default().with_names_as_ids();
    assert_eq!(
        scheme.account_id("user-4711@example", DOMAIN),
        "user-4711@example"
    );
    let long = "a".repeat(65);
    for (id, valid) in [
        ("user-4711@example", true),
        ("哈", true),
        (&long[..64], true),
        ("", false),
        (&long[..], false),
        ("a|b", false),
        // Its middle byte is 131.
        ("メ\u{30c3}", false),
    ] {
        assert_eq!(scheme.is_valid(id), valid, "{id}");
    }
}

#[test]
fn an_empty_domain_is_left_out() {
    let scheme = IdScheme::default();
    assert_ne!(scheme.account_id("tim1", ""), scheme.account_id("tim1", DOMAIN));
    assert!(scheme.is_valid(&scheme.account_id("tim1", "")));
}

proptest! {
    #[test]
    fn made_ids_are_valid_and_changed_ones_are_not(random in any::<[u8; 8]>(), flip in 0_u32..64) {
        let scheme = IdScheme::default();
        let id = scheme.room_id(random, DOMAIN);
        prop_assert!(scheme.is_valid(&id));
        let changed = base58::decode(&id).unwrap() ^ (1 << flip);
        prop_assert!(!scheme.is_valid(&base58::encode(changed)));
    }

    #[test]
    fn any_text_is_judged_without_harm(text in ".{0,80}") {
        let _ = IdScheme::default().is_valid(&text);
    }
}
