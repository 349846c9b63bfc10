//! The group commit: numbering, retries, conflicts, and its cost in statements.

use tim_core::conversation::{
    ConversationOutcome, Entry, EntryKind, KnownEntry, Operation, Refusal, Verdict,
};
use tim_core::id::{ConversationId, Seq, Version};
use tim_store::{CursorAdvance, EntriesAfter};

use crate::support::{
    EPOCH, Engine, Fresh, NOW_NS, Pair, append_one, on_every_engine, state_of, stored, submission,
};

on_every_engine!(
    messages_are_numbered_in_order_and_read_back,
    a_second_attempt_finds_what_the_first_stored,
    a_clients_own_retry_is_recognised_by_id_and_content,
    another_version_is_a_conflict_and_writes_nothing,
    a_refused_retry_raises_the_version,
    the_number_of_statements_does_not_grow_with_the_batch,
    a_large_batch_is_stored_whole,
    cursors_come_with_the_outcome,
    large_messages_are_stored_and_too_large_ones_refused,
    a_dropped_append_leaves_all_or_nothing_and_can_be_repeated,
    an_erased_message_leaves_its_place_and_nothing_else,
);

async fn entries(database: &tim_store::Database, conversation: ConversationId) -> Vec<Entry> {
    let query = EntriesAfter {
        conversation,
        epoch: EPOCH,
        after: Seq(0),
        limit: 500,
        max_bytes: usize::MAX,
    };
    database.entries_after(query).await.unwrap()
}

async fn messages_are_numbered_in_order_and_read_back(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let pair = Pair::new("alice", "bob");
    pair.befriend(&database).await;
    let texts = [&b"one"[..], b"two", b"", "drei \u{1f642}".as_bytes()];
    let batch = pair.batch(2, texts.iter().map(|text| pair.message(text)).collect());
    let sent = batch.submissions.clone();
    let outcome = append_one(&database, batch).await;
    assert_eq!(stored(&outcome), [3, 4, 5, 6].map(Seq));
    let read = entries(&database, pair.id).await;
    assert_eq!(
        read.iter().map(|entry| entry.seq.0).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5, 6]
    );
    for (entry, submission) in read[2..].iter().zip(&sent) {
        assert_eq!((entry.key, &entry.body), (submission.key, &submission.body));
        assert_eq!(
            (&entry.sender, entry.sender_class),
            (&submission.sender, submission.sender_class)
        );
        assert_eq!((entry.timestamp_ns, entry.client_id), (NOW_NS, None));
    }
    let state = state_of(&database, &pair).await;
    assert_eq!(
        (state.head, state.version, state.last_timestamp_ns),
        (Seq(6), Version(3), NOW_NS)
    );
    assert!(state.relations.are_friends());
}

async fn a_second_attempt_finds_what_the_first_stored(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let pair = Pair::new("alice", "bob");
    pair.befriend(&database).await;
    let first = pair.message(b"once");
    stored(&append_one(&database, pair.batch(2, vec![first.clone()])).await);
    let mut again = first.clone();
    again.attempt = 2;
    let fresh_message = pair.message(b"new");
    let outcome = append_one(&database, pair.batch(3, vec![again, fresh_message])).await;
    let ConversationOutcome::Done {
        verdicts, version, ..
    } = outcome
    else {
        panic!("{outcome:?}")
    };
    assert!(matches!(&verdicts[0], Verdict::Known(KnownEntry { seq: Seq(3), key, .. }) if *key == first.key));
    assert!(matches!(&verdicts[1], Verdict::Store { entry, .. } if entry.seq == Seq(4)));
    assert_eq!(version, Version(4));
    assert_eq!(entries(&database, pair.id).await.len(), 4);
}

