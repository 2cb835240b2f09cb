//! Files that are made beside their destination and put there when they are complete.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use atrest::storage::{Claim, Lock, Storage as _};
use rustix::fs::{Mode, OFlags};

use crate::failure::{Failure, show};
use crate::temporary::{self, Temporary};

/// Who can read a new file.
#[derive(Clone, Copy, PartialEq)]
pub enum Access {
    /// Whoever the process's umask leaves; a file of the user's own that is replaced keeps its permissions.
    Umask,
    /// Its owner alone, whoever could read the file that is replaced.
    Private,
}

/// A file or block device that is being written. What is not published is gone, except on a block device, which can
/// only be overwritten in place.
pub struct Output {
    name: String,
    target: Target,
}

enum Target {
    File {
        temporary: Temporary,
        file_name: OsString,
        replace: bool,
        permissions: Option<Permissions>,
        /// Of the file that is replaced.
        _claim: Lock,
    },
    /// With its claim, unless a volume is made there, which has its own.
    Device { file: File, _claim: Lock },
}

impl Target {
    fn file(&self) -> &File {
        match self {
            Target::File { temporary, .. } => temporary.file(),
            Target::Device { file, .. } => file,
        }
    }
}

impl Output {
    /// Begins a new file for `path`. An existing file is replaced, and a block device overwritten, with `force` only, and
    /// not while somebody has it open for writing, but where that is `shared`.
    pub fn create(path: &Path, force: bool, shared: bool, access: Access) -> Result<Output, Failure> {
        let name = show(path);
        let refuse = |why: &str| Err(Failure::new(format!("cannot write {name}: {why}")));
        let failed = |error: io::Error| Failure::io("cannot write", &name, &error);
        if path == Path::new("-") {
            return refuse(
                "a volume cannot be written to standard output; give a file (./- for a file of that name)",
            );
        }
        // A symbolic link stays, and what it points to is written.
        let target = target_of(path).map_err(failed)?;
        let mut permissions = None;
        let mut claimed = Lock::none();
        match fs::symlink_metadata(&target) {
            Ok(existing) if existing.is_dir() => {
                return refuse("it is a directory; give a file name");
            }
            Ok(existing) if existing.file_type().is_block_device() => {
                if !force {
                    return refuse("it is a block device; use --force to overwrite what is on it");
                }
                let file = File::options().read(true).write(true).open(&target).map_err(failed)?;
                let claim = match access {
                    Access::Umask => Lock::none(),
                    Access::Private => claim(&file, shared, &name)?,
                };
                return Ok(Output { name, target: Target::Device { file, _claim: claim } });
            }
            Ok(existing) if !existing.is_file() => {
                return refuse("it is neither a regular file nor a block device");
            }
            Ok(_) if !force => return refuse("it exists; choose another name, or use --force to replace it"),
            Ok(existing) => {
                // What somebody else made may let anybody in, or do what its owner may when it is run.
                permissions = (access == Access::Umask && is_ours(existing.uid()))
                    .then(|| Permissions::from_mode(existing.mode() & 0o777));
                // Who may neither write nor read it may still replace it, and knows nothing of its users.
                let writable = File::options().read(true).write(true).open(&target);
                if let Ok(file) = writable.or_else(|_| File::open(&target)) {
                    claimed = claim(&file, shared, &name)?;
                }
            }
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            Err(_) if target != path => {
                return refuse("it is a symbolic link to a file that does not exist; remove it first");
            }
            Err(_) => {}
        }
        let Some(file_name) =
            target.file_name().filter(|_| !path.as_os_str().as_encoded_bytes().ends_with(b"/"))
        else {
            return refuse("it is not a file name");
        };
        let parent = target.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
        let mode = match access {
            Access::Umask => Mode::from(0o666),
            Access::Private => Mode::from(0o600),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(parent, flags, Mode::empty())
            .map_err(|error| Failure::io("cannot write to the directory", show(parent), &error.into()))?;
        temporary::remove_abandoned(&directory);
        let temporary = Temporary::new(directory, mode)
            .map_err(|error| Failure::io("cannot create a file in", show(parent), &error))?;
        let file_name = file_name.to_owned();
        let target = Target::File { temporary, file_name, replace: force, permissions, _claim: claimed };
        Ok(Output { name, target })
    }

    /// The file, open for reading and writing, empty unless it is a block device.
    pub fn file(&self) -> &File {
        self.target.file()
    }

    /// The file for somebody who keeps it.
    pub fn duplicate(&self) -> Result<File, Failure> {
        self.file().try_clone().map_err(|error| Failure::io("cannot write", &self.name, &error))
    }

    /// Refuses to overwrite the device that is being read. A file that is read can be replaced: it is complete before
    /// it goes.
    pub fn refuse_if_also(&self, input: &Metadata, input_name: &str) -> Result<(), Failure> {
        let Target::Device { file, .. } = &self.target else { return Ok(()) };
        let device = file.metadata().map_err(|error| Failure::io("cannot write", &self.name, &error))?;
        if input.file_type().is_block_device() && input.rdev() == device.rdev() {
            let name = &self.name;
            return Err(Failure::new(format!("{input_name} and {name} are the same device; choose another")));
        }
        Ok(())
    }

    /// Whether it is a block device.
    pub fn is_device(&self) -> bool {
        matches!(self.target, Target::Device { .. })
    }

    /// Makes a new file so long, with a hole where nothing is written.
    pub fn set_length(&self, length: u64) -> Result<(), Failure> {
        self.file().set_len(length).map_err(|error| Failure::io("cannot write", &self.name, &error))
    }

    /// Makes sure of room for `length` bytes, as far as the system tells beforehand.
    pub fn reserve(&self, length: u64) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::io("cannot write", &self.name, &error);
        match &self.target {
            Target::Device { file, .. } => {
                let room = rustix::fs::seek(file, rustix::fs::SeekFrom::End(0))
                    .map_err(|error| failed(error.into()))?;
                rustix::fs::seek(file, rustix::fs::SeekFrom::Start(0))
                    .map_err(|error| failed(error.into()))?;
                if room < length {
                    return Err(Failure::new(format!(
                        "cannot write {}: the content takes {length} bytes and the device has {room}; choose a larger one",
                        self.name
                    )));
                }
            }
            Target::File { temporary, .. } => reserve(temporary.file(), length).map_err(failed)?,
        }
        Ok(())
    }

