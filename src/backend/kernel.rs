//! The AES-XTS loop for processors with AES instructions, over any [`Vector`].
//!
//! What makes it fast at 512-byte sectors as well as on long buffers:
//! - the tweaks of up to 128 sectors are encrypted as one batch, not one 14-round chain a sector;
//! - 8 vectors are in flight, which covers the latency of the AES units twice over;
//! - a group of 8 vectors depends on the one before it by its base tweak alone, so that the processor starts the next
//!   group, and the next sector, while the last one finishes;
//! - the second tweak xor rides in the last round's key operand.
//!
//! Everything here is `#[inline(always)]`: it takes the target features of the shell that it is inlined into.

use super::{
    job::{Job, Numbers},
    vector::{Block, Vector, unrolled},
};
use core::mem::MaybeUninit;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Vectors in flight.
const WIDTH: usize = 8;
/// Sectors whose numbers are encrypted together.
const BATCH: usize = 128;
/// The widest vector, in blocks.
const MAX_LANES: usize = 4;

/// The three key schedules of an XTS key: 11 (AES-128) or 15 (AES-256) round keys each, the rest zero.
#[derive(Zeroize, ZeroizeOnDrop)]
#[repr(C, align(64))]
pub(crate) struct RoundKeys {
    pub(super) encrypt: [Block; 15],
    /// For the equivalent inverse cipher, in the order of use.
    pub(super) decrypt: [Block; 15],
    pub(super) tweak: [Block; 15],
    /// 10 or 14.
    pub(super) rounds: u8,
}

impl RoundKeys {
    /// From key1 and key2, 16 bytes each or 32 (`None` for other lengths), by the processor's own key schedule and
    /// InvMixColumns.
    #[inline(always)]
    pub(super) fn new(
        key1: &[u8],
        key2: &[u8],
        schedule: impl Fn(&[u8], &mut [Block; 15]),
        inverse_mix_columns: impl Fn(&Block) -> Block,
    ) -> Option<RoundKeys> {
        let rounds = match (key1.len(), key2.len()) {
            (16, 16) => 10,
            (32, 32) => 14,
            _ => return None,
        };
        let mut keys =
            RoundKeys { encrypt: [[0; 16]; 15], decrypt: [[0; 16]; 15], tweak: [[0; 16]; 15], rounds };
        schedule(key1, &mut keys.encrypt);
        schedule(key2, &mut keys.tweak);
        let last = usize::from(rounds);
        keys.decrypt[0] = keys.encrypt[last];
        keys.decrypt[last] = keys.encrypt[0];
        for i in 1..last {
            keys.decrypt[i] = inverse_mix_columns(&keys.encrypt[last - i]);
        }
        Some(keys)
    }
}

/// Blocks that are written before they are read.
#[repr(C, align(64))]
struct Blocks<const N: usize>([MaybeUninit<Block>; N]);

impl<const N: usize> Blocks<N> {
    #[inline(always)]
    fn new() -> Self {
        Blocks([MaybeUninit::uninit(); N])
    }
    /// The first `count`.
    #[inline(always)]
    fn zeroed(&mut self, count: usize) -> &mut [Block] {
        let blocks = &mut self.0[..count];
        for block in blocks.iter_mut() {
            block.write([0; 16]);
        }
        // SAFETY: all of them were written just now.
        unsafe { blocks.assume_init_mut() }
    }
    #[inline(always)]
    fn at(&mut self, i: usize) -> *mut Block {
        debug_assert!(i <= N);
        self.0.as_mut_ptr().cast::<Block>().wrapping_add(i)
    }
}

