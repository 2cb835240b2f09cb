//! Opening a volume with the keys that this machine has.

use std::fs::Metadata;
use std::path::Path;

use atrest::keys::{Envelope, VolumeKeys, block_on};
use atrest::volume::{ClosedVolume, Error, Mode, Volume};

use crate::backends::warn_of_wrong_ones;
use crate::failure::{Failure, say, show, warn};
use crate::source::open_volume;
use crate::trust::{Purpose, Trust};
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
    /// The key that unwrapped these, for people.
    pub opened_by: String,
}

/// Opens a volume for reading, if it is the one that it should be, and passes its warnings on. With a slot that one alone
/// is tried.
pub fn open(path: &Path, trust: &Trust, slot: Option<usize>) -> Result<Opened, Failure> {
    let file = open_volume(path)?;
    let metadata = file.metadata().map_err(|error| Failure::io("cannot read", show(path), &error))?;
    let failed = |error: Error| Failure::volume("cannot open the volume", show(path), error);
    // What cannot be opened in any case is refused before a key is looked for.
    let closed = ClosedVolume::read(file, Mode::ReadOnly).map_err(|error| failed(error.into()))?;
    let checked = trust.check("cannot open the volume", path, closed.header(), Purpose::Read)?;
    let providers = providers::of(closed.envelope())
        .map_err(|error| advice::with_keystore(&error))
        .map_err(|error| Failure::new(format!("cannot open the volume {}: {error}", show(path))))?;
    let expect = slot.map_or(checked.expect.clone(), |slot| checked.expect.clone().only_slot(slot));
    let opened = block_on(closed.unwrap(&providers, &expect)).map_err(|error| failed(error.into()))?;
    let envelope = closed.envelope().clone();
    warn_of_wrong_ones();
    let volume = closed.open(&opened, &expect).map_err(|error| failed(error.into()))?;
    for warning in volume.warnings() {
        warn(show(path), warning);
    }
    for failure in volume.slot_failures() {
        say(&format!("atrest: warning: {}: slot {} did not open: {failure}", show(path), failure.slot));
    }
    let opened_by = named(&envelope.slots()[opened.slot]);
    checked.opened(path, &opened_by, &envelope, opened.slot, &providers);
    Ok(Opened { volume, keys: opened.keys, metadata, opened_by })
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
