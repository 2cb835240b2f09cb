//! AArch64 with the ARMv8 crypto extensions: one block a vector; with EOR3 where there are SHA-3 instructions.
//!
//! `AESE` adds its key before the substitution, where x86's `aesenc` adds it at the end of the round. Each round here
//! therefore takes the key of the round before ([`Aes::KEY_LAG`]), the first xor falls away, and the last key and the
//! tweak are added behind the last round. A pair of `AESE` and `AESMC` stays adjacent, which processors fuse.
//!
//! Tweaks are doubled in the integer registers, which are idle: three operations a block.
//!
//! The vector units are what limits wide cores: of each block they take 14 rounds, the store, and the xors. With EOR3 one
//! xor is all there is: `AESE` adds its key before the substitution, so that tweak and whitening key, added up in the
//! integer registers, are the key of a block's first round, and the last two xors are those of that sum and of a
//! constant. These cores start up to four rounds a cycle, so that two tiles are in flight: eight blocks would cover a
//! latency of two cycles, and no more.
//!
//! Cores without EOR3 start one round a cycle and have another unit for xors. They take plain tweaks and one tile, which
//! leaves registers for all round keys.

use core::arch::{aarch64::*, asm};

use crate::xts::simd::{
    aes::{
        group::untraced,
        kernel,
        keys::{COMMON_ROUNDS, KeySchedule, MORE_ROUNDS, RoundKeys},
        vector::{Aes, Tiles, TweakAfter, TweakStream, Vector, WIDTH, unrolled},
    },
    blocks::{Block, Blocks},
    job::{Place, Sectors},
};

/// Features: neon, aes; sha3 if `EOR3`.
#[derive(Clone, Copy)]
pub(crate) struct A1<const EOR3: bool>(uint8x16_t);

/// A tweak as a number: IEEE Std 1619-2007, 5.2, is little-endian.
#[derive(Clone, Copy)]
pub(crate) struct Tweak {
    pub(crate) low: u64,
    pub(crate) high: u64,
}

impl Tweak {
    #[inline(always)]
    pub(crate) unsafe fn load(block: *const Block) -> Tweak {
        // SAFETY: the caller gives a block.
        let number = u128::from_le_bytes(unsafe { block.read() });
        Tweak { low: number as u64, high: (number >> 64) as u64 }
    }
    #[inline(always)]
    pub(crate) unsafe fn store(self, block: *mut Block) {
        // SAFETY: the caller gives room for a block.
        unsafe { block.write((u128::from(self.high) << 64 | u128::from(self.low)).to_le_bytes()) }
    }
    #[inline(always)]
    pub(crate) fn add(self, other: Tweak) -> Tweak {
        Tweak { low: self.low ^ other.low, high: self.high ^ other.high }
    }
    /// Times x, without a branch on it.
    #[inline(always)]
    pub(crate) fn double(self) -> Tweak {
        let carry = ((self.high as i64) >> 63) as u64 & 0x87;
        Tweak { low: (self.low << 1) ^ carry, high: (self.high << 1) | (self.low >> 63) }
    }
}

// SAFETY (all methods): the trait's contract: the features are there, pointers are good for 16 bytes.
impl<const EOR3: bool> Vector for A1<EOR3> {
    const BLOCKS: usize = 1;

    #[inline(always)]
    unsafe fn load(src: *const u8) -> Self {
        // SAFETY: as above.
        unsafe { A1(vld1q_u8(src)) }
    }
    #[inline(always)]
    unsafe fn store(self, dst: *mut u8) {
        // SAFETY: as above.
        unsafe { vst1q_u8(dst, self.0) }
    }
    #[inline(always)]
    unsafe fn broadcast(block: *const Block) -> Self {
        // SAFETY: as above.
        unsafe { Self::load(block.cast()) }
    }
    #[inline(always)]
    unsafe fn with_last(self, block: *const Block) -> Self {
        // SAFETY: as above.
        unsafe { Self::broadcast(block) }
    }
    #[inline(always)]
    unsafe fn pin<const N: usize>(x: &mut [Self; N]) {
        macro_rules! pin {
            ($n:literal, $($i:literal)*) => {
                if let Ok(x) = <&mut [Self; $n]>::try_from(x.as_mut_slice()) {
                    // SAFETY: a comment, no instruction.
                    unsafe {
                        asm!(concat!("/*", $(" {", $i, ":v}",)* " */"), $(inout(vreg) x[$i].0,)*
                            options(pure, nomem, nostack, preserves_flags));
                    }
                }
            };
        }
        pin!(8, 0 1 2 3 4 5 6 7);
        pin!(16, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    }
}

// SAFETY (all methods): as above.
impl<const EOR3: bool> Aes for A1<EOR3> {
    const KEY_LAG: usize = 1;

