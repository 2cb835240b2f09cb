//! An attacker who writes the disk: headers that somebody exchanged, and what is expected of them.
#![cfg(feature = "volume")]

mod common;

use atrest::Code;
use atrest::keys::{
    Class, Envelope, Expect, KeyRef, LocalKeystore, Pin, Providers, Uuid, block_on, new_uuid,
};
use atrest::volume::{
    CreateOptions, DestroyError, DestroyOptions, Header, HeaderBackup, Mode, OpenError, RestoreError,
    SectorCipher, Volume, WrappingChange,
};
use base64ct::{Base64, Encoding as _};
use common::{Place, edited, header_of, json_of, new_file, put_header, read_all, read_only, read_write};

fn pin_of(place: &Place, name: &str) -> Pin {
    Header::read(&read_only(&place.path(name))).unwrap().0.pin().unwrap().unwrap()
}

fn open(place: &Place, name: &str, expect: &Expect, mode: Mode) -> Result<Volume, OpenError> {
    Volume::open(read_write(&place.path(name)), &place.providers(), expect, mode)
}

/// The header of `from` on the disk of `to`.
fn transplant(place: &Place, from: &str, to: &str) {
    put_header(&place.path(to), &header_of(&place.path(from)));
}

/// The header with another UUID, wherever it stands.
fn renamed(header: &[u8], from: Uuid, to: Uuid) -> Vec<u8> {
    let json = json_of(header).to_string().replace(&from.to_string(), &to.to_string());
    let mut header = header.to_vec();
    for copy in header.chunks_mut(common::COPY) {
        copy[168..204].copy_from_slice(to.to_string().as_bytes());
    }
    common::with_json(&header, json.as_bytes())
}

/// The header of another volume under the same key: authentic, and not the one that was pinned.
#[test]
fn the_header_of_another_volume_is_refused_under_a_pin_before_a_key_is_asked_for() {
    let place = Place::new();
    place.volume_of("shared", b"for somebody", 4096);
    place.volume_of("payroll", b"for nobody else", 4096);
    let pin = pin_of(&place, "payroll");
    assert_eq!(
        read_all(&open(&place, "payroll", &Expect::pin(pin), Mode::ReadWrite).unwrap()),
        b"for nobody else"
    );
    transplant(&place, "shared", "payroll");
    // Whoever expects anything, or the key alone, gets the other one.
    let key: KeyRef = "local:default".parse().unwrap();
    open(&place, "payroll", &Expect::key(key.clone()), Mode::ReadWrite).unwrap();
    assert!(!Expect::key(key.clone()).vouches() && Expect::any().and_key(key.clone()).vouches());
    let expect = Expect::pin(pin).and_key(key);
    for mode in [Mode::ReadOnly, Mode::ReadWrite] {
        // No provider at all: it is refused without one.
        let file = read_write(&place.path("payroll"));
        let error = Volume::open(file, &Providers::new(), &expect, mode).unwrap_err();
        assert!(matches!(error, OpenError::Unexpected(_)), "{error}");
        assert_eq!(error.code(), Code::Unexpected);
    }
    let change = WrappingChange::Renew { slot: 0 };
    let file = read_write(&place.path("payroll"));
    let error = Volume::change_wrappings(&file, change, &place.providers(), &expect).unwrap_err();
    assert_eq!(error.code(), Code::Unexpected);
    // Nor with keys that somebody holds already, nor as a cipher without I/O, nor out of a backup.
    let (header, _) = Header::read(&file).unwrap();
    let any = Expect::any();
    let keys = block_on(header.envelope().unwrap().unwrap().open(&place.providers(), &any)).unwrap().keys;
    let opened = Volume::open_with_keys(read_only(&place.path("payroll")), &keys, &expect, Mode::ReadOnly);
    assert_eq!(opened.unwrap_err().code(), Code::Unexpected);
    assert_eq!(SectorCipher::new(&header, &keys, &expect).unwrap_err().code(), Code::Unexpected);
    let (backup, _) = HeaderBackup::take(&file).unwrap();
    let error = backup.restore(&file, &expect, true).unwrap_err();
    assert!(matches!(error, RestoreError::Unexpected(_)), "{error}");
}

