//! Jobs in rows: assembler that keeps sixteen vectors in flight, where a backend has it.

use core::ptr;

use super::{
    group::{MAX_LANES, ecb},
    kernel::{BATCH, FAR},
    keys::{KeySchedule, RoundKeys},
    vector::{Row, Tiles, TweakAfter, Vector, WIDTH, tile_len},
};
use crate::xts::simd::{
    blocks::{Block, Blocks},
    job::{Direction, Job, Numbers, Place, Places, READ_AHEAD, Sectors},
};

/// What takes the place of tiles where a key is in rows: any row of whole tiles, any scattered sectors, and what is left
/// of them.
pub(crate) trait Rows: Tiles {
    /// Does a row; `first` is the encrypted number of the first sector: in a register, so that a single sector need not
    /// wait until it is written to memory and read again.
    unsafe fn row<const DECRYPT: bool>(keys: &KeySchedule, first: Self::One, row: &Row);
    /// Behind the last [`row`](Rows::row) of a call whose data is `far`.
    unsafe fn after_far();
    /// The `vectors` vectors (at least one, fewer than eight) at `from` of each sector, of which there are at most 128.
    /// Behind the numbers there are 16 blocks more, which are read and written. `then` as in a [`Row`].
    unsafe fn stream(
        keys: &KeySchedule,
        decrypt: bool,
        sectors: Sectors<'_>,
        from: usize,
        vectors: usize,
        numbers: *mut Block,
        then: TweakAfter,
    );
    /// [`whole_blocks`](Tiles::whole_blocks) for `blocks` blocks, rounded up to eight vectors.
    unsafe fn groups(keys: &KeySchedule, decrypt: bool, place: Place, tweaks: *const Block, blocks: usize);
    /// [`short_sectors_in_rows`] as a function of its own, whose stack others need
    /// not have.
    unsafe fn short_sectors(
        keys: &KeySchedule,
        decrypt: bool,
        place: Place,
        sector_size: usize,
        numbers: *const Block,
        count: usize,
    );
    /// Writes the first `count` numbers, rounded up to whole vectors, and says so, where it can do it.
    unsafe fn fill(numbers: Numbers<'_>, out: *mut Block, count: usize) -> bool;
    /// The tweaks of the `per_sector` (1 to 31) blocks of each of `sectors` sectors, one behind the other, from the
    /// sectors' encrypted numbers; up to a vector less a block more is written.
    unsafe fn sector_tweaks(numbers: *const Block, sectors: usize, per_sector: usize, out: *mut Block);
    /// The first `count` of `from`, rounded up to whole vectors, times x^`bits` (-1 to 31).
    unsafe fn times_x(from: *const Block, to: *mut Block, count: usize, bits: i64);
}

/// Whether a job goes in rows.
#[inline(always)]
pub(crate) fn suits_rows(keys: &KeySchedule, job: &Job<'_>) -> bool {
    let near = || job.is_in_place() || job.sector_size * job.sectors < FAR;
    job.sector_size <= keys.longest_in_rows() && (keys.in_far_rows() || near())
}

/// Whether [`one_odd_row`] or [`odd_rows`] pays for a job that is not of whole tiles.
#[inline(always)]
pub(crate) fn suits_streams(job: &Job<'_>) -> bool {
    let size = job.sector_size;
    job.sectors * size >= 1024
}

/// As [`rows`], for a sector by itself.
///
/// # Safety
/// As [`one_sector`].
#[cfg_attr(optimized, inline(always))]
pub(crate) unsafe fn one_row<V: Rows>(keys: &RoundKeys, direction: Direction, job: &Job<'_>) {
    let tweak = Blocks::<{ 1 + READ_AHEAD }>::new();
    let tiles = job.sector_size / tile_len::<V>();
    let far = job.sector_size >= FAR;
    let row = Row::of_one(job.place(0), tiles, TweakAfter::Unused, tweak.at(0), far);
    // SAFETY: by the job's invariants the sector is inside the buffers.
    unsafe {
        tweak.at(0).write(job.tweaks.number());
        let first = if job.encrypted {
            V::One::load(tweak.at(0).cast())
        } else {
            ecb::<V::One, 1>(&keys.tweak, tweak.at(0).cast());
            V::One::load(tweak.at(0).cast())
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

/// A sector by itself, longer than two tiles, that is not whole tiles: these in a row, but for a block at least. What it
/// answers is the rest, for [`one_sector`].
///
/// # Safety
/// As [`one_sector`].
#[cfg_attr(optimized, inline(always))]
pub(crate) unsafe fn one_odd_row<'a, V: Rows>(
    keys: &RoundKeys,
    direction: Direction,
    job: &Job<'a>,
) -> Job<'a> {
    let tweak = Blocks::<{ 1 + READ_AHEAD }>::new();
    // Stealing takes a whole block.
    let tiles = (job.sector_size - 16) / tile_len::<V>();
    let len = tiles * tile_len::<V>();
    let far = job.is_in_place() && job.sector_size >= FAR;
    let row = Row::of_one(job.place(0), tiles, TweakAfter::Next, tweak.at(0), far);
    // SAFETY: by the job's invariants the sector is inside the buffers.
    unsafe {
        tweak.at(0).write(job.tweaks.number());
        if !job.encrypted {
            ecb::<V::One, 1>(&keys.tweak, tweak.at(0).cast());
        }
        let first = V::One::load(tweak.at(0).cast());
        match direction {
            Direction::Encrypt => V::row::<false>(&keys.encrypt, first, &row),
            Direction::Decrypt => V::row::<true>(&keys.decrypt, first, &row),
        };
        Job::part(row.at.add(len), job.sector_size - len, u128::from_le_bytes(tweak.at(0).read()))
    }
}

/// Encrypts or decrypts a job of sectors of whole tiles, where the key is in rows. What is in [`batches`] for
/// the sake of others would take longer than a sector.
///
/// # Safety
/// As [`one_sector`].
#[cfg_attr(optimized, inline(always))]
pub(crate) unsafe fn rows<V: Rows>(keys: &RoundKeys, direction: Direction, job: &Job<'_>) {
    let tweaks = Blocks::<{ BATCH + READ_AHEAD }>::new();
    let tiles_in_sector = job.sector_size / tile_len::<V>();
    let far = matches!(job.places, Places::Row(_)) && job.sector_size * job.sectors >= FAR;
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
                    Places::Row(_) => ptr::null(),
                    Places::Scattered(places) => places[done + 1..done + count + READ_AHEAD].as_ptr(),
                },
                tiles_in_sector,
                gap: 0,
                tiles: tiles_in_sector * count,
                then: TweakAfter::Unused,
                numbers: tweaks.at(0),
                far,
                behind: (job.sectors - done - count) * job.sector_size,
            };
            let first = V::One::load(row.numbers.cast());
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

/// As [`rows`], for sectors that are not whole tiles.
///
/// # Safety
/// As [`one_sector`].
#[cfg_attr(optimized, inline(always))]
pub(crate) unsafe fn odd_rows<V: Rows>(keys: &RoundKeys, direction: Direction, job: &Job<'_>) {
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
unsafe fn fill<V: Rows>(numbers: Numbers<'_>, out: *mut Block, count: usize) {
    let count = count.next_multiple_of(V::BLOCKS);
    // SAFETY: the caller gives room for that many blocks, which are initialised here.
    unsafe {
        out.write_bytes(0, count);
        numbers.fill(core::slice::from_raw_parts_mut(out, count));
    }
}

/// Encrypts sector numbers into tweaks, in place.
#[cfg_attr(optimized, inline(always))]
unsafe fn encrypt_vectors<V: Rows>(keys: &KeySchedule, mut p: *mut u8, mut vectors: usize) {
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

/// The same where rows do that: at most 128 sectors, behind whose numbers there are 16 blocks more. `far` and
/// `behind` as in a [`Row`].
///
/// # Safety
/// As [`sectors_anywhere`].
#[cfg_attr(optimized, inline(always))]
pub(crate) unsafe fn sectors_in_rows<V: Rows>(
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
        unsafe { V::short_sectors(keys, decrypt, at, sectors.size, numbers, sectors.count) };
        return;
    }
    let tiles_in_sector = sectors.size / tile_len::<V>();
    let tiled = tiles_in_sector * tile_len::<V>();
    let vectors = (sectors.size - tiled) / (16 * V::BLOCKS);
    let done = tiled + 16 * V::BLOCKS * vectors;
    let then = |more_blocks| match tail {
        _ if more_blocks => TweakAfter::Next,
        0 => TweakAfter::Unused,
        _ if decrypt => TweakAfter::Swapped,
        _ => TweakAfter::Next,
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
            let first = V::One::load(numbers.cast());
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

/// The same with many vectors in flight : the tweaks are laid for more blocks than are done at
/// once, and those of a last group that is not full wait for the next sectors.
///
/// # Safety
/// The processor has the features of `V`; `numbers` holds `count` encrypted numbers, and sectors of 16 to 496 bytes lie
/// at `place`, one behind the other.
#[cfg(target_arch = "x86_64")]
#[cfg_attr(optimized, inline(always))]
pub(crate) unsafe fn short_sectors_in_rows<V: Rows>(
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
            V::sector_tweaks(numbers, sectors, per_sector, tweaks.at(waiting));
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

/// The `left` blocks (fewer than a vector's) at `done` of each sector, and ciphertext stealing for the `tail` bytes behind
/// them. Block by block: first all sectors' first ones, whose tweaks are the numbers, so that tweaks are made for whole
/// vectors of sectors.
///
/// # Safety
/// As [`sectors_in_rows`].
#[cfg_attr(optimized, inline(always))]
unsafe fn ends_in_planes<V: Rows>(
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

/// [`steal`] for each sector; the blocks that it makes go to `merged`. As there: by registers, and by itself: within a
/// caller that holds much, the compiler would spill plaintext to the stack, where it stays.
///
/// # Safety
/// A sector holds `whole` bytes, a block at least, and 1 to 15 (`tail`) more; there is a block for each.
#[inline(never)]
unsafe fn steal_all(sectors: Sectors<'_>, whole: usize, tail: usize, merged: *mut Block) {
    macro_rules! all {
        ($word:ty, $end:expr) => {
            let end = $end;
            each!(sectors, whole, i, at, {
                let Place { src, dst } = at;
                let last = dst.sub(16);
                let merged = merged.add(i).cast::<u8>();
                // The block goes by way of a vector register, and of the rest no more is held at once than there are
                // registers for: what is spilled to the stack would stay there.
                ptr::copy_nonoverlapping(last, merged, 16);
                // Two words, which overlap where the tail is no whole number of them.
                let read = |p: *const u8| p.cast::<$word>().read_unaligned();
                let write = |p: *mut u8, word| p.cast::<$word>().write_unaligned(word);
                let (first, second) = (read(src), read(src.add(end)));
                let (a, b) = (read(last), read(last.add(end)));
                write(dst, a);
                write(dst.add(end), b);
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

/// The shells of a backend in rows, and `run`, which chooses between them and `$in_tiles`.
macro_rules! row_shells {
    ($in_tiles:ident, $vector:ty, $features:literal) => {
        /// Encrypts or decrypts a job.
        ///
        /// # Safety
        /// The processor has the features that the shells enable.
        #[inline(always)]
        pub(crate) unsafe fn run(
            keys: &$crate::xts::simd::aes::keys::RoundKeys,
            direction: $crate::xts::simd::job::Direction,
            job: &$crate::xts::simd::job::Job<'_>,
        ) {
            // SAFETY: this function's contract.
            unsafe {
                if $crate::xts::simd::aes::rows::suits_rows(&keys.encrypt, job) {
                    let tile = $crate::xts::simd::aes::vector::tile_len::<$vector>();
                    let whole = job.sector_size.is_multiple_of(tile);
                    // Two tiles gain nothing from a schedule that keeps two in flight.
                    if whole && job.is_one() && job.sector_size != 2 * tile {
                        return one_row(keys, direction, job);
                    } else if whole && !job.is_short() {
                        return rows(keys, direction, job);
                    } else if !job.is_short() && $crate::xts::simd::aes::rows::suits_streams(job) {
                        if job.is_one() {
                            return one_odd_row(keys, direction, job);
                        }
                        return odd_rows(keys, direction, job);
                    }
                }
                $in_tiles(keys, direction, job);
            }
        }

        $crate::xts::simd::aes::kernel::shell!(rows::one_row, $vector, $features);
        $crate::xts::simd::aes::kernel::shell!(rows::rows, $vector, $features);
        $crate::xts::simd::aes::kernel::shell!(rows::odd_rows, $vector, $features);

        #[target_feature(enable = $features)]
        unsafe fn one_odd_row(
            keys: &$crate::xts::simd::aes::keys::RoundKeys,
            direction: $crate::xts::simd::job::Direction,
            job: &$crate::xts::simd::job::Job<'_>,
        ) {
            // SAFETY: the features are this function's own.
            unsafe {
                let rest = $crate::xts::simd::aes::rows::one_odd_row::<$vector>(keys, direction, job);
                one_sector(keys, direction, &rest)
            }
        }
    };
}
pub(crate) use row_shells;
