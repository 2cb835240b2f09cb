//! JSON from a header that anybody may have written: bounded in depth, in the number of values and in the size of
//! every container, and without duplicate keys.
//!
//! `serde_json` alone would keep the last of two equal keys, where another reader keeps the first, and would grow an
//! array of a header's two million commas to 64 MiB. Both are refused here, so that what is parsed is what any
//! other reader sees, and no array or object allocates more at once than the smallest header area (two copies of
//! 16 KiB). A string is as long as its text in the header.

use core::cell::Cell;
use core::fmt;

use base64ct::{Base64, Encoding as _};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::text::excerpt;

/// An object of the header's JSON.
pub(super) type Object = Map<String, Value>;

/// How deep values nest; cryptsetup's parser has the same limit.
const MAX_DEPTH: usize = 32;
/// How many members one array or object has. LUKS2 has at most 32 keyslots and 32 tokens.
const MAX_MEMBERS: usize = 256;
/// How many values the whole document has.
const MAX_VALUES: usize = 1 << 16;
/// How many characters of a header's own text an error quotes.
const MAX_QUOTED: usize = 64;

/// Parses one JSON object that fills `text`.
pub(super) fn parse(text: &[u8]) -> Result<Object, String> {
    let values = Cell::new(0);
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = Bounded { depth: 0, values: &values }.deserialize(&mut deserializer).map_err(shorten)?;
    deserializer.end().map_err(shorten)?;
    match value {
        Value::Object(object) => Ok(object),
        _ => Err("it is not a JSON object".into()),
    }
}

/// An error's text without what it may quote at length from the header.
fn shorten(error: serde_json::Error) -> String {
    escaped(&error.to_string())
}

/// Text from a header made safe to stand between quotes: escaped and cut.
pub(crate) fn escaped(text: &str) -> String {
    excerpt(text, MAX_QUOTED).replace('"', "\\\"")
}

/// Reads one value within the limits.
#[derive(Clone, Copy)]
struct Bounded<'a> {
    depth: usize,
    values: &'a Cell<usize>,
}

impl Bounded<'_> {
    fn inner<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(E::custom(format_args!("values nest deeper than {MAX_DEPTH} levels")));
        }
        Ok(Bounded { depth: self.depth + 1, values: self.values })
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.values.set(self.values.get() + 1);
        if self.values.get() > MAX_VALUES {
            return Err(D::Error::custom(format_args!("more than {MAX_VALUES} values")));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut array = Vec::new();
        while let Some(value) = members.next_element_seed(inner)? {
            if array.len() == MAX_MEMBERS {
                return Err(A::Error::custom(format_args!("an array of more than {MAX_MEMBERS} values")));
            }
            array.push(value);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut object = Object::new();
        while let Some(key) = members.next_key::<String>()? {
            let value = members.next_value_seed(inner)?;
            if object.len() == MAX_MEMBERS {
                return Err(A::Error::custom(format_args!("an object of more than {MAX_MEMBERS} members")));
            }
            if object.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key {} stands twice", escaped(&key))));
            }
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

/// An object of the header together with where it stands, so that an error can say so.
pub(super) struct At<'a> {
    object: &'a Object,
    path: String,
}

impl<'a> At<'a> {
    /// The whole document.
    pub(super) fn root(object: &'a Object) -> Self {
        At { object, path: String::new() }
    }

    /// "segments.0.offset must be a decimal string", with keys from the header made printable.
    pub(super) fn wrong(&self, key: &str, must: &str) -> String {
        format!("{}{} must be {must}", self.path, escaped(key))
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.object.contains_key(key)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &'a str> {
        self.object.keys().map(String::as_str)
    }

    pub(super) fn value(&self, key: &str) -> Option<&'a Value> {
        self.object.get(key)
    }

    pub(super) fn object(&self, key: &str) -> Result<At<'a>, String> {
        let object =
            self.value(key).and_then(Value::as_object).ok_or_else(|| self.wrong(key, "an object"))?;
        Ok(At { object, path: format!("{}{}.", self.path, escaped(key)) })
    }

    pub(super) fn text(&self, key: &str) -> Result<&'a str, String> {
        self.value(key).and_then(Value::as_str).ok_or_else(|| self.wrong(key, "a string"))
    }

    /// A 64-bit number that LUKS2 writes as a string of decimal digits.
    pub(super) fn decimal(&self, key: &str) -> Result<u64, String> {
        decimal(self.text(key)?)
            .ok_or_else(|| self.wrong(key, "a string of decimal digits of a number below 2^64"))
    }

    /// A JSON number from 0 to 2^32 - 1.
    pub(super) fn number(&self, key: &str) -> Result<u32, String> {
        let number = self.value(key).and_then(Value::as_u64);
        number
            .and_then(|number| u32::try_from(number).ok())
            .ok_or_else(|| self.wrong(key, "a number from 0 to 4294967295"))
    }

    /// An array of strings.
    pub(super) fn texts(&self, key: &str) -> Result<Vec<&'a str>, String> {
        let texts = self.value(key).and_then(Value::as_array);
        texts
            .and_then(|array| array.iter().map(Value::as_str).collect())
            .ok_or_else(|| self.wrong(key, "an array of strings"))
    }

    /// Text in base64.
    pub(super) fn bytes(&self, key: &str) -> Result<Vec<u8>, String> {
        Base64::decode_vec(self.text(key)?).map_err(|_| self.wrong(key, "a string in base64"))
    }
}

