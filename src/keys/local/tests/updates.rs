//! Files that are replaced and erased: what readers, other writers and the disk see of it.

use super::*;
use crate::keys::KeyAdmin as _;
use std::{
    fs::File,
    os::unix::fs::FileExt as _,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

#[test]
fn what_a_file_held_is_overwritten() {
    let (_parent, keystore) = keystore();
    let keys = KeyDir::open(keystore.path()).unwrap().unwrap();
    let path = keys.path().join("default.json");
    let held = |file: &File| {
        let mut bytes = vec![1; file.metadata().unwrap().len() as usize];
        file.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    };
    let first = File::open(&path).unwrap();
    let lock = keys.lock(LOCK_WAIT).unwrap();
    keys.replace(&lock, "default.json", b"second").unwrap();
    assert!(!held(&first).is_empty() && held(&first).iter().all(|byte| *byte == 0));
    assert_eq!(std::fs::read(&path).unwrap(), b"second");
    let second = File::open(&path).unwrap();
    keys.erase(&lock, "default.json").unwrap();
    assert_eq!(held(&second), [0; 6]);
    assert_eq!(names(keys.path()), [".lock"]);
}

/// Backups share their files with what they are backups of.
#[test]
fn a_backup_by_hard_links_keeps_its_content() {
    let (parent, keystore) = keystore();
    let keys = KeyDir::open(keystore.path()).unwrap().unwrap();
    let backup = parent.path().join("backup.json");
    std::fs::hard_link(keys.path().join("default.json"), &backup).unwrap();
    let before = std::fs::read(&backup).unwrap();
    let lock = keys.lock(LOCK_WAIT).unwrap();
    keys.replace(&lock, "default.json", b"second").unwrap();
    assert_eq!(std::fs::read(&backup).unwrap(), before);
}

#[test]
fn leftovers_go_with_the_next_change() {
    let (_parent, keystore) = keystore();
    let keys = keystore.path().join("keys");
    let path = keys.join(Hidden::Spare.name("default.json").unwrap());
    std::fs::write(&path, "half a ke").unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    generate(&keystore, "default").unwrap();
    assert!(path.exists(), "reading changes nothing");
    keystore.create_key("other").unwrap();
    assert_eq!(names(&keys), [".lock", "default.json", "other.json"]);
}

/// What cannot be removed stops nobody but who relies on it.
#[test]
fn a_leftover_that_stays_is_told() {
    let (_parent, keystore) = keystore();
    let keys = keystore.path().join("keys");
    assert!(keystore.remove_leftovers().unwrap().is_empty());
    // Nobody overwrites a directory.
    let stuck = keys.join(Hidden::Erased.name("gone.json").unwrap());
    std::fs::create_dir(&stuck).unwrap();
    keystore.create_key("other").unwrap();
    let [why] = &keystore.remove_leftovers().unwrap()[..] else { panic!("one") };
    assert!(why.to_string().contains(stuck.to_str().unwrap()), "{why}");
    refused(block_on(keystore.purge("gone")), ErrorClass::LocalPermissions, &[stuck.to_str().unwrap()]);
    refused(block_on(keystore.purge("none")), ErrorClass::KeyNotFound, &["none"]);
    std::fs::remove_dir(&stuck).unwrap();
    refused(block_on(keystore.purge("gone")), ErrorClass::KeyNotFound, &["gone"]);
}

/// Killed after the first of its steps: the key is out of its place, and its material is on the disk.
#[test]
fn an_erasure_is_finished_by_its_repetition() {
    let (_parent, keystore) = keystore();
    let keys = keystore.path().join("keys");
    keystore.create_scratch(VOLUME, None).unwrap();
    let scratch = format!("{}.json", LocalKeystore::scratch_key_name(VOLUME));
    let cut_off = |file: &str| {
        let hidden = keys.join(Hidden::Erased.name(file).unwrap());
        std::fs::rename(keys.join(file), &hidden).unwrap();
        File::open(hidden).unwrap()
    };
    for (file, finish) in [
        ("default.json", &(|| block_on(keystore.purge("default"))) as &dyn Fn() -> Result<(), ProviderError>),
        (&scratch, &|| keystore.destroy_scratch(VOLUME).map(|was_there| assert!(was_there))),
    ] {
        let held = cut_off(file);
        assert_eq!(keystore.is_destroying_scratch(VOLUME).unwrap(), file != "default.json");
        finish().unwrap();
        assert!(!keystore.is_destroying_scratch(VOLUME).unwrap());
        let mut text = vec![1; held.metadata().unwrap().len() as usize];
        held.read_exact_at(&mut text, 0).unwrap();
        assert!(text.len() > 100 && text.iter().all(|byte| *byte == 0), "{file}");
    }
    assert_eq!(names(&keys), [LOCK]);
}

/// Where it has no name any more that was replaced, or where file systems count no names, the content tells.
#[test]
fn zeros_in_the_place_of_a_key_are_no_reason_to_wait() {
    let (_parent, keystore) = keystore();
    put(&keystore, "default", &[0; 300]);
    refused(generate(&keystore, "default"), ErrorClass::Malformed, &["default.json"]);
}

/// A reader never sees the zeros, half a file, or none.
#[test]
fn readers_and_writers_do_not_meet() {
    let (_parent, keystore) = keystore();
    let keys = KeyDir::open(keystore.path()).unwrap().unwrap();
    let lock = keys.lock(LOCK_WAIT).unwrap();
    let texts = [[b'a'; 3000], [b'b'; 3000]];
    keys.replace(&lock, "default.json", &texts[0]).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let keys = KeyDir::open(keystore.path()).unwrap().unwrap();
                    let mut seen = [false; 2];
                    while !done.load(Ordering::Relaxed) {
                        let text = keys.read("default.json").unwrap().expect("it is always there");
                        let which = texts.iter().position(|whole| whole.as_slice() == text.as_slice());
                        seen[which.expect("whole")] = true;
                    }
                    seen
                })
            })
            .collect();
        for text in texts.iter().cycle().take(300) {
            keys.replace(&lock, "default.json", text).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        let seen: Vec<_> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
        assert!(seen.contains(&[true; 2]), "they met at all: {seen:?}");
    });
}

#[test]
fn one_changes_at_a_time() {
    let (_parent, keystore) = keystore();
    let keys = KeyDir::open(keystore.path()).unwrap().unwrap();
    let lock = keys.lock(LOCK_WAIT).unwrap();
    let other = thread::spawn({
        let keystore = keystore.clone();
        move || keystore.create_key("other").map(drop)
    });
    thread::sleep(Duration::from_millis(50));
    assert!(!keys.exists("other.json").unwrap(), "it waits");
    drop(lock);
    other.join().unwrap().unwrap();
    assert!(keys.exists("other.json").unwrap());
}

#[test]
fn a_lock_that_is_no_file_of_ours_is_refused() {
    let (parent, keystore) = keystore();
    let lock = keystore.path().join("keys").join(LOCK);
    std::fs::remove_file(&lock).unwrap();
    std::os::unix::fs::symlink(parent.path().join("elsewhere"), &lock).unwrap();
    refused(keystore.create_key("other"), ErrorClass::LocalPermissions, &[".lock", "not a regular file"]);
    assert!(!parent.path().join("elsewhere").exists());
}
