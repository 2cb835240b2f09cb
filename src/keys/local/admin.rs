//! What the owner of a local key does with it.

use super::{
    super::{
        BoxFuture, ErrorClass, KeyAdmin, KeyAlias, KeyCheck, KeyManager, PermissionCheck, PermissionOutcome,
        ProviderError, RotationStatus, WrappedKey,
    },
    LocalKeystore, NAME,
    dir::{KeyDir, Lock},
    file_name,
    keyfile::{self, Fault, KeyFile, Text},
    passphrase::unlock,
    scratch,
    state::State,
};

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
            scratch::refuse_care(key)?;
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
            scratch::refuse_care(key)?;
            self.with_file(key, |file| Ok(file.state().usable(key)?))?;
            let passphrase = self.ask_before_change(key)?;
            self.change(key, |file| {
                file.state().usable(key)?;
                let lock = unlock(&file, passphrase.as_ref())?;
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
            scratch::refuse_care(key)?;
            self.change_state(key, |state| {
                let (state, date) = state.scheduled(key, days)?;
                Ok((state, Some(date)))
            })
        })
    }

    fn cancel_deletion<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            scratch::refuse_care(key)?;
            self.change_state(key, |state| Ok((state.cancelled(key)?, ())))
        })
    }

    /// Only this erases a key, and only its owner calls it: a clock that is wrong for a while costs nobody a key.
    fn purge<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            scratch::refuse_care(key)?;
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
        let mut permissions = vec![PermissionCheck::new("read the key", true, PermissionOutcome::Allowed)];
        if let Some(wrapped) = wrapped.filter(|_| unusable.is_none()) {
            let opened = self.unwrap_local(wrapped).map(drop);
            permissions.push(PermissionCheck::new("unwrap the volume's key", true, outcome(opened)));
        }
        let writable = KeyDir::open(&self.home)?.writable();
        permissions.push(PermissionCheck::new("change the key", false, outcome(writable)));
        Ok(KeyCheck::new(Some(key), Some(RotationStatus::default()), unusable, permissions))
    }
}
