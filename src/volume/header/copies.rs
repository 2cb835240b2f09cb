//! Where a header is read from, and its two copies in there.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use crate::volume::disk;
use crate::volume::error::{Error, HeaderFault};
use crate::volume::luks2::{self, BINARY_SIZE, Checksum, Contents, HeaderCopy};

/// Where a header is read from.
pub(in crate::volume) trait Source {
    fn length(&self) -> Result<u64, Error>;
    fn fill(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

impl Source for File {
    fn length(&self) -> Result<u64, Error> {
        disk::length(self)
    }

    fn fill(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }
}

impl Source for [u8] {
    fn length(&self) -> Result<u64, Error> {
        Ok(self.len() as u64)
    }

    fn fill(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let from = usize::try_from(offset).ok().and_then(|offset| self.get(offset..));
        let from = from.and_then(|from| from.get(..buffer.len())).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(from);
        Ok(())
    }
}

/// One copy, or what is wrong with it.
pub(super) type CopyRead = Result<(Contents, Checksum), HeaderFault>;

/// Reads and parses one copy; each byte of it is read once. What is allocated is as large as the copy, at most
/// 4 MiB, and no larger than the source.
pub(super) fn read_copy(
    source: &(impl Source + ?Sized),
    length: u64,
    copy: HeaderCopy,
    offset: u64,
) -> CopyRead {
    let fits = |size: u64| offset.checked_add(size).is_some_and(|end| end <= length);
    if !fits(BINARY_SIZE as u64) {
        return Err(HeaderFault::Truncated);
    }
    let unreadable = |error: io::Error| HeaderFault::Unreadable(error.kind());
    let mut binary = [0; BINARY_SIZE];
    source.fill(&mut binary, offset).map_err(unreadable)?;
    let size = luks2::peek_size(&binary, copy, offset)?;
    if !fits(size) {
        return Err(HeaderFault::Truncated);
    }
    let mut bytes = vec![0; size as usize];
    let (head, area) = bytes.split_at_mut(BINARY_SIZE);
    head.copy_from_slice(&binary);
    source.fill(area, offset + BINARY_SIZE as u64).map_err(unreadable)?;
    luks2::parse(&bytes, copy, offset)
}

/// Looks for the second copy wherever it may stand, for a first copy that does not tell its size.
pub(super) fn find_second(source: &(impl Source + ?Sized), length: u64) -> CopyRead {
    let mut found = HeaderFault::Magic;
    for offset in luks2::SIZES {
        match read_copy(source, length, HeaderCopy::Second, offset) {
            Err(HeaderFault::Magic | HeaderFault::Truncated) => {}
            Err(fault) => found = fault,
            ok => return ok,
        }
    }
    Err(found)
}
