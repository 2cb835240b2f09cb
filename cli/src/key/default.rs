//! `atrest key default`: the key that wraps when none is named.

use atrest::keys::{KeyRef, LocalKeystore, ProviderError};
use clap::Args;

use crate::failure::{Failure, say};
use crate::{advice, providers, stdout};

#[derive(Args)]
pub struct Arguments {
    /// The new default key; an alias is resolved each time it is used. Without KEY, show the current default
    #[arg(conflicts_with = "unset", value_parser = providers::key)]
    key: Option<KeyRef>,
    /// Unset the default
    #[arg(long)]
    unset: bool,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let failed = |error: &ProviderError| {
        Failure::new(format!("cannot set the default key: {}", advice::with_keystore(error)))
    };
    let Arguments { key, unset } = arguments;
    if key.is_none() && !unset {
        let (key, set) = providers::chosen_default()?;
        say(&format!("set {set}"));
        return stdout::print(&format!("{key}\n"));
    }
    let home = LocalKeystore::default_path().map_err(|error| failed(&error))?;
    let keystore = match key {
        // A misspelt name is noticed now, not when the next volume is made. Services are not asked.
        Some(key) if key.of(LocalKeystore::SCHEME).is_some() && key.to_string() != providers::DEFAULT => {
            providers::to_wrap(key, &mut None)?;
            LocalKeystore::open(home)
        }
        Some(_) => LocalKeystore::open_or_create(home),
        None => match providers::existing(home, failed)? {
            Some(keystore) => Ok(keystore),
            None => return Ok(()),
        },
    };
    let keystore = keystore.map_err(|error| failed(&error))?;
    keystore.set_default_key(key.as_ref()).map_err(|error| failed(&error))?;
    match key {
        Some(key) => {
            say(&format!("new volumes are wrapped by {key} unless --key or ATREST_KEY names another key"))
        }
        None => say(&format!(
            "new volumes are wrapped by {} unless --key or ATREST_KEY names another key",
            providers::DEFAULT
        )),
    }
    Ok(())
}
