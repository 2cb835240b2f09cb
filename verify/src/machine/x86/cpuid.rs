//! Processors, as `cpuid` and `xgetbv` describe them: what the library asks about, and zeros elsewhere. With these, any
//! machine proves every backend and every schedule.

/// An x86-64 processor.
#[derive(Debug)]
pub struct Processor {
    /// Its name.
    pub name: &'static str,
    vendor: [u8; 12],
    /// Leaf 1, eax: family, model and stepping.
    signature: u32,
    /// Leaf 1, ecx.
    features_1c: u32,
    /// Leaf 7, ebx.
    features_7b: u32,
    /// Leaf 7, ecx.
    features_7c: u32,
    /// xcr0: the registers that the operating system saves.
    saved: u32,
    /// Leaf 8000_001Ah, eax: the width of its vector units.
    width: u32,
}

// Leaf 1, edx: fpu, tsc, cx8, cmov, mmx, fxsr, sse, sse2.
const FEATURES_1D: u32 = 1 | 1 << 4 | 1 << 8 | 1 << 15 | 1 << 23 | 1 << 24 | 1 << 25 | 1 << 26;
// Leaf 1, ecx: sse3, pclmulqdq, ssse3, cx16, sse4.1, sse4.2, movbe, popcnt, aes.
const WESTMERE: u32 = 1 | 1 << 1 | 1 << 9 | 1 << 13 | 1 << 19 | 1 << 20 | 1 << 22 | 1 << 23 | 1 << 25;
// And fma, xsave, osxsave, avx, f16c, rdrand.
const HASWELL: u32 = WESTMERE | 1 << 12 | 1 << 26 | 1 << 27 | 1 << 28 | 1 << 29 | 1 << 30;
// Leaf 7, ebx: bmi1, avx2, bmi2, adx.
const AVX2: u32 = 1 << 3 | 1 << 5 | 1 << 8 | 1 << 19;
// Leaf 7, ebx: avx512f, avx512dq, avx512ifma, avx512cd, avx512bw, avx512vl.
const AVX512: u32 = 1 << 16 | 1 << 17 | 1 << 21 | 1 << 28 | 1 << 30 | 1 << 31;
// Leaf 7, ecx: vaes, vpclmulqdq.
const VAES: u32 = 1 << 9 | 1 << 10;
// Leaf 7, ecx: avx512vbmi, avx512_vbmi2, gfni, avx512_vnni, avx512_bitalg, avx512_vpopcntdq.
const VBMI: u32 = 1 << 1 | 1 << 6 | 1 << 8 | 1 << 11 | 1 << 12 | 1 << 14;

/// AES-NI and SSE4.2, no AVX.
pub static WITH_AESNI: Processor = Processor {
    name: "a processor with AES-NI (Westmere)",
    vendor: *b"GenuineIntel",
    signature: 0x0002_06c2,
    features_1c: WESTMERE,
    features_7b: 0,
    features_7c: 0,
    saved: 0,
    width: 0,
};

/// VAES on 256 bits.
pub static ZEN3: Processor = Processor {
    name: "a processor with VAES and AVX2 (Zen 3)",
    vendor: *b"AuthenticAMD",
    signature: 0x00a2_0f10,
    features_1c: HASWELL,
    features_7b: AVX2,
    features_7c: VAES,
    saved: 7,
    width: 4,
};

/// VAES on 512 bits, one AES instruction a cycle.
pub static ZEN4: Processor = Processor {
    name: "a processor with VAES and AVX-512 (Zen 4)",
    vendor: *b"AuthenticAMD",
    signature: 0x00a6_0f12,
    features_1c: HASWELL,
    features_7b: AVX2 | AVX512,
    features_7c: VAES | VBMI,
    saved: 0xe7,
    width: 4,
};

/// VAES on 512 bits, two AES instructions a cycle.
pub static ZEN5: Processor = Processor {
    name: "a processor that starts two 512-bit AES instructions a cycle (Zen 5)",
    vendor: *b"AuthenticAMD",
    signature: 0x00b0_0f21,
    features_1c: HASWELL,
    features_7b: AVX2 | AVX512,
    features_7c: VAES | VBMI,
    saved: 0xe7,
    width: 8,
};

impl Processor {
    /// `cpuid`: eax, ebx, ecx and edx.
    pub fn cpuid(&self, leaf: u32, sub: u32) -> [u32; 4] {
        let text = |i: usize| u32::from_le_bytes(std::array::from_fn(|j| self.vendor[4 * i + j]));
        match (leaf, sub) {
            (0, _) => [0x10, text(0), text(2), text(1)],
            (1, _) => [self.signature, 0, self.features_1c, FEATURES_1D],
            (7, 0) => [0, self.features_7b, self.features_7c, 0],
            // The size of what xsave writes.
            (0xd, 0) if self.saved != 0 => [self.saved, 2696, 2696, 0],
            (0x8000_0000, _) => [0x8000_0021, text(0), text(2), text(1)],
            // lahf, lzcnt.
            (0x8000_0001, _) => [self.signature, 0, 1 | 1 << 5, 1 << 29],
            (0x8000_001a, _) => [self.width, 0, 0, 0],
            _ => [0; 4],
        }
    }

    /// `xgetbv` with ecx = 0; none if it is not there.
    pub fn xgetbv(&self) -> Option<u32> {
        (self.features_1c & 1 << 27 != 0).then_some(self.saved)
    }
}
