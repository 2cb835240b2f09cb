//! How users name key-encryption keys: a scheme, which is the name of a provider, and what that provider calls the key.

use crate::Code;
use std::{fmt, str::FromStr};

/// A key-encryption key as a user names it: `SCHEME:REST`.
///
/// The scheme is the [name](super::KeyProvider::name) of the provider that holds the key; what stands behind the colon is
/// for the provider alone to judge. So a provider that nobody here knows brings keys of its own. Reading a text with
/// [`FromStr`] checks this outer form; [`Registry::parse`](super::Registry::parse) has the scheme check its part, too.
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
    /// No key of this scheme can have that name; only a [`Scheme`](super::Scheme) says so.
    #[error("{key:?} is no name for {article} {scheme} key: {rule}", article = article(.scheme))]
    Name {
        /// The scheme.
        scheme: String,
        /// What stands behind it.
        key: String,
        /// What its keys are called, in the scheme's own words.
        rule: String,
    },
    /// A scheme of which a [`Registry`](super::Registry) has no provider.
    #[error("{key:?} names no key here: there is no provider for {scheme:?}; write {usage}")]
    UnknownScheme {
        /// The whole text.
        key: String,
        /// The scheme.
        scheme: String,
        /// What can be written instead, for example `local:NAME`.
        usage: String,
    },
}

impl KeyRefError {
    /// What programs call it: [`Code::KeyName`]; [`Code::Unreachable`] for a scheme without a provider.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            KeyRefError::Scheme(_) | KeyRefError::Key(_) | KeyRefError::Name { .. } => Code::KeyName,
            KeyRefError::UnknownScheme { .. } => Code::Unreachable,
        }
    }
}

impl KeyRef {
    /// The longest scheme, in bytes.
    pub const MAX_SCHEME: usize = 32;
    /// The longest name of a key behind the scheme, in bytes.
    pub const MAX_KEY: usize = 2048;

    /// The key that `provider` calls `key`.
    ///
    /// # Errors
    /// [`KeyRefError::Scheme`] unless `provider` is 1 to 32 of `a-z`, `0-9` and `-`; [`KeyRefError::Key`] unless `key` is
    /// 1 to 2048 bytes without control characters.
    pub fn new(provider: &str, key: &str) -> Result<KeyRef, KeyRefError> {
        if !is_scheme(provider) {
            return Err(KeyRefError::Scheme(excerpt(&format!("{provider}:{key}"))));
        }
        if !(1..=KeyRef::MAX_KEY).contains(&key.len()) || key.chars().any(char::is_control) {
            return Err(KeyRefError::Key(excerpt(&format!("{provider}:{key}"))));
        }
        Ok(KeyRef { provider: provider.to_owned(), key: key.to_owned() })
    }

    /// The name of the provider that holds the key, for example `local`.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// The key, if `provider` is the one that holds it.
    #[must_use]
    pub fn of(&self, provider: &str) -> Option<&str> {
        (self.provider == provider).then_some(&*self.key)
    }

    /// The key, as its provider knows it.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// Whether a provider may have this name: 1 to 32 of `a-z`, `0-9` and `-`.
pub(super) fn is_scheme(name: &str) -> bool {
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

/// Before the name of a scheme.
fn article(scheme: &str) -> &'static str {
    if scheme.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

/// The front of a text that is too long for an error line.
pub(super) fn excerpt(text: &str) -> String {
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
    }

    #[test]
    fn what_is_no_name_is_refused() {
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
