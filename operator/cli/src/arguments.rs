//! The command line as clap reads it. Help begins with examples; options that every verb has are in [`Global`].

mod bench;
mod verbs;

pub use bench::{BenchArguments, BenchLoad};
pub use verbs::{
    AccountsAction, AccountsArguments, ChatArguments, ClientLanguage, CompletionArguments, DownArguments,
    ExplainArguments, HelpArguments, LogsArguments, ManArguments, ScaleArguments, SplitArguments,
    StatusArguments, UpArguments, UrlArguments, Verb, WaitFor,
};

use crate::output::OutputFormat;
use crate::quantity::parse_duration;
use crate::terminal::ColourChoice;
use clap::{Args, CommandFactory, Parser};
use std::path::PathBuf;
use std::time::Duration;

const FIRST_SCREEN: &str = "\
Examples
  tim up                         start the cluster of examples/chat.yaml on this machine
  tim chat --as alice bob        talk to someone (a second terminal: --as bob alice)
  tim status                     nodes, partitions, and whether all is well
  tim scale chat --replicas 5    more nodes; or edit the file, it is being watched
  tim split chat --at 262144     move a part of the data while people chat

The same verbs work on Kubernetes: kubectl tim status chat -n chat, or
tim --context prod status chat.
Exit codes: tim help exit-codes. A code such as TIM-N104: tim explain TIM-N104.";

/// Instant messaging that splits its databases while people chat.
#[derive(Debug, Parser)]
#[command(
    name = "tim",
    version,
    before_help = FIRST_SCREEN,
    disable_help_subcommand = true,
    disable_help_flag = true,
    arg_required_else_help = false,
    infer_long_args = false,
    max_term_width = 110,
    styles = clap::builder::Styles::plain()
)]
pub struct Arguments {
    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become clap's help text")]
    pub global: Global,
    #[command(subcommand)]
    #[allow(missing_docs, reason = "a doc comment here would become clap's help text")]
    pub verb: Option<Verb>,
    /// Show this help
    #[arg(long, short, global = true, action = clap::ArgAction::HelpShort, help_heading = "Everywhere")]
    help: Option<bool>,
}

/// Options of every verb.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Everywhere")]
pub struct Global {
    /// Directory that holds .tim [default: the current one]
    #[arg(long, global = true, value_name = "DIRECTORY")]
    pub dir: Option<PathBuf>,
    /// Context of the kubeconfig: act on Kubernetes
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "dir")]
    pub context: Option<String>,
    /// Namespace: act on Kubernetes
    #[arg(long, short = 'n', global = true, value_name = "NAME", conflicts_with = "dir")]
    pub namespace: Option<String>,
    /// Form of the result
    #[arg(
        long,
        short,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    pub output: OutputFormat,
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: ColourChoice,
    /// Longest wait, such as 30s or 5m
    #[arg(long, global = true, value_parser = parse_duration, value_name = "DURATION")]
    pub timeout: Option<Duration>,
}

/// Whether this is `kubectl tim …`, by the name of the program.
pub fn is_kubectl_plugin(program: &str) -> bool {
    file_name(program).starts_with("kubectl-tim")
}

/// Whether kubectl asks for completions of `kubectl tim …`.
pub fn is_kubectl_completion(program: &str) -> bool {
    file_name(program).starts_with("kubectl_complete-tim")
}

fn file_name(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

/// The description of the whole command line, for help and completion.
pub fn command() -> clap::Command {
    Arguments::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_verb_begins_its_help_with_examples() {
        for verb in command().get_subcommands() {
            let help = verb
                .get_before_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(
                help.starts_with("Examples"),
                "{} has no examples first",
                verb.get_name()
            );
            assert!(
                verb.get_about().is_some(),
                "{} says nothing about itself",
                verb.get_name()
            );
        }
    }

    #[test]
    fn no_secret_is_taken_from_a_flag() {
        for verb in command().get_subcommands() {
            for argument in verb.get_arguments() {
                let name = argument.get_id().as_str();
                assert!(
                    !["password", "token", "dsn", "key", "secret"].contains(&name),
                    "--{name}"
                );
            }
        }
    }

    #[test]
    fn the_program_name_says_how_it_was_called() {
        assert!(is_kubectl_plugin("/usr/local/bin/kubectl-tim"));
        assert!(!is_kubectl_plugin("/usr/local/bin/tim"));
        assert!(is_kubectl_completion("kubectl_complete-tim"));
    }
}
