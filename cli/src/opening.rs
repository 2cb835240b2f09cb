//! Opening a volume with the keys that this machine has.

use std::fs::{File, Metadata};
use std::path::Path;

use atrest::keys::{Envelope, VolumeKeys, block_on};
use atrest::volume::{Error, Header, Mode, Volume};

use crate::failure::{Failure, show, warn};
use crate::providers;
use crate::source::open_volume;
use crate::wrappings::named;

/// An open volume, whose header is authentic, and its keys.
pub struct Opened {
    /// The volume.
    pub volume: Volume,
    /// Its keys.
    pub keys: VolumeKeys,
    /// What the system says of its file.
    pub metadata: Metadata,
    /// The keys that wrap these, for people.
    pub wrapped_by: String,
}

/// Opens a volume for reading, and passes its warnings on.
pub fn open(path: &Path) -> Result<Opened, Failure> {
    let file = open_volume(path)?;
    let metadata = file.metadata().map_err(|error| Failure::io("cannot read", show(path), &error))?;
    let failed = |error: Error| Failure::volume("cannot open the volume", show(path), &error);
    let envelope = envelope(&file).map_err(failed)?;
    let providers = providers::of(&envelope)
        .map_err(|error| Failure::new(format!("cannot open the volume {}: {error}", show(path))))?;
    let keys = block_on(envelope.open(&providers)).map_err(|error| failed(error.into()))?;
    // The header is read once more, and this time checked against the keys.
    let volume = Volume::open_with_keys(file, &keys, Mode::ReadOnly).map_err(failed)?;
    for warning in volume.warnings() {
        warn(show(path), warning);
    }
    Ok(Opened { volume, keys, metadata, wrapped_by: wrapped_by(&envelope) })
}

/// The envelope of a volume, which is not verified.
pub fn envelope_of(path: &Path) -> Result<Envelope, Failure> {
    let failed = |error: Error| Failure::volume("cannot read the volume", show(path), &error);
    envelope(&open_volume(path)?).map_err(failed)
}

/// What cannot be opened in any case is refused before a key is looked for.
fn envelope(file: &File) -> Result<Envelope, Error> {
    let (header, _) = Header::read(file)?;
    header.data_segment()?;
    header.envelope()?.ok_or(Error::NoToken)
}

/// The keys of an envelope, in the order in which they are tried.
pub fn wrapped_by(envelope: &Envelope) -> String {
    let keys: Vec<String> = envelope.slots().iter().map(named).collect();
    keys.join(" or ")
}
