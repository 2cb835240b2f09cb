//! How a key gets its backend: by a name, by the environment, or by what the processor runs.

use core::str::FromStr;

use super::{
    error::Error,
    simd::{Backend, Runnable, Schedule},
};

/// A backend, and perhaps a schedule of its own: what `ATREST_BACKEND` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) backend: Backend,
    pub(super) schedule: Option<Schedule>,
}

impl Choice {
    /// What `ATREST_BACKEND` names, else the fastest backend.
    pub(super) fn of_environment() -> Result<Choice, Error> {
        #[cfg(feature = "std")]
        if let Some(name) = std::env::var_os("ATREST_BACKEND").filter(|name| !name.is_empty()) {
            return name.to_str().ok_or(Error::UnknownBackend)?.parse();
        }
        Ok(Choice { backend: Backend::fastest(), schedule: None })
    }

    /// For keys of `aes_bits` bits.
    #[inline(always)]
    pub(super) fn runnable(self, aes_bits: usize) -> Result<Runnable, Error> {
        Runnable::new(self.backend, self.schedule, aes_bits).ok_or(Error::UnsupportedBackend(self.backend))
    }
}

impl FromStr for Choice {
    type Err = Error;

    /// `NAME`, or `NAME:SCHEDULE`.
    fn from_str(text: &str) -> Result<Choice, Error> {
        let Some((name, schedule)) = text.split_once(':') else {
            return Ok(Choice { backend: text.parse()?, schedule: None });
        };
        let schedule = Schedule::ALL.into_iter().find(|of| of.name() == schedule);
        Ok(Choice { backend: name.parse()?, schedule: Some(schedule.ok_or(Error::UnknownBackend)?) })
    }
}

impl FromStr for Backend {
    type Err = Error;

    /// By its [name](Backend::name).
    fn from_str(name: &str) -> Result<Backend, Error> {
        Backend::ALL.iter().copied().find(|backend| backend.name() == name).ok_or(Error::UnknownBackend)
    }
}
