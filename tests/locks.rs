//! Who keeps out whom: writers, changes of headers, and those who may only read.
#![cfg(all(feature = "volume", target_os = "linux"))]

mod common;

use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use atrest::keys::{Class, Expect, LocalKeystore, Providers, new_uuid};
use atrest::storage::{Claim, Held, HeldBy, MemoryStorage, Shared, Storage};
use atrest::volume::{
    CreateOptions, DestroyOptions, Header, HeaderBackup, HeaderEdit, HeaderError, Mode, OpenError, Volume,
    Writer,
};
use common::{Place, read_only, read_write};
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

fn volume() -> Place {
    let place = Place::new();
    place.volume_of("v", b"content", 4096);
    place
}

fn open(place: &Place, storage: impl Storage) -> Result<Volume<impl Storage>, OpenError> {
    Volume::open(storage, &place.providers(), &Expect::any(), Mode::ReadWrite)
}

fn opens(place: &Place) -> bool {
    open(place, read_write(&place.path("v"))).is_ok()
}

/// Changes the header of the volume `v`.
fn change(place: &Place) -> Result<(), HeaderError> {
    HeaderEdit::begin(&read_write(&place.path("v")), &Expect::any())?.commit().map(drop)
}

fn busy<T>(result: Result<T, OpenError>) -> Held {
    match result {
        Err(OpenError::Busy(busy)) => busy.0,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it opens"),
    }
}

/// Locks bytes of a file as any program can (fcntl(2)).
fn lock(file: &File, kind: i32, first: i64, length: i64) -> bool {
    let lock = libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: first,
        l_len: length,
        l_pid: 0,
    };
    fcntl(file.as_fd(), FcntlArg::F_OFD_SETLK(&lock)).is_ok()
}

#[test]
fn a_volume_has_one_writer() {
    let place = volume();
    let file = read_write(&place.path("v"));
    let duplicate = file.try_clone().unwrap();
    let first = open(&place, file).unwrap();
    // The same path, and the same open file.
    for storage in [read_write(&place.path("v")), duplicate.try_clone().unwrap()] {
        let held = busy(open(&place, storage));
        assert_eq!(held.by, HeldBy::Writer);
        assert_eq!(held.holder.unwrap().process, std::process::id());
    }
    // Readers are no matter.
    place.open("v").unwrap();
    // Nor is a header that changes, nor a reader of it meanwhile.
    change(&place).unwrap();
    first.write_at(b"text", 0).unwrap();
    drop(first);
    // The duplicate is still open, and holds nothing.
    assert!(opens(&place));
    open(&place, duplicate).unwrap();
}

#[test]
fn a_volume_that_is_made_is_written_by_nobody_else() {
    let place = Place::new();
    let (envelope, keys) = place.envelope();
    let file = common::new_file(&place.path("v"));
    let made = Volume::create(file, &CreateOptions::new(1000), envelope, &keys).unwrap();
    busy(open(&place, read_write(&place.path("v"))));
    drop(made);
    assert!(opens(&place));
    let (envelope, keys) = place.envelope();
    let file = common::new_file(&place.path("w"));
    let mut writer = Writer::new(file, &CreateOptions::new(1000), envelope, &keys).unwrap();
    writer.append(b"at rest").unwrap();
    let other = read_write(&place.path("w"));
    assert!(other.claim(Claim::Data).is_err());
    let made = writer.finish().unwrap();
    assert!(other.claim(Claim::Data).is_err());
    drop(made);
    drop(other.claim(Claim::Data).unwrap());
}

#[test]
fn what_is_written_is_neither_destroyed_nor_restored() {
    let place = Place::new();
    let uuid = new_uuid().unwrap();
    let (envelope, keys) = place.keystore.create_scratch(uuid, None).unwrap();
    assert_eq!(envelope.class(), Class::Scratch);
    let file = common::new_file(&place.path("v"));
    let volume = Volume::create(file, &CreateOptions::new(1000), envelope, &keys).unwrap();
    let file = read_write(&place.path("v"));
    let (backup, _) = HeaderBackup::take(&file).unwrap();
    let destroy = || {
        Volume::destroy(&file, Some(&place.keystore), &Providers::new(), &DestroyOptions::new(Expect::any()))
    };
    let before = common::header_of(&place.path("v"));
    let error = destroy().unwrap_err();
    assert_eq!(error.code(), atrest::Code::Busy, "{error}");
    let error = backup.restore(&file, &Expect::any(), false).unwrap_err();
    assert_eq!(error.code(), atrest::Code::Busy, "{error}");
    assert!(error.to_string().contains(&format!("this process ({})", std::process::id())), "{error}");
    assert!(common::header_of(&place.path("v")) == before);
    volume.write_at(b"goes on", 0).unwrap();
    drop(volume);
    backup.restore(&file, &Expect::any(), false).unwrap();
    let reader = place.open("v").unwrap();
    destroy().unwrap();
    drop(reader);
    assert!(!LocalKeystore::open(place.keystore.path()).unwrap().destroy_scratch(uuid).unwrap());
}

