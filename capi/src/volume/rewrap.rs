//! Rewrapping the key of a volume

use core::ffi::{c_char, c_int};

use super::open::{checked, duplicate, file_at};
use crate::error::{Failure, explained};
use crate::pointer;
use crate::providers::{atrest_providers, key_ref, wait};
use crate::status::atrest_status;
use atrest::storage::Storage;
use atrest::volume::{Mode, Volume, WrappingChange};

/// Replaces one wrapping of the key in a volume's header by one under another key, or under the newest material of the
/// same key: after a key was rotated, or when a volume changes hands. Touches no data, and the volume may be open
/// meanwhile. If the key service can rewrap by itself the plaintext does not leave it; if not, the key is unwrapped,
/// wrapped and, before the header is written, unwrapped again.
///
/// Both copies of the header are written, one after the other, and each is synced. Interrupted at any moment, the
/// volume opens with its old wrapping or its new one; once done, the old one is in neither copy. Older copies of the
/// header elsewhere (backups, snapshots) still open with the old key.
///
/// The volume must be an expected one. Before anything is changed one of its wrappings is opened, and the header
/// authenticated; where nobody here may unwrap, and the service alone rewraps, a pin must be expected.
///
/// `path`: the volume's file. `slot`: which wrapping, from 0; atrest_envelope_key() tells what there is. `providers`:
/// those of both keys, and what is expected. `key`: the new key, as for atrest_envelope_create(). `timeout_ms`: how long
/// to wait for the providers, as for atrest_volume_open(); the call may wait on a network, and after a timeout the header
/// is as it was. It also waits up to ten seconds for whoever else changes the header. `error`, `error_len`: as for
/// atrest_volume_open(), warnings included.
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _NO_EXPECTATION (nothing is expected, or no pin where one is
/// needed), _KEY_NAME, _SLOT, _BUSY (another process changes the header, or QEMU writes to the file), and what
/// atrest_volume_open() answers for the file, for what is in it and for its keys, which leave the header as it was. _IO,
/// _NO_SPACE and _DAMAGED (it does not read back) from the writing: one copy still opens.
///
/// # Safety
/// `path` and `key` are NULL or NUL-terminated strings; `providers` is NULL or a set; `error` is NULL or writable for
/// `error_len` bytes.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_rewrap(
    path: *const c_char,
    slot: usize,
    providers: *const atrest_providers,
    key: *const c_char,
    timeout_ms: i32,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        let file = || file_at(path, Mode::ReadWrite);
        change(file, Change::Rewrap { slot, key }, providers, timeout_ms, (error, error_len))
    }
}

/// atrest_volume_rewrap() for a file that is open already, for reading and writing, not for appending.
///
/// `fd` stays yours. Its file offset is undefined afterwards. A lock (flock) that you hold through it is in the way.
/// Everything else as for atrest_volume_rewrap(); also _DESCRIPTOR, _READ_ONLY, _FILE_TYPE.
///
/// # Safety
/// As atrest_volume_rewrap(); `fd` is no descriptor that somebody else closes during the call.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_rewrap_fd(
    fd: c_int,
    slot: usize,
    providers: *const atrest_providers,
    key: *const c_char,
    timeout_ms: i32,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        let file = || checked(duplicate(fd)?);
        change(file, Change::Rewrap { slot, key }, providers, timeout_ms, (error, error_len))
    }
}

/// What a call does to the wrappings in a header.
#[derive(Clone, Copy)]
pub(crate) enum Change {
    Rewrap { slot: usize, key: *const c_char },
    Add { key: *const c_char },
    Remove { slot: usize },
}

/// A call that changes the wrappings of the volume in what `storage` gives.
///
/// # Safety
/// As [`atrest_volume_rewrap`], for the key in `change`, too; `error` is a buffer and its length.
pub(crate) unsafe fn change<S: Storage>(
    storage: impl FnOnce() -> Result<S, Failure>,
    change: Change,
    providers: *const atrest_providers,
    timeout_ms: i32,
    error: (*mut c_char, usize),
) -> atrest_status {
    // SAFETY: this function's contract.
    unsafe {
        explained(error.0, error.1, |line| {
            let providers = pointer::reference(providers)?;
            let new;
            let change = match change {
                Change::Rewrap { slot, key } => {
                    new = key_ref(key)?;
                    WrappingChange::Rewrap { slot, provider: new.provider(), key: new.key() }
                }
                Change::Add { key } => {
                    new = key_ref(key)?;
                    WrappingChange::Add { provider: new.provider(), key: new.key() }
                }
                Change::Remove { slot } => WrappingChange::Remove { slot },
            };
            let expect = providers.expected_to_write()?;
            let storage = storage()?;
            let changed = Volume::change_wrappings_async(&storage, change, &providers.providers, &expect);
            let changed = wait(timeout_ms, changed)?;
            line.warn(&changed.warnings);
            Ok(())
        })
    }
}
