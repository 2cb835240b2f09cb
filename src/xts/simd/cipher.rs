//! A key expanded for one backend, and the branch that leads there.

use zeroize::zeroize_stack;

#[cfg(hardware)]
use super::{aes::keys::RoundKeys, sliced};
use super::{
    backend::{Backend, Runnable, Schedule},
    job::{Direction, Job},
    soft::{self, SoftKeys},
    table::with_backends,
};

#[cfg(all(hardware, target_arch = "aarch64"))]
use super::aarch64::{self, armv8 as native};
#[cfg(all(hardware, target_arch = "x86_64"))]
use super::x86_64::{self, aesni as native};

/// The round keys of a kind of backends.
macro_rules! keys_of {
    (Soft) => {
        SoftKeys
    };
    (Sliced) => {
        sliced::Keys
    };
    (Aes) => {
        RoundKeys
    };
}

/// Room for them.
macro_rules! room_for {
    (Soft, $runnable:ident, $long:ident) => {
        SoftKeys::empty($long)
    };
    (Sliced, $runnable:ident, $long:ident) => {
        sliced::Keys::empty($long)
    };
    (Aes, $runnable:ident, $long:ident) => {
        RoundKeys::empty($long, $runnable.schedule())
    };
}

macro_rules! expand {
    // Every one of these backends needs the AES instructions, and has them.
    (Aes, $keys:ident, $key1:ident, $key2:ident) => {
        // SAFETY: `empty` makes this variant of a `Runnable` alone.
        unsafe { native::expand($key1, $key2, $keys) }
    };
    ($kind:ident, $keys:ident, $key1:ident, $key2:ident) => {
        $keys.expand($key1, $key2)
    };
}

/// How much stack that may leave keys in, in bytes: what is not optimised, and the portable cipher, move them about.
macro_rules! stack_of {
    (Soft) => {
        16384
    };
    (Sliced) => {
        if cfg!(all(optimized, target_arch = "x86_64")) { 1024 } else { 16384 }
    };
    (Aes) => {
        if cfg!(optimized) { 512 } else { 16384 }
    };
}

macro_rules! schedule_of {
    (Aes, $keys:ident) => {
        $keys.schedule()
    };
    ($kind:ident, $keys:ident) => {{
        let _ = $keys;
        Schedule::Tiles
    }};
}

macro_rules! run {
    (Soft, $($module:ident)::+, $keys:ident, $direction:ident, $job:ident) => {
        soft::run($keys, $direction, &$job)
    };
    (Sliced, $($module:ident)::+, $keys:ident, $direction:ident, $job:ident) => {
        // SAFETY: `empty` makes this variant of a `Runnable` alone, whose backend the processor supports, and these
        // functions need no more.
        unsafe { sliced::run($keys, $($module)::+::FUNCTIONS, $direction, &$job) }
    };
    (Aes, $($module:ident)::+, $keys:ident, $direction:ident, $job:ident) => {
        // SAFETY: `empty` makes this variant of a `Runnable` alone, whose backend the processor supports, which is what
        // each of the shells requires; the job's invariants cover the pointers.
        unsafe { $($module)::+::run($keys, $direction, &$job) }
    };
}

macro_rules! encrypt_number {
    (Soft, $($module:ident)::+, $keys:ident, $number:ident) => {
        $keys.encrypt_number(&mut $number)
    };
    (Sliced, $($module:ident)::+, $keys:ident, $number:ident) => {
        // SAFETY: as in `run`.
        unsafe { sliced::encrypt_number($keys, $($module)::+::FUNCTIONS, &mut $number) }
    };
    (Aes, $($module:ident)::+, $keys:ident, $number:ident) => {
        // SAFETY: as in `run`: every one of these backends needs the AES instructions and has them.
        unsafe { native::encrypt_number($keys, &mut $number) }
    };
}

macro_rules! define {
    ($(
        $(#[$doc:meta])*
        $variant:ident = $name:literal: $architecture:ident [$($feature:literal)*] $omit:ident $schedules:tt
            $kind:ident($($module:ident)::+);
    )*) => {
        /// Round keys in the form that a backend takes: a variant for each one that this build has. [`Cipher::empty`]
        /// makes it of a [`Runnable`] alone, which is what makes the calls of functions with processor features sound.
        // Boxing the larger variants would put an allocation and a pointer chase into a no_std kernel.
        #[allow(clippy::large_enum_variant)]
        pub(crate) enum Cipher {
            $(#[cfg(backend = $name)] $variant(keys_of!($kind)),)*
        }

        impl Cipher {
            /// Room for keys of 16 bytes each, or 32 (`long`), of which it holds none yet.
            #[inline(always)]
            pub(crate) fn empty(runnable: Runnable, long: bool) -> Cipher {
                match runnable.backend() {
                    $(#[cfg(backend = $name)]
                    Backend::$variant => Cipher::$variant(room_for!($kind, runnable, long)),)*
                    #[allow(unreachable_patterns, reason = "a build may have them all")]
                    _ => unreachable!("what this build does not have is not supported"),
                }
            }

            /// Expands keys, as long as `empty` was told, where it lies: whoever moves it afterwards leaves a copy.
            #[inline(always)]
            pub(crate) fn expand(&mut self, key1: &[u8], key2: &[u8]) {
                #[cfg(test)]
                let key1 = &super::planted::taken_for(key1, self.backend())[..key1.len()];
                match self {
                    $(#[cfg(backend = $name)] Cipher::$variant(keys) => expand!($kind, keys, key1, key2),)*
                }
            }

            /// Wipes the stack that [`expand`](Cipher::expand) may have left keys in.
            #[inline(always)]
            pub(crate) fn wipe_stack(&self) {
                match self {
                    $(#[cfg(backend = $name)] Cipher::$variant(_) => zeroize_stack::<{ stack_of!($kind) }>(),)*
                }
            }

            pub(crate) fn backend(&self) -> Backend {
                match self {
                    $(#[cfg(backend = $name)] Cipher::$variant(_) => Backend::$variant,)*
                }
            }

            pub(crate) fn schedule(&self) -> Schedule {
                match self {
                    $(#[cfg(backend = $name)] Cipher::$variant(keys) => schedule_of!($kind, keys),)*
                }
            }

            /// Inlined, since a call more is felt where there is one short sector.
            #[inline(always)]
            pub(crate) fn run(&self, direction: Direction, job: Job<'_>) {
                match self {
                    $(#[cfg(backend = $name)]
                    Cipher::$variant(keys) => run!($kind, $($module)::+, keys, direction, job),)*
                }
            }

            /// Encrypts a sector number into a tweak.
            pub(super) fn encrypt_number(&self, mut number: [u8; 16]) -> [u8; 16] {
                match self {
                    $(#[cfg(backend = $name)]
                    Cipher::$variant(keys) => encrypt_number!($kind, $($module)::+, keys, number),)*
                }
                number
            }
        }
    };
}
with_backends!(define);
