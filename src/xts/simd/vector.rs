//! What the loop needs of an instruction set.

use super::{
    job::{Numbers, Place, Sectors},
    keys::KeySchedule,
};

pub(super) use super::blocks::Block;

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
pub(super) use unrolled;

/// Whole tiles that are done in one go.
///
/// Source and destination are the same or apart, and good for all tiles.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "no schedule takes rows there"))]
pub(super) struct Row {
    /// The first sector.
    pub(super) at: Place,
    /// Where the other sectors lie, and three places more, which are read and not used; or null, if they lie one
    /// behind the other.
    pub(super) others: *const Place,
    pub(super) tiles_in_sector: usize,
    /// Bytes of a sector behind its tiles.
    pub(super) gap: usize,
    pub(super) tiles: usize,
    /// What becomes of the numbers; but with `Swapped` a number is replaced by that of the block behind the tiles, as
    /// with `Next`.
    pub(super) then: Number,
    /// The encrypted number of each sector, and three blocks more, which are read and not used.
    pub(super) numbers: *mut Block,
    /// The call has more data than caches hold, one behind the other.
    pub(super) far: bool,
    /// Bytes of the call's data behind the row.
    pub(super) behind: usize,
}

/// Vectors in flight: they cover the latency of the AES units twice over.
pub(super) const WIDTH: usize = 8;

/// Bytes of a tile.
pub(super) const fn tile_len<V: Vector>() -> usize {
    V::TILE_GROUPS * WIDTH * V::BLOCKS * 16
}

