//! Whether the key of an open volume may still be used.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::range_locks::RangeLocks;
use super::withdrawal::Withdrawal;
use crate::Process;
use crate::keys::{ErrorClass, clock};

/// The time for which the key may be used, as everybody knows it who uses the volume. It gets longer with each check that
/// succeeds, and once it has ended it stays so.
///
/// Nothing here waits: the check must not hold up data, and in a forked child there is nobody to wait for.
pub(super) struct Lease {
    /// Until when, in nanoseconds of [`clock::now`]; 0 when it has ended.
    until: AtomicU64,
    /// When the question was asked that was answered last, in the same way.
    asked: AtomicU64,
    /// How it ended; before that the last failure of those that do not end it at once.
    end: RwLock<Option<Withdrawal>>,
    locks: Arc<RangeLocks>,
}

impl Lease {
    /// A lease of so long a time from the moment at which the provider was asked.
    pub(super) fn new(asked: Duration, length: Duration, locks: Arc<RangeLocks>) -> Lease {
        Lease {
            until: AtomicU64::new(nanoseconds(asked + length)),
            asked: AtomicU64::new(nanoseconds(asked)),
            end: RwLock::new(None),
            locks,
        }
    }

    /// A lease of another length, from the last answer on. It is no answer itself: it ends with this one at the latest,
    /// unless its own time is longer. Nor does a shorter time end it before somebody could be asked.
    pub(super) fn followed_by(&self, length: Duration) -> Lease {
        let asked = self.asked.load(Ordering::Acquire);
        let until = self.until.load(Ordering::Acquire).min(nanoseconds(clock::now() + length));
        let next = Lease::new(Duration::from_nanos(asked), length, Arc::clone(&self.locks));
        next.until.fetch_max(until, Ordering::AcqRel);
        next
    }

    /// Whether the key may be used now.
    pub(super) fn check(&self) -> Result<(), Box<Withdrawal>> {
        if self.holds() { Ok(()) } else { Err(self.withdrawal()) }
    }

    /// Whether it has not ended. When its time is over it ends here, whoever asks.
    pub(super) fn holds(&self) -> bool {
        let until = self.until.load(Ordering::Acquire);
        if until == 0 {
            return false;
        }
        if nanoseconds(clock::now()) < until {
            return true;
        }
        // Another value: it was prolonged just now.
        let ended = self.until.compare_exchange(until, 0, Ordering::AcqRel, Ordering::Acquire);
        match ended {
            Ok(_) => {
                if let Ok(mut end) = self.end.try_write() {
                    end.get_or_insert_with(unknown);
                }
                // Without waiting; the thread that checks waits for calls under way as well.
                self.locks.take_free_keys();
                false
            }
            Err(now) => now != 0,
        }
    }

    /// How much time is left.
    pub(super) fn left(&self) -> Duration {
        Duration::from_nanos(self.until.load(Ordering::Acquire)).saturating_sub(clock::now())
    }

    /// Makes it longer, unless it has ended.
    pub(super) fn prolong(&self, asked: Duration, length: Duration) {
        let now = nanoseconds(clock::now());
        let longer = |old: u64| (old > now).then(|| old.max(nanoseconds(asked + length)));
        // Where it has ended, whoever asks next is told so.
        if self.until.fetch_update(Ordering::AcqRel, Ordering::Acquire, longer).is_ok() {
            self.asked.fetch_max(nanoseconds(asked), Ordering::AcqRel);
            *self.end.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    /// Lets the time be over.
    #[cfg(test)]
    pub(super) fn expire(&self) {
        self.until.store(1, Ordering::Release);
    }

    /// Remembers a failure, for the case that the time ends without a better answer.
    pub(super) fn note(&self, class: ErrorClass, reason: String) {
        if !self.holds() {
            return;
        }
        let end = Withdrawal::in_time(self.left(), class, reason);
        *self.end.write().unwrap_or_else(PoisonError::into_inner) = Some(end);
    }

    /// Ends it, and takes the key away from the volume once the calls under way are done with it.
    pub(super) fn end(&self, why: Option<Withdrawal>) {
        if let Some(why) = why {
            *self.end.write().unwrap_or_else(PoisonError::into_inner) = Some(why);
        }
        self.until.store(0, Ordering::Release);
        self.locks.take_key();
    }

    /// Why the key may not be used.
    pub(super) fn withdrawal(&self) -> Box<Withdrawal> {
        let mut known = None;
        for _ in 0..100 {
            match self.end.try_read() {
                Ok(end) => {
                    known.clone_from(&end);
                    break;
                }
                // Being written now; in a forked child perhaps for ever.
                Err(_) => thread::yield_now(),
            }
        }
        Box::new(known.unwrap_or_else(unknown))
    }
}

/// The lease of a volume, and the thread that prolongs it, which ends when this is dropped.
pub(super) struct Watch {
    pub(super) lease: Arc<Lease>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    process: Process,
}

impl Watch {
    /// `stop` tells the thread to end.
    pub(super) fn new(lease: Arc<Lease>, stop: Arc<AtomicBool>, thread: JoinHandle<()>) -> Watch {
        Watch { lease, stop, thread: Some(thread), process: Process::current() }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let Some(thread) = self.thread.take() else { return };
        if self.process.is_current() {
            thread.thread().unpark();
            // A check under way is dropped. A panic in it has ended the lease.
            let _ = thread.join();
        } else {
            // There is no such thread in this process, to be waited for or let go.
            std::mem::forget(thread);
        }
    }
}

/// For a time that ended without any answer.
fn unknown() -> Withdrawal {
    let reason = "no check of the key was answered in time".to_owned();
    Withdrawal::in_time(Duration::ZERO, ErrorClass::TimedOut, reason)
}

/// Saturates after 584 years.
fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::range_locks::tests::locks;

    #[test]
    fn another_length_is_no_answer() {
        let locks = locks();
        let [instant, minute, hour] = [5, 60_000, 3_600_000].map(Duration::from_millis);
        let until = |lease: &Lease| Duration::from_nanos(lease.until.load(Ordering::Acquire));
        let asked = clock::now();
        let lease = Lease::new(asked, minute, Arc::clone(&locks));
        thread::sleep(4 * instant);
        // Again and again: the time goes on from that answer.
        let again = lease.followed_by(minute).followed_by(minute);
        assert_eq!(until(&again), asked + minute);
        assert_eq!(until(&lease.followed_by(hour)), asked + hour);
        // Shorter than what has passed: there is time for a question, and no more than there was.
        let short = until(&lease.followed_by(instant));
        assert!(short > asked + 4 * instant && short <= asked + minute);
        // An answer counts from its question on.
        lease.prolong(asked + instant, minute);
        assert_eq!(until(&lease.followed_by(hour)), asked + instant + hour);
        lease.end(None);
        assert!(!lease.holds());
    }
}
