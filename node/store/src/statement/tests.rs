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

#[test]
fn a_single_large_row_is_a_piece() {
    let rows = vec![vec![Cell::Bytes(vec![0; MAX_INSERT_BYTES + 1])]; 2];
    assert_eq!(piece(&rows), 1);
}

proptest! {
    #[test]
    fn pieces_are_few_and_not_too_large(rows in 1_usize..1_500, bytes in prop::sample::select(vec![0_usize, 100, 9_000, 40_000])) {
        let mut rows: Vec<Row> = vec![vec![Cell::Number(1), Cell::Bytes(vec![0; bytes])]; rows];
        let total = rows.len();
        let mut pieces = Vec::new();
        while !rows.is_empty() {
            let piece = piece(&rows);
            prop_assert!(piece <= MAX_FEW_ROWS || piece.is_power_of_two());
            prop_assert!(piece == 1 || piece * bytes <= MAX_INSERT_BYTES);
            rows.drain(..piece);
            pieces.push(piece);
        }
        let largest = pieces[0].max(1);
        prop_assert_eq!(pieces.iter().sum::<usize>(), total);
        prop_assert!(pieces.len() <= total / largest + 8, "{:?}", pieces);
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
