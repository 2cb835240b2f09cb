//! Keys under a passphrase, and files of such keys that somebody changed.

use super::*;
use crate::keys::{KeyAdmin, KeyState};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// As cheap as Argon2id can be.
fn cheap() -> PassphraseCost {
    PassphraseCost::new(8, 1, 1).unwrap()
}

fn passphrase(text: &str) -> Passphrase {
    Passphrase::copy(text.as_bytes()).unwrap()
}

/// The same keystore, with this passphrase for all keys.
fn knowing(keystore: &LocalKeystore, text: &str) -> LocalKeystore {
    let known = passphrase(text);
    keystore.clone().with_passphrase(move |_| Ok(known.clone()))
}

fn file_of(keystore: &LocalKeystore, name: &str) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(keystore.path().join(format!("keys/{name}.json"))).unwrap())
        .unwrap()
}

/// A keystore with the key `k` under the passphrase "right".
fn guarded() -> (tempfile::TempDir, LocalKeystore) {
    let (parent, keystore) = keystore();
    let made = keystore.create_key_with_passphrase("k", &passphrase("right"), cheap()).unwrap();
    assert_eq!(made.passphrase, Some(true));
    (parent, keystore)
}

#[test]
fn a_key_opens_with_its_passphrase_alone() {
    let (_parent, keystore) = guarded();
    let right = knowing(&keystore, "right");
    let wrapped = generate(&right, "k").unwrap();
    block_on(right.unwrap(&wrapped)).unwrap();
    for wrong in ["wrong", "righ", "right ", "Right"] {
        let refusal = block_on(knowing(&keystore, wrong).unwrap(&wrapped));
        refused(refusal, ErrorClass::WrongPassphrase, &["local key k", "not the passphrase"]);
    }
    refused(block_on(keystore.unwrap(&wrapped)), ErrorClass::PassphraseRequired, &["local key k"]);
    refused(generate(&keystore, "k"), ErrorClass::PassphraseRequired, &["local key k"]);
    // What needs no key needs no passphrase.
    assert_eq!(block_on(keystore.describe("k")).unwrap().passphrase, Some(true));
    assert_eq!(block_on(keystore.describe("default")).unwrap().passphrase, Some(false));
    assert_eq!(keystore.list().unwrap(), ["default", "k"]);
    generate(&right, "default").unwrap();
    assert!(!format!("{right:?} {:?}", passphrase("right")).contains("right"));
}

