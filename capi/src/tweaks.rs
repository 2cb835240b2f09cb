//! Other tweaks

use super::iov::{iov_call, iovec};
use super::key::atrest_xts;
use super::pointer;
use super::sectors::sectors_call;
use super::status::atrest_status;
use atrest::Code;
use atrest::xts::{CounterWidth, Direction, TweakSource, Tweaks};

/// How sector numbers become tweaks, told by what is in the bytes. A number fills bytes 0 to 7, bytes 8 to 15, or all
/// 16, lowest byte first unless the layout says otherwise; the other bytes are 0. Every layout is a case of
/// atrest_tweak_sequence, and all are equally fast. Values never change their meaning; later versions may add some.
///
/// What makes such sectors:
///
/// - LUKS2, and dm-crypt's plain64 without iv_large_sectors: ATREST_LAYOUT_PLAIN64_IN_512;
/// - dm-crypt's plain, plain64 and plain64be with sectors of 512 bytes or with iv_large_sectors: the layouts of these
///   names;
/// - SPDK's SIMPLE_LBA as its header defines it: ATREST_LAYOUT_PLAIN64; in its module "software", and in ubiblk:
///   ATREST_LAYOUT_UPPER64;
/// - SPDK's JOIN_NEG_LBA_WITH_LBA: ATREST_LAYOUT_WITH_COMPLEMENT;
/// - SPDK's INCR_512_FULL_LBA and INCR_512_UPPER_LBA (mlx5 devices), where each block is one data unit:
///   ATREST_LAYOUT_PLAIN64_IN_512 and ATREST_LAYOUT_UPPER64_IN_512, from `lba * (sector_size / 512)` on;
/// - fscrypt with a key for each file: ATREST_LAYOUT_PLAIN64 from the data unit in the file on; IV_INO_LBLK_64:
///   ATREST_LAYOUT_COUNTER32 from `inode * 2^32` plus that on; IV_INO_LBLK_32: ATREST_LAYOUT_PLAIN from the hashed
///   inode plus that on.
///
/// LUKS2, and plain64 with sectors of 512 bytes or without iv_large_sectors, were tried against the software itself.
/// The others follow its source or its header: no device, volume or file of theirs was read.
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

/// The tweaks of consecutive sectors: a layout, and the number of the first sector. All zeros are ATREST_LAYOUT_PLAIN64
/// from sector 0.
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

impl Description for atrest_tweaks {
    #[inline(always)]
    fn tweaks(self) -> Result<Tweaks, Code> {
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
            _ => Err(Code::Tweaks),
        }
    }
}

/// Encrypts consecutive sectors under the tweaks of a layout; as atrest_xts_encrypt_sectors() otherwise.
///
/// `tweaks`: may lie anywhere, since it is read before anything is written.
///
/// Returns what atrest_xts_encrypt_sectors() does; also ATREST_ERROR_TWEAKS (an unknown layout, `first_upper` for a
/// layout of 64 bits, `reserved` not 0), _SECTOR_NUMBER (the last sector's number does not fit into the layout),
/// _SECTOR_SIZE (no multiple of 512, for the layouts whose name ends with _IN_512), which leave `dst` untouched.
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
        iov_call(Direction::Encrypt, xts, read(tweaks), sector_size, (src, src_count), (dst, dst_count))
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
        iov_call(Direction::Decrypt, xts, read(tweaks), sector_size, (src, src_count), (dst, dst_count))
    }
}

/// A flag of atrest_tweak_sequence: tweaks are written highest byte first.
pub const ATREST_SEQUENCE_BIG_ENDIAN: u32 = 1;
/// A flag of atrest_tweak_sequence: at its end the counter wraps, and so repeats tweaks, where a call would else be
/// refused.
pub const ATREST_SEQUENCE_WRAPS: u32 = 2;
/// A flag of atrest_tweak_sequence: the step is that of 512 bytes, whatever the sector size, which is a multiple of
/// 512.
pub const ATREST_SEQUENCE_IN_512: u32 = 4;

