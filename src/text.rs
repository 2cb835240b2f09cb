//! Text from headers, services and file names, made safe to show.
//!
//! Whoever writes a disk chooses a volume's label, and a file's name can be anything. A terminal obeys control characters; a
//! log takes a line end for the end of an entry; and characters that are not seen, or turn what stands around them, let one
//! text look like another.

use std::fmt::Write as _;

/// Whether a terminal or a log obeys the character, or does not show it: control characters (C0, DEL, C1), line and
/// paragraph separators, bidirectional and other invisible format characters.
#[must_use]
pub fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// The text as part of one line: [unsafe](is_unsafe) characters are escaped as in Rust, `\n` or `\u{202e}`, and all others
/// stand.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unsafe(character) {
            // Writing to a string does not fail.
            let _ = write!(shown, "{}", character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The [printable] text, cut behind `most` characters, which an ellipsis then tells.
#[must_use]
pub fn excerpt(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((cut, _)) => printable(&text[..cut]) + "...",
        None => printable(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_a_line() {
        assert_eq!(printable("a\nb\x1b[2Jc\u{202e}\u{e9}"), "a\\nb\\u{1b}[2Jc\\u{202e}\u{e9}");
        assert_eq!(printable("\u{85}\u{2028}\u{61c}\u{200b}"), r"\u{85}\u{2028}\u{61c}\u{200b}");
    }

    #[test]
    fn what_is_seen_stays_as_it_is() {
        let text = "Z\u{fc}rich \u{5e9}\u{5dc} \u{65e5}\u{672c} e\u{301} \u{1f512} 'a' \"b\" \\";
        assert_eq!(printable(text), text);
    }

    #[test]
    fn an_excerpt_ends_in_whole_characters() {
        assert_eq!(excerpt("\u{e9}\u{e9}\u{e9}", 3), "\u{e9}\u{e9}\u{e9}");
        assert_eq!(excerpt("\u{e9}\u{e9}\n\u{e9}", 3), "\u{e9}\u{e9}\\n...");
    }
}
