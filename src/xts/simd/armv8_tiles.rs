//! Whole tiles on AArch64: round keys that are at hand, and the first one of them in the tweaks.
//!
//! The vector units are what limits wide cores: of each block they take 14 rounds, the store, and the xors. With EOR3 one
//! xor is all there is: `AESE` adds its key before the substitution, so that tweak and whitening key, added up in the
//! integer registers, are the key of a block's first round, and the last two xors are those of that sum and of a
//! constant. These cores start up to four rounds a cycle, so that two tiles are in flight: eight blocks would cover a
//! latency of two cycles, and no more.
//!
//! Cores without EOR3 start one round a cycle and have another unit for xors. They take plain tweaks and one tile, which
//! leaves registers for all round keys.

use super::{
    armv8::{A1, Number as Tweak},
    group::{WIDTH, untraced},
    job::{Place, Sectors},
    keys::{Blocks, COMMON_ROUNDS, KeySchedule, MORE_ROUNDS},
    vector::{Block, Number, Vector, unrolled},
};

/// With EOR3.
const TWO_TILES: usize = 2 * WIDTH;

/// As [`Vector::tiled_sectors`].
///
/// # Safety
/// The same.
#[cfg_attr(optimized, inline(always))]
pub(super) unsafe fn tiled_sectors<const EOR3: bool, const DECRYPT: bool>(
    keys: &KeySchedule,
    sectors: Sectors<'_>,
    len: usize,
    numbers: *mut Block,
    then: Number,
) {
    let tweaks = Blocks::<{ 2 * TWO_TILES }>::new();
    let (mut now, mut next) = (tweaks.at(0), tweaks.at(TWO_TILES));
    let tiles_in_sector = len / (16 * WIDTH);
    let tiles = tiles_in_sector * sectors.count;
    let mut places = Places {
        at: sectors.place(0),
        others: sectors.others(),
        tiles_in_sector,
        left_in_sector: tiles_in_sector,
        gap: sectors.size - len,
    };
    let mut left = tiles;
    // SAFETY: the sectors hold that many tiles, of which there is one at least, and there is a number for each; each group has
    // room for the tweaks of two tiles.
    unsafe {
        let mut source = Source {
            tweak: Tweak::load(numbers),
            mask: if EOR3 { Tweak::load(keys.key(0)) } else { Tweak { low: 0, high: 0 } },
            number: numbers,
            then,
            tiles_in_sector,
            left_in_sector: tiles_in_sector,
            left: tiles,
        };
        if EOR3 {
            // What is in the tweaks is taken away again at the end.
            let (whitening, last) = (A1::<EOR3>::broadcast(keys.key(0)), A1::broadcast(keys.last()));
            let last = A1::enter(whitening, last, last);
            unrolled!(R < WIDTH, {
                source.two_steps(R, now);
            });
            while left > 2 {
                let at = [places.next(), places.next()];
                // Sixteen blocks leave no registers for them.
                let keys = &*untraced(keys);
                group::<EOR3, TWO_TILES, DECRYPT>(keys, last, at, now, |round| {
                    if round < WIDTH {
                        source.two_steps(round, next);
                    }
                });
                (now, next) = (next, now);
                left -= 2;
            }
            if left == 2 {
                let at = [places.next(), places.next()];
                group::<EOR3, TWO_TILES, DECRYPT>(&*untraced(keys), last, at, now, |_| ());
            } else {
                let at = [places.next(); 2];
                group::<EOR3, WIDTH, DECRYPT>(&*untraced(keys), last, at, now, |_| ());
            }
            // Two of these that are neighbours tell the whitening key.
            tweaks.wipe_first(if tiles > 2 { 2 * TWO_TILES } else { TWO_TILES });
        } else {
            let last = A1::broadcast(keys.last());
            let keys = Loaded::new(keys);
            for i in 0..WIDTH {
                source.step(i, now);
            }
            source.end(now);
            while left > 1 {
                let at = [places.next(); 2];
                group::<EOR3, WIDTH, DECRYPT>(&keys, last, at, now, |round| {
                    if round < WIDTH {
                        source.step(round, next);
                    } else if round == WIDTH {
                        source.end(next);
                    }
                });
                (now, next) = (next, now);
                left -= 1;
            }
            group::<EOR3, WIDTH, DECRYPT>(&keys, last, [places.next(); 2], now, |_| ());
        }
    }
}

/// Round keys: where they lie, or in registers.
trait Keys<const EOR3: bool> {
    unsafe fn key(&self, i: usize) -> A1<EOR3>;
    fn is_long(&self) -> bool;
}

/// How many there are but for the last one.
const KEYS: usize = COMMON_ROUNDS + MORE_ROUNDS + 1;

impl<const EOR3: bool> Keys<EOR3> for KeySchedule {
    #[cfg_attr(optimized, inline(always))]
    unsafe fn key(&self, i: usize) -> A1<EOR3> {
        // SAFETY: the features are the caller's.
        unsafe { A1::broadcast(KeySchedule::key(self, i)) }
    }
    #[cfg_attr(optimized, inline(always))]
    fn is_long(&self) -> bool {
        KeySchedule::is_long(self)
    }
}