    /// Waits until all is on the disk, and puts the file in its place.
    pub fn publish(self) -> Result<(), Failure> {
        let name = self.name;
        let failed = |error: io::Error| Failure::io("cannot write", &name, &error);
        self.target.file().sync_all().map_err(failed)?;
        let Target::File { temporary, file_name, replace, permissions, _claim } = self.target else {
            return Ok(());
        };
        if let Some(permissions) = permissions {
            // Not everyone may set them on every file system; then the new file has those of a new file.
            let _ = temporary.file().set_permissions(permissions);
        }
        temporary.place(&file_name, replace).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => Failure::new(format!(
                "cannot write {name}: a file of that name appeared meanwhile and was left alone; choose another name"
            )),
            _ => failed(error),
        })
    }
}

/// How many symbolic links lead to a file at most, as on Linux (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// Whether a file with this owner is the user's own.
fn is_ours(owner: u32) -> bool {
    owner == rustix::process::geteuid().as_raw()
}

/// What a symbolic link leads to, which may not be there; any other path as it is. A link of another user's leads to
/// whatever that user would like to see replaced.
fn target_of(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::symlink_metadata(&path) {
            Ok(link) if !link.is_symlink() => return Ok(path),
            Ok(link) if link.uid() != 0 && !is_ours(link.uid()) => {
                return Err(io::Error::other(
                    "it is a symbolic link that another user made; give the file itself",
                ));
            }
            Ok(_) => {
                let to = fs::read_link(&path)?;
                path = path.parent().map_or_else(|| to.clone(), |parent| parent.join(&to));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(path),
            Err(error) => return Err(error),
        }
    }
    Err(rustix::io::Errno::LOOP.into())
}

/// Keeps others from writing to what is overwritten or replaced.
fn claim(file: &File, shared: bool, name: &str) -> Result<Lock, Failure> {
    let claim = if shared { Claim::SharedData } else { Claim::Data };
    file.claim(claim).map_err(|error| match error.kind() {
        ErrorKind::WouldBlock => {
            Failure::new(format!("cannot write {name}: {error}: try again when that is over"))
        }
        _ => Failure::io("cannot write", name, &error),
    })
}

/// Reserves space without making the file longer. Where the file system cannot, nothing happens.
#[cfg(target_os = "linux")]
fn reserve(file: &File, length: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;

    if length == 0 {
        return Ok(());
    }
    match fallocate(file, FallocateFlags::KEEP_SIZE, 0, length) {
        Err(errno @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) => Err(errno.into()),
        _ => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
fn reserve(_file: &File, _length: u64) -> io::Result<()> {
    Ok(())
}
