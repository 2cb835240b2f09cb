//! Why an envelope could not be read, made, opened or changed.

use super::super::{ErrorClass, ProviderError, SecretError, Uuid};
use crate::Code;
use std::fmt;

/// The longest document, in bytes.
pub const MAX_JSON: usize = 64 * 1024;
/// The most slots.
pub const MAX_SLOTS: usize = 8;

/// Why an envelope could not be read, made or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
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
    /// No slot opened; every slot's own failure, in order.
    #[error("no key opened the envelope of volume {volume}: {}", join(.failures))]
    NoSlotOpened {
        /// The volume.
        volume: Uuid,
        /// One failure for each slot.
        failures: Vec<SlotFailure>,
    },
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
    /// The provider could not make a wrapped key.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// No memory for secrets, or no random bytes.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

impl EnvelopeError {
    /// What programs call it.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            EnvelopeError::NoSuchSlot { .. } | EnvelopeError::SlotExists { .. } => Code::Slot,
            EnvelopeError::Scratch { .. } | EnvelopeError::ScratchKey { .. } => Code::KeyName,
            error => error.class().map_or(Code::Envelope, ErrorClass::code),
        }
    }

    /// The class of the provider's failure, where a provider failed: of the first slot, if several did.
    pub fn class(&self) -> Option<ErrorClass> {
        match self {
            EnvelopeError::Provider(error) => Some(error.class()),
            EnvelopeError::NoSlotOpened { failures, .. } => {
                failures.first().map(|failure| failure.error.class())
            }
            EnvelopeError::Secret(error) => Some(error.class()),
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
