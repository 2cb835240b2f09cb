//! x86-64 VAES on 512-bit vectors: four blocks a vector.

use core::arch::x86_64::*;

use super::{
    aesni::X1,
    group::WIDTH,
    job::{Direction, Job},
    kernel::run_job,
    keys::RoundKeys,
    vector::{Block, Vector, unrolled},
    x86::{carries, pins, powers},
};

/// Features: avx512f, avx512bw, avx512vbmi, aes, vaes.
#[derive(Clone, Copy)]
struct X4(__m512i);

/// The tweaks of a tile in the making.
///
/// The vector after the next is this one times x^8: every byte moves up by one, and the one that leaves comes back times
/// x^7 + x^2 + x + 1. The bytes that leave during a tile are all in the upper halves of its first vector, so that they are
/// multiplied together, ahead of time; what remains for a vector is two shuffles and an xor.
#[derive(Clone, Copy)]
struct Tile {
    now: X4,
    next: X4,
    /// In word `n` of lane `l`: the byte that leaves block `4 * n + l`, times x^7 + x^2 + x.
    products: X4,
}

#[repr(align(64))]
struct Bytes([u8; 64]);

/// Moves every byte of a lane up by one, and the last one to the first place.
static ROTATE: Bytes = Bytes({
    let mut bytes = [0; 64];
    let mut i = 0;
    while i < 64 {
        bytes[i] = (i as u8 + 15) % 16;
        i += 1;
    }
    bytes
});

/// Moves word `n` of a lane to the lowest place, for each `n`, and zero to all others.
static SELECT: [Bytes; WIDTH] = {
    let mut select = [const { Bytes([0x80; 64]) }; WIDTH];
    let mut i = 0;
    while i < 4 * WIDTH {
        let (n, lane) = (i / 4, i % 4);
        select[n].0[16 * lane] = 2 * n as u8;
        select[n].0[16 * lane + 1] = 2 * n as u8 + 1;
        i += 1;
    }
    select
};

/// For word `n` of a lane, where in the upper half of the tile's first block of that lane the byte starts that leaves
/// block `n` of that lane, counted in bits.
static LEAVING: Bytes = Bytes({
    let mut bytes = [0; 64];
    let mut i = 0;
    while i < 32 {
        bytes[2 * i] = 56 - 4 * (i % 8) as u8;
        i += 1;
    }
    bytes
});

/// The products of a tile, from its first vector.
#[inline(always)]
unsafe fn products(first: X4) -> X4 {
    // SAFETY: the features are the caller's.
    unsafe {
        const LOW_BYTES: u64 = 0x5555_5555_5555_5555;
        let places = _mm512_load_si512(LEAVING.0.as_ptr().cast());
        let upper = _mm512_unpackhi_epi64(first.0, first.0);
        let bytes = _mm512_maskz_multishift_epi64_epi8(LOW_BYTES, places, upper);
        let (x1, x2, x7) =
            (_mm512_slli_epi16(bytes, 1), _mm512_slli_epi16(bytes, 2), _mm512_slli_epi16(bytes, 7));
        X4(_mm512_ternarylogic_epi64(x1, x2, x7, 0x96))
    }
}

static POWERS: [[u64; 8]; 2] = powers();
static CARRIES: [[u64; 8]; 2] = carries();

// SAFETY (all methods): the trait's contract: the features are there, pointers are good for 64 bytes (16: broadcast).
impl Vector for X4 {
    const BLOCKS: usize = 4;
    const KEY_LAG: usize = 0;