/// What becomes of a sector's number when the tweaks of its last tile or vector are made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
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
pub(super) unsafe fn swap_last<V: Vector>(vector: *mut Block, block: *mut Block) {
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
/// Every method needs the processor features that the implementing type's file names, and each is inlined into a shell
/// that carries them. `load` and `store` touch `16 * BLOCKS` bytes, at any alignment; `broadcast` reads 16.
pub(super) trait Vector: Copy {
    /// Blocks in a register.
    const BLOCKS: usize;
    /// 1 where a round adds its key before the substitution (AArch64) and so takes that of the round before; else 0.
    const KEY_LAG: usize;

    unsafe fn load(src: *const u8) -> Self;
    unsafe fn store(self, dst: *mut u8);
    /// One block in every lane.
    unsafe fn broadcast(block: *const Block) -> Self;
    /// The same with another block in the last lane.
    unsafe fn with_last(self, block: *const Block) -> Self;
    /// What goes into the first round: data, tweak, and the whitening key (but see `KEY_LAG`).
    unsafe fn enter(tweak: Self, whitening: Self, data: Self) -> Self;
    /// One round but the last: of the cipher, or of the equivalent inverse cipher (FIPS 197, 5.3.5). Round r takes key
    /// `r - KEY_LAG`.
    unsafe fn round<const DECRYPT: bool>(self, key: Self) -> Self;
    /// The last round, whose key is `last`, and the tweak; `before` is the key before `last`.
    unsafe fn leave<const DECRYPT: bool>(self, before: Self, last: Self, tweak: Self) -> Self;
    /// The last round of the tweak cipher.
    unsafe fn leave_numbers(self, before: Self, last: Self) -> Self;
    /// Where the sequence of a unit's tweaks has got to.
    type Tweaks: Copy;
    /// The sequence from a unit's first tweak on.
    unsafe fn first_tweaks(tweak: *const Block) -> Self::Tweaks;
    /// Stores the tweaks of the next vector, which is the `step`th (0 to 7) of its eight.
    ///
    /// No carry-less multiplication: on AMD's processors it runs on the AES units, and takes two slots of theirs for
    /// each vector (docs/kernel.md). Shifts and xors are free beside AES.
    unsafe fn next_tweaks(tweaks: &mut Self::Tweaks, step: usize, out: *mut Block);
    /// What the sequence needs after each eight vectors.
    unsafe fn after_eight(tweaks: &mut Self::Tweaks);
    /// Stores the next block's tweak, and stays where it is.
    unsafe fn next_tweak(tweaks: &Self::Tweaks, out: *mut Block);
    /// Groups of `WIDTH` vectors whose tweaks are made together: a tile.
    const TILE_GROUPS: usize;
    /// Whether with these keys [`row`](Vector::row) takes any row of whole tiles, and any scattered sectors, and
    /// [`stream`](Vector::stream) what is left of them.
    #[cfg_attr(optimized, inline(always))]
    fn has_rows(_keys: &KeySchedule) -> bool {
        false
    }
    /// The `vectors` vectors (at least one, fewer than eight) at `from` of each sector, of which there are at most 128.
    /// Behind the numbers there are 16 blocks more, which are read and written. `then` as in a [`Row`].
    #[cfg_attr(optimized, inline(always))]
    unsafe fn stream(
        _keys: &KeySchedule,
        _decrypt: bool,
        _sectors: Sectors<'_>,
        _from: usize,
        _vectors: usize,
        _numbers: *mut Block,
        _then: Number,
    ) {
    }
    /// The first `count` of `from`, rounded up to whole vectors, times x^`bits` (-1 to 31).
    #[cfg_attr(optimized, inline(always))]
    unsafe fn times_x(_from: *const Block, _to: *mut Block, _count: usize, _bits: i64) {}
    /// The tweaks of the `per_sector` (1 to 31) blocks of each of `sectors` sectors, one behind the other, from the sectors'
    /// encrypted numbers; up to a vector less a block more is written.
    #[cfg(target_arch = "x86_64")]
    #[cfg_attr(optimized, inline(always))]
    unsafe fn lay(_numbers: *const Block, _sectors: usize, _per_sector: usize, _out: *mut Block) {}
    /// [`laid_sectors`](super::unit::laid_sectors) as a function of its own, whose stack others need not have.
    #[cfg_attr(optimized, inline(always))]
    unsafe fn laid_sectors(
        _keys: &KeySchedule,
        _decrypt: bool,
        _place: Place,
        _sector_size: usize,
        _numbers: *const Block,
        _count: usize,
    ) {
    }
    /// [`whole_blocks`](Vector::whole_blocks) for `blocks` blocks, rounded up to eight vectors.
    #[cfg_attr(optimized, inline(always))]
    unsafe fn groups(
        _keys: &KeySchedule,
        _decrypt: bool,
        _place: Place,
        _tweaks: *const Block,
        _blocks: usize,
    ) {
    }
    /// Writes the first `count` numbers, rounded up to whole vectors, and says so, where it can do it.
    #[cfg_attr(optimized, inline(always))]
    unsafe fn fill(_numbers: Numbers<'_>, _out: *mut Block, _count: usize) -> bool {
        false
    }
    /// In what [`row`](Vector::row) takes the encrypted number of the first sector: in a register, so that a single
    /// sector need not wait until it is written to memory and read again.
    type First: Copy;
    unsafe fn first(number: *const Block) -> Self::First;
    /// Does a row, and says so, where there is a schedule for rows like that.
    #[cfg_attr(optimized, inline(always))]
    unsafe fn row<const DECRYPT: bool>(_keys: &KeySchedule, _first: Self::First, _row: &Row) -> bool {
        false
    }
    /// Behind the last [`row`](Vector::row) of a call whose data is `far`.
    #[cfg_attr(optimized, inline(always))]
    unsafe fn after_far() {}
    /// [`whole_blocks`](super::group::whole_blocks) as a function of its own: one for all who need it, where inlining
    /// it into each would take more room than it saves time.
    unsafe fn whole_blocks<const DECRYPT: bool>(
        keys: &KeySchedule,
        place: Place,
        tweaks: *const Block,
        blocks: usize,
    );
    /// [`tiled_sectors`](super::tiles::tiled_sectors), likewise.
    unsafe fn tiled_sectors<const DECRYPT: bool>(
        keys: &KeySchedule,
        sectors: Sectors<'_>,
        len: usize,
        numbers: *mut Block,
        then: Number,
    );
    /// Clears the registers that keep data and round keys until somebody uses them, which may be never: those that only
    /// the newest instructions reach.
    #[cfg_attr(optimized, inline(always))]
    unsafe fn clear_registers() {}
    /// Does nothing, and keeps the compiler from moving work on `x` across it: it would otherwise run each vector's
    /// rounds one after the other to save registers, and leave the AES units idle for their latency.
    unsafe fn pin<const N: usize>(x: &mut [Self; N]);
}
