use super::*;
use crate::schema::{CONVERSATION, MEMBER, MESSAGE, MOVING};
use proptest::prelude::*;

#[test]
fn key_rows_are_json_of_numbers_and_hexadecimal_text() {
    let mut keys = KeyRows::new();
    assert!(keys.is_empty());
    keys.row().number(7).bytes(&[0xab, 0x01]);
    keys.row().number(-1).bytes(&[]);
    assert_eq!(keys.finish(), Value::from("[[7,\"ab01\"],[-1,\"\"]]"));
    assert_eq!(KeyRows::new().finish(), Value::from("[]"));
}

#[test]
fn placeholders_are_numbered_where_the_engine_wants_it() {
    assert_eq!(
        placeholders(Engine::Postgres, "a = ? AND b = ?"),
        "a = $1 AND b = $2"
    );
    assert_eq!(placeholders(Engine::Sqlite, "a = ? AND b = ?"), "a = ? AND b = ?");
}

#[test]
fn an_upsert_compares_versions_in_every_dialect() {
    let sqlite = CONVERSATION.upsert(Engine::Sqlite, 2);
    assert!(
        sqlite.starts_with("INSERT INTO tim_conversation (slot, conversation,"),
        "{sqlite}"
    );
    assert!(
        sqlite.contains("VALUES (?,?,?,?,?,?),(?,?,?,?,?,?) ON CONFLICT (slot, conversation)"),
        "{sqlite}"
    );
    assert!(
        sqlite.ends_with("WHERE excluded.version > tim_conversation.version"),
        "{sqlite}"
    );
    let mysql = CONVERSATION.upsert(Engine::MySql, 1);
    assert!(
        mysql.ends_with("version = IF(VALUES(version) > version, VALUES(version), version)"),
        "{mysql}"
    );
}

proptest! {
    #[test]
    fn pieces_add_up_and_are_few(rows in 0_usize..5_000) {
        let pieces = pieces(rows);
        prop_assert_eq!(pieces.iter().sum::<usize>(), rows);
        prop_assert!(pieces.len() <= rows / MAX_ROWS_PER_INSERT + 8);
        prop_assert!(pieces.iter().all(|piece| piece.is_power_of_two()));
    }

    #[test]
    fn row_keys_keep_the_order_and_can_be_read_back(
        one: ([u8; 16], [u8; 16], i16, i64), other: ([u8; 16], [u8; 16], i16, i64),
    ) {
        let message = |of: ([u8; 16], [u8; 16], i16, i64)| {
            vec![Cell::Number(1), Cell::bytes(&of.0), Cell::Number(of.2.into()), Cell::Number(of.3)]
        };
        let order = (one.0, one.2, one.3).cmp(&(other.0, other.2, other.3));
        let (first, second) = (message(one), message(other));
        prop_assert_eq!(MESSAGE.row_key(&first).cmp(&MESSAGE.row_key(&second)), order);
        prop_assert_eq!(MESSAGE.parse_row_key(&MESSAGE.row_key(&first)), Some(first[1..].to_vec()));
        let member = [Cell::Number(1), Cell::bytes(&one.0), Cell::bytes(&one.1), Cell::Number(one.2.into())];
        prop_assert_eq!(MEMBER.parse_row_key(&MEMBER.row_key(&member)), Some(member[1..].to_vec()));
        for table in MOVING {
            prop_assert_eq!(table.parse_row_key(&[1, 2, 3]), None);
        }
    }
}
