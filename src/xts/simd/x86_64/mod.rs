//! x86-64: a file for each backend, and here what their vector types have in common.

pub(super) mod aesni;
#[cfg(backend = "avx2")]
pub(super) mod avx2;
#[cfg(any(backend = "ssse3", backend = "avx2"))]
pub(super) mod ssse3;
#[cfg(backend = "vaes256")]
pub(super) mod vaes256;
#[cfg(backend = "vaes512")]
pub(super) mod vaes512;
#[cfg(backend = "vaes512")]
mod vaes512_row;
#[cfg(backend = "vaes512")]
mod vaes512_stream;

use super::aes::vector::WIDTH;

/// The exponents of the tweaks of a unit's first `VECTORS` vectors, as shift counts of their 64-bit halves (`HALVES` a
/// vector).
const fn powers<const HALVES: usize, const VECTORS: usize>() -> [[u64; HALVES]; VECTORS] {
    let mut powers = [[0; HALVES]; VECTORS];
    let mut i = 0;
    while i < HALVES * VECTORS {
        powers[i / HALVES][i % HALVES] = i as u64 / 2;
        i += 1;
    }
    powers
}

/// 64 - `powers`: what a half gives to the next one. A shift by 64 gives zero.
const fn carries<const HALVES: usize, const VECTORS: usize>() -> [[u64; HALVES]; VECTORS] {
    let mut carries = powers();
    let mut i = 0;
    while i < HALVES * VECTORS {
        carries[i / HALVES][i % HALVES] = 64 - carries[i / HALVES][i % HALVES];
        i += 1;
    }
    carries
}

/// Shuffle control for vectors of any size up to 512 bits.
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

/// Defines `pin4` and `pin8`, which [`Vector::pin`](crate::xts::simd::aes::vector::Vector::pin) calls: an `asm!` operand of a vector
/// register's class needs the target feature on the function itself.
///
/// MemorySanitizer takes the operands of `asm!` for uses, and what comes out for defined: it would lose secrets here.
macro_rules! pins {
    ($vector:ident, $register:ident, $feature:literal) => {
        #[target_feature(enable = $feature)]
        #[inline]
        fn pin4(x: &mut [$vector; 4]) {
            // SAFETY: a comment, no instruction.
            #[cfg(not(msan))]
            unsafe {
                core::arch::asm!("/* {} {} {} {} */",
                    inout($register) x[0].0, inout($register) x[1].0, inout($register) x[2].0, inout($register) x[3].0,
                    options(pure, nomem, nostack, preserves_flags));
            }
            #[cfg(msan)]
            let _ = x;
        }

        #[target_feature(enable = $feature)]
        #[inline]
        fn pin8(x: &mut [$vector; 8]) {
            // SAFETY: a comment, no instruction.
            #[cfg(not(msan))]
            unsafe {
                core::arch::asm!("/* {} {} {} {} {} {} {} {} */",
                    inout($register) x[0].0, inout($register) x[1].0, inout($register) x[2].0, inout($register) x[3].0,
                    inout($register) x[4].0, inout($register) x[5].0, inout($register) x[6].0, inout($register) x[7].0,
                    options(pure, nomem, nostack, preserves_flags));
            }
            #[cfg(msan)]
            let _ = x;
        }
    };
}
use pins;

/// Defines `limit`, which measures the AES units of a backend's vectors (see [`limit`](super::limit)): twelve chains of an
/// instruction, eight rounds long; `\i` is a register's number. Whatever the registers hold will do, since these
/// instructions take the same time for all data.
macro_rules! limit {
    ($features:literal, $blocks:literal, $encrypt:literal, $decrypt:literal, $end:literal) => {
        /// # Safety
        /// The processor has the features.
        #[cfg(feature = "unstable-limit")]
        pub(crate) unsafe fn limit(decrypt: bool, loops: u64) -> u64 {
            macro_rules! chains {
                ($name:ident, $instruction:literal) => {
                    #[target_feature(enable = $features)]
                    unsafe fn $name(loops: u64) {
                        // SAFETY: vector registers alone, which are all named as lost.
                        unsafe {
                            core::arch::asm!(
                                ".p2align 5", "2:", ".rept 8",
                                ".irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11", $instruction, ".endr",
                                ".endr", "dec {loops}", "jnz 2b", $end,
                                loops = inout(reg) loops => _,
                                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _,
                                out("xmm5") _, out("xmm6") _, out("xmm7") _, out("xmm8") _, out("xmm9") _,
                                out("xmm10") _, out("xmm11") _, out("xmm12") _, out("xmm13") _, out("xmm14") _,
                                out("xmm15") _,
                                options(nomem, nostack),
                            );
                        }
                    }
                };
            }
            chains!(encrypt_chains, $encrypt);
            chains!(decrypt_chains, $decrypt);
            // SAFETY: this function's contract.
            unsafe { if decrypt { decrypt_chains(loops) } else { encrypt_chains(loops) } }
            loops * 8 * 12 * $blocks
        }
    };
}
use limit;
