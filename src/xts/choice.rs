//! How a key gets its backend: by a name, by the environment, or by what the processor runs.

use core::str::FromStr;

use super::{
    answers,
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
        if let Some(name) = crate::environment::variable("ATREST_BACKEND") {
            return name.to_str().ok_or(Error::UnknownBackend)?.parse();
        }
        Ok(Choice { backend: Backend::fastest(), schedule: None })
    }

    /// For keys of `aes_bits` bits.
    #[inline(always)]
    pub(super) fn runnable(self, aes_bits: usize) -> Result<Runnable, Error> {
        let runnable = Runnable::new(self.backend, self.schedule, aes_bits)
            .ok_or(Error::UnsupportedBackend(self.backend))?;
        if answers::are_given_by(self.backend) { Ok(runnable) } else { Err(Error::SelfTest(self.backend)) }
    }
}

impl Backend {
    /// Whether this build, on this processor, can run it, and it computes rightly: it gives known answers, in each of its
    /// [schedules](Backend::schedules) and for both key sizes. They are asked for once in a process, before the first key that
    /// runs on the backend, which takes some microseconds (3 to 7 with AES instructions), 3 KiB of stack, and no allocation.
    #[must_use]
    pub fn is_usable(self) -> bool {
        self.is_supported() && answers::are_given_by(self)
    }

    /// Those that are [usable](Backend::is_usable), slowest first. [`Soft`](Backend::Soft) is one, unless nothing can be
    /// trusted here. Each that was not asked yet is asked now.
    #[must_use]
    pub fn usable() -> impl DoubleEndedIterator<Item = Backend> + Clone {
        Backend::ALL.iter().copied().filter(|backend| backend.is_usable())
    }

    /// Those that gave a wrong answer in this process so far, slowest first: none, but under a wrong emulator, on a faulty
    /// processor, or in a build by a wrong compiler. Keys are made without them, and programs tell their users.
    #[must_use]
    pub fn wrong() -> impl DoubleEndedIterator<Item = Backend> + Clone {
        Backend::ALL.iter().copied().filter(|&backend| answers::were_wrong_of(backend))
    }

    /// The fastest backend that computes rightly here: the last of [`usable`](Backend::usable), found without a look at
    /// slower ones.
    #[must_use]
    pub fn fastest() -> Backend {
        Backend::usable().next_back().unwrap_or(Backend::Soft)
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
