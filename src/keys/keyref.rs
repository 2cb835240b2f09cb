//! How users name key-encryption keys: a scheme, which is the name of a provider, and what that provider calls the key.

use std::{fmt, str::FromStr};

/// A key-encryption key as a user names it: `SCHEME:REST`.
///
/// The scheme is the [name](super::KeyProvider::name) of the provider that holds the key; what stands behind the colon is
/// for the provider alone to judge. So a provider that nobody here knows brings keys of its own.
///
/// ```
/// use atrest::keys::KeyRef;
///
/// let key: KeyRef = "local:default".parse()?;
/// assert_eq!((key.provider(), key.key()), ("local", "default"));
/// assert_eq!(key.to_string(), "local:default");
/// # Ok::<(), atrest::keys::KeyRefError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyRef {
    provider: String,
    key: String,
}

/// Why a text names no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyRefError {
    /// No scheme in front: 1 to 32 of `a-z`, `0-9` and `-`, and a colon.
    #[error("{0:?} names no key: write SCHEME:KEY, for example local:NAME")]
    Scheme(String),
    /// Nothing that could be a key behind the scheme.
    #[error("{0:?} names no key: behind the scheme stand 1 to {max} bytes without control characters", max = KeyRef::MAX_KEY)]
    Key(String),
    /// A name that the local keystore does not take.
    #[error("{0:?} is no name for a local key: use 1 to 64 of A-Z a-z 0-9 . _ - and no dot in front")]
    LocalName(String),
}

impl KeyRef {
    /// The longest scheme, in bytes.
    pub const MAX_SCHEME: usize = 32;
    /// The longest name of a key behind the scheme, in bytes.
    pub const MAX_KEY: usize = 2048;

    /// The key that `provider` calls `key`.
    ///
    /// # Errors
    /// [`KeyRefError::Scheme`] unless `provider` is 1 to 32 of `a-z`, `0-9` and `-`; [`KeyRefError::Key`] unless `key` is 1 to
    /// 2048 bytes without control characters; [`KeyRefError::LocalName`] for what is no file's name in the keystore.
    pub fn new(provider: &str, key: &str) -> Result<KeyRef, KeyRefError> {
        if !is_scheme(provider) {
            return Err(KeyRefError::Scheme(excerpt(&format!("{provider}:{key}"))));
        }
        if provider == "local" {
            check_local_name(key)?;
        }
        if !(1..=KeyRef::MAX_KEY).contains(&key.len()) || key.chars().any(char::is_control) {
            return Err(KeyRefError::Key(excerpt(&format!("{provider}:{key}"))));
        }
        Ok(KeyRef { provider: provider.to_owned(), key: key.to_owned() })
    }

    /// The name of the provider that holds the key, for example `local`.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// The key, if `provider` is the one that holds it.
    pub fn of(&self, provider: &str) -> Option<&str> {
        (self.provider == provider).then_some(&*self.key)
    }

    /// The key, as its provider knows it.
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// Whether a provider may have this name.
fn is_scheme(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=KeyRef::MAX_SCHEME).contains(&name.len()) && name.bytes().all(allowed)
}

impl fmt::Display for KeyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.provider, self.key)
    }
}

impl FromStr for KeyRef {
    type Err = KeyRefError;

    fn from_str(text: &str) -> Result<KeyRef, KeyRefError> {
        let (provider, key) = text.split_once(':').ok_or_else(|| KeyRefError::Scheme(excerpt(text)))?;
        KeyRef::new(provider, key)
    }
}

/// Refuses what could not be, or should not be, a file's name.
pub(super) fn check_local_name(name: &str) -> Result<(), KeyRefError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=64).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(allowed) {
        Ok(())
    } else {
        Err(KeyRefError::LocalName(excerpt(name)))
    }
}

/// The front of a text that is too long for an error line.
fn excerpt(text: &str) -> String {
    const MOST: usize = 80;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    text.chars().take(MOST).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        let arn = "aws:arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        for text in
            ["local:default", "local:A-z_0.9", "aws:alias/prod", arn, "transit:a/b", "x-9:\u{e9} \u{e8}"]
        {
            let key: KeyRef = text.parse().unwrap();
            assert_eq!(key.to_string(), text);
        }
        let key: KeyRef = "aws:a:b".parse().unwrap();
        assert_eq!((key.provider(), key.key()), ("aws", "a:b"));
        assert_eq!(format!("local:{}", "n".repeat(64)).parse::<KeyRef>().unwrap().key().len(), 64);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = "n".repeat(65);
        for name in
            ["", ".", "..", ".hidden", "a/b", "../a", "a\\b", "a b", "a\n", "a\0", "\u{e9}", "a:b", &long]
        {
            let error = format!("local:{name}").parse::<KeyRef>().unwrap_err();
            assert!(matches!(error, KeyRefError::LocalName(_)), "{name:?}");
        }
        for id in ["", "a\n", "\u{85}", &"n".repeat(2049)] {
            let error = format!("aws:{id}").parse::<KeyRef>().unwrap_err();
            assert!(matches!(error, KeyRefError::Key(_)), "{id:?}");
        }
        for text in ["", "default", ":default", "Local:default", "a b:key", &"x".repeat(100_000)] {
            let error = text.parse::<KeyRef>().unwrap_err();
            assert!(matches!(error, KeyRefError::Scheme(_)), "{text:.20}");
            assert!(error.to_string().len() < 200);
        }
    }
}
