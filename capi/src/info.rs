//! The library about itself: versions, backends, the self-test.

use core::ffi::{CStr, c_char};

use super::{
    key::atrest_xts,
    pointer,
    status::{atrest_status, guarded},
};
use atrest::xts::{Backend, selftest};

/// The version of this header: its first number. Before 1.0.0, docs/abi.md says what may change.
pub const ATREST_VERSION_MAJOR: u32 = 0;
/// The second number: it rises with every call, type or status that is added.
pub const ATREST_VERSION_MINOR: u32 = 1;
/// The third number.
pub const ATREST_VERSION_PATCH: u32 = 0;

/// The version of the library, which may be a later one than the header's, "MAJOR.MINOR.PATCH": a static string.
///
/// Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn atrest_version() -> *const c_char {
    const VERSION: &CStr =
        match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
            Ok(version) => version,
            Err(_) => panic!("a version holds no NUL"),
        };
    VERSION.as_ptr()
}

/// The version of the library as one number, MAJOR * 1000000 + MINOR * 1000 + PATCH: later ones are larger.
///
/// Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn atrest_version_number() -> u32 {
    ATREST_VERSION_MAJOR * 1_000_000 + ATREST_VERSION_MINOR * 1000 + ATREST_VERSION_PATCH
}

/// The name of the backend that a key's data calls run on, such as "vaes256": a static string; NULL for a NULL key.
///
/// Any thread may call it at any time.
///
/// # Safety
/// `xts` is NULL or a key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn atrest_backend_name(xts: *const atrest_xts) -> *const c_char {
    // SAFETY: this function's own contract.
    let Ok(xts) = (unsafe { pointer::reference(xts) }) else { return core::ptr::null() };
    xts.0.backend().c_name().as_ptr()
}

/// The names of the backends that this processor runs, slowest first, from index 0 ("soft", which all processors run);
/// NULL from their number on. The last one is what atrest_xts_new() takes, unless ATREST_BACKEND says otherwise. The
/// strings are static.
///
/// Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn atrest_usable_backend(index: usize) -> *const c_char {
    Backend::supported().nth(index).map_or(core::ptr::null(), |backend| backend.c_name().as_ptr())
}

/// Runs known answers on every backend that this processor runs: vectors of IEEE Std 1619-2007, both key sizes,
/// ciphertext stealing, long batches, both directions. For start-up checks that a policy asks for, and for emulators.
///
/// Returns ATREST_OK, or ATREST_ERROR_SELFTEST: the build, the emulator or the processor is then at fault, and data must
/// not be entrusted to it. It takes some milliseconds, allocates nothing, takes no lock, and uses up to 64 KiB of
/// stack. Any thread may call it at any time.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn atrest_selftest() -> atrest_status {
    guarded(|| Ok(selftest()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// cbindgen copies literals alone, so that the header's version cannot come from Cargo.toml by itself.
    #[test]
    fn versions_are_those_of_cargo_toml() {
        let numbers = [ATREST_VERSION_MAJOR, ATREST_VERSION_MINOR, ATREST_VERSION_PATCH];
        assert_eq!(numbers.map(|number| number.to_string()).join("."), env!("CARGO_PKG_VERSION"));
    }
}