/// Encrypts or decrypts a job with `ROUNDS` rounds. `One` is the 128-bit form of `V`.
///
/// # Safety
/// The processor has the features of `V` and `One`, and `keys` holds `ROUNDS` rounds.
#[inline(always)]
pub(super) unsafe fn sectors<V: Vector, One: Vector, const ROUNDS: usize, const DECRYPT: bool>(
    keys: &RoundKeys,
    job: &Job<'_>,
) {
    let mut tweaks = Blocks::<BATCH>::new();
    let mut numbers = Numbers::of(job);
    let (mut src, mut dst, mut left) = (job.src, job.dst, job.sectors);
    let schedule = if DECRYPT { &keys.decrypt } else { &keys.encrypt };
    if job.sectors == 1 && job.sector_size <= 2 * WIDTH * V::BLOCKS * 16 {
        // Nothing to overlap with: the shortest way counts.
        // SAFETY: one sector, one block.
        unsafe {
            tweaks.at(0).write(numbers.next());
            ecb::<One, 1, ROUNDS>(&keys.tweak, tweaks.at(0).cast());
            unit::<V, One, ROUNDS, DECRYPT>(schedule, src, dst, job.sector_size, tweaks.at(0));
        }
        return;
    }
    // SAFETY: by the job's invariants, `left` sectors from `src` and `dst` on are inside the buffers; `count` is at
    // most BATCH, the size of `tweaks`.
    unsafe {
        while left != 0 {
            let count = left.min(BATCH);
            numbers.fill(tweaks.zeroed(count));
            encrypt_numbers::<V, One, ROUNDS>(&keys.tweak, tweaks.at(0), count);
            if job.sector_size.is_multiple_of(tile_len::<V>()) {
                tiled_sectors::<V, ROUNDS, DECRYPT>(schedule, src, dst, job.sector_size, tweaks.at(0), count);
                src = src.add(job.sector_size * count);
                dst = dst.add(job.sector_size * count);
            } else if job.sector_size < WIDTH * V::BLOCKS * 16 && job.sector_size.is_multiple_of(16) {
                short_sectors::<V, One, ROUNDS, DECRYPT>(
                    schedule,
                    src,
                    dst,
                    job.sector_size,
                    tweaks.at(0),
                    count,
                );
                src = src.add(job.sector_size * count);
                dst = dst.add(job.sector_size * count);
            } else {
                for i in 0..count {
                    unit::<V, One, ROUNDS, DECRYPT>(schedule, src, dst, job.sector_size, tweaks.at(i));
                    src = src.add(job.sector_size);
                    dst = dst.add(job.sector_size);
                }
            }
            left -= count;
        }
    }
}

/// Encrypts `count` sector numbers into tweaks, in place.
#[inline(always)]
unsafe fn encrypt_numbers<V: Vector, One: Vector, const ROUNDS: usize>(
    keys: &[Block; 15],
    blocks: *mut Block,
    count: usize,
) {
    // Whole vectors of uninitialised blocks would be undefined behaviour to read, so that the ladder ends in single
    // blocks, as it does for data.
    // SAFETY: the caller gives `count` initialised blocks.
    unsafe {
        let (mut p, mut left) = (blocks.cast::<u8>(), count);
        while left >= WIDTH * V::BLOCKS {
            ecb::<V, WIDTH, ROUNDS>(keys, p);
            p = p.add(16 * WIDTH * V::BLOCKS);
            left -= WIDTH * V::BLOCKS;
        }
        if left >= 4 * V::BLOCKS {
            ecb::<V, 4, ROUNDS>(keys, p);
            p = p.add(64 * V::BLOCKS);
            left -= 4 * V::BLOCKS;
        }
        while left >= V::BLOCKS {
            ecb::<V, 1, ROUNDS>(keys, p);
            p = p.add(16 * V::BLOCKS);
            left -= V::BLOCKS;
        }
        while V::BLOCKS > 1 && left != 0 {
            ecb::<One, 1, ROUNDS>(keys, p);
            p = p.add(16);
            left -= 1;
        }
    }
}

/// AES-ECB of `N` vectors in place: what makes tweaks out of sector numbers.
#[inline(always)]
unsafe fn ecb<V: Vector, const N: usize, const ROUNDS: usize>(keys: &[Block; 15], blocks: *mut u8) {
    // SAFETY: the caller gives `N` vectors; `ROUNDS < 15`.
    unsafe {
        let (nothing, whitening) = (V::broadcast(&[0; 16]), V::broadcast(&keys[0]));
        let mut x = [whitening; N];
        unrolled!(I < N, {
            x[I % N] = V::enter(nothing, whitening, V::load(blocks.add(16 * V::BLOCKS * I)));
        });
        unrolled!(R < ROUNDS - 1, {
            let key = V::broadcast(&keys[(R + 1 - V::KEY_LAG) % 15]);
            for x in &mut x {
                *x = x.round::<false>(key);
            }
            V::pin(&mut x);
        });
        let (before, last) = (V::broadcast(&keys[ROUNDS - 1]), V::broadcast(&keys[ROUNDS]));
        unrolled!(I < N, {
            x[I % N].leave_numbers(before, last).store(blocks.add(16 * V::BLOCKS * I));
        });
    }
}