#[test]
fn a_source_is_asked_by_name_and_its_errors_are_passed_on() {
    let (_parent, keystore) = guarded();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let keystore = keystore.with_passphrase(move |name| {
        assert_eq!(name, "k");
        counter.fetch_add(1, Ordering::Relaxed);
        Err(ProviderError::new(ErrorClass::Unreachable, "the vault is closed"))
    });
    refused(generate(&keystore, "k"), ErrorClass::Unreachable, &["the vault is closed"]);
    refused(block_on(keystore.rotate("k")), ErrorClass::Unreachable, &["the vault is closed"]);
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    generate(&keystore, "default").unwrap();
    block_on(keystore.describe("k")).unwrap();
    // Nobody is asked for a key that cannot be used anyway.
    block_on(keystore.set_enabled("k", false)).unwrap();
    refused(generate(&keystore, "k"), ErrorClass::KeyDisabled, &["k"]);
    refused(block_on(keystore.rotate("k")), ErrorClass::KeyDisabled, &["k"]);
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[test]
fn the_file_holds_no_key_in_the_clear() {
    let (_parent, keystore) = keystore();
    let key = file_of(&keystore, "default")["materials"][0]["key"].as_str().unwrap().to_owned();
    keystore.set_passphrase("default", Some((&passphrase("right"), cheap()))).unwrap();
    let text = std::fs::read_to_string(keystore.path().join("keys/default.json")).unwrap();
    assert!(!text.contains(&key) && !text.contains("right"));
    let file = file_of(&keystore, "default");
    assert_eq!((&file["version"], &file["passphrase"]["kdf"]), (&2.into(), &"argon2id".into()));
    // Back again, the key is the same.
    knowing(&keystore, "right").set_passphrase("default", None).unwrap();
    let file = file_of(&keystore, "default");
    assert_eq!((&file["version"], &file["materials"][0]["key"]), (&1.into(), &key.into()));
}

#[test]
fn passphrases_are_set_changed_and_removed() {
    let (_parent, keystore) = keystore();
    let wrapped = generate(&keystore, "default").unwrap();
    let before = std::fs::read(keystore.path().join("keys/default.json")).unwrap();
    keystore.set_passphrase("default", Some((&passphrase("one"), cheap()))).unwrap();
    let one = knowing(&keystore, "one");
    block_on(one.rotate("default")).unwrap();
    let newer = generate(&one, "default").unwrap();
    refused(
        knowing(&keystore, "two").set_passphrase("default", Some((&passphrase("two"), cheap()))),
        ErrorClass::WrongPassphrase,
        &["default"],
    );
    refused(keystore.set_passphrase("default", None), ErrorClass::PassphraseRequired, &["default"]);
    refused(block_on(keystore.rotate("default")), ErrorClass::PassphraseRequired, &["default"]);
    let salt = file_of(&keystore, "default")["passphrase"]["salt"].clone();
    one.set_passphrase("default", Some((&passphrase("two"), PassphraseCost::new(64, 2, 2).unwrap())))
        .unwrap();
    assert_ne!(file_of(&keystore, "default")["passphrase"]["salt"], salt);
    let two = knowing(&keystore, "two");
    for wrapped in [&wrapped, &newer] {
        block_on(two.unwrap(wrapped)).unwrap();
        refused(block_on(one.unwrap(wrapped)), ErrorClass::WrongPassphrase, &["default"]);
    }
    // Its state is kept, and needs no passphrase.
    block_on(keystore.set_enabled("default", false)).unwrap();
    two.set_passphrase("default", None).unwrap();
    assert_eq!(block_on(keystore.describe("default")).unwrap().state, KeyState::Disabled);
    block_on(keystore.set_enabled("default", true)).unwrap();
    for wrapped in [&wrapped, &newer] {
        block_on(keystore.unwrap(wrapped)).unwrap();
    }
    // And the old file, from a backup, is as it was.
    put(&keystore, "default", &before);
    block_on(keystore.unwrap(&wrapped)).unwrap();
}

/// Made by Python: Argon2id, HKDF-Expand by hmac, and AESGCMSIV of `cryptography`; the passphrase is not ASCII.
#[test]
fn an_independent_file_opens() {
    const FILE: &str = r#"{"version":2,"name":"default","created":1,"passphrase":{"kdf":"argon2id","memory_kib":64,
        "passes":2,"lanes":2,"salt":"AAECAwQFBgcICQoLDA0ODw==","check":"wB9MbPAppr9i5bsRKN85bUFZU583qq7Cvx4U0jPMvNY="},
        "current":"0b0e4c4e-7d0f-4f4a-9d0c-6d1f2a3b4c5d","materials":[{"id":"0b0e4c4e-7d0f-4f4a-9d0c-6d1f2a3b4c5d",
        "created":1,"key":"QEFCQ0RFRkdISUpLlyZWDb1xsy4rVUrhPEWjZSy2Y5Dm536BVbLtU+Q4PQjrsh3dzJ5sDD92Fv3+6cXK"}]}"#;
    let (_parent, keystore) = keystore();
    put(&keystore, "default", FILE.as_bytes());
    knowing(&keystore, "pässword").set_passphrase("default", None).unwrap();
    assert_eq!(file_of(&keystore, "default")["materials"][0]["key"], KEY);
}

