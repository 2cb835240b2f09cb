//! A volume that closes itself when its key is withdrawn: what its user asks for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{self, Builder};
use std::time::Duration;

use super::data_path::Volume;
use super::error::{NotRechecked, RecheckError, StorageError};
use super::header::Header;
use super::lease::{Lease, Watch};
use super::withdrawal::Withdrawal;
use crate::keys::{
    Envelope, EnvelopeOpenError, ErrorClass, Expect, NoSlotOpened, Providers, RootKeyCache, block_on_while,
    clock,
};
use crate::storage::Storage;

/// Both times of a [`Recheck`] are 10 ms at least, and a week at most.
const TIMES: std::ops::RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(7 * 86_400);

/// How often the key of an open volume is checked, and how long the volume goes on without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recheck {
    pub(super) interval: Duration,
    pub(super) grace: Duration,
}

impl Recheck {
    /// A check each `interval`, and no answer for `interval` and `grace` together before the volume closes itself; each
    /// 10 ms to 7 days. The grace is what an outage of the key service may last; it has to be longer than the service
    /// takes for an answer, 20 seconds for AWS KMS with its retries.
    #[must_use]
    pub const fn new(interval: Duration, grace: Duration) -> Recheck {
        Recheck { interval, grace }
    }
}

impl<S: Storage> Volume<S> {
    /// Has the key providers asked again, from now on and for as long as the volume is open, whether its key may still be
    /// used, by a thread that ends with the volume. It reads the header from the file and unwraps its envelope, as an open
    /// does: all wrappings are tried, new ones too, and a [cache](Providers::with_cache) is left aside.
    ///
    /// - Where a provider unwraps the key the volume goes on, for interval and grace from the moment at which it was asked.
    /// - Where all that can be asked refuse it (not authorised, no such key, disabled, pending deletion, another key) the
    ///   volume closes itself at once.
    /// - Without such an answer (unreachable, throttled, timed out, no credentials and all other failures) it goes on
    ///   until interval and grace have passed since the last success, and asks again meanwhile, first after a second or an
    ///   eighth of the grace, then less and less often. Then it closes itself.
    ///
    /// A volume that closed itself stays so: its key is wiped as soon as the calls under way are done with their 128 KiB,
    /// each further read and write fails with [`Withdrawal`], and closing and opening it again is the way back. What was
    /// written before can still be [flushed](Volume::flush). Each data call looks at the time itself, so that the volume closes
    /// just as well when the thread is gone, in a forked child for example, and after the machine was suspended for longer
    /// (where its clock counts that: on Linux and Android).
    ///
    /// Providers are asked on that thread: a local keystore whose passphrase is typed would ask for it each time, and should
    /// have one that remembers it. The first check begins at once, and is not waited for. Calling it again replaces interval, grace and providers.
    ///
    /// ```
    /// use atrest::volume::{Mode, Recheck, Volume};
    /// use std::time::Duration;
    /// # use atrest::keys::{Class, Envelope, Expect, LocalKeystore, Providers, block_on, new_uuid};
    /// # let dir = tempfile::tempdir()?;
    /// # let keystore = LocalKeystore::open_or_create(dir.path().join("keys"))?;
    /// # keystore.ensure_key("default")?;
    /// # let (envelope, keys) = block_on(Envelope::create(&keystore, "default", new_uuid()?, Class::Persistent))?;
    /// # let file = std::fs::File::options().read(true).write(true).create_new(true).open(dir.path().join("volume"))?;
    /// # Volume::create(file.try_clone()?, &atrest::volume::CreateOptions::new(1000), envelope, &keys)?;
    /// # let providers = Providers::new().with(keystore);
    ///
    /// let mut volume = Volume::open(file, &providers, &Expect::any(), Mode::ReadWrite)?;
    /// volume.recheck(&providers, Recheck::new(Duration::from_secs(60), Duration::from_secs(600)))?;
    /// volume.write_at(b"at rest", 0)?;
    /// volume.check_lease()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`RecheckError`]: [`NotRechecked`] for times out of their ranges, for a volume that was opened with its raw key,
    /// and when none of its wrappings is of one of `providers`; [`Withdrawal`] when it has closed itself already. The
    /// volume is as it was then.
    pub fn recheck(&mut self, providers: &Providers, recheck: Recheck) -> Result<(), RecheckError>
    where
        S: 'static,
    {
        let Recheck { interval, grace } = recheck;
        if !TIMES.contains(&interval) || !TIMES.contains(&grace) {
            let why = "interval and grace must each be 10 ms to 7 days";
            return Err(NotRechecked(why.to_owned()).into());
        }
        self.check_lease()?;
        let envelope = self.header.own_token()?.envelope;
        if !self.is_enveloped {
            let why = "it was given when the volume was opened, and not unwrapped by a key provider";
            return Err(NotRechecked(why.to_owned()).into());
        }
        if !envelope.slots().iter().any(|slot| providers.get(&slot.provider).is_some()) {
            let slots: Vec<&str> = envelope.slots().iter().map(|slot| &*slot.provider).collect();
            let why =
                format!("none of the key providers is one of those that wrap it ({})", slots.join(", "));
            return Err(NotRechecked(why).into());
        }
        let lease = match &self.watch {
            None => Lease::new(clock::now(), interval + grace, Arc::clone(&self.locks)),
            Some(before) => before.lease.followed_by(interval + grace),
        };
        let lease = Arc::new(lease);
        let stop = Arc::new(AtomicBool::new(false));
        let (theirs, stopped) = (Arc::clone(&lease), Arc::clone(&stop));
        let storage = Arc::clone(&self.storage);
        let (cache, providers) =
            (providers.cache().map(Arc::downgrade).unwrap_or_default(), providers.without_cache());
        let expect = self.expect.clone();
        let checker =
            Checker { lease: theirs, stop: stopped, storage, envelope, expect, providers, cache, recheck };
        let thread = Builder::new().name("atrest-recheck".to_owned()).spawn(move || checker.run());
        let thread = thread.map_err(StorageError::of("starting the thread that rechecks the key"))?;
        let new = Arc::clone(&lease);
        let before = self.watch.replace(Watch::new(lease, stop, thread));
        let Some(lease) = before.as_ref().map(|before| Arc::clone(&before.lease)) else { return Ok(()) };
        // Its thread ends here; it may have taken the key away meanwhile.
        drop(before);
        Ok(lease.check().inspect_err(|why| new.end(Some(Withdrawal::clone(why))))?)
    }
}

