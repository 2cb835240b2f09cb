//! One data unit by itself, short sectors, and ciphertext stealing.

use super::{
    group::{MAX_LANES, Nothing, WIDTH, group, rest},
    job::Place,
    keys::{Blocks, KeySchedule},
    vector::{Block, Vector, unrolled},
};

/// One data unit of at least 16 bytes; `tweak` is its encrypted sector number.
#[cfg_attr(optimized, inline(always))]
pub(super) unsafe fn unit<V: Vector, One: Vector, const DECRYPT: bool>(
    keys: &KeySchedule,
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
            group::<One, 1, DECRYPT>(keys, src, dst, tweak, &mut Nothing);
            return;
        }
        // Stealing takes up to two tweaks past a unit's bulk, and so perhaps one vector more than a group has.
        let tweaks = Blocks::<{ (WIDTH + 1) * MAX_LANES }>::new();
        let mut sequence = V::first_tweaks(tweak);
        while bulk >= group_len {
            lay::<V>(&mut sequence, tweaks.at(0), WIDTH * V::BLOCKS);
            group::<V, WIDTH, DECRYPT>(keys, src, dst, tweaks.at(0), &mut Nothing);
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
            V::next_tweaks(&mut sequence, 0, tweaks.at(WIDTH * V::BLOCKS));
        }
        let blocks = bulk / 16;
        rest::<V, One, DECRYPT>(keys, src, dst, tweaks.at(0), blocks);
        if tail != 0 {
            let (src, dst) = (src.add(bulk), dst.add(bulk));
            if DECRYPT {
                steal_decrypt::<One>(keys, src, dst, tail, tweaks.at(blocks));
            } else {
                steal_encrypt::<One>(keys, src, dst, tail, tweaks.at(blocks));
            }
        }
    }
}

/// The end of an encrypted unit (IEEE Std 1619-2007, 5.3.2): `src` and `dst` point at the tail, behind the last whole
/// block, which is encrypted already; `tweak` is the tail's.
#[cfg_attr(optimized, inline(always))]
unsafe fn steal_encrypt<One: Vector>(
    keys: &KeySchedule,
    src: *const u8,
    dst: *mut u8,
    tail: usize,
    tweak: *const Block,
) {
    // SAFETY: 16 bytes before and `tail` (1 to 15) bytes from `src` and `dst` on are inside the unit.
    unsafe {
        let merged = Blocks::<1>::new();
        steal(src, dst, tail, merged.at(0));
        group::<One, 1, false>(keys, merged.at(0).cast(), dst.sub(16), tweak, &mut Nothing);
        merged.wipe();
    }
}

/// The end of a decrypted unit (IEEE Std 1619-2007, 5.4.2): `src` and `dst` point at the last whole block, with `tail`
/// bytes behind it; `tweaks` are that block's and the tail's.
#[cfg_attr(optimized, inline(always))]
unsafe fn steal_decrypt<One: Vector>(
    keys: &KeySchedule,
    src: *const u8,
    dst: *mut u8,
    tail: usize,
    tweaks: *const Block,
) {
    // SAFETY: `16 + tail` (1 to 15) bytes from `src` and `dst` on are inside the unit, and two tweaks are given.
    unsafe {
        let merged = Blocks::<1>::new();
        group::<One, 1, true>(keys, src, dst, tweaks.add(1), &mut Nothing);
        steal(src.add(16), dst.add(16), tail, merged.at(0));
        group::<One, 1, true>(keys, merged.at(0).cast(), dst, tweaks, &mut Nothing);
        merged.wipe();
    }
}

