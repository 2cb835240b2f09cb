//! Keys on the heap, and how every key is made.

use core::ffi::{CStr, c_char, c_void};
use core::mem::MaybeUninit;
use std::alloc::{Layout, alloc, dealloc};

use super::{
    place::ATREST_XTS_ALLOW_EQUAL_HALVES,
    pointer,
    status::{
        ATREST_ERROR_FLAGS, ATREST_ERROR_KEY_LENGTH, ATREST_ERROR_MEMORY, ATREST_ERROR_NO_MEMORY,
        ATREST_ERROR_NULL, ATREST_ERROR_UNKNOWN_BACKEND, atrest_status, guarded,
    },
};
use atrest::xts::{Key, KeyOptions};

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
    unsafe { new(Request::new(Secret::Joined(key, key_len)), out) }
}

/// As atrest_xts_new(), from key1, which encrypts data, and key2, which encrypts tweaks, wherever they lie.
///
/// `key1`, `key2`: `half_len` bytes each, which are copied. `half_len`: 16 for XTS-AES-128, 32 for XTS-AES-256.
/// `backend`: a name as for atrest_xts_new_with_backend(); NULL for what atrest_xts_new() takes, and the environment is
/// then read. `flags`: 0, or ATREST_XTS_ALLOW_EQUAL_HALVES.
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
    unsafe { new(Request::new(Secret::Halves(key1, key2, half_len)).chosen(backend, flags), out) }
}

/// As atrest_xts_new(), on the backend of the given name, whatever ATREST_BACKEND says. atrest_usable_backend() lists the
/// names of those that this processor runs.
///
/// Behind "vaes256" and "vaes512" may stand ":tiles" or ":rows", and behind the latter ":mixed": how the loop keeps the
/// AES units at work. All give the same data; without it, the one that suits the processor runs.
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
    let request = Request { backend: Some(backend), ..Request::new(Secret::Joined(key, key_len)) };
    // SAFETY: this function's own contract.
    unsafe { new(request, out) }
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
    let flags = ATREST_XTS_ALLOW_EQUAL_HALVES;
    // SAFETY: this function's own contract.
    unsafe { new(Request { flags, ..Request::new(Secret::Joined(key, key_len)) }, out) }
}

/// Where key1 and key2 lie.
#[derive(Clone, Copy)]
pub(super) enum Secret {
    /// One behind the other, in so many bytes.
    Joined(*const u8, usize),
    /// Anywhere, in so many bytes each.
    Halves(*const u8, *const u8, usize),
}

impl Secret {
    /// # Safety
    /// The pointers are NULL or readable, and nobody changes what is there during `'a`.
    #[inline(always)]
    unsafe fn halves<'a>(self) -> Result<(&'a [u8], &'a [u8]), atrest_status> {
        let (key1, key2, half_len) = match self {
            Secret::Joined(key, key_len) => (key, key.wrapping_add(key_len / 2), key_len / 2),
            Secret::Halves(key1, key2, half_len) => (key1, key2, half_len),
        };
        if key1.is_null() || matches!(self, Secret::Halves(..)) && key2.is_null() {
            return Err(ATREST_ERROR_NULL);
        }
        // Before slices are made: no slice may claim more than its buffer has.
        if !matches!(half_len, 16 | 32) || matches!(self, Secret::Joined(_, 33 | 65)) {
            return Err(ATREST_ERROR_KEY_LENGTH);
        }
        // SAFETY: this function's contract, for a length that is good.
        unsafe { Ok((pointer::bytes(key1, half_len)?, pointer::bytes(key2, half_len)?)) }
    }
}

/// What is asked of those who make keys.
#[derive(Clone, Copy)]
pub(super) struct Request {
    secret: Secret,
    /// A name; else what the environment says.
    backend: Option<*const c_char>,
    flags: u32,
    /// Memory of the caller's, and its length; else it is allocated.
    memory: Option<(*mut c_void, usize)>,
}

impl Request {
    pub(super) fn new(secret: Secret) -> Request {
        Request { secret, backend: None, flags: 0, memory: None }
    }

    pub(super) fn chosen(self, backend: *const c_char, flags: u32) -> Request {
        Request { backend: (!backend.is_null()).then_some(backend), flags, ..self }
    }

    pub(super) fn at(self, memory: *mut c_void, len: usize) -> Request {
        Request { memory: Some((memory, len)), ..self }
    }

    /// # Safety
    /// The backend is NULL or a NUL-terminated string.
    #[inline(always)]
    unsafe fn options(&self) -> Result<KeyOptions, atrest_status> {
        if let Some((memory, len)) = self.memory {
            let place: *mut atrest_xts = memory.cast();
            pointer::check(place.addr(), len.max(1))?;
            if len < size_of::<atrest_xts>() || !place.is_aligned() {
                return Err(ATREST_ERROR_MEMORY);
            }
        }
        if self.flags & !ATREST_XTS_ALLOW_EQUAL_HALVES != 0 {
            return Err(ATREST_ERROR_FLAGS);
        }
        let options = Key::options().allow_equal_halves(self.flags & ATREST_XTS_ALLOW_EQUAL_HALVES != 0);
        let Some(name) = self.backend else { return Ok(options) };
        if name.is_null() {
            return Err(ATREST_ERROR_NULL);
        }
        // SAFETY: not NULL, NUL-terminated by this function's contract.
        let name = unsafe { CStr::from_ptr(name) }.to_str().map_err(|_| ATREST_ERROR_UNKNOWN_BACKEND)?;
        Ok(options.backend_named(name)?)
    }
}

/// Makes a key.
///
/// # Safety
/// The secret's pointers are NULL or readable for their lengths; the backend is NULL or a NUL-terminated string; memory is
/// NULL or writable for its length, and nobody else uses it while the key lives; `out` is NULL or writable.
// Not inlined: no frame that outlives the wiping may hold a key.
#[inline(never)]
pub(super) unsafe fn new(request: Request, out: *mut *mut atrest_xts) -> atrest_status {
    guarded(|| {
        // SAFETY: `out` is NULL or writable, the secret NULL or readable, by this function's contract.
        let (key1, key2) = unsafe {
            pointer::write(out, core::ptr::null_mut())?;
            request.secret.halves()?
        };
        // SAFETY: a name by this function's contract.
        let options = unsafe { request.options() }?;
        // `options` has looked at the caller's memory.
        let place = match request.memory {
            Some((memory, _)) => memory.cast(),
            None => on_heap()?,
        };
        // SAFETY: it is writable for a key and aligned, and nobody else uses it.
        let memory = unsafe { &mut *(&raw mut (*place).0).cast::<MaybeUninit<Key>>() };
        if let Err(error) = options.build_in_place(key1, key2, memory) {
            if request.memory.is_none() {
                // SAFETY: `on_heap` allocated it with this layout.
                unsafe { dealloc(place.cast(), Layout::new::<atrest_xts>()) };
            }
            return Err(error.into());
        }
        // SAFETY: `out` as above.
        unsafe { pointer::write(out, place) }
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
