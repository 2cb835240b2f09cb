//! x86-64 with byte shuffles, and without AES instructions: eight blocks a pass.

use core::{
    arch::x86_64::*,
    mem::MaybeUninit,
    ops::{BitAnd, BitXor},
};

use crate::xts::simd::sliced::{self, Aligned, Register, RoundKey, shells};

/// Features: ssse3.
#[derive(Clone, Copy)]
struct Lanes1(__m128i);

impl BitXor for Lanes1 {
    type Output = Self;
    #[inline(always)]
    fn bitxor(self, other: Self) -> Self {
        // SAFETY: sse2, which all x86-64 processors have.
        unsafe { Lanes1(_mm_xor_si128(self.0, other.0)) }
    }
}

impl BitAnd for Lanes1 {
    type Output = Self;
    #[inline(always)]
    fn bitand(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { Lanes1(_mm_and_si128(self.0, other.0)) }
    }
}

// SAFETY (all methods): the trait's contract: the features are there, pointers are good for 16 bytes.
impl Register for Lanes1 {
    const LANES: usize = 1;

    #[inline(always)]
    unsafe fn load(src: *const u8) -> Self {
        // SAFETY: as above.
        unsafe { Lanes1(_mm_loadu_si128(src.cast())) }
    }
    #[inline(always)]
    unsafe fn store(self, dst: *mut u8) {
        // SAFETY: as above.
        unsafe { _mm_storeu_si128(dst.cast(), self.0) }
    }
    #[inline(always)]
    unsafe fn broadcast(block: &Aligned) -> Self {
        // SAFETY: as above; aligned, as the type says.
        unsafe { Lanes1(_mm_load_si128((&raw const *block).cast())) }
    }
    #[inline(always)]
    unsafe fn left<const N: i32>(self) -> Self {
        // SAFETY: as above.
        unsafe { Lanes1(_mm_slli_epi64(self.0, N)) }
    }
    #[inline(always)]
    unsafe fn right<const N: i32>(self) -> Self {
        // SAFETY: as above.
        unsafe { Lanes1(_mm_srli_epi64(self.0, N)) }
    }
    #[inline(always)]
    unsafe fn shuffle(self, from: Self) -> Self {
        // SAFETY: as above.
        unsafe { Lanes1(_mm_shuffle_epi8(self.0, from.0)) }
    }
    #[inline(always)]
    unsafe fn has(self, bit: Self) -> Self {
        // SAFETY: as above.
        unsafe { Lanes1(_mm_cmpeq_epi8(_mm_and_si128(self.0, bit.0), bit.0)) }
    }
}

#[cfg(backend = "ssse3")]
shells!(Lanes1, "ssse3", spread);

/// Spreads round keys.
///
/// # Safety
/// The processor has ssse3.
#[target_feature(enable = "ssse3")]
pub(crate) unsafe fn spread(keys: &[Aligned], places: &mut [MaybeUninit<RoundKey>]) {
    // SAFETY: the features are this function's own.
    unsafe { sliced::spread::<Lanes1>(keys, places) }
}
