//! A file that remembers what was proved, so that a long run can go on where it ended. It is text, and grows line by line:
//!
//!     library SHA-256 by SHA-256
//!     job BACKEND KEY-BITS JOB THEOREMS INSTRUCTIONS MILLISECONDS STACK UNKNOWN-SUMS STREAMED FOREIGN-CALLS
//!     ran ADDRESS...
//!     form CODE
//!
//! Only jobs all of whose theorems were proved are in it; and it is of one library and of one build of this program. That of
//! another begins anew.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    time::Duration,
};

use crate::{
    elf,
    machine::Counts,
    prove::{Done, Plan, Results, Tally},
};

/// The file, open for more lines.
pub struct Record(File);

fn hex(code: &[u8]) -> String {
    code.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(text.get(i..i + 2)?, 16).ok()).collect()
}

impl Record {
    /// Opens a file, and adds to `results` what it remembers of the plan's jobs.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub fn open(path: &str, plan: &Plan<'_>, results: &mut Results) -> Result<Record, String> {
        let fault = |error: std::io::Error| format!("{path}: {error}");
        let program = std::env::current_exe().and_then(std::fs::read).map_err(fault)?;
        let first = format!("library {} by {}", plan.library.hash, elf::sha256(&program));
        let text = std::fs::read_to_string(path).unwrap_or_default();
        // What a run that was killed has not written to its end is no line.
        let lines = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
        let mut whole = match lines.strip_prefix(&first) {
            Some(more) if more.is_empty() || more.starts_with('\n') => {
                more.lines().for_each(|line| remember(line, plan, results));
                lines.to_string()
            }
            _ => first,
        };
        whole.push('\n');
        std::fs::write(path, whole).map_err(fault)?;
        Ok(Record(OpenOptions::new().append(true).open(path).map_err(fault)?))
    }

    /// Adds a job; `done` has addresses and encodings that were not in it before.
    ///
    /// # Errors
    /// If that cannot be written.
    pub fn add(&mut self, line: &str, tally: &Tally, done: &Done) -> std::io::Result<()> {
        let mut text = String::new();
        for chunk in done.executed.chunks(64) {
            text += "ran";
            for at in chunk {
                text += &format!(" {at:x}");
            }
            text += "\n";
        }
        for code in &done.encodings {
            text += &format!("form {}\n", hex(code));
        }
        let counts = &done.counts;
        text += &format!(
            "job {line} {} {} {} {} {} {} {}\n",
            tally.proved,
            tally.steps,
            tally.time.as_millis(),
            done.stack,
            counts.unknown_sums,
            counts.streamed,
            counts.foreign.values().sum::<u64>()
        );
        self.0.write_all(text.as_bytes())
    }
}

/// Adds what a line says to the results.
fn remember(line: &str, plan: &Plan<'_>, results: &mut Results) {
    let words: Vec<&str> = line.split(' ').collect();
    match &words[..] {
        ["ran", at @ ..] => {
            results.executed.extend(at.iter().filter_map(|at| u64::from_str_radix(at, 16).ok()));
        }
        ["form", code] => results.encodings.extend(unhex(code)),
        ["job", target, bits, job, numbers @ ..] => {
            let place = (
                plan.targets.iter().position(|known| known.name == *target),
                plan.key_bits.iter().position(|known| known.to_string() == **bits),
                plan.jobs.iter().position(|known| known == job),
            );
            let (Some(target), Some(key), Some(job)) = place else { return };
            let numbers: Vec<u64> = numbers.iter().filter_map(|number| number.parse().ok()).collect();
            let &[proved, steps, time, stack, unknown_sums, streamed, foreign] = &numbers[..] else { return };
            let tally = Tally { proved, failed: 0, steps, time: Duration::from_millis(time) };
            let mut counts = Counts { steps, unknown_sums, streamed, ..Counts::default() };
            if foreign != 0 {
                counts.foreign.insert("of runs before".into(), foreign);
            }
            results.add((target, key, job), tally, &Done { stack, counts, ..Done::default() });
        }
        _ => {}
    }
}
