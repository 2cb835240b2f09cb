use core::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

use atrest::xts;

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
    /// The key is not 32 or 64 bytes long, or its halves are not 16 or 32.
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
    /// No memory.
    ATREST_ERROR_NO_MEMORY = 12,
    /// A defect in the library, which any call may return instead of what it documents: what it was to write is then
    /// undefined. Please report it.
    ATREST_ERROR_INTERNAL = 13,
    /// The pieces of source and destination are not equally long in all.
    ATREST_ERROR_LENGTH_MISMATCH = 14,
    /// The tweaks have a layout or width that is unknown, a number beyond it, or a reserved field that is not 0.
    ATREST_ERROR_TWEAKS = 15,
    /// The memory for a key is smaller than atrest_xts_size(), or not aligned to atrest_xts_alignment().
    ATREST_ERROR_MEMORY = 16,
    /// A flag that this version does not know.
    ATREST_ERROR_FLAGS = 17,
    /// A backend gives wrong answers on this machine.
    ATREST_ERROR_SELFTEST = 18,
    /// A list of tweaks has not one for each sector.
    ATREST_ERROR_TWEAK_COUNT = 19,
    /// Reading or writing the file failed: the system said so.
    ATREST_ERROR_IO = 32,
    /// There is no room left for what was written: on the disk, in the quota or below the largest file.
    ATREST_ERROR_NO_SPACE = 33,
    /// There is no file of that name.
    ATREST_ERROR_NOT_FOUND = 34,
    /// The file for a new volume exists, or is not empty.
    ATREST_ERROR_EXISTS = 35,
    /// The system does not let this process open the file so.
    ATREST_ERROR_PERMISSION = 36,
    /// The file is neither a regular file nor a block device.
    ATREST_ERROR_FILE_TYPE = 37,
    /// The descriptor is not open, or open for appending.
    ATREST_ERROR_DESCRIPTOR = 38,
    /// The file is not an encrypted volume, or one of another tool without atrest's token.
    ATREST_ERROR_NOT_A_VOLUME = 39,
    /// Both copies of the volume's header are damaged, or do not read back as written.
    ATREST_ERROR_DAMAGED = 40,
    /// The header asks for what this library does not open, another cipher for example.
    ATREST_ERROR_REFUSED = 41,
    /// The header was changed by someone without the volume's keys.
    ATREST_ERROR_FORGED = 42,
    /// The volume's file is shorter than its header says.
    ATREST_ERROR_TRUNCATED = 43,
    /// The size of a new volume is above the limit, or larger than the device.
    ATREST_ERROR_VOLUME_SIZE = 44,
    /// The sector size of a volume is not 512, 1024, 2048 or 4096 bytes.
    ATREST_ERROR_VOLUME_SECTOR_SIZE = 45,
    /// The range reaches beyond the volume's end.
    ATREST_ERROR_OUT_OF_BOUNDS = 46,
    /// The volume, or its descriptor, is open for reading only.
    ATREST_ERROR_READ_ONLY = 47,
    /// The volume was opened without ATREST_VOLUME_DISCARD.
    ATREST_ERROR_DISCARD_OFF = 48,
    /// The system, the file system, the device or the key provider cannot do that.
    ATREST_ERROR_UNSUPPORTED = 49,
    /// The volume was in use by another thread when this process was forked, or the providers were made before: open it
    /// again in this process, with new providers.
    ATREST_ERROR_FORKED = 50,
    /// Another process is changing the volume's header.
    ATREST_ERROR_BUSY = 51,
    /// The system gave no random bytes.
    ATREST_ERROR_RANDOM = 52,
    /// The volume was rechecked, and has closed itself: its key was withdrawn, or nobody could be asked for too long.
    ATREST_ERROR_WITHDRAWN = 53,
    /// The call would destroy or bring back something that one may want to keep as it is, and does so with ATREST_FORCE.
    ATREST_ERROR_NEEDS_FORCE = 54,
    /// The text names no key, or no key that this call takes.
    ATREST_ERROR_KEY_NAME = 64,
    /// The key's owner does not let the caller do this with it.
    ATREST_ERROR_NOT_AUTHORISED = 65,
    /// There is no key of that name.
    ATREST_ERROR_KEY_NOT_FOUND = 66,
    /// There is a key of that name already.
    ATREST_ERROR_KEY_EXISTS = 67,
    /// The key's owner disabled it, and can enable it again.
    ATREST_ERROR_KEY_DISABLED = 68,
    /// The key waits for its deletion, which its owner can still cancel.
    ATREST_ERROR_KEY_PENDING_DELETION = 69,
    /// Another key than the stated one wrapped this, or another key answered.
    ATREST_ERROR_WRONG_KEY = 70,
    /// The wrapped key was changed, or belongs to another volume.
    ATREST_ERROR_CONTEXT_MISMATCH = 71,
    /// The key service got too many requests: try again later.
    ATREST_ERROR_THROTTLED = 72,
    /// The key service cannot be reached, or no provider for it was added.
    ATREST_ERROR_UNREACHABLE = 73,
    /// The key provider did not answer in time.
    ATREST_ERROR_TIMED_OUT = 74,
    /// No credentials for the key service were found, or they have expired.
    ATREST_ERROR_NO_CREDENTIALS = 75,
    /// The key is none for wrapping: it must be symmetric and for encryption.
    ATREST_ERROR_WRONG_KEY_TYPE = 76,
    /// The provider's answer, or a file of the keystore, is not what its format says.
    ATREST_ERROR_MALFORMED_ANSWER = 77,
    /// The local keystore is open to other users, or is not the caller's own.
    ATREST_ERROR_KEYSTORE_PERMISSIONS = 78,
    /// Reading or writing the local keystore failed, or there is none at that path.
    ATREST_ERROR_KEYSTORE_IO = 79,
    /// No memory for secrets, or none that this process may read after a fork.
    ATREST_ERROR_SECRET_MEMORY = 80,
    /// The document is not an envelope that this version reads.
    ATREST_ERROR_ENVELOPE = 81,
    /// The key cannot be used now: it waits for its material, or for the store that holds it.
    ATREST_ERROR_KEY_UNAVAILABLE = 82,
    /// A quota of the key service is used up.
    ATREST_ERROR_LIMIT_EXCEEDED = 83,
    /// The key service does not take the request: a name or number out of its range.
    ATREST_ERROR_INVALID_REQUEST = 84,
    /// The envelope has no such slot, or has that very wrapping in another one.
    ATREST_ERROR_SLOT = 85,
    /// A passphrase guards the key, and none was given.
    ATREST_ERROR_PASSPHRASE_REQUIRED = 86,
    /// The passphrase is not the key's.
    ATREST_ERROR_WRONG_PASSPHRASE = 87,
}

