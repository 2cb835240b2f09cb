//! x86-64 AES-NI: one block a vector; and the key expansion that all x86 backends share.

use core::arch::x86_64::*;

use super::{limit, pins};
use crate::xts::simd::{
    aes::{
        kernel::{self, shells},
        keys::{KeySchedule, RoundKeys},
        tiles::{TileTweaks, tile_shell},
        vector::{Aes, Tiles, TweakAfter, TweakStream, Vector},
    },
    blocks::Block,
    job::{Place, Sectors},
};

/// Features: sse2, aes.
#[derive(Clone, Copy)]
pub(crate) struct X1(pub(crate) __m128i);

// SAFETY (all methods): the trait's contract: the features are there, pointers are good for 16 bytes.
impl Vector for X1 {
    const BLOCKS: usize = 1;

    #[inline(always)]
    unsafe fn load(src: *const u8) -> Self {
        // SAFETY: as above.
        unsafe { X1(_mm_loadu_si128(src.cast())) }
    }
    #[inline(always)]
    unsafe fn store(self, dst: *mut u8) {
        // SAFETY: as above.
        unsafe { _mm_storeu_si128(dst.cast(), self.0) }
    }
    #[inline(always)]
    unsafe fn broadcast(block: *const Block) -> Self {
        // SAFETY: as above.
        unsafe { X1(_mm_loadu_si128(block.cast())) }
    }
    #[inline(always)]
    unsafe fn with_last(self, block: *const Block) -> Self {
        // SAFETY: as above.
        unsafe { Self::broadcast(block) }
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
impl Aes for X1 {
    const KEY_LAG: usize = 0;

    #[inline(always)]
    unsafe fn enter(tweak: Self, whitening: Self, data: Self) -> Self {
        // SAFETY: as above.
        unsafe { X1(_mm_xor_si128(_mm_xor_si128(tweak.0, whitening.0), data.0)) }
    }
    #[inline(always)]
    unsafe fn round<const DECRYPT: bool>(self, key: Self) -> Self {
        // SAFETY: as above.
        unsafe { X1(if DECRYPT { _mm_aesdec_si128(self.0, key.0) } else { _mm_aesenc_si128(self.0, key.0) }) }
    }
    #[inline(always)]
    unsafe fn leave<const DECRYPT: bool>(self, _before: Self, last: Self, tweak: Self) -> Self {
        // SAFETY: as above. The last round ends with the xor of its key: one xor of key and tweak serves both.
        unsafe {
            let key = _mm_xor_si128(last.0, tweak.0);
            X1(if DECRYPT { _mm_aesdeclast_si128(self.0, key) } else { _mm_aesenclast_si128(self.0, key) })
        }
    }
    #[inline(always)]
    unsafe fn leave_numbers(self, _before: Self, last: Self) -> Self {
        // SAFETY: as above.
        unsafe { X1(_mm_aesenclast_si128(self.0, last.0)) }
    }
}

// SAFETY (all methods): as above.
impl TweakStream for X1 {
    type Tweaks = Tweaks;

    #[inline(always)]
    unsafe fn first_tweaks(tweak: *const Block) -> Tweaks {
        // SAFETY: as above.
        unsafe { Tweaks::new(Self::broadcast(tweak)) }
    }
    /// Times x in GF(2^128) (IEEE Std 1619-2007, 5.2): the 64-bit halves doubled, the bit that leaves the lower half
    /// carried into the upper, the bit that leaves the upper one reduced.
    #[inline(always)]
    unsafe fn next_tweaks(tweaks: &mut Tweaks, _step: usize, out: *mut Block) {
        // SAFETY: as above.
        unsafe {
            let Tweaks { next, words } = *tweaks;
            next.store(out.cast());
            let carries = _mm_and_si128(_mm_srai_epi32(words.0, 31), _mm_set_epi64x(1, 0x87));
            tweaks.next = X1(_mm_xor_si128(_mm_add_epi64(next.0, next.0), carries));
            tweaks.words = X1(_mm_add_epi32(words.0, words.0));
        }
    }
    #[inline(always)]
    unsafe fn after_eight(tweaks: &mut Tweaks) {
        // SAFETY: as above.
        *tweaks = unsafe { Tweaks::new(tweaks.next) };
    }
    #[inline(always)]
    unsafe fn next_tweak(tweaks: &Tweaks, out: *mut Block) {
        // SAFETY: as above.
        unsafe { tweaks.next.store(out.cast()) }
    }
}

// SAFETY (all methods): as above.
impl Tiles for X1 {
    type One = X1;
    const TILE_GROUPS: usize = 1;

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
}

// SAFETY (all methods): as above.
impl TileTweaks for X1 {
    type Tile = Tweaks;
    #[inline(always)]
    unsafe fn first_tile(tweak: *const Block) -> Tweaks {
        // SAFETY: as above.
        unsafe { Self::first_tweaks(tweak) }
    }
    #[inline(always)]
    unsafe fn step(tile: &mut Tweaks, step: usize, out: *mut Block) {
        // SAFETY: as above.
        unsafe { Self::next_tweaks(tile, step, out.add(step)) }
    }
    #[inline(always)]
    unsafe fn tile_start(tile: Tweaks, out: *mut Block) {
        // SAFETY: as above.
        unsafe { tile.next.store(out.cast()) }
    }
    #[inline(always)]
    unsafe fn next_tile(tile: Tweaks) -> Tweaks {
        // SAFETY: as above.
        unsafe { Tweaks::new(tile.next) }
    }
}

/// The next block's tweak.
#[derive(Clone, Copy)]
pub(crate) struct Tweaks {
    next: X1,
    /// The words whose top bits leave the 64-bit halves of `next`, each where its carry goes. What is carried into a
    /// half takes 31 doublings to get into them, so that they are simply shifted; the tweaks then wait for nothing but
    /// each other.
    words: X1,
}

impl Tweaks {
    #[inline(always)]
    unsafe fn new(next: X1) -> Tweaks {
        // SAFETY: sse2, which the caller's shell carries.
        let words = X1(unsafe { _mm_shuffle_epi32(next.0, 0x13) });
        Tweaks { next, words }
    }
}

pins!(X1, xmm_reg, "sse2");
shells!(run, X1, "sse2,aes");
tile_shell!(X1, "sse2,aes");

/// Encrypts a sector number into a tweak.
///
/// # Safety
/// The processor has sse2 and aes.
#[target_feature(enable = "sse2,aes")]
pub(crate) unsafe fn encrypt_number(keys: &RoundKeys, number: &mut Block) {
    // SAFETY: the features are this function's own.
    unsafe { kernel::encrypt_number::<X1>(keys, number) }
}

/// Expands key1 and key2, 16 bytes each or 32 as `keys` was made for: the key schedule of FIPS 197, 5.2, of both at once,
/// since each is a chain of latencies.
///
/// # Safety
/// The processor has sse2 and aes.
#[target_feature(enable = "sse2,aes")]
#[inline(never)]
pub(crate) unsafe fn expand(key1: &[u8], key2: &[u8], keys: &mut RoundKeys) {
    // The round constant of `aeskeygenassist` is an immediate, hence the macro.
    macro_rules! word {
        ($from:expr, $constant:literal, $select:literal) => {
            _mm_shuffle_epi32(_mm_aeskeygenassist_si128($from, $constant), $select)
        };
    }
    macro_rules! put {
        ($i:literal, $keys:expr) => {
            let [data, tweak] = $keys;
            keys.put($i, data, _mm_aesimc_si128(data), tweak, |key, place| {
                // SAFETY: 16 bytes; any alignment.
                unsafe { _mm_storeu_si128(place.as_mut_ptr().cast(), key) };
            });
        };
    }
    let mut a = [vector(&key1[..16]), vector(&key2[..16])];
    put!(0, a);
    if keys.encrypt.is_long() {
        let mut b = [vector(&key1[16..32]), vector(&key2[16..32])];
        put!(1, b);
        macro_rules! step {
            ($($i:literal $constant:literal $next:literal),*) => {$(
                a = [chain(a[0], word!(b[0], $constant, 0xff)), chain(a[1], word!(b[1], $constant, 0xff))];
                put!($i, a);
                b = [chain(b[0], word!(a[0], 0, 0xaa)), chain(b[1], word!(a[1], 0, 0xaa))];
                put!($next, b);
            )*};
        }
        step!(2 0x01 3, 4 0x02 5, 6 0x04 7, 8 0x08 9, 10 0x10 11, 12 0x20 13);
        a = [chain(a[0], word!(b[0], 0x40, 0xff)), chain(a[1], word!(b[1], 0x40, 0xff))];
        put!(14, a);
    } else {
        macro_rules! step {
            ($($i:literal $constant:literal),*) => {$(
                a = [chain(a[0], word!(a[0], $constant, 0xff)), chain(a[1], word!(a[1], $constant, 0xff))];
                put!($i, a);
            )*};
        }
        step!(1 0x01, 2 0x02, 3 0x04, 4 0x08, 5 0x10, 6 0x20, 7 0x40, 8 0x80, 9 0x1b, 10 0x36);
    }
}

/// Each word xored with all words before it, and with `word`.
#[target_feature(enable = "sse2")]
fn chain(key: __m128i, word: __m128i) -> __m128i {
    let key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
    let key = _mm_xor_si128(key, _mm_slli_si128(key, 8));
    _mm_xor_si128(key, word)
}

#[target_feature(enable = "sse2")]
fn vector(block: &[u8]) -> __m128i {
    assert!(block.len() == 16);
    // SAFETY: 16 bytes, by the assertion; any alignment.
    unsafe { _mm_loadu_si128(block.as_ptr().cast()) }
}
limit!("sse2,aes", 1, "aesenc xmm\\i, xmm15", "aesdec xmm\\i, xmm15", "");
