//! Wrappings that change while keys and data stay: rewrapping, and several slots.
#![cfg(feature = "volume")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use atrest::Code;
use atrest::keys::{
    BoxFuture, EncryptionContext, Envelope, EnvelopeChangeError, ErrorClass, Expect, HeaderKey,
    KeyDescription, KeyProvider, ProviderError, Providers, RootKey, VolumeKeys, WrappedKey, block_on,
};
use atrest::volume::{
    Header, HeaderError, Mode, OpenError, SetEnvelopeError, Volume, WrappingChange, WrappingError,
};
use common::{Place, edited, header_of, json_of, put_header, read_all, read_only, read_write};
use serde_json::json;

/// A service that wraps by xor with a byte, which is the key's name, and can rewrap by itself.
#[derive(Clone, Default)]
struct Service {
    unwraps: Arc<AtomicUsize>,
    rewraps: bool,
    /// Its owner lets nobody here decrypt.
    denies: bool,
    edit: Option<fn(&mut WrappedKey)>,
}

impl Service {
    fn pad(key: &str) -> u8 {
        key.bytes().next().unwrap()
    }

    fn wrapped(&self, root: &[u8], key: &str, context: &EncryptionContext) -> WrappedKey {
        let mut wrapped = WrappedKey {
            provider: "fake".into(),
            key: key.into(),
            material: None,
            context: context.clone(),
            wrapped: root.iter().map(|byte| byte ^ Service::pad(key)).collect(),
        };
        self.edit.inspect(|edit| edit(&mut wrapped));
        wrapped
    }

    fn unwraps(&self) -> usize {
        self.unwraps.load(Ordering::Relaxed)
    }
}

impl KeyProvider for Service {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn generate<'a>(
        &'a self,
        key: &'a str,
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<WrappedKey, ProviderError>> {
        Box::pin(async move { Ok(self.wrapped(RootKey::generate()?.expose(), key, context)) })
    }

    fn unwrap<'a>(&'a self, wrapped: &'a WrappedKey) -> BoxFuture<'a, Result<RootKey, ProviderError>> {
        Box::pin(async move {
            self.unwraps.fetch_add(1, Ordering::Relaxed);
            if self.denies {
                return Err(ProviderError::new(ErrorClass::NotAuthorised, "no"));
            }
            let mut root: [u8; 32] = wrapped.wrapped[..].try_into().unwrap();
            root.iter_mut().for_each(|byte| *byte ^= Service::pad(&wrapped.key));
            Ok(RootKey::take(&mut root)?)
        })
    }

    fn describe<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<KeyDescription, ProviderError>> {
        Box::pin(async move { Ok(KeyDescription::new("fake", key)) })
    }

    fn wrap<'a>(
        &'a self,
        root: &'a RootKey,
        key: &'a str,
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<WrappedKey, ProviderError>> {
        Box::pin(async move { Ok(self.wrapped(root.expose(), key, context)) })
    }

    fn rewrap<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        key: &'a str,
    ) -> BoxFuture<'a, Result<WrappedKey, ProviderError>> {
        Box::pin(async move {
            if !self.rewraps {
                return Err(ProviderError::unsupported("fake", "rewrapping"));
            }
            let root: Vec<u8> =
                wrapped.wrapped.iter().map(|byte| byte ^ Service::pad(&wrapped.key)).collect();
            Ok(self.wrapped(&root, key, &wrapped.context))
        })
    }
}

/// A place with the keys default and other, the volume `v` under the first, and its keys.
fn volume() -> (Place, VolumeKeys) {
    let place = Place::new();
    place.keystore.ensure_key("other").unwrap();
    let keys = place.volume_of("v", b"content", 4096);
    (place, keys)
}

fn envelope_of(place: &Place) -> Envelope {
    Header::read(&read_only(&place.path("v"))).unwrap().0.envelope().unwrap().unwrap()
}