    #[inline(always)]
    unsafe fn load(src: *const u8) -> Self {
        // SAFETY: as above.
        unsafe { X4(_mm512_loadu_si512(src.cast())) }
    }
    #[inline(always)]
    unsafe fn store(self, dst: *mut u8) {
        // SAFETY: as above.
        unsafe { _mm512_storeu_si512(dst.cast(), self.0) }
    }
    #[inline(always)]
    unsafe fn broadcast(block: *const Block) -> Self {
        // SAFETY: as above.
        unsafe { X4(_mm512_broadcast_i32x4(_mm_loadu_si128(block.cast()))) }
    }
    #[inline(always)]
    unsafe fn enter(tweak: Self, whitening: Self, data: Self) -> Self {
        // SAFETY: as above.
        unsafe { X4(_mm512_ternarylogic_epi64(tweak.0, whitening.0, data.0, 0x96)) }
    }
    #[inline(always)]
    unsafe fn round<const DECRYPT: bool>(self, key: Self) -> Self {
        // SAFETY: as above.
        unsafe {
            X4(if DECRYPT {
                _mm512_aesdec_epi128(self.0, key.0)
            } else {
                _mm512_aesenc_epi128(self.0, key.0)
            })
        }
    }
    #[inline(always)]
    unsafe fn leave<const DECRYPT: bool>(self, _before: Self, last: Self, tweak: Self) -> Self {
        // SAFETY: as above. The last round ends with the xor of its key: one xor of key and tweak serves both.
        unsafe {
            let key = _mm512_xor_si512(last.0, tweak.0);
            X4(if DECRYPT {
                _mm512_aesdeclast_epi128(self.0, key)
            } else {
                _mm512_aesenclast_epi128(self.0, key)
            })
        }
    }
    #[inline(always)]
    unsafe fn leave_numbers(self, _before: Self, last: Self) -> Self {
        // SAFETY: as above.
        unsafe { X4(_mm512_aesenclast_epi128(self.0, last.0)) }
    }
    const TILE_GROUPS: usize = 1;
    type Tile = Tile;
    #[inline(always)]
    unsafe fn first_tile(tweak: *const Block) -> Tile {
        // SAFETY: as above.
        unsafe {
            let [now, next] = Self::first_tweaks(tweak);
            Tile { now, next, products: products(now) }
        }
    }
    #[inline(always)]
    unsafe fn step(tile: &mut Tile, step: usize, out: *mut Block) {
        // SAFETY: as above; a tile has 8 steps.
        unsafe {
            tile.now.store(out.add(Self::BLOCKS * step).cast());
            let moved = _mm512_shuffle_epi8(tile.now.0, _mm512_load_si512(ROTATE.0.as_ptr().cast()));
            let select = _mm512_load_si512(SELECT[step % WIDTH].0.as_ptr().cast());
            let product = _mm512_shuffle_epi8(tile.products.0, select);
            (tile.now, tile.next) = (tile.next, X4(_mm512_xor_si512(moved, product)));
        }
    }
    #[inline(always)]
    unsafe fn tile_start(tile: Tile, out: *mut Block) {
        // SAFETY: as above.
        unsafe { _mm_storeu_si128(out.cast(), _mm512_castsi512_si128(tile.now.0)) }
    }
    #[inline(always)]
    unsafe fn next_tile(tile: Tile) -> Tile {
        // SAFETY: as above.
        Tile { products: unsafe { products(tile.now) }, ..tile }
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
    /// The next 2 vectors. Each is followed, 2 vectors later, by itself times x^8: by whole bytes.
    type Tweaks = [Self; 2];
    #[inline(always)]
    unsafe fn first_tweaks(tweak: *const Block) -> [Self; 2] {
        // SAFETY: as above.
        unsafe {
            let base = Self::broadcast(tweak);
            let mut tweaks = [base; 2];
            unrolled!(I < 2, {
                tweaks[I % 2] = times_powers(base, I % 2);
            });
            tweaks
        }
    }
    #[inline(always)]
    unsafe fn next_tweaks<const N: usize>(next: &mut [Self; 2], out: *mut Block) {
        unrolled!(I < N, {
            // SAFETY: as above.
            unsafe {
                next[I % 2].store(out.add(Self::BLOCKS * I).cast());
                next[I % 2] = times_x8(next[I % 2]);
            }
        });
    }
}

/// Times x^8 in GF(2^128): every byte moves up by one, and the one that leaves comes back times x^7 + x^2 + x + 1.
#[inline(always)]
unsafe fn times_x8(tweak: X4) -> X4 {
    // SAFETY: the features are the caller's.
    unsafe {
        let moved = _mm512_bslli_epi128(tweak.0, 1);
        let carry = _mm512_bsrli_epi128(tweak.0, 15);
        reduce(moved, carry, carry)
    }
}

/// The tweaks of vector `i` of a unit, from its first tweak in every lane: that times `x^POWERS[i]`.
#[inline(always)]
unsafe fn times_powers(first: X4, i: usize) -> X4 {
    // SAFETY: the features are the caller's; a row is as long as a vector.
    unsafe {
        let moved = _mm512_sllv_epi64(first.0, _mm512_loadu_si512(POWERS[i].as_ptr().cast()));
        let carries = _mm512_srlv_epi64(first.0, _mm512_loadu_si512(CARRIES[i].as_ptr().cast()));
        // The lower half's carry moves up; the upper half's is what `reduce` wants, in the lower half alone.
        let swapped = _mm512_shuffle_epi32(carries, _MM_PERM_BADC);
        reduce(moved, swapped, _mm512_bsrli_epi128(carries, 8))
    }
}

/// `moved + added + carry * (x^7 + x^2 + x)`, where `carry` has at most 8 bits, so that each product stays in its half.
#[inline(always)]
unsafe fn reduce(moved: __m512i, added: __m512i, carry: __m512i) -> X4 {
    // SAFETY: the features are the caller's.
    unsafe {
        let (x1, x2, x7) =
            (_mm512_slli_epi64(carry, 1), _mm512_slli_epi64(carry, 2), _mm512_slli_epi64(carry, 7));
        let sum = _mm512_ternarylogic_epi64(moved, added, x1, 0x96);
        X4(_mm512_ternarylogic_epi64(sum, x2, x7, 0x96))
    }
}

pins!(X4, zmm_reg, "avx512f");

/// # Safety
/// The processor has avx512f, avx512bw, avx512vbmi, aes, vaes.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,aes,vaes")]
pub(super) unsafe fn run(keys: &RoundKeys, direction: Direction, job: &Job<'_>) {
    // SAFETY: the features are this function's own.
    unsafe { run_job::<X4, X1>(keys, direction, job) }
}
