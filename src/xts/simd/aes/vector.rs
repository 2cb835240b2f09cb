//! What the loop needs of an instruction set, in parts: [`Vector`] is the register, [`Aes`] the rounds, [`TweakStream`] the
//! tweaks of consecutive vectors, and [`Tiles`] the functions with processor features that do a sector's whole tiles, and
//! blocks whose tweaks are there. rows.rs has one more, for assembler that keeps sixteen vectors in flight.

use super::keys::KeySchedule;
use crate::xts::simd::{
    blocks::Block,
    job::{Place, Sectors},
};

/// Repeats a block for `I` from 0 up to a limit of at most 16, without a loop: what the compiler does not unroll keeps
/// its vectors in memory.
macro_rules! unrolled {
    ($i:ident < $limit:expr, $body:block) => {
        unrolled!(@ $i < $limit, $body, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
    };
    (@ $i:ident < $limit:expr, $body:block, $($value:literal)*) => {$({
        const $i: usize = $value;
        if $i < $limit $body
    })*};
}
pub(crate) use unrolled;

/// Vectors in flight: they cover the latency of the AES units twice over.
pub(crate) const WIDTH: usize = 8;

/// Bytes of a tile.
pub(crate) const fn tile_len<V: Tiles>() -> usize {
    V::TILE_GROUPS * WIDTH * V::BLOCKS * 16
}

/// Whole tiles that are done in one go.
///
/// Source and destination are the same or apart, and good for all tiles.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "no schedule takes rows there"))]
pub(crate) struct Row {
    /// The first sector.
    pub(crate) at: Place,
    /// Where the other sectors lie, and three places more, which are read and not used; or null, if they lie one
    /// behind the other.
    pub(crate) others: *const Place,
    pub(crate) tiles_in_sector: usize,
    /// Bytes of a sector behind its tiles.
    pub(crate) gap: usize,
    pub(crate) tiles: usize,
    /// What becomes of the numbers; but with `Swapped` a number is replaced by that of the block behind the tiles, as
    /// with `Next`.
    pub(crate) then: TweakAfter,
    /// The encrypted number of each sector, and three blocks more, which are read and not used.
    pub(crate) numbers: *mut Block,
    /// The call has more data than caches hold, one behind the other.
    pub(crate) far: bool,
    /// Bytes of the call's data behind the row.
    pub(crate) behind: usize,
}

impl Row {
    /// The first `tiles` of a sector, at `at`, which is the call's only one. `number` as `numbers`.
    #[cfg_attr(optimized, inline(always))]
    pub(crate) fn of_one(at: Place, tiles: usize, then: TweakAfter, number: *mut Block, far: bool) -> Row {
        Row {
            at,
            others: core::ptr::null(),
            tiles_in_sector: tiles,
            gap: 0,
            tiles,
            then,
            numbers: number,
            far,
            behind: 0,
        }
    }
}

/// What becomes of a sector's number when the tweaks of its last tile or vector are made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum TweakAfter {
    /// Nobody needs it any more.
    Unused,
    /// It is replaced by the tweak of the block that follows.
    Next,
    /// As `Next`, and then swapped with the tweak of the last block before. So ciphertext stealing wants it when it
    /// decrypts (IEEE Std 1619-2007, 5.4.2): the last whole block has the tail's tweak, and the block that stealing
    /// makes has that of the last whole block.
    Swapped,
}

/// Swaps the last block of a vector of tweaks with another one.
///
/// # Safety
/// The processor has the features of `V`; `vector` holds one.
#[cfg_attr(optimized, inline(always))]
pub(crate) unsafe fn swap_last<V: Vector>(vector: *mut Block, block: *mut Block) {
    // SAFETY: this function's contract. The vector is written as a whole, since a block written into it would have to
    // reach the cache before the vector can be read.
    unsafe {
        let last = vector.add(V::BLOCKS - 1).read();
        V::load(vector.cast()).with_last(block).store(vector.cast());
        block.write(last);
    }
}

