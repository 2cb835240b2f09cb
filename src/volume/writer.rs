//! Making a volume from data whose length is known only in the end.

use std::fs::File;

use zeroize::Zeroizing;

use super::buffers::CHUNK;
use super::cipher::SectorCipher;
use super::create::{CreateOptions, DATA_OFFSET, MAX_SIZE, Target, begin, new_header};
use super::data_path::{Mode, Volume};
use super::edit::{claim, write};
use super::error::{AppendError, CreateError, FinishError, OptionsError, StorageError};
use super::header::Header;
use crate::keys::{Envelope, VolumeKeys};
use crate::storage::{Claim, Lock, Storage};
use crate::xts::Backend;

/// A new volume that is filled from its beginning to its end: the data comes first, and the header last, with the
/// size that has come together. Until [`Writer::finish`] the file has no header, so what an interruption leaves is
/// not taken for a volume.
///
/// ```
/// # use atrest::keys::{Class, Envelope, LocalKeystore, block_on, new_uuid};
/// use atrest::volume::{CreateOptions, Writer};
///
/// # let dir = tempfile::tempdir()?;
/// # let keystore = LocalKeystore::open_or_create(dir.path().join("keys"))?;
/// # keystore.ensure_key("default")?;
/// # let (envelope, keys) = block_on(Envelope::create(&keystore, "default", new_uuid()?, Class::Persistent))?;
/// # let file = std::fs::File::options().read(true).write(true).create_new(true).open(dir.path().join("v"))?;
/// let mut writer = Writer::new(file, &CreateOptions::new(0), envelope, &keys)?;
/// for part in ["at ", "rest"] {
///     writer.append(part.as_bytes())?;
/// }
/// let volume = writer.finish()?;
/// assert_eq!(volume.size(), 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Writer<'keys, S: Storage = File> {
    storage: S,
    /// Keeps other writers out.
    lock: Lock,
    target: Target,
    cipher: SectorCipher,
    options: CreateOptions,
    envelope: Envelope,
    keys: &'keys VolumeKeys,
    /// How many bytes are in the file already: whole sectors.
    written: u64,
    /// One sector, of which the beginning is there; it is written once it is whole.
    partial: Zeroizing<Box<[u8]>>,
    partial_length: usize,
    /// Ciphertext on its way to the file.
    scratch: Box<[u8]>,
}