fn names(envelope: &Envelope) -> Vec<String> {
    envelope.slots().iter().map(|slot| format!("{}:{}", slot.provider, slot.key)).collect()
}

#[test]
fn a_volume_comes_under_another_key_and_nothing_else_changes() {
    let (place, keys) = volume();
    let path = place.path("v");
    let before = std::fs::read(&path).unwrap();
    let old = envelope_of(&place);
    let change = WrappingChange::Rewrap { slot: 0, provider: "local", key: "other" };
    let changed =
        Volume::change_wrappings(&read_write(&path), change, &place.providers(), &Expect::any()).unwrap();
    assert!(changed.verified && changed.warnings.is_empty());
    let new = envelope_of(&place);
    assert_eq!(names(&new), ["local:other"]);
    assert_eq!((new.volume(), new.class(), new.commitment()), (old.volume(), old.class(), old.commitment()));
    let volume = place.open("v").unwrap();
    assert_eq!((read_all(&volume), volume.header().sequence()), (b"content".to_vec(), 2));
    assert!(new.is_for(&keys));
    let after = std::fs::read(&path).unwrap();
    assert!(before[32768..] == after[32768..], "only the header changes");
    // The old wrapping is in neither copy.
    let wrapped =
        json_of(&before)["tokens"]["0"]["envelope"]["slots"][0]["wrapped"].as_str().unwrap().to_owned();
    let holds = |bytes: &[u8]| bytes.windows(wrapped.len()).any(|window| window == wrapped.as_bytes());
    assert!(holds(&before) && !holds(&after));
    // The old key is of no use any more, and not needed.
    std::fs::remove_file(place.keystore.path().join("keys/default.json")).unwrap();
    assert_eq!(read_all(&place.open("v").unwrap()), b"content");
}

#[test]
fn between_providers_the_root_key_goes_through_secret_memory_and_back_is_the_same() {
    let (place, keys) = volume();
    let path = place.path("v");
    let service = Service { rewraps: true, ..Service::default() };
    let providers = place.providers().with(service.clone());
    let to = |provider, key| {
        let change = WrappingChange::Rewrap { slot: 0, provider, key };
        Volume::change_wrappings(&read_write(&path), change, &providers, &Expect::any()).unwrap()
    };
    let changed = to("fake", "a");
    assert!(changed.verified && changed.proved);
    assert_eq!(service.unwraps(), 1, "the new wrapping was opened before the old one went");
    // Within the service, too: the old one authenticates the header, and the new one opens.
    for unwraps in [3, 5] {
        let changed = to("fake", "b");
        assert!(changed.verified && changed.proved);
        assert_eq!((service.unwraps(), names(&envelope_of(&place))), (unwraps, vec!["fake:b".to_owned()]));
    }
    let volume = Volume::open(read_only(&path), &providers, &Expect::any(), Mode::ReadOnly).unwrap();
    assert_eq!(read_all(&volume), b"content");
    assert!(to("local", "default").verified);
    assert_eq!(read_all(&place.open("v").unwrap()), b"content");
    assert!(envelope_of(&place).is_for(&keys));
}

/// A service that rewraps and decrypts nothing would bring whatever header is there under the new key.
#[test]
fn where_nobody_may_decrypt_only_a_pinned_volume_is_rewrapped() {
    let (place, keys) = volume();
    let path = place.path("v");
    let rewrap = |service: &Service, expect: &Expect, key| {
        let providers = place.providers().with(service.clone());
        let change = WrappingChange::Rewrap { slot: 0, provider: "fake", key };
        Volume::change_wrappings(&read_write(&path), change, &providers, expect)
    };
    rewrap(&Service::default(), &Expect::any(), "a").unwrap();
    let pin = Header::read(&read_only(&path)).unwrap().0.pin().unwrap().unwrap();
    let before = header_of(&path);
    let service = Service { rewraps: true, denies: true, ..Service::default() };
    for expect in [Expect::any(), Expect::volume(pin.volume()).and_provider("fake")] {
        let error = rewrap(&service, &expect, "b").unwrap_err();
        assert!(matches!(error, WrappingError::NotVouchedFor(_)), "{error}");
        assert_eq!(error.code(), Code::NoExpectation);
    }
    assert_eq!(header_of(&path), before);
    let changed = rewrap(&service, &Expect::pin(pin), "b").unwrap();
    assert!(!changed.verified && !changed.proved);
    assert_eq!(names(&envelope_of(&place)), ["fake:b"]);
    assert!(envelope_of(&place).is_for(&keys));
    // The code stays that of the generation before, since nobody here can make another one.
    let generation = |header: &[u8]| json_of(header)["tokens"]["0"]["generation"].clone();
    assert_eq!(generation(&header_of(&path)), generation(&before));
}

