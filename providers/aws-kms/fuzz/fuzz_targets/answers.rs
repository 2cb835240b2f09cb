//! What AWS KMS answers, or whoever answers in its place.
#![no_main]

use std::{
    fmt::{Debug, Display},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use atrest::{
    keys::{
        BoxFuture, Class, EncryptionContext, Envelope, EnvelopeChangeError, EnvelopeCreateError,
        EnvelopeOpenError, Expect, GrantRequest, KeyAdmin, KeyCheck, KeyDescription, KeyProvider, KeyRole,
        Opened, PermissionOutcome, PolicyRequest, ProviderError, Providers, Rewrapped, RootKey, Uuid,
        VolumeKeys, WrappedKey, block_on,
    },
    text::is_unsafe,
};
use atrest_aws_kms::{Arn, AwsKms, KmsOptions};
use atrest_aws_kms_fuzz::{
    answer::{Call, Case, Keys, Name},
    memory::{Counting, counted},
    secret::{self, ROOT},
    service::{Asked, Service},
};
use base64ct::{Base64, Encoding as _};
use libfuzzer_sys::{
    arbitrary::{Arbitrary as _, Unstructured},
    fuzz_target,
};
use serde_json::Value;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a call takes at a time, in bytes, the service's own part included: a few answers of 64 KiB, or one of 2 MiB of which
/// 64 KiB are read.
const MOST: usize = 10 << 20;
/// The same for calls that list: an answer may have 1 MiB, and an entry of three bytes becomes some hundred.
const MOST_OF_A_LIST: usize = 64 << 20;
/// The longest line: the texts of a service are cut behind 300 characters, of which each may be escaped.
const LONGEST: usize = 16 << 10;
/// The longest name of a key that an envelope takes, in bytes; and of its material.
const LONGEST_KEY: usize = 2048;
const LONGEST_MATERIAL: usize = 128;

fn service() -> &'static Service {
    static SERVICE: OnceLock<Service> = OnceLock::new();
    SERVICE.get_or_init(Service::start)
}

fn provider() -> AwsKms {
    let mut options = KmsOptions::default();
    options.region = Some("eu-west-1".to_owned());
    options.endpoint = Some(service().endpoint());
    options.attempts = 1;
    // Nothing here waits. What does is found by libFuzzer's own -timeout, which is shorter.
    let hour = Duration::from_secs(3600);
    (options.connect_timeout, options.attempt_timeout, options.timeout) = (hour, hour, hour);
    AwsKms::new(options).expect("options")
}

/// One for all cases but those that change what it keeps, grant tokens.
fn shared() -> AwsKms {
    static SHARED: OnceLock<AwsKms> = OnceLock::new();
    SHARED.get_or_init(provider).clone()
}

