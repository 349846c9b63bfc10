//! `tim-node run | drain --wait | admin-token | admin-password | --dump-config | --version`.

use crate::reload::ConfigSource;
use crate::start;
use clap::{Args, Parser, Subcommand};
use std::collections::BTreeMap;
use std::io::{BufRead as _, Read as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tim_catalogue::{Report, command_line as causes};
use tim_config::{NodeConfig, Role};
use zeroize::Zeroizing;

/// A configuration that cannot be used (EX_CONFIG is 78; the project's rule for usage is 2).
const EXIT_USAGE: u8 = 2;
/// Longest input of `admin-password`.
const PASSWORD_BYTES_MAX: u64 = 4_096;
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
    /// Make a token for the administrators' API: prints it once, and the lines for admin.tokens_file.
    AdminToken {
        /// Whose it is; the audit log names it.
        #[arg(value_parser = administrator_name)]
        name: String,
        /// What it may do.
        #[arg(long, value_enum)]
        role: RoleArgument,
    },
    /// Make a console user of the HTTP admin API of tim 2.0: reads the password from the first line of the input, and
    /// prints the lines for admin.tokens_file.
    AdminPassword {
        /// As in the header `username`.
        #[arg(value_parser = administrator_name)]
        name: String,
    },
}

/// The roles, as they are typed.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum RoleArgument {
    /// Look: profiles, blocks, who is online.
    Read,
    /// Also block, end sessions, change profiles, make and remove virtual rooms.
    Operate,
    /// Also register, set passwords, make login tokens.
    Admin,
}

impl From<RoleArgument> for Role {
    fn from(role: RoleArgument) -> Self {
        match role {
            RoleArgument::Read => Self::Read,
            RoleArgument::Operate => Self::Operate,
            RoleArgument::Admin => Self::Admin,
        }
    }
}

fn administrator_name(name: &str) -> Result<String, String> {
    match tim_config::is_administrator_name(name) {
        true => Ok(name.to_owned()),
        false => Err("a name has 1 to 64 letters, digits, '-', '_', '.' and '@'".to_owned()),
    }
}

/// Runs what the command line says; the exit code tells how it went.
pub fn main() -> ExitCode {
    let command_line = CommandLine::parse();
    // These need no configuration: they are run where the secrets are kept, not where the node is.
    match &command_line.command {
        Some(Command::AdminToken { name, role }) => return admin_token(name, (*role).into()),
        Some(Command::AdminPassword { name }) => return admin_password(name),
        _ => {}
    }
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
        Some(Command::AdminToken { .. } | Command::AdminPassword { .. }) | None => say(
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

#[allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the result of the command"
)]
fn admin_token(name: &str, role: Role) -> ExitCode {
    let made = crate::admin::new_token(name, role);
    // The secret apart from what may be kept: the lines can go straight into the file.
    eprintln!(
        "The token of {name}; it is shown this once and kept nowhere:\n{}\n",
        made.token
    );
    eprintln!("For admin.tokens_file, or with [[admin.tokens]] for the node's configuration:");
    print!("{}", made.lines);
    ExitCode::SUCCESS
}

#[allow(clippy::print_stdout, reason = "the result of the command")]
fn admin_password(name: &str) -> ExitCode {
    let mut password = Zeroizing::new(String::new());
    let read = std::io::stdin()
        .lock()
        .take(PASSWORD_BYTES_MAX)
        .read_line(&mut password);
    if let Err(error) = read {
        return say(&reported(error.into()), EXIT_FAILED);
    }
    match crate::accounts::hash_password(password.trim_end_matches(['\r', '\n'])) {
        Ok(hash) => {
            print!("[[users]]\nname = \"{name}\"\npassword_hash = \"{hash}\"\n");
            ExitCode::SUCCESS
        }
        Err(reason) => say(&Report::new(&causes::USAGE, reason.to_string()), EXIT_USAGE),
    }
}

fn drain(config: &NodeConfig, wait: bool, limit: Duration) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(crate::drain_request::ask(config, wait, limit)),
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
