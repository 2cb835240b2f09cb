//! Local keys from making to erasing, by processes that meet and processes that are killed.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::common::noise;
use super::place::{Place, text};

fn with_volume() -> Place {
    let place = Place::with_key();
    place.put("in", &noise(5000, 1));
    place.succeed(&["encrypt", "in", "v"]);
    place
}

fn key_file(place: &Place) -> Value {
    serde_json::from_slice(&std::fs::read(place.home().join("keys/default.json")).unwrap()).unwrap()
}

fn materials(place: &Place) -> BTreeSet<String> {
    let file = key_file(place);
    let ids = file["materials"].as_array().unwrap().iter();
    ids.map(|material| material["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_rotation_makes_wrappings_stale_until_a_rewrap() {
    let place = with_volume();
    let stale = |expected: &[&str]| {
        for (arguments, expected) in
            [&["info", "v", "--keys"][..], &["key", "check", "local:default", "--volume", "v"]]
                .into_iter()
                .zip(expected)
        {
            let output = place.succeed(arguments);
            assert!(text(&output.stdout).contains(expected), "{arguments:?}: {}", text(&output.stdout));
        }
    };
    stale(&["wrapped with its current material", "wrapped with the key's current material"]);
    place.succeed(&["key", "rotate", "local:default", "--now"]);
    stale(&["stale: `atrest rewrap`", "stale: wrapped with older material"]);
    place.succeed(&["decrypt", "v", "out"]);
    assert!(place.read("out") == noise(5000, 1));
    place.succeed(&["rewrap", "v"]);
    stale(&["wrapped with its current material", "wrapped with the key's current material"]);
    assert_eq!(
        text(&place.succeed(&["key", "rotate", "local:default", "--status"]).stdout),
        "Rotation   off\n"
    );
    place.refuses(&["key", "rotate", "local:default", "--enable"], &["not renewed by themselves", "--now"]);
}

#[test]
fn a_key_that_is_withdrawn_opens_nothing() {
    let place = with_volume();
    place.succeed(&["key", "disable", "local:default"]);
    assert_eq!(text(&place.succeed(&["key", "list"]).stdout), "local:default\tdisabled\n");
    let advice = ["local key default is disabled", "atrest key enable local:default"];
    place.refuses(&["decrypt", "v", "out"], &advice);
    place.refuses(&["encrypt", "in", "w"], &advice);
    place.refuses(&["rewrap", "v"], &advice);
    let check = place.run(&["key", "check", "local:default"]);
    assert_eq!(check.status.code(), Some(1));
    assert!(text(&check.stdout).contains("State      disabled") && text(&check.stderr).contains(advice[1]));
    place.succeed(&["key", "enable", "local:default"]);
    place.succeed(&["key", "delete", "local:default", "--days", "7"]);
    let listed = place.succeed(&["key", "list"]).stdout;
    assert!(text(&listed).starts_with("local:default\tpending deletion on 20"), "{}", text(&listed));
    place.refuses(&["decrypt", "v", "out"], &["waits for its deletion on 20", "--cancel"]);
    place.refuses(&["key", "purge", "local:default"], &["waits for its deletion"]);
    place.succeed(&["key", "delete", "local:default", "--cancel"]);
    place.succeed(&["key", "enable", "local:default"]);
    place.succeed(&["decrypt", "v", "out"]);
    place.refuses(&["key", "delete", "local:default", "--days", "6"], &["7 to 30 days"]);

    place.succeed(&["key", "delete", "local:default"]);
    let file = place.home().join("keys/default.json");
    let mut json = key_file(&place);
    json["deletion"] = 1_000_000.into();
    std::fs::write(&file, json.to_string()).unwrap();
    place.refuses(&["decrypt", "v", "out2"], &["deleted since 1970-01-12", "atrest key purge"]);
    let output = place.succeed(&["key", "purge", "local:default"]);
    assert_eq!(text(&output.stderr), "erased local:default: nothing it wrapped will ever open again\n");
    assert!(!file.exists());
    place.refuses(&["decrypt", "v", "out2"], &["there is no local key default"]);
}

#[test]
fn processes_that_rotate_at_once_lose_nothing() {
    let place = Place::with_key();
    let before = materials(&place);
    let children: Vec<_> =
        (0..12).map(|_| place.start(&["key", "rotate", "local:default", "--now"])).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let after = materials(&place);
    assert!(after.len() == 13 && after.is_superset(&before), "{after:?}");
}

/// Killed at any moment, a change has happened or not; what was there opens as before.
#[test]
fn a_killed_change_leaves_a_whole_file() {
    let place = with_volume();
    let begin = Instant::now();
    place.succeed(&["key", "rotate", "local:default", "--now"]);
    let usual = begin.elapsed();
    let mut killed = 0;
    for i in 0..60 {
        let before = materials(&place);
        let mut child = place.start(&["key", "rotate", "local:default", "--now"]);
        std::thread::sleep(usual * i / 50);
        child.kill().unwrap();
        killed += usize::from(!child.wait().unwrap().success());
        let after = materials(&place);
        assert!(after.is_superset(&before) && after.len() - before.len() <= 1);
        let current = key_file(&place)["current"].as_str().unwrap().to_owned();
        assert!(after.contains(&current));
    }
    assert!(killed > 10, "{killed} were killed in time");
    place.succeed(&["decrypt", "v", "-"]);
    // A dead process holds no lock, and what it left goes with the next change.
    let begin = Instant::now();
    place.succeed(&["key", "rotate", "local:default", "--now"]);
    assert!(begin.elapsed() < Duration::from_secs(30));
    let mut files: Vec<_> = std::fs::read_dir(place.home().join("keys"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, [".lock", "default.json"]);
}

/// The one who reads while others change sees a whole key each time.
#[test]
fn volumes_open_while_their_key_is_rotated() {
    let place = with_volume();
    std::thread::scope(|scope| {
        let rotations = scope.spawn(|| {
            for _ in 0..20 {
                place.succeed(&["key", "rotate", "local:default", "--now"]);
            }
        });
        while !rotations.is_finished() {
            assert!(place.succeed(&["decrypt", "v", "-"]).stdout == noise(5000, 1));
        }
    });
}
