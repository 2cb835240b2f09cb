//! Volumes that are destroyed: nothing opens them, wherever copies are, and nothing else is lost with them.

use std::os::unix::fs::FileExt as _;
use std::process::Output;

use serde_json::Value;

use super::common::{COPY, DATA_OFFSET, edited, header_of, noise, put_header, read_write};
use super::place::{ATREST, Place, failed, text};

const AREA: usize = DATA_OFFSET as usize;

/// A place with the scratch volume `v` of 5000 bytes, its copy `copy`, and its UUID.
fn with_scratch() -> (Place, String) {
    let place = Place::with_key();
    place.put("in", &noise(5000, 1));
    place.succeed(&["encrypt", "in", "v", "--scratch"]);
    std::fs::copy(place.path("v"), place.path("copy")).unwrap();
    let info: Value = serde_json::from_slice(&place.succeed(&["info", "v", "--json"]).stdout).unwrap();
    let uuid = info["uuid"].as_str().unwrap().to_owned();
    (place, uuid)
}

fn key_file(place: &Place, uuid: &str) -> std::path::PathBuf {
    place.home().join(format!("keys/scratch-{uuid}.json"))
}

#[track_caller]
fn says(output: &Output, parts: &[&str]) {
    let said = text(&output.stderr);
    assert!(output.status.success() && said.lines().count() == 1, "{said}");
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in: {said}");
    }
}

/// The volume is destroyed for good, and so are its copies.
#[track_caller]
fn is_destroyed(place: &Place, uuid: &str) {
    assert!(!key_file(place, uuid).exists());
    let v = place.read("v");
    let (note, zeros) = v[..AREA].split_at(256);
    let note = text(note.split(|byte| *byte == 0).next().unwrap());
    assert!(note.starts_with("atrest: this volume was destroyed\n") && note.contains(uuid), "{note}");
    assert!(zeros.iter().all(|byte| *byte == 0));
    // The data was neither read nor touched.
    assert!(v[AREA..] == place.read("copy")[AREA..]);
    for arguments in [&["decrypt", "v", "out"][..], &["info", "v"], &["rewrap", "v"], &["volume-key", "v"]] {
        place.refuses(arguments, &[uuid, "was destroyed", "nothing brings its content back"]);
    }
    for arguments in [&["decrypt", "copy", "out"][..], &["volume-key", "copy"]] {
        place.refuses(arguments, &[uuid, "was destroyed, and no copy of it opens again", "ATREST_HOME"]);
    }
}

#[test]
fn a_destroyed_volume_opens_from_no_copy() {
    let (place, uuid) = with_scratch();
    place.succeed(&["encrypt", "in", "other", "--scratch"]);
    place.succeed(&["decrypt", "copy", "before"]);
    let output = place.succeed(&["destroy", "v"]);
    says(&output, &["destroyed v: ", &format!("local:scratch-{uuid} has been erased"), "16.0 MiB"]);
    is_destroyed(&place, &uuid);
    // Again, and again with its name; then nothing changes.
    let before = place.files();
    for arguments in [&["destroy", "v"][..], &["destroy", "v", "--uuid", &uuid]] {
        says(&place.succeed(arguments), &["there is no key", "erased before", "ATREST_HOME"]);
        is_destroyed(&place, &uuid);
    }
    assert!(place.files() == before);
    // The copy can be destroyed, too, and what has a key of its own stays.
    place.refuses(&["destroy", "copy"], &["no key opens volume", &uuid, "--uuid"]);
    place.succeed(&["destroy", "copy", "--uuid", &uuid]);
    place.succeed(&["decrypt", "other", "after"]);
    assert!(place.read("after") == noise(5000, 1) && place.read("before") == noise(5000, 1));
}

#[test]
fn a_key_in_another_keystore_is_erased_there() {
    let (place, uuid) = with_scratch();
    let aside = place.path("aside");
    std::fs::rename(place.home(), &aside).unwrap();
    // Nothing says whether the key was erased, or is elsewhere.
    place.refuses(&["destroy", "v"], &["no key opens volume", &uuid, "--uuid"]);
    says(&place.succeed(&["destroy", "v", "--uuid", &uuid]), &["there is no key", "ATREST_HOME"]);
    // The note on the disk could name any volume.
    let mut command = place.command(&["destroy", "v"]);
    failed(&command.env("ATREST_HOME", &aside).output().unwrap(), &["its key is there", "--uuid"]);
    let mut command = place.command(&["destroy", "v", "--uuid", &uuid]);
    says(&command.env("ATREST_HOME", &aside).output().unwrap(), &["has been erased"]);
    std::fs::rename(&aside, place.home()).unwrap();
    is_destroyed(&place, &uuid);
}

#[test]
fn the_key_goes_without_the_volume() {
    let (place, uuid) = with_scratch();
    let v = place.read("v");
    std::fs::remove_file(place.path("v")).unwrap();
    place.refuses(&["destroy", "v"], &["no such file", "created there", &format!("--uuid {uuid}")]);
    place.refuses(&["destroy", "elsewhere"], &["no such file", "atrest key list --scratch"]);
    place.refuses(
        &["destroy", "copy", "--uuid", "6ba7b810-9dad-41d1-80b4-00c04fd430c8"],
        &[&uuid, "another volume"],
    );
    says(&place.succeed(&["destroy", "v", "--uuid", &uuid]), &["v is gone", "has been erased"]);
    says(&place.succeed(&["destroy", "v", "--uuid", &uuid]), &["there is no key"]);
    place.refuses(&["decrypt", "copy", "out"], &["was destroyed"]);
    place.put("v", &v);
    place.succeed(&["destroy", "v"]);
    is_destroyed(&place, &uuid);
}

