//! The suite, on the two providers that need no service: the local keystore, and the one of the examples.

// The example is a program of its own, too.
#[path = "../../../examples/provider.rs"]
mod example;

use std::path::Path;
use std::sync::Arc;

use atrest::keys::{
    Class, Envelope, ErrorClass, Expect, KeyProvider, LocalKeystore, Passphrase, PassphraseCost, Registry,
    RootKey, block_on, fill_random, new_uuid,
};
use atrest_provider_tests::{Ability, Subject, TESTS, run};
use base64ct::{Base64, Encoding as _};

/// A keystore with two keys.
fn keystore(home: &Path) -> LocalKeystore {
    let keystore = LocalKeystore::open_or_create(home.join("keystore")).unwrap();
    keystore.create_key("one").unwrap();
    keystore.create_key("two").unwrap();
    keystore
}

fn local(keystore: LocalKeystore) -> Subject {
    let mut subject = Subject::new(Arc::new(keystore.clone()), "one", "two");
    subject.missing = Some("none".to_owned());
    subject.scheme = Some(LocalKeystore::scheme());
    subject.debug = Some(format!("{keystore:?}"));
    subject
}

#[test]
fn the_local_keystore() {
    let home = tempfile::tempdir().unwrap();
    let keystore = keystore(home.path());
    let text = std::fs::read_to_string(home.path().join("keystore/keys/one.json")).unwrap();
    let key = text.split("\"key\":\"").nth(1).unwrap().split('"').next().unwrap();
    let mut subject = local(keystore);
    subject.secrets = vec![Base64::decode_vec(key).unwrap()];
    assert_eq!(subject.secrets[0].len(), 32);
    run(&subject);
}

#[test]
fn the_local_keystore_under_a_passphrase() {
    let home = tempfile::tempdir().unwrap();
    let (text, cost) = (b"correct horse".as_slice(), PassphraseCost::new(64, 1, 1).unwrap());
    let passphrase = Passphrase::copy(text).unwrap();
    let keystore = keystore(home.path());
    keystore.set_passphrase("one", Some((&passphrase, cost))).unwrap();
    let mut subject = local(keystore.with_passphrase(move |_| Ok(passphrase.clone())));
    subject.secrets = vec![text.to_vec()];
    run(&subject);
}

/// Two keys in files, and the provider.
fn files(directory: &Path) -> example::FileKeys {
    for name in ["one", "two"] {
        let mut key = [0; 32];
        fill_random(&mut key).unwrap();
        std::fs::write(directory.join(name), key).unwrap();
    }
    example::FileKeys { directory: directory.to_owned() }
}

fn example(directory: &Path) -> Subject {
    let provider = files(directory);
    let debug = format!("{provider:?}");
    let mut subject = Subject::new(Arc::new(provider), "one", "two");
    subject.missing = Some("none".to_owned());
    subject.scheme = Some(example::scheme());
    subject.debug = Some(debug);
    subject.secrets = vec![std::fs::read(directory.join("one")).unwrap()];
    subject
}

#[test]
fn somebody_elses() {
    let directory = tempfile::tempdir().unwrap();
    run(&example(directory.path()));
}

/// Its name stands in errors and in what is refused, and nothing else had to know it.
#[test]
fn somebody_elses_is_named_by_a_registry() {
    let directory = tempfile::tempdir().unwrap();
    let provider = files(directory.path());
    let scheme = example::scheme().connecting(move || Ok(provider.clone()));
    let registry = Registry::new().with(LocalKeystore::scheme()).with(scheme);
    assert_eq!(registry.usage(), "local:NAME or file:NAME");
    let error = registry.parse("file:../one").unwrap_err().to_string();
    assert_eq!(error, "\"../one\" is no name for a file key: use letters and digits");
    let key = registry.parse("file:one").unwrap();
    let provider = registry.provider("file").unwrap();
    let create = Envelope::create(&*provider, key.key(), new_uuid().unwrap(), Class::Persistent);
    let (envelope, keys) = block_on(create).unwrap();
    let providers = registry.providers_for(&envelope).unwrap();
    assert_eq!(block_on(envelope.open(&providers, &Expect::any())).unwrap().keys.xts_key(), keys.xts_key());
    std::fs::remove_file(directory.path().join("one")).unwrap();
    let error = block_on(envelope.open(&providers, &Expect::any())).unwrap_err().to_string();
    assert!(error.contains("file:one: cannot read the key file:one: "), "{error}");
}

