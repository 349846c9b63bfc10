//! Where the words go, and which of them may be coloured or drawn.
//!
//! Results go to standard output, progress and messages to standard error. Not a terminal, `NO_COLOR`, `TERM=dumb` and
//! `--color=never` switch colour off; a locale that is not UTF-8 turns every glyph into ASCII, so that nothing else leaves
//! this module. A state is always also a word: colour and glyphs add nothing that is not written.

mod glyphs;
mod paint;

pub use paint::{Colour, Painted, width};

use std::io::{self, IsTerminal, Write};

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ColourChoice {
    /// On a terminal that can.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What is known of the surroundings; taken once, so that tests can say something else.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Standard output is a terminal.
    pub output_is_terminal: bool,
    /// Standard error is a terminal.
    pub error_is_terminal: bool,
    /// `NO_COLOR` is set and not empty.
    pub no_colour: bool,
    /// `TERM` is `dumb` or not set.
    pub dumb: bool,
    /// The locale is UTF-8.
    pub unicode: bool,
}

impl Surroundings {
    /// Those of this process.
    pub fn of_process() -> Self {
        let variable = |name: &str| std::env::var(name).unwrap_or_default();
        // The first that is set decides, as in setlocale(3).
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .map(|name| variable(name))
            .find(|value| !value.is_empty());
        let locale = locale.unwrap_or_default().to_ascii_lowercase();
        let term = variable("TERM");
        Self {
            output_is_terminal: io::stdout().is_terminal(),
            error_is_terminal: io::stderr().is_terminal(),
            no_colour: !variable("NO_COLOR").is_empty(),
            dumb: term.is_empty() || term == "dumb",
            unicode: locale.contains("utf-8") || locale.contains("utf8"),
        }
    }
}

/// The two streams, and what they can show.
#[derive(Debug, Clone)]
pub struct Terminal {
    surroundings: Surroundings,
    colour: ColourChoice,
}

impl Terminal {
    /// Streams with those abilities.
    pub fn new(surroundings: Surroundings, colour: ColourChoice) -> Self {
        Self { surroundings, colour }
    }

    /// A line of the result. Somebody who stops reading ends the output silently.
    pub fn result(&self, line: impl AsRef<str>) {
        let coloured = self.coloured(self.surroundings.output_is_terminal);
        write_line(&mut io::stdout().lock(), &self.render(line.as_ref(), coloured));
    }

    /// A line of progress, a message or an error.
    pub fn message(&self, line: impl AsRef<str>) {
        let coloured = self.coloured(self.surroundings.error_is_terminal);
        write_line(&mut io::stderr().lock(), &self.render(line.as_ref(), coloured));
    }

    /// Data for programs: written as it is, but for ASCII where nothing else can be shown.
    pub fn data(&self, text: &str) {
        let text = if self.surroundings.unicode {
            text.to_owned()
        } else {
            glyphs::escape_json(text)
        };
        write_line(&mut io::stdout().lock(), text.trim_end_matches('\n'));
    }

    /// Whether a line of standard error may be drawn over (spinners).
    pub fn can_redraw(&self) -> bool {
        self.surroundings.error_is_terminal && !self.surroundings.dumb
    }

    /// Whether somebody can answer a question.
    pub fn can_ask(&self) -> bool {
        self.surroundings.error_is_terminal && io::stdin().is_terminal()
    }

    /// Whether standard output is a terminal that understands escape codes.
    pub fn can_watch(&self) -> bool {
        self.surroundings.output_is_terminal && !self.surroundings.dumb
    }

    /// Begins a screen of its own; what was there comes back when the guard is dropped.
    pub fn alternate_screen(&self) -> AlternateScreen {
        let _ = write!(io::stdout(), "\u{1b}[?1049h\u{1b}[?25l").and_then(|()| io::stdout().flush());
        AlternateScreen
    }

    /// Draws a whole screen, cut at its right and lower edge.
    pub fn draw(&self, lines: &[String]) {
        let (columns, rows) = size();
        let mut text = String::from("\u{1b}[H");
        let coloured = self.coloured(true);
        for line in lines.iter().take(rows.saturating_sub(1)) {
            text.push_str(&self.render(&crate::table::cut(line, columns), coloured));
            text.push_str("\u{1b}[K\r\n");
        }
        if lines.len() >= rows {
            let hidden = format!("… {} more", lines.len() + 1 - rows);
            text.push_str(&self.render(&hidden, false));
        }
        text.push_str("\u{1b}[J");
        let _ = write!(io::stdout(), "{text}").and_then(|()| io::stdout().flush());
    }

