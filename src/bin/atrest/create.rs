//! `atrest create`: a volume without content.

use std::path::PathBuf;

use atrest::envelope::KeyRef;
use atrest::volume::{CreateOptions, Volume};
use clap::Args;

use crate::encrypt::check;
use crate::failure::{Failure, say, show};
use crate::output::{Access, Output};
use crate::{keystore, size};

#[derive(Args)]
pub struct Arguments {
    /// The volume to make, a file or a block device
    volume: PathBuf,
    /// Its size in bytes, or with a unit: K M G T P E (powers of 1024), kB MB GB TB PB EB (powers of 1000)
    #[arg(long, value_parser = size::parse)]
    size: u64,
    /// The key that wraps the volume's key, local:NAME
    #[arg(long, default_value = keystore::DEFAULT)]
    key: KeyRef,
    /// The encryption sector in bytes: 512, 1024, 2048 or 4096
    #[arg(long, value_name = "BYTES", default_value_t = 4096)]
    sector_size: usize,
    /// Replace an existing file, or overwrite a block device
    #[arg(long)]
    force: bool,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let name = show(&arguments.volume);
    let failed = |error| Failure::volume("cannot make the volume", &name, &error);
    let options = CreateOptions::new(arguments.size).sector_size(arguments.sector_size);
    check(&options, &name)?;
    let output = Output::create(&arguments.volume, arguments.force, Access::Umask)?;
    let new = keystore::new_keys(&arguments.key)?;
    let made = output.duplicate().and_then(|file| {
        let volume = Volume::create(file, &options, new.envelope, &new.keys).map_err(failed)?;
        output.publish()?;
        Ok(volume)
    });
    let volume = made.map_err(|failure| keystore::and_notice(failure, new.notice.as_deref()))?;
    if let Some(notice) = &new.notice {
        say(notice);
    }
    say(&format!(
        "made {name}: {}, {}-byte sectors, UUID {}, key {}",
        size::show(volume.size()),
        volume.sector_size(),
        volume.header().uuid(),
        arguments.key
    ));
    Ok(())
}
