//! What this processor runs.

use super::Backend;

#[cfg(target_arch = "x86_64")]
cpufeatures::new!(ssse3, "ssse3");
#[cfg(target_arch = "x86_64")]
cpufeatures::new!(avx2, "ssse3", "avx2");
#[cfg(target_arch = "x86_64")]
cpufeatures::new!(aesni, "aes", "sse2");
#[cfg(target_arch = "x86_64")]
cpufeatures::new!(vaes512, "aes", "avx2", "avx512f", "avx512bw", "avx512vbmi", "vaes");
// For builds without `std` alone: cpufeatures takes VAES for an AVX-512 feature (it asks whether the operating system
// saves zmm registers) and so denies it on processors that have it with AVX2 only, such as Zen 3.
#[cfg(all(target_arch = "x86_64", not(feature = "std")))]
cpufeatures::new!(vaes256, "aes", "avx2", "vaes");

// cpufeatures knows Linux and Apple's systems; the standard library knows more.
#[cfg(all(target_arch = "aarch64", not(feature = "std")))]
cpufeatures::new!(armv8, "aes");
#[cfg(all(target_arch = "aarch64", not(feature = "std")))]
cpufeatures::new!(armv8_eor3, "aes", "sha3");

/// Answers from a cached look at the processor, so that a key does not pay for CPUID (a trap on virtual machines).
pub(super) fn supported(backend: Backend) -> bool {
    match backend {
        Backend::Soft => true,
        #[cfg(all(target_arch = "x86_64", not(omitted = "ssse3")))]
        Backend::Ssse3 => ssse3::get(),
        #[cfg(all(target_arch = "x86_64", not(omitted = "avx2")))]
        Backend::Avx2 => avx2::get(),
        #[cfg(target_arch = "x86_64")]
        Backend::Aesni => aesni::get(),
        #[cfg(all(target_arch = "x86_64", feature = "std", not(omitted = "vaes256")))]
        Backend::Vaes256 => {
            aesni::get()
                && std::arch::is_x86_feature_detected!("avx2")
                && std::arch::is_x86_feature_detected!("vaes")
        }
        #[cfg(all(target_arch = "x86_64", not(feature = "std"), not(omitted = "vaes256")))]
        Backend::Vaes256 => vaes256::get(),
        #[cfg(all(target_arch = "x86_64", not(omitted = "vaes512")))]
        Backend::Vaes512 => vaes512::get(),
        #[cfg(all(target_arch = "aarch64", feature = "std", not(omitted = "neon")))]
        Backend::Neon => std::arch::is_aarch64_feature_detected!("neon"),
        // cpufeatures does not ask for it: all of these processors have it but where the target says otherwise.
        #[cfg(all(target_arch = "aarch64", not(feature = "std"), not(omitted = "neon")))]
        Backend::Neon => cfg!(target_feature = "neon"),
        #[cfg(all(target_arch = "aarch64", feature = "std"))]
        Backend::Armv8 => std::arch::is_aarch64_feature_detected!("aes"),
        #[cfg(all(target_arch = "aarch64", feature = "std", not(omitted = "armv8-eor3")))]
        Backend::Armv8Eor3 => {
            std::arch::is_aarch64_feature_detected!("aes") && std::arch::is_aarch64_feature_detected!("sha3")
        }
        #[cfg(all(target_arch = "aarch64", not(feature = "std")))]
        Backend::Armv8 => armv8::get(),
        #[cfg(all(target_arch = "aarch64", not(feature = "std"), not(omitted = "armv8-eor3")))]
        Backend::Armv8Eor3 => armv8_eor3::get(),
        #[allow(unreachable_patterns, reason = "every backend is compiled in on some target only")]
        _ => false,
    }
}

/// Whether rows, rather than tiles, suit this processor. `ATREST_BACKEND` overrides it; docs/kernel.md has the
/// measurements.
///
/// - `vaes512`: where two 512-bit AES instructions start in a cycle (Zen 5). Where one does (Zen 4, Intel), eight vectors
///   in flight are twice what is needed.
/// - `vaes256`: everywhere but with AES-128 where one 512-bit AES instruction starts in a cycle (Zen 4), whose fastest
///   backend it is not.
#[cfg(target_arch = "x86_64")]
pub(super) fn suits_rows(backend: Backend, aes_bits: usize) -> bool {
    match backend {
        Backend::Vaes512 => starts_two_512(),
        Backend::Vaes256 => aes_bits == 256 || !vaes512::get() || starts_two_512(),
        _ => false,
    }
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) fn suits_rows(_: Backend, _: usize) -> bool {
    false
}

/// Whether the processor starts two 512-bit AES instructions a cycle, as AMD's do from family 1Ah (Zen 5) on; but for
/// those that say of themselves that their vector units are 256 bits wide, as some of Zen 5 for laptops are.
#[cfg(target_arch = "x86_64")]
fn starts_two_512() -> bool {
    use core::{
        arch::x86_64::__cpuid,
        sync::atomic::{AtomicU8, Ordering::Relaxed},
    };

    /// 0: not known yet; 1: no; 2: yes.
    static KNOWN: AtomicU8 = AtomicU8::new(0);

    #[cold]
    fn look() -> u8 {
        let vendor = __cpuid(0);
        let amd = (vendor.ebx, vendor.edx, vendor.ecx)
            == (u32::from_le_bytes(*b"Auth"), u32::from_le_bytes(*b"enti"), u32::from_le_bytes(*b"cAMD"));
        let signature = __cpuid(1).eax;
        let family = (signature >> 8 & 0xf) + (signature >> 20 & 0xff);
        // AMD64 Architecture Programmer's Manual, Fn8000_001A_EAX: FP256 and FP512. Hypervisors may hide both.
        let half = __cpuid(0x8000_0000).eax >= 0x8000_001a && __cpuid(0x8000_001a).eax & 0xc == 4;
        let known = 1 + u8::from(amd && family >= 0x1a && !half);
        KNOWN.store(known, Relaxed);
        known
    }

    let known = KNOWN.load(Relaxed);
    (if known == 0 { look() } else { known }) == 2
}
