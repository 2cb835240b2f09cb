//! Storage in memory.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use super::{Claim, Held, HeldBy, Kind, Lock, Storage, wait_for};
use crate::waiting::Holder;

/// Bytes of a page.
const PAGE: usize = 4096;

/// Storage in memory: sparse, so that what was never written takes none, and cheap to clone, since clones share what
/// neither of them has written since. Share one between users with an [`Arc`].
pub struct MemoryStorage {
    content: RwLock<Content>,
    kind: Kind,
    claims: Arc<Mutex<Claims>>,
}

#[derive(Clone, Default)]
struct Content {
    length: u64,
    /// By number. What is not there is zero.
    pages: BTreeMap<u64, Arc<[u8; PAGE]>>,
}

/// Who claims it.
#[derive(Default)]
struct Claims {
    change: bool,
    writer: bool,
    sharers: usize,
}

impl Claims {
    fn take(&mut self, claim: Claim) -> Result<(), Held> {
        let (free, by) = match claim {
            Claim::Header => (!self.change, HeldBy::Change),
            Claim::SharedData => (!self.writer, HeldBy::Writer),
            Claim::Data => (!self.writer && self.sharers == 0, HeldBy::Writer),
        };
        if !free {
            return Err(Held { by, holder: Some(Holder::here()) });
        }
        match claim {
            Claim::Header => self.change = true,
            Claim::SharedData => self.sharers += 1,
            Claim::Data => self.writer = true,
        }
        Ok(())
    }

    fn give_back(&mut self, claim: Claim) {
        match claim {
            Claim::Header => self.change = false,
            Claim::SharedData => self.sharers -= 1,
            Claim::Data => self.writer = false,
        }
    }
}

impl MemoryStorage {
    /// Zeros of a fixed length, in bytes.
    #[must_use]
    pub fn new(length: u64) -> MemoryStorage {
        MemoryStorage::of(Content { length, pages: BTreeMap::new() }, Kind::Fixed)
    }

    /// An empty one that grows, as a regular file does.
    #[must_use]
    pub fn growable() -> MemoryStorage {
        MemoryStorage::of(Content::default(), Kind::Growable)
    }

    fn of(content: Content, kind: Kind) -> MemoryStorage {
        MemoryStorage { content: RwLock::new(content), kind, claims: Arc::default() }
    }

