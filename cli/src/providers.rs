//! The key providers as commands meet them.

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use atrest::environment::variable;
use atrest::keys::{
    Class, Envelope, EnvelopeCreateError, ErrorClass, KeyProvider, KeyRef, KeyRefError, LocalKeystore,
    ProviderError, Providers, Registry, VolumeKeys, block_on, new_uuid,
};

use crate::advice;
use crate::failure::{Failure, show};
use crate::passphrase::asking;

/// The key providers that this command is built with: each has its line here, and stands nowhere else.
#[must_use]
pub fn built_in() -> Registry {
    let local = || Ok(asking(LocalKeystore::open(LocalKeystore::default_path()?)?));
    let registry = Registry::new().with(LocalKeystore::scheme().connecting(local));
    #[cfg(feature = "aws")]
    let registry = registry.with(atrest_aws_kms::scheme());
    registry
}

/// The key providers of this process: command lines are read by functions that nobody can pass anything to.
static REGISTRY: OnceLock<Registry> = OnceLock::new();

/// Sets the key providers of this process.
pub fn register(registry: Registry) {
    REGISTRY.set(registry).expect("a process runs one command");
}

/// The key providers of this process.
pub fn registry() -> &'static Registry {
    REGISTRY.get_or_init(built_in)
}

/// Reads the name of a key on the command line. One of a provider that is not there is refused when it is used, and can
/// be noted for another machine's command.
pub fn key(text: &str) -> Result<KeyRef, KeyRefError> {
    let key: KeyRef = text.parse()?;
    registry().check(&key)?;
    Ok(key)
}

/// The one key that is made when it is first used. Others are made by `atrest key create`, so that a misspelt name
/// does not become a key.
pub const DEFAULT: &str = "local:default";

/// Names the key that wraps when the command line names none.
const VARIABLE: &str = "ATREST_KEY";

/// The key that wraps when the command line names none: `$ATREST_KEY`, else the keystore's configured one, else
/// [`DEFAULT`].
pub fn default_key() -> Result<KeyRef, Failure> {
    Ok(chosen_default()?.0)
}

/// The same, and where it is set.
pub fn chosen_default() -> Result<(KeyRef, &'static str), Failure> {
    if let Some(text) = variable(VARIABLE) {
        let key = key(&text.to_string_lossy())
            .map_err(|error| Failure::new(format!("the variable {VARIABLE}: {error}")))?;
        return Ok((key, "in the variable ATREST_KEY"));
    }
    if let Some(key) = configured_default()? {
        return Ok((key, "in the keystore's config.json"));
    }
    Ok((DEFAULT.parse().expect("a valid name"), "nowhere: it is the built-in default"))
}

/// The keystore's configured key.
pub fn configured_default() -> Result<Option<KeyRef>, Failure> {
    let failed = |error: &ProviderError| {
        let error = advice::with_keystore(error);
        Failure::new(format!("cannot determine the default key: {error}"))
    };
    let home = LocalKeystore::default_path().map_err(|error| failed(&error))?;
    match existing(home, failed)? {
        Some(keystore) => keystore.default_key().map_err(|error| failed(&error)),
        None => Ok(None),
    }
}

/// Makes the keys of a new volume, wrapped under `key`; and what to tell the user when that key was made for it, which
/// is so even if the rest fails.
pub fn new_keys(key: &KeyRef) -> (Result<(Envelope, VolumeKeys), Failure>, Option<String>) {
    let mut notice = None;
    (wrapped_under(key, &mut notice), notice)
}

fn wrapped_under(key: &KeyRef, notice: &mut Option<String>) -> Result<(Envelope, VolumeKeys), Failure> {
    let provider = to_wrap(key, notice)?;
    let volume = new_uuid().map_err(|error| refused(key, &error))?;
    block_on(Envelope::create(&*provider, key.key(), volume, Class::Persistent)).map_err(
        |error| match error {
            EnvelopeCreateError::Provider(error) => unusable(key, &error),
            error => refused(key, &error),
        },
    )
}

/// The provider of a key that is to wrap; and what to tell the user when that key was made for it.
pub fn to_wrap(key: &KeyRef, notice: &mut Option<String>) -> Result<Arc<dyn KeyProvider>, Failure> {
    if key.provider() != LocalKeystore::SCHEME {
        return provider(key.provider()).map_err(|error| unusable(key, &error));
    }
    let name = key.key();
    let home = LocalKeystore::default_path().map_err(|error| unusable(key, &error))?;
    if key.to_string() == DEFAULT {
        let keystore = LocalKeystore::open_or_create(home).map_err(|error| unusable(key, &error))?;
        if keystore.ensure_key(name).map_err(|error| unusable(key, &error))? {
            *notice = Some(made(key, &keystore));
        }
        return Ok(Arc::new(asking(keystore)));
    }
    let missing = || Failure::new(format!("there is no key {key}: create it with `atrest key create {key}`"));
    let Some(keystore) = existing(home, |error| unusable(key, error))? else { return Err(missing()) };
    match block_on(keystore.describe(name)) {
        Ok(_) => Ok(Arc::new(asking(keystore))),
        Err(error) if error.class() == ErrorClass::KeyNotFound => Err(missing()),
        Err(error) => Err(unusable(key, &error)),
    }
}

/// A key that cannot be used, as its provider says.
pub fn unusable(key: &KeyRef, error: &ProviderError) -> Failure {
    refused(key, &advice::with_key(key.provider(), key.key(), error))
}

/// A key that cannot be used, for this reason.
pub fn refused(key: &KeyRef, why: &dyn Display) -> Failure {
    Failure::new(format!("cannot use the key {key}: {why}"))
}

/// The provider of that name, if this build has it.
pub fn provider(name: &str) -> Result<Arc<dyn KeyProvider>, ProviderError> {
    if registry().scheme(name).is_some() {
        return registry().provider(name);
    }
    let usage = registry().usage();
    let message = format!("this build has no provider for {name}: keys; use {usage}");
    Err(ProviderError::new(ErrorClass::Unsupported, message))
}

/// The provider of a key, for the care of the key itself.
pub fn administering(key: &KeyRef) -> Result<Arc<dyn KeyProvider>, Failure> {
    let found = provider(key.provider()).map_err(|error| unusable(key, &error))?;
    match found.admin() {
        Some(_) => Ok(found),
        None => Err(refused(key, &"its provider can only wrap and unwrap with it")),
    }
}

/// The providers that the envelope calls for.
pub fn of(envelope: &Envelope) -> Result<Providers, ProviderError> {
    registry().providers_for(envelope)
}

/// The name of a local key, or why it is none.
pub fn local_name(key: &KeyRef) -> Result<&str, String> {
    key.of(LocalKeystore::SCHEME).ok_or_else(|| {
        format!("{}: keys are created in that service; atrest creates local:NAME", key.provider())
    })
}

/// The keystore in `home`; `None` where nothing was made yet.
pub fn existing(
    home: PathBuf,
    failed: impl Fn(&ProviderError) -> Failure,
) -> Result<Option<LocalKeystore>, Failure> {
    match home.try_exists() {
        Ok(false) => Ok(None),
        Ok(true) => LocalKeystore::open(home).map(Some).map_err(|error| failed(&error)),
        Err(error) => Err(Failure::io("cannot read the keystore", show(&home), &error)),
    }
}

/// What is said when a key was made.
pub fn made(key: &KeyRef, keystore: &LocalKeystore) -> String {
    format!(
        "created the key {key} in {}; back up that directory: without it, volumes wrapped by this key cannot be opened",
        show(keystore.path())
    )
}
