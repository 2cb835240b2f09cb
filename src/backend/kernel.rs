//! The AES-XTS loop for processors with AES instructions, over any [`Vector`].
//!
//! What makes it fast at 512-byte sectors as well as on long buffers:
//! - the tweaks of up to 128 sectors are encrypted as one batch, not one 14-round chain a sector;
//! - 8 vectors are in flight, which covers the latency of the AES units twice over;
//! - a group of 8 vectors depends on the one before it by its base tweak alone, so that the processor starts the next
//!   group, and the next sector, while the last one finishes;
//! - the second tweak xor rides in the last round's key operand.
//!
//! Everything here is `#[cfg_attr(optimized, inline(always))]`: it takes the target features of the shell that it is
//! inlined into.

use core::mem::MaybeUninit;

use super::{
    anywhere::sectors_anywhere,
    group::{WIDTH, ecb},
    job::{Direction, Job, Place, Places},
    keys::{Blocks, RoundKeys, Schedule},
    tiles::{Number, tile_len, tiled_sectors},
    unit::{short_sectors, unit},
    vector::{Block, Vector},
};

/// Sectors whose numbers are encrypted together.
const BATCH: usize = 128;
/// A sector by itself, up to this length, gains nothing from tweaks that are made ahead.
const SHORT: usize = 1024;

/// From this length on, data is taken to lie in memory rather than in a cache: more than most second-level caches hold.
const FAR: usize = 2 << 20;

/// Encrypts or decrypts a job. `One` is the 128-bit form of `V`.
///
/// # Safety
/// The processor has the features of `V` and `One`.
#[cfg_attr(optimized, inline(always))]
pub(super) unsafe fn run_job<V: Vector, One: Vector>(keys: &RoundKeys, direction: Direction, job: &Job<'_>) {
    // SAFETY: this function's contract.
    unsafe {
        match direction {
            Direction::Encrypt => sectors::<V, One, false>(keys, job),
            Direction::Decrypt => sectors::<V, One, true>(keys, job),
        }
    }
}

/// Encrypts or decrypts a job.
///
/// # Safety
/// As [`run_job`].
#[cfg_attr(optimized, inline(always))]
unsafe fn sectors<V: Vector, One: Vector, const DECRYPT: bool>(keys: &RoundKeys, job: &Job<'_>) {
    let mut tweaks = Blocks::<BATCH>::new();
    let size = job.sector_size;
    let schedule = if DECRYPT { &keys.decrypt } else { &keys.encrypt };
    if job.sectors == 1 && size <= SHORT {
        // Nothing to overlap with: the shortest way counts.
        let Place { src, dst } = job.place(0);
        // SAFETY: one sector, one block.
        unsafe {
            tweaks.at(0).write(job.tweaks.number());
            if !job.encrypted {
                ecb::<One, 1>(&keys.tweak, tweaks.at(0).cast());
            }
            unit::<V, One, DECRYPT>(schedule, src, dst, size, tweaks.at(0));
        }
        return;
    }
    let mut sequence = job.tweaks;
    let mut done = 0;
    // SAFETY: by the job's invariants its sectors are inside the buffers; `count` is at most BATCH, the size of `tweaks`
    // and of `row`, whose first `count` places are written before they are read.
    unsafe {
        while done < job.sectors {
            let count = (job.sectors - done).min(BATCH);
            sequence.fill(tweaks.zeroed(count));
            if !job.encrypted {
                encrypt_numbers::<V, One>(&keys.tweak, tweaks.at(0), count);
            }
            let mut row = [const { MaybeUninit::<Place>::uninit() }; BATCH];
            let places = match job.places {
                Places::Scattered(places) => &places[done..done + count],
                Places::Row(first) => {
                    let first = first.add(size * done);
                    let sectors = (0..count).map(|i| first.add(size * i));
                    let numbers = tweaks.at(0);
                    if size.is_multiple_of(tile_len::<V>()) {
                        let tiles = size / tile_len::<V>();
                        let far = first.src == first.dst && size * job.sectors >= FAR;
                        if !V::row::<DECRYPT>(schedule, first, tiles, tiles * count, numbers, far) {
                            let then = Number::Unused;
                            tiled_sectors::<V, DECRYPT>(schedule, sectors, count, size, numbers, then);
                        }
                        &[]
                    } else if size < tile_len::<V>() && size.is_multiple_of(16) {
                        short_sectors::<V, One, DECRYPT>(schedule, first, size, numbers, count);
                        &[]
                    } else {
                        row.iter_mut().zip(sectors).for_each(|(place, sector)| _ = place.write(sector));
                        row[..count].assume_init_ref()
                    }
                }
            };
            if !places.is_empty() {
                sectors_anywhere::<V, One, DECRYPT>(schedule, places, size, tweaks.at(0));
            }
            done += count;
            sequence = sequence.skip(count);
        }
    }
}

/// Encrypts a sector number into a tweak.
///
/// # Safety
/// The processor has the features of `One`.
#[cfg_attr(optimized, inline(always))]
pub(super) unsafe fn encrypt_number<One: Vector>(keys: &RoundKeys, number: &mut Block) {
    // SAFETY: this function's contract; a block.
    unsafe { ecb::<One, 1>(&keys.tweak, number.as_mut_ptr()) }
}

/// Encrypts `count` sector numbers into tweaks, in place.
#[cfg_attr(optimized, inline(always))]
unsafe fn encrypt_numbers<V: Vector, One: Vector>(keys: &Schedule, blocks: *mut Block, count: usize) {
    // Whole vectors of uninitialised blocks would be undefined behaviour to read, so that the ladder ends in single
    // blocks, as it does for data.
    // SAFETY: the caller gives `count` initialised blocks.
    unsafe {
        let (mut p, mut left) = (blocks.cast::<u8>(), count);
        while left >= WIDTH * V::BLOCKS {
            ecb::<V, WIDTH>(keys, p);
            p = p.add(16 * WIDTH * V::BLOCKS);
            left -= WIDTH * V::BLOCKS;
        }
        if left >= 4 * V::BLOCKS {
            ecb::<V, 4>(keys, p);
            p = p.add(64 * V::BLOCKS);
            left -= 4 * V::BLOCKS;
        }
        while left >= V::BLOCKS {
            ecb::<V, 1>(keys, p);
            p = p.add(16 * V::BLOCKS);
            left -= V::BLOCKS;
        }
        while V::BLOCKS > 1 && left != 0 {
            ecb::<One, 1>(keys, p);
            p = p.add(16);
            left -= 1;
        }
    }
}
