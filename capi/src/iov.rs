//! Sectors in pieces of memory

use core::ffi::c_void;

use super::boundary::guarded;
use super::key::atrest_xts;
use super::pointer;
use super::status::atrest_status;
use atrest::Code;
use atrest::xts::{Direction, Pieces, TweakSource, Tweaks};

/// POSIX's `struct iovec`, from `<sys/uio.h>`.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct iovec {
    iov_base: *mut c_void,
    iov_len: usize,
}

/// Encrypts consecutive sectors that lie in pieces of memory, from the pieces `src` into the pieces `dst`; as
/// atrest_xts_encrypt_sectors() otherwise.
///
/// The pieces may be cut anywhere, and differently in `src` and `dst`: a sector, or even a block, may straddle any
/// number of them. `src` and `dst` have the same length in all, a whole number of sectors. A piece may be empty, and
/// its iov_base then NULL. Sectors within one piece each are about as fast as in one buffer; a sector that straddles
/// pieces is copied once more.
///
/// `src_count`, `dst_count`: how many pieces there are, any number; with 0 the list may be NULL. In place, `dst` is
/// `src` or lists the same pieces in the same order. Otherwise no piece of `dst` may overlap one of `src`, and in any
/// case no two pieces of `dst` may overlap. That is checked if the pieces of both lists ascend in memory, and if not,
/// for up to 64 pieces in each; beyond that, overlapping pieces receive undefined data.
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _LENGTH_MISMATCH, _OVERLAP, _SECTOR_SIZE, _DATA_LENGTH,
/// which leave all of `dst` untouched. Allocates nothing, takes no lock, and uses up to 28 KiB of stack.
///
/// # Safety
/// `xts` is NULL or a key; `src` and `dst` are NULL or hold that many pieces; each piece of `src` is readable, and each
/// of `dst` writable, for its length, and nobody else touches them.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_xts_encrypt_iov(
    xts: *const atrest_xts,
    first_sector: u64,
    sector_size: usize,
    src: *const iovec,
    src_count: usize,
    dst: *const iovec,
    dst_count: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        let tweaks = Ok(Tweaks::plain64(first_sector).into());
        iov_call(Direction::Encrypt, xts, tweaks, sector_size, (src, src_count), (dst, dst_count))
    }
}

/// Decrypts consecutive sectors that lie in pieces of memory: the reverse of atrest_xts_encrypt_iov(), with the same
/// arguments and results. As with atrest_xts_decrypt_sectors(), ATREST_OK does not say that the plaintext is right.
///
/// # Safety
/// As atrest_xts_encrypt_iov().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_xts_decrypt_iov(
    xts: *const atrest_xts,
    first_sector: u64,
    sector_size: usize,
    src: *const iovec,
    src_count: usize,
    dst: *const iovec,
    dst_count: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        let tweaks = Ok(Tweaks::plain64(first_sector).into());
        iov_call(Direction::Decrypt, xts, tweaks, sector_size, (src, src_count), (dst, dst_count))
    }
}

/// # Safety
/// As [`atrest_xts_encrypt_iov`].
pub(crate) unsafe fn iov_call(
    direction: Direction,
    xts: *const atrest_xts,
    tweaks: Result<TweakSource<'_>, Code>,
    sector_size: usize,
    src: (*const iovec, usize),
    dst: (*const iovec, usize),
) -> atrest_status {
    guarded(|| {
        // SAFETY: the C caller's contract.
        let (key, mut lists) = unsafe { (&pointer::reference(xts)?.key, Lists::new(src, dst)?) };
        if let Ok(TweakSource::List(list)) = &tweaks
            && lists.target.overlaps_bytes((list.as_ptr().addr(), size_of_val(*list)))
        {
            return Err(Code::Overlap.into());
        }
        let tweaks = tweaks?;
        let len = lists.len();
        let (source, target) = (lists.source.as_mut(), &mut lists.target);
        // SAFETY: both lists have `len` bytes; the rest is the C caller's contract.
        unsafe { key.crypt_pieces(direction, tweaks, sector_size, source, target, len) }?;
        Ok(())
    })
}

/// The lists of a call, which are equally long and do not overlap; without a source it works in place.
pub(crate) struct Lists<'a> {
    pub(crate) source: Option<List<'a>>,
    pub(crate) target: List<'a>,
}

