//! Data calls under any tweak layout.

use super::{
    iov::{self, iovec},
    key::atrest_xts,
    pointer,
    status::{ATREST_ERROR_TWEAKS, atrest_status},
    xts::sectors_call,
};
use atrest::xts::{Direction, TweakSource, Tweaks};

/// How sector numbers become tweaks: by what is in the bytes. A number fills bytes 0 to 7 or 8 to 15, or all 16, with
/// its lowest byte first where nothing else is said; the other bytes are 0. Every layout is a case of struct
/// atrest_tweak_sequence, and all are equally fast. Values never change their meaning; later versions may add some.
///
/// What makes sectors like that:
///
/// - LUKS2, and dm-crypt's plain64 without iv_large_sectors: ATREST_LAYOUT_PLAIN64_IN_512;
/// - dm-crypt's plain, plain64 and plain64be with sectors of 512 bytes, or iv_large_sectors: the layouts of these names;
/// - SPDK's SIMPLE_LBA as its header defines it: ATREST_LAYOUT_PLAIN64; in its module "software", and in ubiblk:
///   ATREST_LAYOUT_UPPER64;
/// - SPDK's JOIN_NEG_LBA_WITH_LBA: ATREST_LAYOUT_WITH_COMPLEMENT;
/// - SPDK's INCR_512_FULL_LBA and INCR_512_UPPER_LBA (mlx5 devices), where each block is one data unit:
///   ATREST_LAYOUT_PLAIN64_IN_512 and ATREST_LAYOUT_UPPER64_IN_512, from `lba * (sector_size / 512)` on;
/// - fscrypt with a key for each file: ATREST_LAYOUT_PLAIN64 from the data unit in the file on; IV_INO_LBLK_64:
///   ATREST_LAYOUT_COUNTER32 from `inode * 2^32` plus that on; IV_INO_LBLK_32: ATREST_LAYOUT_PLAIN from the hashed inode
///   plus that on.
///
/// Tried against the software itself were LUKS2, and plain64 with sectors of 512 bytes or without iv_large_sectors. The
/// others are as the source or the header defines them: no device, no volume and no file of theirs was read.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub enum atrest_layout {
    /// `first + i`, little-endian: dm-crypt's plain64, with iv_large_sectors for sectors of more than 512 bytes. A
    /// number past 2^64 carries into the upper half.
    ATREST_LAYOUT_PLAIN64 = 0,
    /// `first + i`, big-endian in the tweak's last 8 bytes: dm-crypt's plain64be. Numbers are below 2^64.
    ATREST_LAYOUT_PLAIN64BE = 1,
    /// `first + i * (sector_size / 512)`, little-endian: dm-crypt's plain64 without iv_large_sectors, and LUKS2, which
    /// count in units of 512 bytes. The sector size is a multiple of 512. `first` is the segment's iv_tweak plus the
    /// offset in units of 512 bytes.
    ATREST_LAYOUT_PLAIN64_IN_512 = 2,
    /// `first_upper * 2^64 + first + i`, little-endian on 128 bits: IEEE Std 1619's data unit sequence numbers.
    ATREST_LAYOUT_NUMBER128 = 3,
    /// The same, big-endian.
    ATREST_LAYOUT_NUMBER128BE = 4,
    /// `(first + i)` modulo 2^32, little-endian in the tweak's first 4 bytes: dm-crypt's plain. It repeats tweaks from 2
    /// TiB on, in sectors of 512 bytes: for data that is so already.
    ATREST_LAYOUT_PLAIN = 5,
    /// `first + i`, little-endian in the tweak's last 8 bytes. Numbers are below 2^64.
    ATREST_LAYOUT_UPPER64 = 6,
    /// `first + i * (sector_size / 512)`, little-endian in the tweak's last 8 bytes. Numbers are below 2^64. The sector
    /// size is a multiple of 512.
    ATREST_LAYOUT_UPPER64_IN_512 = 7,
    /// `first + i`, little-endian in the tweak's first 8 bytes, and 2^63 - 1 minus that in the last 8. Numbers are below
    /// 2^63.
    ATREST_LAYOUT_WITH_COMPLEMENT = 8,
    /// `first_upper * 2^64 + first`, little-endian on 128 bits, of which the lowest 32 bits count sectors and the others
    /// stay. The count is below 2^32.
    ATREST_LAYOUT_COUNTER32 = 9,
}

use atrest_layout::*;

/// What C calls an `atrest_layout`. C may store any value, which a Rust enum must not hold.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub struct LayoutValue(i32);

/// The tweaks of consecutive sectors: the number of the first one, and how the numbers go on. All zeros are
/// ATREST_LAYOUT_PLAIN64 from sector 0.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct atrest_tweaks {
    /// The first sector's number: the lower 64 bits of it.
    first: u64,
    /// Its upper 64 bits, for NUMBER128, NUMBER128BE and COUNTER32; 0 for the others.
    first_upper: u64,
    /// An enum atrest_layout.
    layout: LayoutValue,
    /// 0.
    reserved: u32,
}

