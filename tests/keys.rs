//! Envelopes from outside: made, stored, read back, opened, and fed with hostile input.
#![cfg(feature = "keys")]

use atrest::keys::{
    BoxFuture, Class, EncryptionContext, Envelope, EnvelopeCreateError, EnvelopeFormatError,
    EnvelopeOpenError, ErrorClass, Expect, HeaderKey, KeyDescription, KeyProvider, LocalKeystore,
    NoSlotOpened, ProviderError, Providers, RootKey, Uuid, VolumeKeys, WrappedKey, block_on, new_uuid,
};
use proptest::prelude::*;
use serde_json::{Value, json};

const VOLUME: &str = "6ba7b810-9dad-41d1-80b4-00c04fd430c8";

fn volume() -> Uuid {
    VOLUME.parse().unwrap()
}

fn keystore() -> (tempfile::TempDir, LocalKeystore) {
    let parent = tempfile::tempdir().unwrap();
    let keystore = LocalKeystore::open_or_create(parent.path().join("atrest")).unwrap();
    keystore.ensure_key("default").unwrap();
    (parent, keystore)
}

fn create(provider: &dyn KeyProvider, class: Class) -> Result<(Envelope, VolumeKeys), EnvelopeCreateError> {
    block_on(Envelope::create(provider, "default", volume(), class))
}

/// A valid document, as a value to be changed.
fn document() -> Value {
    json!({
        "version": 1,
        "volume": VOLUME,
        "class": "persistent",
        "commitment": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "slots": [{
            "provider": "local",
            "key": "default",
            "material": "m-1",
            "context": { "atrest:version": "1", "atrest:volume": VOLUME },
            "wrapped": "AAECAw==",
        }],
    })
}

fn read(document: &Value) -> Result<Envelope, EnvelopeFormatError> {
    Envelope::from_json(document.to_string().as_bytes())
}

#[test]
fn an_envelope_opens_after_storage() {
    let (_parent, keystore) = keystore();
    for class in [Class::Persistent, Class::Scratch] {
        let made = match class {
            Class::Scratch => keystore.create_scratch(volume(), None),
            _ => create(&keystore, class),
        };
        let (envelope, keys) = made.unwrap();
        assert_eq!((envelope.volume(), envelope.class()), (volume(), class));
        assert_eq!(envelope.commitment(), &keys.commitment());
        let stored = envelope.to_json();
        let read = Envelope::from_json(stored.as_bytes()).unwrap();
        assert_eq!(read, envelope);
        assert_eq!(read.to_json(), stored);
        let opened = block_on(read.open(&Providers::new().with(keystore.clone()), &Expect::any())).unwrap();
        let opened = opened.keys;
        assert_eq!(opened.xts_key(), keys.xts_key());
        for key in [HeaderKey::First, HeaderKey::Third] {
            let code = keys.authenticate(key, stored.as_bytes());
            assert!(read.is_for(&opened) && opened.verify(key, stored.as_bytes(), &code));
        }
    }
}

