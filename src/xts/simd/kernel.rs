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

use super::{
    anywhere::{sectors_anywhere, sectors_in_rows},
    group::{WIDTH, ecb},
    job::{Direction, Job, Numbers, Place, Places, READ_AHEAD, Sectors},
    keys::{Blocks, KeySchedule, RoundKeys},
    unit::{short_sectors, unit},
    vector::{Block, Number, Row, Vector, tile_len},
};

/// Sectors whose numbers are encrypted together.
const BATCH: usize = 128;
/// From this length on, data is taken to lie in memory rather than in a cache: more than most second-level caches hold.
const FAR: usize = 2 << 20;

/// A shell: the function of that name, below, with a backend's processor features.
macro_rules! shell {
    ($name:ident, $vector:ty, $one:ty, $features:literal) => {
        #[target_feature(enable = $features)]
        unsafe fn $name(
            keys: &crate::xts::simd::keys::RoundKeys,
            direction: crate::xts::simd::job::Direction,
            job: &crate::xts::simd::job::Job<'_>,
        ) {
            // SAFETY: the features are this function's own.
            unsafe {
                crate::xts::simd::kernel::$name::<$vector, $one>(keys, direction, job);
                <$vector as crate::xts::simd::vector::Vector>::clear_registers();
            }
        }
    };
}
pub(super) use shell;

/// The shells of a backend: functions that carry its processor features, into which everything else is inlined. A sector
/// by itself has one of its own, which needs little stack and saves few registers.
macro_rules! shells {
    ($vector:ty, $one:ty, $features:literal) => {
        /// Encrypts or decrypts a job.
        ///
        /// # Safety
        /// The processor has the features that the shells enable.
        #[inline(always)]
        pub(in crate::xts::simd) unsafe fn run(
            keys: &crate::xts::simd::keys::RoundKeys,
            direction: crate::xts::simd::job::Direction,
            job: &crate::xts::simd::job::Job<'_>,
        ) {
            // SAFETY: this function's contract.
            unsafe {
                use crate::xts::simd::{
                    kernel::suits_streams,
                    vector::{Vector, tile_len},
                };
                if <$vector as Vector>::has_rows(&keys.encrypt) {
                    let tile = tile_len::<$vector>();
                    let whole = job.sector_size.is_multiple_of(tile);
                    // Two tiles gain nothing from a schedule that keeps two in flight.
                    if whole && job.is_one() && job.sector_size != 2 * tile {
                        return one_row(keys, direction, job);
                    } else if whole && !job.is_short() {
                        return rows(keys, direction, job);
                    } else if !job.is_short() && suits_streams(job) {
                        if job.is_one() {
                            return one_odd_row(keys, direction, job);
                        }
                        return odd_rows(keys, direction, job);
                    }
                }
                if job.is_short() {
                    one_sector(keys, direction, job);
                } else if job.is_one() {
                    one_long_sector(keys, direction, job);
                } else {
                    batches(keys, direction, job);
                }
            }
        }

        crate::xts::simd::kernel::shell!(one_sector, $vector, $one, $features);
        crate::xts::simd::kernel::shell!(one_row, $vector, $one, $features);
        crate::xts::simd::kernel::shell!(rows, $vector, $one, $features);
        crate::xts::simd::kernel::shell!(odd_rows, $vector, $one, $features);
        crate::xts::simd::kernel::shell!(batches, $vector, $one, $features);

        #[target_feature(enable = $features)]
        unsafe fn one_long_sector(
            keys: &crate::xts::simd::keys::RoundKeys,
            direction: crate::xts::simd::job::Direction,
            job: &crate::xts::simd::job::Job<'_>,
        ) {
            // SAFETY: the features are this function's own.
            unsafe {
                if let Some(rest) =
                    crate::xts::simd::kernel::one_long_sector::<$vector, $one>(keys, direction, job)
                {
                    one_sector(keys, direction, &rest);
                }
            }
        }

        #[target_feature(enable = $features)]
        unsafe fn one_odd_row(
            keys: &crate::xts::simd::keys::RoundKeys,
            direction: crate::xts::simd::job::Direction,
            job: &crate::xts::simd::job::Job<'_>,
        ) {
            // SAFETY: the features are this function's own.
            unsafe {
                let rest = crate::xts::simd::kernel::one_odd_row::<$vector, $one>(keys, direction, job);
                one_sector(keys, direction, &rest)
            }
        }

        #[target_feature(enable = $features)]
        #[inline(never)]
        pub(in crate::xts::simd) unsafe fn whole_blocks<const DECRYPT: bool>(
            keys: &crate::xts::simd::keys::KeySchedule,
            place: crate::xts::simd::job::Place,
            tweaks: *const crate::xts::simd::vector::Block,
            blocks: usize,
        ) {
            // SAFETY: the features are this function's own.
            unsafe {
                crate::xts::simd::group::whole_blocks::<$vector, $one, DECRYPT>(keys, place, tweaks, blocks)
            }
        }
    };
}
pub(super) use shells;

