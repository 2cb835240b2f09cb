//! What a backend is asked to do.

use core::marker::PhantomData;

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

/// Consecutive sectors of one size, and their tweaks. The borrow of the buffers lives as long as the job does.
///
/// Invariants, which the constructors establish and every `unsafe` block of a backend relies on:
/// - `src` is readable and `dst` writable for `sector_size * sectors` bytes;
/// - `src == dst`, or the two ranges do not overlap;
/// - `sector_size` is at least 16, `sectors` at least 1.
pub(crate) struct Job<'a> {
    pub(super) src: *const u8,
    pub(super) dst: *mut u8,
    pub(super) sector_size: usize,
    pub(super) sectors: usize,
    /// The first sector's number.
    pub(super) tweak: u128,
    /// What each sector adds to it.
    pub(super) step: u64,
    pub(super) order: ByteOrder,
    buffers: PhantomData<&'a mut [u8]>,
}

impl<'a> Job<'a> {
    /// `data` is a whole number (at least one) of sectors of at least 16 bytes.
    pub(crate) fn in_place(
        data: &'a mut [u8],
        sector_size: usize,
        tweak: u128,
        step: u64,
        order: ByteOrder,
    ) -> Job<'a> {
        let dst = data.as_mut_ptr();
        Job::new(dst, dst, data.len(), sector_size, tweak, step, order)
    }

    /// Both are a whole number (at least one) of sectors of at least 16 bytes, and equally long.
    pub(crate) fn apart(
        src: &'a [u8],
        dst: &'a mut [u8],
        sector_size: usize,
        tweak: u128,
        step: u64,
        order: ByteOrder,
    ) -> Job<'a> {
        assert_eq!(src.len(), dst.len(), "the caller checks that the buffers are equally long");
        Job::new(src.as_ptr(), dst.as_mut_ptr(), src.len(), sector_size, tweak, step, order)
    }

    fn new(
        src: *const u8,
        dst: *mut u8,
        len: usize,
        sector_size: usize,
        tweak: u128,
        step: u64,
        order: ByteOrder,
    ) -> Job<'a> {
        // A unit is the common short call, and needs no division.
        let sectors = if len == sector_size { 1 } else { len / sector_size };
        assert!(
            sector_size >= 16 && sectors >= 1 && sectors * sector_size == len,
            "the caller checks the sector size"
        );
        Job { src, dst, sector_size, sectors, tweak, step, order, buffers: PhantomData }
    }
}

/// Sector numbers as the blocks that the tweak cipher encrypts.
pub(super) struct Numbers {
    next: u128,
    step: u64,
    order: ByteOrder,
}

impl Numbers {
    pub(super) fn of(job: &Job<'_>) -> Numbers {
        Numbers { next: job.tweak, step: job.step, order: job.order }
    }

    /// The next sector's number as a block.
    #[inline(always)]
    pub(super) fn next(&mut self) -> [u8; 16] {
        let mut block = [[0; 16]];
        self.fill(&mut block);
        block[0]
    }

    /// The next sectors' numbers as blocks.
    #[inline(always)]
    pub(super) fn fill(&mut self, blocks: &mut [[u8; 16]]) {
        // Only the number after the last sector's can wrap, and nobody uses it.
        let end = self.next.wrapping_add(u128::from(self.step) * blocks.len() as u128);
        let (low, high) = (self.next as u64, (self.next >> 64) as u64);
        if self.order == ByteOrder::Little && high == (end >> 64) as u64 {
            // No carry into the upper half, as nearly always: the compiler makes vectors of this loop.
            for (i, block) in (0..).zip(blocks) {
                let low = low.wrapping_add(self.step.wrapping_mul(i));
                *block = (u128::from(high) << 64 | u128::from(low)).to_le_bytes();
            }
        } else {
            let mut number = self.next;
            for block in blocks {
                *block = match self.order {
                    ByteOrder::Little => number.to_le_bytes(),
                    ByteOrder::Big => number.to_be_bytes(),
                };
                number = number.wrapping_add(u128::from(self.step));
            }
        }
        self.next = end;
    }
}
