//! Does the proof notice? Flips single bits in the library's code, and expects that theorems fail.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use iced_x86::{Decoder, DecoderOptions, Formatter, IntelFormatter, Mnemonic};

use crate::{
    elf::{Architecture, Library},
    inputs::Random,
    jobs::{SHORT, SLICE},
    machine::aarch64,
    prove::{self, Plan, Results},
    subject::Target,
};

/// Whose code is changed: functions whose names contain this.
const OF: &str = "atrest::xts::simd::";

/// A change of one bit.
struct Mutant {
    at: u64,
    code: Vec<u8>,
    was: String,
    is: String,
}

/// An instruction: its length, and in words; none for what is none, or does nothing to values.
fn decode(architecture: Architecture, code: &[u8], at: u64) -> Option<(usize, String)> {
    if architecture == Architecture::Aarch64 {
        let instruction = aarch64::decode::decode(u32::from_le_bytes(*code.first_chunk()?))?;
        let nothing = matches!(
            instruction,
            aarch64::decode::Instruction::Nothing | aarch64::decode::Instruction::Prefetch { .. }
        );
        return (!nothing).then(|| (4, format!("{instruction:?}")));
    }
    let instruction = Decoder::with_ip(64, &code[..code.len().min(15)], at, DecoderOptions::NONE).decode();
    let mut text = String::new();
    IntelFormatter::new().format(&instruction, &mut text);
    let nothing = instruction.mnemonic() == Mnemonic::Nop || text.contains("prefetch");
    (!instruction.is_invalid() && !nothing).then(|| (instruction.len(), text))
}

/// Some that are as long as what they replace, and other instructions.
fn choose(library: &Library, executed: &[u64], count: usize, random: &mut Random) -> Vec<Mutant> {
    let mut chosen = Vec::new();
    let mut seen = HashSet::new();
    while chosen.len() < count && !executed.is_empty() {
        let at = executed[random.next() as usize % executed.len()];
        let code = library.bytes(at);
        let Some((len, was)) = decode(library.architecture, code, at) else { continue };
        let mut code = code[..len].to_vec();
        let bit = random.next() as usize % (8 * len);
        code[bit / 8] ^= 1 << (bit % 8);
        let Some((new_len, is)) = decode(library.architecture, &code, at) else { continue };
        let skip = new_len != len || was == is;
        if !skip && seen.insert((at, bit)) {
            chosen.push(Mutant { at, code, was, is });
        }
    }
    chosen
}

/// Runs jobs on one thread, up to the first failure.
fn prove(library: &Library, target: Target, key_bits: usize, jobs: &[&str]) -> Results {
    let plan = Plan {
        library,
        targets: vec![target],
        key_bits: vec![key_bits],
        jobs: jobs.iter().map(|job| (*job).into()).collect(),
        for_one_size: &[],
        threads: 1,
        residue: None,
        at_known_addresses: false,
        record: None,
        stop: true,
        loud: false,
    };
    prove::run(&plan).expect("there is no record")
}

/// A job, and which instructions it executes. If it does not execute a changed one, it proves the same as before.
struct Tried {
    job: &'static str,
    executed: BTreeSet<u64>,
    takes: Duration,
}

/// Those of SHORT and SLICE, the quickest first.
fn jobs(library: &Library, target: Target, key_bits: usize) -> Vec<Tried> {
    let jobs: Vec<&str> = SHORT.into_iter().chain(SLICE).collect();
    let (next, all) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let i = next.fetch_add(1, Relaxed);
                    let Some(job) = jobs.get(i) else { break };
                    let results = prove(library, target, key_bits, &[job]);
                    assert_eq!(results.totals().1, 0, "the library itself is not proved");
                    let mut all = all.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                    let takes = results.time();
                    all.push(Tried { job, executed: results.executed, takes });
                }
            });
        }
    });
    let mut all = all.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    all.sort_by_key(|tried| tried.takes);
    all
}

/// What takes longer is tried with all changes at once that are left, and one by one only where it fails then: that two
/// changes make up for each other is no more likely than that the proof is wrong.
const QUICK: Duration = Duration::from_millis(300);

/// The first failure with these changes.
fn refutation(
    library: &Library,
    (target, key_bits): (Target, usize),
    changes: &[&Mutant],
    jobs: &[&Tried],
) -> Option<String> {
    let mut changed = library.clone();
    changes.iter().for_each(|change| changed.patch(change.at, &change.code));
    let executes = |tried: &&&Tried| changes.iter().any(|change| tried.executed.contains(&change.at));
    // One by one, since a job that has little to do with it may take long.
    let failures = jobs
        .iter()
        .filter(executes)
        .flat_map(|tried| prove(&changed, target, key_bits, &[tried.job]).failures);
    failures.map(|failure| format!("refuted: {:?}", failure.fault.kind)).next()
}

/// Tries so many mutants of a backend's code, with the jobs of SHORT and SLICE that execute it; prints the survivors. Gives
/// how many there were of each kind.
pub fn run(
    library: &Library,
    target: Target,
    key_bits: usize,
    count: usize,
    seed: u64,
) -> BTreeMap<String, usize> {
    let jobs = jobs(library, target, key_bits);
    let executed: BTreeSet<u64> = jobs
        .iter()
        .flat_map(|tried| tried.executed.iter().copied())
        .filter(|at| library.function(*at).is_some_and(|function| function.name.contains(OF)))
        .collect();
    let executed: Vec<u64> = executed.into_iter().collect();
    println!("{} instructions to choose from", executed.len());
    let mutants = choose(library, &executed, count, &mut Random(seed));
    let (quick, long): (Vec<&Tried>, Vec<&Tried>) = jobs.iter().partition(|tried| tried.takes <= QUICK);
    let which = (target, key_bits);

    let next = AtomicUsize::new(0);
    let found = Mutex::new((BTreeMap::<String, usize>::new(), Vec::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(mutant) = mutants.get(next.fetch_add(1, Relaxed)) {
                    let refuted = refutation(library, which, &[mutant], &quick);
                    let mut found = found.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                    match refuted {
                        Some(kind) => *found.0.entry(kind).or_default() += 1,
                        None => found.1.push(mutant),
                    }
                }
            });
        }
    });
    let (mut kinds, mut left) = found.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    for tried in long {
        // Two changes of one instruction cannot be made at once.
        let mut seen = HashSet::new();
        let (group, single): (Vec<&Mutant>, Vec<&Mutant>) =
            left.iter().copied().partition(|mutant| seen.insert(mutant.at));
        let alone = match refutation(library, which, &group, &[tried]) {
            Some(_) => group.into_iter().chain(single).collect(),
            None => single,
        };
        for mutant in alone {
            if let Some(kind) = refutation(library, which, &[mutant], &[tried]) {
                *kinds.entry(kind).or_default() += 1;
                left.retain(|other| !std::ptr::eq(*other, mutant));
            }
        }
    }
    for mutant in &left {
        println!("survives: {} -> {}, {}", mutant.was, mutant.is, library.place(mutant.at));
    }
    kinds.insert("survives".into(), left.len());
    kinds
}
