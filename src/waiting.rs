//! Waiting for what somebody else holds: never for ever, and with the name of who holds it.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

/// How long a lock is waited for. Whoever holds one for a change does so for milliseconds, or as long as a key service
/// takes to answer.
#[cfg(feature = "volume")]
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// Who waits longer than this is told what for.
const SILENT: Duration = Duration::from_millis(500);

/// The longest pause between two attempts.
const PAUSE: Duration = Duration::from_millis(20);

/// A process that holds a lock, as far as the system tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// Its number.
    pub process: u32,
    /// The name of its program, at most 15 characters of printable ASCII; empty where it is not known. The process
    /// chose it.
    pub program: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Holder { process, program } = self;
        match (*process == std::process::id(), program.is_empty()) {
            (true, _) => write!(f, "this process ({process})"),
            (false, true) => write!(f, "process {process}"),
            (false, false) => write!(f, "process {process} ({program})"),
        }
    }
}

impl Holder {
    /// This process.
    #[cfg(feature = "volume")]
    pub(crate) fn here() -> Holder {
        Holder { process: std::process::id(), program: String::new() }
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn of(process: u32) -> Holder {
        let name = std::fs::read(format!("/proc/{process}/comm")).unwrap_or_default();
        let shown = name.trim_ascii_end().iter().take(15);
        let program =
            shown.map(|&byte| if byte.is_ascii_graphic() { char::from(byte) } else { '?' }).collect();
        Holder { process, program }
    }
}

/// That something is waited for. It is shown as one line, for people: what stands in the way, who, and how long it is
/// waited for at most.
pub struct Waiting<'a> {
    obstacle: &'a dyn fmt::Display,
    limit: Duration,
}

impl fmt::Display for Waiting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "waiting for {} s at most: {}", self.limit.as_secs_f64().ceil(), self.obstacle)
    }
}

impl fmt::Debug for Waiting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Waiting({self})")
    }
}

static TELL: OnceLock<fn(&Waiting<'_>)> = OnceLock::new();

/// Has this called whenever a call of this library has waited for half a second for a lock that somebody else holds,
/// and will wait for more than a second; once for each such wait, by the thread that waits. The first that is given
/// stays, for the whole process: it is for the program, and not for libraries in it.
pub fn on_waiting(tell: fn(&Waiting<'_>)) {
    let _ = TELL.set(tell);
}

/// Tries until it works, at most for as long as `limit` says of what stands in the way, and gives that when the time is
/// over.
pub(crate) fn wait<T, O: fmt::Display>(
    limit: impl Fn(&O) -> Duration,
    mut attempt: impl FnMut() -> io::Result<Result<T, O>>,
) -> io::Result<Result<T, O>> {
    let began = Instant::now();
    let mut told = false;
    let mut pause = Duration::from_millis(1);
    loop {
        let obstacle = match attempt()? {
            Ok(done) => return Ok(Ok(done)),
            Err(obstacle) => obstacle,
        };
        let (waited, limit) = (began.elapsed(), limit(&obstacle));
        if waited >= limit {
            return Ok(Err(obstacle));
        }
        if waited >= SILENT && limit > 2 * SILENT && !told {
            told = true;
            if let Some(tell) = TELL.get() {
                tell(&Waiting { obstacle: &obstacle, limit });
            }
        }
        thread::sleep(pause.min(limit - waited));
        pause = (pause * 2).min(PAUSE);
    }
}

/// Somebody else's lock of a whole file.
#[derive(Debug)]
pub(crate) struct InUse {
    /// What the file stands for.
    what: &'static str,
    holder: Option<Holder>,
}

impl fmt::Display for InUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.holder {
            Some(holder) => write!(f, "{holder} is using {}", self.what),
            None => write!(f, "another process is using {}", self.what),
        }
    }
}

impl std::error::Error for InUse {}

