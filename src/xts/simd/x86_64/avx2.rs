//! x86-64 with AVX2, and without AES instructions: sixteen blocks a pass.

use core::{
    arch::x86_64::*,
    ops::{BitAnd, BitXor},
};

use crate::xts::simd::sliced::{Aligned, Register, shells};

/// Features: avx2.
#[derive(Clone, Copy)]
struct Lanes2(__m256i);

impl BitXor for Lanes2 {
    type Output = Self;
    #[inline(always)]
    fn bitxor(self, other: Self) -> Self {
        // SAFETY: whoever made these had avx2.
        unsafe { Lanes2(_mm256_xor_si256(self.0, other.0)) }
    }
}

impl BitAnd for Lanes2 {
    type Output = Self;
    #[inline(always)]
    fn bitand(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { Lanes2(_mm256_and_si256(self.0, other.0)) }
    }
}

// SAFETY (all methods): the trait's contract: the features are there, pointers are good for 32 bytes.
impl Register for Lanes2 {
    const LANES: usize = 2;

    #[inline(always)]
    unsafe fn load(src: *const u8) -> Self {
        // SAFETY: as above.
        unsafe { Lanes2(_mm256_loadu_si256(src.cast())) }
    }
    #[inline(always)]
    unsafe fn store(self, dst: *mut u8) {
        // SAFETY: as above.
        unsafe { _mm256_storeu_si256(dst.cast(), self.0) }
    }
    #[inline(always)]
    unsafe fn broadcast(block: &Aligned) -> Self {
        // SAFETY: as above; 16 bytes, aligned, as the type says.
        unsafe { Lanes2(_mm256_broadcastsi128_si256(_mm_load_si128((&raw const *block).cast()))) }
    }
    #[inline(always)]
    unsafe fn left<const N: i32>(self) -> Self {
        // SAFETY: as above.
        unsafe { Lanes2(_mm256_slli_epi64(self.0, N)) }
    }
    #[inline(always)]
    unsafe fn right<const N: i32>(self) -> Self {
        // SAFETY: as above.
        unsafe { Lanes2(_mm256_srli_epi64(self.0, N)) }
    }
    #[inline(always)]
    unsafe fn shuffle(self, from: Self) -> Self {
        // SAFETY: as above.
        unsafe { Lanes2(_mm256_shuffle_epi8(self.0, from.0)) }
    }
    #[inline(always)]
    unsafe fn has(self, bit: Self) -> Self {
        // SAFETY: as above.
        unsafe { Lanes2(_mm256_cmpeq_epi8(_mm256_and_si256(self.0, bit.0), bit.0)) }
    }
}

shells!(Lanes2, "avx2", super::ssse3::spread);
