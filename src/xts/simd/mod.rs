//! One AES-XTS loop, instantiated for each instruction set; the only place with SIMD.
//!
//! [`kernel`] is the loop, written once over the trait [`vector::Vector`]. Each instruction set is a file with its
//! vector type, its key expansion where it has one, and its shells: the functions that carry the target features, into
//! which the whole loop is inlined. [`soft`] is the fallback for every other processor.
//!
//! Callers check lengths before they make a [`Job`]; nothing here can fail.
#![allow(unsafe_code)]
// What a backend alone needs that was left out (`ATREST_OMIT`) is dead, and is not in what is built.
#![cfg_attr(omitted, allow(dead_code, unused_imports))]

mod blocks;
mod blockwise;
mod cipher;
mod detect;
mod job;
mod pieces;
mod soft;

#[cfg(target_arch = "x86_64")]
mod aesni;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod anywhere;
#[cfg(target_arch = "aarch64")]
mod armv8;
#[cfg(target_arch = "aarch64")]
mod armv8_tiles;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod group;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod kernel;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod keys;
#[cfg(feature = "unstable-limit")]
pub mod limit;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod sbox;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod sliced;
#[cfg(target_arch = "x86_64")]
mod ssse3;
#[cfg(target_arch = "x86_64")]
mod tiles;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod unit;
#[cfg(target_arch = "x86_64")]
mod vaes256;
#[cfg(target_arch = "x86_64")]
mod vaes256_row;
#[cfg(target_arch = "x86_64")]
mod vaes512;
#[cfg(target_arch = "x86_64")]
mod vaes512_row;
#[cfg(target_arch = "x86_64")]
mod vaes512_stream;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod vector;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use cipher::Cipher;
pub(crate) use job::{ByteOrder, Job, Numbers, Sequence};
pub use job::{CounterWidth, Direction};
pub use pieces::Pieces;
pub(crate) use pieces::run_in_pieces;

use core::{fmt, str::FromStr};

use crate::xts::Error;

/// An implementation of AES-XTS. All compute the same; they differ in the instructions that they need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// Constant-time code of the `aes` crate, on every processor. It is the bitsliced code where the build says
    /// `--cfg aes_backend="soft"`, as this repository's own configuration does; otherwise that crate may itself use the
    /// processor's AES instructions.
    Soft,
    /// x86-64 without AES instructions: bitsliced over the 128-bit vectors of SSSE3, eight blocks at once. Constant-time.
    Ssse3,
    /// The same over the 256-bit vectors of AVX2, sixteen blocks at once.
    Avx2,
    /// x86-64 AES-NI, one block a vector.
    Aesni,
    /// x86-64 VAES on 256-bit vectors with AVX2.
    Vaes256,
    /// x86-64 VAES on 512-bit vectors with AVX-512 (F, BW, VBMI).
    Vaes512,
    /// AArch64 without the crypto extensions, such as the Raspberry Pi 4: bitsliced over 128-bit vectors, eight blocks at
    /// once. Constant-time.
    Neon,
    /// AArch64 with the ARMv8 crypto extensions.
    Armv8,
    /// The same with EOR3 of the SHA-3 extension.
    Armv8Eor3,
}

impl Backend {
    /// Every backend, slowest first.
    pub const ALL: [Backend; 9] = [
        Backend::Soft,
        Backend::Ssse3,
        Backend::Avx2,
        Backend::Aesni,
        Backend::Vaes256,
        Backend::Vaes512,
        Backend::Neon,
        Backend::Armv8,
        Backend::Armv8Eor3,
    ];

