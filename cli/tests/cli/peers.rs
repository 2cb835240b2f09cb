//! What cryptsetup makes of our volumes, and what we make of its.

use std::process::Stdio;

use super::common::noise;
use super::common::peers::required;
use super::place::{ATREST, Place, text};

#[test]
fn the_volume_key_opens_the_volume() {
    let Some(cryptsetup) = required("cryptsetup") else { return };
    let place = Place::with_key();
    for sector_size in ["512", "4096"] {
        place.put("in", &noise(100_000, 1));
        place.succeed(&["encrypt", "in", "v", "--sector-size", sector_size, "--force"]);
        let dump = place.program(&cryptsetup).args(["luksDump", "v"]).output().unwrap();
        assert!(dump.status.success(), "{}", text(&dump.stderr));
        assert!(text(&dump.stdout).contains("cipher: aes-xts-plain64"));

        let key = place.succeed(&["volume-key", "v"]);
        assert_eq!((key.stdout.len(), key.stderr.len()), (64, 0));
        // As the manual has it, with a pipe between the two.
        let pipe = "\"$ATREST\" volume-key v | \"$CRYPTSETUP\" open --test-passphrase --key-size 512 \
                    --volume-key-file /dev/stdin v";
        let mut shell = place.program("/bin/sh");
        shell.args(["-c", pipe]).env("ATREST", ATREST).env("CRYPTSETUP", &cryptsetup);
        let output = shell.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
}

#[test]
fn a_volume_of_cryptsetups_own() {
    let Some(cryptsetup) = required("cryptsetup") else { return };
    let place = Place::with_key();
    std::fs::File::create(place.path("v")).unwrap().set_len(20 << 20).unwrap();
    place.put("passphrase", b"correct horse");
    let format = ["--batch-mode", "luksFormat", "--type", "luks2", "--pbkdf", "pbkdf2"];
    let format = [&format[..], &["--pbkdf-force-iterations", "1000", "v", "passphrase"]].concat();
    let output = place.program(&cryptsetup).args(format).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));

    for arguments in [&["decrypt", "v", "out"][..], &["volume-key", "v"]] {
        place.refuses(arguments, &["volume v: ", "no atrest token", "cryptsetup open"]);
    }
    let table = place.succeed(&["info", "v"]);
    assert!(text(&table.stdout).contains("another tool made this volume"));
    let json = place.succeed(&["info", "v", "--json"]);
    let info: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(info["cipher"], "aes-xts-plain64");
    assert_eq!(info["keyslots"][0]["type"], "luks2");
    assert!(info["envelope"].is_null() && info["size"].is_null());
}
