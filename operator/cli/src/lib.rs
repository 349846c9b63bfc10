//! The command line `tim`, also installed as `kubectl-tim`: the front door for people and scripts.
//!
//! Results go to standard output, everything else to standard error. What a verb acts on is a target: the clusters of a
//! directory on this machine, or those of a namespace on Kubernetes. This is a library so that references (verbs, JSON
//! Schemas) are generated from the code itself; the binary only calls [`main`].

pub mod arguments;
pub mod exit;
pub mod failure;
pub mod output;
pub mod quantity;
pub mod status;
pub mod table;
pub mod terminal;
pub mod verbs;

use arguments::{Arguments, Verb};
use clap::Parser;
use clap::error::ErrorKind;
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

fn run(terminal: &Terminal, arguments: Arguments) -> Outcome {
    let format = arguments.global.output;
    match arguments.verb {
        None => verbs::help::run(terminal, None),
        Some(Verb::Help(help)) => verbs::help::run(terminal, help.topic.as_deref()),
        Some(Verb::Explain(explain)) => verbs::explain::run(terminal, format, explain.code.as_deref()),
        Some(Verb::Version) => verbs::version::run(terminal, format),
        Some(Verb::Completion(completion)) => verbs::completion::run(terminal, &completion),
        Some(_) => Err(Failure::usage("not built yet")),
    }
}
