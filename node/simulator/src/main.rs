//! Runs the simulator over many seeds.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, bail};
use clap::Parser;
use tim_simulator::checker::Violation;
use tim_simulator::{Mutation, Options, Part, Report, moving, run, streaming};

/// Runs nodes, clients and databases in virtual time, seed after seed, and holds the invariants against them: people who
/// chat, a range that moves while it is written to, and a live stream.
#[derive(Debug, Parser)]
#[command(name = "tim-simulator", version)]
struct Arguments {
    /// How many seeds to run.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Virtual minutes per seed; the last two are calm.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(3..=600))]
    minutes: u64,
    /// Plant a bug, and stop at the first seed that finds it.
    #[arg(long, value_parser = parse_mutation)]
    mutation: Option<Mutation>,
    /// Run this seed alone and print everything that happens.
    #[arg(long)]
    trace: Option<u64>,
    /// Seeds run at the same time.
    #[arg(long, default_value_t = 2)]
    threads: u64,
}

fn parse_mutation(name: &str) -> Result<Mutation, String> {
    Mutation::from_name(name).ok_or_else(|| {
        let names: Vec<&str> = Mutation::ALL.into_iter().map(Mutation::name).collect();
        format!("known are {}", names.join(", "))
    })
}

/// What one seed came to. A planted bug is in one of the parts only.
#[derive(Debug)]
struct Outcome {
    seed: u64,
    chat: Option<Report>,
    moves: Option<moving::Report>,
    streams: Option<streaming::Report>,
}

impl Outcome {
    fn of(options: &Options) -> Self {
        let planted = options.mutation.map(Mutation::part);
        let runs = |part| planted.is_none_or(|planted| planted == part);
        Self {
            seed: options.seed,
            chat: runs(Part::Chat).then(|| run(options)),
            moves: runs(Part::Moving).then(|| moving::run(options)),
            streams: runs(Part::Streaming).then(|| streaming::run(options)),
        }
    }

    fn violations(&self) -> impl Iterator<Item = &Violation> {
        let chat = self.chat.iter().flat_map(|chat| &chat.violations);
        let moves = self.moves.iter().flat_map(|moves| &moves.violations);
        let streams = self.streams.iter().flat_map(|streams| &streams.violations);
        chat.chain(moves).chain(streams)
    }

    fn is_good(&self) -> bool {
        self.violations().next().is_none()
    }
}

/// What many runs came to.
#[derive(Debug, Default)]
struct Sum {
    runs: u64,
    events: u64,
    stored: u64,
    delivered: u64,
    faults: u64,
    moves: u64,
    written: u64,
    pushed: u64,
    heard: u64,
    broken: BTreeMap<u64, Outcome>,
}

impl Sum {
    fn add(&mut self, outcome: Outcome) {
        self.runs += 1;
        if let Some(chat) = &outcome.chat {
            self.events += chat.events;
            self.stored += chat.stored;
            self.delivered += chat.delivered;
            self.faults += chat.faults;
        }
        if let Some(moves) = &outcome.moves {
            self.events += moves.events;
            self.faults += moves.elections;
            self.moves += moves.completed + moves.canceled;
            self.written += moves.written;
        }
        if let Some(streams) = &outcome.streams {
            self.events += streams.events;
            self.faults += streams.faults;
            self.pushed += streams.pushed;
            self.heard += streams.heard;
        }
        if !outcome.is_good() {
            self.broken.insert(outcome.seed, outcome);
        }
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let options = |seed, trace| Options {
        seed,
        minutes: arguments.minutes,
        mutation: arguments.mutation,
        trace,
    };
    if let Some(seed) = arguments.trace {
        let outcome = Outcome::of(&options(seed, true));
        show(&outcome);
        return Ok(code(outcome.is_good()));
    }
    let end = arguments
        .from
        .checked_add(arguments.seeds)
        .context("more seeds than there are numbers")?;
    if arguments.threads == 0 {
        bail!("no seed can run on 0 threads");
    }
    let next = AtomicU64::new(arguments.from);
    let sum = Mutex::new(Sum::default());
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..arguments.threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        break;
                    }
                    let outcome = Outcome::of(&options(seed, false));
                    let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                    sum.add(outcome);
                    progress(&sum, arguments.seeds, started);
                    if arguments.mutation.is_some() && !sum.broken.is_empty() {
                        next.store(end, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(summary(&arguments, &sum, started))
}

#[allow(clippy::print_stderr, reason = "progress is for the person who waits")]
fn progress(sum: &Sum, seeds: u64, started: Instant) {
    if sum.runs.is_multiple_of(10) || sum.runs == seeds {
        let broken = sum.broken.len();
        eprintln!(
            "{}/{seeds} seeds, {broken} broken, {:.0} s",
            sum.runs,
            started.elapsed().as_secs_f64()
        );
    }
}

#[allow(clippy::print_stdout, reason = "the result is the output")]
fn summary(arguments: &Arguments, sum: &Sum, started: Instant) -> ExitCode {
    for outcome in sum.broken.values().take(5) {
        show(outcome);
    }
    println!(
        "{} seeds of {} virtual minutes in {:.1} s: {} events, {} faults, {} entries stored, {} handed to clients, \
         {} moves under {} writes, {} frames pushed and {} heard",
        sum.runs,
        arguments.minutes,
        started.elapsed().as_secs_f64(),
        sum.events,
        sum.faults,
        sum.stored,
        sum.delivered,
        sum.moves,
        sum.written,
        sum.pushed,
        sum.heard
    );
    match (arguments.mutation, sum.broken.keys().next()) {
        (None, None) => println!("no violation"),
        (None, Some(first)) => println!("{} seeds with violations, the first is {first}", sum.broken.len()),
        (Some(mutation), Some(first)) => println!("{} found by seed {first}", mutation.name()),
        (Some(mutation), None) => println!("{} was NOT found", mutation.name()),
    }
    code(sum.broken.is_empty() != arguments.mutation.is_some())
}

#[allow(clippy::print_stdout, reason = "the result is the output")]
fn show(outcome: &Outcome) {
    let seed = outcome.seed;
    if let Some(chat) = &outcome.chat {
        println!(
            "seed {seed}: {} events, trace {:016x}, {} stored, {} handed on",
            chat.events, chat.trace_hash, chat.stored, chat.delivered
        );
    }
    if let Some(moves) = &outcome.moves {
        println!(
            "seed {seed}: {} events, trace {:016x}, {} moves completed, {} undone, {} writes",
            moves.events, moves.trace_hash, moves.completed, moves.canceled, moves.written
        );
    }
    if let Some(streams) = &outcome.streams {
        println!(
            "seed {seed}: {} events, trace {:016x}, {} frames pushed, {} heard, {} faults",
            streams.events, streams.trace_hash, streams.pushed, streams.heard, streams.faults
        );
    }
    for violation in outcome.violations() {
        println!(
            "  {} at {:.3} s: {}",
            violation.invariant,
            violation.at as f64 / 1e6,
            violation.what
        );
    }
}

fn code(good: bool) -> ExitCode {
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
