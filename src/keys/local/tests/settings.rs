//! The key that wraps when none is named.

use super::*;
use crate::keys::KeyRef;

#[test]
fn the_default_key_is_kept() {
    let (_parent, keystore) = keystore();
    assert_eq!(keystore.default_key().unwrap(), None);
    for key in ["aws:alias/prod", "local:other"] {
        let key: KeyRef = key.parse().unwrap();
        keystore.set_default_key(Some(&key)).unwrap();
        assert_eq!(LocalKeystore::open(keystore.path()).unwrap().default_key().unwrap(), Some(key));
    }
    keystore.set_default_key(None).unwrap();
    assert_eq!(keystore.default_key().unwrap(), None);
    assert_eq!(names(keystore.path()), [".lock", "config.json", "keys"]);
}

#[test]
fn settings_that_are_not_ours_are_refused_and_kept() {
    let (_parent, keystore) = keystore();
    let path = keystore.path().join("config.json");
    let key: KeyRef = "local:other".parse().unwrap();
    for (text, part) in [
        ("", "line 1"),
        ("{}", "version"),
        ("null", "line 1"),
        (r#"{"version":2,"default_key":"local:a"}"#, "version 2"),
        (r#"{"version":1,"default_key":"default"}"#, "names no key"),
        (r#"{"version":1,"default_key":"local:../a"}"#, "no name for a local key"),
        (r#"{"version":1,"default_key":7}"#, "line 1"),
        (r#"{"version":1,"default_keys":"local:a"}"#, "default_keys"),
    ] {
        std::fs::write(&path, text).unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        refused(keystore.default_key(), ErrorClass::Malformed, &["config.json", part]);
        refused(keystore.set_default_key(Some(&key)), ErrorClass::Malformed, &["config.json", part]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
}
