//! `tim man`: manual pages made of the same description as the help, for packagers and for `man ./tim.1`.

use crate::arguments::{ManArguments, command};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::target::shown_path;
use crate::terminal::Terminal;
use crate::verbs::version::VERSION;
use std::io::Write;
use std::path::Path;

/// Writes one page per verb into a folder, or prints the first page.
///
/// # Errors
/// The folder cannot be written.
pub fn run(terminal: &Terminal, arguments: &ManArguments) -> Outcome {
    let mut root = command();
    root.build();
    let Some(folder) = &arguments.to else {
        let page = page(&root, "tim").map_err(|error| Failure::unexpected(&error))?;
        terminal.data(String::from_utf8_lossy(&page).trim_end());
        return Ok(Exit::Done);
    };
    std::fs::create_dir_all(folder).map_err(|error| Failure::unexpected(&error))?;
    let verbs = root.get_subcommands().filter(|verb| !verb.is_hide_set());
    let pages = verbs.map(|verb| (format!("tim-{}", verb.get_name()), verb));
    for (name, command) in std::iter::once(("tim".to_owned(), &root)).chain(pages) {
        let path = folder.join(format!("{name}.1"));
        write(&path, command, &name).map_err(|error| Failure::unexpected(&error))?;
        terminal.result(shown_path(&path));
    }
    Ok(Exit::Done)
}

fn write(path: &Path, command: &clap::Command, name: &str) -> std::io::Result<()> {
    std::fs::File::create(path)?.write_all(&page(command, name)?)
}

/// The page. The examples, which help shows first, become a section; man has an order of its own.
fn page(command: &clap::Command, name: &str) -> std::io::Result<Vec<u8>> {
    let examples = command
        .get_before_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let command = command
        .clone()
        .before_help(None::<&str>)
        .before_long_help(None::<&str>);
    let manual = clap_mangen::Man::new(command)
        .title(name.to_uppercase())
        .source(format!("tim {VERSION}"));
    let mut page = Vec::new();
    manual.render_title(&mut page)?;
    manual.render_name_section(&mut page)?;
    manual.render_synopsis_section(&mut page)?;
    write_examples(&mut page, &examples)?;
    manual.render_options_section(&mut page)?;
    if name == "tim" {
        manual.render_subcommands_section(&mut page)?;
        manual.render_version_section(&mut page)?;
    }
    Ok(page)
}

fn write_examples(page: &mut Vec<u8>, examples: &str) -> std::io::Result<()> {
    writeln!(page, ".SH EXAMPLES\n.nf")?;
    for line in examples.lines().filter(|line| *line != "Examples") {
        // A dot at the beginning is a command to the formatter, a backslash one anywhere.
        writeln!(page, "\\&{}", line.trim_start().replace('\\', "\\\\"))?;
    }
    writeln!(page, ".fi")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_verb_has_a_page_with_its_examples_and_options() {
        let mut root = command();
        root.build();
        for verb in root.get_subcommands() {
            let name = format!("tim-{}", verb.get_name());
            let page = String::from_utf8(page(verb, &name).unwrap()).unwrap();
            assert!(page.contains(".SH EXAMPLES\n.nf\n\\&"), "{page}");
            assert!(
                page.contains(&format!(".TH TIM-{}", verb.get_name().to_uppercase())),
                "{page}"
            );
        }
        let first = String::from_utf8(page(&root, "tim").unwrap()).unwrap();
        assert!(
            first.contains("SUBCOMMANDS") && first.contains("tim\\-status(1)"),
            "{first}"
        );
    }
}
