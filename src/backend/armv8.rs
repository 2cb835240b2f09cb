//! AArch64 with the ARMv8 crypto extensions: one block a vector; with EOR3 where there are SHA-3 instructions.
//!
//! `AESE` adds its key before the substitution, where x86's `aesenc` adds it at the end of the round. Each round here
//! therefore takes the key of the round before ([`Vector::KEY_LAG`]), the first xor falls away, and the last key and the
//! tweak are added behind the last round. A pair of `AESE` and `AESMC` stays adjacent, which processors fuse.
//!
//! Tweaks are doubled in the integer registers, which are idle: three operations a block.

use core::arch::{aarch64::*, asm};

use super::{
    job::{Place, Sectors},
    kernel,
    keys::{RoundKeys, Schedule},
    tiles,
    vector::{Block, Vector},
};
use zeroize::Zeroize;

/// Features: neon, aes; sha3 if `EOR3`.
#[derive(Clone, Copy)]
struct A1<const EOR3: bool>(uint8x16_t);

/// A tweak as a number: IEEE Std 1619-2007, 5.2, is little-endian.
#[derive(Clone, Copy)]
pub(super) struct Number {
    low: u64,
    high: u64,
}

impl Number {
    #[inline(always)]
    unsafe fn load(block: *const Block) -> Number {
        // SAFETY: the caller gives a block.
        let number = u128::from_le_bytes(unsafe { block.read() });
        Number { low: number as u64, high: (number >> 64) as u64 }
    }
    #[inline(always)]
    unsafe fn store(self, block: *mut Block) {
        // SAFETY: the caller gives room for a block.
        unsafe { block.write((u128::from(self.high) << 64 | u128::from(self.low)).to_le_bytes()) }
    }
    /// Times x, without a branch on it.
    #[inline(always)]
    fn double(self) -> Number {
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
    type Tile = Number;
    #[inline(always)]
    unsafe fn first_tile(tweak: *const Block) -> Number {
        // SAFETY: as above.
        unsafe { Number::load(tweak) }
    }
    #[inline(always)]
    unsafe fn step(next: &mut Number, step: usize, out: *mut Block) {
        // SAFETY: the caller gives room for a tile.
        unsafe { next.store(out.add(step)) };
        *next = next.double();
    }
    #[inline(always)]
    unsafe fn tiled_sectors<const DECRYPT: bool>(
        keys: &Schedule,
        sectors: Sectors<'_>,
        len: usize,
        numbers: *mut Block,
        then: tiles::Number,
    ) {
        // SAFETY: as above.
        unsafe {
            if EOR3 {
                eor3::tiled_sectors::<DECRYPT>(keys, sectors, len, numbers, then)
            } else {
                plain::tiled_sectors::<DECRYPT>(keys, sectors, len, numbers, then)
            }
        }
    }
    #[inline(always)]
    unsafe fn whole_blocks<const DECRYPT: bool>(
        keys: &Schedule,
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
    unsafe fn tile_start(next: Number, out: *mut Block) {
        // SAFETY: as above.
        unsafe { next.store(out) }
    }
    #[inline(always)]
    unsafe fn next_tile(next: Number) -> Number {
        next
    }

    #[inline(always)]
    unsafe fn pin<const N: usize>(x: &mut [Self; N]) {
        if let Ok(x) = <&mut [Self; 8]>::try_from(x.as_mut_slice()) {
            // SAFETY: a comment, no instruction.
            unsafe {
                asm!("/* {0:v} {1:v} {2:v} {3:v} {4:v} {5:v} {6:v} {7:v} */",
                    inout(vreg) x[0].0, inout(vreg) x[1].0, inout(vreg) x[2].0, inout(vreg) x[3].0,
                    inout(vreg) x[4].0, inout(vreg) x[5].0, inout(vreg) x[6].0, inout(vreg) x[7].0,
                    options(pure, nomem, nostack, preserves_flags));
            }
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
pub(super) mod plain {
    use super::A1;
    crate::backend::kernel::shells!(A1<false>, A1<false>, "neon,aes");
}

/// The shells with it.
pub(super) mod eor3 {
    use super::A1;
    crate::backend::kernel::shells!(A1<true>, A1<true>, "neon,aes,sha3");
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

/// Expands key1 and key2, 16 bytes each or 32 as `keys` was made for.
///
/// # Safety
/// The processor has neon and aes.
#[target_feature(enable = "neon,aes")]
#[inline(never)]
pub(super) unsafe fn expand(key1: &[u8], key2: &[u8], keys: &mut RoundKeys) {
    let (mut data, mut tweak) = ([[0; 16]; 15], [[0; 16]; 15]);
    schedule(key1, &mut data);
    schedule(key2, &mut tweak);
    for i in 0..if keys.encrypt.is_long() { 15 } else { 11 } {
        let inverse = inverse_mix_columns(&data[i]);
        keys.put(i, data[i], inverse, tweak[i], |key, place| *place = key);
    }
    data.as_flattened_mut().zeroize();
    tweak.as_flattened_mut().zeroize();
}

#[target_feature(enable = "neon,aes")]
fn inverse_mix_columns(key: &Block) -> Block {
    let mut block = [0; 16];
    // SAFETY: 16 bytes each.
    unsafe { vst1q_u8(block.as_mut_ptr(), vaesimcq_u8(vld1q_u8(key.as_ptr()))) };
    block
}

/// The key schedule of FIPS 197, 5.2, on little-endian words.
#[target_feature(enable = "neon,aes")]
fn schedule(key: &[u8], round_keys: &mut [Block; 15]) {
    let words_in_key = key.len() / 4;
    let rounds = words_in_key + 6;
    let mut words = [0u32; 60];
    for (word, bytes) in words.iter_mut().zip(key.chunks_exact(4)) {
        *word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    let mut constant = 1u8;
    for i in words_in_key..4 * (rounds + 1) {
        let mut word = words[i - 1];
        if i % words_in_key == 0 {
            word = substitute(word.rotate_right(8)) ^ u32::from(constant);
            constant = (constant << 1) ^ ((constant >> 7) * 0x1b);
        } else if words_in_key == 8 && i % 8 == 4 {
            word = substitute(word);
        }
        words[i] = words[i - words_in_key] ^ word;
    }
    for (i, word) in words[..4 * (rounds + 1)].iter().enumerate() {
        round_keys[i / 4][4 * (i % 4)..][..4].copy_from_slice(&word.to_le_bytes());
    }
    words.zeroize();
}

/// SubWord: with the word in all four columns, `AESE`'s ShiftRows moves nothing.
#[target_feature(enable = "neon,aes")]
fn substitute(word: u32) -> u32 {
    let columns = vreinterpretq_u8_u32(vdupq_n_u32(word));
    vgetq_lane_u32::<0>(vreinterpretq_u32_u8(vaeseq_u8(columns, vdupq_n_u8(0))))
}
