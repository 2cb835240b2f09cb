//! Why an envelope could not be read, made, opened or changed: one error for each of these.

use super::super::{ErrorClass, ProviderError, SecretError, Unexpected, Uuid};
use crate::Code;
use std::fmt;

/// The longest document, in bytes.
pub const MAX_JSON: usize = 64 * 1024;
/// The most slots.
pub const MAX_SLOTS: usize = 8;

/// Why a document is no envelope: [`Envelope::from_json`](super::Envelope::from_json).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeFormatError {
    /// The document is longer than any envelope.
    #[error("the envelope is {0} bytes long, and at most {max} are read", max = MAX_JSON)]
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
}

impl EnvelopeFormatError {
    /// What programs call it: [`Code::Envelope`].
    #[must_use]
    pub const fn code(&self) -> Code {
        Code::Envelope
    }
}

/// Why a key may not wrap the key of a volume of this [`Class`](super::Class).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WrongClass {
    /// Another wrapping for the key of a scratch volume.
    #[error(
        "volume {volume} is a scratch volume: a local key of its own wraps its key, and no other does, since that would \
         outlive the destruction of the volume; put data that is to stay into a persistent volume"
    )]
    Scratch {
        /// The volume.
        volume: Uuid,
    },
    /// The key of a scratch volume was to wrap that of a persistent one.
    #[error("local:{key} is the key of a scratch volume, and is destroyed with that: choose another key")]
    ScratchKey {
        /// The key's name.
        key: String,
    },
}

impl WrongClass {
    /// What programs call it: [`Code::KeyName`].
    #[must_use]
    pub const fn code(&self) -> Code {
        Code::KeyName
    }
}

/// Why no envelope was made: [`Envelope::create`](super::Envelope::create).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeCreateError {
    /// The key is none for a volume of this class.
    #[error(transparent)]
    Class(#[from] WrongClass),
    /// The provider could not make a wrapped key, or there is no memory for secrets.
    #[error(transparent)]
    Provider(#[from] ProviderError),
}

impl EnvelopeCreateError {
    /// What programs call it.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            EnvelopeCreateError::Class(error) => error.code(),
            EnvelopeCreateError::Provider(error) => error.code(),
        }
    }

    /// The class of the provider's failure, where the provider failed.
    #[must_use]
    pub fn class(&self) -> Option<ErrorClass> {
        match self {
            EnvelopeCreateError::Class(_) => None,
            EnvelopeCreateError::Provider(error) => Some(error.class()),
        }
    }
}

impl From<SecretError> for EnvelopeCreateError {
    fn from(error: SecretError) -> EnvelopeCreateError {
        ProviderError::from(error).into()
    }
}

/// No slot opened: [`Envelope::open`](super::Envelope::open).
#[derive(Debug, thiserror::Error)]
#[error("no key opened the envelope of volume {volume}: {}", join(.failures))]
#[non_exhaustive]
pub struct NoSlotOpened {
    /// The volume.
    pub volume: Uuid,
    /// Each slot's own failure, in order.
    pub failures: Vec<SlotFailure>,
}

impl NoSlotOpened {
    /// What programs call it: the code of the first slot's failure.
    #[must_use]
    pub fn code(&self) -> Code {
        self.class().map_or(Code::Envelope, ErrorClass::code)
    }

    /// The class of the first slot's failure. An envelope has a slot.
    #[must_use]
    pub fn class(&self) -> Option<ErrorClass> {
        self.failures.first().map(|failure| failure.error.class())
    }
}

