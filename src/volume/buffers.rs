//! Scratch memory that concurrent writers share.

use std::io::ErrorKind;
use std::sync::{Mutex, PoisonError};

use super::error::StorageError;

/// What one lock covers, one buffer holds, and one system call transfers, in bytes: large enough for the cost of a
/// system call to vanish, small enough to stay in a core's own cache between the cipher and the copy to the kernel.
pub(super) const CHUNK: usize = 128 * 1024;
/// How many buffers are kept for later.
const KEPT: usize = 16;

/// Buffers of one chunk each, for ciphertext only: plaintext is never in them, so they need no wiping.
pub(super) struct Buffers(Mutex<Vec<Box<[u8]>>>);

impl Buffers {
    pub(super) const fn new() -> Buffers {
        Buffers(Mutex::new(Vec::new()))
    }

    /// Runs `work` with a buffer of [`CHUNK`] bytes, whose content is arbitrary.
    pub(super) fn with<T, E: From<StorageError>>(
        &self,
        work: impl FnOnce(&mut [u8]) -> Result<T, E>,
    ) -> Result<T, E> {
        let kept = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let buffer = kept().pop();
        let mut buffer = buffer.map_or_else(new_buffer, Ok)?;
        let result = work(&mut buffer);
        let mut kept = kept();
        if kept.len() < KEPT {
            kept.push(buffer);
        }
        result
    }
}

/// Without memory a write fails, and the process lives.
fn new_buffer() -> Result<Box<[u8]>, StorageError> {
    let mut buffer = Vec::new();
    if buffer.try_reserve_exact(CHUNK).is_err() {
        return Err(StorageError::new("making room for a write", ErrorKind::OutOfMemory.into()));
    }
    buffer.resize(CHUNK, 0);
    Ok(buffer.into_boxed_slice())
}
