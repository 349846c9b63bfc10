//! `tim-node run | drain --wait | --dump-config | --version`.

use crate::reload::ConfigSource;
use crate::start;
use clap::{Args, Parser, Subcommand};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tim_catalogue::{Report, command_line as causes};
use tim_config::NodeConfig;

/// A configuration that cannot be used (EX_CONFIG is 78; the project's rule for usage is 2).
const EXIT_USAGE: u8 = 2;
/// The node failed.
const EXIT_FAILED: u8 = 1;
/// A wait ran out.
const EXIT_TIMEOUT: u8 = 4;

/// A node of a TimCluster.
#[derive(Debug, Parser)]
#[command(name = "tim-node", version, about, arg_required_else_help = true)]
struct CommandLine {
    /// Print the effective configuration, secrets hidden, and exit.
    #[arg(long)]
    dump_config: bool,
    #[command(flatten)]
    source: Source,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Where the configuration comes from: these files in order, then the variables `TIM_SECTION__KEY`.
#[derive(Debug, Args)]
struct Source {
    /// A TOML file; may be given several times, later ones win.
    #[arg(long, global = true, value_name = "FILE")]
    config: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the node until it is told to stop.
    Run,
    /// Ask the node on this machine to hand over its users and leave.
    Drain {
        /// Return when nothing is left on it.
        #[arg(long)]
        wait: bool,
        /// Longest wait, in seconds; the node closes what is left then.
        #[arg(long, default_value_t = 300)]
        timeout: u64,
    },
}

/// Runs what the command line says; the exit code tells how it went.
pub fn main() -> ExitCode {
    let command_line = CommandLine::parse();
    let environment: BTreeMap<String, String> = std::env::vars().collect();
    let config = match tim_config::load(&command_line.source.config, &environment) {
        Ok(config) => config,
        Err(error) => return say(error.report(), EXIT_USAGE),
    };
    if command_line.dump_config {
        return dump(&config);
    }
    let source = ConfigSource {
        files: command_line.source.config,
        environment,
    };
    match command_line.command {
        Some(Command::Run) => match start::run_to_the_end(config, source) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => say(&reported(error), EXIT_FAILED),
        },
        Some(Command::Drain { wait, timeout }) => drain(&config, wait, Duration::from_secs(timeout)),
        None => say(
            &Report::new(&causes::USAGE, "nothing to do").with_remedy("tim-node run --config FILE"),
            EXIT_USAGE,
        ),
    }
}

#[allow(clippy::print_stderr, reason = "the message of a command that failed")]
fn say(report: &Report, exit_code: u8) -> ExitCode {
    eprintln!("tim-node: {report}");
    ExitCode::from(exit_code)
}

/// An error as the catalogue knows it; what nobody foresaw is told as that.
fn reported(error: anyhow::Error) -> Report {
    let text = format!("{error:#}");
    error
        .downcast::<Report>()
        .unwrap_or_else(|_| Report::new(&causes::UNEXPECTED, text))
}

#[allow(clippy::print_stdout, reason = "the result of the command")]
fn dump(config: &NodeConfig) -> ExitCode {
    match config.dump() {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => say(&reported(error.into()), EXIT_FAILED),
    }
}

fn drain(config: &NodeConfig, wait: bool, limit: Duration) -> ExitCode {
    let port = config.listeners.admin.address.port();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(crate::drain_request::ask(port, wait, limit)),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            let report = Report::new(
                &causes::WAIT_RAN_OUT,
                format!("the drain is under way after {} s", limit.as_secs()),
            );
            say(&report.with_remedy("wait again"), EXIT_TIMEOUT)
        }
        Err(error) => say(&reported(error), EXIT_FAILED),
    }
}
