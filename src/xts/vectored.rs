//! Batches of equally long sectors that lie in pieces of memory, as the vectors of `readv` and `writev` do.
#![allow(unsafe_code)]

#[cfg(feature = "std")]
use std::io::{IoSlice, IoSliceMut};

use super::{
    error::Error,
    key::Key,
    sectors::check,
    simd::{Direction, Pieces, run_in_pieces},
    tweak::TweakSource,
};

impl Key {
    /// Encrypts consecutive sectors in place that lie in pieces of memory, in this order.
    ///
    /// The pieces (`&mut [u8]`, or `IoSliceMut`) are cut anywhere: a sector, and even a block, may straddle any number
    /// of them, and pieces may be empty. Together they are a whole number of sectors. Sectors that lie within one piece
    /// each are about as fast as in one buffer; those that straddle pieces are copied once more, through 8 KiB of stack
    /// that are wiped. Nothing is allocated. The rest is as for [`encrypt_sectors`](Key::encrypt_sectors).
    ///
    /// ```
    /// use std::io::IoSliceMut;
    /// # let key = atrest::xts::Key::new(&core::array::from_fn::<u8, 64, _>(|i| i as u8))?;
    /// let (mut head, mut tail) = ([0; 100], [0; 924]);
    /// key.encrypt_sectors_vectored(7, 512, &mut [IoSliceMut::new(&mut head), IoSliceMut::new(&mut tail)])?;
    /// # let mut whole = [0; 1024];
    /// # key.encrypt_sectors(7, 512, &mut whole)?;
    /// # assert_eq!([&head[..], &tail].concat(), whole);
    /// # Ok::<(), atrest::xts::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`encrypt_sectors`](Key::encrypt_sectors); `data` is then untouched.
    pub fn encrypt_sectors_vectored<'a>(
        &self,
        tweaks: impl Into<TweakSource<'a>>,
        sector_size: usize,
        data: &mut [impl PieceMut],
    ) -> Result<(), Error> {
        self.vectored_in_place(Direction::Encrypt, tweaks.into(), sector_size, data)
    }

    /// Decrypts consecutive sectors in place that lie in pieces of memory; the reverse of
    /// [`encrypt_sectors_vectored`](Key::encrypt_sectors_vectored).
    ///
    /// # Errors
    /// As [`encrypt_sectors_vectored`](Key::encrypt_sectors_vectored).
    pub fn decrypt_sectors_vectored<'a>(
        &self,
        tweaks: impl Into<TweakSource<'a>>,
        sector_size: usize,
        data: &mut [impl PieceMut],
    ) -> Result<(), Error> {
        self.vectored_in_place(Direction::Decrypt, tweaks.into(), sector_size, data)
    }

    /// Encrypts consecutive sectors from the pieces `src` into the pieces `dst`, which may be cut in other places but
    /// are equally long in all; as [`encrypt_sectors_vectored`](Key::encrypt_sectors_vectored) otherwise.
    ///
    /// # Errors
    /// Those of [`encrypt_sectors`](Key::encrypt_sectors), and [`Error::LengthMismatch`]; `dst` is then untouched.
    pub fn encrypt_sectors_vectored_to<'a>(
        &self,
        tweaks: impl Into<TweakSource<'a>>,
        sector_size: usize,
        src: &[impl Piece],
        dst: &mut [impl PieceMut],
    ) -> Result<(), Error> {
        self.vectored_apart(Direction::Encrypt, tweaks.into(), sector_size, src, dst)
    }

    /// Decrypts consecutive sectors from the pieces `src` into the pieces `dst`; the reverse of
    /// [`encrypt_sectors_vectored_to`](Key::encrypt_sectors_vectored_to).
    ///
    /// # Errors
    /// As [`encrypt_sectors_vectored_to`](Key::encrypt_sectors_vectored_to).
    pub fn decrypt_sectors_vectored_to<'a>(
        &self,
        tweaks: impl Into<TweakSource<'a>>,
        sector_size: usize,
        src: &[impl Piece],
        dst: &mut [impl PieceMut],
    ) -> Result<(), Error> {
        self.vectored_apart(Direction::Decrypt, tweaks.into(), sector_size, src, dst)
    }

    fn vectored_in_place(
        &self,
        direction: Direction,
        tweaks: TweakSource<'_>,
        sector_size: usize,
        data: &mut [impl PieceMut],
    ) -> Result<(), Error> {
        let len = total(data.iter().map(|piece| piece.len()));
        // SAFETY: the slices hold `len` bytes, and exclusive borrows do not overlap.
        unsafe {
            self.crypt_pieces(
                direction,
                tweaks,
                sector_size,
                None::<&mut Sources<'_, &[u8]>>,
                &mut Targets(data),
                len,
            )
        }
    }

    fn vectored_apart(
        &self,
        direction: Direction,
        tweaks: TweakSource<'_>,
        sector_size: usize,
        src: &[impl Piece],
        dst: &mut [impl PieceMut],
    ) -> Result<(), Error> {
        let len = total(dst.iter().map(|piece| piece.len()));
        let src_len = total(src.iter().map(|piece| piece.bytes().len()));
        if src_len != len {
            return Err(Error::LengthMismatch { src: src_len, dst: len });
        }
        // SAFETY: the slices hold `len` bytes each, and exclusive borrows overlap nothing.
        unsafe {
            self.crypt_pieces(direction, tweaks, sector_size, Some(&mut Sources(src)), &mut Targets(dst), len)
        }
    }

    /// Encrypts or decrypts consecutive sectors that lie in pieces of memory which the caller describes: for bindings
    /// whose lists of pieces are not Rust's, `struct iovec` for example. In place where `src` is `None`. As
    /// [`encrypt_sectors_vectored_to`](Key::encrypt_sectors_vectored_to) otherwise.
    ///
    /// # Errors
    /// Those of [`encrypt_sectors`](Key::encrypt_sectors); no piece of `dst` is touched then.
    ///
    /// # Panics
    /// If the pieces hold fewer than `len` bytes; some may be written then.
    ///
    /// # Safety
    /// The pieces of `src` are readable and those of `dst` writable. No piece of `dst` overlaps another one, or one of
    /// `src`. Nobody else writes to `src`, or touches `dst`, during the call.
    pub unsafe fn crypt_pieces<S: Pieces, D: Pieces>(
        &self,
        direction: Direction,
        tweaks: TweakSource<'_>,
        sector_size: usize,
        src: Option<&mut S>,
        dst: &mut D,
        len: usize,
    ) -> Result<(), Error> {
        if let Some((sectors, tweaks)) = check(tweaks, sector_size, len)? {
            // SAFETY: this function's contract, and the check.
            unsafe { run_in_pieces(&self.cipher, direction, src, dst, sector_size, sectors, tweaks) };
        }
        Ok(())
    }
}