struct Loaded<const EOR3: bool> {
    keys: [A1<EOR3>; KEYS],
    long: bool,
}

impl<const EOR3: bool> Loaded<EOR3> {
    #[cfg_attr(optimized, inline(always))]
    unsafe fn new(schedule: &KeySchedule) -> Self {
        // SAFETY: the features are the caller's.
        unsafe {
            let mut keys = [A1::broadcast(schedule.key(0)); KEYS];
            unrolled!(I < KEYS, {
                keys[I % KEYS] = A1::broadcast(schedule.key(I));
            });
            Loaded { keys, long: schedule.is_long() }
        }
    }
}

impl<const EOR3: bool> Keys<EOR3> for Loaded<EOR3> {
    #[cfg_attr(optimized, inline(always))]
    unsafe fn key(&self, i: usize) -> A1<EOR3> {
        self.keys[i % KEYS]
    }
    #[cfg_attr(optimized, inline(always))]
    fn is_long(&self) -> bool {
        self.long
    }
}

/// One tile, or two, of `N` blocks together; `between` is called after each of the first nine rounds, with its number
/// from 0.
#[cfg_attr(optimized, inline(always))]
unsafe fn group<const EOR3: bool, const N: usize, const DECRYPT: bool>(
    keys: &impl Keys<EOR3>,
    last: A1<EOR3>,
    at: [Place; 2],
    tweaks: *const Block,
    mut between: impl FnMut(usize),
) {
    // SAFETY: the caller gives a tile of source, destination and tweaks for each eight blocks.
    unsafe {
        let mut x = [last; N];
        macro_rules! round {
            ($i:expr) => {
                let key = keys.key($i);
                unrolled!(I < N, {
                    x[I % N] = x[I % N].round::<DECRYPT>(key);
                });
                A1::pin(&mut x);
            };
        }
        unrolled!(I < N, {
            let tweak = A1::broadcast(tweaks.add(I));
            let data = A1::load(at[I / WIDTH].src.add(16 * (I % WIDTH)));
            x[I % N] = if EOR3 {
                data.round::<DECRYPT>(tweak)
            } else {
                A1::enter(tweak, tweak, data).round::<DECRYPT>(keys.key(0))
            };
        });
        A1::pin(&mut x);
        between(0);
        unrolled!(R < COMMON_ROUNDS - 1, {
            round!(R + 1);
            between(R + 1);
        });
        if keys.is_long() {
            unrolled!(R < MORE_ROUNDS, {
                round!(COMMON_ROUNDS + R);
            });
        }
        let before = keys.key(KEYS - 1);
        // Read once more, where they lie: the registers are needed.
        let tweaks = untraced(tweaks);
        unrolled!(I < N, {
            let tweak = A1::broadcast(tweaks.add(I));
            let dst = at[I / WIDTH].dst.add(16 * (I % WIDTH));
            x[I % N].leave::<DECRYPT>(before, last, tweak).store(dst);
        });
    }
}

/// Where the tiles lie, one after the other.
struct Places {
    at: Place,
    others: *const Place,
    tiles_in_sector: usize,
    left_in_sector: usize,
    gap: usize,
}

impl Places {
    /// # Safety
    /// There is a tile more.
    #[cfg_attr(optimized, inline(always))]
    unsafe fn next(&mut self) -> Place {
        let at = self.at;
        self.at = at.add(16 * WIDTH);
        self.left_in_sector -= 1;
        if self.left_in_sector == 0 {
            self.left_in_sector = self.tiles_in_sector;
            if self.others.is_null() {
                self.at = self.at.add(self.gap);
            } else {
                // SAFETY: behind the last sector's place there are more.
                unsafe {
                    self.at = self.others.read();
                    self.others = self.others.add(1);
                }
            }
        }
        at
    }
}

/// The tweaks of the tiles, one after the other.
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

    /// Blocks `2 * i` and the next one of two tiles, which begin at `out`.
    #[cfg_attr(optimized, inline(always))]
    unsafe fn two_steps(&mut self, i: usize, out: *mut Block) {
        // SAFETY: the caller gives room for two tiles.
        unsafe {
            self.step(2 * i, out);
            self.step(2 * i + 1, out);
            if (2 * i + 2).is_multiple_of(WIDTH) {
                self.end(out.add(2 * i + 2 - WIDTH));
            }
        }
    }

    /// Behind a tile, whose tweaks are `tweaks`. Nothing happens behind the last one of all.
    #[cfg_attr(optimized, inline(always))]
    unsafe fn end(&mut self, tweaks: *mut Block) {
        if self.left == 0 {
            return;
        }
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
            self.left_in_sector = self.tiles_in_sector;
            if self.left != 0 {
                self.number = self.number.add(1);
                self.tweak = Tweak::load(self.number);
            }
        }
    }
}
