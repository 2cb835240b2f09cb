//! Volumes over storage of your own
//!
//! A volume may lie in anything that is read and written by offset: an object store, a block device of an engine's own,
//! a disk image. You give a table of functions. For engines that do not wait in a call there is
//! atrest_sector_cipher_new().

use core::ffi::{c_char, c_int, c_void};
use std::fs::File;
use std::io::{self, ErrorKind};

use super::atrest_volume;
use super::header::{backup_header, restore_header};
use super::open::{New, open};
use super::rewrap::{Change, change};
use super::scratch::{NewScratch, destroy};
use crate::error::Failure;
use crate::handle;
use crate::pointer;
use crate::providers::atrest_providers;
use crate::status::atrest_status;
use atrest::Code;
use atrest::storage::{Access, Kind, Lock, Storage};

/// The functions by which a volume uses your storage, which has a fixed length. Set all of it to zero first, then what
/// you have: that leaves fields of later versions alone.
///
/// Each function gets `context`, and returns 0, or the errno value that says why it failed: EIO, ENOSPC (no room),
/// EOPNOTSUPP (it cannot do that) and so on. They are called from whatever thread uses the volume, by several at once,
/// and by the thread of atrest_volume_recheck(); they may block, and may not use the volume themselves, throw or
/// longjmp out. They are for as long as the volume is open, and `context` with them; the table itself is copied.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct atrest_storage {
    /// `sizeof (atrest_storage)`: how much of the table there is.
    struct_size: usize,
    /// What each function gets; may be NULL.
    context: *mut c_void,
    /// Stores the length in bytes in `*length`.
    size: Option<unsafe extern "C" fn(context: *mut c_void, length: *mut u64) -> c_int>,
    /// Reads all of `len` bytes at `offset`.
    read: Option<unsafe extern "C" fn(context: *mut c_void, buf: *mut u8, len: usize, offset: u64) -> c_int>,
    /// Writes all of `len` bytes at `offset`. NULL for a storage that is only read.
    write:
        Option<unsafe extern "C" fn(context: *mut c_void, buf: *const u8, len: usize, offset: u64) -> c_int>,
    /// Waits until all that was written before outlives a loss of power. NULL for a storage that is only read.
    flush: Option<unsafe extern "C" fn(context: *mut c_void) -> c_int>,
    /// Makes `len` bytes at `offset` read as zeros. NULL: zeros are written.
    write_zeros: Option<unsafe extern "C" fn(context: *mut c_void, len: u64, offset: u64) -> c_int>,
    /// Gives the space of `len` bytes at `offset` back; they read as anything then. NULL: it cannot be given back.
    discard: Option<unsafe extern "C" fn(context: *mut c_void, len: u64, offset: u64) -> c_int>,
}

/// Opens the volume in a storage of yours, as atrest_volume_open() does in a file.
///
/// `storage`: copied; see atrest_storage. Without `write` and `flush` the volume opens with ATREST_VOLUME_READ_ONLY
/// alone. Everything else as for atrest_volume_open(); and _INVALID_REQUEST for a table that is too short, _UNSUPPORTED
/// for one with functions that this version does not know, _READ_ONLY; _NULL for a table without `size` or `read`. It
/// reads at most 8 MiB of header.
///
/// # Safety
/// As atrest_volume_open(); `storage` is NULL, or readable for as many bytes as it says, and its functions keep what
/// [`atrest_storage`] asks of them until the volume is closed.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_open_storage(
    storage: *const atrest_storage,
    flags: u32,
    providers: *const atrest_providers,
    timeout_ms: i32,
    out: *mut *mut atrest_volume,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        let calls = |_| Ok(AnyStorage::Calls(table(storage)?));
        open(calls, flags, providers, timeout_ms, out, (error, error_len))
    }
}

/// Makes a new volume in a storage of yours, whose first 16 MiB are overwritten and which must have room for the volume
/// behind them.
///
/// `storage`: as for atrest_volume_open_storage(). On failure a part of the header may stand. Everything else as for
/// atrest_volume_create().
///
/// # Safety
/// As atrest_volume_create() and atrest_volume_open_storage().
#[allow(clippy::too_many_arguments, reason = "C has no options to leave out")]
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_create_storage(
    storage: *const atrest_storage,
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
            let storage = table(storage)?;
            let new = New::of(size, sector_size, flags, providers, key, timeout_ms)?;
            new.make(AnyStorage::Calls(storage))
        })
    }
}

/// atrest_volume_rewrap() for a volume in a storage of yours. Nobody else may change its header at the same time: your
/// storage has no lock that this library knows.
///
/// # Safety
/// As atrest_volume_rewrap() and atrest_volume_open_storage(), but that the functions are used during the call alone.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_rewrap_storage(
    storage: *const atrest_storage,
    slot: usize,
    providers: *const atrest_providers,
    key: *const c_char,
    timeout_ms: i32,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        let calls = || table(storage);
        change(calls, Change::Rewrap { slot, key }, providers, timeout_ms, (error, error_len))
    }
}

