//! Headers that an attacker exchanged, as the command's users meet them: pins, and what the command remembers.

use std::fs;
use std::path::Path;

use super::common::{edited, header_of, put_header};
use super::place::{Place, failed, text};
use serde_json::Value;

/// `v` and `w`, under the same key, with other contents.
fn with_two() -> Place {
    let place = Place::with_key();
    for (name, content) in [("v", "of v"), ("w", "of w")] {
        place.put("in", content.as_bytes());
        place.succeed(&["encrypt", "in", name]);
    }
    place
}

fn json(place: &Place, arguments: &[&str]) -> Value {
    serde_json::from_slice(&place.succeed(arguments).stdout).unwrap()
}

fn pin_of(place: &Place, name: &str) -> String {
    json(place, &["info", name, "--json"])["pin"].as_str().unwrap().to_owned()
}

/// Another user's machine: the same keys, and no memory.
fn forgetful(place: &Place) {
    let _ = fs::remove_dir_all(place.state());
}

fn opens(place: &Place, arguments: &[&str], content: &str) -> String {
    let _ = fs::remove_file(place.path("out"));
    let output = place.succeed(&[&["decrypt", "v", "out"], arguments].concat());
    assert_eq!(place.read("out"), content.as_bytes());
    text(&output.stderr).to_owned()
}

fn transplant(place: &Place, from: &str, to: &str) {
    put_header(&place.path(to), &header_of(&place.path(from)));
}

#[test]
fn the_header_of_another_volume_is_refused_by_the_pin_and_by_memory() {
    let place = with_two();
    let pin = pin_of(&place, "v");
    transplant(&place, "w", "v");
    for command in [&["decrypt", "v", "out"][..], &["rewrap", "v"], &["slot", "remove", "v", "0"]] {
        let pinned = [command, &["--expect", &pin]].concat();
        place.refuses(&pinned, &["this is volume", &pin[..36], "is expected"]);
    }
    // Known volumes, and the wrong one at this place: it is read with a warning, and not written.
    place.refuses(&["rewrap", "v"], &["was there when it was last used", "another known volume", "--accept"]);
    let output = place.succeed(&["decrypt", "v", "out"]);
    assert!(text(&output.stderr).contains("warning: v: volume "), "{}", text(&output.stderr));
    // The warning is no acceptance.
    place.refuses(&["rewrap", "v"], &["was there when it was last used"]);
    // An unknown one is not read either.
    let uuid = pin_of(&place, "w")[..36].to_owned();
    place.succeed(&["known", "forget", &uuid]);
    place.refuses(
        &["decrypt", "v", "other"],
        &["was there when it was last used", "an unknown volume", "--accept"],
    );
    place.succeed(&["rewrap", "v", "--accept"]);
    place.succeed(&["rewrap", "v"]);
}

#[test]
fn a_known_uuid_under_another_root_key_is_refused() {
    let place = with_two();
    // Made anew under the same UUID, by the same key.
    let (v, w) = (header_of(&place.path("v")), header_of(&place.path("w")));
    let [of_v, of_w] = ["v", "w"].map(|name| pin_of(&place, name)[..36].to_owned());
    let json = super::common::json_of(&w).to_string().replace(&of_w, &of_v);
    let mut forged = w.clone();
    for copy in forged.chunks_mut(super::common::COPY) {
        copy[168..204].copy_from_slice(of_v.as_bytes());
    }
    put_header(&place.path("v"), &super::common::with_json(&forged, json.as_bytes()));
    for command in [&["decrypt", "v", "out"][..], &["rewrap", "v"], &["verify", "v"]] {
        place.refuses(
            command,
            &["had another root key when it was last used", "under local:default", "--accept"],
        );
    }
    // What is accepted must open all the same.
    place.refuses(&["decrypt", "v", "out", "--accept"], &["no key opened"]);
    put_header(&place.path("v"), &v);
    opens(&place, &[], "of v");
}

