//! A file that has no place yet: nobody else sees it, and it is gone with the process.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use atrest::keys::new_uuid;
use rustix::fs::{AtFlags, Mode, OFlags, linkat, openat, renameat, unlinkat};
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
    /// when this is dropped or a signal ends the process.
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

/// A temporary name in a directory: whatever has it is removed when this is dropped, and before a signal ends the
/// process.
struct Named {
    name: String,
    directory: Arc<OwnedFd>,
    _on_signal: signals::Cleanup,
}

impl Named {
    fn reserve(directory: Arc<OwnedFd>) -> io::Result<Named> {
        let unique = new_uuid().map_err(io::Error::other)?;
        let name = format!(".atrest-{}", unique.simple());
        let on_signal = {
            let (directory, name) = (Arc::clone(&directory), name.clone());
            signals::before_end(move || {
                let _ = unlinkat(&*directory, &name, AtFlags::empty());
            })?
        };
        Ok(Named { name, directory, _on_signal: on_signal })
    }

    fn as_str(&self) -> &str {
        &self.name
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        // There is nothing any more when it was renamed.
        let _ = unlinkat(&*self.directory, &self.name, AtFlags::empty());
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
}