/// Work for the ports that AES leaves idle. (A closure would not do: it cannot be forced inline.)
trait Between {
    /// In round `round`, from 0; there are at least nine.
    ///
    /// # Safety
    /// As the function that made it.
    unsafe fn round(&mut self, round: usize);
}

struct Nothing;

impl Between for Nothing {
    #[inline(always)]
    unsafe fn round(&mut self, _: usize) {}
}

/// The tiles of consecutive sectors, one after the other.
struct Tiles<V: Vector> {
    tile: V::Tile,
    /// The tweak of the sector that `tile` belongs to.
    numbers: *const Block,
    tiles_in_sector: usize,
    left_in_sector: usize,
    /// Tiles after this one.
    left: usize,
}

impl<V: Vector> Tiles<V> {
    /// # Safety
    /// The processor has the features of `V`; `numbers` holds `sectors` tweaks.
    #[inline(always)]
    unsafe fn new(numbers: *const Block, sectors: usize, tiles_in_sector: usize) -> Self {
        // SAFETY: there is at least one sector.
        let tile = unsafe { V::first_tile(numbers) };
        let left = tiles_in_sector * sectors - 1;
        Tiles { tile, numbers, tiles_in_sector, left_in_sector: tiles_in_sector, left }
    }

    /// Goes on to the next tile, if there is one.
    #[inline(always)]
    unsafe fn advance(&mut self) {
        if self.left == 0 {
            return;
        }
        self.left -= 1;
        self.left_in_sector -= 1;
        // SAFETY: a tile is left, so that a sector that ends here has one after it.
        unsafe {
            self.tile = if self.left_in_sector == 0 {
                self.left_in_sector = self.tiles_in_sector;
                self.numbers = self.numbers.add(1);
                V::first_tile(self.numbers)
            } else {
                V::next_tile(self.tile)
            };
        }
    }
}

/// The eight steps of a tile that belong to its group `group`; after its last ones, on to the tile that follows.
struct Steps<'a, V: Vector> {
    tiles: &'a mut Tiles<V>,
    group: usize,
    out: *mut Block,
}

impl<V: Vector> Between for Steps<'_, V> {
    #[inline(always)]
    unsafe fn round(&mut self, round: usize) {
        // SAFETY: whoever made it has the features of `V` and gives `out` room for a tile.
        unsafe {
            if round < WIDTH {
                V::step(&mut self.tiles.tile, self.group * WIDTH + round, self.out);
            } else if round == WIDTH && self.group + 1 == V::TILE_GROUPS {
                self.tiles.advance();
            }
        }
    }
}

/// `N` vectors of data under tweaks that lie in memory; `between` is work for the ports that AES leaves idle.
#[inline(always)]
unsafe fn group<V: Vector, const N: usize, const ROUNDS: usize, const DECRYPT: bool>(
    keys: &[Block; 15],
    src: *const u8,
    dst: *mut u8,
    tweaks: *const Block,
    between: &mut impl Between,
) {
    let keys = untraced(keys);
    // SAFETY: the caller gives `N` vectors of source, destination and tweaks; `ROUNDS < 15`.
    unsafe {
        let whitening = V::broadcast(&keys[0]);
        let mut x = [whitening; N];
        unrolled!(I < N, {
            let tweak = V::load(tweaks.add(V::BLOCKS * I).cast());
            x[I % N] = V::enter(tweak, whitening, V::load(src.add(16 * V::BLOCKS * I)));
        });
        unrolled!(R < ROUNDS - 1, {
            let key = V::broadcast(&keys[(R + 1 - V::KEY_LAG) % 15]);
            for x in &mut x {
                *x = x.round::<DECRYPT>(key);
            }
            V::pin(&mut x);
            between.round(R);
        });
        let (before, last) = (V::broadcast(&keys[ROUNDS - 1]), V::broadcast(&keys[ROUNDS]));
        // Read once more, where they lie: the registers are needed, and a copy on the stack would cost a store each.
        let tweaks = core::ptr::from_ref(untraced(&*tweaks));
        unrolled!(I < N, {
            let tweak = V::load(tweaks.add(V::BLOCKS * I).cast());
            x[I % N].leave::<DECRYPT>(before, last, tweak).store(dst.add(16 * V::BLOCKS * I));
        });
    }
}