#[test]
fn an_unknown_volume_is_read_with_a_word_and_changed_after_one() {
    let place = with_two();
    let pin = pin_of(&place, "v");
    forgetful(&place);
    place.refuses(
        &["rewrap", "v"],
        &["is not known here", "under local:default", &pin[..36], "--expect PIN", "--accept"],
    );
    let said = opens(&place, &[], "of v");
    assert!(said.contains("was not known here; it opened with local:default"), "{said}");
    // Once is enough; but reading is not accepting.
    assert_eq!(opens(&place, &[], "of v").lines().count(), 1);
    place.refuses(&["rewrap", "v"], &["is not known here"]);
    place.succeed(&["rewrap", "v", "--accept"]);
    place.succeed(&["rewrap", "v"]);
    // Whose it is does not say which one it is.
    forgetful(&place);
    place.refuses(&["rewrap", "v", "--expect", "key=local:default"], &["is not known here"]);
    for accepted in [&["--expect", &pin][..], &["--expect", "any"], &["--expect", "any key=local:default"]] {
        forgetful(&place);
        place.succeed(&[&["rewrap", "v"], accepted].concat());
        place.succeed(&["rewrap", "v"]);
    }
    // Out of a file, with comments; and together with what is said.
    fs::write(place.path("pins"), format!("# mine\n{pin}\n{}\n", pin_of(&place, "w"))).unwrap();
    opens(&place, &["--expect-file", "pins", "--expect", "provider=local"], "of v");
    place.refuses(
        &["decrypt", "v", "o", "--expect-file", "pins", "--expect", "provider=aws"],
        &["provider aws is expected"],
    );
}

/// Restores, copies and machines without a memory raise no alarm.
#[test]
fn no_false_alarms() {
    let place = with_two();
    fs::rename(place.path("v"), place.path("elsewhere")).unwrap();
    let _ = fs::remove_file(place.path("out"));
    let said = place.succeed(&["decrypt", "elsewhere", "out"]);
    assert_eq!(text(&said.stderr).lines().count(), 1, "a known volume under another name");
    fs::copy(place.path("elsewhere"), place.path("v")).unwrap();
    assert_eq!(opens(&place, &[], "of v").lines().count(), 1);
    // A place that cannot be written, and none at all.
    forgetful(&place);
    fs::write(place.state(), "a file").unwrap();
    opens(&place, &[], "of v");
    place.succeed(&["create", "new", "--size", "4096"]);
    place.succeed(&["rewrap", "new", "--accept"]);
    let mut command = place.command(&["decrypt", "v", "out", "--force"]);
    command.env_remove("ATREST_STATE").env_remove("XDG_STATE_HOME").env("HOME", "");
    assert!(command.output().unwrap().status.success());
}

#[test]
fn an_older_header_is_told_and_refused_where_asked() {
    let place = with_two();
    place.succeed(&["key", "create", "local:old"]);
    place.succeed(&["rewrap", "v", "--key", "local:old"]);
    let old = header_of(&place.path("v"));
    place.succeed(&["rewrap", "v", "--key", "local:default"]);
    put_header(&place.path("v"), &old);
    place.refuses(
        &["decrypt", "v", "out", "--no-rollback"],
        &["older than the last one that was seen", "generation 1, not 2"],
    );
    // A pin says which volume it is, and not how old its header may be.
    let pin = pin_of(&place, "v");
    let pinned = ["decrypt", "v", "out", "--no-rollback", "--expect", &pin];
    place.refuses(&pinned, &["older than the last one that was seen"]);
    let said = opens(&place, &[], "of v");
    assert!(
        said.contains("warning: v: the header of volume") && said.contains("generation 1, not 2"),
        "{said}"
    );
}