/// Tweaks that begin anywhere and go on by equal steps. Sector i's is the 128-bit number `first + i * step`, lowest
/// byte first.
///
/// Only the lowest `width` bits count; those above stay as in `first`. A call that would take the counter below 0 or
/// above `2^width - 1` is refused with ATREST_ERROR_SECTOR_NUMBER.
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

impl Description for atrest_tweak_sequence {
    #[inline(always)]
    fn tweaks(self) -> Result<Tweaks, Code> {
        const KNOWN: u32 = ATREST_SEQUENCE_BIG_ENDIAN | ATREST_SEQUENCE_WRAPS | ATREST_SEQUENCE_IN_512;
        let number = |upper: u64, lower: u64| u128::from(upper) << 64 | u128::from(lower);
        if self.flags & !KNOWN != 0 {
            return Err(Code::Flags);
        }
        let width = match self.width {
            32 => CounterWidth::Bits32,
            64 => CounterWidth::Bits64,
            128 => CounterWidth::Bits128,
            _ => return Err(Code::Tweaks),
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
/// `tweaks`: may lie anywhere, since it is read before anything is written.
///
/// Returns what atrest_xts_encrypt_sectors() does; also ATREST_ERROR_TWEAKS (another width), _FLAGS, _SECTOR_NUMBER
/// (the counter does not fit into its width), _SECTOR_SIZE (no multiple of 512, with ATREST_SEQUENCE_IN_512), which
/// leave `dst` untouched.
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
        iov_call(Direction::Encrypt, xts, read(tweaks), sector_size, (src, src_count), (dst, dst_count))
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
        iov_call(Direction::Decrypt, xts, read(tweaks), sector_size, (src, src_count), (dst, dst_count))
    }
}

/// Encrypts sectors each under a tweak of its own: for sectors that do not follow each other on the disk, and for
/// tweaks that no rule makes. As atrest_xts_encrypt_sectors() otherwise, and equally fast.
///
/// `tweaks`: `tweak_count` times 16 bytes, in the order of the sectors, each as for atrest_xts_encrypt_unit(). They may
/// not overlap `dst`. `tweak_count`: the number of sectors.
///
/// Returns what atrest_xts_encrypt_sectors() does, and ATREST_ERROR_OVERLAP for tweaks that overlap `dst`; also
/// ATREST_ERROR_TWEAK_COUNT, which leaves `dst` untouched.
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
        iov_call(
            Direction::Encrypt,
            xts,
            list(tweaks, tweak_count),
            sector_size,
            (src, src_count),
            (dst, dst_count),
        )
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
        iov_call(
            Direction::Decrypt,
            xts,
            list(tweaks, tweak_count),
            sector_size,
            (src, src_count),
            (dst, dst_count),
        )
    }
}

/// A structure of the caller's that says what the tweaks are.
trait Description: Copy {
    fn tweaks(self) -> Result<Tweaks, Code>;
}

/// # Safety
/// `description` is NULL or readable; any bytes are a `T`.
#[inline(always)]
unsafe fn read<'a, T: Description>(description: *const T) -> Result<TweakSource<'a>, Code> {
    // SAFETY: this function's contract.
    Ok(unsafe { pointer::read(description) }?.tweaks()?.into())
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
) -> Result<TweakSource<'a>, Code> {
    if pointer::overlap((tweaks.addr(), count.saturating_mul(16)), (dst.addr(), len)) {
        return Err(Code::Overlap);
    }
    // SAFETY: this function's contract; nobody writes to them, since they are not in the destination.
    unsafe { list(tweaks, count) }
}

/// # Safety
/// `tweaks` is NULL or readable for `count` tweaks, which nobody changes during `'a`; but they may lie in a destination,
/// if that is found out before either is used.
#[inline(always)]
unsafe fn list<'a>(tweaks: *const u8, count: usize) -> Result<TweakSource<'a>, Code> {
    // SAFETY: this function's contract.
    Ok(TweakSource::List(unsafe { pointer::array(tweaks.cast(), count) }?))
}