/// Waits for the lock of a file ([`File::try_lock`], [`File::try_lock_shared`]), which stands for `what`: for so long at
/// most.
///
/// # Errors
/// [`WouldBlock`](io::ErrorKind::WouldBlock), with who holds it; what the system says.
pub(crate) fn lock_file(
    file: &File,
    lock: impl Fn(&File) -> Result<(), TryLockError>,
    what: &'static str,
    limit: Duration,
) -> io::Result<()> {
    let mut known = None;
    let locked = wait(
        |_: &InUse| limit,
        || match lock(file) {
            Ok(()) => Ok(Ok(())),
            Err(TryLockError::WouldBlock) => {
                // Asked for once: there may be thousands of processes.
                let holder = known.get_or_insert_with(|| {
                    let whole = |locker: &Locker| locker.locks.iter().any(|lock| lock.whole);
                    lockers(file).into_iter().find(whole).map(|locker| locker.holder)
                });
                Ok(Err(InUse { what, holder: holder.clone() }))
            }
            Err(TryLockError::Error(error)) => Err(error),
        },
    )?;
    locked.map_err(|in_use| io::Error::new(io::ErrorKind::WouldBlock, in_use))
}

/// An open file through which somebody holds locks on a file.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "volume"), allow(dead_code, reason = "volumes look at all of it"))]
pub(crate) struct Locker {
    /// Whose it is.
    pub holder: Holder,
    /// Its number there; `None` where the system does not tell more than the process.
    pub descriptor: Option<u32>,
    /// Whether it can be written through; `false` also where that is not told.
    pub writes: bool,
    /// The locks.
    pub locks: Vec<Locked>,
}

/// A lock that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "volume"), allow(dead_code, reason = "volumes look at all of it"))]
pub(crate) struct Locked {
    /// Whether it is one of the whole file ([flock(2)](https://man7.org/linux/man-pages/man2/flock.2.html)); else one
    /// of ranges.
    pub whole: bool,
    /// Whether it keeps readers out.
    pub exclusive: bool,
    /// From this byte.
    pub first: u64,
    /// To this one.
    pub last: u64,
}

impl Locked {
    /// Whether it is a lock of ranges and this byte is in it.
    #[cfg(feature = "volume")]
    pub(crate) fn covers(&self, byte: u64) -> bool {
        !self.whole && (self.first..=self.last).contains(&byte)
    }
}

/// Who holds locks on a file, as far as /proc shows: the open files of the processes that may be looked at, and of
/// others the processes with locks that belong to one.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn lockers(file: &File) -> Vec<Locker> {
    proc::lockers(file).unwrap_or_default()
}

/// Nothing is known elsewhere.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn lockers(_file: &File) -> Vec<Locker> {
    Vec::new()
}

/// Whether somebody holds an exclusive lock of a whole file.
#[cfg(feature = "volume")]
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn is_locked_whole(file: &File) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(metadata) = file.metadata() else { return false };
    proc::table(metadata.ino()).iter().any(|(_, locked)| locked.whole && locked.exclusive)
}

/// What /proc says of locks (proc(5)).
#[cfg(any(target_os = "linux", target_os = "android"))]
mod proc {
    use std::fs::{self, File};
    use std::io;
    use std::os::unix::fs::MetadataExt as _;

    use super::{Holder, Locked, Locker};

