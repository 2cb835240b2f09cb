//! Key providers: whatever makes, wraps and unwraps root keys, and the care of the keys that do it.

use super::{
    EncryptionContext, Grant, GrantDescription, GrantRequest, KeyAlias, KeyCheck, KeyDescription,
    KeyPolicies, PolicyRequest, ProviderError, RootKey, RotationStatus,
};

/// A future on the heap, as the methods of [`KeyProvider`] return it so that the trait is object-safe.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

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
    #[must_use]
    pub fn is_stale(&self, key: &KeyDescription) -> Option<bool> {
        Some(self.material.as_ref()? != key.material.as_ref()?)
    }
}

/// Where a key-encryption key lives, as far as its name tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyLocation {
    /// The account that owns it.
    pub account: Option<String>,
    /// The region of the service that holds it.
    pub region: Option<String>,
}

impl KeyLocation {
    /// In a region of an account.
    #[must_use]
    pub fn new(account: impl Into<String>, region: impl Into<String>) -> KeyLocation {
        KeyLocation { account: Some(account.into()), region: Some(region.into()) }
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

    /// Where a key lives, by the name that envelopes have for it, without asking anybody. [`Expect`](super::Expect)
    /// compares it.
    fn location(&self, key: &str) -> KeyLocation {
        let _ = key;
        KeyLocation::default()
    }

    /// Whether `name`, which a user [expects](super::Expect), is the key that envelopes call `key`; without asking anybody.
    /// A name that can be moved to another key is none.
    fn is_key(&self, name: &str, key: &str) -> bool {
        name == key
    }

    /// What can be done with this provider's keys beyond wrapping; `None` where that is nothing.
    fn admin(&self) -> Option<&dyn KeyAdmin> {
        None
    }
}

/// What a key's owner does with it. Each provider has the part that it can do; the rest answers
/// [`ErrorClass::Unsupported`](super::ErrorClass::Unsupported).
///
/// Keys are named as in [`KeyProvider`](super::KeyProvider). Lists are complete: where a service answers in pages, all
/// of them are fetched.
pub trait KeyAdmin: Send + Sync {
    /// The provider's name, as in [`KeyProvider`](super::KeyProvider::name).
    fn provider(&self) -> &'static str;

    /// The keys that a user may pick from, by the names that users give them.
    fn list(&self) -> BoxFuture<'_, Result<Vec<KeyAlias>, ProviderError>> {
        unsupported(self.provider(), "listing keys")
    }

    /// Tries what a volume needs of `key`, without doing it, and tells what is allowed. With a wrapping of a volume it
    /// is that one which is tried.
    fn check<'a>(
        &'a self,
        key: &'a str,
        wrapped: Option<&'a WrappedKey>,
    ) -> BoxFuture<'a, Result<KeyCheck, ProviderError>> {
        let _ = (key, wrapped);
        unsupported(self.provider(), "checks of permissions")
    }

    /// Allows somebody else to use `key`. Asked for twice under the same name and alike, it is the same grant.
    fn grant<'a>(
        &'a self,
        key: &'a str,
        request: &'a GrantRequest,
    ) -> BoxFuture<'a, Result<Grant, ProviderError>> {
        let _ = (key, request);
        unsupported(self.provider(), "grants")
    }

    /// All grants of `key`.
    fn grants<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Vec<GrantDescription>, ProviderError>> {
        let _ = key;
        unsupported(self.provider(), "grants")
    }

    /// Takes a grant back, as the key's owner.
    fn revoke<'a>(&'a self, key: &'a str, grant: &'a str) -> BoxFuture<'a, Result<(), ProviderError>> {
        let _ = (key, grant);
        unsupported(self.provider(), "grants")
    }

    /// Gives a grant back, as the one who uses it or as its retiring principal.
    fn retire<'a>(&'a self, key: &'a str, grant: &'a str) -> BoxFuture<'a, Result<(), ProviderError>> {
        let _ = (key, grant);
        unsupported(self.provider(), "grants")
    }

    /// The least policies under which `key` can be used as asked, for its owner to put into place.
    fn policies<'a>(
        &'a self,
        key: &'a str,
        request: &'a PolicyRequest,
    ) -> BoxFuture<'a, Result<KeyPolicies, ProviderError>> {
        let _ = (key, request);
        unsupported(self.provider(), "policies")
    }

    /// Whether the key's material is renewed by itself, and when.
    fn rotation<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<RotationStatus, ProviderError>> {
        let _ = key;
        unsupported(self.provider(), "automatic rotation")
    }

    /// Has the key's material renewed every `days` days (`None`: the provider's usual period), or no more. Wrappings by
    /// earlier material still open.
    fn set_rotation<'a>(
        &'a self,
        key: &'a str,
        enabled: bool,
        days: Option<u32>,
    ) -> BoxFuture<'a, Result<(), ProviderError>> {
        let _ = (key, enabled, days);
        unsupported(self.provider(), "automatic rotation")
    }

    /// Renews the key's material now, or begins to. Wrappings by earlier material still open.
    fn rotate<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), ProviderError>> {
        let _ = key;
        unsupported(self.provider(), "rotation")
    }

    /// Enables or disables the key.
    fn set_enabled<'a>(&'a self, key: &'a str, enabled: bool) -> BoxFuture<'a, Result<(), ProviderError>> {
        let _ = (key, enabled);
        unsupported(self.provider(), "disabling keys")
    }

    /// Has the key deleted after a waiting period of `days` days (`None`: the provider's usual one); gives when, in
    /// seconds since 1970-01-01T00:00:00Z. What it wrapped then never opens again.
    fn schedule_deletion<'a>(
        &'a self,
        key: &'a str,
        days: Option<u32>,
    ) -> BoxFuture<'a, Result<Option<u64>, ProviderError>> {
        let _ = (key, days);
        unsupported(self.provider(), "the deletion of keys")
    }

    /// Cancels a deletion that has not come yet. The key may be disabled afterwards.
    fn cancel_deletion<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), ProviderError>> {
        let _ = key;
        unsupported(self.provider(), "the deletion of keys")
    }

    /// Erases a key whose waiting period has ended, for providers that do not do so by themselves. What it wrapped
    /// never opens again.
    fn purge<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), ProviderError>> {
        let _ = key;
        unsupported(self.provider(), "erasing keys: it deletes them by itself when their waiting period ends")
    }
}

fn unsupported<'a, T: Send + 'a>(
    provider: &'static str,
    what: &'static str,
) -> BoxFuture<'a, Result<T, ProviderError>> {
    Box::pin(async move { Err(ProviderError::unsupported(provider, what)) })
}
