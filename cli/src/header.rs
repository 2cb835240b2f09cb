//! `atrest header`: backups of a volume's header, and their way back.

use std::fs::{File, Metadata};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use atrest::keys::Class;
use atrest::volume::{Header, HeaderBackup};
use clap::{Args, Subcommand};

use crate::failure::{Failure, say, show, warn};
use crate::opening::wrapped_by;
use crate::output::{Access, Output};
use crate::sharing::Sharing;
use crate::size;
use crate::source::{open_volume, open_volume_to_change};
use crate::trust::{Purpose, Trust};

#[derive(Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Back up both copies of the header and the keyslot area, in the format of `cryptsetup luksHeaderBackup`. The backup
    /// keeps opening the volume with the keys that wrap it today, even after they are removed from the volume
    Backup {
        /// The volume: a file or a block device
        volume: PathBuf,
        /// The backup file to create, readable by its owner only
        file: PathBuf,
        /// Replace an existing file
        #[arg(long)]
        force: bool,
    },
    /// Restore a header from a backup made by atrest or cryptsetup. Refuses a backup of another volume, and one that is
    /// older than the current header, which would bring back keys that were removed since
    Restore {
        /// The volume: a file or a block device
        volume: PathBuf,
        /// The backup file
        file: PathBuf,
        /// Restore it even so
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        trust: Trust,
        #[command(flatten)]
        sharing: Sharing,
    },
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Command::Backup { volume, file, force } => backup(volume, file, *force),
        Command::Restore { volume, file, force, trust, sharing } => {
            restore(volume, file, *force, trust, sharing)
        }
    }
}

fn backup(path: &Path, to: &Path, force: bool) -> Result<(), Failure> {
    let (name, to_name) = (show(path), show(to));
    let volume = open_volume(path)?;
    // With force a slip would replace the volume by its header.
    if let Ok(existing) = std::fs::metadata(to)
        && same(&volume, &existing).map_err(|error| Failure::io("cannot read", &name, &error))?
    {
        return Err(Failure::new(format!(
            "cannot write {to_name}: it is the volume itself; choose another file"
        )));
    }
    let (backup, warnings) = HeaderBackup::take(&volume)
        .map_err(|error| Failure::volume("cannot back up the header of", &name, error))?;
    let output = Output::create(to, force, false, Access::Private)?;
    let written = output.file().write_all(backup.as_bytes());
    written.map_err(|error| Failure::io("cannot write", &to_name, &error))?;
    output.publish()?;
    for warning in &warnings {
        warn(&name, warning);
    }
    let header = backup.header();
    say(&format!(
        "backed up the header of {name} to {to_name}: {}, {}; together with such a key it opens any copy of {name}",
        size::show(backup.as_bytes().len() as u64),
        about(header),
    ));
    Ok(())
}

fn restore(path: &Path, from: &Path, force: bool, trust: &Trust, sharing: &Sharing) -> Result<(), Failure> {
    let (name, from_name) = (show(path), show(from));
    let (backup, warnings) = HeaderBackup::read(&open_volume(from)?)
        .map_err(|error| Failure::volume("cannot use the backup", &from_name, error))?;
    for warning in &warnings {
        warn(&from_name, warning);
    }
    let volume = open_volume_to_change(path)?;
    // Nothing in it is authenticated: the next open does that, and asks before anything is written.
    let checked = trust.check("cannot restore the header of", path, backup.header(), Purpose::Replace)?;
    let restored = backup
        .restore(&sharing.of(&volume), &checked.expect, force)
        .map_err(|error| Failure::volume("cannot restore the header of", &name, error))?;
    let header = &restored.header;
    checked.restored(header);
    let compared = match restored.compared {
        true => "",
        false => "; the old header could not be read, so the backup was not compared with it",
    };
    let scratch = match header.envelope() {
        Ok(Some(envelope)) if envelope.class() == Class::Scratch => {
            "; this is a scratch volume, which does not open if it was destroyed"
        }
        _ => "",
    };
    say(&format!("restored the header of {name} from {from_name}: {}{compared}{scratch}", about(header)));
    Ok(())
}

/// What a header says of itself.
fn about(header: &Header) -> String {
    let keys = match header.envelope() {
        Ok(Some(envelope)) => format!("key {}", wrapped_by(&envelope)),
        _ => "made by another tool".to_owned(),
    };
    format!("UUID {}, sequence number {}, {keys}", header.uuid(), header.sequence())
}

/// Whether they are the same file.
fn same(file: &File, other: &Metadata) -> io::Result<bool> {
    let file = file.metadata()?;
    Ok((file.dev(), file.ino()) == (other.dev(), other.ino()))
}
