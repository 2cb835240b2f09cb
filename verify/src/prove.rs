//! Runs jobs on several threads, and explains what fails.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use crate::{
    algebra,
    elf::Library,
    fault::{Fault, Kind},
    inputs::Inputs,
    jobs::{Job, Theorem},
    machine::Counts,
    pointers,
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
    /// Threads.
    pub threads: usize,
    /// What calls leave behind: whether that is looked at, and whether anything is a fault.
    pub residue: Option<bool>,
    /// Whether addresses are known numbers, rather than those of regions that lie anywhere.
    pub at_known_addresses: bool,
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
    /// How long it took.
    pub time: Duration,
}

/// What all came to.
#[derive(Default)]
pub struct Results {
    /// By backend, key size and job, in order of the plan.
    pub tallies: BTreeMap<(usize, usize, usize), Tally>,
    /// The first failures.
    pub failures: Vec<Failure>,
    /// How often each address of the library was executed, by backend.
    pub executed: HashMap<u64, u64>,
    /// The instructions, as they can be run anywhere.
    pub encodings: BTreeSet<Vec<u8>>,
    /// By backend and key size: the most stack that a call used, and what was counted.
    pub used: BTreeMap<(usize, usize), (u64, Counts)>,
    /// What is left behind, by backend and key size.
    pub residue: BTreeMap<(usize, usize), Residue>,
}

impl Results {
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
pub fn run(plan: &Plan<'_>) -> Results {
    let mut items = Vec::new();
    for target in 0..plan.targets.len() {
        for key in 0..plan.key_bits.len() {
            items.extend((0..plan.jobs.len()).map(|job| (target, key, job)));
        }
    }
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Results::default()));
    std::thread::scope(|scope| {
        for _ in 0..plan.threads {
            scope.spawn(|| Worker { plan, results: &results, now: None }.work(&items, &next));
        }
    });
    results.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// One thread.
struct Worker<'a, 'p> {
    plan: &'p Plan<'a>,
    results: &'p Mutex<Results>,
    /// The subject at work, its backend and its key size.
    now: Option<(usize, usize, Subject<'a>)>,
}

impl Worker<'_, '_> {
    fn work(mut self, items: &[(usize, usize, usize)], next: &AtomicUsize) {
        while let Some(&(target, key, job)) = items.get(next.fetch_add(1, Relaxed)) {
            let started = Instant::now();
            let mut tally = Tally::default();
            let parsed = self.plan.jobs[job].parse::<Job>().ok();
            let concerned = parsed.filter(|job| job.concerns(&self.plan.targets[target]));
            let Some(theorems) = concerned.map(|job| job.theorems()) else { continue };
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
            tally.time = started.elapsed();
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
            self.results().tallies.insert((target, key, job), tally);
        }
        self.finish();
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
            self.finish();
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

    /// Gathers what the subject knows.
    fn finish(&mut self) {
        let Some((target, key, subject)) = self.now.take() else { return };
        let mut results = self.results();
        for (at, count) in subject.machine.executed() {
            *results.executed.entry(at).or_default() += count;
        }
        results.encodings.extend(subject.machine.encodings());
        let (stack, counts) = results.used.entry((target, key)).or_default();
        *stack = subject.stack_used.max(*stack);
        let more = subject.machine.counts();
        counts.steps += more.steps;
        counts.unknown_sums += more.unknown_sums;
        counts.streamed += more.streamed;
        for (name, calls) in &more.foreign {
            *counts.foreign.entry(name.clone()).or_default() += calls;
        }
        if let Some(residue) = &subject.residue {
            results.residue.entry((target, key)).or_default().join(residue);
        }
    }

    fn failed(&mut self, target: usize, key: usize, theorem: &Theorem, fault: Fault) {
        // A machine that has stopped halfway is not used any more.
        if fault.kind != Kind::Left {
            self.finish();
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
