//! Whole tiles on AArch64: round keys in registers, and the first round's key in the tweaks.
//!
//! The vector units are what limits wide cores: of each block they take 14 rounds, the store, and the xors. With EOR3 one
//! xor is all there is: `AESE` adds its key before the substitution, so that tweak and whitening key, added up in the
//! integer registers, are the key of a block's first round, and the last two xors are those of that sum and of a
//! constant. Cores without it have one unit for AES and another one for xors, and take the plain tweaks.

use super::{
    armv8::{A1, Number as Tweak},
    group::WIDTH,
    job::Place,
    keys::{Blocks, COMMON_ROUNDS, MORE_ROUNDS, Schedule},
    tiles::Number,
    vector::{Block, Row, Vector, unrolled},
};

const TILE_LEN: usize = 16 * WIDTH;

/// All tiles of a row.
///
/// # Safety
/// As [`Vector::row`].
#[cfg_attr(optimized, inline(always))]
pub(super) unsafe fn row<const EOR3: bool, const DECRYPT: bool>(keys: &Schedule, first: Tweak, row: &Row) {
    // With EOR3 two neighbours tell tweak and whitening key.
    let tweaks = Blocks::<{ 2 * WIDTH }>::new();
    let (mut now, mut next) = (tweaks.at(0), tweaks.at(WIDTH));
    let mut at = row.at;
    let mut others = row.others;
    let mut left_in_sector = row.tiles_in_sector;
    // SAFETY: the row holds that many tiles, of which there is one at least, and a number for each sector.
    unsafe {
        let whitening = Tweak::load(keys.key(0));
        let keys = Keys::<EOR3>::load(keys);
        let mut source = Source {
            tweak: first,
            mask: if EOR3 { whitening } else { Tweak { low: 0, high: 0 } },
            number: row.numbers,
            then: row.then,
            tiles_in_sector: row.tiles_in_sector,
            left_in_sector: row.tiles_in_sector,
            left: row.tiles,
        };
        for i in 0..WIDTH {
            source.step(i, now);
        }
        source.end(now);
        for _ in 1..row.tiles {
            tile::<EOR3, DECRYPT>(&keys, at, now, |round| {
                if round < WIDTH {
                    source.step(round, next);
                } else if round == WIDTH {
                    source.end(next);
                }
            });
            (now, next) = (next, now);
            at = at.add(TILE_LEN);
            left_in_sector -= 1;
            if left_in_sector == 0 {
                left_in_sector = row.tiles_in_sector;
                if others.is_null() {
                    at = at.add(row.gap);
                } else {
                    at = others.read();
                    others = others.add(1);
                }
            }
        }
        tile::<EOR3, DECRYPT>(&keys, at, now, |_| ());
    }
    if EOR3 {
        tweaks.wipe();
    }
}

/// A schedule in registers.
struct Keys<const EOR3: bool> {
    keys: [A1<EOR3>; COMMON_ROUNDS + MORE_ROUNDS + 1],
    last: A1<EOR3>,
    long: bool,
}

impl<const EOR3: bool> Keys<EOR3> {
    #[cfg_attr(optimized, inline(always))]
    unsafe fn load(keys: &Schedule) -> Self {
        // SAFETY: the features are the caller's.
        unsafe {
            let mut loaded = [A1::broadcast(keys.key(0)); COMMON_ROUNDS + MORE_ROUNDS + 1];
            unrolled!(I < COMMON_ROUNDS + MORE_ROUNDS + 1, {
                loaded[I % 14] = A1::broadcast(keys.key(I));
            });
            let last = A1::broadcast(keys.last());
            // What is in the tweaks is taken away again at the end.
            let last = if EOR3 { A1::enter(loaded[0], last, last) } else { last };
            Keys { keys: loaded, last, long: keys.is_long() }
        }
    }
}

/// One tile; `between` is called after the first nine rounds, from 0, as [`Between`](super::group::Between).
#[cfg_attr(optimized, inline(always))]
unsafe fn tile<const EOR3: bool, const DECRYPT: bool>(
    keys: &Keys<EOR3>,
    at: Place,
    tweaks: *const Block,
    mut between: impl FnMut(usize),
) {
    let Keys { keys, last, long } = keys;
    // SAFETY: the caller gives a tile of source, destination and tweaks.
    unsafe {
        let mut x = [*last; WIDTH];
        unrolled!(I < WIDTH, {
            let tweak = A1::broadcast(tweaks.add(I));
            let data = A1::load(at.src.add(16 * I));
            x[I % WIDTH] = if EOR3 {
                data.round::<DECRYPT>(tweak)
            } else {
                A1::enter(tweak, tweak, data).round::<DECRYPT>(keys[0])
            };
        });
        A1::pin(&mut x);
        between(0);
        macro_rules! round {
            ($i:expr) => {
                unrolled!(I < WIDTH, {
                    x[I % WIDTH] = x[I % WIDTH].round::<DECRYPT>(keys[$i % 14]);
                });
                A1::pin(&mut x);
            };
        }
        unrolled!(R < COMMON_ROUNDS - 1, {
            round!(R + 1);
            between(R + 1);
        });
        if *long {
            unrolled!(R < MORE_ROUNDS, {
                round!(COMMON_ROUNDS + R);
            });
        }
        unrolled!(I < WIDTH, {
            let tweak = A1::broadcast(tweaks.add(I));
            x[I % WIDTH].leave::<DECRYPT>(keys[13], *last, tweak).store(at.dst.add(16 * I));
        });
    }
}

/// The tweaks of a row's tiles, one after the other.
struct Source {
    /// The next block's.
    tweak: Tweak,
    /// What is added to tweaks where they are stored.
    mask: Tweak,
    /// The sector's.
    number: *mut Block,
    then: Number,
    tiles_in_sector: usize,
    left_in_sector: usize,
    /// Tiles from this one on.
    left: usize,
}

impl Source {
    /// Block `i` of a tile.
    #[cfg_attr(optimized, inline(always))]
    unsafe fn step(&mut self, i: usize, out: *mut Block) {
        // SAFETY: the caller gives room for a tile.
        unsafe { self.tweak.add(self.mask).store(out.add(i)) };
        self.tweak = self.tweak.double();
    }

    /// Behind a tile, whose tweaks are `tweaks`.
    #[cfg_attr(optimized, inline(always))]
    unsafe fn end(&mut self, tweaks: *mut Block) {
        self.left -= 1;
        self.left_in_sector -= 1;
        if self.left_in_sector != 0 {
            return;
        }
        // SAFETY: the caller's tile; a sector is begun only if one is left.
        unsafe {
            match self.then {
                Number::Unused => {}
                Number::Next => self.tweak.store(self.number),
                Number::Swapped => {
                    let last = tweaks.add(WIDTH - 1);
                    Tweak::load(last).add(self.mask).store(self.number);
                    self.tweak.add(self.mask).store(last);
                }
            }
            if self.left != 0 {
                self.left_in_sector = self.tiles_in_sector;
                self.number = self.number.add(1);
                self.tweak = Tweak::load(self.number);
            }
        }
    }
}
