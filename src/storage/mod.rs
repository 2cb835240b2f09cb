//! What a volume lies in: a run of bytes that is read and written at any offset, [`Storage`].
//!
//! | storage | what it is |
//! |---|---|
//! | [`File`](std::fs::File) | a regular file or a block device |
//! | [`MemoryStorage`] | memory, sparse; copies of it are cheap |
//! | [`FaultyStorage`] | memory that fails where it is told to, and loses its power: for tests |
//! | [`Shared`] | another storage, whose data several may write at once |
//!
//! Anything else is a type that implements the trait, here or in another crate: `len`, `read_at`, `write_at` and `sync`
//! do for a store of a fixed length. This module knows nothing of volumes.

mod faulty;
mod file;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod lock;
mod memory;

pub use faulty::{FaultyStorage, Operation, PowerCut};
pub use memory::MemoryStorage;

use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use crate::waiting::{Holder, LIMIT, wait};

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

    /// Takes a lock for what is going to be done with the storage: see [`Claim`] for what keeps apart whom. Whoever
    /// stands in the way is waited for, some seconds at most. Each claim stands for itself, also within a process,
    /// whatever descriptors it shares with another.
    ///
    /// Here there is no lock to be had, and this is one that keeps nobody out: whoever uses such a storage sees to it
    /// that nobody else does.
    ///
    /// # Errors
    /// [`WouldBlock`](ErrorKind::WouldBlock), with [`Held`] in it where more is known, when somebody else held it all
    /// the time; what the system says.
    fn claim(&self, claim: Claim) -> io::Result<Lock> {
        let _ = claim;
        Ok(Lock::none())
    }

    /// Whether somebody has the claim to [change](Claim::Header) the header now: what is read of it may be half of the
    /// old and half of the new one. No lock is taken for that: who reads must not stand in the way of who changes.
    /// `false` here.
    ///
    /// # Errors
    /// What the system says.
    fn is_changing(&self) -> io::Result<bool> {
        Ok(false)
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

/// What is going to be done with a storage that others may use at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Claim {
    /// Writing its data, as whoever opens a volume for writing does: beside nobody else who claims data.
    Data,
    /// Writing its data beside others who claim the same: for those who coordinate above, as cluster file systems and
    /// the two ends of a live migration do. [`Shared`] makes this of [`Data`](Claim::Data).
    SharedData,
    /// Changing its header: beside whoever writes data, and nobody else who changes the header. What makes or destroys
    /// a volume claims both.
    Header,
}

/// Why a storage is not to be had: somebody else has claimed it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Held {
    /// What stands in the way.
    pub by: HeldBy,
    /// Who that is, where the system tells.
    pub holder: Option<Holder>,
}

/// What it is that somebody else has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeldBy {
    /// It is open for writing.
    Writer,
    /// Its header is being changed.
    Change,
    /// It is a block device that the system uses, or that is open with `O_EXCL`: mounted, mapped by dm-crypt.
    System,
    /// Its lock is held by somebody who may only read it, and so is waited for a moment.
    Reader,
}

impl Held {
    /// Without a holder.
    #[must_use]
    pub const fn by(by: HeldBy) -> Held {
        Held { by, holder: None }
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.holder, self.by) {
            (Some(holder), _) => write!(f, "{holder} ")?,
            (None, HeldBy::System) => {}
            (None, _) => f.write_str("another process ")?,
        }
        f.write_str(match (&self.holder, self.by) {
            (_, HeldBy::Writer) => "has it open for writing",
            (None, HeldBy::Change) => "is changing the header (cryptsetup, perhaps)",
            (_, HeldBy::Change) => "is changing the header",
            (None, HeldBy::System) => "the device is in use (mounted, mapped or open elsewhere)",
            (_, HeldBy::System) => "uses the device",
            (_, HeldBy::Reader) => "holds a lock on it, and may only read it",
        })
    }
}

