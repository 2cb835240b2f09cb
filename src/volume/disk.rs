//! What the volume asks of its file beyond reads and writes: its length, its lock, and writes that are verified.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::sync::{self, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use super::error::Error;
use super::luks2::HeaderCopy;
use crate::Process;

/// How long the header's lock is waited for. cryptsetup holds it for the milliseconds of an update.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// The length in bytes of a regular file or a block device (whose metadata says 0).
pub(super) fn length(mut file: &File) -> Result<u64, Error> {
    file.seek(SeekFrom::End(0)).map_err(Error::io("finding the length of the file"))
}

/// What a header is written to.
pub(super) trait Disk {
    /// Writes all bytes at an offset.
    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Waits until what was written before is on the disk.
    fn sync(&self) -> io::Result<()>;
    /// Fills the buffer with what is on the disk itself, as far as that can be had.
    fn read_back(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;
}

impl Disk for File {
    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_all()
    }

    fn read_back(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        // Without this the bytes would come back from the page cache, whatever the disk holds. It is advice only.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let _ = rustix::fs::fadvise(
            self,
            offset,
            core::num::NonZeroU64::new(bytes.len() as u64),
            rustix::fs::Advice::DontNeed,
        );
        self.read_exact_at(bytes, offset)
    }
}

/// Writes `bytes`, syncs them to the disk, and reads them back from there.
pub(super) fn write_verified(
    disk: &impl Disk,
    bytes: &[u8],
    offset: u64,
    copy: HeaderCopy,
) -> Result<(), Error> {
    disk.write(bytes, offset).map_err(Error::io("writing the header"))?;
    disk.sync().map_err(Error::io("syncing the header"))?;
    let mut back = vec![0; bytes.len()];
    disk.read_back(&mut back, offset).map_err(Error::io("reading the header back"))?;
    if back == bytes { Ok(()) } else { Err(Error::NotVerified { copy }) }
}

/// How much [`overwrite`] writes between two syncs, in bytes.
pub(super) const CHUNK: usize = 1 << 20;

/// Brings a range of the disk to these bytes, synced and read back, part by part. Blocks that are as they should be at
/// the beginning and the end of a part are not written: so holes of a file stay holes.
pub(super) fn overwrite(disk: &impl Disk, bytes: &[u8], offset: u64) -> Result<(), Error> {
    let mut back = vec![0; bytes.len().min(CHUNK)];
    for (part, offset) in bytes.chunks(CHUNK).zip((offset..).step_by(CHUNK)) {
        let back = &mut back[..part.len()];
        // What cannot be read may yet be written.
        let range = match disk.read_back(back, offset) {
            Ok(()) => differing(back, part),
            Err(_) => 0..part.len(),
        };
        if range.is_empty() {
            continue;
        }
        let (offset, part) = (offset + range.start as u64, &part[range.clone()]);
        let back = &mut back[range];
        disk.write(part, offset).map_err(Error::io("overwriting the header's area"))?;
        disk.sync().map_err(Error::io("syncing the header's area"))?;
        disk.read_back(back, offset).map_err(Error::io("reading the header's area back"))?;
        if back != part {
            return Err(Error::NotOverwritten { offset, length: part.len() });
        }
    }
    Ok(())
}

/// From the first block that differs to the last one.
fn differing(a: &[u8], b: &[u8]) -> core::ops::Range<usize> {
    const BLOCK: usize = 4096;
    let differs = || a.chunks(BLOCK).zip(b.chunks(BLOCK)).map(|(a, b)| a != b);
    let Some(first) = differs().position(|differs| differs) else { return 0..0 };
    let last = differs().rposition(|differs| differs).unwrap_or(first);
    first * BLOCK..a.len().min((last + 1) * BLOCK)
}

/// Refuses a file that was opened for reading only, or for appending: Linux then ignores where a write is to go.
pub(super) fn check_writable(file: &File) -> Result<(), Error> {
    let flags = rustix::fs::fcntl_getfl(file)
        .map_err(|error| Error::io("asking for the file's mode")(error.into()))?;
    if flags & OFlags::RWMODE == OFlags::RDONLY {
        return Err(Error::FileReadOnly);
    }
    if flags.contains(OFlags::APPEND) {
        return Err(Error::FileAppends);
    }
    Ok(())
}

/// The files whose headers are in use here, each with the process that says so: a fork leaves entries behind of threads
/// that are not there. The file's lock does not keep apart those who share one open file.
static IN_USE: Mutex<Vec<InUse>> = Mutex::new(Vec::new());

type InUse = (u32, u64, u64);

