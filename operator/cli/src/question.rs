//! Asking before something is destroyed or moved: the name is typed on a terminal, else `--yes` is needed.

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::terminal::Terminal;
use std::io::BufRead;
use tim_catalogue::command_line;

/// Asks for the cluster's name.
///
/// # Errors
/// Nobody can be asked, or something else was typed. Nothing was changed.
pub fn confirm(terminal: &Terminal, cluster: &str, yes: bool) -> Outcome<()> {
    if yes {
        return Ok(());
    }
    let refused =
        |observed: &str| Err(Failure::new(&command_line::NEEDS_CONFIRMATION, observed).exit(Exit::Refused));
    if !terminal.can_ask() {
        return refused("nobody can be asked here");
    }
    terminal.message(format!("Type {cluster} to go on:"));
    let mut typed = String::new();
    let read = std::io::stdin().lock().read_line(&mut typed);
    if read.is_ok() && typed.trim() == cluster {
        Ok(())
    } else {
        refused("the name was not typed")
    }
}
