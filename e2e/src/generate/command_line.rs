//! `docs/reference/command-line.md` from the definition of the commands.

use super::page_head;
use clap::{Arg, Command};
use std::fmt::Write as _;

pub(super) fn render() -> String {
    let mut page = page_head(
        "Command line",
        "For everybody who types `tim` (through cargo: `cargo tim`; as a plugin: `kubectl tim`). Results go to stdout, progress and \
         messages to stderr. Exit codes: `tim help exit-codes`.",
    );
    let mut root = tim_cli::arguments::command();
    root.build();
    for command in root
        .get_subcommands()
        .filter(|command| command.get_name() != "help" && !command.is_hide_set())
    {
        write_command(&mut page, "tim", command);
    }
    let _ = writeln!(page, "## Options of every command\n");
    write_arguments(
        &mut page,
        root.get_arguments().filter(|argument| argument.is_global_set()),
    );
    page
}

fn write_command(page: &mut String, prefix: &str, command: &Command) {
    let name = format!("{prefix} {}", command.get_name());
    let _ = writeln!(page, "## `{name}`\n");
    if let Some(about) = command.get_about() {
        let _ = writeln!(page, "{about}\n");
    }
    write_arguments(
        page,
        command
            .get_arguments()
            .filter(|argument| !argument.is_global_set() && !argument.is_hide_set()),
    );
    if let Some(text) = command.get_after_help() {
        let _ = writeln!(page, "```text\n{text}\n```\n");
    }
    for inner in command
        .get_subcommands()
        .filter(|inner| inner.get_name() != "help")
    {
        write_command(page, &name, inner);
    }
}

fn write_arguments<'argument>(page: &mut String, arguments: impl Iterator<Item = &'argument Arg>) {
    let mut rows = String::new();
    for argument in arguments.filter(|argument| argument.get_id() != "help" && argument.get_id() != "version")
    {
        let value = argument
            .get_value_names()
            .map(|names| names.join(" "))
            .unwrap_or_default();
        let takes_value = argument.get_action().takes_values();
        let form = match argument.get_long() {
            Some(long) if takes_value => format!("--{long} {value}"),
            Some(long) => format!("--{long}"),
            None => value,
        };
        let defaults: Vec<_> = argument
            .get_default_values()
            .iter()
            .map(|value| value.to_string_lossy())
            .collect();
        let default = if defaults.is_empty() || !takes_value {
            String::new()
        } else {
            format!(" (default `{}`)", defaults.join(" "))
        };
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(rows, "| `{form}` | {}{default} |", super::cell(&help));
    }
    if !rows.is_empty() {
        let _ = writeln!(page, "| argument | what it does |\n|---|---|\n{rows}");
    }
}
