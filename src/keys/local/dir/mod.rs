//! The keystore's directories and files, of which there are two kinds: with Unix's owners, modes and open directories,
//! and with what every platform has.

#[cfg(not(unix))]
mod portable;
/// Compiled for its tests where it is not used.
#[cfg(all(unix, test))]
#[allow(dead_code, reason = "tests use most of it")]
pub mod portable;
#[cfg(unix)]
mod unix;

use super::{
    super::{ErrorClass, ProviderError, envelope::scratch_volume_of, new_uuid},
    names::EXTENSION,
};
use crate::waiting;
#[cfg(not(unix))]
pub use portable::{KeyDir, Lock};
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read, Seek as _};
use std::path::Path;
use std::time::Duration;

#[cfg(unix)]
pub use unix::{KeyDir, Lock};

/// The longest key file, in bytes.
pub const MAX_FILE: usize = 64 * 1024;
/// How long a change waits for others, for want of another time.
pub const LOCK_WAIT: Duration = Duration::from_secs(15);
/// The file that is locked by whoever changes others beside it. No key has such a name, since it begins with a dot.
pub const LOCK: &str = ".lock";

/// Reads until the buffer is full or the file ends: into the buffer alone, which is wiped. Gives how much there was.
pub fn fill(file: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Why a file has a hidden name, which begins with a dot and so is no key's. A process that ends then leaves it behind,
/// and the next change removes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hidden {
    /// It is not in its place yet, or was replaced there.
    Spare,
    /// It is being erased: nothing is to be in its place.
    Erased,
}

impl Hidden {
    fn ending(self) -> &'static str {
        match self {
            Hidden::Spare => ".new",
            Hidden::Erased => ".erased",
        }
    }

    /// A hidden name that no other file has.
    pub fn name(self, file: &str) -> Result<String, ProviderError> {
        let unique = new_uuid()?;
        Ok(format!(".{}.{}{}", file.trim_start_matches('.'), unique.simple(), self.ending()))
    }

    /// What a hidden name says: why it is one, and whose.
    pub fn of(name: &str) -> Option<(Hidden, &str)> {
        let rest = name.strip_prefix('.')?;
        [Hidden::Spare, Hidden::Erased].into_iter().find_map(|hidden| {
            let rest = rest.strip_suffix(hidden.ending())?;
            Some((hidden, rest.rsplit_once('.').map_or(rest, |(file, _)| file)))
        })
    }
}

impl KeyDir {
    /// Whether an erasure of this file was cut off.
    pub fn is_being_erased(&self, file: &str) -> Result<bool, ProviderError> {
        Ok(self.files()?.iter().any(|name| Hidden::of(name) == Some((Hidden::Erased, file))))
    }
}

/// The files of changes that were cut off, as the next one met them.
#[derive(Default)]
pub struct Leftovers {
    /// The files whose erasure it finished.
    pub erased: Vec<String>,
    /// The hidden names of those that cannot be removed, and why not.
    pub stuck: Vec<(String, ProviderError)>,
}

impl Leftovers {
    /// Takes note of what became of a hidden file.
    fn note(&mut self, name: &str, removed: Result<(), ProviderError>) {
        match (removed, Hidden::of(name)) {
            (Ok(()), Some((Hidden::Erased, file))) => self.erased.push(file.to_owned()),
            (Ok(()), _) => {}
            (Err(error), _) => self.stuck.push((name.to_owned(), error)),
        }
    }

    /// Whether an erasure of this file had been cut off, and is finished now.
    ///
    /// # Errors
    /// It cannot be finished.
    pub fn finished(&mut self, file: &str) -> Result<bool, ProviderError> {
        let of_file = |(name, _): &(String, _)| Hidden::of(name) == Some((Hidden::Erased, file));
        match self.stuck.iter().position(of_file) {
            Some(i) => Err(self.stuck.swap_remove(i).1),
            None => Ok(self.erased.iter().any(|erased| erased == file)),
        }
    }
}

/// Up to how many names a file is overwritten that is being erased: of a key that others may hold in backups by hard
/// links, one; of a scratch volume's, all, since no copy of it may open.
fn most_names(file: &str) -> u64 {
    let key = file.strip_suffix(EXTENSION).unwrap_or(file);
    if scratch_volume_of(key).is_some() { u64::MAX } else { 1 }
}

/// Waits for the lock of a file, for so long at most.
fn lock_within(
    wait: Duration,
    file: &File,
    lock: impl Fn(&File) -> Result<(), TryLockError>,
) -> std::io::Result<()> {
    waiting::lock_file(file, lock, "the local keystore", wait)
}

/// The lock of the file at `path` was not to be had, for this reason.
fn not_locked(path: &Path, wait: Duration, error: std::io::Error) -> ProviderError {
    if error.kind() != ErrorKind::WouldBlock {
        return io("lock", path, error);
    }
    let (path, seconds) = (path.display(), wait.as_secs());
    let message = format!(
        "{error}, and has held the lock {path} for {seconds} seconds, as one does that is stopped in the middle of a change: \
         end it, or try again"
    );
    ProviderError::new(ErrorClass::LocalIo, message)
}

/// Overwrites the first `length` bytes of a file, and brings that to the disk.
pub fn fill_zeros(file: &File, length: u64) -> std::io::Result<()> {
    let mut file = file;
    file.rewind()?;
    std::io::copy(&mut std::io::repeat(0).take(length), &mut file)?;
    file.sync_all()
}

/// An input or output error: `cannot ACTION PATH: CAUSE`.
pub fn io(action: &str, path: &Path, error: impl Into<std::io::Error>) -> ProviderError {
    ProviderError::new(ErrorClass::LocalIo, format!("cannot {action} {}", path.display()))
        .with_source(error.into())
}

/// There is no keystore where one was to be opened.
fn missing(home: &Path) -> ProviderError {
    let home = home.display();
    let message = format!("there is no keystore at {home}: create a key there, or use another");
    ProviderError::new(ErrorClass::LocalIo, message)
}
