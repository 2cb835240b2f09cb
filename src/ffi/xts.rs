use core::ffi::{CStr, c_char};
use std::alloc::{Layout, alloc};

use zeroize::zeroize_stack;

use super::{
    pointer::{self, Buffers},
    status::{
        ATREST_ERROR_KEY_LENGTH, ATREST_ERROR_NO_MEMORY, ATREST_ERROR_NULL, ATREST_ERROR_UNKNOWN_BACKEND,
        atrest_status, guarded,
    },
};
use crate::xts::{Backend, Error, Key, KeyOptions};

/// An expanded XTS-AES key: immutable after creation, for any number of threads at once.
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
    unsafe { new(key, key_len, out, || Ok(Key::options())) }
}

/// As atrest_xts_new(), on the backend of the given name: "soft", "aesni", "vaes256", "vaes512", "armv8" or
/// "armv8-eor3", whatever ATREST_BACKEND says.
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
        if backend.is_null() {
            return Err(ATREST_ERROR_NULL);
        }
        // SAFETY: not NULL, NUL-terminated by this function's contract.
        let name = unsafe { CStr::from_ptr(backend) }.to_str().map_err(|_| ATREST_ERROR_UNKNOWN_BACKEND)?;
        Ok(Key::options().backend(name.parse::<Backend>()?))
    };
    // SAFETY: this function's own contract.
    unsafe { new(key, key_len, out, options) }
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
    unsafe { new(key, key_len, out, || Ok(Key::options().allow_equal_halves(true))) }
}

/// # Safety
/// As [`atrest_xts_new`].
unsafe fn new(
    key: *const u8,
    key_len: usize,
    out: *mut *mut atrest_xts,
    options: impl FnOnce() -> Result<KeyOptions, atrest_status>,
) -> atrest_status {
    // SAFETY: this function's own contract.
    let status = unsafe { make(key, key_len, out, options) };
    // `make` moved the key through its frames, which lie where this writes.
    zeroize_stack::<STACK>();
    status
}

/// More than the frames of `make` and of what it calls.
const STACK: usize = 16384;

/// # Safety
/// As [`atrest_xts_new`].
// Not inlined: no frame that outlives the wiping may hold a key.
#[inline(never)]
unsafe fn make(
    key: *const u8,
    key_len: usize,
    out: *mut *mut atrest_xts,
    options: impl FnOnce() -> Result<KeyOptions, atrest_status>,
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
        let key = options()?.build(key)?;
        // Not `Box::new`, which aborts the process when there is no memory.
        let layout = Layout::new::<atrest_xts>();
        // SAFETY: the layout is not empty; the memory that is not NULL fits an `atrest_xts`; `out` as above.
        unsafe {
            let place = alloc(layout).cast::<atrest_xts>();
            if place.is_null() {
                return Err(ATREST_ERROR_NO_MEMORY);
            }
            place.write(atrest_xts(key));
            pointer::write(out, place)
        }
    })
}

/// Wipes and frees a key. NULL is fine. No other thread may be using it.
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

/// The name of the backend that a key's data calls run on, such as "vaes256": a static string; NULL for a NULL key.
///
/// # Safety
/// `xts` is NULL or a key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn atrest_backend_name(xts: *const atrest_xts) -> *const c_char {
    // SAFETY: this function's own contract.
    let Ok(xts) = (unsafe { pointer::reference(xts) }) else { return core::ptr::null() };
    match xts.0.backend() {
        Backend::Soft => c"soft",
        Backend::Aesni => c"aesni",
        Backend::Vaes256 => c"vaes256",
        Backend::Vaes512 => c"vaes512",
        Backend::Armv8 => c"armv8",
        Backend::Armv8Eor3 => c"armv8-eor3",
    }
    .as_ptr()
}

/// The library's version, "MAJOR.MINOR.PATCH": a static string.
#[unsafe(no_mangle)]
pub extern "C" fn atrest_version() -> *const c_char {
    const VERSION: &CStr =
        match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
            Ok(version) => version,
            Err(_) => panic!("a version holds no NUL"),
        };
    VERSION.as_ptr()
}

/// Runs one data call with the buffers as the Rust API wants them.
#[inline(always)]
unsafe fn data_call(
    xts: *const atrest_xts,
    src: *const u8,
    dst: *mut u8,
    len: usize,
    same: impl FnOnce(&Key, &mut [u8]) -> Result<(), Error>,
    apart: impl FnOnce(&Key, &[u8], &mut [u8]) -> Result<(), Error>,
) -> atrest_status {
    guarded(|| {
        // SAFETY: the C caller's contract, as documented on each of the functions below.
        let (key, buffers) = unsafe { (&pointer::reference(xts)?.0, pointer::buffers(src, dst, len)?) };
        match buffers {
            Buffers::Same(data) => same(key, data)?,
            Buffers::Apart(src, dst) => apart(key, src, dst)?,
        }
        Ok(())
    })
}

