//! Sectors of any size, anywhere: with or without ciphertext stealing, one behind the other or scattered.
//!
//! Whole tiles take the main road. The whole vectors behind them form one stream, which runs through in full groups
//! across the sectors' borders. Where a vector lies, and its tweaks, are found during the rounds of the group before.
//! What is left of each sector, less than a vector, is put together with that of other sectors, and so are the blocks
//! that ciphertext stealing makes.

use super::{
    group::{Between, MAX_LANES, Nothing, WIDTH, group_at_places},
    keys::KeySchedule,
    unit::{put_tweaks, steal},
    vector::{Tiles, TweakAfter, swap_last, tile_len},
};
use crate::xts::simd::{
    blocks::{Block, Blocks},
    job::{Place, Sectors, double},
};

/// Sectors whose ends are put together.
const ENDS: usize = 32;

/// Sectors (at least one) of any size; `numbers` holds their encrypted numbers, and is written over.
///
/// # Safety
/// As [`batches`](super::kernel::batches). Each place is good for a sector. No destination overlaps another sector.
#[cfg_attr(optimized, inline(always))]
pub(crate) unsafe fn sectors_in_tiles<V: Tiles, const DECRYPT: bool>(
    keys: &KeySchedule,
    sectors: Sectors<'_>,
    numbers: *mut Block,
) {
    let tail = sectors.size % 16;
    let tiled = sectors.size / tile_len::<V>() * tile_len::<V>();
    let vectors = (sectors.size - tiled) / (16 * V::BLOCKS);
    let done = tiled + 16 * V::BLOCKS * vectors;
    let left = (sectors.size - done) / 16;
    // What a sector's number becomes, behind its tiles and again behind its vectors.
    let then = |more_blocks| match tail {
        _ if more_blocks => TweakAfter::Next,
        0 => TweakAfter::Unused,
        _ if DECRYPT => TweakAfter::Swapped,
        _ => TweakAfter::Next,
    };
    // SAFETY: a sector holds its tiles, `vectors` vectors, `left` blocks and the tail, in this order; there is a number
    // for each sector.
    unsafe {
        if tiled != 0 {
            V::tiled_sectors::<DECRYPT>(keys, sectors, tiled, numbers, then(vectors + left != 0));
        }
        if vectors != 0 {
            stream::<V, DECRYPT>(keys, sectors, tiled, vectors, numbers, then(left != 0));
        }
        if left + tail == 0 {
            return;
        }
        let ends = Ends::new();
        for i in (0..sectors.count).step_by(ENDS) {
            let some = sectors.part(i, ENDS.min(sectors.count - i));
            if left != 0 {
                ends.whole_blocks::<V, DECRYPT>(keys, some, done, left, tail != 0, numbers.add(i));
            }
            if tail != 0 {
                ends.steal::<V, DECRYPT>(keys, some, tail, numbers.add(i));
            }
        }
        ends.blocks.wipe_first(ENDS.min(sectors.count) * left.max(1));
    }
}

/// Sectors of whole blocks that are shorter than a tile: their tweaks are laid out one after the other first, so that
/// the data runs through in full groups across the sectors' borders. `numbers` holds `count` encrypted sector numbers.
#[cfg_attr(optimized, inline(always))]
pub(crate) unsafe fn short_sectors<V: Tiles, const DECRYPT: bool>(
    keys: &KeySchedule,
    first: Place,
    sector_size: usize,
    mut numbers: *const Block,
    mut count: usize,
) {
    const CAPACITY: usize = 128;
    let mut place = first;
    let per_sector = sector_size / 16;
    let at_once = CAPACITY / per_sector;
    // Whole vectors are written for the last sector too.
    let tweaks = Blocks::<{ CAPACITY + WIDTH * MAX_LANES }>::new();
    // SAFETY: `per_sector` is below a tile's 32 blocks, so that `at_once` sectors fill at most CAPACITY blocks, and the
    // last one's vectors reach at most `WIDTH * V::BLOCKS` further. Source and destination hold `count` sectors.
    unsafe {
        while count != 0 {
            let sectors = count.min(at_once);
            let blocks = sectors * per_sector;
            let laid = if per_sector == 1 { numbers } else { tweaks.at(0).cast_const() };
            if per_sector != 1 {
                for i in 0..sectors {
                    let mut sequence = V::first_tweaks(numbers.add(i));
                    let to = tweaks.at(i * per_sector);
                    put_tweaks::<V>(&mut sequence, to, per_sector);
                    // A tile may have two groups.
                    let group = WIDTH * V::BLOCKS;
                    if V::TILE_GROUPS > 1 && per_sector > group {
                        put_tweaks::<V>(&mut sequence, to.add(group), per_sector - group);
                    }
                }
            }
            numbers = numbers.add(sectors);
            count -= sectors;
            V::whole_blocks::<DECRYPT>(keys, place, laid, blocks);
            place = place.add(16 * blocks);
        }
    }
}

