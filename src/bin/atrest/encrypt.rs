//! `atrest encrypt`: a plain image into a new volume.

use std::path::PathBuf;

use atrest::envelope::KeyRef;
use atrest::volume::{CreateOptions, Writer};
use clap::Args;

use crate::failure::{Failure, say, show};
use crate::keystore::{self, NewKeys};
use crate::output::{Access, Output};
use crate::pipeline;
use crate::progress::Progress;
use crate::source::Source;

#[derive(Args)]
pub struct Arguments {
    /// What to encrypt: a file, a block device, or - for standard input
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// The volume to make, a file or a block device
    volume: PathBuf,
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
    let options = |size| CreateOptions::new(size).sector_size(arguments.sector_size);
    check(&options(0), &name)?;
    let source = Source::open(&arguments.input)?;
    let options = options(source.size().unwrap_or(0));
    check(&options, &name)?;
    let output = Output::create(&arguments.volume, arguments.force, Access::Umask)?;
    output.refuse_if_also(source.metadata(), source.name())?;

    let new = keystore::new_keys(&arguments.key)?;
    let from = source.name().to_owned();
    let line = encrypt(source, output, &options, &new, &name)
        .map_err(|failure| keystore::and_notice(failure, new.notice.as_deref()))?;
    if let Some(notice) = &new.notice {
        say(notice);
    }
    say(&format!("encrypted {from} into {name}: {line}, key {}", arguments.key));
    Ok(())
}

/// Refuses what no volume can be, before anything is made for it.
pub fn check(options: &CreateOptions, name: &str) -> Result<(), Failure> {
    options.check().map_err(|error| Failure::volume("cannot make the volume", name, &error))
}

/// Does the work, and tells size, time, rate and backend.
fn encrypt(
    mut source: Source,
    output: Output,
    options: &CreateOptions,
    new: &NewKeys,
    name: &str,
) -> Result<String, Failure> {
    let failed = |error| Failure::volume("cannot write the volume", name, &error);
    let (from, expected) = (source.name().to_owned(), source.size());
    let progress = Progress::start(expected);
    let mut writer =
        Writer::new(output.duplicate()?, options, new.envelope.clone(), &new.keys).map_err(failed)?;
    let copied = pipeline::copy(
        move |buffer| source.fill(buffer),
        |part| {
            writer.append(part).map_err(failed)?;
            progress.add(part.len());
            Ok(())
        },
    )?;
    if let Some(expected) = expected.filter(|expected| *expected != copied) {
        return Err(Failure::new(format!(
            "{from} was changed while it was read: it had {expected} bytes, and {copied} came; encrypt a snapshot, or \
             stop what writes to it"
        )));
    }
    progress.syncing();
    let volume = writer.finish().map_err(failed)?;
    output.publish()?;
    Ok(format!("{}, {}", progress.finish(copied), volume.backend()))
}
