//! Tables as `kubectl` prints them: upper-case headings, two spaces between columns, no lines drawn.

use crate::terminal::{Colour, Painted, width};

/// How a column is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// No line is wider than this, whatever the terminal.
pub const WIDTH_MAX: usize = 110;

/// A table that is built row by row.
#[derive(Debug)]
pub struct Table {
    headings: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with those columns.
    pub fn new(headings: &[(&'static str, Align)]) -> Self {
        Self {
            headings: headings.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; cells that are missing are empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut cells: Vec<String> = cells.into_iter().collect();
        cells.resize(self.headings.len(), String::new());
        self.rows.push(cells);
    }

    /// The lines, each at most [`WIDTH_MAX`] wide: the last column is cut where it would go beyond.
    pub fn lines(&self) -> Vec<String> {
        let widths: Vec<usize> = self
            .headings
            .iter()
            .enumerate()
            .map(|(index, (heading, _))| {
                let cells = self
                    .rows
                    .iter()
                    .filter_map(|row| row.get(index))
                    .map(|cell| width(cell));
                cells.chain([width(heading)]).max().unwrap_or(0)
            })
            .collect();
        let headings = self
            .headings
            .iter()
            .map(|(heading, _)| (*heading).to_owned())
            .collect::<Vec<_>>();
        let first = self.line(&headings, &widths);
        std::iter::once(Painted::new(first, Colour::Strong).to_string())
            .chain(self.rows.iter().map(|row| self.line(row, &widths)))
            .collect()
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        let mut used = 0;
        for (index, cell) in cells.iter().enumerate() {
            if index > 0 {
                line.push_str("  ");
                used += 2;
            }
            let last = index + 1 == cells.len();
            let cell = if last {
                cut(cell, WIDTH_MAX.saturating_sub(used))
            } else {
                cell.clone()
            };
            let padding = widths[index].saturating_sub(width(&cell));
            let right = self.headings[index].1 == Align::Right;
            if right {
                line.extend(std::iter::repeat_n(' ', padding));
            }
            line.push_str(&cell);
            if !right && !last {
                line.extend(std::iter::repeat_n(' ', padding));
            }
            used += widths[index];
        }
        line.trim_end().to_owned()
    }
}

/// The text, ended by an ellipsis where it is longer than `columns`.
pub fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    // Marks of colour are left out of what is cut: half of a pair would colour the rest of the line.
    let plain: String = text
        .chars()
        .filter(|character| width(&character.to_string()) == 1)
        .collect();
    let mut shown: String = plain.chars().take(columns.saturating_sub(1)).collect();
    shown.push('…');
    shown
}

/// The text in lines of at most `columns`, broken between words.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && width(&line) + 1 + width(word) > columns {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_right_and_words_left() {
        let mut table = Table::new(&[
            ("NODE", Align::Left),
            ("SESSIONS", Align::Right),
            ("NOTE", Align::Left),
        ]);
        table.row(["chat-0".into(), "5203".into(), String::new()]);
        table.row(["chat-10".into(), "7".into(), "control leader".into()]);
        let lines = table.lines();
        assert_eq!(lines[1], "chat-0       5203");
        assert_eq!(lines[2], "chat-10         7  control leader");
    }

    #[test]
    fn no_line_is_wider_than_the_limit() {
        let mut table = Table::new(&[("NODE", Align::Left), ("NOTE", Align::Left)]);
        table.row([
            "chat-0".into(),
            Painted::new("very long ".repeat(20), Colour::Bad).to_string(),
        ]);
        for line in table.lines() {
            assert!(width(&line) <= WIDTH_MAX);
        }
        assert!(table.lines()[1].ends_with('…'));
    }

    #[test]
    fn colour_takes_no_room() {
        let mut table = Table::new(&[("STATE", Align::Left), ("X", Align::Left)]);
        table.row([Painted::new("ok", Colour::Good).to_string(), "1".into()]);
        assert_eq!(width(&table.lines()[1]), "ok     1".len());
    }

    #[test]
    fn wrapped_text_keeps_its_words() {
        let lines = wrap("one two three four", 9);
        assert_eq!(lines, ["one two", "three", "four"]);
    }
}
