//! What a backend is asked to do.

use core::marker::PhantomData;

/// Places behind the last sector's that are read, and not used.
pub(super) const READ_AHEAD: usize = 3;
/// The longest sector that is called short, in bytes.
const SHORT: usize = 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Encrypt,
    Decrypt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByteOrder {
    Little,
    Big,
}

/// Where a sector comes from and goes to. Assembler reads it.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Place {
    pub(super) src: *const u8,
    pub(super) dst: *mut u8,
}

impl Place {
    /// `len` bytes on.
    #[cfg_attr(optimized, inline(always))]
    pub(super) fn add(self, len: usize) -> Place {
        Place { src: self.src.wrapping_add(len), dst: self.dst.wrapping_add(len) }
    }
}

/// The tweaks of consecutive sectors.
#[derive(Clone, Copy)]
pub(crate) struct Sequence {
    /// The first sector's number.
    pub(crate) first: u128,
    /// What each sector adds to it.
    pub(crate) step: u64,
    pub(crate) order: ByteOrder,
}

impl Sequence {
    /// One unit under a raw tweak.
    pub(crate) fn raw(tweak: &[u8; 16]) -> Sequence {
        Sequence { first: u128::from_le_bytes(*tweak), step: 0, order: ByteOrder::Little }
    }

    /// The first sector's number as a block.
    #[inline(always)]
    pub(super) fn number(self) -> [u8; 16] {
        match self.order {
            ByteOrder::Little => self.first.to_le_bytes(),
            ByteOrder::Big => self.first.to_be_bytes(),
        }
    }

    /// The first sectors' numbers as blocks.
    #[inline(always)]
    pub(super) fn fill(self, blocks: &mut [[u8; 16]]) {
        let Sequence { first, step, order } = self;
        let end = self.skip(blocks.len()).first;
        let (low, high) = (first as u64, (first >> 64) as u64);
        if order == ByteOrder::Little && high == (end >> 64) as u64 {
            // No carry into the upper half, as nearly always: the compiler makes vectors of this loop.
            for (i, block) in (0..).zip(blocks) {
                let low = low.wrapping_add(step.wrapping_mul(i));
                *block = (u128::from(high) << 64 | u128::from(low)).to_le_bytes();
            }
        } else {
            let mut number = first;
            for block in blocks {
                *block = match order {
                    ByteOrder::Little => number.to_le_bytes(),
                    ByteOrder::Big => number.to_be_bytes(),
                };
                number = number.wrapping_add(u128::from(step));
            }
        }
    }

    /// The sequence from its `count`th sector on. Only the number after the last sector's can wrap, and nobody uses it.
    pub(super) fn skip(self, count: usize) -> Sequence {
        Sequence { first: self.first.wrapping_add(u128::from(self.step) * count as u128), ..self }
    }
}

/// Sectors of one size with consecutive numbers, and their tweaks. The borrow of the buffers lives as long as the job
/// does.
///
/// Invariants, which the constructors establish and every `unsafe` block of a backend relies on:
/// - each sector's `src` is readable and its `dst` writable for `sector_size` bytes;
/// - a sector's `src == dst`, or the two do not overlap; and its `dst` overlaps no other sector's `src` or `dst`;
/// - `sector_size` is at least 16, `sectors` at least 1.
pub(crate) struct Job<'a> {
    pub(super) places: Places<'a>,
    pub(super) sector_size: usize,
    pub(super) sectors: usize,
    pub(super) tweaks: Sequence,
    /// Whether the number, of a single sector, is encrypted already.
    pub(super) encrypted: bool,
    buffers: PhantomData<&'a mut [u8]>,
}

#[derive(Clone, Copy)]
pub(super) enum Places<'a> {
    /// One behind the other, from here on.
    Row(Place),
    Scattered(&'a [Place]),
}

impl<'a> Job<'a> {
    /// `data` is a whole number (at least one) of sectors of at least 16 bytes.
    pub(crate) fn in_place(data: &'a mut [u8], sector_size: usize, tweaks: Sequence) -> Job<'a> {
        let dst = data.as_mut_ptr();
        Job::row(Place { src: dst, dst }, data.len(), sector_size, tweaks)
    }

    /// Both are a whole number (at least one) of sectors of at least 16 bytes, and equally long.
    pub(crate) fn apart(src: &'a [u8], dst: &'a mut [u8], sector_size: usize, tweaks: Sequence) -> Job<'a> {
        assert_eq!(src.len(), dst.len(), "the caller checks that the buffers are equally long");
        Job::row(Place { src: src.as_ptr(), dst: dst.as_mut_ptr() }, src.len(), sector_size, tweaks)
    }

