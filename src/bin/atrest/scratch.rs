//! Scratch volumes: each has a key of its own in the local keystore, which goes with it.

use std::fmt::Display;
use std::path::Path;

use atrest::envelope::{Envelope, LocalKeystore, VolumeKeys, new_uuid};

use crate::failure::{Failure, say, show};
use crate::signals;

/// Makes the keys of a scratch volume, has `make` make the volume at `path`, and tells the user what it says. When that
/// fails, or a signal ends the process, the key is erased again.
pub fn make(
    path: &Path,
    make: impl FnOnce(Envelope, &VolumeKeys) -> Result<String, Failure>,
) -> Result<(), Failure> {
    let failed = |error: &dyn Display| {
        Failure::new(format!("cannot make a key for the scratch volume {}: {error}", show(path)))
    };
    let volume = new_uuid().map_err(|error| failed(&error))?;
    let home = LocalKeystore::default_path().map_err(|error| failed(&error))?;
    let keystore = LocalKeystore::open_or_create(home).map_err(|error| failed(&error))?;
    let place = std::path::absolute(path).map_err(|error| failed(&error))?;
    let on_signal = {
        let keystore = keystore.clone();
        let erase = move || drop(keystore.destroy_scratch(volume));
        signals::before_end(erase).map_err(|error| failed(&error))?
    };
    let (envelope, keys) = keystore.create_scratch(volume, Some(&place)).map_err(|error| failed(&error))?;
    let made = make(envelope, &keys);
    drop(on_signal);
    match made {
        Ok(line) => {
            let key = LocalKeystore::scratch_key_name(volume);
            say(&format!(
                "{line}, key local:{key} in {} alone: `atrest destroy` erases it, and a backup of that directory would \
                 keep it",
                show(keystore.path())
            ));
            Ok(())
        }
        Err(failure) => Err(match keystore.destroy_scratch(volume) {
            Ok(_) => failure,
            Err(error) => failure.and(&format!("nor could its key be erased again: {error}")),
        }),
    }
}