#[test]
fn a_bad_answer_leaves_the_header_as_it_was() {
    let (place, _) = volume();
    let before = header_of(&place.path("v"));
    type Edit = fn(&mut WrappedKey);
    let edits: &[(ErrorClass, Edit)] = &[
        (ErrorClass::WrongKey, |wrapped| wrapped.wrapped[0] ^= 1),
        (ErrorClass::Malformed, |wrapped| wrapped.provider = "local".into()),
        (ErrorClass::Malformed, |wrapped| wrapped.context = EncryptionContext::new()),
        (ErrorClass::Malformed, |wrapped| wrapped.wrapped.clear()),
        (ErrorClass::Malformed, |wrapped| wrapped.wrapped = vec![0; 6145]),
        (ErrorClass::Malformed, |wrapped| wrapped.key = "a b".into()),
    ];
    for (class, edit) in edits {
        let providers = place.providers().with(Service { edit: Some(*edit), ..Service::default() });
        for change in [
            WrappingChange::Rewrap { slot: 0, provider: "fake", key: "a" },
            WrappingChange::Add { provider: "fake", key: "a" },
        ] {
            let error =
                Volume::change_wrappings(&read_write(&place.path("v")), change, &providers, &Expect::any())
                    .unwrap_err();
            let WrappingError::Change(error) = error else { panic!("{error}") };
            assert_eq!(error.class(), Some(*class), "{error}");
            assert!(header_of(&place.path("v")) == before);
        }
    }
    let none = WrappingChange::Rewrap { slot: 0, provider: "nobody", key: "a" };
    let error =
        Volume::change_wrappings(&read_write(&place.path("v")), none, &place.providers(), &Expect::any())
            .unwrap_err();
    assert!(error.to_string().contains("nobody"), "{error}");
}

