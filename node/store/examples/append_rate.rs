//! How many messages per second the group commit stores.
//!
//! ```text
//! cargo run --profile local -p tim-store --example append_rate [-- DSN [SECONDS]]
//! ```
//!
//! Without a DSN it uses a SQLite file in a temporary directory, with full sync as the nodes do. One home commits
//! batch after batch, as a node does; payload 64 bytes, every batch over as many conversations as the first column
//! says.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use tim_core::conversation::{ConversationBatch, ConversationOutcome, Operation, Submission};
use tim_core::id::{
    AccountId, ContentHash, ConversationId, DatabaseName, DeviceClass, Epoch, MessageKey, Version,
};
use tim_core::map::PartitionMap;
use tim_core::placement;
use tim_store::{Database, StorageKeys, Store, StoreConfig};

const PAYLOAD_BYTES: usize = 64;

/// Conversations per batch, messages per conversation.
const SHAPES: [(usize, usize); 6] = [(1, 1), (8, 4), (8, 25), (32, 8), (200, 1), (128, 8)];

struct Pair {
    one: AccountId,
    other: AccountId,
    conversation: ConversationId,
    version: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let directory = tempfile::tempdir()?;
    let dsn = arguments
        .next()
        .unwrap_or_else(|| format!("sqlite:{}", directory.path().join("d0.db").display()));
    let seconds: u64 = arguments
        .next()
        .map_or(Ok(3), |text| text.parse())
        .context("SECONDS")?;
    let database = open(&dsn).await?;
    report(&format!(
        "{database:?}, payload {PAYLOAD_BYTES} bytes, {seconds} s each"
    ));
    report("conversations  per batch  messages/s  batches/s  p50 ms  p99 ms  statements");
    for (conversations, each) in SHAPES {
        measure(&database, conversations, each, Duration::from_secs(seconds)).await?;
    }
    database.close().await;
    Ok(())
}

async fn open(dsn: &str) -> Result<Database> {
    let name = DatabaseName::new("d0")?;
    let config = StoreConfig {
        cluster: "bench".to_owned(),
        keys: StorageKeys::single([7; 32].into())?,
    };
    let store = Store::new(config);
    store.configure([(name.clone(), dsn)])?;
    let database = store.database(&name)?;
    database.prepare().await?;
    database
        .create_fences(&PartitionMap::even(&[(name, database.home_placement())])?)
        .await?;
    Ok(database)
}

async fn measure(database: &Database, conversations: usize, each: usize, limit: Duration) -> Result<()> {
    let mut pairs = Vec::with_capacity(conversations);
    for number in 0..conversations {
        pairs.push(befriended(database, number).await?);
    }
    let mut times = Vec::new();
    let statements = database.statements_sent();
    let start = Instant::now();
    while start.elapsed() < limit {
        let batches: Vec<_> = pairs
            .iter()
            .map(|pair| batch(pair, each, Operation::Message))
            .collect();
        let begun = Instant::now();
        let outcomes = database.append(&batches, now_ns(start)).await?;
        times.push(begun.elapsed());
        for (pair, outcome) in pairs.iter_mut().zip(outcomes) {
            let ConversationOutcome::Done { version, .. } = outcome else {
                anyhow::bail!("{outcome:?}");
            };
            pair.version = version.0;
        }
    }
    let elapsed = start.elapsed().as_secs_f64();
    let batches = times.len();
    times.sort_unstable();
    let milliseconds = |part: f64| times[((batches - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    report(&format!(
        "{conversations:>13}  {:>9}  {:>10.0}  {:>9.0}  {:>6.2}  {:>6.2}  {:>10.1}",
        conversations * each,
        (batches * conversations * each) as f64 / elapsed,
        batches as f64 / elapsed,
        milliseconds(0.5),
        milliseconds(0.99),
        (database.statements_sent() - statements) as f64 / batches as f64,
    ));
    Ok(())
}

async fn befriended(database: &Database, number: usize) -> Result<Pair> {
    let salt: u32 = rand::random();
    let one = AccountId::new(format!("a{number}-{salt}"))?;
    let other = AccountId::new(format!("b{number}-{salt}"))?;
    let conversation = placement::direct_conversation(&one, &other);
    let mut pair = Pair {
        one,
        other,
        conversation,
        version: 0,
    };
    for _ in 0..2 {
        let outcomes = database
            .append(&[batch(&pair, 1, Operation::AddFriend)], 1)
            .await?;
        ensure!(
            matches!(outcomes[0], ConversationOutcome::Done { .. }),
            "{outcomes:?}"
        );
        std::mem::swap(&mut pair.one, &mut pair.other);
        pair.version += 1;
    }
    Ok(pair)
}

fn batch(pair: &Pair, each: usize, operation: Operation) -> ConversationBatch {
    let submission = || {
        Arc::new(Submission {
            key: MessageKey(rand::random()),
            conversation: pair.conversation,
            sender: pair.one.clone(),
            peer: pair.other.clone(),
            sender_class: DeviceClass(1),
            operation,
            client_id: None,
            content_hash: ContentHash([0; 16]),
            attempt: 1,
            vouched: false,
            body: Bytes::from_static(&[b'x'; PAYLOAD_BYTES]),
        })
    };
    ConversationBatch {
        conversation: pair.conversation,
        expected_version: Version(pair.version),
        epoch: Epoch(1),
        room_members_max: 100,
        submissions: (0..each).map(|_| submission()).collect(),
    }
}

fn now_ns(start: Instant) -> i64 {
    1_700_000_000_000_000_000 + start.elapsed().as_nanos() as i64
}

#[allow(clippy::print_stdout, reason = "the figures are what this example is for")]
fn report(line: &str) {
    println!("{line}");
}
