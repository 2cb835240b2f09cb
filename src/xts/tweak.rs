use super::{
    error::Error,
    simd::{ByteOrder, CounterWidth, Numbers, Sequence},
};

/// The tweaks of consecutive sectors: the first one's number, and how the numbers go on.
///
/// A tweak is a number of 128 bits, written with its lowest byte first, or last where it is
/// [`big_endian`](Tweaks::big_endian). [`sequence`](Tweaks::sequence) makes any that starts somewhere and goes on by
/// equal steps; the layouts below are cases of it. They are named by what is in the bytes. All run at the same speed.
///
/// | constructor | sector i's tweak | as a sequence: first, step |
/// |---|---|---|
/// | [`plain`](Tweaks::plain) | bytes 0 to 3: `n + i` modulo 2^32 | n, 1; 32 bits, wraps |
/// | [`plain64`](Tweaks::plain64), `u64::into` | bytes 0 to 7: `n + i` | n, 1 |
/// | [`plain64be`](Tweaks::plain64be) | bytes 8 to 15: `n + i`, big-endian | n, 1; 64 bits, big-endian |
/// | [`plain64_in_512`](Tweaks::plain64_in_512) | bytes 0 to 7: `n + i * sector_size / 512` | n, 1; in units of 512 bytes |
/// | [`upper64`](Tweaks::upper64) | bytes 8 to 15: `n + i` | n * 2^64, 2^64 |
/// | [`upper64_in_512`](Tweaks::upper64_in_512) | bytes 8 to 15: `n + i * sector_size / 512` | n * 2^64, 2^64; in units of 512 bytes |
/// | [`with_complement`](Tweaks::with_complement) | bytes 0 to 7: `n + i`; bytes 8 to 15: 2^63 - 1 - that | (2^63 - 1 - n) * 2^64 + n, 1 - 2^64 |
/// | [`counter32`](Tweaks::counter32) | bytes 0 to 3: a counter; bytes 4 to 15 as given | any, 1; 32 bits |
/// | [`number128`](Tweaks::number128) | bytes 0 to 15: `n + i` | n, 1 |
/// | [`number128be`](Tweaks::number128be) | bytes 0 to 15: `n + i`, big-endian | n, 1; big-endian |
///
/// What makes sectors like that. `n` is the first sector's number there. The last column says against what this was
/// tried; with "nothing" there, the layout is as that software's source or header defines it, and no device, no volume and
/// no file of its was read.
///
/// | software | tweaks | tried against |
/// |---|---|---|
/// | IEEE Std 1619's data unit sequence numbers | `number128(n)` | its vectors |
/// | LUKS2, all sector sizes: `n` counts 512 bytes | `plain64_in_512(n)` | cryptsetup |
/// | dm-crypt `plain64`, sectors of 512 bytes | `plain64(n)` | cryptsetup |
/// | the same, larger sectors with `iv_large_sectors` | `plain64(n)` | nothing |
/// | the same without: `n` counts 512 bytes | `plain64_in_512(n)` | cryptsetup |
/// | dm-crypt `plain` | `plain(n)`; for larger sectors without `iv_large_sectors` `plain(n).in_512()` | nothing |
/// | dm-crypt `plain64be` | `plain64be(n)`; likewise | nothing |
/// | SPDK `SIMPLE_LBA` as its header defines it | `plain64(n)` | nothing |
/// | SPDK `SIMPLE_LBA` in the module `software`; ubiblk | `upper64(n)` | nothing |
/// | SPDK `JOIN_NEG_LBA_WITH_LBA` | `with_complement(n)` | nothing |
/// | SPDK `INCR_512_FULL_LBA`, each block one data unit | `plain64_in_512(n * sector_size / 512)` | nothing |
/// | SPDK `INCR_512_UPPER_LBA` (mlx5 devices), likewise | `upper64_in_512(n * sector_size / 512)` | nothing |
/// | fscrypt, a key for each file | `plain64(n)`, `n` the data unit in the file | nothing |
/// | fscrypt `IV_INO_LBLK_64` | `counter32(inode << 32 \| n)` | nothing |
/// | fscrypt `IV_INO_LBLK_32` | `plain(hashed_inode + n)` | nothing |
///
/// Where the last sector's number does not fit, a call is refused with [`Error::SectorNumberOverflow`] before it writes
/// anything; [`wrapping`](Tweaks::wrapping) sequences start over instead, and so repeat tweaks.
///
/// ```
/// use atrest::xts::{Key, Tweaks};
/// # let key = Key::new(&core::array::from_fn::<u8, 64, _>(|i| i as u8))?;
/// // Two sectors of 4096 bytes, as LUKS2 numbers them: 512-byte units from 16 on.
/// let mut sectors = [0; 2 * 4096];
/// key.encrypt_sectors(Tweaks::plain64_in_512(16), 4096, &mut sectors)?;
/// # let mut second = [0; 4096];
/// # key.encrypt_sectors(24, 4096, &mut second)?;
/// # assert_eq!(sectors[4096..], second);
/// # Ok::<(), atrest::xts::Error>(())
/// ```
///
/// Tweaks that follow no such rule are given as a list: see [`TweakSource`]. One data unit under a raw 16-byte tweak is
/// [`Key::encrypt_unit`](crate::xts::Key::encrypt_unit).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tweaks {
    first: u128,
    step: i128,
    counting: Counting,
    width: CounterWidth,
    order: ByteOrder,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counting {
    Sectors,
    Units512,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Wrap,
    /// The largest counter that fits.
    Refuse(u128),
}

