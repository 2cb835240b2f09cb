//! Tables, JSON and dates, for people, programs and terminals.

use std::fmt::{Display, Write as _};

use serde_json::Value;

pub use atrest::keys::utc_date as date;

use crate::failure::{controls, printable};

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
/// controls and the bidirectional ones stand.
pub fn escaped_json(value: &Value) -> String {
    let json = format!("{value:#}\n");
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        if controls(character) && character != '\n' {
            // They are all below U+10000.
            let _ = write!(escaped, "\\u{:04x}", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    escaped
}
