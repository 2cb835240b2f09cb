//! What this processor is, and what it has.

/// Whether the processor is of an architecture, and has features of it: from a cached look, so that a key does not pay
/// for CPUID (a trap on virtual machines).
///
/// With `std` the standard library looks, which knows more systems; without, cpufeatures, which takes VAES for an AVX-512
/// feature (it asks whether the operating system saves zmm registers), and so denies it where there is none, as on Zen 3.
macro_rules! detected {
    (any) => {
        true
    };
    (x86_64 $($feature:tt)*) => {{
        #[cfg(all(hardware, target_arch = "x86_64"))]
        {
            #[cfg(feature = "std")]
            {
                true $(&& std::arch::is_x86_feature_detected!($feature))*
            }
            #[cfg(not(feature = "std"))]
            {
                cpufeatures::new!(features, $($feature),*);
                features::get()
            }
        }
        #[cfg(not(all(hardware, target_arch = "x86_64")))]
        {
            false
        }
    }};
    // cpufeatures does not ask for it; all processors have it that the target's programs run on.
    (aarch64 "neon") => {
        cfg!(all(hardware, target_arch = "aarch64"))
    };
    (aarch64 $($feature:tt)*) => {{
        #[cfg(all(hardware, target_arch = "aarch64"))]
        {
            #[cfg(feature = "std")]
            {
                true $(&& std::arch::is_aarch64_feature_detected!($feature))*
            }
            #[cfg(not(feature = "std"))]
            {
                cpufeatures::new!(features, $($feature),*);
                features::get()
            }
        }
        #[cfg(not(all(hardware, target_arch = "aarch64")))]
        {
            false
        }
    }};
}
pub(super) use detected;

/// How many AES instructions on 512-bit vectors an x86-64 processor that has them starts in a cycle.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "no other one has 512 bits"))]
pub(super) enum WideAes {
    /// AMD's from family 1Ah (Zen 5) on; but for those that say of themselves that their vector units are 256 bits wide,
    /// as some of Zen 5 for laptops are.
    TwoStart,
    /// AMD's other ones: Zen 4.
    OneStartsOnAmd,
    /// All others.
    OneStarts,
}

#[cfg(not(all(hardware, target_arch = "x86_64")))]
pub(super) fn wide_aes() -> WideAes {
    WideAes::OneStarts
}

#[cfg(all(hardware, target_arch = "x86_64"))]
pub(super) fn wide_aes() -> WideAes {
    use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

    const OF: [WideAes; 3] = [WideAes::TwoStart, WideAes::OneStartsOnAmd, WideAes::OneStarts];
    /// 0: not known yet; else one more than an index of `OF`.
    static KNOWN: AtomicU8 = AtomicU8::new(0);

    fn cpuid(leaf: u32) -> core::arch::x86_64::CpuidResult {
        // SAFETY: every x86-64 processor has the instruction.
        #[allow(unused_unsafe, reason = "compilers after 1.89 call it safe")]
        unsafe {
            core::arch::x86_64::__cpuid(leaf)
        }
    }

    #[cold]
    fn look() -> u8 {
        let vendor = cpuid(0);
        let amd = (vendor.ebx, vendor.edx, vendor.ecx)
            == (u32::from_le_bytes(*b"Auth"), u32::from_le_bytes(*b"enti"), u32::from_le_bytes(*b"cAMD"));
        let signature = cpuid(1).eax;
        let family = (signature >> 8 & 0xf) + (signature >> 20 & 0xff);
        // AMD64 Architecture Programmer's Manual, Fn8000_001A_EAX: FP256 and FP512. Hypervisors may hide both.
        let half = cpuid(0x8000_0000).eax >= 0x8000_001a && cpuid(0x8000_001a).eax & 0xc == 4;
        let known = 1 + match amd {
            true if family >= 0x1a && !half => 0,
            true => 1,
            false => 2,
        };
        KNOWN.store(known, Relaxed);
        known
    }

    let known = KNOWN.load(Relaxed);
    OF[usize::from(if known == 0 { look() } else { known }).wrapping_sub(1) % OF.len()]
}
