//! Scratch volumes: made with a key of their own, and destroyed with it.

use std::os::unix::process::ExitStatusExt as _;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::common::noise;
use super::place::{Place, failed, ignored, text};

/// A place with the scratch volume `v` of 5000 bytes, and its UUID.
fn with_scratch() -> (Place, String) {
    let place = Place::with_key();
    place.put("in", &noise(5000, 1));
    place.succeed(&["encrypt", "in", "v", "--scratch"]);
    let uuid = uuid_of(&place, "v");
    (place, uuid)
}

fn uuid_of(place: &Place, volume: &str) -> String {
    let info: Value = serde_json::from_slice(&place.succeed(&["info", volume, "--json"]).stdout).unwrap();
    assert_eq!(info["envelope"]["class"], "scratch");
    info["uuid"].as_str().unwrap().to_owned()
}

/// The files of scratch keys, hidden ones included.
fn scratch_files(place: &Place) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(place.home().join("keys")) else { return Vec::new() };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains("scratch-")).collect()
}

#[test]
fn a_scratch_volume_has_a_key_of_its_own() {
    let place = Place::new();
    // The key that others get is neither asked for nor made.
    let mut create = place.command(&["create", "v", "--size", "5000", "--scratch"]);
    let output = create.env("ATREST_KEY", "local:missing").output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let uuid = uuid_of(&place, "v");
    let line = text(&output.stderr);
    assert!(
        line.contains(&format!("key local:scratch-{uuid}, held only in ")) && line.contains("atrest destroy"),
        "{line}"
    );
    assert_eq!(line.lines().count(), 2, "{line}");
    assert!(!place.home().join("keys/default.json").exists());
    assert_eq!(scratch_files(&place), [format!("scratch-{uuid}.json")]);
    place.succeed(&["decrypt", "v", "out"]);
    assert_eq!(place.read("out").len(), 5000);

    // Marked in its own list, and out of the way in the other.
    assert_eq!(text(&place.succeed(&["key", "list"]).stdout), "");
    let listed = place.succeed(&["key", "list", "--scratch"]).stdout;
    let listed = text(&listed);
    let path = std::fs::canonicalize(place.path("")).unwrap().join("v");
    assert!(listed.starts_with(&format!("local:scratch-{uuid}\t20")), "{listed}");
    assert!(listed.ends_with(&format!("\t{}\n", path.display())) && listed.lines().count() == 1, "{listed}");
    let about = place.succeed(&["key", "describe", &format!("local:scratch-{uuid}")]).stdout;
    assert!(text(&about).contains("About      of the scratch volume"), "{}", text(&about));
    // Each has another one.
    place.succeed(&["create", "w", "--size", "0", "--scratch"]);
    assert_eq!(scratch_files(&place).len(), 2);
}

#[test]
fn scratch_and_a_key_is_wrong_usage() {
    let place = Place::new();
    place.put("in", b"data");
    let before = place.files();
    for key in ["local:default", "aws:alias/prod"] {
        for arguments in [&["create", "v", "--size", "1M"][..], &["encrypt", "in", "v"]] {
            let output = place.run(&[arguments, &["--scratch", "--key", key]].concat());
            assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
            let said = text(&output.stderr);
            assert!(said.contains(key) && said.contains("a key of its own in the local keystore"), "{said}");
        }
    }
    assert!(place.files() == before);
}

#[test]
fn a_scratch_volume_takes_no_other_key() {
    let (place, uuid) = with_scratch();
    place.succeed(&["key", "create", "local:other"]);
    let own = format!("local:scratch-{uuid}");
    for arguments in [
        &["rewrap", "v"][..],
        &["rewrap", "v", "--key", "local:other"],
        &["slot", "add", "v", "--key", "local:other"],
        &["slot", "add", "v", "--key", &own],
        &["slot", "remove", "v", "0"],
    ] {
        place.refuses(arguments, &["is a scratch volume", "outlive the destruction"]);
    }
    place.succeed(&["create", "p", "--size", "1"]);
    for arguments in [&["rewrap", "p", "--key", &own][..], &["slot", "add", "p", "--key", &own]] {
        place.refuses(arguments, &[&own, "destroyed with that"]);
    }
    place.refuses(&["create", "q", "--size", "1", "--key", &own], &[&own, "choose another key"]);
    for verb in [&["key", "rotate", &own, "--now"][..], &["key", "delete", &own], &["key", "purge", &own]] {
        place.refuses(verb, &["atrest destroy VOLUME", &uuid]);
    }
    place.refuses(&["key", "create", &own], &["create --scratch"]);
    place.refuses(&["key", "default", &own], &["another name"]);
    place.succeed(&["decrypt", "v", "out"]);
    place.succeed(&["destroy", "v"]);
}

#[test]
fn a_volume_that_is_not_made_leaves_no_key() {
    let place = Place::new();
    // The file appears while the volume is made.
    let mut child = place.start(&["encrypt", "-", "v", "--scratch"]);
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, &noise(4 << 20, 1)).unwrap();
    assert_eq!(scratch_files(&place).len(), 1, "it is there while the volume is made");
    place.put("v", b"somebody else's");
    drop(stdin);
    failed(&child.wait_with_output().unwrap(), &["a file of that name appeared meanwhile"]);
    assert_eq!(place.read("v"), b"somebody else's");
    assert_eq!(scratch_files(&place), [""; 0]);

    for signal in [Signal::INT, Signal::TERM].into_iter().filter(|&signal| !ignored(signal)) {
        let mut child = place.start(&["encrypt", "-", "w", "--scratch"]);
        let mut stdin = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut stdin, &noise(4 << 20, 1)).unwrap();
        assert_eq!(scratch_files(&place).len(), 1);
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(signal.as_raw()));
        assert_eq!(scratch_files(&place), [""; 0]);
    }
    assert_eq!(place.names(), ["v"]);
}
