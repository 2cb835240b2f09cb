//! What can be wrong with a header.

use core::fmt;
use std::io;

use super::layout::HeaderCopy;
use crate::Code;

/// Why bytes are no LUKS2 header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// They are shorter than two headers of the smallest size.
    #[error(
        "it is {length} bytes long, and two LUKS2 headers alone take 32768: it is something else, or was cut off"
    )]
    TooShort {
        /// Their length.
        length: u64,
    },
    /// Neither copy of a LUKS2 header was found.
    #[error(
        "no LUKS2 header was found: it is not an encrypted volume, or both copies of its header are overwritten, and only \
         a backup of the header helps"
    )]
    NotLuks,
    /// A volume in the older LUKS1 format.
    #[error(
        "this is a LUKS1 volume, and only LUKS2 is read: `cryptsetup convert --type luks2` converts a copy"
    )]
    Luks1,
    /// Both copies of the header are damaged.
    #[error(
        "both copies of the header are damaged (first: {first}; second: {second}): only a backup of the header helps"
    )]
    Damaged {
        /// What is wrong with the copy at the beginning.
        first: HeaderFault,
        /// What is wrong with the copy behind it.
        second: HeaderFault,
    },
}

impl ParseError {
    /// What programs call it.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            ParseError::TooShort { .. } | ParseError::NotLuks | ParseError::Luks1 => Code::NotAVolume,
            ParseError::Damaged { .. } => Code::Damaged,
        }
    }
}

/// The header is sound, but asks for something that is not on the list of what is decrypted here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the header is not one that is opened here: {0}")]
pub struct NotSupported(pub String);

impl NotSupported {
    /// What programs call it.
    #[must_use]
    pub const fn code(&self) -> Code {
        Code::Refused
    }
}

/// What is wrong with the token of a header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// There is none: another tool made the volume.
    #[error(
        "the volume has no atrest token, so another tool made it: open it with `cryptsetup open`, or read it with its \
         volume key (`cryptsetup luksDump --dump-volume-key` writes that)"
    )]
    Missing,
    /// It is malformed, or contradicts the header.
    #[error("the header's atrest token is damaged or forged: {0}")]
    Malformed(String),
    /// A later version than this library knows.
    #[error("the header's atrest token has version {0}, and this library knows 1 and 2: use a newer one")]
    Version(u32),
}

impl TokenError {
    /// What programs call it.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            TokenError::Missing => Code::NotAVolume,
            TokenError::Malformed(_) => Code::Forged,
            TokenError::Version(_) => Code::Refused,
        }
    }
}

/// Why a volume key is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VolumeKeyError {
    /// It is not the one of the header's digest.
    #[error("this is not the volume's key: it does not match the digest in the header")]
    WrongKey,
    /// It has an impossible length.
    #[error("the volume key is {length} bytes long: aes-xts takes 32 (AES-128) or 64 (AES-256)")]
    Length {
        /// Its length in bytes.
        length: usize,
    },
    /// The header has no digest with which it could be checked.
    #[error(transparent)]
    NotSupported(#[from] NotSupported),
}

impl VolumeKeyError {
    /// What programs call it.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            VolumeKeyError::WrongKey => Code::WrongKey,
            VolumeKeyError::Length { .. } => Code::KeyLength,
            VolumeKeyError::NotSupported(error) => error.code(),
        }
    }
}

/// The new header does not fit in its area.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the header's JSON takes {needed} bytes, and its area has {limit}: remove key slots that are unused")]
pub struct HeaderFull {
    /// Bytes needed, the closing NUL included.
    pub needed: usize,
    /// Bytes there are.
    pub limit: usize,
}

impl HeaderFull {
    /// What programs call it.
    #[must_use]
    pub const fn code(&self) -> Code {
        Code::Refused
    }
}

/// Why a token was not put into a header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PutTokenError {
    /// There is none of its number, or it is malformed.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// There is no room for it.
    #[error(transparent)]
    Full(#[from] HeaderFull),
}

/// What is wrong with one copy of a header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderFault {
    /// It does not begin with the magic bytes of a LUKS header.
    #[error("no magic bytes")]
    Magic,
    /// A version of LUKS other than 2.
    #[error("version {0} of LUKS, not 2")]
    Version(u16),
    /// A header size other than 16 KiB, 32 KiB and so on to 4 MiB.
    #[error("a header size of {0} bytes, not a power of two from 16384 to 4194304")]
    Size(u64),
    /// The copy says that it stands elsewhere.
    #[error("it says that it stands at offset {0}")]
    Offset(u64),
    /// The file ends before the copy does.
    #[error("the file ends within it")]
    Truncated,
    /// A checksum algorithm other than SHA-256.
    #[error("a checksum algorithm other than sha256")]
    ChecksumAlgorithm,
    /// The system could not read it.
    #[error("reading it failed: {0}")]
    Unreadable(io::ErrorKind),
    /// The checksum over the copy does not match.
    #[error("its checksum does not match")]
    Checksum,
    /// The UUID is not one.
    #[error("its UUID is malformed")]
    Uuid,
    /// The JSON is malformed, or breaks a rule of LUKS2.
    #[error("its metadata is malformed: {0}")]
    Metadata(String),
}

/// Something that a reader of a header should tell its user: the volume works, and needs attention.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// One copy of the header is damaged, and the other was used.
    CopyDamaged {
        /// Which copy is damaged.
        copy: HeaderCopy,
        /// What is wrong with it.
        fault: HeaderFault,
    },
    /// Both copies are sound and differ in more than a label: an update was interrupted. The newer one was used.
    CopiesDiffer {
        /// The copy that was used.
        used: HeaderCopy,
        /// The first copy's sequence number.
        first: u64,
        /// The second copy's sequence number.
        second: u64,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const REPAIR: &str = "`cryptsetup repair` writes both copies anew";
        match self {
            Warning::CopyDamaged { copy, fault } => {
                write!(f, "the {copy} of the header is damaged ({fault}), and the other was used: {REPAIR}")
            }
            Warning::CopiesDiffer { used, first, second } => write!(
                f,
                "the copies of the header differ (sequence numbers {first} and {second}), and the {used} was used: an \
                 update was interrupted; {REPAIR}"
            ),
        }
    }
}
