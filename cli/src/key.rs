//! `atrest key`: the keys that wrap volumes' keys. What a key's provider cannot do, it says.

mod check;
mod default;
mod grants;
mod guarded;
mod life;
mod policy;
mod show;

use std::path::PathBuf;

use atrest::keys::{KeyAdmin, KeyRef, KeyRole, LocalKeystore, Operation, ProviderError, Scheme, block_on};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};

use crate::failure::{Failure, say};
use crate::providers;

#[derive(Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Create a key in the local keystore
    Create(guarded::Create),
    /// Set, change or remove the passphrase of a local key; volumes are not touched
    Passphrase(guarded::Passphrase),
    /// List a provider's keys with their state; for a key service also spec, manager and permanent name
    List {
        /// The provider: a scheme, such as local
        #[arg(default_value = LocalKeystore::SCHEME, value_parser = scheme)]
        provider: &'static str,
        /// List the keys of scratch volumes, each with the path where its volume was created
        #[arg(long, conflicts_with_all = ["provider", "json"])]
        scratch: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show or set the key that wraps new volumes: $ATREST_KEY, then the one set here, then local:default
    Default(default::Arguments),
    /// Show what a key is and its state
    Describe {
        /// The key
        #[arg(value_parser = providers::key)]
        key: KeyRef,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Check every permission that a role needs, without side effects; exit code 1 if one is missing
    Check {
        /// The key
        #[arg(value_parser = providers::key)]
        key: KeyRef,
        /// What is done with the key: node opens volumes, creator makes and opens them, owner rewraps them, granter lets others use the
        /// key
        #[arg(long, default_value = "creator", value_parser = role())]
        role: KeyRole,
        /// Check them for this volume
        #[arg(long)]
        volume: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Grant another principal the use of a key; prints the grant's ID and token
    Grant {
        /// The key
        #[arg(value_parser = providers::key)]
        key: KeyRef,
        /// The principal, for example the ARN of an IAM role
        #[arg(long, value_name = "PRINCIPAL")]
        to: String,
        /// Limit the grant to this volume
        #[arg(long)]
        volume: Option<PathBuf>,
        /// What the grant allows: Decrypt, GenerateDataKeyWithoutPlaintext, DescribeKey, CreateGrant, Encrypt, ReEncryptFrom,
        /// ReEncryptTo, RetireGrant
        #[arg(long, value_delimiter = ',', default_value = "decrypt,describe-key")]
        operations: Vec<Operation>,
        /// The grant's name [default: derived from the other arguments, so that repeating the command makes no second grant]
        #[arg(long)]
        name: Option<String>,
        /// Another principal that may retire the grant
        #[arg(long, value_name = "PRINCIPAL")]
        retiring: Option<String>,
    },
    /// List a key's grants
    Grants {
        /// The key
        #[arg(value_parser = providers::key)]
        key: KeyRef,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Revoke a grant, as the owner of the key
    Revoke {
        /// The key
        #[arg(value_parser = providers::key)]
        key: KeyRef,
        /// The grant's ID
        grant: String,
    },
    /// Retire a grant, as the principal it was given to
    Retire {
        /// The key
        #[arg(value_parser = providers::key)]
        key: KeyRef,
        /// The grant's ID
        grant: String,
    },
    /// Rotate a key's material; volumes still open, and `atrest rewrap` wraps them with the new material
    Rotate(life::Rotate),
    /// Print the least-privilege policies for using a key with volumes, as JSON
    Policy {
        /// The key
        #[arg(value_parser = providers::key)]
        key: KeyRef,
        /// What is done with the key: node opens volumes, creator makes and opens them, owner rewraps them, granter lets others use the
        /// key
        #[arg(long, default_value = "creator", value_parser = role())]
        role: KeyRole,
        /// The principal that uses the key, for example the ARN of an IAM role [default: the key's account]
        #[arg(long)]
        principal: Option<String>,
        /// Limit the use to this volume
        #[arg(long)]
        volume: Option<PathBuf>,
    },
    /// Enable a disabled key
    Enable {
        /// The key
        #[arg(value_parser = providers::key)]
        key: KeyRef,
    },
    /// Disable a key: nothing it wraps opens until it is enabled again
    Disable {
        /// The key
        #[arg(value_parser = providers::key)]
        key: KeyRef,
    },
    /// Schedule the deletion of a key: after a waiting period, nothing it wraps ever opens again
    Delete(life::Delete),
    /// Erase a local key whose waiting period has ended; local keys are never erased automatically
    Purge {
        /// The key: local:NAME
        #[arg(value_parser = providers::key)]
        key: KeyRef,
    },
}

/// A role, by its name.
fn role() -> impl TypedValueParser<Value = KeyRole> {
    PossibleValuesParser::new(KeyRole::ALL.map(KeyRole::name)).map(|name| {
        let role = KeyRole::ALL.into_iter().find(|role| role.name() == name);
        role.expect("one of these names")
    })
}

/// A scheme of this build, with its colon or without.
fn scheme(text: &str) -> Result<&'static str, String> {
    let registry = providers::registry();
    let found = registry.scheme(text.strip_suffix(':').unwrap_or(text));
    found.map(Scheme::name).ok_or_else(|| {
        let names: Vec<&str> = registry.schemes().map(Scheme::name).collect();
        format!("this build has no such keys; there are those of {}", names.join(", "))
    })
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Command::Create(arguments) => guarded::create(arguments),
        Command::Passphrase(arguments) => guarded::passphrase(arguments),
        Command::List { scratch: true, .. } => show::list_scratch(),
        Command::List { provider: LocalKeystore::SCHEME, json: false, .. } => show::list_local(),
        Command::List { provider, json, .. } => show::list(provider, *json),
        Command::Default(arguments) => default::run(arguments),
        Command::Describe { key, json } => show::describe(key, *json),
        Command::Check { key, role, volume, json } => check::run(key, *role, volume.as_deref(), *json),
        Command::Grant { key, to, volume, operations, name, retiring } => {
            grants::grant(key, to, volume.as_deref(), operations, name.as_deref(), retiring.as_deref())
        }
        Command::Grants { key, json } => grants::list(key, *json),
        Command::Revoke { key, grant } => {
            administer(key, |admin| block_on(admin.revoke(key.key(), grant)))?;
            say(&format!("revoked the grant {grant} of {key}; it may keep working for some minutes"));
            Ok(())
        }
        Command::Retire { key, grant } => {
            administer(key, |admin| block_on(admin.retire(key.key(), grant)))?;
            say(&format!("retired the grant {grant} of {key}"));
            Ok(())
        }
        Command::Rotate(arguments) => life::rotate(arguments),
        Command::Policy { key, role, principal, volume } => {
            policy::run(key, *role, principal.as_deref(), volume.as_deref())
        }
        Command::Enable { key } => {
            administer(key, |admin| block_on(admin.set_enabled(key.key(), true)))?;
            say(&format!("enabled {key}"));
            Ok(())
        }
        Command::Disable { key } => {
            administer(key, |admin| block_on(admin.set_enabled(key.key(), false)))?;
            say(&format!("disabled {key}: nothing it wraps opens until it is enabled again"));
            Ok(())
        }
        Command::Delete(arguments) => life::delete(arguments),
        Command::Purge { key } => {
            administer(key, |admin| block_on(admin.purge(key.key())))?;
            say(&format!("erased {key}: nothing it wrapped will ever open again"));
            Ok(())
        }
    }
}

/// Has the key's provider do something with it.
fn administer<T>(
    key: &KeyRef,
    work: impl FnOnce(&dyn KeyAdmin) -> Result<T, ProviderError>,
) -> Result<T, Failure> {
    let provider = providers::administering(key)?;
    let admin = provider.admin().expect("it was asked for one");
    work(admin).map_err(|error| providers::unusable(key, &error))
}
