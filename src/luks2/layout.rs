//! Where the two copies of a header stand, and how large they are (section 2.1 of the specification).

use core::fmt;

/// The sizes that one copy may have; also the offsets where the second copy may stand (section 2.1).
pub(crate) const SIZES: [u64; 9] =
    [0x4000, 0x8000, 0x1_0000, 0x2_0000, 0x4_0000, 0x8_0000, 0x10_0000, 0x20_0000, 0x40_0000];
/// The smallest copy.
pub(super) const MIN_SIZE: u64 = SIZES[0];
/// The binary part at the beginning of each copy.
pub(crate) const BINARY_SIZE: usize = 4096;
/// The label's field, its closing NUL included.
pub(crate) const LABEL_SIZE: usize = 48;

/// One of the two copies of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderCopy {
    /// The copy at the beginning of the file.
    First,
    /// The copy behind it.
    Second,
}

impl HeaderCopy {
    /// The other copy.
    #[must_use]
    pub const fn other(self) -> HeaderCopy {
        match self {
            HeaderCopy::First => HeaderCopy::Second,
            HeaderCopy::Second => HeaderCopy::First,
        }
    }

    /// Where the copy stands when each has `size` bytes, in bytes.
    #[must_use]
    pub const fn offset(self, size: u64) -> u64 {
        match self {
            HeaderCopy::First => 0,
            HeaderCopy::Second => size,
        }
    }
}

impl fmt::Display for HeaderCopy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HeaderCopy::First => "first copy",
            HeaderCopy::Second => "second copy",
        })
    }
}
