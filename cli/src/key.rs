//! `atrest key`: the keys that wrap volumes' keys. What a key's provider cannot do, it says.

mod check;
mod default;
mod grants;
mod guarded;
mod life;
mod policy;
mod show;

use std::path::PathBuf;

use atrest::keys::{KeyAdmin, KeyRef, LocalKeystore, Operation, ProviderError, Scheme, block_on};
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
    /// Make a key of the local keystore
    Create(guarded::Create),
    /// Guard a local key by a passphrase, by another one, or by none; volumes are not touched
    Passphrase(guarded::Passphrase),
    /// List a provider's keys to pick from, with their state; for a key service also spec, manager and lasting name
    List {
        /// Whose keys: a scheme, such as local
        #[arg(default_value = LocalKeystore::SCHEME, value_parser = scheme)]
        provider: &'static str,
        /// The keys of scratch volumes instead, each with the place where its volume was made
        #[arg(long, conflicts_with_all = ["provider", "json"])]
        scratch: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Tell or set the key that wraps when no --key is given: $ATREST_KEY, else the one set here, else local:default
    Default(default::Arguments),
    /// Tell what a key is, and in which state
    Describe {
        /// The key
        #[arg(value_parser = providers::key)]
        key: KeyRef,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Try every permission that volumes need, without doing anything; exit code 1 if one is missing
    Check {
        /// The key
        #[arg(value_parser = providers::key)]
        key: KeyRef,
        /// Try them for this volume
        #[arg(long)]
        volume: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Allow somebody else to use a key; the grant's id and token go to standard output
    Grant {
        /// The key
        #[arg(value_parser = providers::key)]
        key: KeyRef,
        /// Whom, for example the ARN of an IAM role
        #[arg(long, value_name = "PRINCIPAL")]
        to: String,
        /// Only for this volume
        #[arg(long)]
        volume: Option<PathBuf>,
        /// What for: Decrypt, GenerateDataKeyWithoutPlaintext, DescribeKey, CreateGrant, Encrypt, ReEncryptFrom,
        /// ReEncryptTo, RetireGrant
        #[arg(long, value_delimiter = ',', default_value = "decrypt,describe-key")]
        operations: Vec<Operation>,
        /// The grant's name; without it one that follows from all the rest, so that the grant is made once
        #[arg(long)]
        name: Option<String>,
        /// Who else may give it back
        #[arg(long, value_name = "PRINCIPAL")]
        retiring: Option<String>,
    },
    /// List the grants of a key
    Grants {
        /// The key
        #[arg(value_parser = providers::key)]
        key: KeyRef,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Take a grant back, as the key's owner
    Revoke {
        /// The key
        #[arg(value_parser = providers::key)]
        key: KeyRef,
        /// The grant's id
        grant: String,
    },
    /// Give a grant back, as the one who uses it
    Retire {
        /// The key
        #[arg(value_parser = providers::key)]
        key: KeyRef,
        /// The grant's id
        grant: String,
    },
    /// Renew a key's material; volumes open as before, and `atrest rewrap` brings them under the new one
    Rotate(life::Rotate),
    /// Print the least policies under which volumes can use a key, as JSON
    Policy {
        /// The key
        #[arg(value_parser = providers::key)]
        key: KeyRef,
        /// Who uses it, for example the ARN of an IAM role; the key's whole account if it is not given
        #[arg(long)]
        principal: Option<String>,
    },
    /// Let a key that was disabled be used again
    Enable {
        /// The key
        #[arg(value_parser = providers::key)]
        key: KeyRef,
    },
    /// Let a key not be used: nothing that it wraps opens until it is enabled again
    Disable {
        /// The key
        #[arg(value_parser = providers::key)]
        key: KeyRef,
    },
    /// Have a key deleted after a waiting period: nothing that it wraps then opens again, ever
    Delete(life::Delete),
    /// Erase a local key whose waiting period has ended; nothing else ever does
    Purge {
        /// The key, local:NAME
        #[arg(value_parser = providers::key)]
        key: KeyRef,
    },
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
        Command::Check { key, volume, json } => check::run(key, volume.as_deref(), *json),
        Command::Grant { key, to, volume, operations, name, retiring } => {
            grants::grant(key, to, volume.as_deref(), operations, name.as_deref(), retiring.as_deref())
        }
        Command::Grants { key, json } => grants::list(key, *json),
        Command::Revoke { key, grant } => {
            administer(key, |admin| block_on(admin.revoke(key.key(), grant)))?;
            say(&format!("took the grant {grant} of {key} back; it may work for some minutes yet"));
            Ok(())
        }
        Command::Retire { key, grant } => {
            administer(key, |admin| block_on(admin.retire(key.key(), grant)))?;
            say(&format!("gave the grant {grant} of {key} back"));
            Ok(())
        }
        Command::Rotate(arguments) => life::rotate(arguments),
        Command::Policy { key, principal } => policy::run(key, principal.as_deref()),
        Command::Enable { key } => {
            administer(key, |admin| block_on(admin.set_enabled(key.key(), true)))?;
            say(&format!("enabled {key}"));
            Ok(())
        }
        Command::Disable { key } => {
            administer(key, |admin| block_on(admin.set_enabled(key.key(), false)))?;
            say(&format!("disabled {key}: what it wraps does not open until it is enabled again"));
            Ok(())
        }
        Command::Delete(arguments) => life::delete(arguments),
        Command::Purge { key } => {
            administer(key, |admin| block_on(admin.purge(key.key())))?;
            say(&format!("erased {key}: nothing that it wrapped opens again"));
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
