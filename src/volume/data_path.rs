//! An open volume: reads, writes, zeros and discards of its plaintext.

use core::fmt;
use std::fs::File;
use std::io::ErrorKind;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::buffers::{Buffers, CHUNK};
use super::cipher::SectorCipher;
use super::error::{
    DiscardError, DiscardOff, OutOfBounds, ReadError, ReadOnly, StorageError, Truncated, WriteError,
};
use super::geometry::{Geometry, MAX_SECTOR};
use super::header::Header;
use super::lease::Watch;
use super::range_locks::{Held, RangeLocks};
use super::withdrawal::Withdrawal;
use crate::keys::{Expect, SlotFailure};
use crate::luks2::Warning;
use crate::storage::{Lock, Storage};
use crate::xts::Backend;

/// What a volume is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Reading only.
    ReadOnly,
    /// Reading and writing; the storage must be open for both, and nobody else may have it open for writing
    /// ([`Claim::Data`](crate::storage::Claim::Data)), but where all have it so in a [`Shared`](crate::storage::Shared).
    ReadWrite,
}

/// An encrypted volume: a run of bytes that can be read and written at any offset and length.
///
/// The volume may be used by many threads at once, through shared references. Calls are atomic within each aligned
/// 128 KiB of the volume, and not across: a read beside a longer write may see one part of it done and another not.
/// Of two `Volume`s (or processes) over one storage one may write, while any number reads: the storage sees to that, as far
/// as [its claims](crate::storage::Claim) reach.
///
/// XTS hides what is written, and does not authenticate it: whoever can write to the disk can garble sectors, or
/// put back older ones, unnoticed.
pub struct Volume<S: Storage = File> {
    pub(super) storage: Arc<S>,
    backend: Backend,
    pub(super) header: Header,
    warnings: Vec<Warning>,
    geometry: Geometry,
    mode: Mode,
    discards: bool,
    /// With the key, which is used under their locks alone.
    pub(super) locks: Arc<RangeLocks>,
    buffers: Buffers,
    /// What keeps other writers out.
    lock: Lock,
    /// Whether the key came out of the envelope in the header, and so is checked against its commitment.
    pub(super) is_enveloped: bool,
    /// What was expected when it was opened: rechecks ask no other keys.
    pub(super) expect: Expect,
    /// The slot that opened it, where one did.
    pub(super) slot: Option<OpenedSlot>,
    pub(super) watch: Option<Watch>,
}

/// The slot that opened a volume.
#[derive(Debug)]
pub(super) struct OpenedSlot {
    pub number: usize,
    /// Those that were tried before.
    pub failures: Arc<[SlotFailure]>,
}

impl<S: Storage> Volume<S> {
    /// Puts a volume together; the storage is known to hold what the cipher's geometry says.
    pub(super) fn assemble(
        storage: S,
        cipher: SectorCipher,
        header: Header,
        warnings: Vec<Warning>,
        mode: Mode,
    ) -> Volume<S> {
        let geometry = *cipher.geometry();
        debug_assert!(CHUNK.is_multiple_of(geometry.sector_size));
        Volume {
            storage: Arc::new(storage),
            backend: cipher.backend(),
            header,
            warnings,
            geometry,
            mode,
            discards: false,
            locks: Arc::new(RangeLocks::new(cipher)),
            buffers: Buffers::new(),
            lock: Lock::none(),
            is_enveloped: true,
            expect: Expect::any(),
            slot: None,
            watch: None,
        }
    }

