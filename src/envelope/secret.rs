//! Memory for secrets: its own mapping between two guard pages, kept out of swap, core dumps and forked
//! children, and wiped before it is given back.
//!
//! Advice such as `MADV_DONTDUMP` works on whole pages, and fails without a word on memory that shares its
//! page with something else. That is why secrets have a type of their own instead of a wiped `Box`.
#![allow(unsafe_code)]

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
    /// The system's random number generator failed.
    #[error("no random bytes from the system: {0}")]
    Random(getrandom::Error),
    /// The secret was wiped because this process is a fork of the one that made it.
    #[error("the secret was wiped when this process was forked; unwrap the key again in this process")]
    Forked,
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
/// use atrest::envelope::Secret;
///
/// let mut bytes = [7; 32];
/// let secret = Secret::take(&mut bytes)?;
/// assert_eq!(bytes, [0; 32]);
/// assert_eq!(secret.expose(), &[7; 32]);
/// # Ok::<(), atrest::envelope::SecretError>(())
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
        getrandom::fill(secret.expose_mut()).map_err(SecretError::Random)?;
        Ok(secret)
    }

    /// The secret bytes.
    ///
    /// # Panics
    /// In a forked child whose copy was wiped, see [`Secret::is_wiped`]: going on with a key of zeros would
    /// be worse.
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
    pub fn is_wiped(&self) -> bool {
        // SAFETY: the region starts with an aligned, initialised u64. The read is volatile because a fork
        // changes the memory behind the compiler's back.
        unsafe { self.region.start().cast::<u64>().read_volatile() != ALIVE }
    }

    /// Which protections took hold for this secret.
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
mod tests {
    use super::*;

    #[test]
    fn take_moves_and_wipes() {
        let mut bytes = [9; 48];
        let mut secret = Secret::take(&mut bytes).unwrap();
        assert_eq!(bytes, [0; 48]);
        assert_eq!(secret.expose(), &[9; 48]);
        secret.expose_mut()[47] = 1;
        assert_eq!(secret.expose()[46..], [9, 1]);
        assert!(!secret.is_wiped());
    }

    #[test]
    fn new_is_zero_and_random_is_not() {
        assert_eq!(Secret::<4096>::new().unwrap().expose(), &[0; 4096]);
        let (a, b) = (Secret::<32>::random().unwrap(), Secret::<32>::random().unwrap());
        assert_ne!(a.expose(), b.expose());
        assert_ne!(a.expose()[24..], [0; 8]);
    }

    #[test]
    fn debug_and_display_are_redacted() {
        let secret = Secret::take(&mut [0xa5; 16]).unwrap();
        assert_eq!(format!("{secret:?} {secret:#?}"), "Secret<16>(..) Secret<16>(..)");
        let mut protection =
            Protection { guarded: true, locked: true, undumpable: true, wiped_on_fork: true };
        assert!(protection.is_full());
        assert_eq!(protection.to_string(), "full");
        (protection.locked, protection.wiped_on_fork) = (false, false);
        assert!(!protection.is_full());
        assert_eq!(protection.to_string(), "without mlock, wipe-on-fork");
    }

    /// The fallback of other platforms holds bytes, all of them its own, and claims no protection.
    #[test]
    fn plain_memory_claims_nothing() {
        for size in [MARK + 1, MARK + 32, MARK + 128] {
            let region = plain::Region::new(size).unwrap();
            assert!(region.len >= size && region.len < size + 8);
            // SAFETY: the region is `len` bytes, and nothing else refers to it.
            let bytes = unsafe { core::slice::from_raw_parts_mut(region.start(), region.len) };
            assert!(bytes.iter().all(|byte| *byte == 0));
            bytes.fill(0xff);
            let missing = "without guard pages, mlock, dump exclusion, wipe-on-fork";
            assert_eq!(region.protection.to_string(), missing);
        }
    }

    #[cfg(target_os = "linux")]
    mod linux {
        use super::super::*;
        use std::{io, os::unix::process::CommandExt, process::Command, sync::Arc};

