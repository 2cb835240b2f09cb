//! The report: a JSON document about a library, to lie beside it.

use std::fmt::Write;

use crate::{
    coverage::Coverage,
    elf::Library,
    prove::{Plan, Results},
};

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out + "\""
}

fn list(items: impl IntoIterator<Item = String>) -> String {
    let items: Vec<String> = items.into_iter().collect();
    if items.is_empty() { "[]".into() } else { format!("[\n    {}\n  ]", items.join(",\n    ")) }
}

/// Writes it all down.
pub fn json(plan: &Plan<'_>, results: &Results, coverage: Option<&Coverage>, seconds: f64) -> String {
    let Library { path, hash, .. } = plan.library;
    let (proved, failed) = results.totals();
    let file = path.rsplit('/').next().unwrap_or(path);
    let jobs = results.tallies.iter().map(|((target, key, job), tally)| {
        format!(
            "{{ \"backend\": {}, \"key_bits\": {}, \"job\": {}, \"proved\": {}, \"failed\": {}, \"instructions\": {}, \
             \"processor_seconds\": {:.1} }}",
            quoted(plan.targets[*target].name),
            plan.key_bits[*key],
            quoted(&plan.jobs[*job]),
            tally.proved,
            tally.failed,
            tally.steps,
            tally.time.as_secs_f64()
        )
    });
    let used = results.used.iter().map(|((target, key), (stack, counts))| {
        format!(
            "{{ \"backend\": {}, \"processor\": {}, \"key_bits\": {}, \"most_stack_bytes\": {stack}, \"sums_not_linear\": {}, \
             \"streaming_stores\": {}, \"calls_of_other_libraries\": {} }}",
            quoted(plan.targets[*target].name),
            quoted(plan.targets[*target].processor.name()),
            plan.key_bits[*key],
            counts.unknown_sums,
            counts.streamed,
            counts.foreign.values().sum::<u64>()
        )
    });
    let residue = results.residue.iter().flat_map(|((target, key), residue)| {
        residue.most.iter().map(move |((class, place), bytes)| {
            format!(
                "{{ \"backend\": {}, \"key_bits\": {}, \"what\": {}, \"where\": {}, \"most_bytes\": {bytes} }}",
                quoted(plan.targets[*target].name),
                plan.key_bits[*key],
                quoted(&class.to_string()),
                quoted(place)
            )
        })
    });
    let failures = results.failures.iter().map(|failure| {
        format!(
            "{{ \"backend\": {}, \"key_bits\": {}, \"theorem\": {}, \"fault\": {}, \"explanation\": {} }}",
            quoted(failure.target),
            failure.key_bits,
            quoted(&failure.theorem),
            quoted(&failure.fault.to_string()),
            quoted(&failure.explanation)
        )
    });
    let covered = coverage.map_or(String::from("null"), |coverage| {
        let missing = coverage.missing.iter().map(|(function, missing)| {
            format!(
                "{{ \"function\": {}, \"instructions\": {}, \"at\": [{}], \"before_a_panic\": {}, \"why\": {} }}",
                quoted(function),
                missing.at.len(),
                missing.at.iter().map(|at| format!("\"{at:#x}\"")).collect::<Vec<_>>().join(", "),
                missing.panics,
                missing.why.as_ref().map_or("null".into(), |why| quoted(why))
            )
        });
        format!(
            "{{ \"instructions\": {}, \"executed\": {}, \"not_reached\": {} }}",
            coverage.all,
            coverage.executed,
            list(missing)
        )
    });
    let arithmetic = if cfg!(feature = "exact") { "exact" } else { "random images of 128 bits" };
    format!(
        "{{\n  \"library\": {},\n  \"sha256\": {},\n  \"statement\": \"docs/proof.md\",\n  \"sums\": {},\n  \
         \"theorems_proved\": {proved},\n  \"theorems_failed\": {failed},\n  \"seconds\": {seconds:.1},\n  \
         \"jobs\": {},\n  \"resources\": {},\n  \"left_behind\": {},\n  \"coverage\": {covered},\n  \
         \"failures\": {}\n}}\n",
        quoted(file),
        quoted(hash),
        quoted(arithmetic),
        list(jobs),
        list(used),
        list(residue),
        list(failures)
    )
}
