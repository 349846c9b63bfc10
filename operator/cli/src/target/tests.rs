use super::*;
use crate::status::observation::{DeclaredDatabase, NodeObservation};
use tim_proto::control::v1::{PartitionMap, Range, StatusReply};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_cluster_is_the_named_one_or_the_only_one_and_never_a_guess() {
    assert_eq!(pick_cluster(&names(&["chat"]), None).unwrap(), "chat");
    assert_eq!(pick_cluster(&names(&["a", "b"]), Some("b")).unwrap(), "b");
    let wrong = pick_cluster(&names(&["chat", "other"]), Some("chatt")).unwrap_err();
    assert_eq!((wrong.exit_code(), wrong.code()), (Exit::Usage, "TIM-L104"));
    assert!(wrong.to_string().contains("Known: chat, other"), "{wrong}");
    assert_eq!(
        pick_cluster(&names(&["a", "b"]), None).unwrap_err().exit_code(),
        Exit::Usage
    );
    assert_eq!(pick_cluster(&[], None).unwrap_err().code(), "TIM-L104");
}

fn observed() -> Observation {
    let range = |from, database: &str| Range {
        from,
        database: database.into(),
        epoch: 1,
    };
    let map = PartitionMap {
        version: 1,
        ranges: vec![range(524_288, "d1"), range(0, "d0")],
    };
    Observation {
        databases: ["d0", "d1", "d2"]
            .iter()
            .map(|name| DeclaredDatabase {
                name: (*name).into(),
                kind: String::new(),
            })
            .collect(),
        nodes: vec![NodeObservation {
            reply: Some(StatusReply {
                map: Some(map),
                ..StatusReply::default()
            }),
            ..NodeObservation::default()
        }],
        ..Observation::default()
    }
}

#[test]
fn a_split_takes_the_upper_part_of_the_range_that_holds_the_slot() {
    let request = plan_split(&observed(), 262_144, Some("d2"), None).unwrap();
    let expected = SplitRequest {
        from: 0,
        at: 262_144,
        to: 524_287,
        source: "d0".into(),
        target: "d2".into(),
        new_database: false,
    };
    assert_eq!(request, expected);
    let last = plan_split(&observed(), 1_000_000, None, Some("d3".into())).unwrap();
    assert_eq!(
        (last.from, last.to, last.target.as_str(), last.new_database),
        (524_288, 1_048_575, "d3", true)
    );
}

#[test]
fn what_cannot_be_split_says_what_can() {
    let code = |at, to: Option<&str>| plan_split(&observed(), at, to, None).unwrap_err().code();
    assert_eq!(code(524_288, Some("d2")), "TIM-R102", "the bound of a range");
    assert_eq!(code(10, Some("d0")), "TIM-R101", "the source itself");
    assert_eq!(code(10, Some("dd")), "TIM-R101", "not declared");
    assert_eq!(code(10, None), "TIM-L106", "no target named and none can be made");
    assert_eq!(
        plan_split(&Observation::default(), 10, Some("d2"), None)
            .unwrap_err()
            .code(),
        "TIM-R102"
    );
}
