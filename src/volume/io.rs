//! Positioned reads and writes of a volume's plaintext.

use core::fmt;
use std::fs::File;
use std::sync::Arc;

use super::error::{Error, Warning};
use super::header::Header;
use super::recheck::Watch;
use super::stripes::{CHUNK, Held, Pool, Stripes};
use crate::stack::on_wiped_stack;
use crate::xts::{Backend, Key};

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
    backend: Backend,
    pub(super) header: Header,
    warnings: Vec<Warning>,
    pub(super) geometry: Geometry,
    mode: Mode,
    pub(super) discards: bool,
    /// With the key, which is used under their locks alone.
    pub(super) stripes: Arc<Stripes>,
    pool: Pool,
    /// Whether the key came out of the envelope in the header, and so is checked against its commitment.
    pub(super) is_enveloped: bool,
    pub(super) watch: Option<Watch>,
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
        Volume {
            file,
            backend: key.backend(),
            header,
            warnings,
            geometry,
            mode,
            discards: false,
            stripes: Arc::new(Stripes::new(key)),
            pool: Pool::new(),
            is_enveloped: true,
            watch: None,
        }
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
        self.backend
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
    /// [`Error::OutOfBounds`], which leaves `buf` untouched; [`Error::Io`], [`Error::Truncated`] and
    /// [`Error::Withdrawn`], which leave in it some plaintext, some ciphertext and some of what it held before.
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<(), Error> {
        self.check_bounds(buf.len() as u64, offset)?;
        let mut rest = buf;
        let mut at = offset;
        while !rest.is_empty() {
            let (part, others) = rest.split_at_mut(chunk_part(at, rest.len()));
            self.check_lease()?;
            let lock = self.stripes.reading(at);
            self.read_chunk(self.key(&lock)?, part, at)?;
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
    /// for example) and [`Error::Withdrawn`], after which each sector of the range may hold the old or the new bytes,
    /// and one that was cut by an I/O failure both.
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

    /// Waits until all that was written is on the disk. What was written before a key was withdrawn can still be flushed:
    /// that takes no key.
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
        self.check_lease()?;
        let lock = self.stripes.writing(at);
        let key = self.key(&lock)?;
        self.pool.with(|scratch| self.write_chunk(key, part, at, scratch))
    }

    /// The key under a lock of the stripes: it is there unless it was withdrawn.
    fn key<'a>(&self, lock: &'a Held) -> Result<&'a Key, Error> {
        lock.as_ref().map(|key| &***key).ok_or_else(|| self.withdrawn())
    }
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
