//! Keys of scratch volumes: one for each, for nothing else, and gone with it.

use super::*;
use crate::keys::{
    Class, Envelope, EnvelopeChangeError, EnvelopeCreateError, EnvelopeFormatError, EnvelopeOpenError,
    Expect, KeyAdmin, NoSlotOpened, PassphraseCost, Providers, WrongClass,
};
use std::io::Read as _;

const NAME: &str = "scratch-6ba7b810-9dad-41d1-80b4-00c04fd430c8";

fn opens(envelope: &Envelope, keystore: &LocalKeystore) -> Result<(), NoSlotOpened> {
    let opened = block_on(envelope.open(&Providers::new().with(keystore.clone()), &Expect::any()));
    opened.map(drop).map_err(|error| match error {
        EnvelopeOpenError::NoSlotOpened(error) => error,
        EnvelopeOpenError::Unexpected(error) => panic!("{error}"),
    })
}

#[test]
fn a_scratch_key_lives_and_goes_with_its_volume() {
    let (_parent, keystore) = keystore();
    let path = Path::new("/var/tmp/a \"100%\"\n\u{e9}\\volume");
    let (envelope, _) = keystore.create_scratch(VOLUME, Some(path)).unwrap();
    assert_eq!((envelope.class(), envelope.volume(), envelope.slots().len()), (Class::Scratch, VOLUME, 1));
    assert_eq!((envelope.slots()[0].provider.as_str(), envelope.slots()[0].key.as_str()), ("local", NAME));
    opens(&envelope, &keystore).unwrap();

    // No key for others to choose, yet none that is hidden.
    assert_eq!(keystore.list().unwrap(), ["default"]);
    assert_eq!(block_on(KeyAdmin::list(&keystore)).unwrap().len(), 1);
    let [key] = &keystore.scratch_keys().unwrap()[..] else { panic!("one key") };
    assert_eq!((key.volume, key.name.as_str(), key.path.as_deref()), (VOLUME, NAME, Some(path)));
    assert!(key.created.unwrap() > 1_700_000_000);
    let about = block_on(keystore.describe(NAME)).unwrap().description.unwrap();
    assert!(about.contains(&VOLUME.to_string()) && about.contains("volume"), "{about}");
    let again = keystore.create_scratch(VOLUME, None).unwrap_err();
    assert_eq!(again.class(), Some(ErrorClass::KeyExists));
    opens(&envelope, &keystore).unwrap();

    let file = std::fs::File::open(keystore.path().join("keys").join(format!("{NAME}.json"))).unwrap();
    assert!(keystore.destroy_scratch(VOLUME).unwrap());
    let mut held = Vec::new();
    (&file).read_to_end(&mut held).unwrap();
    assert!(held.len() > 100 && held.iter().all(|byte| *byte == 0));
    assert_eq!(names(&keystore.path().join("keys")), [".lock", "default.json"]);
    let error = opens(&envelope, &keystore).unwrap_err();
    assert_eq!(error.class(), Some(ErrorClass::KeyNotFound));
    let line = error.to_string();
    assert!(line.contains("was destroyed") && line.contains("another keystore"), "{line}");
    assert!(!keystore.destroy_scratch(VOLUME).unwrap(), "the second time it is gone already");
    // Another key of that name is another key.
    keystore.create_scratch(VOLUME, None).unwrap();
    assert!(opens(&envelope, &keystore).is_err());
}

#[test]
fn nothing_but_its_own_volume_comes_under_a_scratch_key() {
    let (_parent, keystore) = keystore();
    let (scratch, _) = keystore.create_scratch(VOLUME, None).unwrap();
    let other = new_uuid().unwrap();
    let foreign = block_on(keystore.generate(NAME, &EncryptionContext::for_volume(other)));
    refused(foreign, ErrorClass::InvalidRequest, &[NAME, "destroyed with it"]);
    refused(
        block_on(keystore.generate(NAME, &EncryptionContext::new())),
        ErrorClass::InvalidRequest,
        &[NAME],
    );
    let made = |key: &str, volume, class| block_on(Envelope::create(&keystore, key, volume, class)).map(drop);
    // By its own key, but of the other class; by another key, or another volume's.
    assert!(matches!(
        made(NAME, VOLUME, Class::Persistent),
        Err(EnvelopeCreateError::Class(WrongClass::ScratchKey { .. }))
    ));
    assert!(matches!(
        made("default", VOLUME, Class::Scratch),
        Err(EnvelopeCreateError::Class(WrongClass::Scratch { .. }))
    ));
    assert!(matches!(
        made(NAME, other, Class::Scratch),
        Err(EnvelopeCreateError::Class(WrongClass::Scratch { .. }))
    ));

    let providers = Providers::new().with(keystore.clone());
    for key in ["default", NAME] {
        let changed = [
            block_on(scratch.rewrap(0, "local", key, &providers, &Expect::any())),
            block_on(scratch.add_slot("local", key, &providers, &Expect::any())),
        ];
        for changed in changed {
            let error = changed.unwrap_err();
            assert!(
                matches!(error, EnvelopeChangeError::Class(WrongClass::Scratch { volume }) if volume == VOLUME),
                "{error}"
            );
        }
    }
    assert!(matches!(scratch.remove_slot(0), Err(EnvelopeChangeError::Class(WrongClass::Scratch { .. }))));
    let (persistent, _) = block_on(Envelope::create(&keystore, "default", other, Class::Persistent)).unwrap();
    let own = LocalKeystore::scratch_key_name(other);
    for key in [NAME, &own] {
        let moved = block_on(persistent.rewrap(0, "local", key, &providers, &Expect::any()));
        assert!(matches!(moved, Err(EnvelopeChangeError::Class(WrongClass::ScratchKey { .. }))));
        let added = block_on(persistent.add_slot("local", key, &providers, &Expect::any()));
        assert!(matches!(added, Err(EnvelopeChangeError::Class(WrongClass::ScratchKey { .. }))));
    }

    // Nor is a document read that says otherwise.
    let text = scratch.to_json();
    let slot = &text[text.find("[{").unwrap() + 1..text.find("]}").unwrap()];
    let second = slot.replace("\"material\":\"", "\"material\":\"x");
    for (from, to) in [
        (slot.to_owned(), format!("{slot},{second}")),
        ("\"local\"".into(), "\"aws\"".into()),
        (NAME.into(), "default".into()),
        (NAME.into(), own),
        ("\"scratch\"".into(), "\"persistent\"".into()),
    ] {
        let document = text.replace(&from, &to);
        assert_ne!(document, text);
        let read = Envelope::from_json(document.as_bytes());
        assert!(matches!(read, Err(EnvelopeFormatError::Field { .. })), "{from} {to}: {read:?}");
    }
}

