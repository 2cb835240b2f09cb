//! Changes to the keystore's files on Unix: one process at a time, whole at every moment, and with nothing left of what
//! was there before, as far as the file system lets one overwrite.

use super::{
    super::{super::ProviderError, LOCK, fill_zeros, io, is_leftover, leftover_name},
    Access, KeyDir, PRIVATE_FILE, check, wrong_type,
};
use rustix::{
    fs::{AtFlags, FileType, OFlags},
    io::Errno,
};
use std::fs::File;

/// The right to change files in a directory, which one holder has at a time, among all processes and threads.
pub struct Lock(#[allow(dead_code, reason = "closing it gives the right back")] File);

impl KeyDir {
    /// Waits for the right to change files here; then no file is left of changes that were cut off.
    pub fn lock(&self) -> Result<Lock, ProviderError> {
        let path = self.path.join(LOCK);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = match rustix::fs::openat(&self.fd, LOCK, flags, PRIVATE_FILE) {
            Err(Errno::LOOP | Errno::MLINK | Errno::NXIO) => {
                return Err(wrong_type(&path, FileType::RegularFile));
            }
            opened => opened.map_err(|error| io("open", &path, error))?,
        };
        check(&fd, &path, FileType::RegularFile)?;
        // The umask may have taken even the owner's permissions.
        rustix::fs::fchmod(&fd, PRIVATE_FILE).map_err(|error| io("open", &path, error))?;
        let file = File::from(fd);
        file.lock().map_err(|error| io("lock", &path, error))?;
        let lock = Lock(file);
        for name in self.files()?.iter().filter(|name| is_leftover(name)) {
            self.erase(&lock, name)?;
        }
        Ok(lock)
    }

    /// Puts `text` in the place of the file, in one step, whole and synced; then overwrites what the file held.
    pub fn replace(&self, lock: &Lock, file: &str, text: &[u8]) -> Result<(), ProviderError> {
        let old = self.open_file(file, Access::Write)?;
        let temporary = leftover_name(file)?;
        let placed = self
            .write_new(&temporary, text)
            .and_then(|()| rustix::fs::renameat(&self.fd, &temporary, &self.fd, file).map_err(Into::into));
        if let Err(error) = placed {
            // The error that matters is the first one; and the next change looks for leftovers.
            let _ = self.erase(lock, &temporary);
            return Err(io("write", &self.path.join(file), error));
        }
        self.sync()?;
        match old {
            Some(old) => self.overwrite(&old, file, 0),
            None => Ok(()),
        }
    }

    /// Removes the file, and overwrites what it held. None of that name is fine. A file that has other names, of
    /// somebody's backup with hard links, keeps its content under those.
    pub fn erase(&self, lock: &Lock, file: &str) -> Result<(), ProviderError> {
        self.remove(lock, file, 1).map(drop)
    }

    /// The same, under all names that the file has; and tells whether there was one.
    pub fn erase_everywhere(&self, lock: &Lock, file: &str) -> Result<bool, ProviderError> {
        self.remove(lock, file, u64::MAX)
    }

    fn remove(&self, _: &Lock, file: &str, most_names: u64) -> Result<bool, ProviderError> {
        let Some(old) = self.open_file(file, Access::Write)? else { return Ok(false) };
        // First out of its place: a process that ends in between must not leave a broken file there. Then overwritten,
        // and only then without a name: what a process leaves that ends in between is found by the next change.
        let failed = |error| io("remove", &self.path.join(file), error);
        let hidden = match is_leftover(file) {
            true => file.to_owned(),
            false => leftover_name(file)?,
        };
        if hidden != file {
            rustix::fs::renameat(&self.fd, file, &self.fd, &hidden).map_err(failed)?;
            self.sync()?;
        }
        self.overwrite(&old, file, most_names)?;
        rustix::fs::unlinkat(&self.fd, &hidden, AtFlags::empty()).map_err(failed)?;
        self.sync()?;
        // Until here `old` is locked: who waits to read it finds that it has no name any more.
        Ok(true)
    }

    /// Overwrites what a file holds that is no longer in its place, when nobody reads it, unless it has more than so
    /// many names. It stays locked as long as it is open.
    fn overwrite(&self, old: &File, name: &str, most_names: u64) -> Result<(), ProviderError> {
        let path = self.path.join(name);
        let failed = |error| io("overwrite the former content of", &path, error);
        old.lock().map_err(failed)?;
        let stat = rustix::fs::fstat(old).map_err(|error| failed(error.into()))?;
        // The type of the count differs between platforms.
        #[allow(clippy::useless_conversion, clippy::unnecessary_cast)]
        if stat.st_nlink as u64 <= most_names {
            fill_zeros(old, u64::try_from(stat.st_size).unwrap_or(0)).map_err(failed)?;
        }
        Ok(())
    }
}
