//! The local keystore: key-encryption keys in files that only their owner can read.

mod admin;
mod dir;
mod guard;
mod keyfile;
mod names;
mod passphrase;
mod provider;
mod scratch;
mod settings;
mod state;
#[cfg(test)]
mod tests;

use super::{ErrorClass, KeyDescription, ProviderError, Scheme, envelope::scratch_volume_of};
use dir::{KeyDir, LOCK_WAIT, io};
use keyfile::{Fault, KeyFile};
use names::{EXTENSION, NAME, NAMES, file_name, is_name, refuse_reserved};
use passphrase::Source;
pub use passphrase::{Passphrase, PassphraseCost};
pub use scratch::ScratchKey;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A directory of key-encryption keys, each in a file of its own, `keys/NAME.json`.
///
/// On Unix the directory and its `keys` are the user's own with mode 0700 and the files with mode 0600; this is
/// checked on each use, and anything that other users can reach, own, or have linked into place is refused.
/// Elsewhere the files have whatever protection their directory gives them.
///
/// Root keys are wrapped by AES-256-GCM-SIV (RFC 8452) with the key's name, its material id and the encryption
/// context as associated data, so that a wrapped key opens nowhere but where it belongs. Files are written
/// beside their place, synced, and put there in one step that never replaces another: several processes may
/// create the same key at the same time, and agree on one. A change that was cut off is finished by its repetition, and
/// leaves nothing that the next change does not remove.
///
/// As a [`KeyProvider`](super::KeyProvider) it reads one small file for each call, on the thread that polls.
#[derive(Clone)]
pub struct LocalKeystore {
    home: PathBuf,
    passphrase: Option<Source>,
    lock_wait: Duration,
}

/// The same directory; passphrases are not compared.
impl PartialEq for LocalKeystore {
    fn eq(&self, other: &LocalKeystore) -> bool {
        self.home == other.home
    }
}

impl Eq for LocalKeystore {}

impl fmt::Debug for LocalKeystore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKeystore").field("home", &self.home).finish_non_exhaustive()
    }
}

impl LocalKeystore {
    /// The name of this provider in envelopes, and the scheme of its keys: `local`.
    pub const SCHEME: &str = NAME;

    /// What a [`Registry`](super::Registry) takes: keys are `local:NAME`, and the keystore is the one at
    /// [`LocalKeystore::default_path`], which must exist.
    #[must_use]
    pub fn scheme() -> Scheme {
        Scheme::new(NAME, || LocalKeystore::open(LocalKeystore::default_path()?))
            .forms(&["NAME"])
            .about("a key in the local keystore")
            .names(|name| if is_name(name) { Ok(()) } else { Err(NAMES.to_owned()) })
    }

    /// The keystore at `path`, which must exist; it may be an empty directory.
    ///
    /// # Errors
    /// [`ErrorClass::LocalIo`] when it does not exist or cannot be read, [`ErrorClass::LocalPermissions`] when
    /// other users can reach it.
    pub fn open(path: impl AsRef<Path>) -> Result<LocalKeystore, ProviderError> {
        let home = absolute(path.as_ref())?;
        KeyDir::open(&home)?;
        Ok(LocalKeystore { home, passphrase: None, lock_wait: LOCK_WAIT })
    }

    /// The keystore at `path`, with its directories made where they are missing.
    ///
    /// # Errors
    /// As [`LocalKeystore::open`].
    pub fn open_or_create(path: impl AsRef<Path>) -> Result<LocalKeystore, ProviderError> {
        let home = absolute(path.as_ref())?;
        KeyDir::create(&home)?;
        Ok(LocalKeystore { home, passphrase: None, lock_wait: LOCK_WAIT })
    }

    /// Has changes wait so long, and no longer, for another process that is changing the same keystore; 15 seconds
    /// unless this is called. Reading takes no lock that others hold for more than a moment.
    #[must_use]
    pub fn with_lock_wait(mut self, wait: Duration) -> LocalKeystore {
        self.lock_wait = wait;
        self
    }

