//! What can go wrong between a volume and its key-encryption key.

use super::SecretError;
use std::{error::Error, fmt};

/// What kind of failure a [`ProviderError`] is: what a caller can act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorClass {
    /// The provider knows the caller and denies it the operation: ask the key's owner for a grant.
    NotAuthorised,
    /// There is no such key.
    KeyNotFound,
    /// A new key has the name of one that exists.
    KeyExists,
    /// The name is none that the provider takes.
    KeyName,
    /// The key's owner disabled it, and can enable it again.
    KeyDisabled,
    /// The key waits for its deletion, which its owner can still cancel.
    KeyPendingDeletion,
    /// Another key than the stated one wrapped this, or another key answered.
    WrongKey,
    /// The wrapped key was changed, or belongs to another encryption context; a cipher cannot tell which.
    ContextMismatchOrCorrupt,
    /// Too many requests: try again later.
    Throttled,
    /// The service cannot be reached.
    Unreachable,
    /// The service did not answer in time.
    TimedOut,
    /// No credentials were found, or they have expired.
    NoCredentials,
    /// The key is none for wrapping: it must be symmetric and for encryption.
    WrongKeyType,
    /// The provider's answer, or a file of the keystore, is not what its format says.
    Malformed,
    /// The local keystore is open to other users, or is not the caller's own.
    LocalPermissions,
    /// Reading or writing the local keystore failed.
    LocalIo,
    /// No memory for secrets, no random bytes, or a secret that a fork wiped.
    Secret,
}

impl ErrorClass {
    /// The class in a few words.
    pub const fn message(self) -> &'static str {
        match self {
            ErrorClass::NotAuthorised => "not authorised",
            ErrorClass::KeyNotFound => "key not found",
            ErrorClass::KeyExists => "key exists already",
            ErrorClass::KeyName => "not a key name",
            ErrorClass::KeyDisabled => "key disabled",
            ErrorClass::KeyPendingDeletion => "key pending deletion",
            ErrorClass::WrongKey => "wrong key",
            ErrorClass::ContextMismatchOrCorrupt => "wrong encryption context, or corrupt",
            ErrorClass::Throttled => "throttled",
            ErrorClass::Unreachable => "unreachable",
            ErrorClass::TimedOut => "timed out",
            ErrorClass::NoCredentials => "no credentials",
            ErrorClass::WrongKeyType => "wrong key type",
            ErrorClass::Malformed => "malformed",
            ErrorClass::LocalPermissions => "unsafe permissions",
            ErrorClass::LocalIo => "input or output failed",
            ErrorClass::Secret => "no secret memory",
        }
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

/// A failure of a key provider: its class for programs, and one line for people.
#[derive(Debug)]
pub struct ProviderError {
    class: ErrorClass,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ProviderError {
    /// An error of this class. The message is one line that says what failed, on what, and what to do; it
    /// must hold no secret.
    pub fn new(class: ErrorClass, message: impl Into<String>) -> ProviderError {
        ProviderError { class, message: message.into(), source: None }
    }

    /// Adds the cause. Its text is added to the displayed line, so it must hold no secret either.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> ProviderError {
        self.source = Some(source.into());
        self
    }

    /// What kind of failure this is.
    pub fn class(&self) -> ErrorClass {
        self.class
    }
}

impl fmt::Display for ProviderError {
    /// The message, and the cause's own after a colon: the line is whole without a walk along the sources.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl Error for ProviderError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The cause's message is in this one's already; the chain goes on behind it.
        self.source.as_deref().and_then(Error::source)
    }
}

impl From<SecretError> for ProviderError {
    fn from(error: SecretError) -> ProviderError {
        ProviderError { class: ErrorClass::Secret, message: error.to_string(), source: None }
    }
}

/// Why an envelope could not be read, made or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// The document is longer than any envelope.
    #[error("the envelope is {0} bytes long, and at most {max} are read", max = super::Envelope::MAX_JSON)]
    TooLong(usize),
    /// The document is not the JSON of an envelope.
    #[error("the envelope is not valid: {0}")]
    Json(String),
    /// A version that this build does not know.
    #[error("the envelope has version {0}, and this build reads version 1: use a newer one")]
    Version(u64),
    /// A field with a value that an envelope cannot have.
    #[error("the envelope's field {field} is not valid: {rule}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What it must be.
        rule: &'static str,
    },
    /// No slot opened; every slot's own failure, in order.
    #[error("no key opened the envelope of volume {volume}: {}", join(.failures))]
    NoSlotOpened {
        /// The volume.
        volume: super::Uuid,
        /// One failure for each slot.
        failures: Vec<SlotFailure>,
    },
    /// The provider could not make a wrapped key.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// No memory for secrets, or no random bytes.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

impl EnvelopeError {
    /// The class of the provider's failure, where a provider failed: of the first slot, if several did.
    pub fn class(&self) -> Option<ErrorClass> {
        match self {
            EnvelopeError::Provider(error) => Some(error.class()),
            EnvelopeError::NoSlotOpened { failures, .. } => {
                failures.first().map(|failure| failure.error.class())
            }
            EnvelopeError::Secret(_) => Some(ErrorClass::Secret),
            _ => None,
        }
    }
}

/// Why one slot of an envelope did not open.
#[derive(Debug)]
#[non_exhaustive]
pub struct SlotFailure {
    /// The slot's provider.
    pub provider: String,
    /// The slot's key.
    pub key: String,
    /// What its provider said.
    pub error: ProviderError,
}

impl fmt::Display for SlotFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.provider, self.key, self.error)
    }
}

fn join(failures: &[SlotFailure]) -> String {
    failures.iter().map(SlotFailure::to_string).collect::<Vec<_>>().join("; ")
}
