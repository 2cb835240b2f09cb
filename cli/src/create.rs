//! `atrest create`: a volume without content.

use atrest::volume::Volume;
use clap::Args;

use crate::failure::Failure;
use crate::new_volume::{Made, NewVolume};
use crate::size;

#[derive(Args)]
pub struct Arguments {
    /// The size, in bytes or with a unit: K M G T P E (powers of 1024), kB MB GB TB PB EB (powers of 1000)
    #[arg(long, value_parser = size::parse)]
    size: u64,
    #[command(flatten)]
    new: NewVolume,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let new = &arguments.new;
    let name = new.name();
    let options = new.options(arguments.size)?;
    let output = new.output()?;
    new.make(|envelope, keys, before_publishing| {
        let volume = Volume::create(new.storage(&output)?, &options, envelope, keys)
            .map_err(|error| Failure::volume("cannot create the volume", &name, error))?;
        before_publishing();
        output.publish()?;
        let line = format!(
            "created {name}: {}, {}-byte sectors, UUID {}",
            size::show(volume.size()),
            volume.sector_size(),
            volume.header().uuid(),
        );
        Ok(Made { line, header: volume.header().clone() })
    })
}
