//! Open volumes whose key is withdrawn, or cannot be asked for: without rechecks they go on, with them they close.
//!
//! Times here are lower bounds, or orders of events: a slow machine makes nothing fail.
#![cfg(feature = "volume")]

mod common;
#[path = "common/switched.rs"]
mod switched;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use atrest::keys::{ErrorClass, Expect, LocalKeystore, Providers, RootKeyCache};
use atrest::volume::{
    CreateOptions, Error, Mode, ReadError, Recheck, RecheckError, Volume, Withdrawal, WrappingChange,
};
use common::{Place, new_file, noise, read_all, read_only, read_write};
use switched::{Switch, Switched, wait_until};

/// A grace that no test waits for.
const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(20);

/// A volume `v` with content, open by way of a switch.
struct Bench {
    place: Place,
    switch: Arc<Switch>,
    providers: Providers,
    content: Vec<u8>,
    volume: Volume,
}

impl Bench {
    fn new() -> Bench {
        let place = Place::new();
        let content = noise(300_000, 1);
        place.volume_of("v", &content, 4096);
        let switch = Arc::new(Switch::default());
        let keystore = LocalKeystore::open(place.keystore.path()).unwrap();
        let providers = Providers::new().with(Switched(keystore, Arc::clone(&switch)));
        let volume =
            Volume::open(read_write(&place.path("v")), &providers, &Expect::any(), Mode::ReadWrite).unwrap();
        Bench { place, switch, providers, content, volume }
    }

    fn recheck(&mut self, interval: Duration, grace: Duration) {
        self.volume.recheck(&self.providers, Recheck::new(interval, grace)).unwrap();
    }

    /// Closes the volume, and opens it again.
    fn reopen(&mut self) {
        // Of two that write the second would be refused.
        self.volume = self.place.open("v").unwrap();
        let file = read_write(&self.place.path("v"));
        self.volume = Volume::open(file, &self.providers, &Expect::any(), Mode::ReadWrite).unwrap();
    }

    fn fail(&self, class: Option<ErrorClass>) {
        *self.switch.fail.lock().unwrap() = class;
    }

    /// Waits for so many more checks.
    fn checks(&self, more: usize) {
        let before = self.switch.ended.load(SeqCst);
        wait_until("the key is checked", || self.switch.ended.load(SeqCst) >= before + more);
    }

    fn key_file(&self) -> std::path::PathBuf {
        self.place.keystore.path().join("keys/default.json")
    }

    /// Waits until the volume has closed itself, and sees that nothing works any more.
    #[track_caller]
    fn closes(&self) -> Withdrawal {
        wait_until("the volume closes itself", || self.volume.check_lease().is_err());
        withdrawal(&self.volume)
    }
}

/// Why a volume has closed itself; each call says so, and does nothing.
#[track_caller]
fn withdrawal(volume: &Volume) -> Withdrawal {
    let mut bytes = [7; 5000];
    let results = [
        volume.check_lease().map_err(Error::from),
        volume.read_at(&mut bytes, 100).map_err(Error::from),
        volume.write_at(&[1; 5000], 100).map_err(Error::from),
        volume.write_zeros(5000, 100).map_err(Error::from),
    ];
    assert!(bytes == [7; 5000], "something was read");
    let why = results.map(|result| match result {
        Err(Error::Withdrawn(why)) => *why,
        other => panic!("{other:?}"),
    });
    assert!(why.iter().all(|other| *other == why[0]), "{why:?}");
    volume.flush().unwrap();
    let [why, ..] = why;
    let text = why.to_string();
    assert!(!text.contains('\n') && text.contains("open the volume again") && text.contains("20"), "{text}");
    why
}

#[test]
fn without_rechecks_a_volume_goes_on() {
    let bench = Bench::new();
    fs::remove_file(bench.key_file()).unwrap();
    assert!(bench.place.open("v").is_err());
    bench.volume.check_lease().unwrap();
    assert!(read_all(&bench.volume) == bench.content);
    bench.volume.write_at(b"still", 0).unwrap();
    assert_eq!(bench.switch.calls(), 1);
}

