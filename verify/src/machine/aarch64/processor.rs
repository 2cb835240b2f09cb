//! Processors, as Linux describes them to programs: the auxiliary vector's `AT_HWCAP` and `AT_HWCAP2`.

/// A processor.
#[derive(Debug)]
pub struct Processor {
    /// Its name.
    pub name: &'static str,
    hwcap: u64,
}

/// AT_HWCAP, AT_HWCAP2.
const HWCAP: u64 = 16;
const HWCAP2: u64 = 26;

/// FP, ASIMD, AES, PMULL, SHA1, SHA2, CRC32: asm/hwcap.h of Linux.
const ARMV8: u64 = 1 | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7;
/// ATOMICS, SHA3 and SHA512.
const SHA3: u64 = 1 << 8 | 1 << 17 | 1 << 21;

/// One with AES alone.
pub static WITH_AES: Processor = Processor { name: "Armv8.0-A with AES (Cortex-A72)", hwcap: ARMV8 };
/// One with EOR3, which SHA-3 brings along.
pub static WITH_SHA3: Processor =
    Processor { name: "Armv8.2-A with AES and SHA-3 (Neoverse V1)", hwcap: ARMV8 | SHA3 };

impl Processor {
    /// An entry of the auxiliary vector.
    pub fn auxiliary(&self, which: u64) -> Option<u64> {
        match which {
            HWCAP => Some(self.hwcap),
            HWCAP2 => Some(0),
            _ => None,
        }
    }
}