/// The shell for whole tiles, where the vector has no way of its own.
#[cfg(target_arch = "x86_64")]
macro_rules! tile_shell {
    ($vector:ty, $features:literal) => {
        #[target_feature(enable = $features)]
        #[inline(never)]
        pub(in crate::xts::simd) unsafe fn tiled_sectors<const DECRYPT: bool>(
            keys: &crate::xts::simd::keys::KeySchedule,
            sectors: crate::xts::simd::job::Sectors<'_>,
            len: usize,
            numbers: *mut crate::xts::simd::vector::Block,
            then: crate::xts::simd::vector::Number,
        ) {
            // SAFETY: the features are this function's own.
            unsafe {
                crate::xts::simd::tiles::tiled_sectors::<$vector, DECRYPT>(keys, sectors, len, numbers, then)
            }
        }
    };
}
#[cfg(target_arch = "x86_64")]
pub(super) use tile_shell;

/// Encrypts or decrypts a short sector by itself (`Job::is_short`): nothing to overlap with, and the shortest way
/// counts. `One` is the 128-bit form of `V`.
///
/// # Safety
/// The processor has the features of `V` and `One`.
#[cfg_attr(optimized, inline(always))]
pub(super) unsafe fn one_sector<V: Vector, One: Vector>(
    keys: &RoundKeys,
    direction: Direction,
    job: &Job<'_>,
) {
    // SAFETY: this function's contract.
    unsafe {
        match direction {
            Direction::Encrypt => sector::<V, One, false>(keys, &keys.encrypt, job),
            Direction::Decrypt => sector::<V, One, true>(keys, &keys.decrypt, job),
        }
    }
}

#[cfg_attr(optimized, inline(always))]
unsafe fn sector<V: Vector, One: Vector, const DECRYPT: bool>(
    keys: &RoundKeys,
    schedule: &KeySchedule,
    job: &Job<'_>,
) {
    let tweak = Blocks::<1>::new();
    let Place { src, dst } = job.place(0);
    // SAFETY: the features are the caller's; one sector, one block.
    unsafe {
        tweak.at(0).write(job.tweaks.number());
        if !job.encrypted {
            ecb::<One, 1>(&keys.tweak, tweak.at(0).cast());
        }
        unit::<V, One, DECRYPT>(schedule, src, dst, job.sector_size, tweak.at(0));
    }
}

