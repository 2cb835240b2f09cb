//! Objects with locks in them, across fork().

use core::sync::atomic::{AtomicU64, Ordering};

use atrest::{Code, Process};

/// The calls that run on an object, and the process that they run in: the process in the upper half, their number in
/// the lower one.
///
/// A lock that another thread holds at the time of a fork stays locked in the child for ever, since that thread is not
/// there. So a child may use an object that nobody was using then, and is refused any other.
pub(crate) struct Calls(AtomicU64);

impl Calls {
    pub(crate) fn new() -> Calls {
        Calls(AtomicU64::new(state(1) - 1))
    }

    /// Begins a call, which ends when the guard is dropped.
    pub(crate) fn begin(&self) -> Result<Call<'_>, Code> {
        let first = state(1);
        let next = |now: u64| match () {
            () if now >> 32 == first >> 32 => Some(now + 1),
            // A fork, and no call was running.
            () if now & u64::from(u32::MAX) == 0 => Some(first),
            () => None,
        };
        match self.0.fetch_update(Ordering::Acquire, Ordering::Relaxed, next) {
            Ok(_) => Ok(Call(self)),
            Err(_) => Err(Code::Forked),
        }
    }
}

/// This process with so many calls.
fn state(calls: u32) -> u64 {
    u64::from(Process::current().number()) << 32 | u64::from(calls)
}

/// A call that runs.
pub(crate) struct Call<'a>(&'a Calls);

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Release);
    }
}
