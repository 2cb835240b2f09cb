//! Keys of scratch volumes: each wraps the key of one volume and nothing else, and is erased with that volume.
//!
//! Their names are `scratch-` and the volume's UUID, which no other key can have; so they need no list, and a volume's
//! key is found without the volume. What destroys them is not the keys' own care (deletion with a waiting period), but
//! [`LocalKeystore::destroy_scratch`] alone.

use super::{
    super::{
        Class, EncryptionContext, Envelope, EnvelopeError, ErrorClass, ProviderError, Uuid, VolumeKeys,
        block_on,
        envelope::{SCRATCH_PREFIX, scratch_key_name, scratch_volume_of},
    },
    LocalKeystore,
    dir::KeyDir,
    file_name,
    keyfile::KeyFile,
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
    pub fn scratch_key_name(volume: Uuid) -> String {
        scratch_key_name(volume)
    }

    /// The scratch volume whose key has this name; `None` for the name of any other key.
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
    /// use atrest::keys::{LocalKeystore, Providers, block_on, new_uuid};
    ///
    /// # let home = tempfile::tempdir()?;
    /// let keystore = LocalKeystore::open_or_create(home.path().join("atrest"))?;
    /// let volume = new_uuid()?;
    /// let (envelope, _keys) = keystore.create_scratch(volume, None)?;
    ///
    /// assert!(keystore.destroy_scratch(volume)?);
    /// // From now on nothing opens it, wherever copies of the envelope are.
    /// assert!(block_on(envelope.open(&Providers::new().with(keystore))).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`EnvelopeError::Provider`] with [`ErrorClass::KeyExists`] when the volume has a key already,
    /// [`ErrorClass::LocalPermissions`], [`ErrorClass::LocalIo`], [`ErrorClass::Secret`]; [`EnvelopeError::Secret`].
    /// Nothing is left in the keystore then.
    pub fn create_scratch(
        &self,
        volume: Uuid,
        path: Option<&Path>,
    ) -> Result<(Envelope, VolumeKeys), EnvelopeError> {
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
    /// The file is overwritten and synced before it is removed. File systems and drives that write elsewhere than
    /// where they are told (copy on write, snapshots, flash) may keep what it held.
    ///
    /// # Errors
    /// [`ErrorClass::LocalPermissions`], [`ErrorClass::LocalIo`]; repeat it then.
    pub fn destroy_scratch(&self, volume: Uuid) -> Result<bool, ProviderError> {
        let keys = KeyDir::open(&self.home)?;
        // The lock comes first: what an interrupted erasure left goes with it.
        let lock = keys.lock()?;
        keys.erase_everywhere(&lock, &file_name(&scratch_key_name(volume))?)
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

/// What a description tells of such a key.
pub fn describe(file: &KeyFile<'_>) -> Option<String> {
    let volume = scratch_volume_of(file.name())?;
    let place = file.volume_path().map(|path| format!(", made at {}", decoded(path).display()));
    Some(format!("of the scratch volume {volume} alone{}", place.unwrap_or_default()))
}

/// Refuses to make, or to choose for other volumes, what has or could be taken for such a name.
pub fn refuse_reserved(name: &str) -> Result<(), ProviderError> {
    // Some file systems do not tell upper case from lower.
    let rest = name
        .get(..SCRATCH_PREFIX.len())
        .filter(|start| start.eq_ignore_ascii_case(SCRATCH_PREFIX))
        .map(|_| &name[SCRATCH_PREFIX.len()..]);
    if rest.is_none_or(|rest| Uuid::try_parse(rest).is_err()) {
        return Ok(());
    }
    let message = format!(
        "{name} is the name of a scratch volume's own key, which serves no other volume and is made with \
         it: choose another name"
    );
    Err(ProviderError::new(ErrorClass::KeyName, message))
}

/// Refuses to wrap anything but the key of its own volume.
pub fn refuse_other_volume(name: &str, context: &EncryptionContext) -> Result<(), ProviderError> {
    match scratch_volume_of(name) {
        Some(volume) if *context != EncryptionContext::for_volume(volume) => {
            let message = format!(
                "the local key {name} serves the scratch volume {volume} alone, and is destroyed with it: choose \
                 another key"
            );
            Err(ProviderError::new(ErrorClass::InvalidRequest, message))
        }
        _ => Ok(()),
    }
}

/// Refuses what the owner of other keys does with them: rotation, deletion, passphrases.
pub fn refuse_care(name: &str) -> Result<(), ProviderError> {
    let Some(volume) = scratch_volume_of(name) else { return Ok(()) };
    let message = format!(
        "the local key {name} is that of a scratch volume, which has no rotation, no passphrase and no waiting period: \
         it is erased when that volume, {volume}, is destroyed"
    );
    Err(ProviderError::new(ErrorClass::InvalidRequest, message))
}

/// A path as key files have it: printable ASCII, which JSON need not escape.
fn encoded(path: &Path) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for &byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'%' | b'"' | b'\\' => write!(text, "%{byte:02X}"),
            b' '..=b'~' => write!(text, "{}", char::from(byte)),
            _ => write!(text, "%{byte:02X}"),
        }
        .expect("writing to a string does not fail");
    }
    text
}

/// The path again; what is not encoded so is taken as it is.
fn decoded(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, others)) = rest.split_first() {
        let digits = others.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.filter(|_| first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &others[2..] } else { others };
    }
    #[cfg(unix)]
    let path = <std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes).into();
    #[cfg(not(unix))]
    let path = String::from_utf8_lossy(&bytes).into_owned().into();
    path
}

#[cfg(test)]
pub(super) fn round_trip(path: &Path) -> PathBuf {
    let text = encoded(path);
    assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\'));
    decoded(&text)
}
