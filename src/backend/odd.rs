//! Sectors that end in something other than a whole tile, with ciphertext stealing or without.
//!
//! Their whole tiles take the main road. What is left of each sector goes through a queue, in which vectors of several
//! sectors fill the eight places of a group; and so do the blocks that stealing makes.

use super::{
    group::{MAX_LANES, Place, WIDTH, group_at_places},
    keys::Blocks,
    tiles::{tile_len, tiled_sectors},
    unit::lay,
    vector::{Block, Vector},
};

/// Blocks behind the last whole tile, at most: a tile less a byte, or a tile and 15 bytes where decryption keeps a block
/// back; and one more tweak for stealing. Rounded up to whole groups.
const REST: usize = 64;

/// `count` (1 to `BATCH`) sectors of any size; `numbers` holds their encrypted sector numbers, and is written over.
///
/// # Safety
/// As [`run_job`](super::kernel::run_job); source and destination hold `count` sectors.
#[cfg_attr(optimized, inline(always))]
pub(super) unsafe fn odd_sectors<
    V: Vector,
    One: Vector,
    const ROUNDS: usize,
    const DECRYPT: bool,
    const BATCH: usize,
>(
    keys: &[Block; 15],
    src: *const u8,
    dst: *mut u8,
    sector_size: usize,
    numbers: *mut Block,
    count: usize,
) {
    let tail = sector_size % 16;
    // Decryption with stealing swaps the last two tweaks, and so keeps a whole block back.
    let kept = if DECRYPT && tail != 0 { 16 } else { 0 };
    let tiled = (sector_size - tail - kept) / tile_len::<V>() * tile_len::<V>();
    let blocks = (sector_size - tail - kept - tiled) / 16;
    let needed = blocks + if tail == 0 { 0 } else { 2 };
    let stealing = Blocks::<BATCH>::new();
    let stealing_before = Blocks::<BATCH>::new();
    // SAFETY: source and destination hold `count` sectors, each of `tiled` bytes, `blocks` blocks, the block that is kept
    // and the tail; `needed` is below REST; `count` is at most BATCH.
    unsafe {
        if tiled != 0 {
            tiled_sectors::<V, ROUNDS, DECRYPT>(keys, src, dst, tiled, sector_size, numbers, count);
        }
        let mut vectors = Queue::<V, ROUNDS, DECRYPT>::new(keys);
        let mut singles = Queue::<One, ROUNDS, DECRYPT>::new(keys);
        for i in 0..count {
            let tweaks = Blocks::<REST>::new();
            let mut sequence = V::first_tweaks(numbers.add(i));
            let mut laid = 0;
            while laid < needed {
                lay::<V>(&mut sequence, tweaks.at(laid), needed - laid);
                laid += WIDTH * V::BLOCKS;
            }
            let mut at = i * sector_size + tiled;
            let mut block = 0;
            while block + V::BLOCKS <= blocks {
                vectors.push(src.add(at), dst.add(at), tweaks.at(block));
                block += V::BLOCKS;
                at += 16 * V::BLOCKS;
            }
            while V::BLOCKS > 1 && block < blocks {
                singles.push(src.add(at), dst.add(at), tweaks.at(block));
                block += 1;
                at += 16;
            }
            if tail != 0 {
                stealing_before.at(i).write(tweaks.at(blocks).read());
                if DECRYPT {
                    stealing.at(i).write(tweaks.at(blocks + 1).read());
                }
            }
        }
        vectors.flush();
        singles.flush();
        if tail == 0 {
            return;
        }
        // Ciphertext stealing (IEEE Std 1619-2007, 5.3.2 and 5.4.2), up to eight sectors at a time. `last` is where a
        // sector's last whole block starts.
        let last = sector_size - tail - 16;
        let mut done = 0;
        while done < count {
            let n = (count - done).min(WIDTH);
            let whole = Blocks::<WIDTH>::new();
            for i in 0..n {
                let at = (done + i) * sector_size + last;
                if DECRYPT {
                    singles.push(src.add(at), whole.at(i).cast(), stealing.at(done + i));
                } else {
                    dst.add(at).copy_to_nonoverlapping(whole.at(i).cast(), 16);
                }
            }
            singles.flush();
            let merged = Blocks::<WIDTH>::new();
            for i in 0..n {
                let at = (done + i) * sector_size + last;
                // The tail is read before it is written, so that `src == dst` is fine.
                merged.at(i).copy_from_nonoverlapping(whole.at(i), 1);
                src.add(at + 16).copy_to_nonoverlapping(merged.at(i).cast(), tail);
                dst.add(at + 16).copy_from_nonoverlapping(whole.at(i).cast(), tail);
                singles.push(merged.at(i).cast(), dst.add(at), stealing_before.at(done + i));
            }
            singles.flush();
            whole.wipe();
            merged.wipe();
            done += n;
        }
    }
}

/// Up to eight vectors with places of their own, encrypted or decrypted together.
struct Queue<'a, V: Vector, const ROUNDS: usize, const DECRYPT: bool> {
    keys: &'a [Block; 15],
    places: [Place; WIDTH],
    tweaks: Blocks<{ WIDTH * MAX_LANES }>,
    waiting: usize,
    vector: core::marker::PhantomData<V>,
}

impl<'a, V: Vector, const ROUNDS: usize, const DECRYPT: bool> Queue<'a, V, ROUNDS, DECRYPT> {
    #[cfg_attr(optimized, inline(always))]
    fn new(keys: &'a [Block; 15]) -> Self {
        let nowhere = Place { src: core::ptr::null(), dst: core::ptr::null_mut() };
        Queue {
            keys,
            places: [nowhere; WIDTH],
            tweaks: Blocks::new(),
            waiting: 0,
            vector: core::marker::PhantomData,
        }
    }

    /// # Safety
    /// The processor has the features of `V`. `src`, `dst` and `tweak` are good for a vector, the first two until the
    /// next `flush` at the latest.
    #[cfg_attr(optimized, inline(always))]
    unsafe fn push(&mut self, src: *const u8, dst: *mut u8, tweak: *const Block) {
        // SAFETY: `waiting` is below WIDTH; the rest by this function's contract.
        unsafe {
            V::load(tweak.cast()).store(self.tweaks.at(self.waiting * V::BLOCKS).cast());
            self.places[self.waiting % WIDTH] = Place { src, dst };
            self.waiting += 1;
            if self.waiting == WIDTH {
                self.run();
            }
        }
    }

    /// # Safety
    /// As `push`.
    #[cfg_attr(optimized, inline(always))]
    unsafe fn flush(&mut self) {
        if self.waiting != 0 {
            // SAFETY: `push` filled a place for each that waits.
            unsafe { self.run() };
        }
    }

    /// Runs a full group; the places that nobody waits in do the first one's work again, into the void.
    #[cfg_attr(optimized, inline(always))]
    unsafe fn run(&mut self) {
        let idle = self.waiting < WIDTH;
        let void = Blocks::<MAX_LANES>::new();
        // SAFETY: the first place is filled. A group reads all of its sources before it writes, so that the first
        // place's may be its destination.
        unsafe {
            for i in self.waiting..WIDTH {
                self.places[i] = Place { src: self.places[0].src, dst: void.at(0).cast() };
                V::load(self.tweaks.at(0).cast()).store(self.tweaks.at(i * V::BLOCKS).cast());
            }
            group_at_places::<V, ROUNDS, DECRYPT>(self.keys, &self.places, self.tweaks.at(0));
        }
        if idle {
            void.wipe();
        }
        self.waiting = 0;
    }
}
