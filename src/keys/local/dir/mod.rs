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

use super::super::{ErrorClass, ProviderError, new_uuid};
#[cfg(not(unix))]
pub use portable::{KeyDir, Lock};
use std::fs::File;
use std::io::{ErrorKind, Read, Seek as _};
use std::path::Path;
#[cfg(unix)]
pub use unix::{KeyDir, Lock};

/// The longest key file, in bytes.
pub const MAX_FILE: usize = 64 * 1024;
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

/// A name for a file that is not yet in its place, or no longer: a process that ends then leaves it behind.
pub fn leftover_name(file: &str) -> Result<String, ProviderError> {
    let unique = new_uuid()?;
    Ok(format!(".{}.{}.new", file.trim_start_matches('.'), unique.simple()))
}

/// Whether it is one of those names. No key has such a name, since it begins with a dot.
pub fn is_leftover(file: &str) -> bool {
    file.starts_with('.') && file.ends_with(".new")
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
