//! What concurrent callers share: locks over parts of the volume, and scratch memory.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};

use super::error::Error;
use crate::xts::Key;

/// What one lock covers, one buffer holds, and one system call transfers, in bytes: large enough for the cost of a
/// system call to vanish, small enough to stay in a core's own cache between the cipher and the copy to the kernel.
pub(super) const CHUNK: usize = 128 * 1024;
/// How many locks there are.
const STRIPES: usize = 64;
/// How many buffers are kept for later.
const KEPT: usize = 16;

/// Locks over the chunks of a volume. A write that covers a sector in part reads it first and writes all of it:
/// without a lock, two such writes to different bytes of one sector would lose one of them, and a read beside a
/// write could see half of a cipher block.
///
/// A caller holds one lock at a time, so there is no order to keep and no deadlock.
///
/// Each lock also holds the volume's key, so that nobody uses it without one: that makes it possible to take the key away
/// from a volume that is in use, at no cost for those who use it.
pub(super) struct Stripes(Box<[RwLock<Held>]>);

/// What a lock holds: the key, which is boxed because a move would leave copies behind; `None` when it was taken away.
pub(super) type Held = Option<Arc<Box<Key>>>;

impl Stripes {
    pub(super) fn new(key: Box<Key>) -> Stripes {
        let key = Arc::new(key);
        Stripes((0..STRIPES).map(|_| RwLock::new(Some(Arc::clone(&key)))).collect())
    }

    /// Takes the key away, and waits for the calls that use it: each is done with a chunk soon. It is wiped when this
    /// returns. The caller holds none of the locks.
    pub(super) fn take_key(&self) {
        for lock in &self.0 {
            *lock.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    /// The same without waiting: where a call is under way, or was when this process was forked, the key stays.
    pub(super) fn take_free_keys(&self) {
        for lock in &self.0 {
            match lock.try_write() {
                Ok(mut held) => *held = None,
                Err(TryLockError::Poisoned(held)) => *held.into_inner() = None,
                Err(TryLockError::WouldBlock) => {}
            }
        }
    }

    fn of(&self, offset: u64) -> &RwLock<Held> {
        &self.0[(offset / CHUNK as u64 % STRIPES as u64) as usize]
    }

    /// Holds off writers of the chunk at `offset`.
    pub(super) fn reading(&self, offset: u64) -> RwLockReadGuard<'_, Held> {
        // The lock guards bytes on disk, which a panic leaves as any failed write does.
        self.of(offset).read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds off readers and writers of the chunk at `offset`.
    pub(super) fn writing(&self, offset: u64) -> RwLockWriteGuard<'_, Held> {
        self.of(offset).write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Buffers of one chunk each, for ciphertext only: plaintext is never in them, so they need no wiping.
pub(super) struct Pool(Mutex<Vec<Box<[u8]>>>);

impl Pool {
    pub(super) const fn new() -> Pool {
        Pool(Mutex::new(Vec::new()))
    }

    /// Runs `work` with a buffer of [`CHUNK`] bytes, whose content is arbitrary.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut [u8]) -> Result<T, Error>) -> Result<T, Error> {
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
fn new_buffer() -> Result<Box<[u8]>, Error> {
    let mut buffer = Vec::new();
    if buffer.try_reserve_exact(CHUNK).is_err() {
        return Err(Error::io("making room for a write")(ErrorKind::OutOfMemory.into()));
    }
    buffer.resize(CHUNK, 0);
    Ok(buffer.into_boxed_slice())
}
