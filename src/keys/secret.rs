//! Memory for secrets: its own mapping between two guard pages, kept out of swap, core dumps and forked
//! children, and wiped before it is given back.
//!
//! Advice such as `MADV_DONTDUMP` works on whole pages, and fails without a word on memory that shares its
//! page with something else. That is why secrets have a type of their own instead of a wiped `Box`.
#![allow(unsafe_code)]

use super::{ErrorClass, ProviderError};
use crate::Code;
use core::fmt;
use zeroize::Zeroize;

/// Why a secret could not be made or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The system gave no memory for the secret.
    #[error(
        "no guarded memory for a secret of {size} bytes: {source}; free memory or raise the limit on mappings"
    )]
    Memory {
        /// The size that was asked for, in bytes.
        size: usize,
        /// What the system answered.
        source: std::io::Error,
    },
    /// The system's random number generator failed, as the system says.
    #[error("no random bytes from the system: {0}")]
    Random(std::io::Error),
    /// The secret was wiped because this process is a fork of the one that made it.
    #[error("the secret was wiped when this process was forked; unwrap the key again in this process")]
    Forked,
}

impl SecretError {
    /// What kind of failure of a provider this is.
    pub(super) const fn class(&self) -> ErrorClass {
        match self {
            SecretError::Memory { .. } => ErrorClass::Secret,
            SecretError::Random(_) => ErrorClass::Random,
            SecretError::Forked => ErrorClass::Forked,
        }
    }

    /// What programs call it: [`Code::SecretMemory`], [`Code::Random`] or [`Code::Forked`].
    #[must_use]
    pub const fn code(&self) -> Code {
        self.class().code()
    }
}

impl From<SecretError> for ProviderError {
    fn from(error: SecretError) -> ProviderError {
        ProviderError::new(error.class(), error.to_string())
    }
}

/// Fills `bytes` from the system's random number generator: for nonces and salts. Keys come from [`Secret::random`].
///
/// # Errors
/// [`SecretError::Random`].
pub fn fill_random(bytes: &mut [u8]) -> Result<(), SecretError> {
    getrandom::fill(bytes).map_err(|error| {
        SecretError::Random(match error.raw_os_error() {
            Some(number) => std::io::Error::from_raw_os_error(number),
            None => std::io::Error::other(error.to_string()),
        })
    })
}

/// Which protections took hold for one [`Secret`]; guard pages and wiping on drop come on top.
///
/// A protection may be missing because the platform has none, or because a limit (`RLIMIT_MEMLOCK`) or an old
/// kernel refused it. The secret works all the same; what to do about it is the caller's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Protection {
    /// The secret's pages have inaccessible neighbours on both sides.
    pub guarded: bool,
    /// The pages are never written to swap (`mlock`).
    pub locked: bool,
    /// The pages are left out of core dumps (`MADV_DONTDUMP`).
    pub undumpable: bool,
    /// A forked child finds the pages wiped (`MADV_WIPEONFORK`).
    pub wiped_on_fork: bool,
}

impl Protection {
    /// Whether every protection took hold.
    #[must_use]
    pub const fn is_full(self) -> bool {
        self.guarded && self.locked && self.undumpable && self.wiped_on_fork
    }
}

impl fmt::Display for Protection {
    /// `full`, or the names of what is missing: `without mlock, wipe-on-fork`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_full() {
            return f.write_str("full");
        }
        let all = [
            (self.guarded, "guard pages"),
            (self.locked, "mlock"),
            (self.undumpable, "dump exclusion"),
            (self.wiped_on_fork, "wipe-on-fork"),
        ];
        let mut lead = "without ";
        for (_, name) in all.iter().filter(|(held, _)| !held) {
            write!(f, "{lead}{name}")?;
            lead = ", ";
        }
        Ok(())
    }
}