/// The same reference, by an address that the compiler cannot trace. It would otherwise broadcast all round keys ahead
/// of the loop and spill them, which gains nothing and leaves copies of them on the stack.
#[inline(always)]
fn untraced<T>(reference: &T) -> &T {
    let mut address = core::ptr::from_ref(reference);
    // SAFETY: a comment, no instruction; the address stays what it is, so that the reference is as good as before.
    unsafe {
        core::arch::asm!("/* {} */", inout(reg) address, options(pure, readonly, nostack, preserves_flags));
        &*address
    }
}

/// `blocks` (fewer than `WIDTH * V::BLOCKS`) blocks whose tweaks lie in memory.
#[inline(always)]
unsafe fn rest<V: Vector, One: Vector, const ROUNDS: usize, const DECRYPT: bool>(
    keys: &[Block; 15],
    mut src: *const u8,
    mut dst: *mut u8,
    mut tweaks: *const Block,
    mut blocks: usize,
) {
    macro_rules! step {
        ($vector:ty, $n:literal) => {
            group::<$vector, $n, ROUNDS, DECRYPT>(keys, src, dst, tweaks, &mut Nothing);
            src = src.add(16 * $n * <$vector>::BLOCKS);
            dst = dst.add(16 * $n * <$vector>::BLOCKS);
            tweaks = tweaks.add($n * <$vector>::BLOCKS);
            blocks -= $n * <$vector>::BLOCKS;
        };
    }
    // SAFETY: the caller gives `blocks` blocks of source, destination and tweaks, and each step takes no more.
    unsafe {
        if blocks >= 4 * V::BLOCKS {
            step!(V, 4);
        }
        if blocks >= 2 * V::BLOCKS {
            step!(V, 2);
        }
        if blocks >= V::BLOCKS {
            step!(V, 1);
        }
        while V::BLOCKS > 1 && blocks != 0 {
            step!(One, 1);
        }
    }
}

const fn tile_len<V: Vector>() -> usize {
    V::TILE_GROUPS * WIDTH * V::BLOCKS * 16
}

/// `count` (at least one) sectors of whole tiles; `numbers` holds their encrypted sector numbers.
///
/// The tweaks of each tile are made during the rounds of the one before it, across the sectors' borders.
#[inline(always)]
unsafe fn tiled_sectors<V: Vector, const ROUNDS: usize, const DECRYPT: bool>(
    keys: &[Block; 15],
    mut src: *const u8,
    mut dst: *mut u8,
    sector_size: usize,
    numbers: *const Block,
    count: usize,
) {
    const TILE: usize = 2 * WIDTH * 2;
    let group_len = WIDTH * V::BLOCKS * 16;
    let mut tweaks = Blocks::<{ 2 * TILE }>::new();
    let mut current = tweaks.at(0);
    let mut other = tweaks.at(TILE);
    let tiles_in_sector = sector_size / tile_len::<V>();
    // SAFETY: source and destination hold a tile for each turn and one more; a tile has at most TILE blocks, and the two
    // halves of `tweaks` hold one each.
    unsafe {
        let mut tiles = Tiles::<V>::new(numbers, count, tiles_in_sector);
        for step in 0..WIDTH * V::TILE_GROUPS {
            V::step(&mut tiles.tile, step, current);
        }
        tiles.advance();
        for _ in 1..tiles_in_sector * count {
            unrolled!(G < V::TILE_GROUPS, {
                let at = current.add(G * WIDTH * V::BLOCKS);
                let mut between = Steps { tiles: &mut tiles, group: G, out: other };
                group::<V, WIDTH, ROUNDS, DECRYPT>(keys, src, dst, at, &mut between);
                src = src.add(group_len);
                dst = dst.add(group_len);
            });
            core::mem::swap(&mut current, &mut other);
        }
        unrolled!(G < V::TILE_GROUPS, {
            let at = current.add(G * WIDTH * V::BLOCKS);
            let offset = G * group_len;
            group::<V, WIDTH, ROUNDS, DECRYPT>(keys, src.add(offset), dst.add(offset), at, &mut Nothing);
        });
    }
}

