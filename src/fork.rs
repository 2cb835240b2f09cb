//! Whether this process is a fork of another: threads, locks and sockets of its parent do not work in it.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicU32, Ordering};

/// The process that something was made in. A fork is another process, and so is a fork of that.
///
/// Locks that another thread held at the time of a fork stay locked in the child for ever, and threads are not there at
/// all; what has either remembers its process, and looks before it uses them. That costs a read of memory: the system
/// is not asked.
///
/// ```
/// use atrest::Process;
///
/// let made_in = Process::current();
/// assert!(made_in.is_current());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process(u32);

/// How many processes in the line from the first one to this have asked. A fork inherits it, so that a number that it
/// takes from here is none of its ancestors'.
static TAKEN: AtomicU32 = AtomicU32::new(0);

impl Process {
    /// The process that calls this.
    #[must_use]
    pub fn current() -> Process {
        let Some(mark) = mark() else { return Process(std::process::id()) };
        match mark.load(Ordering::Acquire) {
            0 => Process::first_call(mark),
            number => Process(number),
        }
    }

    /// Whether this process is that one, and not a fork of it.
    #[must_use]
    pub fn is_current(self) -> bool {
        self == Process::current()
    }

    /// A number that tells it from its ancestors and from its forks, and not from other processes.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Gives this process a number: it is the first one that asks, or a fork whose mark was wiped.
    #[cold]
    fn first_call(mark: &AtomicU32) -> Process {
        let number = TAKEN.fetch_add(1, Ordering::AcqRel).wrapping_add(1).max(1);
        match mark.compare_exchange(0, number, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Process(number),
            // Another thread was faster.
            Err(theirs) => Process(theirs),
        }
    }
}

/// A number in a page of its own that the system wipes in a forked child (`MADV_WIPEONFORK`, Linux 4.14); `None` where
/// the system has no such pages, or no page: then the system is asked for the number of the process each time.
///
/// Without a lock: a thread may fork while another one is here.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline]
fn mark() -> Option<&'static AtomicU32> {
    use core::{ptr, sync::atomic::AtomicPtr};

    static MARK: AtomicPtr<AtomicU32> = AtomicPtr::new(ptr::null_mut());
    /// Stands for a page that was not to be had.
    static NONE: AtomicU32 = AtomicU32::new(0);

    #[cold]
    fn map() -> *mut AtomicU32 {
        let new = page().unwrap_or(ptr::from_ref(&NONE).cast_mut());
        match MARK.compare_exchange(ptr::null_mut(), new, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => new,
            // One page too many, once in the life of a process.
            Err(theirs) => theirs,
        }
    }

    let found = MARK.load(Ordering::Acquire);
    let found = if found.is_null() { map() } else { found };
    // SAFETY: `NONE`, or the beginning of a page that `page` mapped: aligned, at first zero, and never unmapped.
    (!ptr::eq(found, &NONE)).then(|| unsafe { &*found })
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn mark() -> Option<&'static AtomicU32> {
    None
}

/// A new page of zeros that a forked child finds wiped.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn page() -> Option<*mut AtomicU32> {
    use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

    let length = rustix::param::page_size();
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new anonymous mapping at an address of the kernel's choice touches no other memory.
    let page = unsafe { mmap_anonymous(core::ptr::null_mut(), length, access, MapFlags::PRIVATE) }.ok()?;
    // SAFETY: the mapping made above, which nothing else uses; the advice changes what a forked child sees.
    if unsafe { madvise(page, length, Advice::LinuxWipeOnFork) }.is_ok() {
        return Some(page.cast());
    }
    // SAFETY: exactly the mapping made above, which nobody has seen.
    let _ = unsafe { munmap(page, length) };
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_threads_are_of_one_process() {
        let here = Process::current();
        let others: Vec<_> = (0..8).map(|_| std::thread::spawn(Process::current)).collect();
        assert!(others.into_iter().all(|other| other.join().unwrap() == here));
        assert!(here.is_current() && here.number() != 0);
    }

    /// By a program that is started: what runs between its fork and its `exec` runs in the fork.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_fork_is_another_process_and_stays_one() {
        use std::os::unix::process::CommandExt as _;
        let here = Process::current();
        let mut program = std::process::Command::new("true");
        let check = move || {
            let other = Process::current();
            // The same answer each time, which is not the parent's.
            let holds = !here.is_current() && other.is_current() && other != here;
            if holds { Ok(()) } else { Err(std::io::ErrorKind::Other.into()) }
        };
        // SAFETY: it reads and writes atomics, and allocates nothing.
        unsafe { program.pre_exec(check) };
        assert!(program.status().unwrap().success());
        assert!(here.is_current());
    }
}
