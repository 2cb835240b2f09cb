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
pub(crate) use super::without_std::{alloc, backend_named_by_environment, dealloc};