/// The `vectors` vectors (at least one) at `from` of each sector.
#[cfg_attr(optimized, inline(always))]
unsafe fn stream<V: Tiles, const DECRYPT: bool>(
    keys: &KeySchedule,
    sectors: Sectors<'_>,
    from: usize,
    vectors: usize,
    numbers: *mut Block,
    number: TweakAfter,
) {
    const GROUP: usize = WIDTH * MAX_LANES;
    let tweaks = Blocks::<{ 2 * GROUP }>::new();
    let nowhere = Place { src: core::ptr::null(), dst: core::ptr::null_mut() };
    let mut places = [[nowhere; WIDTH]; 2];
    let mut left = vectors * sectors.count;
    // Pointers that change places: with an index, the compiler chooses anew for each vector.
    let [now, next] = &mut places;
    let (mut now, mut next) = ((now, tweaks.at(0)), (next, tweaks.at(GROUP)));
    // SAFETY: there are as many vectors as `left` says, and the source makes places and tweaks for each, a group ahead.
    // All sources of a group are read before anything is written.
    unsafe {
        let mut source = Source::<V>::new(sectors, from, vectors, numbers, number);
        for i in 0..WIDTH.min(left) {
            now.0[i % WIDTH] = source.next(now.1.add(i * V::BLOCKS));
        }
        while left >= WIDTH {
            let mut between = Making { source: &mut source, places: &mut *next.0, tweaks: next.1 };
            group_at_places::<V, WIDTH, DECRYPT>(keys, &*now.0, now.1, &mut between);
            core::mem::swap(&mut now, &mut next);
            left -= WIDTH;
        }
        let (places, tweaks) = now;
        let mut i = 0;
        macro_rules! step {
            ($n:literal) => {
                if left & $n != 0 {
                    let tweaks = tweaks.add(i * V::BLOCKS);
                    group_at_places::<V, $n, DECRYPT>(keys, &places[i..], tweaks, &mut Nothing);
                    i += $n;
                }
            };
        }
        step!(4);
        step!(2);
        step!(1);
        debug_assert_eq!(i, left);
    }
}

/// The vectors of consecutive sectors, and their tweaks, one after the other.
struct Source<'a, V: Tiles> {
    tweaks: V::Tweaks,
    /// Vectors since the sector began, modulo `WIDTH`.
    step: usize,
    /// Where in a sector the vectors begin.
    from: usize,
    at: Place,
    left_in_sector: usize,
    vectors: usize,
    sectors: Sectors<'a>,
    /// The sectors after this one begin here.
    next: usize,
    /// This sector's number, and what becomes of it.
    number: *mut Block,
    then: TweakAfter,
}

impl<'a, V: Tiles> Source<'a, V> {
    /// # Safety
    /// The processor has the features of `V`; there is a sector, and a number for each.
    #[cfg_attr(optimized, inline(always))]
    unsafe fn new(
        sectors: Sectors<'a>,
        from: usize,
        vectors: usize,
        number: *mut Block,
        then: TweakAfter,
    ) -> Self {
        // SAFETY: this function's contract.
        let tweaks = unsafe { V::first_tweaks(number) };
        let at = sectors.place(0).add(from);
        Source { tweaks, step: 0, from, at, left_in_sector: vectors, vectors, sectors, next: 1, number, then }
    }

    /// Where the next vector lies; its tweaks go to `out`. After the last one, what it answers means nothing.
    ///
    /// # Safety
    /// As `new`; `out` has room for a vector.
    #[cfg_attr(optimized, inline(always))]
    unsafe fn next(&mut self, out: *mut Block) -> Place {
        let at = self.at;
        self.at = at.add(16 * V::BLOCKS);
        self.left_in_sector = self.left_in_sector.wrapping_sub(1);
        // SAFETY: this function's contract.
        unsafe {
            V::next_tweaks(&mut self.tweaks, self.step, out);
            self.step += 1;
            if self.left_in_sector == 0 {
                self.next_sector(out);
            } else if self.step == WIDTH {
                self.step = 0;
                V::after_eight(&mut self.tweaks);
            }
        }
        at
    }

    #[cfg_attr(optimized, inline(always))]
    unsafe fn next_sector(&mut self, last: *mut Block) {
        // SAFETY: there is a number for each sector; `last` is its last vector of tweaks.
        unsafe {
            match self.then {
                TweakAfter::Unused => {}
                TweakAfter::Next => V::next_tweak(&self.tweaks, self.number),
                TweakAfter::Swapped => {
                    V::next_tweak(&self.tweaks, self.number);
                    swap_last::<V>(last, self.number);
                }
            }
            self.step = 0;
            if self.next < self.sectors.count {
                self.at = self.sectors.place(self.next).add(self.from);
                self.next += 1;
                self.left_in_sector = self.vectors;
                self.number = self.number.add(1);
                self.tweaks = V::first_tweaks(self.number);
            }
        }
    }
}

