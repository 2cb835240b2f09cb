//! AArch64 without the crypto extensions, such as a Raspberry Pi 4: eight blocks a pass.

use core::{
    arch::aarch64::*,
    mem::MaybeUninit,
    ops::{BitAnd, BitXor},
};

use crate::xts::simd::sliced::{self, Aligned, Register, RoundKey, shells};

/// Features: neon.
#[derive(Clone, Copy)]
struct Lanes1(uint8x16_t);

impl BitXor for Lanes1 {
    type Output = Self;
    #[inline(always)]
    fn bitxor(self, other: Self) -> Self {
        // SAFETY: whoever made these had neon.
        unsafe { Lanes1(veorq_u8(self.0, other.0)) }
    }
}

impl BitAnd for Lanes1 {
    type Output = Self;
    #[inline(always)]
    fn bitand(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { Lanes1(vandq_u8(self.0, other.0)) }
    }
}

// SAFETY (all methods): the trait's contract: the features are there, pointers are good for 16 bytes.
impl Register for Lanes1 {
    const LANES: usize = 1;

    #[inline(always)]
    unsafe fn load(src: *const u8) -> Self {
        // SAFETY: as above.
        unsafe { Lanes1(vld1q_u8(src)) }
    }
    #[inline(always)]
    unsafe fn store(self, dst: *mut u8) {
        // SAFETY: as above.
        unsafe { vst1q_u8(dst, self.0) }
    }
    #[inline(always)]
    unsafe fn broadcast(block: &Aligned) -> Self {
        // SAFETY: as above.
        unsafe { Lanes1(vld1q_u8(block.0.as_ptr())) }
    }
    #[inline(always)]
    unsafe fn left<const N: i32>(self) -> Self {
        // SAFETY: as above.
        unsafe { Lanes1(vshlq_n_u8(self.0, N)) }
    }
    #[inline(always)]
    unsafe fn right<const N: i32>(self) -> Self {
        // SAFETY: as above.
        unsafe { Lanes1(vshrq_n_u8(self.0, N)) }
    }
    #[inline(always)]
    unsafe fn shuffle(self, from: Self) -> Self {
        // SAFETY: as above.
        unsafe { Lanes1(vqtbl1q_u8(self.0, from.0)) }
    }
    #[inline(always)]
    unsafe fn has(self, bit: Self) -> Self {
        // SAFETY: as above.
        unsafe { Lanes1(vtstq_u8(self.0, bit.0)) }
    }
}

shells!(Lanes1, "neon", spread);

/// Spreads round keys.
///
/// # Safety
/// The processor has neon.
#[target_feature(enable = "neon")]
pub(crate) unsafe fn spread(keys: &[Aligned], places: &mut [MaybeUninit<RoundKey>]) {
    // SAFETY: the features are this function's own.
    unsafe { sliced::spread::<Lanes1>(keys, places) }
}
