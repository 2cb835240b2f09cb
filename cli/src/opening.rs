//! Opening a volume with the keys that this machine has.

use std::fs::Metadata;
use std::path::Path;

use atrest::keys::{Envelope, Expect, VolumeKeys, block_on};
use atrest::volume::{ClosedVolume, Error, Mode, Volume};

use crate::backends::warn_of_wrong_ones;
use crate::failure::{Failure, show, warn};
use crate::source::open_volume;
use crate::wrappings::named;
use crate::{advice, providers};

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
    let failed = |error: Error| Failure::volume("cannot open the volume", show(path), error);
    // What cannot be opened in any case is refused before a key is looked for.
    let closed = ClosedVolume::read(file, Mode::ReadOnly).map_err(|error| failed(error.into()))?;
    let providers = providers::of(closed.envelope())
        .map_err(|error| advice::with_keystore(&error))
        .map_err(|error| Failure::new(format!("cannot open the volume {}: {error}", show(path))))?;
    let expect = Expect::any();
    let opened = block_on(closed.unwrap(&providers, &expect)).map_err(|error| failed(error.into()))?;
    let wrapped_by = wrapped_by(closed.envelope());
    warn_of_wrong_ones();
    let volume = closed.open(&opened, &expect).map_err(|error| failed(error.into()))?;
    for warning in volume.warnings() {
        warn(show(path), warning);
    }
    Ok(Opened { volume, keys: opened.keys, metadata, wrapped_by })
}

/// The envelope of a volume, which is not verified.
pub fn envelope_of(path: &Path) -> Result<Envelope, Failure> {
    let closed = ClosedVolume::read(open_volume(path)?, Mode::ReadOnly);
    let closed = closed.map_err(|error| Failure::volume("cannot read the volume", show(path), error))?;
    Ok(closed.envelope().clone())
}

/// The keys of an envelope, in the order in which they are tried.
pub fn wrapped_by(envelope: &Envelope) -> String {
    let keys: Vec<String> = envelope.slots().iter().map(named).collect();
    keys.join(" or ")
}
