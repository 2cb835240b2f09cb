//! What a backend is asked to do.

use core::marker::PhantomData;

/// Places behind the last sector's that are read, and not used.
pub(super) const READ_AHEAD: usize = 3;
/// The longest sector that is called short, in bytes.
const SHORT: usize = 1024;

/// The shortest data unit, in bytes: one AES block.
pub const MIN_UNIT_LEN: usize = 16;
/// The longest data unit, in bytes: 2^20 AES blocks (IEEE Std 1619-2007, 5.1).
pub const MAX_UNIT_LEN: usize = 16 << 20;

/// Which way data goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums)]
pub enum Direction {
    /// From plaintext to ciphertext.
    Encrypt,
    /// From ciphertext to plaintext.
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

/// Which of a sector number's bits count from sector to sector: its lowest 32 or 64, or all. The bits above stay as the
/// first sector's number has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterWidth {
    /// 32 bits: the tweak's bytes 0 to 3, or 12 to 15 of a big-endian one.
    Bits32,
    /// 64 bits: the tweak's bytes 0 to 7, or 8 to 15 of a big-endian one.
    Bits64,
    /// 128 bits: the whole tweak.
    Bits128,
}

impl CounterWidth {
    /// The largest number of that many bits.
    pub(crate) const fn most(self) -> u128 {
        match self {
            CounterWidth::Bits32 => u32::MAX as u128,
            CounterWidth::Bits64 => u64::MAX as u128,
            CounterWidth::Bits128 => u128::MAX,
        }
    }
}

/// The numbers of consecutive sectors, which count up or down.
#[derive(Clone, Copy)]
pub(crate) struct Sequence {
    /// The first sector's number.
    pub(crate) first: u128,
    /// What each sector adds to it, modulo 2^`width`; negative ones in two's complement.
    pub(crate) step: u128,
    pub(crate) width: CounterWidth,
    pub(crate) order: ByteOrder,
}

/// A sequence whose numbers' halves count by themselves, modulo 2^64.
pub(super) struct Halves {
    pub(super) low: u64,
    pub(super) high: u64,
    pub(super) low_step: u64,
    pub(super) high_step: u64,
}

impl Sequence {
    /// A raw tweak as the number of a single sector.
    const fn raw(tweak: u128) -> Sequence {
        Sequence { first: tweak, step: 0, width: CounterWidth::Bits128, order: ByteOrder::Little }
    }

    #[inline(always)]
    fn number(self) -> [u8; 16] {
        match self.order {
            ByteOrder::Little => self.first.to_le_bytes(),
            ByteOrder::Big => self.first.to_be_bytes(),
        }
    }

    /// The first `count` numbers as halves; `None` where one of them carries from half to half, or out of 32 bits.
    #[inline(always)]
    pub(super) fn halves(&self, count: usize) -> Option<Halves> {
        let (low, high) = (self.first as u64, (self.first >> 64) as u64);
        // What the lower half adds: the signed number nearest to 0, so that a step of -1 carries as seldom as one of 1.
        let (step, limit, counter) = match self.width {
            // Halves wrap by themselves.
            CounterWidth::Bits64 => {
                return Some(Halves { low, high, low_step: self.step as u64, high_step: 0 });
            }
            CounterWidth::Bits32 => (i128::from(self.step as i32), 1 << 32, i128::from(low as u32)),
            CounterWidth::Bits128 => (i128::from(self.step as i64), 1 << 64, i128::from(low)),
        };
        let end = counter + step * count as i128;
        if !(0..limit).contains(&end) {
            return None;
        }
        let high_step = match self.width {
            CounterWidth::Bits128 => (self.step.wrapping_sub(step as u128) >> 64) as u64,
            _ => 0,
        };
        Some(Halves { low, high, low_step: step as u64, high_step })
    }

    /// The first numbers as blocks.
    #[inline(always)]
    fn fill(self, blocks: &mut [[u8; 16]]) {
        let Some(Halves { low, high, low_step, high_step }) = self.halves(blocks.len()) else {
            return self.fill_with_carries(blocks);
        };
        // The compiler makes vectors of these loops.
        let number = |i: u64| {
            let low = low.wrapping_add(low_step.wrapping_mul(i));
            let high = high.wrapping_add(high_step.wrapping_mul(i));
            u128::from(high) << 64 | u128::from(low)
        };
        match self.order {
            ByteOrder::Little => {
                for (i, block) in (0..).zip(blocks) {
                    *block = number(i).to_le_bytes();
                }
            }
            ByteOrder::Big => {
                for (i, block) in (0..).zip(blocks) {
                    *block = number(i).to_be_bytes();
                }
            }
        }
    }

    /// As `fill`, for any numbers.
    #[cold]
    #[inline(never)]
    fn fill_with_carries(mut self, blocks: &mut [[u8; 16]]) {
        for block in blocks {
            *block = self.number();
            self = self.skip(1);
        }
    }

