//! The keystore's settings, `config.json` in its directory: which key wraps when none is named.
//!
//! ```json
//! {"version":1,"default_key":"aws:alias/prod"}
//! ```

use super::{
    super::{ErrorClass, KeyRef, ProviderError},
    KeyDir, LocalKeystore, NAME, scratch,
};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

const FILE: &str = "config.json";
const VERSION: u64 = 1;

/// What every version has, past or future.
#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    version: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default_key: Option<String>,
}

impl LocalKeystore {
    /// The key that wraps when none is named, as [`set_default_key`](LocalKeystore::set_default_key) stored it in
    /// `config.json`; `None` where none was set. It may be an alias of a service's, and need not exist.
    ///
    /// # Errors
    /// [`ErrorClass::Malformed`] when the file is not what this version writes, [`ErrorClass::LocalPermissions`],
    /// [`ErrorClass::LocalIo`].
    pub fn default_key(&self) -> Result<Option<KeyRef>, ProviderError> {
        let home = KeyDir::open_home(&self.home)?;
        let Some(text) = home.read(FILE)? else { return Ok(None) };
        let malformed = |why: String| {
            let path = self.settings_path();
            let message = format!(
                "the settings in {} are not valid: {why}; correct them, or remove the file and set the default \
                 key anew",
                path.display()
            );
            ProviderError::new(ErrorClass::Malformed, message)
        };
        // Nothing in it is secret: the parser's words may quote it.
        let invalid = |error: serde_json::Error| malformed(error.to_string());
        let Versioned { version } = serde_json::from_slice(&text).map_err(invalid)?;
        if version != VERSION {
            return Err(malformed(format!("they have version {version}, and this build reads version 1")));
        }
        let settings: Settings = serde_json::from_slice(&text).map_err(invalid)?;
        let Some(text) = settings.default_key else { return Ok(None) };
        let key = text.parse::<KeyRef>().and_then(|key| match key.of(NAME) {
            Some(name) => LocalKeystore::scheme().check(name).map(|()| key),
            None => Ok(key),
        });
        key.map(Some).map_err(|error| malformed(format!("default_key: {error}")))
    }

    /// Stores the key that wraps when none is named, or that there is none. It is stored as it is given: an alias leads
    /// at each use to the key that it then stands for.
    ///
    /// # Errors
    /// As [`default_key`](LocalKeystore::default_key): a file that cannot be read is not replaced.
    /// [`ErrorClass::KeyName`] for the key of a scratch volume.
    pub fn set_default_key(&self, key: Option<&KeyRef>) -> Result<(), ProviderError> {
        if let Some(name) = key.and_then(|key| key.of(NAME)) {
            scratch::refuse_reserved(name)?;
        }
        let home = KeyDir::open_home(&self.home)?;
        let lock = home.lock()?;
        if self.default_key()?.as_ref() == key {
            return Ok(());
        }
        let settings = Settings { version: VERSION, default_key: key.map(KeyRef::to_string) };
        let mut text = serde_json::to_vec_pretty(&settings).expect("two fields without any that can fail");
        text.push(b'\n');
        home.replace(&lock, FILE, &text)
    }

    /// Where the settings are.
    fn settings_path(&self) -> PathBuf {
        self.home.join(FILE)
    }
}
