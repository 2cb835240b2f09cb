//! `atrest encrypt`: a plain image into a new volume.

use std::path::PathBuf;

use atrest::keys::{Envelope, VolumeKeys};
use atrest::storage::Storage;
use atrest::volume::{CreateOptions, Error, Writer};
use clap::Args;

use crate::failure::{Failure, say};
use crate::new_volume::{Made, NewVolume};
use crate::output::Output;
use crate::progress::Progress;
use crate::source::Source;
use crate::{holes, pipeline, size};

#[derive(Args)]
pub struct Arguments {
    /// The plaintext: a file, a block device, or - for standard input
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// Leave holes in the volume where the content is zeros. They show which parts of it are unused, and whoever can write
    /// to the volume can zero any of it. Only atrest opens such a volume: cryptsetup and the kernel would read noise there
    #[arg(long)]
    sparse: bool,
    #[command(flatten)]
    new: NewVolume,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let new = &arguments.new;
    let name = new.name();
    // Before the source is opened: that may block.
    new.options(0)?;
    let mut source = Source::open(&arguments.input)?;
    let options = new.options(source.size().unwrap_or(0))?.holes(arguments.sparse);
    if let (false, Some(holes)) = (arguments.sparse, source.mostly_holes()?) {
        say(&format!(
            "{} is mostly holes ({}), and the volume takes up its whole size: holes would show which parts are unused; \
             --sparse leaves them",
            source.name(),
            size::show(holes)
        ));
    }
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
            let appended = match options.holes {
                false => writer.append(part),
                true => holes::runs(part, |run, zeros| match zeros {
                    true => writer.append_zeros(run.len() as u64),
                    false => writer.append(run),
                }),
            };
            appended.map_err(|error| failed(error.into()))?;
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