/// Encrypts consecutive sectors: sector i under the tweak `first_sector + i`, a little-endian 128-bit number
/// (dm-crypt's plain64; its iv_large_sectors counting for sectors of more than 512 bytes). A number is for one place of
/// what the key encrypts.
///
/// LUKS2, and dm-crypt without iv_large_sectors, count in units of 512 bytes whatever the sector size. For their
/// sectors of more than 512 bytes use atrest_xts_encrypt_unit() under the tweak `first + i * (sector_size / 512)`,
/// little-endian.
///
/// `sector_size`: 16 to 16777216 bytes, any number in between; lengths that are no multiple of 16 use ciphertext
/// stealing. `len`: a whole number of sectors, in bytes; 0 does nothing, and `src` and `dst` may then be NULL. `dst` ==
/// `src` (in place), or the two do not overlap. Neither needs any alignment.
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _OVERLAP, _SECTOR_SIZE, _DATA_LENGTH; `dst` is untouched
/// then. Allocates nothing, takes no lock, uses up to 12 KiB of stack; any number of threads may use one key.
///
/// # Safety
/// `xts` is NULL or a key; `src` is NULL or readable and `dst` NULL or writable for `len` bytes.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_xts_encrypt_sectors(
    xts: *const atrest_xts,
    first_sector: u64,
    sector_size: usize,
    src: *const u8,
    dst: *mut u8,
    len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        data_call(
            xts,
            src,
            dst,
            len,
            |key, data| key.encrypt_sectors(first_sector, sector_size, data),
            |key, src, dst| key.encrypt_sectors_to(first_sector, sector_size, src, dst),
        )
    }
}

/// Decrypts consecutive sectors: the reverse of atrest_xts_encrypt_sectors(), with the same arguments and results.
///
/// ATREST_OK does not say that the plaintext is the one that was encrypted: XTS has no authentication. The wrong key,
/// the wrong sector number or changed ciphertext give noise, and ATREST_OK.
///
/// # Safety
/// As atrest_xts_encrypt_sectors().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_xts_decrypt_sectors(
    xts: *const atrest_xts,
    first_sector: u64,
    sector_size: usize,
    src: *const u8,
    dst: *mut u8,
    len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        data_call(
            xts,
            src,
            dst,
            len,
            |key, data| key.decrypt_sectors(first_sector, sector_size, data),
            |key, src, dst| key.decrypt_sectors_to(first_sector, sector_size, src, dst),
        )
    }
}

/// Encrypts one data unit under a tweak of 16 bytes (IEEE Std 1619: the data unit sequence number, little-endian).
///
/// `tweak`: 16 bytes; one tweak is for one unit of a key. `len`: 16 to 16777216 bytes, any number in between; with
/// ciphertext stealing where it is no multiple of 16. `dst` == `src` (in place), or the two do not overlap; `tweak` may
/// lie anywhere. None needs any alignment.
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _OVERLAP, _UNIT_LENGTH; `dst` is untouched then. Allocates
/// nothing, takes no lock, uses up to 12 KiB of stack; any number of threads may use one key.
///
/// cbindgen:ptrs-as-arrays=[[tweak;16]]
///
/// # Safety
/// `xts` is NULL or a key; `tweak` is NULL or readable for 16 bytes; `src` is NULL or readable and `dst` NULL or
/// writable for `len` bytes.
#[allow(rustdoc::broken_intra_doc_links, reason = "the line for cbindgen, which shows an array in C")]
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_xts_encrypt_unit(
    xts: *const atrest_xts,
    tweak: *const u8,
    src: *const u8,
    dst: *mut u8,
    len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract. The tweak is copied first, since it may lie in `dst`.
    unsafe {
        let Ok(&tweak) = pointer::reference(tweak.cast::<[u8; 16]>()) else { return ATREST_ERROR_NULL };
        data_call(
            xts,
            src,
            dst,
            len,
            |key, data| key.encrypt_unit(&tweak, data),
            |key, src, dst| key.encrypt_unit_to(&tweak, src, dst),
        )
    }
}

/// Decrypts one data unit: the reverse of atrest_xts_encrypt_unit(), with the same arguments and results. As with
/// atrest_xts_decrypt_sectors(), ATREST_OK does not say that the plaintext is right.
///
/// cbindgen:ptrs-as-arrays=[[tweak;16]]
///
/// # Safety
/// As atrest_xts_encrypt_unit().
#[allow(rustdoc::broken_intra_doc_links, reason = "the line for cbindgen, which shows an array in C")]
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_xts_decrypt_unit(
    xts: *const atrest_xts,
    tweak: *const u8,
    src: *const u8,
    dst: *mut u8,
    len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract. The tweak is copied first, since it may lie in `dst`.
    unsafe {
        let Ok(&tweak) = pointer::reference(tweak.cast::<[u8; 16]>()) else { return ATREST_ERROR_NULL };
        data_call(
            xts,
            src,
            dst,
            len,
            |key, data| key.decrypt_unit(&tweak, data),
            |key, src, dst| key.decrypt_unit_to(&tweak, src, dst),
        )
    }
}
