//! Why a volume is not what was expected.

use super::Uuid;
use crate::Code;

/// A volume is not what was [expected](super::Expect): somebody exchanged its header, or another volume is meant. No key service
/// was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unexpected {
    /// Another volume.
    #[error("this is volume {volume}, and {expected} is expected")]
    Volume {
        /// The volume, as its header says.
        volume: Uuid,
        /// What was expected.
        expected: String,
    },
    /// The expected UUID, and another root key.
    #[error(
        "the header of volume {volume} is for another root key than the pin says: somebody exchanged it, or the volume was \
         made anew"
    )]
    RootKey {
        /// The volume, as its header says.
        volume: Uuid,
    },
    /// A token of an older version than the pin says.
    #[error(
        "the header of volume {volume} has a token of version {found}, and version {least} or later is expected: it is \
         older than the pin, or somebody put it back"
    )]
    TokenVersion {
        /// The volume.
        volume: Uuid,
        /// The version in the header.
        found: u32,
        /// The least one.
        least: u32,
    },
    /// No wrapping of the volume's root key is under an expected key.
    #[error("volume {volume} is under {found}, and {expected} is expected")]
    Keys {
        /// The volume.
        volume: Uuid,
        /// Its keys, as its header says.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// There is no slot of the number that was chosen.
    #[error("volume {volume} has no slot {slot}: it has {slots}, numbered from 0")]
    Slot {
        /// The volume.
        volume: Uuid,
        /// The number.
        slot: usize,
        /// How many there are.
        slots: usize,
    },
    /// A volume of another tool, whose keys nobody vouches for.
    #[error(
        "volume {volume} was made by another tool, or its atrest token was removed: its keys are not the expected ones"
    )]
    Foreign {
        /// The volume.
        volume: Uuid,
    },
}

impl Unexpected {
    /// What programs call it: [`Code::Unexpected`]; [`Code::Slot`] for a slot that is not there.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Unexpected::Slot { .. } => Code::Slot,
            _ => Code::Unexpected,
        }
    }
}
