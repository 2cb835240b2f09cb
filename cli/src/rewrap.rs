//! `atrest rewrap`: another key for a volume, or the newest material of the same; no data is touched.

use std::path::PathBuf;

use atrest::keys::KeyRef;
use clap::Args;

use crate::failure::{Failure, say, show};
use crate::providers;
use crate::wrappings::{self, Change, named};

#[derive(Args)]
pub struct Arguments {
    /// The volume: a file or a block device
    volume: PathBuf,
    /// The new key [default: the same key, with its newest material]
    #[arg(long, value_parser = providers::key)]
    key: Option<KeyRef>,
    /// The slot to rewrap, if the volume has several (see `atrest slot list`)
    #[arg(long, value_name = "NUMBER")]
    slot: Option<usize>,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let change = Change::Rewrap { slot: arguments.slot, key: arguments.key.clone() };
    let changed = wrappings::change(&arguments.volume, "cannot rewrap the volume", &change)?;
    let (old, new) = (named(&changed.old.slots()[changed.slot]), named(&changed.new.slots()[changed.slot]));
    let keys = if old == new { format!("under {new} again") } else { format!("from {old} to {new}") };
    let how = if changed.verified {
        "the new wrapping was opened and verified"
    } else {
        "without leaving the key service"
    };
    let name = show(&arguments.volume);
    say(&format!("rewrapped {name} {keys}; {how}, and the old one is gone from the header"));
    Ok(())
}
