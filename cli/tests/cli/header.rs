//! Backups of headers, and their way back into volumes that were changed, damaged or destroyed since.

use std::os::unix::fs::{FileExt as _, PermissionsExt as _};

use super::common::{COPY, DATA_OFFSET, header_of, noise, put_header, read_write};
use super::place::{Place, failed, text};

const AREA: usize = DATA_OFFSET as usize;

/// A place with the volume `v` of 5000 bytes under local:default, the key local:other, and the backup `b` of it.
fn with_backup() -> Place {
    let place = Place::with_key();
    place.put("in", &noise(5000, 1));
    place.succeed(&["encrypt", "in", "v"]);
    place.succeed(&["key", "create", "local:other"]);
    place.succeed(&["header", "backup", "v", "b"]);
    place
}

#[track_caller]
fn opens(place: &Place) {
    assert!(place.succeed(&["decrypt", "v", "-"]).stdout == noise(5000, 1));
}

fn slots(place: &Place) -> String {
    text(&place.succeed(&["slot", "list", "v"]).stdout).to_owned()
}

#[test]
fn a_backup_is_private_and_replaces_nothing() {
    let place = with_backup();
    assert!(place.read("b") == place.read("v")[..AREA]);
    let mode = |name: &str| std::fs::metadata(place.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("b"), 0o600);
    place.refuses(&["header", "backup", "v", "b"], &["b: it exists", "--force"]);
    place.put("open", b"old");
    std::fs::set_permissions(place.path("open"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let output = place.succeed(&["header", "backup", "v", "open", "--force"]);
    assert_eq!(mode("open"), 0o600, "also where the file before was open to others");
    let said = text(&output.stderr);
    assert!(said.contains("16.0 MiB") && said.contains("key local:default"), "{said}");
    for same in ["v", "./v"] {
        place.refuses(&["header", "backup", "v", same, "--force"], &["it is the volume itself"]);
    }
    std::os::unix::fs::symlink("v", place.path("link")).unwrap();
    place.refuses(&["header", "backup", "v", "link", "--force"], &["it is the volume itself"]);
    place
        .refuses(&["header", "backup", "in", "c"], &["cannot back up the header of in", "two LUKS2 headers"]);
    place.refuses(&["header", "backup", "none", "c"], &["none", "No such file"]);
    place.refuses(&["header", "backup", "v", "no/c"], &["no", "No such file"]);
}

#[test]
fn a_damaged_header_comes_back() {
    type Lose<'a> = &'a dyn Fn(&Place);
    let lost: [(&str, Lose<'_>); 4] = [
        ("both copies", &|place| {
            for copy in [0, COPY as u64] {
                read_write(&place.path("v")).write_all_at(b"!", copy + 5000).unwrap();
            }
        }),
        ("all of it", &|place| put_header(&place.path("v"), &noise(AREA, 5))),
        ("nothing but zeros", &|place| put_header(&place.path("v"), &vec![0; AREA])),
        ("destroyed", &|place| drop(place.succeed(&["destroy", "v", "--force"]))),
    ];
    for (what, lose) in lost {
        let place = with_backup();
        let before = place.read("v");
        lose(&place);
        assert!(!place.run(&["decrypt", "v", "out"]).status.success(), "{what}");
        let output = place.succeed(&["header", "restore", "v", "b"]);
        let said = text(&output.stderr);
        assert!(said.contains("sequence number 2") && said.contains("was not compared"), "{what}: {said}");
        opens(&place);
        let after = place.read("v");
        assert!(after[2 * COPY..] == before[2 * COPY..], "{what}");
        // A second time there is something to compare with, and the backup is older.
        place.refuses(
            &["header", "restore", "v", "b"],
            &["is older", "sequence number 1", "has 2", "--force"],
        );
    }
    // One copy is enough to compare with, and is told.
    let place = with_backup();
    read_write(&place.path("v")).write_all_at(b"!", 5000).unwrap();
    let output = place.succeed(&["header", "restore", "v", "b"]);
    assert!(!text(&output.stderr).contains("not compared"), "{}", text(&output.stderr));
    opens(&place);
    assert_eq!(text(&place.run(&["info", "v"]).stderr), "");
}

#[test]
fn an_older_header_would_bring_back_what_was_removed() {
    let place = with_backup();
    place.succeed(&["rewrap", "v", "--key", "local:other"]);
    let advice = [
        "it is older than the header (sequence number 1, and the header has 2)",
        "brings back the wrapping by local:default (material ",
        "takes away the wrapping by local:other (material ",
        "--force",
    ];
    place.refuses(&["header", "restore", "v", "b"], &advice);
    place.succeed(&["header", "restore", "v", "b", "--force"]);
    assert_eq!(slots(&place), "0\tlocal:default\n");
    opens(&place);
    // The restored header is the newest, so that no copy that is left over is taken for newer.
    place.succeed(&["header", "backup", "v", "c"]);
    let sequence = |header: &[u8]| u64::from_be_bytes(header[16..24].try_into().unwrap());
    assert_eq!(sequence(&place.read("c")), 3);
    assert_eq!(sequence(&place.read("c")[COPY..]), 3);
    // A backup that is as it is in the volume brings back nothing, and one that is newer neither.
    place.succeed(&["header", "restore", "v", "c"]);
    put_header(&place.path("v"), &place.read("b")[..2 * COPY]);
    place.succeed(&["header", "restore", "v", "c"]);
    opens(&place);
    // As old as the header, and yet not the same: two copies of a volume went their own ways.
    std::fs::copy(place.path("v"), place.path("w")).unwrap();
    place.succeed(&["slot", "add", "w", "--key", "local:other"]);
    place.succeed(&["rewrap", "v"]);
    place.succeed(&["header", "backup", "w", "d"]);
    place.refuses(&["header", "restore", "v", "d"], &["brings back the wrapping by local:other"]);
}

#[test]
fn a_header_of_another_volume_is_refused() {
    let place = with_backup();
    place.succeed(&["create", "w", "--size", "9000", "--sector-size", "512"]);
    let theirs =
        ["another volume (UUID ", "another place for its data", "another size (5000 bytes, not 9000 bytes)"];
    place.refuses(&["header", "restore", "w", "b"], &theirs);
    // Without a header the length tells, and after a destruction the UUID.
    put_header(&place.path("w"), &vec![0; AREA]);
    place.refuses(&["header", "restore", "w", "b"], &["takes 16785408 bytes", "the file has 16786432"]);
    place.put("image", &noise(AREA + 8192, 3));
    place.succeed(&["header", "restore", "image", "b"]);
    place.succeed(&["create", "x", "--size", "5000"]);
    place.succeed(&["destroy", "x", "--force"]);
    place.refuses(&["header", "restore", "x", "b"], &["another volume"]);
    // No file is made longer.
    place.put("short", &noise(40_000, 3));
    for force in [&["header", "restore", "short", "b"][..], &["header", "restore", "short", "b", "--force"]] {
        place.refuses(force, &["40000"]);
    }
    place.refuses(&["header", "restore", "none", "b"], &["none", "No such file"]);
}

#[test]
fn hostile_backups_are_refused() {
    let place = with_backup();
    let good = place.read("b");
    let mut cut = good.clone();
    cut.truncate(AREA - 1);
    let damaged = |places: &[usize]| {
        let mut bytes = good.clone();
        places.iter().for_each(|place| bytes[*place] ^= 1);
        bytes
    };
    let mut keyslots = super::common::edited(&good[..2 * COPY], |json| {
        json["config"]["keyslots_size"] = (1_u64 << 40).to_string().into();
    });
    keyslots.resize(AREA, 0);
    for (bytes, part) in [
        (Vec::new(), "two LUKS2 headers"),
        (noise(AREA, 4), "no LUKS2 header"),
        (cut, "it was cut off"),
        (good[..2 * COPY].to_vec(), "it was cut off"),
        (damaged(&[5000, COPY + 5000]), "both copies"),
        (keyslots, "1099511627776 bytes"),
    ] {
        place.put("bad", &bytes);
        place.refuses(&["header", "restore", "v", "bad", "--force"], &["cannot use the backup bad", part]);
    }
    // It says nowhere where its data lies, and nothing is there to compare it with: data, perhaps, from the first byte on.
    let mut unknown = super::common::edited(&good[..2 * COPY], |json| {
        json["config"]["requirements"] = serde_json::json!({ "mandatory": ["something-new"] });
    });
    unknown.extend_from_slice(&good[2 * COPY..]);
    place.put("unknown", &unknown);
    let data = noise(place.read("v").len(), 5);
    place.put("data", &data);
    place.refuses(&["header", "restore", "data", "unknown"], &["nothing tells", "--force"]);
    assert!(place.read("data") == data);
    // One sound copy in it is enough.
    place.put("half", &damaged(&[5000]));
    let output = place.succeed(&["header", "restore", "v", "half"]);
    assert!(
        text(&output.stderr).starts_with("atrest: warning: half: the first copy"),
        "{}",
        text(&output.stderr)
    );
    opens(&place);
    // And of a volume with one damaged copy a backup has two.
    read_write(&place.path("v")).write_all_at(b"!", COPY as u64 + 5000).unwrap();
    let output = place.succeed(&["header", "backup", "v", "whole"]);
    assert!(text(&output.stderr).contains("warning: v: the second copy"), "{}", text(&output.stderr));
    assert_eq!(text(&place.run(&["info", "whole"]).stderr), "");
    assert!(header_of(&place.path("v")) != place.read("whole")[..2 * COPY]);
}

#[test]
fn no_backup_brings_a_destroyed_scratch_volume_back() {
    let place = Place::with_key();
    place.put("in", &noise(5000, 1));
    place.succeed(&["encrypt", "in", "v", "--scratch"]);
    place.succeed(&["header", "backup", "v", "b"]);
    place.succeed(&["destroy", "v"]);
    let output = place.succeed(&["header", "restore", "v", "b"]);
    assert!(text(&output.stderr).contains("does not open if it was destroyed"), "{}", text(&output.stderr));
    failed(&place.run(&["decrypt", "v", "out"]), &["was destroyed, and no copy of it opens again"]);
    failed(&place.run(&["volume-key", "b"]), &["volume b"]);
}
