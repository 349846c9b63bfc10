//! `tim help`: the first screen, a verb, or a topic.

use crate::arguments::command;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::terminal::Terminal;

const EXIT_CODES: &str = "exit-codes";

/// Shows help.
///
/// # Errors
/// A topic that does not exist, with the nearest one.
pub fn run(terminal: &Terminal, topic: Option<&str>) -> Outcome {
    let mut command = command();
    // Makes usage lines say `tim up` rather than `up`.
    command.build();
    let Some(topic) = topic else {
        terminal.result(command.render_help().to_string().trim_end());
        return Ok(Exit::Done);
    };
    if topic == EXIT_CODES {
        for exit in Exit::ALL {
            terminal.result(format!("{:>4}  {}", exit.code(), exit.meaning()));
        }
        return Ok(Exit::Done);
    }
    if let Some(verb) = command.find_subcommand_mut(topic) {
        terminal.result(verb.render_help().to_string().trim_end());
        return Ok(Exit::Done);
    }
    let known: Vec<&str> = command
        .get_subcommands()
        .map(clap::Command::get_name)
        .chain([EXIT_CODES])
        .collect();
    let nearest = known.iter().max_by(|left, right| {
        strsim::jaro_winkler(left, topic).total_cmp(&strsim::jaro_winkler(right, topic))
    });
    let hint = nearest.map_or_else(String::new, |nearest| format!("; did you mean {nearest}?"));
    Err(Failure::usage(format!(
        "there is no help on \"{topic}\"{hint} Known: {}",
        known.join(", ")
    )))
}