/// One data unit of at least 16 bytes; `tweak` is its encrypted sector number.
#[inline(always)]
unsafe fn unit<V: Vector, One: Vector, const ROUNDS: usize, const DECRYPT: bool>(
    keys: &[Block; 15],
    mut src: *const u8,
    mut dst: *mut u8,
    len: usize,
    tweak: *const Block,
) {
    let group_len = WIDTH * V::BLOCKS * 16;
    let tail = len % 16;
    // Decryption with stealing swaps the last two tweaks, and so keeps a whole block back.
    let kept = if DECRYPT && tail != 0 { 16 } else { 0 };
    let mut bulk = len - tail - kept;
    // SAFETY: `bulk + kept + tail` bytes are left in source and destination all along.
    unsafe {
        if len == 16 {
            group::<One, 1, ROUNDS, DECRYPT>(keys, src, dst, tweak, &mut Nothing);
            return;
        }
        // Stealing takes up to two tweaks past a unit's bulk, and so perhaps one vector more than a group has.
        let mut tweaks = Blocks::<{ (WIDTH + 1) * MAX_LANES }>::new();
        let mut sequence = V::first_tweaks(tweak);
        while bulk >= group_len {
            lay::<V>(&mut sequence, tweaks.at(0), WIDTH * V::BLOCKS);
            group::<V, WIDTH, ROUNDS, DECRYPT>(keys, src, dst, tweaks.at(0), &mut Nothing);
            src = src.add(group_len);
            dst = dst.add(group_len);
            bulk -= group_len;
        }
        if bulk + tail == 0 {
            return;
        }
        let needed = bulk / 16 + if tail == 0 { 0 } else { 2 };
        lay::<V>(&mut sequence, tweaks.at(0), needed);
        if needed > WIDTH * V::BLOCKS {
            V::next_tweaks::<1>(&mut sequence, tweaks.at(WIDTH * V::BLOCKS));
        }
        let blocks = bulk / 16;
        rest::<V, One, ROUNDS, DECRYPT>(keys, src, dst, tweaks.at(0), blocks);
        if tail != 0 {
            let (src, dst) = (src.add(bulk), dst.add(bulk));
            if DECRYPT {
                steal_decrypt::<One, ROUNDS>(keys, src, dst, tail, tweaks.at(blocks));
            } else {
                steal_encrypt::<One, ROUNDS>(keys, src, dst, tail, tweaks.at(blocks));
            }
        }
    }
}

/// The end of an encrypted unit (IEEE Std 1619-2007, 5.3.2): `src` and `dst` point at the tail, behind the last whole
/// block, which is encrypted already; `tweak` is the tail's.
#[inline(always)]
unsafe fn steal_encrypt<One: Vector, const ROUNDS: usize>(
    keys: &[Block; 15],
    src: *const u8,
    dst: *mut u8,
    tail: usize,
    tweak: *const Block,
) {
    // SAFETY: 16 bytes before and `tail` (1 to 15) bytes from `dst` on are writable, `tail` from `src` on readable. The
    // tail is read before it is written, so that `src == dst` is fine.
    unsafe {
        let last = dst.sub(16);
        let mut block = last.cast::<Block>().read_unaligned();
        let stolen = block;
        src.copy_to_nonoverlapping(block.as_mut_ptr(), tail);
        dst.copy_from_nonoverlapping(stolen.as_ptr(), tail);
        group::<One, 1, ROUNDS, false>(keys, block.as_ptr(), last, tweak, &mut Nothing);
    }
}

