//! What the processor can do at best, for `atrest bench`: instructions that wait for nothing but their units.
//!
//! Both are counted, not timed, here. The caller times them: [`additions`] takes a core cycle each, which makes cycles
//! of nanoseconds; [`rounds`] is AES and nothing else, no loads, no stores, as many chains as hide its latency.

use super::Backend;

/// Whether this library is optimised: without, it is many times slower.
pub const OPTIMIZED: bool = cfg!(optimized);

/// Runs some thousand additions that wait for one another, and says how many core cycles that takes: one for each.
/// `None` where there is no such loop.
///
/// The instruction has two registers: some processors add a constant in no time at all.
#[must_use]
pub fn additions() -> Option<u64> {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    {
        const LOOPS: u64 = 400;
        // SAFETY: registers alone, and all of them are operands.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            core::arch::asm!(
                "2:", ".rept 100", "add {sum}, {addend}", ".endr", "dec {loops}", "jnz 2b",
                sum = inout(reg) 1_u64 => _, addend = in(reg) 3_u64, loops = inout(reg) LOOPS => _,
                options(nomem, nostack),
            );
        }
        // SAFETY: registers alone, and all of them are operands.
        #[cfg(target_arch = "aarch64")]
        unsafe {
            core::arch::asm!(
                "2:", ".rept 100", "add {sum}, {sum}, {addend}", ".endr", "subs {loops}, {loops}, #1", "b.ne 2b",
                sum = inout(reg) 1_u64 => _, addend = in(reg) 3_u64, loops = inout(reg) LOOPS => _,
                options(nomem, nostack),
            );
        }
        Some(100 * LOOPS)
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    None
}

/// Sends blocks in vectors as wide as the backend's through rounds of AES, in twelve chains or more, `loops` (at least
/// one) times over; a result of n says that one block went through n rounds, or n blocks through one.
///
/// `None` for a backend that does not run here, and for those without AES instructions, which no AES unit bounds.
#[must_use]
pub fn rounds(backend: Backend, decrypt: bool, loops: u64) -> Option<u64> {
    let loops = loops.max(1);
    if !backend.is_supported() {
        return None;
    }
    match backend {
        #[cfg(target_arch = "x86_64")]
        Backend::Aesni | Backend::Vaes256 | Backend::Vaes512 => {
            // SAFETY: `is_supported` above: the processor has the instructions of each.
            Some(unsafe {
                match (backend, decrypt) {
                    (Backend::Vaes512, false) => x86::encrypt512(loops),
                    (Backend::Vaes512, true) => x86::decrypt512(loops),
                    (Backend::Vaes256, false) => x86::encrypt256(loops),
                    (Backend::Vaes256, true) => x86::decrypt256(loops),
                    (_, false) => x86::encrypt128(loops),
                    (_, true) => x86::decrypt128(loops),
                }
            })
        }
        #[cfg(target_arch = "aarch64")]
        Backend::Armv8 | Backend::Armv8Eor3 => {
            // SAFETY: `is_supported` above: the processor has the AES instructions.
            Some(unsafe { if decrypt { aarch64::decrypt(loops) } else { aarch64::encrypt(loops) } })
        }
        _ => {
            let _ = (decrypt, loops);
            None
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    /// The function of this name: twelve chains of an instruction, eight rounds long; `\i` is a register's number.
    /// Whatever the registers hold will do, since these instructions take the same time for all data.
    macro_rules! chains {
        ($name:ident, $features:literal, $blocks:literal, $instruction:literal, $end:literal) => {
            /// # Safety
            /// The processor has the features.
            #[target_feature(enable = $features)]
            pub(super) unsafe fn $name(loops: u64) -> u64 {
                // SAFETY: vector registers alone, which are all named as lost.
                unsafe {
                    core::arch::asm!(
                        ".p2align 5", "2:", ".rept 8",
                        ".irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11", $instruction, ".endr",
                        ".endr", "dec {loops}", "jnz 2b", $end,
                        loops = inout(reg) loops => _,
                        out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _,
                        out("xmm6") _, out("xmm7") _, out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                        out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
                        options(nomem, nostack),
                    );
                }
                loops * 8 * 12 * $blocks
            }
        };
    }
    chains!(encrypt128, "sse2,aes", 1, "aesenc xmm\\i, xmm15", "");
    chains!(decrypt128, "sse2,aes", 1, "aesdec xmm\\i, xmm15", "");
    chains!(encrypt256, "avx2,aes,vaes", 2, "vaesenc ymm\\i, ymm\\i, ymm15", "vzeroupper");
    chains!(decrypt256, "avx2,aes,vaes", 2, "vaesdec ymm\\i, ymm\\i, ymm15", "vzeroupper");
    chains!(encrypt512, "avx512f,aes,vaes", 4, "vaesenc zmm\\i, zmm\\i, zmm15", "vzeroupper");
    chains!(decrypt512, "avx512f,aes,vaes", 4, "vaesdec zmm\\i, zmm\\i, zmm15", "vzeroupper");
}

#[cfg(target_arch = "aarch64")]
mod aarch64 {
    /// The function of this name: sixteen chains of a pair of instructions, which processors fuse; `\x` is a register.
    macro_rules! chains {
        ($name:ident, $substitute:literal, $mix:literal) => {
            /// # Safety
            /// The processor has neon and aes.
            #[target_feature(enable = "neon,aes")]
            pub(super) unsafe fn $name(loops: u64) -> u64 {
                // SAFETY: vector registers alone, which are all named as lost.
                unsafe {
                    core::arch::asm!(
                        ".p2align 5", "2:", ".rept 8",
                        ".irp x, v0.16b, v1.16b, v2.16b, v3.16b, v4.16b, v5.16b, v6.16b, v7.16b, v16.16b, v17.16b, \
                         v18.16b, v19.16b, v20.16b, v21.16b, v22.16b, v23.16b", $substitute, $mix, ".endr",
                        ".endr", "subs {loops}, {loops}, #1", "b.ne 2b",
                        loops = inout(reg) loops => _,
                        out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _, out("v6") _,
                        out("v7") _, out("v16") _, out("v17") _, out("v18") _, out("v19") _, out("v20") _,
                        out("v21") _, out("v22") _, out("v23") _, out("v31") _,
                        options(nomem, nostack),
                    );
                }
                loops * 8 * 16
            }
        };
    }
    chains!(encrypt, "aese \\x, v31.16b", "aesmc \\x, \\x");
    chains!(decrypt, "aesd \\x, v31.16b", "aesimc \\x, \\x");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_backend_with_aes_instructions_has_a_limit() {
        for backend in Backend::ALL {
            let without = [Backend::Soft, Backend::Ssse3, Backend::Avx2, Backend::Neon];
            let has_limit = backend.is_supported() && !without.contains(&backend);
            for decrypt in [false, true] {
                assert_eq!(rounds(backend, decrypt, 3).is_some(), has_limit, "{backend}");
            }
        }
    }
}
