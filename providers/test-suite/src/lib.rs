//! What every key provider of atrest must do, as tests that its own tests call.
//!
//! A provider's author says what is to be tested with a [`Subject`], and calls [`run`], which panics with what is wrong;
//! or takes [`TESTS`] one by one, for a program that has a name for each. They wrap and unwrap real root keys, so the
//! subject is a provider in front of a test keystore or a test account.
//!
//! ```
//! use atrest::keys::LocalKeystore;
//! use atrest_provider_tests::{Subject, run};
//! use std::sync::Arc;
//!
//! let home = tempfile::tempdir()?;
//! let keystore = LocalKeystore::open_or_create(home.path().join("keystore"))?;
//! keystore.create_key("one")?;
//! keystore.create_key("two")?;
//!
//! let mut subject = Subject::new(Arc::new(keystore.clone()), "one", "two");
//! subject.missing = Some("none".to_owned());
//! subject.scheme = Some(LocalKeystore::scheme());
//! subject.debug = Some(format!("{keystore:?}"));
//! run(&subject);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Duration;

use atrest::Code;
use atrest::keys::{
    Class, EncryptionContext, Envelope, ErrorClass, Expect, KeyAdmin, KeyProvider, KeyRef, KeyState,
    LocalKeystore, ProviderError, Providers, RootKey, Scheme, Uuid, WrappedKey, block_on, block_on_timeout,
    new_uuid,
};
use base64ct::{Base64, Encoding as _};

/// A provider that is to be tested, and two keys of it that may be changed: they are disabled and enabled again, rotated,
/// and put before their deletion, which is cancelled again.
pub struct Subject {
    /// The provider.
    pub provider: Arc<dyn KeyProvider>,
    /// A key, as users name it behind the scheme: it is there, and enabled.
    pub key: String,
    /// Another key, in the same state.
    pub other: String,
    /// A name that a key could have, and none has.
    pub missing: Option<String>,
    /// The provider's scheme, where it has one.
    pub scheme: Option<Scheme>,
    /// What the provider's `Debug` shows, in which no secret may be.
    pub debug: Option<String>,
    /// Secrets behind the provider: key-encryption keys, passwords, tokens. They must not be shown either.
    pub secrets: Vec<Vec<u8>>,
    /// [`KeyProvider::wrap`].
    pub wrap: Ability,
    /// [`KeyProvider::rewrap`].
    pub rewrap: Ability,
    /// [`KeyAdmin::set_enabled`].
    pub disable: Ability,
    /// [`KeyAdmin::schedule_deletion`] and [`KeyAdmin::cancel_deletion`].
    pub delete: Ability,
    /// [`KeyAdmin::rotate`].
    pub rotate: Ability,
}

/// Whether a provider can do something that not all can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ability {
    /// It can: the test demands it.
    Yes,
    /// It cannot: the test demands that it says so, with [`ErrorClass::Unsupported`].
    No,
    /// The service behind it does not behave as the real one would, for this reason: nothing is tested.
    Untested(&'static str),
}

impl Subject {
    /// A provider that can do everything which it has an admin for, and wraps existing keys; it does not rewrap inside.
    pub fn new(provider: Arc<dyn KeyProvider>, key: &str, other: &str) -> Subject {
        let admin = if provider.admin().is_some() { Ability::Yes } else { Ability::No };
        Subject {
            provider,
            key: key.to_owned(),
            other: other.to_owned(),
            missing: None,
            scheme: None,
            debug: None,
            secrets: Vec::new(),
            wrap: Ability::Yes,
            rewrap: Ability::No,
            disable: admin,
            delete: admin,
            rotate: admin,
        }
    }

    fn generate(&self, context: &EncryptionContext) -> WrappedKey {
        block_on(self.provider.generate(&self.key, context))
            .unwrap_or_else(|error| panic!("generate: {error}"))
    }

    fn unwrap(&self, wrapped: &WrappedKey) -> Result<RootKey, ProviderError> {
        block_on(self.provider.unwrap(wrapped))
    }

    fn unwrapped(&self, wrapped: &WrappedKey) -> RootKey {
        self.unwrap(wrapped).unwrap_or_else(|error| panic!("unwrap: {error}"))
    }

    fn admin(&self) -> &dyn KeyAdmin {
        self.provider.admin().expect("a provider with such an ability has an admin")
    }

    fn describe(&self, key: &str) -> atrest::keys::KeyDescription {
        block_on(self.provider.describe(key)).unwrap_or_else(|error| panic!("describe: {error}"))
    }
}