/// Under the same UUID, which anybody can write, a volume made anew under the victim's own key.
#[test]
fn a_volume_made_anew_under_the_uuid_is_refused_under_the_pin() {
    let place = Place::new();
    place.volume_of("v", b"content", 4096);
    let pin = pin_of(&place, "v");
    let create = Envelope::create(&place.keystore, "default", pin.volume(), Class::Persistent);
    let (envelope, keys) = block_on(create).unwrap();
    Volume::create(new_file(&place.path("w")), &CreateOptions::new(7), envelope, &keys).unwrap();
    transplant(&place, "w", "v");
    open(&place, "v", &Expect::volume(pin.volume()), Mode::ReadWrite).unwrap();
    let error = open(&place, "v", &Expect::pin(pin), Mode::ReadWrite).unwrap_err();
    assert!(error.to_string().contains("another root key than the pin says"), "{error}");
}

/// Slots of rubbish that name the expected key, in front of one under a key of the attacker's: the key that opens is the
/// expected one, or none is.
#[test]
fn only_the_key_that_opens_satisfies_an_expectation() {
    let place = Place::new();
    place.keystore.ensure_key("attacker").unwrap();
    place.volume_of("v", b"content", 4096);
    let change = WrappingChange::Rewrap { slot: 0, provider: "local", key: "attacker" };
    let file = read_write(&place.path("v"));
    Volume::change_wrappings(&file, change, &place.providers(), &Expect::any()).unwrap();
    let header = header_of(&place.path("v"));
    let forged = edited(&header, |json| {
        let slots = json["tokens"]["0"]["envelope"]["slots"].as_array_mut().unwrap();
        let mut rubbish = slots[0].clone();
        rubbish["key"] = "default".into();
        slots.insert(0, rubbish);
    });
    put_header(&place.path("v"), &forged);
    // It opens, by the other key, for those who expect nothing; and they can know.
    let volume = open(&place, "v", &Expect::any(), Mode::ReadOnly).unwrap();
    assert_eq!((volume.slot(), volume.slot_failures().len()), (Some(1), 1));
    assert_eq!((volume.slot_failures()[0].slot, &*volume.slot_failures()[0].key), (0, "default"));
    let error =
        open(&place, "v", &Expect::key("local:default".parse().unwrap()), Mode::ReadWrite).unwrap_err();
    assert!(matches!(&error, OpenError::NoSlotOpened(tried) if tried.failures.len() == 1), "{error}");
    // A choice of the slot is none of the key.
    let error = open(&place, "v", &Expect::any().only_slot(0), Mode::ReadOnly).unwrap_err();
    assert!(matches!(&error, OpenError::NoSlotOpened(_)), "{error}");
    let error = open(&place, "v", &Expect::any().only_slot(2), Mode::ReadOnly).unwrap_err();
    assert_eq!(error.code(), Code::Slot);
    open(&place, "v", &Expect::any().only_slot(1), Mode::ReadOnly).unwrap();
}

/// An older token has no digest under its code.
#[test]
fn the_volume_key_that_opens_is_the_one_of_the_digest() {
    let place = Place::new();
    let keys = place.volume_of("v", b"content", 4096);
    let sound = header_of(&place.path("v"));
    // As `cryptsetup reencrypt` leaves it: the digest is another key's.
    let other = place.volume_of("w", b"", 4096);
    assert_ne!(keys.xts_key(), other.xts_key());
    let digest = json_of(&header_of(&place.path("w")))["digests"]["0"].clone();
    let reencrypted = edited(&sound, |json| json["digests"]["0"] = digest.clone());
    put_header(&place.path("v"), &reencrypted);
    for mode in [Mode::ReadOnly, Mode::ReadWrite] {
        let error = open(&place, "v", &Expect::any(), mode).unwrap_err();
        assert!(matches!(error, OpenError::Reencrypted(_)), "{error}");
        assert_eq!(error.code(), Code::Reencrypted);
    }
    let change = WrappingChange::Renew { slot: 0 };
    let file = read_write(&place.path("v"));
    let error = Volume::change_wrappings(&file, change, &place.providers(), &Expect::any()).unwrap_err();
    assert_eq!(error.code(), Code::Reencrypted);
    // A digest that the right key has as well, and nobody made who has the root key.
    let weaker = edited(&sound, |json| {
        let salt = Base64::decode_vec(json["digests"]["0"]["salt"].as_str().unwrap()).unwrap();
        let mut digest = [0; 32];
        pbkdf2::pbkdf2_hmac::<sha2::Sha256>(keys.xts_key(), &salt, 1001, &mut digest);
        json["digests"]["0"]["iterations"] = 1001.into();
        json["digests"]["0"]["digest"] = Base64::encode_string(&digest).into();
    });
    put_header(&place.path("v"), &weaker);
    let error = open(&place, "v", &Expect::any(), Mode::ReadOnly).unwrap_err();
    assert!(matches!(error, OpenError::Forged(_)), "{error}");
}

