//! What the owner of a local key does with it: its life, and the passphrase that may guard it.

use super::{
    super::{
        BoxFuture, ErrorClass, KeyAdmin, KeyAlias, KeyCheck, KeyDescription, KeyManager, KeyRole,
        PermissionCheck, PermissionOutcome, ProviderError, RotationStatus, WrappedKey,
    },
    LocalKeystore,
    dir::{KeyDir, Lock},
    guard::Lock as PassphraseLock,
    keyfile::{self, Fault, KeyFile, Text},
    names::{NAME, file_name, refuse_care},
    passphrase::{Passphrase, PassphraseCost},
    state::State,
};
use std::sync::Arc;

impl KeyAdmin for LocalKeystore {
    fn provider(&self) -> &'static str {
        NAME
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<KeyAlias>, ProviderError>> {
        Box::pin(async move {
            let alias = |name: String| {
                let key = self.describe_key(&name).map_err(|error| error.to_string());
                KeyAlias::new(&name, Some(KeyManager::Customer), key)
            };
            Ok(LocalKeystore::list(self)?.into_iter().map(alias).collect())
        })
    }

    fn check<'a>(
        &'a self,
        key: &'a str,
        wrapped: Option<&'a WrappedKey>,
    ) -> BoxFuture<'a, Result<KeyCheck, ProviderError>> {
        Box::pin(async move { self.check_key(key, wrapped) })
    }

    /// None is ever: material that comes by itself would be missing in the backups that its owner made before.
    fn rotation<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<RotationStatus, ProviderError>> {
        Box::pin(async move { self.describe_key(key).map(|_| RotationStatus::default()) })
    }

    fn set_rotation<'a>(
        &'a self,
        key: &'a str,
        enabled: bool,
        _: Option<u32>,
    ) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            refuse_care(key)?;
            self.describe_key(key)?;
            if !enabled {
                return Ok(());
            }
            let message = format!(
                "local keys are not renewed by themselves, since a backup would not have the new material: \
                 rotate {key} when it is time, and back the keystore up then"
            );
            Err(ProviderError::new(ErrorClass::Unsupported, message))
        })
    }

    fn rotate<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            refuse_care(key)?;
            self.with_file(key, |file| Ok(file.state().usable(key)?))?;
            let passphrase = self.ask_before_change(key)?;
            self.change(key, |file| {
                file.state().usable(key)?;
                let lock = file.unlock(passphrase.as_ref())?;
                Ok((Some(keyfile::rotate(file, lock.as_ref())?), ()))
            })
        })
    }

    fn set_enabled<'a>(&'a self, key: &'a str, enabled: bool) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move { self.change_state(key, |state| Ok((state.switched(key, enabled)?, ()))) })
    }

    fn schedule_deletion<'a>(
        &'a self,
        key: &'a str,
        days: Option<u32>,
    ) -> BoxFuture<'a, Result<Option<u64>, ProviderError>> {
        Box::pin(async move {
            refuse_care(key)?;
            self.change_state(key, |state| {
                let (state, date) = state.scheduled(key, days)?;
                Ok((state, Some(date)))
            })
        })
    }

    fn cancel_deletion<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            refuse_care(key)?;
            self.change_state(key, |state| Ok((state.cancelled(key)?, ())))
        })
    }

    /// Only this erases a key, and only its owner calls it: a clock that is wrong for a while costs nobody a key.
    fn purge<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            refuse_care(key)?;
            let (keys, lock) = self.begin_change(key)?;
            self.with_file_in(&keys, key, |file| Ok(file.state().erasable(key)?))?;
            keys.erase(&lock, &file_name(key)?)
        })
    }
}

impl LocalKeystore {
    /// Changes the file of the key `name`, which nobody else changes meanwhile. `edit` gives the new text, or none
    /// where there is nothing to change.
    pub(super) fn change<T>(
        &self,
        name: &str,
        edit: impl FnOnce(KeyFile<'_>) -> Result<(Option<Text>, T), Fault>,
    ) -> Result<T, ProviderError> {
        let (keys, lock) = self.begin_change(name)?;
        let (text, result) = self.with_file_in(&keys, name, edit)?;
        if let Some(text) = text {
            keys.replace(&lock, &file_name(name)?, &text)?;
        }
        Ok(result)
    }

    fn change_state<T>(
        &self,
        name: &str,
        change: impl FnOnce(State) -> Result<(State, T), ProviderError>,
    ) -> Result<T, ProviderError> {
        self.change(name, |mut file| {
            let before = file.state();
            let (state, result) = change(before)?;
            file.set_state(state);
            let text = if state == before { None } else { Some(keyfile::text(&file)?) };
            Ok((text, result))
        })
    }

    /// Nothing is made or locked for a key that is not there, or that nobody could read.
    fn begin_change(&self, name: &str) -> Result<(KeyDir, Lock), ProviderError> {
        self.describe_key(name)?;
        let keys = KeyDir::open(&self.home)?;
        let lock = keys.lock()?;
        Ok((keys, lock))
    }

    fn check_key(&self, name: &str, wrapped: Option<&WrappedKey>) -> Result<KeyCheck, ProviderError> {
        let outcome = |result: Result<(), ProviderError>| match result {
            Ok(()) => PermissionOutcome::Allowed,
            Err(error) => PermissionOutcome::Denied(error.to_string()),
        };
        let key = self.describe_key(name)?;
        let state = self.with_file(name, |file| Ok(file.state()))?;
        let unusable = state.usable(name).err().map(|error| error.to_string());
        // The description above read it.
        let mut permissions =
            vec![PermissionCheck::new("read the key", &KeyRole::ALL, PermissionOutcome::Allowed)];
        if let Some(wrapped) = wrapped.filter(|_| unusable.is_none()) {
            let opened = self.unwrap_local(wrapped).map(drop);
            // To rewrap is to unwrap and to wrap here.
            let roles = [KeyRole::Node, KeyRole::Creator, KeyRole::Owner];
            permissions.push(PermissionCheck::new("unwrap the volume's key", &roles, outcome(opened)));
        }
        let writable = KeyDir::open(&self.home)?.writable();
        permissions.push(PermissionCheck::new("change the key", &[], outcome(writable)));
        Ok(KeyCheck::new(Some(key), Some(RotationStatus::default()), unusable, permissions))
    }
}

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
        refuse_care(name)?;
        let present = self.ask_before_change(name)?;
        // Computed before the lock is held, as the other one cannot be.
        let new = self.derive(name, new)?;
        self.change(name, |file| {
            let old = file.unlock(present.as_ref())?;
            Ok((Some(keyfile::relock(file, old.as_ref(), new.as_ref())?), ()))
        })
    }

    /// Tries the passphrase that the [source](LocalKeystore::with_passphrase) gives for the key `name`. A key that has
    /// none passes.
    ///
    /// # Errors
    /// As [`LocalKeystore::set_passphrase`].
    pub fn check_passphrase(&self, name: &str) -> Result<(), ProviderError> {
        self.with_file(name, |file| file.unlock(self.ask(&file)?.as_ref()).map(drop))
    }

    /// The lock of a new passphrase.
    pub(super) fn derive(
        &self,
        name: &str,
        new: Option<(&Passphrase, PassphraseCost)>,
    ) -> Result<Option<PassphraseLock>, ProviderError> {
        let lock = new.map(|(passphrase, cost)| PassphraseLock::new(passphrase, cost)).transpose();
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
            (Some(_), None) => Err(file.passphrase_required()),
        }
    }
}
