//! Sectors of whole tiles: the main road.

use super::{
    group::{Between, Nothing, WIDTH, group},
    keys::KeySchedule,
    vector::{Tiles, TweakAfter, swap_last, tile_len, unrolled},
};
use crate::xts::simd::{
    blocks::{Block, Blocks},
    job::Sectors,
};

/// How the tweaks of one tile are made, in `WIDTH` steps a group.
///
/// # Safety
/// As for [`Vector`](super::vector::Vector).
pub(crate) trait TileTweaks: Tiles {
    type Tile: Copy;
    /// The first tile of a unit, from its first tweak.
    unsafe fn first_tile(tweak: *const Block) -> Self::Tile;
    /// Does step `step` of a tile; after the last one, `out` holds the tweaks of all its blocks in order. `out` is
    /// aligned for a vector.
    unsafe fn step(tile: &mut Self::Tile, step: usize, out: *mut Block);
    /// Stores the tweak of a tile's first block, before any step.
    unsafe fn tile_start(tile: Self::Tile, out: *mut Block);
    /// The tile that follows one whose steps are all done.
    unsafe fn next_tile(tile: Self::Tile) -> Self::Tile;
}

/// The whole tiles at the start of each sector (there is at least one): `len` bytes. `numbers` holds the sectors'
/// encrypted numbers, and is written over where `then` says so.
///
/// The tweaks of each tile are made during the rounds of the one before it, across the sectors' borders.
#[cfg_attr(optimized, inline(always))]
pub(crate) unsafe fn tiled_sectors<V: TileTweaks, const DECRYPT: bool>(
    keys: &KeySchedule,
    sectors: Sectors<'_>,
    len: usize,
    numbers: *mut Block,
    then: TweakAfter,
) {
    const TILE: usize = 2 * WIDTH * 2;
    let group_len = WIDTH * V::BLOCKS * 16;
    let tweaks = Blocks::<{ 2 * TILE }>::new();
    let mut current = tweaks.at(0);
    let mut other = tweaks.at(TILE);
    let tiles_in_sector = len / tile_len::<V>();
    let mut at = sectors.place(0);
    let mut sector = 0;
    // SAFETY: source and destination hold a tile for each turn and one more; a tile has at most TILE blocks, and the
    // two halves of `tweaks` hold one each.
    unsafe {
        let mut tiles = Sequence::<V>::new(numbers, sectors.count, tiles_in_sector, then);
        let mut left_in_sector = tiles_in_sector;
        for step in 0..WIDTH * V::TILE_GROUPS {
            V::step(&mut tiles.tile, step, current);
        }
        tiles.advance(current);
        for _ in 1..tiles_in_sector * sectors.count {
            unrolled!(G < V::TILE_GROUPS, {
                let tweaks = current.add(G * WIDTH * V::BLOCKS);
                let mut between = Steps { tiles: &mut tiles, group: G, out: other };
                group::<V, WIDTH, DECRYPT>(keys, at.src, at.dst, tweaks, &mut between);
                at = at.add(group_len);
            });
            core::mem::swap(&mut current, &mut other);
            left_in_sector -= 1;
            if left_in_sector == 0 {
                left_in_sector = tiles_in_sector;
                sector += 1;
                at = sectors.place(sector);
            }
        }
        unrolled!(G < V::TILE_GROUPS, {
            let tweaks = current.add(G * WIDTH * V::BLOCKS);
            let at = at.add(G * group_len);
            group::<V, WIDTH, DECRYPT>(keys, at.src, at.dst, tweaks, &mut Nothing);
        });
    }
}

/// The tiles of consecutive sectors, one after the other.
struct Sequence<V: TileTweaks> {
    tile: V::Tile,
    /// The tweak of the sector that `tile` belongs to.
    numbers: *mut Block,
    tiles_in_sector: usize,
    left_in_sector: usize,
    /// Tiles after this one.
    left: usize,
    then: TweakAfter,
}

impl<V: TileTweaks> Sequence<V> {
    /// # Safety
    /// The processor has the features of `V`; `numbers` holds `sectors` tweaks.
    #[cfg_attr(optimized, inline(always))]
    unsafe fn new(numbers: *mut Block, sectors: usize, tiles_in_sector: usize, then: TweakAfter) -> Self {
        // SAFETY: there is at least one sector.
        let tile = unsafe { V::first_tile(numbers) };
        let left = tiles_in_sector * sectors - 1;
        Sequence { tile, numbers, tiles_in_sector, left_in_sector: tiles_in_sector, left, then }
    }

    /// Goes on to the next tile, if there is one; `tweaks` are those of this one, complete.
    #[cfg_attr(optimized, inline(always))]
    unsafe fn advance(&mut self, tweaks: *mut Block) {
        self.left_in_sector -= 1;
        // SAFETY: a sector is begun only if one is left.
        unsafe {
            if self.left_in_sector != 0 {
                self.tile = V::next_tile(self.tile);
            } else {
                if self.then != TweakAfter::Unused {
                    V::tile_start(V::next_tile(self.tile), self.numbers);
                    if self.then == TweakAfter::Swapped {
                        let vectors = V::TILE_GROUPS * WIDTH;
                        swap_last::<V>(tweaks.add((vectors - 1) * V::BLOCKS), self.numbers);
                    }
                }
                if self.left != 0 {
                    self.left_in_sector = self.tiles_in_sector;
                    self.numbers = self.numbers.add(1);
                    self.tile = V::first_tile(self.numbers);
                }
            }
        }
        self.left = self.left.wrapping_sub(1);
    }
}

/// The eight steps of a tile that belong to its group `group`; after its last ones, on to the tile that follows.
struct Steps<'a, V: TileTweaks> {
    tiles: &'a mut Sequence<V>,
    group: usize,
    out: *mut Block,
}

impl<V: TileTweaks> Between for Steps<'_, V> {
    #[cfg_attr(optimized, inline(always))]
    unsafe fn round(&mut self, round: usize) {
        // SAFETY: whoever made it has the features of `V` and gives `out` room for a tile.
        unsafe {
            if round < WIDTH {
                V::step(&mut self.tiles.tile, self.group * WIDTH + round, self.out);
            } else if round == WIDTH && self.group + 1 == V::TILE_GROUPS {
                self.tiles.advance(self.out);
            }
        }
    }
}

/// The shell for whole tiles.
macro_rules! tile_shell {
    ($vector:ty, $features:literal) => {
        #[target_feature(enable = $features)]
        #[inline(never)]
        unsafe fn tiled_sectors<const DECRYPT: bool>(
            keys: &$crate::xts::simd::aes::keys::KeySchedule,
            sectors: $crate::xts::simd::job::Sectors<'_>,
            len: usize,
            numbers: *mut $crate::xts::simd::blocks::Block,
            then: $crate::xts::simd::aes::vector::TweakAfter,
        ) {
            // SAFETY: the features are this function's own.
            unsafe {
                $crate::xts::simd::aes::tiles::tiled_sectors::<$vector, DECRYPT>(
                    keys, sectors, len, numbers, then,
                )
            }
        }
    };
}
pub(crate) use tile_shell;