/// Makes the next group's places and tweaks.
struct Making<'a, 'b, V: Tiles> {
    source: &'a mut Source<'b, V>,
    places: &'a mut [Place; WIDTH],
    tweaks: *mut Block,
}

impl<V: Tiles> Between for Making<'_, '_, V> {
    #[cfg_attr(optimized, inline(always))]
    unsafe fn round(&mut self, round: usize) {
        if round < WIDTH {
            // SAFETY: whoever made it has the features of `V` and gives room for a group's tweaks.
            self.places[round] = unsafe { self.source.next(self.tweaks.add(round * V::BLOCKS)) };
        }
    }
}

/// Room for the ends of sectors.
struct Ends {
    blocks: Blocks<{ ENDS * MAX_LANES }>,
    tweaks: Blocks<{ ENDS * MAX_LANES }>,
}

impl Ends {
    #[cfg_attr(optimized, inline(always))]
    fn new() -> Ends {
        Ends { blocks: Blocks::new(), tweaks: Blocks::new() }
    }

    /// The blocks, to be worked on in place.
    #[cfg_attr(optimized, inline(always))]
    fn blocks(&self) -> Place {
        let dst = self.blocks.at(0).cast();
        Place { src: dst, dst }
    }

    /// The `count` (at least one, less than a vector's) blocks at `done` of each sector, the first of which has the
    /// sector's number as tweak. With stealing, that becomes the tweak of the block that stealing makes.
    ///
    /// # Safety
    /// As [`sectors_in_tiles`], for at most ENDS sectors.
    #[cfg_attr(optimized, inline(always))]
    unsafe fn whole_blocks<V: Tiles, const DECRYPT: bool>(
        &self,
        keys: &KeySchedule,
        sectors: Sectors<'_>,
        done: usize,
        count: usize,
        stealing: bool,
        numbers: *mut Block,
    ) {
        // SAFETY: by this function's contract `count * sectors.count` blocks fit.
        unsafe {
            for i in 0..sectors.count {
                let sector = sectors.place(i);
                let mut tweak = load(numbers.add(i).cast());
                let mut before = tweak;
                let (blocks, tweaks) = (self.blocks.at(i * count), self.tweaks.at(i * count));
                for j in 0..count {
                    blocks.add(j).copy_from(sector.src.add(done + 16 * j).cast(), 1);
                    store(tweak, tweaks.add(j).cast());
                    before = tweak;
                    tweak = double(tweak);
                }
                if DECRYPT && stealing {
                    // See `TweakAfter::Swapped`.
                    store(tweak, tweaks.add(count).sub(1).cast());
                    tweak = before;
                }
                store(tweak, numbers.add(i).cast());
            }
            V::whole_blocks::<DECRYPT>(keys, self.blocks(), self.tweaks.at(0), count * sectors.count);
            for i in 0..sectors.count {
                let sector = sectors.place(i);
                for j in 0..count {
                    sector.dst.add(done + 16 * j).cast::<Block>().copy_from(self.blocks.at(i * count + j), 1);
                }
            }
        }
    }

    /// Ciphertext stealing (IEEE Std 1619-2007, 5.3.2 and 5.4.2) for sectors whose whole blocks are done; the numbers
    /// are the tweaks of the blocks that it makes.
    ///
    /// # Safety
    /// As [`sectors_in_tiles`], for at most ENDS sectors.
    #[cfg_attr(optimized, inline(always))]
    unsafe fn steal<V: Tiles, const DECRYPT: bool>(
        &self,
        keys: &KeySchedule,
        sectors: Sectors<'_>,
        tail: usize,
        numbers: *const Block,
    ) {
        // SAFETY: a sector holds a whole block and the tail.
        unsafe {
            let whole = sectors.size - tail;
            for i in 0..sectors.count {
                let Place { src, dst } = sectors.place(i).add(whole);
                steal(src, dst, tail, self.blocks.at(i));
            }
            V::whole_blocks::<DECRYPT>(keys, self.blocks(), numbers, sectors.count);
            for i in 0..sectors.count {
                let last = sectors.place(i).dst.add(whole - 16);
                last.cast::<Block>().copy_from(self.blocks.at(i), 1);
            }
        }
    }
}

#[cfg_attr(optimized, inline(always))]
unsafe fn load(block: *const u8) -> u128 {
    // SAFETY: the caller's block.
    u128::from_le_bytes(unsafe { block.cast::<Block>().read() })
}

#[cfg_attr(optimized, inline(always))]
unsafe fn store(number: u128, block: *mut u8) {
    // SAFETY: the caller's block.
    unsafe { block.cast::<Block>().write(number.to_le_bytes()) }
}