#[test]
fn those_who_share_write_beside_each_other_alone() {
    let place = volume();
    let file = || read_write(&place.path("v"));
    let one = open(&place, Shared(file())).unwrap();
    let two = open(&place, Shared(file())).unwrap();
    assert_eq!(busy(open(&place, file())).by, HeldBy::Writer);
    change(&place).unwrap();
    drop(one);
    assert_eq!(busy(open(&place, file())).by, HeldBy::Writer);
    drop(two);
    let alone = open(&place, file()).unwrap();
    assert_eq!(busy(open(&place, Shared(file()))).by, HeldBy::Writer);
    drop(alone);
    open(&place, Shared(file())).unwrap();
}

#[test]
fn one_change_at_a_time() {
    let place = volume();
    let (one, two) = (read_write(&place.path("v")), read_write(&place.path("v")));
    // Threads through one open file, too.
    let again = one.try_clone().unwrap();
    let free = AtomicBool::new(false);
    let lock = one.claim(Claim::Header).unwrap();
    assert!(two.is_changing().unwrap());
    thread::scope(|scope| {
        let waiting = [two, again].map(|file| {
            let free = &free;
            scope.spawn(move || {
                let _lock = file.claim(Claim::Header).unwrap();
                assert!(free.load(Ordering::SeqCst));
            })
        });
        // Whoever opens it meanwhile does not wait.
        assert!(opens(&place));
        free.store(true, Ordering::SeqCst);
        drop(lock);
        waiting.into_iter().for_each(|waits| waits.join().unwrap());
    });
    assert!(!one.is_changing().unwrap());
}

/// What anybody can hold who may open the file to read it.
fn readers_locks(path: &Path) -> Vec<(&'static str, File)> {
    let whole = read_only(path);
    assert!(lock(&whole, libc::F_RDLCK, 0, 0));
    let (shared, exclusive) = (read_only(path), read_only(path));
    shared.lock_shared().unwrap();
    let mut all = vec![("a lock to read of all bytes", whole), ("a shared flock", shared)];
    all.push(("an exclusive flock", exclusive));
    all
}

#[test]
fn who_may_only_read_stops_nobody() {
    // Side by side, since each waits for seconds.
    let all = ["a lock to read of all bytes", "a shared flock", "an exclusive flock"];
    let stops_nobody = |number: usize, what: &str| {
        let place = volume();
        let path = place.path("v");
        let mut all = readers_locks(&path);
        let (name, holder) = all.swap_remove(number);
        assert_eq!(name, what);
        drop(all);
        if number == 2 {
            holder.lock().unwrap();
        }
        let begin = Instant::now();
        assert!(opens(&place), "{what}");
        change(&place).unwrap();
        let (backup, warnings) = HeaderBackup::take(&read_only(&path)).unwrap();
        assert!(warnings.is_empty(), "{what}: {warnings:?}");
        backup.restore(&read_write(&path), &Expect::any(), true).unwrap();
        let options = DestroyOptions::new(Expect::any()).force(true);
        Volume::destroy(&read_write(&path), None, &place.providers(), &options).unwrap();
        assert!(begin.elapsed() < Duration::from_secs(40), "{what}");
        drop(holder);
    };
    thread::scope(|scope| {
        for (number, what) in all.into_iter().enumerate() {
            scope.spawn(move || stops_nobody(number, what));
        }
    });
}

/// Under a lock of somebody who may only read, too: it takes from them what they would go by else.
#[test]
fn writers_are_kept_apart_whatever_readers_lock() {
    let place = volume();
    let reader = read_only(&place.path("v"));
    assert!(lock(&reader, libc::F_RDLCK, 0, 0));
    let file = || read_write(&place.path("v"));
    let first = open(&place, file()).unwrap();
    busy(open(&place, file()));
    busy(open(&place, Shared(file())));
    let changing = file().claim(Claim::Header).unwrap();
    assert!(file().claim(Claim::Header).is_err());
    drop((first, changing));
    assert!(opens(&place));
}

#[test]
fn one_writer_is_kept_from_those_who_share_whatever_readers_lock() {
    let place = volume();
    let reader = read_only(&place.path("v"));
    assert!(lock(&reader, libc::F_RDLCK, 0, 0));
    let file = || read_write(&place.path("v"));
    let sharer = open(&place, Shared(file())).unwrap();
    open(&place, Shared(file())).unwrap();
    busy(open(&place, file()));
    drop(sharer);
    assert!(opens(&place));
}

#[test]
fn who_may_write_is_waited_for_and_named() {
    let place = volume();
    let holder = read_write(&place.path("v"));
    // As cryptsetup does.
    holder.lock_shared().unwrap();
    let error = change(&place).unwrap_err();
    let HeaderError::Busy(busy) = error else { panic!("{error}") };
    assert_eq!(busy.0.by, HeldBy::Change);
    assert_eq!(busy.0.holder.unwrap().process, std::process::id());
    // It is no writer of data.
    assert!(opens(&place));
    holder.unlock().unwrap();
    change(&place).unwrap();
}

