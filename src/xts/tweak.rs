use crate::backend::{ByteOrder, Sequence};
use crate::xts::Error;

/// The tweaks of consecutive sectors: the first one's number, and how the numbers go on.
///
/// | constructor | dm-crypt's name | IEEE Std 1619 | sector i's tweak |
/// |---|---|---|---|
/// | [`plain64`](Tweaks::plain64), `u64::into` | `plain64`, with `iv_large_sectors` for sectors over 512 bytes | data unit sequence number | `first + i`, little-endian |
/// | [`plain64be`](Tweaks::plain64be) | `plain64be` | | `first + i`, big-endian in the last 8 bytes |
/// | [`plain64_in_512`](Tweaks::plain64_in_512) | `plain64` without `iv_large_sectors`, LUKS2 | | `first + i * sector_size / 512`, little-endian |
/// | [`number128`](Tweaks::number128) | | data unit sequence number | `first + i`, 128 bits, little-endian |
/// | [`number128be`](Tweaks::number128be) | | | `first + i`, 128 bits, big-endian |
///
/// One data unit under a raw 16-byte tweak is [`Key::encrypt_unit`](crate::xts::Key::encrypt_unit).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tweaks {
    first: u128,
    counting: Counting,
    order: ByteOrder,
    /// The largest number that fits.
    most: u128,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counting {
    Sectors,
    Units512,
}

impl Tweaks {
    /// Little-endian sector numbers from `first`: dm-crypt's `plain64`. Past 2^64 they carry into the upper half.
    #[must_use]
    pub const fn plain64(first: u64) -> Tweaks {
        Tweaks {
            first: first as u128,
            counting: Counting::Sectors,
            order: ByteOrder::Little,
            most: u128::MAX,
        }
    }

    /// Big-endian 64-bit sector numbers from `first`, in the tweak's last 8 bytes: dm-crypt's `plain64be`.
    #[must_use]
    pub const fn plain64be(first: u64) -> Tweaks {
        Tweaks {
            first: first as u128,
            counting: Counting::Sectors,
            order: ByteOrder::Big,
            most: u64::MAX as u128,
        }
    }

    /// Little-endian numbers that count 512-byte units from `first`, whatever the sector size: a 4096-byte sector
    /// advances them by 8. dm-crypt counts so without `iv_large_sectors`, and LUKS2 always does.
    #[must_use]
    pub const fn plain64_in_512(first: u64) -> Tweaks {
        Tweaks {
            first: first as u128,
            counting: Counting::Units512,
            order: ByteOrder::Little,
            most: u128::MAX,
        }
    }

    /// Little-endian 128-bit data unit sequence numbers from `first` (IEEE Std 1619-2007, 5.1).
    #[must_use]
    pub const fn number128(first: u128) -> Tweaks {
        Tweaks { first, counting: Counting::Sectors, order: ByteOrder::Little, most: u128::MAX }
    }

    /// Big-endian 128-bit numbers from `first`: a counter block that somebody else chose, counted up.
    #[must_use]
    pub const fn number128be(first: u128) -> Tweaks {
        Tweaks { first, counting: Counting::Sectors, order: ByteOrder::Big, most: u128::MAX }
    }

    /// The tweaks of `sectors` (at least one) of `sector_size` bytes.
    pub(super) fn resolve(self, sector_size: usize, sectors: usize) -> Result<Sequence, Error> {
        if self.counting == Counting::Units512 && !sector_size.is_multiple_of(512) {
            return Err(Error::SectorSizeNot512 { size: sector_size });
        }
        let step = self.step(sector_size);
        // Both factors are below 2^64, so that the product fits.
        let span = u128::from(step) * (sectors as u128 - 1);
        let last = self.first.checked_add(span).ok_or(Error::SectorNumberOverflow)?;
        if last > self.most {
            return Err(Error::SectorNumberOverflow);
        }
        Ok(Sequence { first: self.first, step, order: self.order })
    }

    /// Those from the sector on that comes `sectors` later, which is one that `resolve` found to fit.
    #[cfg(feature = "rayon")]
    pub(super) fn skip(self, sector_size: usize, sectors: usize) -> Tweaks {
        Tweaks { first: self.first + u128::from(self.step(sector_size)) * sectors as u128, ..self }
    }

    fn step(self, sector_size: usize) -> u64 {
        match self.counting {
            Counting::Sectors => 1,
            Counting::Units512 => sector_size as u64 / 512,
        }
    }
}

impl From<u64> for Tweaks {
    fn from(first: u64) -> Tweaks {
        Tweaks::plain64(first)
    }
}
