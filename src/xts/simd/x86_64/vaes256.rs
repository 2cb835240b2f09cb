//! x86-64 VAES on 256-bit vectors: two blocks a vector.
//!
//! Long rows of whole tiles are assembler that keeps twelve vectors in flight.
//!
//! On processors that start two 256-bit AES instructions a cycle with a latency of four (Zen 3), eight vectors keep the
//! AES units busy only if nothing is ever late, and every xor, shuffle or shift that takes one of their ports makes
//! something late. Twelve vectors give the slack in which xors, compares and additions are free; only shuffles, shifts
//! and lane crossings still cost. Twelve vectors, a round key, a temporary, and the two vectors that make tweaks are
//! all sixteen registers, which the compiler does not manage without spilling; it also turns additions into shifts, and
//! pairs of stores into lane crossings. So this is the one place where the instructions are spelt out.
//!
//! A lap is three tiles: 48 vectors, four groups of twelve. Its budget, for each vector of data (docs/kernel.md has the
//! measurements): 14 AES instructions, which alone take seven cycles; three xors, of which two take their operand from
//! memory; a store; 1.25 loads of round keys. And for making a vector of the next lap's tweaks: a compare, an and-not,
//! two additions and a xor, none of which needs a port of its own; two stores and a load.
//!
//! Two blocks' tweaks are made at once, 16 blocks apart, one in each lane. Bringing them into order takes no
//! instruction of the vector units: a whole vector is stored where the lower lane belongs; the upper lane, which is
//! then one place further on, is loaded from there and stored where it belongs; and the next vector covers it.

use core::arch::{asm, x86_64::*};

use super::{ROTATE, SELECT, aesni::X1, carries, limit, pins, powers};
use crate::xts::simd::{
    aes::{
        kernel::shells,
        keys::KeySchedule,
        tiles::{TileTweaks, tile_shell},
        vector::{Aes, Row, Tiles, TweakAfter, TweakStream, Vector, WIDTH, unrolled},
    },
    blocks::{Block, Blocks},
    job::{Place, Sectors},
};

/// Features: avx2, aes, vaes.
#[derive(Clone, Copy)]
struct X2(__m256i);

static POWERS: [[u64; 4]; 4] = powers();
static CARRIES: [[u64; 4]; 4] = carries();

// SAFETY (all methods): the trait's contract: the features are there, pointers are good for 32 bytes (16: broadcast).
impl Vector for X2 {
    const BLOCKS: usize = 2;

    #[inline(always)]
    unsafe fn load(src: *const u8) -> Self {
        // SAFETY: as above.
        unsafe { X2(_mm256_loadu_si256(src.cast())) }
    }
    #[inline(always)]
    unsafe fn store(self, dst: *mut u8) {
        // SAFETY: as above.
        unsafe { _mm256_storeu_si256(dst.cast(), self.0) }
    }
    #[inline(always)]
    unsafe fn broadcast(block: *const Block) -> Self {
        // SAFETY: as above.
        unsafe { X2(_mm256_broadcastsi128_si256(_mm_loadu_si128(block.cast()))) }
    }
    #[inline(always)]
    unsafe fn with_last(self, block: *const Block) -> Self {
        // SAFETY: as above.
        unsafe { X2(_mm256_inserti128_si256(self.0, _mm_loadu_si128(block.cast()), 1)) }
    }
    #[inline(always)]
    unsafe fn pin<const N: usize>(x: &mut [Self; N]) {
        if let Ok(x) = x.as_mut_slice().try_into() {
            // SAFETY: as above.
            unsafe { pin8(x) }
        } else if let Ok(x) = x.as_mut_slice().try_into() {
            // SAFETY: as above.
            unsafe { pin4(x) }
        }
    }
}

// SAFETY (all methods): as above.
impl Aes for X2 {
    const KEY_LAG: usize = 0;

