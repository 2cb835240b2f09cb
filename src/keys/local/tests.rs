//! The keystore as its users meet it: keys, files, permissions, and several processes at once.

use super::{
    dir::{Hidden, LOCK, LOCK_WAIT, MAX_FILE, portable},
    *,
};
use crate::keys::{EncryptionContext, KeyProvider, WrappedKey, block_on, new_uuid};

const VOLUME: uuid::Uuid = uuid::uuid!("6ba7b810-9dad-41d1-80b4-00c04fd430c8");

/// A keystore with the key `default`, in a directory that goes with the first value.
fn keystore() -> (tempfile::TempDir, LocalKeystore) {
    let parent = tempfile::tempdir().unwrap();
    let keystore = LocalKeystore::open_or_create(parent.path().join("new/atrest")).unwrap();
    assert!(keystore.ensure_key("default").unwrap());
    (parent, keystore)
}

fn generate(keystore: &LocalKeystore, key: &str) -> Result<WrappedKey, ProviderError> {
    block_on(keystore.generate(key, &EncryptionContext::for_volume(VOLUME)))
}

/// The names of all files in a directory, in order.
fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[track_caller]
fn refused<T>(result: Result<T, ProviderError>, class: ErrorClass, parts: &[&str]) {
    let Err(error) = result else { panic!("not refused") };
    let line = error.to_string();
    assert_eq!(error.class(), class, "{line}");
    assert!(!line.contains('\n') && parts.iter().all(|part| line.contains(part)), "{line}");
}

#[test]
fn keys_are_created_described_and_listed() {
    let (_parent, keystore) = keystore();
    assert!(!keystore.ensure_key("default").unwrap(), "the second time it is there");
    let made = keystore.create_key("Second.key_2-b").unwrap();
    assert_eq!(block_on(keystore.describe("Second.key_2-b")).unwrap(), made);
    assert_eq!((made.provider.as_str(), made.key.as_str()), ("local", "Second.key_2-b"));
    assert!(made.created.unwrap() > 1_700_000_000);
    assert_ne!(made.material, block_on(keystore.describe("default")).unwrap().material);
    refused(keystore.create_key("default"), ErrorClass::KeyExists, &["default", "another name"]);
    std::fs::write(keystore.path().join("keys/.default.json.left.new"), "").unwrap();
    std::fs::write(keystore.path().join("keys/notes.txt"), "").unwrap();
    assert_eq!(keystore.list().unwrap(), ["Second.key_2-b", "default"]);
    let again = LocalKeystore::open(keystore.path()).unwrap();
    assert_eq!(again, keystore);
}

#[test]
fn root_keys_go_round() {
    let (_parent, keystore) = keystore();
    let [a, b] = [(); 2].map(|()| generate(&keystore, "default").unwrap());
    assert_ne!(a.wrapped, b.wrapped);
    let [first, again, other] = [&a, &a, &b].map(|wrapped| block_on(keystore.unwrap(wrapped)).unwrap());
    assert_eq!(first.expose(), again.expose());
    assert_ne!(first.expose(), other.expose());
    let material = block_on(keystore.describe("default")).unwrap().material;
    assert_eq!((a.provider.as_str(), a.key.as_str(), a.material), ("local", "default", material));
}

#[test]
fn every_flipped_bit_is_refused() {
    let (_parent, keystore) = keystore();
    let wrapped = generate(&keystore, "default").unwrap();
    for bit in 0..wrapped.wrapped.len() * 8 {
        let mut forged = wrapped.clone();
        forged.wrapped[bit / 8] ^= 1 << (bit % 8);
        // The version is in front; the rest is for the cipher to find.
        let class = if bit < 8 { ErrorClass::Malformed } else { ErrorClass::ContextMismatchOrCorrupt };
        refused(block_on(keystore.unwrap(&forged)), class, &["default"]);
    }
    for length in [0, 1, 60] {
        let mut cut = wrapped.clone();
        cut.wrapped.truncate(length);
        refused(block_on(keystore.unwrap(&cut)), ErrorClass::Malformed, &["61 bytes"]);
    }
    let mut long = wrapped;
    long.wrapped.push(0);
    refused(block_on(keystore.unwrap(&long)), ErrorClass::Malformed, &["not 62"]);
}