/// `N` secret bytes in memory of their own, wiped on drop.
///
/// The bytes end where the rear guard page begins, so that the first byte read or written past them faults.
/// Each secret takes one page of locked memory (more when `N` exceeds a page less 8 bytes) and two pages of
/// address space. Neither `Clone` nor comparison is offered: copies are what this type is there to avoid.
///
/// ```
/// use atrest::keys::Secret;
///
/// let mut bytes = [7; 32];
/// let secret = Secret::take(&mut bytes)?;
/// assert_eq!(bytes, [0; 32]);
/// assert_eq!(secret.expose(), &[7; 32]);
/// # Ok::<(), atrest::keys::SecretError>(())
/// ```
pub struct Secret<const N: usize> {
    region: Region,
}

/// Written before the secret. A fork that wipes the pages wipes this too, which is how the child can tell
/// "all zero because wiped" from "all zero because the secret is".
const ALIVE: u64 = u64::from_le_bytes(*b"atrest\x01\x02");
const MARK: usize = size_of::<u64>();

impl<const N: usize> Secret<N> {
    /// `N` zero bytes, to be filled through [`Secret::expose_mut`].
    ///
    /// # Errors
    /// [`SecretError::Memory`] when the system has no memory to map. A refused `mlock` or `madvise` is no
    /// error; see [`Secret::protection`].
    pub fn new() -> Result<Self, SecretError> {
        const { assert!(N > 0 && N <= 1 << 20, "a secret is 1 byte to 1 MiB") };
        let region = Region::new(MARK + N).map_err(|source| SecretError::Memory { size: N, source })?;
        // SAFETY: the region is at least MARK + N writable bytes, its start is page-aligned, and nothing else
        // knows it yet.
        unsafe { region.start().cast::<u64>().write_volatile(ALIVE) };
        Ok(Secret { region })
    }

    /// Moves `source` into a secret, and wipes `source` whether that succeeds or not.
    ///
    /// # Errors
    /// As [`Secret::new`].
    pub fn take(source: &mut [u8; N]) -> Result<Self, SecretError> {
        let secret = Self::new().map(|mut secret| {
            secret.expose_mut().copy_from_slice(source);
            secret
        });
        source.zeroize();
        secret
    }

    /// `N` bytes of the system's random number generator, written straight into the secret memory.
    ///
    /// # Errors
    /// As [`Secret::new`], and [`SecretError::Random`].
    pub fn random() -> Result<Self, SecretError> {
        let mut secret = Self::new()?;
        fill_random(secret.expose_mut())?;
        Ok(secret)
    }

    /// The secret bytes.
    ///
    /// # Panics
    /// In a forked child whose copy was wiped, see [`Secret::is_wiped`]: going on with a key of zeros would
    /// be worse.
    #[must_use]
    pub fn expose(&self) -> &[u8; N] {
        self.assert_alive();
        // SAFETY: `bytes` points at N initialised bytes inside the region, which lives as long as `self`; the
        // shared borrow of `self` keeps `expose_mut` away.
        unsafe { &*self.bytes() }
    }

    /// The secret bytes, to be written.
    ///
    /// # Panics
    /// As [`Secret::expose`].
    pub fn expose_mut(&mut self) -> &mut [u8; N] {
        self.assert_alive();
        // SAFETY: as in `expose`; the exclusive borrow of `self` makes this the only reference.
        unsafe { &mut *self.bytes() }
    }

    /// Whether this process is a fork of the one that made the secret, and finds it wiped.
    #[must_use]
    pub fn is_wiped(&self) -> bool {
        // SAFETY: the region starts with an aligned, initialised u64. The read is volatile because a fork
        // changes the memory behind the compiler's back.
        unsafe { self.region.start().cast::<u64>().read_volatile() != ALIVE }
    }

    /// Which protections took hold for this secret.
    #[must_use]
    pub fn protection(&self) -> Protection {
        self.region.protection
    }

    fn assert_alive(&self) {
        assert!(!self.is_wiped(), "a secret was used in a forked process, where it is wiped");
    }

    fn bytes(&self) -> *mut [u8; N] {
        // SAFETY: `Region::new(MARK + N)` made at least that many bytes, so the last N of them are inside the
        // region and after the mark.
        unsafe { self.region.start().add(self.region.len - N).cast() }
    }
}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret<{N}>(..)")
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        // SAFETY: the region is `len` writable bytes and is not used after this.
        unsafe { core::slice::from_raw_parts_mut(self.region.start(), self.region.len) }.zeroize();
    }
}

