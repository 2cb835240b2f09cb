//! Tables, JSON and dates, for people, programs and terminals.

use std::fmt::{Display, Write as _};

use atrest::text::{is_unsafe, printable};
use serde_json::Value;

pub use atrest::keys::utc_date as date;

/// Rows of a name and a value. Headers and services can send any text, so control characters are escaped.
#[derive(Default)]
pub struct Table(pub String);

impl Table {
    pub fn row(&mut self, name: &str, value: impl Display) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{name:<10} {}", printable(&value.to_string()));
    }
}

/// JSON whose strings, which can hold anything, drive no terminal. JSON itself asks for less: it lets DEL, the C1
/// controls, line separators and the bidirectional controls stand.
pub fn escaped_json(value: &Value) -> String {
    let json = format!("{value:#}\n");
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        if is_unsafe(character) && character != '\n' {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(character);
        }
    }
    escaped
}
