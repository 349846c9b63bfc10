//! Colour by meaning. Text carries private marks until it is written, so that widths are counted without them and one
//! place decides whether they become escape codes.

use std::fmt;

/// What a piece of text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// As it should be.
    Good,
    /// Under way, or worth a look.
    Caution,
    /// Not as it should be.
    Bad,
    /// Beside the point.
    Quiet,
    /// A heading, or what to read first.
    Strong,
}

/// Marks from a private-use area: they occur in no text of ours and are dropped or replaced when written.
const MARKS: [(Colour, char, &str); 5] = [
    (Colour::Good, '\u{f0001}', "\u{1b}[32m"),
    (Colour::Caution, '\u{f0002}', "\u{1b}[33m"),
    (Colour::Bad, '\u{f0003}', "\u{1b}[31m"),
    (Colour::Quiet, '\u{f0004}', "\u{1b}[2m"),
    (Colour::Strong, '\u{f0005}', "\u{1b}[1m"),
];
const END: char = '\u{f0006}';
const END_ESCAPE: &str = "\u{1b}[0m";

/// Text with a meaning.
#[derive(Debug, Clone)]
pub struct Painted {
    text: String,
    colour: Colour,
}

impl Painted {
    /// Gives text a meaning.
    pub fn new(text: impl Into<String>, colour: Colour) -> Self {
        Self {
            text: text.into(),
            colour,
        }
    }
}

impl fmt::Display for Painted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = MARKS
            .iter()
            .find(|(colour, ..)| *colour == self.colour)
            .map_or(END, |(_, mark, _)| *mark);
        write!(formatter, "{mark}{}{END}", self.text)
    }
}

/// The marks as escape codes, or gone.
pub(super) fn render(text: &str, coloured: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        let escape = if character == END {
            Some(END_ESCAPE)
        } else {
            MARKS
                .iter()
                .find(|(_, mark, _)| *mark == character)
                .map(|(_, _, escape)| *escape)
        };
        match escape {
            Some(escape) if coloured => shown.push_str(escape),
            Some(_) => {}
            None => shown.push(character),
        }
    }
    shown
}

/// Columns that the text takes, marks not counted.
pub fn width(text: &str) -> usize {
    text.chars().filter(|character| !is_mark(*character)).count()
}

fn is_mark(character: char) -> bool {
    character == END || MARKS.iter().any(|(_, mark, _)| *mark == character)
}