impl Tweaks {
    /// Sector i's number is `first + i * step`, of which [`width`](Tweaks::width) says how many bits count: all 128, if
    /// it is not called. `step` may be negative, and 0 gives all sectors the same tweak.
    ///
    /// A call is refused whose last number is below 0 or above 2^128 - 1, or out of what the width holds. With a step of
    /// 2^64, for example, that is where the number in bytes 8 to 15 would pass 2^64 - 1.
    ///
    /// ```
    /// use atrest::xts::{CounterWidth, Key, Tweaks};
    /// # let key = Key::new(&core::array::from_fn::<u8, 64, _>(|i| i as u8))?;
    /// // A file's number in bytes 8 to 15, and the block in the file in bytes 0 to 7.
    /// let tweaks = Tweaks::sequence(77 << 64 | 5, 1).width(CounterWidth::Bits64);
    /// let mut blocks = [0; 3 * 4096];
    /// key.encrypt_sectors(tweaks, 4096, &mut blocks)?;
    /// # let mut last = [0; 4096];
    /// # key.encrypt_unit(&(77 << 64 | 7_u128).to_le_bytes(), &mut last)?;
    /// # assert_eq!(blocks[2 * 4096..], last);
    /// # Ok::<(), atrest::xts::Error>(())
    /// ```
    #[must_use]
    #[inline]
    pub const fn sequence(first: u128, step: i128) -> Tweaks {
        Tweaks {
            first,
            step,
            counting: Counting::Sectors,
            width: CounterWidth::Bits128,
            order: ByteOrder::Little,
            end: End::Refuse(u128::MAX),
        }
    }

    /// Only the lowest bits count; those above stay as the first number has them. The number that must fit, or that
    /// wraps, is then that of these bits alone, and so is what a step adds.
    #[must_use]
    #[inline]
    pub const fn width(mut self, width: CounterWidth) -> Tweaks {
        self.width = width;
        if let End::Refuse(_) = self.end {
            self.end = End::Refuse(width.most());
        }
        self
    }

    /// The numbers are written with their highest byte first.
    #[must_use]
    #[inline]
    pub const fn big_endian(mut self) -> Tweaks {
        self.order = ByteOrder::Big;
        self
    }

    /// Past the last number of its [`width`](Tweaks::width) the counter goes on at the other end, instead of a refusal.
    /// Sectors 2^32 apart in a 32-bit counter, for example, then have the same tweak, which shows whether their content
    /// is equal and lets one be put in the place of the other: for data that somebody else laid out so.
    #[must_use]
    #[inline]
    pub const fn wrapping(mut self) -> Tweaks {
        self.end = End::Wrap;
        self
    }