    #[inline(always)]
    unsafe fn enter(tweak: Self, _whitening: Self, data: Self) -> Self {
        // SAFETY: as above. The first round adds the whitening key.
        unsafe { A1(veorq_u8(tweak.0, data.0)) }
    }
    #[inline(always)]
    unsafe fn round<const DECRYPT: bool>(self, key: Self) -> Self {
        // SAFETY: as above.
        unsafe { A1(if DECRYPT { decrypt_round(self.0, key.0) } else { encrypt_round(self.0, key.0) }) }
    }
    #[inline(always)]
    unsafe fn leave<const DECRYPT: bool>(self, before: Self, last: Self, tweak: Self) -> Self {
        // SAFETY: as above.
        unsafe {
            let x = if DECRYPT { decrypt_last(self.0, before.0) } else { encrypt_last(self.0, before.0) };
            A1(if EOR3 { xor3(x, last.0, tweak.0) } else { veorq_u8(x, veorq_u8(last.0, tweak.0)) })
        }
    }
    #[inline(always)]
    unsafe fn leave_numbers(self, before: Self, last: Self) -> Self {
        // SAFETY: as above.
        unsafe { A1(veorq_u8(encrypt_last(self.0, before.0), last.0)) }
    }
}

// SAFETY (all methods): as above.
impl<const EOR3: bool> TweakStream for A1<EOR3> {
    type Tweaks = Tweak;

    #[inline(always)]
    unsafe fn first_tweaks(tweak: *const Block) -> Tweak {
        // SAFETY: as above.
        unsafe { Tweak::load(tweak) }
    }
    #[inline(always)]
    unsafe fn next_tweaks(next: &mut Tweak, _step: usize, out: *mut Block) {
        // SAFETY: the caller gives room for a block.
        unsafe { next.store(out) };
        *next = next.double();
    }
    #[inline(always)]
    unsafe fn after_eight(_: &mut Tweak) {}
    #[inline(always)]
    unsafe fn next_tweak(next: &Tweak, out: *mut Block) {
        // SAFETY: the caller gives room for a block.
        unsafe { next.store(out) }
    }
}

// SAFETY (all methods): as above.
impl<const EOR3: bool> Tiles for A1<EOR3> {
    type One = Self;
    const TILE_GROUPS: usize = 1;

    #[inline(always)]
    unsafe fn whole_blocks<const DECRYPT: bool>(
        keys: &KeySchedule,
        place: Place,
        tweaks: *const Block,
        blocks: usize,
    ) {
        // SAFETY: as above.
        unsafe {
            #[cfg(backend = "armv8-eor3")]
            if EOR3 {
                return eor3::whole_blocks::<DECRYPT>(keys, place, tweaks, blocks);
            }
            plain::whole_blocks::<DECRYPT>(keys, place, tweaks, blocks)
        }
    }
    #[inline(always)]
    unsafe fn tiled_sectors<const DECRYPT: bool>(
        keys: &KeySchedule,
        sectors: Sectors<'_>,
        len: usize,
        numbers: *mut Block,
        then: TweakAfter,
    ) {
        // SAFETY: as above.
        unsafe {
            #[cfg(backend = "armv8-eor3")]
            if EOR3 {
                return eor3::tiles::<DECRYPT>(keys, sectors, len, numbers, then);
            }
            plain::tiles::<DECRYPT>(keys, sectors, len, numbers, then)
        }
    }
}

// The intrinsics are inlined only into functions that carry their features; these in turn are, into the shells.

#[target_feature(enable = "neon,aes")]
#[inline]
fn encrypt_round(x: uint8x16_t, key: uint8x16_t) -> uint8x16_t {
    vaesmcq_u8(vaeseq_u8(x, key))
}

#[target_feature(enable = "neon,aes")]
#[inline]
fn encrypt_last(x: uint8x16_t, key: uint8x16_t) -> uint8x16_t {
    vaeseq_u8(x, key)
}

#[target_feature(enable = "neon,aes")]
#[inline]
fn decrypt_round(x: uint8x16_t, key: uint8x16_t) -> uint8x16_t {
    vaesimcq_u8(vaesdq_u8(x, key))
}

#[target_feature(enable = "neon,aes")]
#[inline]
fn decrypt_last(x: uint8x16_t, key: uint8x16_t) -> uint8x16_t {
    vaesdq_u8(x, key)
}

#[target_feature(enable = "neon,sha3")]
#[inline]
fn xor3(a: uint8x16_t, b: uint8x16_t, c: uint8x16_t) -> uint8x16_t {
    veor3q_u8(a, b, c)
}

/// The shells without EOR3.
pub(crate) mod plain {
    #[cfg(feature = "unstable-limit")]
    pub(crate) use super::limit;
    use super::{A1, Block, KeySchedule, Sectors, TweakAfter, tiled_sectors};
    crate::xts::simd::aes::kernel::shells!(run, A1<false>, "neon,aes");