/// The SDK takes no credentials but those of the environment.
fn set_environment() {
    let variables = [
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    for (name, value) in variables {
        // SAFETY: libFuzzer calls this before anything else of the program has run, so that there is one thread.
        unsafe { std::env::set_var(name, value) };
    }
}

fn is_clean(text: &str) -> bool {
    !text.contains(is_unsafe) && text.len() <= LONGEST
}

/// An error is one line that a terminal can show, and tells nothing of the root key.
fn line(error: &(impl Display + Debug)) {
    let message = error.to_string();
    assert!(!message.is_empty() && is_clean(&message), "{message:?}");
    assert!(!secret::is_in(&message), "{message}");
    let whole = format!("{error:?}");
    assert!(!secret::is_in(&whole), "{whole}");
}

/// The error of a call of the provider's.
fn refused(error: &ProviderError) {
    line(error);
    if let Some(answer) = error.answer() {
        for text in [&answer.code, &answer.message, &answer.request_id].into_iter().flatten() {
            assert!(is_clean(text), "{text:?}");
        }
    }
}

/// A case as it goes on.
struct Run {
    kms: AwsKms,
    keys: Keys,
    volume: Uuid,
    /// All that was asked.
    asked: Vec<Asked>,
    /// What was asked before the call that is made now.
    before: usize,
}

impl Run {
    fn new(kms: AwsKms) -> Run {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        // The provider remembers which keys are fit for wrapping.
        let number = NUMBER.fetch_add(1, Relaxed);
        let volume = Uuid::from_u128(0x6ba7_b810_9dad_41d1_80b4_00c0_4fd4_30c8);
        Run { kms, keys: Keys { number }, volume, asked: Vec::new(), before: 0 }
    }

    fn context(&self) -> EncryptionContext {
        EncryptionContext::for_volume(self.volume)
    }

    fn wrapped(&self) -> WrappedKey {
        WrappedKey {
            provider: "aws".to_owned(),
            key: self.keys.arn(0),
            material: None,
            context: self.context(),
            wrapped: vec![0x5a; 184],
        }
    }

    /// Waits for a call, which may send so many requests.
    fn call<T>(&mut self, most: usize, memory: usize, call: impl Future<Output = T>) -> T {
        self.before = self.asked.len();
        let (result, used) = counted(|| block_on(call));
        self.asked.extend(service().asked());
        let sent = self.asked.len() - self.before;
        assert!(sent <= most, "{sent} requests");
        assert!(used.peak <= memory, "{used:?}");
        for asked in &self.asked[self.before..] {
            // The root key is sent to be wrapped, and nowhere else.
            assert!(asked.operation == "Encrypt" || !secret::is_in(&asked.request.to_string()), "{asked:?}");
        }
        result
    }

    fn ask<T>(&mut self, most: usize, call: BoxFuture<'_, Result<T, ProviderError>>) -> Option<T> {
        self.call(most, MOST, call).map_err(|error| refused(&error)).ok()
    }

    fn list<T>(&mut self, call: BoxFuture<'_, Result<T, ProviderError>>) -> Option<T> {
        self.call(usize::MAX, MOST_OF_A_LIST, call).map_err(|error| refused(&error)).ok()
    }

    /// The last answer to an operation in this call, where it is certain what a reader makes of it. `None`: that is not certain.
    fn said(&self, operation: &str) -> Option<Value> {
        let mut asked = self.asked[self.before..].iter().rev();
        let asked = asked.find(|asked| asked.operation == operation).expect("a success without a request");
        let (status, body) = asked.answer.as_ref()?;
        assert!((200..300).contains(status), "a success out of {asked:?}");
        serde_json::from_slice(body).ok()
    }

    /// Whether a key may answer for the one that was asked for.
    fn fits(&self, which: u8, name: Name, key: &str) -> bool {
        let arn = Arn::parse(key).expect("an ARN");
        let id = arn.key_id().expect("an ARN of a key");
        match name {
            Name::Arn => key == self.keys.arn(which),
            Name::Id => id == self.keys.id(which),
            Name::Alias => true,
            Name::AliasArn => {
                (arn.partition, arn.region, arn.account) == ("aws", "eu-west-1", "111122223333")
            }
            Name::OfAws => false,
        }
    }

    /// Whether the service once said of a key that it wraps; true where it is not certain what it said.
    fn is_fit(&self, key: &str) -> bool {
        self.asked.iter().filter(|asked| asked.operation == "DescribeKey").any(|asked| {
            let Some((status, body)) = &asked.answer else { return true };
            let Ok(said) = serde_json::from_slice::<Value>(body) else { return true };
            let said = &said["KeyMetadata"];
            let is_enabled = match &said["KeyState"] {
                Value::Null => said["Enabled"] == true,
                state => state == "Enabled",
            };
            (200..300).contains(status)
                && said["Arn"] == key
                && said["KeySpec"] == "SYMMETRIC_DEFAULT"
                && said["KeyUsage"] == "ENCRYPT_DECRYPT"
                && (said["KeyManager"].is_null() || said["KeyManager"] == "CUSTOMER")
                && is_enabled
        })
    }

    fn check_wrapped(&self, operation: &str, which: u8, name: Name, new: &WrappedKey) {
        assert_eq!((&*new.provider, &new.context), ("aws", &self.context()));
        let is_name = |text: &str, longest| {
            (1..=longest).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        assert!(is_name(&new.key, LONGEST_KEY), "{new:?}");
        assert!(new.material.as_ref().is_none_or(|material| is_name(material, LONGEST_MATERIAL)), "{new:?}");
        assert!((1..=Envelope::MAX_WRAPPED).contains(&new.wrapped.len()));
        assert!(self.fits(which, name, &new.key), "{new:?} for {name:?}");
        assert!(self.is_fit(&new.key), "{new:?}");
        if let Some(said) = self.said(operation) {
            assert_eq!(said["KeyId"], *new.key);
            assert_eq!(decoded(&said["CiphertextBlob"]), new.wrapped);
            if operation == "ReEncrypt" {
                assert_eq!(said["SourceKeyId"], *self.keys.arn(0));
            }
        }
    }

    fn check_root(&self, key: &str, root: &RootKey) {
        if let Some(said) = self.said("Decrypt") {
            assert_eq!(said["KeyId"], *key);
            assert_eq!(decoded(&said["Plaintext"]), root.expose());
        }
    }

    /// What a volume's keys must be, if the service told the root key in its last answer to Decrypt.
    fn check_keys(&self, keys: &VolumeKeys) {
        let Some(said) = self.said("Decrypt") else { return };
        let mut root: [u8; 32] = decoded(&said["Plaintext"]).try_into().expect("32 bytes");
        let root = RootKey::take(&mut root).expect("memory for a secret");
        let expected = root.derive(self.volume).expect("memory for a secret");
        assert_eq!(expected.commitment(), keys.commitment());
    }

    /// An envelope, made while the service answers as KMS does.
    fn envelope(&self) -> Envelope {
        // Made once: it takes two requests, which would take the answers of the case.
        let commitment = {
            let mut root = ROOT;
            let root = RootKey::take(&mut root).expect("memory for a secret");
            root.derive(self.volume).expect("memory for a secret").commitment()
        };
        let mut document: Value = serde_json::from_str(template()).expect("JSON");
        document["commitment"] = Base64::encode_string(&commitment).into();
        document["slots"][0]["key"] = self.keys.arn(0).into();
        Envelope::from_json(document.to_string().as_bytes()).expect("an envelope")
    }

    fn make(&mut self, call: &Call) {
        let kms = self.kms.clone();
        let admin: &dyn KeyAdmin = &kms;
        let (wrapped, context) = (self.wrapped(), self.context());
        let name = |name: &Name| self.keys.name(0, *name);
        let second = |name: &Name| self.keys.name(1, *name);
        let providers = || Providers::new().with(kms.clone());
        let principal = "arn:aws:iam::111122223333:role/a";
        match call {
            Call::Describe(by) => {
                let key = name(by);
                if let Some(description) = self.ask(1, kms.describe(&key)) {
                    check_description(&description);
                    assert!(
                        matches!(by, Name::OfAws) || self.fits(0, *by, &description.key),
                        "{description:?}"
                    );
                    if let Some(said) = self.said("DescribeKey") {
                        assert_eq!(said["KeyMetadata"]["Arn"], *description.key);
                    }
                }
            }
            Call::Generate(by) => {
                let key = name(by);
                if let Some(new) = self.ask(2, kms.generate(&key, &context)) {
                    self.check_wrapped("GenerateDataKeyWithoutPlaintext", 0, *by, &new);
                }
            }
            Call::Unwrap => {
                if let Some(root) = self.ask(2, kms.unwrap(&wrapped)) {
                    self.check_root(&wrapped.key, &root);
                }
            }
            Call::Wrap(by) => {
                let key = name(by);
                let root = RootKey::take(&mut { ROOT }).expect("memory for a secret");
                if let Some(new) = self.ask(3, kms.wrap(&root, &key, &context)) {
                    self.check_wrapped("Encrypt", 0, *by, &new);
                }
                let mut asked = self.asked[self.before..].iter().filter(|asked| asked.operation == "Encrypt");
                assert!(asked.all(|asked| self.is_fit(asked.request["KeyId"].as_str().expect("a key"))));
            }
            Call::Rewrap(by) => {
                let key = second(by);
                if let Some(new) = self.ask(4, kms.rewrap(&wrapped, &key)) {
                    self.check_wrapped("ReEncrypt", 1, *by, &new);
                }
            }
            Call::Create(by) => {
                let key = name(by);
                let made = Envelope::create(&kms, &key, self.volume, Class::Persistent);
                match self.call(4, MOST, made) {
                    Ok((envelope, keys)) => {
                        assert!(envelope.is_for(&keys));
                        self.check_keys(&keys);
                        let slot = &envelope.slots()[0];
                        self.check_wrapped("GenerateDataKeyWithoutPlaintext", 0, *by, slot);
                        let again = Envelope::from_json(envelope.to_json().as_bytes());
                        assert_eq!(again.expect("what is written can be read"), envelope);
                    }
                    Err(EnvelopeCreateError::Provider(error)) => refused(&error),
                    Err(error) => line(&error),
                }
            }
            Call::Open => {
                let (envelope, providers) = (self.envelope(), providers());
                match self.call(2, MOST, envelope.open(&providers, &Expect::any())) {
                    Ok(Opened { keys, .. }) => {
                        assert!(envelope.is_for(&keys));
                        self.check_keys(&keys);
                        if let Some(said) = self.said("Decrypt") {
                            assert_eq!(said["KeyId"], *self.keys.arn(0), "another key opened it");
                        }
                    }
                    Err(error) => opened(&error),
                }
            }
            Call::RewrapEnvelope(by) => {
                let (key, envelope, providers) = (second(by), self.envelope(), providers());
                let new = self.call(8, MOST, envelope.rewrap(0, "aws", &key, &providers, &Expect::any()));
                if let Some(new) = changed(&envelope, new) {
                    // To a key in another region it is unwrapped and wrapped.
                    let within = self.asked[self.before..].iter().any(|asked| asked.operation == "ReEncrypt");
                    let operation = if within { "ReEncrypt" } else { "Encrypt" };
                    self.check_wrapped(operation, 1, *by, &new.envelope.slots()[0]);
                    match &new.keys {
                        Some(keys) => self.check_keys(keys),
                        None => {
                            // Its service did not let it be opened, and said so.
                            let last =
                                self.asked[self.before..].iter().rfind(|asked| asked.operation == "Decrypt");
                            let last = last.expect("it was tried");
                            let is_success = |status: &u16| (200..300).contains(status);
                            assert!(
                                last.answer.as_ref().is_none_or(|(status, _)| !is_success(status)),
                                "{last:?}"
                            );
                        }
                    }
                }
            }
            Call::AddSlot(by) => {
                let (key, envelope, providers) = (second(by), self.envelope(), providers());
                let new = self.call(8, MOST, envelope.add_slot("aws", &key, &providers, &Expect::any()));
                if let Some(new) = changed(&envelope, new) {
                    self.check_wrapped("Encrypt", 1, *by, &new.envelope.slots()[1]);
                    self.check_keys(&new.keys.expect("it was opened"));
                }
            }
            Call::List => {
                for alias in self.list(admin.list()).into_iter().flatten() {
                    assert!(is_clean(&alias.name), "{alias:?}");
                    match &alias.key {
                        Ok(key) => check_description(key),
                        Err(why) => assert!(is_clean(why) && !why.is_empty(), "{why:?}"),
                    }
                }
            }
            Call::Check(by) => {
                let key = name(by);
                if let Some(check) = self.ask(12, admin.check(&key, Some(&wrapped))) {
                    check_check(&check);
                }
            }
            Call::Grant(by) => {
                let key = name(by);
                if let Some(grant) = self.ask(3, admin.grant(&key, &GrantRequest::to_open(principal))) {
                    let texts = [Some(&grant.id), grant.token.as_ref()];
                    for text in texts.into_iter().flatten() {
                        assert!(is_clean(text) && !text.is_empty(), "{text:?}");
                    }
                }
            }
            Call::Grants(by) => {
                let key = name(by);
                for grant in self.list(admin.grants(&key)).into_iter().flatten() {
                    let texts = [Some(&grant.id), grant.name.as_ref(), grant.principal.as_ref()];
                    let pairs = grant.constraint.iter().flat_map(|(name, value)| [name, value]);
                    for text in texts.into_iter().flatten().chain(&grant.operations).chain(pairs) {
                        assert!(is_clean(text), "{text:?}");
                    }
                }
            }
            Call::Revoke => {
                self.ask(2, admin.revoke(&wrapped.key, "abcd"));
            }
            Call::Retire => {
                self.ask(2, admin.retire(&wrapped.key, "abcd"));
            }
            Call::Policies(by) => {
                let key = name(by);
                self.ask(1, admin.policies(&key, &PolicyRequest::new(KeyRole::Node)));
            }
            Call::Rotation(by) => {
                let key = name(by);
                self.ask(3, admin.rotation(&key));
            }
            Call::SetRotation(enabled) => {
                self.ask(2, admin.set_rotation(&wrapped.key, *enabled, None));
            }
            Call::Rotate => {
                self.ask(2, admin.rotate(&wrapped.key));
            }
            Call::ScheduleDeletion(days) => {
                self.ask(2, admin.schedule_deletion(&wrapped.key, Some(u32::from(*days))));
            }
        }
    }
}

/// An envelope with one slot.
fn template() -> &'static str {
    static TEMPLATE: OnceLock<String> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let run = Run::new(shared());
        let key = run.keys.arn(0);
        let made = Envelope::create(&run.kms, &key, run.volume, Class::Persistent);
        block_on(made).expect("the service answers as KMS does").0.to_json()
    })
}

