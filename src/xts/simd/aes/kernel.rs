//! The AES-XTS loop for processors with AES instructions, over any vector that has [`Tiles`].
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

use super::{
    group::{WIDTH, ecb},
    keys::{KeySchedule, RoundKeys},
    sectors::{sectors_in_tiles, short_sectors},
    unit::unit,
    vector::{Aes, Row, Tiles, TweakAfter, tile_len},
};
use crate::xts::simd::{
    blocks::{Block, Blocks},
    job::{Direction, Job, Place, READ_AHEAD, Sectors},
};

/// Sectors whose numbers are encrypted together.
pub(crate) const BATCH: usize = 128;
/// From this length on, data is taken to lie in memory rather than in a cache: more than most second-level caches hold.
pub(crate) const FAR: usize = 2 << 20;

/// A shell: the function of that name of this folder, in `$module`, with a backend's processor features.
macro_rules! shell {
    ($module:ident::$name:ident, $vector:ty, $features:literal) => {
        #[target_feature(enable = $features)]
        unsafe fn $name(
            keys: &$crate::xts::simd::aes::keys::RoundKeys,
            direction: $crate::xts::simd::job::Direction,
            job: &$crate::xts::simd::job::Job<'_>,
        ) {
            // SAFETY: the features are this function's own.
            unsafe {
                $crate::xts::simd::aes::$module::$name::<$vector>(keys, direction, job);
                <$vector as $crate::xts::simd::aes::vector::Tiles>::clear_registers();
            }
        }
    };
}
pub(crate) use shell;

/// The shells of a backend: functions that carry its processor features, into which everything else is inlined, and
/// `$run`, which chooses one. A sector by itself has one of its own, which needs little stack and saves few registers.
macro_rules! shells {
    ($run:ident, $vector:ty, $features:literal) => {
        /// Encrypts or decrypts a job.
        ///
        /// # Safety
        /// The processor has the features that the shells enable.
        #[inline(always)]
        pub(crate) unsafe fn $run(
            keys: &$crate::xts::simd::aes::keys::RoundKeys,
            direction: $crate::xts::simd::job::Direction,
            job: &$crate::xts::simd::job::Job<'_>,
        ) {
            // SAFETY: this function's contract.
            unsafe {
                if job.is_short() {
                    one_sector(keys, direction, job);
                } else if job.is_one() {
                    one_long_sector(keys, direction, job);
                } else {
                    batches(keys, direction, job);
                }
            }
        }

        $crate::xts::simd::aes::kernel::shell!(kernel::one_sector, $vector, $features);
        $crate::xts::simd::aes::kernel::shell!(kernel::batches, $vector, $features);

        #[target_feature(enable = $features)]
        unsafe fn one_long_sector(
            keys: &$crate::xts::simd::aes::keys::RoundKeys,
            direction: $crate::xts::simd::job::Direction,
            job: &$crate::xts::simd::job::Job<'_>,
        ) {
            // SAFETY: the features are this function's own.
            unsafe {
                if let Some(rest) =
                    $crate::xts::simd::aes::kernel::one_long_sector::<$vector>(keys, direction, job)
                {
                    one_sector(keys, direction, &rest);
                }
            }
        }

        #[target_feature(enable = $features)]
        #[inline(never)]
        pub(crate) unsafe fn whole_blocks<const DECRYPT: bool>(
            keys: &$crate::xts::simd::aes::keys::KeySchedule,
            place: $crate::xts::simd::job::Place,
            tweaks: *const $crate::xts::simd::blocks::Block,
            blocks: usize,
        ) {
            // SAFETY: the features are this function's own.
            unsafe {
                $crate::xts::simd::aes::group::whole_blocks::<$vector, DECRYPT>(keys, place, tweaks, blocks)
            }
        }
    };
}
pub(crate) use shells;

/// Encrypts or decrypts a short sector by itself (`Job::is_short`): nothing to overlap with, and the shortest way
/// counts.
///
/// # Safety
/// The processor has the features of `V`.
#[cfg_attr(optimized, inline(always))]
pub(crate) unsafe fn one_sector<V: Tiles>(keys: &RoundKeys, direction: Direction, job: &Job<'_>) {
    // SAFETY: this function's contract.
    unsafe {
        match direction {
            Direction::Encrypt => sector::<V, false>(keys, &keys.encrypt, job),
            Direction::Decrypt => sector::<V, true>(keys, &keys.decrypt, job),
        }
    }
}

#[cfg_attr(optimized, inline(always))]
unsafe fn sector<V: Tiles, const DECRYPT: bool>(keys: &RoundKeys, schedule: &KeySchedule, job: &Job<'_>) {
    let tweak = Blocks::<1>::new();
    let Place { src, dst } = job.place(0);
    // SAFETY: the features are the caller's; one sector, one block.
    unsafe {
        tweak.at(0).write(job.tweaks.number());
        if !job.encrypted {
            ecb::<V::One, 1>(&keys.tweak, tweak.at(0).cast());
        }
        unit::<V, DECRYPT>(schedule, src, dst, job.sector_size, tweak.at(0));
    }
}

