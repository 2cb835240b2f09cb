//! The one way from a C pointer to a Rust reference: NULL, oversize and overlap are answered here.

use atrest::Code;

/// # Safety
/// A pointer that is not NULL points at a valid `T` that nobody changes during `'a`.
#[inline(always)]
pub(crate) unsafe fn reference<'a, T>(pointer: *const T) -> Result<&'a T, Code> {
    // SAFETY: not NULL by `as_ref`, valid by this function's contract.
    unsafe { pointer.as_ref() }.ok_or(Code::Null)
}

/// # Safety
/// A pointer that is not NULL points at a valid `T`, which need not be aligned.
#[inline(always)]
pub(crate) unsafe fn read<T: Copy>(pointer: *const T) -> Result<T, Code> {
    if pointer.is_null() {
        return Err(Code::Null);
    }
    // SAFETY: not NULL, valid by this function's contract.
    Ok(unsafe { pointer.read_unaligned() })
}

/// # Safety
/// A pointer that is not NULL is writable for a `T`.
#[inline(always)]
pub(crate) unsafe fn write<T>(pointer: *mut T, value: T) -> Result<(), Code> {
    if pointer.is_null() {
        return Err(Code::Null);
    }
    // SAFETY: not NULL, writable by this function's contract.
    unsafe { pointer.write(value) };
    Ok(())
}

/// Refuses what no C object can be. NULL is fine for no bytes at all.
#[inline(always)]
pub(crate) fn check(address: usize, len: usize) -> Result<(), Code> {
    if address == 0 && len != 0 {
        return Err(Code::Null);
    }
    if len > isize::MAX as usize || address.checked_add(len).is_none() {
        return Err(Code::BufferLength);
    }
    Ok(())
}

/// Whether two buffers, each an address and a length, share a byte.
pub(crate) fn overlap(a: (usize, usize), b: (usize, usize)) -> bool {
    let end = |(address, len): (usize, usize)| address.saturating_add(len);
    a.1 != 0 && b.1 != 0 && a.0 < end(b) && b.0 < end(a)
}

/// # Safety
/// If it is not refused, the buffer is readable for `len` bytes, and nobody changes it during `'a`.
#[inline(always)]
pub(crate) unsafe fn bytes<'a>(pointer: *const u8, len: usize) -> Result<&'a [u8], Code> {
    check(pointer.addr(), len)?;
    if len == 0 {
        return Ok(&[]);
    }
    // SAFETY: not NULL, at most isize::MAX bytes, readable by this function's contract.
    Ok(unsafe { core::slice::from_raw_parts(pointer, len) })
}

/// # Safety
/// If it is not refused, the buffer is writable for `len` bytes, and nobody else touches it during `'a`.
#[cfg(feature = "volume")]
pub(crate) unsafe fn bytes_mut<'a>(pointer: *mut u8, len: usize) -> Result<&'a mut [u8], Code> {
    check(pointer.addr(), len)?;
    if len == 0 {
        return Ok(&mut []);
    }
    // SAFETY: not NULL, at most isize::MAX bytes, writable by this function's contract. It may hold bytes that C never
    // wrote: nothing reads them before it has written them.
    Ok(unsafe { core::slice::from_raw_parts_mut(pointer, len) })
}

/// # Safety
/// A pointer that is not NULL points at a valid `T` that nobody else touches during `'a`.
#[cfg(feature = "volume")]
pub(crate) unsafe fn exclusive<'a, T>(pointer: *mut T) -> Result<&'a mut T, Code> {
    // SAFETY: not NULL by `as_mut`, valid and unshared by this function's contract.
    unsafe { pointer.as_mut() }.ok_or(Code::Null)
}

/// # Safety
/// A pointer that is not NULL is a NUL-terminated string that nobody changes during `'a`.
#[inline(always)]
pub(crate) unsafe fn string<'a>(pointer: *const core::ffi::c_char) -> Result<&'a core::ffi::CStr, Code> {
    if pointer.is_null() {
        return Err(Code::Null);
    }
    // SAFETY: not NULL, NUL-terminated by this function's contract.
    Ok(unsafe { core::ffi::CStr::from_ptr(pointer) })
}

/// # Safety
/// If it is not refused, the array holds `count` valid elements, which nobody changes during `'a`.
#[inline(always)]
pub(crate) unsafe fn array<'a, T>(pointer: *const T, count: usize) -> Result<&'a [T], Code> {
    check(pointer.addr(), count.checked_mul(size_of::<T>()).ok_or(Code::BufferLength)?)?;
    if count == 0 {
        return Ok(&[]);
    }
    // SAFETY: not NULL, at most isize::MAX bytes, valid by this function's contract.
    Ok(unsafe { core::slice::from_raw_parts(pointer, count) })
}

/// Source and destination of a data call.
pub(crate) enum Buffers<'a> {
    Same(&'a mut [u8]),
    Apart(&'a [u8], &'a mut [u8]),
}

/// # Safety
/// If they are not refused, `src` is readable and `dst` writable for `len` bytes, and nobody else touches them during
/// `'a`.
#[inline(always)]
pub(crate) unsafe fn buffers<'a>(src: *const u8, dst: *mut u8, len: usize) -> Result<Buffers<'a>, Code> {
    check(src.addr(), len)?;
    check(dst.addr(), len)?;
    if len == 0 {
        return Ok(Buffers::Same(&mut []));
    }
    if src.addr() == dst.addr() {
        // SAFETY: not NULL, at most isize::MAX bytes, writable by this function's contract.
        return Ok(Buffers::Same(unsafe { core::slice::from_raw_parts_mut(dst, len) }));
    }
    if src.addr().abs_diff(dst.addr()) < len {
        return Err(Code::Overlap);
    }
    // SAFETY: not NULL, at most isize::MAX bytes, disjoint by the check above, readable and writable by this
    // function's contract. `dst` may hold bytes that C never wrote: nothing reads them before it has written them.
    Ok(unsafe {
        Buffers::Apart(core::slice::from_raw_parts(src, len), core::slice::from_raw_parts_mut(dst, len))
    })
}
