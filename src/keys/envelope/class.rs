//! Whether a volume's key outlives it, and which keys may wrap it then.

use super::{super::Uuid, WrongClass};

/// The provider that has the keys of scratch volumes.
const LOCAL: &str = "local";
/// What the name of such a key begins with.
pub const SCRATCH_PREFIX: &str = "scratch-";

/// What becomes of a volume's key when the volume is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// The key-encryption key has a life and an owner of its own.
    Persistent,
    /// The key-encryption key is the volume's alone, in a local keystore and nowhere else, and is destroyed with it.
    /// [`LocalKeystore::create_scratch`](crate::keys::LocalKeystore::create_scratch) makes such envelopes. They have one slot
    /// and take no other wrapping, which would outlive the destruction.
    Scratch,
}

impl Class {
    /// Its name, as documents have it: `persistent` or `scratch`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Class::Persistent => "persistent",
            Class::Scratch => "scratch",
        }
    }

    /// Refuses keys that may not wrap the root key of this volume of this class.
    pub(super) fn takes(self, volume: Uuid, provider: &str, key: &str) -> Result<(), WrongClass> {
        let local = provider == LOCAL;
        match self {
            Class::Scratch if local && key == scratch_key_name(volume) => Ok(()),
            Class::Scratch => Err(WrongClass::Scratch { volume }),
            Class::Persistent if local && scratch_volume_of(key).is_some() => {
                Err(WrongClass::ScratchKey { key: key.to_owned() })
            }
            Class::Persistent => Ok(()),
        }
    }
}

/// The name of the key of a scratch volume, which is part of the envelope's format.
pub fn scratch_key_name(volume: Uuid) -> String {
    format!("{SCRATCH_PREFIX}{}", volume.hyphenated())
}

/// The scratch volume whose key has this name, if it is one's.
pub fn scratch_volume_of(name: &str) -> Option<Uuid> {
    let volume = Uuid::try_parse(name.strip_prefix(SCRATCH_PREFIX)?).ok()?;
    (scratch_key_name(volume) == name).then_some(volume)
}