#[test]
fn a_wrapping_does_not_move() {
    let (_parent, keystore) = keystore();
    keystore.create_key("other").unwrap();
    let wrapped = generate(&keystore, "default").unwrap();
    let with = |change: &dyn Fn(&mut WrappedKey)| {
        let mut wrapped = wrapped.clone();
        change(&mut wrapped);
        block_on(keystore.unwrap(&wrapped))
    };
    let elsewhere = EncryptionContext::for_volume(uuid::Uuid::nil());
    refused(
        with(&|wrapped| wrapped.context = elsewhere.clone()),
        ErrorClass::ContextMismatchOrCorrupt,
        &["another volume"],
    );
    refused(with(&|wrapped| wrapped.key = "other".into()), ErrorClass::WrongKey, &["material"]);
    refused(
        with(&|wrapped| wrapped.key = "none".into()),
        ErrorClass::KeyNotFound,
        &["none", "the keystore that has it"],
    );
    refused(with(&|wrapped| wrapped.key = "../keys/default".into()), ErrorClass::KeyName, &["../keys"]);
    refused(with(&|wrapped| wrapped.material = None), ErrorClass::Malformed, &["material"]);
    refused(with(&|wrapped| wrapped.provider = "aws".into()), ErrorClass::Malformed, &["aws:default"]);
    // The file copied under another name is not that other key either.
    let keys = keystore.path().join("keys");
    std::fs::copy(keys.join("default.json"), keys.join("copy.json")).unwrap();
    refused(with(&|wrapped| wrapped.key = "copy".into()), ErrorClass::Malformed, &["another key"]);
}

const ID: &str = "0b0e4c4e-7d0f-4f4a-9d0c-6d1f2a3b4c5d";
const KEY: &str = "gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydnp8=";

/// A key file with this version, name and list of materials.
fn key_file(version: &str, name: &str, materials: &str) -> String {
    format!(
        r#"{{"version":{version},"name":"{name}","created":1,"current":"{ID}","materials":[{materials}]}}"#
    )
}

