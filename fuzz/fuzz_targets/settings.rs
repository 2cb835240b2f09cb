//! Settings of a keystore from anybody.
#![no_main]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use atrest_fuzz::{
    keystore::{keystore, line},
    memory::{Counting, counted},
};
use libfuzzer_sys::fuzz_target;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The longest file that is read.
const LONGEST: usize = 64 * 1024;

fuzz_target!(|text: &[u8]| {
    let keystore = keystore();
    let path = keystore.path().join("config.json");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let (found, used) = counted(|| keystore.default_key());
    assert!(used.largest <= 2 * LONGEST && used.peak <= 8 * LONGEST, "{used:?}");
    match found {
        Err(error) => {
            line(&error);
            // What cannot be read is not replaced.
            line(&keystore.set_default_key(None).unwrap_err());
            assert_eq!(fs::read(&path).unwrap(), text);
        }
        Ok(key) => {
            assert!(text.len() <= LONGEST);
            keystore.set_default_key(None).expect("it could be read");
            assert_eq!(keystore.default_key().expect("what was written"), None);
            // The key of a scratch volume is no choice, but may be there.
            if keystore.set_default_key(key.as_ref()).is_ok() {
                assert_eq!(keystore.default_key().expect("what was written"), key);
            }
        }
    }
});