    fn row(place: Place, len: usize, sector_size: usize, tweaks: Sequence) -> Job<'a> {
        // A unit is the common short call, and needs no division.
        let sectors = if len == sector_size { 1 } else { len / sector_size };
        assert!(
            sector_size >= 16 && sectors >= 1 && sectors * sector_size == len,
            "the caller checks the sector size"
        );
        let places = Places::Row(place);
        Job { places, sector_size, sectors, tweaks, encrypted: false, buffers: PhantomData }
    }

    /// Sectors that lie anywhere.
    ///
    /// # Safety
    /// The invariants hold for the first `sectors` (at least one) of `places`, and for `sector_size`. Behind them there
    /// are READ_AHEAD more, which may be any.
    pub(super) unsafe fn scattered(
        places: &'a [Place],
        sectors: usize,
        sector_size: usize,
        tweaks: Sequence,
    ) -> Job<'a> {
        debug_assert!(sectors + READ_AHEAD <= places.len());
        let places = Places::Scattered(places);
        Job { places, sector_size, sectors, tweaks, encrypted: false, buffers: PhantomData }
    }

    /// Part of a sector, `len` bytes, as a sector by itself under the tweak of its first block.
    ///
    /// # Safety
    /// The invariants hold for a sector of `len` bytes there.
    pub(super) unsafe fn part(place: Place, len: usize, tweak: u128) -> Job<'a> {
        let tweaks = Sequence { first: tweak, step: 0, order: ByteOrder::Little };
        Job { encrypted: true, ..Job::row(place, len, len, tweaks) }
    }

    /// Whether it is a sector by itself that is so short that it gains nothing from tweaks that are made ahead.
    #[inline(always)]
    pub(super) fn is_short(&self) -> bool {
        self.sectors == 1 && self.sector_size <= SHORT
    }

    /// Whether it is a sector by itself.
    #[inline(always)]
    pub(super) fn is_one(&self) -> bool {
        self.sectors == 1
    }

    /// Whether source and destination are the same, and one behind the other.
    #[cfg_attr(optimized, inline(always))]
    pub(super) fn is_in_place(&self) -> bool {
        matches!(self.places, Places::Row(first) if first.src == first.dst)
    }

    /// Whether its sectors are one behind the other.
    #[cfg_attr(optimized, inline(always))]
    pub(super) fn is_in_a_row(&self) -> bool {
        matches!(self.places, Places::Row(_))
    }

    /// Where sector `i` lies.
    #[cfg_attr(optimized, inline(always))]
    pub(super) fn place(&self, i: usize) -> Place {
        self.batch(0, self.sectors).place(i)
    }

    /// `count` sectors from sector `from` on.
    #[cfg_attr(optimized, inline(always))]
    pub(super) fn batch(&self, from: usize, count: usize) -> Sectors<'_> {
        Sectors { places: self.places, size: self.sector_size, count: self.sectors }.part(from, count)
    }
}

/// Consecutive sectors of a job.
#[derive(Clone, Copy)]
pub(super) struct Sectors<'a> {
    places: Places<'a>,
    /// Bytes of a sector.
    pub(super) size: usize,
    pub(super) count: usize,
}

impl<'a> Sectors<'a> {
    /// `count` of them from sector `from` on.
    #[cfg_attr(optimized, inline(always))]
    pub(super) fn part(self, from: usize, count: usize) -> Sectors<'a> {
        let places = match self.places {
            Places::Row(first) => Places::Row(first.add(self.size * from)),
            Places::Scattered(places) => Places::Scattered(&places[from..from + count + READ_AHEAD]),
        };
        Sectors { places, count, ..self }
    }

    /// Where sector `i` lies.
    #[cfg_attr(optimized, inline(always))]
    pub(super) fn place(&self, i: usize) -> Place {
        match self.places {
            Places::Row(first) => first.add(self.size * i),
            Places::Scattered(places) => places[i],
        }
    }

    /// The places of all but the first one, and READ_AHEAD more; null, if they lie one behind the other.
    #[cfg_attr(optimized, inline(always))]
    pub(super) fn others(&self) -> *const Place {
        match self.places {
            Places::Row(_) => core::ptr::null(),
            Places::Scattered(places) => places[1..].as_ptr(),
        }
    }

    /// The first one's place, if they lie one behind the other.
    #[cfg_attr(optimized, inline(always))]
    pub(super) fn row(&self) -> Option<Place> {
        match self.places {
            Places::Row(first) => Some(first),
            Places::Scattered(_) => None,
        }
    }
}

/// A tweak times x in GF(2^128) (IEEE Std 1619-2007, 5.2), without a branch on it.
#[cfg_attr(optimized, inline(always))]
pub(super) fn double(tweak: u128) -> u128 {
    (tweak << 1) ^ ((tweak >> 127).wrapping_neg() & 0x87)
}
