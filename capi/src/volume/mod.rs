//! Volumes

mod open;

mod data;

mod identity;

mod recheck;

mod rewrap;

mod slots;

mod header;

mod scratch;

mod storage;

pub use {data::*, header::*, identity::*, open::*, recheck::*, rewrap::*, scratch::*, slots::*, storage::*};

use super::fork::Calls;
use atrest::Code;
use atrest::volume::Volume;
use storage::AnyStorage;

/// An open encrypted volume: a run of bytes that any number of threads read and write at once, at any offset and of any
/// length.
///
/// After fork() a child may use the volumes that no other thread was using at that moment. One that was in use answers
/// ATREST_ERROR_FORKED in the child, which opens it again. Parent and child know nothing of each other: only one of
/// them may write. (So a daemon can open its volumes, report what fails, and then go into the background.)
#[allow(non_camel_case_types)]
pub struct atrest_volume {
    volume: Volume<AnyStorage>,
    calls: Calls,
}

impl atrest_volume {
    fn new(volume: Volume<AnyStorage>) -> atrest_volume {
        atrest_volume { volume, calls: Calls::new() }
    }

    pub(crate) fn volume(&self) -> &Volume<AnyStorage> {
        &self.volume
    }

    /// Runs a call on the volume, unless a fork left it in a state that would never let the call end.
    fn with<E: Into<atrest::volume::Error>>(
        &self,
        call: impl FnOnce(&Volume<AnyStorage>) -> Result<(), E>,
    ) -> Result<(), Code> {
        let _running = self.calls.begin()?;
        call(&self.volume).map_err(|error| error.into().code())
    }
}
