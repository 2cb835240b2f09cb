//! The key providers as commands meet them.

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;

#[cfg(feature = "aws")]
use atrest::keys::{AwsKms, KmsOptions};
use atrest::keys::{
    Class, Envelope, EnvelopeError, ErrorClass, KeyProvider, KeyRef, LocalKeystore, ProviderError, Providers,
    VolumeKeys, block_on, new_uuid,
};

use crate::failure::{Failure, show};
use crate::passphrase::asking;

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
    if let Some(text) = std::env::var_os(VARIABLE).filter(|text| !text.is_empty()) {
        let key = text.to_string_lossy().parse::<KeyRef>();
        let key = key.map_err(|error| Failure::new(format!("the variable {VARIABLE}: {error}")))?;
        return Ok((key, "by the variable ATREST_KEY"));
    }
    if let Some(key) = configured_default()? {
        return Ok((key, "in the keystore's config.json"));
    }
    Ok((DEFAULT.parse().expect("a valid name"), "by nobody: it is the one for want of another"))
}

/// The keystore's configured key.
pub fn configured_default() -> Result<Option<KeyRef>, Failure> {
    let failed = |error: &dyn Display| Failure::new(format!("cannot tell which key is the default: {error}"));
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
    let volume = new_uuid().map_err(|error| unusable(key, &error))?;
    block_on(Envelope::create(&*provider, key.key(), volume, Class::Persistent)).map_err(
        |error| match error {
            EnvelopeError::Provider(error) => unusable(key, &error),
            error => unusable(key, &error),
        },
    )
}

/// The provider of a key that is to wrap; and what to tell the user when that key was made for it.
pub fn to_wrap(key: &KeyRef, notice: &mut Option<String>) -> Result<Arc<dyn KeyProvider>, Failure> {
    if key.provider() != "local" {
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
    let missing = || Failure::new(format!("there is no key {key}: make it with `atrest key create {key}`"));
    let Some(keystore) = existing(home, |error| unusable(key, error))? else { return Err(missing()) };
    match block_on(keystore.describe(name)) {
        Ok(_) => Ok(Arc::new(asking(keystore))),
        Err(error) if error.class() == ErrorClass::KeyNotFound => Err(missing()),
        Err(error) => Err(unusable(key, &error)),
    }
}

/// A key that cannot be used.
pub fn unusable(key: &KeyRef, error: &dyn Display) -> Failure {
    Failure::new(format!("cannot use the key {key}: {error}"))
}

/// The provider of that name, if this build has it.
pub fn provider(name: &str) -> Result<Arc<dyn KeyProvider>, ProviderError> {
    match name {
        "local" => Ok(Arc::new(asking(LocalKeystore::open(LocalKeystore::default_path()?)?))),
        #[cfg(feature = "aws")]
        "aws" => Ok(Arc::new(aws()?)),
        name => Err(ProviderError::new(
            ErrorClass::Unsupported,
            format!("this build has no provider for {name}: keys; use local:NAME"),
        )),
    }
}

/// AWS KMS as the environment sets it up. Tokens of new grants come from a variable of our own: the SDK has none.
#[cfg(feature = "aws")]
fn aws() -> Result<AwsKms, ProviderError> {
    let mut options = KmsOptions::default();
    if let Ok(tokens) = std::env::var("ATREST_GRANT_TOKENS") {
        options.grant_tokens =
            tokens.split([',', ' ']).filter(|token| !token.is_empty()).map(str::to_owned).collect();
    }
    AwsKms::new(options)
}

/// The provider of a key, for the care of the key itself.
pub fn administering(key: &KeyRef) -> Result<Arc<dyn KeyProvider>, Failure> {
    let found = provider(key.provider()).map_err(|error| unusable(key, &error))?;
    match found.admin() {
        Some(_) => Ok(found),
        None => Err(unusable(key, &"its provider does nothing but wrap with it")),
    }
}

/// The providers that the envelope calls for. One that this build does not have is left out, and so is one that cannot
/// be set up while others can.
pub fn of(envelope: &Envelope) -> Result<Providers, ProviderError> {
    let mut names: Vec<&str> = envelope.slots().iter().map(|slot| slot.provider.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let mut providers = Providers::new();
    let mut failed = None;
    for name in names {
        match provider(name) {
            Ok(provider) => providers.insert(provider),
            Err(error) if error.class() == ErrorClass::Unsupported => {}
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    match failed {
        Some(error) if providers.names().len() == 0 => Err(error),
        _ => Ok(providers),
    }
}

/// The name of a local key, or why it is none.
pub fn local_name(key: &KeyRef) -> Result<&str, String> {
    match key.provider() {
        "local" => Ok(key.key()),
        "aws" => {
            Err("keys of AWS KMS are made there (`aws kms create-key`); atrest makes local:NAME".to_owned())
        }
        scheme => Err(format!("keys of {scheme}: are made there; atrest makes local:NAME")),
    }
}

/// The keystore in `home`; `None` where nothing was made yet.
pub fn existing(
    home: PathBuf,
    failed: impl Fn(&dyn Display) -> Failure,
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
        "made the key {key} in {}; back that directory up: without it the volumes of this key cannot be opened",
        show(keystore.path())
    )
}
