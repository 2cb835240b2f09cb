//! Where a user's keystore is.

use super::super::{ErrorClass, ProviderError};
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
pub fn resolve(
    get: impl Fn(&str) -> Option<OsString>,
    home: impl FnOnce() -> Option<PathBuf>,
) -> Result<PathBuf, ProviderError> {
    let variable = |name| get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(path) = variable("ATREST_HOME") {
        return Ok(path);
    }
    let (name, in_home) = DATA;
    variable(name)
        .filter(|path| path.is_absolute())
        .or_else(|| home().filter(|path| path.is_absolute()).map(|home| home.join(in_home)))
        .map(|data| data.join("atrest"))
        .ok_or_else(|| {
            let message = format!("no place for the keystore: set ATREST_HOME, {name} or the home directory");
            ProviderError::new(ErrorClass::LocalIo, message)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)], home: Option<&str>) -> Option<PathBuf> {
        let get = |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| value.into());
        resolve(get, || home.map(PathBuf::from)).ok()
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