async fn a_clients_own_retry_is_recognised_by_id_and_content(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let pair = Pair::new("alice", "bob");
    pair.befriend(&database).await;
    let mut first = pair.message(b"once");
    first.client_id = Some(-42);
    stored(&append_one(&database, pair.batch(2, vec![first.clone()])).await);
    let mut same = pair.message(b"once");
    same.client_id = Some(-42);
    let mut other_content = same.clone();
    other_content.key = crate::support::next_key();
    other_content.content_hash.0[0] ^= 1;
    let mut other_sender = submission(&pair, &pair.other, &pair.one, Operation::Message, b"once");
    other_sender.client_id = Some(-42);
    let outcome = append_one(&database, pair.batch(3, vec![same, other_content, other_sender])).await;
    let ConversationOutcome::Done { verdicts, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert!(
        matches!(&verdicts[0], Verdict::Known(known) if known.key == first.key),
        "{verdicts:?}"
    );
    assert!(matches!(&verdicts[1], Verdict::Store { .. }), "{verdicts:?}");
    assert!(matches!(&verdicts[2], Verdict::Store { .. }), "{verdicts:?}");
}

async fn another_version_is_a_conflict_and_writes_nothing(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let (home, other_home) = (fresh.node().await, fresh.node().await);
    let (pair, quiet) = (Pair::new("alice", "bob"), Pair::new("carol", "dave"));
    pair.befriend(&home).await;
    quiet.befriend(&home).await;
    let message = pair.message(b"one");
    stored(&append_one(&home, pair.batch(2, vec![message.clone()])).await);
    let batches = [
        pair.batch(2, vec![message, pair.message(b"two")]),
        quiet.batch(2, vec![quiet.message(b"goes on")]),
    ];
    let outcomes = other_home.append(&batches, NOW_NS).await.unwrap();
    let ConversationOutcome::Conflict { known } = &outcomes[0] else {
        panic!("{outcomes:?}")
    };
    assert_eq!(
        known
            .iter()
            .map(|known| known.as_ref().map(|known| known.seq))
            .collect::<Vec<_>>(),
        [Some(Seq(3)), None]
    );
    assert_eq!(stored(&outcomes[1]), [Seq(3)]);
    assert_eq!(entries(&home, pair.id).await.len(), 3);
}

async fn a_refused_retry_raises_the_version(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let pair = Pair::new("alice", "stranger");
    let first = pair.message(b"may I");
    let outcome = append_one(&database, pair.batch(0, vec![first.clone()])).await;
    let refused = Verdict::Refuse(Refusal::NotFriends);
    let ConversationOutcome::Done {
        verdicts, version, ..
    } = outcome
    else {
        panic!("{outcome:?}")
    };
    assert_eq!((verdicts, version), (vec![refused.clone()], Version(0)));
    let mut second = first;
    second.attempt = 2;
    let outcome = append_one(&database, pair.batch(0, vec![second])).await;
    let ConversationOutcome::Done {
        verdicts, version, ..
    } = outcome
    else {
        panic!("{outcome:?}")
    };
    assert_eq!((verdicts, version), (vec![refused], Version(1)));
    // An attempt that still believes in the version before cannot commit any more.
    let late = append_one(&database, pair.batch(0, vec![pair.message(b"late")])).await;
    assert!(matches!(late, ConversationOutcome::Conflict { .. }), "{late:?}");
}

async fn the_number_of_statements_does_not_grow_with_the_batch(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let pairs: Vec<Pair> = (0..64)
        .map(|number| Pair::new(&format!("a{number}"), &format!("b{number}")))
        .collect();
    for round in 0..2 {
        let batches: Vec<_> = pairs
            .iter()
            .map(|pair| {
                let (sender, peer) = if round == 0 {
                    (&pair.one, &pair.other)
                } else {
                    (&pair.other, &pair.one)
                };
                pair.batch(
                    round,
                    vec![submission(pair, sender, peer, Operation::AddFriend, b"")],
                )
            })
            .collect();
        database.append(&batches, NOW_NS).await.unwrap();
    }
    let mut cost = Vec::new();
    for (version, many) in [(2, 1), (3, 64)] {
        let batches: Vec<_> = pairs[..many]
            .iter()
            .enumerate()
            .map(|(place, pair)| {
                let version = if place == 0 { version } else { 2 };
                pair.batch(version, (0..4).map(|_| pair.message(b"text")).collect())
            })
            .collect();
        let before = database.statements_sent();
        let outcomes = database.append(&batches, NOW_NS).await.unwrap();
        assert!(outcomes.iter().all(|outcome| stored(outcome).len() == 4));
        cost.push(database.statements_sent() - before);
    }
    assert_eq!(cost[0], cost[1], "4 messages and 256 messages");
    assert!(cost[1] <= 10, "{cost:?}");
}

async fn a_large_batch_is_stored_whole(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let pair = Pair::new("alice", "bob");
    pair.befriend(&database).await;
    let messages: Vec<_> = (0..1_111)
        .map(|number: u32| pair.message(&number.to_be_bytes()))
        .collect();
    let outcome = append_one(&database, pair.batch(2, messages)).await;
    assert_eq!(stored(&outcome), (3..1_114).map(Seq).collect::<Vec<_>>());
    let query = EntriesAfter {
        conversation: pair.id,
        epoch: EPOCH,
        after: Seq(613),
        limit: 500,
        max_bytes: usize::MAX,
    };
    let last = database.entries_after(query).await.unwrap();
    assert_eq!(last.len(), 500);
    assert_eq!(last[499].body.as_ref(), 1_110_u32.to_be_bytes());
}

async fn cursors_come_with_the_outcome(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let pair = Pair::new("alice", "bob");
    pair.befriend(&database).await;
    let advance = CursorAdvance {
        conversation: pair.id,
        epoch: EPOCH,
        account: pair.other.clone(),
        class: tim_core::id::DeviceClass(-3),
        from: Seq(0),
        to: Seq(2),
    };
    database.advance_cursors(&[advance]).await.unwrap();
    let outcome = append_one(&database, pair.batch(2, vec![pair.message(b"text")])).await;
    let ConversationOutcome::Done { cursors, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(cursors.len(), 1);
    assert_eq!(
        (&cursors[0].account, cursors[0].class.0, cursors[0].cursor),
        (&pair.other, -3, Seq(2))
    );
}

async fn large_messages_are_stored_and_too_large_ones_refused(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let pair = Pair::new("alice", "bob");
    pair.befriend(&database).await;
    // Together more than a packet of MariaDB.
    let large = vec![b'x'; 1 << 20];
    let messages = (0..20).map(|_| pair.message(&large)).collect();
    let outcome = append_one(&database, pair.batch(2, messages)).await;
    assert_eq!(stored(&outcome).len(), 20);
    let too_large = vec![b'x'; 9 << 20];
    let error = database
        .append(&[pair.batch(3, vec![pair.message(&too_large)])], NOW_NS)
        .await
        .unwrap_err();
    assert!(
        matches!(error, tim_store::StoreError::TooLarge { .. }),
        "{error:?}"
    );
    // Beside others it is in nobody's way.
    let beside = Pair::new("carol", "dave");
    beside.befriend(&database).await;
    let batches = [
        pair.batch(3, vec![pair.message(&too_large)]),
        beside.batch(2, vec![beside.message(b"small")]),
    ];
    let outcomes = database.append(&batches, NOW_NS).await.unwrap();
    assert!(
        matches!(&outcomes[0], ConversationOutcome::Conflict { .. }),
        "{outcomes:?}"
    );
    assert_eq!(stored(&outcomes[1]).len(), 1);
    let largest = vec![b'x'; tim_store::MAX_BODY_BYTES];
    assert_eq!(
        stored(&append_one(&database, pair.batch(3, vec![pair.message(&largest)])).await).len(),
        1
    );
}

/// How often a future that is about to be dropped may be polled: through more steps than a transaction has.
const POLLS_MAX: usize = 60;

async fn a_dropped_append_leaves_all_or_nothing_and_can_be_repeated(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let pair = Pair::new("alice", "bob");
    pair.befriend(&database).await;
    for (version, polls) in (2..).zip(1..POLLS_MAX) {
        let batches = [pair.batch(version, vec![pair.message(b"one"), pair.message(b"two")])];
        let mut append = Box::pin(database.append(&batches, NOW_NS));
        let mut polled = 0;
        let ended = std::future::poll_fn(|context| {
            polled += 1;
            match append.as_mut().poll(context) {
                std::task::Poll::Pending if polled >= polls => std::task::Poll::Ready(None),
                other => other.map(Some),
            }
        })
        .await;
        drop(append);
        let outcome = match ended {
            Some(outcomes) => outcomes.unwrap().remove(0),
            None => database.append(&batches, NOW_NS).await.unwrap().remove(0),
        };
        // Stored by the repetition, or known from the attempt that was dropped.
        match &outcome {
            ConversationOutcome::Done { .. } => assert_eq!(stored(&outcome).len(), 2),
            ConversationOutcome::Conflict { known } => {
                assert!(known.iter().all(Option::is_some), "{known:?}")
            }
            ConversationOutcome::Fenced(_) => panic!("{outcome:?}"),
        }
    }
    let seqs: Vec<u64> = entries(&database, pair.id)
        .await
        .iter()
        .map(|entry| entry.seq.0)
        .collect();
    let wanted: Vec<u64> = (1..=2 * POLLS_MAX as u64).collect();
    assert_eq!(seqs, wanted, "each once, and no gap");
}

async fn an_erased_message_leaves_its_place_and_nothing_else(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let pair = Pair::new("alice", "bob");
    pair.befriend(&database).await;
    let mut sent = pair.message(b"a word too much");
    sent.client_id = Some(5);
    let again = sent.clone();
    let (sender, other) = (&pair.one, &pair.other);
    stored(&append_one(&database, pair.batch(2, vec![sent])).await);
    let before = entries(&database, pair.id).await;
    let revoke = submission(&pair, sender, other, Operation::Revoke(Seq(3)), b"");
    stored(&append_one(&database, pair.batch(3, vec![revoke])).await);
    let after = entries(&database, pair.id).await;
    let kinds: Vec<EntryKind> = after[2..].iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [EntryKind::Tombstone, EntryKind::Revoke]);
    assert_eq!(after[2], before[2].erased());
    // A late retry does not bring it back.
    let appended = append_one(&database, pair.batch(4, vec![again])).await;
    let ConversationOutcome::Done { verdicts, .. } = appended else {
        panic!("{appended:?}")
    };
    let known = matches!(&verdicts[0], Verdict::Known(known) if known.kind == EntryKind::Tombstone);
    assert!(known, "{verdicts:?}");
}

/// PostgreSQL keeps plans that it made when the tables were empty; ours must be right for full ones from the start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_reads_no_table_and_no_conversation_whole() {
    let fresh = Fresh::new(Engine::Postgres).await;
    let database = fresh.node().await;
    let pair = Pair::new("alice", "bob");
    pair.befriend(&database).await;
    for version in 2..22 {
        let mut again = pair.message(b"text");
        again.client_id = Some(version as i64);
        let messages = (0..50).map(|_| pair.message(b"text")).chain([again]).collect();
        stored(&append_one(&database, pair.batch(version, messages)).await);
        if [2, 21].contains(&version) {
            assert!(!entries(&database, pair.id).await.is_empty());
        }
    }
    // A session tells its counts when it ends.
    database.close().await;
    let counted = |column: &str| {
        format!(
            "SELECT SUM({column})::bigint FROM pg_stat_user_tables WHERE relname IN ('tim_message', 'tim_conversation')"
        )
    };
    crate::support::until("the counts arrive", || async {
        fresh.sql(&counted("idx_scan")).await.parse::<u64>().unwrap() > 60
    })
    .await;
    assert_eq!(fresh.sql(&counted("seq_tup_read")).await, "0");
    // Whether a message is known is looked up by its own key: what was read in the order of the conversation are the
    // entries that were asked for above, and not all of them for every message.
    let read = "SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'tim_message_pkey'";
    let read: u64 = fresh.sql(read).await.parse().unwrap();
    assert!(read < 5_000, "{read} entries read in order");
}
