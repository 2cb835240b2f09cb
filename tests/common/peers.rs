//! What is not part of the project, and what becomes of a test where it is missing.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::env;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

/// Says what a test leaves out. The output of a test that passes is not shown, so that a line goes into the file
/// `$ATREST_LEFT_OUT` as well, where that is set.
pub fn left_out(what: &str) {
    println!("left out: {what}");
    if let Some(path) = env::var_os("ATREST_LEFT_OUT") {
        let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(format!("{}\n", what.trim()).as_bytes()).unwrap();
    }
}

/// The same for what must be there where `ATREST_REQUIRE_PEERS` is set.
pub fn missing(what: &str) {
    assert!(env::var_os("ATREST_REQUIRE_PEERS").is_none(), "{what}, and ATREST_REQUIRE_PEERS is set");
    left_out(what);
}

/// A program of the system, administrators' directories included, which are not on everybody's PATH.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from);
    env::split_paths(&path).chain(system).map(|dir| dir.join(name)).find(|path| path.is_file())
}

/// A program that must be there where `ATREST_REQUIRE_PEERS` is set.
pub fn required(name: &str) -> Option<PathBuf> {
    let found = program(name);
    if found.is_none() {
        missing(&format!("{name} is not installed"));
    }
    found
}
