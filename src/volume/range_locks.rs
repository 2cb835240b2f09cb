//! Locks over parts of a volume, which hold its key.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};

use super::buffers::CHUNK;
use super::cipher::SectorCipher;

/// How many locks there are.
const LOCKS: usize = 64;

/// Locks over the chunks of a volume. A write that covers a sector in part reads it first and writes all of it:
/// without a lock, two such writes to different bytes of one sector would lose one of them, and a read beside a
/// write could see half of a cipher block.
///
/// A caller holds one lock at a time, so there is no order to keep and no deadlock.
///
/// Each lock also holds the volume's key, so that nobody uses it without one: that makes it possible to take the key away
/// from a volume that is in use, at no cost for those who use it.
pub(super) struct RangeLocks(Box<[RwLock<Held>]>);

/// What a lock holds: the key; `None` when it was taken away.
pub(super) type Held = Option<Arc<SectorCipher>>;

impl RangeLocks {
    pub(super) fn new(cipher: SectorCipher) -> RangeLocks {
        let cipher = Arc::new(cipher);
        RangeLocks((0..LOCKS).map(|_| RwLock::new(Some(Arc::clone(&cipher)))).collect())
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
        &self.0[(offset / CHUNK as u64 % LOCKS as u64) as usize]
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::luks2::Segment;
    use crate::volume::geometry::Geometry;

    /// The locks of some volume.
    pub(in crate::volume) fn locks() -> Arc<RangeLocks> {
        let key: Vec<u8> = (0..64).collect();
        let segment = Segment::to_the_end(16 << 20, 4096);
        let geometry = Geometry::new(&segment, segment.cipher.as_ref().unwrap(), 1 << 20);
        Arc::new(RangeLocks::new(SectorCipher::with(&key, geometry).unwrap()))
    }

    #[test]
    fn the_key_goes_at_once_where_nobody_uses_it() {
        let locks = locks();
        let key = Arc::downgrade(locks.reading(0).as_ref().unwrap());
        {
            let _used = locks.reading(CHUNK as u64);
            locks.take_free_keys();
            assert!(locks.reading(0).is_none() && key.strong_count() == 1);
        }
        locks.take_key();
        assert!(key.strong_count() == 0 && locks.writing(CHUNK as u64).is_none());
    }
}
