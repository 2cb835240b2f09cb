//! The keystore's files on Unix, reached through directories that stay open, so that what is checked is what is
//! used. Changes are made by one process at a time, are whole at every moment, and leave nothing of what was there before,
//! as far as the file system lets one overwrite.

use super::{
    super::super::{ErrorClass, ProviderError},
    Hidden, LOCK, LOCK_WAIT, Leftovers, MAX_FILE, fill, fill_zeros, io, lock_within, locked, missing,
    most_names,
};
use rustix::{
    fs::{AtFlags, CWD, FileType, Mode, OFlags},
    io::Errno,
};
use std::{
    fs::File,
    io::Write,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
    time::Duration,
};
use zeroize::Zeroizing;

const PRIVATE_DIR: Mode = Mode::RWXU;
const PRIVATE_FILE: Mode = Mode::RUSR.union(Mode::WUSR);
/// How often a file is opened anew that was replaced before it could be read. Somebody else has got on each time.
const MOST_READS: usize = 1000;
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// A directory of a keystore, open and checked: its `keys`, or its home.
pub struct KeyDir {
    fd: OwnedFd,
    path: PathBuf,
}

impl KeyDir {
    /// Opens the keys of the keystore at `home`, which must be there; `None` where no key was made in it yet. The home
    /// itself may be a symbolic link, which its owner set; what it leads to is checked.
    pub fn open(home: &Path) -> Result<Option<KeyDir>, ProviderError> {
        KeyDir::open_in(&open_home(home)?, home)
    }

