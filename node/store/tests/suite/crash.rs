//! Databases that are killed and nodes that are killed or stopped in the middle of it: nothing acknowledged is lost,
//! doubled or reordered (invariant I1).

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tim_core::conversation::{ConversationOutcome, KnownEntry, Verdict};
use tim_core::id::{Seq, Version};
use tim_store::{Database, EntriesAfter};

use crate::database::{Kind, Server};
use crate::support::{CLUSTER, EPOCH, KEY, NOW_NS, Pair, node_with, whole};

/// Messages between two crashes.
const BETWEEN: u32 = 15;

/// Sends numbered messages one by one, as a session's node and its home do together, and calls `acknowledged` with
/// the number and place of each one that certainly is stored.
async fn send(
    database: &Database,
    pair: &Pair,
    numbers: std::ops::Range<u32>,
    mut acknowledged: impl FnMut(u32, Seq),
) {
    let mut version: Option<Version> = None;
    for number in numbers {
        let mut message = pair.message(&number.to_be_bytes());
        let seq = loop {
            let expected = match version {
                Some(version) => version,
                None => match database.open_conversations(&[(pair.id, EPOCH)]).await {
                    Ok(states) => states[0].as_ref().unwrap().version,
                    Err(_) => {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        continue;
                    }
                },
            };
            version = Some(expected);
            // Until the fate of a commit is known the same batch is run again, with the same expected version.
            let Ok(mut outcomes) = database
                .append(&[pair.batch(expected.0, vec![message.clone()])], NOW_NS)
                .await
            else {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            let known: Option<KnownEntry> = match outcomes.remove(0) {
                ConversationOutcome::Done {
                    mut verdicts,
                    version: after,
                    ..
                } => {
                    version = Some(after);
                    match verdicts.remove(0) {
                        Verdict::Store { entry, .. } => break entry.seq,
                        Verdict::Known(known) => Some(known),
                        Verdict::Refuse(refusal) => panic!("{refusal:?}"),
                    }
                }
                ConversationOutcome::Conflict { mut known } => {
                    version = None;
                    known.remove(0)
                }
                ConversationOutcome::Fenced(refusal) => panic!("{refusal:?}"),
            };
            if let Some(known) = known {
                break known.seq;
            }
            message.attempt += 1;
        };
        acknowledged(number, seq);
    }
}

/// The numbers that are stored, in order; what was acknowledged must be there, at its place and once.
async fn check(database: &Database, pair: &Pair, acknowledged: &[(u32, Seq)]) -> Vec<u32> {
    let query = EntriesAfter {
        conversation: pair.id,
        epoch: EPOCH,
        after: Seq(2),
        limit: 500,
        max_bytes: usize::MAX,
    };
    let entries = database.entries_after(query).await.unwrap();
    let stored: Vec<(u32, Seq)> = entries
        .iter()
        .map(|entry| {
            (
                u32::from_be_bytes(entry.body.as_ref().try_into().unwrap()),
                entry.seq,
            )
        })
        .collect();
    for (place, (_, seq)) in stored.iter().enumerate() {
        assert_eq!(seq.0, place as u64 + 3);
    }
    for told in acknowledged {
        assert!(
            stored.contains(told),
            "{told:?} was acknowledged and is not in {stored:?}"
        );
    }
    stored.into_iter().map(|(number, _)| number).collect()
}

async fn the_server_is_killed(kind: Kind) {
    let server = tokio::task::spawn_blocking(move || Server::start(kind).unwrap())
        .await
        .unwrap();
    let dsn = server.dsn(&server.create_database().unwrap());
    let server = Arc::new(Mutex::new(server));
    let (_, database) = node_with(CLUSTER, KEY, "d0", &dsn);
    database.prepare().await.unwrap();
    database.create_fences(&whole("d0")).await.unwrap();
    let pair = Pair::new("alice", "bob");
    pair.befriend(&database).await;
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    for round in 0..3 {
        let (events, mut event) = tokio::sync::mpsc::unbounded_channel();
        let sender = {
            let (database, pair, acknowledged) = (database.clone(), pair.clone(), acknowledged.clone());
            tokio::spawn(async move {
                send(
                    &database,
                    &pair,
                    round * BETWEEN..(round + 1) * BETWEEN,
                    |number, seq| {
                        acknowledged.lock().unwrap().push((number, seq));
                        let _ = events.send(number);
                    },
                )
                .await;
            })
        };
        // In the middle of it, with the next message on its way.
        while event.recv().await != Some(round * BETWEEN + 5) {}
        let server = server.clone();
        tokio::task::spawn_blocking(move || {
            let mut server = server.lock().unwrap();
            server.crash().unwrap();
            server.restart().unwrap();
        })
        .await
        .unwrap();
        sender.await.unwrap();
        let told = acknowledged.lock().unwrap().clone();
        let stored = check(&database, &pair, &told).await;
        assert_eq!(stored, (0..(round + 1) * BETWEEN).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_is_killed_in_the_middle_of_it() {
    the_server_is_killed(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_is_killed_in_the_middle_of_it() {
    the_server_is_killed(Kind::MariaDb).await;
}

/// Carries the DSN to [`writer_process`].
const WRITER_DSN: &str = "TIM_STORE_TEST_WRITER_DSN";

/// Not a test by itself: what the tests below run as a process that can be killed or stopped.
#[tokio::test]
#[ignore = "runs only as a child of other tests"]
async fn writer_process() {
    let Ok(dsn) = std::env::var(WRITER_DSN) else {
        return;
    };
    let (_, database) = node_with(CLUSTER, KEY, "d0", &dsn);
    database.prepare().await.unwrap();
    let pair = Pair::new("alice", "bob");
    let start: u32 = std::env::var("TIM_STORE_TEST_WRITER_START")
        .unwrap()
        .parse()
        .unwrap();
    send(&database, &pair, start..u32::MAX, |number, seq| {
        println!("acknowledged {number} {}", seq.0)
    })
    .await;
}

struct Writer {
    process: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Writer {
    fn start(dsn: &str, start: u32) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "crash::writer_process"])
            .env(WRITER_DSN, dsn)
            .env("TIM_STORE_TEST_WRITER_START", start.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    fn next(&mut self) -> Option<(u32, Seq)> {
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            if let Some((_, rest)) = line.split_once("acknowledged ") {
                let (number, seq) = rest.split_once(' ').unwrap();
                return Some((number.parse().unwrap(), Seq(seq.parse().unwrap())));
            }
        }
        None
    }

    fn signal(&self, signal: &str) {
        let pid = self.process.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", signal, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Kills the process; what it had said before is still read.
    fn kill(mut self) -> Vec<(u32, Seq)> {
        self.signal("KILL");
        let mut said = Vec::new();
        while let Some(told) = self.next() {
            said.push(told);
        }
        self.process.wait().unwrap();
        said
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_writes_a_sqlite_file_is_killed() {
    let fresh = crate::support::Fresh::new(crate::support::Engine::Sqlite).await;
    let database = fresh.node().await;
    let pair = Pair::new("alice", "bob");
    pair.befriend(&database).await;
    let mut start = 0;
    for round in 0..4 {
        let dsn = fresh.dsn.clone();
        let told = tokio::task::spawn_blocking(move || {
            let mut writer = Writer::start(&dsn, start);
            let mut told: Vec<_> = (0..20 + round).map(|_| writer.next().unwrap()).collect();
            told.extend(writer.kill());
            told
        })
        .await
        .unwrap();
        // At most the one message that was on its way is there without an acknowledgement.
        let stored = check(&database, &pair, &told).await;
        let last = told.last().unwrap().0;
        assert!(
            stored.last() == Some(&last) || stored.last() == Some(&(last + 1)),
            "{last}: {stored:?}"
        );
        start = last + 2;
    }
}

/// A node that is stopped inside a transaction holds its locks; the server ends the transaction within seconds.
async fn a_stopped_node_blocks_nobody_for_long(engine: crate::support::Engine) {
    let fresh = crate::support::Fresh::new(engine).await;
    let database = fresh.node().await;
    let pair = Pair::new("alice", "bob");
    pair.befriend(&database).await;
    let dsn = fresh.dsn.clone();
    let (mut writer, mut told) = tokio::task::spawn_blocking(move || {
        let mut writer = Writer::start(&dsn, 0);
        let told: Vec<_> = (0..10).map(|_| writer.next().unwrap()).collect();
        writer.signal("STOP");
        (writer, told)
    })
    .await
    .unwrap();
    let mut own = Vec::new();
    send(&database, &pair, 1_000_000..1_000_003, |number, seq| {
        own.push((number, seq))
    })
    .await;
    // It wakes, finds that it lost the conversation, opens it anew and goes on.
    let more = tokio::task::spawn_blocking(move || {
        writer.signal("CONT");
        let mut more: Vec<_> = (0..5).map(|_| writer.next().unwrap()).collect();
        more.extend(writer.kill());
        more
    })
    .await
    .unwrap();
    told.extend(more);
    told.extend(own);
    let stored = check(&database, &pair, &told).await;
    let mut of_writer: Vec<u32> = stored
        .iter()
        .copied()
        .filter(|number| *number < 1_000_000)
        .collect();
    let sorted = of_writer.clone();
    of_writer.sort_unstable();
    of_writer.dedup();
    assert_eq!(of_writer, sorted, "each number once, in the order sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_node_blocks_nobody_for_long_on_postgres() {
    a_stopped_node_blocks_nobody_for_long(crate::support::Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_node_blocks_nobody_for_long_on_mariadb() {
    a_stopped_node_blocks_nobody_for_long(crate::support::Engine::MariaDb).await;
}
