//! What both kinds of the keystore's directory do with files: reading into memory that is wiped, names for files that
//! have no place, and overwriting.

use super::super::{ProviderError, new_uuid};
use std::fs::File;
use std::io::{ErrorKind, Read, Seek as _};

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
