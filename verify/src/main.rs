//! Proves that the machine code of a `libatrest.so` computes XTS-AES; see docs/proof.md.
//!
//!     atrest-verify prove LIBRARY [OPTION...]
//!
//!     --full              all lengths and counts of the list FULL of src/jobs.rs, beside those of SLICE
//!     --short             those of SHORT
//!     --job JOB           this job instead; may be repeated
//!     --target NAME       this backend or schedule alone; may be repeated
//!     --key-bits BITS     this key size alone
//!     --threads N         so many threads (as many as the machine runs at once)
//!     --report FILE       writes a report (JSON)
//!     --record FILE       remembers what was proved, and goes on from there when it is called again
//!     --forms FILE        adds the instructions that were executed, in hexadecimal
//!     --at-known-addresses   buffers, the key object and the stack do not lie anywhere, but at certain addresses
//!     --left              looks at what calls leave in registers and on the stack (with --short); plaintext and round keys
//!                         on the stack are faults
//!     --left-nothing      the same, and anything but tweaks is a fault
//!     --unreached FILE    explanations of instructions that no theorem runs through; others are a fault then
//!
//!     atrest-verify validate FILE STATES
//!
//! Runs the instructions of a file that `--forms` wrote on this processor, each form in so many states at least, and
//! compares what comes out with its model.
//!
//!     atrest-verify validate-aarch64 FILE STATES RUNNER...
//!
//! The same for AArch64, by a command that runs aarch64/runner.c: on such a processor, or under qemu's emulation.
//!
//!     atrest-verify mutants LIBRARY BACKEND KEY-BITS COUNT SEED
//!
//! Flips single bits in the machine code of a backend, and says which changes the theorems do not notice; it fails if
//! those are more than a third.

mod aes;
mod algebra;
mod contents;
mod coverage;
mod elf;
mod fault;
mod inputs;
mod jobs;
mod laps;
mod machine;
mod memory;
mod mutants;
mod numbers;
mod pointers;
mod prove;
mod record;
mod remembered;
mod report;
mod residue;
mod rounds;
mod sbox;
mod standard;
mod subject;
#[cfg(target_arch = "x86_64")]
mod validate;
mod words;

use std::{process::ExitCode, time::Instant};

use crate::{coverage::Coverage, elf::Library, jobs::Job, prove::Plan};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.first().map(String::as_str) {
        Some("prove") => prove_library(&arguments[1..]),
        Some("validate") => validate_models(&arguments[1..]),
        Some("validate-aarch64") => validate_aarch64(&arguments[1..]),
        Some("mutants") => flip_bits(&arguments[1..]),
        _ => Err("atrest-verify prove LIBRARY [OPTION...]".into()),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(text) => {
            eprintln!("atrest-verify: {text}");
            ExitCode::from(2)
        }
    }
}

fn flip_bits(arguments: &[String]) -> Result<bool, String> {
    let [path, target, key_bits, count, seed] = arguments else {
        return Err("mutants LIBRARY BACKEND KEY-BITS COUNT SEED".into());
    };
    let library =
        Library::load(path).and_then(Library::with_known_answers).map_err(|fault| fault.to_string())?;
    let target = jobs::targets(library.architecture)
        .iter()
        .find(|known| known.name == target)
        .ok_or("which backend or schedule?")?;
    let number = |text: &str| text.parse::<u64>().map_err(|_| format!("{text} is no number"));
    let (key_bits, count) = (number(key_bits)? as usize, number(count)? as usize);
    let kinds = mutants::run(&library, *target, key_bits, count, number(seed)?);
    for (kind, number) in &kinds {
        println!("{number:>5} {kind}");
    }
    // Some change nothing that counts, such as hints to the processor. More than a third never did.
    let survivors = kinds.get("survives").copied().unwrap_or(0);
    Ok(3 * survivors <= count)
}

#[cfg(not(target_arch = "x86_64"))]
fn validate_models(_: &[String]) -> Result<bool, String> {
    Err("not on this architecture".into())
}

