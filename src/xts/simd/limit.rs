//! What the processor can do at best, for `atrest bench`: instructions that wait for nothing but their units.
//!
//! Both are counted, not timed, here. The caller times them: [`additions`] takes a core cycle each, which makes cycles
//! of nanoseconds; [`rounds`] is AES and nothing else, no loads, no stores, as many chains as hide its latency.

#[cfg(all(hardware, target_arch = "aarch64"))]
use super::aarch64;
#[cfg(all(hardware, target_arch = "x86_64"))]
use super::x86_64;
use super::{backend::Backend, table::with_backends};

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

macro_rules! define {
    ($(
        $(#[$doc:meta])*
        $variant:ident = $name:literal: $architecture:ident [$($feature:literal)*] $omit:ident $schedules:tt
            $kind:ident($($module:ident)::+);
    )*) => {
        /// Sends blocks in vectors as wide as the backend's through rounds of AES, in twelve chains or more, `loops` (at
        /// least one) times over; a result of n says that one block went through n rounds, or n blocks through one.
        ///
        /// `None` for a backend that does not run here, and for those without AES instructions, which no AES unit bounds.
        #[must_use]
        pub fn rounds(backend: Backend, decrypt: bool, loops: u64) -> Option<u64> {
            let loops = loops.max(1);
            if !backend.is_supported() {
                return None;
            }
            match backend {
                $(#[cfg(backend = $name)]
                Backend::$variant => limit_of!($kind, $($module)::+, decrypt, loops),)*
                #[allow(unreachable_patterns, reason = "a build may have them all")]
                _ => None,
            }
        }
    };
}

macro_rules! limit_of {
    (Aes, $($module:ident)::+, $decrypt:ident, $loops:ident) => {
        // SAFETY: `is_supported`: the processor has the backend's instructions.
        Some(unsafe { $($module)::+::limit($decrypt, $loops) })
    };
    ($kind:ident, $($module:ident)::+, $decrypt:ident, $loops:ident) => {{
        let _ = ($decrypt, $loops);
        None
    }};
}
with_backends!(define);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_backend_with_aes_instructions_has_a_limit() {
        for backend in Backend::ALL.iter().copied() {
            let has_limit = backend.is_supported() && backend.needs().contains(&"aes");
            for decrypt in [false, true] {
                assert_eq!(rounds(backend, decrypt, 3).is_some(), has_limit, "{backend}");
            }
        }
    }
}
