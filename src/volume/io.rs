//! Positioned reads and writes of a volume's plaintext.

use core::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use zeroize::Zeroizing;

use super::disk;
use super::error::{Error, Warning};
use super::header::Header;
use super::stripes::{CHUNK, Pool, Stripes};
use crate::envelope::on_wiped_stack;
use crate::xts::{Backend, Key, Tweaks};

/// The largest sector of LUKS2, in bytes.
pub(super) const MAX_SECTOR: usize = 4096;

/// What a volume is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Reading only.
    ReadOnly,
    /// Reading and writing; the file must be open for both.
    ReadWrite,
}

/// Where a volume's data lies in its file, and how it is counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    /// Where the data begins, in bytes from the beginning of the file.
    pub offset: u64,
    /// The exact size of the plaintext in bytes.
    pub size: u64,
    /// Bytes of a sector.
    pub sector_size: usize,
    /// The number of the first sector, in units of 512 bytes.
    pub iv_tweak: u64,
}

impl Geometry {
    /// The file's length that holds the volume: its last sector is whole. `None` above 2^64.
    pub(super) fn file_length(&self) -> Option<u64> {
        self.offset.checked_add(self.size.checked_next_multiple_of(self.sector_size as u64)?)
    }
}

/// Expands an XTS key where it is to stay: moving it would leave copies of its round keys behind.
pub(super) fn expand(key: &[u8]) -> Result<Box<Key>, Error> {
    Ok(on_wiped_stack(|| Key::new(key).map(Box::new))?)
}

/// An encrypted volume: a run of bytes that can be read and written at any offset and length.
///
/// The volume may be used by many threads at once, through shared references. Calls are atomic within each aligned
/// 128 KiB of the volume, and not across: a read beside a longer write may see one part of it done and another not.
/// Two `Volume`s (or processes) over one file know nothing of each other: do not write through both.
///
/// XTS hides what is written, and does not authenticate it: whoever can write to the disk can garble sectors, or
/// put back older ones, unnoticed.
pub struct Volume {
    pub(super) file: File,
    key: Box<Key>,
    header: Header,
    warnings: Vec<Warning>,
    pub(super) geometry: Geometry,
    mode: Mode,
    pub(super) discards: bool,
    stripes: Stripes,
    pool: Pool,
}

impl Volume {
    /// Puts a volume together; the file is known to hold what `geometry` says.
    pub(super) fn assemble(
        file: File,
        key: Box<Key>,
        header: Header,
        warnings: Vec<Warning>,
        geometry: Geometry,
        mode: Mode,
    ) -> Volume {
        debug_assert!(geometry.sector_size <= MAX_SECTOR && CHUNK.is_multiple_of(geometry.sector_size));
        let (stripes, pool) = (Stripes::new(), Pool::new());
        Volume { file, key, header, warnings, geometry, mode, discards: false, stripes, pool }
    }

    /// The volume's exact size in bytes; it need not be a multiple of the sector size.
    pub fn size(&self) -> u64 {
        self.geometry.size
    }

    /// The size of an encryption sector in bytes: 512, 1024, 2048 or 4096. Writes of whole sectors at multiples of
    /// it need not read anything first.
    pub fn sector_size(&self) -> usize {
        self.geometry.sector_size
    }

    /// The code that encrypts and decrypts.
    pub fn backend(&self) -> Backend {
        self.key.backend()
    }

    /// The header, as it was when the volume was opened.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What the user should be told of the header, for example that one copy of it is damaged.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// What the volume was opened for.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Fills `buf` with the plaintext at `offset`, in bytes. Nothing is allocated.
    ///
    /// # Errors
    /// [`Error::OutOfBounds`], which leaves `buf` untouched; [`Error::Io`] and [`Error::Truncated`], which leave in it
    /// some plaintext, some ciphertext and some of what it held before.
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<(), Error> {
        self.check_bounds(buf.len() as u64, offset)?;
        let mut rest = buf;
        let mut at = offset;
        while !rest.is_empty() {
            let (part, others) = rest.split_at_mut(chunk_part(at, rest.len()));
            let _lock = self.stripes.reading(at);
            self.read_chunk(part, at)?;
            at += part.len() as u64;
            rest = others;
        }
        Ok(())
    }

    /// Writes `buf` at `offset`, in bytes. `buf` is never modified, and only ciphertext leaves the process. At most
    /// 128 KiB of scratch memory is used.
    ///
    /// # Errors
    /// [`Error::OutOfBounds`] and [`Error::ReadOnly`], which leave the volume untouched; [`Error::Io`] (a full disk,
    /// for example), after which each sector of the range may hold the old or the new bytes, and one that was cut
    /// by the failure both.
    pub fn write_at(&self, buf: &[u8], offset: u64) -> Result<(), Error> {
        self.check_writable(buf.len() as u64, offset)?;
        let mut rest = buf;
        let mut at = offset;
        while !rest.is_empty() {
            let (part, others) = rest.split_at(chunk_part(at, rest.len()));
            self.write_part(part, at)?;
            at += part.len() as u64;
            rest = others;
        }
        Ok(())
    }