        /// The mapping of `address`: its permissions and `VmFlags`, and the permissions of its two neighbours.
        fn mapping(address: usize) -> (String, String, [String; 2]) {
            let text = std::fs::read_to_string("/proc/self/smaps").unwrap();
            let mut maps: Vec<(usize, usize, String, String)> = Vec::new();
            for line in text.lines() {
                let mut words = line.split_whitespace();
                let first = words.next().unwrap_or_default();
                let ends = first.split_once('-').map(|(a, b)| [a, b].map(|n| usize::from_str_radix(n, 16)));
                if let Some([Ok(start), Ok(end)]) = ends {
                    maps.push((start, end, words.next().unwrap().to_owned(), String::new()));
                } else if first == "VmFlags:" {
                    maps.last_mut().unwrap().3 = format!("{line} ");
                }
            }
            let i = maps.iter().position(|map| (map.0..map.1).contains(&address)).unwrap();
            let (before, map, after) = (&maps[i - 1], &maps[i], &maps[i + 1]);
            assert_eq!((before.1, after.0), (map.0, map.1), "the neighbours touch");
            (map.2.clone(), map.3.clone(), [before.2.clone(), after.2.clone()])
        }

        #[test]
        fn the_kernel_agrees_about_the_protection() {
            let secret = Secret::<64>::random().unwrap();
            let start = secret.expose().as_ptr().addr();
            let (own, flags, neighbours) = mapping(start);
            assert_eq!(own, "rw-p");
            assert_eq!(neighbours, ["---p", "---p"]);
            let protection = secret.protection();
            assert!(protection.guarded && protection.undumpable && protection.wiped_on_fork, "{protection}");
            assert!(flags.contains(" dd ") && flags.contains(" wf "), "{flags}");
            assert_eq!(flags.contains(" lo "), protection.locked, "{flags}");
            let page = rustix::param::page_size();
            assert_eq!((start + 64) % page, 0, "the secret ends at the guard page");
        }

        #[test]
        fn sizes_around_a_page_stay_between_the_guards() {
            let page = rustix::param::page_size();
            assert_eq!(page % 4096, 0);
            let mut large = Secret::<4096>::new().unwrap();
            large.expose_mut().fill(0xff);
            assert_eq!(mapping(large.expose().as_ptr().addr()).2, ["---p", "---p"]);
            assert!(!large.is_wiped(), "the mark before the secret is untouched");
        }

        /// Runs `check` in a forked child, which must not allocate, and gives what it answered.
        fn in_child(user: Option<u32>, check: impl Fn() -> bool + Send + Sync + 'static) -> bool {
            let mut command = Command::new("true");
            if let Some(user) = user {
                command.uid(user);
            }
            let check = move || if check() { Ok(()) } else { Err(io::Error::from_raw_os_error(95)) };
            // SAFETY: the closure reads memory and makes system calls, all of which a forked child may do.
            let child = unsafe { command.pre_exec(check) }.status();
            match child {
                Ok(status) => status.success(),
                Err(error) => {
                    assert_eq!(error.raw_os_error(), Some(95), "{error}");
                    false
                }
            }
        }

        #[test]
        fn a_fork_finds_the_secret_wiped() {
            let secret = Arc::new(Secret::take(&mut [0xa5; 32]).unwrap());
            let theirs = Arc::clone(&secret);
            assert!(in_child(None, move || theirs.is_wiped()));
            let theirs = Arc::clone(&secret);
            assert!(in_child(None, move || {
                // SAFETY: the 32 bytes are mapped in the child too; `expose` would panic here.
                let bytes = unsafe { core::ptr::read_volatile(theirs.bytes()) };
                bytes == [0; 32]
            }));
            assert_eq!(secret.expose(), &[0xa5; 32], "the parent keeps it");
        }

        #[test]
        fn keys_are_not_derived_in_a_fork() {
            use crate::envelope::{RootKey, Uuid};
            let root = RootKey::generate().unwrap();
            assert!(in_child(None, move || matches!(root.derive(Uuid::nil()), Err(SecretError::Forked))));
        }

        #[test]
        fn a_refused_lock_is_reported() {
            use rustix::process::{Resource, Rlimit, geteuid, setrlimit};
            // The superuser may lock beyond any limit.
            let user = geteuid().is_root().then_some(65534);
            assert!(in_child(user, || {
                let none = Rlimit { current: Some(0), maximum: Some(0) };
                let secret = setrlimit(Resource::Memlock, none).ok().and_then(|()| Secret::<32>::new().ok());
                secret.is_some_and(|secret| {
                    let protection = secret.protection();
                    !protection.locked && protection.undumpable && !protection.is_full()
                })
            }));
        }
    }
}