#[test]
fn a_damaged_header_does_not_save_a_volume() {
    // One copy: it is read from the other. Both, or no trace of them: then by its UUID.
    for (damage, names) in [(&[0][..], false), (&[COPY as u64], false), (&[0, COPY as u64], true)] {
        let (place, uuid) = with_scratch();
        for copy in damage {
            read_write(&place.path("v")).write_all_at(b"!", copy + 5000).unwrap();
        }
        if names {
            place.refuses(&["destroy", "v"], &["both copies", &format!("--uuid {uuid}")]);
            place.succeed(&["destroy", "v", "--uuid", &uuid]);
            let note = place.run(&["info", "v"]);
            failed(&note, &[&uuid, "was destroyed"]);
            place.refuses(&["decrypt", "copy", "out"], &["was destroyed"]);
        } else {
            place.succeed(&["destroy", "v"]);
            is_destroyed(&place, &uuid);
        }
    }
    let (place, uuid) = with_scratch();
    put_header(&place.path("v"), &noise(2 * COPY, 3));
    let other = place.read("v");
    place.refuses(&["destroy", "v"], &["no LUKS2 header", &format!("--uuid {uuid}")]);
    says(
        &place.succeed(&["destroy", "v", "--uuid", &uuid]),
        &["has been erased", "left unchanged", "--force"],
    );
    assert!(place.read("v") == other && !key_file(&place, &uuid).exists());
    place.succeed(&["destroy", "v", "--uuid", &uuid, "--force"]);
    failed(&place.run(&["info", "v"]), &[&uuid, "was destroyed"]);
    // Both copies are damaged, and of another volume: only the key that was named goes.
    let (place, uuid) = with_scratch();
    place.succeed(&["create", "w", "--size", "1M"]);
    for copy in [0, COPY as u64] {
        read_write(&place.path("w")).write_all_at(b"!", copy + 5000).unwrap();
    }
    let other = place.read("w");
    says(
        &place.succeed(&["destroy", "w", "--uuid", &uuid]),
        &["has been erased", "left unchanged", "--force"],
    );
    assert!(place.read("w") == other && !key_file(&place, &uuid).exists());
    // A token that contradicts the header: by name only.
    let (place, uuid) = with_scratch();
    let sound = header_of(&place.path("v"));
    put_header(&place.path("v"), &edited(&sound, |json| json["tokens"]["0"]["size"] = "x".into()));
    place.refuses(&["destroy", "v"], &["token is damaged"]);
    place.refuses(&["destroy", "v", "--uuid", &uuid], &["no scratch volume", "--force"]);
    place.succeed(&["destroy", "v", "--uuid", &uuid, "--force"]);
    assert!(!key_file(&place, &uuid).exists());
}

#[test]
fn a_persistent_volume_needs_force_and_keeps_its_key() {
    let place = Place::with_key();
    place.put("in", &noise(5000, 1));
    place.succeed(&["encrypt", "in", "v"]);
    std::fs::copy(place.path("v"), place.path("copy")).unwrap();
    let copies = ["no scratch volume", "local:default", "copies of its header", "--force"];
    place.refuses(&["destroy", "v"], &copies);
    let output = place.succeed(&["destroy", "v", "--force"]);
    says(&output, &["its keys still exist", "any copy of the header", "16.0 MiB"]);
    place.refuses(&["decrypt", "v", "out"], &["was destroyed", "atrest header restore"]);
    place.succeed(&["decrypt", "copy", "out"]);
    place.refuses(&["destroy", "in"], &["two LUKS2 headers"]);
    place.put("image", &noise(100_000, 9));
    place.refuses(&["destroy", "image"], &["no LUKS2 header"]);
    place.refuses(&["destroy", "."], &["neither a regular file nor a block device"]);
}

/// A header that says it were persistent does not save the key.
#[test]
fn a_forged_class_saves_no_key() {
    let (place, uuid) = with_scratch();
    let sound = header_of(&place.path("v"));
    let forged = edited(&sound, |json| {
        json["tokens"]["0"]["envelope"]["class"] = "persistent".into();
        json["tokens"]["0"]["envelope"]["slots"][0]["key"] = "default".into();
    });
    put_header(&place.path("v"), &forged);
    place.refuses(&["destroy", "v"], &["no scratch volume"]);
    place.refuses(&["destroy", "v", "--force"], &["no key opens volume", &uuid]);
    says(&place.succeed(&["destroy", "v", "--force", "--uuid", &uuid]), &["has been erased"]);
    place.refuses(&["decrypt", "copy", "out"], &[&uuid, "was destroyed"]);
}

/// A process that may not write ends while it overwrites the key, by the signal of a file that grows too large.
#[test]
fn an_erasure_that_is_cut_off_is_finished() {
    let (place, uuid) = with_scratch();
    let mut shell = place.program("sh");
    shell.args(["-c", "ulimit -c 0; ulimit -f 0; exec \"$0\" destroy v", ATREST]);
    let output = shell.output().unwrap();
    assert!(!output.status.success());
    // The key is out of its place, and has a name yet by which it is found.
    assert!(!key_file(&place, &uuid).exists());
    let hidden = || {
        let entries = std::fs::read_dir(place.home().join("keys")).unwrap();
        entries.filter(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().contains(&uuid)).count()
    };
    assert_eq!(hidden(), 1);
    for volume in ["v", "copy"] {
        failed(&place.run(&["decrypt", volume, "out"]), &["was destroyed"]);
    }
    place.succeed(&["destroy", "v"]);
    assert_eq!(hidden(), 0);
    is_destroyed(&place, &uuid);
}
