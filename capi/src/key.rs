//! Keys

use core::alloc::Layout;
use core::ffi::{CStr, c_char, c_void};
use core::mem::MaybeUninit;

use super::boundary::{alloc, dealloc, guarded};
use super::{pointer, status::atrest_status};
use atrest::Code;
use atrest::xts::{Key, KeyOptions};

/// An expanded XTS-AES key. Nothing changes it once it is made: any number of threads may use one at once, and so may a
/// forked child.
#[allow(non_camel_case_types)]
pub struct atrest_xts {
    pub(crate) key: Key,
}

/// Makes an XTS-AES key (IEEE Std 1619).
///
/// `key`: key1, which encrypts data, then key2, which encrypts tweaks. `key_len`: 32 bytes for XTS-AES-128, 64 for
/// XTS-AES-256. They are copied: wipe yours when you no longer need it. `*out` receives the key; free it with
/// atrest_xts_free().
///
/// The key runs on the backend that the environment variable ATREST_BACKEND names (in a program with elevated rights no
/// variable is read), or else on the fastest that this processor has. No other thread may call setenv() or putenv()
/// meanwhile. atrest_xts_new_with_backend() does not read the environment.
///
/// A backend makes keys once it has given known answers in this process, which takes its first key some tens of microseconds
/// more. One that gives a wrong answer is left out, and the next best taken: atrest_wrong_backend() tells.
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL, _KEY_LENGTH, _EQUAL_HALVES (key1 equals key2), _UNKNOWN_BACKEND,
/// _UNSUPPORTED_BACKEND, _SELFTEST (the named backend, or every one, gives wrong answers here), _NO_MEMORY. Uses 17 KiB of
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

/// Wipes and frees a key. NULL is fine. No other thread may be using the key. A key of atrest_xts_init() goes by
/// atrest_xts_deinit() instead.
///
/// # Safety
/// `xts` is NULL or a key that has not been freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn atrest_xts_free(xts: *mut atrest_xts) {
    if !xts.is_null() {
        let _ = guarded(|| {
            // SAFETY: `new` made it, in memory from `alloc` with this layout; nobody uses it any more.
            unsafe {
                xts.drop_in_place();
                dealloc(xts.cast(), Layout::new::<atrest_xts>());
            }
            Ok(())
        });
    }
}

/// Where key1 and key2 lie.
#[derive(Clone, Copy)]
pub(crate) enum Secret {
    /// One behind the other, in so many bytes.
    Joined(*const u8, usize),
    /// Anywhere, in so many bytes each.
    Halves(*const u8, *const u8, usize),
}

impl Secret {
    /// # Safety
    /// The pointers are NULL or readable, and nobody changes what is there during `'a`.
    #[inline(always)]
    unsafe fn halves<'a>(self) -> Result<(&'a [u8], &'a [u8]), Code> {
        let (key1, key2, half_len) = match self {
            Secret::Joined(key, key_len) => (key, key.wrapping_add(key_len / 2), key_len / 2),
            Secret::Halves(key1, key2, half_len) => (key1, key2, half_len),
        };
        if key1.is_null() || matches!(self, Secret::Halves(..)) && key2.is_null() {
            return Err(Code::Null);
        }
        // Before slices are made: no slice may claim more than its buffer has.
        if !matches!(half_len, 16 | 32) || matches!(self, Secret::Joined(_, 33 | 65)) {
            return Err(Code::KeyLength);
        }
        // SAFETY: this function's contract, for a length that is good.
        unsafe { Ok((pointer::bytes(key1, half_len)?, pointer::bytes(key2, half_len)?)) }
    }
}

/// What is asked of those who make keys.
#[derive(Clone, Copy)]
pub(crate) struct Request {
    secret: Secret,
    /// A name; else what the environment says.
    backend: Option<*const c_char>,
    /// Whether key1 may equal key2; or why the flags that say so are refused.
    equal_halves: Result<bool, Code>,
    /// Memory of the caller's, and its length; else it is allocated.
    memory: Option<(*mut c_void, usize)>,
}

impl Request {
    pub(crate) fn new(secret: Secret) -> Request {
        Request { secret, backend: None, equal_halves: Ok(false), memory: None }
    }

    /// A NULL name is refused.
    pub(crate) fn backend(self, name: *const c_char) -> Request {
        Request { backend: Some(name), ..self }
    }

    pub(crate) fn allow_equal_halves(self, allow: Result<bool, Code>) -> Request {
        Request { equal_halves: allow, ..self }
    }

    pub(crate) fn at(self, memory: *mut c_void, len: usize) -> Request {
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
                return Err(Code::Memory.into());
            }
        }
        let options = Key::options().allow_equal_halves(self.equal_halves?);
        let name = match self.backend {
            // SAFETY: NULL or NUL-terminated by this function's contract.
            Some(name) => Some(unsafe { pointer::string(name) }?),
            // SAFETY: nobody may be changing the environment, as the header says.
            #[cfg(not(feature = "std"))]
            None => unsafe { super::boundary::backend_named_by_environment() },
            // The key itself asks the environment.
            #[cfg(feature = "std")]
            None => None,
        };
        match name.map(CStr::to_str) {
            Some(Ok(name)) => Ok(options.backend_named(name)?),
            Some(Err(_)) => Err(Code::UnknownBackend.into()),
            None => Ok(options),
        }
    }
}

/// Makes a key.
///
/// # Safety
/// The secret's pointers are NULL or readable for their lengths; the backend is NULL or a NUL-terminated string; memory is
/// NULL or writable for its length, and nobody else uses it while the key lives; `out` is NULL or writable.
// Not inlined: no frame that outlives the wiping may hold a key.
#[inline(never)]
pub(crate) unsafe fn new(request: Request, out: *mut *mut atrest_xts) -> atrest_status {
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
        let memory = unsafe { &mut *(&raw mut (*place).key).cast::<MaybeUninit<Key>>() };
        if let Err(error) = options.build_in_place(key1, key2, memory) {
            if request.memory.is_none() {
                // SAFETY: `on_heap` allocated it with this layout.
                unsafe { dealloc(place.cast(), Layout::new::<atrest_xts>()) };
            }
            return Err(error.into());
        }
        // SAFETY: `out` as above.
        Ok(unsafe { pointer::write(out, place) }?)
    })
}

/// Memory for a key. Not by `Box::new`, which aborts the process when there is none.
fn on_heap() -> Result<*mut atrest_xts, Code> {
    // SAFETY: the layout is not empty.
    let place = unsafe { alloc(Layout::new::<atrest_xts>()) }.cast::<atrest_xts>();
    if place.is_null() { Err(Code::NoMemory) } else { Ok(place) }
}