impl Lists<'_> {
    /// # Safety
    /// Both are NULL or hold that many pieces, which nobody changes during `'a`.
    #[inline(always)]
    pub(crate) unsafe fn new<'a>(
        src: (*const iovec, usize),
        dst: (*const iovec, usize),
    ) -> Result<Lists<'a>, Code> {
        // SAFETY: this function's contract.
        let target = unsafe { List::new(dst.0, dst.1)? };
        if target.overlaps_itself() {
            return Err(Code::Overlap);
        }
        let mut source = None;
        if src != dst {
            // SAFETY: this function's contract.
            let list = unsafe { List::new(src.0, src.1) }?;
            if list.len != target.len {
                return Err(Code::LengthMismatch);
            }
            if !list.same_pieces(&target) {
                if list.overlaps(&target) {
                    return Err(Code::Overlap);
                }
                source = Some(list);
            }
        }
        Ok(Lists { source, target })
    }

    pub(crate) fn len(&self) -> usize {
        self.target.len
    }
}

/// More pieces than these in a list that does not ascend are not compared with each other.
const COMPARED: usize = 64;

/// A list of pieces that has been looked through.
pub(crate) struct List<'a> {
    pieces: &'a [iovec],
    /// All their bytes.
    len: usize,
    /// Whether each piece lies behind the one before.
    ascending: bool,
}

impl<'a> List<'a> {
    /// # Safety
    /// `pieces` is NULL or holds `count` pieces, which nobody changes during `'a`.
    unsafe fn new(pieces: *const iovec, count: usize) -> Result<List<'a>, Code> {
        // SAFETY: this function's contract.
        let pieces = unsafe { pointer::array(pieces, count) }?;
        let (mut len, mut ascending, mut end) = (0usize, true, 0);
        for piece in pieces.iter().filter(|piece| piece.iov_len != 0) {
            pointer::check(piece.iov_base.addr(), piece.iov_len)?;
            len = len.checked_add(piece.iov_len).ok_or(Code::BufferLength)?;
            ascending &= piece.iov_base.addr() >= end;
            end = piece.end();
        }
        Ok(List { pieces, len, ascending })
    }

    fn same_pieces(&self, other: &List<'_>) -> bool {
        let same = |(a, b): (&iovec, &iovec)| a.iov_base == b.iov_base && a.iov_len == b.iov_len;
        self.pieces.len() == other.pieces.len() && self.pieces.iter().zip(other.pieces).all(same)
    }

    fn overlaps_itself(&self) -> bool {
        if self.ascending || self.pieces.len() > COMPARED {
            return false;
        }
        let others = |i: usize| self.pieces[..i].iter();
        self.pieces.iter().enumerate().any(|(i, piece)| others(i).any(|other| other.overlaps(piece)))
    }

    fn overlaps_bytes(&self, bytes: (usize, usize)) -> bool {
        self.pieces.iter().any(|piece| pointer::overlap((piece.iov_base.addr(), piece.iov_len), bytes))
    }

    fn overlaps(&self, other: &List<'_>) -> bool {
        if self.ascending && other.ascending {
            // Of two pieces that do not overlap, the one that ends first cannot overlap what follows the other.
            let (mut a, mut b) = (self.pieces, other.pieces);
            while let ([first_a, rest_a @ ..], [first_b, rest_b @ ..]) = (a, b) {
                if first_a.overlaps(first_b) {
                    return true;
                }
                if first_a.iov_len == 0 || first_b.iov_len != 0 && first_a.end() <= first_b.end() {
                    a = rest_a;
                } else {
                    b = rest_b;
                }
            }
            return false;
        }
        self.pieces.len().max(other.pieces.len()) <= COMPARED
            && self.pieces.iter().any(|a| other.pieces.iter().any(|b| a.overlaps(b)))
    }
}

impl iovec {
    /// The address behind the piece, which [`List::new`] has checked.
    fn end(&self) -> usize {
        self.iov_base.addr().wrapping_add(self.iov_len)
    }

    fn overlaps(&self, other: &iovec) -> bool {
        self.iov_len != 0
            && other.iov_len != 0
            && self.iov_base.addr() < other.end()
            && other.iov_base.addr() < self.end()
    }
}

// SAFETY: the C caller's pieces, which nobody changes meanwhile.
unsafe impl Pieces for List<'_> {
    #[inline(always)]
    fn piece(&mut self, i: usize) -> (*mut u8, usize) {
        (self.pieces[i].iov_base.cast(), self.pieces[i].iov_len)
    }
}
