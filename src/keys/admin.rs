//! The care of key-encryption keys: what a key's owner does, as opposed to what opening a volume takes.

use super::{
    BoxFuture, Grant, GrantDescription, GrantRequest, KeyDescription, KeyManager, ProviderError,
    RotationStatus, WrappedKey,
};

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

/// A key as a user picks it from a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyAlias {
    /// The name by which it is chosen, for example `alias/prod`.
    pub name: String,
    /// Who looks after the key.
    pub manager: Option<KeyManager>,
    /// The key itself, or why the provider does not tell of it.
    pub key: Result<KeyDescription, String>,
}

impl KeyAlias {
    /// A key by this name.
    pub fn new(name: &str, manager: Option<KeyManager>, key: Result<KeyDescription, String>) -> KeyAlias {
        KeyAlias { name: name.to_owned(), manager, key }
    }
}

/// What a check of a key found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyCheck {
    /// The key; `None` where the caller may not know, which the permissions tell.
    pub key: Option<KeyDescription>,
    /// How it is rotated, where the caller may know.
    pub rotation: Option<RotationStatus>,
    /// Why the key is none for wrapping, or cannot be used now.
    pub unusable: Option<String>,
    /// Each permission that was tried.
    pub permissions: Vec<PermissionCheck>,
}

impl KeyCheck {
    /// A check with these parts.
    pub fn new(
        key: Option<KeyDescription>,
        rotation: Option<RotationStatus>,
        unusable: Option<String>,
        permissions: Vec<PermissionCheck>,
    ) -> KeyCheck {
        KeyCheck { key, rotation, unusable, permissions }
    }

    /// Whether the key can be used, and every required permission is there.
    pub fn passed(&self) -> bool {
        let lacks = |check: &PermissionCheck| check.required && check.outcome != PermissionOutcome::Allowed;
        self.unusable.is_none() && !self.permissions.iter().any(lacks)
    }
}

/// One permission, and whether it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PermissionCheck {
    /// The permission, in the provider's words, for example `kms:Decrypt`.
    pub permission: String,
    /// Whether volumes need it; the others serve rewrapping and convenience.
    pub required: bool,
    /// What came of trying it.
    pub outcome: PermissionOutcome,
}

impl PermissionCheck {
    /// One permission.
    pub fn new(permission: &str, required: bool, outcome: PermissionOutcome) -> PermissionCheck {
        PermissionCheck { permission: permission.to_owned(), required, outcome }
    }
}

/// What came of trying a permission.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PermissionOutcome {
    /// It is there.
    Allowed,
    /// It is not, for this reason.
    Denied(String),
    /// It could not be tried, for this reason.
    Unknown(String),
}