    #[inline(always)]
    unsafe fn enter(tweak: Self, whitening: Self, data: Self) -> Self {
        // SAFETY: as above.
        unsafe { X2(_mm256_xor_si256(_mm256_xor_si256(tweak.0, whitening.0), data.0)) }
    }
    #[inline(always)]
    unsafe fn round<const DECRYPT: bool>(self, key: Self) -> Self {
        // SAFETY: as above.
        unsafe {
            X2(if DECRYPT {
                _mm256_aesdec_epi128(self.0, key.0)
            } else {
                _mm256_aesenc_epi128(self.0, key.0)
            })
        }
    }
    #[inline(always)]
    unsafe fn leave<const DECRYPT: bool>(self, _before: Self, last: Self, tweak: Self) -> Self {
        // SAFETY: as above. The last round ends with the xor of its key: one xor of key and tweak serves both.
        unsafe {
            let key = _mm256_xor_si256(last.0, tweak.0);
            X2(if DECRYPT {
                _mm256_aesdeclast_epi128(self.0, key)
            } else {
                _mm256_aesenclast_epi128(self.0, key)
            })
        }
    }
    #[inline(always)]
    unsafe fn leave_numbers(self, _before: Self, last: Self) -> Self {
        // SAFETY: as above.
        unsafe { X2(_mm256_aesenclast_epi128(self.0, last.0)) }
    }
}

// SAFETY (all methods): as above.
impl TweakStream for X2 {
    type Tweaks = Tweaks;

    #[inline(always)]
    unsafe fn first_tweaks(tweak: *const Block) -> Tweaks {
        // SAFETY: as above.
        unsafe {
            let base = Self::broadcast(tweak);
            let mut next = [base; 4];
            unrolled!(I < 4, {
                next[I % 4] = times_powers(base, I % 4);
            });
            Tweaks { next, products: products(next[0]) }
        }
    }
    #[inline(always)]
    unsafe fn next_tweaks(tweaks: &mut Tweaks, step: usize, out: *mut Block) {
        // SAFETY: as above.
        unsafe {
            let [now, a, b, c] = tweaks.next;
            now.store(out.cast());
            let moved = _mm256_shuffle_epi8(now.0, _mm256_load_si256(ROTATE.0.as_ptr().cast()));
            let select = _mm256_load_si256(SELECT[step % WIDTH].0.as_ptr().cast());
            let product = _mm256_shuffle_epi8(tweaks.products.0, select);
            tweaks.next = [a, b, c, X2(_mm256_xor_si256(moved, product))];
        }
    }
    #[inline(always)]
    unsafe fn after_eight(tweaks: &mut Tweaks) {
        // SAFETY: as above.
        tweaks.products = unsafe { products(tweaks.next[0]) };
    }
    #[inline(always)]
    unsafe fn next_tweak(tweaks: &Tweaks, out: *mut Block) {
        // SAFETY: as above.
        unsafe { _mm_storeu_si128(out.cast(), _mm256_castsi256_si128(tweaks.next[0].0)) }
    }
}

// SAFETY (all methods): as above.
impl Tiles for X2 {
    type One = X1;
    const TILE_GROUPS: usize = 2;

    #[inline(always)]
    unsafe fn whole_blocks<const DECRYPT: bool>(
        keys: &KeySchedule,
        place: Place,
        tweaks: *const Block,
        blocks: usize,
    ) {
        // SAFETY: as above.
        unsafe { whole_blocks::<DECRYPT>(keys, place, tweaks, blocks) }
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
        unsafe { tiled_sectors::<DECRYPT>(keys, sectors, len, numbers, then) }
    }
    #[inline(always)]
    unsafe fn laps<const DECRYPT: bool>(keys: &KeySchedule, of: &Row) -> bool {
        let long = of.tiles >= SHORTEST && keys.in_rows();
        if long {
            // SAFETY: as above.
            unsafe { row(keys, DECRYPT, of.at, of.tiles_in_sector, of.tiles, of.numbers, of.far) };
        }
        long
    }
}

