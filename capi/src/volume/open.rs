//! Making, opening and closing a volume

use core::ffi::{c_char, c_int};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

use super::atrest_volume;
use super::storage::AnyStorage;
use crate::error::Failure;
use crate::providers::{as_path, atrest_providers, key_ref, provider, wait};
use crate::status::atrest_status;
use crate::{handle, pointer};
use atrest::Code;
use atrest::keys::{Class, Envelope, new_uuid};
use atrest::volume::{CreateOptions, Mode, StorageError, TargetError, Volume};

/// A flag for calls that open a volume: it is only read.
pub const ATREST_VOLUME_READ_ONLY: u32 = 1;
/// A flag for calls that open or make a volume: atrest_volume_discard() gives space back. Whoever sees the file can
/// then tell which sectors are unused, and reading those gives undefined bytes.
pub const ATREST_VOLUME_DISCARD: u32 = 2;

/// Opens a volume: reads its header, has its key unwrapped, and uses that key to check that nobody else changed the
/// header. Writes nothing.
///
/// `path`: a regular file or a block device. `flags`: 0 to read and write, or ATREST_VOLUME_READ_ONLY and
/// ATREST_VOLUME_DISCARD, or-ed together. `providers`: one of them must be able to unwrap the key, and the volume must be
/// what they expect: for writing, atrest_providers_expect() or atrest_providers_expect_any() must have said what. The
/// volume does not need them afterwards. `timeout_ms`: how long to wait for them in milliseconds; negative for as long as it takes, as
/// with poll(). The call may wait on a network; with local keys it reads a file and does not wait. If several keys wrap
/// the volume's key they are tried in turn, and a service that hangs gives way to the next one after 20 seconds: leave
/// time for both. `*out` receives the volume; close it with atrest_volume_close().
///
/// `error`, `error_len`: room for one line of UTF-8 that says what failed and what is needed, with a NUL at the end; if
/// it is too long it is cut between two characters. 500 bytes hold most. On success it is empty, or holds a warning
/// that a user should see, for example that one of the header's two copies is damaged. It may be NULL, and `error_len`
/// 0. It may not overlap any other argument.
///
/// Reads the environment variable ATREST_BACKEND: no other thread may call setenv() or putenv() meanwhile. Takes no
/// lock on the file: make sure that nobody else writes to the volume.
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _FLAGS, _NO_EXPECTATION (for writing, and nothing is
/// expected); for the file: _NOT_FOUND, _PERMISSION, _FILE_TYPE, _IO; for what is in it: _NOT_A_VOLUME, _DAMAGED,
/// _REFUSED, _TRUNCATED, _FORGED, _REENCRYPTED; where it is not what is expected: _UNEXPECTED, _SLOT; for its key:
/// _TIMED_OUT and the other statuses of key providers (65 to 84, 86, 87; if several wrappings failed, that of the first),
/// _ENVELOPE; _UNKNOWN_BACKEND, _UNSUPPORTED_BACKEND, _NO_MEMORY.
///
/// # Safety
/// `path` is NULL or a NUL-terminated string; `providers` is NULL or a set; `out` is NULL or writable; `error` is NULL
/// or writable for `error_len` bytes.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_open(
    path: *const c_char,
    flags: u32,
    providers: *const atrest_providers,
    timeout_ms: i32,
    out: *mut *mut atrest_volume,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        let file = |mode| Ok(AnyStorage::File(file_at(path, mode)?));
        open(file, flags, providers, timeout_ms, out, (error, error_len))
    }
}

/// Opens the volume in a file that is open already.
///
/// `fd`: open for reading and writing (with ATREST_VOLUME_READ_ONLY, for reading), and not for appending. The volume
/// works on a duplicate with close-on-exec: `fd` stays yours, and you may close it at any time. Its file offset is
/// undefined afterwards. Everything else as for atrest_volume_open(); also _DESCRIPTOR (not open, or open for
/// appending) and _READ_ONLY (not open for writing).
///
/// # Safety
/// As atrest_volume_open(); `fd` is no descriptor that somebody else closes during the call.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_open_fd(
    fd: c_int,
    flags: u32,
    providers: *const atrest_providers,
    timeout_ms: i32,
    out: *mut *mut atrest_volume,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        let file = |_| Ok(AnyStorage::File(checked(duplicate(fd)?)?));
        open(file, flags, providers, timeout_ms, out, (error, error_len))
    }
}