fn decoded(text: &Value) -> Vec<u8> {
    Base64::decode_vec(text.as_str().expect("a text")).expect("base64")
}

fn opened(error: &EnvelopeOpenError) {
    line(error);
    if let EnvelopeOpenError::NoSlotOpened(none) = error {
        none.failures.iter().for_each(|failure| refused(&failure.error));
    }
}

/// The changed envelope, which wraps the same root key.
fn changed(old: &Envelope, new: Result<Rewrapped, EnvelopeChangeError>) -> Option<Rewrapped> {
    match new {
        Ok(new) => {
            assert!(new.envelope.is_rewrapping_of(old));
            assert!(new.keys.as_ref().is_none_or(|keys| old.is_for(keys)));
            return Some(new);
        }
        Err(EnvelopeChangeError::Provider(error)) => refused(&error),
        Err(error) => line(&error),
    }
    None
}

fn check_description(key: &KeyDescription) {
    assert!(key.key.len() <= LONGEST_KEY && key.provider == "aws");
    let texts = [&key.material, &key.spec, &key.usage, &key.origin, &key.description];
    for text in texts.into_iter().flatten().chain([&key.key]) {
        assert!(is_clean(text), "{text:?}");
    }
}

fn check_check(check: &KeyCheck) {
    check.key.iter().for_each(check_description);
    assert!(check.unusable.as_deref().is_none_or(is_clean), "{check:?}");
    for permission in &check.permissions {
        if let PermissionOutcome::Denied(why) | PermissionOutcome::Unknown(why) = &permission.outcome {
            assert!(is_clean(why) && !secret::is_in(why), "{why:?}");
        }
    }
}

/// LeakSanitizer's own name for it. Threads of the service begin and end between two cases, and what they hold would be taken
/// for leaks of the first.
#[unsafe(no_mangle)]
pub extern "C" fn __lsan_is_turned_off() -> i32 {
    1
}

fuzz_target!(
    init: {
        set_environment();
        // So that the service answers here as KMS does.
        template();
    },
    |input: &[u8]| {
        // What the service tells otherwise is told by whoever writes it.
        if secret::is_in(&String::from_utf8_lossy(input)) {
            return;
        }
        let Ok(Case { calls, answers }) = Case::arbitrary_take_rest(Unstructured::new(input)) else { return };
        let adds_tokens = calls.iter().any(|call| matches!(call, Call::Grant(_)));
        let mut run = Run::new(if adds_tokens { provider() } else { shared() });
        service().begin(run.keys.clone(), answers);
        for call in calls.iter().take(6) {
            run.make(call);
        }
    }
);
