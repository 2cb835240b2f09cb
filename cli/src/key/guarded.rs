//! `atrest key create` and `passphrase`: local keys, and what guards them.

use std::fmt::Display;
use std::path::PathBuf;

use atrest::keys::{KeyRef, LocalKeystore, PassphraseCost, ProviderError};
use clap::Args;

use super::tell_leftovers;
use crate::failure::{Failure, say};
use crate::{advice, passphrase as source, providers};

#[derive(Args)]
pub struct Create {
    /// The new key: local:NAME
    #[arg(value_parser = providers::key)]
    key: KeyRef,
    /// Protect it with a passphrase, entered on the terminal
    #[arg(long)]
    passphrase: bool,
    /// Protect it with the passphrase in FILE (- for standard input); a trailing newline is ignored
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase")]
    passphrase_file: Option<PathBuf>,
}

pub fn create(arguments: &Create) -> Result<(), Failure> {
    let key = &arguments.key;
    let refused = |why: &dyn Display| Failure::new(format!("cannot create the key {key}: {why}"));
    let failed = |error: &ProviderError| refused(&advice::with_key(key.provider(), key.key(), error));
    let name = providers::local_name(key).map_err(|why| refused(&why))?;
    let home = LocalKeystore::default_path().map_err(|error| failed(&error))?;
    let local = LocalKeystore::open_or_create(home).map_err(|error| failed(&error))?;
    let guarded = arguments.passphrase || arguments.passphrase_file.is_some();
    // Nobody types a passphrase for a key that is not made.
    let exists = || local.list().map(|names| names.iter().any(|other| other == name));
    if guarded && !exists().map_err(|error| failed(&error))? {
        let passphrase =
            source::new(name, arguments.passphrase_file.as_deref()).map_err(|error| refused(&error))?;
        let cost = PassphraseCost::default();
        local.create_key_with_passphrase(name, &passphrase, cost).map_err(|error| failed(&error))?;
    } else {
        local.create_key(name).map_err(|error| failed(&error))?;
    }
    say(&providers::made(key, &local));
    if guarded {
        say(&format!("{key} is of no use without its passphrase: keep that as safe as the backup"));
    }
    Ok(())
}

#[derive(Args)]
pub struct Passphrase {
    /// The key: local:NAME
    #[arg(value_parser = providers::key)]
    key: KeyRef,
    /// Read the new passphrase from FILE (- for standard input) instead of the terminal
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Remove the passphrase
    #[arg(long, conflicts_with = "passphrase_file")]
    remove: bool,
}

pub fn passphrase(arguments: &Passphrase) -> Result<(), Failure> {
    let Passphrase { key, passphrase_file, remove } = arguments;
    let refused = |why: &dyn Display| Failure::new(format!("cannot change the passphrase of {key}: {why}"));
    let failed = |error: &ProviderError| refused(&advice::with_key(key.provider(), key.key(), error));
    let Some(name) = key.of(LocalKeystore::SCHEME) else {
        return Err(refused(&"only local keys have passphrases"));
    };
    let home = LocalKeystore::default_path().map_err(|error| failed(&error))?;
    let local = source::asking(LocalKeystore::open(home).map_err(|error| failed(&error))?);
    // The present one first: whoever does not know it needs to think of no other.
    local.check_passphrase(name).map_err(|error| failed(&error))?;
    if *remove {
        local.set_passphrase(name, None).map_err(|error| failed(&error))?;
        tell_leftovers(key);
        say(&format!("{key} no longer needs a passphrase; backups of its file still need the old one"));
        return Ok(());
    }
    let new = source::new(name, passphrase_file.as_deref()).map_err(|error| refused(&error))?;
    local.set_passphrase(name, Some((&new, PassphraseCost::default()))).map_err(|error| failed(&error))?;
    tell_leftovers(key);
    say(&format!("{key} has a new passphrase; backups of its file keep the old one"));
    Ok(())
}
