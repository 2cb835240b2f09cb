//! Runs jobs on several threads, and explains what fails.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::{
    algebra,
    elf::Library,
    fault::{Fault, Kind},
    inputs::Inputs,
    jobs::{Job, Theorem},
    machine::Counts,
    pointers,
    record::Record,
    residue::Residue,
    subject::{Subject, Target},
};

/// What to prove, and how.
pub struct Plan<'a> {
    /// The library.
    pub library: &'a Library,
    /// Backends and schedules.
    pub targets: Vec<Target>,
    /// Key sizes in bits.
    pub key_bits: Vec<usize>,
    /// Jobs, for each of them.
    pub jobs: Vec<String>,
    /// Those of them that are for the last key size alone.
    pub for_one_size: &'static [&'static str],
    /// Threads.
    pub threads: usize,
    /// What calls leave behind: whether that is looked at, and whether anything is a fault.
    pub residue: Option<bool>,
    /// Whether addresses are known numbers, rather than those of regions that lie anywhere.
    pub at_known_addresses: bool,
    /// A file that remembers what was proved.
    pub record: Option<String>,
    /// Whether to stop at the first failure.
    pub stop: bool,
    /// Whether to say what is going on.
    pub loud: bool,
}

/// A theorem that was not proved.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The backend and its schedule.
    pub target: &'static str,
    /// The key size in bits.
    pub key_bits: usize,
    /// The theorem, in words.
    pub theorem: String,
    /// Why not.
    pub fault: Fault,
    /// Where in the source, and with which values, in words.
    pub explanation: String,
}

/// What a job came to.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Theorems that were proved.
    pub proved: u64,
    /// Theorems that were not.
    pub failed: u64,
    /// Instructions that were executed.
    pub steps: u64,
    /// How much of a processor's time it took.
    pub time: Duration,
}

/// What all came to.
#[derive(Default)]
pub struct Results {
    /// By backend, key size and job, in order of the plan.
    pub tallies: BTreeMap<(usize, usize, usize), Tally>,
    /// The first failures.
    pub failures: Vec<Failure>,
    /// The addresses of the library that were executed.
    pub executed: BTreeSet<u64>,
    /// The instructions, as they can be run anywhere.
    pub encodings: BTreeSet<Vec<u8>>,
    /// By backend and key size: the most stack that a call used, and what was counted.
    pub used: BTreeMap<(usize, usize), (u64, Counts)>,
    /// What is left behind, by backend and key size.
    pub residue: BTreeMap<(usize, usize), Residue>,
}

/// What executing a job's theorems showed, beside that they hold.
#[derive(Default)]
pub struct Done {
    /// Addresses that were executed, and encodings, for the first time.
    pub executed: Vec<u64>,
    pub encodings: Vec<Vec<u8>>,
    /// The most stack that a call used.
    pub stack: u64,
    /// What was counted.
    pub counts: Counts,
}

impl Results {
    /// Adds a job: its backend, key size and place in the plan.
    pub fn add(&mut self, (target, key, job): (usize, usize, usize), tally: Tally, done: &Done) {
        self.executed.extend(&done.executed);
        self.encodings.extend(done.encodings.iter().cloned());
        let (stack, counts) = self.used.entry((target, key)).or_default();
        *stack = done.stack.max(*stack);
        counts.steps += done.counts.steps;
        counts.unknown_sums += done.counts.unknown_sums;
        counts.streamed += done.counts.streamed;
        for (name, calls) in &done.counts.foreign {
            *counts.foreign.entry(name.clone()).or_default() += calls;
        }
        self.tallies.insert((target, key, job), tally);
    }

    /// How much of a processor's time all took.
    pub fn time(&self) -> Duration {
        self.tallies.values().map(|tally| tally.time).sum()
    }

    /// All theorems that were proved, and all that were not.
    pub fn totals(&self) -> (u64, u64) {
        self.tallies
            .values()
            .fold((0, 0), |(proved, failed), tally| (proved + tally.proved, failed + tally.failed))
    }
}

/// Failures that are explained.
const EXPLAINED: usize = 12;

/// Runs a plan.
///
/// # Errors
/// If the record of what was proved before is of no use.
pub fn run(plan: &Plan<'_>) -> Result<Results, String> {
    let mut results = Results::default();
    let record = plan.record.as_ref().map(|path| Record::open(path, plan, &mut results)).transpose()?;
    let record = Mutex::new(record);
    let mut items = Vec::new();
    for target in 0..plan.targets.len() {
        for key in 0..plan.key_bits.len() {
            let last = key + 1 == plan.key_bits.len();
            let jobs =
                (0..plan.jobs.len()).filter(|job| last || !plan.for_one_size.contains(&&*plan.jobs[*job]));
            items.extend(jobs.map(|job| (target, key, job)));
        }
    }
    items.retain(|item| !results.tallies.contains_key(item));
    let (next, results) = (AtomicUsize::new(0), Mutex::new(results));
    std::thread::scope(|scope| {
        for _ in 0..plan.threads {
            scope
                .spawn(|| Worker { plan, results: &results, record: &record, now: None }.work(&items, &next));
        }
    });
    Ok(results.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()))
}

