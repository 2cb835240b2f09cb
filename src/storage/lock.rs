//! The locks of regular files and block devices on Linux: who keeps out whom, among programs that know each other's.
//!
//! | lock | who takes it | whom it keeps out |
//! |---|---|---|
//! | byte [`DATA`] | whoever writes data | whoever else does |
//! | byte [`HEADER`] | whoever changes the header | whoever else does |
//! | bytes [`WRITES`] and [`ALONE`], to read | both | QEMU, which marks and looks at these bytes itself |
//! | the file (`flock`), or `/run/cryptsetup/L_MAJOR:MINOR` | whoever changes the header | cryptsetup |
//! | the device (`O_EXCL`) | whoever writes data | mounts, dm-crypt, RAID, LVM |
//!
//! Bytes are locked by OFD locks (fcntl(2)), each claim through an open file of its own: so claims of one process keep
//! each other out, a forked child holds what its parent held, and a lock ends when the last of them is done with it.
//!
//! **Whoever can only read keeps nobody out.** A lock to read needs no right to write, and `flock` needs none at all.
//! So such locks count where /proc shows that their holder can write; any other is waited for a moment, and then passed
//! over. A lock to write needs the right to write, and counts always. Where somebody's lock to read is in the way of
//! ours to write, a lock to read and one of [`SLOTS`] stand for it.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::sync::{Mutex, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;

use super::{Access, Claim, Held, HeldBy, Lock, READER, Storage, wait_for};
use crate::Process;
use crate::waiting::{Holder, Locker, is_locked_whole, lockers};

/// Where this library's own bytes begin: beyond the end of any file, for some network file systems keep off reads and
/// writes of what is locked.
const OWN: u64 = 1 << 62;
/// That of whoever changes the header.
const HEADER: u64 = OWN;
/// That of whoever writes data.
const DATA: u64 = OWN + 0x1000;
/// Behind each of these two, bytes of which one is locked, to write, by whoever has only a lock to read on it: first
/// those for holders who share, then those for holders who do not.
const SLOTS: u64 = 32;

/// QEMU's (`block/file-posix.c`): a lock to read on the byte 100 + n says "I do this", on 200 + n "nobody else may",
/// where 1 is for writing. QEMU looks whether anybody has the other byte before it begins.
const WRITES: u64 = 101;
const ALONE: u64 = 201;

/// Where cryptsetup has its locks of block devices.
const CRYPTSETUP: &str = "/run/cryptsetup";

/// How often /proc is asked while something is waited for.
const LOOK: Duration = Duration::from_millis(500);

/// Claims a file.
pub(super) fn claim(file: &File, claim: Claim) -> io::Result<Lock> {
    match Own::open(file, claim) {
        Ok(own) => take(own),
        // It was opened by somebody who may do more, or /proc is not there.
        Err(_) => take(Own::share(file, claim)?),
    }
}

/// Waits until all is taken.
fn take(mut own: Own) -> io::Result<Lock> {
    let began = Instant::now();
    let mut seen = Seen { at: None, lockers: Vec::new() };
    let mut lock = wait_for(|| {
        let taken = own.take(&mut seen, began.elapsed() >= READER)?;
        Ok(taken.map(|()| Lock::none()).inspect_err(|_| own.release()))
    })?;
    lock.0 = Some(Box::new(move || drop(own)));
    Ok(lock)
}

/// Whether somebody changes the header.
pub(super) fn is_changing(file: &File) -> io::Result<bool> {
    if unless_unsupported(look(file, HEADER))? == Some(Found::ToWrite) {
        return Ok(true);
    }
    match device(file)? {
        None => Ok(is_locked_whole(file)),
        Some(device) => Ok(File::open(resource(device)).is_ok_and(|lock| is_locked_whole(&lock))),
    }
}

/// Who holds locks on the file, as it was seen some time ago.
struct Seen {
    at: Option<Instant>,
    lockers: Vec<Locker>,
}