impl atrest_tweaks {
    #[inline(always)]
    fn tweaks(self) -> Result<Tweaks, atrest_status> {
        const PLAIN64: i32 = ATREST_LAYOUT_PLAIN64 as i32;
        const PLAIN64BE: i32 = ATREST_LAYOUT_PLAIN64BE as i32;
        const PLAIN64_IN_512: i32 = ATREST_LAYOUT_PLAIN64_IN_512 as i32;
        const NUMBER128: i32 = ATREST_LAYOUT_NUMBER128 as i32;
        const NUMBER128BE: i32 = ATREST_LAYOUT_NUMBER128BE as i32;
        const PLAIN: i32 = ATREST_LAYOUT_PLAIN as i32;
        const UPPER64: i32 = ATREST_LAYOUT_UPPER64 as i32;
        const UPPER64_IN_512: i32 = ATREST_LAYOUT_UPPER64_IN_512 as i32;
        const WITH_COMPLEMENT: i32 = ATREST_LAYOUT_WITH_COMPLEMENT as i32;
        const COUNTER32: i32 = ATREST_LAYOUT_COUNTER32 as i32;
        let number = u128::from(self.first_upper) << 64 | u128::from(self.first);
        match (self.layout.0, self.first_upper, self.reserved) {
            (PLAIN64, 0, 0) => Ok(Tweaks::plain64(self.first)),
            (PLAIN64BE, 0, 0) => Ok(Tweaks::plain64be(self.first)),
            (PLAIN64_IN_512, 0, 0) => Ok(Tweaks::plain64_in_512(self.first)),
            (NUMBER128, _, 0) => Ok(Tweaks::number128(number)),
            (NUMBER128BE, _, 0) => Ok(Tweaks::number128be(number)),
            (PLAIN, 0, 0) => Ok(Tweaks::plain(self.first)),
            (UPPER64, 0, 0) => Ok(Tweaks::upper64(self.first)),
            (UPPER64_IN_512, 0, 0) => Ok(Tweaks::upper64_in_512(self.first)),
            (WITH_COMPLEMENT, 0, 0) => Ok(Tweaks::with_complement(self.first)),
            (COUNTER32, _, 0) => Ok(Tweaks::counter32(number)),
            _ => Err(ATREST_ERROR_TWEAKS),
        }
    }
}

/// Encrypts consecutive sectors under the given tweaks; as atrest_xts_encrypt_sectors() otherwise.
///
/// `tweaks`: read before anything is written, so that it may lie anywhere; no alignment is needed.
///
/// Returns what atrest_xts_encrypt_sectors() does; also ATREST_ERROR_TWEAKS (an unknown layout, `first_upper` for a
/// layout of 64 bits, `reserved` not 0), _SECTOR_NUMBER (the last sector's number does not fit into what its
/// layout has for it), _SECTOR_SIZE (no multiple of 512, for the layouts whose name ends with _IN_512); `dst` is
/// untouched then.
///
/// # Safety
/// As atrest_xts_encrypt_sectors(); `tweaks` is NULL or readable.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_xts_encrypt_sectors_tweaks(
    xts: *const atrest_xts,
    tweaks: *const atrest_tweaks,
    sector_size: usize,
    src: *const u8,
    dst: *mut u8,
    len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe { sectors_call(Direction::Encrypt, xts, || read(tweaks), sector_size, src, dst, len) }
}

/// Decrypts consecutive sectors under the given tweaks: the reverse of atrest_xts_encrypt_sectors_tweaks(), with the
/// same arguments and results. As with atrest_xts_decrypt_sectors(), ATREST_OK does not say that the plaintext is right.
///
/// # Safety
/// As atrest_xts_encrypt_sectors_tweaks().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_xts_decrypt_sectors_tweaks(
    xts: *const atrest_xts,
    tweaks: *const atrest_tweaks,
    sector_size: usize,
    src: *const u8,
    dst: *mut u8,
    len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe { sectors_call(Direction::Decrypt, xts, || read(tweaks), sector_size, src, dst, len) }
}

/// Encrypts consecutive sectors that lie in pieces of memory, under the given tweaks: as atrest_xts_encrypt_iov(), with
/// `tweaks` and the statuses of atrest_xts_encrypt_sectors_tweaks().
///
/// # Safety
/// As atrest_xts_encrypt_iov(); `tweaks` is NULL or readable.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_xts_encrypt_iov_tweaks(
    xts: *const atrest_xts,
    tweaks: *const atrest_tweaks,
    sector_size: usize,
    src: *const iovec,
    src_count: usize,
    dst: *const iovec,
    dst_count: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        let (tweaks, src, dst) = (read(tweaks), (src, src_count), (dst, dst_count));
        iov::data_call(Direction::Encrypt, xts, tweaks, sector_size, src, dst)
    }
}

/// Decrypts consecutive sectors that lie in pieces of memory, under the given tweaks: the reverse of
/// atrest_xts_encrypt_iov_tweaks(), with the same arguments and results. As with atrest_xts_decrypt_sectors(), ATREST_OK
/// does not say that the plaintext is right.
///
/// # Safety
/// As atrest_xts_encrypt_iov_tweaks().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_xts_decrypt_iov_tweaks(
    xts: *const atrest_xts,
    tweaks: *const atrest_tweaks,
    sector_size: usize,
    src: *const iovec,
    src_count: usize,
    dst: *const iovec,
    dst_count: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        let (tweaks, src, dst) = (read(tweaks), (src, src_count), (dst, dst_count));
        iov::data_call(Direction::Decrypt, xts, tweaks, sector_size, src, dst)
    }
}

/// # Safety
/// `tweaks` is NULL or readable.
#[inline(always)]
unsafe fn read<'a>(tweaks: *const atrest_tweaks) -> Result<TweakSource<'a>, atrest_status> {
    // SAFETY: this function's contract; any bytes are an `atrest_tweaks`.
    Ok(unsafe { pointer::read(tweaks) }?.tweaks()?.into())
}
