//! Sectors of any size, anywhere: with or without ciphertext stealing, one behind the other or scattered.
//!
//! Whole tiles take the main road. The whole vectors behind them form one stream, which runs through in full groups
//! across the sectors' borders. Where a vector lies, and its tweaks, are found during the rounds of the group before.
//! What is left of each sector, less than a vector, is put together with that of other sectors, and so are the blocks
//! that ciphertext stealing makes.

use super::{
    group::{Between, MAX_LANES, Nothing, WIDTH, group_at_places},
    job::{Place, Sectors, double},
    keys::{Blocks, KeySchedule},
    unit::steal,
    vector::{Block, Number, Row, Vector, swap_last, tile_len},
};

/// Sectors whose ends are put together.
const ENDS: usize = 32;

/// Sectors (at least one) of any size; `numbers` holds their encrypted numbers, and is written over.
///
/// # Safety
/// As [`batches`](super::kernel::batches). Each place is good for a sector. No destination overlaps another sector.
#[cfg_attr(optimized, inline(always))]
pub(super) unsafe fn sectors_anywhere<V: Vector, const DECRYPT: bool>(
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
        _ if more_blocks => Number::Next,
        0 => Number::Unused,
        _ if DECRYPT => Number::Swapped,
        _ => Number::Next,
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

/// Does something for each sector `$i`: with `$at`, which is `$offset` bytes from its start. For sectors in a row the
/// compiler would otherwise multiply.
macro_rules! each {
    ($sectors:expr, $offset:expr, $i:ident, $at:ident, $body:block) => {
        if let Some(first) = $sectors.row() {
            let mut $at = first.add($offset);
            for $i in 0..$sectors.count {
                $body
                $at = $at.add($sectors.size);
            }
        } else {
            for $i in 0..$sectors.count {
                let $at = $sectors.place($i).add($offset);
                $body
            }
        }
    };
}

/// The same where [`Vector::has_streams`]: at most 128 sectors, behind whose numbers there are 16 blocks more. `far` and
/// `behind` as in a [`Row`].
///
/// # Safety
/// As [`sectors_anywhere`].
#[cfg_attr(optimized, inline(always))]
pub(super) unsafe fn sectors_in_rows<V: Vector>(
    keys: &KeySchedule,
    decrypt: bool,
    sectors: Sectors<'_>,
    numbers: *mut Block,
    far: bool,
    behind: usize,
) {
    if let (16, Some(at)) = (sectors.size, sectors.row()) {
        // The numbers are all the tweaks.
        // SAFETY: a block for each number.
        unsafe {
            if decrypt {
                V::whole_blocks::<true>(keys, at, numbers, sectors.count);
            } else {
                V::whole_blocks::<false>(keys, at, numbers, sectors.count);
            }
        }
        return;
    }
    // What is left behind whole vectors costs so much by itself that, where there is much of it or AES takes little, tweaks
    // that are made ahead of all data cost less.
    let (left, tail) = (sectors.size / 16 % V::BLOCKS, sectors.size % 16);
    let much_left = sectors.size < 128 || (!keys.is_long() && left == V::BLOCKS - 1);
    let laid = left != 0 && tail == 0 && sectors.size < tile_len::<V>() && much_left;
    if let (true, Some(at)) = (laid, sectors.row()) {
        // SAFETY: this function's contract.
        unsafe { V::laid_sectors(keys, decrypt, at, sectors.size, numbers, sectors.count) };
        return;
    }
    let tiles_in_sector = sectors.size / tile_len::<V>();
    let tiled = tiles_in_sector * tile_len::<V>();
    let vectors = (sectors.size - tiled) / (16 * V::BLOCKS);
    let done = tiled + 16 * V::BLOCKS * vectors;
    let then = |more_blocks| match tail {
        _ if more_blocks => Number::Next,
        0 => Number::Unused,
        _ if decrypt => Number::Swapped,
        _ => Number::Next,
    };
    // SAFETY: as in `sectors_anywhere`.
    unsafe {
        if tiles_in_sector != 0 {
            let row = Row {
                at: sectors.place(0),
                others: sectors.others(),
                tiles_in_sector,
                gap: sectors.size - tiled,
                tiles: tiles_in_sector * sectors.count,
                then: then(vectors + left != 0),
                numbers,
                far,
                behind,
            };
            let first = V::first(numbers);
            if decrypt {
                V::row::<true>(keys, first, &row);
            } else {
                V::row::<false>(keys, first, &row);
            }
        }
        if vectors != 0 {
            V::stream(keys, decrypt, sectors, tiled, vectors, numbers, then(left != 0));
        }
        if left + tail == 0 {
            return;
        }
        ends_in_planes::<V>(keys, decrypt, sectors, done, left, tail, numbers);
    }
}

/// The `left` blocks (fewer than a vector's) at `done` of each sector, and ciphertext stealing for the `tail` bytes behind
/// them. Block by block: first all sectors' first ones, whose tweaks are the numbers, so that tweaks are made for whole
/// vectors of sectors.
///
/// # Safety
/// As [`sectors_in_rows`].
#[cfg_attr(optimized, inline(always))]
unsafe fn ends_in_planes<V: Vector>(
    keys: &KeySchedule,
    decrypt: bool,
    sectors: Sectors<'_>,
    done: usize,
    left: usize,
    tail: usize,
    numbers: *mut Block,
) {
    const MOST: usize = 128;
    let blocks = Blocks::<MOST>::new();
    let tweaks = Blocks::<MOST>::new();
    let at_once = [MOST, MOST, MOST / 2, MOST / 3 / 4 * 4][left % 4];
    let dst = blocks.at(0).cast();
    let buffer = Place { src: dst, dst };
    let mut i = 0;
    // SAFETY: `left` planes of `at_once` sectors fit, also in whole groups.
    unsafe {
        while i < sectors.count {
            let some = sectors.part(i, at_once.min(sectors.count - i));
            let numbers = numbers.add(i);
            let plane = some.count.next_multiple_of(V::BLOCKS);
            // The last whole block and the one that stealing makes change their tweaks when it decrypts.
            let swapped = decrypt && tail != 0;
            if left != 0 {
                for j in 0..left {
                    each!(some, done + 16 * j, k, at, {
                        blocks.at(j * plane + k).write(at.src.cast::<Block>().read());
                    });
                    let power = if swapped && j + 1 == left { left } else { j };
                    V::times_x(numbers, tweaks.at(j * plane), some.count, power as i64);
                }
                V::groups(keys, decrypt, buffer, tweaks.at(0), left * plane);
                for j in 0..left {
                    each!(some, done + 16 * j, k, at, {
                        at.dst.cast::<Block>().write(blocks.at(j * plane + k).read());
                    });
                }
            }
            if tail != 0 {
                let power = left as i64 - i64::from(decrypt);
                if power != 0 {
                    V::times_x(numbers, numbers, some.count, power);
                }
                let whole = sectors.size - tail;
                steal_all(some, whole, tail, blocks.at(0));
                V::groups(keys, decrypt, buffer, numbers, some.count);
                each!(some, whole - 16, k, at, {
                    at.dst.cast::<Block>().write(blocks.at(k).read());
                });
            }
            i += at_once;
        }
        // Where it encrypts, ciphertext lies there.
        if decrypt {
            blocks.wipe_first(at_once.min(sectors.count).next_multiple_of(V::BLOCKS) * left.max(1));
        }
    }
}

/// [`steal`] for each sector; the blocks that it makes go to `merged`. As there: by registers.
///
/// # Safety
/// A sector holds `whole` bytes, a block at least, and 1 to 15 (`tail`) more; there is a block for each.
#[cfg_attr(optimized, inline(always))]
unsafe fn steal_all(sectors: Sectors<'_>, whole: usize, tail: usize, merged: *mut Block) {
    macro_rules! all {
        ($word:ty, $end:expr) => {
            let end = $end;
            each!(sectors, whole, i, at, {
                let Place { src, dst } = at;
                let last = dst.sub(16);
                let merged = merged.add(i).cast::<u8>();
                // Two words, which overlap where the tail is no whole number of them.
                let read = |p: *const u8| p.cast::<[u8; size_of::<$word>()]>().read();
                let write = |p: *mut u8, word| p.cast::<[u8; size_of::<$word>()]>().write(word);
                let (first, second) = (read(src), read(src.add(end)));
                let block = last.cast::<Block>().read();
                let (a, b) = (read(last), read(last.add(end)));
                write(dst, a);
                write(dst.add(end), b);
                merged.cast::<Block>().write(block);
                write(merged, first);
                write(merged.add(end), second);
            })
        };
    }
    // SAFETY: this function's contract. Each sector's tail is read before it is written.
    unsafe {
        match tail {
            8 => {
                all!(u64, 0);
            }
            9.. => {
                all!(u64, tail - 8);
            }
            4.. => {
                all!(u32, tail - 4);
            }
            2.. => {
                all!(u16, tail - 2);
            }
            _ => {
                all!(u8, 0);
            }
        }
    }
}

/// The `vectors` vectors (at least one) at `from` of each sector.
#[cfg_attr(optimized, inline(always))]
unsafe fn stream<V: Vector, const DECRYPT: bool>(
    keys: &KeySchedule,
    sectors: Sectors<'_>,
    from: usize,
    vectors: usize,
    numbers: *mut Block,
    number: Number,
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
struct Source<'a, V: Vector> {
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
    then: Number,
}

impl<'a, V: Vector> Source<'a, V> {
    /// # Safety
    /// The processor has the features of `V`; there is a sector, and a number for each.
    #[cfg_attr(optimized, inline(always))]
    unsafe fn new(
        sectors: Sectors<'a>,
        from: usize,
        vectors: usize,
        number: *mut Block,
        then: Number,
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
                Number::Unused => {}
                Number::Next => V::next_tweak(&self.tweaks, self.number),
                Number::Swapped => {
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
struct Making<'a, 'b, V: Vector> {
    source: &'a mut Source<'b, V>,
    places: &'a mut [Place; WIDTH],
    tweaks: *mut Block,
}

impl<V: Vector> Between for Making<'_, '_, V> {
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
    /// As [`sectors_anywhere`], for at most ENDS sectors.
    #[cfg_attr(optimized, inline(always))]
    unsafe fn whole_blocks<V: Vector, const DECRYPT: bool>(
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
                    // See `Number::Swapped`.
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
    /// As [`sectors_anywhere`], for at most ENDS sectors.
    #[cfg_attr(optimized, inline(always))]
    unsafe fn steal<V: Vector, const DECRYPT: bool>(
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
