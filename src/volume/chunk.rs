//! Reads and writes within one chunk of a volume: whole sectors, and those at the edges that are covered in part.

use std::io;
use std::os::unix::fs::FileExt as _;

use zeroize::Zeroizing;

use super::disk;
use super::error::Error;
use super::io::{MAX_SECTOR, Volume};
use crate::xts::{Key, Tweaks};

impl Volume {
    /// Reads a part of one chunk: whole sectors straight into `buf`, to be decrypted there.
    pub(super) fn read_chunk(&self, key: &Key, buf: &mut [u8], offset: u64) -> Result<(), Error> {
        let split = self.split(buf.len(), offset);
        let (head, rest) = buf.split_at_mut(split.head);
        let (middle, tail) = rest.split_at_mut(split.middle);
        if !head.is_empty() {
            self.read_part(key, head, split.first, split.head_offset)?;
        }
        if !middle.is_empty() {
            self.read_sectors(key, middle, split.middle_first)?;
        }
        if !tail.is_empty() {
            self.read_part(key, tail, split.tail_sector, 0)?;
        }
        Ok(())
    }

    /// Writes a part of one chunk: whole sectors are encrypted straight from `buf` into `scratch`, sectors at the
    /// edges by way of a buffer that is wiped, and all of it goes out in one piece.
    pub(super) fn write_chunk(
        &self,
        key: &Key,
        buf: &[u8],
        offset: u64,
        scratch: &mut [u8],
    ) -> Result<(), Error> {
        let sector_size = self.geometry.sector_size;
        let split = self.split(buf.len(), offset);
        let (head, rest) = buf.split_at(split.head);
        let (middle, tail) = rest.split_at(split.middle);
        let mut sealed = 0;
        if !head.is_empty() {
            self.seal_part(key, head, split.first, split.head_offset, &mut scratch[..sector_size])?;
            sealed += sector_size;
        }
        if !middle.is_empty() {
            let to = &mut scratch[sealed..][..middle.len()];
            key.encrypt_sectors_to(self.tweaks(split.middle_first), sector_size, middle, to)?;
            sealed += middle.len();
        }
        if !tail.is_empty() {
            self.seal_part(key, tail, split.tail_sector, 0, &mut scratch[sealed..][..sector_size])?;
            sealed += sector_size;
        }
        self.file
            .write_all_at(&scratch[..sealed], self.position(split.first))
            .map_err(Error::io("writing the volume"))
    }

    /// Reads the bytes at `offset` of a sector.
    fn read_part(&self, key: &Key, bytes: &mut [u8], sector: u64, offset: usize) -> Result<(), Error> {
        let mut edge = new_edge();
        self.read_sectors(key, &mut edge[..self.geometry.sector_size], sector)?;
        bytes.copy_from_slice(&edge[offset..][..bytes.len()]);
        Ok(())
    }

    /// Encrypts a sector with `bytes` put at `offset` in it. What lies beyond the volume's end is zero, and a sector
    /// that is replaced up to there is not read.
    fn seal_part(
        &self,
        key: &Key,
        bytes: &[u8],
        sector: u64,
        offset: usize,
        sealed: &mut [u8],
    ) -> Result<(), Error> {
        let sector_size = self.geometry.sector_size;
        let left = self.geometry.size - sector * sector_size as u64;
        let live = left.min(sector_size as u64) as usize;
        let changed = offset..offset + bytes.len();
        let mut edge = new_edge();
        if changed != (0..live) {
            self.read_sectors(key, &mut edge[..sector_size], sector)?;
        }
        edge[changed].copy_from_slice(bytes);
        edge[live..].fill(0);
        Ok(key.encrypt_sectors_to(self.tweaks(sector), sector_size, &edge[..sector_size], sealed)?)
    }

    /// Reads whole sectors.
    fn read_sectors(&self, key: &Key, bytes: &mut [u8], first: u64) -> Result<(), Error> {
        self.read_file(bytes, first)?;
        Ok(key.decrypt_sectors(self.tweaks(first), self.geometry.sector_size, bytes)?)
    }

    /// Reads the ciphertext from a sector on.
    fn read_file(&self, bytes: &mut [u8], sector: u64) -> Result<(), Error> {
        self.file.read_exact_at(bytes, self.position(sector)).map_err(|error| match error.kind() {
            // The file was long enough when the volume was opened.
            io::ErrorKind::UnexpectedEof => Error::Truncated {
                length: disk::length(&self.file).unwrap_or(0),
                needed: self.geometry.file_length().unwrap_or(u64::MAX),
            },
            _ => Error::io("reading the volume")(error),
        })
    }

    /// Where a sector lies in the file.
    fn position(&self, sector: u64) -> u64 {
        self.geometry.offset + sector * self.geometry.sector_size as u64
    }

    /// The tweaks from a sector on: dm-crypt counts in units of 512 bytes, whatever the sector's size.
    fn tweaks(&self, sector: u64) -> Tweaks {
        let units = sector * (self.geometry.sector_size as u64 / 512);
        Tweaks::plain64_in_512(self.geometry.iv_tweak + units)
    }

    /// Cuts a range into the part of its first sector, whole sectors, and the part of its last.
    fn split(&self, length: usize, offset: u64) -> Split {
        let sector_size = self.geometry.sector_size;
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

/// Room for a sector that is read or written in part: plaintext, wiped when it is dropped. It must not be moved: the
/// place that it is moved from is not wiped.
fn new_edge() -> Zeroizing<[u8; MAX_SECTOR]> {
    Zeroizing::new([0; MAX_SECTOR])
}

/// How a range lies over sectors. Lengths are in bytes; what is left after head and middle is the tail.
struct Split {
    first: u64,
    head_offset: usize,
    head: usize,
    middle_first: u64,
    middle: usize,
    tail_sector: u64,
}
