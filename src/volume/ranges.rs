//! What is done to a range of a volume without data for it: zeros, and discards.

use super::disk;
use super::error::Error;
use super::io::{Volume, chunk_part};
use super::stripes::CHUNK;

impl Volume {
    /// Lets [`Volume::discard`] give space back, which it does not unless told so: holes in the file show whoever sees
    /// it which parts of the volume are unused, and so how full it is and, by their pattern, which file system is in
    /// it.
    #[must_use]
    pub fn allow_discards(mut self, allow: bool) -> Volume {
        self.discards = allow;
        self
    }

    /// Whether [`Volume::discard`] gives space back.
    pub fn allows_discards(&self) -> bool {
        self.discards
    }

    /// Writes `length` zero bytes at `offset`. They are encrypted and written like any others: they take as much space
    /// and time, do not show in the file, and read as zeros from then on, here and with dm-crypt.
    ///
    /// # Errors
    /// As for [`Volume::write_at`].
    pub fn write_zeros(&self, length: u64, offset: u64) -> Result<(), Error> {
        static ZEROS: [u8; CHUNK] = [0; CHUNK];
        self.check_writable(length, offset)?;
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
    /// `allow_discards` does the same.) Parts of sectors at the edges keep their content.
    ///
    /// # Errors
    /// [`Error::DiscardOff`] unless [`Volume::allow_discards`] was called, [`Error::OutOfBounds`], [`Error::ReadOnly`]
    /// and [`Error::Withdrawn`], which leave the volume untouched. [`Error::Io`], where its source has the kind
    /// [`Unsupported`](std::io::ErrorKind::Unsupported) if the system, the file system or the device has no such call:
    /// each sector of the range may be as it was or discarded.
    pub fn discard(&self, length: u64, offset: u64) -> Result<(), Error> {
        self.check_writable(length, offset)?;
        if !self.discards {
            return Err(Error::DiscardOff);
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
        // No lock: all of each sector is without meaning from here on, whoever else writes to a part of it.
        if begin < end { disk::punch(&self.file, self.geometry.offset + begin, end - begin) } else { Ok(()) }
    }
}
