//! The thread that asks the key providers, while a volume is open, whether its key may still be used.

use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use super::header::Header;
use super::lease::{Lease, Withdrawal};
use super::recheck::Recheck;
use crate::keys::{Envelope, EnvelopeError, ErrorClass, Providers, RootKeyCache, block_on_while, clock};

/// The longest sleep of the thread that checks: its alarm clock stands still while the machine is suspended.
const NAP: Duration = Duration::from_secs(60);

/// What the thread knows.
pub(super) struct Checker {
    pub(super) lease: Arc<Lease>,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) file: File,
    /// As it was when it was last read.
    pub(super) envelope: Envelope,
    /// Without a cache.
    pub(super) providers: Providers,
    /// That of the caller's set, whose keys go with that set.
    pub(super) cache: Weak<RootKeyCache>,
    pub(super) recheck: Recheck,
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
    pub(super) fn run(mut self) {
        let lease = Arc::clone(&self.lease);
        let _panicked = Panicked(&lease);
        let Recheck { interval, grace } = self.recheck;
        let soonest = (grace / 8).min(interval).clamp(Duration::from_millis(5), Duration::from_secs(1));
        let mut retry = soonest;
        loop {
            self.read_envelope();
            let asked = clock::now();
            let pause = match block_on_while(self.envelope.open(&self.providers), || self.nap()) {
                None => Duration::ZERO,
                Some(Ok(_)) => {
                    lease.prolong(asked, interval + grace);
                    retry = soonest;
                    jittered(interval)
                }
                Some(Err(error)) => {
                    match self.verdict(&error) {
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
        let token = Header::read(&self.file).and_then(|(header, _)| header.own_token());
        if let Ok(token) = token
            && token.envelope.is_rewrapping_of(&self.envelope)
        {
            self.envelope = token.envelope;
        }
    }

    /// What the failures of the wrappings say together. Those for which there is no provider here were not asked.
    fn verdict(&self, error: &EnvelopeError) -> Verdict {
        let EnvelopeError::NoSlotOpened { failures, .. } = error else {
            return Verdict::Unknown(error.class().unwrap_or(ErrorClass::Malformed));
        };
        let asked = failures.iter().filter(|slot| self.providers.get(&slot.provider).is_some());
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