#[test]
fn a_refusal_closes_it_for_good() {
    use ErrorClass as Class;
    for class in [
        Class::NotAuthorised,
        Class::KeyNotFound,
        Class::KeyDisabled,
        Class::KeyPendingDeletion,
        Class::WrongKey,
        Class::WrongKeyType,
    ] {
        let mut bench = Bench::new();
        bench.recheck(SHORT, LONG);
        bench.checks(2);
        bench.volume.write_at(b"written before", 10).unwrap();
        bench.fail(Some(class));
        let why = bench.closes();
        assert_eq!((why.class, why.lapsed), (class, false));
        assert!(why.reason.contains("local:default") && why.reason.contains("switched off"), "{why}");
        // Allowed again, it stays closed, and is asked no more; opened again it has all that was written.
        bench.fail(None);
        let calls = bench.switch.calls();
        thread::sleep(5 * SHORT);
        assert_eq!(bench.switch.calls(), calls);
        assert_eq!(withdrawal(&bench.volume), why);
        let again = bench.volume.recheck(&bench.providers, Recheck::new(SHORT, LONG));
        assert!(matches!(again, Err(RecheckError::Withdrawn(_))), "{again:?}");
        let mut expected = bench.content.clone();
        expected[10..24].copy_from_slice(b"written before");
        assert!(read_all(&bench.place.open("v").unwrap()) == expected);
    }
}

#[test]
fn a_key_file_that_is_removed_closes_it() {
    let mut bench = Bench::new();
    let keystore = LocalKeystore::open(bench.place.keystore.path()).unwrap();
    bench.volume.recheck(&Providers::new().with(keystore), Recheck::new(SHORT, LONG)).unwrap();
    thread::sleep(3 * SHORT);
    assert!(read_all(&bench.volume) == bench.content);
    fs::rename(bench.key_file(), bench.place.path("kept")).unwrap();
    let why = bench.closes();
    assert_eq!(why.class, ErrorClass::KeyNotFound);
    fs::rename(bench.place.path("kept"), bench.key_file()).unwrap();
    thread::sleep(3 * SHORT);
    assert_eq!(withdrawal(&bench.volume), why);
    assert!(read_all(&bench.place.open("v").unwrap()) == bench.content);
}

#[test]
fn without_an_answer_it_goes_on_for_the_grace() {
    use ErrorClass as Class;
    let classes = [
        Class::Unreachable,
        Class::TimedOut,
        Class::Throttled,
        Class::NoCredentials,
        Class::KeyUnavailable,
        Class::Malformed,
        Class::ContextMismatchOrCorrupt,
        Class::LocalIo,
        Class::WrongPassphrase,
    ];
    // All at once: each takes its grace, which is long enough for a first answer on a slow machine.
    thread::scope(|scope| {
        for class in classes {
            scope.spawn(move || {
                let mut bench = Bench::new();
                bench.fail(Some(class));
                bench.recheck(SHORT, Duration::from_secs(1));
                let why = bench.closes();
                assert!(bench.switch.calls() > 2, "it was asked again meanwhile");
                assert_eq!((why.class, why.lapsed), (class, true), "{why}");
                assert!(why.reason.contains("switched off"), "{why}");
                bench.fail(None);
                thread::sleep(3 * SHORT);
                assert_eq!(withdrawal(&bench.volume), why);
            });
        }
    });
}

#[test]
fn the_lease_is_as_long_as_interval_and_grace() {
    let mut bench = Bench::new();
    bench.fail(Some(ErrorClass::Unreachable));
    let begin = Instant::now();
    bench.recheck(Duration::from_millis(100), Duration::from_millis(200));
    while bench.volume.check_lease().is_ok() {
        let _ = bench.volume.read_at(&mut [0; 10], 0);
        thread::sleep(Duration::from_millis(1));
    }
    assert!(begin.elapsed() >= Duration::from_millis(300), "{:?}", begin.elapsed());
    assert!(withdrawal(&bench.volume).lapsed);
}

#[test]
fn after_a_failure_it_asks_again_before_the_next_interval() {
    let mut bench = Bench::new();
    bench.fail(Some(ErrorClass::Throttled));
    bench.recheck(LONG, 8 * SHORT);
    bench.checks(4);
    bench.fail(None);
    bench.checks(1);
    bench.volume.check_lease().unwrap();
}