/// Makes a new volume in a new file, and opens it for reading and writing.
///
/// `path`: must not exist. The file is sparse, 16 MiB larger than the volume, and gets the permissions 0666 less the
/// umask. `size`: any number of bytes from 0 to 2^63 - 16 MiB - 4097. `sector_size`: 512, 1024, 2048 or 4096; 0 for
/// 4096, which is the fastest. `flags`: 0 or ATREST_VOLUME_DISCARD. `providers`, `key`: what wraps the volume's key, as
/// for atrest_envelope_create(); the key must exist (atrest_local_create_key()). `timeout_ms`: how long to wait for its
/// provider, as for atrest_volume_open(); the call may wait on a network. `*out` receives the volume. `error`,
/// `error_len`: as for atrest_volume_open().
///
/// When it returns, the header is on the disk. The data area is not written: until you write it, reading gives
/// undefined bytes. On failure no file is left. What is expected is for volumes that there are: this call asks for none,
/// and atrest_volume_pin() then gives what to expect.
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _FLAGS, _VOLUME_SIZE, _VOLUME_SECTOR_SIZE; for the file:
/// _EXISTS, _NOT_FOUND (its directory), _PERMISSION, _NO_SPACE, _IO, _DAMAGED (it does not read back as written); for
/// the key: _KEY_NAME, _KEY_NOT_FOUND, _UNREACHABLE (also if no provider was added for it), _TIMED_OUT and the other
/// statuses of key providers (65 to 84, 86, 87); _RANDOM, _UNKNOWN_BACKEND, _UNSUPPORTED_BACKEND, _NO_MEMORY.
///
/// # Safety
/// `path` and `key` are NULL or NUL-terminated strings; the rest as atrest_volume_open().
#[allow(clippy::too_many_arguments, reason = "C has no options to leave out")]
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_create(
    path: *const c_char,
    size: u64,
    sector_size: usize,
    flags: u32,
    providers: *const atrest_providers,
    key: *const c_char,
    timeout_ms: i32,
    out: *mut *mut atrest_volume,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        handle::make(out, error, error_len, |_| {
            let path = as_path(pointer::string(path)?);
            let new = New::of(size, sector_size, flags, providers, key, timeout_ms)?;
            new_volume_at(path, |file| new.make(AnyStorage::File(file)))
        })
    }
}

/// Makes a new volume in a file that is open already: an empty regular file, or a block device, whose first 16 MiB are
/// overwritten and which must have room for the volume behind them.
///
/// `fd`: open for reading and writing, not for appending; it stays yours, as for atrest_volume_open_fd(). On failure a
/// regular file is empty; on a block device a part of the header may remain. Everything else as for
/// atrest_volume_create(); also _EXISTS (the file is not empty), _FILE_TYPE, _DESCRIPTOR, _READ_ONLY. Syncing the
/// directory of a new file is up to you.
///
/// # Safety
/// As atrest_volume_create(); `fd` is no descriptor that somebody else closes during the call.
#[allow(clippy::too_many_arguments, reason = "C has no options to leave out")]
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_create_fd(
    fd: c_int,
    size: u64,
    sector_size: usize,
    flags: u32,
    providers: *const atrest_providers,
    key: *const c_char,
    timeout_ms: i32,
    out: *mut *mut atrest_volume,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        handle::make(out, error, error_len, |_| {
            let new = New::of(size, sector_size, flags, providers, key, timeout_ms)?;
            new.make(AnyStorage::File(duplicate(fd)?))
        })
    }
}

/// Closes a volume: wipes its key and frees it. NULL is fine. It does not flush; atrest_volume_flush() does, and says
/// whether that worked. No other thread may be using the volume.
///
/// # Safety
/// `volume` is NULL or a volume that has not been closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn atrest_volume_close(volume: *mut atrest_volume) {
    // SAFETY: this function's own contract.
    unsafe { handle::free(volume) }
}

/// What the flags of a call say.
#[derive(Clone, Copy)]
pub(crate) struct Flags {
    mode: Mode,
    pub(crate) discards: bool,
}

impl Flags {
    pub(crate) fn of(flags: u32, known: u32) -> Result<Flags, Code> {
        if flags & !known != 0 {
            return Err(Code::Flags);
        }
        let mode = if flags & ATREST_VOLUME_READ_ONLY != 0 { Mode::ReadOnly } else { Mode::ReadWrite };
        Ok(Flags { mode, discards: flags & ATREST_VOLUME_DISCARD != 0 })
    }
}

/// A call that opens a volume in what `storage` gives.
///
/// # Safety
/// As [`atrest_volume_open`]; `error` is a buffer and its length.
pub(crate) unsafe fn open(
    storage: impl FnOnce(Mode) -> Result<AnyStorage, Failure>,
    flags: u32,
    providers: *const atrest_providers,
    timeout_ms: i32,
    out: *mut *mut atrest_volume,
    error: (*mut c_char, usize),
) -> atrest_status {
    // SAFETY: this function's contract.
    unsafe {
        handle::make(out, error.0, error.1, |line| {
            let flags = Flags::of(flags, ATREST_VOLUME_READ_ONLY | ATREST_VOLUME_DISCARD)?;
            let providers = pointer::reference(providers)?;
            let expect = match flags.mode {
                Mode::ReadOnly => providers.expected(),
                Mode::ReadWrite => providers.expected_to_write()?,
            };
            let storage = storage(flags.mode)?;
            let volume = Volume::open_async(storage, &providers.providers, &expect, flags.mode);
            let volume = wait(timeout_ms, volume)?;
            line.warn(volume.warnings());
            Ok(atrest_volume::new(volume.allow_discards(flags.discards)))
        })
    }
}

