//! `atrest rewrap`: another key for a volume, or the newest material of the same; no data is touched.

use std::path::PathBuf;

use atrest::keys::KeyRef;
use clap::Args;

use crate::failure::{Failure, say, show};
use crate::providers;
use crate::trust::Trust;
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
    #[command(flatten)]
    trust: Trust,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let change = Change::Rewrap { slot: arguments.slot, key: arguments.key.clone() };
    let changed =
        wrappings::change(&arguments.volume, "cannot rewrap the volume", &change, &arguments.trust)?;
    let (old, new) = (named(&changed.old.slots()[changed.slot]), named(&changed.new.slots()[changed.slot]));
    let keys = if old == new { format!("under {new} again") } else { format!("from {old} to {new}") };
    let how = match (changed.verified, changed.proved) {
        (true, true) => "the header was authenticated, and the new wrapping was opened",
        (true, false) => {
            "the header was authenticated; that the new wrapping opens was not proved, because its key may not be used for \
             decryption here"
        }
        (false, _) => {
            "inside the key service; nothing was proved here, because the keys may not be used for decryption: the pin \
             vouches for the header"
        }
    };
    let name = show(&arguments.volume);
    say(&format!("rewrapped {name} {keys}; {how}, and the old one is gone from the header"));
    Ok(())
}