    #[target_feature(enable = "neon,aes")]
    #[inline(never)]
    pub(crate) unsafe fn tiles<const DECRYPT: bool>(
        keys: &KeySchedule,
        sectors: Sectors<'_>,
        len: usize,
        numbers: *mut Block,
        then: TweakAfter,
    ) {
        // SAFETY: the features are this function's own.
        unsafe { tiled_sectors::<false, DECRYPT>(keys, sectors, len, numbers, then) }
    }
}

/// The shells with it.
#[cfg(backend = "armv8-eor3")]
pub(crate) mod eor3 {
    #[cfg(feature = "unstable-limit")]
    pub(crate) use super::limit;
    use super::{A1, Block, KeySchedule, Sectors, TweakAfter, tiled_sectors};
    crate::xts::simd::aes::kernel::shells!(run, A1<true>, "neon,aes,sha3");

    #[target_feature(enable = "neon,aes,sha3")]
    #[inline(never)]
    pub(crate) unsafe fn tiles<const DECRYPT: bool>(
        keys: &KeySchedule,
        sectors: Sectors<'_>,
        len: usize,
        numbers: *mut Block,
        then: TweakAfter,
    ) {
        // SAFETY: the features are this function's own.
        unsafe { tiled_sectors::<true, DECRYPT>(keys, sectors, len, numbers, then) }
    }
}

/// Encrypts a sector number into a tweak.
///
/// # Safety
/// The processor has neon and aes.
#[target_feature(enable = "neon,aes")]
pub(crate) unsafe fn encrypt_number(keys: &RoundKeys, number: &mut Block) {
    // SAFETY: the features are this function's own.
    unsafe { kernel::encrypt_number::<A1<false>>(keys, number) }
}

/// Expands key1 and key2, 16 bytes each or 32 as `keys` was made for: the key schedule of FIPS 197, 5.2, of both at once,
/// since each is a chain of latencies.
///
/// # Safety
/// The processor has neon and aes.
#[target_feature(enable = "neon,aes")]
#[inline(never)]
pub(crate) unsafe fn expand(key1: &[u8], key2: &[u8], keys: &mut RoundKeys) {
    macro_rules! next {
        ($key:expr, $from:expr, $word:expr, $constant:literal) => {
            [chain($key[0], $from[0], $word, $constant), chain($key[1], $from[1], $word, $constant)]
        };
    }
    // A macro, so that each `$i` is a constant and all that `put` asks is answered before.
    macro_rules! put {
        ($i:literal, $keys:expr) => {
            let [data, tweak] = $keys;
            keys.put($i, data, vaesimcq_u8(data), tweak, |key, place| {
                // SAFETY: 16 bytes.
                unsafe { vst1q_u8(place.as_mut_ptr(), key) };
            });
        };
    }
    let (last, rotated) = (vdupq_n_u32(0x0f0e_0d0c), vdupq_n_u32(0x0c0f_0e0d));
    let mut a = [vector(&key1[..16]), vector(&key2[..16])];
    put!(0, a);
    if keys.encrypt.is_long() {
        let mut b = [vector(&key1[16..32]), vector(&key2[16..32])];
        put!(1, b);
        macro_rules! step {
            ($($i:literal $constant:literal $next:literal),*) => {$(
                a = next!(a, b, rotated, $constant);
                put!($i, a);
                b = next!(b, a, last, 0);
                put!($next, b);
            )*};
        }
        step!(2 0x01 3, 4 0x02 5, 6 0x04 7, 8 0x08 9, 10 0x10 11, 12 0x20 13);
        a = next!(a, b, rotated, 0x40);
        put!(14, a);
    } else {
        macro_rules! step {
            ($($i:literal $constant:literal),*) => {$(
                a = next!(a, a, rotated, $constant);
                put!($i, a);
            )*};
        }
        step!(1 0x01, 2 0x02, 3 0x04, 4 0x08, 5 0x10, 6 0x20, 7 0x40, 8 0x80, 9 0x1b, 10 0x36);
    }
}

/// Each word of `key` xored with all words before it, with the constant, and with the substitute of one word of `from`.
/// `word` names that word's bytes, for each column: with the same in all four, `AESE`'s ShiftRows moves nothing.
#[target_feature(enable = "neon,aes")]
fn chain(key: uint8x16_t, from: uint8x16_t, word: uint32x4_t, constant: u32) -> uint8x16_t {
    let zero = vdupq_n_u8(0);
    let key = veorq_u8(key, vextq_u8::<12>(zero, key));
    let key = veorq_u8(key, vextq_u8::<8>(zero, key));
    let key = veorq_u8(key, vreinterpretq_u8_u32(vdupq_n_u32(constant)));
    veorq_u8(key, vaeseq_u8(vqtbl1q_u8(from, vreinterpretq_u8_u32(word)), zero))
}

#[target_feature(enable = "neon")]
fn vector(block: &[u8]) -> uint8x16_t {
    assert!(block.len() == 16);
    // SAFETY: 16 bytes, by the assertion.
    unsafe { vld1q_u8(block.as_ptr()) }
}

/// With EOR3.
const TWO_TILES: usize = 2 * WIDTH;

/// As [`Tiles::tiled_sectors`].
///
/// # Safety
/// The same.
#[cfg_attr(optimized, inline(always))]
unsafe fn tiled_sectors<const EOR3: bool, const DECRYPT: bool>(
    keys: &KeySchedule,
    sectors: Sectors<'_>,
    len: usize,
    numbers: *mut Block,
    then: TweakAfter,
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
    then: TweakAfter,
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
                TweakAfter::Unused => {}
                TweakAfter::Next => self.tweak.store(self.number),
                TweakAfter::Swapped => {
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

/// Measures the AES units (see [`limit`](crate::xts::simd::limit)): sixteen chains of a pair of instructions, which
/// processors fuse.
///
/// # Safety
/// The processor has neon and aes.
#[cfg(feature = "unstable-limit")]
pub(crate) unsafe fn limit(decrypt: bool, loops: u64) -> u64 {
    macro_rules! chains {
        ($name:ident, $substitute:literal, $mix:literal) => {
            #[target_feature(enable = "neon,aes")]
            unsafe fn $name(loops: u64) {
                // SAFETY: vector registers alone, which are all named as lost.
                unsafe {
                    core::arch::asm!(
                        ".p2align 5", "2:", ".rept 8",
                        ".irp x, v0.16b, v1.16b, v2.16b, v3.16b, v4.16b, v5.16b, v6.16b, v7.16b, v16.16b, v17.16b, \
                         v18.16b, v19.16b, v20.16b, v21.16b, v22.16b, v23.16b", $substitute, $mix, ".endr",
                        ".endr", "subs {loops}, {loops}, #1", "b.ne 2b",
                        loops = inout(reg) loops => _,
                        out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _, out("v6") _,
                        out("v7") _, out("v16") _, out("v17") _, out("v18") _, out("v19") _, out("v20") _,
                        out("v21") _, out("v22") _, out("v23") _, out("v31") _,
                        options(nomem, nostack),
                    );
                }
            }
        };
    }
    chains!(encrypt_chains, "aese \\x, v31.16b", "aesmc \\x, \\x");
    chains!(decrypt_chains, "aesd \\x, v31.16b", "aesimc \\x, \\x");
    // SAFETY: this function's contract.
    unsafe { if decrypt { decrypt_chains(loops) } else { encrypt_chains(loops) } }
    loops * 8 * 16
}
