//! The cache of root keys: what it spares, what it must not keep, and what several callers and forks make of it.
#![cfg(all(feature = "keys", unix))]

#[path = "common/switched.rs"]
mod switched;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use atrest::keys::{
    Class, Envelope, EnvelopeChangeError, EnvelopeOpenError, ErrorClass, Expect, LocalKeystore, Providers,
    RootKeyCache, block_on, block_on_timeout, new_uuid,
};
use switched::{Switch, Switched, wait_until};

const HOUR: Duration = Duration::from_secs(3600);

struct Bench {
    _dir: tempfile::TempDir,
    keystore: LocalKeystore,
    switch: Arc<Switch>,
    providers: Providers,
}

impl Bench {
    fn new(max_keys: usize, time_to_live: Duration) -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let keystore = LocalKeystore::open_or_create(dir.path().join("keys")).unwrap();
        keystore.ensure_key("default").unwrap();
        let switch = Arc::new(Switch::default());
        let cache = RootKeyCache::new(max_keys, time_to_live).unwrap();
        let providers =
            Providers::new().with(Switched(keystore.clone(), Arc::clone(&switch))).with_cache(cache);
        Bench { _dir: dir, keystore, switch, providers }
    }

    fn envelope(&self) -> Envelope {
        let volume = new_uuid().unwrap();
        block_on(Envelope::create(&self.keystore, "default", volume, Class::Persistent)).unwrap().0
    }

    fn open(&self, envelope: &Envelope) -> Result<(), EnvelopeOpenError> {
        let opened = block_on(envelope.open(&self.providers, &Expect::any()))?;
        assert!(envelope.is_for(&opened.keys));
        Ok(())
    }

    fn kept(&self) -> usize {
        self.providers.cache().unwrap().statistics().keys
    }
}

#[test]
fn a_key_is_asked_for_once_and_only_where_a_cache_was_asked_for() {
    let bench = Bench::new(8, HOUR);
    let (one, two) = (bench.envelope(), bench.envelope());
    for _ in 0..3 {
        bench.open(&one).unwrap();
    }
    assert_eq!(bench.switch.calls(), 1);
    bench.open(&two).unwrap();
    assert_eq!(bench.switch.calls(), 2);
    let statistics = bench.providers.cache().unwrap().statistics();
    assert_eq!((statistics.keys, statistics.hits, statistics.misses, statistics.joined), (2, 2, 2, 0));
    // Clones share it; without it each open asks.
    block_on(one.open(&bench.providers.clone(), &Expect::any())).unwrap();
    assert_eq!(bench.switch.calls(), 2);
    for _ in 0..2 {
        block_on(one.open(&bench.providers.without_cache(), &Expect::any())).unwrap();
    }
    assert_eq!(bench.switch.calls(), 4);
    assert!(bench.providers.without_cache().cache().is_none());
    // A withdrawn key opens what is in it until it is cleared.
    *bench.switch.fail.lock().unwrap() = Some(ErrorClass::KeyDisabled);
    bench.open(&one).unwrap();
    bench.providers.cache().unwrap().clear();
    assert_eq!(bench.kept(), 0);
    assert_eq!(bench.open(&one).unwrap_err().class(), Some(ErrorClass::KeyDisabled));
}

#[test]
fn any_other_part_of_a_wrapping_is_another_key() {
    let bench = Bench::new(8, HOUR);
    let envelope = bench.envelope();
    bench.open(&envelope).unwrap();
    let text = envelope.to_json();
    let slot = &envelope.slots()[0];
    let material = slot.material.clone().unwrap();
    let other = |from: &str, to: &str| {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        bench.open(&Envelope::from_json(changed.as_bytes()).unwrap())
    };
    // The base64 of the wrapped key, changed near its end.
    let wrapped = text.split("\"wrapped\":\"").nth(1).unwrap().split('"').next().unwrap();
    let cut = wrapped.len() - 12;
    let swapped = if &wrapped[cut..=cut] == "A" { "B" } else { "A" };
    let forged = format!("{}{swapped}{}", &wrapped[..cut], &wrapped[cut + 1..]);
    for (from, to) in
        [("\"key\":\"default\"", "\"key\":\"other\""), (&*material, "another-material"), (wrapped, &*forged)]
    {
        assert!(other(from, to).is_err(), "{from}");
    }
    // Another volume's: UUID and context together, as the format has them.
    let uuid = envelope.volume().to_string();
    let moved = text.replace(&uuid, &new_uuid().unwrap().to_string());
    bench.open(&Envelope::from_json(moved.as_bytes()).unwrap()).unwrap_err();
    assert_eq!((bench.switch.calls(), bench.kept()), (5, 1));
    bench.open(&envelope).unwrap();
    assert_eq!(bench.switch.calls(), 5);
}

