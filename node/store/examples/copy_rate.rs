//! How many rows per second a repartition copies and compares.
//!
//! ```text
//! cargo run --profile local -p tim-store --example copy_rate -- SOURCE_DSN TARGET_DSN [MESSAGES]
//! ```
//!
//! Both databases must be empty. It fills the source with messages of 64 bytes, then runs the steps that move the
//! upper half of the slots, one after the other, without anybody else at the databases.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use tim_core::conversation::{ConversationBatch, Operation, Submission};
use tim_core::id::{
    AccountId, ContentHash, DatabaseName, DeviceClass, Epoch, MessageKey, Slot, Term, Version,
};
use tim_core::map::{HomePlacement, PartitionMap};
use tim_core::placement::{SLOT_COUNT, direct_conversation};
use tim_core::repartition::{Done, OperationId, Plan, Step};
use tim_store::{StorageKeys, Store, StoreConfig};

const CONVERSATIONS: usize = 200;
const TERM: Term = Term(1);

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let source = arguments.next().context("SOURCE_DSN")?;
    let target = arguments.next().context("TARGET_DSN")?;
    let messages: usize = arguments.next().map_or(Ok(200_000), |text| text.parse())?;
    let (from, to) = (DatabaseName::new("d0")?, DatabaseName::new("d1")?);
    let config = StoreConfig {
        cluster: "bench".to_owned(),
        keys: StorageKeys::single([7; 32].into())?,
    };
    let store = Store::new(config);
    store.configure([(from.clone(), source), (to.clone(), target)])?;
    let database = store.database(&from)?;
    database.prepare().await?;
    database
        .create_fences(&PartitionMap::even(&[(
            from.clone(),
            HomePlacement::PerDatabase,
        )])?)
        .await?;
    fill(&store, &from, messages).await?;
    let plan = Plan {
        operation: OperationId("bench".to_owned()),
        from: Slot(SLOT_COUNT / 2),
        until: Slot(SLOT_COUNT),
        source: from,
        source_epoch: Epoch(1),
        target: to,
        target_epoch: Epoch(2),
        homes: HomePlacement::PerConversation,
    };
    for step in [Step::PrepareTarget, Step::MarkSource] {
        store.run_step(&plan, TERM, &step).await?;
    }
    let copied = copy(&store, &plan).await?;
    let start = Instant::now();
    let verified = store.run_step(&plan, TERM, &Step::Verify).await?;
    ensure!(verified == Done::Verified { equal: true }, "{verified:?}");
    report("compared", copied, start);
    let start = Instant::now();
    for step in [
        Step::Close { attempt: 1 },
        Step::DrainChanges,
        Step::Move { attempt: 1 },
        Step::OpenTarget,
    ] {
        store.run_step(&plan, TERM, &step).await?;
    }
    report("write pause of an idle cut-over; rows moved", copied, start);
    let start = Instant::now();
    while store.run_step(&plan, TERM, &Step::CleanSource).await? != (Done::Cleaned { finished: true }) {}
    report("cleaned", copied, start);
    Ok(())
}

async fn copy(store: &Store, plan: &Plan) -> Result<u64> {
    let start = Instant::now();
    let mut copied = 0;
    loop {
        let Done::Copied { rows, finished } = store.run_step(plan, TERM, &Step::CopyChunk).await? else {
            anyhow::bail!("no copy");
        };
        copied += rows;
        if finished {
            report("copied", copied, start);
            return Ok(copied);
        }
    }
}

async fn fill(store: &Store, name: &DatabaseName, messages: usize) -> Result<()> {
    let database = store.database(name)?;
    let start = Instant::now();
    let mut stored = 0;
    let each = messages / CONVERSATIONS / 10;
    for round in 0..12_u64 {
        let batches = (0..CONVERSATIONS)
            .map(|number| batch(number, round, each))
            .collect::<Result<Vec<_>>>()?;
        stored += batches
            .iter()
            .map(|batch| batch.submissions.len() as u64)
            .sum::<u64>();
        database.append(&batches, 1).await?;
    }
    report("stored", stored, start);
    Ok(())
}

/// The first two rounds make friends.
fn batch(number: usize, round: u64, each: usize) -> Result<ConversationBatch> {
    let pair = [
        AccountId::new(format!("a{number}"))?,
        AccountId::new(format!("b{number}"))?,
    ];
    let conversation = direct_conversation(&pair[0], &pair[1]);
    let sender = usize::from(round == 1);
    let (operation, count) = if round < 2 {
        (Operation::AddFriend, 1)
    } else {
        (Operation::Message, each)
    };
    let submission = || {
        Arc::new(Submission {
            key: MessageKey(rand::random()),
            conversation,
            sender: pair[sender].clone(),
            peer: pair[1 - sender].clone(),
            sender_class: DeviceClass(1),
            operation,
            client_id: None,
            content_hash: ContentHash([0; 16]),
            attempt: 1,
            vouched: false,
            body: Bytes::from_static(&[b'x'; 64]),
        })
    };
    let submissions = (0..count).map(|_| submission()).collect();
    Ok(ConversationBatch {
        conversation,
        expected_version: Version(round),
        epoch: Epoch(1),
        room_members_max: 100,
        submissions,
    })
}

#[allow(clippy::print_stdout, reason = "the figures are what this example is for")]
fn report(what: &str, rows: u64, start: Instant) {
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{what}: {rows} in {seconds:.3} s, {:.0} per second",
        rows as f64 / seconds
    );
}
