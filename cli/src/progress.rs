//! How far a copy has come: a bar on a terminal, and a line in the end.

use std::io::IsTerminal as _;
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::size;

const KNOWN: &str =
    "{bytes:>11} of {total_bytes} [{wide_bar}] {percent:>3}% {binary_bytes_per_sec:>13} {eta:>4} left";
const UNKNOWN: &str = "{bytes:>11} {binary_bytes_per_sec:>13} {elapsed} so far";
const SYNCING: &str = "{bytes:>11} in {elapsed}, waiting for the disk";

/// The progress of one copy.
pub struct Progress {
    bar: ProgressBar,
    begun: Instant,
}

impl Progress {
    /// Begins; `size` in bytes, where it is known.
    pub fn start(size: Option<u64>) -> Progress {
        let target = match std::io::stderr().is_terminal() {
            true => ProgressDrawTarget::stderr_with_hz(10),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(size, target);
        bar.set_style(style(if size.is_some() { KNOWN } else { UNKNOWN }));
        Progress { bar, begun: Instant::now() }
    }

    /// Shows nothing.
    pub fn none() -> Progress {
        Progress { bar: ProgressBar::hidden(), begun: Instant::now() }
    }

    /// So many bytes more are done.
    pub fn add(&self, bytes: usize) {
        self.bar.inc(bytes as u64);
    }

    /// All bytes are done, and have yet to come to the disk.
    pub fn syncing(&self) {
        self.bar.set_style(style(SYNCING));
        // Without a thread to be had its clock stands still.
        let bar = self.bar.clone();
        let _ = thread::Builder::new().name("progress".into()).spawn(move || {
            while !bar.is_finished() {
                bar.tick();
                thread::sleep(Duration::from_millis(200));
            }
        });
    }

    /// Clears the bar, and tells size, time and rate.
    pub fn finish(self, bytes: u64) -> String {
        self.bar.finish_and_clear();
        let seconds = self.begun.elapsed().as_secs_f64().max(1e-6);
        let rate = size::show((bytes as f64 / seconds) as u64);
        format!("{} in {}, {rate}/s", size::show(bytes), duration(seconds))
    }
}

/// A bar that is left behind would stand before the line that says why.
impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are constants, which a test parses.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

fn duration(seconds: f64) -> String {
    match seconds {
        ..0.9995 => format!("{:.0} ms", (seconds * 1e3).max(1.0)),
        ..59.95 => format!("{seconds:.1} s"),
        _ => {
            let whole = seconds.round() as u64;
            match whole / 3600 {
                0 => format!("{} min {} s", whole / 60, whole % 60),
                hours => format!("{hours} h {} min", whole / 60 % 60),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_parse() {
        for template in [KNOWN, UNKNOWN, SYNCING] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }

    #[test]
    fn durations_are_shown() {
        for (seconds, text) in
            [(1e-6, "1 ms"), (0.25, "250 ms"), (2.13, "2.1 s"), (59.97, "1 min 0 s"), (7322.0, "2 h 2 min")]
        {
            assert_eq!(duration(seconds), text);
        }
    }
}
