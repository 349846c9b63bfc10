//! `tim accounts import`: accounts with the hashes of their passwords, handed to a node's administrators' API in batches.
//!
//! The input is read as it is sent, so that its length does not matter. What is wrong with a line is found here as far as the
//! line alone tells it, the rest by the node; either way the line is named by its number and the others go on.

mod batch;
mod endpoint;

use crate::arguments::{AccountsAction, AccountsArguments, Global};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::write_document;
use crate::target::{LocalTarget, Target, find_cluster};
use crate::terminal::Terminal;
use batch::{Batch, Batches};
use endpoint::Endpoint;
use schemars::JsonSchema;
use serde::Serialize;
use std::path::Path;
use tim_catalogue::command_line;
use tokio::io::AsyncRead;

/// Version of the document.
const SCHEMA_VERSION: u32 = 1;
/// Lines that are named; of further ones only the number is told.
const NAMED_MAX: usize = 1_000;
/// Remedy for every line that is wrong.
const LINE_REMEDY: &str = "correct the line and import again; tim accounts --help shows the form";

/// What programs get.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountsDocument {
    /// Version of this form.
    pub schema_version: u32,
    /// Whether the lines were only checked.
    pub dry_run: bool,
    /// Lines that were read, empty ones not counted.
    pub lines: u64,
    /// Accounts that were made.
    pub created: u64,
    /// Accounts that were there, or were deleted; they are as they were.
    pub existing: u64,
    /// How many lines were not taken.
    pub refused_count: u64,
    /// The first 1,000 of them.
    pub refused: Vec<RefusedLine>,
}

/// A line that was not taken.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefusedLine {
    /// Its number in the input, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
    /// What to do.
    pub remedy: String,
}

impl AccountsDocument {
    fn refuse(&mut self, terminal: &Terminal, line: u64, reason: String) {
        self.refused_count += 1;
        if self.refused.len() >= NAMED_MAX {
            return;
        }
        terminal.message(format!("line {line}: {reason}"));
        self.refused.push(RefusedLine {
            line,
            reason,
            remedy: LINE_REMEDY.to_owned(),
        });
    }
}

/// Imports accounts.
///
/// # Errors
/// The input or the node cannot be reached, or lines were refused; the other lines are imported.
pub async fn run(terminal: &Terminal, global: &Global, arguments: &AccountsArguments) -> Outcome {
    let AccountsAction::Import = arguments.action;
    let endpoint = match arguments.dry_run {
        true => None,
        false => Some(endpoint(global, arguments).await?),
    };
    let told = import(terminal, open(&arguments.file).await?, endpoint.as_ref()).await?;
    if global.output.is_document() {
        write_document(terminal, global.output, &told)?;
    } else {
        terminal.result(summary(&told));
    }
    if told.refused_count == 0 {
        return Ok(Exit::Done);
    }
    let observed = format!("{} of {} lines are of no use", told.refused_count, told.lines);
    Err(Failure::new(&command_line::LINES_REFUSED, observed).exit(Exit::Unhealthy))
}

fn summary(told: &AccountsDocument) -> String {
    if told.dry_run {
        let fine = told.lines - told.refused_count;
        return format!(
            "{} lines: {fine} can be imported, {} not",
            told.lines, told.refused_count
        );
    }
    format!(
        "{} lines: {} accounts made, {} were there, {} lines refused",
        told.lines, told.created, told.existing, told.refused_count
    )
}

async fn import(
    terminal: &Terminal,
    input: Box<dyn AsyncRead + Send + Unpin>,
    endpoint: Option<&Endpoint>,
) -> Outcome<AccountsDocument> {
    let mut told = AccountsDocument {
        schema_version: SCHEMA_VERSION,
        dry_run: endpoint.is_none(),
        ..AccountsDocument::default()
    };
    let mut batches = Batches::new(input);
    while let Some(batch) = batches
        .next()
        .await
        .map_err(|error| stopped(&batches, &error.to_string()))?
    {
        told.lines += batch.lines;
        let mut refused = batch.refused.clone();
        let handed = match endpoint.filter(|_| !batch.body.is_empty()) {
            Some(endpoint) => hand_over(endpoint, &batch, &mut told).await,
            None => Ok(Vec::new()),
        };
        if let Ok(by_node) = &handed {
            refused.extend_from_slice(by_node);
        }
        refused.sort();
        for (line, reason) in refused {
            told.refuse(terminal, line, reason);
        }
        handed?;
        if endpoint.is_some() {
            terminal.message(format!("{} lines done", told.lines));
        }
    }
    Ok(told)
}

/// Hands a batch to the node; the lines that it refuses, by their numbers in the input.
async fn hand_over(
    endpoint: &Endpoint,
    batch: &Batch,
    told: &mut AccountsDocument,
) -> Outcome<Vec<(u64, String)>> {
    let imported = endpoint.import(&batch.body).await.map_err(|reason| {
        let first = batch.numbers.first().copied().unwrap_or_default();
        Failure::new(
            &command_line::IMPORT_STOPPED,
            format!("from line {first} on nothing is known to be imported: {reason}"),
        )
    })?;
    told.created += imported.created;
    told.existing += imported.existing;
    let number = |line: u64| {
        let place = usize::try_from(line).unwrap_or(usize::MAX).wrapping_sub(1);
        batch.numbers.get(place).copied().unwrap_or_default()
    };
    let refused = imported.refused.into_iter();
    Ok(refused.map(|one| (number(one.line), one.reason)).collect())
}

fn stopped(batches: &Batches, reason: &str) -> Failure {
    let observed = format!(
        "the input cannot be read behind line {}: {reason}",
        batches.read()
    );
    Failure::new(&command_line::IMPORT_STOPPED, observed)
}

async fn open(file: &Path) -> Outcome<Box<dyn AsyncRead + Send + Unpin>> {
    if file == Path::new("-") {
        return Ok(Box::new(tokio::io::stdin()));
    }
    match tokio::fs::File::open(file).await {
        Ok(opened) => Ok(Box::new(opened)),
        Err(error) => Err(Failure::usage(format!("{}: {error}", file.display()))
            .remedy("name a file that can be read, or - for standard input")),
    }
}

/// The node that is asked, with the token.
async fn endpoint(global: &Global, arguments: &AccountsArguments) -> Outcome<Endpoint> {
    let url = match &arguments.url {
        Some(url) => url.clone(),
        None => local_url(global, arguments.cluster.as_deref()).await?,
    };
    let file = arguments
        .token_file
        .as_ref()
        .ok_or_else(|| Failure::usage("--token-file is missing"))?;
    let token = tokio::fs::read_to_string(file)
        .await
        .map_err(|error| Failure::usage(format!("--token-file {}: {error}", file.display())))?;
    Endpoint::new(&url, token.trim(), arguments.ca_file.as_deref())
}

async fn local_url(global: &Global, cluster: Option<&str>) -> Outcome<String> {
    let target = LocalTarget::open(global)?;
    let cluster = find_cluster(&target, cluster).await?;
    let seen = target.observe(&cluster).await?;
    let running = seen.nodes.iter().filter(|node| node.pid.is_some());
    let mut urls = running.filter_map(|node| node.admin_url.clone());
    urls.next().ok_or_else(|| {
        let observed = format!("no node of local cluster {cluster} runs");
        Failure::new(&command_line::SERVER_UNREACHABLE, observed).remedy("tim up")
    })
}