    /// The sequence from its `count`th sector on. The numbers behind the last sector's may be any.
    #[inline(always)]
    fn skip(self, count: usize) -> Sequence {
        let counts = self.width.most();
        let counter = self.first.wrapping_add(self.step.wrapping_mul(count as u128));
        Sequence { first: self.first & !counts | counter & counts, ..self }
    }
}

/// The sectors' tweaks before they are encrypted.
#[derive(Clone, Copy)]
pub(crate) enum Numbers<'a> {
    Sequence(Sequence),
    /// One for each sector.
    List(&'a [[u8; 16]]),
}

impl<'a> Numbers<'a> {
    /// One unit under a raw tweak.
    #[inline(always)]
    pub(crate) fn raw(tweak: &[u8; 16]) -> Numbers<'a> {
        Numbers::Sequence(Sequence::raw(u128::from_le_bytes(*tweak)))
    }

    /// Whether there are enough for so many sectors.
    #[inline(always)]
    fn suffice(&self, sectors: usize) -> bool {
        match self {
            Numbers::Sequence(_) => true,
            Numbers::List(list) => list.len() >= sectors,
        }
    }

    /// The first sector's number as a block.
    ///
    /// # Panics
    /// If there is none.
    #[inline(always)]
    pub(super) fn number(&self) -> [u8; 16] {
        match self {
            Numbers::Sequence(sequence) => sequence.number(),
            Numbers::List(list) => list[0],
        }
    }

    /// The first sectors' numbers as blocks. Behind the last sector's they may be any.
    #[inline(always)]
    pub(super) fn fill(self, blocks: &mut [[u8; 16]]) {
        match self {
            Numbers::Sequence(sequence) => sequence.fill(blocks),
            Numbers::List(list) => {
                let count = blocks.len().min(list.len());
                blocks[..count].copy_from_slice(&list[..count]);
            }
        }
    }

    /// Those from the `count`th sector on, of which there may be none left.
    ///
    /// # Panics
    /// If a list has fewer than `count`.
    #[inline(always)]
    pub(crate) fn skip(self, count: usize) -> Numbers<'a> {
        match self {
            Numbers::Sequence(sequence) => Numbers::Sequence(sequence.skip(count)),
            Numbers::List(list) => Numbers::List(&list[count..]),
        }
    }
}

/// Sectors of one size, and their tweaks. The borrow of the buffers lives as long as the job
/// does.
///
/// Invariants, which the constructors establish and every `unsafe` block of a backend relies on:
/// - each sector's `src` is readable and its `dst` writable for `sector_size` bytes;
/// - a sector's `src == dst`, or the two do not overlap; and its `dst` overlaps no other sector's `src` or `dst`;
/// - `sector_size` is at least 16, `sectors` at least 1;
/// - a list of tweaks has one for each sector.
pub(crate) struct Job<'a> {
    pub(super) places: Places<'a>,
    pub(super) sector_size: usize,
    pub(super) sectors: usize,
    pub(super) tweaks: Numbers<'a>,
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
    #[inline(always)]
    pub(crate) fn in_place(data: &'a mut [u8], sector_size: usize, tweaks: Numbers<'a>) -> Job<'a> {
        let dst = data.as_mut_ptr();
        Job::row(Place { src: dst, dst }, data.len(), sector_size, tweaks)
    }

    /// Both are a whole number (at least one) of sectors of at least 16 bytes, and equally long.
    #[inline(always)]
    pub(crate) fn apart(
        src: &'a [u8],
        dst: &'a mut [u8],
        sector_size: usize,
        tweaks: Numbers<'a>,
    ) -> Job<'a> {
        assert_eq!(src.len(), dst.len(), "the caller checks that the buffers are equally long");
        Job::row(Place { src: src.as_ptr(), dst: dst.as_mut_ptr() }, src.len(), sector_size, tweaks)
    }

    #[inline(always)]
    fn row(place: Place, len: usize, sector_size: usize, tweaks: Numbers<'a>) -> Job<'a> {
        // A unit is the common short call, and needs no division.
        let sectors = if len == sector_size { 1 } else { len / sector_size };
        assert!(
            sector_size >= 16 && sectors >= 1 && sectors * sector_size == len,
            "the caller checks the sector size"
        );
        assert!(tweaks.suffice(sectors), "the caller checks that each sector has a tweak");
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
        tweaks: Numbers<'a>,
    ) -> Job<'a> {
        debug_assert!(sectors + READ_AHEAD <= places.len());
        assert!(tweaks.suffice(sectors), "the caller checks that each sector has a tweak");
        let places = Places::Scattered(places);
        Job { places, sector_size, sectors, tweaks, encrypted: false, buffers: PhantomData }
    }

    /// Part of a sector, `len` bytes, as a sector by itself under the tweak of its first block.
    ///
    /// # Safety
    /// The invariants hold for a sector of `len` bytes there.
    pub(super) unsafe fn part(place: Place, len: usize, tweak: u128) -> Job<'a> {
        let tweaks = Numbers::Sequence(Sequence::raw(tweak));
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
