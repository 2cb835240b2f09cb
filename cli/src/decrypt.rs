//! `atrest decrypt`: a volume's content, as it was.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use atrest::volume::Volume;
use clap::Args;

use crate::failure::{Failure, say, show};
use crate::opening::{self, Opened};
use crate::output::{Access, Output};
use crate::progress::Progress;
use crate::trust::Trust;
use crate::{pipeline, stdout};

#[derive(Args)]
pub struct Arguments {
    /// The volume: a file or a block device
    volume: PathBuf,
    /// Where to write the plaintext: a file, a block device, or - for standard output
    out: PathBuf,
    /// Replace an existing file, or overwrite a block device
    #[arg(long)]
    force: bool,
    /// Open the volume with this slot alone (see `atrest slot list`)
    #[arg(long, value_name = "NUMBER")]
    slot: Option<usize>,
    #[command(flatten)]
    trust: Trust,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.out == Path::new("-") {
        return to_stdout(arguments);
    }
    // Plain text of what was worth encrypting is for its owner alone.
    let output = Output::create(&arguments.out, arguments.force, false, Access::Private)?;
    let Opened { volume, metadata, opened_by, .. } =
        opening::open(&arguments.volume, &arguments.trust, arguments.slot)?;
    let name = show(&arguments.volume);
    output.refuse_if_also(&metadata, &name)?;
    output.reserve(volume.size())?;

    let backend = volume.backend();
    let progress = Progress::start(Some(volume.size()));
    let out = show(&arguments.out);
    let copied =
        copy(volume, output.file(), &progress, &name, |error| Failure::io("cannot write", &out, &error))?;
    progress.syncing();
    output.publish()?;
    say(&format!("decrypted {name} into {out}: {}, {backend}, key {opened_by}", progress.finish(copied)));
    Ok(())
}

/// A stream shows no progress of ours: whoever reads it may write to the same terminal.
fn to_stdout(arguments: &Arguments) -> Result<(), Failure> {
    let stdout = stdout::for_data("the volume's content")?;
    let Opened { volume, .. } = opening::open(&arguments.volume, &arguments.trust, arguments.slot)?;
    copy(volume, &stdout, &Progress::none(), &show(&arguments.volume), |error| stdout::failed(&error))?;
    Ok(())
}

fn copy(
    volume: Volume,
    mut to: &File,
    progress: &Progress,
    name: &str,
    write_failed: impl Fn(io::Error) -> Failure,
) -> Result<u64, Failure> {
    let name = name.to_owned();
    let mut offset = 0;
    pipeline::copy(
        move |buffer| {
            let length = (volume.size() - offset).min(buffer.len() as u64) as usize;
            volume
                .read_at(&mut buffer[..length], offset)
                .map_err(|error| Failure::volume("cannot read the volume", &name, error))?;
            offset += length as u64;
            Ok(length)
        },
        |part| {
            to.write_all(part).map_err(&write_failed)?;
            progress.add(part.len());
            Ok(())
        },
    )
}