/// Why an envelope was not opened: [`Envelope::open`](super::Envelope::open).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeOpenError {
    /// It is not the expected one. No provider was asked.
    #[error(transparent)]
    Unexpected(#[from] Unexpected),
    /// No slot opened.
    #[error(transparent)]
    NoSlotOpened(#[from] NoSlotOpened),
}

impl EnvelopeOpenError {
    /// What programs call it.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            EnvelopeOpenError::Unexpected(error) => error.code(),
            EnvelopeOpenError::NoSlotOpened(error) => error.code(),
        }
    }

    /// The class of the first slot's failure, where slots were tried.
    #[must_use]
    pub fn class(&self) -> Option<ErrorClass> {
        match self {
            EnvelopeOpenError::Unexpected(_) => None,
            EnvelopeOpenError::NoSlotOpened(error) => error.class(),
        }
    }
}

/// Why one slot of an envelope did not open.
#[derive(Debug)]
#[non_exhaustive]
pub struct SlotFailure {
    /// The slot's number, counted from 0.
    pub slot: usize,
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

/// Why the wrappings of an envelope were not changed: [`Envelope::rewrap`](super::Envelope::rewrap),
/// [`Envelope::add_slot`](super::Envelope::add_slot), [`Envelope::remove_slot`](super::Envelope::remove_slot).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeChangeError {
    /// There is no slot of that number.
    #[error("the envelope has no slot {slot}: it has {slots}, numbered from 0")]
    NoSuchSlot {
        /// The number asked for.
        slot: usize,
        /// How many slots there are.
        slots: usize,
    },
    /// The only slot was to be removed, and with it all there is of the key.
    #[error(
        "the envelope's only slot is not removed: without it nothing opens the volume; add another one first"
    )]
    LastSlot,
    /// All slots are taken.
    #[error("the envelope has {max} slots, and there are no more: remove one first", max = MAX_SLOTS)]
    Full,
    /// Another slot holds a wrapping by the same material of the same key.
    #[error(
        "slot {slot} is wrapped by the same key already ({key}): remove one of them, or choose another key"
    )]
    SlotExists {
        /// The number of the other slot.
        slot: usize,
        /// Its provider and key.
        key: String,
    },
    /// With the new wrapping the document would be longer than any envelope.
    #[error("with that wrapping the envelope is {0} bytes long, and has at most {max}: remove a slot first", max = MAX_JSON)]
    TooLong(usize),
    /// The key is none for a volume of this class, or the volume's wrapping stays as it is.
    #[error(transparent)]
    Class(#[from] WrongClass),
    /// The envelope is not the expected one. No provider was asked.
    #[error(transparent)]
    Unexpected(#[from] Unexpected),
    /// No slot opened, so there is no key to wrap anew.
    #[error(transparent)]
    NoSlotOpened(#[from] NoSlotOpened),
    /// A provider could not unwrap or wrap, or there is no memory for secrets.
    #[error(transparent)]
    Provider(#[from] ProviderError),
}

impl EnvelopeChangeError {
    /// What programs call it.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            EnvelopeChangeError::NoSuchSlot { .. } | EnvelopeChangeError::SlotExists { .. } => Code::Slot,
            EnvelopeChangeError::LastSlot | EnvelopeChangeError::Full | EnvelopeChangeError::TooLong(_) => {
                Code::Envelope
            }
            EnvelopeChangeError::Class(error) => error.code(),
            EnvelopeChangeError::Unexpected(error) => error.code(),
            EnvelopeChangeError::NoSlotOpened(error) => error.code(),
            EnvelopeChangeError::Provider(error) => error.code(),
        }
    }

    /// The class of a provider's failure, where one failed: of the first slot, if several did.
    #[must_use]
    pub fn class(&self) -> Option<ErrorClass> {
        match self {
            EnvelopeChangeError::NoSlotOpened(error) => error.class(),
            EnvelopeChangeError::Provider(error) => Some(error.class()),
            _ => None,
        }
    }
}

impl From<EnvelopeOpenError> for EnvelopeChangeError {
    fn from(error: EnvelopeOpenError) -> EnvelopeChangeError {
        match error {
            EnvelopeOpenError::Unexpected(error) => error.into(),
            EnvelopeOpenError::NoSlotOpened(error) => error.into(),
        }
    }
}