pub(super) use atrest_status::*;

/// What C calls an `atrest_status` argument. C may pass any value, which a Rust enum must not hold.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub struct StatusValue(i32);

impl From<xts::Error> for atrest_status {
    fn from(error: xts::Error) -> atrest_status {
        match error {
            xts::Error::KeyLength { .. } | xts::Error::HalfLengths { .. } => ATREST_ERROR_KEY_LENGTH,
            xts::Error::EqualHalves => ATREST_ERROR_EQUAL_HALVES,
            xts::Error::SectorSize { .. } | xts::Error::SectorSizeNot512 { .. } => ATREST_ERROR_SECTOR_SIZE,
            xts::Error::UnitLength { .. } => ATREST_ERROR_UNIT_LENGTH,
            xts::Error::DataLength { .. } => ATREST_ERROR_DATA_LENGTH,
            xts::Error::SectorNumberOverflow => ATREST_ERROR_SECTOR_NUMBER,
            xts::Error::TweakCount { .. } => ATREST_ERROR_TWEAK_COUNT,
            xts::Error::SelfTest(_) => ATREST_ERROR_SELFTEST,
            xts::Error::UnknownBackend => ATREST_ERROR_UNKNOWN_BACKEND,
            xts::Error::UnsupportedBackend(_) => ATREST_ERROR_UNSUPPORTED_BACKEND,
            xts::Error::LengthMismatch { .. } => ATREST_ERROR_LENGTH_MISMATCH,
            _ => ATREST_ERROR_INTERNAL,
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

pub(super) fn message(status: i32) -> &'static CStr {
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
        s if is(s, ATREST_ERROR_NO_MEMORY) => c"no memory",
        s if is(s, ATREST_ERROR_LENGTH_MISMATCH) => {
            c"the pieces of source and destination are not equally long in all"
        }
        s if is(s, ATREST_ERROR_TWEAKS) => {
            c"the tweaks have an unknown layout or width, a number beyond it, or a reserved field that is not 0"
        }
        s if is(s, ATREST_ERROR_MEMORY) => {
            c"the memory for the key is too small or misaligned; see atrest_xts_size and atrest_xts_alignment"
        }
        s if is(s, ATREST_ERROR_FLAGS) => c"this version does not know one of the flags",
        s if is(s, ATREST_ERROR_SELFTEST) => c"a backend gives wrong answers on this machine; do not use it",
        s if is(s, ATREST_ERROR_TWEAK_COUNT) => c"the list of tweaks has not one for each sector",
        s if is(s, ATREST_ERROR_IO) => c"reading or writing the file failed",
        s if is(s, ATREST_ERROR_NO_SPACE) => c"no room left on the disk, in the quota or in the file",
        s if is(s, ATREST_ERROR_NOT_FOUND) => c"there is no such file",
        s if is(s, ATREST_ERROR_EXISTS) => c"the file for the new volume exists or is not empty",
        s if is(s, ATREST_ERROR_PERMISSION) => c"the system does not let this process open the file so",
        s if is(s, ATREST_ERROR_FILE_TYPE) => c"the file is neither a regular file nor a block device",
        s if is(s, ATREST_ERROR_DESCRIPTOR) => c"the descriptor is not open, or open for appending",
        s if is(s, ATREST_ERROR_NOT_A_VOLUME) => c"the file is not a volume of atrest",
        s if is(s, ATREST_ERROR_DAMAGED) => c"both copies of the header are damaged; restore a backup",
        s if is(s, ATREST_ERROR_REFUSED) => c"the header asks for what is not opened here",
        s if is(s, ATREST_ERROR_FORGED) => c"the header was changed by someone without the volume's keys",
        s if is(s, ATREST_ERROR_TRUNCATED) => c"the volume's file was cut off",
        s if is(s, ATREST_ERROR_VOLUME_SIZE) => c"the volume is too large for a file or for its device",
        s if is(s, ATREST_ERROR_VOLUME_SECTOR_SIZE) => {
            c"the sector size of a volume takes 512, 1024, 2048 or 4096 bytes"
        }
        s if is(s, ATREST_ERROR_OUT_OF_BOUNDS) => c"the range reaches beyond the volume's end",
        s if is(s, ATREST_ERROR_READ_ONLY) => c"the volume or its file is open for reading only",
        s if is(s, ATREST_ERROR_DISCARD_OFF) => {
            c"discards are off for this volume; open it with ATREST_VOLUME_DISCARD"
        }
        s if is(s, ATREST_ERROR_UNSUPPORTED) => c"the system, the device or the key provider cannot do that",
        s if is(s, ATREST_ERROR_FORKED) => c"not after this fork; open the volume again in this process",
        s if is(s, ATREST_ERROR_BUSY) => c"another process is changing the volume's header; try again",
        s if is(s, ATREST_ERROR_RANDOM) => c"the system gave no random bytes",
        s if is(s, ATREST_ERROR_WITHDRAWN) => {
            c"the key of the open volume was withdrawn, or could not be checked for too long; open it again"
        }
        s if is(s, ATREST_ERROR_NEEDS_FORCE) => {
            c"that would destroy or bring back something; force it with ATREST_FORCE"
        }
        s if is(s, ATREST_ERROR_KEY_NAME) => c"the text names no key, or none that this call takes",
        s if is(s, ATREST_ERROR_NOT_AUTHORISED) => c"not authorised to use the key; ask its owner",
        s if is(s, ATREST_ERROR_KEY_NOT_FOUND) => c"there is no such key",
        s if is(s, ATREST_ERROR_KEY_EXISTS) => c"there is a key of that name already",
        s if is(s, ATREST_ERROR_KEY_DISABLED) => c"the key is disabled; its owner can enable it",
        s if is(s, ATREST_ERROR_KEY_PENDING_DELETION) => {
            c"the key is pending deletion; its owner can cancel that"
        }
        s if is(s, ATREST_ERROR_WRONG_KEY) => c"the wrong key",
        s if is(s, ATREST_ERROR_CONTEXT_MISMATCH) => {
            c"the wrapped key was changed, or belongs to another volume"
        }
        s if is(s, ATREST_ERROR_THROTTLED) => c"the key service got too many requests; try again later",
        s if is(s, ATREST_ERROR_UNREACHABLE) => c"the key service cannot be reached, or has no provider here",
        s if is(s, ATREST_ERROR_TIMED_OUT) => c"the key provider did not answer in time",
        s if is(s, ATREST_ERROR_NO_CREDENTIALS) => c"no valid credentials for the key service",
        s if is(s, ATREST_ERROR_WRONG_KEY_TYPE) => {
            c"the key is none for wrapping: it must be symmetric and for encryption"
        }
        s if is(s, ATREST_ERROR_MALFORMED_ANSWER) => c"the key provider's answer or key file is malformed",
        s if is(s, ATREST_ERROR_KEYSTORE_PERMISSIONS) => {
            c"the keystore is open to other users or not the caller's own"
        }
        s if is(s, ATREST_ERROR_KEYSTORE_IO) => c"reading or writing the keystore failed",
        s if is(s, ATREST_ERROR_SECRET_MEMORY) => c"no memory for secrets, or none after a fork",
        s if is(s, ATREST_ERROR_ENVELOPE) => c"the document is not an envelope that this version reads",
        s if is(s, ATREST_ERROR_KEY_UNAVAILABLE) => c"the key cannot be used now",
        s if is(s, ATREST_ERROR_LIMIT_EXCEEDED) => c"a quota of the key service is used up",
        s if is(s, ATREST_ERROR_INVALID_REQUEST) => c"the key service does not take the request",
        s if is(s, ATREST_ERROR_SLOT) => c"the envelope has no such slot, or that wrapping in another",
        s if is(s, ATREST_ERROR_PASSPHRASE_REQUIRED) => c"a passphrase guards the key, and none was given",
        s if is(s, ATREST_ERROR_WRONG_PASSPHRASE) => c"the passphrase is not the key's",
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