/// Ciphertext stealing between its two blocks: the tail of `src` and the end of the last whole block of `dst`, which
/// has been through the cipher, make the block `merged`; that block's start becomes the tail of `dst`. The block itself
/// is left for the caller to write.
///
/// # Safety
/// `src` and `dst` point at the tail (1 to 15 bytes) of a unit, behind its last whole block.
#[cfg_attr(optimized, inline(always))]
pub(super) unsafe fn steal(mut src: *const u8, mut dst: *mut u8, tail: usize, merged: *mut Block) {
    // Through registers, up to 15 bytes: calls of `memcpy` would cost more than everything else about a tail, and what
    // is plaintext here lies nowhere but in `merged`, which the caller wipes.
    let mut start = merged.cast::<u8>();
    macro_rules! step {
        ($n:literal) => {
            if tail & $n != 0 {
                let taken = src.cast::<[u8; $n]>().read();
                dst.cast::<[u8; $n]>().write(start.cast::<[u8; $n]>().read());
                start.cast::<[u8; $n]>().write(taken);
                (src, dst, start) = (src.add($n), dst.add($n), start.add($n));
            }
        };
    }
    // SAFETY: the whole block and the tail are inside the unit, and the steps that are taken add up to `tail`. Each
    // reads of the tail before it writes there, so that `src == dst` is fine.
    unsafe {
        merged.write(dst.sub(16).cast::<Block>().read());
        step!(8);
        step!(4);
        step!(2);
        if tail & 1 != 0 {
            let taken = src.read();
            dst.write(start.read());
            start.write(taken);
        }
    }
}

/// Sectors of whole blocks that are shorter than a tile: their tweaks are laid out one after the other first, so that
/// the data runs through in full groups across the sectors' borders. `numbers` holds `count` encrypted sector numbers.
#[cfg_attr(optimized, inline(always))]
pub(super) unsafe fn short_sectors<V: Vector, const DECRYPT: bool>(
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
                    lay::<V>(&mut sequence, to, per_sector);
                    // A tile may have two groups.
                    let group = WIDTH * V::BLOCKS;
                    if V::TILE_GROUPS > 1 && per_sector > group {
                        lay::<V>(&mut sequence, to.add(group), per_sector - group);
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

/// The same with many vectors in flight (see [`Vector::has_rows`]): the tweaks are laid for more blocks than are done at
/// once, and those of a last group that is not full wait for the next sectors.
///
/// # Safety
/// The processor has the features of `V`; `numbers` holds `count` encrypted numbers, and sectors of 16 to 496 bytes lie
/// at `place`, one behind the other.
#[cfg(target_arch = "x86_64")]
#[cfg_attr(optimized, inline(always))]
pub(super) unsafe fn laid_sectors<V: Vector>(
    keys: &KeySchedule,
    decrypt: bool,
    mut place: Place,
    sector_size: usize,
    mut numbers: *const Block,
    mut count: usize,
) {
    const GROUP: usize = WIDTH * MAX_LANES;
    const CAPACITY: usize = 6 * GROUP;
    let per_sector = sector_size / 16;
    // Whole vectors are written for the last sector, too.
    let tweaks = Blocks::<{ CAPACITY + MAX_LANES }>::new();
    let mut waiting = 0;
    // SAFETY: `sectors` fill at most what is left of CAPACITY blocks, which is more than one sector takes; what waits is
    // less than a group.
    unsafe {
        while count != 0 {
            let sectors = count.min((CAPACITY - waiting) / per_sector);
            V::lay(numbers, sectors, per_sector, tweaks.at(waiting));
            numbers = numbers.add(sectors);
            count -= sectors;
            let laid = waiting + sectors * per_sector;
            waiting = if count == 0 { 0 } else { laid % GROUP };
            let blocks = laid - waiting;
            if decrypt {
                V::whole_blocks::<true>(keys, place, tweaks.at(0), blocks);
            } else {
                V::whole_blocks::<false>(keys, place, tweaks.at(0), blocks);
            }
            place = place.add(16 * blocks);
            if waiting != 0 {
                tweaks.at(0).copy_from_nonoverlapping(tweaks.at(blocks), GROUP);
            }
        }
    }
}

/// Stores the tweaks of `blocks` blocks, rounded up to 1, 2, 4 or 8 vectors: a whole group's, if there are more. Only
/// after a whole group does the sequence go on.
#[cfg_attr(optimized, inline(always))]
unsafe fn lay<V: Vector>(sequence: &mut V::Tweaks, to: *mut Block, blocks: usize) {
    macro_rules! vectors {
        ($n:expr) => {
            unrolled!(I < $n, {
                V::next_tweaks(sequence, I, to.add(V::BLOCKS * I));
            })
        };
    }
    // SAFETY: the caller leaves room for `WIDTH` vectors.
    unsafe {
        if blocks <= V::BLOCKS {
            vectors!(1);
        } else if blocks <= 2 * V::BLOCKS {
            vectors!(2);
        } else if blocks <= 4 * V::BLOCKS {
            vectors!(4);
        } else {
            vectors!(WIDTH);
            V::after_eight(sequence);
        }
    }
}