#[test]
fn time_and_number_bound_it() {
    let bench = Bench::new(2, HOUR);
    let envelopes: Vec<_> = (0..3).map(|_| bench.envelope()).collect();
    for envelope in &envelopes {
        bench.open(envelope).unwrap();
    }
    assert_eq!((bench.kept(), bench.switch.calls()), (2, 3));
    bench.open(&envelopes[2]).unwrap();
    bench.open(&envelopes[1]).unwrap();
    assert_eq!(bench.switch.calls(), 3, "the newest two are there");
    bench.open(&envelopes[0]).unwrap();
    assert_eq!((bench.kept(), bench.switch.calls()), (2, 4), "the oldest made room");

    // Wiped in time though nobody asks for anything, and again after there was nothing for a while.
    let bench = Bench::new(2, Duration::from_millis(40));
    let envelope = bench.envelope();
    for round in 1..=3 {
        bench.open(&envelope).unwrap();
        wait_until("the key is wiped", || bench.kept() == 0);
        assert_eq!(bench.switch.calls(), round);
    }
    // Time counts from the question, not from the answer: a late answer is not kept at all.
    bench.switch.hold.store(true, SeqCst);
    thread::scope(|scope| {
        let opening = scope.spawn(|| bench.open(&envelope).unwrap());
        wait_until("the provider is asked", || bench.switch.calls() == 4);
        thread::sleep(Duration::from_millis(60));
        bench.switch.release();
        opening.join().unwrap();
    });
    assert_eq!(bench.kept(), 0);
}

#[test]
fn limits_out_of_range_are_refused() {
    for (keys, time) in [(0, HOUR), (1025, HOUR), (1, Duration::ZERO), (1, 25 * HOUR), (1, Duration::MAX)] {
        let error = RootKeyCache::new(keys, time).unwrap_err();
        assert_eq!(error.class(), ErrorClass::InvalidRequest, "{error}");
    }
    let cache = RootKeyCache::new(1024, 24 * HOUR).unwrap();
    assert_eq!(format!("{cache:?}"), "RootKeyCache { max_keys: 1024, time_to_live: 86400s, .. }");
}

#[test]
fn callers_at_the_same_time_share_one_call() {
    let bench = Bench::new(8, HOUR);
    let envelope = bench.envelope();
    for fails in [true, false] {
        *bench.switch.fail.lock().unwrap() = fails.then_some(ErrorClass::Throttled);
        bench.switch.hold.store(true, SeqCst);
        let (calls, joined) = (bench.switch.calls(), bench.providers.cache().unwrap().statistics().joined);
        thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| bench.open(&envelope))).collect();
            let statistics = || bench.providers.cache().unwrap().statistics();
            wait_until("seven wait for the first", || statistics().joined == joined + 7);
            bench.switch.release();
            for thread in threads {
                let result = thread.join().unwrap();
                assert_eq!(
                    result.as_ref().err().and_then(EnvelopeOpenError::class),
                    fails.then_some(ErrorClass::Throttled)
                );
                assert!(!fails || result.unwrap_err().to_string().contains("switched off"));
            }
        });
        assert_eq!(bench.switch.calls(), calls + 1);
    }
}