/// The longest sleep of the thread that checks: its alarm clock stands still while the machine is suspended.
const NAP: Duration = Duration::from_secs(60);

/// What the thread knows.
struct Checker<S> {
    lease: Arc<Lease>,
    stop: Arc<AtomicBool>,
    storage: Arc<S>,
    /// As it was when it was last read.
    envelope: Envelope,
    /// What was expected when the volume was opened: no other keys are asked.
    expect: Expect,
    /// Without a cache.
    providers: Providers,
    /// That of the caller's set, whose keys go with that set.
    cache: Weak<RootKeyCache>,
    recheck: Recheck,
}

/// Ends the lease if a provider panics.
struct Panicked<'a>(&'a Lease);

impl Drop for Panicked<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            let reason = "the key provider panicked, which is a defect of it".to_owned();
            self.0.end(Some(Withdrawal::now(ErrorClass::Malformed, reason)));
        }
    }
}

impl<S: Storage> Checker<S> {
    fn run(mut self) {
        let lease = Arc::clone(&self.lease);
        let _panicked = Panicked(&lease);
        let Recheck { interval, grace } = self.recheck;
        let soonest = (grace / 8).min(interval).clamp(Duration::from_millis(5), Duration::from_secs(1));
        let mut retry = soonest;
        loop {
            self.read_envelope();
            let asked = clock::now();
            let open = self.envelope.open(&self.providers, &self.expect);
            let pause = match block_on_while(open, || self.nap()) {
                None => Duration::ZERO,
                Some(Ok(_)) => {
                    lease.prolong(asked, interval + grace);
                    retry = soonest;
                    jittered(interval)
                }
                Some(Err(error)) => {
                    let verdict = match &error {
                        EnvelopeOpenError::NoSlotOpened(error) => self.verdict(error),
                        // The wrappings under expected keys were removed.
                        EnvelopeOpenError::Unexpected(_) => Verdict::Refused(ErrorClass::WrongKey),
                    };
                    match verdict {
                        Verdict::Refused(class) => {
                            if let Some(cache) = self.cache.upgrade() {
                                cache.clear();
                            }
                            return lease.end(Some(Withdrawal::now(class, error.to_string())));
                        }
                        Verdict::Unknown(class) => lease.note(class, error.to_string()),
                    }
                    let pause = jittered(retry);
                    retry = (retry * 2).min(interval).min(NAP).max(soonest);
                    pause
                }
            };
            let next = clock::now() + pause;
            while let Some(nap) = self.nap().filter(|_| clock::now() < next) {
                thread::park_timeout(nap.min(next.saturating_sub(clock::now())));
            }
            if self.stop.load(Ordering::Acquire) {
                return;
            }
            if !lease.holds() {
                return lease.end(None);
            }
        }
    }