/// The same source may occur any number of times, so that the sum need not fit; no destination is that long.
fn total(lengths: impl Iterator<Item = usize>) -> usize {
    lengths.fold(0, usize::saturating_add)
}

/// Memory that may be a piece of a source: `&[u8]`, and with the feature `std` `IoSlice`.
pub trait Piece: sealed::Piece {}

/// Memory that may be a piece of data in place, or of a destination: `&mut [u8]`, and with the feature `std`
/// `IoSliceMut`.
pub trait PieceMut: sealed::PieceMut {}

/// Nobody else implements these, so that a piece is the same memory each time.
mod sealed {
    pub trait Piece {
        fn bytes(&self) -> &[u8];
    }
    pub trait PieceMut {
        fn len(&self) -> usize;
        fn bytes_mut(&mut self) -> &mut [u8];
    }
}

macro_rules! pieces {
    ($source:ty, $target:ty) => {
        impl Piece for $source {}
        impl sealed::Piece for $source {
            #[inline(always)]
            fn bytes(&self) -> &[u8] {
                self
            }
        }
        impl PieceMut for $target {}
        impl sealed::PieceMut for $target {
            #[inline(always)]
            fn len(&self) -> usize {
                <[u8]>::len(self)
            }
            #[inline(always)]
            fn bytes_mut(&mut self) -> &mut [u8] {
                self
            }
        }
    };
}
pieces!(&[u8], &mut [u8]);
#[cfg(feature = "std")]
pieces!(IoSlice<'_>, IoSliceMut<'_>);

struct Sources<'a, P>(&'a [P]);
struct Targets<'a, P>(&'a mut [P]);

// SAFETY: borrowed slices, the same each time since the traits are sealed; they are only read.
unsafe impl<P: Piece> Pieces for Sources<'_, P> {
    #[inline(always)]
    fn piece(&mut self, i: usize) -> (*mut u8, usize) {
        let piece = self.0[i].bytes();
        (piece.as_ptr().cast_mut(), piece.len())
    }
}

// SAFETY: exclusively borrowed slices, the same each time since the traits are sealed.
unsafe impl<P: PieceMut> Pieces for Targets<'_, P> {
    #[inline(always)]
    fn piece(&mut self, i: usize) -> (*mut u8, usize) {
        let piece = self.0[i].bytes_mut();
        (piece.as_mut_ptr(), piece.len())
    }
}
