//! What the command says is done, after the power went: every command is watched, and at every moment that matters the
//! power is cut in a model of the disk, which loses what was not synced in all ways, or in many. Each disk that is left
//! is made, and the command has to do with it what it promised.
//!
//! `ATREST_CRASH_STATES`: how many disks are tried in all, about (5000). Without optimisation only a few are, and no command is
//! cut off, unless this says so.

mod disk;
#[path = "../../../tests/common/peers.rs"]
mod peers;
mod record;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use disk::Disk;
use record::{Fault, Lab, Run};

const ATREST: &str = env!("CARGO_BIN_EXE_atrest");

/// What is encrypted.
const DATA: &[u8] = b"precious, and not to be had again";

/// Numbers at random, the same for the same seed (splitmix64).
fn generator(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// The command, with the keystore `ks` in `place`.
fn atrest(place: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(ATREST);
    command.current_dir(place).args(arguments).stdin(Stdio::null()).env("LC_ALL", "C");
    command.env("ATREST_HOME", place.join("ks")).env("ATREST_STATE", place.join("state"));
    for name in ["ATREST_BACKEND", "ATREST_KEY", "ATREST_PASSPHRASE_FILE"] {
        command.env_remove(name);
    }
    command
}

fn succeed(place: &Path, arguments: &[&str]) -> Output {
    let output = atrest(place, arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// What is on the disk that was left must do this.
type Promise<'a> = &'a dyn Fn(&Path) -> Result<(), String>;

/// The volume opens, and holds what was put into it.
fn opens(place: &Path) -> Result<(), String> {
    opens_as("v", place)
}

fn opens_as(name: &str, place: &Path) -> Result<(), String> {
    let output = atrest(place, &["decrypt", name, "-"]).output().unwrap();
    if output.status.success() && output.stdout == DATA {
        return Ok(());
    }
    Err(format!("{name} is lost: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

/// The volume does not open, whatever is done.
fn is_gone(place: &Path) -> Result<(), String> {
    let output = atrest(place, &["decrypt", "v", "-"]).output().unwrap();
    if output.status.success() { Err("v still opens".to_owned()) } else { Ok(()) }
}

/// How many disks are tried in all; `None`: few, for those who test as they work.
fn all_states() -> Option<usize> {
    let all = std::env::var("ATREST_CRASH_STATES").ok().map(|number| number.parse().expect("a number"));
    all.or((!cfg!(debug_assertions)).then_some(5000))
}

/// The same for each sequence that is written out here. Most have fewer, all of which are tried.
fn states() -> Option<usize> {
    all_states().map(|all| all / SCENARIOS.len() + 1)
}

/// Cuts the power at each of these moments, and holds what is left against the promise.
fn cut(name: &str, moments: &[Disk], promise: Promise<'_>) {
    let mut random = generator(name.len() as u64);
    let each = states().unwrap_or(20).div_ceil(moments.len());
    let (tried, failures) = failures(moments, each, &mut random, promise);
    println!("{name}: {tried} disks");
    assert!(failures.is_empty(), "{name}: {} of {tried} disks: {}", failures.len(), failures[0]);
}

/// How many disks were tried, at most `each` for a moment, and what was wrong with some.
fn failures(
    moments: &[Disk],
    each: usize,
    random: &mut impl FnMut() -> u64,
    promise: Promise<'_>,
) -> (usize, Vec<String>) {
    let mut failures = Vec::new();
    let mut tried = 0;
    for (i, disk) in moments.iter().enumerate() {
        for left in disk.after_power_cut(each, random) {
            let place = tempfile::tempdir().unwrap();
            left.make(place.path());
            tried += 1;
            if let Err(why) = promise(place.path()) {
                failures.push(format!("power cut at moment {i} of {}: {why}", moments.len()));
            }
        }
    }
    (tried, failures)
}

/// What may be done to a volume and its keys at any time, in any order; some of it fails, since nothing is there for it.
const CHANGES: &[&[&str]] = &[
    &["rewrap", "v"],
    &["rewrap", "v", "--key", "local:a"],
    &["rewrap", "v", "--key", "local:b"],
    &["slot", "add", "v", "--key", "local:a"],
    &["slot", "add", "v", "--key", "local:b"],
    &["slot", "remove", "v", "0"],
    &["slot", "remove", "v", "1"],
    &["key", "rotate", "--now", "local:a"],
    &["key", "rotate", "--now", "local:b"],
    &["key", "create", "local:c"],
    &["slot", "add", "v", "--key", "local:c"],
    &["rewrap", "v", "--key", "local:c"],
    &["header", "backup", "v", "h"],
    &["header", "restore", "--force", "v", "h"],
];

/// Sequences of [changes](CHANGES) at random, every other of them cut off somewhere, until `count` disks were tried: the
/// volume opens at any moment.
fn changes_at_random(seed: u64, count: usize) -> usize {
    let mut random = generator(seed);
    let faults = faults();
    let mut tried = 0;
    while tried < count {
        let mut lab = a_volume();
        let mut said = Vec::new();
        for _ in 0..8 {
            let change = CHANGES[random() as usize % CHANGES.len()];
            let fault = &faults[random() as usize % faults.len()];
            let fault = random().is_multiple_of(2).then_some(&**fault);
            let run = run(&mut lab, change, fault);
            said.push(format!("{change:?} with {fault:?}: {:?}", run.code));
            let (more, failures) = failures(&run.moments, 8, &mut random, &opens);
            tried += more;
            assert!(failures.is_empty(), "seed {seed}: {}: {}", said.join("; "), failures[0]);
        }
    }
    tried
}

/// A keystore with the keys a and b, and the volume `v` under a.
fn a_volume() -> Lab {
    Lab::new(set_up)
}

fn set_up(place: &Path) {
    std::fs::write(place.join("p"), DATA).unwrap();
    succeed(place, &["key", "create", "local:a"]);
    succeed(place, &["key", "create", "local:b"]);
    succeed(place, &["encrypt", "--key", "local:a", "p", "v"]);
}

fn run(lab: &mut Lab, arguments: &[&str], fault: Fault<'_>) -> Run {
    let command = atrest(lab.path(), arguments);
    lab.run(&command, fault)
}

/// The same for a command that must succeed.
fn done(lab: &mut Lab, arguments: &[&str]) -> Vec<Disk> {
    let run = run(lab, arguments, None);
    assert_eq!(run.code, Some(0), "{arguments:?}: {}", run.said);
    run.moments
}

/// What happens to a command: the process is killed, or the disk fails, at its first, second and later calls.
fn faults() -> Vec<String> {
    if states().is_none() {
        let few = ["fsync:signal=KILL:when=1", "fdatasync:signal=KILL:when=1", "fdatasync:error=EIO:when=2"];
        return few.map(str::to_owned).to_vec();
    }
    let mut faults = Vec::new();
    for call in ["fsync", "fdatasync", "pwrite64", "write", "renameat2", "renameat"] {
        faults.extend((1..=4).map(|when| format!("{call}:signal=KILL:when={when}")));
    }
    for call in ["fsync", "fdatasync"] {
        faults.extend((1..=4).map(|when| format!("{call}:error=EIO:when={when}")));
    }
    faults
}

/// Cuts off a command at many moments and repeats it; the volume opens all along. One that has succeeded for want of the
/// fault is not repeated.
fn cut_off_and_repeated(name: &str, lab: impl Fn() -> Lab, arguments: &[&str], promise: Promise<'_>) {
    let mut moments = Vec::new();
    for fault in faults() {
        let mut lab = lab();
        let first = run(&mut lab, arguments, Some(&fault));
        if first.code == Some(0) {
            continue;
        }
        moments.extend(first.moments);
        // It may say that all is done already.
        moments.extend(run(&mut lab, arguments, None).moments);
    }
    cut(name, &moments, promise);
}

/// A name, and the test that gets it.
type Scenario = (&'static str, fn(&str));

const SCENARIOS: &[Scenario] = &[
    ("changes_at_random", |name| {
        // Those that are written out have some thousands.
        let count = all_states().map_or(20, |all| (all / 2).max(all.saturating_sub(5000)));
        let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
        let tried: usize = std::thread::scope(|scope| {
            let all: Vec<_> = (0..threads)
                .map(|seed| scope.spawn(move || changes_at_random(seed, count.div_ceil(threads as usize))))
                .collect();
            all.into_iter().map(|one| one.join().expect("what it panicked with is above")).sum()
        });
        println!("{name}: {tried} disks");
    }),
    ("first_use_of_a_keystore", |name| {
        let mut lab = Lab::new(|place| std::fs::write(place.join("p"), DATA).unwrap());
        let moments = done(&mut lab, &["encrypt", "p", "v"]);
        cut(name, &moments[moments.len() - 1..], &opens);
    }),
    ("encrypt", |name| {
        let mut lab = a_volume();
        let moments = done(&mut lab, &["encrypt", "--key", "local:b", "p", "w"]);
        cut(name, &moments[moments.len() - 1..], &|place| opens_as("w", place));
    }),
    ("encrypt_over_a_volume", |name| {
        let mut lab = a_volume();
        let moments = done(&mut lab, &["encrypt", "--force", "--key", "local:b", "p", "v"]);
        cut(name, &moments, &opens);
    }),
    ("rewrap", |name| {
        let moments = done(&mut a_volume(), &["rewrap", "v", "--key", "local:b"]);
        cut(name, &moments, &opens);
    }),
    ("rewrap_cut_off_and_repeated", |name| {
        cut_off_and_repeated(name, a_volume, &["rewrap", "v", "--key", "local:b"], &opens);
    }),
    ("rewrap_twice_at_once", |name| {
        let mut lab = a_volume();
        let mut both = Command::new("sh");
        both.arg("-c")
            .arg(format!("{ATREST} rewrap v --key local:b & {ATREST} rewrap v --key local:a; wait"));
        both.env("ATREST_HOME", lab.path().join("ks")).env("ATREST_STATE", lab.path().join("state"));
        let moments = lab.run(&both, None).moments;
        cut(name, &moments, &opens);
    }),
    ("rotate_cut_off_then_rewrap", |name| {
        let mut moments = Vec::new();
        for fault in faults() {
            let mut lab = a_volume();
            moments.extend(run(&mut lab, &["key", "rotate", "--now", "local:a"], Some(&fault)).moments);
            moments.extend(done(&mut lab, &["rewrap", "v"]));
        }
        cut(name, &moments, &opens);
    }),
    ("key_made_and_cut_off_then_used", |name| {
        let mut moments = Vec::new();
        for fault in faults() {
            let mut lab = a_volume();
            run(&mut lab, &["key", "create", "local:n"], Some(&fault));
            if run(&mut lab, &["encrypt", "--key", "local:n", "p", "w"], None).code == Some(0) {
                moments.push(lab.disk.clone());
            }
        }
        assert!(!moments.is_empty());
        cut(name, &moments, &|place| opens_as("w", place));
    }),
    ("slots", |name| {
        let mut lab = a_volume();
        let mut moments = done(&mut lab, &["slot", "add", "v", "--key", "local:b"]);
        moments.extend(done(&mut lab, &["slot", "remove", "v", "0"]));
        cut(name, &moments, &opens);
    }),
    ("slot_cut_off_and_repeated", |name| {
        cut_off_and_repeated(name, a_volume, &["slot", "add", "v", "--key", "local:b"], &opens);
    }),
    ("header_restored", |name| {
        let mut lab = a_volume();
        done(&mut lab, &["header", "backup", "v", "h"]);
        done(&mut lab, &["rewrap", "v", "--key", "local:b"]);
        let moments = done(&mut lab, &["header", "restore", "--force", "v", "h"]);
        cut(name, &moments, &opens);
    }),
    ("header_restored_cut_off_and_repeated", |name| {
        let backed_up = || {
            Lab::new(|place| {
                set_up(place);
                succeed(place, &["header", "backup", "v", "h"]);
                succeed(place, &["rewrap", "v", "--key", "local:b"]);
            })
        };
        cut_off_and_repeated(name, backed_up, &["header", "restore", "--force", "v", "h"], &opens);
    }),
    ("header_backed_up", |name| {
        let mut lab = a_volume();
        let moments = done(&mut lab, &["header", "backup", "v", "h"]);
        cut(name, &moments[moments.len() - 1..], &|place| {
            std::fs::write(
                place.join("v"),
                vec![0; std::fs::metadata(place.join("v")).unwrap().len() as usize],
            )
            .unwrap();
            let output = atrest(place, &["header", "restore", "--force", "v", "h"]).output().unwrap();
            match output.status.success() {
                true => Ok(()),
                false => {
                    Err(format!("the backup is lost: {}", String::from_utf8_lossy(&output.stderr).trim()))
                }
            }
        });
    }),
    ("decrypt", |name| {
        let mut lab = a_volume();
        let moments = done(&mut lab, &["decrypt", "v", "o"]);
        cut(name, &moments[moments.len() - 1..], &|place| match std::fs::read(place.join("o")) {
            Ok(content) if content == DATA => Ok(()),
            other => Err(format!("what was decrypted is lost: {other:?}")),
        });
    }),
    ("passphrase_set", |name| {
        // It is not asked for: that the key's file is whole at any moment shows in the other volume's key.
        let mut lab = a_volume();
        let pass = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(pass.path(), "correct horse").unwrap();
        let file = pass.path().to_str().unwrap();
        let moments = done(&mut lab, &["key", "passphrase", "local:b", "--passphrase-file", file]);
        cut(name, &moments, &opens);
    }),
    ("key_disabled", |name| {
        let mut lab = a_volume();
        let moments = done(&mut lab, &["key", "disable", "local:a"]);
        cut(name, &moments[moments.len() - 1..], &is_gone);
        let moments = done(&mut lab, &["key", "enable", "local:a"]);
        cut(name, &moments[moments.len() - 1..], &opens);
    }),
    ("key_purged_in_two_tries", |name| {
        let mut moments = Vec::new();
        let more = ["flock", "unlinkat"].iter().flat_map(|call| (1..=4).map(move |when| (call, when)));
        let more = more.map(|(call, when)| format!("{call}:signal=KILL:when={when}"));
        for fault in faults().into_iter().chain(more) {
            let mut lab = with_key_to_purge();
            let arguments = ["key", "purge", "local:b"];
            // After one that was cut off at its end there is no such key any more.
            if run(&mut lab, &arguments, Some(&fault)).code != Some(0) {
                let again = run(&mut lab, &arguments, None);
                let gone = again.said.contains("there is no local key b");
                assert!(again.code == Some(0) || gone, "{fault}: {}", again.said);
            }
            assert_eq!(is_purged(lab.path()), Ok(()), "{fault}");
            moments.push(lab.disk.clone());
        }
        cut(name, &moments, &is_purged);
    }),
    ("scratch_destroyed", |name| {
        let mut lab = scratch_volume();
        let moments = done(&mut lab, &["destroy", "v"]);
        cut(name, &moments[moments.len() - 1..], &is_gone);
    }),
    ("scratch_destroyed_in_two_tries", |name| {
        let mut moments = Vec::new();
        for fault in faults() {
            let mut lab = scratch_volume();
            if run(&mut lab, &["destroy", "v"], Some(&fault)).code != Some(0) {
                done(&mut lab, &["destroy", "v"]);
            }
            moments.push(lab.disk.clone());
        }
        cut(name, &moments, &is_gone);
    }),
];

/// The material of the key b in [`with_key_to_purge`].
const SECRET: &str = "gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydnp8=";

/// A keystore with the key b, which may be purged.
fn with_key_to_purge() -> Lab {
    Lab::new(|place| {
        set_up(place);
        succeed(place, &["key", "delete", "local:b"]);
        let path = place.join("ks/keys/b.json");
        let mut file: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        file["deletion"] = 1.into();
        file["materials"][0]["key"] = SECRET.into();
        std::fs::write(&path, file.to_string()).unwrap();
    })
}

/// No file of the keystore holds the material any more.
fn is_purged(place: &Path) -> Result<(), String> {
    for entry in std::fs::read_dir(place.join("ks/keys")).unwrap() {
        let path = entry.unwrap().path();
        let content = std::fs::read(&path).unwrap();
        if content.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()) {
            return Err(format!("the purged key is in {}", path.display()));
        }
    }
    Ok(())
}

fn scratch_volume() -> Lab {
    Lab::new(|place| {
        std::fs::write(place.join("p"), DATA).unwrap();
        succeed(place, &["encrypt", "--scratch", "p", "v"]);
    })
}

fn main() -> std::process::ExitCode {
    let arguments = libtest_mimic::Arguments::from_args();
    let mut trials: Vec<libtest_mimic::Trial> = SCENARIOS
        .iter()
        .map(|&(name, test)| {
            libtest_mimic::Trial::test(name, move || {
                if peers::required("strace").is_some() {
                    test(name);
                }
                Ok(())
            })
        })
        .collect();
    trials.push(libtest_mimic::Trial::test("the_model_of_a_disk", || {
        disk::what_is_not_synced_may_be_lost();
        Ok(())
    }));
    libtest_mimic::run(&arguments, trials).exit_code()
}
