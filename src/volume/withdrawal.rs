//! Why an open volume has closed itself.

use core::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Code;
use crate::keys::{ErrorClass, utc_date};

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
    /// What programs call it.
    #[must_use]
    pub const fn code(&self) -> Code {
        Code::Withdrawn
    }

    pub(super) fn now(class: ErrorClass, reason: String) -> Withdrawal {
        Withdrawal { class, lapsed: false, since: date(Duration::ZERO), reason }
    }

    /// One that comes about in so long a time unless the key can be checked before.
    pub(super) fn in_time(left: Duration, class: ErrorClass, reason: String) -> Withdrawal {
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

impl std::error::Error for Withdrawal {}

/// The date in so long a time, in seconds since 1970.
fn date(left: Duration) -> u64 {
    (SystemTime::now() + left).duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