/// The end of a decrypted unit (IEEE Std 1619-2007, 5.4.2): `src` and `dst` point at the last whole block, with `tail`
/// bytes behind it; `tweaks` are that block's and the tail's.
#[inline(always)]
unsafe fn steal_decrypt<One: Vector, const ROUNDS: usize>(
    keys: &[Block; 15],
    src: *const u8,
    dst: *mut u8,
    tail: usize,
    tweaks: *const Block,
) {
    // SAFETY: `16 + tail` (1 to 15) bytes from `src` and `dst` on are inside the unit, and two tweaks are given. The
    // tail is read before it is written, so that `src == dst` is fine.
    unsafe {
        let mut block: Block = [0; 16];
        group::<One, 1, ROUNDS, true>(keys, src, block.as_mut_ptr(), tweaks.add(1), &mut Nothing);
        let stolen = block;
        src.add(16).copy_to_nonoverlapping(block.as_mut_ptr(), tail);
        dst.add(16).copy_from_nonoverlapping(stolen.as_ptr(), tail);
        group::<One, 1, ROUNDS, true>(keys, block.as_ptr(), dst, tweaks, &mut Nothing);
    }
}

/// Sectors of whole blocks that are shorter than a group: their tweaks are laid out one after the other first, so that
/// the data runs through in full groups across the sectors' borders. `numbers` holds `count` encrypted sector numbers.
#[inline(always)]
unsafe fn short_sectors<V: Vector, One: Vector, const ROUNDS: usize, const DECRYPT: bool>(
    keys: &[Block; 15],
    mut src: *const u8,
    mut dst: *mut u8,
    sector_size: usize,
    mut numbers: *const Block,
    mut count: usize,
) {
    const CAPACITY: usize = 128;
    let per_sector = sector_size / 16;
    let at_once = CAPACITY / per_sector;
    // Whole vectors are written for the last sector too.
    let mut tweaks = Blocks::<{ CAPACITY + WIDTH * MAX_LANES }>::new();
    // SAFETY: `per_sector < WIDTH * V::BLOCKS <= 32`, so that `at_once` sectors fill at most CAPACITY blocks, and the
    // last one's vectors reach at most `WIDTH * V::BLOCKS` further. Source and destination hold `count` sectors.
    unsafe {
        while count != 0 {
            let sectors = count.min(at_once);
            let mut blocks = sectors * per_sector;
            let mut laid = if per_sector == 1 { numbers } else { tweaks.at(0).cast_const() };
            if per_sector != 1 {
                for i in 0..sectors {
                    lay::<V>(&mut V::first_tweaks(numbers.add(i)), tweaks.at(i * per_sector), per_sector);
                }
            }
            numbers = numbers.add(sectors);
            count -= sectors;
            while blocks >= WIDTH * V::BLOCKS {
                group::<V, WIDTH, ROUNDS, DECRYPT>(keys, src, dst, laid, &mut Nothing);
                src = src.add(16 * WIDTH * V::BLOCKS);
                dst = dst.add(16 * WIDTH * V::BLOCKS);
                laid = laid.add(WIDTH * V::BLOCKS);
                blocks -= WIDTH * V::BLOCKS;
            }
            rest::<V, One, ROUNDS, DECRYPT>(keys, src, dst, laid, blocks);
            src = src.add(16 * blocks);
            dst = dst.add(16 * blocks);
        }
    }
}

/// Stores the tweaks of `blocks` blocks, rounded up to 1, 2, 4 or 8 vectors: a whole group's, if there are more.
#[inline(always)]
unsafe fn lay<V: Vector>(sequence: &mut V::Tweaks, to: *mut Block, blocks: usize) {
    // SAFETY: the caller leaves room for `WIDTH` vectors.
    unsafe {
        if blocks <= V::BLOCKS {
            V::next_tweaks::<1>(sequence, to);
        } else if blocks <= 2 * V::BLOCKS {
            V::next_tweaks::<2>(sequence, to);
        } else if blocks <= 4 * V::BLOCKS {
            V::next_tweaks::<4>(sequence, to);
        } else {
            V::next_tweaks::<WIDTH>(sequence, to);
        }
    }
}
