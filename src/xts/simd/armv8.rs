//! AArch64 with the ARMv8 crypto extensions: one block a vector; with EOR3 where there are SHA-3 instructions.
//!
//! `AESE` adds its key before the substitution, where x86's `aesenc` adds it at the end of the round. Each round here
//! therefore takes the key of the round before ([`Vector::KEY_LAG`]), the first xor falls away, and the last key and the
//! tweak are added behind the last round. A pair of `AESE` and `AESMC` stays adjacent, which processors fuse.
//!
//! Tweaks are doubled in the integer registers, which are idle: three operations a block.

use core::arch::{aarch64::*, asm};

use super::{
    armv8_tiles,
    job::{Place, Sectors},
    kernel,
    keys::{KeySchedule, RoundKeys},
    vector::{Block, Number as Then, Vector},
};

/// Features: neon, aes; sha3 if `EOR3`.
#[derive(Clone, Copy)]
pub(super) struct A1<const EOR3: bool>(uint8x16_t);

/// A tweak as a number: IEEE Std 1619-2007, 5.2, is little-endian.
#[derive(Clone, Copy)]
pub(super) struct Number {
    pub(super) low: u64,
    pub(super) high: u64,
}

impl Number {
    #[inline(always)]
    pub(super) unsafe fn load(block: *const Block) -> Number {
        // SAFETY: the caller gives a block.
        let number = u128::from_le_bytes(unsafe { block.read() });
        Number { low: number as u64, high: (number >> 64) as u64 }
    }
    #[inline(always)]
    pub(super) unsafe fn store(self, block: *mut Block) {
        // SAFETY: the caller gives room for a block.
        unsafe { block.write((u128::from(self.high) << 64 | u128::from(self.low)).to_le_bytes()) }
    }
    #[inline(always)]
    pub(super) fn add(self, other: Number) -> Number {
        Number { low: self.low ^ other.low, high: self.high ^ other.high }
    }
    /// Times x, without a branch on it.
    #[inline(always)]
    pub(super) fn double(self) -> Number {
        let carry = ((self.high as i64) >> 63) as u64 & 0x87;
        Number { low: (self.low << 1) ^ carry, high: (self.high << 1) | (self.low >> 63) }
    }
}

// SAFETY (all methods): the trait's contract: the features are there, pointers are good for 16 bytes.
impl<const EOR3: bool> Vector for A1<EOR3> {
    const BLOCKS: usize = 1;
    const KEY_LAG: usize = 1;

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

    type Tweaks = Number;
    #[inline(always)]
    unsafe fn first_tweaks(tweak: *const Block) -> Number {
        // SAFETY: as above.
        unsafe { Number::load(tweak) }
    }
    #[inline(always)]
    unsafe fn next_tweaks(next: &mut Number, _step: usize, out: *mut Block) {
        // SAFETY: the caller gives room for a block.
        unsafe { next.store(out) };
        *next = next.double();
    }
    #[inline(always)]
    unsafe fn after_eight(_: &mut Number) {}
    #[inline(always)]
    unsafe fn next_tweak(next: &Number, out: *mut Block) {
        // SAFETY: the caller gives room for a block.
        unsafe { next.store(out) }
    }

    const TILE_GROUPS: usize = 1;
    type First = ();
    #[inline(always)]
    unsafe fn first(_number: *const Block) {}
    #[inline(always)]
    unsafe fn tiled_sectors<const DECRYPT: bool>(
        keys: &KeySchedule,
        sectors: Sectors<'_>,
        len: usize,
        numbers: *mut Block,
        then: Then,
    ) {
        // SAFETY: as above.
        unsafe {
            if EOR3 {
                eor3::tiles::<DECRYPT>(keys, sectors, len, numbers, then)
            } else {
                plain::tiles::<DECRYPT>(keys, sectors, len, numbers, then)
            }
        }
    }
    #[inline(always)]
    unsafe fn whole_blocks<const DECRYPT: bool>(
        keys: &KeySchedule,
        place: Place,
        tweaks: *const Block,
        blocks: usize,
    ) {
        // SAFETY: as above.
        unsafe {
            if EOR3 {
                eor3::whole_blocks::<DECRYPT>(keys, place, tweaks, blocks)
            } else {
                plain::whole_blocks::<DECRYPT>(keys, place, tweaks, blocks)
            }
        }
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
pub(super) mod plain {
    use super::{A1, Block, KeySchedule, Sectors, Then, armv8_tiles};
    crate::xts::simd::kernel::shells!(A1<false>, A1<false>, "neon,aes");

    #[target_feature(enable = "neon,aes")]
    #[inline(never)]
    pub(super) unsafe fn tiles<const DECRYPT: bool>(
        keys: &KeySchedule,
        sectors: Sectors<'_>,
        len: usize,
        numbers: *mut Block,
        then: Then,
    ) {
        // SAFETY: the features are this function's own.
        unsafe { armv8_tiles::tiled_sectors::<false, DECRYPT>(keys, sectors, len, numbers, then) }
    }
}

/// The shells with it.
pub(super) mod eor3 {
    use super::{A1, Block, KeySchedule, Sectors, Then, armv8_tiles};
    crate::xts::simd::kernel::shells!(A1<true>, A1<true>, "neon,aes,sha3");

    #[target_feature(enable = "neon,aes,sha3")]
    #[inline(never)]
    pub(super) unsafe fn tiles<const DECRYPT: bool>(
        keys: &KeySchedule,
        sectors: Sectors<'_>,
        len: usize,
        numbers: *mut Block,
        then: Then,
    ) {
        // SAFETY: the features are this function's own.
        unsafe { armv8_tiles::tiled_sectors::<true, DECRYPT>(keys, sectors, len, numbers, then) }
    }
}

/// Encrypts a sector number into a tweak.
///
/// # Safety
/// The processor has neon and aes.
#[target_feature(enable = "neon,aes")]
pub(super) unsafe fn encrypt_number(keys: &RoundKeys, number: &mut Block) {
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
pub(super) unsafe fn expand(key1: &[u8], key2: &[u8], keys: &mut RoundKeys) {
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
