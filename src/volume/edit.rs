//! The one way to change a header: lock, read once, check what was expected, authenticate, change, write, verify.
//!
//! Rewrapping, slots, restoring and destroying are calls of it. What was read before the lock decides nothing.

use core::ops::Range;
use std::io::ErrorKind;

use super::error::{
    AccessError, Busy, BusyError, Changed, HeaderError, LockError, NotOverwritten, NotVerified, NotWritable,
    OverwriteError, ReadHeaderError, StorageError, WriteHeaderError, random,
};
use super::header::Header;
use crate::keys::Expect;
use crate::luks2::{HeaderCopy, Revision, Warning};
use crate::storage::{Access, Lock, Storage};

/// Changes the header of a volume: locks it, reads it, checks that it is an [expected](Expect) one, has `change` change it, and
/// writes both copies, each synced and read back. When `change` fails nothing is written. The volume may be open
/// meanwhile.
///
/// The copy that was not in use is written first: whenever that is interrupted, one valid copy is on the storage, the old
/// header or the new one.
///
/// ```no_run
/// use atrest::keys::Expect;
/// use atrest::volume::{HeaderError, edit};
///
/// let file = std::fs::File::options().read(true).write(true).open("volume")?;
/// // Writes both copies anew, as they are: so a damaged one is mended.
/// edit(&file, &Expect::any(), |header| Ok::<_, HeaderError>(println!("{}", header.uuid())))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`HeaderError`] and what `change` gives.
pub fn edit<S: Storage + ?Sized, T, E: From<HeaderError>>(
    storage: &S,
    expect: &Expect,
    change: impl FnOnce(&mut Header) -> Result<T, E>,
) -> Result<T, E> {
    let mut edit = HeaderEdit::begin(storage, expect)?;
    let done = change(edit.header_mut())?;
    edit.commit()?;
    Ok(done)
}

/// A header that is being changed: its lock is held until this is committed or dropped. For changes that take several
/// steps, or wait for a key service; [`edit`] is the simple way.
#[derive(Debug)]
#[must_use = "nothing is written until it is committed"]
pub struct HeaderEdit<'a, S: Storage + ?Sized> {
    locked: Locked<'a, S>,
    header: Header,
    warnings: Vec<Warning>,
    expect: Expect,
}

impl<'a, S: Storage + ?Sized> HeaderEdit<'a, S> {
    /// Locks a header, reads it and checks that it is an expected one, as far as it can be said without its keys. Waits for
    /// the lock, at most five seconds for a file's.
    ///
    /// # Errors
    /// [`HeaderError`]; nothing is locked then.
    pub fn begin(storage: &'a S, expect: &Expect) -> Result<HeaderEdit<'a, S>, HeaderError> {
        let locked = Locked::take(storage)?;
        let (header, warnings) = Header::read(storage)?;
        header.check(expect)?;
        Ok(HeaderEdit { locked, header, warnings, expect: expect.clone() })
    }

    /// Refuses a header that is not the very writing of it which was read before.
    ///
    /// # Errors
    /// [`Changed`].
    pub fn unchanged_since(self, revision: Revision) -> Result<HeaderEdit<'a, S>, Changed> {
        if self.header.revision() == revision { Ok(self) } else { Err(Changed) }
    }

    /// Refuses a header that is not an expected one: for those who decide by what is in it, while it is locked. What was
    /// expected before is expected no more.
    ///
    /// # Errors
    /// As for [`HeaderEdit::begin`].
    pub fn expecting(mut self, expect: &Expect) -> Result<HeaderEdit<'a, S>, HeaderError> {
        self.header.check(expect)?;
        self.expect = expect.clone();
        Ok(self)
    }

    /// What was expected.
    pub(super) fn expect(&self) -> &Expect {
        &self.expect
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The header, to be changed.
    pub fn header_mut(&mut self) -> &mut Header {
        &mut self.header
    }

    /// What the user should be told of the header as it was.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Writes the header with the next sequence number, and gives it back as it now is, with the warnings. Whenever this
    /// is interrupted, one valid copy is on the storage.
    ///
    /// # Errors
    /// [`HeaderError`]; where the writing failed, one copy is valid.
    pub fn commit(mut self) -> Result<(Header, Vec<Warning>), HeaderError> {
        self.locked.secure(self.header.used_copy(), self.header.copy_size())?;
        self.locked.write(&mut self.header)?;
        Ok((self.header, self.warnings))
    }
}

impl Header {
    /// Writes this header to a storage, on which it must be the one that it was read from, unchanged since; it is then
    /// what is there. See [`edit`], which needs no reading before.
    ///
    /// # Errors
    /// [`HeaderError`]: [`Changed`] when the header on the storage is another one.
    pub fn update<S: Storage + ?Sized>(&mut self, storage: &S) -> Result<(), HeaderError> {
        let edit = HeaderEdit::begin(storage, &Expect::any())?;
        let mut edit = edit.unchanged_since(self.revision())?;
        edit.header_mut().clone_from(self);
        *self = edit.commit()?.0;
        Ok(())
    }
}

/// A storage whose lock is held for a change of its header.
#[derive(Debug)]
pub(super) struct Locked<'a, S: ?Sized> {
    storage: &'a S,
    _lock: Lock,
}

