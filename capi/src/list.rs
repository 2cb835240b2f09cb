//! Data calls under a list of tweaks.

use super::{
    iov::{self, iovec},
    key::atrest_xts,
    pointer,
    status::{ATREST_ERROR_OVERLAP, atrest_status},
    xts::sectors_call,
};
use atrest::xts::{Direction, TweakSource};

/// Encrypts sectors each under a tweak of its own: for sectors that do not follow each other on the disk, and for tweaks
/// that no rule makes. As atrest_xts_encrypt_sectors() otherwise, and equally fast.
///
/// `tweaks`: `tweak_count` times 16 bytes, one tweak behind the other, in the order of the sectors; each as for
/// atrest_xts_encrypt_unit(). No alignment is needed. It does not overlap `dst`. `tweak_count`: the number of sectors.
///
/// Returns what atrest_xts_encrypt_sectors() does, ATREST_ERROR_OVERLAP for tweaks that overlap `dst`, too; also
/// ATREST_ERROR_TWEAK_COUNT; `dst` is untouched then.
///
/// # Safety
/// As atrest_xts_encrypt_sectors(); `tweaks` is NULL or readable for 16 times `tweak_count` bytes.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_xts_encrypt_sectors_list(
    xts: *const atrest_xts,
    tweaks: *const u8,
    tweak_count: usize,
    sector_size: usize,
    src: *const u8,
    dst: *mut u8,
    len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        let tweaks = || list_beside(tweaks, tweak_count, dst, len);
        sectors_call(Direction::Encrypt, xts, tweaks, sector_size, src, dst, len)
    }
}

/// Decrypts sectors each under a tweak of its own: the reverse of atrest_xts_encrypt_sectors_list(), with the same
/// arguments and results. As with atrest_xts_decrypt_sectors(), ATREST_OK does not say that the plaintext is right.
///
/// # Safety
/// As atrest_xts_encrypt_sectors_list().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_xts_decrypt_sectors_list(
    xts: *const atrest_xts,
    tweaks: *const u8,
    tweak_count: usize,
    sector_size: usize,
    src: *const u8,
    dst: *mut u8,
    len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        let tweaks = || list_beside(tweaks, tweak_count, dst, len);
        sectors_call(Direction::Decrypt, xts, tweaks, sector_size, src, dst, len)
    }
}

/// Encrypts sectors that lie in pieces of memory, each under a tweak of its own: as atrest_xts_encrypt_iov(), with
/// `tweaks`, `tweak_count` and the statuses of atrest_xts_encrypt_sectors_list(). The tweaks overlap no piece of `dst`.
///
/// # Safety
/// As atrest_xts_encrypt_iov(); `tweaks` is NULL or readable for 16 times `tweak_count` bytes.
#[allow(clippy::too_many_arguments)]
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_xts_encrypt_iov_list(
    xts: *const atrest_xts,
    tweaks: *const u8,
    tweak_count: usize,
    sector_size: usize,
    src: *const iovec,
    src_count: usize,
    dst: *const iovec,
    dst_count: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        let (tweaks, src, dst) = (list(tweaks, tweak_count), (src, src_count), (dst, dst_count));
        iov::data_call(Direction::Encrypt, xts, tweaks, sector_size, src, dst)
    }
}

/// Decrypts sectors that lie in pieces of memory, each under a tweak of its own: the reverse of
/// atrest_xts_encrypt_iov_list(), with the same arguments and results. As with atrest_xts_decrypt_sectors(), ATREST_OK
/// does not say that the plaintext is right.
///
/// # Safety
/// As atrest_xts_encrypt_iov_list().
#[allow(clippy::too_many_arguments)]
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_xts_decrypt_iov_list(
    xts: *const atrest_xts,
    tweaks: *const u8,
    tweak_count: usize,
    sector_size: usize,
    src: *const iovec,
    src_count: usize,
    dst: *const iovec,
    dst_count: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        let (tweaks, src, dst) = (list(tweaks, tweak_count), (src, src_count), (dst, dst_count));
        iov::data_call(Direction::Decrypt, xts, tweaks, sector_size, src, dst)
    }
}

/// A list that does not overlap the destination.
///
/// # Safety
/// `tweaks` is NULL or readable for `count` tweaks, which nobody else changes during `'a`.
#[inline(always)]
unsafe fn list_beside<'a>(
    tweaks: *const u8,
    count: usize,
    dst: *const u8,
    len: usize,
) -> Result<TweakSource<'a>, atrest_status> {
    if pointer::overlap((tweaks.addr(), count.saturating_mul(16)), (dst.addr(), len)) {
        return Err(ATREST_ERROR_OVERLAP);
    }
    // SAFETY: this function's contract; nobody writes to them, since they are not in the destination.
    unsafe { list(tweaks, count) }
}

/// # Safety
/// `tweaks` is NULL or readable for `count` tweaks, which nobody changes during `'a`; but they may lie in a destination,
/// if that is found out before either is used.
#[inline(always)]
unsafe fn list<'a>(tweaks: *const u8, count: usize) -> Result<TweakSource<'a>, atrest_status> {
    // SAFETY: this function's contract.
    Ok(TweakSource::List(unsafe { pointer::array(tweaks.cast(), count) }?))
}