impl Seen {
    /// Not older than [`LOOK`], or of now.
    fn lockers(&mut self, own: &File, now: bool) -> &[Locker] {
        if now || self.at.is_none_or(|at| at.elapsed() >= LOOK) {
            let mine = own.as_raw_fd() as u32;
            let is_mine = |locker: &Locker| {
                locker.holder.process == std::process::id() && locker.descriptor == Some(mine)
            };
            self.lockers = lockers(own);
            self.lockers.retain(|locker| !is_mine(locker));
            self.at = Some(Instant::now());
        }
        &self.lockers
    }
}

/// An open file that is locked for one claim.
struct Own {
    file: File,
    claim: Claim,
    /// It can be written, as locks to write need.
    writable: bool,
    /// Where this shares its open file with whoever gave it, as that cannot be opened anew: which file it is, among
    /// [`SHARING`].
    entry: Option<Entry>,
    /// Whether it is there.
    entered: bool,
    /// What is locked in the file.
    bytes: Vec<u64>,
    /// Whether `flock` is held.
    whole: bool,
    /// The device, exclusively.
    device: Option<File>,
    cryptsetup: Option<Resource>,
}

/// A part of a claim.
type Step = fn(&mut Own, &mut Seen, bool) -> io::Result<Result<(), Held>>;

impl Own {
    /// An open file of its own.
    fn open(given: &File, claim: Claim) -> io::Result<Own> {
        let writable = given.access()? == Access::ReadWrite;
        Ok(Own::with(reopen(given, writable, OFlags::empty())?, claim, writable, None))
    }

    /// The open file that is given, which others may have as well.
    fn share(given: &File, claim: Claim) -> io::Result<Own> {
        let writable = given.access()? == Access::ReadWrite;
        Ok(Own::with(given.try_clone()?, claim, writable, Some(Entry::of(given, claim)?)))
    }

    fn with(file: File, claim: Claim, writable: bool, entry: Option<Entry>) -> Own {
        let (entered, bytes, whole) = (false, Vec::new(), false);
        Own { file, claim, writable, entry, entered, bytes, whole, device: None, cryptsetup: None }
    }

    /// Takes all that the claim needs; `passes` over those who can only read. What is taken when it fails is to be
    /// [released](Own::release).
    fn take(&mut self, seen: &mut Seen, passes: bool) -> io::Result<Result<(), Held>> {
        if let Some(entry) = self.entry {
            self.entered = entry.enter();
            if !self.entered {
                return Ok(Err(Held { by: self.kind(), holder: Some(Holder::here()) }));
            }
        }
        let shared = self.claim == Claim::SharedData;
        let steps: [Step; 3] = match self.claim {
            Claim::Header => [Own::take_byte, Own::take_qemu, Own::take_cryptsetup],
            _ if shared => [Own::take_byte, Own::take_qemu, |_, _, _| Ok(Ok(()))],
            _ => [Own::take_byte, Own::take_qemu, Own::take_device],
        };
        for step in steps {
            if let Err(held) = step(self, seen, passes)? {
                return Ok(Err(held));
            }
        }
        Ok(Ok(()))
    }

    /// What somebody else has who stands in the way of this.
    fn kind(&self) -> HeldBy {
        if self.claim == Claim::Header { HeldBy::Change } else { HeldBy::Writer }
    }

    fn byte(&self) -> u64 {
        if self.claim == Claim::Header { HEADER } else { DATA }
    }