    /// Takes away the line that was just typed, where it is written again with what became of it. A line that did not fit
    /// one row stays: how its rows were broken is the terminal's secret.
    pub fn erase_typed(&self, line: &str) {
        let (columns, _) = size();
        if self.can_watch() && io::stdin().is_terminal() && width(line) < columns {
            let _ = write!(io::stdout(), "\u{1b}[1A\r\u{1b}[2K").and_then(|()| io::stdout().flush());
        }
    }

    /// Whether anything but ASCII may be shown.
    pub fn unicode(&self) -> bool {
        self.surroundings.unicode
    }

    /// The text as standard error shows it.
    pub fn for_messages(&self, text: &str) -> String {
        self.render(text, self.coloured(self.surroundings.error_is_terminal))
    }

    fn coloured(&self, stream_is_terminal: bool) -> bool {
        match self.colour {
            ColourChoice::Always => true,
            ColourChoice::Never => false,
            ColourChoice::Auto => {
                stream_is_terminal && !self.surroundings.no_colour && !self.surroundings.dumb
            }
        }
    }

    fn render(&self, text: &str, coloured: bool) -> String {
        let painted = paint::render(text, coloured);
        if self.surroundings.unicode {
            painted
        } else {
            glyphs::to_ascii(&painted)
        }
    }
}

/// A screen of its own; dropping it brings back what was there.
#[derive(Debug)]
pub struct AlternateScreen;

impl Drop for AlternateScreen {
    fn drop(&mut self) {
        let _ = write!(io::stdout(), "\u{1b}[?25h\u{1b}[?1049l").and_then(|()| io::stdout().flush());
    }
}

/// Columns and rows of the terminal.
fn size() -> (usize, usize) {
    const USUAL: (usize, usize) = (80, 24);
    let (rows, columns) = console::Term::stdout().size();
    if rows == 0 || columns == 0 {
        USUAL
    } else {
        (columns.into(), rows.into())
    }
}

fn write_line(stream: &mut impl Write, line: &str) {
    // A closed pipe is the reader's way to say that it has seen enough.
    let _ = writeln!(stream, "{line}").and_then(|()| stream.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terminal(surroundings: Surroundings, colour: ColourChoice) -> Terminal {
        Terminal::new(surroundings, colour)
    }

    fn on_terminal() -> Surroundings {
        Surroundings {
            output_is_terminal: true,
            error_is_terminal: true,
            unicode: true,
            ..Surroundings::default()
        }
    }

    #[test]
    fn colour_needs_a_terminal_that_can_and_nobody_who_objects() {
        let text = Painted::new("serving", Colour::Good).to_string();
        let shown = |surroundings, choice| terminal(surroundings, choice).for_messages(&text);
        assert!(shown(on_terminal(), ColourChoice::Auto).contains('\u{1b}'));
        assert_eq!(shown(on_terminal(), ColourChoice::Never), "serving");
        assert_eq!(
            shown(
                Surroundings {
                    no_colour: true,
                    ..on_terminal()
                },
                ColourChoice::Auto
            ),
            "serving"
        );
        assert_eq!(
            shown(
                Surroundings {
                    dumb: true,
                    ..on_terminal()
                },
                ColourChoice::Auto
            ),
            "serving"
        );
        let piped = Surroundings {
            error_is_terminal: false,
            ..on_terminal()
        };
        assert_eq!(shown(piped.clone(), ColourChoice::Auto), "serving");
        assert!(shown(piped, ColourChoice::Always).contains('\u{1b}'));
    }

    #[test]
    fn without_unicode_only_ascii_is_written() {
        let plain = Surroundings {
            unicode: false,
            ..on_terminal()
        };
        let shown = terminal(plain, ColourChoice::Never).for_messages("✔ replicas 3 → 5 … “x” · – é");
        assert!(shown.is_ascii(), "{shown}");
        assert!(shown.contains("3 -> 5"));
    }
}
