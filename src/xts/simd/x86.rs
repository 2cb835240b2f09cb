//! What the x86 vector types have in common.

use super::group::WIDTH;

/// The exponents of the tweaks of a unit's first `VECTORS` vectors, as shift counts of their 64-bit halves (`HALVES` a
/// vector).
pub(super) const fn powers<const HALVES: usize, const VECTORS: usize>() -> [[u64; HALVES]; VECTORS] {
    let mut powers = [[0; HALVES]; VECTORS];
    let mut i = 0;
    while i < HALVES * VECTORS {
        powers[i / HALVES][i % HALVES] = i as u64 / 2;
        i += 1;
    }
    powers
}

/// 64 - `powers`: what a half gives to the next one. A shift by 64 gives zero.
pub(super) const fn carries<const HALVES: usize, const VECTORS: usize>() -> [[u64; HALVES]; VECTORS] {
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
pub(super) struct Bytes(pub(super) [u8; 64]);

/// Moves every byte of a lane up by one, and the last one to the first place.
pub(super) static ROTATE: Bytes = Bytes({
    let mut bytes = [0; 64];
    let mut i = 0;
    while i < 64 {
        bytes[i] = (i as u8 + 15) % 16;
        i += 1;
    }
    bytes
});

/// Moves word `n` of a lane to the lowest place, for each `n`, and zero to all others.
pub(super) static SELECT: [Bytes; WIDTH] = {
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

/// Defines `pin4` and `pin8`, which [`Vector::pin`](super::vector::Vector::pin) calls: an `asm!` operand of a vector
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
pub(super) use pins;