    /// This library's own lock.
    fn take_byte(&mut self, seen: &mut Seen, passes: bool) -> io::Result<Result<(), Held>> {
        let (byte, shared) = (self.byte(), self.claim == Claim::SharedData);
        let (sharers, others) = (byte + 1..byte + 1 + SLOTS, byte + 1 + SLOTS..byte + 1 + 2 * SLOTS);
        if !shared && self.writable && self.lock(Kind::ToWrite, byte)? {
            return Ok(Ok(()));
        }
        let held = |own: &Own, holder| Ok(Err(Held { by: own.kind(), holder }));
        if unless_unsupported(look(&self.file, byte))? == Some(Found::ToWrite) {
            let lockers = seen.lockers(&self.file, false);
            let holder = holder(lockers, |locker| has(locker, byte, true)).cloned();
            return held(self, holder);
        }
        if !shared && !passes {
            // Whoever it is, he gets a moment to be done.
            let lockers = seen.lockers(&self.file, false);
            let writer = holder(lockers, |locker| locker.writes && has(locker, byte, false)).cloned();
            if writer.is_some() || self.is_taken(sharers.start..others.end)? {
                return held(self, writer);
            }
            if self.writable {
                let holder = holder(lockers, |locker| has(locker, byte, false)).cloned();
                return Ok(Err(Held { by: HeldBy::Reader, holder }));
            }
        }
        // Marked first, then looked: of two who do so at once neither misses the other.
        if !self.lock(Kind::ToRead, byte)? {
            return held(self, None);
        }
        if self.writable {
            let mine = if shared { sharers.clone() } else { others.clone() };
            for slot in mine {
                if self.lock(Kind::ToWrite, slot)? {
                    break;
                }
            }
        }
        let taken = self.is_taken(if shared { others } else { sharers.start..others.end })?;
        if taken || !shared {
            let lockers = seen.lockers(&self.file, true);
            let writer = holder(lockers, |locker| locker.writes && has(locker, byte, false)).cloned();
            if taken || writer.is_some() {
                return held(self, writer);
            }
        }
        Ok(Ok(()))
    }

