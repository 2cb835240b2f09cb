//! What a provider tells of a key-encryption key: what it is, how it is renewed, who may use it.

use super::Uuid;
use std::fmt;

/// What a provider tells of a key-encryption key. What a provider does not tell, or does not have, is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyDescription {
    /// The provider's name.
    pub provider: String,
    /// The key, by the provider's lasting name for it.
    pub key: String,
    /// Whether the key can be used.
    pub state: KeyState,
    /// The material that new wrappings get.
    pub material: Option<String>,
    /// When the key was created, in seconds since 1970-01-01T00:00:00Z.
    pub created: Option<u64>,
    /// When it will be deleted, in seconds since 1970-01-01T00:00:00Z, if it waits for its deletion.
    pub deletion: Option<u64>,
    /// What kind of key it is, in the provider's words, for example `SYMMETRIC_DEFAULT`.
    pub spec: Option<String>,
    /// What it is for, in the provider's words, for example `ENCRYPT_DECRYPT`.
    pub usage: Option<String>,
    /// Where its material comes from, in the provider's words, for example `AWS_KMS` or `EXTERNAL`.
    pub origin: Option<String>,
    /// Who looks after it.
    pub manager: Option<KeyManager>,
    /// Whether keys of other regions share its material.
    pub multi_region: Option<bool>,
    /// What its owner says of it; free text.
    pub description: Option<String>,
    /// Whether a passphrase guards it.
    pub passphrase: Option<bool>,
}

impl KeyDescription {
    /// A description of an enabled key of which nothing else is known.
    #[must_use]
    pub fn new(provider: &str, key: &str) -> KeyDescription {
        KeyDescription {
            provider: provider.to_owned(),
            key: key.to_owned(),
            state: KeyState::Enabled,
            material: None,
            created: None,
            deletion: None,
            spec: None,
            usage: None,
            origin: None,
            manager: None,
            multi_region: None,
            description: None,
            passphrase: None,
        }
    }
}

/// Whether a key-encryption key can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyState {
    /// It wraps and unwraps.
    Enabled,
    /// Its owner disabled it, and can enable it again.
    Disabled,
    /// It waits for its deletion, which its owner can still cancel.
    PendingDeletion,
    /// Its owner has not brought its material yet, or took it away.
    PendingImport,
    /// It cannot be used at present, for another reason: its key store is disconnected, or it is being made.
    Unavailable,
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyState::Enabled => "enabled",
            KeyState::Disabled => "disabled",
            KeyState::PendingDeletion => "pending deletion",
            KeyState::PendingImport => "pending import",
            KeyState::Unavailable => "unavailable",
        })
    }
}

/// Who looks after a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyManager {
    /// The customer, who decides about it.
    Customer,
    /// The provider itself, here by its name (`AWS`), for the use of one of its services alone: no volume's key is
    /// wrapped with it.
    Provider(&'static str),
}

impl fmt::Display for KeyManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyManager::Customer => "customer",
            KeyManager::Provider(name) => name,
        })
    }
}

/// How a key's material is renewed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RotationStatus {
    /// Whether the provider renews it by itself.
    pub enabled: bool,
    /// Every how many days, where the provider tells.
    pub period_days: Option<u32>,
    /// When it will next do so, in seconds since 1970-01-01T00:00:00Z, where the provider tells.
    pub next: Option<u64>,
    /// Since when a renewal that somebody asked for is under way, in seconds since 1970-01-01T00:00:00Z.
    pub on_demand_since: Option<u64>,
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
    #[must_use]
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
    #[must_use]
    pub fn new(
        key: Option<KeyDescription>,
        rotation: Option<RotationStatus>,
        unusable: Option<String>,
        permissions: Vec<PermissionCheck>,
    ) -> KeyCheck {
        KeyCheck { key, rotation, unusable, permissions }
    }

    /// Whether the key can be used, and every permission is there that somebody in this role needs.
    #[must_use]
    pub fn passed(&self, role: KeyRole) -> bool {
        let lacks =
            |check: &PermissionCheck| check.is_needed_by(role) && check.outcome != PermissionOutcome::Allowed;
        self.unusable.is_none() && !self.permissions.iter().any(lacks)
    }
}

/// One permission, and whether it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PermissionCheck {
    /// The permission, in the provider's words, for example `kms:Decrypt`.
    pub permission: String,
    /// Those who need it; for nobody it is a convenience.
    pub roles: Vec<KeyRole>,
    /// What came of trying it.
    pub outcome: PermissionOutcome,
}

impl PermissionCheck {
    /// One permission.
    #[must_use]
    pub fn new(permission: &str, roles: &[KeyRole], outcome: PermissionOutcome) -> PermissionCheck {
        PermissionCheck { permission: permission.to_owned(), roles: roles.to_vec(), outcome }
    }

    /// Whether somebody in this role needs it.
    #[must_use]
    pub fn is_needed_by(&self, role: KeyRole) -> bool {
        self.roles.contains(&role)
    }
}

/// What somebody does with a key, and so what they must be allowed to. Each is apart: whoever opens volumes needs no right to
/// let others in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum KeyRole {
    /// A machine that opens volumes: it unwraps.
    Node,
    /// Who makes volumes, and opens them to write what is in them.
    Creator,
    /// Who looks after the wrappings of volumes: renews them, and moves them from key to key, without seeing what they wrap.
    Owner,
    /// Who lets others use the key by grants, and takes these back.
    Granter,
}

impl KeyRole {
    /// All of them.
    pub const ALL: [KeyRole; 4] = [KeyRole::Node, KeyRole::Creator, KeyRole::Owner, KeyRole::Granter];

    /// What programs call it: `node`, `creator`, `owner` or `granter`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            KeyRole::Node => "node",
            KeyRole::Creator => "creator",
            KeyRole::Owner => "owner",
            KeyRole::Granter => "granter",
        }
    }
}

impl fmt::Display for KeyRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// For whom a policy is, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyRequest {
    /// What they do.
    pub role: KeyRole,
    /// Who they are, in the provider's words; else everybody to whom the key's account passes the right.
    pub principal: Option<String>,
    /// The volume that it is limited to; else it is for any.
    pub volume: Option<Uuid>,
}

impl PolicyRequest {
    /// A policy for a role, for anybody and any volume.
    #[must_use]
    pub const fn new(role: KeyRole) -> PolicyRequest {
        PolicyRequest { role, principal: None, volume: None }
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

/// The least policies under which a key can be used in a role. A provider that knows only one kind has only that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyPolicies {
    /// What the key's own policy must say.
    pub of_key: Option<Policy>,
    /// What the policy of the identity must say that uses the key.
    pub of_identity: Option<Policy>,
}

impl KeyPolicies {
    /// These policies.
    #[must_use]
    pub fn new(of_key: Option<Policy>, of_identity: Option<Policy>) -> KeyPolicies {
        KeyPolicies { of_key, of_identity }
    }
}

/// One policy, in the service's own language (JSON for AWS KMS), in two parts: what the role needs, and what serves
/// convenience.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// What the role needs.
    pub required: String,
    /// What serves convenience.
    pub optional: String,
}

impl Policy {
    /// A policy with these parts.
    #[must_use]
    pub fn new(required: String, optional: String) -> Policy {
        Policy { required, optional }
    }
}
