//! The command line `tim`, also installed as `kubectl-tim`: the front door for people and scripts.
//!
//! Results go to standard output, everything else to standard error. What a verb acts on is a target: the clusters of a
//! directory on this machine, or those of a namespace on Kubernetes. This is a library so that references (verbs, JSON
//! Schemas) are generated from the code itself; the binary only calls [`main`].

pub mod arguments;
pub mod bench;
pub mod chat;
pub mod exit;
pub mod failure;
pub mod output;
pub mod quantity;
pub mod question;
pub mod schemas;
pub mod servers;
pub mod status;
pub mod table;
pub mod target;
pub mod terminal;
pub mod verbs;

use arguments::{Arguments, Global, Verb};
use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use exit::Exit;
use failure::{Failure, Outcome};
use std::process::ExitCode;
use terminal::{ColourChoice, Surroundings, Terminal};

/// Reads the command line of this process, does what it says, and gives the exit code.
pub fn main() -> ExitCode {
    let surroundings = Surroundings::of_process();
    let program = std::env::args().next().unwrap_or_default();
    let plain = Terminal::new(surroundings.clone(), ColourChoice::Auto);
    if arguments::is_kubectl_completion(&program) {
        let words: Vec<String> = std::env::args().skip(1).collect();
        return finish(&plain, verbs::completion::run_for_kubectl(&plain, &words));
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return finish(&plain, refuse(&plain, &error)),
    };
    let terminal = Terminal::new(surroundings, arguments.global.color);
    finish(&terminal, run(&terminal, arguments))
}

fn finish(terminal: &Terminal, outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => {
            terminal.message(failure.to_string());
            failure.exit_code().into()
        }
    }
}

/// Help and version are answers; everything else that clap returns is a command line that cannot be carried out.
fn refuse(terminal: &Terminal, error: &clap::Error) -> Outcome {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        terminal.result(error.to_string().trim_end());
        return Ok(Exit::Done);
    }
    if let Some((what, nearest)) = misspelt(error) {
        return Err(Failure::usage(format!("{what}; did you mean {nearest}?")));
    }
    let text = error.to_string();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines
        .next()
        .unwrap_or_default()
        .trim_start_matches("error: ")
        .to_owned();
    let failure = lines
        .filter(|line| !line.starts_with("For more information"))
        .fold(Failure::usage(first), |failure, line| failure.detail(line));
    Err(failure)
}

/// A verb, option or value that does not exist, and the nearest one that does.
fn misspelt(error: &clap::Error) -> Option<(String, String)> {
    let word = |kind| match error.get(kind)? {
        ContextValue::String(word) => Some(word.clone()),
        // The nearest comes last.
        ContextValue::Strings(words) => words.last().cloned(),
        _ => None,
    };
    match error.kind() {
        ErrorKind::InvalidSubcommand => Some((
            format!("there is no verb \"{}\"", word(ContextKind::InvalidSubcommand)?),
            word(ContextKind::SuggestedSubcommand)?,
        )),
        ErrorKind::UnknownArgument => Some((
            format!("there is no option {}", word(ContextKind::InvalidArg)?),
            word(ContextKind::SuggestedArg)?,
        )),
        _ => None,
    }
}

fn run(terminal: &Terminal, arguments: Arguments) -> Outcome {
    let format = arguments.global.output;
    match arguments.verb {
        None => verbs::help::run(terminal, None),
        Some(Verb::Help(help)) => verbs::help::run(terminal, help.topic.as_deref()),
        Some(Verb::Explain(explain)) => verbs::explain::run(terminal, format, explain.code.as_deref()),
        Some(Verb::Version) => verbs::version::run(terminal, format),
        Some(Verb::Man(man)) => verbs::man::run(terminal, &man),
        Some(Verb::Completion(completion)) => verbs::completion::run(terminal, &completion),
        Some(verb) => run_asynchronously(terminal, &arguments.global, verb),
    }
}

/// Verbs that reach processes or networks; Ctrl-C ends all but `tim up`, which stops its cluster first.
fn run_asynchronously(terminal: &Terminal, global: &Global, verb: Verb) -> Outcome {
    // A second provider is refused, and there is none: the result says only that it was installed before.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unexpected(&error))?;
    let outcome = runtime.block_on(async {
        if let Verb::Up(up) = &verb {
            return Box::pin(verbs::up::run(terminal, global, up)).await;
        }
        tokio::select! {
            outcome = Box::pin(act(terminal, global, verb)) => outcome,
            _ = tokio::signal::ctrl_c() => Ok(Exit::Interrupted),
        }
    });
    // Blocking reads of a terminal never end by themselves.
    runtime.shutdown_background();
    outcome
}

async fn act(terminal: &Terminal, global: &Global, verb: Verb) -> Outcome {
    let program = std::env::args().next().unwrap_or_default();
    let plugin = arguments::is_kubectl_plugin(&program);
    match verb {
        Verb::Down(down) => verbs::down::run(terminal, global, &down).await,
        Verb::Logs(logs) => verbs::logs::run(terminal, global, &logs).await,
        Verb::Status(status) => {
            let target = target::choose(global, plugin).await?;
            verbs::status::run(terminal, target.as_ref(), global.output, global.timeout, &status).await
        }
        Verb::Scale(scale) => {
            let target = target::choose(global, plugin).await?;
            verbs::scale::run(terminal, target.as_ref(), global.timeout, &scale).await
        }
        Verb::Split(split) => {
            let target = target::choose(global, plugin).await?;
            verbs::split::run(terminal, target.as_ref(), global.timeout, &split).await
        }
        Verb::Chat(chat) => Box::pin(chat::run(terminal, global, &chat)).await,
        Verb::Url(url) => verbs::url::run(terminal, global, &url).await,
        Verb::Accounts(accounts) => Box::pin(verbs::accounts::run(terminal, global, &accounts)).await,
        Verb::Bench(bench) => Box::pin(bench::run(terminal, global, &bench)).await,
        // Those that need no runtime were carried out before.
        Verb::Up(_)
        | Verb::Explain(_)
        | Verb::Version
        | Verb::Completion(_)
        | Verb::Man(_)
        | Verb::Help(_) => Ok(Exit::Done),
    }
}
