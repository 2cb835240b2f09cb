//! Headers as they are written: one copy after the other, so that a valid one is always on the disk.

use std::fs::File;

use super::Header;
use crate::volume::disk::{self, Disk, HeaderLock};
use crate::volume::error::Error;
use crate::volume::json::Object;
use crate::volume::luks2::{self, BINARY_SIZE, HeaderCopy};

impl Header {
    /// Writes the header to `file` with the next sequence number: first the copy that was not used, synced and
    /// read back, then the other. Whenever this is interrupted, one valid copy is on disk.
    ///
    /// The file's advisory lock (`flock`), which cryptsetup takes for a volume in a regular file, is held
    /// meanwhile, and released in the end.
    ///
    /// # Errors
    /// [`Error::Busy`] when the lock is not free within five seconds; [`Error::Changed`] when the header on disk is
    /// not the one that was read: nothing is written in both cases. [`Error::HeaderFull`], [`Error::Random`],
    /// [`Error::Io`], [`Error::NotVerified`].
    pub fn update(&mut self, file: &File) -> Result<(), Error> {
        disk::check_writable(file)?;
        let _lock = HeaderLock::take(file)?;
        let (on_disk, _) = Header::read(file)?;
        if (on_disk.used, on_disk.checksum) != (self.used, self.checksum) {
            return Err(Error::Changed);
        }
        self.write(file)
    }

    /// Writes both copies, all of each, without a look at what is there.
    pub(in crate::volume) fn write(&mut self, disk: &impl Disk) -> Result<(), Error> {
        let json = fits(&self.contents.metadata.object, self.contents.size)?;
        let mut contents = self.contents.clone();
        contents.sequence = contents
            .sequence
            .checked_add(1)
            .ok_or_else(|| Error::Refused("its sequence number has reached the limit of 2^64 - 1".into()))?;
        let mut checksum = self.checksum;
        for copy in [self.used.other(), self.used] {
            let mut salt = [0; 64];
            getrandom::fill(&mut salt).map_err(Error::Random)?;
            let bytes = luks2::encode(&contents, &json, copy, &salt);
            disk::write_verified(disk, &bytes, copy.offset(contents.size), copy)?;
            if copy == HeaderCopy::First {
                checksum = luks2::checksum(&bytes);
            }
        }
        // From now on a reader finds two equal copies and uses the first.
        self.used = HeaderCopy::First;
        self.checksum = checksum;
        self.sequences = [Some(contents.sequence); 2];
        self.contents = contents;
        Ok(())
    }
}

/// For backups of a header.
impl Header {
    /// Writes both copies alike to the beginning of `bytes`, with the sequence number that the header has.
    pub(in crate::volume) fn encode_both(&self, bytes: &mut [u8]) -> Result<(), Error> {
        let json = fits(&self.contents.metadata.object, self.contents.size)?;
        for (copy, to) in [HeaderCopy::First, HeaderCopy::Second]
            .into_iter()
            .zip(bytes.chunks_exact_mut(self.contents.size as usize))
        {
            let mut salt = [0; 64];
            getrandom::fill(&mut salt).map_err(Error::Random)?;
            to.copy_from_slice(&luks2::encode(&self.contents, &json, copy, &salt));
        }
        Ok(())
    }

    /// This header, to be written over another one: with a sequence number that is above both once it is written, and the
    /// copy that is not in use there first.
    pub(in crate::volume) fn in_place_of(&self, current: Option<&Header>) -> Header {
        let mut header = self.clone();
        header.used = current.map_or(HeaderCopy::First, |current| current.used);
        if let Some(current) = current {
            header.contents.sequence = header.contents.sequence.max(current.contents.sequence);
        }
        header
    }

    /// A keyslot as the header has it.
    pub(in crate::volume) fn keyslot_json(&self, id: u32) -> serde_json::Value {
        let keyslots = self.contents.metadata.object.get("keyslots");
        keyslots.and_then(|keyslots| keyslots.get(id.to_string())).cloned().unwrap_or_default()
    }
}

/// The JSON as it is written, when it fits in a copy of `size` bytes together with its closing NUL.
pub(in crate::volume) fn fits(object: &Object, size: u64) -> Result<Vec<u8>, Error> {
    let json = serde_json::to_vec(object).map_err(|error| Error::Token(error.to_string()))?;
    let limit = size as usize - BINARY_SIZE;
    if json.len() < limit { Ok(json) } else { Err(Error::HeaderFull { needed: json.len() + 1, limit }) }
}
