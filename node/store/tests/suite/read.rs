//! Reading for delivery, for history and for logins; moving cursors.

use tim_core::conversation::{FenceRefusal, Operation, starting_cursor};
use tim_core::id::{DeviceClass, Epoch, Seq};
use tim_core::placement;
use tim_store::{
    Advanced, CursorAdvance, EntriesAfter, HistoryQuery, ListEntry, Listed, ListedConversation,
    PositionQuery, StoreError,
};

use crate::support::{EPOCH, Engine, Fresh, NOW_NS, Pair, account, append_one, on_every_engine, submission};

on_every_engine!(
    entries_are_limited_by_count_and_by_bytes,
    history_is_newest_first_and_has_messages_only,
    positions_of_many_sessions_take_one_query,
    a_cursor_moves_from_the_value_that_was_seen,
    two_writers_of_one_cursor_do_not_both_win,
    lists_are_read_back_for_many_accounts_at_once,
    an_epoch_that_is_not_the_fences_is_refused,
);

fn after(pair: &Pair, after: u64) -> EntriesAfter {
    EntriesAfter {
        conversation: pair.id,
        epoch: EPOCH,
        after: Seq(after),
        limit: 10,
        max_bytes: 1_000,
    }
}

async fn entries_are_limited_by_count_and_by_bytes(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let pair = Pair::new("alice", "bob");
    pair.befriend(&database).await;
    let large = vec![b'x'; 400];
    let messages = (0..6).map(|_| pair.message(&large)).collect();
    append_one(&database, pair.batch(2, messages)).await;
    let seqs = async |query| {
        let entries = database.entries_after(query).await.unwrap();
        entries.iter().map(|entry| entry.seq.0).collect::<Vec<_>>()
    };
    assert_eq!(
        seqs(EntriesAfter {
            limit: 2,
            ..after(&pair, 0)
        })
        .await,
        [1, 2]
    );
    assert_eq!(seqs(after(&pair, 2)).await, [3, 4]);
    assert_eq!(
        seqs(EntriesAfter {
            max_bytes: 1,
            ..after(&pair, 4)
        })
        .await,
        [5]
    );
    assert_eq!(seqs(after(&pair, 8)).await, [0; 0]);
}

async fn history_is_newest_first_and_has_messages_only(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let pair = Pair::new("alice", "bob");
    pair.befriend(&database).await;
    for number in 0..4 {
        let batch = pair.batch(2 + number, vec![pair.message(b"text")]);
        database.append(&[batch], NOW_NS + number as i64).await.unwrap();
    }
    let all = HistoryQuery {
        conversation: pair.id,
        epoch: EPOCH,
        up_to: None,
        not_after_ns: None,
        limit: 50,
    };
    let seqs = async |query| {
        let entries = database.history(query).await.unwrap();
        entries.iter().map(|entry| entry.seq.0).collect::<Vec<_>>()
    };
    assert_eq!(seqs(all).await, [6, 5, 4, 3]);
    assert_eq!(
        seqs(HistoryQuery {
            up_to: Some(Seq(5)),
            limit: 2,
            ..all
        })
        .await,
        [5, 4]
    );
    assert_eq!(
        seqs(HistoryQuery {
            not_after_ns: Some(NOW_NS + 1),
            ..all
        })
        .await,
        [4, 3]
    );
    assert_eq!(
        seqs(HistoryQuery {
            up_to: Some(Seq(2)),
            ..all
        })
        .await,
        [0; 0]
    );
}

fn advance(pair: &Pair, class: i8, from: u64, to: u64) -> CursorAdvance {
    CursorAdvance {
        conversation: pair.id,
        epoch: EPOCH,
        account: pair.other.clone(),
        class: DeviceClass(class),
        from: Seq(from),
        to: Seq(to),
    }
}

async fn positions_of_many_sessions_take_one_query(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let pairs: Vec<_> = (0..20)
        .map(|number| Pair::new("hub", &format!("friend-{number}")))
        .collect();
    for (number, pair) in pairs.iter().enumerate().take(15) {
        pair.befriend(&database).await;
        let messages = (0..number).map(|_| pair.message(b"text")).collect();
        append_one(&database, pair.batch(2, messages)).await;
        database
            .advance_cursors(&[advance(pair, 1, 0, 1), advance(pair, 2, 0, 2)])
            .await
            .unwrap();
    }
    let queries: Vec<_> = pairs
        .iter()
        .map(|pair| PositionQuery {
            conversation: pair.id,
            epoch: EPOCH,
            account: pair.other.clone(),
        })
        .collect();
    let before = database.statements_sent();
    let positions = database.positions(&queries).await.unwrap();
    let cost = database.statements_sent() - before;
    assert!(cost <= 4, "{cost} statements");
    for (number, (pair, position)) in pairs.iter().zip(positions).enumerate() {
        let position = position.unwrap();
        if number < 15 {
            assert_eq!(position.head, Seq(number as u64 + 2));
            assert_eq!(position.cursors.len(), 2);
            let start = |class| starting_cursor(&position.cursors, &pair.other, DeviceClass(class));
            assert_eq!([start(1), start(2), start(3)], [1, 2, 2].map(Seq));
        } else {
            assert_eq!((position.head, position.cursors.len()), (Seq(0), 0));
        }
    }
}

