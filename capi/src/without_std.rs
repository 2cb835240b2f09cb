//! The C library in the place of the standard library: memory, the environment, and the end of a program that panics.
//!
//! It needs nothing else of this crate: tests/c/kernel.rs builds it with a function that panics.

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
    let failed =
        unsafe { posix_memalign(&raw mut memory, layout.align().max(align_of::<usize>()), layout.size()) };
    if failed == 0 { memory.cast() } else { core::ptr::null_mut() }
}

/// # Safety
/// `alloc` gave the memory, and nobody has freed it.
pub(crate) unsafe fn dealloc(memory: *mut u8, _: Layout) {
    // SAFETY: this function's contract.
    unsafe { free(memory.cast()) }
}

/// Whether whoever started the program has fewer rights than it: nothing of theirs decides then.
fn has_elevated_rights() -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        unsafe extern "C" {
            safe fn getauxval(kind: core::ffi::c_ulong) -> core::ffi::c_ulong;
        }
        const AT_SECURE: core::ffi::c_ulong = 23;
        getauxval(AT_SECURE) != 0
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        false
    }
}

/// What ATREST_BACKEND says, which [`atrest`] itself reads where it has the standard library; nothing in a program with
/// elevated rights.
///
/// # Safety
/// No other thread changes the environment during `'a`.
pub(crate) unsafe fn backend_named_by_environment<'a>() -> Option<&'a CStr> {
    if has_elevated_rights() {
        return None;
    }
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
