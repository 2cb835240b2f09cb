//! What a volume lies in: a run of bytes that is read and written at any offset, [`Storage`].
//!
//! | storage | what it is |
//! |---|---|
//! | [`File`](std::fs::File) | a regular file or a block device |
//! | [`MemoryStorage`] | memory, sparse; copies of it are cheap |
//! | [`FaultyStorage`] | memory that fails where it is told to, and loses its power: for tests |
//!
//! Anything else is a type that implements the trait, here or in another crate: `len`, `read_at`, `write_at` and `sync`
//! do for a store of a fixed length. This module knows nothing of volumes.

mod faulty;
mod file;
mod memory;

pub use faulty::{FaultyStorage, Operation, PowerCut};
pub use memory::MemoryStorage;

use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How much [`Storage::write_zeros`] writes at once, in bytes, where a storage has no way of its own.
const ZEROS: usize = 128 * 1024;

/// A run of bytes, read and written at any offset by any number of threads at once.
///
/// Failures are `std::io::Error`s, whose [kind](io::Error::kind) is passed on: a full disk should say
/// [`StorageFull`](ErrorKind::StorageFull), a range beyond the end [`UnexpectedEof`](ErrorKind::UnexpectedEof), a
/// request that a storage does not know [`Unsupported`](ErrorKind::Unsupported).
///
/// ```
/// use atrest::storage::{MemoryStorage, Storage};
///
/// let storage: Box<dyn Storage> = Box::new(MemoryStorage::new(1 << 20));
/// storage.write_at(b"at rest", 4000)?;
/// let mut text = [0; 7];
/// storage.read_at(&mut text, 4000)?;
/// assert_eq!(&text, b"at rest");
/// # Ok::<(), std::io::Error>(())
/// ```
#[allow(clippy::len_without_is_empty, reason = "its length may fail, and nobody asks whether it is empty")]
pub trait Storage: Send + Sync {
    /// Its length in bytes now.
    ///
    /// # Errors
    /// What the system says.
    fn len(&self) -> io::Result<u64>;

    /// Fills `buf` with the bytes at `offset`: all of it, or it fails. May be called by several threads at once, and
    /// beside writes to other ranges.
    ///
    /// # Errors
    /// [`UnexpectedEof`](ErrorKind::UnexpectedEof) where the storage ends before the range does; what the system says.
    /// The content of `buf` is undefined then.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of `buf` at `offset`. Whoever reads the range from then on gets it; that it outlives a loss of power
    /// takes [`sync`](Storage::sync).
    ///
    /// # Errors
    /// What the system says; any part of the range may be written then.
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()>;

    /// Waits until all that was written before, by whatever thread, is where a loss of power leaves it.
    ///
    /// # Errors
    /// What the system says: what was written since the last success may be lost.
    fn sync(&self) -> io::Result<()>;

    /// Makes a range read as zeros. Here zeros are written, 128 KiB at a time.
    ///
    /// # Errors
    /// As for [`write_at`](Storage::write_at).
    fn write_zeros(&self, length: u64, offset: u64) -> io::Result<()> {
        static ZERO: [u8; ZEROS] = [0; ZEROS];
        let mut done = 0;
        while done < length {
            let part = (length - done).min(ZEROS as u64);
            self.write_at(&ZERO[..part as usize], offset + done)?;
            done += part;
        }
        Ok(())
    }

    /// Gives the space of a range back (trim, unmap, a hole in a file). What is read from it afterwards is undefined
    /// until it is written. The length stays.
    ///
    /// # Errors
    /// [`Unsupported`](ErrorKind::Unsupported), always here; what the system says.
    fn discard(&self, length: u64, offset: u64) -> io::Result<()> {
        let _ = (length, offset);
        Err(ErrorKind::Unsupported.into())
    }

    /// Fills `buf` with the bytes at `offset` as they lie on the medium, past caches as far as the storage can: for
    /// what was written and synced, and is to be verified. Here an ordinary read.
    ///
    /// # Errors
    /// As for [`read_at`](Storage::read_at).
    fn read_back(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_at(buf, offset)
    }

    /// The lock of whoever changes what the storage says of itself: a volume's header. It keeps apart all that know it,
    /// among processes where the kind of storage has such a lock, and threads of this one. Waits for it, at most a few
    /// seconds. Here there is none to be had, and the lock is one that keeps nobody out.
    ///
    /// # Errors
    /// [`WouldBlock`](ErrorKind::WouldBlock) when somebody else held it all the time; what the system says.
    fn exclusive(&self) -> io::Result<Lock> {
        Ok(Lock::none())
    }

