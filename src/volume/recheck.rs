//! Asking the key providers again, while a volume is open, whether its key may still be used.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Builder, JoinHandle};
use std::time::Duration;

use super::error::Error;
use super::header::Header;
use super::io::Volume;
use super::lease::{Lease, Withdrawal};
use crate::envelope::{
    Envelope, EnvelopeError, ErrorClass, Origin, Providers, SecretError, block_on_while, clock,
};

/// The longest sleep of the thread that checks: its alarm clock stands still while the machine is suspended.
const NAP: Duration = Duration::from_secs(60);
/// Both times of a [`Recheck`] are 10 ms at least, and a week at most.
const TIMES: std::ops::RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(7 * 86_400);

/// How often the key of an open volume is checked, and how long the volume goes on without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recheck {
    interval: Duration,
    grace: Duration,
}

impl Recheck {
    /// A check each `interval`, and no answer for `interval` and `grace` together before the volume closes itself; each
    /// 10 ms to 7 days. The grace is what an outage of the key service may last; it has to be longer than the service
    /// takes for an answer, 20 seconds for AWS KMS with its retries.
    pub const fn new(interval: Duration, grace: Duration) -> Recheck {
        Recheck { interval, grace }
    }
}

impl Volume {
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
    /// each further read and write fails with [`Error::Withdrawn`], and opening it again is the way back. What was written
    /// before can still be [flushed](Volume::flush). Each data call looks at the time itself, so that the volume closes
    /// just as well when the thread is gone, in a forked child for example, and after the machine was suspended for longer
    /// (where its clock counts that: on Linux and Android).
    ///
    /// The first check begins at once, and is not waited for. Calling it again replaces interval, grace and providers.
    ///
    /// ```
    /// use atrest::volume::{Mode, Recheck, Volume};
    /// use std::time::Duration;
    /// # use atrest::envelope::{Class, Envelope, LocalKeystore, Providers, block_on, new_uuid};
    /// # let dir = tempfile::tempdir()?;
    /// # let keystore = LocalKeystore::open_or_create(dir.path().join("keys"))?;
    /// # keystore.ensure_key("default")?;
    /// # let (envelope, keys) = block_on(Envelope::create(&keystore, "default", new_uuid()?, Class::Persistent))?;
    /// # let file = std::fs::File::create_new(dir.path().join("volume"))?;
    /// # drop(file);
    /// # let file = std::fs::File::options().read(true).write(true).open(dir.path().join("volume"))?;
    /// # Volume::create(file.try_clone()?, &atrest::volume::CreateOptions::new(1000), envelope, &keys)?;
    /// # let providers = Providers::new().with(keystore);
    ///
    /// let mut volume = Volume::open(file, &providers, Mode::ReadWrite)?;
    /// volume.recheck(&providers, Recheck::new(Duration::from_secs(60), Duration::from_secs(600)))?;
    /// volume.write_at(b"at rest", 0)?;
    /// volume.check_lease()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Recheck`] for times out of their ranges, for a volume that was opened with its raw key, and when none of
    /// its wrappings is of one of `providers`; [`Error::NoToken`]; [`Error::Withdrawn`] when it has closed itself already;
    /// [`Error::Io`] when no descriptor or no thread is to be had. The volume is as it was then.
    pub fn recheck(&mut self, providers: &Providers, recheck: Recheck) -> Result<(), Error> {
        let Recheck { interval, grace } = recheck;
        if !TIMES.contains(&interval) || !TIMES.contains(&grace) {
            return Err(Error::Recheck("interval and grace must each be 10 ms to 7 days".to_owned()));
        }
        self.check_lease()?;
        let envelope = self.header.own_token()?.envelope;
        if !self.is_enveloped {
            let why = "it was given when the volume was opened, and not unwrapped by a key provider";
            return Err(Error::Recheck(why.to_owned()));
        }
        if !envelope.slots().iter().any(|slot| providers.get(&slot.provider).is_some()) {
            let slots: Vec<&str> = envelope.slots().iter().map(|slot| &*slot.provider).collect();
            let why =
                format!("none of the key providers is one of those that wrap it ({})", slots.join(", "));
            return Err(Error::Recheck(why));
        }
        let origin = Origin::here().map_err(|error: SecretError| Error::Envelope(error.into()))?;
        let file = self.file.try_clone().map_err(Error::io("duplicating the descriptor"))?;
        let lease = Arc::new(Lease::new(clock::now() + interval + grace, Arc::clone(&self.stripes)));
        let stop = Arc::new(AtomicBool::new(false));
        let (theirs, stopped) = (Arc::clone(&lease), Arc::clone(&stop));
        let checker =
            Checker { lease: theirs, stop: stopped, file, envelope, providers: providers.clone(), recheck };
        let thread = Builder::new().name("atrest-recheck".to_owned()).spawn(move || checker.run());
        let thread = thread.map_err(Error::io("starting the thread that rechecks the key"))?;
        let new = Arc::clone(&lease);
        let before = self.watch.replace(Watch { lease, stop, thread: Some(thread), origin });
        let Some(lease) = before.as_ref().map(|before| Arc::clone(&before.lease)) else { return Ok(()) };
        // Its thread ends here; it may have taken the key away meanwhile.
        drop(before);
        lease.check().inspect_err(|error| {
            if let Error::Withdrawn(why) = error {
                new.end(Some(Withdrawal::clone(why)));
            }
        })
    }