    /// The same in a home that is open and checked.
    fn open_in(home_fd: &OwnedFd, home: &Path) -> Result<Option<KeyDir>, ProviderError> {
        let path = home.join("keys");
        let fd = match rustix::fs::openat(home_fd, "keys", DIRECTORY | OFlags::NOFOLLOW, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP | Errno::MLINK | Errno::NOTDIR) => {
                return Err(wrong_type(&path, FileType::Directory));
            }
            opened => opened.map_err(|error| io("open", &path, error))?,
        };
        check(fd.as_fd(), &path, FileType::Directory)?;
        Ok(Some(KeyDir { fd, path }))
    }

    /// Opens the keys of the keystore at `home`, which must be there, after making their directory where it is missing.
    pub fn open_or_make(home: &Path) -> Result<KeyDir, ProviderError> {
        // Nothing is made in a directory that is not the user's own.
        let home_fd = open_home(home)?;
        match rustix::fs::mkdirat(&home_fd, "keys", PRIVATE_DIR) {
            Ok(()) => sync_dir(home_fd.as_fd(), home)?,
            Err(Errno::EXIST) => {}
            Err(error) => return Err(io("create the directory", &home.join("keys"), error)),
        }
        // Whoever removes it again meanwhile destroys the keystore.
        KeyDir::open_in(&home_fd, home)?.ok_or_else(|| missing(home))
    }

    /// Makes the home of a keystore where it is missing, with mode 0700, and the keys in it.
    pub fn create(home: &Path) -> Result<KeyDir, ProviderError> {
        make_dir(home)?;
        KeyDir::open_or_make(home)
    }

    /// The home of a keystore itself, for files that are no keys.
    pub fn open_home(home: &Path) -> Result<KeyDir, ProviderError> {
        Ok(KeyDir { fd: open_home(home)?, path: home.to_owned() })
    }

    #[cfg(test)]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is anything of that name.
    pub fn exists(&self, file: &str) -> Result<bool, ProviderError> {
        match rustix::fs::statat(&self.fd, file, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(io("look for", &self.path.join(file), error)),
        }
    }

    /// The text of a file, or `None` if there is none of that name.
    pub fn read(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, ProviderError> {
        let path = self.path.join(name);
        for _ in 0..MOST_READS {
            let Some(mut file) = self.open_file(name, Access::Read)? else { return Ok(None) };
            // Whoever replaces the file overwrites what it held, but not while it is read. Where there are no locks
            // nothing is changed either.
            if matches!(lock_within(LOCK_WAIT, &file, File::try_lock_shared), Ok(false)) {
                return Err(locked(&path, LOCK_WAIT));
            }
            let stat = rustix::fs::fstat(&file).map_err(|error| io("examine", &path, error))?;
            let text = read_whole(&mut file, &path, u64::try_from(stat.st_size).unwrap_or(0))?;
            // The count of its names would tell as well, but there are file systems that count none.
            let overwritten = !text.is_empty() && text.iter().all(|byte| *byte == 0);
            if overwritten && !self.leads_to(name, &stat) {
                continue;
            }
            return Ok(Some(text));
        }
        let message = format!("the file {} is replaced again and again; try again later", path.display());
        Err(ProviderError::new(ErrorClass::LocalIo, message))
    }

    /// Whether this file, and no other, is what has the name.
    fn leads_to(&self, name: &str, file: &rustix::fs::Stat) -> bool {
        rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|there| (there.st_dev, there.st_ino) == (file.st_dev, file.st_ino))
    }

    /// Opens a file and checks it; `None` if there is none of that name.
    fn open_file(&self, name: &str, access: Access) -> Result<Option<File>, ProviderError> {
        let path = self.path.join(name);
        let access = if access == Access::Write { OFlags::RDWR } else { OFlags::RDONLY };
        // NONBLOCK: opening a FIFO must not wait for its other end. Regular files do not mind.
        let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let fd = match rustix::fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            // MLINK is what FreeBSD says of a symbolic link, NXIO what all say of a socket, ISDIR of a directory that
            // is to be written.
            Err(Errno::LOOP | Errno::MLINK | Errno::NXIO | Errno::ISDIR) => {
                return Err(wrong_type(&path, FileType::RegularFile));
            }
            Err(error) => return Err(io("open", &path, error)),
        };
        check(fd.as_fd(), &path, FileType::RegularFile)?;
        Ok(Some(File::from(fd)))
    }

    /// Puts a new file in its place, whole and synced, and tells whether it did: `false` if there is one of that
    /// name, which is left alone. Its name is on the disk after [`KeyDir::sync`].
    pub fn publish(&self, lock: &Lock, file: &str, text: &[u8]) -> Result<bool, ProviderError> {
        let temporary = Hidden::Spare.name(file)?;
        let placed = self.write_new(&temporary, text).and_then(|()| self.place(&temporary, file));
        if !matches!(placed, Ok(true)) {
            // It may not have come into being; and the error that matters is the first one.
            let _ = self.clear(lock, &temporary);
        }
        placed.map_err(|error| io("write", &self.path.join(file), error))
    }

    fn write_new(&self, name: &str, text: &[u8]) -> std::io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, name, flags, PRIVATE_FILE)?;
        // The umask may have taken even the owner's permissions.
        rustix::fs::fchmod(&fd, PRIVATE_FILE)?;
        let mut file = File::from(fd);
        file.write_all(text)?;
        file.sync_all()
    }

    /// Gives the file its name in one step, unless the name is taken.
    fn place(&self, from: &str, to: &str) -> std::io::Result<bool> {
        // A rename leaves nothing else behind at any moment; a link would leave a second name for the key if
        // the process ended before removing the first.
        #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
        match rustix::fs::renameat_with(&self.fd, from, &self.fd, to, rustix::fs::RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(true),
            Err(Errno::EXIST) => return Ok(false),
            // The file system or the kernel knows no such rename. (Two names for one number on Linux.)
            Err(error) if [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP, Errno::NOTSUP].contains(&error) => {}
            Err(error) => return Err(error.into()),
        }
        match rustix::fs::linkat(&self.fd, from, &self.fd, to, AtFlags::empty()) {
            Ok(()) => {
                rustix::fs::unlinkat(&self.fd, from, AtFlags::empty())?;
                Ok(true)
            }
            Err(Errno::EXIST) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether files can be changed here.
    pub fn writable(&self) -> Result<(), ProviderError> {
        let access = rustix::fs::Access::WRITE_OK;
        rustix::fs::accessat(&self.fd, ".", access, AtFlags::empty())
            .map_err(|error| io("change files in", &self.path, error))
    }

    /// Makes sure that a file of the keys is on the disk, under its name and on the way that leads there, whoever made it
    /// and however that ended. Tells whether there is one.
    pub fn persist(&self, name: &str) -> Result<bool, ProviderError> {
        let path = self.path.join(name);
        let Some(file) = self.open_file(name, Access::Read)? else { return Ok(false) };
        file.sync_all().map_err(|error| io("sync", &path, error))?;
        self.sync()?;
        // The home may be a symbolic link: then its name is not where its keys are.
        if let Some(parent) = self.path.parent().and_then(Path::parent)
            && let Ok(fd) = rustix::fs::open(parent, DIRECTORY, Mode::empty())
        {
            sync_dir(fd.as_fd(), parent)?;
        }
        // All that is above, to where the file system begins: any of it may have been made just now.
        let examine = |fd: &OwnedFd| rustix::fs::fstat(fd).map_err(|error| io("examine", &self.path, error));
        let mut below = examine(&self.fd)?;
        let mut above = PathBuf::from("..");
        loop {
            let fd = match rustix::fs::openat(&self.fd, &above, DIRECTORY, Mode::empty()) {
                Ok(fd) => fd,
                // Whoever may use a keystore need not be able to open what it is in.
                Err(Errno::ACCESS | Errno::PERM) => return Ok(true),
                Err(error) => return Err(io("open", &self.path.join(above), error)),
            };
            let stat = examine(&fd)?;
            if stat.st_dev != below.st_dev || stat.st_ino == below.st_ino {
                return Ok(true);
            }
            sync_dir(fd.as_fd(), &self.path.join(&above))?;
            below = stat;
            above.push("..");
        }
    }

    /// Brings the names of the files to the disk.
    pub fn sync(&self) -> Result<(), ProviderError> {
        sync_dir(self.fd.as_fd(), &self.path)
    }

    /// The names of all files that are UTF-8.
    pub fn files(&self) -> Result<Vec<String>, ProviderError> {
        let failed = |error| io("list", &self.path, error);
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd).map_err(failed)? {
            if let Ok(name) = entry.map_err(failed)?.file_name().to_str() {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }
}

/// The right to change files in a directory, which one holder has at a time, among all processes and threads.
pub struct Lock {
    /// Closing it gives the right back.
    _file: File,
    /// How long is waited for others.
    wait: Duration,
    /// What was found of changes that were cut off.
    pub leftovers: Leftovers,
}

/// Changes.
impl KeyDir {
    /// Waits for the right to change files here, for so long. Then what is left of changes that were cut off is removed;
    /// what cannot be is no reason not to change other files.
    pub fn lock(&self, wait: Duration) -> Result<Lock, ProviderError> {
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
        if !lock_within(wait, &file, File::try_lock).map_err(|error| io("lock", &path, error))? {
            return Err(locked(&path, wait));
        }
        let mut lock = Lock { _file: file, wait, leftovers: Leftovers::default() };
        for name in self.files()?.iter().filter(|name| Hidden::of(name).is_some()) {
            let removed = self.clear(&lock, name);
            lock.leftovers.note(name, removed);
        }
        Ok(lock)
    }

    /// Puts `text` in the place of the file, in one step, whole and synced; then overwrites what the file held, unless it
    /// has other names, of somebody's backup with hard links. What cannot be overwritten stays under a hidden name for the
    /// next change: this one is done.
    pub fn replace(&self, lock: &Lock, file: &str, text: &[u8]) -> Result<(), ProviderError> {
        let failed = |error| io("write", &self.path.join(file), error);
        let temporary = Hidden::Spare.name(file)?;
        let old = self.open_file(file, Access::Write)?;
        let replaced = self.write_new(&temporary, text).and_then(|()| match old {
            Some(_) => self.exchange(&temporary, file),
            None => Ok(rustix::fs::renameat(&self.fd, &temporary, &self.fd, file).map(|()| None)?),
        });
        let hidden = replaced.map_err(|error| {
            // The error that matters is the first one; and the next change looks for leftovers.
            let _ = self.clear(lock, &temporary);
            failed(error)
        })?;
        self.sync().map_err(|error| {
            let path = self.path.join(file);
            let message =
                format!("{} was changed, and may be as it was after a loss of power", path.display());
            ProviderError::new(ErrorClass::LocalIo, message).with_source(error)
        })?;
        match (old, hidden) {
            (Some(_), Some(hidden)) => {
                let _ = self.clear(lock, &hidden);
                Ok(())
            }
            // It has no name of ours any more by which it could be found again.
            (Some(old), None) => self.overwrite(lock, &old, file, 0),
            (None, _) => Ok(()),
        }
    }

    /// Puts one file in the place of another in one step, and gives the hidden name that the other one then has; `None`
    /// on file systems where it cannot keep one.
    fn exchange(&self, new: &str, file: &str) -> std::io::Result<Option<String>> {
        #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
        match rustix::fs::renameat_with(&self.fd, new, &self.fd, file, rustix::fs::RenameFlags::EXCHANGE) {
            Ok(()) => return Ok(Some(new.to_owned())),
            // The file system or the kernel knows no such rename. (Two names for one number on Linux.)
            Err(error) if [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP, Errno::NOTSUP].contains(&error) => {}
            Err(error) => return Err(error.into()),
        }
        let hidden = Hidden::Spare.name(file).map_err(std::io::Error::other)?;
        let linked = rustix::fs::linkat(&self.fd, file, &self.fd, &hidden, AtFlags::empty());
        rustix::fs::renameat(&self.fd, new, &self.fd, file)?;
        Ok(linked.is_ok().then_some(hidden))
    }

    /// Removes the file, and overwrites what it held, if it has no other names; that of a scratch volume's key under all
    /// names that it has. Tells whether there was one. After a failure it is no longer in its place, and
    /// [`lock`](KeyDir::lock) finishes what was begun.
    pub fn erase(&self, lock: &Lock, file: &str) -> Result<bool, ProviderError> {
        if self.open_file(file, Access::Write)?.is_none() {
            return Ok(false);
        }
        // First out of its place: a process that ends in between must not leave a broken file there. Then overwritten,
        // and only then without a name: what a process leaves that ends in between is found by the next change.
        let hidden = Hidden::Erased.name(file)?;
        rustix::fs::renameat(&self.fd, file, &self.fd, &hidden)
            .map_err(|error| io("remove", &self.path.join(file), error))?;
        self.clear(lock, &hidden)?;
        Ok(true)
    }

    /// Overwrites and removes a file that has a hidden name. None of that name is fine.
    fn clear(&self, lock: &Lock, hidden: &str) -> Result<(), ProviderError> {
        let Some(old) = self.open_file(hidden, Access::Write)? else { return Ok(()) };
        // On the disk, too, it has this name before it is overwritten: whoever gave it that may not have come so far.
        self.sync()?;
        let most = match Hidden::of(hidden) {
            Some((Hidden::Erased, file)) => most_names(file),
            _ => 1,
        };
        self.overwrite(lock, &old, hidden, most)?;
        rustix::fs::unlinkat(&self.fd, hidden, AtFlags::empty())
            .map_err(|error| io("remove", &self.path.join(hidden), error))?;
        // Until here `old` is locked: who waits to read it finds that it is no longer in its place.
        self.sync()
    }

    /// Overwrites what a file holds that is no longer in its place, when nobody reads it, unless it has more than so
    /// many names. It stays locked as long as it is open.
    fn overwrite(&self, lock: &Lock, old: &File, name: &str, most_names: u64) -> Result<(), ProviderError> {
        let path = self.path.join(name);
        let failed = |error| io("overwrite the former content of", &path, error);
        if !lock_within(lock.wait, old, File::try_lock).map_err(failed)? {
            return Err(locked(&path, lock.wait));
        }
        let stat = rustix::fs::fstat(old).map_err(|error| failed(error.into()))?;
        // The type of the count differs between platforms.
        #[allow(clippy::useless_conversion, clippy::unnecessary_cast)]
        if stat.st_nlink as u64 <= most_names {
            fill_zeros(old, u64::try_from(stat.st_size).unwrap_or(0)).map_err(failed)?;
        }
        Ok(())
    }
}

/// Reads a file of `length` bytes without a copy that is not wiped: the buffer never grows.
fn read_whole(file: &mut File, path: &Path, length: u64) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > MAX_FILE {
        let path = path.display();
        let message = format!("the file {path} is {length} bytes long, and at most {MAX_FILE} are read");
        return Err(ProviderError::new(ErrorClass::Malformed, message));
    }
    // One byte more, to see whether the file grew after its length was taken.
    let mut text = Zeroizing::new(vec![0; length + 1]);
    let filled = fill(file, &mut text).map_err(|error| io("read", path, error))?;
    if filled != length {
        let message = format!("the file {} changed while it was read; try again", path.display());
        return Err(ProviderError::new(ErrorClass::LocalIo, message));
    }
    text.truncate(length);
    Ok(text)
}

/// What a file is opened for.
#[derive(Clone, Copy, PartialEq)]
enum Access {
    Read,
    Write,
}

/// Refuses what is not of this type, not the user's own, or open to others.
fn check(fd: impl AsFd, path: &Path, expected: FileType) -> Result<(), ProviderError> {
    let stat = rustix::fs::fstat(fd).map_err(|error| io("examine", path, error))?;
    if FileType::from_raw_mode(stat.st_mode) != expected {
        return Err(wrong_type(path, expected));
    }
    let (owner, user) = (stat.st_uid, rustix::process::geteuid().as_raw());
    if owner != user {
        let path = path.display();
        let message = format!(
            "{path} belongs to the user with id {owner}, and this process runs as {user}: \
             run as its owner, or use a keystore of your own"
        );
        return Err(ProviderError::new(ErrorClass::LocalPermissions, message));
    }
    let mode = Mode::from_raw_mode(stat.st_mode);
    if mode.intersects(Mode::RWXG | Mode::RWXO) {
        let (bits, path) = (mode.bits() & 0o7777, path.display());
        let right = if expected == FileType::Directory { "700" } else { "600" };
        let message = format!(
            "{path} has mode {bits:04o}, which lets other users at the keys: run chmod {right} {path}"
        );
        return Err(ProviderError::new(ErrorClass::LocalPermissions, message));
    }
    Ok(())
}

fn wrong_type(path: &Path, expected: FileType) -> ProviderError {
    let expected = if expected == FileType::Directory { "a directory" } else { "a regular file" };
    let message = format!("{} is not {expected}: remove it, or use another keystore", path.display());
    ProviderError::new(ErrorClass::LocalPermissions, message)
}

/// The home of a keystore, open and checked.
fn open_home(home: &Path) -> Result<OwnedFd, ProviderError> {
    let fd = match rustix::fs::open(home, DIRECTORY, Mode::empty()) {
        Err(Errno::NOENT) => return Err(missing(home)),
        opened => opened.map_err(|error| io("open the keystore", home, error))?,
    };
    check(fd.as_fd(), home, FileType::Directory)?;
    Ok(fd)
}

/// Makes a directory with mode 0700, and those above it, and syncs each new name to the disk. One that exists is
/// left as it is.
fn make_dir(path: &Path) -> Result<(), ProviderError> {
    let made = match (rustix::fs::mkdirat(CWD, path, PRIVATE_DIR), path.parent()) {
        (Err(Errno::NOENT), Some(parent)) => {
            make_dir(parent)?;
            rustix::fs::mkdirat(CWD, path, PRIVATE_DIR)
        }
        (made, _) => made,
    };
    match (made, path.parent()) {
        (Ok(()), Some(parent)) => {
            let fd = rustix::fs::open(parent, DIRECTORY, Mode::empty())
                .map_err(|error| io("open", parent, error))?;
            sync_dir(fd.as_fd(), parent)
        }
        (Ok(()) | Err(Errno::EXIST), _) => Ok(()),
        (Err(error), _) => Err(io("create the directory", path, error)),
    }
}

fn sync_dir(fd: BorrowedFd<'_>, path: &Path) -> Result<(), ProviderError> {
    // By way of the standard library, which knows what a sync takes on each platform.
    match fd.try_clone_to_owned().and_then(|fd| File::from(fd).sync_all()) {
        // Some network file systems sync names by themselves, and do not know this call.
        Err(error) if error.kind() != std::io::ErrorKind::InvalidInput => Err(io("sync", path, error)),
        _ => Ok(()),
    }
}