fn material(id: &str, key: &str) -> String {
    format!(r#"{{"id":"{id}","created":1,"key":"{key}"}}"#)
}

fn put(keystore: &LocalKeystore, name: &str, text: &[u8]) {
    let path = keystore.path().join("keys").join(format!("{name}.json"));
    std::fs::write(&path, text).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

/// A wrapping of the bytes 0 to 31 that AESGCMSIV of Python's `cryptography` made, with associated data put
/// together there. The key has a newer material, as after a rotation.
#[test]
fn an_independent_wrapping_opens() {
    const WRAPPED: &str = "01404142434445464748494a4b64d4298ca1f2bad5211a04e870501d499463e48bdc9deead\
                           7cd08edfec8f61fc40c97e2f1919189905c2ff1a0b5a51c0";
    let (_parent, keystore) = keystore();
    let newer = material("newer", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    let file = key_file("1", "default", &format!("{},{newer}", material(ID, KEY)));
    put(
        &keystore,
        "default",
        file.replace(&format!("\"current\":\"{ID}\""), "\"current\":\"newer\"").as_bytes(),
    );
    let wrapped = WRAPPED.as_bytes().chunks(2).map(|hex| std::str::from_utf8(hex).unwrap());
    let wrapped = WrappedKey {
        provider: "local".into(),
        key: "default".into(),
        material: Some(ID.into()),
        context: EncryptionContext::for_volume(VOLUME),
        wrapped: wrapped.map(|hex| u8::from_str_radix(hex, 16).unwrap()).collect(),
    };
    let root = block_on(keystore.unwrap(&wrapped)).unwrap();
    assert_eq!(*root.expose(), core::array::from_fn(|i| i as u8));
    assert_eq!(generate(&keystore, "default").unwrap().material.as_deref(), Some("newer"));
}

#[test]
fn hostile_key_files_are_refused_without_showing_keys() {
    let (_parent, keystore) = keystore();
    let good = key_file("1", "bad", &material(ID, KEY));
    put(&keystore, "bad", good.as_bytes());
    generate(&keystore, "bad").unwrap();

    let many: Vec<String> = (0..257).map(|i| material(&i.to_string(), KEY)).collect();
    let texts = [
        String::new(),
        "null".into(),
        "[".repeat(60_000),
        good.replace("\"version\":1", "\"version\":3"),
        good.replace("\"current\"", "\"state\":\"disabled\",\"current\""),
        good.replace("\"version\":1", "\"version\":2,\"state\":\"enabled\""),
        good.replace("\"version\":1", &format!("\"version\":2,\"state\":\"{KEY}\"")),
        good.replace("\"version\":1", "\"version\":2,\"state\":\"disabled\",\"deletion\":1"),
        good.replace("\"version\":1", "\"version\":2,\"state\":\"pending-deletion\""),
        good.replace("\"version\":1", "\"version\":2,\"deletion\":1"),
        good.replace("\"version\":1", "\"version\":2,\"state\":null,\"state\":null"),
        key_file("18446744073709551616", "bad", &material(ID, KEY)),
        key_file(&format!("\"{KEY}\""), "bad", &material(ID, KEY)),
        key_file("1", KEY, &material(ID, KEY)),
        key_file("1", "bad", ""),
        key_file("1", "bad", &material("another", KEY)),
        key_file("1", "bad", &format!("{0},{0}", material(ID, KEY))),
        key_file("1", "bad", &many.join(",")),
        key_file("1", "bad", &material("", KEY)),
        key_file("1", "bad", &material(ID, &KEY[..40])),
        key_file("1", "bad", &material(ID, &KEY.replace('=', ""))),
        // The last character has bits that belong to no byte.
        key_file("1", "bad", &material(ID, &KEY.replace("8=", "9="))),
        key_file("1", "bad", &material(ID, &format!("AAAA{KEY}"))),
        key_file("1", "bad", &material(ID, &KEY.replace('g', "\\u0067"))),
        good.replace("\"created\":1,\"key\"", &format!("\"created\":\"{KEY}\",\"key\"")),
        good.replace("\"created\"", &format!("\"{KEY}\"")),
        good.replace("\"name\"", "\"name\":\"bad\",\"name\""),
        format!("{good}{good}"),
        format!("{good}{}", " ".repeat(MAX_FILE)),
    ];
    for (i, text) in texts.iter().enumerate() {
        put(&keystore, "bad", text.as_bytes());
        let Err(error) = generate(&keystore, "bad") else { panic!("case {i} is not refused") };
        assert_eq!(error.class(), ErrorClass::Malformed, "case {i}: {error}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(&KEY[..8]) && shown.contains("bad.json"), "case {i}: {shown}");
    }
    for length in 0..good.len() {
        put(&keystore, "bad", &good.as_bytes()[..length]);
        refused(generate(&keystore, "bad"), ErrorClass::Malformed, &["backup"]);
    }
    put(&keystore, "bad", &[0xff; 100]);
    refused(generate(&keystore, "bad"), ErrorClass::Malformed, &["line 1"]);
    refused(keystore.ensure_key("bad"), ErrorClass::Malformed, &["bad.json"]);
}

#[test]
fn a_missing_keystore_is_not_made_by_opening_it() {
    let parent = tempfile::tempdir().unwrap();
    let home = parent.path().join("none");
    refused(LocalKeystore::open(&home), ErrorClass::LocalIo, &["no keystore", "none"]);
    assert!(!home.exists());
    std::fs::write(&home, "").unwrap();
    refused(LocalKeystore::open_or_create(&home), ErrorClass::LocalIo, &["none"]);
}

#[cfg(unix)]
#[test]
fn the_plain_directory_keeps_the_same_rules() {
    let parent = tempfile::tempdir().unwrap();
    let home = parent.path().join("home");
    assert!(portable::KeyDir::open(&home).is_err() && portable::KeyDir::open_home(&home).is_err());
    std::fs::create_dir(&home).unwrap();
    assert!(portable::KeyDir::open(&home).unwrap().is_none());
    let keys = portable::KeyDir::create(&home).unwrap();
    assert!(portable::KeyDir::open(&home).unwrap().is_some());
    assert!(!keys.exists("a.json").unwrap() && keys.read("a.json").unwrap().is_none());
    assert_eq!(portable::KeyDir::open_home(&home).unwrap().files().unwrap(), ["keys"]);
    let lock = keys.lock(LOCK_WAIT).unwrap();
    assert!(keys.publish(&lock, "a.json", b"first").unwrap());
    assert!(!keys.publish(&lock, "a.json", b"second").unwrap());
    keys.sync().unwrap();
    assert!(keys.exists("a.json").unwrap());
    assert_eq!(keys.read("a.json").unwrap().unwrap().as_slice(), b"first");
    keys.writable().unwrap();
    keys.replace(&lock, "a.json", b"third").unwrap();
    assert_eq!(keys.read("a.json").unwrap().unwrap().as_slice(), b"third");
    std::fs::write(keys.path().join(".b.json.0.new"), b"cut off").unwrap();
    std::fs::write(keys.path().join(".c.json.0.erased"), b"cut off").unwrap();
    assert!(keys.erase(&lock, "a.json").unwrap());
    assert!(!keys.erase(&lock, "a.json").unwrap());
    drop(lock);
    let mut lock = keys.lock(LOCK_WAIT).unwrap();
    assert!(lock.leftovers.finished("c.json").unwrap() && !lock.leftovers.finished("b.json").unwrap());
    assert_eq!(keys.files().unwrap(), [".lock"], "no temporary file is left");
    std::fs::write(keys.path().join("large"), vec![b' '; MAX_FILE + 1]).unwrap();
    refused(keys.read("large"), ErrorClass::Malformed, &["longer than 65536"]);
}

mod life;
mod passphrases;
mod scratch;
mod settings;
mod together;

#[cfg(unix)]
mod permissions;
#[cfg(unix)]
mod updates;

#[test]
fn temporary_names_are_unique_and_no_key_names() {
    for hidden in [Hidden::Spare, Hidden::Erased] {
        let [a, b] = [(); 2].map(|()| hidden.name("default.json").unwrap());
        assert_ne!(a, b);
        assert_eq!(Hidden::of(&a), Some((hidden, "default.json")));
        assert!(!is_name(&a));
    }
    assert!(Hidden::of(LOCK).is_none() && Hidden::of("default.json").is_none());
    assert_ne!(new_uuid().unwrap(), new_uuid().unwrap());
    assert_eq!(new_uuid().unwrap().get_version_num(), 4);
}
