//! ASCII for every glyph we use; anything else becomes a question mark.

use std::fmt::Write as _;

/// The text with nothing but ASCII in it.
pub(super) fn to_ascii(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            plain if plain.is_ascii() => shown.push(plain),
            '✔' => shown.push_str("ok"),
            '✘' => shown.push('x'),
            '●' | '·' => shown.push('*'),
            '○' => shown.push('o'),
            '→' => shown.push_str("->"),
            '←' => shown.push_str("<-"),
            '…' => shown.push_str("..."),
            '–' | '—' => shown.push('-'),
            '“' | '”' => shown.push('"'),
            '‘' | '’' => shown.push('\''),
            '⠋' | '⠙' | '⠹' | '⠸' | '⠼' | '⠴' | '⠦' | '⠧' | '⠇' | '⠏' => shown.push('*'),
            _ => shown.push('?'),
        }
    }
    shown
}

/// JSON with every other character written as `\uXXXX`: the same document, in ASCII.
pub(super) fn escape_json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut units = [0_u16; 2];
    for character in text.chars() {
        if character.is_ascii() {
            shown.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut units) {
            let _ = write!(shown, "\\u{unit:04x}");
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_json_is_the_same_document() {
        let document = serde_json::json!({"reason": "3 → 5 … 😀"});
        let text = escape_json(&document.to_string());
        assert!(text.is_ascii());
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap(),
            document
        );
    }
}
