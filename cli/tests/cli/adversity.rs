//! What the system withholds: large files, threads, open descriptors, system calls that work. There is a message, and
//! nothing is half-made.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::common::noise;
use super::common::peers::required;
use super::place::{ATREST, Place, failed, ignored, text};

/// Runs the program by way of a shell, which sets something before.
fn after(place: &Place, setting: &str, arguments: &[&str]) -> Output {
    let mut shell = place.program("sh");
    shell.args(["-c", &format!("{setting}; exec \"$ATREST\" \"$@\""), "sh"]).args(arguments);
    shell.env("ATREST", ATREST).stdin(Stdio::null()).output().unwrap()
}

/// Runs the program while calls fail, in strace's words; `None` where strace is not there.
fn injected(place: &Place, faults: &[&str], arguments: &[&str]) -> Option<Output> {
    let mut strace = place.program(required("strace")?);
    strace.args(["-f", "-qq", "-o", "/dev/null"]);
    let calls: Vec<&str> = faults.iter().map(|fault| fault.split(':').next().unwrap()).collect();
    strace.args(["-e", &format!("trace={}", calls.join(","))]);
    for fault in faults {
        strace.args(["-e", &format!("inject={fault}")]);
    }
    Some(strace.arg(ATREST).args(arguments).stdin(Stdio::null()).output().unwrap())
}

fn scratch_keys(place: &Place) -> String {
    text(&place.succeed(&["key", "list", "--scratch"]).stdout).to_owned()
}

/// RLIMIT_FSIZE: without a handler the first write beyond it ends the process.
#[test]
fn files_may_not_become_large() {
    let place = Place::with_key();
    place.put("in", &noise(3_000_000, 1));
    place.succeed(&["encrypt", "in", "v"]);
    let before = place.files();
    let limit = "ulimit -c 0; ulimit -f 1000";
    for arguments in [
        &["encrypt", "in", "new"][..],
        &["encrypt", "--scratch", "in", "new"],
        &["create", "--scratch", "--size", "1G", "new"],
        &["decrypt", "v", "new"],
        &["encrypt", "--force", "in", "v"],
    ] {
        failed(&after(&place, limit, arguments), &["File too large", "raise a limit"]);
        assert_eq!(scratch_keys(&place), "");
        assert_eq!(place.names(), ["in", "v"]);
    }
    for arguments in [&["key", "rotate", "local:default", "--now"][..], &["key", "create", "local:new"]] {
        failed(&after(&place, "ulimit -c 0; ulimit -f 0", arguments), &["File too large"]);
    }
    assert!(place.files() == before, "{:?}", place.names());
}

/// EAGAIN, as with RLIMIT_NPROC or the limit of a container.
#[test]
fn threads_cannot_start() {
    let place = Place::with_key();
    place.put("in", &noise(3_000_000, 1));
    let faults = ["clone3:error=EAGAIN", "clone:error=EAGAIN"];
    for arguments in [
        &["encrypt", "in", "v"][..],
        &["decrypt", "v", "out"],
        &["decrypt", "--force", "v", "out"],
        &["key", "rotate", "local:default", "--now"],
    ] {
        let Some(output) = injected(&place, &faults, arguments) else { return };
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    }
    assert!(place.read("out") == noise(3_000_000, 1));
    let before = place.files();
    // Without one nobody would erase the key when a signal comes.
    let output = injected(&place, &faults, &["encrypt", "--scratch", "in", "s"]).unwrap();
    failed(&output, &["cannot create the key", "Resource temporarily unavailable"]);
    assert!(place.files() == before);
}

/// What is opened then must not be taken for one of them.
#[test]
fn standard_descriptors_are_closed() {
    let place = Place::with_key();
    place.put("in", b"content");
    for closed in ["2>&-", ">&-", "<&-", "<&- >&- 2>&-"] {
        let run = |arguments: &[&str], code: i32| {
            let output = after(&place, &format!("exec {closed}"), arguments);
            assert_eq!(output.status.code(), Some(code), "{closed}: {}", text(&output.stderr));
        };
        run(&["encrypt", "in", "v"], 0);
        run(&["decrypt", "v", "out"], 0);
        run(&["encrypt", "in", "v"], 1);
        run(&["decrypt", "missing", "none"], 1);
        run(&["key", "create", "local:default"], 1);
        assert_eq!(place.read("out"), b"content");
        assert_eq!(place.succeed(&["decrypt", "v", "-"]).stdout, b"content");
        assert_eq!(place.names(), ["in", "out", "v"]);
        for name in ["v", "out"] {
            std::fs::remove_file(place.path(name)).unwrap();
        }
    }
    // Open, and not for writing.
    place.succeed(&["encrypt", "in", "v"]);
    for arguments in [&["decrypt", "v", "-"][..], &["info", "v"], &["key", "list"]] {
        failed(&after(&place, "exec </dev/null >&0", arguments), &["cannot write to standard output"]);
    }
}