/// One thread.
struct Worker<'a, 'p> {
    plan: &'p Plan<'a>,
    results: &'p Mutex<Results>,
    record: &'p Mutex<Option<Record>>,
    /// The subject at work, its backend and its key size.
    now: Option<(usize, usize, Subject<'a>)>,
}

impl Worker<'_, '_> {
    fn work(mut self, items: &[(usize, usize, usize)], next: &AtomicUsize) {
        while let Some(&(target, key, job)) = items.get(next.fetch_add(1, Relaxed)) {
            let started = processor_time();
            let mut tally = Tally::default();
            let job_is = self.plan.jobs[job].parse::<Job>().ok();
            let theorems = job_is.map_or_else(Vec::new, |job| job.theorems(&self.plan.targets[target]));
            // It has nothing that this backend and schedule do.
            if theorems.is_empty() {
                continue;
            }
            for theorem in theorems {
                match self.prove(target, key, &theorem, &mut tally) {
                    Ok(()) => tally.proved += 1,
                    Err(fault) => {
                        tally.failed += 1;
                        self.failed(target, key, &theorem, fault);
                        if self.plan.stop {
                            next.store(items.len(), Relaxed);
                            break;
                        }
                    }
                }
            }
            tally.time = processor_time() - started;
            if self.plan.loud {
                println!(
                    "{:<14} {} {:<48} {:>6} theorems{} in {:.1} s",
                    self.plan.targets[target].name,
                    self.plan.key_bits[key],
                    self.plan.jobs[job],
                    tally.proved,
                    if tally.failed == 0 { String::new() } else { format!(", {} NOT PROVED,", tally.failed) },
                    tally.time.as_secs_f64()
                );
            }
            self.gather((target, key, job), tally);
        }
    }

    fn results(&self) -> std::sync::MutexGuard<'_, Results> {
        self.results.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn prove(
        &mut self,
        target: usize,
        key: usize,
        theorem: &Theorem,
        tally: &mut Tally,
    ) -> Result<(), Fault> {
        if algebra::is_full() || self.now.as_ref().is_none_or(|(t, k, _)| (*t, *k) != (target, key)) {
            algebra::forget();
            pointers::forget();
            let (target_is, key_bits) = (&self.plan.targets[target], self.plan.key_bits[key]);
            let mut subject = Subject::new(self.plan.library, target_is, key_bits, Inputs::Unknown)?;
            subject.at_known_addresses = self.plan.at_known_addresses;
            subject.residue = self.plan.residue.map(Residue::new);
            self.now = Some((target, key, subject));
        }
        let Some((_, _, subject)) = &mut self.now else { return Ok(()) };
        let before = subject.machine.counts().steps;
        if subject.residue.is_some() {
            subject.on_other_data = true;
            theorem.prove(subject)?;
            subject.on_other_data = false;
        }
        let result = theorem.prove(subject);
        tally.steps += subject.machine.counts().steps - before;
        result
    }

    /// Adds a job's tally to the results, and what the subject knows.
    fn gather(&mut self, item: (usize, usize, usize), tally: Tally) {
        let mut done = Done::default();
        if let Some((_, _, subject)) = &mut self.now {
            done.executed = subject.machine.executed();
            done.encodings = subject.machine.encodings();
            done.stack = std::mem::take(&mut subject.stack_used);
            done.counts = subject.machine.take_counts();
            let residue = subject.residue.as_mut().map(|residue| (residue.strict, std::mem::take(residue)));
            if let Some((strict, found)) = residue {
                subject.residue = Some(Residue::new(strict));
                self.results().residue.entry((item.0, item.1)).or_default().join(&found);
            }
        }
        let mut results = self.results();
        done.executed.retain(|at| !results.executed.contains(at));
        done.encodings.retain(|code| !results.encodings.contains(code));
        if tally.failed == 0 {
            let mut record = self.record.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            let line = format!(
                "{} {} {}",
                self.plan.targets[item.0].name, self.plan.key_bits[item.1], self.plan.jobs[item.2]
            );
            if let Some(Err(error)) = record.as_mut().map(|record| record.add(&line, &tally, &done)) {
                eprintln!("{line} was not recorded: {error}");
            }
        }
        results.add(item, tally, &done);
    }

    fn failed(&mut self, target: usize, key: usize, theorem: &Theorem, fault: Fault) {
        // A machine that has stopped halfway is not used any more.
        if fault.kind != Kind::Left {
            self.now = None;
        }
        if self.results().failures.len() >= EXPLAINED {
            return;
        }
        let (target, key_bits) = (&self.plan.targets[target], self.plan.key_bits[key]);
        let explanation = if self.plan.loud {
            explain(self.plan.library, target, key_bits, theorem, &fault)
        } else {
            String::new()
        };
        let failure =
            Failure { target: target.name, key_bits, theorem: theorem.to_string(), fault, explanation };
        if self.plan.loud {
            println!("NOT PROVED: {} {}: {}", failure.target, failure.key_bits, failure.theorem);
            println!("    {}", failure.fault);
            println!("    {}", failure.explanation);
        }
        self.results().failures.push(failure);
    }
}

/// How much of a processor's time this thread has taken.
fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a reference to a place for the time.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(failed, 0, "every Linux has this clock");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Where the fault is in the source; and for a wrong result, values for which it is wrong.
fn explain(library: &Library, target: &Target, key_bits: usize, theorem: &Theorem, fault: &Fault) -> String {
    let place = fault.at.map(|at| match fault.kind {
        Kind::Wrong => format!("it was written by the instruction at {}", library.place(at)),
        _ => format!("at {}", library.place(at)),
    });
    let mut text = place.unwrap_or_else(|| "no instruction is to blame".into());
    if fault.kind == Kind::Wrong {
        let example = (1..=4).find_map(|seed| {
            let mut subject = Subject::new(library, target, key_bits, Inputs::Numbers(seed)).ok()?;
            theorem.prove(&mut subject).err().map(|fault| (seed, fault))
        });
        text += &match example {
            Some((seed, fault)) => format!("; with the numbers from seed {seed}: {}", fault.text),
            None => "; four sets of random numbers showed no difference".into(),
        };
    }
    text
}
