//! The one list of backends. Names, detection, dispatch, documentation, the cfgs of build.rs and the lists of the tests
//! all come from here.
//!
//! A new backend is its file, with the `mod` line above it, and a row:
//!
//! - the variant's documentation, its name in Rust, and its name for people and for `ATREST_BACKEND`;
//! - the architecture, and the processor features that its shells enable; what other backends enable, too, where it
//!   calls them;
//! - `optional` if `ATREST_OMIT` can leave it out, `base` if others of its architecture need it;
//! - the schedules that it has, and how it is called: `Aes` backends run the loop of `aes`, `Sliced` ones that of
//!   `sliced`. The path is that of the module with the functions, which `cipher.rs` names.
//!
//! Rows are ordered: of those that a processor runs, the last one is taken.

/// Hands the rows to the macro of that name. build.rs reads them, too.
macro_rules! with_backends {
    ($then:ident) => {
        $then! {
            /// Constant-time code of the `aes` crate, on every processor. It is the bitsliced code where the build says
            /// `--cfg aes_backend="soft"`, as this repository's own configuration does; otherwise that crate may itself use
            /// the processor's AES instructions.
            Soft = "soft": any [] base [Tiles] Soft(soft);

            /// x86-64 without AES instructions: bitsliced over 128-bit vectors, eight blocks at once. Constant-time.
            Ssse3 = "ssse3": x86_64 ["ssse3"] optional [Tiles] Sliced(x86_64::ssse3);

            /// The same over 256-bit vectors, sixteen blocks at once.
            Avx2 = "avx2": x86_64 ["ssse3" "avx2"] optional [Tiles] Sliced(x86_64::avx2);

            /// x86-64 AES-NI, one block a vector.
            Aesni = "aesni": x86_64 ["sse2" "aes"] base [Tiles] Aes(x86_64::aesni);

            /// x86-64 VAES on 256-bit vectors.
            Vaes256 = "vaes256": x86_64 ["aes" "avx2" "vaes"] optional [Tiles Rows] Aes(x86_64::vaes256);

            /// x86-64 VAES on 512-bit vectors.
            Vaes512 = "vaes512": x86_64 ["aes" "avx2" "vaes" "avx512f" "avx512bw" "avx512vbmi"] optional
                [Tiles Rows Mixed] Aes(x86_64::vaes512);

            /// AArch64 without the crypto extensions, such as the Raspberry Pi 4: bitsliced over 128-bit vectors, eight
            /// blocks at once. Constant-time.
            Neon = "neon": aarch64 ["neon"] optional [Tiles] Sliced(aarch64::neon);

            /// AArch64 with the ARMv8 crypto extensions.
            Armv8 = "armv8": aarch64 ["aes"] base [Tiles] Aes(aarch64::armv8::plain);

            /// The same with EOR3 of the SHA-3 extension.
            Armv8Eor3 = "armv8-eor3": aarch64 ["aes" "sha3"] optional [Tiles] Aes(aarch64::armv8::eor3);
        }
    };
}
pub(crate) use with_backends;