/// Encrypts or decrypts a sector by itself that is not short: its whole tiles. What it answers is the rest, a block at
/// least, if there is one, for [`one_sector`]. Through [`batches`] it would take an eighth longer, since what is there for
/// the sake of others is set up by each call.
///
/// # Safety
/// As [`one_sector`].
#[cfg_attr(optimized, inline(always))]
pub(super) unsafe fn one_long_sector<'a, V: Vector, One: Vector>(
    keys: &RoundKeys,
    direction: Direction,
    job: &Job<'a>,
) -> Option<Job<'a>> {
    let tweak = Blocks::<1>::new();
    let whole = job.sector_size.is_multiple_of(tile_len::<V>());
    // Stealing takes a whole block.
    let tiles = (job.sector_size - if whole { 0 } else { 16 }) / tile_len::<V>();
    let len = tiles * tile_len::<V>();
    let then = if whole { Number::Unused } else { Number::Next };
    let sector = job.batch(0, 1);
    let row = Row {
        at: job.place(0),
        others: core::ptr::null(),
        tiles_in_sector: tiles,
        gap: 0,
        tiles,
        then,
        numbers: tweak.at(0),
        far: job.is_in_place() && job.sector_size >= FAR,
        behind: 0,
    };
    // SAFETY: by the job's invariants the sector is inside the buffers; it is longer than a tile and a block.
    unsafe {
        tweak.at(0).write(job.tweaks.number());
        if !job.encrypted {
            ecb::<One, 1>(&keys.tweak, tweak.at(0).cast());
        }
        match direction {
            Direction::Encrypt if whole && V::row::<false>(&keys.encrypt, V::first(tweak.at(0)), &row) => {}
            Direction::Decrypt if whole && V::row::<true>(&keys.decrypt, V::first(tweak.at(0)), &row) => {}
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

/// As [`rows`], for a sector by itself.
///
/// # Safety
/// As [`one_sector`].
#[cfg_attr(optimized, inline(always))]
pub(super) unsafe fn one_row<V: Vector, One: Vector>(keys: &RoundKeys, direction: Direction, job: &Job<'_>) {
    let tweak = Blocks::<{ 1 + READ_AHEAD }>::new();
    let tiles = job.sector_size / tile_len::<V>();
    let row = Row {
        at: job.place(0),
        others: core::ptr::null(),
        tiles_in_sector: tiles,
        gap: 0,
        tiles,
        then: Number::Unused,
        numbers: tweak.at(0),
        far: job.sector_size >= FAR,
        behind: 0,
    };
    // SAFETY: by the job's invariants the sector is inside the buffers.
    unsafe {
        tweak.at(0).write(job.tweaks.number());
        let first = if job.encrypted {
            V::first(tweak.at(0))
        } else {
            ecb::<One, 1>(&keys.tweak, tweak.at(0).cast());
            V::first(tweak.at(0))
        };
        match direction {
            Direction::Encrypt => V::row::<false>(&keys.encrypt, first, &row),
            Direction::Decrypt => V::row::<true>(&keys.decrypt, first, &row),
        };
        if row.far {
            V::after_far();
        }
    }
}

/// Encrypts or decrypts a job of sectors of whole tiles, where [`Vector::has_rows`] says so. What is in [`batches`] for
/// the sake of others would take longer than a sector.
///
/// # Safety
/// As [`one_sector`].
#[cfg_attr(optimized, inline(always))]
pub(super) unsafe fn rows<V: Vector, One: Vector>(keys: &RoundKeys, direction: Direction, job: &Job<'_>) {
    let tweaks = Blocks::<{ BATCH + READ_AHEAD }>::new();
    let tiles_in_sector = job.sector_size / tile_len::<V>();
    let far = job.is_in_a_row() && job.sector_size * job.sectors >= FAR;
    let mut done = 0;
    // SAFETY: by the job's invariants its sectors are inside the buffers; `count` is at most BATCH.
    unsafe {
        while done < job.sectors {
            let count = (job.sectors - done).min(BATCH);
            let numbers = job.tweaks.skip(done);
            if !V::fill(numbers, tweaks.at(0), count) {
                fill::<V>(numbers, tweaks.at(0), count);
            }
            encrypt_vectors::<V>(&keys.tweak, tweaks.at(0).cast(), count.div_ceil(V::BLOCKS));
            let row = Row {
                at: job.place(done),
                others: match job.places {
                    Places::Row(_) => core::ptr::null(),
                    Places::Scattered(places) => places[done + 1..done + count + READ_AHEAD].as_ptr(),
                },
                tiles_in_sector,
                gap: 0,
                tiles: tiles_in_sector * count,
                then: Number::Unused,
                numbers: tweaks.at(0),
                far,
                behind: (job.sectors - done - count) * job.sector_size,
            };
            let first = V::first(row.numbers);
            match direction {
                Direction::Encrypt => V::row::<false>(&keys.encrypt, first, &row),
                Direction::Decrypt => V::row::<true>(&keys.decrypt, first, &row),
            };
            done += count;
        }
        if far {
            V::after_far();
        }
    }
}

/// Whether [`one_odd_row`] or [`odd_rows`] pays for a job that is not of whole tiles.
#[inline(always)]
pub(super) fn suits_streams(job: &Job<'_>) -> bool {
    let size = job.sector_size;
    job.sectors * size >= 1024
}

/// A sector by itself, longer than two tiles, that is not whole tiles: these in a row, but for a block at least. What it
/// answers is the rest, for [`one_sector`].
///
/// # Safety
/// As [`one_sector`].
#[cfg_attr(optimized, inline(always))]
pub(super) unsafe fn one_odd_row<'a, V: Vector, One: Vector>(
    keys: &RoundKeys,
    direction: Direction,
    job: &Job<'a>,
) -> Job<'a> {
    let tweak = Blocks::<{ 1 + READ_AHEAD }>::new();
    // Stealing takes a whole block.
    let tiles = (job.sector_size - 16) / tile_len::<V>();
    let len = tiles * tile_len::<V>();
    let row = Row {
        at: job.place(0),
        others: core::ptr::null(),
        tiles_in_sector: tiles,
        gap: 0,
        tiles,
        then: Number::Next,
        numbers: tweak.at(0),
        far: job.is_in_place() && job.sector_size >= FAR,
        behind: 0,
    };
    // SAFETY: by the job's invariants the sector is inside the buffers.
    unsafe {
        tweak.at(0).write(job.tweaks.number());
        if !job.encrypted {
            ecb::<One, 1>(&keys.tweak, tweak.at(0).cast());
        }
        let first = V::first(tweak.at(0));
        match direction {
            Direction::Encrypt => V::row::<false>(&keys.encrypt, first, &row),
            Direction::Decrypt => V::row::<true>(&keys.decrypt, first, &row),
        };
        Job::part(row.at.add(len), job.sector_size - len, u128::from_le_bytes(tweak.at(0).read()))
    }
}

