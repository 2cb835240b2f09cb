//! Scratch volumes: each has a key of its own in the local keystore, which goes with it.

use std::cell::Cell;
use std::fmt::Display;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use atrest::keys::{Envelope, LocalKeystore, Uuid, VolumeKeys, new_uuid};
use atrest::volume::Header;

use crate::failure::{Failure, show};
use crate::new_volume::Made;
use crate::{advice, signals};

/// Makes the keys of a scratch volume, has `make` make the volume at `path`, and tells the user what it says. When that
/// fails, or a signal ends the process, the key is erased again; but not once the volume may be in its place, which
/// `make` says beforehand: what is there then, perhaps instead of something else, still opens.
pub fn make(
    path: &Path,
    make: impl FnOnce(Envelope, &VolumeKeys, &dyn Fn()) -> Result<Made, Failure>,
) -> Result<(), Failure> {
    let failed = |error: &dyn Display| {
        Failure::new(format!("cannot create the key of the scratch volume {}: {error}", show(path)))
    };
    let volume = new_uuid().map_err(|error| failed(&error))?;
    let home = LocalKeystore::default_path().map_err(|error| failed(&advice::with_keystore(&error)))?;
    let keystore =
        LocalKeystore::open_or_create(home).map_err(|error| failed(&advice::with_keystore(&error)))?;
    let place = std::path::absolute(path).map_err(|error| failed(&error))?;
    let on_signal = {
        // Whoever ends the command does not want to wait for others; there may be no key yet.
        let keystore = keystore.clone().with_lock_wait(Duration::from_millis(500));
        let erase = move || drop(keystore.destroy_scratch(volume));
        signals::before_end(erase).map_err(|error| failed(&error))?
    };
    let (envelope, keys) = keystore.create_scratch(volume, Some(&place)).map_err(|error| failed(&error))?;
    let on_signal = Cell::new(Some(on_signal));
    let made = make(envelope, &keys, &|| drop(on_signal.take()));
    let committed = on_signal.take().is_none();
    match made {
        Ok(made) => {
            let key = LocalKeystore::scratch_key_name(volume);
            let key = format!(
                "local:{key}, held only in {}: `atrest destroy` erases it, unless a backup of that directory keeps it",
                show(keystore.path())
            );
            made.tell(path, &key);
            Ok(())
        }
        Err(failure) if committed && is_at(path, volume) => {
            Err(failure.and("the volume is in place nevertheless, and its key stays"))
        }
        Err(failure) => Err(match keystore.destroy_scratch(volume) {
            Ok(_) => failure,
            Err(error) => failure.and(&format!("and its key could not be erased: {error}")),
        }),
    }
}

/// Whether the volume is the one at `path`.
fn is_at(path: &Path, volume: Uuid) -> bool {
    let header = File::open(path).ok().and_then(|file| Header::read(&file).ok());
    header.is_some_and(|(header, _)| header.uuid() == volume)
}
