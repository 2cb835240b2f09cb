//! `atrest slot`: several keys for one volume, each of which opens it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use atrest::keys::KeyRef;
use atrest::luks2::TokenError;
use atrest::text::printable;
use atrest::volume::{Error, Header};
use clap::{Args, Subcommand};

use crate::failure::{Failure, say, show, warn};
use crate::source::open_volume;
use crate::trust::Trust;
use crate::wrappings::{self, Change, named};
use crate::{providers, stdout};

#[derive(Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Let one more key open the volume
    Add {
        /// The volume: a file or a block device
        volume: PathBuf,
        /// The key
        #[arg(long, value_parser = providers::key)]
        key: KeyRef,
        #[command(flatten)]
        trust: Trust,
    },
    /// Remove a key from the volume; the last one cannot be removed
    Remove {
        /// The volume: a file or a block device
        volume: PathBuf,
        /// The slot's number
        slot: usize,
        #[command(flatten)]
        trust: Trust,
    },
    /// List the keys that open the volume, with their slot numbers
    List {
        /// The volume: a file or a block device
        volume: PathBuf,
    },
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Command::Add { volume, key, trust } => {
            let change = Change::Add { key: key.clone() };
            let changed = wrappings::change(volume, "cannot add a key to the volume", &change, trust)?;
            let key = named(&changed.new.slots()[changed.slot]);
            say(&format!("{} now opens with {key} as well (slot {})", show(volume), changed.slot));
            Ok(())
        }
        Command::Remove { volume, slot, trust } => {
            let change = Change::Remove { slot: *slot };
            let changed = wrappings::change(volume, "cannot remove a key from the volume", &change, trust)?;
            let key = named(&changed.old.slots()[changed.slot]);
            say(&format!("{} no longer opens with {key}", show(volume)));
            Ok(())
        }
        Command::List { volume } => list(volume),
    }
}

fn list(path: &Path) -> Result<(), Failure> {
    let failed = |error: Error| Failure::volume("cannot read the volume", show(path), error);
    let read = Header::read(&open_volume(path)?);
    let (header, warnings) = read.map_err(|error| failed(error.into()))?;
    for warning in &warnings {
        warn(show(path), warning);
    }
    let envelope = header.envelope().map_err(|error| failed(error.into()))?;
    let envelope = envelope.ok_or_else(|| failed(TokenError::Missing.into()))?;
    let mut lines = String::new();
    for (i, slot) in envelope.slots().iter().enumerate() {
        // Writing to a string does not fail.
        let _ = writeln!(lines, "{i}\t{}", printable(&named(slot)));
    }
    stdout::print(&lines)
}
