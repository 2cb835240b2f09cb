//! More keys than one for a volume

use core::ffi::c_char;

use super::open::file_at;
use super::rewrap::{Change, change};
use crate::providers::atrest_providers;
use crate::status::atrest_status;
use atrest::volume::Mode;

/// Adds a wrapping of the key to a volume's header, behind those that are there: the volume then opens with this key,
/// too. One of the present wrappings is opened for it, and the new one, before the header is written.
///
/// `path`: the volume's file. `providers`: those of a present key and of the new one, and what is expected. `key`: as for
/// atrest_envelope_create(). `timeout_ms`, `error`, `error_len`: as for atrest_volume_rewrap(), and so is what an
/// interruption leaves.
///
/// Returns what atrest_volume_rewrap() does; _SLOT for a key that is there already, _ENVELOPE if all 8 slots are taken,
/// _KEY_NAME for a scratch volume, which takes no other key.
///
/// # Safety
/// `path` and `key` are NULL or NUL-terminated strings; `providers` is NULL or a set; `error` is NULL or writable for
/// `error_len` bytes.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_add_slot(
    path: *const c_char,
    providers: *const atrest_providers,
    key: *const c_char,
    timeout_ms: i32,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        let file = || file_at(path, Mode::ReadWrite);
        change(file, Change::Add { key }, providers, timeout_ms, (error, error_len))
    }
}

/// Removes a wrapping of the key from a volume's header: the volume no longer opens with that key. The last one cannot
/// be removed. Older copies of the header elsewhere (backups, snapshots) still open with it.
///
/// `path`: the volume's file. `slot`: which wrapping, from 0; those behind it move up. `providers`: those of a present
/// key, and what is expected, as for atrest_volume_rewrap(); so are `timeout_ms`, `error`, `error_len`, and what an
/// interruption leaves.
///
/// Returns what atrest_volume_rewrap() does; _SLOT if there is no such slot, _ENVELOPE for the last one, _KEY_NAME for
/// a scratch volume.
///
/// # Safety
/// `path` is NULL or a NUL-terminated string; `providers` is NULL or a set; `error` is NULL or writable for `error_len`
/// bytes.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_remove_slot(
    path: *const c_char,
    slot: usize,
    providers: *const atrest_providers,
    timeout_ms: i32,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        let file = || file_at(path, Mode::ReadWrite);
        change(file, Change::Remove { slot }, providers, timeout_ms, (error, error_len))
    }
}
