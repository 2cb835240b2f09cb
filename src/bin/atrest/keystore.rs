//! The local keystore as commands meet it.

use atrest::envelope::{
    Class, Envelope, KeyProvider as _, KeyRef, LocalKeystore, VolumeKeys, block_on, new_uuid,
};

use crate::failure::{Failure, show};

/// The one key that is made when it is first used. Others are made by `atrest key create`, so that a misspelt name
/// does not become a key.
pub const DEFAULT: &str = "local:default";

/// A new volume's envelope and keys.
pub struct NewKeys {
    /// The envelope.
    pub envelope: Envelope,
    /// The keys.
    pub keys: VolumeKeys,
    /// What to tell the user when the wrapping key was made for this.
    pub notice: Option<String>,
}

/// Makes the keys of a new volume, wrapped under `key`.
pub fn new_keys(key: &KeyRef) -> Result<NewKeys, Failure> {
    let name = match key {
        KeyRef::Local(name) => name,
        key => {
            return Err(Failure::new(format!(
                "cannot use the key {key}: this build has no provider for {}: keys; use local:NAME",
                key.provider()
            )));
        }
    };
    let failed = |error: &dyn std::error::Error| Failure::new(format!("cannot use the key {key}: {error}"));
    let home = LocalKeystore::default_path().map_err(|error| failed(&error))?;
    let mut notice = None;
    let keystore = if key.to_string() == DEFAULT {
        let keystore = LocalKeystore::open_or_create(home).map_err(|error| failed(&error))?;
        if keystore.ensure_key(name).map_err(|error| failed(&error))? {
            notice = Some(made(key, &keystore));
        }
        keystore
    } else {
        let missing =
            |_| Failure::new(format!("there is no key {key}: make it with `atrest key create {key}`"));
        if !home.exists() {
            return Err(missing(()));
        }
        let keystore = LocalKeystore::open(home).map_err(|error| failed(&error))?;
        if let Err(error) = block_on(keystore.describe(name)) {
            return Err(match error.class() {
                atrest::envelope::ErrorClass::KeyNotFound => missing(()),
                _ => failed(&error),
            });
        }
        keystore
    };
    let volume = new_uuid().map_err(|error| failed(&error))?;
    let created = block_on(Envelope::create(&keystore, name, volume, Class::Persistent));
    match created {
        Ok((envelope, keys)) => Ok(NewKeys { envelope, keys, notice }),
        Err(error) => Err(and_notice(failed(&error), notice.as_deref())),
    }
}

/// What is said when a key was made.
pub fn made(key: &KeyRef, keystore: &LocalKeystore) -> String {
    format!(
        "made the key {key} in {}; back that directory up: without it the volumes of this key cannot be opened",
        show(keystore.path())
    )
}

/// A failure after a key was made says so too: the key stays.
pub fn and_notice(failure: Failure, notice: Option<&str>) -> Failure {
    match notice {
        Some(notice) => failure.and(notice),
        None => failure,
    }
}
