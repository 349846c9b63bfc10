use proptest::prelude::*;

use super::*;
use crate::fixture::account;
use crate::id::{DatabaseName, Generation};
use crate::map::{HomePlacement, PartitionMap};

fn nodes(names: &[(&str, &str)]) -> View {
    View::new(
        names
            .iter()
            .map(|(name, zone)| NodeInfo {
                name: NodeName::new(name).unwrap(),
                zone: (*zone).to_owned(),
                boot_generation: Generation(1),
            })
            .collect(),
    )
}

#[test]
fn golden_vectors_of_the_hash() {
    let vectors = [
        ("", 0x2d06_8005_38d3_94c2, 184_424, 5, 0),
        ("a", 0xe6c6_32b6_1e96_4e1f, 945_251, 694, 1),
        ("alice", 0x4da1_0dd6_1a01_16b0, 317_968, 3_542, 0),
        ("UHuS8PoK2LX", 0x8c95_585f_42c5_a1d7, 575_829, 2_143, 1),
        ("账户", 0xfa9f_c349_f667_535f, 1_026_556, 841, 1),
    ];
    for (id, expected, expected_slot, expected_shard, expected_writer) in vectors {
        assert_eq!(hash(id.as_bytes()), expected, "{id}");
        assert_eq!(slot(id.as_bytes()), Slot(expected_slot), "{id}");
        if let Ok(account) = AccountId::new(id) {
            assert_eq!(shard(&account), ShardId(expected_shard), "{id}");
            assert_eq!(writer(&account), expected_writer, "{id}");
        }
    }
}

#[test]
fn golden_vectors_of_conversations() {
    let direct = "d256094f0a1fc0c2250d5830996e7733";
    assert_eq!(
        direct_conversation(&account("alice"), &account("bob")).to_string(),
        direct
    );
    assert_eq!(
        direct_conversation(&account("bob"), &account("alice")).to_string(),
        direct
    );
    let room = RoomId::new("lobby").unwrap();
    assert_eq!(
        room_conversation(&room).to_string(),
        "1a3ed2432b6f319fbaa177776e44ca1c"
    );
    assert_eq!(
        system_conversation(&account("alice")).to_string(),
        "e6cf28e16f554d9a0cf213b8e2109ad1"
    );
}

#[test]
fn golden_vectors_of_rendezvous() {
    let view = nodes(&[("chat-0", "x"), ("chat-1", "x"), ("chat-2", "y")]);
    let scores: Vec<u64> = view.nodes().iter().map(|node| score(b"d0", &node.name)).collect();
    assert_eq!(
        scores,
        [
            0xf64e_38a4_45d3_c69b,
            0x6ef4_9459_dc08_a1e0,
            0xe985_3aa8_37fc_2196
        ]
    );
    assert_eq!(best(b"d0", &view).unwrap().name.as_str(), "chat-0");
    let owners = shard_owners(ShardId(7), &view);
    assert_eq!(
        owners.iter().map(NodeName::as_str).collect::<Vec<_>>(),
        ["chat-2", "chat-1"]
    );
    assert_eq!(view.hash().0, 0x64a0_8eef_bb50_f236);
}

#[test]
fn conversations_of_one_sqlite_database_share_a_home() {
    let view = nodes(&[("chat-0", ""), ("chat-1", ""), ("chat-2", "")]);
    let database = DatabaseName::new("d0").unwrap();
    let map = |homes| PartitionMap::even(&[(database.clone(), homes)]).unwrap();
    let homes = |map: &PartitionMap| {
        let mut homes: Vec<NodeName> = (0..50)
            .map(|number| direct_conversation(&account("a"), &account(&format!("b{number}"))))
            .map(|conversation| map.home(&conversation, &view).unwrap().clone())
            .collect();
        homes.sort();
        homes.dedup();
        homes.len()
    };
    assert_eq!(homes(&map(HomePlacement::PerDatabase)), 1);
    assert_eq!(homes(&map(HomePlacement::PerConversation)), 3);
}

fn any_view() -> impl Strategy<Value = View> {
    prop::collection::btree_map("[a-e]{1,3}", prop::sample::select(vec!["", "x", "y"]), 1..8).prop_map(
        |names| {
            let names: Vec<(&str, &str)> = names.iter().map(|(name, zone)| (name.as_str(), *zone)).collect();
            nodes(&names)
        },
    )
}

proptest! {
    /// When a node leaves, only what it held goes elsewhere.
    #[test]
    fn a_leaving_node_moves_only_its_own(view in any_view(), key in any::<[u8; 4]>(), which in 0usize..8) {
        let before = best(&key, &view).unwrap().name.clone();
        let gone = view.nodes()[which % view.nodes().len()].name.clone();
        let rest = View::new(view.nodes().iter().filter(|node| node.name != gone).cloned().collect());
        match best(&key, &rest) {
            Some(after) if gone != before => prop_assert_eq!(&after.name, &before),
            Some(after) => prop_assert!(after.name != gone),
            None => prop_assert!(rest.is_empty()),
        }
    }

    /// Two different owners, in two zones whenever there are two.
    #[test]
    fn owners_are_two_and_apart(view in any_view(), shard in 0u16..SHARD_COUNT) {
        let owners = shard_owners(ShardId(shard), &view);
        prop_assert_eq!(owners.len(), view.nodes().len().min(SHARD_REPLICAS));
        prop_assert_eq!(Some(&owners[0]), best(&ShardId(shard).to_bytes(), &view).map(|node| &node.name));
        if let [first, second] = owners.as_slice() {
            prop_assert_ne!(first, second);
            let zone = |name| &view.get(name).unwrap().zone;
            let zones: std::collections::BTreeSet<_> = view.nodes().iter().map(|node| &node.zone).collect();
            prop_assert!(zones.len() == 1 || zone(first) != zone(second));
        }
    }

    /// Slot, shard and writer stay in their bounds.
    #[test]
    fn hashes_stay_in_bounds(name in "[a-z0-9]{1,64}") {
        let account = account(&name);
        prop_assert!(slot(account.as_bytes()).0 < SLOT_COUNT);
        prop_assert!(shard(&account).0 < SHARD_COUNT);
        prop_assert!(writer(&account) < SHARD_REPLICAS);
    }
}