/// A test.
pub type Test = fn(&Subject);

/// All tests, by name. They may run in any order, and not two at once for one subject.
pub const TESTS: &[(&str, Test)] = &[
    ("names_are_those_of_one_scheme", names_are_those_of_one_scheme),
    ("a_new_root_key_opens_again", a_new_root_key_opens_again),
    ("a_wrapping_opens_in_its_context_alone", a_wrapping_opens_in_its_context_alone),
    ("a_changed_wrapping_does_not_open", a_changed_wrapping_does_not_open),
    ("a_wrapping_belongs_to_its_key", a_wrapping_belongs_to_its_key),
    ("an_existing_root_key_is_wrapped", an_existing_root_key_is_wrapped),
    ("a_wrapping_is_renewed_inside", a_wrapping_is_renewed_inside),
    ("keys_are_described", keys_are_described),
    ("a_missing_key_is_told", a_missing_key_is_told),
    ("an_envelope_goes_to_another_key_and_provider", an_envelope_goes_to_another_key_and_provider),
    ("a_disabled_key_does_nothing", a_disabled_key_does_nothing),
    ("a_key_before_its_deletion_does_nothing", a_key_before_its_deletion_does_nothing),
    ("a_rotated_key_opens_what_it_wrapped", a_rotated_key_opens_what_it_wrapped),
    ("requests_that_are_given_up_leave_nothing", requests_that_are_given_up_leave_nothing),
    ("threads_share_the_provider", threads_share_the_provider),
    ("no_secret_is_shown", no_secret_is_shown),
];

/// Runs all tests.
///
/// # Panics
/// When one fails.
pub fn run(subject: &Subject) {
    for (_, test) in TESTS {
        test(subject);
    }
}

/// A volume's context, and the volume.
fn context() -> (Uuid, EncryptionContext) {
    let volume = new_uuid().unwrap();
    (volume, EncryptionContext::for_volume(volume))
}

/// What must have failed, in one of these classes, and in one line.
#[track_caller]
fn refused<T>(what: &str, result: Result<T, ProviderError>, classes: &[ErrorClass]) -> ProviderError {
    let Err(error) = result else { panic!("{what}: it was done") };
    assert!(classes.contains(&error.class()), "{what}: {} ({error}), not one of {classes:?}", error.class());
    let text = error.to_string();
    assert!(!text.is_empty() && !text.chars().any(char::is_control), "{what}: no line for people: {text:?}");
    error
}

/// Whether the ability is there to be tested; where it is not, the provider must say so.
fn can<T>(ability: Ability, what: &str, attempt: impl FnOnce() -> Result<T, ProviderError>) -> bool {
    match ability {
        Ability::Yes => true,
        Ability::Untested(_) => false,
        Ability::No => {
            refused(what, attempt(), &[ErrorClass::Unsupported]);
            false
        }
    }
}

/// The same for what an admin does.
fn can_admin<T>(
    subject: &Subject,
    ability: Ability,
    what: &str,
    attempt: impl FnOnce(&dyn KeyAdmin) -> Result<T, ProviderError>,
) -> bool {
    match (ability, subject.provider.admin()) {
        (Ability::No, None) => false,
        _ => can(ability, what, || attempt(subject.admin())),
    }
}

/// Scheme, provider, admin and wrappings have one name, and the grammar takes the keys that there are.
pub fn names_are_those_of_one_scheme(subject: &Subject) {
    let name = subject.provider.name();
    let wrapped = subject.generate(&context().1);
    let keys = [Some(&subject.key), Some(&subject.other), subject.missing.as_ref(), Some(&wrapped.key)];
    for key in keys.into_iter().flatten() {
        let key = KeyRef::new(name, key).unwrap_or_else(|error| panic!("{error}"));
        let scheme = subject.scheme.as_ref().map(|scheme| scheme.check(key.key()));
        scheme.transpose().unwrap_or_else(|error| panic!("the scheme's grammar: {error}"));
    }
    assert_eq!(wrapped.provider, name);
    subject.scheme.iter().for_each(|scheme| assert_eq!(scheme.name(), name));
    subject.provider.admin().iter().for_each(|admin| assert_eq!(admin.provider(), name));
}