/// Encrypts or decrypts a sector by itself that is not short: its whole tiles. What it answers is the rest, a block at
/// least, if there is one, for [`one_sector`]. Through [`batches`] it would take an eighth longer, since what is there for
/// the sake of others is set up by each call.
///
/// # Safety
/// As [`one_sector`].
#[cfg_attr(optimized, inline(always))]
pub(crate) unsafe fn one_long_sector<'a, V: Tiles>(
    keys: &RoundKeys,
    direction: Direction,
    job: &Job<'a>,
) -> Option<Job<'a>> {
    let tweak = Blocks::<1>::new();
    let whole = job.sector_size.is_multiple_of(tile_len::<V>());
    // Stealing takes a whole block.
    let tiles = (job.sector_size - if whole { 0 } else { 16 }) / tile_len::<V>();
    let len = tiles * tile_len::<V>();
    let then = if whole { TweakAfter::Unused } else { TweakAfter::Next };
    let sector = job.batch(0, 1);
    let far = job.is_in_place() && job.sector_size >= FAR;
    let row = Row::of_one(job.place(0), tiles, then, tweak.at(0), far);
    // SAFETY: by the job's invariants the sector is inside the buffers; it is longer than a tile and a block.
    unsafe {
        tweak.at(0).write(job.tweaks.number());
        if !job.encrypted {
            ecb::<V::One, 1>(&keys.tweak, tweak.at(0).cast());
        }
        match direction {
            Direction::Encrypt if whole && V::laps::<false>(&keys.encrypt, &row) => {}
            Direction::Decrypt if whole && V::laps::<true>(&keys.decrypt, &row) => {}
            Direction::Encrypt => V::tiled_sectors::<false>(&keys.encrypt, sector, len, tweak.at(0), then),
            Direction::Decrypt => V::tiled_sectors::<true>(&keys.decrypt, sector, len, tweak.at(0), then),
        }
        if whole {
            return None;
        }
        let rest = row.at.add(len);
        Some(Job::part(rest, job.sector_size - len, u128::from_le_bytes(tweak.at(0).read())))
    }
}

/// Encrypts or decrypts a job, batch by batch.
///
/// # Safety
/// As [`one_sector`].
#[cfg_attr(optimized, inline(always))]
pub(crate) unsafe fn batches<V: Tiles>(keys: &RoundKeys, direction: Direction, job: &Job<'_>) {
    let mut tweaks = Blocks::<{ BATCH + READ_AHEAD }>::new();
    let mut done = 0;
    // SAFETY: by the job's invariants its sectors are inside the buffers; `count` is at most BATCH, the size of `tweaks`.
    unsafe {
        while done < job.sectors {
            let count = (job.sectors - done).min(BATCH);
            job.tweaks.skip(done).fill(tweaks.zeroed(count));
            if !job.encrypted {
                encrypt_numbers::<V>(&keys.tweak, tweaks.at(0), count);
            }
            let sectors = job.batch(done, count);
            let far = job.is_in_place() && job.sector_size * job.sectors >= FAR;
            match direction {
                Direction::Encrypt => batch::<V, false>(&keys.encrypt, sectors, tweaks.at(0), far),
                Direction::Decrypt => batch::<V, true>(&keys.decrypt, sectors, tweaks.at(0), far),
            }
            done += count;
        }
    }
}

/// A batch of sectors, whose encrypted numbers `numbers` holds; they are written over. `far` as in a [`Row`].
#[cfg_attr(optimized, inline(always))]
unsafe fn batch<V: Tiles, const DECRYPT: bool>(
    keys: &KeySchedule,
    sectors: Sectors<'_>,
    numbers: *mut Block,
    far: bool,
) {
    let Sectors { size, count, .. } = sectors;
    // SAFETY: the caller's sectors and numbers.
    unsafe {
        if let Some(first) = sectors.row() {
            let tiles = size / tile_len::<V>();
            let row = Row {
                at: first,
                others: core::ptr::null(),
                tiles_in_sector: tiles,
                gap: 0,
                tiles: tiles * count,
                then: TweakAfter::Unused,
                numbers,
                far,
                behind: 0,
            };
            if size.is_multiple_of(tile_len::<V>()) && V::laps::<DECRYPT>(keys, &row) {
                return;
            }
            if size < tile_len::<V>() && size.is_multiple_of(16) {
                short_sectors::<V, DECRYPT>(keys, first, size, numbers, count);
                return;
            }
        }
        sectors_in_tiles::<V, DECRYPT>(keys, sectors, numbers);
    }
}

/// Encrypts a sector number into a tweak.
///
/// # Safety
/// The processor has the features of `One`.
#[cfg_attr(optimized, inline(always))]
pub(crate) unsafe fn encrypt_number<One: Aes>(keys: &RoundKeys, number: &mut Block) {
    // SAFETY: this function's contract; a block.
    unsafe { ecb::<One, 1>(&keys.tweak, number.as_mut_ptr()) }
}

/// Encrypts `count` sector numbers into tweaks, in place.
#[cfg_attr(optimized, inline(always))]
unsafe fn encrypt_numbers<V: Tiles>(keys: &KeySchedule, blocks: *mut Block, count: usize) {
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
            ecb::<V::One, 1>(keys, p);
            p = p.add(16);
            left -= 1;
        }
    }
}