/// The text is part of the format: headers authenticate it, so it must not change from one build to another.
#[test]
fn the_text_is_fixed() {
    let mut value = document();
    let expected = format!(
        r#"{{"version":1,"volume":"{VOLUME}","class":"persistent","commitment":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=","slots":[{{"provider":"local","key":"default","material":"m-1","context":{{"atrest:version":"1","atrest:volume":"{VOLUME}"}},"wrapped":"AAECAw=="}}]}}"#
    );
    let envelope = read(&value).unwrap();
    assert_eq!(envelope.to_json(), expected);
    // Other tools may write it with spaces, in another order, and with slashes escaped.
    let pretty = serde_json::to_string_pretty(&value).unwrap();
    assert_eq!(Envelope::from_json(pretty.as_bytes()).unwrap().to_json(), expected);
    let escaped = expected.replace("default", "a\\/b");
    assert_eq!(Envelope::from_json(escaped.as_bytes()).unwrap().to_json(), escaped.replace("\\/", "/"));

    value["slots"][0].as_object_mut().unwrap().remove("material");
    let without = expected.replace(r#""material":"m-1","#, "");
    assert_eq!(read(&value).unwrap().to_json(), without);
    value["class"] = "scratch".into();
    value["slots"][0]["key"] = format!("scratch-{VOLUME}").into();
    let scratch = without.replace("persistent", "scratch").replace("default", &format!("scratch-{VOLUME}"));
    assert_eq!(read(&value).unwrap().to_json(), scratch);
    assert_eq!(envelope.slots()[0].wrapped, [0, 1, 2, 3]);
}

#[test]
fn hostile_documents_are_refused() {
    type Edit<'a> = (&'a str, &'a dyn Fn(&mut Value));
    let edits: &[Edit] = &[
        ("no version", &|d| drop(d.as_object_mut().unwrap().remove("version"))),
        ("version of another type", &|d| d["version"] = "1".into()),
        ("fractional version", &|d| d["version"] = 1.0.into()),
        ("unknown field", &|d| d["extra"] = 1.into()),
        ("unknown slot field", &|d| d["slots"][0]["extra"] = 1.into()),
        ("unknown class", &|d| d["class"] = "temporary".into()),
        ("upper-case UUID", &|d| d["volume"] = VOLUME.to_uppercase().into()),
        ("UUID without hyphens", &|d| d["volume"] = VOLUME.replace('-', "").into()),
        ("UUID in braces", &|d| d["volume"] = format!("{{{VOLUME}}}").into()),
        ("short commitment", &|d| d["commitment"] = "AAECAw==".into()),
        ("no slots", &|d| d["slots"] = json!([])),
        ("slots of another type", &|d| d["slots"] = json!({})),
        ("a slot given twice", &|d| {
            let mut slot = d["slots"][0].clone();
            slot["wrapped"] = "AAAA".into();
            d["slots"].as_array_mut().unwrap().push(slot);
        }),
        ("nine slots", &|d| {
            let slot = |i| {
                let mut slot = document()["slots"][0].clone();
                slot["material"] = format!("m-{i}").into();
                slot
            };
            d["slots"] = (0..9).map(slot).collect();
        }),
        ("no provider", &|d| d["slots"][0]["provider"] = "".into()),
        ("long provider", &|d| d["slots"][0]["provider"] = "p".repeat(33).into()),
        ("odd provider", &|d| d["slots"][0]["provider"] = "Local".into()),
        ("no key", &|d| d["slots"][0]["key"] = "".into()),
        ("long key", &|d| d["slots"][0]["key"] = "k".repeat(2049).into()),
        ("key with a line end", &|d| d["slots"][0]["key"] = "a\nb".into()),
        ("null material", &|d| d["slots"][0]["material"] = Value::Null),
        ("empty material", &|d| d["slots"][0]["material"] = "".into()),
        ("long material", &|d| d["slots"][0]["material"] = "m".repeat(129).into()),
        ("no context", &|d| drop(d["slots"][0].as_object_mut().unwrap().remove("context"))),
        ("empty context", &|d| d["slots"][0]["context"] = json!({})),
        ("another volume's context", &|d| {
            d["slots"][0]["context"]["atrest:volume"] = Uuid::nil().to_string().into();
        }),
        ("another version's context", &|d| d["slots"][0]["context"]["atrest:version"] = "2".into()),
        ("a larger context", &|d| d["slots"][0]["context"]["more"] = "1".into()),
        ("no wrapped key", &|d| d["slots"][0]["wrapped"] = "".into()),
        ("base64 without padding", &|d| d["slots"][0]["wrapped"] = "AAECAw".into()),
        ("base64 with stray bits", &|d| d["slots"][0]["wrapped"] = "AAECAx==".into()),
        ("base64 for URLs", &|d| d["slots"][0]["wrapped"] = "__-_".into()),
        ("base64 with a line end", &|d| d["slots"][0]["wrapped"] = "AAEC\nAw==".into()),
        ("long wrapped key", &|d| d["slots"][0]["wrapped"] = "A".repeat(8196).into()),
    ];
    for (what, edit) in edits {
        let mut document = document();
        edit(&mut document);
        let Err(error) = read(&document) else { panic!("accepted: {what}") };
        assert!(
            matches!(error, EnvelopeFormatError::Json(_) | EnvelopeFormatError::Field { .. }),
            "{what}: {error}"
        );
        let line = error.to_string();
        assert!(line.len() < 400 && !line.contains('\n'), "{what}: {line}");
        assert_eq!(error.code(), atrest::Code::Envelope);
    }
}

#[test]
fn hostile_texts_are_refused() {
    let text = document().to_string();
    for length in 0..text.len() {
        assert!(Envelope::from_json(&text.as_bytes()[..length]).is_err(), "cut at {length}");
    }
    let twice = |field: &str| text.replacen(field, &format!("{field},{field}"), 1);
    let provider = r#""provider":"local""#;
    let class = r#""class":"persistent""#;
    let pair = r#""atrest:version":"1""#;
    let version = r#""version":1"#;
    for field in [provider, class, pair, version] {
        assert!(
            text.contains(field)
                && matches!(Envelope::from_json(twice(field).as_bytes()), Err(EnvelopeFormatError::Json(_))),
            "{field}"
        );
    }
    for text in [
        "[".repeat(Envelope::MAX_JSON),
        "{\"version\":".repeat(5_000),
        format!("{{\"version\":1,\"{}\":1}}", "\\n".repeat(30_000)),
        format!("{text}{text}"),
        text.replace("default", "\u{0}"),
    ] {
        let line = Envelope::from_json(text.as_bytes()).unwrap_err().to_string();
        assert!(line.len() < 400 && !line.contains(char::is_control), "{line}");
    }
    let invalid = [text.as_bytes(), &[0xff]].concat();
    assert!(matches!(Envelope::from_json(&invalid), Err(EnvelopeFormatError::Json(_))));
}

#[test]
fn the_longest_document_is_read_and_no_longer_one() {
    let text = document().to_string();
    let padded = |length| format!("{text}{}", " ".repeat(length - text.len()));
    assert!(Envelope::from_json(padded(Envelope::MAX_JSON).as_bytes()).is_ok());
    let error = Envelope::from_json(padded(Envelope::MAX_JSON + 1).as_bytes()).unwrap_err();
    assert!(matches!(error, EnvelopeFormatError::TooLong(65537)), "{error}");
}

#[test]
fn other_versions_are_named_whatever_else_they_hold() {
    for version in [0, 2, u64::MAX] {
        let document = json!({ "version": version, "new": [1, { "b": null }] });
        match read(&document) {
            Err(EnvelopeFormatError::Version(found)) => assert_eq!(found, version),
            other => panic!("{other:?}"),
        }
    }
}

/// A provider whose answers can be wrong: it "wraps" a root key by giving its first byte.
#[derive(Clone, Default)]
struct Fake {
    edit: Option<fn(&mut WrappedKey)>,
    fails: Option<ErrorClass>,
}

impl KeyProvider for Fake {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn generate<'a>(
        &'a self,
        key: &'a str,
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<WrappedKey, ProviderError>> {
        Box::pin(async move {
            let mut wrapped = WrappedKey {
                provider: "fake".into(),
                key: key.into(),
                material: None,
                context: context.clone(),
                wrapped: vec![7],
            };
            self.edit.inspect(|edit| edit(&mut wrapped));
            Ok(wrapped)
        })
    }

    fn unwrap<'a>(&'a self, wrapped: &'a WrappedKey) -> BoxFuture<'a, Result<RootKey, ProviderError>> {
        Box::pin(async move {
            match self.fails {
                Some(class) => Err(ProviderError::new(class, "the fake failed")),
                None => Ok(RootKey::take(&mut [wrapped.wrapped[0]; 32])?),
            }
        })
    }

    fn describe<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<KeyDescription, ProviderError>> {
        Box::pin(async move { Ok(KeyDescription::new("fake", key)) })
    }
}

#[test]
fn wrong_answers_of_a_provider_make_no_envelope() {
    let edits: [fn(&mut WrappedKey); 6] = [
        |wrapped| wrapped.provider = "other".into(),
        |wrapped| wrapped.context = EncryptionContext::for_volume(Uuid::nil()),
        |wrapped| wrapped.key = String::new(),
        |wrapped| wrapped.key = "two\nlines".into(),
        |wrapped| wrapped.material = Some("m".repeat(129)),
        |wrapped| wrapped.wrapped = vec![7; Envelope::MAX_WRAPPED + 1],
    ];
    for edit in edits {
        let error = create(&Fake { edit: Some(edit), fails: None }, Class::Persistent).unwrap_err();
        assert_eq!(error.class(), Some(ErrorClass::Malformed), "{error}");
        assert!(error.to_string().contains("fake"), "{error}");
    }
    let denied = Fake { edit: None, fails: Some(ErrorClass::NotAuthorised) };
    let error = create(&denied, Class::Persistent).unwrap_err();
    assert_eq!(
        error.class(),
        Some(ErrorClass::NotAuthorised),
        "a key that cannot be unwrapped makes no envelope"
    );
    create(&Fake::default(), Class::Persistent).unwrap();
}

#[test]
fn slots_are_tried_in_order_and_each_failure_is_told() {
    let (envelope, keys) = create(&Fake::default(), Class::Persistent).unwrap();
    let (_parent, keystore) = keystore();
    let (local, _) = create(&keystore, Class::Persistent).unwrap();
    // A second slot, in front, whose provider may be missing or whose root key is another.
    let mut document: Value = serde_json::from_str(&envelope.to_json()).unwrap();
    let front: Value = serde_json::from_str(&local.to_json()).unwrap();
    document["slots"].as_array_mut().unwrap().insert(0, front["slots"][0].clone());
    let both = read(&document).unwrap();

    for providers in [
        Providers::new().with(Fake::default()),
        Providers::new().with(Fake::default()).with(keystore.clone()),
    ] {
        let opened = block_on(both.open(&providers, &Expect::any())).unwrap();
        assert_eq!(opened.keys.xts_key(), keys.xts_key());
        assert_eq!((opened.slot, opened.failures.len(), opened.failures[0].slot), (1, 1, 0));
    }

    let denied = Fake { edit: None, fails: Some(ErrorClass::KeyDisabled) };
    let error =
        block_on(both.open(&Providers::new().with(denied).with(keystore), &Expect::any())).unwrap_err();
    let EnvelopeOpenError::NoSlotOpened(NoSlotOpened { volume: of, failures, .. }) = &error else {
        panic!("{error}");
    };
    assert_eq!(*of, volume());
    let classes: Vec<_> = failures.iter().map(|failure| failure.error.class()).collect();
    assert_eq!(classes, [ErrorClass::WrongKey, ErrorClass::KeyDisabled]);
    assert_eq!(error.class(), Some(ErrorClass::WrongKey));
    let line = error.to_string();
    for part in [VOLUME, "local:default: ", "fake:default: the fake failed"] {
        assert!(line.contains(part), "{line}");
    }

    let error = block_on(both.open(&Providers::new(), &Expect::any())).unwrap_err();
    assert_eq!(error.class(), Some(ErrorClass::Unreachable), "{error}");
}

#[test]
fn a_commitment_that_does_not_fit_opens_nothing() {
    let (envelope, _) = create(&Fake::default(), Class::Persistent).unwrap();
    let providers = Providers::new().with(Fake::default());
    let document: Value = serde_json::from_str(&envelope.to_json()).unwrap();
    block_on(read(&document).unwrap().open(&providers, &Expect::any())).unwrap();

    let mut other_commitment = document.clone();
    other_commitment["commitment"] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".into();
    let mut other_root = document.clone();
    other_root["slots"][0]["wrapped"] = "CA==".into();
    // The volume replaced everywhere: what the derived keys depend on is caught as well.
    let other_volume = document.to_string().replace(VOLUME, &new_uuid().unwrap().to_string());
    let other_volume = serde_json::from_str(&other_volume).unwrap();
    for document in [other_commitment, other_root, other_volume] {
        let error = block_on(read(&document).unwrap().open(&providers, &Expect::any())).unwrap_err();
        assert_eq!(error.class(), Some(ErrorClass::WrongKey), "{error}");
    }
}

#[test]
fn an_envelope_copied_to_another_volume_does_not_open() {
    let (_parent, keystore) = keystore();
    let (envelope, _) = create(&keystore, Class::Persistent).unwrap();
    let forged = envelope.to_json().replace(VOLUME, &new_uuid().unwrap().to_string());
    let forged = Envelope::from_json(forged.as_bytes()).unwrap();
    let error = block_on(forged.open(&Providers::new().with(keystore), &Expect::any())).unwrap_err();
    assert_eq!(error.class(), Some(ErrorClass::ContextMismatchOrCorrupt), "{error}");
}

#[test]
fn debug_shows_no_secret() {
    let (_parent, keystore) = keystore();
    let (envelope, keys) = create(&Fake::default(), Class::Persistent).unwrap();
    let root = RootKey::take(&mut [0xa5; 32]).unwrap();
    let providers = Providers::new().with(keystore.clone());
    let shown = format!("{root:?} {keys:?} {providers:?} {keystore:?}");
    assert!(shown.starts_with(r#"RootKey(..) VolumeKeys(..) {"local"} LocalKeystore"#), "{shown}");
    // What an envelope shows is what it stores, and no derived key is among it.
    let shown = format!("{envelope:?}");
    let list = format!("{:?}", keys.xts_key());
    assert!(!shown.contains(&list[1..20]) && shown.contains(VOLUME), "{shown}");
}

fn slot() -> impl Strategy<Value = (String, String, Option<String>, Vec<u8>)> {
    let material = proptest::option::of("[!-~]{1,128}");
    ("[a-z0-9-]{1,32}", "[!-~]{1,200}", material, proptest::collection::vec(any::<u8>(), 1..300))
}

fn base64(bytes: &[u8]) -> String {
    use base64ct::Encoding;
    base64ct::Base64::encode_string(bytes)
}

proptest! {
    /// Whatever the fields hold, an envelope that is read says it again, in the same bytes each time.
    #[test]
    fn json_goes_round(id: [u8; 16], scratch: bool, commitment: [u8; 32], mut slots in proptest::collection::vec(slot(), 1..9)) {
        let id = Uuid::from_bytes(id);
        if scratch {
            slots.truncate(1);
        }
        let slots: Vec<Value> = slots.iter().enumerate().map(|(i, (provider, key, material, wrapped))| {
            let mut slot = json!({
                "provider": if scratch { "local" } else { provider },
                "key": if scratch { format!("scratch-{id}") } else { format!("{i}{key}") },
                "context": { "atrest:version": "1", "atrest:volume": id.to_string() },
                "wrapped": base64(wrapped),
            });
            if let Some(material) = material {
                slot["material"] = material.as_str().into();
            }
            slot
        }).collect();
        let value = json!({
            "version": 1,
            "volume": id.to_string(),
            "class": if scratch { "scratch" } else { "persistent" },
            "commitment": base64(&commitment),
            "slots": slots,
        });
        let envelope = read(&value).unwrap();
        let text = envelope.to_json();
        prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        prop_assert_eq!(envelope.volume(), id);
        prop_assert_eq!(envelope.commitment(), &commitment);
        let again = Envelope::from_json(text.as_bytes()).unwrap();
        prop_assert_eq!(again.to_json(), text);
        prop_assert_eq!(again, envelope);
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        prop_assert!(Envelope::from_json(&bytes).is_err());
    }

    /// Edits of a valid document reach deeper than random bytes; what is still accepted is canonical once written.
    #[test]
    fn edited_documents_never_panic(edits in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>(), 0..3), 1..6)) {
        let mut bytes = document().to_string().into_bytes();
        for (at, byte, what) in edits {
            let at = at.index(bytes.len());
            match what {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        if let Ok(envelope) = Envelope::from_json(&bytes) {
            let text = envelope.to_json();
            prop_assert_eq!(Envelope::from_json(text.as_bytes()).unwrap(), envelope);
        }
    }
}