    /// The same with what keeps other writers out.
    pub(super) fn holding(mut self, lock: Lock) -> Volume<S> {
        self.lock = lock;
        self
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

    /// The slot of the envelope that opened the volume, counted from 0; `None` where it was made in this process, or opened
    /// with keys that were there.
    pub fn slot(&self) -> Option<usize> {
        self.slot.as_ref().map(|slot| slot.number)
    }

    /// Why the slots did not open that were tried before [that one](Volume::slot).
    pub fn slot_failures(&self) -> &[SlotFailure] {
        self.slot.as_ref().map_or(&[], |slot| &slot.failures)
    }

    /// What the volume was opened for.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// What the volume lies in. What is written to it past the volume is not encrypted.
    pub fn storage(&self) -> &S {
        &self.storage
    }

    /// Lets [`Volume::discard`] give space back, which it does not unless told so: holes in the file show whoever sees
    /// it which parts of the volume are unused, and so how full it is and, by their pattern, which file system is in
    /// it.
    #[must_use]
    pub fn allow_discards(mut self, allow: bool) -> Volume<S> {
        self.discards = allow;
        self
    }

    /// Whether [`Volume::discard`] gives space back.
    pub fn allows_discards(&self) -> bool {
        self.discards
    }

    /// Fills `buf` with the plaintext at `offset`, in bytes. Nothing is allocated.
    ///
    /// # Errors
    /// [`ReadError`]: [`OutOfBounds`] leaves `buf` untouched; the others leave in it some plaintext, some ciphertext and
    /// some of what it held before.
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<(), ReadError> {
        self.check_bounds(buf.len() as u64, offset)?;
        let mut rest = buf;
        let mut at = offset;
        while !rest.is_empty() {
            let (part, others) = rest.split_at_mut(chunk_part(at, rest.len()));
            self.check_lease()?;
            let lock = self.locks.reading(at);
            self.read_chunk(self.cipher(&lock)?, part, at)?;
            at += part.len() as u64;
            rest = others;
        }
        Ok(())
    }

    /// Writes `buf` at `offset`, in bytes. `buf` is never modified, and only ciphertext leaves the process. At most
    /// 128 KiB of scratch memory is used.
    ///
    /// # Errors
    /// [`WriteError`]: [`OutOfBounds`] and [`ReadOnly`] leave the volume untouched; after the others (a full disk, for
    /// example) each sector of the range may hold the old or the new bytes, and one that was cut by an I/O failure both.
    pub fn write_at(&self, buf: &[u8], offset: u64) -> Result<(), WriteError> {
        self.check_write(buf.len() as u64, offset)?;
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

    /// Writes `length` zero bytes at `offset`. They are encrypted and written like any others: they take as much space
    /// and time, do not show in the file, and read as zeros from then on, here and with dm-crypt.
    ///
    /// # Errors
    /// As for [`Volume::write_at`].
    pub fn write_zeros(&self, length: u64, offset: u64) -> Result<(), WriteError> {
        static ZEROS: [u8; CHUNK] = [0; CHUNK];
        self.check_write(length, offset)?;
        let (mut at, end) = (offset, offset + length);
        while at < end {
            let part = chunk_part(at, (end - at).min(CHUNK as u64) as usize);
            self.write_part(&ZEROS[..part], at)?;
            at += part as u64;
        }
        Ok(())
    }

    /// Says that `length` bytes at `offset` are not needed any more: the space of the whole sectors among them goes
    /// back to the file system or the device. **Reading them gives bytes without meaning** until they are written, and
    /// not zeros: the hole in the file is zero, and zeros are not what zeros encrypt to. (dm-crypt with
    /// `allow_discards` does the same.) Only in a volume with [holes](super::CreateOptions::holes) they read as zeros. Parts of sectors at the edges keep their content.
    ///
    /// # Errors
    /// [`DiscardError`]: [`DiscardOff`] unless [`Volume::allow_discards`] was called, [`OutOfBounds`], [`ReadOnly`]
    /// and [`Withdrawal`] leave the volume untouched. After [`StorageError`] each sector of the range may be as it was or
    /// discarded; its source has the kind [`Unsupported`](ErrorKind::Unsupported) if the system, the file system or the
    /// device has no such call.
    pub fn discard(&self, length: u64, offset: u64) -> Result<(), DiscardError> {
        if self.mode == Mode::ReadOnly {
            return Err(ReadOnly.into());
        }
        self.check_bounds(length, offset)?;
        if !self.discards {
            return Err(DiscardOff.into());
        }
        self.check_lease()?;
        let sector_size = self.geometry.sector_size as u64;
        let end = offset + length;
        // The volume's last sector is whole, whatever part of it the volume has.
        let end = match end == self.geometry.size {
            true => end.next_multiple_of(sector_size),
            false => end / sector_size * sector_size,
        };
        let begin = offset.next_multiple_of(sector_size);
        if begin >= end {
            return Ok(());
        }
        // No lock: all of each sector is without meaning from here on, whoever else writes to a part of it.
        let discarded = self.storage.discard(end - begin, self.geometry.offset + begin);
        Ok(discarded.map_err(StorageError::of("discarding a part of the volume"))?)
    }

    /// Waits until all that was written is on the disk. What was written before a key was withdrawn can still be flushed:
    /// that takes no key.
    ///
    /// # Errors
    /// [`StorageError`]: what was written before may be lost.
    pub fn flush(&self) -> Result<(), StorageError> {
        self.storage.sync().map_err(StorageError::of("syncing the volume"))
    }

    /// Whether the volume may use its key, as each read and write asks before it does; always so without
    /// [`Volume::recheck`].
    ///
    /// # Errors
    /// [`Withdrawal`]: class, time and reason.
    pub fn check_lease(&self) -> Result<(), Box<Withdrawal>> {
        match &self.watch {
            Some(watch) => watch.lease.check(),
            None => Ok(()),
        }
    }

    /// Whether this range can be written, from which follows that its end is no overflow.
    fn check_write(&self, length: u64, offset: u64) -> Result<(), WriteError> {
        match self.mode {
            Mode::ReadOnly => Err(ReadOnly.into()),
            Mode::ReadWrite => Ok(self.check_bounds(length, offset)?),
        }
    }

    fn check_bounds(&self, length: u64, offset: u64) -> Result<(), OutOfBounds> {
        let size = self.geometry.size;
        match offset.checked_add(length) {
            Some(end) if end <= size => Ok(()),
            _ => Err(OutOfBounds { offset, length, size }),
        }
    }

    /// The key under a lock: it is there unless it was withdrawn.
    fn cipher<'a>(&self, lock: &'a Held) -> Result<&'a SectorCipher, Box<Withdrawal>> {
        lock.as_deref().ok_or_else(|| match &self.watch {
            Some(watch) => watch.lease.withdrawal(),
            None => unreachable!("nobody else takes the key away"),
        })
    }