    /// The step is for 512 bytes, whatever the sector size: a 4096-byte sector advances the number by eight steps. The
    /// sector size must be a multiple of 512 then.
    #[must_use]
    #[inline]
    pub const fn in_512(mut self) -> Tweaks {
        self.counting = Counting::Units512;
        self
    }

    /// Little-endian 32-bit sector numbers, the lower half of `first` and on, in the tweak's first 4 bytes: dm-crypt's
    /// `plain`. They wrap: from 2 TiB on, in sectors of 512 bytes, tweaks repeat. New data has [`plain64`](Tweaks::plain64).
    #[must_use]
    #[inline]
    pub const fn plain(first: u64) -> Tweaks {
        Tweaks::sequence((first as u32) as u128, 1).width(CounterWidth::Bits32).wrapping()
    }

    /// Little-endian sector numbers from `first`: dm-crypt's `plain64`. Past 2^64 they carry into the upper half.
    #[must_use]
    #[inline]
    pub const fn plain64(first: u64) -> Tweaks {
        Tweaks::sequence(first as u128, 1)
    }

    /// Big-endian 64-bit sector numbers from `first`, in the tweak's last 8 bytes: dm-crypt's `plain64be`.
    #[must_use]
    #[inline]
    pub const fn plain64be(first: u64) -> Tweaks {
        Tweaks::sequence(first as u128, 1).width(CounterWidth::Bits64).big_endian()
    }

    /// Little-endian numbers that count 512-byte units from `first`, whatever the sector size: a 4096-byte sector
    /// advances them by 8. dm-crypt counts so without `iv_large_sectors`, and LUKS2 always does.
    #[must_use]
    #[inline]
    pub const fn plain64_in_512(first: u64) -> Tweaks {
        Tweaks::sequence(first as u128, 1).in_512()
    }

    /// Little-endian 64-bit sector numbers from `first` in bytes 8 to 15; bytes 0 to 7 are 0. They do not wrap: a call
    /// that would pass 2^64 - 1 is refused.
    #[must_use]
    #[inline]
    pub const fn upper64(first: u64) -> Tweaks {
        Tweaks::sequence((first as u128) << 64, 1 << 64)
    }

    /// As [`upper64`](Tweaks::upper64), and the numbers count 512-byte units from `first`, whatever the sector size.
    #[must_use]
    #[inline]
    pub const fn upper64_in_512(first: u64) -> Tweaks {
        Tweaks::upper64(first).in_512()
    }

    /// Little-endian sector numbers from `first` in bytes 0 to 7, and the complement of their lower 63 bits in bytes 8 to
    /// 15. For sectors below 2^63: a call with others is refused.
    #[must_use]
    #[inline]
    pub const fn with_complement(first: u64) -> Tweaks {
        const MOST: u64 = i64::MAX as u64;
        // Above 2^63 - 1 the difference has the highest bit, and is more than what fits.
        let tweaks =
            Tweaks::sequence((MOST.wrapping_sub(first) as u128) << 64 | first as u128, 1 - (1 << 64));
        Tweaks { end: End::Refuse(i128::MAX as u128), ..tweaks }
    }

    /// A little-endian counter in bytes 0 to 3; bytes 4 to 15 stay as `first` has them. A call whose counter would pass
    /// 2^32 - 1 is refused.
    #[must_use]
    #[inline]
    pub const fn counter32(first: u128) -> Tweaks {
        Tweaks::sequence(first, 1).width(CounterWidth::Bits32)
    }

    /// Little-endian 128-bit data unit sequence numbers from `first` (IEEE Std 1619-2007, 5.1).
    #[must_use]
    #[inline]
    pub const fn number128(first: u128) -> Tweaks {
        Tweaks::sequence(first, 1)
    }

    /// Big-endian 128-bit numbers from `first`: a counter block that somebody else chose, counted up.
    #[must_use]
    #[inline]
    pub const fn number128be(first: u128) -> Tweaks {
        Tweaks::sequence(first, 1).big_endian()
    }