#[cfg(target_arch = "x86_64")]
fn validate_models(arguments: &[String]) -> Result<bool, String> {
    let [file, states] = arguments else { return Err("validate FILE STATES".into()) };
    let lines = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let result = validate::validate(&lines, states.parse().map_err(|_| "how many states?")?)?;
    for (instruction, what) in &result.wrong {
        println!("WRONG: {instruction}: {what}");
    }
    for (instruction, why) in &result.partial {
        println!("not modelled for all inputs: {instruction}: {why}");
    }
    let (runs, encodings) = result.forms.values().fold((0, 0), |(a, b), (x, y)| (a + x, b + y));
    let fewest = result.forms.iter().map(|(form, (runs, _))| (runs, form)).min();
    println!(
        "{} forms in {encodings} encodings, {runs} runs and {} with unknown bits; fewest runs: {fewest:?}; {} models wrong; \
         {} encodings that this processor has not",
        result.forms.len(),
        result.blinded,
        result.wrong.len(),
        result.unsupported
    );
    Ok(result.wrong.is_empty())
}

fn validate_aarch64(arguments: &[String]) -> Result<bool, String> {
    let [file, states, runner @ ..] = arguments else {
        return Err("validate-aarch64 FILE STATES RUNNER...".into());
    };
    let lines = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let states = states.parse().map_err(|_| "how many states?")?;
    let result = machine::aarch64::validate::validate(&lines, states, runner)?;
    for (instruction, what) in &result.wrong {
        println!("WRONG: {instruction}: {what}");
    }
    for (instruction, why) in &result.partial {
        println!("not modelled for all inputs: {instruction}: {why}");
    }
    let (runs, encodings) = result.forms.values().fold((0, 0), |(a, b), (x, y)| (a + x, b + y));
    let fewest = result.forms.iter().map(|(form, (runs, _))| (runs, form)).min();
    println!(
        "{} forms in {encodings} encodings, {runs} runs and {} with unknown bits; fewest runs: {fewest:?}; {} models wrong",
        result.forms.len(),
        result.blinded,
        result.wrong.len()
    );
    Ok(result.wrong.is_empty())
}

/// What `prove` is asked for.
struct Options {
    report: Option<String>,
    forms: Option<String>,
    unreached: Option<String>,
}

fn prove_library(arguments: &[String]) -> Result<bool, String> {
    let path = arguments.first().ok_or("which library?")?;
    let library =
        Library::load(path).and_then(Library::with_known_answers).map_err(|fault| fault.to_string())?;
    let (plan, options) = plan(&library, &arguments[1..])?;
    let started = Instant::now();
    println!("{path}, SHA-256 {}", library.hash);
    let results = prove::run(&plan)?;
    let seconds = started.elapsed().as_secs_f64();
    summary(&plan, &results);
    let mut good = results.totals().1 == 0;

    let mut coverage = None;
    if let Some(file) = &options.unreached {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        let covered = Coverage::new(&library, &results.executed, &coverage::reasons(&text)?);
        println!("theorems ran through {} of {} instructions of the kernel", covered.executed, covered.all);
        for (function, missing) in covered.unexplained() {
            good = false;
            println!("not reached, for no known reason: {} instructions of {function}", missing.at.len());
            for at in missing.at.iter().take(4) {
                println!("    {}", library.place(*at));
            }
        }
        coverage = Some(covered);
    }
    if let Some(file) = &options.forms {
        let before = std::fs::read_to_string(file).unwrap_or_default();
        let mut lines: std::collections::BTreeSet<String> = before.lines().map(Into::into).collect();
        let hex = |code: &Vec<u8>| code.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        lines.extend(results.encodings.iter().map(hex));
        let text: String = lines.into_iter().map(|line| line + "\n").collect();
        std::fs::write(file, text).map_err(|error| format!("{file}: {error}"))?;
    }
    if let Some(file) = &options.report {
        let text = report::json(&plan, &results, coverage.as_ref(), seconds);
        std::fs::write(file, text).map_err(|error| format!("{file}: {error}"))?;
    }
    let (proved, failed) = results.totals();
    let processor = results.time().as_secs_f64();
    println!(
        "{proved} theorems proved, {failed} not, in {seconds:.0} s; {processor:.0} s of processors, with runs before"
    );
    Ok(good)
}

