//! A volume's root key: generated, wrapped and unwrapped by key providers.
//!
//! A volume has one [`RootKey`] of 32 bytes, from which its [`VolumeKeys`] are derived. The root key is stored
//! wrapped, in an [`Envelope`], by one or more key-encryption keys; these belong to a [`KeyProvider`]: a key
//! management service, or the [`LocalKeystore`] of this machine's user.
//!
//! ```
//! use atrest::keys::{Class, Envelope, Expect, LocalKeystore, Providers, block_on, new_uuid};
//!
//! # let home = tempfile::tempdir()?;
//! # let home = home.path().join("atrest");
//! let keystore = LocalKeystore::open_or_create(&home)?;
//! keystore.ensure_key("default")?;
//!
//! let volume = new_uuid()?;
//! let (envelope, keys) = block_on(Envelope::create(&keystore, "default", volume, Class::Persistent))?;
//! let stored = envelope.to_json();
//!
//! let envelope = Envelope::from_json(stored.as_bytes())?;
//! let providers = Providers::new().with(keystore);
//! let opened = block_on(envelope.open(&providers, &Expect::volume(volume)))?;
//! assert_eq!(opened.keys.xts_key(), keys.xts_key());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is protected
//! Root keys and derived keys live in [`Secret`] memory. Text and buffers that held key material are wiped
//! after use, and so is the stack below the code that derives and wraps. What the compiler keeps in registers,
//! and what a debugger or the kernel reads from a running process, is out of reach.

mod block_on;
mod cache;
pub(crate) mod clock;
mod context;
mod description;
mod envelope;
mod error;
mod expect;
mod grants;
mod keyref;
mod local;
mod provider;
mod providers;
mod registry;
mod root;
mod secret;
mod single_flight;
mod unexpected;

pub use crate::stack::on_wiped_stack;
pub use block_on::{block_on, block_on_timeout, block_on_while};
pub use cache::{CacheStatistics, RootKeyCache};
pub use clock::utc_date;
pub use context::{ContextError, EncryptionContext, Iter as ContextIter};
pub use description::{
    KeyAlias, KeyCheck, KeyDescription, KeyManager, KeyPolicies, KeyRole, KeyState, PermissionCheck,
    PermissionOutcome, Policy, PolicyRequest, RotationStatus,
};
pub use envelope::{
    Class, Envelope, EnvelopeChangeError, EnvelopeCreateError, EnvelopeFormatError, EnvelopeOpenError,
    NoSlotOpened, Opened, Rewrapped, SlotFailure, WrongClass,
};
pub use error::{ErrorClass, ProviderError, ServiceAnswer};
pub use expect::{Expect, ExpectError, Pin};
pub use grants::{Grant, GrantDescription, GrantRequest, Operation, OperationError};
pub use keyref::{KeyRef, KeyRefError};
pub use local::{LocalKeystore, Passphrase, PassphraseCost, ScratchKey};
pub use provider::{BoxFuture, KeyAdmin, KeyLocation, KeyProvider, WrappedKey};
pub use providers::Providers;
pub use registry::{Registry, Scheme};
pub use root::{HeaderKey, RootKey, VolumeKeys};
pub use secret::{Protection, Secret, SecretError, fill_random};
pub use unexpected::Unexpected;
pub use uuid::Uuid;

/// A new random UUID (version 4, RFC 9562 section 5.4) from the system's random number generator.
///
/// # Errors
/// [`SecretError::Random`] when the generator fails.
pub fn new_uuid() -> Result<Uuid, SecretError> {
    let mut bytes = [0; 16];
    fill_random(&mut bytes)?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid())
}
