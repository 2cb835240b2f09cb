use core::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::xts;

/// The outcome of a call. Values never change their meaning; later versions may add some.
//
// `i32` rather than `C`: the size then depends on no compiler flag of the caller (-fshort-enums), and a value that a
// later version adds is no undefined behaviour in C++ code that was compiled with today's header.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub enum atrest_status {
    /// The call did what it says.
    ATREST_OK = 0,
    /// A pointer that must not be NULL is NULL.
    ATREST_ERROR_NULL = 1,
    /// The key is not 32 or 64 bytes long.
    ATREST_ERROR_KEY_LENGTH = 2,
    /// key1 equals key2.
    ATREST_ERROR_EQUAL_HALVES = 3,
    /// The sector size is below 16 bytes or above 2^20 blocks (16777216 bytes); or it is no multiple of 512 where tweaks
    /// count units of 512 bytes.
    ATREST_ERROR_SECTOR_SIZE = 4,
    /// The length is not a whole number of sectors.
    ATREST_ERROR_DATA_LENGTH = 5,
    /// The data unit is shorter than 16 bytes or longer than 2^20 blocks (16777216 bytes).
    ATREST_ERROR_UNIT_LENGTH = 6,
    /// The length is above PTRDIFF_MAX, or the buffer would wrap around the end of the address space.
    ATREST_ERROR_BUFFER_LENGTH = 7,
    /// Source and destination overlap without being the same buffer.
    ATREST_ERROR_OVERLAP = 8,
    /// The last sector's number does not fit into its tweak.
    ATREST_ERROR_SECTOR_NUMBER = 9,
    /// There is no backend of that name, neither the argument's nor, without one, that of ATREST_BACKEND.
    ATREST_ERROR_UNKNOWN_BACKEND = 10,
    /// This processor does not run that backend.
    ATREST_ERROR_UNSUPPORTED_BACKEND = 11,
    /// No memory for the key.
    ATREST_ERROR_NO_MEMORY = 12,
    /// A defect in the library, which any call may return instead of what it documents: what it was to write is then
    /// undefined. Please report it.
    ATREST_ERROR_INTERNAL = 13,
    /// The pieces of source and destination are not equally long in all.
    ATREST_ERROR_LENGTH_MISMATCH = 14,
    /// The tweaks have a layout that is unknown, a number beyond it, or a reserved field that is not 0.
    ATREST_ERROR_TWEAKS = 15,
    /// The memory for a key is smaller than atrest_xts_size(), or not aligned to atrest_xts_alignment().
    ATREST_ERROR_MEMORY = 16,
    /// A flag that this version does not know.
    ATREST_ERROR_FLAGS = 17,
    /// A backend gives wrong answers on this machine.
    ATREST_ERROR_SELFTEST = 18,
}

pub(super) use atrest_status::*;

/// What C calls an `atrest_status` argument. C may pass any value, which a Rust enum must not hold.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub struct StatusValue(i32);

impl From<xts::Error> for atrest_status {
    fn from(error: xts::Error) -> atrest_status {
        match error {
            xts::Error::KeyLength { .. } => ATREST_ERROR_KEY_LENGTH,
            xts::Error::EqualHalves => ATREST_ERROR_EQUAL_HALVES,
            xts::Error::SectorSize { .. } | xts::Error::SectorSizeNot512 { .. } => ATREST_ERROR_SECTOR_SIZE,
            xts::Error::UnitLength { .. } => ATREST_ERROR_UNIT_LENGTH,
            xts::Error::DataLength { .. } => ATREST_ERROR_DATA_LENGTH,
            xts::Error::SectorNumberOverflow => ATREST_ERROR_SECTOR_NUMBER,
            xts::Error::SelfTest(_) => ATREST_ERROR_SELFTEST,
            xts::Error::UnknownBackend => ATREST_ERROR_UNKNOWN_BACKEND,
            xts::Error::UnsupportedBackend(_) => ATREST_ERROR_UNSUPPORTED_BACKEND,
            xts::Error::LengthMismatch { .. } => ATREST_ERROR_LENGTH_MISMATCH,
        }
    }
}

/// Runs the body of a C call: an error becomes its status, and so does a panic.
#[inline(always)]
pub(super) fn guarded(body: impl FnOnce() -> Result<(), atrest_status>) -> atrest_status {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => ATREST_OK,
        Ok(Err(status)) => status,
        Err(panic) => {
            // Dropping the payload could panic again.
            core::mem::forget(panic);
            ATREST_ERROR_INTERNAL
        }
    }
}

fn message(status: i32) -> &'static CStr {
    const fn is(status: i32, code: atrest_status) -> bool {
        status == code as i32
    }
    match status {
        s if is(s, ATREST_OK) => c"success",
        s if is(s, ATREST_ERROR_NULL) => c"a pointer that must not be NULL is NULL",
        s if is(s, ATREST_ERROR_KEY_LENGTH) => {
            c"the XTS key takes 32 bytes (AES-128) or 64 bytes (AES-256): key1, then key2"
        }
        s if is(s, ATREST_ERROR_EQUAL_HALVES) => {
            c"key1 and key2 are equal; an XTS key needs two independent halves"
        }
        s if is(s, ATREST_ERROR_SECTOR_SIZE) => {
            c"the sector size takes 16 to 16777216 bytes; a multiple of 512 where tweaks count 512-byte units"
        }
        s if is(s, ATREST_ERROR_DATA_LENGTH) => c"the data is not a whole number of sectors long",
        s if is(s, ATREST_ERROR_UNIT_LENGTH) => c"the data unit takes 16 to 16777216 bytes",
        s if is(s, ATREST_ERROR_BUFFER_LENGTH) => {
            c"the buffer is longer than PTRDIFF_MAX or wraps around the address space"
        }
        s if is(s, ATREST_ERROR_OVERLAP) => {
            c"source and destination overlap; they take the same buffer or two apart"
        }
        s if is(s, ATREST_ERROR_SECTOR_NUMBER) => c"the last sector's number does not fit into its tweak",
        s if is(s, ATREST_ERROR_UNKNOWN_BACKEND) => c"no backend has that name; check ATREST_BACKEND",
        s if is(s, ATREST_ERROR_UNSUPPORTED_BACKEND) => c"this processor does not run that backend",
        s if is(s, ATREST_ERROR_NO_MEMORY) => c"no memory for the key",
        s if is(s, ATREST_ERROR_LENGTH_MISMATCH) => {
            c"the pieces of source and destination are not equally long in all"
        }
        s if is(s, ATREST_ERROR_TWEAKS) => {
            c"the tweaks have an unknown layout, a number beyond it, or a reserved field that is not 0"
        }
        s if is(s, ATREST_ERROR_MEMORY) => {
            c"the memory for the key is too small or misaligned; see atrest_xts_size and atrest_xts_alignment"
        }
        s if is(s, ATREST_ERROR_FLAGS) => c"this version does not know one of the flags",
        s if is(s, ATREST_ERROR_SELFTEST) => c"a backend gives wrong answers on this machine; do not use it",
        s if is(s, ATREST_ERROR_INTERNAL) => c"a defect in atrest; please report it",
        _ => c"not a status of atrest",
    }
}

/// A sentence about a status, in English, without a full stop: a static string, never NULL, for any value at all.
///
/// Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn atrest_status_message(status: StatusValue) -> *const c_char {
    message(status.0).as_ptr()
}