    /// Writes bytes of one chunk.
    fn write_part(&self, part: &[u8], at: u64) -> Result<(), WriteError> {
        self.check_lease()?;
        let lock = self.locks.writing(at);
        let cipher = self.cipher(&lock)?;
        self.buffers.with(|scratch| self.write_chunk(cipher, part, at, scratch))
    }
}

/// How many of `length` bytes at `offset` lie in the same chunk as the first.
fn chunk_part(offset: u64, length: usize) -> usize {
    length.min(CHUNK - (offset % CHUNK as u64) as usize)
}

/// Why the cipher takes what it is given here.
const WHOLE: &str = "whole sectors within the volume";

/// Within one chunk: whole sectors, and those at the edges that are covered in part.
impl<S: Storage> Volume<S> {
    /// Reads a part of one chunk: whole sectors straight into `buf`, to be decrypted there.
    fn read_chunk(&self, cipher: &SectorCipher, buf: &mut [u8], offset: u64) -> Result<(), ReadError> {
        let split = self.geometry.split(buf.len(), offset);
        let (head, rest) = buf.split_at_mut(split.head);
        let (middle, tail) = rest.split_at_mut(split.middle);
        if !head.is_empty() {
            self.read_partly(cipher, head, split.first, split.head_offset)?;
        }
        if !middle.is_empty() {
            self.read_sectors(cipher, middle, split.middle_first)?;
        }
        if !tail.is_empty() {
            self.read_partly(cipher, tail, split.tail_sector, 0)?;
        }
        Ok(())
    }

    /// Writes a part of one chunk: whole sectors are encrypted straight from `buf` into `scratch`, sectors at the
    /// edges by way of a buffer that is wiped, and all of it goes out in one piece.
    fn write_chunk(
        &self,
        cipher: &SectorCipher,
        buf: &[u8],
        offset: u64,
        scratch: &mut [u8],
    ) -> Result<(), WriteError> {
        let sector_size = self.geometry.sector_size;
        let split = self.geometry.split(buf.len(), offset);
        let (head, rest) = buf.split_at(split.head);
        let (middle, tail) = rest.split_at(split.middle);
        let mut sealed = 0;
        if !head.is_empty() {
            self.seal_partly(cipher, head, split.first, split.head_offset, &mut scratch[..sector_size])?;
            sealed += sector_size;
        }
        if !middle.is_empty() {
            let to = &mut scratch[sealed..][..middle.len()];
            cipher.encrypt_to(split.middle_first, middle, to).expect(WHOLE);
            sealed += middle.len();
        }
        if !tail.is_empty() {
            let to = &mut scratch[sealed..][..sector_size];
            self.seal_partly(cipher, tail, split.tail_sector, 0, to)?;
            sealed += sector_size;
        }
        let written = self.storage.write_at(&scratch[..sealed], self.geometry.position(split.first));
        Ok(written.map_err(StorageError::of("writing the volume"))?)
    }

