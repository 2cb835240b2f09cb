//! What lies between C and this library beside pointers: panics, memory, the environment. With the feature `std` the
//! standard library has all three; without it, the C library that the program is linked with.

use super::status::atrest_status;
use atrest::Code;

/// Runs the body of a C call: an error becomes its status, and so does a panic, with `std`; without, it aborts.
#[inline(always)]
pub(crate) fn guarded(body: impl FnOnce() -> Result<(), atrest_status>) -> atrest_status {
    match caught(body) {
        Ok(()) => Code::Ok.into(),
        Err(status) => status,
    }
}

#[cfg(feature = "std")]
#[inline(always)]
fn caught(body: impl FnOnce() -> Result<(), atrest_status>) -> Result<(), atrest_status> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        // Dropping the payload could panic again.
        core::mem::forget(panic);
        Err(Code::Internal.into())
    })
}

#[cfg(not(feature = "std"))]
#[inline(always)]
fn caught(body: impl FnOnce() -> Result<(), atrest_status>) -> Result<(), atrest_status> {
    body()
}

#[cfg(feature = "std")]
pub(crate) use std::alloc::{alloc, dealloc};

#[cfg(not(feature = "std"))]
pub(crate) use of_c::{alloc, backend_named_by_environment, dealloc};

/// The C library in the place of the standard library.
#[cfg(not(feature = "std"))]
mod of_c {
    use core::alloc::Layout;
    use core::ffi::{CStr, c_char, c_int, c_void};

    // By name, so that the shared library says that it needs it.
    #[link(name = "c")]
    unsafe extern "C" {
        #[cfg(not(test))]
        safe fn abort() -> !;
        fn free(memory: *mut c_void);
        fn getenv(name: *const c_char) -> *const c_char;
        fn posix_memalign(memory: *mut *mut c_void, alignment: usize, size: usize) -> c_int;
    }

    /// NULL where there is no memory.
    ///
    /// # Safety
    /// The layout is not empty.
    pub(crate) unsafe fn alloc(layout: Layout) -> *mut u8 {
        let mut memory = core::ptr::null_mut();
        // SAFETY: `memory` is writable; the alignment is a power of two, and here a multiple of a pointer's size.
        let failed = unsafe {
            posix_memalign(&raw mut memory, layout.align().max(align_of::<usize>()), layout.size())
        };
        if failed == 0 { memory.cast() } else { core::ptr::null_mut() }
    }

    /// # Safety
    /// `alloc` gave the memory, and nobody has freed it.
    pub(crate) unsafe fn dealloc(memory: *mut u8, _: Layout) {
        // SAFETY: this function's contract.
        unsafe { free(memory.cast()) }
    }

    /// What ATREST_BACKEND says, which [`atrest`] itself reads where it has the standard library.
    ///
    /// # Safety
    /// No other thread changes the environment during `'a`.
    pub(crate) unsafe fn backend_named_by_environment<'a>() -> Option<&'a CStr> {
        // SAFETY: a NUL-terminated name; the rest is this function's contract.
        let value = unsafe { getenv(c"ATREST_BACKEND".as_ptr()) };
        // SAFETY: NULL, or NUL-terminated as the C standard has it, for as long as nobody changes the environment.
        (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) }).filter(|value| !value.is_empty())
    }

    #[cfg(not(test))]
    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        abort()
    }
}