#[test]
fn a_call_lives_as_long_as_somebody_waits_for_it() {
    let bench = Bench::new(8, HOUR);
    let envelope = bench.envelope();
    bench.switch.hold.store(true, SeqCst);
    // Alone: it ends with its caller, and the next one asks anew.
    assert!(
        block_on_timeout(envelope.open(&bench.providers, &Expect::any()), Duration::from_millis(20))
            .is_none()
    );
    assert_eq!((bench.switch.calls(), bench.switch.ended.load(SeqCst)), (1, 0));
    // The first caller gives up, and so does not hold up the second. Nor does one who is not polled at all any more.
    let expect = Expect::any();
    let asleep = envelope.open(&bench.providers, &expect);
    let mut asleep = pin!(asleep);
    assert!(asleep.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    thread::scope(|scope| {
        let first = scope.spawn(|| {
            block_on_timeout(envelope.open(&bench.providers, &Expect::any()), Duration::from_millis(100))
        });
        let second = scope.spawn(|| bench.open(&envelope));
        assert!(first.join().unwrap().is_none());
        bench.switch.release();
        second.join().unwrap().unwrap();
    });
    assert_eq!((bench.switch.calls(), bench.switch.ended.load(SeqCst)), (2, 1));
    assert_eq!(bench.kept(), 1);
    assert!(asleep.poll(&mut Context::from_waker(Waker::noop())).is_ready());
}

#[test]
fn what_was_forgotten_does_not_come_back() {
    let bench = Bench::new(8, HOUR);
    let envelope = bench.envelope();
    // Cleared while the provider was being asked.
    bench.switch.hold.store(true, SeqCst);
    thread::scope(|scope| {
        let opening = scope.spawn(|| bench.open(&envelope));
        wait_until("the provider is asked", || bench.switch.calls() == 1);
        bench.providers.cache().unwrap().clear();
        bench.switch.release();
        opening.join().unwrap().unwrap();
    });
    assert_eq!(bench.kept(), 0);
    // Neither wrong keys nor failures nor panics are kept.
    bench.switch.lie.store(true, SeqCst);
    assert_eq!(bench.open(&envelope).unwrap_err().class(), Some(ErrorClass::WrongKey));
    bench.switch.lie.store(false, SeqCst);
    bench.switch.panic.store(true, SeqCst);
    thread::scope(|scope| scope.spawn(|| bench.open(&envelope)).join().unwrap_err());
    bench.switch.panic.store(false, SeqCst);
    assert_eq!(bench.kept(), 0);
    bench.open(&envelope).unwrap();
    assert_eq!((bench.kept(), bench.switch.calls()), (1, 4));
    // Nor those of a provider that was replaced; clones of the set keep theirs.
    let before = bench.providers.clone();
    let mut after = bench.providers.clone();
    let other = Arc::new(Switch::default());
    after.insert(Arc::new(Switched(bench.keystore.clone(), Arc::clone(&other))));
    block_on(envelope.open(&after, &Expect::any())).unwrap();
    assert_eq!((other.calls(), bench.switch.calls()), (1, 4));
    block_on(envelope.open(&before, &Expect::any())).unwrap();
    assert_eq!(bench.switch.calls(), 4);
    // Two clones of a set without it that get one each, by one name: neither is answered by what the other's may do.
    let empty = Providers::new().with_cache(RootKeyCache::new(8, HOUR).unwrap());
    let switches = [(); 2].map(|()| Arc::new(Switch::default()));
    for switch in &switches {
        let own = empty.clone().with(Switched(bench.keystore.clone(), Arc::clone(switch)));
        block_on(envelope.open(&own, &Expect::any())).unwrap();
        block_on(envelope.open(&own, &Expect::any())).unwrap();
        assert_eq!(switch.calls(), 1);
    }
}

#[test]
fn changes_of_wrappings_ask_the_provider() {
    let bench = Bench::new(8, HOUR);
    bench.keystore.ensure_key("other").unwrap();
    let envelope = bench.envelope();
    bench.open(&envelope).unwrap();
    // For the key in the old wrapping, and for the new wrapping, which must open.
    block_on(envelope.add_slot("local", "other", &bench.providers, &Expect::any())).unwrap();
    assert_eq!(bench.switch.calls(), 3);
    block_on(envelope.rewrap(0, "local", "other", &bench.providers, &Expect::any())).unwrap();
    assert_eq!(bench.switch.calls(), 5);
    *bench.switch.fail.lock().unwrap() = Some(ErrorClass::NotAuthorised);
    let class = |error: EnvelopeChangeError| error.class();
    let added = block_on(envelope.add_slot("local", "other", &bench.providers, &Expect::any()));
    assert_eq!(added.map(drop).map_err(class), Err(Some(ErrorClass::NotAuthorised)));
    let changed = block_on(envelope.rewrap(0, "local", "other", &bench.providers, &Expect::any()));
    assert_eq!(changed.map(drop).map_err(class), Err(Some(ErrorClass::NotAuthorised)));
    bench.open(&envelope).unwrap();
}

#[test]
fn a_forked_child_finds_nothing() {
    use std::os::unix::process::CommandExt as _;

    let bench = Bench::new(8, HOUR);
    let envelope = bench.envelope();
    bench.open(&envelope).unwrap();
    // The child's own, so that it ends there.
    let own = Bench::new(8, HOUR);
    block_on(envelope.open(&own.providers, &Expect::any())).unwrap_err();
    let own_envelope = own.envelope();
    own.open(&own_envelope).unwrap();
    let Bench { _dir, providers, .. } = own;
    let mut own = Some(providers);
    let (providers, switch) = (bench.providers.clone(), Arc::clone(&bench.switch));
    let in_child = move || {
        let before = switch.calls();
        // It works, by asking, and keeps nothing.
        for asked in 1..=2 {
            let opened =
                block_on(envelope.open(&providers, &Expect::any())).map_err(std::io::Error::other)?;
            if !envelope.is_for(&opened.keys) || switch.calls() != before + asked {
                return Err(std::io::Error::other("not the volume's keys, or not the provider's"));
            }
        }
        let cache = providers.cache().unwrap();
        cache.clear();
        if cache.statistics() != Default::default() {
            return Err(std::io::Error::other("it keeps something"));
        }
        // Nothing waits for the thread of the parent's.
        drop(own.take());
        Ok(())
    };
    let mut command = std::process::Command::new("true");
    // SAFETY: the closure runs between fork and exec. It allocates, for which the C library makes its allocator fit in
    // the child, and takes no lock that another thread of this program may hold.
    unsafe { command.pre_exec(in_child) };
    assert!(command.status().expect("the child is served by the provider").success());
    assert_eq!(bench.kept(), 1);
}
