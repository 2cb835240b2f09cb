//! `atrest rewrap`: another key for a volume, or the newest material of the same; no data is touched.

use std::path::PathBuf;

use atrest::keys::KeyRef;
use clap::Args;

use crate::failure::{Failure, say, show};
use crate::providers;
use crate::wrappings::{self, Change, named};

#[derive(Args)]
pub struct Arguments {
    /// The volume, a file or a block device
    volume: PathBuf,
    /// The new key; without it the same key wraps anew, with its newest material
    #[arg(long, value_parser = providers::key)]
    key: Option<KeyRef>,
    /// Which wrapping, if the volume has several: its number as `atrest slot list` shows it
    #[arg(long, value_name = "NUMBER")]
    slot: Option<usize>,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let change = Change::Rewrap { slot: arguments.slot, key: arguments.key.clone() };
    let changed = wrappings::change(&arguments.volume, "cannot rewrap the volume", &change)?;
    let (old, new) = (named(&changed.old.slots()[changed.slot]), named(&changed.new.slots()[changed.slot]));
    let keys = if old == new { format!("anew under {new}") } else { format!("from {old} to {new}") };
    let how = if changed.verified { "opened and verified" } else { "inside the key service" };
    let name = show(&arguments.volume);
    say(&format!("rewrapped {name} {keys}, {how}; the old wrapping is gone from its header"));
    Ok(())
}
