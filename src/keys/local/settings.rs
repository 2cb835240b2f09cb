//! Where a user's keystore is, and its settings, `config.json` in its directory: which key wraps when none is named.
//!
//! ```json
//! {"version":1,"default_key":"aws:alias/prod"}
//! ```

use super::{
    super::{ErrorClass, KeyRef, ProviderError},
    LocalKeystore,
    dir::KeyDir,
    names::{NAME, refuse_reserved},
};
use crate::environment::{has_elevated_rights, variable};
use serde::{Deserialize, Serialize};
use std::{ffi::OsString, path::PathBuf};

/// The platform's variable for the data directory, and the place in the home directory that it stands for.
const DATA: (&str, &str) = if cfg!(windows) {
    ("LOCALAPPDATA", "AppData/Local")
} else if cfg!(any(target_os = "macos", target_os = "ios")) {
    // Apple's platforms have no such variable; the one of the XDG specification serves those who set it.
    ("XDG_DATA_HOME", "Library/Application Support")
} else {
    ("XDG_DATA_HOME", ".local/share")
};

/// The path, from the variables that `get` reads and the home directory.
///
/// An empty variable counts as unset, and so does a relative data directory (XDG Base Directory Specification,
/// "Environment variables").
pub fn home(
    get: impl Fn(&str) -> Option<OsString>,
    user_home: impl FnOnce() -> Option<PathBuf>,
) -> Result<PathBuf, ProviderError> {
    let variable = |name| get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(path) = variable("ATREST_HOME") {
        return Ok(path);
    }
    let (name, in_home) = DATA;
    variable(name)
        .filter(|path| path.is_absolute())
        .or_else(|| user_home().filter(|path| path.is_absolute()).map(|home| home.join(in_home)))
        .map(|data| data.join("atrest"))
        .ok_or_else(|| {
            let message = format!("no place for the keystore: set ATREST_HOME, {name} or the home directory");
            ProviderError::new(ErrorClass::LocalIo, message)
        })
}

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
    /// Where the user's keystore is: `$ATREST_HOME`; else `atrest` in the platform's data directory, which is
    /// `$XDG_DATA_HOME` or `~/.local/share` (macOS: `~/Library/Application Support`; Windows:
    /// `%LOCALAPPDATA%`).
    ///
    /// # Errors
    /// [`ErrorClass::LocalIo`] when neither the variables nor a home directory are there, and in a program with
    /// [elevated rights](crate::environment::has_elevated_rights), where no variable decides.
    pub fn default_path() -> Result<PathBuf, ProviderError> {
        if has_elevated_rights() {
            let message = "no place for the keystore: this program runs with elevated rights, in which no environment variable \
                           chooses one; it must be named by its path";
            return Err(ProviderError::new(ErrorClass::LocalIo, message));
        }
        home(variable, std::env::home_dir)
    }

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
            refuse_reserved(name)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)], home: Option<&str>) -> Option<PathBuf> {
        let get = |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| value.into());
        super::home(get, || home.map(PathBuf::from)).ok()
    }

    #[test]
    fn the_variables_come_first() {
        let both = [("ATREST_HOME", "/keys"), (DATA.0, "/data")];
        assert_eq!(with(&both, Some("/home/a")), Some("/keys".into()));
        assert_eq!(with(&both[1..], Some("/home/a")), Some("/data/atrest".into()));
        assert_eq!(with(&[("ATREST_HOME", "")], Some("/home/a")), with(&[], Some("/home/a")));
    }

    #[test]
    fn the_home_directory_comes_last() {
        let expected = PathBuf::from("/home/a").join(DATA.1).join("atrest");
        assert_eq!(with(&[], Some("/home/a")), Some(expected.clone()));
        assert_eq!(with(&[(DATA.0, "relative")], Some("/home/a")), Some(expected));
        assert_eq!(with(&[], Some("")), None);
        assert_eq!(with(&[], None), None);
    }
}