// SAFETY: the region is plain memory that the secret alone owns; it is tied to no thread.
unsafe impl<const N: usize> Send for Secret<N> {}
// SAFETY: `&Secret` only reads; writing needs `&mut Secret`.
unsafe impl<const N: usize> Sync for Secret<N> {}

#[cfg(unix)]
use guarded::Region;
#[cfg(not(unix))]
use plain::Region;

#[cfg(unix)]
mod guarded {
    use super::Protection;
    use core::{ffi::c_void, ptr};
    use rustix::mm::{MapFlags, MprotectFlags, ProtFlags};

    /// Readable and writable pages with an inaccessible page before and after them.
    pub struct Region {
        map: *mut u8,
        page: usize,
        /// Bytes between the guard pages: a whole number of pages.
        pub len: usize,
        pub protection: Protection,
    }

    impl Region {
        /// Zeroed pages for at least `size` bytes.
        pub fn new(size: usize) -> std::io::Result<Region> {
            let page = rustix::param::page_size();
            let len = size.next_multiple_of(page);
            // SAFETY: a new anonymous mapping at an address of the kernel's choice touches no other memory.
            let map = unsafe {
                rustix::mm::mmap_anonymous(
                    ptr::null_mut(),
                    len + 2 * page,
                    ProtFlags::empty(),
                    MapFlags::PRIVATE,
                )
            }?
            .cast::<u8>();
            let protection =
                Protection { guarded: true, locked: false, undumpable: false, wiped_on_fork: false };
            // From here on, dropping `region` unmaps it.
            let mut region = Region { map, page, len, protection };
            let start = region.start().cast::<c_void>();
            // SAFETY: `start..start + len` are the middle pages of the mapping made above, which nothing else
            // uses.
            unsafe { rustix::mm::mprotect(start, len, MprotectFlags::READ | MprotectFlags::WRITE) }?;
            // SAFETY: as above; locking does not change what the pages hold.
            region.protection.locked = unsafe { rustix::mm::mlock(start, len) }.is_ok();
            #[cfg(any(target_os = "linux", target_os = "android"))]
            {
                use rustix::mm::{Advice, madvise};
                // SAFETY: as above; this advice changes core dumps alone.
                region.protection.undumpable = unsafe { madvise(start, len, Advice::LinuxDontDump) }.is_ok();
                // SAFETY: as above; this advice changes what a forked child sees, which `is_wiped` detects.
                region.protection.wiped_on_fork =
                    unsafe { madvise(start, len, Advice::LinuxWipeOnFork) }.is_ok();
            }
            Ok(region)
        }

        /// The first byte after the front guard page.
        pub fn start(&self) -> *mut u8 {
            // SAFETY: the mapping is `len + 2 * page` bytes.
            unsafe { self.map.add(self.page) }
        }
    }

    impl Drop for Region {
        fn drop(&mut self) {
            // SAFETY: exactly the mapping that `new` made, unmapped once. It cannot fail for a whole mapping,
            // and there is nothing to do about it if it does.
            let _ = unsafe { rustix::mm::munmap(self.map.cast(), self.len + 2 * self.page) };
        }
    }
}

/// Where there is no `mmap`: the heap, with none of the protections, and saying so. Compiled for tests on every
/// platform, so that it cannot rot.
#[cfg(any(not(unix), test))]
mod plain {
    use super::Protection;

    pub struct Region {
        words: Box<[core::cell::UnsafeCell<u64>]>,
        pub len: usize,
        pub protection: Protection,
    }

    impl Region {
        pub fn new(size: usize) -> std::io::Result<Region> {
            let words: Box<[_]> = (0..size.div_ceil(8)).map(|_| Default::default()).collect();
            let len = words.len() * 8;
            let protection =
                Protection { guarded: false, locked: false, undumpable: false, wiped_on_fork: false };
            Ok(Region { words, len, protection })
        }

        pub fn start(&self) -> *mut u8 {
            self.words.as_ptr().cast::<u8>().cast_mut()
        }
    }
}

#[cfg(test)]
mod tests;