/// A number below 2^64 in decimal digits, without sign, blanks or leading zeros.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_serde_json_keeps() {
        let text = br#"{"a":[1,-2,3.5,true,null,"x\u00e9\n"],"b":{"c":{"d":"18446744073709551615"}}}"#;
        let plain: Value = serde_json::from_slice(text).unwrap();
        assert_eq!(Value::Object(parse(text).unwrap()), plain);
    }

    #[test]
    fn refuses_ambiguous_and_oversized_documents() {
        let refused = |text: &str, because: &str| {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(because), "{error}");
        };
        refused(r#"{"a":1,"b":{"c":1,"c":2}}"#, "stands twice");
        refused(r#"{"a":1} x"#, "trailing");
        refused("[]", "not a JSON object");
        refused("", "EOF");
        refused(&format!("{{\"a\":{}{}}}", "[".repeat(100), "]".repeat(100)), "deeper than 32");
        refused(&format!("{{\"a\":[{}0]}}", "0,".repeat(256)), "more than 256 values");
        let inner = format!("[{}0]", "0,".repeat(255));
        let array = format!("[{}0]", format!("{inner},").repeat(255));
        refused(&format!("{{\"a\":{array},\"b\":{array}}}"), "more than 65536 values");
        let members: Vec<_> = (0..257).map(|i| format!("\"{i}\":0")).collect();
        refused(&format!("{{{}}}", members.join(",")), "more than 256 members");
        assert!(parse(b"{\"a\":\"\xff\"}").is_err());
    }

    #[test]
    fn numbers_are_canonical_decimal_strings() {
        assert_eq!(decimal("0"), Some(0));
        assert_eq!(decimal("18446744073709551615"), Some(u64::MAX));
        for wrong in ["", "00", "01", "+1", "-1", " 1", "1 ", "0x10", "18446744073709551616", "١"] {
            assert_eq!(decimal(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_header_cannot_drive_the_terminal() {
        let object = parse(br#"{"\u001b[2J":{}}"#).unwrap();
        let key = object.keys().next().unwrap().clone();
        let message = At::root(&object).wrong(&key, "an object");
        assert!(!message.contains('\x1b') && message.contains("must be"), "{message}");
        assert!(escaped(&"é".repeat(100)).len() < 140);
    }
}