/// atrest_volume_add_slot() for a volume in a storage of yours, as for atrest_volume_rewrap_storage().
///
/// # Safety
/// As atrest_volume_add_slot() and atrest_volume_rewrap_storage().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_add_slot_storage(
    storage: *const atrest_storage,
    providers: *const atrest_providers,
    key: *const c_char,
    timeout_ms: i32,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        let calls = || table(storage);
        change(calls, Change::Add { key }, providers, timeout_ms, (error, error_len))
    }
}

/// atrest_volume_remove_slot() for a volume in a storage of yours, as for atrest_volume_rewrap_storage().
///
/// # Safety
/// As atrest_volume_remove_slot() and atrest_volume_rewrap_storage().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_remove_slot_storage(
    storage: *const atrest_storage,
    slot: usize,
    providers: *const atrest_providers,
    timeout_ms: i32,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        let calls = || table(storage);
        change(calls, Change::Remove { slot }, providers, timeout_ms, (error, error_len))
    }
}

/// atrest_volume_backup_header() for a volume in a storage of yours, which may be one that is only read. Nobody may
/// change its header at the same time.
///
/// `backup`: the path of a new file, as there.
///
/// # Safety
/// As atrest_volume_backup_header() and atrest_volume_rewrap_storage().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_backup_header_storage(
    storage: *const atrest_storage,
    backup: *const c_char,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe { backup_header(|| table(storage), backup, (error, error_len)) }
}

/// atrest_volume_restore_header() for a volume in a storage of yours, as for atrest_volume_rewrap_storage().
///
/// `backup`: the path of the file with the backup, as there. If the present header cannot be read, the storage must be at
/// least as long as the backup's volume.
///
/// # Safety
/// As atrest_volume_restore_header() and atrest_volume_rewrap_storage().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_restore_header_storage(
    storage: *const atrest_storage,
    backup: *const c_char,
    flags: u32,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe { restore_header(|| table(storage), backup, flags, None, (error, error_len)) }
}

/// atrest_volume_restore_header_expected() for a volume in a storage of yours, as for
/// atrest_volume_restore_header_storage().
///
/// # Safety
/// As atrest_volume_restore_header_expected() and atrest_volume_rewrap_storage().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_restore_header_expected_storage(
    storage: *const atrest_storage,
    backup: *const c_char,
    flags: u32,
    providers: *const atrest_providers,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe { restore_header(|| table(storage), backup, flags, Some(providers), (error, error_len)) }
}

/// atrest_volume_create_scratch() in a storage of yours, whose first 16 MiB are overwritten and which must have room for
/// the volume behind them. The key's file records no place of the volume.
///
/// `storage`: as for atrest_volume_open_storage(). On failure a part of the header may stand, but no key is left.
/// Everything else as for atrest_volume_create_scratch().
///
/// # Safety
/// As atrest_volume_create_scratch() and atrest_volume_open_storage().
#[allow(clippy::too_many_arguments, reason = "C has no options to leave out")]
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_create_scratch_storage(
    storage: *const atrest_storage,
    size: u64,
    sector_size: usize,
    flags: u32,
    keystore: *const c_char,
    out: *mut *mut atrest_volume,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        handle::make(out, error, error_len, |_| {
            let storage = table(storage)?;
            let new = NewScratch::of(size, sector_size, flags, keystore)?;
            new.or_no_key(new.make(AnyStorage::Calls(storage), None))
        })
    }
}

/// atrest_volume_destroy() for a volume in a storage of yours, as for atrest_volume_rewrap_storage(). Where the storage is
/// gone, atrest_volume_destroy() erases the key by the volume's UUID.
///
/// # Safety
/// As atrest_volume_destroy() and atrest_volume_rewrap_storage().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_destroy_storage(
    storage: *const atrest_storage,
    uuid: *const u8,
    keystore: *const c_char,
    flags: u32,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe { destroy(|| table(storage), uuid, keystore, flags, (error, error_len)) }
}

/// The table, however long this version or the caller's knows it to be.
///
/// # Safety
/// `storage` is NULL or readable for as many bytes as it says.
unsafe fn table(storage: *const atrest_storage) -> Result<Table, Failure> {
    let mut known = atrest_storage {
        struct_size: 0,
        context: core::ptr::null_mut(),
        size: None,
        read: None,
        write: None,
        flush: None,
        write_zeros: None,
        discard: None,
    };
    // SAFETY: this function's contract; the first field says how many bytes there are.
    let bytes = unsafe {
        let len = pointer::read(storage.cast::<usize>())?;
        pointer::bytes(storage.cast::<u8>(), len)?
    };
    if bytes.len() < size_of::<atrest_storage>() {
        let text = format!("struct_size is {}: set it to sizeof (atrest_storage)", bytes.len());
        return Err(Failure::new(Code::InvalidRequest, text));
    }
    let (ours, later) = bytes.split_at(size_of::<atrest_storage>());
    if later.iter().any(|&byte| byte != 0) {
        let text = "the table of the storage has functions that this version of atrest does not know";
        return Err(Failure::new(Code::Unsupported, text));
    }
    // SAFETY: as long as the table, and readable; a function or NULL is in each of its fields.
    unsafe { core::ptr::copy_nonoverlapping(ours.as_ptr(), (&raw mut known).cast::<u8>(), ours.len()) };
    match known {
        atrest_storage {
            context,
            size: Some(size),
            read: Some(read),
            write,
            flush,
            write_zeros,
            discard,
            ..
        } => Ok(Table { context, size, read, write: write.zip(flush), write_zeros, discard }),
        _ => Err(Failure::new(Code::Null, "the table of the storage has no size or no read")),
    }
}

