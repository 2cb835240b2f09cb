//! Core cycles.
//!
//! A processor's counter of time runs at one rate while its cores change theirs. So the length of a cycle is measured
//! over and over, by instructions that take one cycle each.

use std::time::Instant;

use atrest::limit;

/// Counts the core cycles that something takes.
pub struct Clock {
    /// Nanoseconds a cycle, lately.
    period: f64,
    shortest: f64,
}

impl Clock {
    /// `None` where cycles cannot be counted.
    pub fn start() -> Option<Clock> {
        let period = period()?;
        Some(Clock { period, shortest: period })
    }

    /// The cycles that `work` takes, interruptions included.
    pub fn cycles(&mut self, work: impl FnOnce()) -> f64 {
        let start = Instant::now();
        work();
        let time = start.elapsed().as_nanos() as f64;
        let before = self.period;
        self.period = period().unwrap_or(before);
        self.shortest = self.shortest.min(self.period);
        // An interruption can make a cycle look longer than it is, and the work cheaper; never shorter.
        time / before.min(self.period)
    }

    /// The highest rate that was seen.
    pub fn best_ghz(&self) -> f64 {
        1.0 / self.shortest
    }
}

fn period() -> Option<f64> {
    let once = || {
        let start = Instant::now();
        let cycles = limit::additions()?;
        // One nanosecond is less than the clock can tell.
        Some(start.elapsed().as_nanos().max(1) as f64 / cycles as f64)
    };
    Some(once()?.min(once()?))
}