/// What `generate` gives is complete, opens as often as one likes, and is another root key each time.
pub fn a_new_root_key_opens_again(subject: &Subject) {
    let context = context().1;
    let (first, second) = (subject.generate(&context), subject.generate(&context));
    let root = subject.unwrapped(&first);
    assert_eq!(root.expose(), subject.unwrapped(&first).expose());
    assert_ne!(root.expose(), subject.unwrapped(&second).expose(), "a root key is made anew each time");
    assert_ne!(root.expose(), &[0; 32]);
    for wrapped in [&first, &second] {
        assert_eq!(wrapped.context, context, "the context comes back as it was given");
        assert!((1..=Envelope::MAX_WRAPPED).contains(&wrapped.wrapped.len()), "1 to 6144 bytes");
        assert!(!wrapped.wrapped.windows(32).any(|bytes| bytes == root.expose()), "a root key in the clear");
    }
    assert_eq!(first.key, second.key, "a key has one lasting name");
}

/// A wrapping is bound to the whole context: it opens with no other.
pub fn a_wrapping_opens_in_its_context_alone(subject: &Subject) {
    let of_volume = context().1;
    let wrapped = subject.generate(&of_volume);
    let mut more = of_volume.clone();
    more.insert("more", "x").unwrap();
    let mut renamed = EncryptionContext::new();
    let mut exchanged = EncryptionContext::new();
    let pairs: Vec<(&str, &str)> = of_volume.iter().collect();
    for (i, (name, value)) in pairs.iter().enumerate() {
        renamed.insert(&format!("{name}x"), value).unwrap();
        exchanged.insert(name, pairs[(i + 1) % pairs.len()].1).unwrap();
    }
    for wrong in [context().1, EncryptionContext::new(), more, renamed, exchanged] {
        let moved = WrappedKey { context: wrong.clone(), ..wrapped.clone() };
        refused(
            &format!("in the context {wrong:?}"),
            subject.unwrap(&moved),
            &[ErrorClass::ContextMismatchOrCorrupt],
        );
    }
    subject.unwrapped(&wrapped);
}

/// Whatever is changed in the wrapped bytes, nothing opens.
pub fn a_changed_wrapping_does_not_open(subject: &Subject) {
    // A service may not take what it cannot even read.
    const CLASSES: &[ErrorClass] = &[
        ErrorClass::ContextMismatchOrCorrupt,
        ErrorClass::Malformed,
        ErrorClass::WrongKey,
        ErrorClass::KeyNotFound,
        ErrorClass::InvalidRequest,
    ];
    let wrapped = subject.generate(&context().1);
    let length = wrapped.wrapped.len();
    let try_it = |what: String, bytes: Vec<u8>| {
        refused(&what, subject.unwrap(&WrappedKey { wrapped: bytes, ..wrapped.clone() }), CLASSES);
    };
    // 32 places are enough, the ends included: each may be a request over a network.
    for i in 0..32.min(length) {
        let place = i * (length - 1) / 31.min(length - 1).max(1);
        let mut bytes = wrapped.wrapped.clone();
        bytes[place] ^= 1 << (i % 8);
        try_it(format!("with byte {place} of {length} changed"), bytes);
    }
    try_it("cut by a byte".to_owned(), wrapped.wrapped[..length - 1].to_vec());
    try_it("with a byte more".to_owned(), [&wrapped.wrapped[..], &[0]].concat());
    try_it("of one byte".to_owned(), vec![wrapped.wrapped[0]]);
    subject.unwrapped(&wrapped);
}

/// A wrapping opens with the key that made it, and not under another's name, material or provider.
pub fn a_wrapping_belongs_to_its_key(subject: &Subject) {
    let context = context().1;
    let (wrapped, root) = {
        let wrapped = subject.generate(&context);
        let root = subject.unwrapped(&wrapped);
        (wrapped, root)
    };
    let other = block_on(subject.provider.generate(&subject.other, &context)).unwrap();
    assert_ne!(wrapped.key, other.key, "the two keys of the subject are two");
    let under_other = WrappedKey { key: other.key.clone(), ..wrapped.clone() };
    refused(
        "under the other key's name",
        subject.unwrap(&under_other),
        &[ErrorClass::WrongKey, ErrorClass::ContextMismatchOrCorrupt],
    );
    let material = WrappedKey { material: other.material.clone(), ..under_other };
    refused(
        "under the other key's name and material",
        subject.unwrap(&material),
        &[ErrorClass::WrongKey, ErrorClass::ContextMismatchOrCorrupt],
    );
    // Some services find the material themselves; then it is the same root key or none.
    let material = WrappedKey { material: Some("another".to_owned()), ..wrapped.clone() };
    if let Ok(opened) = subject.unwrap(&material) {
        assert_eq!(opened.expose(), root.expose());
    }
}

