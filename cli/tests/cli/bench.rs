//! `atrest bench`: what it prints, but not how fast anything is.

use atrest::xts::Backend;
use serde_json::Value;

use super::place::{Place, text};
use super::texts::on_a_terminal;

fn supported() -> impl Iterator<Item = Backend> {
    Backend::supported()
}

/// Whether AES units bound it.
fn has_limit(backend: Backend) -> bool {
    !["soft", "ssse3", "avx2", "neon"].contains(&backend.name())
}

/// A number that a measurement can give.
#[track_caller]
fn sane(value: &Value) {
    let number = value.as_f64().unwrap_or_else(|| panic!("{value} is no number"));
    assert!(number.is_finite() && number > 0.0, "{number}");
}

#[test]
fn the_table_has_every_backend() {
    let output = Place::new().succeed(&["bench", "--seconds", "0.1"]);
    assert!(output.stderr.is_empty());
    let table = text(&output.stdout);
    assert!(table.is_ascii() && table.lines().all(|line| line.len() <= 80), "{table}");
    for &backend in Backend::ALL {
        let named = table.lines().any(|line| line.split(' ').next() == Some(backend.name()));
        assert_eq!(named, backend.is_supported(), "{backend}");
    }
    for direction in ["encrypt ", "decrypt "] {
        let calls = table.lines().filter(|line| line.starts_with("  ") && line.contains(direction));
        assert_eq!(calls.count(), 4 * supported().count(), "{table}");
    }
    let bars = table.lines().filter(|line| line.ends_with('|')).count();
    assert_eq!(bars, 8 * supported().filter(|&backend| has_limit(backend)).count(), "{table}");
    assert!(table.contains("no limit shown"));
}

#[test]
fn a_terminal_gets_blocks_where_it_can_show_them() {
    let place = Place::new();
    let arguments = format!("bench --seconds 0.05 --backend {}", Backend::fastest());
    for (locale, ascii) in [("C.UTF-8", false), ("C", true)] {
        let Some((success, shown)) = on_a_terminal(&place, locale, &arguments) else { return };
        assert!(success, "{shown}");
        assert!(shown.lines().all(|line| line.trim_end().chars().count() <= 80), "{shown}");
        assert_eq!(shown.is_ascii(), ascii || !has_limit(Backend::fastest()), "{shown}");
    }
}

#[test]
fn json_has_every_number() {
    let place = Place::new();
    for bits in ["128", "256"] {
        let output = place.succeed(&["bench", "--json", "--seconds", "0.1", "--aes", bits]);
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(json["aes_bits"].to_string(), bits);
        assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(json["architecture"], std::env::consts::ARCH);
        sane(&json["core_ghz"]);
        assert!(json["spread"].as_f64().unwrap() >= 0.0 && json["disturbed"].is_boolean());

        let backends = json["backends"].as_array().unwrap();
        let names: Vec<&str> = backends.iter().map(|entry| entry["backend"].as_str().unwrap()).collect();
        let mut expected: Vec<&str> = supported().map(Backend::name).collect();
        expected.reverse();
        assert_eq!(names, expected);
        for entry in backends {
            let limited = has_limit(entry["backend"].as_str().unwrap().parse().unwrap());
            for direction in ["encrypt", "decrypt"] {
                let limit = &entry["limit_cycles_per_byte"][direction];
                if limited { sane(limit) } else { assert!(limit.is_null()) }
            }
            let calls = entry["calls"].as_array().unwrap();
            assert_eq!(calls.len(), 8);
            for call in calls {
                sane(&call["cycles_per_byte"]);
                sane(&call["chunks"]);
                assert!(call["spread"].as_f64().unwrap() >= 0.0);
                if limited { sane(&call["of_limit"]) } else { assert!(call["of_limit"].is_null()) }
            }
            let mut kinds: Vec<String> = calls
                .iter()
                .map(|call| format!("{}/{}/{}", call["sector_size"], call["call_size"], call["direction"]))
                .collect();
            kinds.sort();
            kinds.dedup();
            assert_eq!(kinds.len(), 8, "{kinds:?}");
        }
    }
}

#[test]
fn one_backend_alone() {
    let place = Place::new();
    for &backend in Backend::ALL {
        let arguments = ["bench", "--json", "--seconds", "0.05", "--backend", backend.name()];
        if backend.is_supported() {
            let json: Value = serde_json::from_slice(&place.succeed(&arguments).stdout).unwrap();
            let backends = json["backends"].as_array().unwrap();
            assert!(backends.len() == 1 && backends[0]["backend"] == backend.name(), "{json}");
        } else {
            place.refuses(&arguments, &["cannot measure", backend.name(), "does not support it", "soft"]);
        }
    }
    // What chooses a backend for data has no say here.
    let mut command = place.command(&["bench", "--seconds", "0.05", "--backend", "soft"]);
    assert!(command.env("ATREST_BACKEND", "no-such-backend").output().unwrap().status.success());
}

#[test]
fn a_wrong_argument_is_named_in_the_first_line() {
    let place = Place::new();
    for (arguments, parts) in [
        (["--backend", "vaes1024"], ["'vaes1024'", "--backend"]),
        (["--aes", "192"], ["'192'", "--aes"]),
        (["--seconds", "none"], ["'none'", "from 0.01 to 3600"]),
    ] {
        let output = place.run(&[&["bench"][..], &arguments].concat());
        assert_eq!(output.status.code(), Some(2));
        let first = text(&output.stderr).lines().next().unwrap();
        assert!(first.starts_with("error: ") && parts.iter().all(|part| first.contains(part)), "{first}");
    }
}
