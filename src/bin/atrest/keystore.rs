//! The local keystore as commands meet it.

use std::fmt::Display;
use std::path::PathBuf;

use atrest::envelope::{
    Class, Envelope, ErrorClass, KeyProvider as _, KeyRef, LocalKeystore, VolumeKeys, block_on, new_uuid,
};

use crate::failure::{Failure, show};

/// The one key that is made when it is first used. Others are made by `atrest key create`, so that a misspelt name
/// does not become a key.
pub const DEFAULT: &str = "local:default";

/// Makes the keys of a new volume, wrapped under `key`; and what to tell the user when that key was made for it, which
/// is so even if the rest fails.
pub fn new_keys(key: &KeyRef) -> (Result<(Envelope, VolumeKeys), Failure>, Option<String>) {
    let mut notice = None;
    (wrapped_under(key, &mut notice), notice)
}

fn wrapped_under(key: &KeyRef, notice: &mut Option<String>) -> Result<(Envelope, VolumeKeys), Failure> {
    let failed = |error: &dyn Display| Failure::new(format!("cannot use the key {key}: {error}"));
    let name = local_name(key).map_err(|why| failed(&why))?;
    let home = LocalKeystore::default_path().map_err(|error| failed(&error))?;
    let keystore = if key.to_string() == DEFAULT {
        let keystore = LocalKeystore::open_or_create(home).map_err(|error| failed(&error))?;
        if keystore.ensure_key(name).map_err(|error| failed(&error))? {
            *notice = Some(made(key, &keystore));
        }
        keystore
    } else {
        let missing =
            || Failure::new(format!("there is no key {key}: make it with `atrest key create {key}`"));
        let Some(keystore) = existing(home, failed)? else { return Err(missing()) };
        match block_on(keystore.describe(name)) {
            Ok(_) => keystore,
            Err(error) if error.class() == ErrorClass::KeyNotFound => return Err(missing()),
            Err(error) => return Err(failed(&error)),
        }
    };
    let volume = new_uuid().map_err(|error| failed(&error))?;
    block_on(Envelope::create(&keystore, name, volume, Class::Persistent)).map_err(|error| failed(&error))
}

/// The name of a key that this build has a provider for, or why there is none.
pub fn local_name(key: &KeyRef) -> Result<&str, String> {
    match key {
        KeyRef::Local(name) => Ok(name),
        key => Err(format!("this build has no provider for {}: keys; use local:NAME", key.provider())),
    }
}

/// The keystore in `home`; `None` where nothing was made yet.
pub fn existing(
    home: PathBuf,
    failed: impl Fn(&dyn Display) -> Failure,
) -> Result<Option<LocalKeystore>, Failure> {
    match home.try_exists() {
        Ok(false) => Ok(None),
        Ok(true) => LocalKeystore::open(home).map(Some).map_err(|error| failed(&error)),
        Err(error) => Err(Failure::io("cannot read the keystore", show(&home), &error)),
    }
}

/// What is said when a key was made.
pub fn made(key: &KeyRef, keystore: &LocalKeystore) -> String {
    format!(
        "made the key {key} in {}; back that directory up: without it the volumes of this key cannot be opened",
        show(keystore.path())
    )
}
