//! What is interrupted, or overtaken, leaves nothing half-made.

use std::fs;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStdin};

use rustix::process::{Pid, Signal, kill_process};

use super::common::noise;
use super::common::peers::left_out;
use super::place::{Place, failed, ignored, text};

/// The program in the middle of a stream: it has read nearly all of `length` bytes, and waits for more.
fn waiting(place: &Place, arguments: &[&str], length: usize) -> (Child, ChildStdin) {
    let mut child = place.start(arguments);
    let mut stdin = child.stdin.take().unwrap();
    let part = noise(1 << 20, 1);
    for _ in 0..length >> 20 {
        stdin.write_all(&part).unwrap();
    }
    (child, stdin)
}

fn pid(child: &Child) -> Pid {
    Pid::from_child(child)
}

#[test]
fn a_signal_leaves_nothing() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::KILL] {
        if ignored(signal) {
            continue;
        }
        let place = Place::with_key();
        place.put("old", b"old");
        let before = place.files();
        for arguments in [&["encrypt", "-", "new"][..], &["encrypt", "-", "old", "--force"]] {
            let (mut child, stdin) = waiting(&place, arguments, 8 << 20);
            kill_process(pid(&child), signal).unwrap();
            let status = child.wait().unwrap();
            drop(stdin);
            assert_eq!(status.signal(), Some(signal.as_raw()), "{status}");
            assert!(place.files() == before, "{signal:?} left something: {:?}", place.names());
        }
    }
}

#[test]
fn a_file_that_is_made_meanwhile_stays() {
    let place = Place::with_key();
    let (child, stdin) = waiting(&place, &["encrypt", "-", "new"], 2 << 20);
    place.put("new", b"somebody else's");
    let before = place.files();
    drop(stdin);
    failed(&child.wait_with_output().unwrap(), &["new", "left alone"]);
    assert!(place.files() == before);
}

#[test]
fn a_reader_that_goes_away_is_no_news() {
    let place = Place::with_key();
    place.put("in", &noise(4 << 20, 1));
    place.succeed(&["encrypt", "in", "v"]);
    let mut child = place.start(&["decrypt", "v", "-"]);
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), ""));
}

/// 512 MiB through standard input: the most memory that was ever resident, before the end of the stream.
#[test]
fn memory_is_bounded() {
    let place = Place::with_key();
    let (mut child, stdin) = waiting(&place, &["encrypt", "-", "v"], 512 << 20);
    let status = fs::read_to_string(format!("/proc/{}/status", child.id()));
    kill_process(pid(&child), Signal::KILL).unwrap();
    child.wait().unwrap();
    drop(stdin);
    let Ok(status) = status else {
        return left_out("there is no /proc");
    };
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().strip_suffix(" kB").unwrap().parse().unwrap();
    assert!((1024..64 * 1024).contains(&peak), "{peak} KiB");
}
