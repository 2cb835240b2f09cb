//! Where a volume's data lies in its storage, and how it is counted.

use super::error::{GeometryError, Truncated};
use crate::luks2::{Header, NotSupported, Segment, SegmentCipher, TokenError};
use crate::xts::Tweaks;

/// The largest sector of LUKS2, in bytes.
pub(super) const MAX_SECTOR: usize = 4096;

/// Where a volume's data lies in its storage, and how it is counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    /// Where the data begins, in bytes from the beginning of the storage.
    pub offset: u64,
    /// The exact size of the plaintext in bytes.
    pub size: u64,
    /// Bytes of a sector.
    pub sector_size: usize,
    /// Whether sectors that are zeros in the storage read as zeros.
    pub holes: bool,
    /// The number of the first sector, in units of 512 bytes.
    iv_tweak: u64,
}

impl Geometry {
    /// That of `size` bytes of plaintext in a segment.
    pub(super) fn new(segment: &Segment, cipher: &SegmentCipher, size: u64) -> Geometry {
        debug_assert!(cipher.sector_size as usize <= MAX_SECTOR);
        Geometry {
            offset: segment.offset,
            size,
            sector_size: cipher.sector_size as usize,
            holes: false,
            iv_tweak: cipher.iv_tweak,
        }
    }

    /// The same with holes that read as zeros, or not.
    pub(super) fn with_holes(mut self, holes: bool) -> Geometry {
        self.holes = holes;
        self
    }

    /// That of the header's volume in a storage of `length` bytes, all of it within. `size` is the exact one, where it is known; else it is
    /// the segment's, or all that there is.
    pub(super) fn within(header: &Header, size: Option<u64>, length: u64) -> Result<Geometry, GeometryError> {
        let (segment, cipher) = header.data_cipher()?;
        let sector_size = u64::from(cipher.sector_size);
        let truncated = |needed| Truncated { length, needed };
        let inside = length.checked_sub(segment.offset).ok_or_else(|| truncated(segment.offset))?;
        let size = match size.or(segment.size) {
            Some(size) if segment.size.is_some_and(|whole| size > whole) => {
                let why = format!("its size of {size} bytes is larger than the segment");
                return Err(TokenError::Malformed(why).into());
            }
            Some(size) => size,
            None if !inside.is_multiple_of(sector_size) => {
                return Err(NotSupported(format!(
                    "its data of {inside} bytes is not a whole number of sectors of {sector_size}: the file was cut \
                     off, or something was added to it"
                ))
                .into());
            }
            None => inside,
        };
        let geometry = Geometry::new(segment, cipher, size);
        match geometry.storage_length() {
            Some(needed) if needed <= length => Ok(geometry),
            needed => Err(truncated(needed.unwrap_or(u64::MAX)).into()),
        }
    }

    /// The storage's length that holds the volume: its last sector is whole. `None` above 2^64.
    pub(super) fn storage_length(&self) -> Option<u64> {
        self.offset.checked_add(self.size.checked_next_multiple_of(self.sector_size as u64)?)
    }

    /// How many sectors there are, the last one whole.
    pub(super) fn sectors(&self) -> u64 {
        self.size.div_ceil(self.sector_size as u64)
    }

    /// Where a sector lies in the storage.
    pub(super) fn position(&self, sector: u64) -> u64 {
        self.offset + sector * self.sector_size as u64
    }

    /// The tweaks from a sector on: dm-crypt counts in units of 512 bytes, whatever the sector's size.
    pub(super) fn tweaks(&self, sector: u64) -> Tweaks {
        let units = sector * (self.sector_size as u64 / 512);
        Tweaks::plain64_in_512(self.iv_tweak + units)
    }

    /// Cuts a range into the part of its first sector, whole sectors, and the part of its last.
    pub(super) fn split(&self, length: usize, offset: u64) -> Split {
        let sector_size = self.sector_size;
        let first = offset / sector_size as u64;
        let head_offset = (offset % sector_size as u64) as usize;
        let head = match head_offset {
            0 => 0,
            _ => length.min(sector_size - head_offset),
        };
        let middle = (length - head) / sector_size * sector_size;
        let middle_first = first + u64::from(head != 0);
        let tail_sector = middle_first + (middle / sector_size) as u64;
        Split { first, head_offset, head, middle_first, middle, tail_sector }
    }
}

/// How a range lies over sectors. Lengths are in bytes; what is left after head and middle is the tail.
pub(super) struct Split {
    pub first: u64,
    pub head_offset: usize,
    pub head: usize,
    pub middle_first: u64,
    pub middle: usize,
    pub tail_sector: u64,
}
