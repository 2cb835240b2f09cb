//! `atrest volume-key`: the raw key, for tools that take one.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use crate::failure::{Failure, say, show};
use crate::trust::Trust;
use crate::{opening, stdout};

#[derive(Args)]
pub struct Arguments {
    /// The volume: a file or a block device
    volume: PathBuf,
    /// Open it with this slot alone (see `atrest slot list`)
    #[arg(long, value_name = "NUMBER")]
    slot: Option<usize>,
    #[command(flatten)]
    trust: Trust,
}

/// The key goes from its guarded memory to the pipe, past any buffer.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut stdout = stdout::for_data("the raw key")?;
    let opened = opening::open(&arguments.volume, &arguments.trust, arguments.slot)?;
    if opened.volume.header().holes().unwrap_or(false) {
        say(&format!(
            "atrest: warning: {}: its holes are zeros for atrest alone: other programs read noise there, and cryptsetup refuses \
             it",
            show(&arguments.volume)
        ));
    }
    stdout.write_all(opened.keys.xts_key()).map_err(|error| stdout::failed(&error))
}
