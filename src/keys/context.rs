//! The encryption context: public facts that a wrapped key is bound to.

use super::Uuid;
use std::collections::{BTreeMap, btree_map};

/// Names and values that are bound to a wrapped key: unwrapping succeeds only with the same context.
///
/// A context is not secret: key management services write it into their logs, and grants can be limited to it.
/// Each volume's keys are wrapped under its own, [`EncryptionContext::for_volume`], so that a wrapped key that
/// is copied to another volume does not open there.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EncryptionContext(BTreeMap<String, String>);

/// Why a pair does not go into an encryption context.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// A name or a value of the wrong length, or with control characters.
    #[error(
        "an encryption context has names of 1 to {MAX_NAME} bytes and values of 1 to {MAX_VALUE} bytes, \
         without control characters"
    )]
    Text,
    /// More pairs than a context takes.
    #[error("an encryption context has at most {MAX_PAIRS} pairs")]
    TooMany,
    /// Two names that are equal, or differ by case alone: key management services take them for the same.
    #[error("the encryption context has the name {0:?} twice (case does not count)")]
    Duplicate(String),
}

/// The most pairs in a context.
const MAX_PAIRS: usize = 8;
/// The longest name, in bytes.
const MAX_NAME: usize = 128;
/// The longest value, in bytes.
const MAX_VALUE: usize = 256;

/// The name under which the version of the derivation stands.
const VERSION: &str = "atrest:version";

impl EncryptionContext {
    /// The name under which the volume's UUID stands.
    pub const VOLUME: &str = "atrest:volume";

    /// The context without any pair.
    #[must_use]
    pub const fn new() -> EncryptionContext {
        EncryptionContext(BTreeMap::new())
    }

    /// The context of a volume's own keys: `atrest:volume` is its UUID in lower case with hyphens, and
    /// `atrest:version` is `1`.
    #[must_use]
    pub fn for_volume(volume: Uuid) -> EncryptionContext {
        EncryptionContext(BTreeMap::from([
            (VERSION.to_owned(), "1".to_owned()),
            (EncryptionContext::VOLUME.to_owned(), volume.hyphenated().to_string()),
        ]))
    }

    /// Adds a pair.
    ///
    /// # Errors
    /// Names are 1 to 128 bytes, values 1 to 256, both without control characters; at most 8 pairs; no two
    /// names may be equal when case is ignored.
    pub fn insert(&mut self, name: &str, value: &str) -> Result<(), ContextError> {
        let fits = |text: &str, max| (1..=max).contains(&text.len()) && !text.chars().any(char::is_control);
        if !fits(name, MAX_NAME) || !fits(value, MAX_VALUE) {
            return Err(ContextError::Text);
        }
        if self.0.len() == MAX_PAIRS {
            return Err(ContextError::TooMany);
        }
        if self.0.keys().any(|other| other.to_lowercase() == name.to_lowercase()) {
            return Err(ContextError::Duplicate(name.to_owned()));
        }
        self.0.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    /// The value that stands under `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The pairs, in the byte order of their names.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        Iter(self.0.iter())
    }

    /// The context as bytes, different for different contexts, for a cipher's associated data: the number of
    /// pairs, then the pairs in the byte order of their names, each as length and bytes of the name and length
    /// and bytes of the value. Numbers are 32 bits, little-endian.
    #[must_use]
    pub fn canonical_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&(self.0.len() as u32).to_le_bytes());
        for (name, value) in &self.0 {
            for text in [name, value] {
                // The caps keep lengths and number far below 2^32.
                bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
                bytes.extend_from_slice(text.as_bytes());
            }
        }
        bytes
    }
}

/// The pairs of an [`EncryptionContext`].
#[derive(Clone, Debug)]
pub struct Iter<'a>(btree_map::Iter<'a, String, String>);

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl<'a> IntoIterator for &'a EncryptionContext {
    type Item = (&'a str, &'a str);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volumes_context_has_fixed_bytes() {
        let context = EncryptionContext::for_volume(uuid::uuid!("6ba7b810-9dad-41d1-80b4-00c04fd430c8"));
        assert_eq!(context.get("atrest:volume"), Some("6ba7b810-9dad-41d1-80b4-00c04fd430c8"));
        let expected = b"\x02\0\0\0\x0e\0\0\0atrest:version\x01\0\0\x001\
            \x0d\0\0\0atrest:volume\x24\0\0\x006ba7b810-9dad-41d1-80b4-00c04fd430c8";
        assert_eq!(context.canonical_bytes(), expected);
    }

    #[test]
    fn bytes_do_not_depend_on_the_order_and_tell_contexts_apart() {
        let context = |pairs: &[(&str, &str)]| {
            let mut context = EncryptionContext::new();
            for (name, value) in pairs {
                context.insert(name, value).unwrap();
            }
            context
        };
        let forward = context(&[("a", "1"), ("b", "2")]);
        assert_eq!(forward.canonical_bytes(), context(&[("b", "2"), ("a", "1")]).canonical_bytes());
        for other in [&[("a", "1b2")][..], &[("a1", "b"), ("2", "x")], &[("a", "2"), ("b", "1")], &[]] {
            assert_ne!(forward.canonical_bytes(), context(other).canonical_bytes());
        }
    }

    #[test]
    fn limits_hold() {
        let mut context = EncryptionContext::new();
        for (name, value) in [("", "v"), ("n", ""), ("n\n", "v"), ("n", "\0")] {
            assert_eq!(context.insert(name, value), Err(ContextError::Text));
        }
        assert_eq!(context.insert(&"n".repeat(129), "v"), Err(ContextError::Text));
        assert_eq!(context.insert("n", &"v".repeat(257)), Err(ContextError::Text));
        context.insert(&"n".repeat(128), &"v".repeat(256)).unwrap();
        context.insert("Name", "v").unwrap();
        assert_eq!(context.insert("nAME", "w"), Err(ContextError::Duplicate("nAME".to_owned())));
        assert_eq!(context.get("Name"), Some("v"));
        for i in 2..MAX_PAIRS {
            context.insert(&i.to_string(), "v").unwrap();
        }
        assert_eq!(context.insert("more", "v"), Err(ContextError::TooMany));
        assert_eq!(context.iter().len(), 8);
    }
}
