//! Completions: scripts for shells, and answers to kubectl when it completes `kubectl tim …`.

use crate::arguments::{CompletionArguments, command};
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::terminal::Terminal;

/// Prints the script of a shell.
///
/// # Errors
/// None.
pub fn run(terminal: &Terminal, arguments: &CompletionArguments) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command(), "tim", &mut script);
    terminal.result(String::from_utf8_lossy(&script).trim_end());
    Ok(Exit::Done)
}

/// Answers kubectl: one candidate per line, then the directive "no files" as its completion protocol has it.
///
/// # Errors
/// None.
pub fn run_for_kubectl(terminal: &Terminal, words: &[String]) -> Outcome {
    const NO_FILES: &str = ":4";
    for candidate in candidates(words) {
        terminal.result(candidate);
    }
    terminal.result(NO_FILES);
    Ok(Exit::Done)
}

fn candidates(words: &[String]) -> Vec<String> {
    let (begun, before) = words
        .split_last()
        .map_or(("", &[][..]), |(last, before)| (last.as_str(), before));
    let root = command();
    let verb = before.iter().find_map(|word| root.find_subcommand(word));
    let options = verb
        .into_iter()
        .chain([&root])
        .flat_map(clap::Command::get_arguments)
        .filter(|argument| !argument.is_hide_set())
        .filter_map(|argument| argument.get_long().map(|long| format!("--{long}")));
    let verbs = root
        .get_subcommands()
        .filter(|_| verb.is_none())
        .map(|verb| verb.get_name().to_owned());
    let mut found: Vec<String> = verbs
        .chain(options)
        .filter(|word| word.starts_with(begun))
        .collect();
    if begun.is_empty() {
        found.retain(|word| !word.starts_with('-'));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> Vec<String> {
        candidates(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn verbs_then_options() {
        assert_eq!(of(&["sta"]), ["status"]);
        assert!(of(&["status", "--wa"]).contains(&"--watch".to_owned()));
        assert!(of(&[""]).contains(&"split".to_owned()));
        assert!(of(&["status", ""]).is_empty());
    }
}