// SAFETY (all methods): as above.
impl TileTweaks for X2 {
    type Tile = Tile;
    #[inline(always)]
    unsafe fn first_tile(tweak: *const Block) -> Tile {
        // SAFETY: as above.
        unsafe {
            let base = Self::broadcast(tweak);
            let second = times_x16(base);
            Tile::new(X2(_mm256_blend_epi32(base.0, second.0, 0xf0)))
        }
    }
    #[inline(always)]
    unsafe fn step(tile: &mut Tile, step: usize, out: *mut Block) {
        // SAFETY: as above; a tile has 32 blocks.
        unsafe {
            let Tile { before, now, words } = *tile;
            if step % 2 == 1 {
                X2(_mm256_permute2x128_si256(before.0, now.0, 0x20)).store(out.add(step - 1).cast());
                X2(_mm256_permute2x128_si256(before.0, now.0, 0x31)).store(out.add(15 + step).cast());
            }
            let carries =
                _mm256_and_si256(_mm256_srai_epi32(words.0, 31), _mm256_set_epi64x(1, 0x87, 1, 0x87));
            *tile = Tile {
                before: now,
                now: X2(_mm256_xor_si256(_mm256_add_epi64(now.0, now.0), carries)),
                words: X2(_mm256_add_epi32(words.0, words.0)),
            };
        }
    }
    #[inline(always)]
    unsafe fn tile_start(tile: Tile, out: *mut Block) {
        // SAFETY: as above.
        unsafe { _mm_storeu_si128(out.cast(), _mm256_castsi256_si128(tile.now.0)) }
    }
    #[inline(always)]
    unsafe fn next_tile(tile: Tile) -> Tile {
        // SAFETY: as above. The lanes are 16 doublings on: at the second group's start and at its end.
        unsafe { Tile::new(times_x16(tile.now)) }
    }
}

/// The next four vectors of a unit's tweaks; see the 512-bit form.
#[derive(Clone, Copy)]
struct Tweaks {
    next: [X2; 4],
    /// In word `n` of a lane: the byte that leaves the `n`th of the eight vectors there, times x^7 + x^2 + x.
    products: X2,
}

/// The products of eight vectors, from the first one.
#[inline(always)]
unsafe fn products(first: X2) -> X2 {
    // SAFETY: the features are the caller's.
    unsafe {
        // Word n's byte starts at bit 56 - 2n of the upper half: at bit 8, 6, 4 or 2 of a pair of its bytes, which is
        // moved to the word's upper byte and then down.
        let pairs = _mm256_set1_epi64x(0x0f0e_0f0e_0f0e_0f0e);
        let pairs =
            _mm256_sub_epi8(pairs, _mm256_set_epi64x(0x0101_0101_0101_0101, 0, 0x0101_0101_0101_0101, 0));
        let words = _mm256_shuffle_epi8(first.0, pairs);
        let moved = _mm256_mullo_epi16(words, _mm256_set1_epi64x(0x0040_0010_0004_0001));
        let bytes = _mm256_srli_epi16(moved, 8);
        let (x1, x2, x7) =
            (_mm256_slli_epi16(bytes, 1), _mm256_slli_epi16(bytes, 2), _mm256_slli_epi16(bytes, 7));
        X2(_mm256_xor_si256(_mm256_xor_si256(x1, x2), x7))
    }
}

/// The tweaks of a tile in the making: the next ones of its two groups, one in each lane, so that one doubling serves
/// two blocks; and those before them.
#[derive(Clone, Copy)]
struct Tile {
    before: X2,
    now: X2,
    /// The words whose top bits leave the 64-bit halves of `now`, each where its carry goes. What is carried into a
    /// half takes 31 doublings to get into them, so that they are simply shifted; the tweaks then wait for nothing but
    /// each other.
    words: X2,
}

impl Tile {
    #[inline(always)]
    unsafe fn new(lanes: X2) -> Tile {
        // SAFETY: the features are the caller's.
        let words = X2(unsafe { _mm256_shuffle_epi32(lanes.0, 0x13) });
        Tile { before: lanes, now: lanes, words }
    }
}

/// Times x^16 in GF(2^128): every byte moves up by two, and those that leave come back
/// times x^7 + x^2 + x + 1.
#[inline(always)]
unsafe fn times_x16(tweak: X2) -> X2 {
    // SAFETY: the features are the caller's.
    unsafe {
        let moved = _mm256_bslli_epi128(tweak.0, 2);
        let carry = _mm256_bsrli_epi128(tweak.0, 14);
        reduce(moved, carry, carry)
    }
}

