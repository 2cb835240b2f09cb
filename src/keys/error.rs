//! What can go wrong between a volume and its key-encryption key.

use crate::{Code, text::printable};
use std::{error::Error, fmt};

/// Each row: what it means, its variant, its [`Code`], and the class in a few words.
macro_rules! classes {
    ($($(#[doc = $doc:literal])* $variant:ident = $code:ident, $message:literal;)*) => {
        /// What kind of failure a [`ProviderError`] is: what a caller can act on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorClass {
            $($(#[doc = $doc])* $variant,)*
        }

        impl ErrorClass {
            /// All of them.
            pub const ALL: &[ErrorClass] = &[$(ErrorClass::$variant),*];

            /// What programs in C, JSON and so on call it. No two classes share a code.
            #[must_use]
            pub const fn code(self) -> Code {
                match self {
                    $(ErrorClass::$variant => Code::$code,)*
                }
            }

            /// The class in a few words.
            pub const fn message(self) -> &'static str {
                match self {
                    $(ErrorClass::$variant => $message,)*
                }
            }
        }
    };
}

classes! {
    /// The provider knows the caller and denies it the operation: ask the key's owner for a grant.
    NotAuthorised = NotAuthorised, "not authorised";
    /// There is no such key.
    KeyNotFound = KeyNotFound, "key not found";
    /// A new key has the name of one that exists.
    KeyExists = KeyExists, "key exists already";
    /// The name is none that the provider takes.
    KeyName = KeyName, "not a key name";
    /// The key's owner disabled it, and can enable it again.
    KeyDisabled = KeyDisabled, "key disabled";
    /// The key waits for its deletion, which its owner can still cancel.
    KeyPendingDeletion = KeyPendingDeletion, "key pending deletion";
    /// Another key than the stated one wrapped this, or another key answered.
    WrongKey = WrongKey, "wrong key";
    /// The wrapped key was changed, or belongs to another encryption context; a cipher cannot tell which.
    ContextMismatchOrCorrupt = ContextMismatch, "wrong encryption context, or corrupt";
    /// Too many requests: try again later.
    Throttled = Throttled, "throttled";
    /// The key cannot be used for another reason: it waits for its material, or for the store that holds it.
    KeyUnavailable = KeyUnavailable, "key unavailable";
    /// The service cannot be reached, or answers that it is out of order.
    Unreachable = Unreachable, "unreachable";
    /// The service did not answer in time.
    TimedOut = TimedOut, "timed out";
    /// A quota of the service is used up, for example the number of grants on a key.
    LimitExceeded = LimitExceeded, "limit exceeded";
    /// No credentials were found, they have expired, or the service does not take them (the clock may be wrong).
    NoCredentials = NoCredentials, "no credentials";
    /// The key is none for wrapping: it must be symmetric and for encryption.
    WrongKeyType = WrongKeyType, "wrong key type";
    /// The provider's answer, or a file of the keystore, is not what its format says.
    Malformed = MalformedAnswer, "malformed";
    /// The local keystore is open to other users, or is not the caller's own.
    LocalPermissions = KeystorePermissions, "unsafe permissions";
    /// Reading or writing the local keystore failed.
    LocalIo = KeystoreIo, "input or output failed";
    /// The key is guarded by a passphrase, and none was given.
    PassphraseRequired = PassphraseRequired, "passphrase required";
    /// The passphrase is not the key's.
    WrongPassphrase = WrongPassphrase, "wrong passphrase";
    /// No memory for secrets.
    Secret = SecretMemory, "no secret memory";
    /// The system gave no random bytes.
    Random = Random, "no random bytes";
    /// A secret or a provider was made before this process was forked, and does not work in the child: make another.
    Forked = Forked, "used after a fork";
    /// The provider cannot do this at all: the local keystore has no grants, for example.
    Unsupported = Unsupported, "not supported";
    /// The request is not one that the provider takes: a name or number out of its range.
    InvalidRequest = InvalidRequest, "invalid request";
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
    answer: Option<Box<ServiceAnswer>>,
    deletion: Option<u64>,
}

/// What a service itself said of a failure, in its own words and for its own support.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceAnswer {
    /// The service's code, for example `AccessDeniedException`.
    pub code: Option<String>,
    /// The service's message.
    pub message: Option<String>,
    /// The service's number for the request.
    pub request_id: Option<String>,
}

impl ProviderError {
    /// An error of this class. The message is one line that says what failed, on what, and what to do; it
    /// must hold no secret.
    pub fn new(class: ErrorClass, message: impl Into<String>) -> ProviderError {
        // It may hold what a service, a file or a path says.
        let message = printable(&message.into());
        ProviderError { class, message, source: None, answer: None, deletion: None }
    }

    /// An error of the class [`ErrorClass::Unsupported`]: `what` the provider named `provider` does not do.
    #[must_use]
    pub fn unsupported(provider: &str, what: &str) -> ProviderError {
        ProviderError::new(
            ErrorClass::Unsupported,
            format!("the key provider {provider} does not support {what}"),
        )
    }

    /// Adds the cause. Its text is added to the displayed line, so it must hold no secret either.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> ProviderError {
        self.source = Some(source.into());
        self
    }

    /// Adds what the service said. It is not part of the displayed line: what a user should read of it belongs into
    /// the message.
    #[must_use]
    pub fn with_answer(mut self, answer: ServiceAnswer) -> ProviderError {
        self.answer = Some(Box::new(answer));
        self
    }

    /// Adds when the key will be deleted, in seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn with_deletion(mut self, deletion: Option<u64>) -> ProviderError {
        self.deletion = deletion;
        self
    }

    /// What kind of failure this is.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        self.class
    }

    /// What programs call it: the code of its [class](ErrorClass::code).
    #[must_use]
    pub fn code(&self) -> Code {
        self.class.code()
    }

    /// What the service said, where a service said something.
    #[must_use]
    pub fn answer(&self) -> Option<&ServiceAnswer> {
        self.answer.as_deref()
    }

    /// When the key will be deleted, in seconds since 1970-01-01T00:00:00Z, for a key that waits for its deletion and
    /// where the provider tells.
    #[must_use]
    pub fn deletion(&self) -> Option<u64> {
        self.deletion
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
