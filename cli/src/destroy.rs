//! `atrest destroy`: a scratch volume's key, then its header; no data is read or written.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use atrest::keys::{Class, Envelope, Expect, LocalKeystore, ProviderError, ScratchKey, Uuid};
use atrest::luks2::ParseError;
use atrest::volume::{DestroyError, DestroyOptions, Destroyed, Header, Volume};
use clap::Args;
use serde_json::{Value, json};

use crate::failure::{Failure, say, show};
use crate::sharing::Sharing;
use crate::source::open_volume_to_destroy;
use crate::text::escaped_json;
use crate::trust::{Checked, Purpose, Trust};
use crate::{advice, providers, size, stdout};

#[derive(Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    /// The volume: a file or a block device
    volume: PathBuf,
    /// The volume's UUID, if its file is gone or its header is damaged (see `atrest key list --scratch`)
    #[arg(long)]
    uuid: Option<Uuid>,
    /// Overwrite the header even if this is not a scratch volume (its keys stay); with --uuid, overwrite the first
    /// 16 MiB of a file that has no header
    #[arg(long)]
    force: bool,
    /// Print a receipt as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    trust: Trust,
    #[command(flatten)]
    sharing: Sharing,
}

const HELP: &str = "\
The key is erased first, then the header. If the command is interrupted, the volume no longer opens; run it again to finish.

Copies of the volume still open with a backup of the keystore that holds the key. A volume that is open for writing is not \
destroyed; a program that has it open for reading keeps it open. Files are overwritten before they are removed, but SSDs, copy-on-write file systems and snapshots may keep old \
blocks.";

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { volume: path, uuid, force, json, trust, sharing } = arguments;
    let name = show(path);
    let refused = |why: &dyn Display| Failure::new(format!("cannot destroy {name}: {why}"));
    let home = LocalKeystore::default_path().map_err(|error| refused(&error))?;
    let keystore = providers::existing(home, |error| refused(&advice::with_keystore(error)))?;
    let Some(file) = open_volume_to_destroy(path)? else {
        return match uuid {
            Some(uuid) => without_file(&name, keystore.as_ref(), *uuid).map_err(|error| refused(&error)),
            None => Err(refused(&format!("no such file; {}", which_key(path, keystore.as_ref())))),
        };
    };
    // Under the lock it is read once more, and held against what is decided here.
    let header = Header::read(&file).ok().map(|(header, _)| header);
    let checked = header
        .as_ref()
        .map(|header| trust.check("cannot destroy", path, header, Purpose::Replace))
        .transpose()?;
    let envelope = header.as_ref().and_then(|header| header.envelope().ok().flatten());
    if let (Some(envelope), Some(keystore), None) = (&envelope, &keystore, uuid) {
        elsewhere(path, envelope.volume(), keystore).map_err(|why| refused(&why))?;
    }
    let mut options =
        DestroyOptions::new(trust.expected()?.unwrap_or(Expect::any())).uuid(*uuid).force(*force);
    if let Some(checked) = &checked {
        options.expect = checked.expect.clone();
        let volume = envelope.as_ref().map(Envelope::volume);
        // What was interrupted is finished by repeating it.
        let has_key = |volume| {
            let keys = keystore.as_ref().map_or(Ok(Vec::new()), LocalKeystore::scratch_keys);
            keys.map_or(true, |keys| keys.iter().any(|key| key.volume == volume))
        };
        let has_key = volume.is_some_and(has_key);
        options.uuid = uuid.or(volume.filter(|_| !has_key && checked.was_being_destroyed()));
        if has_key && envelope.as_ref().is_some_and(|envelope| envelope.class() == Class::Scratch) {
            checked.destroying();
        }
    }
    let providers = envelope.as_ref().map(|envelope| providers::of(envelope).unwrap_or_default());
    let providers = providers.unwrap_or_default();
    let destroyed =
        Volume::destroy(&sharing.of(&file), keystore.as_ref(), &providers, &options).map_err(|error| {
            match error {
                DestroyError::Header(
                    ParseError::Damaged { .. } | ParseError::NotLuks | ParseError::TooShort { .. },
                ) if uuid.is_none() => refused(&format!("{error}; {}", which_key(path, keystore.as_ref()))),
                _ => Failure::volume("cannot destroy", &name, error),
            }
        })?;
    checked.inspect(Checked::forget);
    if *json {
        stdout::print(&escaped_json(&receipt(&name, &destroyed)))?;
    }
    say(&done(&name, &destroyed, keystore.as_ref()));
    Ok(())
}

/// What was done, for those who have to show it.
fn receipt(name: &str, destroyed: &Destroyed) -> Value {
    let Destroyed { uuid, class, keyslots, authenticated, key_erased, overwritten, .. } = *destroyed;
    json!({
        "volume": name,
        "uuid": uuid.to_string(),
        "class": class.map(Class::name),
        "authenticated": authenticated,
        "key_erased": key_erased,
        "overwritten": overwritten,
        "keyslots": keyslots,
        "time": SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()),
    })
}

/// Refuses a scratch volume that was created somewhere else, where its key says so: its header may have been copied here.
fn elsewhere(path: &Path, volume: Uuid, keystore: &LocalKeystore) -> Result<(), String> {
    let keys = keystore.scratch_keys().map_err(|error| advice::with_keystore(&error))?;
    let created = keys.into_iter().find(|key| key.volume == volume).and_then(|key| key.path);
    let Some(created) = created else { return Ok(()) };
    let here = [std::path::absolute(path).ok(), std::fs::canonicalize(path).ok()];
    if here.iter().flatten().any(|here| *here == created) {
        return Ok(());
    }
    Err(format!(
        "its header says that it is volume {volume}, which was created at {}: if it was moved here, and is to be destroyed, \
         give --uuid {volume}",
        show(&created)
    ))
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
        0 => "the file has no header of this volume and was left unchanged (--force overwrites its first 16 MiB)"
            .to_owned(),
        length => format!("its header has been overwritten ({})", size::show(length)),
    };
    let key = match class {
        Some(Class::Persistent) if !key_erased => {
            "its keys still exist and open any copy of the header, in backups and snapshots".to_owned()
        }
        _ => of_key(uuid, key_erased, keystore),
    };
    let passphrases = match destroyed.keyslots {
        0 => "",
        _ => "; it also has cryptsetup keyslots, whose passphrases open any copy of the header",
    };
    format!("destroyed {name}: {key}; {header}{passphrases}")
}

/// What became of the key.
fn of_key(uuid: Uuid, erased: bool, keystore: Option<&LocalKeystore>) -> String {
    let key = LocalKeystore::scratch_key_name(uuid);
    let place = keystore.map_or("a keystore".to_owned(), |keystore| show(keystore.path()));
    match erased {
        true => format!("its key local:{key} has been erased, and no copy of the volume opens any more"),
        false => format!(
            "there is no key local:{key} in {place}: it was erased before, or it is in another keystore (ATREST_HOME), \
             which still opens copies of the volume"
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
        true => "if it was a scratch volume, give its UUID with --uuid; `atrest key list --scratch` lists the keys and where \
                 their volumes were created"
            .to_owned(),
        false => format!(
            "a scratch volume was created there; to erase its key, give --uuid {}",
            here.join(" or --uuid ")
        ),
    }
}
