//! Data calls under tweaks of a general sequence.

use super::{
    iov::{self, iovec},
    key::atrest_xts,
    pointer,
    status::{ATREST_ERROR_FLAGS, ATREST_ERROR_TWEAKS, atrest_status},
    xts::sectors_call,
};
use atrest::xts::{CounterWidth, Direction, TweakSource, Tweaks};

/// A flag of struct atrest_tweak_sequence: the tweaks are written with their highest byte first.
pub const ATREST_SEQUENCE_BIG_ENDIAN: u32 = 1;
/// A flag of struct atrest_tweak_sequence: the counter wraps at its end instead of a refusal, and so repeats tweaks.
pub const ATREST_SEQUENCE_WRAPS: u32 = 2;
/// A flag of struct atrest_tweak_sequence: the step is for 512 bytes, of which sectors are a multiple, whatever the sector
/// size.
pub const ATREST_SEQUENCE_IN_512: u32 = 4;

/// Any tweaks that start somewhere and go on by equal steps. Sector i's is the number `first + i * step`, of 128 bits,
/// with its lowest byte first.
///
/// Only its lowest `width` bits count; those above stay as `first` has them. A call is refused with
/// ATREST_ERROR_SECTOR_NUMBER if it would take the counter below 0 or above `2^width - 1`.
///
/// `{n, 0, 1, 0, 128, 0}` is ATREST_LAYOUT_PLAIN64 from sector n; `{0, n, 0, 1, 128, 0}` is ATREST_LAYOUT_UPPER64.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct atrest_tweak_sequence {
    /// The first sector's number: the lower 64 bits of it.
    first: u64,
    /// Its upper 64 bits.
    first_upper: u64,
    /// What each sector adds to it: the lower 64 bits of that.
    step: u64,
    /// Its upper 64 bits. A step may be negative, in two's complement: -1 has all bits set in both halves.
    step_upper: u64,
    /// 32, 64 or 128.
    width: u32,
    /// ATREST_SEQUENCE_ values, added.
    flags: u32,
}

impl atrest_tweak_sequence {
    #[inline(always)]
    fn tweaks(self) -> Result<Tweaks, atrest_status> {
        const KNOWN: u32 = ATREST_SEQUENCE_BIG_ENDIAN | ATREST_SEQUENCE_WRAPS | ATREST_SEQUENCE_IN_512;
        let number = |upper: u64, lower: u64| u128::from(upper) << 64 | u128::from(lower);
        if self.flags & !KNOWN != 0 {
            return Err(ATREST_ERROR_FLAGS);
        }
        let width = match self.width {
            32 => CounterWidth::Bits32,
            64 => CounterWidth::Bits64,
            128 => CounterWidth::Bits128,
            _ => return Err(ATREST_ERROR_TWEAKS),
        };
        let step = number(self.step_upper, self.step) as i128;
        let mut tweaks = Tweaks::sequence(number(self.first_upper, self.first), step).width(width);
        if self.flags & ATREST_SEQUENCE_BIG_ENDIAN != 0 {
            tweaks = tweaks.big_endian();
        }
        if self.flags & ATREST_SEQUENCE_WRAPS != 0 {
            tweaks = tweaks.wrapping();
        }
        if self.flags & ATREST_SEQUENCE_IN_512 != 0 {
            tweaks = tweaks.in_512();
        }
        Ok(tweaks)
    }
}

/// Encrypts consecutive sectors under the tweaks of a sequence; as atrest_xts_encrypt_sectors() otherwise.
///
/// `tweaks`: read before anything is written, so that it may lie anywhere; no alignment is needed.
///
/// Returns what atrest_xts_encrypt_sectors() does; also ATREST_ERROR_TWEAKS (another width), _FLAGS, _SECTOR_NUMBER (a
/// counter that does not fit into its width), _SECTOR_SIZE (no multiple of 512, with ATREST_SEQUENCE_IN_512); `dst` is
/// untouched then.
///
/// # Safety
/// As atrest_xts_encrypt_sectors(); `tweaks` is NULL or readable.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_xts_encrypt_sectors_sequence(
    xts: *const atrest_xts,
    tweaks: *const atrest_tweak_sequence,
    sector_size: usize,
    src: *const u8,
    dst: *mut u8,
    len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe { sectors_call(Direction::Encrypt, xts, || read(tweaks), sector_size, src, dst, len) }
}

/// Decrypts consecutive sectors under the tweaks of a sequence: the reverse of atrest_xts_encrypt_sectors_sequence(), with
/// the same arguments and results. As with atrest_xts_decrypt_sectors(), ATREST_OK does not say that the plaintext is
/// right.
///
/// # Safety
/// As atrest_xts_encrypt_sectors_sequence().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_xts_decrypt_sectors_sequence(
    xts: *const atrest_xts,
    tweaks: *const atrest_tweak_sequence,
    sector_size: usize,
    src: *const u8,
    dst: *mut u8,
    len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe { sectors_call(Direction::Decrypt, xts, || read(tweaks), sector_size, src, dst, len) }
}

/// Encrypts consecutive sectors that lie in pieces of memory, under the tweaks of a sequence: as atrest_xts_encrypt_iov(),
/// with `tweaks` and the statuses of atrest_xts_encrypt_sectors_sequence().
///
/// # Safety
/// As atrest_xts_encrypt_iov(); `tweaks` is NULL or readable.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_xts_encrypt_iov_sequence(
    xts: *const atrest_xts,
    tweaks: *const atrest_tweak_sequence,
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

/// Decrypts consecutive sectors that lie in pieces of memory, under the tweaks of a sequence: the reverse of
/// atrest_xts_encrypt_iov_sequence(), with the same arguments and results. As with atrest_xts_decrypt_sectors(), ATREST_OK
/// does not say that the plaintext is right.
///
/// # Safety
/// As atrest_xts_encrypt_iov_sequence().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_xts_decrypt_iov_sequence(
    xts: *const atrest_xts,
    tweaks: *const atrest_tweak_sequence,
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
unsafe fn read<'a>(tweaks: *const atrest_tweak_sequence) -> Result<TweakSource<'a>, atrest_status> {
    // SAFETY: this function's contract; any bytes are an `atrest_tweak_sequence`.
    Ok(unsafe { pointer::read(tweaks) }?.tweaks()?.into())
}
