//! Whether a local key can be used, and what can become of it.

use super::super::{ErrorClass, KeyState, ProviderError, utc_date};
use std::time::{SystemTime, UNIX_EPOCH};

const DAY: u64 = 24 * 60 * 60;
/// The waiting period before a deletion, in days, and the one for want of another: those of AWS KMS.
const WAITING: std::ops::RangeInclusive<u32> = 7..=30;
const USUAL_WAITING: u32 = 30;

const DISABLED: &str = "disabled";
const PENDING: &str = "pending-deletion";

/// Whether a key can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Enabled,
    Disabled,
    /// It may be erased from this time on, in seconds since 1970, and is not used before either.
    PendingDeletion(u64),
}

impl State {
    /// The state that a key file says; `None` for what no file says.
    pub fn from_fields(state: Option<&str>, deletion: Option<u64>) -> Option<State> {
        match (state, deletion) {
            (None, None) => Some(State::Enabled),
            (Some(DISABLED), None) => Some(State::Disabled),
            (Some(PENDING), Some(date)) => Some(State::PendingDeletion(date)),
            _ => None,
        }
    }

    /// What a key file says of the state.
    pub fn to_fields(self) -> (Option<&'static str>, Option<u64>) {
        match self {
            State::Enabled => (None, None),
            State::Disabled => (Some(DISABLED), None),
            State::PendingDeletion(date) => (Some(PENDING), Some(date)),
        }
    }

    /// The state as descriptions have it.
    pub fn described(self) -> (KeyState, Option<u64>) {
        match self {
            State::Enabled => (KeyState::Enabled, None),
            State::Disabled => (KeyState::Disabled, None),
            State::PendingDeletion(date) => (KeyState::PendingDeletion, Some(date)),
        }
    }

    /// Refuses a key that cannot be used, and says what would help.
    pub fn usable(self, name: &str) -> Result<(), ProviderError> {
        match self {
            State::Enabled => Ok(()),
            State::Disabled => {
                let message = format!("the local key {name} is disabled: its owner can enable it again");
                Err(ProviderError::new(ErrorClass::KeyDisabled, message))
            }
            State::PendingDeletion(date) => Err(pending(name, date)),
        }
    }

    /// The state of a key that its owner enables or disables.
    pub fn switched(self, name: &str, enabled: bool) -> Result<State, ProviderError> {
        match self {
            State::PendingDeletion(date) => Err(pending(name, date)),
            _ => Ok(if enabled { State::Enabled } else { State::Disabled }),
        }
    }

    /// The state of a key that is to be deleted after so many days, and when that is.
    pub fn scheduled(self, name: &str, days: Option<u32>) -> Result<(State, u64), ProviderError> {
        let days = days.unwrap_or(USUAL_WAITING);
        if !WAITING.contains(&days) {
            let message =
                format!("local keys are deleted after a waiting period of 7 to 30 days, not {days}");
            return Err(ProviderError::new(ErrorClass::InvalidRequest, message));
        }
        match self {
            State::PendingDeletion(date) => Err(pending(name, date)),
            _ => {
                let date = now().saturating_add(u64::from(days) * DAY);
                Ok((State::PendingDeletion(date), date))
            }
        }
    }

    /// The state of a key whose deletion is cancelled.
    pub fn cancelled(self, name: &str) -> Result<State, ProviderError> {
        match self {
            State::PendingDeletion(_) => Ok(State::Disabled),
            _ => Err(not_pending(name)),
        }
    }

    /// Refuses to erase a key unless its waiting period has ended.
    pub fn erasable(self, name: &str) -> Result<(), ProviderError> {
        match self {
            State::PendingDeletion(date) if date <= now() => Ok(()),
            State::PendingDeletion(date) => Err(pending(name, date)),
            _ => Err(not_pending(name)),
        }
    }
}

fn pending(name: &str, date: u64) -> ProviderError {
    let when = utc_date(date);
    let message = if date <= now() {
        format!(
            "the local key {name} is deleted since {when}: its owner can erase it for good, and until then cancel that"
        )
    } else {
        format!("the local key {name} waits for its deletion on {when}: its owner can cancel that")
    };
    ProviderError::new(ErrorClass::KeyPendingDeletion, message).with_deletion(Some(date))
}

fn not_pending(name: &str) -> ProviderError {
    let message = format!(
        "the local key {name} does not wait for a deletion: schedule one, which begins the waiting period"
    );
    ProviderError::new(ErrorClass::InvalidRequest, message)
}

/// The time in seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
