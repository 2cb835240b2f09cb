//! `atrest destroy`: a scratch volume's key, then its header; no data is read or written.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use atrest::keys::{Class, LocalKeystore, ProviderError, ScratchKey, Uuid};
use atrest::luks2::ParseError;
use atrest::volume::{DestroyError, DestroyOptions, Destroyed, Volume};
use clap::Args;

use crate::failure::{Failure, say, show};
use crate::source::open_volume_to_destroy;
use crate::{advice, providers, size};

#[derive(Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    /// The volume, a file or a block device
    volume: PathBuf,
    /// The volume's UUID, if its file is gone or its header damaged; `atrest key list --scratch` tells it
    #[arg(long)]
    uuid: Option<Uuid>,
    /// Overwrite the header of a volume that is no scratch volume, whose keys stay; with --uuid also the first 16 MiB of
    /// a file that has no header
    #[arg(long)]
    force: bool,
}

const HELP: &str = "\
The key goes first, so that an interruption leaves a volume that does not open; running it again finishes.
A backup of the keystore that holds the key still opens copies of the volume, and so does a program that has the volume \
open. Files are overwritten before they are removed; SSDs, and file systems that copy on write or keep snapshots, may \
keep old blocks all the same.";

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { volume: path, uuid, force } = arguments;
    let name = show(path);
    let refused = |why: &dyn Display| Failure::new(format!("cannot destroy {name}: {why}"));
    let home = LocalKeystore::default_path().map_err(|error| refused(&error))?;
    let keystore = providers::existing(home, |error| refused(&advice::with_keystore(error)))?;
    let Some(file) = open_volume_to_destroy(path)? else {
        return match uuid {
            Some(uuid) => without_file(&name, keystore.as_ref(), *uuid).map_err(|error| refused(&error)),
            None => Err(refused(&format!("there is no such file; {}", which_key(path, keystore.as_ref())))),
        };
    };
    let options = DestroyOptions::new().uuid(*uuid).force(*force);
    let destroyed = Volume::destroy(&file, keystore.as_ref(), &options).map_err(|error| match error {
        DestroyError::Header(
            ParseError::Damaged { .. } | ParseError::NotLuks | ParseError::TooShort { .. },
        ) if uuid.is_none() => refused(&format!("{error}; {}", which_key(path, keystore.as_ref()))),
        _ => Failure::volume("cannot destroy", &name, error),
    })?;
    say(&done(&name, &destroyed, keystore.as_ref()));
    Ok(())
}

/// What is left to do when the volume's file is gone.
fn without_file(name: &str, keystore: Option<&LocalKeystore>, uuid: Uuid) -> Result<(), ProviderError> {
    let erased = keystore.map_or(Ok(false), |keystore| keystore.destroy_scratch(uuid))?;
    say(&format!("{name} is gone; {}", of_key(uuid, erased, keystore)));
    Ok(())
}

fn done(name: &str, destroyed: &Destroyed, keystore: Option<&LocalKeystore>) -> String {
    let Destroyed { uuid, class, key_erased, overwritten, .. } = *destroyed;
    let header = match overwritten {
        0 => "it has no header of this volume, and was left as it was (--force overwrites its first 16 MiB)"
            .to_owned(),
        length => format!("its header is overwritten ({})", size::show(length)),
    };
    let key = match class {
        Some(Class::Persistent) if !key_erased => {
            "its keys stay, and copies of the header, in backups and snapshots, open with them".to_owned()
        }
        _ => of_key(uuid, key_erased, keystore),
    };
    let passphrases = match destroyed.keyslots {
        0 => "",
        _ => "; cryptsetup gave it passphrases, and copies of its header open with those",
    };
    format!("destroyed {name}: {key}; {header}{passphrases}")
}

/// What became of the key.
fn of_key(uuid: Uuid, erased: bool, keystore: Option<&LocalKeystore>) -> String {
    let key = LocalKeystore::scratch_key_name(uuid);
    let place = keystore.map_or("a keystore".to_owned(), |keystore| show(keystore.path()));
    match erased {
        true => format!("its key local:{key} is erased, and no copy of the volume opens any more"),
        false => format!(
            "there was no key local:{key} in {place}: it was erased before, or is in another keystore (ATREST_HOME), with \
             which copies of the volume open"
        ),
    }
}

/// How to name the key of a volume that does not tell its UUID.
fn which_key(path: &Path, keystore: Option<&LocalKeystore>) -> String {
    let keys = keystore.and_then(|keystore| keystore.scratch_keys().ok()).unwrap_or_default();
    let place = std::path::absolute(path).ok();
    let made_here = |key: &&ScratchKey| key.path.is_some() && key.path == place;
    let here: Vec<String> = keys.iter().filter(made_here).map(|key| key.volume.to_string()).collect();
    match here.is_empty() {
        true => "if it was a scratch volume, give its UUID with --uuid; `atrest key list --scratch` shows the keys that \
                 there are, and where their volumes were made"
            .to_owned(),
        false => format!(
            "a scratch volume was made there, and its key is erased with --uuid {}",
            here.join(" or --uuid ")
        ),
    }
}