    pub(super) fn lockers(file: &File) -> io::Result<Vec<Locker>> {
        let metadata = file.metadata()?;
        let inode = metadata.ino();
        let mut found: Vec<Locker> = Vec::new();
        for process in fs::read_dir("/proc")?.flatten() {
            let Some(process) = number(&process.file_name()) else { continue };
            let Ok(descriptors) = fs::read_dir(format!("/proc/{process}/fdinfo")) else { continue };
            for descriptor in descriptors.flatten() {
                let Ok(info) = fs::read_to_string(descriptor.path()) else { continue };
                let locks: Vec<Locked> = info
                    .lines()
                    .filter_map(|line| line.strip_prefix("lock:"))
                    .filter_map(|line| parse(line, inode).map(|(_, locked)| locked))
                    .collect();
                let Some(descriptor) = number(&descriptor.file_name()).filter(|_| !locks.is_empty()) else {
                    continue;
                };
                // Two file systems may have the same number; and the one that is shown with it is not always the one
                // that stat(2) tells.
                let same = fs::metadata(format!("/proc/{process}/fd/{descriptor}"));
                if !same.is_ok_and(|other| (other.dev(), other.ino()) == (metadata.dev(), inode)) {
                    continue;
                }
                let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
                let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
                let writes = flags.is_some_and(|flags| flags & 3 != 0);
                found.push(Locker {
                    holder: Holder::of(process),
                    descriptor: Some(descriptor),
                    writes,
                    locks,
                });
            }
        }
        // Of processes that may not be looked at.
        for (process, locked) in table(inode) {
            if let Some(process) = process
                && !found.iter().any(|locker| locker.holder.process == process)
            {
                let holder = Holder::of(process);
                found.push(Locker { holder, descriptor: None, writes: false, locks: vec![locked] });
            }
        }
        Ok(found)
    }

    /// The locks on files with this number, with the processes of those that belong to one.
    pub(super) fn table(inode: u64) -> Vec<(Option<u32>, Locked)> {
        let table = fs::read_to_string("/proc/locks").unwrap_or_default();
        table.lines().filter_map(|line| parse(line, inode)).collect()
    }

    fn number(name: &std::ffi::OsStr) -> Option<u32> {
        name.to_str()?.parse().ok()
    }

    /// `1: FLOCK  ADVISORY  WRITE 3210 fe:00:1234 0 EOF`. Those who wait for one stand there with `->`.
    fn parse(line: &str, inode: u64) -> Option<(Option<u32>, Locked)> {
        let mut words = line.split_whitespace().skip(1);
        let kind = words.next()?;
        let whole = match kind {
            "FLOCK" => true,
            "POSIX" | "OFDLCK" => false,
            _ => return None,
        };
        let (_, exclusive) = (words.next()?, words.next()? == "WRITE");
        let process = words.next()?.parse().ok().filter(|process| *process != 0);
        let of = words.next()?.rsplit(':').next()?;
        if of.parse() != Ok(inode) {
            return None;
        }
        let first = words.next()?.parse().ok()?;
        let last = match words.next()? {
            "EOF" => u64::MAX,
            last => last.parse().ok()?,
        };
        Some((process, Locked { whole, exclusive, first, last }))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_lines_of_the_table_are_read() {
            let range = |exclusive, first, last| Locked { whole: false, exclusive, first, last };
            let whole = |exclusive| Locked { whole: true, exclusive, first: 0, last: u64::MAX };
            for (line, expected) in [
                ("1: FLOCK  ADVISORY  WRITE 3210 fe:00:1234 0 EOF", Some((Some(3210), whole(true)))),
                ("12: FLOCK  ADVISORY  READ  7 fe:00:1234 0 EOF", Some((Some(7), whole(false)))),
                ("3: OFDLCK ADVISORY  READ -1 fe:00:1234 101 102", Some((None, range(false, 101, 102)))),
                ("4: POSIX  ADVISORY  WRITE 9 00:2f:1234 5 EOF", Some((Some(9), range(true, 5, u64::MAX)))),
                // Another file; somebody who waits; a lease.
                ("1: FLOCK  ADVISORY  WRITE 3210 fe:00:12345 0 EOF", None),
                ("1: -> FLOCK  ADVISORY  WRITE 3210 fe:00:1234 0 EOF", None),
                ("5: LEASE  ACTIVE    READ  9 fe:00:1234 0 EOF", None),
                ("", None),
            ] {
                assert_eq!(parse(line, 1234), expected, "{line}");
            }
        }
    }
}
