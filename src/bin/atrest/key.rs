//! `atrest key`: the keys that wrap volumes' keys.

use atrest::envelope::{KeyRef, LocalKeystore};
use clap::{Args, Subcommand};

use crate::failure::{Failure, say, show};
use crate::{keystore, stdout};

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
    let failed = |error: &dyn std::fmt::Display| Failure::new(format!("cannot make the key {key}: {error}"));
    let KeyRef::Local(name) = key else {
        return Err(failed(&format_args!(
            "this build has no provider for {}: keys; use local:NAME",
            key.provider()
        )));
    };
    let home = LocalKeystore::default_path().map_err(|error| failed(&error))?;
    let local = LocalKeystore::open_or_create(home).map_err(|error| failed(&error))?;
    local.create_key(name).map_err(|error| failed(&error))?;
    say(&keystore::made(key, &local));
    Ok(())
}

fn list() -> Result<(), Failure> {
    let failed =
        |error: atrest::envelope::ProviderError| Failure::new(format!("cannot list the local keys: {error}"));
    let home = LocalKeystore::default_path().map_err(failed)?;
    let names = match home.try_exists() {
        // Nothing was made yet.
        Ok(false) => Vec::new(),
        Ok(true) => LocalKeystore::open(home).and_then(|keystore| keystore.list()).map_err(failed)?,
        Err(error) => return Err(Failure::io("cannot read the keystore", show(&home), &error)),
    };
    stdout::print(&names.iter().map(|name| format!("local:{name}\n")).collect::<String>())
}