/// A key of a scratch volume that is not made goes again, whichever step failed.
#[test]
fn a_scratch_volume_that_fails_leaves_no_key() {
    let mut failures = 0;
    for call in ["fsync", "fdatasync", "renameat2", "pwrite64", "ftruncate"] {
        for when in 1..=8 {
            let place = Place::with_key();
            place.put("in", b"content");
            let before = place.files();
            let fault = format!("{call}:error=EIO:when={when}");
            let Some(output) = injected(&place, &[&fault], &["encrypt", "--scratch", "in", "s"]) else {
                return;
            };
            if output.status.success() {
                assert_eq!(place.succeed(&["decrypt", "s", "-"]).stdout, b"content", "{fault}");
                continue;
            }
            failures += 1;
            // It may be in its place, and a failure to say so at the end.
            if place.names() == ["in", "s"] {
                assert!(text(&output.stderr).contains("the volume is in place nevertheless"));
                assert_eq!(place.succeed(&["decrypt", "s", "-"]).stdout, b"content", "{fault}");
                continue;
            }
            failed(&output, &["Input/output error"]);
            assert_eq!(scratch_keys(&place), "", "{fault}");
            // What could not be overwritten then goes with the next change.
            place.succeed(&["key", "create", "local:x"]);
            std::fs::remove_file(place.home().join("keys/x.json")).unwrap();
            assert!(place.files().keys().eq(before.keys()), "{fault}");
        }
    }
    assert!(failures > 5);
}

/// Whatever fails, the command says whether there is new material.
#[test]
fn a_rotation_says_whether_it_was_done() {
    let describe =
        |place: &Place| text(&place.succeed(&["key", "describe", "local:default"]).stdout).to_owned();
    let mut told = [0; 3];
    for call in ["fsync", "renameat2", "write", "flock", "unlinkat"] {
        // Once, and from the first time on.
        let whens = (1..=8).map(|when| when.to_string()).chain(["1+".to_owned()]);
        for when in whens.filter(|when| (call, &**when) != ("write", "1+")) {
            let place = Place::with_key();
            let before = describe(&place);
            let fault = format!("{call}:error=EIO:when={when}");
            let rotate = ["key", "rotate", "local:default", "--now"];
            let Some(output) = injected(&place, &[&fault], &rotate) else { return };
            let (said, done) = (text(&output.stderr), describe(&place) != before);
            // The fault was in saying it.
            let told_nothing = said.is_empty();
            match output.status.code() {
                Some(0) => {
                    let told_so = told_nothing || said.contains("has new material");
                    assert!(done && told_so, "{fault}: {said}");
                    told[usize::from(said.contains("warning"))] += 1;
                }
                _ => {
                    let told_so = said.contains("was changed, and may be as it was");
                    assert!(!told_nothing && done == told_so, "{fault}: {said}");
                    told[2] += 1;
                }
            }
            // The next one works, and nothing is left of the former.
            place.succeed(&rotate);
            let names = std::fs::read_dir(place.home().join("keys")).unwrap();
            let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(names.len(), 2, "{fault}: {names:?}");
        }
    }
    assert!(told.iter().all(|count| *count > 0), "{told:?}");
}

/// Renames that exchange, links and locks are not to be had on every file system.
#[test]
fn keys_are_changed_where_file_systems_can_do_little() {
    let place = Place::with_key();
    place.put("in", b"content");
    place.succeed(&["encrypt", "in", "v"]);
    let faults = ["renameat2:error=EINVAL", "linkat:error=EPERM"];
    for faults in [&faults[..1], &faults] {
        let Some(output) = injected(&place, faults, &["key", "rotate", "local:default", "--now"]) else {
            return;
        };
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(place.succeed(&["decrypt", "v", "-"]).stdout, b"content");
        let names = std::fs::read_dir(place.home().join("keys")).unwrap().count();
        assert_eq!(names, 2, "{faults:?}");
    }
}

/// The keystore's lock is held by a process that does not go on: there is an end, and a word.
#[test]
fn a_lock_is_not_waited_for_without_end() {
    let place = Place::with_key();
    let lock = std::fs::File::open(place.home().join("keys/.lock")).unwrap();
    lock.lock().unwrap();
    let started: Vec<_> =
        [&["key", "rotate", "local:default", "--now"][..], &["create", "--scratch", "--size", "1M", "s"]]
            .iter()
            .map(|arguments| place.start(arguments))
            .collect();
    let (holder, program) = (std::process::id(), "cli-");
    for child in started {
        let output = child.wait_with_output().unwrap();
        let lines: Vec<&str> = text(&output.stderr).lines().collect();
        let [waits, gives_up] = lines[..] else { panic!("{lines:?}") };
        let who = format!("process {holder} ({program}");
        assert!(waits.contains("waiting for 15 s at most") && waits.contains(&who), "{waits}");
        assert!(gives_up.contains(&who) && gives_up.contains("keys/.lock"), "{gives_up}");
        assert_eq!(output.status.code(), Some(1));
    }
    // Who gives up does not wait so long.
    if ignored(Signal::INT) {
        return;
    }
    let mut child = place.start(&["create", "--scratch", "--size", "1M", "s"]);
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        let _ = kill_process(Pid::from_child(&child), Signal::INT);
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    assert_eq!(status.signal(), Some(Signal::INT.as_raw()), "{status}");
}
