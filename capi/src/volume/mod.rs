mod data;
mod header;
mod open;
mod recheck;
mod rewrap;
mod scratch;
mod slots;

pub use data::{
    atrest_volume_discard, atrest_volume_envelope, atrest_volume_flush, atrest_volume_read,
    atrest_volume_sector_size, atrest_volume_size, atrest_volume_uuid, atrest_volume_write,
    atrest_volume_write_zeros,
};
pub use header::{atrest_volume_backup_header, atrest_volume_restore_header};
pub use open::{
    ATREST_VOLUME_DISCARD, ATREST_VOLUME_READ_ONLY, atrest_volume_close, atrest_volume_create,
    atrest_volume_create_fd, atrest_volume_open, atrest_volume_open_fd,
};
pub use recheck::{atrest_volume_check_lease, atrest_volume_recheck};
pub use rewrap::{atrest_volume_rewrap, atrest_volume_rewrap_fd};
pub use scratch::{ATREST_FORCE, atrest_volume_create_scratch, atrest_volume_destroy};
pub use slots::{atrest_volume_add_slot, atrest_volume_remove_slot};

use super::fork::Calls;
use super::status::atrest_status;
use atrest::volume::Volume;

/// An open encrypted volume: a run of bytes that any number of threads read and write at once, at any offset and of any
/// length.
///
/// After fork() the child may use the volumes that no other thread was using at that moment; a volume that was in use
/// then answers ATREST_ERROR_FORKED there, and has to be opened again. Parent and child know nothing of each other:
/// only one of them may write. (So a daemon may open its volumes, report what fails, and go into the background then.)
#[allow(non_camel_case_types)]
pub struct atrest_volume {
    volume: Volume,
    calls: Calls,
}

impl atrest_volume {
    fn new(volume: Volume) -> atrest_volume {
        atrest_volume { volume, calls: Calls::new() }
    }

    /// Runs a call on the volume, unless a fork left it in a state that would never let the call end.
    fn with(
        &self,
        call: impl FnOnce(&Volume) -> Result<(), atrest::volume::Error>,
    ) -> Result<(), atrest_status> {
        let _running = self.calls.begin()?;
        call(&self.volume).map_err(|error| atrest_status::from(&error))
    }
}
