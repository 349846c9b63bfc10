//! Several homes of one conversation, several nodes at one database, and a fence that is raised under load.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tim_core::conversation::{ConversationOutcome, Entry, Submission, Verdict};
use tim_core::id::{MessageKey, Seq, Version};
use tim_store::{Database, EntriesAfter};

use crate::support::{EPOCH, Engine, Fresh, NOW_NS, Pair, on_every_engine};

on_every_engine!(
    two_homes_fight_and_each_senders_order_is_kept,
    batches_that_share_conversations_do_not_lock_each_other_out,
    what_is_readable_has_no_gaps_while_it_is_written,
);

/// A home and the sender behind it: after a conflict it opens the conversation anew and sends all without an outcome
/// again, in order, as the session's node does.
async fn send_all(database: Database, pair: Pair, texts: Vec<Vec<u8>>) {
    let mut waiting: Vec<Submission> = texts.iter().map(|text| pair.message(text)).collect();
    let mut version = None;
    while !waiting.is_empty() {
        let expected = match version {
            Some(version) => version,
            None => {
                let states = database.open_conversations(&[(pair.id, EPOCH)]).await.unwrap();
                states[0].as_ref().unwrap().version
            }
        };
        let now: Vec<Submission> = waiting.iter().take(3).cloned().collect();
        let many = now.len();
        let mut outcomes = database
            .append(&[pair.batch(expected.0, now)], NOW_NS)
            .await
            .unwrap();
        match outcomes.remove(0) {
            ConversationOutcome::Done {
                verdicts,
                version: after,
                ..
            } => {
                assert!(
                    verdicts
                        .iter()
                        .all(|verdict| matches!(verdict, Verdict::Store { .. })),
                    "a conflict writes nothing, so nothing can be known: {verdicts:?}"
                );
                waiting.drain(..many);
                version = Some(after);
            }
            ConversationOutcome::Conflict { .. } => {
                waiting.iter_mut().for_each(|submission| submission.attempt += 1);
                version = None;
            }
            ConversationOutcome::Fenced(refusal) => panic!("{refusal:?}"),
        }
    }
}

async fn all_entries(database: &Database, pair: &Pair) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let after = entries.last().map_or(Seq(0), |entry| entry.seq);
        let query = EntriesAfter {
            conversation: pair.id,
            epoch: EPOCH,
            after,
            limit: 500,
            max_bytes: usize::MAX,
        };
        let more = database.entries_after(query).await.unwrap();
        if more.is_empty() {
            return entries;
        }
        entries.extend(more);
    }
}

fn assert_gapless_and_unique(entries: &[Entry]) {
    for (place, entry) in entries.iter().enumerate() {
        assert_eq!(entry.seq, Seq(place as u64 + 1));
    }
    let keys: HashSet<MessageKey> = entries.iter().map(|entry| entry.key).collect();
    assert_eq!(keys.len(), entries.len());
}

async fn two_homes_fight_and_each_senders_order_is_kept(engine: Engine) {
    const SENDERS: u8 = 3;
    const EACH: u16 = 30;
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let pair = Pair::new("alice", "bob");
    pair.befriend(&database).await;
    let mut homes = Vec::new();
    for sender in 0..SENDERS {
        let texts = (0..EACH)
            .map(|number| [&[sender][..], &number.to_be_bytes()].concat())
            .collect();
        homes.push(tokio::spawn(send_all(fresh.node().await, pair.clone(), texts)));
    }
    for home in homes {
        home.await.unwrap();
    }
    let entries = all_entries(&database, &pair).await;
    assert_eq!(entries.len(), usize::from(SENDERS) * usize::from(EACH) + 2);
    assert_gapless_and_unique(&entries);
    for sender in 0..SENDERS {
        let sent: Vec<_> = entries
            .iter()
            .filter(|entry| entry.body.first() == Some(&sender))
            .collect();
        let sent: Vec<u16> = sent[..]
            .iter()
            .filter(|entry| entry.body.len() == 3)
            .map(|entry| u16::from_be_bytes([entry.body[1], entry.body[2]]))
            .collect();
        assert_eq!(sent, (0..EACH).collect::<Vec<_>>(), "sender {sender}");
    }
}

async fn batches_that_share_conversations_do_not_lock_each_other_out(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let pairs: Arc<Vec<Pair>> = Arc::new(
        (0..12)
            .map(|number| Pair::new(&format!("a{number}"), &format!("b{number}")))
            .collect(),
    );
    let database = fresh.node().await;
    for pair in pairs.iter() {
        pair.befriend(&database).await;
    }
    let mut homes = Vec::new();
    for home in 0..4_usize {
        let (database, pairs) = (fresh.node().await, pairs.clone());
        homes.push(tokio::spawn(async move {
            let mut stored = vec![0_u64; pairs.len()];
            for round in 0..15 {
                // Each home goes through the conversations in another order; the store locks in one.
                let mut order: Vec<usize> = (0..pairs.len()).collect();
                order.rotate_left((home * 3 + round) % pairs.len());
                if home % 2 == 1 {
                    order.reverse();
                }
                let asked: Vec<_> = order.iter().map(|place| (pairs[*place].id, EPOCH)).collect();
                let states = database.open_conversations(&asked).await.unwrap();
                let batches: Vec<_> = order
                    .iter()
                    .zip(states)
                    .map(|(place, state)| {
                        let Version(version) = state.unwrap().version;
                        pairs[*place].batch(version, vec![pairs[*place].message(b"text")])
                    })
                    .collect();
                let outcomes = database.append(&batches, NOW_NS).await.unwrap();
                for (place, outcome) in order.iter().zip(outcomes) {
                    match outcome {
                        ConversationOutcome::Done { .. } => stored[*place] += 1,
                        ConversationOutcome::Conflict { .. } => {}
                        ConversationOutcome::Fenced(refusal) => panic!("{refusal:?}"),
                    }
                }
            }
            stored
        }));
    }
    let mut stored = vec![0_u64; pairs.len()];
    for home in homes {
        for (sum, more) in stored.iter_mut().zip(home.await.unwrap()) {
            *sum += more;
        }
    }
    for (pair, stored) in pairs.iter().zip(stored) {
        let entries = all_entries(&database, pair).await;
        assert_gapless_and_unique(&entries);
        assert_eq!(entries.len() as u64, stored + 2);
    }
}

async fn what_is_readable_has_no_gaps_while_it_is_written(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let pair = Pair::new("alice", "bob");
    pair.befriend(&database).await;
    let acknowledged = Arc::new(AtomicU64::new(2));
    let done = Arc::new(AtomicBool::new(false));
    let writer = {
        let (database, pair) = (fresh.node().await, pair.clone());
        let (acknowledged, done) = (acknowledged.clone(), done.clone());
        tokio::spawn(async move {
            for version in 2..60 {
                let messages = (0..5).map(|_| pair.message(b"text")).collect();
                database
                    .append(&[pair.batch(version, messages)], NOW_NS)
                    .await
                    .unwrap();
                acknowledged.fetch_add(5, Ordering::SeqCst);
            }
            done.store(true, Ordering::SeqCst);
        })
    };
    while !done.load(Ordering::SeqCst) {
        let promised = acknowledged.load(Ordering::SeqCst);
        let entries = all_entries(&database, &pair).await;
        assert_gapless_and_unique(&entries);
        assert!(
            entries.len() as u64 >= promised,
            "{} of {promised}",
            entries.len()
        );
    }
    writer.await.unwrap();
}