/// The tweaks of vector `i` of a unit, from its first tweak in every lane: that times `x^POWERS[i]`.
#[inline(always)]
unsafe fn times_powers(first: X2, i: usize) -> X2 {
    // SAFETY: the features are the caller's; a row is as long as a vector.
    unsafe {
        let moved = _mm256_sllv_epi64(first.0, _mm256_loadu_si256(POWERS[i].as_ptr().cast()));
        let carries = _mm256_srlv_epi64(first.0, _mm256_loadu_si256(CARRIES[i].as_ptr().cast()));
        // The lower half's carry moves up; the upper half's is what `reduce` wants, in the lower half alone.
        let swapped = _mm256_shuffle_epi32(carries, 0x4e);
        reduce(moved, swapped, _mm256_bsrli_epi128(carries, 8))
    }
}

/// `moved + added + carry * (x^7 + x^2 + x)`, where `carry` has at most 16 bits, so that each product stays in its
/// half.
#[inline(always)]
unsafe fn reduce(moved: __m256i, added: __m256i, carry: __m256i) -> X2 {
    // SAFETY: the features are the caller's.
    unsafe {
        let (x1, x2, x7) =
            (_mm256_slli_epi64(carry, 1), _mm256_slli_epi64(carry, 2), _mm256_slli_epi64(carry, 7));
        let sum = _mm256_xor_si256(_mm256_xor_si256(moved, added), x1);
        X2(_mm256_xor_si256(_mm256_xor_si256(sum, x2), x7))
    }
}

pins!(X2, ymm_reg, "avx2");
shells!(run, X2, "avx2,aes,vaes");
tile_shell!(X2, "avx2,aes,vaes");

/// Blocks of a tile.
const TILE: usize = 32;
/// Tiles of a lap: the fewest that are a whole number of groups of twelve vectors.
const LAP: usize = 3;
/// The shortest row, in tiles, that gains from a schedule whose first lap of tweaks is made ahead of all data.
const SHORTEST: usize = 32;

/// What the schedule takes from memory.
#[repr(C, align(32))]
struct Constants {
    /// What a carry adds: x^7 + x^2 + x + 1 to the lower half for the bit that leaves the upper one, and 1 the other
    /// way.
    carries: [u64; 4],
    /// -1 in each word: what is greater has no top bit.
    minus_one: [i32; 8],
}

static CONSTANTS: Constants = Constants { carries: [0x87, 1, 0x87, 1], minus_one: [-1; 8] };

/// Where tiles begin: the tweaks of a tile's first block and of its seventeenth, one in each lane.
struct Starts {
    /// The encrypted number of the sector that comes next.
    numbers: *const Block,
    tiles_in_sector: usize,
    left_in_sector: usize,
    /// Tiles to come; behind the last one, it is repeated.
    left: usize,
    last: X2,
}

impl Starts {
    /// # Safety
    /// The processor has the features of `X2`; `numbers` holds a block for each sector that is left.
    #[inline(always)]
    unsafe fn next(&mut self) -> X2 {
        // SAFETY: a sector is begun only if one is left.
        unsafe {
            if self.left != 0 {
                self.left -= 1;
                if self.left_in_sector == 0 {
                    self.left_in_sector = self.tiles_in_sector;
                    let first = X2::broadcast(self.numbers);
                    self.numbers = self.numbers.add(1);
                    self.last = X2(_mm256_blend_epi32(first.0, times_x16(first).0, 0xf0));
                } else {
                    self.last = times_x32(self.last);
                }
                self.left_in_sector -= 1;
            }
            self.last
        }
    }

    /// # Safety
    /// As [`next`](Starts::next).
    #[inline(always)]
    unsafe fn lap(&mut self) -> [X2; LAP] {
        // SAFETY: this function's contract.
        unsafe { [self.next(), self.next(), self.next()] }
    }
}

/// Times x^32 in GF(2^128): every byte moves up by four, and those that leave come back times x^7 + x^2 + x + 1.
#[inline(always)]
unsafe fn times_x32(tweak: X2) -> X2 {
    // SAFETY: the features are the caller's.
    unsafe {
        let carry = _mm256_bsrli_epi128(tweak.0, 12);
        reduce(_mm256_bslli_epi128(tweak.0, 4), carry, carry)
    }
}

