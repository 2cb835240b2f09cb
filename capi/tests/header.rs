//! `include/atrest.h` is what cbindgen makes of `capi/src` today. `ATREST_BLESS=1` writes it anew.

use std::{fs, path::Path};

#[test]
fn header_is_current() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let config = cbindgen::Config::from_file(root.join("capi/cbindgen.toml")).expect("cbindgen.toml");
    let builder = cbindgen::Builder::new().with_config(config).with_src(root.join("capi/src/lib.rs"));
    let mut generated = Vec::new();
    builder.generate().expect("cbindgen accepts capi/src").write(&mut generated);
    let generated = String::from_utf8(generated).expect("UTF-8");
    let generated = as_c89_has_it(&rust_only_parts_removed(&generated));

    let path = root.join("include/atrest.h");
    if std::env::var_os("ATREST_BLESS").is_some() {
        fs::write(&path, &generated).expect("include/atrest.h is writable");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "include/atrest.h is stale; write it anew with: ATREST_BLESS=1 cargo test -p atrest-capi --test header"
    );
}

/// cbindgen copies literals alone, so that Cargo.toml cannot give the version.
#[test]
fn version_is_that_of_cargo_toml() {
    let header = include_str!("../../include/atrest.h");
    for (name, value) in [
        ("", concat!('"', env!("CARGO_PKG_VERSION"), '"')),
        ("_MAJOR", env!("CARGO_PKG_VERSION_MAJOR")),
        ("_MINOR", env!("CARGO_PKG_VERSION_MINOR")),
        ("_PATCH", env!("CARGO_PKG_VERSION_PATCH")),
    ] {
        let line = format!("#define ATREST_VERSION{name} {value}");
        assert!(header.lines().any(|found| found == line), "include/atrest.h has no line {line}");
    }
    let package = include_str!("../../cmake/atrest-config-version.cmake");
    let line = concat!("set(PACKAGE_VERSION \"", env!("CARGO_PKG_VERSION"), "\")");
    assert!(package.lines().any(|found| found == line), "the CMake package has no line {line}");
}

/// The `# Safety` sections speak to Rust's reviewers; C callers read the sentences above them. And cbindgen makes a
/// conditional block for each item.
fn rust_only_parts_removed(header: &str) -> String {
    let mut out: Vec<&str> = Vec::new();
    let mut skipping = false;
    let mut guard = "";
    for line in header.lines() {
        if line.starts_with("#if") && line.contains("defined(ATREST_WITH_") {
            // Neighbours that take the same features stand in one block.
            let end = out.iter().rposition(|line| !line.trim().is_empty());
            if let (true, Some(end)) = (line == guard, end.filter(|&end| out[end] == "#endif")) {
                out.truncate(end);
                out.push("");
                continue;
            }
            guard = line;
        }
        if line.trim_start().starts_with("# Safety") {
            skipping = true;
        }
        if line.trim_end().ends_with("*/") {
            skipping = false;
            while out.last().is_some_and(|last| last.trim().is_empty()) {
                out.pop();
            }
        }
        if !skipping {
            out.push(line);
        }
    }
    out.join("\n") + "\n"
}

/// C89 has neither comments that end with the line nor a comma behind the last enumerator.
fn as_c89_has_it(header: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in header.lines() {
        if line.trim_start() == "};"
            && let Some(last) = lines.last_mut()
            && last.ends_with(',')
        {
            last.pop();
        }
        lines.push(match line.split_once(" // ") {
            Some((code, comment)) if line.starts_with(['#', '}']) => {
                format!("{} /* {comment} */", code.trim_end())
            }
            _ => line.to_owned(),
        });
    }
    lines.join("\n") + "\n"
}