/// A header names a scratch volume that is another one, or is persistent and says that it is scratch.
#[test]
fn destroying_takes_the_key_that_is_there() {
    let place = Place::new();
    let scratch = |name: &str| {
        let uuid = new_uuid().unwrap();
        let (envelope, keys) = place.keystore.create_scratch(uuid, None).unwrap();
        Volume::create(new_file(&place.path(name)), &CreateOptions::new(7), envelope, &keys).unwrap();
        uuid
    };
    let (a, b) = (scratch("a"), scratch("b"));
    place.volume_of("keep", b"content", 4096);
    let destroy = |name: &str, options: &DestroyOptions| {
        let file = read_write(&place.path(name));
        Volume::destroy(&file, Some(&place.keystore), &place.providers(), options)
    };
    let any = DestroyOptions::new(Expect::any());
    // a says that it is b: UUIDs alone.
    let sound = header_of(&place.path("a"));
    let forged = renamed(&sound, a, b);
    put_header(&place.path("a"), &forged);
    let error = destroy("a", &any).unwrap_err();
    assert!(matches!(error, DestroyError::NotAuthenticated(_)), "{error}");
    assert!(block_on(open_any(&place, "b")).is_ok());
    put_header(&place.path("a"), &sound);
    // Not the expected one.
    let error = destroy("a", &DestroyOptions::new(Expect::volume(b))).unwrap_err();
    assert!(matches!(error, DestroyError::Unexpected(_)), "{error}");
    let destroyed = destroy("a", &DestroyOptions::new(Expect::volume(a))).unwrap();
    assert!(destroyed.authenticated && destroyed.key_erased);
    // A persistent volume that says it is scratch.
    let keep = pin_of(&place, "keep").volume();
    let header = header_of(&place.path("keep"));
    let forged = edited(&header, |json| {
        let envelope = &mut json["tokens"]["0"]["envelope"];
        envelope["class"] = "scratch".into();
        envelope["slots"][0]["key"] = LocalKeystore::scratch_key_name(keep).into();
    });
    put_header(&place.path("keep"), &forged);
    destroy("keep", &any).unwrap_err();
    put_header(&place.path("keep"), &header);
    assert_eq!(read_all(&open(&place, "keep", &Expect::any(), Mode::ReadOnly).unwrap()), b"content");
    // Neither a note of a destruction nor a header without a token says which volume it is.
    let mut note = vec![0; 32768];
    let text = format!("atrest: this volume was destroyed\nuuid {b}\nclass scratch\narea 16777216\n");
    note[..text.len()].copy_from_slice(text.as_bytes());
    let stripped = edited(&renamed(&header, keep, b), |json| json["tokens"] = serde_json::json!({}));
    for (what, forged) in [("note", &note), ("no token", &stripped)] {
        put_header(&place.path("keep"), forged);
        let error = destroy("keep", &any.clone().force(true)).unwrap_err();
        assert!(matches!(error, DestroyError::NotAuthenticated(_)), "{what}: {error}");
        assert!(block_on(open_any(&place, "b")).is_ok());
    }
    put_header(&place.path("keep"), &header);
    // One that says it is persistent has no key of its own erased, whatever its UUID is.
    let forged = renamed(&header, keep, b);
    put_header(&place.path("keep"), &forged);
    let forced = any.clone().force(true);
    assert!(matches!(destroy("keep", &forced).unwrap_err(), DestroyError::NotAuthenticated(_)));
    assert!(block_on(open_any(&place, "b")).is_ok());
    // But whoever names b means it.
    let destroyed = destroy("keep", &forced.uuid(Some(b))).unwrap();
    assert!(!destroyed.authenticated && destroyed.key_erased);
}

