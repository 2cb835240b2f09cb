//! Sectors and data units

use super::boundary::guarded;
use super::key::atrest_xts;
use super::pointer::{self, Buffers};
use super::status::atrest_status;
use atrest::Code;
use atrest::xts::{Direction, Key, TweakSource};

/// Encrypts consecutive sectors. Sector i of the buffer has the tweak `first_sector + i`, a little-endian 128-bit
/// number: dm-crypt's plain64 (with iv_large_sectors, where sectors are larger than 512 bytes). Give each number to one
/// sector of a key only.
///
/// LUKS2, and dm-crypt without iv_large_sectors, count in units of 512 bytes whatever the sector size. For those, and
/// for all other layouts, there is atrest_xts_encrypt_sectors_tweaks().
///
/// `sector_size`: any number from 16 to 16777216 bytes; one that is no multiple of 16 uses ciphertext stealing. `len`:
/// a whole number of sectors, in bytes; 0 does nothing, and `src` and `dst` may then be NULL. `dst` is `src` (in
/// place), or the two do not overlap.
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _OVERLAP, _SECTOR_SIZE, _DATA_LENGTH, which leave `dst`
/// untouched. Allocates nothing, takes no lock, and uses up to 16 KiB of stack.
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
            |key, data| Ok(key.encrypt_sectors(first_sector, sector_size, data)?),
            |key, src, dst| Ok(key.encrypt_sectors_to(first_sector, sector_size, src, dst)?),
        )
    }
}

/// Decrypts consecutive sectors: the reverse of atrest_xts_encrypt_sectors(), with the same arguments and results.
///
/// ATREST_OK does not say that the plaintext is right, since XTS authenticates nothing. A wrong key, a wrong sector
/// number or changed ciphertext gives noise, and ATREST_OK.
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
            |key, data| Ok(key.decrypt_sectors(first_sector, sector_size, data)?),
            |key, src, dst| Ok(key.decrypt_sectors_to(first_sector, sector_size, src, dst)?),
        )
    }
}

/// Encrypts one data unit under a tweak of 16 bytes (IEEE Std 1619: the data unit sequence number, little-endian).
///
/// `tweak`: give each to one data unit of a key only; it may lie anywhere, in `dst` too. `len`: any number from 16 to
/// 16777216 bytes; one that is no multiple of 16 uses ciphertext stealing. `dst` is `src` (in place), or the two do not
/// overlap.
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _OVERLAP, _UNIT_LENGTH, which leave `dst` untouched.
/// Allocates nothing, takes no lock, and uses up to 16 KiB of stack.
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
        let Ok(&tweak) = pointer::reference(tweak.cast::<[u8; 16]>()) else { return Code::Null.into() };
        data_call(
            xts,
            src,
            dst,
            len,
            |key, data| Ok(key.encrypt_unit(&tweak, data)?),
            |key, src, dst| Ok(key.encrypt_unit_to(&tweak, src, dst)?),
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
        let Ok(&tweak) = pointer::reference(tweak.cast::<[u8; 16]>()) else { return Code::Null.into() };
        data_call(
            xts,
            src,
            dst,
            len,
            |key, data| Ok(key.decrypt_unit(&tweak, data)?),
            |key, src, dst| Ok(key.decrypt_unit_to(&tweak, src, dst)?),
        )
    }
}

/// Runs one data call with the buffers as the Rust API wants them.
///
/// # Safety
/// As [`atrest_xts_encrypt_sectors`].
#[inline(always)]
unsafe fn data_call(
    xts: *const atrest_xts,
    src: *const u8,
    dst: *mut u8,
    len: usize,
    same: impl FnOnce(&Key, &mut [u8]) -> Result<(), atrest_status>,
    apart: impl FnOnce(&Key, &[u8], &mut [u8]) -> Result<(), atrest_status>,
) -> atrest_status {
    guarded(|| {
        // SAFETY: the C caller's contract, as documented on each of the functions below.
        let (key, buffers) = unsafe { (&pointer::reference(xts)?.key, pointer::buffers(src, dst, len)?) };
        match buffers {
            Buffers::Same(data) => same(key, data)?,
            Buffers::Apart(src, dst) => apart(key, src, dst)?,
        }
        Ok(())
    })
}

/// A data call on sectors, for which `tweaks` makes their tweaks: where they are used, since copies of them through
/// memory take as long as a short sector.
///
/// # Safety
/// As [`atrest_xts_encrypt_sectors`].
#[inline(always)]
pub(crate) unsafe fn sectors_call<'a>(
    direction: Direction,
    xts: *const atrest_xts,
    tweaks: impl FnOnce() -> Result<TweakSource<'a>, Code>,
    sector_size: usize,
    src: *const u8,
    dst: *mut u8,
    len: usize,
) -> atrest_status {
    guarded(|| {
        // SAFETY: this function's own contract.
        let (key, buffers) = unsafe { (&pointer::reference(xts)?.key, pointer::buffers(src, dst, len)?) };
        let tweaks = tweaks()?;
        match buffers {
            Buffers::Same(data) => key.crypt_sectors(direction, tweaks, sector_size, data)?,
            Buffers::Apart(src, dst) => key.crypt_sectors_to(direction, tweaks, sector_size, src, dst)?,
        }
        Ok(())
    })
}
