//! Bad input: one clear line, exit code 1, and nothing changed on disk.

use std::fs;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};

use serde_json::Value;

use super::common::peers::left_out;
use super::common::{COPY, edited, header_of, noise, put_header, read_write};
use super::place::{Place, text};

/// A place with a volume `v` of 5000 bytes.
fn with_volume() -> Place {
    let place = Place::with_key();
    place.put("in", &noise(5000, 1));
    place.succeed(&["encrypt", "in", "v"]);
    place
}

/// What opens a volume refuses this one.
#[track_caller]
fn not_opened(place: &Place, parts: &[&str]) {
    let parts = [&["volume v: "][..], parts].concat();
    place.refuses(&["decrypt", "v", "out"], &parts);
    place.refuses(&["decrypt", "v", "-"], &parts);
    place.refuses(&["volume-key", "v"], &parts);
}

#[test]
fn an_existing_file() {
    let place = with_volume();
    for arguments in [&["encrypt", "in", "v"][..], &["create", "v", "--size", "1M"], &["decrypt", "v", "in"]]
    {
        place.refuses(arguments, &["it exists", "--force"]);
    }
    fs::create_dir(place.path("dir")).unwrap();
    place.refuses(&["encrypt", "in", "dir", "--force"], &["cannot write dir: it is a directory"]);
    std::os::unix::fs::symlink("nowhere", place.path("dangling")).unwrap();
    place.refuses(&["encrypt", "in", "dangling", "--force"], &["cannot write dangling", "symbolic link"]);
    place.refuses(&["encrypt", "in", "/dev/null", "--force"], &["/dev/null", "neither"]);
    place.refuses(&["encrypt", "in", "-"], &["standard output"]);
    place.refuses(&["encrypt", "in", "none/v"], &["none", "No such file"]);
    place.refuses(&["encrypt", "in", "new/"], &["new/"]);
}

#[test]
fn a_missing_or_impossible_input() {
    let place = with_volume();
    place.refuses(&["encrypt", "none", "new"], &["cannot read none: No such file", "check the path"]);
    place.refuses(&["encrypt", ".", "new"], &["directory", "tar"]);
    for command in [&["decrypt", "none", "out"][..], &["info", "none"], &["volume-key", "none"]] {
        place.refuses(command, &["none: No such file"]);
    }
    place.refuses(&["info", "/dev/null"], &["/dev/null", "neither"]);
}

#[test]
fn a_sector_size_that_is_none() {
    // Not even the key is made.
    let place = Place::new();
    place.put("in", b"data");
    for size in ["0", "8", "3000", "8192", "18446744073709551615"] {
        let parts = ["new", &format!("sector size of {size} bytes"), "512, 1024, 2048 or 4096"];
        place.refuses(&["encrypt", "in", "new", "--sector-size", size], &parts);
        place.refuses(&["create", "new", "--size", "1M", "--sector-size", size], &parts);
    }
    place.refuses(&["create", "new", "--size", "15E"], &["new", "too large"]);
}

#[test]
fn keys_that_are_not_there() {
    let place = Place::new();
    place.put("in", b"data");
    let encrypt = |key| ["encrypt", "in", "v", "--key", key];
    place.refuses(&encrypt("local:other"), &["local:other", "`atrest key create local:other`"]);
    #[cfg(not(feature = "aws"))]
    place.refuses(&encrypt("aws:alias/x"), &["aws:alias/x", "this build", "local:NAME"]);
    place.refuses(&["key", "create", "aws:alias/x"], &["aws:alias/x", "created in that service"]);
    for verb in ["check", "grants", "disable", "delete"] {
        // The keystore is there from now on, and does not do these.
        place.succeed(&["key", "list"]);
        place.refuses(&["key", verb, "local:other"], &["local:other"]);
    }
    place.succeed(&["key", "create", "local:default"]);
    place.refuses(&encrypt("local:other"), &["local:other", "`atrest key create local:other`"]);
    place.refuses(&["key", "create", "local:default"], &["default", "exists"]);
}

#[test]
fn another_keystore() {
    let place = with_volume();
    let home = place.home();
    fs::rename(&home, home.with_file_name("away")).unwrap();
    not_opened(&place, &["no keystore", "ATREST_HOME"]);
    // One with another key of the same name.
    place.succeed(&["key", "create", "local:default"]);
    not_opened(&place, &["local:default", "it is another key of that name"]);
    fs::remove_dir_all(&home).unwrap();
    place.succeed(&["key", "create", "local:other"]);
    not_opened(&place, &["local:default", "there is no local key default"]);
}

#[test]
fn a_keystore_that_others_can_read() {
    let place = with_volume();
    let key = place.home().join("keys/default.json");
    for (path, mode) in [(key, 0o644), (place.home(), 0o755)] {
        let private = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        not_opened(&place, &["chmod", path.to_str().unwrap()]);
        place.refuses(&["encrypt", "in", "new"], &["chmod", path.to_str().unwrap()]);
        fs::set_permissions(&path, private).unwrap();
    }
    place.succeed(&["decrypt", "v", "out"]);
}