impl<'a, S: Storage + ?Sized> Locked<'a, S> {
    pub(super) fn take(storage: &'a S) -> Result<Locked<'a, S>, LockError> {
        check_writable(storage)?;
        let lock = storage.exclusive().map_err(lock_failure)?;
        Ok(Locked { storage, _lock: lock })
    }

    /// Reads the header that is there, if one is.
    pub(super) fn read(&self) -> Result<(Header, Vec<Warning>), ReadHeaderError> {
        Header::read(self.storage)
    }

    /// Makes sure that the copy which was read is on the storage before the other one is written over. It may never have
    /// got there: whoever wrote it may have been killed before its sync; and after a sync that failed, the cache may
    /// call clean what was lost, so that it is written once more.
    pub(super) fn secure(&self, copy: HeaderCopy, copy_size: u64) -> Result<(), WriteHeaderError> {
        let mut bytes = vec![0; copy_size as usize];
        let offset = copy.offset(copy_size);
        self.storage.read_at(&mut bytes, offset).map_err(StorageError::of("reading the header"))?;
        self.storage.write_at(&bytes, offset).map_err(StorageError::of("writing the header"))?;
        self.storage.sync().map_err(StorageError::of("syncing the header"))?;
        Ok(())
    }

    /// Writes both copies of a header, first the one that is not in use.
    pub(super) fn write(&self, header: &mut Header) -> Result<(), WriteHeaderError> {
        write(self.storage, header)
    }

    /// Brings a range to these bytes.
    pub(super) fn overwrite(&self, bytes: &[u8], offset: u64) -> Result<(), OverwriteError> {
        overwrite(self.storage, bytes, offset)
    }
}

/// A failure to lock.
pub(super) fn lock_failure(error: std::io::Error) -> BusyError {
    match error.kind() {
        ErrorKind::WouldBlock => Busy.into(),
        _ => StorageError::new("locking the header", error).into(),
    }
}

/// Refuses a storage that is open for reading only, or for appending.
pub(super) fn check_writable<S: Storage + ?Sized>(storage: &S) -> Result<(), AccessError> {
    match storage.access().map_err(StorageError::of("asking for the file's mode"))? {
        Access::ReadWrite => Ok(()),
        Access::ReadOnly => Err(NotWritable::ReadOnly.into()),
        Access::Append => Err(NotWritable::Appends.into()),
    }
}

/// Writes both copies with the next sequence number, all of each, without a look at what is there; each is synced and
/// read back before the other one is touched.
pub(super) fn write<S: Storage + ?Sized>(storage: &S, header: &mut Header) -> Result<(), WriteHeaderError> {
    let mut next = header.next();
    let mut first = Vec::new();
    for copy in [header.used_copy().other(), header.used_copy()] {
        let bytes = next.encode(copy, &random()?)?;
        let offset = copy.offset(next.copy_size());
        storage.write_at(&bytes, offset).map_err(StorageError::of("writing the header"))?;
        storage.sync().map_err(StorageError::of("syncing the header"))?;
        let mut back = vec![0; bytes.len()];
        storage.read_back(&mut back, offset).map_err(StorageError::of("reading the header back"))?;
        if back != bytes {
            return Err(NotVerified { copy }.into());
        }
        if copy == HeaderCopy::First {
            first = bytes;
        }
    }
    next.written(&first);
    *header = next.into();
    Ok(())
}

/// How much [`overwrite`] writes between two syncs, in bytes.
pub(super) const CHUNK: usize = 1 << 20;

/// Brings a range to these bytes, synced and read back, part by part. Blocks that are as they should be at the beginning
/// and the end of a part are not written: so holes of a file stay holes.
fn overwrite<S: Storage + ?Sized>(storage: &S, bytes: &[u8], offset: u64) -> Result<(), OverwriteError> {
    let mut back = vec![0; bytes.len().min(CHUNK)];
    for (part, offset) in bytes.chunks(CHUNK).zip((offset..).step_by(CHUNK)) {
        let back = &mut back[..part.len()];
        // What cannot be read may yet be written.
        let range = match storage.read_back(back, offset) {
            Ok(()) => differing(back, part),
            Err(_) => 0..part.len(),
        };
        if range.is_empty() {
            continue;
        }
        let (offset, part) = (offset + range.start as u64, &part[range.clone()]);
        let back = &mut back[range];
        storage.write_at(part, offset).map_err(StorageError::of("overwriting the header's area"))?;
        storage.sync().map_err(StorageError::of("syncing the header's area"))?;
        storage.read_back(back, offset).map_err(StorageError::of("reading the header's area back"))?;
        if back != part {
            return Err(NotOverwritten { offset, length: part.len() }.into());
        }
    }
    Ok(())
}

/// From the first block that differs to the last one.
fn differing(a: &[u8], b: &[u8]) -> Range<usize> {
    const BLOCK: usize = 4096;
    let differs = || a.chunks(BLOCK).zip(b.chunks(BLOCK)).map(|(a, b)| a != b);
    let Some(first) = differs().position(|differs| differs) else { return 0..0 };
    let last = differs().rposition(|differs| differs).unwrap_or(first);
    first * BLOCK..a.len().min((last + 1) * BLOCK)
}
