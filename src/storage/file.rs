//! Regular files and block devices.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, FileTypeExt as _};
use std::sync::{self, Mutex, PoisonError};

use rustix::fs::OFlags;

use super::{Access, Kind, Lock, Storage, wait};
use crate::Process;

/// A regular file or a block device. Its position is undefined after [`len`](Storage::len). The lock is the file's
/// advisory one (`flock`), which cryptsetup takes for a volume in a regular file; a file system without locks has none.
impl Storage for File {
    /// Of a block device, too, whose metadata says 0.
    fn len(&self) -> io::Result<u64> {
        let mut file = self;
        file.seek(SeekFrom::End(0))
    }

    #[inline]
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(buf, offset)
    }

    #[inline]
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(buf, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    /// A hole.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn discard(&self, length: u64, offset: u64) -> io::Result<()> {
        use rustix::fs::{FallocateFlags, fallocate};

        Ok(fallocate(self, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, offset, length)?)
    }

    fn read_back(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        // Without this the bytes would come back from the page cache, whatever the disk holds. It is advice only.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let _ = rustix::fs::fadvise(
            self,
            offset,
            core::num::NonZeroU64::new(buf.len() as u64),
            rustix::fs::Advice::DontNeed,
        );
        self.read_exact_at(buf, offset)
    }

    fn exclusive(&self) -> io::Result<Lock> {
        lock(self, File::try_lock)
    }

    fn shared(&self) -> io::Result<Lock> {
        lock(self, File::try_lock_shared)
    }

    fn kind(&self) -> io::Result<Kind> {
        let kind = self.metadata()?.file_type();
        Ok(match () {
            () if kind.is_file() => Kind::Growable,
            () if kind.is_block_device() => Kind::Fixed,
            () => Kind::Unfit,
        })
    }

    fn access(&self) -> io::Result<Access> {
        let flags = rustix::fs::fcntl_getfl(self)?;
        Ok(match () {
            () if flags & OFlags::RWMODE == OFlags::RDONLY => Access::ReadOnly,
            // Linux then ignores where a write is to go.
            () if flags.contains(OFlags::APPEND) => Access::Append,
            () => Access::ReadWrite,
        })
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        File::set_len(self, length)
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn reserve(&self, length: u64, offset: u64) -> io::Result<()> {
        use rustix::fs::{FallocateFlags, fallocate};
        use rustix::io::Errno;

        if length == 0 {
            return Ok(());
        }
        match fallocate(self, FallocateFlags::KEEP_SIZE, offset, length) {
            Err(errno @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) => Err(errno.into()),
            _ => Ok(()),
        }
    }
}

/// The files that are locked here, each with the process that says so: a fork leaves entries behind of threads that are
/// not there. The system's lock does not keep apart those who share one open file.
static LOCKED: Mutex<Vec<Locked>> = Mutex::new(Vec::new());

/// Process, device, inode.
type Locked = (u32, u64, u64);

/// Waits for the advisory lock of a file, among processes and within this one.
fn lock(file: &File, lock: impl Fn(&File) -> Result<(), TryLockError>) -> io::Result<Lock> {
    let stat = rustix::fs::fstat(file)?;
    #[allow(clippy::unnecessary_cast, reason = "their types differ from system to system")]
    let here = (Process::current().number(), stat.st_dev as u64, stat.st_ino as u64);
    // From here on dropping it lets others in.
    let mine = wait(|| Ok(begin(here).then(|| Lock::new(move || unlock(here)))))?;
    let theirs = wait(|| match lock(file) {
        Ok(()) => {
            // The same open file: what was locked by one of them the other unlocks. A lock that cannot be released goes
            // with the file's last descriptor.
            let duplicate = file.try_clone().inspect_err(|_| drop(file.unlock()))?;
            Ok(Some(Lock::new(move || drop(duplicate.unlock()))))
        }
        // A file system without locks has no cryptsetup that holds one either.
        Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => Ok(Some(Lock::none())),
        Err(TryLockError::Error(error)) => Err(error),
        Err(TryLockError::WouldBlock) => Ok(None),
    })?;
    Ok(Lock::new(move || {
        drop(theirs);
        drop(mine);
    }))
}

/// Says that a file is locked here, unless it is already.
fn begin(here: Locked) -> bool {
    // Not waited for: in a forked child it may be locked for ever.
    let mut locked = match LOCKED.try_lock() {
        Ok(locked) => locked,
        Err(sync::TryLockError::Poisoned(locked)) => locked.into_inner(),
        Err(sync::TryLockError::WouldBlock) => return false,
    };
    if locked.contains(&here) {
        return false;
    }
    locked.retain(|other| other.0 == here.0);
    locked.push(here);
    true
}

fn unlock(here: Locked) {
    LOCKED.lock().unwrap_or_else(PoisonError::into_inner).retain(|other| *other != here);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;
    use std::time::Duration;

    /// Through one open file, which the system's lock does not tell apart.
    #[test]
    fn threads_of_one_process_wait_for_each_other() {
        let file = tempfile::tempfile().unwrap();
        let duplicate = file.try_clone().unwrap();
        let other = tempfile::tempfile().unwrap();
        let free = AtomicBool::new(false);
        let lock = file.exclusive().unwrap();
        thread::scope(|scope| {
            let waits = scope.spawn(|| {
                let _lock = duplicate.exclusive().unwrap();
                assert!(free.load(Ordering::SeqCst));
            });
            // Another file is none of their business.
            drop(other.exclusive().unwrap());
            thread::sleep(Duration::from_millis(100));
            free.store(true, Ordering::SeqCst);
            drop(lock);
            waits.join().unwrap();
        });
        drop(file.shared().unwrap());
    }

    #[test]
    fn what_a_file_can_be_used_for_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, "content").unwrap();
        let open = |options: &mut std::fs::OpenOptions| options.read(true).open(&path).unwrap();
        assert_eq!(open(&mut File::options()).access().unwrap(), Access::ReadOnly);
        assert_eq!(open(File::options().write(true)).access().unwrap(), Access::ReadWrite);
        assert_eq!(open(File::options().append(true)).access().unwrap(), Access::Append);
        let file = open(File::options().write(true));
        assert_eq!((file.kind().unwrap(), Storage::len(&file).unwrap()), (Kind::Growable, 7));
        assert_eq!(File::open("/dev/null").unwrap().kind().unwrap(), Kind::Unfit);
        let error = Storage::read_at(&file, &mut [0; 8], 0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    }
}
