//! A file that has no place yet: nobody else sees it, and it is gone with the process, or with the next one.

use std::ffi::OsStr;
use std::fs::{File, TryLockError};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use atrest::keys::new_uuid;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, linkat, openat, renameat, unlinkat};
use rustix::io::Errno;

use crate::signals;

/// A new file in a directory.
pub struct Temporary {
    directory: Arc<OwnedFd>,
    file: File,
    /// The name that it has where files without a name are not to be had.
    name: Option<Named>,
}

impl Temporary {
    /// Makes the file, open for reading and writing. On Linux it has no name, on the file systems that can do this,
    /// so that even a killed process leaves nothing; elsewhere it has a name that begins with a dot, and is removed
    /// when this is dropped, when a signal ends the process, or else by [`remove_abandoned`].
    pub fn new(directory: OwnedFd, mode: Mode) -> io::Result<Temporary> {
        let directory = Arc::new(directory);
        if let Some(file) = unnamed(&directory, mode)? {
            return Ok(Temporary { directory, file, name: None });
        }
        Temporary::named(directory, mode)
    }

    fn named(directory: Arc<OwnedFd>, mode: Mode) -> io::Result<Temporary> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let name = Named::reserve(Arc::clone(&directory))?;
        let file = openat(&*directory, name.as_str(), flags, mode)?;
        Ok(Temporary { directory, file: File::from(file), name: Some(name) })
    }

    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Gives the file its place, in one step. Without `replace` a file that is there stays, and the error is
    /// [`io::ErrorKind::AlreadyExists`].
    pub fn place(mut self, name: &OsStr, replace: bool) -> io::Result<()> {
        match self.name.take() {
            None => match link(&self.file, &self.directory, name) {
                Err(Errno::EXIST) if replace => {
                    // A file without a name cannot replace one. From here to the next call this one has a name, and
                    // its content is whole.
                    let named = Named::reserve(Arc::clone(&self.directory))?;
                    link(&self.file, &self.directory, OsStr::new(named.as_str()))?;
                    renameat(&*self.directory, named.as_str(), &*self.directory, name)?;
                }
                result => result?,
            },
            Some(named) if replace => renameat(&*self.directory, named.as_str(), &*self.directory, name)?,
            Some(named) => rename_new(&self.directory, named.as_str(), name)?,
        }
        match rustix::fs::fsync(&*self.directory) {
            // Some file systems have directories that cannot be synced, and need not be.
            Ok(()) | Err(Errno::INVAL) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// A file without a name; `None` where the file system has no such files, or no way to name them later.
#[cfg(target_os = "linux")]
fn unnamed(directory: &OwnedFd, mode: Mode) -> io::Result<Option<File>> {
    let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
    let file = match openat(directory, ".", flags, mode) {
        Ok(file) => File::from(file),
        // What these say is that it is not supported, by the file system or by an old kernel.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    Ok(std::fs::exists(descriptor_path(&file)).unwrap_or(false).then_some(file))
}

#[cfg(not(target_os = "linux"))]
fn unnamed(_directory: &OwnedFd, _mode: Mode) -> io::Result<Option<File>> {
    Ok(None)
}

/// Gives a file without a name a new one.
fn link(file: &File, directory: &OwnedFd, name: &OsStr) -> Result<(), Errno> {
    linkat(rustix::fs::CWD, descriptor_path(file), directory, name, AtFlags::SYMLINK_FOLLOW)
}

fn descriptor_path(file: &File) -> String {
    format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(file))
}

/// Renames, and never replaces.
fn rename_new(directory: &OwnedFd, from: &str, to: &OsStr) -> Result<(), Errno> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{RenameFlags, renameat_with};
        match renameat_with(directory, from, directory, to, RenameFlags::NOREPLACE) {
            // The file system does not know the flag.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            result => return result,
        }
    }
    // The temporary name goes when it is dropped.
    linkat(directory, from, directory, to, AtFlags::empty())
}

/// A temporary name in a directory: whatever has it is removed when this is dropped, before a signal ends the process, and
/// by [`remove_abandoned`] after a process that could not do it.
struct Named {
    name: String,
    directory: Arc<OwnedFd>,
    _on_signal: Option<signals::Cleanup>,
    /// Locked as long as the name is used. It is another file than the one that has the name: whoever writes a volume
    /// locks that.
    _in_use: File,
}

/// Names begin with this, 32 hexadecimal digits follow.
const PREFIX: &str = ".atrest-";
/// What stands behind a name in that of the file that is locked as long as the name is used. It is there before the name
/// is, and longer.
const IN_USE: &str = ".lock";

impl Named {
    fn reserve(directory: Arc<OwnedFd>) -> io::Result<Named> {
        let (name, in_use) = loop {
            let unique = new_uuid().map_err(io::Error::other)?;
            let name = format!("{PREFIX}{}", unique.simple());
            if let Some(in_use) = mark(&directory, &format!("{name}{IN_USE}"))? {
                break (name, in_use);
            }
        };
        let on_signal = {
            let (directory, name) = (Arc::clone(&directory), name.clone());
            signals::before_end(move || remove(&directory, &name))
        };
        // Where that cannot be done, as without a thread to be had, the next run removes it.
        Ok(Named { name, directory, _on_signal: on_signal.ok(), _in_use: in_use })
    }