#[test]
fn a_file_that_is_no_volume() {
    let place = with_volume();
    for (length, part) in [(0, "two LUKS2 headers"), (100, "two LUKS2 headers"), (100_000, "no LUKS2 header")]
    {
        place.put("v", &noise(length, 7));
        not_opened(&place, &[part]);
        place.refuses(&["info", "v"], &["volume v: ", part]);
    }
}

#[test]
fn a_volume_that_was_cut_off() {
    let place = with_volume();
    let volume = read_write(&place.path("v"));
    for length in [(16 << 20) + 8191, 16 << 20, 40_000] {
        volume.set_len(length).unwrap();
        not_opened(&place, &["it was cut off", &length.to_string()]);
    }
    volume.set_len(COPY as u64 + 100).unwrap();
    not_opened(&place, &["two LUKS2 headers"]);
}

#[test]
fn one_damaged_copy_of_the_header() {
    for damaged in [0, COPY as u64] {
        let place = with_volume();
        let sound = header_of(&place.path("v"));
        read_write(&place.path("v")).write_all_at(b"!", damaged + 5000).unwrap();
        let output = place.succeed(&["decrypt", "v", "out"]);
        let lines: Vec<&str> = text(&output.stderr).lines().collect();
        let [warning, done] = lines[..] else { panic!("{lines:?}") };
        assert!(warning.starts_with("atrest: warning: v: the ") && warning.contains("checksum"), "{warning}");
        assert!(warning.contains(if damaged == 0 { "first copy" } else { "second copy" }), "{warning}");
        assert!(done.starts_with("decrypted v into out: "), "{done}");
        assert!(place.read("out") == noise(5000, 1));
        // Reading repairs nothing.
        assert!(header_of(&place.path("v")) != sound);
        let info: Value = serde_json::from_slice(&place.succeed(&["info", "v", "--json"]).stdout).unwrap();
        let states = |copy: usize| info["header"]["copies"][copy]["state"].as_str().unwrap();
        assert_eq!(
            [states(0), states(1)],
            if damaged == 0 { ["damaged", "valid"] } else { ["valid", "damaged"] }
        );
    }
}

#[test]
fn two_damaged_copies_of_the_header() {
    let place = with_volume();
    for copy in [0, COPY as u64] {
        read_write(&place.path("v")).write_all_at(b"!", copy + 5000).unwrap();
    }
    not_opened(&place, &["both copies", "atrest header restore"]);
    place.refuses(&["info", "v"], &["both copies"]);
}

/// Everything here has right checksums, so only our own code can tell.
#[test]
fn a_forged_header() {
    let place = with_volume();
    let sound = header_of(&place.path("v"));
    let forged = |edit: &dyn Fn(&mut Value), part: &str| {
        put_header(&place.path("v"), &edited(&sound, edit));
        not_opened(&place, &[part]);
    };
    const CODE: &str = "its authentication code does not match";
    forged(&|json| json["segments"]["0"]["encryption"] = "cipher_null-ecb".into(), "cipher_null-ecb");
    forged(&|json| json["segments"]["0"]["encryption"] = "aes-cbc-plain64".into(), "aes-cbc-plain64");
    forged(&|json| json["segments"]["0"]["offset"] = "16781312".into(), CODE);
    forged(&|json| json["segments"]["0"]["iv_tweak"] = "8".into(), CODE);
    forged(&|json| json["segments"]["0"]["sector_size"] = 512.into(), CODE);
    forged(&|json| json["segments"]["0"]["size"] = "8192".into(), CODE);
    forged(&|json| json["tokens"]["0"]["size"] = "4999".into(), CODE);
    forged(&|json| json["tokens"]["0"]["authentication"] = "AAAA".into(), CODE);
    forged(&|json| json["tokens"]["0"]["envelope"]["class"] = "scratch".into(), "in a scratch volume");
    forged(&|json| json["tokens"]["0"]["envelope"]["slots"][0]["key"] = "other".into(), "other");
    forged(&|json| json["tokens"]["0"]["envelope"]["version"] = 2.into(), "version 2");
    forged(&|json| json["tokens"]["0"]["type"] = "other".into(), "no atrest token");
    put_header(&place.path("v"), &sound);
    place.succeed(&["decrypt", "v", "out"]);
}

#[test]
fn a_header_of_another_volume() {
    let place = with_volume();
    place.succeed(&["create", "w", "--size", "5000"]);
    let (ours, theirs) = (super::common::json_of(&header_of(&place.path("v"))), header_of(&place.path("w")));
    // Its whole token, so that only the UUID differs.
    put_header(
        &place.path("v"),
        &edited(&header_of(&place.path("v")), |json| {
            json["tokens"] = super::common::json_of(&theirs)["tokens"].clone();
        }),
    );
    not_opened(&place, &["UUID"]);
    assert_ne!(ours, super::common::json_of(&header_of(&place.path("v"))));
}

#[test]
fn an_input_shorter_than_it_said() {
    // A file of the kernel's that says 4096 and has less is as one that is cut while it is read.
    let input = "/sys/kernel/mm/transparent_hugepage/enabled";
    match fs::metadata(input) {
        Ok(metadata) if metadata.len() == 4096 => {}
        _ => return left_out(&format!("{input} is not what it is on Linux")),
    }
    Place::with_key().refuses(
        &["encrypt", input, "v"],
        &[input, "changed while it was being read", "expected 4096 bytes"],
    );
}