/// Defines a lap: `$rounds` are all rounds but the last; `$spread` is how many they are, over which each group's twelve
/// steps of making tweaks are spread. In the assembler, `\g` counts groups, `\r` rounds, `\i` the vectors of a group, and
/// `\s` its steps; step `12 * \g + \s` of the lap makes two blocks of a tile's tweaks.
///
/// `$from` is how far behind a multiple of 64 bytes the code begins. A lap is so long that it is fetched and decoded each
/// time, and where the borders of the fetches fall makes a difference of up to 5 %. Of 0, 16, 32 and 48 these are the
/// best on Zen 4.
///
/// ymm0 to ymm11: data. ymm12: a round key. ymm13: a temporary. ymm14: the tweaks of two blocks. ymm15: the words of
/// them whose top bits leave a half, each where its carry goes, shifted by themselves (see [`Tile`]).
macro_rules! lap {
    ($name:ident, $from:literal, $rounds:literal, $spread:literal, $aes:literal, $aes_last:literal, $ahead:literal) => {
        /// # Safety
        /// The processor has the features. Source and destination hold a lap, and are the same or apart; `tweaks` holds
        /// the lap's; there is room for a lap of tweaks at `next`, elsewhere.
        #[target_feature(enable = "avx2,aes,vaes")]
        #[inline]
        unsafe fn $name(
            keys: &KeySchedule,
            at: Place,
            tweaks: *const Block,
            starts: &[X2; LAP],
            next: *mut Block,
        ) {
            // SAFETY: all addresses are inside what this function's contract and the references give: laps are 1536
            // bytes, `starts` 96, the keys 240. A whole vector that is stored for its lower lane ends in the tile,
            // since the sixteenth is not stored so. All registers that are written are named.
            unsafe {
                asm!(
                    ".p2align 6",
                    concat!(".if ", $from),
                    concat!(".nops ", $from),
                    ".endif",
                    ".irp g, 0,1,2,3",
                    "vbroadcasti128 ymm12, [{keys}]",
                    ".irp i, 0,1,2,3,4,5,6,7,8,9,10,11",
                    "vpxor ymm\\i, ymm12, [{tweaks} + 384*\\g + 32*\\i]",
                    "vpxor ymm\\i, ymm\\i, [{src} + 384*\\g + 32*\\i]",
                    ".endr",
                    concat!(".irp r, ", $rounds),
                    "vbroadcasti128 ymm12, [{keys} + 16*\\r]",
                    concat!(".if ", $ahead, " && (\\r <= 6)"),
                    concat!("prefetcht0 [{src} + 384*\\g + 64*(\\r-1) + ", $ahead, "]"),
                    ".endif",
                    ".irp i, 0,1,2,3,4,5,6,7,8,9,10,11",
                    concat!($aes, " ymm\\i, ymm\\i, ymm12"),
                    ".endr",
                    ".irp s, 0,1,2,3,4,5,6,7,8,9,10,11",
                    concat!(".if (\\s >= 12*(\\r-1)/", $spread, ") && (\\s < 12*\\r/", $spread, ")"),
                    // The first of a tile.
                    ".if (12*\\g + \\s) % 16 == 0",
                    "vmovdqa ymm14, [{starts} + 2*(12*\\g + \\s)]",
                    "vpshufd ymm15, ymm14, 0x13",
                    ".endif",
                    // Into order.
                    ".if (12*\\g + \\s) % 16 == 15",
                    "vmovdqu [{next} + 512*((12*\\g + \\s)/16) + 240], xmm14",
                    "vextracti128 [{next} + 512*((12*\\g + \\s)/16) + 496], ymm14, 1",
                    ".else",
                    "vmovdqu [{next} + 512*((12*\\g + \\s)/16) + 16*((12*\\g + \\s)%16)], ymm14",
                    "vmovdqu xmm13, [{next} + 512*((12*\\g + \\s)/16) + 16*((12*\\g + \\s)%16) + 16]",
                    "vmovdqu [{next} + 512*((12*\\g + \\s)/16) + 16*((12*\\g + \\s)%16) + 256], xmm13",
                    ".endif",
                    // Doubled.
                    "vpcmpgtd ymm13, ymm15, [{constants} + 32]",
                    "vpandn ymm13, ymm13, [{constants}]",
                    "vpaddd ymm15, ymm15, ymm15",
                    "vpaddq ymm14, ymm14, ymm14",
                    "vpxor ymm14, ymm14, ymm13",
                    ".endif",
                    ".endr",
                    ".endr",
                    "vbroadcasti128 ymm12, [{keys} + 16*14]",
                    ".irp i, 0,1,2,3,4,5,6,7,8,9,10,11",
                    "vpxor ymm13, ymm12, [{tweaks} + 384*\\g + 32*\\i]",
                    concat!($aes_last, " ymm\\i, ymm\\i, ymm13"),
                    "vmovdqu [{dst} + 384*\\g + 32*\\i], ymm\\i",
                    ".endr",
                    ".endr",
                    keys = in(reg) keys, src = in(reg) at.src, dst = in(reg) at.dst, tweaks = in(reg) tweaks,
                    starts = in(reg) starts, next = in(reg) next, constants = in(reg) &raw const CONSTANTS,
                    out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _,
                    out("xmm6") _, out("xmm7") _, out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                    out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
                    options(nostack, preserves_flags),
                );
            }
        }
    };
}