fn plan<'a>(library: &'a Library, arguments: &[String]) -> Result<(Plan<'a>, Options), String> {
    let mut plan = Plan {
        library,
        targets: Vec::new(),
        key_bits: jobs::KEY_BITS.to_vec(),
        jobs: Vec::new(),
        for_one_size: &jobs::LONG_OF_SLICE,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        residue: None,
        at_known_addresses: false,
        record: None,
        stop: false,
        loud: true,
    };
    let mut options = Options { report: None, forms: None, unreached: None };
    let mut list = jobs::SLICE.to_vec();
    let mut arguments = arguments.iter();
    while let Some(option) = arguments.next() {
        let mut value = || arguments.next().cloned().ok_or(format!("{option} takes a value"));
        match option.as_str() {
            "--full" => {
                list.extend(jobs::FULL);
                plan.for_one_size = &[];
            }
            "--short" => list = jobs::SHORT.to_vec(),
            "--at-known-addresses" => plan.at_known_addresses = true,
            "--left" => plan.residue = Some(false),
            "--left-nothing" => plan.residue = Some(true),
            "--job" => {
                let job = value()?;
                job.parse::<Job>()?;
                plan.jobs.push(job);
            }
            "--target" => {
                let name = value()?;
                let target = jobs::targets(library.architecture).iter().find(|target| target.name == name);
                plan.targets.push(*target.ok_or(format!("no backend or schedule is called {name}"))?);
            }
            "--key-bits" => plan.key_bits = vec![value()?.parse().map_err(|_| "128 or 256")?],
            "--threads" => plan.threads = value()?.parse().map_err(|_| "how many threads?")?,
            "--report" => options.report = Some(value()?),
            "--record" => plan.record = Some(value()?),
            "--forms" => options.forms = Some(value()?),
            "--unreached" => options.unreached = Some(value()?),
            _ => return Err(format!("{option} is not an option")),
        }
    }
    if plan.jobs.is_empty() {
        plan.jobs = list.iter().map(|job| (*job).into()).collect();
    }
    if plan.targets.is_empty() {
        plan.targets = jobs::targets(library.architecture).to_vec();
    }
    if plan.key_bits.iter().any(|bits| !jobs::KEY_BITS.contains(bits)) {
        return Err("keys have 128 or 256 bits".into());
    }
    Ok((plan, options))
}

fn summary(plan: &Plan<'_>, results: &prove::Results) {
    for ((target, key), (stack, counts)) in &results.used {
        let (mut proved, mut failed, mut seconds) = (0, 0, 0.0);
        for ((t, k, _), tally) in &results.tallies {
            if (t, k) == (target, key) {
                (proved, failed) = (proved + tally.proved, failed + tally.failed);
                seconds += tally.time.as_secs_f64();
            }
        }
        println!(
            "{:<14} {}: {proved} theorems, {failed} not proved, {} instructions, {seconds:.0} s; {stack} bytes of stack, \
             {} sums not linear, {} streaming stores; calls of other libraries: {:?}",
            plan.targets[*target].name,
            plan.key_bits[*key],
            counts.steps,
            counts.unknown_sums,
            counts.streamed,
            counts.foreign
        );
    }
    for ((target, key), residue) in &results.residue {
        println!(
            "{} {}: left behind by {} calls:",
            plan.targets[*target].name, plan.key_bits[*key], residue.calls
        );
        for ((class, place), most) in &residue.most {
            println!("    at most {most} bytes of {class} in the {place}");
        }
        for (class, places) in &residue.places {
            let mut places: Vec<&String> = places.iter().collect();
            places.sort();
            places.truncate(12);
            println!("    {class}: {places:?}...");
        }
    }
}
