//! The C ABI is what `tests/abi/libatrest.so.0.xml` says, or more. `ATREST_BLESS=1` writes that file anew.
//!
//! abidw describes a library that has the header's functions, empty, compiled as C++, in which statuses and layouts are
//! types of their own. Rust's own types would tell of private fields, and differ from compiler to compiler. That the
//! header is the library's, tests/header.rs and the list of exported symbols in tests/c.rs say.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

#[path = "../../tests/common/peers.rs"]
mod peers;

const DESCRIPTION: &str = "capi/tests/abi/libatrest.so.0.xml";

/// Features whose calls the description covers.
const FEATURES: [&str; 2] = ["ATREST_WITH_VOLUME", "ATREST_WITH_KMS"];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn tools_are_there() -> bool {
    let runs = |tool: &str| {
        let mut command = Command::new(tool);
        command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let all = runs("c++") && runs("abidiff") && runs("abidw");
    if !all {
        peers::missing("no c++, abidw or abidiff (g++, abigail-tools)");
    }
    all
}

/// The header's code with a body for each function that it declares.
fn with_bodies(header: &str) -> String {
    let mut code = String::new();
    let mut rest = header;
    while let Some((before, comment)) = rest.split_once("/*") {
        code.push_str(before);
        rest = comment.split_once("*/").expect("each comment ends").1;
    }
    code.push_str(rest);
    let statements = code.split_inclusive(';').map(|statement| match statement.strip_suffix(");") {
        // Not a pointer to one.
        Some(function) if !function.contains("(*") => format!("{function}) {{ __builtin_trap(); }}"),
        _ => statement.to_owned(),
    });
    statements.collect()
}

/// A shared library that has the ABI of a header.
fn library(directory: &Path, header: &str) -> PathBuf {
    let (source, library) = (directory.join("atrest.cpp"), directory.join("libatrest.so"));
    fs::write(&source, with_bodies(header)).expect("the directory is writable");
    let mut compiler = Command::new("c++");
    compiler.args(["-std=c++17", "-g", "-gdwarf-4", "-shared", "-fPIC", "-nostdlib"]);
    compiler.arg("-Wl,-soname,libatrest.so.0").args(FEATURES.map(|feature| format!("-D{feature}")));
    let output = compiler.arg("-o").arg(&library).arg(&source).output().expect("c++ runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library
}

/// What abidiff says about a library: whether it breaks programs that were linked with what is described, and its report.
fn compare(library: &Path) -> (bool, String) {
    let output: Output = Command::new("abidiff")
        .arg("--no-added-syms")
        .arg(root().join(DESCRIPTION))
        .arg(library)
        .output()
        .expect("abidiff runs");
    let status = output.status.code().expect("abidiff ends by itself");
    // Bits: 1 error, 2 usage, 4 a change, 8 an incompatible one.
    assert!(status & 3 == 0, "abidiff failed: {}", String::from_utf8_lossy(&output.stderr));
    (status & 12 != 0, String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn abi_is_as_described() {
    if !tools_are_there() {
        return;
    }
    let header = fs::read_to_string(root().join("include/atrest.h")).expect("the header is there");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let library = library(directory.path(), &header);
    if std::env::var_os("ATREST_BLESS").is_some() {
        let mut abidw = Command::new("abidw");
        abidw.args(["--no-corpus-path", "--no-comp-dir-path", "--no-show-locs", "--type-id-style", "hash"]);
        let output = abidw.arg(&library).output().expect("abidw runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // The compilation unit carries its path and the compiler's name for the language.
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let text = text.replace(&format!("{}/", directory.path().display()), "");
        fs::write(root().join(DESCRIPTION), text).expect("the description is writable");
    }
    let (changed, report) = compare(&library);
    assert!(!changed, "the ABI is not what {DESCRIPTION} describes (docs/abi.md):\n{report}");
}

/// Each of these breaks programs that were linked before, and abidiff sees it. An added call does not.
#[test]
fn incompatible_changes_are_seen() {
    if !tools_are_there() {
        return;
    }
    let header = fs::read_to_string(root().join("include/atrest.h")).expect("the header is there");
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (what, from, to) in [
        ("a parameter's type", "size_t key_len,", "uint32_t key_len,"),
        (
            "a parameter more",
            "void atrest_xts_free(atrest_xts *xts);",
            "void atrest_xts_free(atrest_xts *xts, int now);",
        ),
        ("a status's value", "ATREST_ERROR_OVERLAP = 8", "ATREST_ERROR_OVERLAP = 80"),
        ("a field's type", "uint64_t first_upper;", "uint32_t first_upper;"),
        ("a call that is gone", "uint32_t atrest_version_number(void);", ""),
    ] {
        assert!(header.contains(from), "{what}: the header has no {from}");
        let (changed, _) = compare(&library(directory.path(), &header.replace(from, to)));
        assert!(changed, "{what}: abidiff saw nothing");
    }
    let more = header.replace(
        "uint32_t atrest_version_number(void);",
        "uint32_t atrest_version_number(void);\nint atrest_new(void);",
    );
    let (changed, report) = compare(&library(directory.path(), &more));
    assert!(!changed, "{report}");
}
