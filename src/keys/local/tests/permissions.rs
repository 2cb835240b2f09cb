//! Whatever other users could read, write or have put there is refused.

use super::*;
use std::process::Command;
use std::{
    fs::{metadata, set_permissions},
    os::unix::fs::{PermissionsExt, chown, symlink},
};

fn mode(path: &Path) -> u32 {
    metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

#[test]
fn new_files_are_private() {
    let (_parent, keystore) = keystore();
    let home = keystore.path();
    assert_eq!([home.parent().unwrap(), home, &home.join("keys")].map(mode), [0o700; 3]);
    assert_eq!(mode(&home.join("keys/default.json")), 0o600);
}

#[test]
fn anything_open_to_others_is_refused_with_the_remedy() {
    let (_parent, keystore) = keystore();
    let wrapped = generate(&keystore, "default").unwrap();
    for (part, right) in [("", 0o700), ("keys", 0o700), ("keys/default.json", 0o600)] {
        let path = keystore.path().join(part);
        let path = path.components().collect::<PathBuf>();
        for extra in [0o040, 0o020, 0o010, 0o004, 0o002, 0o001, 0o055] {
            set_mode(&path, right | extra);
            let (found, remedy) = (format!("mode {:04o}", right | extra), format!("chmod {right:o}"));
            let parts = [path.to_str().unwrap(), found.as_str(), remedy.as_str()];
            refused(block_on(keystore.unwrap(&wrapped)), ErrorClass::LocalPermissions, &parts);
            refused(generate(&keystore, "default"), ErrorClass::LocalPermissions, &parts);
            refused(keystore.ensure_key("default"), ErrorClass::LocalPermissions, &parts);
            if right == 0o700 {
                refused(LocalKeystore::open(keystore.path()), ErrorClass::LocalPermissions, &parts);
                refused(LocalKeystore::open_or_create(keystore.path()), ErrorClass::LocalPermissions, &parts);
                refused(keystore.create_key("new"), ErrorClass::LocalPermissions, &parts);
                refused(keystore.list(), ErrorClass::LocalPermissions, &parts);
            }
        }
        set_mode(&path, right);
    }
    block_on(keystore.unwrap(&wrapped)).unwrap();
    assert!(!keystore.path().join("keys/new.json").exists());
}

#[test]
fn nothing_is_made_in_a_home_that_others_reach() {
    let parent = tempfile::tempdir().unwrap();
    let home = parent.path().join("open");
    std::fs::create_dir(&home).unwrap();
    set_mode(&home, 0o755);
    refused(LocalKeystore::open_or_create(&home), ErrorClass::LocalPermissions, &["0755", "chmod 700"]);
    assert_eq!(std::fs::read_dir(&home).unwrap().count(), 0);
}

#[test]
fn links_and_other_kinds_of_file_are_refused() {
    let (_parent, keystore) = keystore();
    let keys = keystore.path().join("keys");
    symlink(keys.join("default.json"), keys.join("link.json")).unwrap();
    symlink(keys.join("nowhere"), keys.join("dangling.json")).unwrap();
    std::fs::create_dir(keys.join("directory.json")).unwrap();
    set_mode(&keys.join("directory.json"), 0o700);
    assert!(Command::new("mkfifo").arg(keys.join("fifo.json")).status().unwrap().success());
    set_mode(&keys.join("fifo.json"), 0o600);
    for name in ["link", "dangling", "directory", "fifo"] {
        refused(generate(&keystore, name), ErrorClass::LocalPermissions, &[name, "not a regular file"]);
        refused(keystore.ensure_key(name), ErrorClass::LocalPermissions, &[name, "not a regular file"]);
    }
    // A link in the place of the directory; a link to the whole keystore is its owner's business.
    let outer = keystore.path().with_extension("link");
    symlink(keystore.path(), &outer).unwrap();
    generate(&LocalKeystore::open(&outer).unwrap(), "default").unwrap();
    std::fs::rename(&keys, keys.with_extension("moved")).unwrap();
    symlink(keys.with_extension("moved"), &keys).unwrap();
    refused(generate(&keystore, "default"), ErrorClass::LocalPermissions, &["keys", "not a directory"]);
}

/// Only the superuser can give files away; for others there is nothing to test.
#[test]
fn files_of_other_users_are_refused() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let (_parent, keystore) = keystore();
    for part in ["keys/default.json", "keys", ""] {
        let path = keystore.path().join(part);
        chown(&path, Some(12345), None).unwrap();
        let parts = ["12345", "this process runs as 0"];
        refused(generate(&keystore, "default"), ErrorClass::LocalPermissions, &parts);
        chown(&path, Some(0), None).unwrap();
    }
    generate(&keystore, "default").unwrap();
}