/// `wrap` takes a root key that there is; one of another provider comes so under this one's keys.
pub fn an_existing_root_key_is_wrapped(subject: &Subject) {
    let context = context().1;
    let root = RootKey::generate().unwrap();
    let wrap = || block_on(subject.provider.wrap(&root, &subject.key, &context));
    if !can(subject.wrap, "wrap", wrap) {
        return;
    }
    let wrapped = wrap().unwrap_or_else(|error| panic!("wrap: {error}"));
    assert_eq!((wrapped.provider.as_str(), &wrapped.context), (subject.provider.name(), &context));
    assert_eq!(wrapped.key, subject.generate(&context).key);
    assert_eq!(subject.unwrapped(&wrapped).expose(), root.expose());
    assert_ne!(
        wrapped.wrapped,
        wrap().unwrap().wrapped,
        "two wrappings of one key do not show that they are"
    );
}

/// `rewrap` keeps root key and context, and gives a wrapping by the new key.
pub fn a_wrapping_is_renewed_inside(subject: &Subject) {
    let old = subject.generate(&context().1);
    let rewrap = |key: &str| block_on(subject.provider.rewrap(&old, key));
    if !can(subject.rewrap, "rewrap", || rewrap(&subject.other)) {
        return;
    }
    let root = subject.unwrapped(&old);
    for key in [&subject.other, &subject.key] {
        let new = rewrap(key).unwrap_or_else(|error| panic!("rewrap: {error}"));
        assert_eq!((new.provider.as_str(), &new.context), (subject.provider.name(), &old.context));
        assert_eq!(new.key, subject.describe(key).key);
        assert_ne!(new.wrapped, old.wrapped);
        assert_eq!(subject.unwrapped(&new).expose(), root.expose());
    }
    let elsewhere = WrappedKey { context: context().1, ..old.clone() };
    let moved = block_on(subject.provider.rewrap(&elsewhere, &subject.other));
    refused("rewrapped in another context", moved, &[ErrorClass::ContextMismatchOrCorrupt]);
}

/// A description is of the key that wraps, by its lasting name, with the material that wraps now.
pub fn keys_are_described(subject: &Subject) {
    let wrapped = subject.generate(&context().1);
    let described = subject.describe(&subject.key);
    assert_eq!((described.provider.as_str(), &described.key), (subject.provider.name(), &wrapped.key));
    assert_eq!((described.state, described.deletion), (KeyState::Enabled, None));
    // By the lasting name, too.
    assert_eq!(subject.describe(&wrapped.key), described);
    assert_ne!(wrapped.is_stale(&described), Some(true), "a new wrapping is by the current material");
}

/// A key that is not there is [`ErrorClass::KeyNotFound`], whatever was to be done with it.
pub fn a_missing_key_is_told(subject: &Subject) {
    let Some(missing) = &subject.missing else { return };
    let (context, not_found) = (context().1, &[ErrorClass::KeyNotFound]);
    let error = refused("describe", block_on(subject.provider.describe(missing)), not_found);
    assert_eq!(error.code(), Code::KeyNotFound);
    assert!(error.to_string().contains(missing), "an error names the key: {error}");
    refused("generate", block_on(subject.provider.generate(missing, &context)), not_found);
    if subject.wrap == Ability::Yes {
        let root = RootKey::generate().unwrap();
        refused("wrap", block_on(subject.provider.wrap(&root, missing, &context)), not_found);
    }
}