#[test]
fn every_changed_field_is_noticed() {
    let (_parent, keystore) = guarded();
    let right = knowing(&keystore, "right");
    block_on(right.rotate("k")).unwrap();
    let good = file_of(&keystore, "k");
    let old = good["materials"][0]["id"].clone();
    let other = {
        keystore.create_key_with_passphrase("l", &passphrase("right"), cheap()).unwrap();
        file_of(&keystore, "l")
    };
    type Change<'a> = &'a dyn Fn(&mut serde_json::Value);
    let changes: [(&str, Change<'_>); 8] = [
        ("an older material is made the current one", &|file| file["current"] = old.clone()),
        ("a material is taken away", &|file| drop(file["materials"].as_array_mut().unwrap().remove(0))),
        ("a time", &|file| file["created"] = 7.into()),
        ("a material's time", &|file| file["materials"][0]["created"] = 7.into()),
        ("the materials change places", &|file| file["materials"].as_array_mut().unwrap().reverse()),
        ("the keys change places", &|file| {
            let keys = [0, 1].map(|i| file["materials"][i]["key"].clone());
            (file["materials"][0]["key"], file["materials"][1]["key"]) = (keys[1].clone(), keys[0].clone());
        }),
        ("an id", &|file| file["materials"][0]["id"] = "another".into()),
        ("a material of another key", &|file| {
            file["materials"][1]["key"] = other["materials"][0]["key"].clone()
        }),
    ];
    for (what, change) in changes {
        let mut file = good.clone();
        change(&mut file);
        put(&keystore, "k", file.to_string().as_bytes());
        let refusal = generate(&right, "k");
        assert_eq!(refusal.as_ref().err().map(ProviderError::class), Some(ErrorClass::Malformed), "{what}");
        refused(refusal, ErrorClass::Malformed, &["k.json", "without its passphrase"]);
    }
    // What belongs to the passphrase makes it another one.
    for (field, value) in [("memory_kib", 16), ("passes", 2)] {
        let mut file = good.clone();
        file["passphrase"][field] = value.into();
        put(&keystore, "k", file.to_string().as_bytes());
        refused(generate(&right, "k"), ErrorClass::WrongPassphrase, &["k"]);
    }
    // The guard taken away leaves no key; nothing of the file is shown.
    let mut file = good.clone();
    file.as_object_mut().unwrap().remove("passphrase");
    put(&keystore, "k", file.to_string().as_bytes());
    refused(generate(&right, "k"), ErrorClass::Malformed, &["32 bytes"]);
    put(&keystore, "k", good.to_string().as_bytes());
    generate(&right, "k").unwrap();
}

#[test]
fn hostile_costs_are_refused_before_any_memory_is_taken() {
    let (_parent, keystore) = guarded();
    let right = knowing(&keystore, "right");
    let good = file_of(&keystore, "k");
    let huge = 100_u64 << 20;
    for (field, value) in [
        ("memory_kib", serde_json::json!(huge)),
        ("memory_kib", (1 << 20 | 1).into()),
        ("memory_kib", u32::MAX.into()),
        ("memory_kib", 7.into()),
        ("memory_kib", 0.into()),
        ("memory_kib", (-1).into()),
        ("passes", 0.into()),
        ("passes", 17.into()),
        ("passes", u32::MAX.into()),
        ("lanes", 0.into()),
        ("lanes", 2.into()),
        ("lanes", 17.into()),
        ("lanes", u64::MAX.into()),
        ("kdf", "argon2i".into()),
        ("kdf", "pbkdf2".into()),
        ("salt", "".into()),
        ("salt", "AAECAwQFBgcICQoLDA0O".into()),
        ("salt", "AAECAwQFBgcICQoLDA0ODxA=".into()),
        ("check", "?".into()),
        ("more", 1.into()),
    ] {
        let mut file = good.clone();
        file["passphrase"][field] = value.clone();
        put(&keystore, "k", file.to_string().as_bytes());
        let refusal = generate(&right, "k");
        assert_eq!(
            refusal.as_ref().err().map(ProviderError::class),
            Some(ErrorClass::Malformed),
            "{field} {value}: {refusal:?}"
        );
        assert!(block_on(keystore.describe("k")).is_err());
    }
    for text in [
        good.to_string().replace("\"passphrase\":{", "\"passphrase\":null,\"passphrase\":{"),
        good.to_string().replace("\"version\":2", "\"version\":1"),
        good.to_string().replace("\"version\":2", "\"version\":3"),
    ] {
        put(&keystore, "k", text.as_bytes());
        refused(generate(&right, "k"), ErrorClass::Malformed, &["k.json"]);
    }
    // The limits themselves are allowed, and the RFC's first recommendation is not.
    for (memory_kib, passes, lanes, fine) in
        [(1 << 20, 16, 16, true), (128, 1, 16, true), (127, 1, 16, false), (1 << 21, 1, 4, false)]
    {
        assert_eq!(PassphraseCost::new(memory_kib, passes, lanes).is_ok(), fine);
    }
}

#[test]
fn passphrases_have_a_length() {
    for length in [0, Passphrase::MAX + 1, 100_000] {
        let mut bytes = vec![b'x'; length];
        let taken = Passphrase::take(&mut bytes);
        refused(taken, ErrorClass::InvalidRequest, &["1 to 1024 bytes", &format!("not {length}")]);
        assert!(bytes.iter().all(|byte| *byte == 0), "wiped all the same");
    }
    let (_parent, keystore) = keystore();
    let long = passphrase(&"x".repeat(Passphrase::MAX));
    keystore.create_key_with_passphrase("long", &long, cheap()).unwrap();
    generate(&knowing(&keystore, &"x".repeat(Passphrase::MAX)), "long").unwrap();
    let shorter = knowing(&keystore, &"x".repeat(Passphrase::MAX - 1));
    refused(generate(&shorter, "long"), ErrorClass::WrongPassphrase, &["long"]);
    assert!(passphrase("a") == passphrase("a") && passphrase("a") != passphrase("b"));
}