    fn as_str(&self) -> &str {
        &self.name
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        // There is nothing any more when it was renamed.
        remove(&self.directory, &self.name);
    }
}

/// Removes what has the name, and then the file that says that it is used.
fn remove(directory: &OwnedFd, name: &str) {
    for name in [name, &format!("{name}{IN_USE}")] {
        let _ = unlinkat(directory, name, AtFlags::empty());
    }
}

/// Makes and locks the file that says that a name is used; `None` if somebody took it for abandoned before it was locked.
/// Where there are no locks nobody can take it for abandoned.
fn mark(directory: &OwnedFd, name: &str) -> io::Result<Option<File>> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = File::from(openat(directory, name, flags, Mode::from(0o600))?);
    let taken = matches!(file.try_lock(), Err(TryLockError::WouldBlock));
    let is_there = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).is_ok();
    Ok((!taken && is_there).then_some(file))
}

/// Removes the files with temporary names that processes of this user left in a directory which were killed. As far as it
/// can be done: nothing relies on it.
pub fn remove_abandoned(directory: &OwnedFd) {
    let Ok(entries) = rustix::fs::Dir::read_from(directory) else { return };
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().to_str() else { continue };
        let name = name.strip_suffix(IN_USE).unwrap_or(name);
        let is_unique = |text: &str| text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if name.strip_prefix(PREFIX).is_some_and(is_unique) && is_abandoned(directory, name).unwrap_or(false)
        {
            remove(directory, name);
        }
    }
}

/// Whether nobody uses a temporary name that this user gave.
fn is_abandoned(directory: &OwnedFd, name: &str) -> io::Result<bool> {
    let is_ours = |stat: rustix::fs::Stat| {
        FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
            && stat.st_uid == rustix::process::geteuid().as_raw()
    };
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match openat(directory, format!("{name}{IN_USE}"), flags, Mode::empty()) {
        // As long as the process lives it holds the lock.
        Ok(in_use) => Ok(is_ours(rustix::fs::fstat(&in_use)?) && File::from(in_use).try_lock().is_ok()),
        // It is lost; or the name has been given up since it was read, and is not there any more.
        Err(Errno::NOENT) => Ok(is_ours(rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?)),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::path::Path;

    use super::*;

    fn directory(path: &Path) -> OwnedFd {
        File::open(path).unwrap().into()
    }

    fn names(path: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    type Make = fn(OwnedFd, Mode) -> io::Result<Temporary>;
    const WAYS: [Make; 2] = [Temporary::new, |directory, mode| Temporary::named(Arc::new(directory), mode)];

    #[test]
    fn a_file_comes_to_its_place_whole() {
        for make in WAYS {
            let dir = tempfile::tempdir().unwrap();
            let new = |content: &str| {
                let temporary = make(directory(dir.path()), Mode::from(0o600)).unwrap();
                temporary.file().write_all(content.as_bytes()).unwrap();
                temporary
            };
            new("one").place(OsStr::new("f"), false).unwrap();
            let refused = new("two").place(OsStr::new("f"), false).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(fs::read(dir.path().join("f")).unwrap(), b"one");
            new("three").place(OsStr::new("f"), true).unwrap();
            assert_eq!(fs::read(dir.path().join("f")).unwrap(), b"three");
            new("four").place(OsStr::new("g"), true).unwrap();
            drop(new("five"));
            assert_eq!(names(dir.path()), ["f", "g"]);
        }
    }

    #[test]
    fn what_a_killed_process_left_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str| fs::write(dir.path().join(name), "left").unwrap();
        let dead = format!("{PREFIX}{:032x}", 1);
        // It was killed before the name was used, and while it was; then the power went as well.
        for name in [&dead, &format!("{PREFIX}{:032x}", 2)] {
            put(&format!("{name}{IN_USE}"));
        }
        put(&dead);
        put(&format!("{PREFIX}{:032x}", 3));
        // Not of ours.
        let others =
            [".atrest-1.lock", ".atrest-notes", ".atrest-zz00000000000000000000000000000000.lock", "f.lock"];
        others.into_iter().for_each(put);
        let living = Temporary::named(Arc::new(directory(dir.path())), Mode::from(0o600)).unwrap();
        let used = living.name.as_ref().unwrap().as_str().to_owned();
        remove_abandoned(&directory(dir.path()));
        let mut expected: Vec<String> = others.map(str::to_owned).into();
        expected.extend([format!("{used}{IN_USE}"), used]);
        expected.sort();
        assert_eq!(names(dir.path()), expected);
        living.place(OsStr::new("g"), false).unwrap();
        assert_eq!(names(dir.path()).len(), others.len() + 1);
    }
}
