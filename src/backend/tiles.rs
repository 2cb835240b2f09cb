//! Sectors of whole tiles: the main road.

use super::{
    group::{Between, Nothing, WIDTH, group},
    keys::Blocks,
    vector::{Block, Vector, unrolled},
};

pub(super) const fn tile_len<V: Vector>() -> usize {
    V::TILE_GROUPS * WIDTH * V::BLOCKS * 16
}

/// The whole tiles of `count` (at least one) sectors: `len` bytes at the start of each, `stride` bytes apart. `numbers`
/// holds the sectors' encrypted numbers; where the stride is longer, each becomes the tweak of what follows the tiles.
///
/// The tweaks of each tile are made during the rounds of the one before it, across the sectors' borders.
#[cfg_attr(optimized, inline(always))]
pub(super) unsafe fn tiled_sectors<V: Vector, const ROUNDS: usize, const DECRYPT: bool>(
    keys: &[Block; 15],
    mut src: *const u8,
    mut dst: *mut u8,
    len: usize,
    stride: usize,
    numbers: *mut Block,
    count: usize,
) {
    const TILE: usize = 2 * WIDTH * 2;
    let group_len = WIDTH * V::BLOCKS * 16;
    let tweaks = Blocks::<{ 2 * TILE }>::new();
    let mut current = tweaks.at(0);
    let mut other = tweaks.at(TILE);
    let tiles_in_sector = len / tile_len::<V>();
    let skipped = stride - len;
    // SAFETY: source and destination hold a tile for each turn and one more; a tile has at most TILE blocks, and the two
    // halves of `tweaks` hold one each.
    unsafe {
        let mut tiles = Tiles::<V>::new(numbers, count, tiles_in_sector, skipped != 0);
        let mut left_in_sector = tiles_in_sector;
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
            left_in_sector -= 1;
            if left_in_sector == 0 {
                left_in_sector = tiles_in_sector;
                src = src.add(skipped);
                dst = dst.add(skipped);
            }
        }
        unrolled!(G < V::TILE_GROUPS, {
            let at = current.add(G * WIDTH * V::BLOCKS);
            let offset = G * group_len;
            group::<V, WIDTH, ROUNDS, DECRYPT>(keys, src.add(offset), dst.add(offset), at, &mut Nothing);
        });
    }
}

/// The tiles of consecutive sectors, one after the other.
struct Tiles<V: Vector> {
    tile: V::Tile,
    /// The tweak of the sector that `tile` belongs to.
    numbers: *mut Block,
    tiles_in_sector: usize,
    left_in_sector: usize,
    /// Tiles after this one.
    left: usize,
    /// Whether something follows a sector's tiles and needs its tweak.
    keep: bool,
}

impl<V: Vector> Tiles<V> {
    /// # Safety
    /// The processor has the features of `V`; `numbers` holds `sectors` tweaks.
    #[cfg_attr(optimized, inline(always))]
    unsafe fn new(numbers: *mut Block, sectors: usize, tiles_in_sector: usize, keep: bool) -> Self {
        // SAFETY: there is at least one sector.
        let tile = unsafe { V::first_tile(numbers) };
        let left = tiles_in_sector * sectors - 1;
        Tiles { tile, numbers, tiles_in_sector, left_in_sector: tiles_in_sector, left, keep }
    }

    /// Goes on to the next tile, if there is one.
    #[cfg_attr(optimized, inline(always))]
    unsafe fn advance(&mut self) {
        self.left_in_sector -= 1;
        // SAFETY: a sector is begun only if one is left.
        unsafe {
            if self.left_in_sector != 0 {
                self.tile = V::next_tile(self.tile);
            } else {
                if self.keep {
                    V::tile_start(V::next_tile(self.tile), self.numbers);
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
struct Steps<'a, V: Vector> {
    tiles: &'a mut Tiles<V>,
    group: usize,
    out: *mut Block,
}

impl<V: Vector> Between for Steps<'_, V> {
    #[cfg_attr(optimized, inline(always))]
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
