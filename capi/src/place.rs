//! Keys in memory that the caller provides.

use core::{
    ffi::{c_char, c_void},
    mem::MaybeUninit,
};

use zeroize::Zeroize;

use super::{
    key::{Request, Secret, atrest_xts, new},
    status::{atrest_status, guarded},
};

/// A flag of atrest_xts_init(): key1 may equal key2, as for atrest_xts_new_allowing_equal_halves().
pub const ATREST_XTS_ALLOW_EQUAL_HALVES: u32 = 1;

/// How many bytes atrest_xts_init() needs: about a kilobyte. A number of this library, not of its ABI: ask at run time.
///
/// Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn atrest_xts_size() -> usize {
    size_of::<atrest_xts>()
}

/// What the address that atrest_xts_init() is given must be a multiple of: a power of two, 64 at most in this version.
///
/// Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn atrest_xts_alignment() -> usize {
    align_of::<atrest_xts>()
}

/// As atrest_xts_new(), and the key lives in memory of the caller's: nothing is allocated.
///
/// `memory`: at least atrest_xts_size() bytes, `memory_len`, at a multiple of atrest_xts_alignment(). It holds the key
/// until atrest_xts_deinit(); it must not be moved or copied meanwhile, and should be memory that is not swapped out.
/// `key`, `key_len`: as for atrest_xts_new(). `backend`: a name as for atrest_xts_new_with_backend(); NULL for what
/// atrest_xts_new() takes, and the environment is then read. `flags`: 0, or ATREST_XTS_ALLOW_EQUAL_HALVES. `*out`
/// receives the key, which lies at `memory`; it is for every call that takes a key but atrest_xts_free().
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL, _MEMORY (too small, or misaligned), _FLAGS, _KEY_LENGTH, _EQUAL_HALVES,
/// _UNKNOWN_BACKEND, _UNSUPPORTED_BACKEND; `*out` is NULL then, and `memory` untouched. Apart from the environment, any
/// thread may call it at any time. Uses 17 KiB of stack, which it wipes.
///
/// # Safety
/// `memory` is NULL or writable for `memory_len` bytes, and nobody else uses it while the key lives; `key` is NULL or
/// readable for `key_len` bytes; `backend` is NULL or a NUL-terminated string; `out` is NULL or writable.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_xts_init(
    memory: *mut c_void,
    memory_len: usize,
    key: *const u8,
    key_len: usize,
    backend: *const c_char,
    flags: u32,
    out: *mut *mut atrest_xts,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        new(Request::new(Secret::Joined(key, key_len)).at(memory, memory_len).chosen(backend, flags), out)
    }
}

/// As atrest_xts_init(), from key1 and key2 as atrest_xts_new_from_halves() takes them.
///
/// # Safety
/// As atrest_xts_init(); `key1` and `key2` are NULL or readable for `half_len` bytes each.
#[allow(clippy::too_many_arguments)]
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_xts_init_from_halves(
    memory: *mut c_void,
    memory_len: usize,
    key1: *const u8,
    key2: *const u8,
    half_len: usize,
    backend: *const c_char,
    flags: u32,
    out: *mut *mut atrest_xts,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        let secret = Secret::Halves(key1, key2, half_len);
        new(Request::new(secret).at(memory, memory_len).chosen(backend, flags), out)
    }
}

/// Wipes a key that atrest_xts_init() made; its memory is the caller's again, all zeros. NULL is fine. No other thread
/// may be using the key.
///
/// # Safety
/// `xts` is NULL or a key from atrest_xts_init() that lives.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn atrest_xts_deinit(xts: *mut atrest_xts) {
    if !xts.is_null() {
        let _ = guarded(|| {
            // SAFETY: `atrest_xts_init` made it; nobody uses it any more, and the memory holds whatever is written.
            unsafe {
                xts.drop_in_place();
                (*xts.cast::<[MaybeUninit<u8>; size_of::<atrest_xts>()]>()).as_mut_slice().zeroize();
            }
            Ok(())
        });
    }
}