impl<'keys, S: Storage> Writer<'keys, S> {
    /// Begins a volume in a storage as [`Volume::create`] takes it. Here `options.size` is what is expected: a block
    /// device must have room for it, and where the system can it is reserved in a regular file, so that a full disk
    /// shows at once. Any other number of bytes may follow.
    ///
    /// # Errors
    /// As for [`Volume::create`].
    pub fn new(
        storage: S,
        options: &CreateOptions,
        envelope: Envelope,
        keys: &'keys VolumeKeys,
    ) -> Result<Writer<'keys, S>, CreateError> {
        let (needed, cipher) = begin(options, &envelope, keys)?;
        let target = Target::of(&storage, needed)?;
        let lock = claim(&storage, Claim::Data)?;
        let changing = claim(&storage, Claim::Header)?;
        target.clear(&storage, DATA_OFFSET)?;
        drop(changing);
        // Holes are what is not reserved.
        if target == Target::Growable
            && !options.holes
            && let Err(error) = storage.reserve(needed - DATA_OFFSET, DATA_OFFSET)
        {
            target.give_up(&storage);
            return Err(StorageError::new("reserving space for the volume", error).into());
        }
        Ok(Writer {
            storage,
            lock,
            target,
            // The size is what comes together.
            cipher: cipher.resized(MAX_SIZE),
            options: options.clone(),
            envelope,
            keys,
            written: 0,
            partial: Zeroizing::new(vec![0; options.sector_size].into_boxed_slice()),
            partial_length: 0,
            scratch: vec![0; CHUNK].into_boxed_slice(),
        })
    }

    /// How many bytes were appended.
    pub fn size(&self) -> u64 {
        self.written + self.partial_length as u64
    }

    /// The code that encrypts.
    pub fn backend(&self) -> Backend {
        self.cipher.backend()
    }

    /// Adds `data` at the end. Parts that are multiples of 128 KiB are the fastest; any other length will do. Nothing
    /// is allocated.
    ///
    /// # Errors
    /// [`OptionsError::Size`], which leaves the writer as it was; [`StorageError`] (a full disk, for example), after which
    /// it is of no more use.
    pub fn append(&mut self, data: &[u8]) -> Result<(), AppendError> {
        let size = self.size().saturating_add(data.len() as u64);
        if size > MAX_SIZE {
            return Err(OptionsError::Size { size, limit: MAX_SIZE }.into());
        }
        let sector_size = self.options.sector_size;
        let mut rest = data;
        if self.partial_length > 0 {
            let (part, others) = rest.split_at(rest.len().min(sector_size - self.partial_length));
            self.keep(part);
            rest = others;
            if self.partial_length < sector_size {
                return Ok(());
            }
            self.write_partial()?;
        }
        let (whole, tail) = rest.split_at(rest.len() / sector_size * sector_size);
        for part in whole.chunks(CHUNK) {
            self.write_sectors(part)?;
        }
        self.keep(tail);
        Ok(())
    }

    /// Adds so many zeros at the end. In a volume with [holes](CreateOptions::holes) the whole sectors among them are left out
    /// of a storage that grows, and are zeros in one of a fixed length; else they are encrypted like any data.
    ///
    /// # Errors
    /// As for [`append`](Writer::append).
    pub fn append_zeros(&mut self, length: u64) -> Result<(), AppendError> {
        let size = self.size().saturating_add(length);
        if size > MAX_SIZE {
            return Err(OptionsError::Size { size, limit: MAX_SIZE }.into());
        }
        let sector_size = self.options.sector_size as u64;
        let mut rest = length;
        if self.options.holes {
            let before = (sector_size - self.partial_length as u64) % sector_size;
            let before = before.min(rest);
            self.append_encrypted_zeros(before)?;
            let whole = (rest - before) / sector_size * sector_size;
            if self.target == Target::Fixed && whole > 0 {
                let at = self.cipher.position(self.written / sector_size);
                let zeroed = self.storage.write_zeros(whole, at);
                zeroed.map_err(StorageError::of("writing the volume"))?;
            }
            self.written += whole;
            rest -= before + whole;
        }
        self.append_encrypted_zeros(rest)
    }

    fn append_encrypted_zeros(&mut self, length: u64) -> Result<(), AppendError> {
        static ZEROS: [u8; CHUNK] = [0; CHUNK];
        let mut rest = length;
        while rest > 0 {
            let part = rest.min(CHUNK as u64) as usize;
            self.append(&ZEROS[..part])?;
            rest -= part as u64;
        }
        Ok(())
    }

    /// Completes the last sector with zeros, and writes the header once all data is on the disk. All of the volume is
    /// there when this returns.
    ///
    /// # Errors
    /// [`FinishError`]: a storage that grows is empty then; in one of a fixed length one copy of the header may stand, and
    /// the data is whole if it does.
    pub fn finish(mut self) -> Result<Volume<S>, FinishError> {
        self.options.size = self.size();
        let header = self.complete().inspect_err(|_| self.target.give_up(&self.storage))?;
        let cipher = self.cipher.resized(self.options.size);
        let volume = Volume::assemble(self.storage, cipher, header, Vec::new(), Mode::ReadWrite);
        Ok(volume.holding(self.lock))
    }

    fn complete(&mut self) -> Result<Header, FinishError> {
        if self.partial_length > 0 {
            self.partial[self.partial_length..].fill(0);
            self.write_partial()?;
        }
        if self.target == Target::Growable {
            // What was reserved and not needed goes back.
            let length = DATA_OFFSET + self.written;
            self.storage.set_len(length).map_err(StorageError::of("setting the file's length"))?;
        }
        // A header that is on the disk vouches for the data.
        self.storage.sync().map_err(StorageError::of("syncing the volume"))?;
        let mut header = new_header(&self.options, &self.envelope, self.keys)?;
        let _changing = claim(&self.storage, Claim::Header)?;
        write(&self.storage, &mut header)?;
        Ok(header)
    }

    /// Keeps bytes of a sector that is not whole yet; there is room for them.
    fn keep(&mut self, part: &[u8]) {
        self.partial[self.partial_length..][..part.len()].copy_from_slice(part);
        self.partial_length += part.len();
    }

    fn write_partial(&mut self) -> Result<(), StorageError> {
        let sector = core::mem::take(&mut self.partial);
        self.partial_length = 0;
        let written = self.write_sectors(&sector);
        self.partial = sector;
        written
    }

    /// Encrypts and writes whole sectors, at most a chunk of them.
    fn write_sectors(&mut self, plain: &[u8]) -> Result<(), StorageError> {
        let sealed = &mut self.scratch[..plain.len()];
        let first = self.written / self.options.sector_size as u64;
        self.cipher.encrypt_to(first, plain, sealed).expect("whole sectors below the largest size");
        let written = self.storage.write_at(sealed, self.cipher.position(first));
        written.map_err(StorageError::of("writing the volume"))?;
        self.written += plain.len() as u64;
        Ok(())
    }
}

/// Shows no secret.
impl<S: Storage> core::fmt::Debug for Writer<'_, S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Writer")
            .field("uuid", &self.envelope.volume())
            .field("size", &self.size())
            .field("sector_size", &self.options.sector_size)
            .field("backend", &self.backend())
            .finish_non_exhaustive()
    }
}
