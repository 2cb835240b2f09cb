//! Files of local keys from anybody: of one that wraps volumes (an even first byte), or of a scratch volume's.
#![no_main]

use std::{fs, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::PathBuf};

use atrest::keys::{EncryptionContext, KeyProvider, KeyState, LocalKeystore, ProviderError, Uuid, block_on};
use atrest_fuzz::{
    keystore::{keystore, line},
    memory::{Counting, counted},
};
use libfuzzer_sys::fuzz_target;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The longest file that is read.
const LONGEST: usize = 64 * 1024;
const VOLUME: Uuid = Uuid::from_u128(0x6ba7_b810_9dad_41d1_80b4_00c0_4fd4_30c8);

fn put(path: &PathBuf, text: &[u8]) {
    // Not over what may be read just now, but there is one thread.
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    file.write_all(text).unwrap();
}

fn quiet<T>(result: Result<T, ProviderError>) -> Option<T> {
    result.map_err(|error| line(&error)).ok()
}

fuzz_target!(|input: &[u8]| {
    let Some((kind, text)) = input.split_first() else { return };
    let name = if kind % 2 == 0 { "key".to_owned() } else { LocalKeystore::scratch_key_name(VOLUME) };
    let keystore = keystore();
    let path = keystore.path().join("keys").join(format!("{name}.json"));
    put(&path, text);

    let (described, used) = counted(|| block_on(keystore.describe(&name)));
    assert!(used.largest <= LONGEST + 1 && used.peak <= 4 * LONGEST, "{used:?}");
    // It is in sight, whatever it is.
    match kind % 2 {
        0 => assert_eq!(keystore.list().unwrap(), [&*name]),
        _ => assert_eq!(keystore.scratch_keys().unwrap().len(), 1),
    }
    let context = EncryptionContext::for_volume(VOLUME);
    let wrapped = quiet(block_on(keystore.generate(&name, &context)));
    if let Some(wrapped) = &wrapped {
        let described = described.as_ref().expect("what wraps can be described");
        assert_eq!((described.state, described.passphrase), (KeyState::Enabled, Some(false)));
        assert_eq!(wrapped.material, described.material);
        quiet(block_on(keystore.unwrap(wrapped))).expect("what it wrapped");
    }
    if let Some(described) = quiet(described) {
        assert!(text.len() <= LONGEST);
        // What is written anew says the same, but for what was changed.
        let admin = keystore.admin().expect("a keystore is administered");
        let changed = match described.state {
            KeyState::Enabled => {
                quiet(block_on(admin.set_enabled(&name, false))).map(|()| KeyState::Disabled)
            }
            KeyState::Disabled => quiet(block_on(admin.set_enabled(&name, true))).map(|()| KeyState::Enabled),
            _ => quiet(block_on(admin.cancel_deletion(&name))).map(|()| KeyState::Disabled),
        };
        if let Some(state) = changed {
            let mut expected = described;
            (expected.state, expected.deletion) = (state, None);
            assert_eq!(block_on(keystore.describe(&name)).expect("what was written"), expected);
            if let Some(wrapped) = wrapped {
                quiet(block_on(admin.set_enabled(&name, true))).expect("it was");
                block_on(keystore.unwrap(&wrapped)).expect("what it wrapped before");
            }
        }
    }
    let _ = fs::remove_file(path);
});
