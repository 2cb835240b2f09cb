//! Backups of a volume's header

use core::ffi::c_char;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;

use super::open::{file_at, io_failure, sync_directory};
use super::scratch::force;
use super::storage::shared;
use crate::error::{Failure, explained};
use crate::pointer;
use crate::providers::{as_path, atrest_providers};
use crate::status::atrest_status;
use atrest::keys::Expect;
use atrest::storage::Storage;
use atrest::volume::{HeaderBackup, Mode};

/// Saves the header of a volume in a new file, in the format of `cryptsetup luksHeaderBackup`: both copies and the area
/// for keyslots, 16 MiB for a volume that was made here. Whoever has it, and may use a key that wraps the volume's key
/// now, can open the volume, whatever becomes of its header.
///
/// `path`: the volume's file. `backup`: must not exist; only its owner can read it. When the call returns it is on the
/// disk; on failure no file is left. `error`, `error_len`: as for atrest_volume_open(), warnings included. Needs no
/// key. Takes no lock; while somebody changes the header it reads it again, for up to ten seconds.
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _EXISTS, _NO_SPACE, and what atrest_volume_open()
/// answers for the file and for what is in it.
///
/// # Safety
/// `path` and `backup` are NULL or NUL-terminated strings; `error` is NULL or writable for `error_len` bytes.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_backup_header(
    path: *const c_char,
    backup: *const c_char,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        let file = || file_at(path, Mode::ReadOnly);
        backup_header(file, backup, (error, error_len))
    }
}

/// A call that saves the header of the volume in what `storage` gives.
///
/// # Safety
/// As [`atrest_volume_backup_header`]; `error` is a buffer and its length.
pub(crate) unsafe fn backup_header<S: Storage>(
    storage: impl FnOnce() -> Result<S, Failure>,
    backup: *const c_char,
    error: (*mut c_char, usize),
) -> atrest_status {
    // SAFETY: this function's contract.
    unsafe {
        explained(error.0, error.1, |line| {
            let to = as_path(pointer::string(backup)?);
            let (backup, warnings) = HeaderBackup::take(&storage()?)?;
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
            let mut file = file.map_err(io_failure("making the file of the backup"))?;
            let written = file.write_all(backup.as_bytes()).and_then(|()| file.sync_all());
            let written = written.map_err(io_failure("writing the backup"));
            let written: Result<(), Failure> = written.and_then(|()| sync_directory(to));
            written.inspect_err(|_| {
                // Best effort: there is an error already that says more.
                let _ = fs::remove_file(to);
            })?;
            line.warn(&warnings);
            Ok(())
        })
    }
}

/// Puts a backup, cryptsetup's too, in the place of a volume's header. If the present header can be read they are
/// compared first: a backup of another volume, or an older one, which would bring back a key that was removed since,
/// takes ATREST_FORCE. If it cannot be read the file must be as long as the backup's volume.
///
/// `path`: the volume's file. `backup`: the file with the backup. `flags`: 0, or ATREST_FORCE and ATREST_VOLUME_SHARED,
/// or-ed together. `error`, `error_len`: as for atrest_volume_open(); on success it says if nothing could be compared.
/// Needs no key. The copies are written one after the other, and each is synced: interrupted at any moment, one valid
/// copy is there if one was before. Waits up to ten seconds for whoever changes the header.
///
/// Nothing in a backup is authenticated, and nothing is expected of it: the next atrest_volume_open() does both. Where the
/// backup may come from somebody else, atrest_volume_restore_header_expected() refuses it before it is written.
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _FLAGS, _NEEDS_FORCE (`error` says what differs), _BUSY
/// (the volume is open for writing, or its header is being changed), and what atrest_volume_open() answers for either
/// file and for what is in the backup, which change nothing. _IO, _NO_SPACE and _DAMAGED (it does not read back) from
/// the writing.
///
/// # Safety
/// `path` and `backup` are NULL or NUL-terminated strings; `error` is NULL or writable for `error_len` bytes.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_restore_header(
    path: *const c_char,
    backup: *const c_char,
    flags: u32,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        let file = || file_at(path, Mode::ReadWrite);
        restore_header(file, backup, flags, None, (error, error_len))
    }
}

/// atrest_volume_restore_header() of a backup that must be that of an expected volume.
///
/// `providers`: a set with an expectation; none of its keys is used. The backup's UUID and key commitment are held against
/// the pins and UUIDs in it. What the backup claims to be is not proved by that, and keys, accounts and regions are not
/// looked at: the next atrest_volume_open() does both. Everything else as for atrest_volume_restore_header(); also
/// ATREST_ERROR_UNEXPECTED, _NO_EXPECTATION, which change nothing.
///
/// # Safety
/// As atrest_volume_restore_header(); `providers` is NULL or a set.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_restore_header_expected(
    path: *const c_char,
    backup: *const c_char,
    flags: u32,
    providers: *const atrest_providers,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        let file = || file_at(path, Mode::ReadWrite);
        restore_header(file, backup, flags, Some(providers), (error, error_len))
    }
}

/// A call that restores the header of the volume in what `storage` gives.
///
/// # Safety
/// As [`atrest_volume_restore_header_expected`]; `error` is a buffer and its length.
pub(crate) unsafe fn restore_header<S: Storage>(
    storage: impl FnOnce() -> Result<S, Failure>,
    backup: *const c_char,
    flags: u32,
    providers: Option<*const atrest_providers>,
    error: (*mut c_char, usize),
) -> atrest_status {
    // SAFETY: this function's contract.
    unsafe {
        explained(error.0, error.1, |line| {
            let (force, is_shared) = force(flags)?;
            let expect = match providers {
                Some(providers) => pointer::reference(providers)?.expected_to_write()?,
                None => Expect::any(),
            };
            let storage = shared(storage()?, is_shared);
            let (backup, _) = HeaderBackup::read(&file_at(backup, Mode::ReadOnly)?)?;
            let restored = backup.restore(&storage, &expect, force)?;
            if !restored.compared {
                line.put("the header that was there could not be read, so that the backup was not compared with it");
            }
            Ok(())
        })
    }
}