    /// The keystore's directory, absolute.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.home
    }

    /// Creates the key `name`: 1 to 64 of `A-Z a-z 0-9 . _ -`, without a dot in front.
    ///
    /// # Errors
    /// [`ErrorClass::KeyExists`] when there is one of that name, [`ErrorClass::KeyName`],
    /// [`ErrorClass::LocalPermissions`], [`ErrorClass::LocalIo`], [`ErrorClass::Secret`].
    pub fn create_key(&self, name: &str) -> Result<KeyDescription, ProviderError> {
        self.create_under(name, None)
    }

    fn create_under(
        &self,
        name: &str,
        guard: Option<(&Passphrase, PassphraseCost)>,
    ) -> Result<KeyDescription, ProviderError> {
        if self.try_create(name, guard)? {
            return self.describe_key(name);
        }
        let home = self.home.display();
        let message =
            format!("the local key {name} exists already in {home}; use it, or choose another name");
        Err(ProviderError::new(ErrorClass::KeyExists, message))
    }

    /// Creates the key `name` unless it exists, and tells whether it did. The key is on the disk, and readable,
    /// when this returns, whichever process created it.
    ///
    /// # Errors
    /// As [`LocalKeystore::create_key`] apart from `KeyExists`, and [`ErrorClass::Malformed`] when the file of
    /// that name is not a key file.
    pub fn ensure_key(&self, name: &str) -> Result<bool, ProviderError> {
        let created = self.try_create(name, None)?;
        self.describe_key(name)?;
        Ok(created)
    }

    /// The names of all keys, in byte order. Files that cannot be key files are left out, and so are the keys of
    /// scratch volumes, which [`LocalKeystore::scratch_keys`] lists: they serve no other volume.
    ///
    /// # Errors
    /// [`ErrorClass::LocalPermissions`], [`ErrorClass::LocalIo`].
    pub fn list(&self) -> Result<Vec<String>, ProviderError> {
        let mut names = self.all_names()?;
        names.retain(|name| scratch_volume_of(name).is_none());
        Ok(names)
    }

    fn all_names(&self) -> Result<Vec<String>, ProviderError> {
        let Some(keys) = KeyDir::open(&self.home)? else { return Ok(Vec::new()) };
        let mut names: Vec<String> = keys
            .files()?
            .into_iter()
            .filter_map(|file| file.strip_suffix(EXTENSION).map(str::to_owned))
            .filter(|name| is_name(name))
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    fn try_create(
        &self,
        name: &str,
        guard: Option<(&Passphrase, PassphraseCost)>,
    ) -> Result<bool, ProviderError> {
        refuse_reserved(name)?;
        self.make(name, guard, None)
    }

    /// Makes the file of the key `name` unless there is one, and tells whether it did.
    fn make(
        &self,
        name: &str,
        guard: Option<(&Passphrase, PassphraseCost)>,
        volume_path: Option<&str>,
    ) -> Result<bool, ProviderError> {
        let file = file_name(name)?;
        let keys = KeyDir::open_or_make(&self.home)?;
        if keys.exists(&file)? {
            // Whoever made it may not have come to the sync yet.
            keys.sync()?;
            return Ok(false);
        }
        let lock = self.derive(name, guard)?;
        let text =
            keyfile::create(name, lock.as_ref(), volume_path).map_err(|fault| self.explain(name, fault))?;
        let lock = keys.lock(self.lock_wait)?;
        let made = keys.publish(&lock, &file, &text)?;
        keys.sync().inspect_err(|_| {
            // Others may use a key as soon as they see it, but not that of a scratch volume. The error that matters is the
            // first one.
            if made && scratch_volume_of(name).is_some() {
                let _ = keys.erase(&lock, &file);
            }
        })?;
        Ok(made)
    }

    fn describe_key(&self, name: &str) -> Result<KeyDescription, ProviderError> {
        self.with_file(name, |file| {
            let mut description = KeyDescription::new(NAME, name);
            description.material = Some(file.current().to_owned());
            description.created = Some(file.created());
            description.passphrase = Some(file.guard().is_some());
            description.description = file.describe_scratch();
            (description.state, description.deletion) = file.state().described();
            Ok(description)
        })
    }

    /// Reads the file of the key `name`, and wipes its text once `use_it` is done.
    fn with_file<T>(
        &self,
        name: &str,
        use_it: impl FnOnce(KeyFile<'_>) -> Result<T, Fault>,
    ) -> Result<T, ProviderError> {
        // A name that is none comes first, wherever it is looked for.
        file_name(name)?;
        let keys = KeyDir::open(&self.home)?.ok_or_else(|| self.no_key(name))?;
        self.with_file_in(&keys, name, use_it)
    }

    /// The same, in the directory that is open.
    fn with_file_in<T>(
        &self,
        keys: &KeyDir,
        name: &str,
        use_it: impl FnOnce(KeyFile<'_>) -> Result<T, Fault>,
    ) -> Result<T, ProviderError> {
        let text = keys.read(&file_name(name)?)?.ok_or_else(|| self.no_key(name))?;
        KeyFile::parse(&text, name).and_then(use_it).map_err(|fault| self.explain(name, fault))
    }

    /// Makes sure that the key's file is on the disk.
    fn persist(&self, name: &str) -> Result<(), ProviderError> {
        let keys = KeyDir::open(&self.home)?.ok_or_else(|| self.no_key(name))?;
        if keys.persist(&file_name(name)?)? { Ok(()) } else { Err(self.no_key(name)) }
    }

    /// Finishes changes that were cut off, and says of each that cannot be finished now why not: a hidden file then still
    /// holds what a key's file held before it was replaced or erased, and the next change tries again. None is the rule.
    ///
    /// # Errors
    /// [`ErrorClass::LocalPermissions`], [`ErrorClass::LocalIo`].
    pub fn remove_leftovers(&self) -> Result<Vec<ProviderError>, ProviderError> {
        let Some(keys) = KeyDir::open(&self.home)? else { return Ok(Vec::new()) };
        let stuck = keys.lock(self.lock_wait)?.leftovers.stuck;
        Ok(stuck.into_iter().map(|(_, why)| why).collect())
    }

    fn no_key(&self, name: &str) -> ProviderError {
        let home = self.home.display();
        let message = match scratch_volume_of(name) {
            Some(volume) => format!(
                "the key of the scratch volume {volume} is not in {home}: the volume was destroyed, and no copy of it \
                 opens again; or its key is in another keystore: then use that"
            ),
            None => {
                format!("there is no local key {name} in {home}: create it, or use the keystore that has it")
            }
        };
        ProviderError::new(ErrorClass::KeyNotFound, message)
    }

    fn explain(&self, name: &str, fault: Fault) -> ProviderError {
        let path = self.home.join("keys").join(format!("{name}{EXTENSION}"));
        let path = path.display();
        match fault {
            Fault::Malformed(why) => ProviderError::new(
                ErrorClass::Malformed,
                format!("the key file {path} is not valid: {why}; restore it from a backup"),
            ),
            Fault::NoMaterial(id) => ProviderError::new(
                ErrorClass::WrongKey,
                format!(
                    "the key file {path} does not have the key material {id}: it is another key of that name, or older \
                     than the last rotation; restore the right one, or use the keystore that has it"
                ),
            ),
            Fault::Provider(error) => error,
        }
    }
}

/// A later change of the working directory must not lead to another keystore.
fn absolute(path: &Path) -> Result<PathBuf, ProviderError> {
    std::path::absolute(path).map_err(|error| io("find the keystore", path, error))
}
