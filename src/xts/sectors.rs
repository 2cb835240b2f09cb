//! Batches of equally long sectors, in place or from one buffer into another.

use super::{
    error::Error,
    key::Key,
    simd::{Direction, Job, MAX_UNIT_LEN, MIN_UNIT_LEN, Numbers},
    tweak::TweakSource,
};

impl Key {
    /// Encrypts consecutive sectors in place.
    ///
    /// `sector_size` is 16 bytes to 2^20 blocks (16 MiB), any length in between: one that is not a multiple of 16 is
    /// encrypted with ciphertext stealing (IEEE Std 1619-2007, 5.3). `data` is a whole number of sectors, or empty.
    /// `tweaks` is the first sector's number, or any [`Tweaks`](crate::xts::Tweaks), or a list with a tweak for each
    /// sector: see [`TweakSource`].
    ///
    /// # Errors
    /// [`Error::SectorSize`], [`Error::DataLength`], [`Error::SectorNumberOverflow`], [`Error::SectorSizeNot512`],
    /// [`Error::TweakCount`]; `data` is then untouched.
    pub fn encrypt_sectors<'a>(
        &self,
        tweaks: impl Into<TweakSource<'a>>,
        sector_size: usize,
        data: &mut [u8],
    ) -> Result<(), Error> {
        self.sectors_in_place(Direction::Encrypt, tweaks.into(), sector_size, data)
    }

    /// Decrypts consecutive sectors in place; the reverse of [`encrypt_sectors`](Key::encrypt_sectors).
    ///
    /// # Errors
    /// As [`encrypt_sectors`](Key::encrypt_sectors).
    pub fn decrypt_sectors<'a>(
        &self,
        tweaks: impl Into<TweakSource<'a>>,
        sector_size: usize,
        data: &mut [u8],
    ) -> Result<(), Error> {
        self.sectors_in_place(Direction::Decrypt, tweaks.into(), sector_size, data)
    }

    /// Encrypts consecutive sectors from `src` into `dst`, which are equally long; as
    /// [`encrypt_sectors`](Key::encrypt_sectors) otherwise.
    ///
    /// # Errors
    /// Those of [`encrypt_sectors`](Key::encrypt_sectors), and [`Error::LengthMismatch`]; `dst` is then untouched.
    pub fn encrypt_sectors_to<'a>(
        &self,
        tweaks: impl Into<TweakSource<'a>>,
        sector_size: usize,
        src: &[u8],
        dst: &mut [u8],
    ) -> Result<(), Error> {
        self.crypt_sectors_to(Direction::Encrypt, tweaks.into(), sector_size, src, dst)
    }

    /// Decrypts consecutive sectors from `src` into `dst`; the reverse of
    /// [`encrypt_sectors_to`](Key::encrypt_sectors_to).
    ///
    /// # Errors
    /// As [`encrypt_sectors_to`](Key::encrypt_sectors_to).
    pub fn decrypt_sectors_to<'a>(
        &self,
        tweaks: impl Into<TweakSource<'a>>,
        sector_size: usize,
        src: &[u8],
        dst: &mut [u8],
    ) -> Result<(), Error> {
        self.crypt_sectors_to(Direction::Decrypt, tweaks.into(), sector_size, src, dst)
    }

    /// Inlined: for a number alone, most of what it does falls away.
    #[inline(always)]
    fn sectors_in_place(
        &self,
        direction: Direction,
        tweaks: TweakSource<'_>,
        sector_size: usize,
        data: &mut [u8],
    ) -> Result<(), Error> {
        if let Some((_, tweaks)) = check(tweaks, sector_size, data.len())? {
            self.cipher.run(direction, Job::in_place(data, sector_size, tweaks));
        }
        Ok(())
    }

    /// Encrypts or decrypts consecutive sectors in place, as [`encrypt_sectors`](Key::encrypt_sectors) and
    /// [`decrypt_sectors`](Key::decrypt_sectors) do: for callers to whom the direction is a value.
    ///
    /// # Errors
    /// As [`encrypt_sectors`](Key::encrypt_sectors).
    // One function for all tweaks.
    #[inline(never)]
    pub fn crypt_sectors(
        &self,
        direction: Direction,
        tweaks: TweakSource<'_>,
        sector_size: usize,
        data: &mut [u8],
    ) -> Result<(), Error> {
        self.sectors_in_place(direction, tweaks, sector_size, data)
    }

    /// Encrypts or decrypts consecutive sectors from `src` into `dst`, as
    /// [`encrypt_sectors_to`](Key::encrypt_sectors_to) and [`decrypt_sectors_to`](Key::decrypt_sectors_to) do.
    ///
    /// # Errors
    /// As [`encrypt_sectors_to`](Key::encrypt_sectors_to).
    pub fn crypt_sectors_to(
        &self,
        direction: Direction,
        tweaks: TweakSource<'_>,
        sector_size: usize,
        src: &[u8],
        dst: &mut [u8],
    ) -> Result<(), Error> {
        if src.len() != dst.len() {
            return Err(Error::LengthMismatch { src: src.len(), dst: dst.len() });
        }
        if let Some((_, tweaks)) = check(tweaks, sector_size, src.len())? {
            self.cipher.run(direction, Job::apart(src, dst, sector_size, tweaks));
        }
        Ok(())
    }
}

/// As `check`, where a call more is not felt.
#[cfg(feature = "rayon")]
#[inline(never)]
pub(super) fn check_apart(
    tweaks: TweakSource<'_>,
    sector_size: usize,
    len: usize,
) -> Result<Option<(usize, Numbers<'_>)>, Error> {
    check(tweaks, sector_size, len)
}

/// Checks the geometry of a call: how many sectors, and their tweaks. `None` when there is nothing to do.
#[inline(always)]
pub(super) fn check(
    tweaks: TweakSource<'_>,
    sector_size: usize,
    len: usize,
) -> Result<Option<(usize, Numbers<'_>)>, Error> {
    if !(MIN_UNIT_LEN..=MAX_UNIT_LEN).contains(&sector_size) {
        return Err(Error::SectorSize { size: sector_size });
    }
    // Sector sizes are powers of two nearly always, and a division costs as much as a short sector.
    let sectors = if sector_size.is_power_of_two() {
        if len & (sector_size - 1) != 0 {
            return Err(Error::DataLength { len, sector_size });
        }
        len >> sector_size.trailing_zeros()
    } else {
        if !len.is_multiple_of(sector_size) {
            return Err(Error::DataLength { len, sector_size });
        }
        len / sector_size
    };
    Ok(tweaks.resolve(sector_size, sectors)?.map(|numbers| (sectors, numbers)))
}
