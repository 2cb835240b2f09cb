//! What the program says: its help, its descriptions of volumes, and on a terminal.

use serde_json::{Value, json};

use super::common::noise;
use super::common::peers::{left_out, program};
use super::place::{ATREST, Place, text};

#[test]
fn a_wrong_command_line_is_usage() {
    let place = Place::new();
    for arguments in [
        &[][..],
        &["frobnicate"],
        &["encrypt"],
        &["encrypt", "in"],
        &["encrypt", "in", "v", "--key", "default"],
        &["encrypt", "in", "v", "--key", "local:../x"],
        &["encrypt", "in", "v", "--sector-size", "big"],
        &["create", "v"],
        &["create", "v", "--size", "10X"],
        &["create", "v", "--size=-1"],
        &["key"],
        &["bench", "extra"],
        &["bench", "--backend", "vaes1024"],
        &["bench", "--backend", ""],
        &["bench", "--aes", "192"],
        &["bench", "--seconds", "0"],
        &["bench", "--seconds", "inf"],
        &["bench", "--seconds=-1"],
    ] {
        let output = place.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
    assert!(place.names().is_empty() && !place.home().exists());
}

#[test]
fn the_help_names_every_command() {
    let place = Place::new();
    let help = place.succeed(&["--help"]);
    for command in ["encrypt", "decrypt", "create", "info", "volume-key", "key", "header", "destroy", "bench"]
    {
        assert!(text(&help.stdout).lines().any(|line| line.trim_start().starts_with(command)), "{command}");
        place.succeed(&[command, "--help"]);
    }
    assert_eq!(
        text(&place.succeed(&["--version"]).stdout),
        format!("atrest {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn info_describes_a_volume() {
    let place = Place::with_key();
    place.put("in", &noise(5000, 1));
    place.succeed(&["encrypt", "in", "v", "--sector-size", "512"]);
    let output = place.succeed(&["info", "v", "--json"]);
    let info: Value = serde_json::from_slice(&output.stdout).unwrap();
    let material = &info["envelope"]["slots"][0]["material"];
    assert!(material.as_str().is_some_and(|id| id.len() == 36) && info["uuid"].as_str().unwrap().len() == 36);
    let expected = json!({
        "uuid": info["uuid"],
        "label": "",
        "subsystem": "",
        "cipher": "aes-xts-plain64",
        "key_bits": 512,
        "sector_size": 512,
        "data_offset": 16 << 20,
        "size": 5000,
        "header": {
            "verified": false,
            "used": "first",
            "copy_size": 16384,
            "copies": [
                { "copy": "first", "state": "valid", "sequence": 1 },
                { "copy": "second", "state": "valid", "sequence": 1 },
            ],
        },
        "pin": info["pin"],
        "envelope": {
            "class": "persistent",
            "slots": [{ "provider": "local", "key": "default", "material": material }],
        },
        "keyslots": [],
        "tokens": [{ "id": 0, "type": "atrest" }],
        "requirements": [],
    });
    assert_eq!(info, expected);

    let table = place.succeed(&["info", "v"]);
    for part in ["aes-xts-plain64", "5000 bytes", "512 bytes", "local:default", "not verified"] {
        assert!(text(&table.stdout).contains(part), "{part}");
    }
    // It needs no key.
    std::fs::remove_dir_all(place.home()).unwrap();
    assert_eq!(place.succeed(&["info", "v"]).stdout, table.stdout);
}

#[test]
fn text_from_a_header_or_a_file_name_cannot_pretend() {
    let place = Place::with_key();
    place.put("in", b"data");
    place.succeed(&["encrypt", "in", "v"]);
    let mut header = super::common::header_of(&place.path("v"));
    for copy in header.chunks_mut(super::common::COPY) {
        copy[24..24 + 9].copy_from_slice(b"a\nb\x1b[2Jcd");
        super::common::fix_checksum(copy);
    }
    super::common::put_header(&place.path("v"), &header);
    let table = place.succeed(&["info", "v"]);
    let table = text(&table.stdout);
    assert!(table.lines().any(|line| line.ends_with("a\\nb\\u{1b}[2Jcd")), "{table}");
    place.refuses(&["info", "no\nsuch\x1b[2J"], &["no\\nsuch\\u{1b}[2J"]);

    // JSON, by its own rules, may hold what a terminal obeys: DEL, CSI as one character, the override.
    let label = "\u{7f}\u{9b}2J\u{202e}\n";
    for copy in header.chunks_mut(super::common::COPY) {
        copy[24..72].fill(0);
        copy[24..24 + label.len()].copy_from_slice(label.as_bytes());
        super::common::fix_checksum(copy);
    }
    super::common::put_header(&place.path("v"), &header);
    let json = place.succeed(&["info", "v", "--json"]).stdout;
    assert!(json.iter().all(|byte| matches!(byte, b'\n' | b' '..=b'~')), "{}", text(&json));
    assert_eq!(serde_json::from_slice::<Value>(&json).unwrap()["label"], label);
}

/// What the program writes to a terminal, by way of script(1); `None` where that is not installed.
pub fn on_a_terminal(place: &Place, locale: &str, arguments: &str) -> Option<(bool, String)> {
    let Some(script) = program("script") else {
        left_out("script is not installed");
        return None;
    };
    let command = format!("{ATREST} {arguments}");
    let mut script = place.program(script);
    script.args(["--quiet", "--return", "--command", &command, "/dev/null"]);
    let output = script
        .env("TERM", "xterm")
        .env("LC_ALL", locale)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    Some((output.status.success(), String::from_utf8(output.stdout).unwrap()))
}

#[test]
fn a_terminal_gets_a_bar_and_no_secrets() {
    let place = Place::with_key();
    place.put("in", &noise(48 << 20, 1));
    let Some((success, shown)) = on_a_terminal(&place, "C", "encrypt in v") else { return };
    assert!(success, "{shown}");
    assert!(
        shown.contains(" of 48.00 MiB [") && shown.contains("MiB/s") && shown.contains(" left"),
        "{shown}"
    );
    let [pin, line] = &shown.lines().rev().take(2).collect::<Vec<_>>()[..] else { panic!("{shown}") };
    assert!(pin.starts_with("pin, for --expect: ") && line.ends_with(", key local:default"), "{shown}");

    for arguments in ["volume-key v", "decrypt v -"] {
        let (success, shown) = on_a_terminal(&place, "C", arguments).unwrap();
        assert!(!success && shown.contains("standard output is a terminal") && shown.len() < 300, "{shown}");
    }
}