#[test]
fn the_care_of_other_keys_is_none_for_these() {
    let (_parent, keystore) = keystore();
    let (envelope, _) = keystore.create_scratch(VOLUME, None).unwrap();
    let passphrase = Passphrase::copy(b"words").unwrap();
    let guard = Some((&passphrase, PassphraseCost::default()));
    let before = std::fs::read(keystore.path().join("keys").join(format!("{NAME}.json"))).unwrap();
    for refusal in [
        block_on(keystore.rotate(NAME)),
        block_on(keystore.set_rotation(NAME, true, None)),
        block_on(keystore.schedule_deletion(NAME, None)).map(drop),
        block_on(keystore.cancel_deletion(NAME)),
        block_on(keystore.purge(NAME)),
        keystore.set_passphrase(NAME, guard),
    ] {
        refused(refusal, ErrorClass::InvalidRequest, &["is destroyed", &VOLUME.to_string()]);
    }
    assert_eq!(std::fs::read(keystore.path().join("keys").join(format!("{NAME}.json"))).unwrap(), before);
    block_on(keystore.set_enabled(NAME, false)).unwrap();
    assert_eq!(opens(&envelope, &keystore).unwrap_err().class(), Some(ErrorClass::KeyDisabled));
    block_on(keystore.set_enabled(NAME, true)).unwrap();
    opens(&envelope, &keystore).unwrap();

    for name in [NAME, &NAME.to_uppercase(), &format!("scratch-{}", VOLUME.simple())] {
        refused(keystore.create_key(name), ErrorClass::KeyName, &["is made with it", "another name"]);
        refused(keystore.ensure_key(name), ErrorClass::KeyName, &[name]);
        let key = format!("local:{name}").parse().unwrap();
        refused(keystore.set_default_key(Some(&key)), ErrorClass::KeyName, &[name]);
    }
    keystore.create_key("scratch-").unwrap();
    keystore.create_key("scratch-pad").unwrap();
}

/// The file says more than other keys' files, and what it says is bounded by the same rules.
#[test]
fn files_of_scratch_keys_are_checked() {
    let (_parent, keystore) = keystore();
    keystore.create_scratch(VOLUME, Some(Path::new("/v"))).unwrap();
    let path = keystore.path().join("keys").join(format!("{NAME}.json"));
    let good = std::fs::read_to_string(&path).unwrap();
    assert!(good.contains("\"version\":2") && good.contains("\"volume_path\":\"/v\""), "{good}");
    let plain = good.replace("\"version\":2", "\"version\":1");
    for bad in [plain, good.replace("/v\"", "/v\",\"state\":\"x\""), good.replace(NAME, "default")] {
        std::fs::write(&path, bad).unwrap();
        refused(generate(&keystore, NAME), ErrorClass::Malformed, &[NAME]);
        // It stays in sight, and can be destroyed.
        let [key] = &keystore.scratch_keys().unwrap()[..] else { panic!("one key") };
        assert_eq!((&key.path, key.created), (&None, None));
    }
    assert!(keystore.destroy_scratch(VOLUME).unwrap());
    // A plain key tells no path.
    let default = keystore.path().join("keys/default.json");
    let text = std::fs::read_to_string(&default).unwrap();
    let text = text
        .replace("\"version\":1", "\"version\":2")
        .replace("\"current\"", "\"volume_path\":\"/v\",\"current\"");
    std::fs::write(&default, text).unwrap();
    refused(generate(&keystore, "default"), ErrorClass::Malformed, &["scratch volume"]);
}

#[cfg(unix)]
#[test]
fn all_names_of_its_file_lose_the_key() {
    let (parent, keystore) = keystore();
    keystore.create_scratch(VOLUME, None).unwrap();
    let backup = parent.path().join("backup.json");
    std::fs::hard_link(keystore.path().join("keys").join(format!("{NAME}.json")), &backup).unwrap();
    assert!(keystore.destroy_scratch(VOLUME).unwrap());
    let held = std::fs::read(&backup).unwrap();
    assert!(held.len() > 100 && held.iter().all(|byte| *byte == 0));
}

#[test]
fn paths_come_back_as_they_were() {
    use crate::keys::local::keyfile::round_trip;
    for path in ["/", "/a b", "%41", "a%", "100%25", "\"\\\u{7f}\n", "/\u{e9}\u{1f512}"] {
        assert_eq!(round_trip(Path::new(path)), Path::new(path));
    }
    #[cfg(unix)]
    {
        let path: PathBuf =
            <std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec((1..=255).collect()).into();
        assert_eq!(round_trip(&path), path);
    }
}
