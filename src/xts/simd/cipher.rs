//! A key expanded for one backend, and the branch that leads there.

use zeroize::zeroize_stack;

use super::{Backend, Direction, Job, Runnable, Schedule, soft::SoftKeys};

#[cfg(target_arch = "x86_64")]
use super::{aesni, avx2, ssse3, vaes256, vaes512};
#[cfg(target_arch = "aarch64")]
use super::{armv8, neon};
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use super::{keys::RoundKeys, sliced};

/// Round keys in the form that a backend takes. A variant other than `Soft` comes of a [`Runnable`] alone: that is what
/// makes the calls of target-feature functions below sound.
// Boxing the larger variant would put an allocation and a pointer chase into a no_std kernel.
#[allow(clippy::large_enum_variant)]
pub(crate) enum Cipher {
    Soft(SoftKeys),
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    Sliced(Backend, sliced::Keys),
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    Hardware(Backend, RoundKeys),
}

impl Cipher {
    /// Room for keys of 16 bytes each, or 32 (`long`), of which it holds none yet.
    #[inline(always)]
    pub(crate) fn empty(runnable: Runnable, long: bool) -> Cipher {
        match runnable.backend {
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
            Backend::Ssse3 | Backend::Avx2 | Backend::Neon => {
                Cipher::Sliced(runnable.backend, sliced::Keys::empty(long))
            }
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
            backend if backend != Backend::Soft => {
                Cipher::Hardware(backend, RoundKeys::empty(long, runnable.schedule == Schedule::Rows))
            }
            _ => Cipher::Soft(SoftKeys::empty(long)),
        }
    }

    /// Expands keys, as long as `empty` was told, where it lies: whoever moves it afterwards leaves a copy.
    #[inline(always)]
    pub(crate) fn expand(&mut self, key1: &[u8], key2: &[u8]) {
        match self {
            Cipher::Soft(keys) => keys.expand(key1, key2),
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
            Cipher::Sliced(_, keys) => keys.expand(key1, key2),
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
            // SAFETY: `empty` makes this variant of a `Runnable` alone: every one of these backends needs AES instructions
            // and has them.
            Cipher::Hardware(_, keys) => unsafe {
                #[cfg(target_arch = "x86_64")]
                aesni::expand(key1, key2, keys);
                #[cfg(target_arch = "aarch64")]
                armv8::expand(key1, key2, keys);
            },
        }
    }

    /// How much stack [`expand`](Cipher::expand) may leave keys in, in bytes: what is not optimised, and the portable
    /// cipher, move them about.
    #[inline(always)]
    pub(crate) fn wipe_stack(&self) {
        match self {
            #[cfg(all(optimized, any(target_arch = "x86_64", target_arch = "aarch64")))]
            Cipher::Hardware(..) => zeroize_stack::<512>(),
            #[cfg(all(optimized, target_arch = "x86_64"))]
            Cipher::Sliced(..) => zeroize_stack::<1024>(),
            _ => zeroize_stack::<16384>(),
        }
    }

    pub(crate) fn backend(&self) -> Backend {
        match self {
            Cipher::Soft(_) => Backend::Soft,
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
            Cipher::Sliced(backend, _) | Cipher::Hardware(backend, _) => *backend,
        }
    }

    pub(crate) fn schedule(&self) -> Schedule {
        match self {
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
            Cipher::Hardware(_, keys) if keys.encrypt.in_rows() => Schedule::Rows,
            _ => Schedule::Tiles,
        }
    }

    /// Inlined, since a call more is felt where there is one short sector.
    #[inline(always)]
    pub(crate) fn run(&self, direction: Direction, job: Job<'_>) {
        match self {
            Cipher::Soft(keys) => soft_run(keys, direction, &job),
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
            Cipher::Sliced(backend, keys) => sliced_run(*backend, keys, direction, &job),
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
            // SAFETY: `empty` makes this variant of a `Runnable` alone, whose backend the processor supports, which is
            // what each of the shells requires; the job's invariants cover the pointers.
            Cipher::Hardware(backend, keys) => unsafe {
                #[cfg(target_arch = "x86_64")]
                match backend {
                    #[cfg(not(omitted = "vaes512"))]
                    Backend::Vaes512 => vaes512::run(keys, direction, &job),
                    #[cfg(not(omitted = "vaes256"))]
                    Backend::Vaes256 => vaes256::run(keys, direction, &job),
                    _ => aesni::run(keys, direction, &job),
                }
                #[cfg(target_arch = "aarch64")]
                match backend {
                    #[cfg(not(omitted = "armv8-eor3"))]
                    Backend::Armv8Eor3 => armv8::eor3::run(keys, direction, &job),
                    _ => armv8::plain::run(keys, direction, &job),
                }
            },
        }
    }

    /// Encrypts a sector number into a tweak.
    pub(super) fn encrypt_number(&self, mut number: [u8; 16]) -> [u8; 16] {
        match self {
            Cipher::Soft(keys) => keys.encrypt_number(&mut number),
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
            // SAFETY: as in `sliced_run`.
            Cipher::Sliced(backend, keys) => unsafe {
                sliced::encrypt_number(keys, functions(*backend), &mut number);
            },
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
            // SAFETY: as in `run`: every one of these backends needs the AES instructions and has them.
            Cipher::Hardware(_, keys) => unsafe {
                #[cfg(target_arch = "x86_64")]
                aesni::encrypt_number(keys, &mut number);
                #[cfg(target_arch = "aarch64")]
                armv8::encrypt_number(keys, &mut number);
            },
        }
        number
    }
}

// Kept out of line so that the hardware path's frame stays small.
#[inline(never)]
fn soft_run(keys: &SoftKeys, direction: Direction, job: &Job<'_>) {
    keys.run(direction, job);
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[inline(never)]
fn sliced_run(backend: Backend, keys: &sliced::Keys, direction: Direction, job: &Job<'_>) {
    // SAFETY: `empty` makes `Sliced` of a `Runnable` alone, whose backend the processor supports, and these functions need
    // no more.
    unsafe { sliced::run(keys, functions(backend), direction, job) }
}

/// Those of a backend that is `Sliced`.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn functions(backend: Backend) -> sliced::Functions {
    match backend {
        #[cfg(all(target_arch = "x86_64", not(omitted = "avx2")))]
        Backend::Avx2 => avx2::FUNCTIONS,
        #[cfg(all(target_arch = "x86_64", not(omitted = "ssse3")))]
        Backend::Ssse3 => ssse3::FUNCTIONS,
        #[cfg(all(target_arch = "aarch64", not(omitted = "neon")))]
        Backend::Neon => neon::FUNCTIONS,
        _ => unreachable!("`detect::supported` denies what is left out"),
    }
}