#[test]
fn a_service_that_is_back_in_time_changes_nothing() {
    let mut bench = Bench::new();
    bench.recheck(SHORT, LONG);
    for class in [ErrorClass::Unreachable, ErrorClass::Throttled] {
        bench.fail(Some(class));
        bench.checks(2);
        assert!(read_all(&bench.volume) == bench.content);
        bench.fail(None);
        bench.checks(3);
        bench.volume.check_lease().unwrap();
    }
    assert!(read_all(&bench.volume) == bench.content);
}

#[test]
fn a_provider_that_never_answers_ends_with_the_lease_or_the_volume() {
    let mut bench = Bench::new();
    bench.switch.hold.store(true, SeqCst);
    bench.recheck(SHORT, Duration::from_millis(60));
    let why = bench.closes();
    assert_eq!((why.class, why.lapsed), (ErrorClass::TimedOut, true), "{why}");

    // Closing does not wait for it, nor for an interval.
    for hold in [true, false] {
        let mut bench = Bench::new();
        bench.switch.hold.store(hold, SeqCst);
        bench.recheck(LONG, LONG);
        wait_until("the provider is asked", || bench.switch.calls() == 2);
        let begin = Instant::now();
        drop(bench.volume);
        assert!(begin.elapsed() < Duration::from_secs(60));
        // The thread is gone: nobody has the providers but this test.
        assert_eq!(Arc::strong_count(&bench.switch), 2);
    }
}

#[test]
fn a_provider_that_panics_closes_it() {
    let mut bench = Bench::new();
    bench.switch.panic.store(true, SeqCst);
    bench.recheck(SHORT, LONG);
    let why = bench.closes();
    assert_eq!(why.class, ErrorClass::Malformed);
    assert!(why.reason.contains("panicked"), "{why}");
}

#[test]
fn one_that_cannot_be_asked_is_no_refusal() {
    let mut bench = Bench::new();
    bench.place.keystore.ensure_key("second").unwrap();
    let change = WrappingChange::Add { provider: "local", key: "second" };
    Volume::change_wrappings(
        &read_write(&bench.place.path("v")),
        change,
        &bench.place.providers(),
        &Expect::any(),
    )
    .unwrap();
    // It might have allowed what the other one refuses, so that its outage is waited for.
    for (class, key_class) in [
        (ErrorClass::KeyDisabled, ErrorClass::Unreachable),
        (ErrorClass::Unreachable, ErrorClass::KeyDisabled),
    ] {
        bench.fail(None);
        bench.reopen();
        bench.fail(Some(class));
        *bench.switch.fail_key.lock().unwrap() = Some(("second", key_class));
        bench.recheck(SHORT, Duration::from_secs(1));
        let why = bench.closes();
        assert_eq!((why.class, why.lapsed), (ErrorClass::Unreachable, true), "{why}");
        assert!(why.reason.contains("local:default") && why.reason.contains("local:second"), "{why}");
        *bench.switch.fail_key.lock().unwrap() = None;
    }
}

#[test]
fn every_wrapping_counts() {
    let mut bench = Bench::new();
    bench.place.keystore.ensure_key("second").unwrap();
    let change = WrappingChange::Add { provider: "local", key: "second" };
    Volume::change_wrappings(
        &read_write(&bench.place.path("v")),
        change,
        &bench.place.providers(),
        &Expect::any(),
    )
    .unwrap();
    let keystore = LocalKeystore::open(bench.place.keystore.path()).unwrap();
    let providers = Providers::new().with(keystore);
    bench.volume.recheck(&providers, Recheck::new(SHORT, LONG)).unwrap();
    // The volume was opened before the second wrapping was there.
    fs::remove_file(bench.key_file()).unwrap();
    thread::sleep(5 * SHORT);
    assert!(read_all(&bench.volume) == bench.content);
    // Taken out of the header it counts no more, though its key is there.
    Volume::change_wrappings(
        &read_write(&bench.place.path("v")),
        WrappingChange::Remove { slot: 1 },
        &providers,
        &Expect::any(),
    )
    .unwrap();
    assert_eq!(bench.closes().class, ErrorClass::KeyNotFound);
}

#[test]
fn a_header_that_is_gone_or_another_volumes_does_not_decide() {
    let mut bench = Bench::new();
    bench.recheck(SHORT, LONG);
    let other = Place::new();
    other.volume_of("w", b"content", 4096);
    for header in [vec![0; 32768], common::header_of(&other.path("w"))] {
        common::put_header(&bench.place.path("v"), &header);
        bench.checks(3);
        assert!(read_all(&bench.volume) == bench.content);
    }
    bench.fail(Some(ErrorClass::KeyDisabled));
    assert_eq!(bench.closes().class, ErrorClass::KeyDisabled);
}

