//! The first use of a keystore: by many processes at once, and where somebody has begun to make it.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::process::{Child, Command};

use super::place::{Place, failed, text};

/// As many as a node may start after a boot.
const AT_ONCE: usize = 16;

/// Has many processes make volumes at once, with the commands that are changed so; all succeed, and one makes the key.
fn all_at_once(place: &Place, change: impl Fn(&mut Command)) {
    place.put("in", b"content");
    let start = |i| -> Child {
        let mut command = place.command(&["encrypt", "in", &format!("v{i}")]);
        change(&mut command);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<Child> = (0..AT_ONCE).map(start).collect();
    let mut made = 0;
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        made += usize::from(text(&output.stderr).contains("created the key local:default"));
    }
    assert_eq!(made, 1);
    for i in 0..AT_ONCE {
        let mut command = place.command(&["decrypt", &format!("v{i}"), "-"]);
        change(&mut command);
        assert_eq!(command.output().unwrap().stdout, b"content");
    }
}

fn private_dir(path: &std::path::Path) {
    fs::DirBuilder::new().mode(0o700).create(path).unwrap();
}

#[test]
fn of_a_keystore_that_is_not_there() {
    all_at_once(&Place::new(), |_| {});
}

/// Not even the directories above it are there.
#[test]
fn in_a_new_home_directory() {
    let place = Place::new();
    private_dir(&place.path("user"));
    all_at_once(&place, |command| {
        command.env_remove("ATREST_HOME").env_remove("XDG_DATA_HOME").env("HOME", place.path("user"));
    });
}

#[test]
fn of_an_empty_directory() {
    let place = Place::new();
    private_dir(&place.home());
    all_at_once(&place, |_| {});
}

#[test]
fn of_a_keystore_with_other_keys() {
    let place = Place::new();
    place.succeed(&["key", "create", "local:other"]);
    all_at_once(&place, |_| {});
}

/// What a first run leaves that ends between any two steps.
#[test]
fn of_a_keystore_that_is_half_made() {
    for step in 0..4 {
        let place = Place::new();
        place.put("in", b"content");
        private_dir(&place.home());
        let keys = place.home().join("keys");
        if step > 0 {
            private_dir(&keys);
        }
        if step > 1 {
            fs::write(keys.join(".lock"), "").unwrap();
            fs::set_permissions(keys.join(".lock"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
                .unwrap();
        }
        if step > 2 {
            let half = keys.join(format!(".default.json.{:032x}.new", 1));
            fs::write(&half, "{\"version\":1,\"na").unwrap();
            fs::set_permissions(&half, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        }
        // Whoever only looks finds no keys.
        assert_eq!(text(&place.succeed(&["key", "list"]).stdout), "");
        assert_eq!(text(&place.succeed(&["key", "list", "--scratch"]).stdout), "");
        place.refuses(&["key", "describe", "local:default"], &["there is no local key default"]);
        place.refuses(&["encrypt", "in", "w", "--key", "local:other"], &["atrest key create local:other"]);
        place.succeed(&["encrypt", "in", "v"]);
        assert_eq!(place.succeed(&["decrypt", "v", "-"]).stdout, b"content");
        let mut names: Vec<_> =
            fs::read_dir(&keys).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, [".lock", "default.json"], "step {step}");
    }
}

/// The settings may be there before any key is.
#[test]
fn with_a_default_key_alone() {
    let place = Place::new();
    private_dir(&place.home());
    let settings = place.home().join("config.json");
    fs::write(&settings, "{\"version\":1,\"default_key\":\"local:mine\"}").unwrap();
    fs::set_permissions(&settings, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    place.put("in", b"content");
    let output = place.run(&["encrypt", "in", "v"]);
    failed(&output, &["there is no key local:mine"]);
    place.succeed(&["key", "create", "local:mine"]);
    place.succeed(&["encrypt", "in", "v"]);
    assert!(text(&place.succeed(&["info", "v"]).stdout).contains("local:mine"));
}
