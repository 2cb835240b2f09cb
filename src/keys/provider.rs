//! Key providers: whatever makes, wraps and unwraps root keys.

use super::{EncryptionContext, KeyAdmin, KeyDescription, ProviderError, RootKey};
use std::pin::Pin;

/// A future on the heap, as the methods of [`KeyProvider`] return it so that the trait is object-safe.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A root key as a provider wrapped it, with all that is needed to have it unwrapped. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey {
    /// The [name](KeyProvider::name) of the provider that can unwrap it.
    pub provider: String,
    /// The key-encryption key, by the provider's own lasting name for it (an ARN, never an alias; a local name).
    pub key: String,
    /// Which material of that key wrapped it, where the provider tells: a rotated key has several.
    pub material: Option<String>,
    /// The context that the wrapping is bound to.
    pub context: EncryptionContext,
    /// The wrapped root key, in the provider's own format.
    pub wrapped: Vec<u8>,
}

impl WrappedKey {
    /// Whether the key has newer material than the one that wrapped this, so that a rewrap would renew it; `None`
    /// where one of the two material ids is not known.
    pub fn is_stale(&self, key: &KeyDescription) -> Option<bool> {
        Some(self.material.as_ref()? != key.material.as_ref()?)
    }
}

/// A source of root keys: a key management service, or the [local keystore](super::LocalKeystore).
///
/// The futures must not need an async runtime around them: a provider whose client needs one owns it, on a
/// thread of its own. So async callers await them under any runtime, and all others call
/// [`block_on`](super::block_on).
///
/// Four methods are what opening and making volumes takes. [`wrap`](KeyProvider::wrap) and
/// [`rewrap`](KeyProvider::rewrap) serve changes of the wrapping; the care of the keys themselves is a trait of its
/// own, [`KeyAdmin`].
pub trait KeyProvider: Send + Sync {
    /// The provider's name, as envelopes store it: 1 to 32 of `a-z`, `0-9` and `-`.
    fn name(&self) -> &'static str;

    /// Makes a new root key and returns it wrapped under `key`, bound to `context`. The plaintext does not
    /// leave the provider.
    fn generate<'a>(
        &'a self,
        key: &'a str,
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<WrappedKey, ProviderError>>;

    /// Unwraps a root key under the context that it carries.
    fn unwrap<'a>(&'a self, wrapped: &'a WrappedKey) -> BoxFuture<'a, Result<RootKey, ProviderError>>;

    /// Tells what `key` is, and in which state.
    fn describe<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<KeyDescription, ProviderError>>;

    /// Wraps a root key that exists already under `key`, bound to `context`.
    ///
    /// A provider without this answers [`ErrorClass::Unsupported`](super::ErrorClass::Unsupported), and no existing key
    /// comes under its keys.
    fn wrap<'a>(
        &'a self,
        root: &'a RootKey,
        key: &'a str,
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<WrappedKey, ProviderError>> {
        let _ = (root, key, context);
        Box::pin(async { Err(ProviderError::unsupported(self.name(), "wrapping an existing key")) })
    }

    /// Wraps anew under `key`, inside the service, what a key of this provider wrapped: the plaintext does not reach
    /// this process. The context stays, and so does the root key. Provider, keys and material that the service names
    /// in its answer must have been checked by the provider; nobody else can.
    ///
    /// A provider without this answers [`ErrorClass::Unsupported`](super::ErrorClass::Unsupported), and
    /// [`Envelope::rewrap`] unwraps and wraps.
    ///
    /// [`Envelope::rewrap`]: super::Envelope::rewrap
    fn rewrap<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        key: &'a str,
    ) -> BoxFuture<'a, Result<WrappedKey, ProviderError>> {
        let _ = (wrapped, key);
        Box::pin(async { Err(ProviderError::unsupported(self.name(), "rewrapping without the plaintext")) })
    }

    /// What can be done with this provider's keys beyond wrapping; `None` where that is nothing.
    fn admin(&self) -> Option<&dyn KeyAdmin> {
        None
    }
}
