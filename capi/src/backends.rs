//! Backends and the self-test

use core::ffi::c_char;

use super::boundary::guarded;
use super::key::atrest_xts;
use super::pointer;
use super::status::atrest_status;
use atrest::xts::{Backend, selftest};

/// The name of the backend that a key's calls run on, such as "vaes256": a static string; NULL for a NULL key.
///
/// # Safety
/// `xts` is NULL or a key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn atrest_backend_name(xts: *const atrest_xts) -> *const c_char {
    // SAFETY: this function's own contract.
    let Ok(xts) = (unsafe { pointer::reference(xts) }) else { return core::ptr::null() };
    xts.key.backend().c_name().as_ptr()
}

/// The backends that this processor runs, and that compute rightly here, slowest first: "soft", which every processor
/// runs, at index 0; NULL from their number on. atrest_xts_new() takes the last one unless ATREST_BACKEND says otherwise.
/// The strings are static.
///
/// Each has to give known answers once in a process, before its first key or here, which takes some tens of microseconds
/// for each and allocates nothing.
#[unsafe(no_mangle)]
pub extern "C" fn atrest_usable_backend(index: usize) -> *const c_char {
    Backend::usable().nth(index).map_or(core::ptr::null(), |backend| backend.c_name().as_ptr())
}

/// The backends that gave a wrong answer in this process so far, slowest first; NULL from their number on: at index 0,
/// unless the processor, the emulator or the build is at fault. Keys are made without them. Ask after the first key is
/// made, and tell whoever runs the program. The strings are static.
#[unsafe(no_mangle)]
pub extern "C" fn atrest_wrong_backend(index: usize) -> *const c_char {
    Backend::wrong().nth(index).map_or(core::ptr::null(), |backend| backend.c_name().as_ptr())
}

/// Runs known answers on every backend that this processor runs: vectors of IEEE Std 1619-2007, both key sizes,
/// ciphertext stealing, long batches, both directions. For checks at start-up that a policy asks for, and for
/// emulators.
///
/// Returns ATREST_OK, or ATREST_ERROR_SELFTEST: the build, the emulator or the processor is then at fault, and must not
/// be trusted with data. Takes some milliseconds, allocates nothing, takes no lock, and uses up to 64 KiB of stack.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn atrest_selftest() -> atrest_status {
    guarded(|| Ok(selftest()?))
}
