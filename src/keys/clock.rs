//! The clock by which keys stay usable for so long and no longer.

use std::time::Duration;

/// How much time has gone by since some moment before this process began. It never goes back, whatever is done to the
/// machine's date, and on Linux and Android it also counts while the machine is suspended: a key that was good for a
/// minute is not good the next morning. Elsewhere suspended time is not counted.
pub(crate) fn now() -> Duration {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        START.get_or_init(std::time::Instant::now).elapsed()
    }
}
