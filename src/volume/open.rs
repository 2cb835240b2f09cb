//! Opening a volume: with its envelope's keys, or with a raw volume key.

use std::fs::File;

use super::digest;
use super::disk;
use super::error::{Error, Warning};
use super::header::Header;
use super::io::{Geometry, Mode, Volume, expand};
use super::metadata::{Segment, SegmentCipher};
use super::token::Token;
use crate::keys::{Providers, VolumeKeys, block_on};

impl Volume {
    /// Opens a volume: its header is read and checked, its envelope opened by one of `providers`, and the header
    /// authenticated, before any data is touched. Nothing is written. Blocks until the provider has answered.
    ///
    /// # Errors
    /// What [`Header::read`] and [`Header::data_segment`] give; [`Error::NoToken`] for a volume of another tool;
    /// [`Error::Envelope`] when no provider unwraps the key; [`Error::Forged`], [`Error::Uuid`] and
    /// [`Error::Token`] for a header that was tampered with; [`Error::Truncated`]; [`Error::FileReadOnly`] and
    /// [`Error::FileAppends`].
    pub fn open(file: File, providers: &Providers, mode: Mode) -> Result<Volume, Error> {
        block_on(Volume::open_async(file, providers, mode))
    }

    /// [`Volume::open`] for callers on an asynchronous runtime. Only the provider is awaited: the file is read in
    /// place, at most 8 MiB of header.
    ///
    /// # Errors
    /// As for [`Volume::open`].
    pub async fn open_async(file: File, providers: &Providers, mode: Mode) -> Result<Volume, Error> {
        let opening = Opening::read(file, mode)?;
        // What the header alone rules out is refused before a key service is asked.
        let token = opening.header.own_token()?;
        let keys = token.envelope.open(providers).await?;
        opening.unlock(&token, &keys)
    }

    /// Opens a volume with keys that were unwrapped earlier, for example to open it once more.
    ///
    /// # Errors
    /// As for [`Volume::open`]; [`Error::WrongKeys`] for the keys of another volume.
    pub fn open_with_keys(file: File, keys: &VolumeKeys, mode: Mode) -> Result<Volume, Error> {
        let opening = Opening::read(file, mode)?;
        let token = opening.header.own_token()?;
        opening.unlock(&token, keys)
    }

    /// Opens a LUKS2 volume with its raw volume key of 32 or 64 bytes, whatever tool made it. The key is checked
    /// against the digest in the header, for at most 10 million iterations.
    ///
    /// **The header is not authenticated**: only the root key can do that. Who can write to the disk decides which
    /// part of it is decrypted. The size is that of the segment, or the exact one in the atrest token of a volume
    /// made here.
    ///
    /// # Errors
    /// What [`Header::read`] and [`Header::data_segment`] give; [`Error::VolumeKeyLength`],
    /// [`Error::WrongVolumeKey`], [`Error::Refused`], [`Error::Truncated`], [`Error::FileReadOnly`].
    pub fn open_with_volume_key(file: File, key: &[u8], mode: Mode) -> Result<Volume, Error> {
        if !matches!(key.len(), 32 | 64) {
            return Err(Error::VolumeKeyLength { length: key.len() });
        }
        let opening = Opening::read(file, mode)?;
        let header = &opening.header;
        digest::check(header.digests(), header.data_segment()?.id, key)?;
        let size = header.size()?;
        let mut volume = opening.assemble(key, size)?;
        volume.is_enveloped = false;
        Ok(volume)
    }
}

/// A volume whose header was read, and whose keys are to come.
struct Opening {
    file: File,
    mode: Mode,
    header: Header,
    warnings: Vec<Warning>,
}

impl Opening {
    fn read(file: File, mode: Mode) -> Result<Opening, Error> {
        if mode == Mode::ReadWrite {
            disk::check_writable(&file)?;
        }
        let (header, warnings) = Header::read(&file)?;
        header.data_segment()?;
        Ok(Opening { file, mode, header, warnings })
    }

    fn unlock(self, token: &Token, keys: &VolumeKeys) -> Result<Volume, Error> {
        self.header.authenticate(token, keys)?;
        self.assemble(keys.xts_key(), Some(token.size))
    }

    /// `size` is the exact one, where it is known.
    fn assemble(self, key: &[u8], size: Option<u64>) -> Result<Volume, Error> {
        let length = disk::length(&self.file)?;
        let geometry = geometry(self.header.data_cipher()?, size, length)?;
        let key = expand(key)?;
        Ok(Volume::assemble(self.file, key, self.header, self.warnings, geometry, self.mode))
    }
}

/// Where the data lies in a file of `length` bytes, all of it within the file.
fn geometry(
    (segment, cipher): (&Segment, &SegmentCipher),
    size: Option<u64>,
    length: u64,
) -> Result<Geometry, Error> {
    let sector_size = u64::from(cipher.sector_size);
    let truncated = |needed| Error::Truncated { length, needed };
    let in_file = length.checked_sub(segment.offset).ok_or_else(|| truncated(segment.offset))?;
    let size = match size.or(segment.size) {
        Some(size) if segment.size.is_some_and(|whole| size > whole) => {
            return Err(Error::Token(format!("its size of {size} bytes is larger than the segment")));
        }
        Some(size) => size,
        None if !in_file.is_multiple_of(sector_size) => {
            return Err(Error::Refused(format!(
                "its data of {in_file} bytes is not a whole number of sectors of {sector_size}: the file was cut off, \
                 or something was added to it"
            )));
        }
        None => in_file,
    };
    let geometry = Geometry {
        offset: segment.offset,
        size,
        sector_size: cipher.sector_size as usize,
        iv_tweak: cipher.iv_tweak,
    };
    match geometry.file_length() {
        Some(needed) if needed <= length => Ok(geometry),
        needed => Err(truncated(needed.unwrap_or(u64::MAX))),
    }
}