async fn a_cursor_moves_from_the_value_that_was_seen(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let pair = Pair::new("alice", "bob");
    pair.befriend(&database).await;
    let answers = async |advances: &[CursorAdvance]| {
        let answers = database.advance_cursors(advances).await.unwrap();
        answers.into_iter().map(Result::unwrap).collect::<Vec<_>>()
    };
    let moved = Advanced::Moved;
    // In one batch a later one sees what an earlier one has done.
    let first = [
        advance(&pair, 1, 0, 4),
        advance(&pair, 1, 4, 6),
        advance(&pair, 1, 4, 9),
        advance(&pair, 2, 3, 3),
    ];
    assert_eq!(
        answers(&first).await,
        [moved, moved, Advanced::Elsewhere(Seq(6)), moved]
    );
    assert_eq!(
        answers(&[advance(&pair, 1, 0, 9), advance(&pair, 2, 3, 5)]).await,
        [Advanced::Elsewhere(Seq(6)), moved]
    );
    let query = PositionQuery {
        conversation: pair.id,
        epoch: EPOCH,
        account: pair.other.clone(),
    };
    let position = database.positions(&[query]).await.unwrap().remove(0).unwrap();
    let mut cursors: Vec<_> = position
        .cursors
        .iter()
        .map(|cursor| (cursor.class.0, cursor.cursor.0))
        .collect();
    cursors.sort_unstable();
    assert_eq!(cursors, [(1, 6), (2, 5)]);
}

async fn two_writers_of_one_cursor_do_not_both_win(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let nodes = [fresh.node().await, fresh.node().await];
    let pair = Pair::new("alice", "bob");
    pair.befriend(&nodes[0]).await;
    // The first round meets no row, the later ones meet the row of the round before.
    for round in 0..8_u64 {
        let from = round * 10;
        let one = [advance(&pair, 1, from, from + 10)];
        let (first, second) = tokio::join!(nodes[0].advance_cursors(&one), nodes[1].advance_cursors(&one));
        let answers = [first, second].map(|answers| answers.unwrap().remove(0).unwrap());
        let moved = answers
            .iter()
            .filter(|answer| **answer == Advanced::Moved)
            .count();
        assert!(moved >= 1, "round {round}: {answers:?}");
        if round > 0 {
            assert_eq!(moved, 1, "round {round}: {answers:?}");
        }
    }
}

async fn lists_are_read_back_for_many_accounts_at_once(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let friends: Vec<_> = (0..5)
        .map(|number| Pair::new("alice", &format!("friend-{number}")))
        .collect();
    let entries: Vec<_> = friends
        .iter()
        .flat_map(|pair| {
            let listed = |account: &_, peer: &_| ListEntry {
                account: Clone::clone(account),
                epoch: EPOCH,
                listed: ListedConversation {
                    conversation: pair.id,
                    what: Listed::Direct(Clone::clone(peer)),
                },
            };
            [listed(&pair.one, &pair.other), listed(&pair.other, &pair.one)]
        })
        .collect();
    for _ in 0..2 {
        assert!(
            database
                .list_conversations(&entries)
                .await
                .unwrap()
                .iter()
                .all(Result::is_ok)
        );
    }
    let asked = ["alice", "friend-3", "nobody"].map(|name| (account(name), EPOCH));
    let lists: Vec<_> = database
        .conversations_of(&asked)
        .await
        .unwrap()
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(lists.iter().map(Vec::len).collect::<Vec<_>>(), [5, 1, 0]);
    assert_eq!(
        lists[1][0],
        ListedConversation {
            conversation: friends[3].id,
            what: Listed::Direct(account("alice")),
        }
    );
}

async fn an_epoch_that_is_not_the_fences_is_refused(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let pair = Pair::new("alice", "bob");
    pair.befriend(&database).await;
    let wrong = Epoch(2);
    let states = database
        .open_conversations(&[(pair.id, wrong), (pair.id, EPOCH)])
        .await
        .unwrap();
    assert_eq!(states[0], Err(FenceRefusal::Stale));
    assert!(states[1].is_ok());
    let error = database
        .entries_after(EntriesAfter {
            epoch: wrong,
            ..after(&pair, 0)
        })
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::FenceRefused { slot, .. } if slot == placement::slot(&pair.id.0)));
    let moved = database
        .advance_cursors(&[
            CursorAdvance {
                epoch: wrong,
                ..advance(&pair, 1, 0, 1)
            },
            advance(&pair, 1, 0, 2),
        ])
        .await
        .unwrap();
    assert_eq!(moved, [Err(FenceRefusal::Stale), Ok(Advanced::Moved)]);
    // What the fence refuses leaves the batch, the rest commits.
    let other = Pair::new("carol", "dave");
    let mut stale = pair.batch(2, vec![pair.message(b"text")]);
    stale.epoch = wrong;
    let fine = other.batch(
        0,
        vec![submission(
            &other,
            &other.one,
            &other.other,
            Operation::AddFriend,
            b"",
        )],
    );
    let outcomes = database.append(&[stale, fine], NOW_NS).await.unwrap();
    assert!(matches!(
        outcomes[0],
        tim_core::conversation::ConversationOutcome::Fenced(FenceRefusal::Stale)
    ));
    assert_eq!(crate::support::stored(&outcomes[1]), [Seq(1)]);
}