    /// The same beside others who only read.
    ///
    /// # Errors
    /// As for [`exclusive`](Storage::exclusive).
    fn shared(&self) -> io::Result<Lock> {
        self.exclusive()
    }

    /// Whether its length can be changed. [`Kind::Fixed`] here.
    ///
    /// # Errors
    /// What the system says.
    fn kind(&self) -> io::Result<Kind> {
        Ok(Kind::Fixed)
    }

    /// What it can be used for. [`Access::ReadWrite`] here.
    ///
    /// # Errors
    /// What the system says.
    fn access(&self) -> io::Result<Access> {
        Ok(Access::ReadWrite)
    }

    /// Makes a [growable](Kind::Growable) storage this long: what is new reads as zeros.
    ///
    /// # Errors
    /// [`Unsupported`](ErrorKind::Unsupported), always here; what the system says.
    fn set_len(&self, length: u64) -> io::Result<()> {
        let _ = length;
        Err(ErrorKind::Unsupported.into())
    }

    /// Sets space aside for a range that will be written, so that a full disk shows now; the length stays. Here, and
    /// where a storage cannot, nothing happens.
    ///
    /// # Errors
    /// [`StorageFull`](ErrorKind::StorageFull) and the like.
    fn reserve(&self, length: u64, offset: u64) -> io::Result<()> {
        let _ = (length, offset);
        Ok(())
    }
}

/// Whether the length of a storage can be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Writes behind the end and [`set_len`](Storage::set_len) make it longer, as with a regular file.
    Growable,
    /// Its length is given, as with a block device.
    Fixed,
    /// No storage: a directory, a pipe, a terminal.
    Unfit,
}

/// What a storage can be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Reads and writes.
    ReadWrite,
    /// Reads alone.
    ReadOnly,
    /// Writes end up at its end, whatever their offset.
    Append,
}

/// A lock that is held, until this is dropped.
#[must_use = "it is held until it is dropped"]
pub struct Lock(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Lock {
    /// One that keeps nobody out.
    pub const fn none() -> Lock {
        Lock(None)
    }

    /// One that `release` gives back.
    pub fn new(release: impl FnOnce() + Send + Sync + 'static) -> Lock {
        Lock(Some(Box::new(release)))
    }
}

/// How long a lock is waited for. cryptsetup holds it for the milliseconds of an update.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// Tries to lock until it works.
fn wait(mut attempt: impl FnMut() -> io::Result<Option<Lock>>) -> io::Result<Lock> {
    let deadline = Instant::now() + LOCK_WAIT;
    loop {
        if let Some(lock) = attempt()? {
            return Ok(lock);
        }
        if Instant::now() >= deadline {
            return Err(ErrorKind::WouldBlock.into());
        }
        thread::sleep(Duration::from_millis(20));
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(release) = self.0.take() {
            release();
        }
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock").finish_non_exhaustive()
    }
}

/// Pointers to a storage are that storage.
macro_rules! pointers {
    ($($pointer:ty),*) => {$(
        impl<S: Storage + ?Sized> Storage for $pointer {
            #[inline]
            fn len(&self) -> io::Result<u64> {
                (**self).len()
            }
            #[inline]
            fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
                (**self).read_at(buf, offset)
            }
            #[inline]
            fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
                (**self).write_at(buf, offset)
            }
            fn sync(&self) -> io::Result<()> {
                (**self).sync()
            }
            fn write_zeros(&self, length: u64, offset: u64) -> io::Result<()> {
                (**self).write_zeros(length, offset)
            }
            fn discard(&self, length: u64, offset: u64) -> io::Result<()> {
                (**self).discard(length, offset)
            }
            fn read_back(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
                (**self).read_back(buf, offset)
            }
            fn exclusive(&self) -> io::Result<Lock> {
                (**self).exclusive()
            }
            fn shared(&self) -> io::Result<Lock> {
                (**self).shared()
            }
            fn kind(&self) -> io::Result<Kind> {
                (**self).kind()
            }
            fn access(&self) -> io::Result<Access> {
                (**self).access()
            }
            fn set_len(&self, length: u64) -> io::Result<()> {
                (**self).set_len(length)
            }
            fn reserve(&self, length: u64, offset: u64) -> io::Result<()> {
                (**self).reserve(length, offset)
            }
        }
    )*};
}
pointers!(&S, Box<S>, Arc<S>);