impl std::error::Error for Held {}

/// A failure to claim.
impl From<Held> for io::Error {
    fn from(held: Held) -> io::Error {
        io::Error::new(ErrorKind::WouldBlock, held)
    }
}

/// How long somebody is waited for who can only read, and so must not keep anybody from a change; and whoever writes
/// data, for he goes on doing so unless he is ending just now.
const READER: Duration = Duration::from_secs(1);

/// How long a claim waits for what stands in its way.
fn patience(held: &Held) -> Duration {
    match held.by {
        HeldBy::Writer | HeldBy::System => READER,
        // Then it is passed over.
        HeldBy::Reader => 2 * READER,
        HeldBy::Change => LIMIT,
    }
}

/// Tries to claim until it works, at most for as long as every storage here waits: ten seconds for whoever changes the
/// header, one for whoever writes data, two for whoever can only read. For types that implement
/// [`Storage::claim`].
///
/// # Errors
/// What `attempt` gives; [`Held`], when the time is over.
pub fn wait_for(attempt: impl FnMut() -> io::Result<Result<Lock, Held>>) -> io::Result<Lock> {
    Ok(wait(patience, attempt)??)
}

/// A storage that is written by several at once, who coordinate above: [`Claim::Data`] is [`Claim::SharedData`] here,
/// so that all of them open it so, and nobody who does not.
///
/// ```
/// use atrest::storage::{Claim, MemoryStorage, Shared, Storage};
///
/// let storage = MemoryStorage::new(4096);
/// let one = Shared(&storage).claim(Claim::Data)?;
/// let two = Shared(&storage).claim(Claim::Data)?;
/// assert!(storage.claim(Claim::Data).is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Shared<S>(pub S);

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

/// All methods but [`Storage::claim`] are those of another storage.
macro_rules! through {
    ($self:ident => $inner:expr) => {
        #[inline]
        fn len(&$self) -> io::Result<u64> {
            $inner.len()
        }
        #[inline]
        fn read_at(&$self, buf: &mut [u8], offset: u64) -> io::Result<()> {
            $inner.read_at(buf, offset)
        }
        #[inline]
        fn write_at(&$self, buf: &[u8], offset: u64) -> io::Result<()> {
            $inner.write_at(buf, offset)
        }
        fn sync(&$self) -> io::Result<()> {
            $inner.sync()
        }
        fn write_zeros(&$self, length: u64, offset: u64) -> io::Result<()> {
            $inner.write_zeros(length, offset)
        }
        fn discard(&$self, length: u64, offset: u64) -> io::Result<()> {
            $inner.discard(length, offset)
        }
        fn read_back(&$self, buf: &mut [u8], offset: u64) -> io::Result<()> {
            $inner.read_back(buf, offset)
        }
        fn is_changing(&$self) -> io::Result<bool> {
            $inner.is_changing()
        }
        fn kind(&$self) -> io::Result<Kind> {
            $inner.kind()
        }
        fn access(&$self) -> io::Result<Access> {
            $inner.access()
        }
        fn set_len(&$self, length: u64) -> io::Result<()> {
            $inner.set_len(length)
        }
        fn reserve(&$self, length: u64, offset: u64) -> io::Result<()> {
            $inner.reserve(length, offset)
        }
    };
}

/// Pointers to a storage are that storage.
macro_rules! pointers {
    ($($pointer:ty),*) => {$(
        impl<S: Storage + ?Sized> Storage for $pointer {
            through!(self => (**self));

            fn claim(&self, claim: Claim) -> io::Result<Lock> {
                (**self).claim(claim)
            }
        }
    )*};
}
pointers!(&S, Box<S>, Arc<S>);

impl<S: Storage> Storage for Shared<S> {
    through!(self => self.0);

    fn claim(&self, claim: Claim) -> io::Result<Lock> {
        self.0.claim(if claim == Claim::Data { Claim::SharedData } else { claim })
    }
}