    /// The name that `ATREST_BACKEND` takes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Backend::Soft => "soft",
            Backend::Ssse3 => "ssse3",
            Backend::Avx2 => "avx2",
            Backend::Aesni => "aesni",
            Backend::Vaes256 => "vaes256",
            Backend::Vaes512 => "vaes512",
            Backend::Neon => "neon",
            Backend::Armv8 => "armv8",
            Backend::Armv8Eor3 => "armv8-eor3",
        }
    }

    /// Whether this build, on this processor, can run the backend.
    #[must_use]
    pub fn is_supported(self) -> bool {
        detect::supported(self)
    }

    /// The schedules that the backend has: the ways in which its loop can be run, in order of [`Schedule`].
    #[must_use]
    pub const fn schedules(self) -> &'static [Schedule] {
        match self {
            // MemorySanitizer does not follow data through assembler, which rows are.
            Backend::Vaes256 | Backend::Vaes512 if cfg!(not(msan)) => &[Schedule::Tiles, Schedule::Rows],
            _ => &[Schedule::Tiles],
        }
    }

    /// The schedule that suits this processor for keys of `aes_bits` (128 or 256) bits: the rule is
    /// [`detect::suits_rows`].
    pub(crate) fn schedule(self, aes_bits: usize) -> Schedule {
        if self.schedules().contains(&Schedule::Rows) && detect::suits_rows(self, aes_bits) {
            Schedule::Rows
        } else {
            Schedule::Tiles
        }
    }

    /// The fastest backend that this processor runs: the last supported one of [`Backend::ALL`].
    #[must_use]
    pub fn fastest() -> Backend {
        Backend::ALL.into_iter().rev().find(|backend| backend.is_supported()).unwrap_or(Backend::Soft)
    }
}

/// How a backend's loop keeps the AES units at work. Both compute the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Schedule {
    /// Eight vectors in flight, as the compiler orders them.
    Tiles,
    /// Twelve or sixteen in flight, in assembler, wherever the data is long enough.
    Rows,
}

impl Schedule {
    const ALL: [Schedule; 2] = [Schedule::Tiles, Schedule::Rows];

    /// The name that `ATREST_BACKEND` takes behind that of a backend, after a colon.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Schedule::Tiles => "tiles",
            Schedule::Rows => "rows",
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What `ATREST_BACKEND` says: a backend, and perhaps a schedule of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) backend: Backend,
    pub(crate) schedule: Option<Schedule>,
}

impl Choice {
    /// What `ATREST_BACKEND` names, else the fastest backend.
    pub(crate) fn of_environment() -> Result<Choice, Error> {
        #[cfg(feature = "std")]
        if let Some(name) = std::env::var_os("ATREST_BACKEND").filter(|name| !name.is_empty()) {
            return name.to_str().ok_or(Error::UnknownBackend)?.parse();
        }
        Ok(Choice { backend: Backend::fastest(), schedule: None })
    }
}

/// A backend that this processor runs, and one of its schedules: only [`Choice::runnable`] makes it.
#[derive(Clone, Copy)]
pub(crate) struct Runnable {
    backend: Backend,
    schedule: Schedule,
}

impl Choice {
    /// With the schedule that suits the processor for keys of `aes_bits` bits, where none is chosen. `None` if this
    /// processor does not run the backend, or the backend does not have the schedule.
    #[inline(always)]
    pub(crate) fn runnable(self, aes_bits: usize) -> Option<Runnable> {
        let Choice { backend, schedule } = self;
        let schedule = schedule.unwrap_or_else(|| backend.schedule(aes_bits));
        let runnable = backend.is_supported() && backend.schedules().contains(&schedule);
        runnable.then_some(Runnable { backend, schedule })
    }
}

impl FromStr for Choice {
    type Err = Error;

    /// `NAME`, or `NAME:SCHEDULE`.
    fn from_str(text: &str) -> Result<Choice, Error> {
        let Some((name, schedule)) = text.split_once(':') else {
            return Ok(Choice { backend: text.parse()?, schedule: None });
        };
        let backend: Backend = name.parse()?;
        let schedule = Schedule::ALL.into_iter().find(|of| of.name() == schedule);
        Ok(Choice { backend, schedule: Some(schedule.ok_or(Error::UnknownBackend)?) })
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Backend {
    type Err = Error;

    fn from_str(name: &str) -> Result<Backend, Error> {
        Backend::ALL.into_iter().find(|backend| backend.name() == name).ok_or(Error::UnknownBackend)
    }
}