/// As QEMU marks what it does (100 + n) and what nobody else may (200 + n), where 1 is for writing.
#[test]
fn writers_that_lock_as_qemu_does_are_seen() {
    let place = volume();
    let writer = read_write(&place.path("v"));
    for byte in [101, 201] {
        assert!(lock(&writer, libc::F_RDLCK, byte, 1));
        assert_eq!(busy(open(&place, read_write(&place.path("v")))).by, HeldBy::Writer, "{byte}");
        assert!(matches!(change(&place), Err(HeaderError::Busy(_))), "{byte}");
        // Whoever shares forbids nobody to write, and minds who does.
        let shared = open(&place, Shared(read_write(&place.path("v"))));
        assert_eq!(shared.is_ok(), byte == 101, "{byte}");
        drop(shared);
        assert!(lock(&writer, libc::F_UNLCK, byte, 1));
    }
    // And what it would look for is there.
    let volume = open(&place, read_write(&place.path("v"))).unwrap();
    for byte in [101, 201] {
        assert!(!lock(&writer, libc::F_WRLCK, byte, 1), "{byte}");
    }
    drop(volume);
    assert!(lock(&writer, libc::F_WRLCK, 101, 101));
}

/// Each read finds a header that is whole, and the changes go on.
#[test]
fn readers_and_changes_do_not_mind_each_other() {
    const READS: usize = 3000;
    const CHANGES: usize = 30;
    let place = volume();
    let path = place.path("v");
    let (reads, changes) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let go_on = || reads.load(Ordering::SeqCst) < READS || changes.load(Ordering::SeqCst) < CHANGES;
    thread::scope(|scope| {
        scope.spawn(|| {
            while go_on() {
                change(&place).unwrap();
                changes.fetch_add(1, Ordering::SeqCst);
            }
        });
        for number in 0..3 {
            let (reads, path, go_on) = (&reads, &path, &go_on);
            scope.spawn(move || {
                let file = read_only(path);
                let mut backup = false;
                while go_on() {
                    backup = number == 0 && !backup && reads.load(Ordering::SeqCst) % 8 == 0;
                    let warnings = match backup {
                        true => HeaderBackup::take(&file).unwrap().1,
                        false => Header::read(&file).unwrap().1,
                    };
                    assert!(warnings.is_empty(), "{warnings:?}");
                    reads.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    let (header, warnings) = Header::read(&read_only(&path)).unwrap();
    assert!(warnings.is_empty() && header.sequence() > CHANGES as u64);
}

/// A copy that is damaged for good is told of at once, even to those who read beside a change that hangs.
#[test]
fn what_is_wrong_is_told() {
    let place = volume();
    let path = place.path("v");
    common::put_header(&path, &{
        let mut header = common::header_of(&path);
        header[5000] ^= 1;
        header
    });
    let begin = Instant::now();
    assert_eq!(Header::read(&read_only(&path)).unwrap().1.len(), 1);
    assert!(begin.elapsed() < Duration::from_secs(5));
    let _changing = read_write(&path).claim(Claim::Header).unwrap();
    assert_eq!(Header::read(&read_only(&path)).unwrap().1.len(), 1);
}

#[test]
fn memory_has_the_same_claims() {
    let storage = MemoryStorage::new(1 << 20);
    let data = storage.claim(Claim::Data).unwrap();
    let header = storage.claim(Claim::Header).unwrap();
    assert!(storage.is_changing().unwrap());
    for claim in [Claim::Data, Claim::SharedData] {
        let error = storage.claim(claim).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
        assert_eq!(error.downcast::<Held>().unwrap().by, HeldBy::Writer);
    }
    drop((data, header));
    assert!(!storage.is_changing().unwrap());
    let one = Shared(&storage).claim(Claim::Data).unwrap();
    let two = Shared(&storage).claim(Claim::SharedData).unwrap();
    drop(one);
    assert!(storage.claim(Claim::Data).is_err());
    drop(two);
    drop(storage.claim(Claim::Data).unwrap());
    // A clone is on its own.
    let _claim = storage.claim(Claim::Data).unwrap();
    drop(storage.clone().claim(Claim::Data).unwrap());
}

/// The header is not written where nobody may write it, and no lock is left behind by who is refused.
#[test]
fn who_is_refused_leaves_no_lock() {
    let place = volume();
    let first = open(&place, read_write(&place.path("v"))).unwrap();
    let refused = read_write(&place.path("v"));
    assert!(refused.claim(Claim::Data).is_err());
    drop(first);
    drop(read_write(&place.path("v")).claim(Claim::Data).unwrap());
    // Nor does who opens it to read.
    let _reader = place.open("v").unwrap();
    assert!(lock(&refused, libc::F_WRLCK, 0, 0));
}