/// One register of [`BLOCKS`](Vector::BLOCKS) AES blocks, lane 0 first in memory.
///
/// # Safety
/// Every method, of this trait and of those below, needs the processor features that the implementing type's file names,
/// and each is inlined into a shell that carries them. `load` and `store` touch `16 * BLOCKS` bytes, at any alignment;
/// `broadcast` reads 16.
pub(crate) trait Vector: Copy {
    /// Blocks in a register.
    const BLOCKS: usize;

    unsafe fn load(src: *const u8) -> Self;
    unsafe fn store(self, dst: *mut u8);
    /// One block in every lane.
    unsafe fn broadcast(block: *const Block) -> Self;
    /// The same with another block in the last lane.
    unsafe fn with_last(self, block: *const Block) -> Self;
    /// Does nothing, and keeps the compiler from moving work on `x` across it: it would otherwise run each vector's
    /// rounds one after the other to save registers, and leave the AES units idle for their latency.
    unsafe fn pin<const N: usize>(x: &mut [Self; N]);
}

/// The rounds of AES.
pub(crate) trait Aes: Vector {
    /// 1 where a round adds its key before the substitution (AArch64) and so takes that of the round before; else 0.
    const KEY_LAG: usize;

    /// What goes into the first round: data, tweak, and the whitening key (but see `KEY_LAG`).
    unsafe fn enter(tweak: Self, whitening: Self, data: Self) -> Self;
    /// One round but the last: of the cipher, or of the equivalent inverse cipher (FIPS 197, 5.3.5). Round r takes key
    /// `r - KEY_LAG`.
    unsafe fn round<const DECRYPT: bool>(self, key: Self) -> Self;
    /// The last round, whose key is `last`, and the tweak; `before` is the key before `last`.
    unsafe fn leave<const DECRYPT: bool>(self, before: Self, last: Self, tweak: Self) -> Self;
    /// The last round of the tweak cipher.
    unsafe fn leave_numbers(self, before: Self, last: Self) -> Self;
}

/// The tweaks of a unit, vector by vector.
///
/// No carry-less multiplication: on AMD's processors it runs on the AES units, and takes two slots of theirs for each
/// vector (docs/kernel.md). Shifts and xors are free beside AES.
pub(crate) trait TweakStream: Vector {
    /// Where the stream has got to.
    type Tweaks: Copy;

    /// The stream from a unit's first tweak on.
    unsafe fn first_tweaks(tweak: *const Block) -> Self::Tweaks;
    /// Stores the tweaks of the next vector, which is the `step`th (0 to 7) of its eight.
    unsafe fn next_tweaks(tweaks: &mut Self::Tweaks, step: usize, out: *mut Block);
    /// What the stream needs after each eight vectors.
    unsafe fn after_eight(tweaks: &mut Self::Tweaks);
    /// Stores the next block's tweak, and stays where it is.
    unsafe fn next_tweak(tweaks: &Self::Tweaks, out: *mut Block);
}

/// What a backend does as functions of its own, its shells: one for all who need it, where inlining it into each would
/// take more room than it saves time.
pub(crate) trait Tiles: Aes + TweakStream {
    /// The 128-bit form, for single blocks.
    type One: Aes;
    /// Groups of `WIDTH` vectors whose tweaks are made together: a tile.
    const TILE_GROUPS: usize;

    /// [`whole_blocks`](super::group::whole_blocks).
    unsafe fn whole_blocks<const DECRYPT: bool>(
        keys: &KeySchedule,
        place: Place,
        tweaks: *const Block,
        blocks: usize,
    );
    /// The whole tiles at the start of each sector, `len` bytes: `tiled_sectors` in tiles.rs on x86-64.
    unsafe fn tiled_sectors<const DECRYPT: bool>(
        keys: &KeySchedule,
        sectors: Sectors<'_>,
        len: usize,
        numbers: *mut Block,
        then: TweakAfter,
    );
    /// Does sectors of whole tiles, one behind the other, and says so, where there is a schedule for rows like that.
    #[cfg_attr(optimized, inline(always))]
    unsafe fn laps<const DECRYPT: bool>(_keys: &KeySchedule, _row: &Row) -> bool {
        false
    }
    /// Clears the registers that keep data and round keys until somebody uses them, which may be never: those that only
    /// the newest instructions reach.
    #[cfg_attr(optimized, inline(always))]
    unsafe fn clear_registers() {}
}