    /// Waits until all that was written is on the disk.
    ///
    /// # Errors
    /// [`Error::Io`]: what was written before may be lost.
    pub fn flush(&self) -> Result<(), Error> {
        self.file.sync_data().map_err(Error::io("syncing the volume"))
    }

    /// Whether this range can be written, from which follows that its end is no overflow.
    pub(super) fn check_writable(&self, length: u64, offset: u64) -> Result<(), Error> {
        match self.mode {
            Mode::ReadOnly => Err(Error::ReadOnly),
            Mode::ReadWrite => self.check_bounds(length, offset),
        }
    }

    fn check_bounds(&self, length: u64, offset: u64) -> Result<(), Error> {
        let size = self.geometry.size;
        match offset.checked_add(length) {
            Some(end) if end <= size => Ok(()),
            _ => Err(Error::OutOfBounds { offset, length, size }),
        }
    }

    /// Writes bytes of one chunk.
    pub(super) fn write_part(&self, part: &[u8], at: u64) -> Result<(), Error> {
        let _lock = self.stripes.writing(at);
        self.pool.with(|scratch| self.write_chunk(part, at, scratch))
    }

    /// Reads a part of one chunk: whole sectors straight into `buf`, to be decrypted there.
    fn read_chunk(&self, buf: &mut [u8], offset: u64) -> Result<(), Error> {
        let split = self.split(buf.len(), offset);
        let (head, rest) = buf.split_at_mut(split.head);
        let (middle, tail) = rest.split_at_mut(split.middle);
        if !head.is_empty() {
            self.read_part(head, split.first, split.head_offset)?;
        }
        if !middle.is_empty() {
            self.read_sectors(middle, split.middle_first)?;
        }
        if !tail.is_empty() {
            self.read_part(tail, split.tail_sector, 0)?;
        }
        Ok(())
    }

    /// Writes a part of one chunk: whole sectors are encrypted straight from `buf` into `scratch`, sectors at the
    /// edges by way of a buffer that is wiped, and all of it goes out in one piece.
    fn write_chunk(&self, buf: &[u8], offset: u64, scratch: &mut [u8]) -> Result<(), Error> {
        let sector_size = self.geometry.sector_size;
        let split = self.split(buf.len(), offset);
        let (head, rest) = buf.split_at(split.head);
        let (middle, tail) = rest.split_at(split.middle);
        let mut sealed = 0;
        if !head.is_empty() {
            self.seal_part(head, split.first, split.head_offset, &mut scratch[..sector_size])?;
            sealed += sector_size;
        }
        if !middle.is_empty() {
            let to = &mut scratch[sealed..][..middle.len()];
            self.key.encrypt_sectors_to(self.tweaks(split.middle_first), sector_size, middle, to)?;
            sealed += middle.len();
        }
        if !tail.is_empty() {
            self.seal_part(tail, split.tail_sector, 0, &mut scratch[sealed..][..sector_size])?;
            sealed += sector_size;
        }
        self.file
            .write_all_at(&scratch[..sealed], self.position(split.first))
            .map_err(Error::io("writing the volume"))
    }

    /// Reads the bytes at `offset` of a sector.
    fn read_part(&self, bytes: &mut [u8], sector: u64, offset: usize) -> Result<(), Error> {
        let mut edge = new_edge();
        self.read_sectors(&mut edge[..self.geometry.sector_size], sector)?;
        bytes.copy_from_slice(&edge[offset..][..bytes.len()]);
        Ok(())
    }

    /// Encrypts a sector with `bytes` put at `offset` in it. What lies beyond the volume's end is zero, and a sector
    /// that is replaced up to there is not read.
    fn seal_part(&self, bytes: &[u8], sector: u64, offset: usize, sealed: &mut [u8]) -> Result<(), Error> {
        let sector_size = self.geometry.sector_size;
        let left = self.geometry.size - sector * sector_size as u64;
        let live = left.min(sector_size as u64) as usize;
        let changed = offset..offset + bytes.len();
        let mut edge = new_edge();
        if changed != (0..live) {
            self.read_sectors(&mut edge[..sector_size], sector)?;
        }
        edge[changed].copy_from_slice(bytes);
        edge[live..].fill(0);
        Ok(self.key.encrypt_sectors_to(self.tweaks(sector), sector_size, &edge[..sector_size], sealed)?)
    }

    /// Reads whole sectors.
    fn read_sectors(&self, bytes: &mut [u8], first: u64) -> Result<(), Error> {
        self.read_file(bytes, first)?;
        Ok(self.key.decrypt_sectors(self.tweaks(first), self.geometry.sector_size, bytes)?)
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

/// How many of `length` bytes at `offset` lie in the same chunk as the first.
pub(super) fn chunk_part(offset: u64, length: usize) -> usize {
    length.min(CHUNK - (offset % CHUNK as u64) as usize)
}

/// Shows no secret.
impl fmt::Debug for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Volume")
            .field("uuid", &self.header.uuid())
            .field("size", &self.geometry.size)
            .field("sector_size", &self.geometry.sector_size)
            .field("mode", &self.mode)
            .field("backend", &self.backend())
            .finish_non_exhaustive()
    }
}