    /// How long the thread may wait: not at all when the volume is closed, or has closed itself.
    fn nap(&self) -> Option<Duration> {
        let goes_on = !self.stop.load(Ordering::Acquire) && self.lease.holds();
        goes_on.then(|| self.lease.left().min(NAP))
    }

    /// Takes the wrappings that are in the header now: they may have been changed since. Where the header cannot be read,
    /// or is not this volume's any more, those that were there before decide.
    fn read_envelope(&mut self) {
        let Ok((header, _)) = Header::read(&self.storage) else { return };
        if let Ok(own) = header.own_token()
            && own.envelope.is_rewrapping_of(&self.envelope)
        {
            self.envelope = own.envelope;
        }
    }

    /// What the failures of the wrappings say together. Those for which there is no provider here were not asked.
    fn verdict(&self, error: &NoSlotOpened) -> Verdict {
        let asked = error.failures.iter().filter(|slot| self.providers.get(&slot.provider).is_some());
        let mut classes = asked.map(|slot| slot.error.class());
        match (classes.clone().find(|class| !is_refusal(*class)), classes.next()) {
            (Some(unknown), _) => Verdict::Unknown(unknown),
            (None, Some(refusal)) => Verdict::Refused(refusal),
            (None, None) => Verdict::Unknown(ErrorClass::Unreachable),
        }
    }
}

/// What a check that failed says of the key.
enum Verdict {
    /// Everybody who could be asked has refused it.
    Refused(ErrorClass),
    /// Somebody could not answer, who might have allowed it.
    Unknown(ErrorClass),
}

/// Whether it says that the key may not be used, rather than that it cannot be said now.
fn is_refusal(class: ErrorClass) -> bool {
    matches!(
        class,
        ErrorClass::NotAuthorised
            | ErrorClass::KeyNotFound
            | ErrorClass::KeyDisabled
            | ErrorClass::KeyPendingDeletion
            | ErrorClass::WrongKey
            | ErrorClass::WrongKeyType
    )
}