/// As `cryptsetup reencrypt` leaves it: another volume key, and the token as it was.
#[test]
fn another_volume_key_is_refused() {
    let place = with_two();
    let digest = super::common::json_of(&header_of(&place.path("w")))["digests"]["0"].clone();
    let header = header_of(&place.path("v"));
    put_header(&place.path("v"), &edited(&header, |json| json["digests"]["0"] = digest));
    for command in [&["decrypt", "v", "out"][..], &["volume-key", "v"], &["rewrap", "v"]] {
        place.refuses(command, &["cryptsetup reencrypt", "copy the data into a new volume"]);
    }
    let output = place.run(&["verify", "v"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("WRONG") && text(&output.stdout).contains("cryptsetup reencrypt"));
}

#[test]
fn the_header_of_another_scratch_volume_is_not_destroyed_in_its_place() {
    let place = Place::new();
    for name in ["a", "b"] {
        place.succeed(&["create", name, "--size", "4096", "--scratch"]);
    }
    let uuid = pin_of(&place, "b")[..36].to_owned();
    let sound = header_of(&place.path("a"));
    transplant(&place, "b", "a");
    place.refuses(&["destroy", "a"], &[&uuid, "was created at", "--uuid"]);
    place.succeed(&["decrypt", "b", "out"]);
    put_header(&place.path("a"), &sound);
    let receipt: Value = serde_json::from_slice(&place.succeed(&["destroy", "a", "--json"]).stdout).unwrap();
    assert_eq!((&receipt["authenticated"], &receipt["key_erased"]), (&true.into(), &true.into()));
    assert_eq!((receipt["class"].as_str(), receipt["volume"].as_str()), (Some("scratch"), Some("a")));
    assert!(receipt["time"].as_u64().unwrap() > 1_700_000_000);
    // What is destroyed is not known any more.
    let known = json(&place, &["known", "list", "--json"]);
    assert_eq!(known["volumes"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_known_is_listed_and_forgotten() {
    let place = with_two();
    let known = json(&place, &["known", "list", "--json"]);
    let volumes = known["volumes"].as_array().unwrap();
    let names: Vec<&str> = volumes.iter().map(|volume| volume["names"][0].as_str().unwrap()).collect();
    assert!(names.iter().all(|name| Path::new(name).is_absolute()) && names.len() == 2, "{names:?}");
    assert!(volumes.iter().any(|volume| volume["pin"] == pin_of(&place, "v")));
    assert_eq!(text(&place.succeed(&["known", "list"]).stdout).lines().count(), 2);
    place.succeed(&["known", "forget", "v"]);
    place.succeed(&["known", "forget", &pin_of(&place, "w")[..36]]);
    failed(&place.run(&["known", "forget", "v"]), &["v is not known"]);
    let output = place.succeed(&["known", "list"]);
    assert!(output.stdout.is_empty() && text(&output.stderr).contains("no volume is known"));
}

#[test]
fn verify_looks_at_everything() {
    let place = with_two();
    place.succeed(&["key", "create", "local:other"]);
    place.succeed(&["slot", "add", "v", "--key", "local:other"]);
    let all = json(&place, &["verify", "v", "--json"]);
    assert_eq!((&all["verified"], &all["known"]), (&true.into(), &true.into()));
    assert_eq!(all["checks"].as_array().unwrap().len(), 5);
    assert_eq!(all["pin"], pin_of(&place, "v"));
    let wrong = |place: &Place, part: &str| {
        let output = place.run(&["verify", "v", "--json"]);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        let all: Value = serde_json::from_slice(&output.stdout).unwrap();
        let wrong: Vec<&Value> =
            all["checks"].as_array().unwrap().iter().filter(|check| check["right"] == false).collect();
        assert!(wrong.len() == 1 && wrong[0].to_string().contains(part), "{wrong:?}");
    };
    // One key of two, one copy of two, the code.
    place.succeed(&["key", "disable", "local:other"]);
    wrong(&place, "local:other");
    place.succeed(&["key", "enable", "local:other"]);
    let header = header_of(&place.path("v"));
    let mut damaged = header.clone();
    damaged[5000] ^= 1;
    put_header(&place.path("v"), &damaged);
    wrong(&place, "first copy");
    put_header(&place.path("v"), &edited(&header, |json| json["tokens"]["0"]["size"] = "5".into()));
    wrong(&place, "authentication code");
}

/// Which slot opened, and why those before it did not.
#[test]
fn the_slot_that_opened_is_told() {
    let place = with_two();
    place.succeed(&["key", "create", "local:other"]);
    place.succeed(&["slot", "add", "v", "--key", "local:other"]);
    place.succeed(&["key", "disable", "local:default"]);
    let said = opens(&place, &[], "of v");
    assert!(
        said.contains("warning: v: slot 0 did not open: local:default") && said.contains(", key local:other"),
        "{said}"
    );
    place.refuses(&["decrypt", "v", "o", "--slot", "0"], &["local:default", "disabled"]);
    assert_eq!(opens(&place, &["--slot", "1"], "of v").lines().count(), 1);
    place.refuses(&["decrypt", "v", "o", "--slot", "2"], &["no slot 2"]);
}