    /// The tweaks of `sectors` (at least one) of `sector_size` bytes. Inlined, as all that leads to it: what goes through
    /// memory on the way costs as much as a short sector.
    #[inline(always)]
    fn resolve(self, sector_size: usize, sectors: usize) -> Result<Sequence, Error> {
        let Tweaks { first, step, counting, width, order, end } = self;
        let units = match counting {
            Counting::Sectors => 1,
            Counting::Units512 if sector_size.is_multiple_of(512) => sector_size as u64 / 512,
            Counting::Units512 => return Err(Error::SectorSizeNot512 { size: sector_size }),
        };
        if let End::Refuse(most) = end {
            let counter = first & width.most();
            let last = last(counter, step, units, sectors as u64 - 1).ok_or(Error::SectorNumberOverflow)?;
            if counter.max(last) > most {
                return Err(Error::SectorNumberOverflow);
            }
        }
        let step = (step as u128).wrapping_mul(u128::from(units));
        Ok(Sequence { first, step, width, order })
    }
}

/// `counter + step * units * more`, if that is a number of 128 bits. `units` is at most 2^15.
#[inline(always)]
fn last(counter: u128, step: i128, units: u64, more: u64) -> Option<u128> {
    if more == 0 {
        return Some(counter);
    }
    if let Ok(step @ 0..=0xffff) = u64::try_from(step) {
        // Nearly always: the product of factors below 2^31 and 2^64 fits.
        return counter.checked_add(u128::from(step * units) * u128::from(more));
    }
    far_last(counter, step, units, more)
}

#[cold]
#[inline(never)]
fn far_last(counter: u128, step: i128, units: u64, more: u64) -> Option<u128> {
    let span = step.unsigned_abs().checked_mul(u128::from(units))?.checked_mul(u128::from(more))?;
    if step < 0 { counter.checked_sub(span) } else { counter.checked_add(span) }
}

impl From<u64> for Tweaks {
    #[inline]
    fn from(first: u64) -> Tweaks {
        Tweaks::plain64(first)
    }
}

/// What a data call takes as its sectors' tweaks: a sequence, which a number alone and [`Tweaks`] become, or a list.
///
/// A list has one tweak for each sector, in the sectors' order: for sectors that do not follow each other on the disk,
/// and for tweaks that no rule makes. Another number of tweaks than of sectors is refused. It is as fast as a sequence.
///
/// ```
/// # let key = atrest::xts::Key::new(&core::array::from_fn::<u8, 64, _>(|i| i as u8))?;
/// let tweaks = [7_u128, 3, 1000].map(u128::to_le_bytes);
/// let mut sectors = [0; 3 * 512];
/// key.encrypt_sectors(&tweaks, 512, &mut sectors)?;
/// # let mut second = [0; 512];
/// # key.encrypt_sectors(3, 512, &mut second)?;
/// # assert_eq!(sectors[512..1024], second);
/// # Ok::<(), atrest::xts::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TweakSource<'a> {
    /// Tweaks that follow each other.
    Sequence(Tweaks),
    /// A raw tweak for each sector.
    List(&'a [[u8; 16]]),
}

impl<'a> TweakSource<'a> {
    /// The tweaks of `sectors` of `sector_size` bytes; `None` where there is no sector.
    #[inline(always)]
    pub(super) fn resolve(self, sector_size: usize, sectors: usize) -> Result<Option<Numbers<'a>>, Error> {
        Ok(match self {
            TweakSource::List(list) if list.len() != sectors => {
                return Err(Error::TweakCount { tweaks: list.len(), sectors });
            }
            _ if sectors == 0 => None,
            TweakSource::Sequence(tweaks) => Some(Numbers::Sequence(tweaks.resolve(sector_size, sectors)?)),
            TweakSource::List(list) => Some(Numbers::List(list)),
        })
    }
}

impl<T: Into<Tweaks>> From<T> for TweakSource<'_> {
    #[inline(always)]
    fn from(first: T) -> Self {
        TweakSource::Sequence(first.into())
    }
}

impl<'a> From<&'a [[u8; 16]]> for TweakSource<'a> {
    #[inline(always)]
    fn from(list: &'a [[u8; 16]]) -> Self {
        TweakSource::List(list)
    }
}

impl<'a, const N: usize> From<&'a [[u8; 16]; N]> for TweakSource<'a> {
    #[inline(always)]
    fn from(list: &'a [[u8; 16]; N]) -> Self {
        TweakSource::List(list)
    }
}
