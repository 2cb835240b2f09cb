//! A file that remembers what was proved, so that a long run can go on where it ended. It is text, and grows line by line:
//!
//!     library SHA-256
//!     job BACKEND KEY-BITS JOB THEOREMS INSTRUCTIONS MILLISECONDS STACK UNKNOWN-SUMS STREAMED FOREIGN-CALLS
//!     ran ADDRESS...
//!     form CODE
//!
//! Only jobs all of whose theorems were proved are in it.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::Write,
    time::Duration,
};

use crate::{
    elf::Library,
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
    /// Opens a file, and adds to `results` what it remembers of the same library and of the plan's jobs.
    ///
    /// # Errors
    /// If it cannot be read or written, is of another library, or is no record.
    pub fn open(path: &str, plan: &Plan<'_>, results: &mut Results) -> Result<Record, String> {
        let fault = |error: std::io::Error| format!("{path}: {error}");
        let Library { hash, .. } = plan.library;
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(fault)?;
        if text.is_empty() {
            writeln!(file, "library {hash}").map_err(fault)?;
            return Ok(Record(file));
        }
        let names: HashMap<&str, usize> =
            plan.targets.iter().enumerate().map(|(i, target)| (target.name, i)).collect();
        // What a killed run has not written to its end is no line.
        let whole = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
        if whole.len() + 1 < text.len() {
            writeln!(file).map_err(fault)?;
        }
        for (i, line) in whole.lines().enumerate() {
            let words: Vec<&str> = line.split(' ').collect();
            match &words[..] {
                ["library", of] if i == 0 && of == hash => {}
                ["library", ..] => return Err(format!("{path} is of another library: remove it")),
                ["ran", at @ ..] => {
                    results.executed.extend(at.iter().filter_map(|at| u64::from_str_radix(at, 16).ok()));
                }
                ["form", code] => results.encodings.extend(unhex(code)),
                ["job", target, bits, job, numbers @ ..] => {
                    let place = (
                        names.get(target),
                        plan.key_bits.iter().position(|known| known.to_string() == **bits),
                        plan.jobs.iter().position(|known| known == job),
                    );
                    let numbers: Vec<u64> = numbers.iter().filter_map(|n| n.parse().ok()).collect();
                    let (
                        &[proved, steps, time, stack, unknown_sums, streamed, foreign],
                        (Some(&t), Some(k), Some(j)),
                    ) = (&numbers[..], place)
                    else {
                        continue;
                    };
                    let tally = Tally { proved, failed: 0, steps, time: Duration::from_millis(time) };
                    let mut counts = Counts { steps, unknown_sums, streamed, ..Counts::default() };
                    if foreign != 0 {
                        counts.foreign.insert("before".into(), foreign);
                    }
                    results.add((t, k, j), tally, &Done { stack, counts, ..Done::default() });
                }
                _ => {}
            }
        }
        Ok(Record(file))
    }

    /// Adds a job. `ran`: addresses; `forms`: encodings, that were not in it before.
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