/// A volume's envelope is made, opens, gets another key, goes to the local keystore and comes back; and a copy of it with
/// another volume's UUID does not open.
pub fn an_envelope_goes_to_another_key_and_provider(subject: &Subject) {
    let home = tempfile::tempdir().unwrap();
    let keystore = LocalKeystore::open_or_create(home.path().join("keystore")).unwrap();
    keystore.create_key("elsewhere").unwrap();
    let (volume, _) = context();
    let name = subject.provider.name();
    let create = Envelope::create(&*subject.provider, &subject.key, volume, Class::Persistent);
    let (envelope, keys) = block_on(create).unwrap_or_else(|error| panic!("create: {error}"));
    let mut providers = Providers::new();
    providers.insert(Arc::clone(&subject.provider));
    let opens = |envelope: &Envelope, providers: &Providers| {
        let read = Envelope::from_json(envelope.to_json().as_bytes()).unwrap();
        assert_eq!(&read, envelope);
        let opened =
            block_on(read.open(providers, &Expect::any())).unwrap_or_else(|error| panic!("open: {error}"));
        assert_eq!(opened.keys.xts_key(), keys.xts_key());
    };
    opens(&envelope, &providers);

    // With the context of the other volume, as somebody would write it who wants it to open.
    let other = new_uuid().unwrap();
    let copied = envelope.to_json().replace(&volume.to_string(), &other.to_string());
    let copied = Envelope::from_json(copied.as_bytes()).unwrap();
    assert_eq!(copied.volume(), other);
    let error =
        block_on(copied.open(&providers, &Expect::any())).expect_err("another volume's envelope opened");
    assert!(error.to_string().contains(&format!("{name}:{}", envelope.slots()[0].key)), "{error}");

    if subject.wrap != Ability::Yes {
        return;
    }
    // A key service may know its provider of old under this name, and the local keystore is the subject itself.
    let local = if name == LocalKeystore::SCHEME { None } else { Some("elsewhere") };
    let both = if local.is_some() { providers.clone().with(keystore) } else { providers.clone() };
    let mut now = envelope;
    for (provider, key) in
        [(name, Some(&*subject.other)), (LocalKeystore::SCHEME, local), (name, Some(&*subject.key))]
    {
        let Some(key) = key else { continue };
        let rewrapped = block_on(now.rewrap(0, provider, key, &both, &Expect::any()));
        now = rewrapped.unwrap_or_else(|error| panic!("rewrap to {provider}:{key}: {error}")).envelope;
        assert_eq!((now.slots().len(), &*now.slots()[0].provider), (1, provider));
        opens(&now, &both);
    }
    opens(&now, &providers);
}

/// A disabled key neither wraps nor unwraps, and says why; enabled again it opens what it opened.
pub fn a_disabled_key_does_nothing(subject: &Subject) {
    let set = |enabled| block_on(subject.admin().set_enabled(&subject.key, enabled));
    if !can_admin(subject, subject.disable, "set_enabled", |admin| {
        block_on(admin.set_enabled(&subject.key, true))
    }) {
        return;
    }
    let wrapped = subject.generate(&context().1);
    let root = subject.unwrapped(&wrapped);
    set(false).unwrap_or_else(|error| panic!("disable: {error}"));
    let state = subject.describe(&subject.key).state;
    let tried = try_all(subject, &wrapped);
    set(true).unwrap_or_else(|error| panic!("enable: {error}"));
    assert_eq!(state, KeyState::Disabled);
    for (what, result) in tried {
        refused(what, result, &[ErrorClass::KeyDisabled]);
    }
    assert_eq!(subject.describe(&subject.key).state, KeyState::Enabled);
    assert_eq!(subject.unwrapped(&wrapped).expose(), root.expose());
}

/// A key that waits for its deletion does nothing, and tells when that is; cancelled and enabled, it opens what it opened.
pub fn a_key_before_its_deletion_does_nothing(subject: &Subject) {
    const DAYS: u32 = 7;
    let admin = || subject.admin();
    if !can_admin(subject, subject.delete, "schedule_deletion", |admin| {
        block_on(admin.schedule_deletion(&subject.key, Some(DAYS)))
    }) {
        return;
    }
    let wrapped = subject.generate(&context().1);
    let root = subject.unwrapped(&wrapped);
    let date = block_on(admin().schedule_deletion(&subject.key, Some(DAYS)));
    let date = date.unwrap_or_else(|error| panic!("schedule_deletion: {error}"));
    let described = subject.describe(&subject.key);
    let tried = try_all(subject, &wrapped);
    block_on(admin().cancel_deletion(&subject.key)).unwrap_or_else(|error| panic!("cancel: {error}"));
    block_on(admin().set_enabled(&subject.key, true)).unwrap_or_else(|error| panic!("enable: {error}"));

    assert_eq!(described.state, KeyState::PendingDeletion);
    assert_eq!(described.deletion, date);
    for (what, result) in tried {
        let error = refused(what, result, &[ErrorClass::KeyPendingDeletion]);
        assert_eq!(error.deletion(), date, "{what}: when is told: {error}");
    }
    assert_eq!(subject.unwrapped(&wrapped).expose(), root.expose());
}