    fn content(&self) -> RwLockReadGuard<'_, Content> {
        self.content.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Content) -> io::Result<T>) -> io::Result<T> {
        change(&mut self.content.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Refuses a range behind the end, but for writes of a storage that grows.
    fn check(&self, content: &mut Content, length: u64, offset: u64) -> io::Result<()> {
        let end = offset.checked_add(length).ok_or(ErrorKind::FileTooLarge)?;
        if end > content.length {
            if self.kind != Kind::Growable {
                return Err(ErrorKind::StorageFull.into());
            }
            content.length = end;
        }
        Ok(())
    }
}

/// A range page by page: the page's number, the part of the page, and how far the range has come.
fn parts(length: usize, offset: u64) -> impl Iterator<Item = (u64, core::ops::Range<usize>, usize)> {
    let mut done = 0;
    core::iter::from_fn(move || {
        let at = offset + done as u64;
        let within = (at % PAGE as u64) as usize;
        let part = (length - done).min(PAGE - within);
        let item = (at / PAGE as u64, within..within + part, done);
        done += part;
        (part > 0).then_some(item)
    })
}

impl Storage for MemoryStorage {
    fn len(&self) -> io::Result<u64> {
        Ok(self.content().length)
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let content = self.content();
        let end = offset.checked_add(buf.len() as u64);
        if end.is_none_or(|end| end > content.length) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        for (number, range, done) in parts(buf.len(), offset) {
            let to = &mut buf[done..done + range.len()];
            match content.pages.get(&number) {
                Some(page) => to.copy_from_slice(&page[range]),
                None => to.fill(0),
            }
        }
        Ok(())
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.change(|content| {
            self.check(content, buf.len() as u64, offset)?;
            for (number, range, done) in parts(buf.len(), offset) {
                let from = &buf[done..done + range.len()];
                let page = content.pages.entry(number).or_insert_with(|| Arc::new([0; PAGE]));
                Arc::make_mut(page)[range].copy_from_slice(from);
            }
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn write_zeros(&self, length: u64, offset: u64) -> io::Result<()> {
        self.change(|content| {
            self.check(content, length, offset)?;
            let end = offset + length;
            for number in offset / PAGE as u64..end.div_ceil(PAGE as u64) {
                let start = number * PAGE as u64;
                let from = offset.saturating_sub(start) as usize;
                let to = (end - start).min(PAGE as u64) as usize;
                match content.pages.get_mut(&number) {
                    _ if from == 0 && to == PAGE => drop(content.pages.remove(&number)),
                    Some(page) => Arc::make_mut(page)[from..to].fill(0),
                    None => {}
                }
            }
            Ok(())
        })
    }

    /// Zeros are what is read then.
    fn discard(&self, length: u64, offset: u64) -> io::Result<()> {
        let inside = self.content().length.saturating_sub(offset).min(length);
        self.write_zeros(inside, offset)
    }

    fn claim(&self, claim: Claim) -> io::Result<Lock> {
        wait_for(|| {
            let taken = self.claims.lock().unwrap_or_else(PoisonError::into_inner).take(claim);
            let claims = Arc::clone(&self.claims);
            let release = move || claims.lock().unwrap_or_else(PoisonError::into_inner).give_back(claim);
            Ok(taken.map(|()| Lock::new(release)))
        })
    }

    fn is_changing(&self) -> io::Result<bool> {
        Ok(self.claims.lock().unwrap_or_else(PoisonError::into_inner).change)
    }

    fn kind(&self) -> io::Result<Kind> {
        Ok(self.kind)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        if self.kind != Kind::Growable {
            return Err(ErrorKind::Unsupported.into());
        }
        let gone = self.content().length.saturating_sub(length);
        self.write_zeros(gone, length)?;
        self.change(|content| {
            content.length = length;
            Ok(())
        })
    }
}

/// A storage of a fixed length that holds these bytes.
impl From<&[u8]> for MemoryStorage {
    fn from(bytes: &[u8]) -> MemoryStorage {
        let storage = MemoryStorage::new(bytes.len() as u64);
        storage.write_at(bytes, 0).expect("it has the length");
        storage
    }
}

/// A storage of its own with the same content.
impl Clone for MemoryStorage {
    fn clone(&self) -> MemoryStorage {
        MemoryStorage::of(self.content().clone(), self.kind)
    }
}

/// Not its content.
impl core::fmt::Debug for MemoryStorage {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let length = self.content().length;
        f.debug_struct("MemoryStorage")
            .field("length", &length)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Beside plain memory, over boundaries of pages.
    #[test]
    fn holds_what_plain_memory_holds() {
        const LENGTH: u64 = 5 * PAGE as u64 + 100;
        for storage in [MemoryStorage::new(LENGTH), MemoryStorage::growable()] {
            let mut model = vec![0; LENGTH as usize];
            storage.write_at(&[0], LENGTH - 1).unwrap();
            let mut seed = 1_u64;
            let mut random = |below: u64| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (seed >> 33) % below
            };
            for step in 0..500 {
                let offset = random(LENGTH);
                let length = random((LENGTH - offset).min(3 * PAGE as u64) + 1);
                let range = offset as usize..(offset + length) as usize;
                match step % 3 {
                    0 => {
                        let bytes = vec![step as u8 | 1; length as usize];
                        storage.write_at(&bytes, offset).unwrap();
                        model[range].copy_from_slice(&bytes);
                    }
                    1 => {
                        storage.write_zeros(length, offset).unwrap();
                        model[range].fill(0);
                    }
                    _ => {
                        let mut found = vec![1; length as usize];
                        storage.read_at(&mut found, offset).unwrap();
                        assert!(found == model[range]);
                    }
                }
            }
            let mut found = vec![1; LENGTH as usize];
            storage.read_at(&mut found, 0).unwrap();
            assert!(found == model && storage.len().unwrap() == LENGTH);
            assert!(storage.read_at(&mut [0; 2], LENGTH - 1).is_err());
        }
    }

    #[test]
    fn its_end_is_as_its_kind_says() {
        let fixed = MemoryStorage::new(10);
        assert_eq!(fixed.write_at(&[1; 5], 6).unwrap_err().kind(), ErrorKind::StorageFull);
        assert!(fixed.set_len(11).is_err());
        let grows = MemoryStorage::growable();
        grows.write_at(&[1; 5000], 5000).unwrap();
        grows.set_len(6000).unwrap();
        grows.set_len(20_000).unwrap();
        let mut found = [7; 5000];
        grows.read_at(&mut found, 5000).unwrap();
        assert!(found[..1000] == [1; 1000] && found[1000..] == [0; 4000]);
        assert!(grows.write_at(&[1], u64::MAX).is_err());
    }

    #[test]
    fn a_clone_is_on_its_own() {
        let one = MemoryStorage::new(8192);
        one.write_at(&[1; 8192], 0).unwrap();
        let two = one.clone();
        one.write_at(&[2; 10], 4090).unwrap();
        let mut found = [0; 10];
        two.read_at(&mut found, 4090).unwrap();
        assert_eq!(found, [1; 10]);
    }
}
