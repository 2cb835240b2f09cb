//! Keys on the heap, and how every key is made.

use core::ffi::{CStr, c_char};
use std::alloc::{Layout, alloc};

use super::{
    pointer,
    status::{
        ATREST_ERROR_KEY_LENGTH, ATREST_ERROR_NO_MEMORY, ATREST_ERROR_NULL, ATREST_ERROR_UNKNOWN_BACKEND,
        atrest_status, guarded,
    },
};
use crate::xts::{Backend, Key, KeyOptions};

/// An expanded XTS-AES key: immutable after creation, for any number of threads at once, and in a process that was forked
/// as well as in its parent.
#[allow(non_camel_case_types)]
pub struct atrest_xts(pub(super) Key);

/// Makes an XTS-AES key (IEEE Std 1619) from key1 followed by key2.
///
/// `key`: `key_len` bytes, which are copied: wipe yours when you no longer need them. `key_len`: 32 for XTS-AES-128,
/// 64 for XTS-AES-256. `*out` receives the key; free it with atrest_xts_free(). On failure `*out` is NULL.
///
/// The backend is the one that the environment variable ATREST_BACKEND names, else the fastest of this processor. It
/// reads the environment: no other thread may be in setenv() or putenv() at the same time.
/// atrest_xts_new_with_backend() does not read it.
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL, _KEY_LENGTH, _EQUAL_HALVES (key1 = key2), _UNKNOWN_BACKEND,
/// _UNSUPPORTED_BACKEND, _NO_MEMORY. Apart from the environment, any thread may call it at any time. Uses 17 KiB of
/// stack, which it wipes.
///
/// # Safety
/// `key` is NULL or readable for `key_len` bytes; `out` is NULL or writable.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_xts_new(
    key: *const u8,
    key_len: usize,
    out: *mut *mut atrest_xts,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe { new(key, key_len, out, || Ok(Key::options()), on_heap) }
}

/// As atrest_xts_new(), on the backend of the given name: "soft", "ssse3", "avx2", "aesni", "vaes256", "vaes512", "neon",
/// "armv8" or "armv8-eor3", whatever ATREST_BACKEND says.
///
/// `backend`: a NUL-terminated string.
///
/// # Safety
/// As atrest_xts_new(); `backend` is NULL or a NUL-terminated string.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_xts_new_with_backend(
    key: *const u8,
    key_len: usize,
    backend: *const c_char,
    out: *mut *mut atrest_xts,
) -> atrest_status {
    let options = || {
        // SAFETY: this function's own contract.
        Ok(Key::options().backend(unsafe { named(backend) }?))
    };
    // SAFETY: this function's own contract.
    unsafe { new(key, key_len, out, options, on_heap) }
}

/// As atrest_xts_new(), and key1 may equal key2: for test vectors and old data alone. With equal halves XTS is not
/// secure against chosen ciphertexts.
///
/// # Safety
/// As atrest_xts_new().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_xts_new_allowing_equal_halves(
    key: *const u8,
    key_len: usize,
    out: *mut *mut atrest_xts,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe { new(key, key_len, out, || Ok(Key::options().allow_equal_halves(true)), on_heap) }
}

/// The backend of a name.
///
/// # Safety
/// `backend` is NULL or a NUL-terminated string.
pub(super) unsafe fn named(backend: *const c_char) -> Result<Backend, atrest_status> {
    if backend.is_null() {
        return Err(ATREST_ERROR_NULL);
    }
    // SAFETY: not NULL, NUL-terminated by this function's contract.
    let name = unsafe { CStr::from_ptr(backend) }.to_str().map_err(|_| ATREST_ERROR_UNKNOWN_BACKEND)?;
    Ok(name.parse()?)
}

/// Makes a key at a place.
///
/// # Safety
/// As [`atrest_xts_new`]; the place is writable for an `atrest_xts`, and aligned.
pub(super) unsafe fn new(
    key: *const u8,
    key_len: usize,
    out: *mut *mut atrest_xts,
    options: impl FnOnce() -> Result<KeyOptions, atrest_status>,
    place: impl FnOnce() -> Result<*mut atrest_xts, atrest_status>,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe { make(key, key_len, out, options, place) }
}

/// # Safety
/// As [`new`].
// Not inlined: no frame that outlives the wiping may hold a key.
#[inline(never)]
unsafe fn make(
    key: *const u8,
    key_len: usize,
    out: *mut *mut atrest_xts,
    options: impl FnOnce() -> Result<KeyOptions, atrest_status>,
    place: impl FnOnce() -> Result<*mut atrest_xts, atrest_status>,
) -> atrest_status {
    guarded(|| {
        // SAFETY: `out` is NULL or writable, `key` NULL or readable, by this function's contract.
        let key = unsafe {
            pointer::write(out, core::ptr::null_mut())?;
            if key.is_null() {
                return Err(ATREST_ERROR_NULL);
            }
            // Before the slice is made: no slice may claim more than its buffer has.
            if !matches!(key_len, 32 | 64) {
                return Err(ATREST_ERROR_KEY_LENGTH);
            }
            pointer::bytes(key, key_len)?
        };
        let empty = options()?.empty(key)?;
        let place = place()?;
        // SAFETY: this function's contract on places, and `out` as above.
        unsafe {
            place.write(atrest_xts(empty));
            // Not before it lies where it stays: no copy of the round keys is left anywhere.
            (*place).0.expand(key);
            pointer::write(out, place)
        }
    })
}

/// Memory for a key. Not by `Box::new`, which aborts the process when there is none.
fn on_heap() -> Result<*mut atrest_xts, atrest_status> {
    // SAFETY: the layout is not empty.
    let place = unsafe { alloc(Layout::new::<atrest_xts>()) }.cast::<atrest_xts>();
    if place.is_null() { Err(ATREST_ERROR_NO_MEMORY) } else { Ok(place) }
}

/// Wipes and frees a key that one of the calls above made. NULL is fine. No other thread may be using it.
///
/// # Safety
/// `xts` is NULL or a key that has not been freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn atrest_xts_free(xts: *mut atrest_xts) {
    if !xts.is_null() {
        let _ = guarded(|| {
            // SAFETY: `new` made it with the global allocator and the layout of its type, as `Box` does.
            drop(unsafe { Box::from_raw(xts) });
            Ok(())
        });
    }
}