    /// Whether the volume may use its key, as each read and write asks before it does; always so without
    /// [`Volume::recheck`].
    ///
    /// # Errors
    /// [`Error::Withdrawn`], with class, time and reason.
    pub fn check_lease(&self) -> Result<(), Error> {
        match &self.watch {
            Some(watch) => watch.lease.check(),
            None => Ok(()),
        }
    }

    /// The error of a volume whose key was taken away.
    pub(super) fn withdrawn(&self) -> Error {
        match &self.watch {
            Some(watch) => watch.lease.error(),
            None => unreachable!("nobody else takes the key away"),
        }
    }
}

/// The lease of a volume, and the thread that prolongs it, which ends when this is dropped.
pub(super) struct Watch {
    lease: Arc<Lease>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    origin: Origin,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let Some(thread) = self.thread.take() else { return };
        if self.origin.is_here() {
            thread.thread().unpark();
            // A check under way is dropped. A panic in it has ended the lease.
            let _ = thread.join();
        } else {
            // There is no such thread in this process, to be waited for or let go.
            std::mem::forget(thread);
        }
    }
}

/// What the thread knows.
struct Checker {
    lease: Arc<Lease>,
    stop: Arc<AtomicBool>,
    file: File,
    /// As it was when it was last read.
    envelope: Envelope,
    providers: Providers,
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

impl Checker {
    fn run(mut self) {
        let lease = Arc::clone(&self.lease);
        let _panicked = Panicked(&lease);
        let Recheck { interval, grace } = self.recheck;
        let soonest = (grace / 8).min(interval).clamp(Duration::from_millis(5), Duration::from_secs(1));
        let mut retry = soonest;
        loop {
            self.read_envelope();
            let asked = clock::now();
            let pause =
                match block_on_while(self.envelope.open(&self.providers.without_cache()), || self.nap()) {
                    None => Duration::ZERO,
                    Some(Ok(_)) => {
                        lease.prolong(asked + interval + grace);
                        retry = soonest;
                        jittered(interval)
                    }
                    Some(Err(error)) => {
                        let class = error.class().unwrap_or(ErrorClass::Malformed);
                        if self.is_refused(&error) {
                            if let Some(cache) = self.providers.cache() {
                                cache.clear();
                            }
                            return lease.end(Some(Withdrawal::now(class, error.to_string())));
                        }
                        lease.note(class, error.to_string());
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
        let token = Header::read(&self.file).and_then(|(header, _)| header.own_token());
        if let Ok(token) = token
            && token.envelope.is_rewrapping_of(&self.envelope)
        {
            self.envelope = token.envelope;
        }
    }

    /// Whether everybody who could be asked has refused the key.
    fn is_refused(&self, error: &EnvelopeError) -> bool {
        let EnvelopeError::NoSlotOpened { failures, .. } = error else { return false };
        let mut asked =
            failures.iter().filter(|slot| self.providers.get(&slot.provider).is_some()).peekable();
        asked.peek().is_some() && asked.all(|slot| is_refusal(slot.error.class()))
    }
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
