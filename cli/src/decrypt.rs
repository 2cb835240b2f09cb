//! `atrest decrypt`: a volume's content, as it was.

use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use atrest::volume::Volume;
use clap::Args;

use crate::failure::{Failure, say, show};
use crate::opening::{self, Opened};
use crate::output::{Access, Output};
use crate::progress::Progress;
use crate::trust::Trust;
use crate::{holes, pipeline, stdout};

#[derive(Args)]
pub struct Arguments {
    /// The volume: a file or a block device
    volume: PathBuf,
    /// Where to write the plaintext: a file, which only its owner can read (mode 0600, whatever it replaces), a block
    /// device, or - for standard output
    out: PathBuf,
    /// Replace an existing file, or overwrite a block device
    #[arg(long)]
    force: bool,
    /// Leave holes in the file where the content is zeros
    #[arg(long)]
    sparse: bool,
    /// Open the volume with this slot alone (see `atrest slot list`)
    #[arg(long, value_name = "NUMBER")]
    slot: Option<usize>,
    #[command(flatten)]
    trust: Trust,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let refuse_holes = |why: &str| Err(Failure::new(format!("--sparse makes holes in a file, and {why}")));
    if arguments.out == Path::new("-") {
        if arguments.sparse {
            return refuse_holes("standard output may be none: give its name instead of -");
        }
        return to_stdout(arguments);
    }
    // Plain text of what was worth encrypting is for its owner alone.
    let output = Output::create(&arguments.out, arguments.force, false, Access::Private)?;
    let Opened { volume, metadata, opened_by, .. } =
        opening::open(&arguments.volume, &arguments.trust, arguments.slot)?;
    let name = show(&arguments.volume);
    output.refuse_if_also(&metadata, &name)?;
    match arguments.sparse {
        true if output.is_device() => return refuse_holes("a block device has none: leave it out"),
        // Holes take no room; nor does what is written beside them take all of the end.
        true => output.set_length(volume.size())?,
        false => output.reserve(volume.size())?,
    }

    let backend = volume.backend();
    let progress = Progress::start(Some(volume.size()));
    let out = show(&arguments.out);
    let failed = |error| Failure::io("cannot write", &out, &error);
    let copied = match arguments.sparse {
        true => {
            let mut end = 0;
            let write = |part: &[u8]| {
                holes::runs(part, |run, zeros| {
                    let begin = end;
                    end += run.len() as u64;
                    if zeros { Ok(()) } else { output.file().write_all_at(run, begin) }
                })
            };
            copy(volume, write, &progress, &name, failed)?
        }
        false => copy(volume, |part| output.file().write_all(part), &progress, &name, failed)?,
    };
    progress.syncing();
    output.publish()?;
    say(&format!("decrypted {name} into {out}: {}, {backend}, key {opened_by}", progress.finish(copied)));
    Ok(())
}

/// A stream shows no progress of ours: whoever reads it may write to the same terminal.
fn to_stdout(arguments: &Arguments) -> Result<(), Failure> {
    let stdout = stdout::for_data("the volume's content")?;
    let Opened { volume, .. } = opening::open(&arguments.volume, &arguments.trust, arguments.slot)?;
    let write = |part: &[u8]| (&stdout).write_all(part);
    copy(volume, write, &Progress::none(), &show(&arguments.volume), |error| stdout::failed(&error))?;
    Ok(())
}

fn copy(
    volume: Volume,
    mut write: impl FnMut(&[u8]) -> io::Result<()>,
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
            write(part).map_err(&write_failed)?;
            progress.add(part.len());
            Ok(())
        },
    )
}