/// As [`rows`], for sectors that are not whole tiles.
///
/// # Safety
/// As [`one_sector`].
#[cfg_attr(optimized, inline(always))]
pub(super) unsafe fn odd_rows<V: Vector, One: Vector>(keys: &RoundKeys, direction: Direction, job: &Job<'_>) {
    let (schedule, decrypt) = match direction {
        Direction::Encrypt => (&keys.encrypt, false),
        Direction::Decrypt => (&keys.decrypt, true),
    };
    // What is read, and partly written, behind the numbers: two groups of vectors by streams, up to 31 blocks by the ends.
    const MORE: usize = 32;
    let tweaks = Blocks::<{ BATCH + MORE }>::new();
    let far = job.is_in_place() && job.sector_size * job.sectors >= FAR;
    let mut done = 0;
    // SAFETY: by the job's invariants its sectors are inside the buffers; `count` is at most BATCH.
    unsafe {
        while done < job.sectors {
            let count = (job.sectors - done).min(BATCH);
            let numbers = job.tweaks.skip(done);
            if !V::fill(numbers, tweaks.at(0), count) {
                fill::<V>(numbers, tweaks.at(0), count);
            }
            if !job.encrypted {
                encrypt_vectors::<V>(&keys.tweak, tweaks.at(0).cast(), count.div_ceil(V::BLOCKS));
            }
            let behind = (job.sectors - done - count) * job.sector_size;
            sectors_in_rows::<V>(schedule, decrypt, job.batch(done, count), tweaks.at(0), far, behind);
            done += count;
        }
    }
}

/// The first `count` numbers, rounded up to whole vectors.
#[cold]
#[inline(never)]
unsafe fn fill<V: Vector>(numbers: Numbers<'_>, out: *mut Block, count: usize) {
    let count = count.next_multiple_of(V::BLOCKS);
    // SAFETY: the caller gives room for that many blocks, which are initialised here.
    unsafe {
        out.write_bytes(0, count);
        numbers.fill(core::slice::from_raw_parts_mut(out, count));
    }
}

/// Encrypts sector numbers into tweaks, in place.
#[cfg_attr(optimized, inline(always))]
unsafe fn encrypt_vectors<V: Vector>(keys: &KeySchedule, mut p: *mut u8, mut vectors: usize) {
    // SAFETY: the caller gives that many vectors.
    unsafe {
        while vectors >= WIDTH {
            ecb::<V, WIDTH>(keys, p);
            p = p.add(16 * WIDTH * V::BLOCKS);
            vectors -= WIDTH;
        }
        if vectors >= 4 {
            ecb::<V, 4>(keys, p);
            p = p.add(64 * V::BLOCKS);
            vectors -= 4;
        }
        while vectors != 0 {
            ecb::<V, 1>(keys, p);
            p = p.add(16 * V::BLOCKS);
            vectors -= 1;
        }
    }
}

/// Encrypts or decrypts a job, batch by batch. `One` is the 128-bit form of `V`.
///
/// # Safety
/// As [`one_sector`].
#[cfg_attr(optimized, inline(always))]
pub(super) unsafe fn batches<V: Vector, One: Vector>(keys: &RoundKeys, direction: Direction, job: &Job<'_>) {
    let mut tweaks = Blocks::<{ BATCH + READ_AHEAD }>::new();
    let mut done = 0;
    // SAFETY: by the job's invariants its sectors are inside the buffers; `count` is at most BATCH, the size of `tweaks`.
    unsafe {
        while done < job.sectors {
            let count = (job.sectors - done).min(BATCH);
            job.tweaks.skip(done).fill(tweaks.zeroed(count));
            if !job.encrypted {
                encrypt_numbers::<V, One>(&keys.tweak, tweaks.at(0), count);
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

/// A batch of sectors, whose encrypted numbers `numbers` holds; they are written over. `far` as in [`Vector::row`].
#[cfg_attr(optimized, inline(always))]
unsafe fn batch<V: Vector, const DECRYPT: bool>(
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
                then: Number::Unused,
                numbers,
                far,
                behind: 0,
            };
            if size.is_multiple_of(tile_len::<V>()) && V::row::<DECRYPT>(keys, V::first(numbers), &row) {
                return;
            }
            if size < tile_len::<V>() && size.is_multiple_of(16) {
                short_sectors::<V, DECRYPT>(keys, first, size, numbers, count);
                return;
            }
        }
        sectors_anywhere::<V, DECRYPT>(keys, sectors, numbers);
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
unsafe fn encrypt_numbers<V: Vector, One: Vector>(keys: &KeySchedule, blocks: *mut Block, count: usize) {
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
