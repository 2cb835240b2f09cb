//! Other ways to make a key

use core::ffi::{c_char, c_void};
use core::mem::MaybeUninit;

use zeroize::Zeroize;

use super::boundary::guarded;
use super::key::{Request, Secret, atrest_xts, new};
use super::status::atrest_status;
use atrest::Code;

/// A flag: key1 may equal key2, as for atrest_xts_new_allowing_equal_halves().
pub const ATREST_XTS_ALLOW_EQUAL_HALVES: u32 = 1;

/// As atrest_xts_new(), on the backend of this name, whatever ATREST_BACKEND says. atrest_usable_backend() lists the
/// names of those that this processor runs.
///
/// ":tiles" or ":rows" may follow "vaes256" and "vaes512", and ":mixed" the latter: how the loop keeps the AES units
/// busy. All give the same data; without any, the one that suits the processor runs.
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
    // SAFETY: this function's own contract.
    unsafe { new(Request::new(Secret::Joined(key, key_len)).backend(backend), out) }
}

/// As atrest_xts_new(), with key1 and key2 wherever they lie.
///
/// `key1`, `key2`: `half_len` bytes each, 16 for XTS-AES-128 or 32 for XTS-AES-256; they are copied. `backend`: a name
/// as for atrest_xts_new_with_backend(), or NULL for what atrest_xts_new() takes, which reads the environment. `flags`:
/// 0, or ATREST_XTS_ALLOW_EQUAL_HALVES.
///
/// Returns what atrest_xts_new() does; also ATREST_ERROR_FLAGS.
///
/// # Safety
/// `key1` and `key2` are NULL or readable for `half_len` bytes each; `backend` is NULL or a NUL-terminated string; `out`
/// is NULL or writable.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_xts_new_from_halves(
    key1: *const u8,
    key2: *const u8,
    half_len: usize,
    backend: *const c_char,
    flags: u32,
    out: *mut *mut atrest_xts,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe { new(chosen(Secret::Halves(key1, key2, half_len), backend, flags), out) }
}

/// As atrest_xts_new(), but key1 may equal key2. This is for test vectors and old data only: with equal halves XTS is
/// not secure against chosen ciphertexts.
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
    unsafe { new(Request::new(Secret::Joined(key, key_len)).allow_equal_halves(Ok(true)), out) }
}

/// How much memory atrest_xts_init() needs, in bytes: about a kilobyte. It differs from version to version, so ask at
/// run time.
#[unsafe(no_mangle)]
pub extern "C" fn atrest_xts_size() -> usize {
    size_of::<atrest_xts>()
}

/// What the address of that memory must be a multiple of: a power of two, at most 64 in this version.
#[unsafe(no_mangle)]
pub extern "C" fn atrest_xts_alignment() -> usize {
    align_of::<atrest_xts>()
}

/// As atrest_xts_new(), with the key in memory of yours: nothing is allocated.
///
/// `memory`: `memory_len` bytes, at least atrest_xts_size(), at a multiple of atrest_xts_alignment(). The key lies
/// there until atrest_xts_deinit(): do not move or copy it, and take memory that is not swapped out. `key`, `key_len`:
/// as for atrest_xts_new(). `backend`: a name as for atrest_xts_new_with_backend(), or NULL for what atrest_xts_new()
/// takes, which reads the environment. `flags`: 0, or ATREST_XTS_ALLOW_EQUAL_HALVES. `*out` receives the key, which
/// every call takes but atrest_xts_free().
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL, _MEMORY (too small, or misaligned), _FLAGS, _KEY_LENGTH, _EQUAL_HALVES,
/// _UNKNOWN_BACKEND, _UNSUPPORTED_BACKEND, _SELFTEST, which leave `memory` untouched. Uses 17 KiB of stack, which it wipes.
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
    unsafe { new(chosen(Secret::Joined(key, key_len), backend, flags).at(memory, memory_len), out) }
}

/// As atrest_xts_init(), with key1 and key2 as atrest_xts_new_from_halves() takes them.
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
    unsafe { new(chosen(Secret::Halves(key1, key2, half_len), backend, flags).at(memory, memory_len), out) }
}

/// Wipes a key that atrest_xts_init() made: its memory is all zeros, and yours again. NULL is fine. No other thread may
/// be using the key.
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

/// The request of a call that takes a name, which may be NULL, and flags.
fn chosen(secret: Secret, backend: *const c_char, flags: u32) -> Request {
    let equal_halves = match flags {
        0 | ATREST_XTS_ALLOW_EQUAL_HALVES => Ok(flags != 0),
        _ => Err(Code::Flags),
    };
    let request = Request::new(secret).allow_equal_halves(equal_halves);
    if backend.is_null() { request } else { request.backend(backend) }
}