/// The advisory lock of a volume's file, among processes and within this one, released on drop.
pub(super) struct HeaderLock<'a> {
    file: &'a File,
    here: InUse,
    locked: bool,
}

impl<'a> HeaderLock<'a> {
    /// For a change.
    pub(super) fn take(file: &'a File) -> Result<Self, Error> {
        HeaderLock::wait(file, File::try_lock)
    }

    /// For reading, beside others who read.
    pub(super) fn take_shared(file: &'a File) -> Result<Self, Error> {
        HeaderLock::wait(file, File::try_lock_shared)
    }

    fn wait(file: &'a File, lock: impl Fn(&File) -> Result<(), TryLockError>) -> Result<Self, Error> {
        let deadline = Instant::now() + LOCK_WAIT;
        let wait = || match Instant::now() >= deadline {
            true => Err(Error::Busy),
            false => {
                thread::sleep(Duration::from_millis(20));
                Ok(())
            }
        };
        let stat = rustix::fs::fstat(file).map_err(|error| Error::io("locking the header")(error.into()))?;
        #[allow(clippy::unnecessary_cast, reason = "their types differ from system to system")]
        let here = (Process::current().number(), stat.st_dev as u64, stat.st_ino as u64);
        while !begin(here) {
            wait()?;
        }
        let mut held = HeaderLock { file, here, locked: false };
        loop {
            match lock(file) {
                Ok(()) => {
                    held.locked = true;
                    return Ok(held);
                }
                // A file system without locks has no cryptsetup that holds one either.
                Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => return Ok(held),
                Err(TryLockError::Error(error)) => return Err(Error::io("locking the header")(error)),
                Err(TryLockError::WouldBlock) => wait()?,
            }
        }
    }
}

impl Drop for HeaderLock<'_> {
    fn drop(&mut self) {
        if self.locked {
            // A lock that cannot be released goes with the file's last descriptor.
            let _ = self.file.unlock();
        }
        IN_USE.lock().unwrap_or_else(PoisonError::into_inner).retain(|other| *other != self.here);
    }
}

/// Says that a header is in use, unless it is already.
fn begin(here: InUse) -> bool {
    // Not waited for: in a forked child it may be locked for ever.
    let mut in_use = match IN_USE.try_lock() {
        Ok(in_use) => in_use,
        Err(sync::TryLockError::Poisoned(in_use)) => in_use.into_inner(),
        Err(sync::TryLockError::WouldBlock) => return false,
    };
    if in_use.contains(&here) {
        return false;
    }
    in_use.retain(|other| other.0 == here.0);
    in_use.push(here);
    true
}

/// Reserves space in a regular file without making it longer. Where the file system cannot, nothing happens.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn reserve(file: &File, offset: u64, length: u64) -> Result<(), Error> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;

    if length == 0 {
        return Ok(());
    }
    match fallocate(file, FallocateFlags::KEEP_SIZE, offset, length) {
        Err(errno @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) => {
            Err(Error::io("reserving space for the volume")(errno.into()))
        }
        _ => Ok(()),
    }
}

/// Elsewhere a full disk shows when it is full.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn reserve(_file: &File, _offset: u64, _length: u64) -> Result<(), Error> {
    Ok(())
}

/// Gives the space of a range back to the file system or the device; the range reads as zeros then.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn punch(file: &File, offset: u64, length: u64) -> Result<(), Error> {
    use rustix::fs::{FallocateFlags, fallocate};

    fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, offset, length)
        .map_err(|errno| Error::io("discarding a part of the volume")(errno.into()))
}

/// Elsewhere there is no common call.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn punch(_file: &File, _offset: u64, _length: u64) -> Result<(), Error> {
    Err(Error::io("discarding a part of the volume")(ErrorKind::Unsupported.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Through one open file, which the system's lock does not tell apart.
    #[test]
    fn threads_of_one_process_wait_for_each_other() {
        let file = tempfile::tempfile().unwrap();
        let duplicate = file.try_clone().unwrap();
        let other = tempfile::tempfile().unwrap();
        let free = AtomicBool::new(false);
        let lock = HeaderLock::take(&file).unwrap();
        thread::scope(|scope| {
            let waits = scope.spawn(|| {
                let _lock = HeaderLock::take(&duplicate).unwrap();
                assert!(free.load(Ordering::SeqCst));
            });
            // Another file is none of their business.
            drop(HeaderLock::take(&other).unwrap());
            thread::sleep(Duration::from_millis(100));
            free.store(true, Ordering::SeqCst);
            drop(lock);
            waits.join().unwrap();
        });
        drop(HeaderLock::take_shared(&file).unwrap());
    }
}