lap!(encrypt_128, "32", "1,2,3,4,5,6,7,8,9", "9", "vaesenc", "vaesenclast", "0");
lap!(decrypt_128, "32", "1,2,3,4,5,6,7,8,9", "9", "vaesdec", "vaesdeclast", "0");
lap!(encrypt_256, "0", "1,2,3,4,5,6,7,8,9,10,11,12,13", "13", "vaesenc", "vaesenclast", "0");
lap!(decrypt_256, "0", "1,2,3,4,5,6,7,8,9,10,11,12,13", "13", "vaesdec", "vaesdeclast", "0");
lap!(encrypt_128_far, "0", "1,2,3,4,5,6,7,8,9", "9", "vaesenc", "vaesenclast", "4096");
lap!(decrypt_128_far, "0", "1,2,3,4,5,6,7,8,9", "9", "vaesdec", "vaesdeclast", "4096");
lap!(encrypt_256_far, "48", "1,2,3,4,5,6,7,8,9,10,11,12,13", "13", "vaesenc", "vaesenclast", "4096");
lap!(decrypt_256_far, "48", "1,2,3,4,5,6,7,8,9,10,11,12,13", "13", "vaesdec", "vaesdeclast", "4096");

/// A row of `tiles` tiles (at least one) at `at`; `numbers` holds the encrypted numbers of their sectors.
/// `decrypt`: the direction. `far`: fetch ahead.
///
/// # Safety
/// The processor has the features of `X2`; source and destination hold that many tiles, and are the same or apart;
/// there is a number for each sector.
#[target_feature(enable = "avx2,aes,vaes")]
unsafe fn row(
    keys: &KeySchedule,
    decrypt: bool,
    mut at: Place,
    tiles_in_sector: usize,
    tiles: usize,
    numbers: *const Block,
    far: bool,
) {
    let tweaks = Blocks::<{ 2 * LAP * TILE }>::new();
    let (mut now, mut next) = (tweaks.at(0), tweaks.at(LAP * TILE));
    // SAFETY: this function's contract; each half of `tweaks` holds a lap, and the tiles that are left at the end are
    // fewer than a lap has.
    unsafe {
        let last = X2::broadcast(numbers);
        let mut starts = Starts { numbers, tiles_in_sector, left_in_sector: 0, left: tiles, last };
        for (i, start) in starts.lap().into_iter().enumerate() {
            let mut tile = Tile::new(start);
            for step in 0..TILE / 2 {
                X2::step(&mut tile, step, now.add(i * TILE));
            }
        }
        let lap = match (keys.is_long(), decrypt, far) {
            (false, false, false) => encrypt_128,
            (false, true, false) => decrypt_128,
            (true, false, false) => encrypt_256,
            (true, true, false) => decrypt_256,
            (false, false, true) => encrypt_128_far,
            (false, true, true) => decrypt_128_far,
            (true, false, true) => encrypt_256_far,
            (true, true, true) => decrypt_256_far,
        };
        for _ in 0..tiles / LAP {
            let starts = starts.lap();
            lap(keys, at, now, &starts, next);
            core::mem::swap(&mut now, &mut next);
            at = at.add(16 * TILE * LAP);
        }
        let rest = if decrypt { X2::whole_blocks::<true> } else { X2::whole_blocks::<false> };
        rest(keys, at, now, TILE * (tiles % LAP));
    }
}
limit!("avx2,aes,vaes", 2, "vaesenc ymm\\i, ymm\\i, ymm15", "vaesdec ymm\\i, ymm\\i, ymm15", "vzeroupper");
