//! Grants: who else may do what with a key, and in which encryption context.

use super::EncryptionContext;
use std::{fmt, str::FromStr};

/// Something that one can be allowed to do with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// To unwrap: opening volumes.
    Decrypt,
    /// To have a key made that comes wrapped only: making volumes.
    GenerateDataKeyWithoutPlaintext,
    /// To learn what the key is.
    DescribeKey,
    /// To allow others to use it.
    CreateGrant,
    /// To wrap an existing key: coming from another provider.
    Encrypt,
    /// To rewrap away from it.
    ReEncryptFrom,
    /// To rewrap towards it.
    ReEncryptTo,
    /// To give a grant back.
    RetireGrant,
}

impl Operation {
    /// All of them.
    pub const ALL: [Operation; 8] = [
        Operation::Decrypt,
        Operation::GenerateDataKeyWithoutPlaintext,
        Operation::DescribeKey,
        Operation::CreateGrant,
        Operation::Encrypt,
        Operation::ReEncryptFrom,
        Operation::ReEncryptTo,
        Operation::RetireGrant,
    ];

    /// AWS's name of it, for example `ReEncryptFrom`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Operation::Decrypt => "Decrypt",
            Operation::GenerateDataKeyWithoutPlaintext => "GenerateDataKeyWithoutPlaintext",
            Operation::DescribeKey => "DescribeKey",
            Operation::CreateGrant => "CreateGrant",
            Operation::Encrypt => "Encrypt",
            Operation::ReEncryptFrom => "ReEncryptFrom",
            Operation::ReEncryptTo => "ReEncryptTo",
            Operation::RetireGrant => "RetireGrant",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no [`Operation`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no operation on a key: give {all}", all = Operation::ALL.map(Operation::name).join(", "))]
pub struct OperationError(String);

impl FromStr for Operation {
    type Err = OperationError;

    /// Takes the name in any case, with hyphens or without: `ReEncryptFrom`, `reencryptfrom`, `re-encrypt-from`.
    fn from_str(text: &str) -> Result<Operation, OperationError> {
        let plain = |text: &str| text.replace('-', "").to_ascii_lowercase();
        let found = Operation::ALL.into_iter().find(|operation| plain(operation.name()) == plain(text));
        found.ok_or_else(|| OperationError(text.chars().take(80).collect()))
    }
}

/// Whom a grant is for, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GrantRequest {
    /// Who may use the key, in the provider's words (an ARN).
    pub principal: String,
    /// What for.
    pub operations: Vec<Operation>,
    /// Limits the grant to this context, a volume's for example.
    pub context: Option<EncryptionContext>,
    /// The grant's name. `None`: one that follows from everything else here, so that a repeated request is the same
    /// grant.
    pub name: Option<String>,
    /// Who else may give the grant back.
    pub retiring_principal: Option<String>,
}

impl GrantRequest {
    /// What opening a volume takes, for `principal`: `Decrypt` and `DescribeKey`, in any context.
    #[must_use]
    pub fn to_open(principal: &str) -> GrantRequest {
        GrantRequest {
            principal: principal.to_owned(),
            operations: vec![Operation::Decrypt, Operation::DescribeKey],
            context: None,
            name: None,
            retiring_principal: None,
        }
    }
}

/// A grant that was made.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grant {
    /// Its number, to take it back with.
    pub id: String,
    /// With this the grant works at once; without it only when it has spread through the service, minutes later.
    pub token: Option<String>,
}

impl Grant {
    /// A grant with this number and token.
    pub fn new(id: &str, token: Option<&str>) -> Grant {
        Grant { id: id.to_owned(), token: token.map(str::to_owned) }
    }
}

/// A token is no secret by itself, but nothing for a log either.
impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A grant as the service lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GrantDescription {
    /// Its number.
    pub id: String,
    /// Its name, where it has one.
    pub name: Option<String>,
    /// Who may use the key.
    pub principal: Option<String>,
    /// Who else may give it back.
    pub retiring_principal: Option<String>,
    /// What it allows, in the service's words.
    pub operations: Vec<String>,
    /// The pairs that a context must have (`subset`), or be (`equals`).
    pub constraint: Vec<(String, String)>,
    /// Whether a context must have exactly these pairs.
    pub exact: bool,
    /// When it was made, in seconds since 1970-01-01T00:00:00Z.
    pub created: Option<u64>,
}