async fn open_any(place: &Place, name: &str) -> Result<(), OpenError> {
    Volume::open_async(read_only(&place.path(name)), &place.providers(), &Expect::any(), Mode::ReadOnly)
        .await
        .map(drop)
}

/// Words, as a settings file has them.
#[test]
fn expectations_are_read_from_words_and_refused_by_word() {
    let place = Place::new();
    place.volume_of("v", b"content", 4096);
    let pin = pin_of(&place, "v");
    let read = |text: &str| text.parse::<Expect>();
    let text = format!("# made on monday\n{pin}   key=local:default # ours\n provider=local");
    assert_eq!(
        read(&text).unwrap(),
        Expect::pin(pin).and_key("local:default".parse().unwrap()).and_provider("local")
    );
    open(&place, "v", &read(&text).unwrap(), Mode::ReadWrite).unwrap();
    assert_eq!(read("any").unwrap(), Expect::any());
    // Only a pin and that word say which volume may be written.
    let default: KeyRef = "local:default".parse().unwrap();
    assert_eq!(read("key=local:default any").unwrap(), Expect::any().and_key(default.clone()));
    assert_eq!(read("key=local:default").unwrap(), Expect::key(default));
    for (text, vouches) in
        [("any", true), ("provider=local any", true), ("provider=local", false), (&*pin.to_string(), true)]
    {
        assert_eq!(read(text).unwrap().vouches(), vouches, "{text}");
    }
    assert!(!read(&format!("volume={}", pin.volume())).unwrap().vouches());
    // A slot is chosen beside what is expected, or beside "any".
    assert_eq!(read(&format!("slot=1 {pin}")).unwrap(), Expect::pin(pin).only_slot(1));
    let first = read("any slot=0").unwrap();
    assert_eq!(first, Expect::any().only_slot(0));
    assert_eq!(open(&place, "v", &first, Mode::ReadWrite).unwrap().slot(), Some(0));
    let error = open(&place, "v", &read("any slot=1").unwrap(), Mode::ReadOnly).unwrap_err();
    assert_eq!(error.code(), Code::Slot);
    for (text, why) in [
        ("", "empty"),
        ("# only a comment", "empty"),
        (&*format!("any {pin}"), "in place of pins"),
        ("6f1f6d9e-56a1-4e0a-9f1c-0c5a2f2b7c11", "UUID:COMMITMENT:VERSION"),
        ("volume=6f1f", "no UUID"),
        ("key=default", "SCHEME:KEY"),
        ("account=", "nothing stands behind"),
        ("colour=blue", "no expectation"),
        // That alone would allow anything.
        ("slot=0", "empty"),
        ("any slot=first", "no number of a slot"),
        ("any slot=0 slot=1", "one slot is chosen already"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.to_string().contains(why), "{text}: {error}");
        assert_eq!(error.code(), Code::Expectation);
    }
    for (expect, why) in [
        ("key=local:other", "under local:default, and key local:other is expected"),
        ("account=111122223333", "account 111122223333 is expected"),
        ("provider=aws provider=transit", "provider aws or provider transit is expected"),
    ] {
        let error = open(&place, "v", &read(expect).unwrap(), Mode::ReadOnly).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn a_pin_has_one_text() {
    let pin = Pin::new(new_uuid().unwrap(), [0xfb; 32], 3);
    let text = pin.to_string();
    assert_eq!(text.len(), 82);
    assert_eq!(text.parse::<Pin>().unwrap(), pin);
    let upper = text[..36].to_uppercase();
    for other in [
        format!("{upper}{}", &text[36..]),
        format!(" {text}"),
        format!("{text}0 "),
        text.replace(":3", ":03"),
        text.replace(":3", ":-3"),
        text.replace(":3", ":4294967296"),
        text.replace(":3", "="),
        text.replacen(':', "", 1),
        format!("{}=:3", &text[..80]),
    ] {
        assert!(other.parse::<Pin>().is_err(), "{other}");
    }
}
