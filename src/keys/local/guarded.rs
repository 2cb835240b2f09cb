//! Keys under a passphrase: made, opened, and given another.

use super::{
    super::{ErrorClass, KeyDescription, ProviderError},
    LocalKeystore, edit,
    guard::Lock,
    keyfile::{Fault, KeyFile},
    passphrase::{Passphrase, PassphraseCost},
    scratch,
};
use std::sync::Arc;

impl LocalKeystore {
    /// The same keystore with a source of passphrases, which is asked, by the key's name, each time that a key is used
    /// which a passphrase guards: at a terminal, in a file, from another service. Its errors are passed on.
    ///
    /// Trying a passphrase takes what [`PassphraseCost`] says, about 0.1 seconds and 64 MiB by default, on the thread
    /// that polls.
    #[must_use]
    pub fn with_passphrase(
        mut self,
        source: impl Fn(&str) -> Result<Passphrase, ProviderError> + Send + Sync + 'static,
    ) -> LocalKeystore {
        self.passphrase = Some(Arc::new(source));
        self
    }

    /// Creates the key `name` as [`LocalKeystore::create_key`] does, guarded by a passphrase: its material is stored
    /// under AES-256-GCM-SIV, with a key that Argon2id derives.
    ///
    /// # Errors
    /// As [`LocalKeystore::create_key`].
    pub fn create_key_with_passphrase(
        &self,
        name: &str,
        passphrase: &Passphrase,
        cost: PassphraseCost,
    ) -> Result<KeyDescription, ProviderError> {
        self.create_under(name, Some((passphrase, cost)))
    }

    /// Guards the key `name` by another passphrase, or (`None`) by none. The present one, where there is one, is asked
    /// of the [source](LocalKeystore::with_passphrase). Volumes are not touched; copies of the file that were made
    /// before open as before.
    ///
    /// # Errors
    /// [`ErrorClass::PassphraseRequired`], [`ErrorClass::WrongPassphrase`] of the present one,
    /// [`ErrorClass::KeyNotFound`], [`ErrorClass::Malformed`], [`ErrorClass::LocalPermissions`],
    /// [`ErrorClass::LocalIo`], [`ErrorClass::Secret`]; the key is as it was then.
    pub fn set_passphrase(
        &self,
        name: &str,
        new: Option<(&Passphrase, PassphraseCost)>,
    ) -> Result<(), ProviderError> {
        scratch::refuse_care(name)?;
        let present = self.ask_before_change(name)?;
        // Computed before the lock is held, as the other one cannot be.
        let new = self.derive(name, new)?;
        self.change(name, |file| {
            let old = unlock(&file, present.as_ref())?;
            Ok((Some(edit::relock(file, old.as_ref(), new.as_ref())?), ()))
        })
    }

    /// Tries the passphrase that the [source](LocalKeystore::with_passphrase) gives for the key `name`. A key that has
    /// none passes.
    ///
    /// # Errors
    /// As [`LocalKeystore::set_passphrase`].
    pub fn check_passphrase(&self, name: &str) -> Result<(), ProviderError> {
        self.with_file(name, |file| unlock(&file, self.ask(&file)?.as_ref()).map(drop))
    }

    /// The lock of a new passphrase.
    pub(super) fn derive(
        &self,
        name: &str,
        new: Option<(&Passphrase, PassphraseCost)>,
    ) -> Result<Option<Lock>, ProviderError> {
        let lock = new.map(|(passphrase, cost)| Lock::new(passphrase, cost)).transpose();
        lock.map_err(|fault| self.explain(name, fault))
    }

    /// The passphrase of a key that is to be changed. Asking may take a user's time, in which nothing is locked.
    pub(super) fn ask_before_change(&self, name: &str) -> Result<Option<Passphrase>, ProviderError> {
        self.with_file(name, |file| self.ask(&file))
    }

    /// The passphrase of a key, where it has one.
    pub(super) fn ask(&self, file: &KeyFile<'_>) -> Result<Option<Passphrase>, Fault> {
        match (file.guard(), &self.passphrase) {
            (None, _) => Ok(None),
            (Some(_), Some(source)) => Ok(Some(source(file.name())?)),
            (Some(_), None) => Err(required(file.name())),
        }
    }
}

/// What the passphrase of the key opens; `None` for a key that has none.
pub fn unlock(file: &KeyFile<'_>, passphrase: Option<&Passphrase>) -> Result<Option<Lock>, Fault> {
    match (file.guard(), passphrase) {
        (None, _) => Ok(None),
        (Some(guard), Some(passphrase)) => guard.unlock(file.name(), passphrase).map(Some),
        // Somebody gave it one after it was asked for.
        (Some(_), None) => Err(required(file.name())),
    }
}

fn required(name: &str) -> Fault {
    let message =
        format!("the local key {name} needs a passphrase, and this program has none for it: give it one");
    ProviderError::new(ErrorClass::PassphraseRequired, message).into()
}
