//! x86-64 VAES on 256-bit vectors: two blocks a vector.

use core::arch::x86_64::*;

use super::{
    aesni::X1,
    group::WIDTH,
    job::{Place, Sectors},
    kernel::{shells, tile_shell},
    keys::KeySchedule,
    tiles::TileTweaks,
    vaes256_row::{SHORTEST, row},
    vector::{Block, Number, Row, Vector, unrolled},
    x86::{ROTATE, SELECT, carries, pins, powers},
};

/// Features: avx2, aes, vaes.
#[derive(Clone, Copy)]
pub(super) struct X2(pub(super) __m256i);

static POWERS: [[u64; 4]; 4] = powers();
static CARRIES: [[u64; 4]; 4] = carries();

// SAFETY (all methods): the trait's contract: the features are there, pointers are good for 32 bytes (16: broadcast).
impl Vector for X2 {
    const BLOCKS: usize = 2;
    const KEY_LAG: usize = 0;

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
    const TILE_GROUPS: usize = 2;
    type First = ();
    #[inline(always)]
    unsafe fn first(_number: *const Block) {}
    #[inline(always)]
    unsafe fn row<const DECRYPT: bool>(keys: &KeySchedule, _first: (), of: &Row) -> bool {
        let long = of.tiles >= SHORTEST && keys.in_rows();
        if long {
            // SAFETY: as above.
            unsafe { row(keys, DECRYPT, of.at, of.tiles_in_sector, of.tiles, of.numbers, of.far) };
        }
        long
    }
    #[inline(always)]
    unsafe fn tiled_sectors<const DECRYPT: bool>(
        keys: &KeySchedule,
        sectors: Sectors<'_>,
        len: usize,
        numbers: *mut Block,
        then: Number,
    ) {
        // SAFETY: as above.
        unsafe { tiled_sectors::<DECRYPT>(keys, sectors, len, numbers, then) }
    }
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
    unsafe fn pin<const N: usize>(x: &mut [Self; N]) {
        if let Ok(x) = x.as_mut_slice().try_into() {
            // SAFETY: as above.
            unsafe { pin8(x) }
        } else if let Ok(x) = x.as_mut_slice().try_into() {
            // SAFETY: as above.
            unsafe { pin4(x) }
        }
    }
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
pub(super) struct Tweaks {
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
pub(super) struct Tile {
    before: X2,
    now: X2,
    /// The words whose top bits leave the 64-bit halves of `now`, each where its carry goes. What is carried into a
    /// half takes 31 doublings to get into them, so that they are simply shifted; the tweaks then wait for nothing but
    /// each other.
    words: X2,
}

impl Tile {
    #[inline(always)]
    pub(super) unsafe fn new(lanes: X2) -> Tile {
        // SAFETY: the features are the caller's.
        let words = X2(unsafe { _mm256_shuffle_epi32(lanes.0, 0x13) });
        Tile { before: lanes, now: lanes, words }
    }
}

/// Times x^16 in GF(2^128): every byte moves up by two, and those that leave come back
/// times x^7 + x^2 + x + 1.
#[inline(always)]
pub(super) unsafe fn times_x16(tweak: X2) -> X2 {
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
pub(super) unsafe fn reduce(moved: __m256i, added: __m256i, carry: __m256i) -> X2 {
    // SAFETY: the features are the caller's.
    unsafe {
        let (x1, x2, x7) =
            (_mm256_slli_epi64(carry, 1), _mm256_slli_epi64(carry, 2), _mm256_slli_epi64(carry, 7));
        let sum = _mm256_xor_si256(_mm256_xor_si256(moved, added), x1);
        X2(_mm256_xor_si256(_mm256_xor_si256(sum, x2), x7))
    }
}

pins!(X2, ymm_reg, "avx2");
shells!(X2, X1, "avx2,aes,vaes");
tile_shell!(X2, "avx2,aes,vaes");
