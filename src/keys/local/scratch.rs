//! Keys of scratch volumes: each wraps the key of one volume and nothing else, and is erased with that volume.
//!
//! Their names are `scratch-` and the volume's UUID, which no other key can have; so they need no list, and a volume's
//! key is found without the volume. What destroys them is not the keys' own care (deletion with a waiting period), but
//! [`LocalKeystore::destroy_scratch`] alone.

use super::{
    super::{
        Class, Envelope, EnvelopeCreateError, ErrorClass, ProviderError, Uuid, VolumeKeys, block_on,
        envelope::{scratch_key_name, scratch_volume_of},
    },
    LocalKeystore,
    dir::KeyDir,
    keyfile::{decoded, encoded},
    names::file_name,
};
use std::path::{Path, PathBuf};

/// The longest path that is recorded, in bytes as it is encoded.
const MAX_PATH: usize = 16 * 1024;

/// The key of a scratch volume, as [`LocalKeystore::scratch_keys`] lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScratchKey {
    /// The volume's UUID.
    pub volume: Uuid,
    /// The key's name.
    pub name: String,
    /// Where the volume was made, if that was recorded; it may have been moved or copied since.
    pub path: Option<PathBuf>,
    /// When the key was made, in seconds since 1970-01-01T00:00:00Z; `None` for a key file that is damaged.
    pub created: Option<u64>,
}

impl LocalKeystore {
    /// The name of the key of a scratch volume: `scratch-` and its UUID. No other key has such a name.
    #[must_use]
    pub fn scratch_key_name(volume: Uuid) -> String {
        scratch_key_name(volume)
    }

    /// The scratch volume whose key has this name; `None` for the name of any other key.
    #[must_use]
    pub fn scratch_volume_of(name: &str) -> Option<Uuid> {
        scratch_volume_of(name)
    }

    /// Makes the keys of a new scratch volume: a key-encryption key that only this keystore holds, and that wraps
    /// nothing else; and with it the volume's root key and envelope. `path`, where the volume will be, is recorded for
    /// people who look for the volume of a key.
    ///
    /// If making the volume fails, [`LocalKeystore::destroy_scratch`] erases the key again.
    ///
    /// ```
    /// use atrest::keys::{Expect, LocalKeystore, Providers, block_on, new_uuid};
    ///
    /// # let home = tempfile::tempdir()?;
    /// let keystore = LocalKeystore::open_or_create(home.path().join("atrest"))?;
    /// let volume = new_uuid()?;
    /// let (envelope, _keys) = keystore.create_scratch(volume, None)?;
    ///
    /// assert!(keystore.destroy_scratch(volume)?);
    /// // From now on nothing opens it, wherever copies of the envelope are.
    /// assert!(block_on(envelope.open(&Providers::new().with(keystore), &Expect::any())).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`EnvelopeCreateError::Provider`] with [`ErrorClass::KeyExists`] when the volume has a key already,
    /// [`ErrorClass::LocalPermissions`], [`ErrorClass::LocalIo`], [`ErrorClass::Secret`].
    /// Nothing is left in the keystore then.
    pub fn create_scratch(
        &self,
        volume: Uuid,
        path: Option<&Path>,
    ) -> Result<(Envelope, VolumeKeys), EnvelopeCreateError> {
        let name = scratch_key_name(volume);
        let path = path.map(encoded).filter(|path| path.len() <= MAX_PATH);
        if !self.make(&name, None, path.as_deref())? {
            let message = format!("the volume {volume} has a scratch key already in {}", self.home.display());
            return Err(ProviderError::new(ErrorClass::KeyExists, message).into());
        }
        // Its futures do not wait.
        block_on(Envelope::create(self, &name, volume, Class::Scratch)).inspect_err(|_| {
            // The error that matters is the first one; and a key that wraps nothing is of no use to anybody.
            let _ = self.destroy_scratch(volume);
        })
    }

    /// Erases the key of a scratch volume, and tells whether it was there. From then on nothing opens the volume,
    /// neither itself nor any copy of it or of its header, unless somebody has a copy of the key's file, or has the
    /// volume open. `Volume::destroy` does this, and wipes the header.
    ///
    /// The file is overwritten and synced before it is removed, under all names that it has. File systems and drives that write elsewhere than
    /// where they are told (copy on write, snapshots, flash) may keep what it held.
    ///
    /// # Errors
    /// [`ErrorClass::LocalPermissions`], [`ErrorClass::LocalIo`]; repeat it then.
    pub fn destroy_scratch(&self, volume: Uuid) -> Result<bool, ProviderError> {
        let file = file_name(&scratch_key_name(volume))?;
        let Some(keys) = KeyDir::open(&self.home)? else { return Ok(false) };
        // The lock comes first: it finishes an erasure that was cut off.
        let mut lock = keys.lock(self.lock_wait)?;
        let finished = lock.leftovers.finished(&file)?;
        Ok(keys.erase(&lock, &file)? || finished)
    }

    /// Whether [`destroy_scratch`](LocalKeystore::destroy_scratch) began to erase the key of this volume, and was cut off:
    /// then nothing opens the volume any more, and the owner of the keystore has said that nothing is to.
    ///
    /// # Errors
    /// [`ErrorClass::LocalPermissions`], [`ErrorClass::LocalIo`].
    pub fn is_destroying_scratch(&self, volume: Uuid) -> Result<bool, ProviderError> {
        let file = file_name(&scratch_key_name(volume))?;
        KeyDir::open(&self.home)?.map_or(Ok(false), |keys| keys.is_being_erased(&file))
    }

    /// The keys of all scratch volumes, in the order of their names.
    ///
    /// # Errors
    /// [`ErrorClass::LocalPermissions`], [`ErrorClass::LocalIo`].
    pub fn scratch_keys(&self) -> Result<Vec<ScratchKey>, ProviderError> {
        let key = |name: String| {
            let volume = scratch_volume_of(&name)?;
            let told = self.with_file(&name, |file| Ok((file.volume_path().map(decoded), file.created())));
            let (path, created) = told.map_or((None, None), |(path, created)| (path, Some(created)));
            Some(ScratchKey { volume, name, path, created })
        };
        Ok(self.all_names()?.into_iter().filter_map(key).collect())
    }
}
