//! `atrest key`: the keys that wrap volumes' keys.

use std::fmt::Display;

use atrest::envelope::{KeyRef, LocalKeystore};
use clap::{Args, Subcommand};

use crate::failure::{Failure, say};
use crate::{providers, stdout};

#[derive(Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a key
    Create {
        /// The new key, local:NAME
        #[arg(value_name = "KEY")]
        key: KeyRef,
    },
    /// List the keys of the local keystore, one in a line
    List,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Command::Create { key } => create(key),
        Command::List => list(),
    }
}

fn create(key: &KeyRef) -> Result<(), Failure> {
    let failed = |error: &dyn Display| Failure::new(format!("cannot make the key {key}: {error}"));
    let name = providers::local_name(key).map_err(|why| failed(&why))?;
    let home = LocalKeystore::default_path().map_err(|error| failed(&error))?;
    let local = LocalKeystore::open_or_create(home).map_err(|error| failed(&error))?;
    local.create_key(name).map_err(|error| failed(&error))?;
    say(&providers::made(key, &local));
    Ok(())
}

fn list() -> Result<(), Failure> {
    let failed = |error: &dyn Display| Failure::new(format!("cannot list the local keys: {error}"));
    let home = LocalKeystore::default_path().map_err(|error| failed(&error))?;
    let names = match providers::existing(home, failed)? {
        None => Vec::new(),
        Some(keystore) => keystore.list().map_err(|error| failed(&error))?,
    };
    stdout::print(&names.iter().map(|name| format!("local:{name}\n")).collect::<String>())
}
