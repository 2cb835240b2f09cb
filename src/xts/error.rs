use core::fmt;

use super::simd::{Backend, MAX_UNIT_LEN, MIN_UNIT_LEN};
use crate::Code;

/// Why a key could not be made, or why data was not touched.
///
/// Every check runs before the first byte is written: after an error the output is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The key is not 32 bytes (AES-128) or 64 bytes (AES-256) long.
    KeyLength {
        /// The length that was given, in bytes.
        len: usize,
    },
    /// The halves are not both 16 bytes (AES-128) or both 32 bytes (AES-256) long.
    HalfLengths {
        /// The length of key1 that was given, in bytes.
        key1: usize,
        /// The length of key2 that was given, in bytes.
        key2: usize,
    },
    /// key1 equals key2, which weakens XTS (NIST FIPS 140 IG C.I) and is nearly always a mistake.
    EqualHalves,
    /// A sector is shorter than one AES block or longer than 2^20 blocks (IEEE Std 1619-2007, 5.1).
    SectorSize {
        /// The sector size that was given, in bytes.
        size: usize,
    },
    /// A data unit is shorter than one AES block or longer than 2^20 blocks (IEEE Std 1619-2007, 5.1).
    UnitLength {
        /// The length that was given, in bytes.
        len: usize,
    },
    /// The data is not a whole number of sectors.
    DataLength {
        /// The length that was given, in bytes.
        len: usize,
        /// The sector size of the same call, in bytes.
        sector_size: usize,
    },
    /// Source and destination differ in length.
    LengthMismatch {
        /// Bytes in the source.
        src: usize,
        /// Bytes in the destination.
        dst: usize,
    },
    /// The number of the last sector does not fit into its tweak, or into what counts there (32 bits, 64 or 128).
    SectorNumberOverflow,
    /// A list of tweaks has not one for each sector.
    TweakCount {
        /// How many tweaks there are.
        tweaks: usize,
        /// How many sectors the data has.
        sectors: usize,
    },
    /// 512-byte counting needs a sector size that is a multiple of 512.
    SectorSizeNot512 {
        /// The sector size that was given, in bytes.
        size: usize,
    },
    /// A backend that was asked for gave a wrong answer, or any did in [`selftest`](crate::xts::selftest): the build, the
    /// emulator or the processor is at fault, and data must not be entrusted to it.
    SelfTest(Backend),
    /// A name that is no backend's, given in code or in `ATREST_BACKEND`.
    UnknownBackend,
    /// This processor, or this build, cannot run the backend.
    UnsupportedBackend(Backend),
}

impl Error {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Error::KeyLength { .. } | Error::HalfLengths { .. } => Code::KeyLength,
            Error::EqualHalves => Code::EqualHalves,
            Error::SectorSize { .. } | Error::SectorSizeNot512 { .. } => Code::SectorSize,
            Error::UnitLength { .. } => Code::UnitLength,
            Error::DataLength { .. } => Code::DataLength,
            Error::LengthMismatch { .. } => Code::LengthMismatch,
            Error::SectorNumberOverflow => Code::SectorNumber,
            Error::TweakCount { .. } => Code::TweakCount,
            Error::SelfTest(_) => Code::SelfTest,
            Error::UnknownBackend => Code::UnknownBackend,
            Error::UnsupportedBackend(_) => Code::UnsupportedBackend,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Error::KeyLength { len } => {
                write!(
                    f,
                    "the XTS key is {len} bytes long; it takes 32 (AES-128) or 64 (AES-256): key1, then key2"
                )
            }
            Error::HalfLengths { key1, key2 } => {
                write!(
                    f,
                    "key1 is {key1} bytes long and key2 {key2}; both take 16 (AES-128), or both 32 (AES-256)"
                )
            }
            Error::EqualHalves => {
                f.write_str("key1 and key2 are equal; an XTS key needs two independent halves")
            }
            Error::SectorSize { size } => {
                write!(f, "the sector size is {size} bytes; it takes {MIN_UNIT_LEN} to {MAX_UNIT_LEN}")
            }
            Error::UnitLength { len } => {
                write!(f, "the data unit is {len} bytes long; it takes {MIN_UNIT_LEN} to {MAX_UNIT_LEN}")
            }
            Error::DataLength { len, sector_size } => {
                write!(
                    f,
                    "the data is {len} bytes long, which is not a whole number of {sector_size}-byte sectors"
                )
            }
            Error::LengthMismatch { src, dst } => {
                write!(f, "the source has {src} bytes and the destination {dst}; they must be equally long")
            }
            Error::SectorNumberOverflow => f.write_str(
                "the last sector's number does not fit into its tweak; lower the first one or the count",
            ),
            Error::TweakCount { tweaks, sectors } => {
                write!(f, "the list has {tweaks} tweaks for {sectors} sectors; each sector takes one")
            }
            Error::SectorSizeNot512 { size } => {
                write!(
                    f,
                    "the sector size is {size} bytes; tweaks that count 512-byte units need a multiple of 512"
                )
            }
            Error::SelfTest(backend) => {
                write!(
                    f,
                    "the backend {backend} gives wrong answers on this machine (the processor, the emulator or the build is at \
                     fault); use another one, or none to let atrest choose"
                )
            }
            Error::UnknownBackend => {
                f.write_str("no such backend (check ATREST_BACKEND); the names are ")?;
                for (i, backend) in Backend::ALL.iter().enumerate() {
                    write!(f, "{}{backend}", if i == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
            Error::UnsupportedBackend(backend) => {
                write!(
                    f,
                    "the backend {backend} does not run on this processor; use one that does, or none to let atrest choose"
                )
            }
        }
    }
}

impl core::error::Error for Error {}