#[test]
fn a_cache_is_no_answer() {
    let mut bench = Bench::new();
    bench.providers = bench.providers.clone().with_cache(RootKeyCache::new(8, LONG).unwrap());
    let path = bench.place.path("v");
    bench.reopen();
    bench.fail(Some(ErrorClass::KeyDisabled));
    // It opens from the cache, and closes itself at its first check; then the cache is empty.
    bench.reopen();
    bench.recheck(LONG, LONG);
    assert_eq!(bench.closes().class, ErrorClass::KeyDisabled);
    assert!(Volume::open(read_only(&path), &bench.providers, &Expect::any(), Mode::ReadOnly).is_err());
}

/// Threads that read and write all the time: each call is whole or fails, and the wait for them ends.
#[test]
fn it_closes_under_load() {
    let mut bench = Bench::new();
    bench.recheck(SHORT, LONG);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for number in 0..6u8 {
            let (volume, done, content) = (&bench.volume, &done, &bench.content);
            scope.spawn(move || {
                let at = usize::from(number) * 50_000;
                let expected = &content[at..at + 50_000];
                let mut found = vec![0; 50_000];
                loop {
                    let written = volume.write_at(expected, at as u64);
                    let read = volume.read_at(&mut found, at as u64);
                    match (written, read) {
                        (Ok(()), Ok(())) => assert!(found == expected),
                        (_, Err(ReadError::Withdrawn(_))) => break,
                        other => panic!("{other:?}"),
                    }
                }
                // Never again.
                assert!(volume.read_at(&mut found[..1], 0).is_err());
                done.store(true, SeqCst);
            });
        }
        bench.checks(3);
        assert!(!done.load(SeqCst));
        bench.fail(Some(ErrorClass::KeyDisabled));
    });
    assert!(read_all(&bench.place.open("v").unwrap()) == bench.content);
}

#[test]
fn what_cannot_be_rechecked_is_refused() {
    let mut bench = Bench::new();
    let refused = |volume: &mut Volume, providers: &Providers, interval, grace, part: &str| {
        let error = volume.recheck(providers, Recheck::new(interval, grace)).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        volume.read_at(&mut [0; 10], 0).unwrap();
    };
    let week = 168 * LONG;
    for (interval, grace) in [
        (Duration::ZERO, LONG),
        (LONG, Duration::ZERO),
        (Duration::MAX, LONG),
        (LONG, week + Duration::from_nanos(1)),
    ] {
        refused(&mut bench.volume, &bench.providers, interval, grace, "10 ms to 7 days");
    }
    refused(&mut bench.volume, &Providers::new(), LONG, LONG, "(local)");
    // Its key may be another than the envelope's.
    let (_, keys) = bench.place.create("w", &CreateOptions::new(1000));
    let file = read_write(&bench.place.path("w"));
    let mut raw = Volume::open_with_volume_key(file, keys.xts_key(), Mode::ReadWrite).unwrap();
    refused(&mut raw, &bench.providers, LONG, LONG, "not unwrapped");
    assert_eq!(bench.switch.calls(), 1);
    // New ones, and those opened with keys at hand, can be.
    bench.recheck(week, week);
    let (envelope, keys) = bench.place.envelope();
    let file = new_file(&bench.place.path("new"));
    let mut new = Volume::create(file, &CreateOptions::new(1000), envelope, &keys).unwrap();
    new.recheck(&bench.providers, Recheck::new(LONG, LONG)).unwrap();
    drop(new);
    let file = read_write(&bench.place.path("new"));
    let mut again = Volume::open_with_keys(file, &keys, &Expect::any(), Mode::ReadWrite).unwrap();
    again.recheck(&bench.providers, Recheck::new(LONG, LONG)).unwrap();
}

#[test]
fn rechecks_can_be_changed() {
    let mut bench = Bench::new();
    bench.recheck(LONG, LONG);
    wait_until("the first check", || bench.switch.calls() == 2);
    bench.recheck(SHORT, LONG);
    bench.checks(5);
    bench.fail(Some(ErrorClass::KeyDisabled));
    bench.closes();
}
