//! One data unit by itself, and ciphertext stealing.

use super::{
    group::{MAX_LANES, Nothing, WIDTH, group, rest},
    keys::KeySchedule,
    vector::{Aes, Tiles, TweakStream, unrolled},
};
use crate::xts::simd::blocks::{Block, Blocks};

/// One data unit of at least 16 bytes; `tweak` is its encrypted sector number.
#[cfg_attr(optimized, inline(always))]
pub(crate) unsafe fn unit<V: Tiles, const DECRYPT: bool>(
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
            group::<V::One, 1, DECRYPT>(keys, src, dst, tweak, &mut Nothing);
            return;
        }
        // Stealing takes up to two tweaks past a unit's bulk, and so perhaps one vector more than a group has.
        let tweaks = Blocks::<{ (WIDTH + 1) * MAX_LANES }>::new();
        let mut sequence = V::first_tweaks(tweak);
        while bulk >= group_len {
            put_tweaks::<V>(&mut sequence, tweaks.at(0), WIDTH * V::BLOCKS);
            group::<V, WIDTH, DECRYPT>(keys, src, dst, tweaks.at(0), &mut Nothing);
            src = src.add(group_len);
            dst = dst.add(group_len);
            bulk -= group_len;
        }
        if bulk + tail == 0 {
            return;
        }
        let needed = bulk / 16 + if tail == 0 { 0 } else { 2 };
        put_tweaks::<V>(&mut sequence, tweaks.at(0), needed);
        if needed > WIDTH * V::BLOCKS {
            V::next_tweaks(&mut sequence, 0, tweaks.at(WIDTH * V::BLOCKS));
        }
        let blocks = bulk / 16;
        rest::<V, DECRYPT>(keys, src, dst, tweaks.at(0), blocks);
        if tail != 0 {
            let (src, dst) = (src.add(bulk), dst.add(bulk));
            if DECRYPT {
                steal_decrypt::<V::One>(keys, src, dst, tail, tweaks.at(blocks));
            } else {
                steal_encrypt::<V::One>(keys, src, dst, tail, tweaks.at(blocks));
            }
        }
    }
}

/// The end of an encrypted unit (IEEE Std 1619-2007, 5.3.2): `src` and `dst` point at the tail, behind the last whole
/// block, which is encrypted already; `tweak` is the tail's.
#[cfg_attr(optimized, inline(always))]
unsafe fn steal_encrypt<One: Aes>(
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
unsafe fn steal_decrypt<One: Aes>(
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
pub(crate) unsafe fn steal(mut src: *const u8, mut dst: *mut u8, tail: usize, merged: *mut Block) {
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

/// Stores the tweaks of `blocks` blocks, rounded up to 1, 2, 4 or 8 vectors: a whole group's, if there are more. Only
/// after a whole group does the sequence go on.
#[cfg_attr(optimized, inline(always))]
pub(crate) unsafe fn put_tweaks<V: TweakStream>(sequence: &mut V::Tweaks, to: *mut Block, blocks: usize) {
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
