//! Opaque handles: objects that C owns through a pointer.

use core::ffi::c_char;
use core::mem::MaybeUninit;
use std::alloc::{Layout, alloc};

use super::boundary::guarded;
use super::error::{Failure, Line, explained};
use super::pointer;
use super::status::atrest_status;
use atrest::Code;

/// Runs the body of a C call that makes an object: `*out` receives it, and is NULL if it fails.
///
/// # Safety
/// `out` is NULL or writable; `error` is NULL or writable for `error_len` bytes.
pub(crate) unsafe fn make<T>(
    out: *mut *mut T,
    error: *mut c_char,
    error_len: usize,
    body: impl FnOnce(&mut Line<'_>) -> Result<T, Failure>,
) -> atrest_status {
    // SAFETY: this function's contract.
    unsafe {
        // Before `error` is looked at, and answered where it is explained there: who prints `error` finds a line in it.
        let emptied = pointer::write(out, core::ptr::null_mut());
        explained(error, error_len, |line| {
            emptied?;
            // Asked for before anything is done that could not be undone. Not `Box::new`, which aborts the process when
            // there is no memory.
            let mut place = room::<T>()?;
            place.write(body(line)?);
            // SAFETY: written just now.
            Ok(pointer::write(out, Box::into_raw(place.assume_init()))?)
        })
    }
}

/// Frees an object that [`make`] made.
///
/// # Safety
/// `object` is NULL, or came from `make` and was not freed.
pub(crate) unsafe fn free<T>(object: *mut T) {
    if !object.is_null() {
        // What a panic would leave behind is no longer of use to anybody.
        let _ = guarded(|| {
            // SAFETY: this function's contract; `make` took it out of a `Box`.
            drop(unsafe { Box::from_raw(object) });
            Ok(())
        });
    }
}

/// Memory for a `T`.
fn room<T>() -> Result<Box<MaybeUninit<T>>, Code> {
    const { assert!(size_of::<T>() != 0) };
    // SAFETY: the layout is not empty.
    let place = unsafe { alloc(Layout::new::<T>()) }.cast::<MaybeUninit<T>>();
    if place.is_null() {
        return Err(Code::NoMemory);
    }
    // SAFETY: memory of the global allocator with the layout of `T`, which may be uninitialised.
    Ok(unsafe { Box::from_raw(place) })
}