    /// Whether somebody else has a lock to write on one of these bytes.
    fn is_taken(&self, bytes: Range<u64>) -> io::Result<bool> {
        for byte in bytes {
            if unless_unsupported(look(&self.file, byte))? == Some(Found::ToWrite) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// QEMU's locks, as QEMU takes and tests them.
    fn take_qemu(&mut self, seen: &mut Seen, passes: bool) -> io::Result<Result<(), Held>> {
        if is_smb(&self.file) {
            // There nobody could write the header through another open file.
            return Ok(Ok(()));
        }
        let shared = self.claim == Claim::SharedData;
        let (marks, looks) = match shared {
            true => (&[WRITES][..], &[ALONE][..]),
            false => (&[WRITES, ALONE][..], &[WRITES, ALONE][..]),
        };
        for &byte in marks {
            if !self.lock(Kind::ToRead, byte)? {
                return Ok(Err(Held::by(HeldBy::Writer)));
            }
        }
        // Whoever changes the header while another one writes data need not look: that one has, and the other way round.
        let other = if self.claim == Claim::Header { DATA } else { HEADER };
        if self.is_taken(other..other + 1 + 2 * SLOTS)? {
            return Ok(Ok(()));
        }
        for &byte in looks {
            let found = unless_unsupported(look(&self.file, byte))?;
            if found.is_none() {
                continue;
            }
            let lockers = seen.lockers(&self.file, passes);
            // Claims of this library are told by its own bytes, and judged by those; but for one of data that is alone, and
            // could lock no byte to write.
            let alone = |locker: &Locker| {
                self.claim != Claim::Header && has(locker, DATA, false) && has(locker, ALONE, false)
            };
            let ours = |locker: &Locker| {
                locker.locks.iter().any(|lock| !lock.whole && lock.first >= OWN) && !alone(locker)
            };
            let at = |locker: &Locker| has(locker, byte, false) && !ours(locker);
            let writer = holder(lockers, |locker| locker.writes && at(locker)).cloned();
            if writer.is_some() || found == Some(Found::ToWrite) {
                return Ok(Err(Held { by: HeldBy::Writer, holder: writer }));
            }
            if !passes && !lockers.iter().any(|locker| has(locker, byte, false) && ours(locker)) {
                let holder = holder(lockers, at).cloned();
                return Ok(Err(Held { by: HeldBy::Reader, holder }));
            }
        }
        Ok(Ok(()))
    }

    /// cryptsetup's lock of headers.
    fn take_cryptsetup(&mut self, seen: &mut Seen, passes: bool) -> io::Result<Result<(), Held>> {
        if !self.writable {
            return Ok(Ok(()));
        }
        if let Some(device) = device(&self.file)? {
            return Ok(match Resource::lock(device) {
                Ok(resource) => {
                    self.cryptsetup = resource;
                    Ok(())
                }
                Err(holder) => Err(Held { by: HeldBy::Change, holder }),
            });
        }
        match flock(&self.file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => self.whole = true,
            Err(Errno::WOULDBLOCK) => {
                let lockers = seen.lockers(&self.file, passes);
                let whole = |locker: &Locker| locker.locks.iter().any(|lock| lock.whole);
                let writer = holder(lockers, |locker| locker.writes && whole(locker)).cloned();
                if writer.is_some() {
                    return Ok(Err(Held { by: HeldBy::Change, holder: writer }));
                }
                if !passes {
                    let holder = holder(lockers, whole).cloned();
                    return Ok(Err(Held { by: HeldBy::Reader, holder }));
                }
            }
            // A file system without locks has no cryptsetup that holds one either.
            Err(error) if is_unsupported(error.raw_os_error()) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(Ok(()))
    }

    /// The device's exclusive use.
    fn take_device(&mut self, _: &mut Seen, _: bool) -> io::Result<Result<(), Held>> {
        if self.entry.is_some() || device(&self.file)?.is_none() {
            return Ok(Ok(()));
        }
        match reopen(&self.file, self.writable, OFlags::EXCL) {
            Ok(device) => self.device = Some(device),
            Err(error) if error.kind() == ErrorKind::ResourceBusy => {
                return Ok(Err(Held::by(HeldBy::System)));
            }
            Err(error) => return Err(error),
        }
        Ok(Ok(()))
    }

    /// Locks a byte, unless somebody else has. On a file system without such locks everybody has it.
    fn lock(&mut self, kind: Kind, byte: u64) -> io::Result<bool> {
        let locked = unless_unsupported(set(&self.file, kind, byte).map(Some))?;
        if locked == Some(true) && !self.bytes.contains(&byte) {
            self.bytes.push(byte);
        }
        Ok(locked.unwrap_or(true))
    }

    /// Gives all of it back, to be taken anew.
    fn release(&mut self) {
        (self.device, self.cryptsetup) = (None, None);
        let entered = self.entry.filter(|_| core::mem::take(&mut self.entered));
        let (last, last_such) = entered.map_or((true, true), Entry::leave);
        for byte in core::mem::take(&mut self.bytes) {
            // Another claim through the same open file may have locked it as well.
            if last || (last_such && byte >= OWN) {
                // What cannot be unlocked goes with the open file.
                let _ = set(&self.file, Kind::Not, byte);
            }
        }
        if core::mem::take(&mut self.whole) {
            let _ = flock(&self.file, FlockOperation::Unlock);
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // An open file of its own unlocks when it is closed, here and in each fork that has it. One that belongs to
        // somebody else may stay open.
        if self.entry.is_some_and(|entry| entry.process.is_current()) {
            self.release();
        }
    }
}

/// A claim through an open file that others have as well: the system's locks do not keep those apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    process: Process,
    device: u64,
    inode: u64,
    claim: Claim,
}

/// What is claimed so in this process. A fork leaves entries behind of threads that are not there.
static SHARING: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

impl Entry {
    fn of(file: &File, claim: Claim) -> io::Result<Entry> {
        let metadata = file.metadata()?;
        Ok(Entry { process: Process::current(), device: metadata.dev(), inode: metadata.ino(), claim })
    }

    /// Enters it, unless what is there is in its way.
    fn enter(self) -> bool {
        // Not waited for: in a forked child it may be locked for ever.
        let mut all = match SHARING.try_lock() {
            Ok(all) => all,
            Err(TryLockError::Poisoned(all)) => all.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        all.retain(|other| other.process == self.process);
        let shared = |other: Claim| self.claim == Claim::SharedData && other == Claim::SharedData;
        let same = |other: &&Entry| (other.device, other.inode) == (self.device, self.inode);
        if all.iter().filter(same).any(|other| self.is_such(other) && !shared(other.claim)) {
            return false;
        }
        all.push(self);
        true
    }

    /// Whether both are for data, or both for the header.
    fn is_such(&self, other: &Entry) -> bool {
        (self.claim == Claim::Header) == (other.claim == Claim::Header)
    }

    /// Takes it back, and tells whether it was the last one of the file, and the last such one.
    fn leave(self) -> (bool, bool) {
        let mut all = SHARING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = all.iter().position(|other| *other == self) {
            all.swap_remove(at);
        }
        let left = || all.iter().filter(|other| (other.device, other.inode) == (self.device, self.inode));
        (left().next().is_none(), !left().any(|other| self.is_such(other)))
    }
}

/// cryptsetup's lock of a block device: `flock` on a file that whoever is the last to hold it removes, so that what was
/// locked may not be what is there any more.
struct Resource {
    file: File,
    device: u64,
    process: Process,
}

impl Resource {
    /// `None` where it is not to be had: the directory is for root alone. The error is who holds it.
    fn lock(device: u64) -> Result<Option<Resource>, Option<Holder>> {
        loop {
            let Some(file) = Resource::open(device) else { return Ok(None) };
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => {
                    let lockers = lockers(&file);
                    return Err(lockers.first().map(|locker| locker.holder.clone()));
                }
                Err(_) => return Ok(None),
            }
            let resource = Resource { file, device, process: Process::current() };
            if resource.is_there() {
                return Ok(Some(resource));
            }
        }
    }

    fn open(device: u64) -> Option<File> {
        let directory = || {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::open(CRYPTSETUP, flags, Mode::empty())
        };
        let directory = match directory() {
            Err(Errno::NOENT) => {
                // As cryptsetup makes it.
                let _ = rustix::fs::mkdir(CRYPTSETUP, Mode::RWXU);
                directory()
            }
            opened => opened,
        };
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
        let opened = directory
            .and_then(|directory| rustix::fs::openat(&directory, resource_name(device), flags, mode));
        opened.ok().map(File::from)
    }

    fn is_there(&self) -> bool {
        let number = |metadata: io::Result<std::fs::Metadata>| {
            metadata.map(|metadata| (metadata.dev(), metadata.ino())).ok()
        };
        let there = number(std::fs::metadata(resource(self.device)));
        there.is_some() && there == number(self.file.metadata())
    }
}

impl Drop for Resource {
    fn drop(&mut self) {
        if self.process.is_current() && self.is_there() {
            let _ = rustix::fs::unlinkat(rustix::fs::CWD, resource(self.device), AtFlags::empty());
        }
    }
}

fn resource(device: u64) -> String {
    format!("{CRYPTSETUP}/{}", resource_name(device))
}

fn resource_name(device: u64) -> String {
    format!("L_{}:{}", rustix::fs::major(device), rustix::fs::minor(device))
}

/// The number of a block device.
fn device(file: &File) -> io::Result<Option<u64>> {
    let metadata = file.metadata()?;
    Ok(metadata.file_type().is_block_device().then(|| metadata.rdev()))
}

/// A file anew, with locks of its own.
fn reopen(file: &File, writable: bool, more: OFlags) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(writable).custom_flags((OFlags::NONBLOCK | more).bits() as i32);
    let anew = options.open(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    let (a, b) = (file.metadata()?, anew.metadata()?);
    match (a.dev(), a.ino()) == (b.dev(), b.ino()) {
        true => Ok(anew),
        false => Err(ErrorKind::NotFound.into()),
    }
}

/// Whether it lies on a Windows share, where locks keep off reads and writes.
fn is_smb(file: &File) -> bool {
    const SMB: [u32; 3] = [0x517b, 0xff53_4d42, 0xfe53_4d42];
    rustix::fs::fstatfs(file).is_ok_and(|system| SMB.contains(&(system.f_type as u32)))
}

fn holder(lockers: &[Locker], which: impl Fn(&Locker) -> bool) -> Option<&Holder> {
    lockers.iter().find(|locker| which(locker)).map(|locker| &locker.holder)
}

/// Whether a byte is locked by this one, to write or at all.
fn has(locker: &Locker, byte: u64, to_write: bool) -> bool {
    locker.locks.iter().any(|lock| lock.covers(byte) && (lock.exclusive || !to_write))
}

/// What is done with a byte.
#[derive(Clone, Copy)]
enum Kind {
    ToRead,
    ToWrite,
    Not,
}

impl Kind {
    fn of(self, byte: u64) -> libc::flock {
        let kind = match self {
            Kind::ToRead => libc::F_RDLCK,
            Kind::ToWrite => libc::F_WRLCK,
            Kind::Not => libc::F_UNLCK,
        };
        libc::flock {
            l_type: kind as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: byte as libc::off_t,
            l_len: 1,
            l_pid: 0,
        }
    }
}

/// Changes the lock of a byte; `false` where somebody else's is in the way.
fn set(file: &File, kind: Kind, byte: u64) -> io::Result<bool> {
    match fcntl(file, FcntlArg::F_OFD_SETLK(&kind.of(byte))) {
        Ok(_) => Ok(true),
        Err(nix::Error::EAGAIN | nix::Error::EACCES) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The lock of somebody else that would be in the way of one to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    ToRead,
    ToWrite,
}

fn look(file: &File, byte: u64) -> io::Result<Option<Found>> {
    let mut lock = Kind::ToWrite.of(byte);
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut lock))?;
    Ok(match i32::from(lock.l_type) {
        libc::F_UNLCK => None,
        libc::F_RDLCK => Some(Found::ToRead),
        _ => Some(Found::ToWrite),
    })
}

/// Of a file system or a system without such locks: `None`.
fn unless_unsupported<T>(result: io::Result<Option<T>>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.raw_os_error().is_some_and(is_unsupported) => Ok(None),
        result => result,
    }
}

fn is_unsupported(error: i32) -> bool {
    matches!(error, libc::ENOLCK | libc::ENOSYS | libc::EOPNOTSUPP | libc::EINVAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where it cannot be opened anew: the system keeps others out, and this process its own claims.
    #[test]
    fn claims_through_one_open_file_are_kept_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let open =
            || File::options().read(true).write(true).create(true).truncate(false).open(&path).unwrap();
        let (file, other) = (open(), open());
        let through = |claim| take(Own::share(&file, claim).unwrap());
        let data = through(Claim::Data).unwrap();
        let header = through(Claim::Header).unwrap();
        assert!(through(Claim::Data).is_err() && through(Claim::SharedData).is_err());
        assert!(claim(&other, Claim::Data).is_err());
        // What both marked stays with the one that is left.
        drop(header);
        assert_eq!(look(&other, WRITES).unwrap(), Some(Found::ToRead));
        assert_eq!(
            (look(&other, HEADER).unwrap(), look(&other, DATA).unwrap()),
            (None, Some(Found::ToWrite))
        );
        drop(data);
        assert!([WRITES, ALONE, DATA].into_iter().all(|byte| look(&other, byte).unwrap().is_none()));
        let shared = [through(Claim::SharedData).unwrap(), through(Claim::SharedData).unwrap()];
        assert!(through(Claim::Data).is_err());
        let [one, two] = shared;
        drop(one);
        assert!(claim(&other, Claim::Data).is_err());
        drop(two);
        drop(claim(&other, Claim::Data).unwrap());
    }
}
