//! File systems that are full, read-only or old, mounted where nobody else sees them: this takes the right to make
//! a mount namespace.

use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::common::noise;
use super::common::peers::{left_out, program};
use super::place::{ATREST, Place, failed, ignored, text};

/// A shell in a mount namespace of its own, in which the program is `$ATREST`; `None`, with a message, where that is
/// not allowed. `setup` mounts.
fn shell(place: &Place, setup: &str, script: &str) -> Option<Command> {
    let Some(unshare) = program("unshare") else {
        left_out("unshare is not installed");
        return None;
    };
    let namespace = if rustix::process::geteuid().is_root() {
        &["--mount"][..]
    } else {
        &["--mount", "--user", "--map-root-user"]
    };
    let command = |script: &str| {
        let mut command = place.program(&unshare);
        command.args(namespace).args(["sh", "-ec", script]).env("ATREST", ATREST).stdin(Stdio::null());
        command
    };
    let probe = command(setup).output().unwrap();
    if !probe.status.success() {
        left_out(text(&probe.stderr));
        return None;
    }
    Some(command(&format!("{setup}\n{script}")))
}

/// The script's last words, the names in a directory, after what the program wrote: nothing.
fn left_over(output: &mut Output) -> String {
    text(&std::mem::take(&mut output.stdout)).to_owned()
}

const THEN_LIST: &str = "code=0; \"$ATREST\" \"$@\" || code=$?; ls -A target; exit $code";

/// Runs the program with a file system mounted at `target`, which must stay empty.
fn refused_in(mount: &str, arguments: &[&str], input: Option<&[u8]>, parts: &[&str]) {
    let place = Place::with_key();
    place.put("in", &noise(8 << 20, 1));
    place.succeed(&["encrypt", "in", "v"]);
    std::fs::create_dir(place.path("target")).unwrap();
    let before = place.files();
    let Some(mut command) = shell(&place, mount, THEN_LIST) else { return };
    command.arg("atrest").args(arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input.unwrap_or_default()));
        child.wait_with_output().unwrap()
    });
    assert_eq!(left_over(&mut output), "", "{arguments:?}");
    failed(&output, parts);
    assert!(place.files() == before);
}

const SMALL: &str = "mount -t tmpfs -o size=4m none target";

#[test]
fn a_full_disk() {
    let parts = ["target/new", "No space left on device", "free some space"];
    refused_in(SMALL, &["encrypt", "in", "target/new"], None, &parts);
    refused_in(SMALL, &["encrypt", "-", "target/new"], Some(&noise(8 << 20, 1)), &parts);
    refused_in(SMALL, &["decrypt", "v", "target/new"], None, &parts);
}

#[test]
fn a_target_that_is_read_only() {
    let mount = "mount -t tmpfs -o ro none target";
    for arguments in [
        &["encrypt", "in", "target/new"][..],
        &["create", "target/new", "--size", "1M"],
        &["decrypt", "v", "target/new"],
    ] {
        refused_in(
            mount,
            arguments,
            None,
            &["target", "Read-only file system", "choose a writable location"],
        );
    }
}

/// Without /proc a file without a name could not be given one later, so the program makes one with a name, which
/// signals remove; what a killed process leaves the next one does.
#[test]
fn named_temporary_files_go_too() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::KILL] {
        if ignored(signal) {
            continue;
        }
        let place = Place::with_key();
        let before = place.files();
        let script = "exec \"$ATREST\" encrypt - new";
        let Some(mut command) = shell(&place, "mount -t tmpfs none /proc", script) else { return };
        let mut child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&noise(8 << 20, 1)).unwrap();
        let names = place.names();
        assert!(names.len() == 2 && names.iter().all(|name| name.starts_with(".atrest-")), "{names:?}");
        // Of one that lives nothing is touched.
        place.succeed(&["create", "other", "--size", "1"]);
        std::fs::remove_file(place.path("other")).unwrap();
        assert_eq!(place.names(), names);
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(signal.as_raw()));
        if signal == Signal::KILL {
            assert_eq!(place.names(), names);
            place.succeed(&["create", "other", "--size", "1"]);
            std::fs::remove_file(place.path("other")).unwrap();
        }
        assert!(place.files() == before, "{signal:?}: {:?}", place.names());
    }
}

#[test]
fn named_temporary_files_come_to_their_place() {
    let place = Place::with_key();
    place.put("in", b"data");
    place.put("old", b"old");
    let script =
        "\"$ATREST\" encrypt in new; \"$ATREST\" encrypt in old --force; ! \"$ATREST\" encrypt in new";
    let Some(mut command) = shell(&place, "mount -t tmpfs none /proc", script) else { return };
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    for name in ["new", "old"] {
        assert_eq!(place.succeed(&["decrypt", name, "-"]).stdout, b"data");
    }
    assert_eq!(place.names(), ["in", "new", "old"]);
}
