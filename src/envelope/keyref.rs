//! How users name key-encryption keys: `local:NAME` and `aws:ID`.

use std::{fmt, str::FromStr};

/// A key-encryption key as a user names it.
///
/// ```
/// use atrest::envelope::KeyRef;
///
/// let key: KeyRef = "local:default".parse()?;
/// assert_eq!((key.provider(), key.key()), ("local", "default"));
/// assert_eq!(key.to_string(), "local:default");
/// # Ok::<(), atrest::envelope::KeyRefError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyRef {
    /// `local:NAME`, a key of the local keystore.
    Local(String),
    /// `aws:ID`, a key of AWS KMS: key id, ARN, or alias.
    Aws(String),
}

/// Why a text names no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyRefError {
    /// Neither `local:` nor `aws:` in front.
    #[error("{0:?} names no key: write local:NAME, or aws: and a key id, ARN or alias")]
    Scheme(String),
    /// A name that the local keystore does not take.
    #[error("{0:?} is no name for a local key: use 1 to 64 of A-Z a-z 0-9 . _ - and no dot in front")]
    LocalName(String),
    /// An identifier that AWS KMS does not take.
    #[error("{0:?} is no AWS KMS key: use 1 to 2048 printable ASCII characters without spaces")]
    AwsId(String),
}

impl KeyRef {
    /// The name of the provider that holds the key: `local` or `aws`.
    pub fn provider(&self) -> &'static str {
        match self {
            KeyRef::Local(_) => "local",
            KeyRef::Aws(_) => "aws",
        }
    }

    /// The key, as its provider knows it.
    pub fn key(&self) -> &str {
        match self {
            KeyRef::Local(key) | KeyRef::Aws(key) => key,
        }
    }
}

impl fmt::Display for KeyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.provider(), self.key())
    }
}

impl FromStr for KeyRef {
    type Err = KeyRefError;

    fn from_str(text: &str) -> Result<KeyRef, KeyRefError> {
        match text.split_once(':') {
            Some(("local", name)) => {
                check_local_name(name)?;
                Ok(KeyRef::Local(name.to_owned()))
            }
            Some(("aws", id)) => {
                if !(1..=2048).contains(&id.len()) || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
                    return Err(KeyRefError::AwsId(excerpt(id)));
                }
                Ok(KeyRef::Aws(id.to_owned()))
            }
            _ => Err(KeyRefError::Scheme(excerpt(text))),
        }
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
        for text in ["local:default", "local:A-z_0.9", "aws:alias/prod", arn] {
            let key: KeyRef = text.parse().unwrap();
            assert_eq!(key.to_string(), text);
        }
        assert_eq!("aws:a:b".parse(), Ok(KeyRef::Aws("a:b".to_owned())));
        assert_eq!(format!("local:{}", "n".repeat(64)).parse::<KeyRef>().unwrap().key().len(), 64);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = "n".repeat(65);
        for name in ["", ".", "..", ".hidden", "a/b", "../a", "a\\b", "a b", "a\n", "a\0", "é", "a:b", &long]
        {
            let error = format!("local:{name}").parse::<KeyRef>().unwrap_err();
            assert!(matches!(error, KeyRefError::LocalName(_)), "{name:?}");
        }
        for id in ["", "a b", "a\n", "é", &"n".repeat(2049)] {
            let error = format!("aws:{id}").parse::<KeyRef>().unwrap_err();
            assert!(matches!(error, KeyRefError::AwsId(_)), "{id:?}");
        }
        for text in ["", "default", "Local:default", "gcp:key", &"x".repeat(100_000)] {
            let error = text.parse::<KeyRef>().unwrap_err();
            assert!(matches!(error, KeyRefError::Scheme(_)), "{text:.20}");
            assert!(error.to_string().len() < 200);
        }
    }
}