type Size = unsafe extern "C" fn(*mut c_void, *mut u64) -> c_int;
type Read = unsafe extern "C" fn(*mut c_void, *mut u8, usize, u64) -> c_int;
type Write = unsafe extern "C" fn(*mut c_void, *const u8, usize, u64) -> c_int;
type Flush = unsafe extern "C" fn(*mut c_void) -> c_int;
type Range = unsafe extern "C" fn(*mut c_void, u64, u64) -> c_int;

/// Functions of the caller's, with what a storage must have.
pub(crate) struct Table {
    context: *mut c_void,
    size: Size,
    read: Read,
    write: Option<(Write, Flush)>,
    write_zeros: Option<Range>,
    discard: Option<Range>,
}

// SAFETY: the functions may be called by any thread, and by several at once, as `atrest_storage` asks of its caller.
unsafe impl Send for Table {}
// SAFETY: the same.
unsafe impl Sync for Table {}

/// What a function of the caller's says.
fn answer(errno: c_int) -> io::Result<()> {
    match errno.checked_abs() {
        Some(0) => Ok(()),
        Some(errno) => Err(io::Error::from_raw_os_error(errno)),
        None => Err(ErrorKind::Other.into()),
    }
}

impl Storage for Table {
    fn len(&self) -> io::Result<u64> {
        let mut length = 0;
        // SAFETY: the caller's function, as `atrest_storage` says, and so in the calls below.
        answer(unsafe { (self.size)(self.context, &raw mut length) })?;
        Ok(length)
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        // SAFETY: as in `len`; the buffer has that many bytes.
        answer(unsafe { (self.read)(self.context, buf.as_mut_ptr(), buf.len(), offset) })
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        let (write, _) = self.write.ok_or(ErrorKind::ReadOnlyFilesystem)?;
        // SAFETY: as in `len`; the buffer has that many bytes.
        answer(unsafe { write(self.context, buf.as_ptr(), buf.len(), offset) })
    }

    fn sync(&self) -> io::Result<()> {
        // Nothing was written.
        let Some((_, flush)) = self.write else { return Ok(()) };
        // SAFETY: as in `len`.
        answer(unsafe { flush(self.context) })
    }

    fn write_zeros(&self, length: u64, offset: u64) -> io::Result<()> {
        match self.write_zeros {
            // SAFETY: as in `len`.
            Some(write_zeros) => answer(unsafe { write_zeros(self.context, length, offset) }),
            None => Written(self).write_zeros(length, offset),
        }
    }

    fn discard(&self, length: u64, offset: u64) -> io::Result<()> {
        let discard = self.discard.ok_or(ErrorKind::Unsupported)?;
        // SAFETY: as in `len`.
        answer(unsafe { discard(self.context, length, offset) })
    }

    fn access(&self) -> io::Result<Access> {
        Ok(if self.write.is_some() { Access::ReadWrite } else { Access::ReadOnly })
    }
}

/// A table without its own zeros, which the trait then writes.
struct Written<'a>(&'a Table);

impl Storage for Written<'_> {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_at(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_at(buf, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
}

/// What a volume of C's lies in.
pub(crate) enum AnyStorage {
    File(File),
    Calls(Table),
}

/// Each method is that of the storage behind it.
macro_rules! of_either {
    ($(fn $method:ident(&self $(, $argument:ident: $type:ty)*) -> $result:ty;)*) => {
        impl Storage for AnyStorage {
            $(#[inline]
            fn $method(&self $(, $argument: $type)*) -> $result {
                match self {
                    AnyStorage::File(file) => file.$method($($argument),*),
                    AnyStorage::Calls(table) => table.$method($($argument),*),
                }
            })*
        }
    };
}

of_either! {
    fn len(&self) -> io::Result<u64>;
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()>;
    fn sync(&self) -> io::Result<()>;
    fn write_zeros(&self, length: u64, offset: u64) -> io::Result<()>;
    fn discard(&self, length: u64, offset: u64) -> io::Result<()>;
    fn read_back(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;
    fn exclusive(&self) -> io::Result<Lock>;
    fn shared(&self) -> io::Result<Lock>;
    fn kind(&self) -> io::Result<Kind>;
    fn access(&self) -> io::Result<Access>;
    fn set_len(&self, length: u64) -> io::Result<()>;
    fn reserve(&self, length: u64, offset: u64) -> io::Result<()>;
}