#[test]
fn slots_come_and_go_but_the_last() {
    let (place, _) = volume();
    let path = place.path("v");
    let change = |change: WrappingChange<'_>| {
        Volume::change_wrappings(&read_write(&path), change, &place.providers(), &Expect::any())
    };
    let envelope_error = |result: Result<_, WrappingError>| match result {
        Err(WrappingError::Change(error)) => error,
        other => panic!("{other:?}"),
    };
    assert!(matches!(
        envelope_error(change(WrappingChange::Remove { slot: 0 }).map(|_| ())),
        EnvelopeChangeError::LastSlot
    ));
    change(WrappingChange::Add { provider: "local", key: "other" }).unwrap();
    assert_eq!(names(&envelope_of(&place)), ["local:default", "local:other"]);
    let twice = [
        WrappingChange::Add { provider: "local", key: "default" },
        WrappingChange::Rewrap { slot: 1, provider: "local", key: "default" },
    ];
    for twice in twice {
        let error = envelope_error(change(twice).map(|_| ()));
        assert!(matches!(&error, EnvelopeChangeError::SlotExists { slot: 0, .. }), "{error}");
    }
    for missing in [2, usize::MAX] {
        let error = envelope_error(change(WrappingChange::Remove { slot: missing }).map(|_| ()));
        assert!(matches!(error, EnvelopeChangeError::NoSuchSlot { slots: 2, .. }), "{error}");
        let rewrap = WrappingChange::Rewrap { slot: missing, provider: "local", key: "default" };
        assert!(matches!(envelope_error(change(rewrap).map(|_| ())), EnvelopeChangeError::NoSuchSlot { .. }));
    }
    // Either key opens it alone.
    for key in ["default", "other"] {
        let (from, to) = (place.keystore.path().join(format!("keys/{key}.json")), place.path("away"));
        std::fs::rename(&from, &to).unwrap();
        assert_eq!(read_all(&place.open("v").unwrap()), b"content");
        std::fs::rename(&to, &from).unwrap();
    }
    // Removing takes a key to authenticate the header with, or its pin.
    let pin = Header::read(&read_only(&path)).unwrap().0.pin().unwrap().unwrap();
    let remove = |expect: &Expect| {
        let change = WrappingChange::Remove { slot: 0 };
        Volume::change_wrappings(&read_write(&path), change, &Providers::new(), expect)
    };
    assert!(matches!(
        remove(&Expect::any()),
        Err(WrappingError::Change(EnvelopeChangeError::NoSlotOpened(_)))
    ));
    assert!(!remove(&Expect::pin(pin)).unwrap().verified);
    assert_eq!(names(&envelope_of(&place)), ["local:other"]);
    for i in 0..7 {
        let name = format!("k{i}");
        place.keystore.ensure_key(&name).unwrap();
        change(WrappingChange::Add { provider: "local", key: &name }).unwrap();
    }
    assert!(matches!(
        envelope_error(change(WrappingChange::Add { provider: "local", key: "default" }).map(|_| ())),
        EnvelopeChangeError::Full
    ));
    assert_eq!(read_all(&place.open("v").unwrap()), b"content");
}

#[test]
fn a_header_of_another_root_key_or_a_forged_one_is_not_rewrapped() {
    let (place, _) = volume();
    let path = place.path("v");
    let good = header_of(&path);
    // A wrapping of another root key in the slot: it is given to nobody.
    let other = block_on(
        place.keystore.generate("default", &EncryptionContext::for_volume(envelope_of(&place).volume())),
    );
    let wrapped = base64(&other.unwrap().wrapped);
    put_header(
        &path,
        &edited(&good, |json| json["tokens"]["0"]["envelope"]["slots"][0]["wrapped"] = wrapped.into()),
    );
    let service = Service::default();
    let providers = place.providers().with(service.clone());
    let rewrap = WrappingChange::Rewrap { slot: 0, provider: "fake", key: "a" };
    let error = Volume::change_wrappings(&read_write(&path), rewrap, &providers, &Expect::any()).unwrap_err();
    assert!(
        matches!(&error, WrappingError::Change(error) if error.class() == Some(ErrorClass::WrongKey)),
        "{error}"
    );
    // Where the keys are there, the header is authenticated before it is written again.
    put_header(&path, &edited(&good, |json| json["segments"]["0"]["offset"] = "16781312".into()));
    let before = header_of(&path);
    assert!(matches!(
        Volume::change_wrappings(&read_write(&path), rewrap, &providers, &Expect::any()),
        Err(WrappingError::Forged(_))
    ));
    assert!(header_of(&path) == before);
}

/// The header as version 0.1 of this library first wrote it: its code covers the whole envelope.
fn of_the_first_version(header: &[u8], keys: &VolumeKeys) -> Vec<u8> {
    let envelope = Header::parse(header).unwrap().0.envelope().unwrap().unwrap();
    let (uuid, document) = (envelope.volume(), envelope.to_json());
    let mut message = Vec::new();
    let mut put = |bytes: &[u8]| {
        message.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        message.extend_from_slice(bytes);
    };
    put(b"atrest volume header v1");
    let fields: [(&str, &[u8]); 9] = [
        ("uuid", uuid.as_bytes()),
        ("type", b"crypt"),
        ("offset", &(16u64 << 20).to_le_bytes()),
        ("segment size", b"dynamic"),
        ("encryption", b"aes-xts-plain64"),
        ("sector size", &4096u32.to_le_bytes()),
        ("iv tweak", &0u64.to_le_bytes()),
        ("size", &7u64.to_le_bytes()),
        ("envelope", document.as_bytes()),
    ];
    for (name, value) in fields {
        put(name.as_bytes());
        put(value);
    }
    let code = base64(&keys.authenticate(HeaderKey::First, &message));
    edited(header, |json| {
        let token = json["tokens"]["0"].as_object_mut().unwrap();
        assert_eq!(token.remove("version"), Some(json!(3)));
        assert_eq!(token.remove("generation"), Some(json!("0")));
        token.insert("authentication".into(), code.into());
    })
}