/// Each thing that a key does which is not in order.
fn try_all(subject: &Subject, wrapped: &WrappedKey) -> Vec<(&'static str, Result<(), ProviderError>)> {
    let context = context().1;
    let mut tried = vec![
        ("unwrap", subject.unwrap(wrapped).map(drop)),
        ("generate", block_on(subject.provider.generate(&subject.key, &context)).map(drop)),
    ];
    if subject.wrap == Ability::Yes {
        let root = RootKey::generate().unwrap();
        tried.push(("wrap", block_on(subject.provider.wrap(&root, &subject.key, &context)).map(drop)));
    }
    tried
}

/// What a key wrapped before it was rotated opens as before; new wrappings are by the new material.
pub fn a_rotated_key_opens_what_it_wrapped(subject: &Subject) {
    if !can_admin(subject, subject.rotate, "rotate", |admin| block_on(admin.rotate(&subject.key))) {
        return;
    }
    let context = context().1;
    let old = subject.generate(&context);
    let root = subject.unwrapped(&old);
    block_on(subject.admin().rotate(&subject.key)).unwrap_or_else(|error| panic!("rotate: {error}"));
    let (new, described) = (subject.generate(&context), subject.describe(&subject.key));
    assert_eq!(subject.unwrapped(&old).expose(), root.expose());
    subject.unwrapped(&new);
    assert_eq!(new.key, old.key);
    assert!(!new.is_stale(&described).unwrap_or(false));
    if old.material.is_some() {
        assert_ne!(old.material, new.material);
        assert_eq!(old.is_stale(&described), Some(true));
    }
    if subject.wrap == Ability::Yes {
        let wrapped = block_on(subject.provider.wrap(&root, &subject.key, &context)).unwrap();
        assert_eq!(subject.unwrapped(&wrapped).expose(), root.expose());
    }
}

/// A caller that gives up, at once or on the way, costs nobody else anything; and none of it needs a runtime.
pub fn requests_that_are_given_up_leave_nothing(subject: &Subject) {
    let context = context().1;
    let wrapped = subject.generate(&context);
    drop(subject.provider.unwrap(&wrapped));
    for timeout in [Duration::ZERO, Duration::from_micros(50)] {
        // It may be done in time.
        drop(block_on_timeout(subject.provider.unwrap(&wrapped), timeout));
        drop(block_on_timeout(subject.provider.generate(&subject.key, &context), timeout));
    }
    subject.unwrapped(&wrapped);
}

/// Threads use one provider at once.
pub fn threads_share_the_provider(subject: &Subject) {
    let context = context().1;
    let wrapped = subject.generate(&context);
    let root = subject.unwrapped(&wrapped);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                assert_eq!(subject.unwrapped(&wrapped).expose(), root.expose());
                let own = subject.generate(&context);
                assert_ne!(subject.unwrapped(&own).expose(), root.expose());
            });
        }
    });
}

/// Neither the root key nor what the subject calls a secret is in what `Debug` and errors show.
pub fn no_secret_is_shown(subject: &Subject) {
    let context = context().1;
    let wrapped = subject.generate(&context);
    let root = subject.unwrapped(&wrapped);
    let mut shown = vec![format!("{root:?}"), format!("{wrapped:?}")];
    shown.extend(subject.debug.clone());
    let mut note = |error: ProviderError| shown.push(format!("{error} {error:?}"));
    let elsewhere = WrappedKey { context: EncryptionContext::new(), ..wrapped.clone() };
    subject.unwrap(&elsewhere).map(drop).map_err(&mut note).unwrap_err();
    let mut garbled = wrapped.clone();
    garbled.wrapped[0] ^= 1;
    subject.unwrap(&garbled).map(drop).map_err(&mut note).unwrap_err();
    if let Some(missing) = &subject.missing {
        block_on(subject.provider.wrap(&root, missing, &context)).map(drop).map_err(&mut note).unwrap_err();
    }
    for secret in subject.secrets.iter().map(Vec::as_slice).chain([root.expose().as_slice()]) {
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let list = format!("{secret:?}");
        let forms = [hex, Base64::encode_string(secret), list[1..list.len() - 1].to_owned()];
        for text in &shown {
            let raw = text.as_bytes().windows(secret.len()).any(|bytes| bytes == secret);
            let lower = text.to_ascii_lowercase();
            let found = raw || forms.iter().any(|form| lower.contains(&form.to_ascii_lowercase()));
            // Not the text itself: it would be shown again.
            assert!(!found, "a secret of {} bytes is shown", secret.len());
        }
    }
}