/// The time, or up to a tenth less: volumes that were opened together need not ask together for ever.
fn jittered(time: Duration) -> Duration {
    let mut random = [0];
    // Without random bytes they do.
    let _ = getrandom::fill(&mut random);
    time - time / 10 * u32::from(random[0]) / 256
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys of a cache go with the set that it was asked for, whatever is rechecked with it meanwhile.
    #[test]
    fn a_recheck_keeps_no_cache() {
        let dir = tempfile::tempdir().unwrap();
        let keystore = LocalKeystore::open_or_create(dir.path().join("keys")).unwrap();
        keystore.ensure_key("default").unwrap();
        let create = Envelope::create(&keystore, "default", new_uuid().unwrap(), Class::Persistent);
        let (envelope, keys) = block_on(create).unwrap();
        let file = File::options().read(true).write(true).create_new(true).open(dir.path().join("v"));
        let mut volume = Volume::create(file.unwrap(), &CreateOptions::new(1), envelope, &keys).unwrap();
        let cache = RootKeyCache::new(8, Duration::from_secs(3600)).unwrap();
        let providers = Providers::new().with(keystore).with_cache(cache);
        let weak = providers.cache().map(Arc::downgrade).unwrap_or_default();
        volume.recheck(&providers, Recheck::new(*TIMES.end(), *TIMES.end())).unwrap();
        assert!(weak.upgrade().is_some());
        drop(providers);
        assert!(weak.upgrade().is_none());
    }
    use crate::keys::{Class, Envelope, LocalKeystore, RootKeyCache, block_on, new_uuid};
    use crate::volume::{CreateOptions, Error, ReadError};
    use std::fs::File;
    use std::thread;
    use std::time::Instant;

    /// By a refusal, which the thread sees, and by the time, which a call may see first: the last copy of the key goes, and
    /// with it its round keys are wiped.
    #[test]
    fn the_key_goes_when_the_lease_ends() {
        let dir = tempfile::tempdir().unwrap();
        let keystore = LocalKeystore::open_or_create(dir.path().join("keys")).unwrap();
        keystore.ensure_key("default").unwrap();
        let create = Envelope::create(&keystore, "default", new_uuid().unwrap(), Class::Persistent);
        let (envelope, keys) = block_on(create).unwrap();
        let providers = Providers::new().with(keystore);
        // The call that sees the end of the time, or none where a refusal is waited for.
        type Call = fn(&Volume) -> Result<(), Error>;
        let calls: [Option<Call>; 6] = [
            Some(|volume| Ok(volume.check_lease()?)),
            Some(|volume| Ok(volume.read_at(&mut [0; 10], 0)?)),
            Some(|volume| Ok(volume.write_at(&[0; 10], 0)?)),
            Some(|volume| Ok(volume.write_zeros(10, 0)?)),
            Some(|volume| Ok(volume.discard(10, 0)?)),
            None,
        ];
        for (number, call) in calls.into_iter().enumerate() {
            let path = dir.path().join(number.to_string());
            let file = File::options().read(true).write(true).create_new(true).open(path).unwrap();
            let options = CreateOptions::new(1000);
            let volume = Volume::create(file, &options, envelope.clone(), &keys).unwrap();
            let mut volume = volume.allow_discards(true);
            let key = Arc::downgrade(volume.locks.reading(0).as_ref().unwrap());
            let week = *TIMES.end();
            if call.is_none() {
                std::fs::remove_file(dir.path().join("keys/keys/default.json")).unwrap();
            }
            volume.recheck(&providers, Recheck::new(week, week)).unwrap();
            if let Some(call) = call {
                // The first check is over by then, and the thread sleeps: it does not see the end before the call does.
                thread::sleep(Duration::from_millis(50));
                let lease = &volume.watch.as_ref().unwrap().lease;
                lease.expire();
                // An answer that comes too late.
                lease.prolong(clock::now(), week);
                assert!(matches!(call(&volume), Err(Error::Withdrawn(_))), "{number}");
            }
            // Less than the thread's nap: the call that sees the time is over takes the key.
            let deadline = Instant::now() + Duration::from_secs(20);
            while key.strong_count() > 0 {
                assert!(Instant::now() < deadline, "the key stays");
                thread::sleep(Duration::from_millis(1));
            }
            assert!(matches!(volume.read_at(&mut [0; 10], 0), Err(ReadError::Withdrawn(_))));
        }
    }
}
