//! `atrest encrypt`: a plain image into a new volume.

use std::path::PathBuf;

use atrest::keys::{Envelope, VolumeKeys};
use atrest::storage::Storage;
use atrest::volume::{CreateOptions, Error, Writer};
use clap::Args;

use crate::failure::Failure;
use crate::new_volume::{Made, NewVolume};
use crate::output::Output;
use crate::pipeline;
use crate::progress::Progress;
use crate::source::Source;

#[derive(Args)]
pub struct Arguments {
    /// The plaintext: a file, a block device, or - for standard input
    #[arg(value_name = "IN")]
    input: PathBuf,
    #[command(flatten)]
    new: NewVolume,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let new = &arguments.new;
    let name = new.name();
    // Before the source is opened: that may block.
    new.options(0)?;
    let source = Source::open(&arguments.input)?;
    let options = new.options(source.size().unwrap_or(0))?;
    let output = new.output()?;
    output.refuse_if_also(source.metadata(), source.name())?;
    new.make(|envelope, keys, before_publishing| {
        let from = source.name().to_owned();
        let storage = new.storage(&output)?;
        let Made { line, header } =
            encrypt(source, output, storage, &options, envelope, keys, &name, before_publishing)?;
        Ok(Made { line: format!("encrypted {from} into {name}: {line}"), header })
    })
}

#[allow(clippy::too_many_arguments, reason = "what it takes")]
/// Does the work, and tells size, time, rate and backend.
fn encrypt(
    mut source: Source,
    output: Output,
    storage: Box<dyn Storage>,
    options: &CreateOptions,
    envelope: Envelope,
    keys: &VolumeKeys,
    name: &str,
    before_publishing: &dyn Fn(),
) -> Result<Made, Failure> {
    let failed = |error: Error| Failure::volume("cannot write the volume", name, error);
    let (from, expected) = (source.name().to_owned(), source.size());
    let progress = Progress::start(expected);
    let mut writer = Writer::new(storage, options, envelope, keys).map_err(|error| failed(error.into()))?;
    let copied = pipeline::copy(
        move |buffer| source.fill(buffer),
        |part| {
            writer.append(part).map_err(|error| failed(error.into()))?;
            progress.add(part.len());
            Ok(())
        },
    )?;
    if let Some(expected) = expected.filter(|expected| *expected != copied) {
        return Err(Failure::new(format!(
            "{from} changed while it was being read: expected {expected} bytes, read {copied}; encrypt a snapshot, or stop \
             whatever writes to it"
        )));
    }
    progress.syncing();
    let volume = writer.finish().map_err(|error| failed(error.into()))?;
    before_publishing();
    output.publish()?;
    let line = format!("{}, {}", progress.finish(copied), volume.backend());
    Ok(Made { line, header: volume.header().clone() })
}
