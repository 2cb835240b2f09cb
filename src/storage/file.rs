//! Regular files and block devices.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, FileTypeExt as _};

use rustix::fs::OFlags;

use super::{Access, Claim, Kind, Lock, Storage};

/// A regular file or a block device. Its position is undefined after [`len`](Storage::len).
///
/// On Linux [claims](Claim) keep apart threads and processes, and machines as far as the file system's locks reach.
/// QEMU sees them, and is seen: neither writes what the other has open for writing. A claim to change the header takes
/// cryptsetup's lock as well. A block device whose data is claimed is neither mounted nor mapped by dm-crypt, unless it
/// is claimed to be shared. Whoever can only read the file delays a claim by a second or two, whatever he locks, and
/// does not stop it.
///
/// A claim stands for itself: one through a duplicate of the descriptor is another one. A forked child has what its
/// parent claimed, and it is given back when both have closed it. Where the file cannot be opened anew (it was opened
/// by somebody who may do more, or there is no /proc), the claim belongs to the open file that was given, with all its
/// duplicates, and ends where it was made. A file system without locks keeps nobody apart.
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

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn claim(&self, claim: Claim) -> io::Result<Lock> {
        super::lock::claim(self, claim)
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn is_changing(&self) -> io::Result<bool> {
        super::lock::is_changing(self)
    }

    /// The lock of the file, which cryptsetup knows, for a change of its header, and none for its data.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn claim(&self, claim: Claim) -> io::Result<Lock> {
        use std::fs::TryLockError;

        use super::{Held, HeldBy, wait_for};

        if claim != Claim::Header {
            return Ok(Lock::none());
        }
        wait_for(|| match self.try_lock() {
            Ok(()) => {
                let duplicate = self.try_clone().inspect_err(|_| drop(self.unlock()))?;
                Ok(Ok(Lock::new(move || drop(duplicate.unlock()))))
            }
            Err(TryLockError::WouldBlock) => Ok(Err(Held::by(HeldBy::Change))),
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => Ok(Ok(Lock::none())),
            Err(TryLockError::Error(error)) => Err(error),
        })
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;

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
