//! What the x86 vector types have in common.

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

/// Defines `pin4` and `pin8`, which [`Vector::pin`](super::vector::Vector::pin) calls: an `asm!` operand of a vector
/// register's class needs the target feature on the function itself.
macro_rules! pins {
    ($vector:ident, $register:ident, $feature:literal) => {
        #[target_feature(enable = $feature)]
        #[inline]
        fn pin4(x: &mut [$vector; 4]) {
            // SAFETY: a comment, no instruction.
            unsafe {
                core::arch::asm!("/* {} {} {} {} */",
                    inout($register) x[0].0, inout($register) x[1].0, inout($register) x[2].0, inout($register) x[3].0,
                    options(pure, nomem, nostack, preserves_flags));
            }
        }

        #[target_feature(enable = $feature)]
        #[inline]
        fn pin8(x: &mut [$vector; 8]) {
            // SAFETY: a comment, no instruction.
            unsafe {
                core::arch::asm!("/* {} {} {} {} {} {} {} {} */",
                    inout($register) x[0].0, inout($register) x[1].0, inout($register) x[2].0, inout($register) x[3].0,
                    inout($register) x[4].0, inout($register) x[5].0, inout($register) x[6].0, inout($register) x[7].0,
                    options(pure, nomem, nostack, preserves_flags));
            }
        }
    };
}
pub(super) use pins;