#[test]
fn a_header_of_the_first_version_opens_and_is_renewed_by_a_rewrap() {
    let (place, keys) = volume();
    let path = place.path("v");
    let first = of_the_first_version(&header_of(&path), &keys);
    put_header(&path, &first);
    assert_eq!(read_all(&place.open("v").unwrap()), b"content");
    // Its wrappings are covered by the code.
    put_header(
        &path,
        &edited(&first, |json| {
            let slots = json["tokens"]["0"]["envelope"]["slots"].as_array_mut().unwrap();
            let mut slot = slots[0].clone();
            slot["key"] = "other".into();
            slots.push(slot);
        }),
    );
    assert!(matches!(place.open("v"), Err(OpenError::Forged(_))));
    put_header(&path, &first);
    let mut header = Header::read(&read_only(&path)).unwrap().0;
    assert!(matches!(header.set_wrappings(envelope_of(&place)), Err(SetEnvelopeError::NeedsKeys(_))));

    // Even where the service could do it without the plaintext, the keys are unwrapped here: for the new code.
    let change = WrappingChange::Rewrap { slot: 0, provider: "local", key: "other" };
    assert!(
        Volume::change_wrappings(&read_write(&path), change, &place.providers(), &Expect::any())
            .unwrap()
            .verified
    );
    assert_eq!(json_of(&header_of(&path))["tokens"]["0"]["version"], 3);
    assert_eq!(read_all(&place.open("v").unwrap()), b"content");
}

#[test]
fn only_wrappings_of_the_same_root_key_are_exchanged_without_it() {
    let (place, _) = volume();
    let (mut header, _) = Header::read(&read_only(&place.path("v"))).unwrap();
    let (other, _) = place.envelope();
    assert!(matches!(header.set_wrappings(other), Err(SetEnvelopeError::OtherEnvelope(_))));
    let mut json: serde_json::Value = serde_json::from_str(&envelope_of(&place).to_json()).unwrap();
    json["class"] = "scratch".into();
    json["slots"][0]["key"] = format!("scratch-{}", envelope_of(&place).volume()).into();
    let scratch = Envelope::from_json(json.to_string().as_bytes()).unwrap();
    assert!(matches!(header.set_wrappings(scratch), Err(SetEnvelopeError::OtherEnvelope(_))));
    header.set_wrappings(envelope_of(&place)).unwrap();
}

#[test]
fn a_header_that_changed_while_the_service_answered_is_left_alone() {
    let (place, _) = volume();
    let path = place.path("v");
    let (mut mine, _) = Header::read(&read_only(&path)).unwrap();
    let change = WrappingChange::Rewrap { slot: 0, provider: "local", key: "other" };
    Volume::change_wrappings(&read_write(&path), change, &place.providers(), &Expect::any()).unwrap();
    let after = header_of(&path);
    let envelope = mine.envelope().unwrap().unwrap();
    mine.set_wrappings(envelope).unwrap();
    assert!(matches!(mine.update(&read_write(&path)), Err(HeaderError::Changed(_))));
    assert!(header_of(&path) == after);
}

fn base64(bytes: &[u8]) -> String {
    use base64ct::Encoding as _;
    base64ct::Base64::encode_string(bytes)
}