/// A volume to be made, with arguments that are sound.
pub(crate) struct New<'a> {
    options: CreateOptions,
    discards: bool,
    providers: &'a atrest_providers,
    key: atrest::keys::KeyRef,
    timeout_ms: i32,
}

impl New<'_> {
    /// # Safety
    /// As [`atrest_volume_create`].
    pub(crate) unsafe fn of<'a>(
        size: u64,
        sector_size: usize,
        flags: u32,
        providers: *const atrest_providers,
        key: *const c_char,
        timeout_ms: i32,
    ) -> Result<New<'a>, Failure> {
        // SAFETY: this function's contract.
        let (providers, key) = unsafe { (pointer::reference(providers)?, key_ref(key)?) };
        let discards = Flags::of(flags, ATREST_VOLUME_DISCARD)?.discards;
        let options = create_options(size, sector_size)?;
        provider(&providers.providers, &key)?;
        Ok(New { options, discards, providers, key, timeout_ms })
    }

    pub(crate) fn make(&self, storage: AnyStorage) -> Result<atrest_volume, Failure> {
        let provider = provider(&self.providers.providers, &self.key)?;
        let create = Envelope::create(provider, self.key.key(), new_uuid()?, Class::Persistent);
        let (envelope, keys) = wait(self.timeout_ms, create)?;
        let volume = Volume::create(storage, &self.options, envelope, &keys)?;
        Ok(atrest_volume::new(volume.allow_discards(self.discards)))
    }
}

/// The size and the sector size of a new volume, 0 for the usual one, within their limits.
pub(crate) fn create_options(size: u64, sector_size: usize) -> Result<CreateOptions, Failure> {
    let mut options = CreateOptions::new(size);
    if sector_size != 0 {
        options = options.sector_size(sector_size);
    }
    options.check()?;
    Ok(options)
}

/// Makes a new file and a volume in it; on failure no file is left.
pub(crate) fn new_volume_at(
    path: &Path,
    make: impl FnOnce(File) -> Result<atrest_volume, Failure>,
) -> Result<atrest_volume, Failure> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(path);
    let file = file.map_err(io_failure("making the file"))?;
    let made = make(file).and_then(|volume| {
        sync_directory(path)?;
        Ok(volume)
    });
    made.inspect_err(|_| {
        // Best effort: there is an error already that says more.
        let _ = fs::remove_file(path);
    })
}

/// # Safety
/// `path` is NULL or a NUL-terminated string.
pub(crate) unsafe fn file_at(path: *const c_char, mode: Mode) -> Result<File, Failure> {
    // SAFETY: this function's contract.
    open_file(as_path(unsafe { pointer::string(path) }?), mode)
}

fn open_file(path: &Path, mode: Mode) -> Result<File, Failure> {
    let mut options = OpenOptions::new();
    // Without the flag a FIFO would wait for somebody at its other end. Files and block devices do not know it.
    options.read(true).write(mode == Mode::ReadWrite).custom_flags(OFlags::NONBLOCK.bits() as i32);
    checked(options.open(path).map_err(io_failure("opening the file"))?)
}

/// A file that may hold a volume.
pub(crate) fn checked(file: File) -> Result<File, Failure> {
    let kind = file.metadata().map_err(io_failure("asking for the file's type"))?.file_type();
    if kind.is_file() || kind.is_block_device() { Ok(file) } else { Err(TargetError::Unfit.into()) }
}

/// A descriptor of this library's own, for the same open file.
pub(crate) fn duplicate(fd: c_int) -> Result<File, Failure> {
    if fd < 0 {
        return Err(Code::Descriptor.into());
    }
    // SAFETY: not -1. Whether it is open is what the system is asked here.
    let owned = unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned();
    let closed = rustix::io::Errno::BADF.raw_os_error();
    owned.map(File::from).map_err(|error| match error.raw_os_error() {
        Some(code) if code == closed => Code::Descriptor.into(),
        _ => io_failure("duplicating the descriptor")(error),
    })
}

/// Has the name of a new file written to the disk, where the file system takes that.
pub(crate) fn sync_directory(path: &Path) -> Result<(), Failure> {
    let directory = match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    // It may be one that may not be read.
    let Ok(directory) = File::open(directory) else { return Ok(()) };
    match directory.sync_all() {
        Err(error) if !matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => {
            Err(io_failure("syncing the file's directory")(error))
        }
        _ => Ok(()),
    }
}

pub(crate) fn io_failure(action: &'static str) -> impl FnOnce(io::Error) -> Failure {
    move |source| StorageError::new(action, source).into()
}
