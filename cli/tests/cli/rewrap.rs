//! Other keys for a volume: `rewrap` and `slot`.

use super::common::{COPY, edited, header_of, noise, put_header, read_write};
use super::place::{Place, text};
use std::os::unix::fs::FileExt as _;

/// A place with a volume `v` of 5000 bytes, and the key local:other.
fn with_volume() -> Place {
    let place = Place::with_key();
    place.put("in", &noise(5000, 1));
    place.succeed(&["encrypt", "in", "v"]);
    place.succeed(&["key", "create", "local:other"]);
    place
}

#[test]
fn a_volume_comes_under_another_key() {
    let place = with_volume();
    let output = place.succeed(&["rewrap", "v", "--key", "local:other"]);
    assert_eq!(
        text(&output.stderr),
        "rewrapped v from local:default to local:other; the header was authenticated, and the new wrapping was opened, \
         and the old one is gone from the header\n"
    );
    assert_eq!(text(&place.succeed(&["slot", "list", "v"]).stdout), "0\tlocal:other\n");
    std::fs::remove_file(place.home().join("keys/default.json")).unwrap();
    place.succeed(&["decrypt", "v", "out"]);
    assert!(place.read("out") == noise(5000, 1));
    // The same key again; only the header changes.
    let before = place.read("v");
    let output = place.succeed(&["rewrap", "v"]);
    assert!(
        text(&output.stderr).starts_with("rewrapped v under local:other again; "),
        "{}",
        text(&output.stderr)
    );
    let after = place.read("v");
    assert!(before[..2 * COPY] != after[..2 * COPY] && before[2 * COPY..] == after[2 * COPY..]);
}

#[test]
fn several_keys_open_a_volume() {
    let place = with_volume();
    let output = place.succeed(&["slot", "add", "v", "--key", "local:other"]);
    assert_eq!(text(&output.stderr), "v now opens with local:other as well (slot 1)\n");
    assert_eq!(text(&place.succeed(&["slot", "list", "v"]).stdout), "0\tlocal:default\n1\tlocal:other\n");
    place.refuses(&["rewrap", "v"], &["2 slots", "--slot", "0 (local:default) or 1 (local:other)"]);
    place.refuses(&["rewrap", "v", "--slot", "2"], &["no slot 2"]);
    place.refuses(&["rewrap", "v", "--slot", "1", "--key", "local:default"], &["slot 0", "local:default"]);
    place.refuses(&["slot", "add", "v", "--key", "local:other"], &["slot 1", "local:other"]);
    place.refuses(&["slot", "remove", "v", "7"], &["no slot 7"]);
    let output = place.succeed(&["slot", "remove", "v", "0"]);
    assert_eq!(text(&output.stderr), "v no longer opens with local:default\n");
    place.refuses(&["slot", "remove", "v", "0"], &["only slot", "add another one first"]);
    std::fs::remove_file(place.home().join("keys/default.json")).unwrap();
    assert!(place.succeed(&["decrypt", "v", "-"]).stdout == noise(5000, 1));
}

#[test]
fn what_cannot_be_rewrapped() {
    let place = with_volume();
    place.refuses(&["rewrap", "none"], &["none", "No such file"]);
    place.refuses(&["rewrap", "in"], &["cannot rewrap the volume in", "two LUKS2 headers"]);
    place.refuses(&["rewrap", "v", "--key", "local:missing"], &["local:missing", "atrest key create"]);
    // The wrapping is not the volume's.
    let good = header_of(&place.path("v"));
    place.succeed(&["create", "w", "--size", "5000"]);
    let theirs = super::common::json_of(&header_of(&place.path("w")));
    let slots = &theirs["tokens"]["0"]["envelope"]["slots"][0]["wrapped"];
    put_header(
        &place.path("v"),
        &edited(&good, |json| json["tokens"]["0"]["envelope"]["slots"][0]["wrapped"] = slots.clone()),
    );
    place.refuses(&["rewrap", "v", "--key", "local:other"], &["v", "another volume"]);
    put_header(&place.path("v"), &edited(&good, |json| json["segments"]["0"]["iv_tweak"] = "8".into()));
    place.refuses(&["rewrap", "v", "--key", "local:other"], &["authentication code"]);
    put_header(&place.path("v"), &good);
    // A damaged copy is told, and mended by what is written.
    read_write(&place.path("v")).write_all_at(b"!", 5000).unwrap();
    let output = place.succeed(&["rewrap", "v", "--key", "local:other"]);
    assert!(
        text(&output.stderr).starts_with("atrest: warning: v: the first copy"),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(text(&place.succeed(&["decrypt", "v", "out"]).stderr).lines().count(), 1);
}