    /// Reads the bytes at `offset` of a sector.
    fn read_partly(
        &self,
        cipher: &SectorCipher,
        bytes: &mut [u8],
        sector: u64,
        offset: usize,
    ) -> Result<(), ReadError> {
        let mut edge = new_edge();
        self.read_sectors(cipher, &mut edge[..self.geometry.sector_size], sector)?;
        bytes.copy_from_slice(&edge[offset..][..bytes.len()]);
        Ok(())
    }

    /// Encrypts a sector with `bytes` put at `offset` in it. What lies beyond the volume's end is zero, and a sector
    /// that is replaced up to there is not read.
    fn seal_partly(
        &self,
        cipher: &SectorCipher,
        bytes: &[u8],
        sector: u64,
        offset: usize,
        sealed: &mut [u8],
    ) -> Result<(), ReadError> {
        let sector_size = self.geometry.sector_size;
        let left = self.geometry.size - sector * sector_size as u64;
        let live = left.min(sector_size as u64) as usize;
        let changed = offset..offset + bytes.len();
        let mut edge = new_edge();
        if changed != (0..live) {
            self.read_sectors(cipher, &mut edge[..sector_size], sector)?;
        }
        edge[changed].copy_from_slice(bytes);
        edge[live..].fill(0);
        cipher.encrypt_to(sector, &edge[..sector_size], sealed).expect(WHOLE);
        Ok(())
    }

    /// Reads whole sectors.
    fn read_sectors(&self, cipher: &SectorCipher, bytes: &mut [u8], first: u64) -> Result<(), ReadError> {
        let read = self.storage.read_at(bytes, self.geometry.position(first));
        read.map_err(|error| self.read_failure(error))?;
        match self.geometry.holes {
            false => cipher.decrypt(first, bytes).expect(WHOLE),
            true => self.decrypt_around_holes(cipher, bytes, first),
        }
        Ok(())
    }

    /// Decrypts whole sectors, but for those that are zeros.
    fn decrypt_around_holes(&self, cipher: &SectorCipher, bytes: &mut [u8], first: u64) {
        let sector_size = self.geometry.sector_size;
        let is_hole = |sector: &[u8]| *sector == [0; MAX_SECTOR][..sector.len()];
        let mut at = 0;
        while at < bytes.len() {
            // Neighbours that are alike go together.
            let holes = is_hole(&bytes[at..at + sector_size]);
            let run = bytes[at..].chunks(sector_size).take_while(|sector| is_hole(sector) == holes).count();
            let run = run * sector_size;
            if !holes {
                let sector = first + (at / sector_size) as u64;
                cipher.decrypt(sector, &mut bytes[at..at + run]).expect(WHOLE);
            }
            at += run;
        }
    }

    #[cold]
    fn read_failure(&self, error: std::io::Error) -> ReadError {
        match error.kind() {
            // The storage was long enough when the volume was opened.
            ErrorKind::UnexpectedEof => Truncated {
                length: self.storage.len().unwrap_or(0),
                needed: self.geometry.storage_length().unwrap_or(u64::MAX),
            }
            .into(),
            _ => StorageError::new("reading the volume", error).into(),
        }
    }
}

/// Room for a sector that is read or written in part: plaintext, wiped when it is dropped. It must not be moved: the
/// place that it is moved from is not wiped.
fn new_edge() -> Zeroizing<[u8; MAX_SECTOR]> {
    Zeroizing::new([0; MAX_SECTOR])
}

/// Shows no secret.
impl<S: Storage> fmt::Debug for Volume<S> {
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
