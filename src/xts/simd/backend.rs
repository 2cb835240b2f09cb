//! Backends, and the schedules in which their loops run: what [`table`](super::table) makes of its rows, and the rule
//! that chooses a schedule.

use core::{ffi::CStr, fmt};

use super::{
    detect::{self, detected},
    table::with_backends,
};

/// What a backend's documentation says of the processor.
macro_rules! needs {
    (any) => {
        ""
    };
    ($architecture:ident $($feature:literal)*) => {
        concat!("\nNeeds, on ", stringify!($architecture), ":", $(" `", $feature, "`"),*)
    };
}

macro_rules! architecture {
    (any) => {
        None
    };
    ($architecture:ident) => {
        Some(stringify!($architecture))
    };
}

macro_rules! define {
    ($(
        $(#[$doc:meta])*
        $variant:ident = $name:literal: $architecture:ident [$($feature:tt)*] $omit:ident [$($schedule:ident)*]
            $kind:ident($($module:ident)::+);
    )*) => {
        /// An implementation of AES-XTS. All compute the same; they differ in the instructions that they need.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Backend {
            $(
                $(#[$doc])*
                #[doc = needs!($architecture $($feature)*)]
                $variant,
            )*
        }

        impl Backend {
            /// Every backend, slowest first, whether this processor runs it or not.
            pub const ALL: &'static [Backend] = &[$(Backend::$variant),*];

            /// The name that `ATREST_BACKEND` takes.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Backend::$variant => $name,)*
                }
            }

            /// The [name](Backend::name) for C.
            #[must_use]
            pub const fn c_name(self) -> &'static CStr {
                match self {
                    $(Backend::$variant => const {
                        match CStr::from_bytes_with_nul(concat!($name, "\0").as_bytes()) {
                            Ok(name) => name,
                            Err(_) => panic!("a name holds no NUL"),
                        }
                    })*
                }
            }

            /// The architecture whose processors run it, as [`std::env::consts::ARCH`] names it; `None` where all do.
            ///
            /// [`std::env::consts::ARCH`]: https://doc.rust-lang.org/std/env/consts/constant.ARCH.html
            #[must_use]
            pub const fn architecture(self) -> Option<&'static str> {
                match self {
                    $(Backend::$variant => architecture!($architecture),)*
                }
            }

            /// The processor features that it needs, as Rust names them; none for a backend of every processor.
            #[must_use]
            pub const fn needs(self) -> &'static [&'static str] {
                match self {
                    $(Backend::$variant => &[$($feature),*],)*
                }
            }

            /// The schedules that it has: the ways in which its loop can be run.
            #[must_use]
            pub const fn schedules(self) -> &'static [Schedule] {
                if cfg!(msan) {
                    // MemorySanitizer does not follow data through assembler, which rows are.
                    return &[Schedule::Tiles];
                }
                match self {
                    $(Backend::$variant => &[$(Schedule::$schedule),*],)*
                }
            }

            /// Whether this build has it.
            const fn is_built(self) -> bool {
                match self {
                    $(Backend::$variant => cfg!(backend = $name),)*
                }
            }

            /// Whether the processor has what it needs.
            fn is_detected(self) -> bool {
                match self {
                    $(Backend::$variant => detected!($architecture $($feature)*),)*
                }
            }
        }
    };
}
with_backends!(define);

impl Backend {
    /// Whether this build, on this processor, can run it.
    #[must_use]
    pub fn is_supported(self) -> bool {
        self.is_built() && self.is_detected()
    }

    /// Those that this build, on this processor, can run, slowest first: [`Soft`](Backend::Soft), at least.
    #[must_use]
    pub fn supported() -> impl DoubleEndedIterator<Item = Backend> + Clone {
        Backend::ALL.iter().copied().filter(|backend| backend.is_supported())
    }

    /// The schedule that suits this processor for keys of `aes_bits` (128 or 256) bits. This is the rule;
    /// docs/kernel.md has the measurements. Who names a schedule overrides it.
    ///
    /// - `vaes512`: rows where two 512-bit AES instructions start in a cycle (Zen 5), for which eight vectors in flight
    ///   are too few. Where one does, they are twice what is needed. On AMD's processors (Zen 4) rows still do more for
    ///   short sectors, and less for long ones; Intel's, which were not measured, take tiles.
    /// - `vaes256`: rows, but for AES-128 where `vaes512` is the faster backend and does not take rows alone (Zen 4).
    fn suited_schedule(self, aes_bits: usize) -> Schedule {
        let suited = match self {
            Backend::Vaes512 => match detect::wide_aes() {
                detect::WideAes::TwoStart => Schedule::Rows,
                detect::WideAes::OneStartsOnAmd => Schedule::Mixed,
                detect::WideAes::OneStarts => Schedule::Tiles,
            },
            Backend::Vaes256 => {
                let wide = Backend::Vaes512.is_detected() && detect::wide_aes() != detect::WideAes::TwoStart;
                if aes_bits == 128 && wide { Schedule::Tiles } else { Schedule::Rows }
            }
            _ => Schedule::Tiles,
        };
        if self.schedules().contains(&suited) { suited } else { Schedule::Tiles }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How a backend's loop keeps the AES units at work. All compute the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Schedule {
    /// Eight vectors in flight, as the compiler orders them.
    Tiles,
    /// Twelve or sixteen in flight, in assembler, wherever the data is long enough.
    Rows,
    /// Rows for sectors of up to 1024 bytes, tiles for longer ones, and for copies of 2 MiB and more.
    Mixed,
}

impl Schedule {
    /// Every schedule.
    pub(crate) const ALL: [Schedule; 3] = [Schedule::Tiles, Schedule::Rows, Schedule::Mixed];

    /// The name that `ATREST_BACKEND` takes behind that of a backend, after a colon.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Schedule::Tiles => "tiles",
            Schedule::Rows => "rows",
            Schedule::Mixed => "mixed",
        }
    }

    /// The longest sector, in bytes, that goes in rows.
    pub(super) const fn longest_in_rows(self) -> usize {
        match self {
            Schedule::Tiles => 0,
            Schedule::Rows => usize::MAX,
            // On Zen 4, of batches of 64 KiB, AES-128 loses 2 to 7 % with longer ones, and AES-256 gains nothing more.
            Schedule::Mixed => 1024,
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A backend that this processor runs, and one of its schedules: only [`Runnable::new`] makes it.
#[derive(Clone, Copy)]
pub(crate) struct Runnable {
    backend: Backend,
    schedule: Schedule,
}

impl Runnable {
    /// With the schedule that suits the processor for keys of `aes_bits` bits, where none is chosen. `None` if this
    /// processor does not run the backend, or the backend does not have the schedule.
    #[inline(always)]
    pub(crate) fn new(backend: Backend, schedule: Option<Schedule>, aes_bits: usize) -> Option<Runnable> {
        let schedule = schedule.unwrap_or_else(|| backend.suited_schedule(aes_bits));
        let runnable = backend.is_supported() && backend.schedules().contains(&schedule);
        runnable.then_some(Runnable { backend, schedule })
    }

    pub(super) fn backend(self) -> Backend {
        self.backend
    }

    pub(super) fn schedule(self) -> Schedule {
        self.schedule
    }
}