/// A suite that passes whatever a provider does is none: each defect here fails the test that is there for it.
#[test]
fn the_suite_finds_defects() {
    use atrest::keys::{BoxFuture, EncryptionContext, KeyDescription, ProviderError, WrappedKey};

    /// The example with something wrong.
    struct Broken(example::FileKeys, Defect);

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Defect {
        IgnoresContext,
        IgnoresChanges,
        OneRootKey,
        InTheClear,
        KnowsEveryKey,
        RewrapsWithoutSayingSo,
        TellsSecrets,
    }

    impl KeyProvider for Broken {
        fn name(&self) -> &'static str {
            self.0.name()
        }

        fn generate<'a>(
            &'a self,
            key: &'a str,
            context: &'a EncryptionContext,
        ) -> BoxFuture<'a, Result<WrappedKey, ProviderError>> {
            Box::pin(async move {
                match self.1 {
                    Defect::IgnoresContext => {
                        let wrapped = self.0.generate(key, &EncryptionContext::new()).await?;
                        Ok(WrappedKey { context: context.clone(), ..wrapped })
                    }
                    Defect::OneRootKey => {
                        let root = RootKey::take(&mut [7; 32]).unwrap();
                        self.0.wrap(&root, key, context).await
                    }
                    Defect::InTheClear => {
                        let mut wrapped = self.0.generate(key, context).await?;
                        let root = self.0.unwrap(&wrapped).await?;
                        wrapped.wrapped.extend_from_slice(root.expose());
                        Ok(wrapped)
                    }
                    Defect::KnowsEveryKey => self.0.generate("one", context).await,
                    _ => self.0.generate(key, context).await,
                }
            })
        }

        fn unwrap<'a>(&'a self, wrapped: &'a WrappedKey) -> BoxFuture<'a, Result<RootKey, ProviderError>> {
            Box::pin(async move {
                let mut to_open = wrapped.clone();
                match self.1 {
                    Defect::IgnoresContext => to_open.context = EncryptionContext::new(),
                    Defect::InTheClear => to_open.wrapped.truncate(60),
                    _ => {}
                }
                match (self.1, self.0.unwrap(&to_open).await) {
                    (Defect::IgnoresChanges, Err(_)) => Ok(RootKey::generate()?),
                    (Defect::TellsSecrets, Err(error)) => {
                        let key = std::fs::read(self.0.directory.join("one")).unwrap();
                        let message = format!("cannot open it with {}", Base64::encode_string(&key));
                        Err(ProviderError::new(error.class(), message))
                    }
                    (_, answer) => answer,
                }
            })
        }

        fn describe<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<KeyDescription, ProviderError>> {
            match self.1 {
                Defect::KnowsEveryKey => Box::pin(async move { Ok(KeyDescription::new("file", key)) }),
                _ => self.0.describe(key),
            }
        }

        fn wrap<'a>(
            &'a self,
            root: &'a RootKey,
            key: &'a str,
            context: &'a EncryptionContext,
        ) -> BoxFuture<'a, Result<WrappedKey, ProviderError>> {
            self.0.wrap(root, key, context)
        }

        fn rewrap<'a>(
            &'a self,
            wrapped: &'a WrappedKey,
            key: &'a str,
        ) -> BoxFuture<'a, Result<WrappedKey, ProviderError>> {
            Box::pin(async move {
                match self.1 {
                    Defect::RewrapsWithoutSayingSo => self.0.generate(key, &wrapped.context).await,
                    _ => Err(ProviderError::new(ErrorClass::Unsupported, "not here")),
                }
            })
        }
    }

    for (defect, test) in [
        (Defect::IgnoresContext, "a_wrapping_opens_in_its_context_alone"),
        (Defect::IgnoresChanges, "a_changed_wrapping_does_not_open"),
        (Defect::OneRootKey, "a_new_root_key_opens_again"),
        (Defect::InTheClear, "a_new_root_key_opens_again"),
        (Defect::KnowsEveryKey, "a_missing_key_is_told"),
        (Defect::RewrapsWithoutSayingSo, "a_wrapping_is_renewed_inside"),
        (Defect::TellsSecrets, "no_secret_is_shown"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let mut subject = example(directory.path());
        let provider = example::FileKeys { directory: directory.path().to_owned() };
        subject.provider = Arc::new(Broken(provider, defect));
        if defect == Defect::RewrapsWithoutSayingSo {
            subject.rewrap = Ability::Yes;
        }
        let test = TESTS.iter().find(|(name, _)| *name == test).unwrap().1;
        let passed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test(&subject))).is_ok();
        assert!(!passed, "{defect:?} passes");
    }
}
