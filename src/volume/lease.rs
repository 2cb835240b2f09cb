//! Whether the key of an open volume may still be used.

use core::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::error::Error;
use super::stripes::Stripes;
use crate::keys::{ErrorClass, clock, utc_date};

/// Why and since when the key of an open volume is not used any more.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Withdrawal {
    /// What the key providers answered last: that the key is disabled, for example, or that it cannot be reached.
    pub class: ErrorClass,
    /// Whether nobody said no, but nobody said yes for too long either.
    pub lapsed: bool,
    /// When the volume stopped using the key, in seconds since 1970-01-01T00:00:00Z.
    pub since: u64,
    /// The failure of each wrapping, in one line.
    pub reason: String,
}

impl Withdrawal {
    pub(super) fn now(class: ErrorClass, reason: String) -> Withdrawal {
        Withdrawal { class, lapsed: false, since: date(Duration::ZERO), reason }
    }

    /// One that comes about in so long a time unless the key can be checked before.
    fn in_time(left: Duration, class: ErrorClass, reason: String) -> Withdrawal {
        Withdrawal { class, lapsed: true, since: date(left), reason }
    }
}

impl fmt::Display for Withdrawal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.lapsed {
            false => "the volume's key was withdrawn",
            true => "nobody could say for too long whether the volume's key may still be used",
        };
        let Withdrawal { class, since, reason, .. } = self;
        write!(
            f,
            "{what} ({class}); since {} nothing is read or written any more; when that is solved, open the volume \
             again: {reason}",
            utc_date(*since)
        )
    }
}

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
    stripes: Arc<Stripes>,
}

impl Lease {
    /// A lease of so long a time from the moment at which the provider was asked.
    pub(super) fn new(asked: Duration, length: Duration, stripes: Arc<Stripes>) -> Lease {
        Lease {
            until: AtomicU64::new(nanoseconds(asked + length)),
            asked: AtomicU64::new(nanoseconds(asked)),
            end: RwLock::new(None),
            stripes,
        }
    }

    /// A lease of another length, from the last answer on. It is no answer itself: it ends with this one at the latest,
    /// unless its own time is longer. Nor does a shorter time end it before somebody could be asked.
    pub(super) fn followed_by(&self, length: Duration) -> Lease {
        let asked = self.asked.load(Ordering::Acquire);
        let until = self.until.load(Ordering::Acquire).min(nanoseconds(clock::now() + length));
        let next = Lease::new(Duration::from_nanos(asked), length, Arc::clone(&self.stripes));
        next.until.fetch_max(until, Ordering::AcqRel);
        next
    }

    /// Whether the key may be used now.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.holds() { Ok(()) } else { Err(self.error()) }
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
                self.stripes.take_free_keys();
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
        self.stripes.take_key();
    }

    /// Why the key may not be used.
    pub(super) fn error(&self) -> Error {
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
        Error::Withdrawn(Box::new(known.unwrap_or_else(unknown)))
    }
}

/// For a time that ended without any answer.
fn unknown() -> Withdrawal {
    let reason = "no check of the key was answered in time".to_owned();
    Withdrawal::in_time(Duration::ZERO, ErrorClass::TimedOut, reason)
}

/// The date in so long a time, in seconds since 1970.
fn date(left: Duration) -> u64 {
    (SystemTime::now() + left).duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// Saturates after 584 years.
fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::io::expand;

    #[test]
    fn another_length_is_no_answer() {
        let key: Vec<u8> = (0..64).collect();
        let stripes = Arc::new(Stripes::new(expand(&key).unwrap()));
        let [instant, minute, hour] = [5, 60_000, 3_600_000].map(Duration::from_millis);
        let until = |lease: &Lease| Duration::from_nanos(lease.until.load(Ordering::Acquire));
        let asked = clock::now();
        let lease = Lease::new(asked, minute, Arc::clone(&stripes));
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
