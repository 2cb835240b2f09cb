//! The C library as a C project would have it: built by cargo, for whoever asks, with these features of capi/.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// The project's directory, from that of a package in it.
pub const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The libraries of one build. The shared one also stands under the name that programs ask for at run time.
pub struct Library {
    pub fixed: PathBuf,
    pub shared: PathBuf,
}

/// What the header calls `ATREST_WITH_VOLUME`, and AWS KMS where this test program was built with it.
pub fn with_volumes() -> &'static Library {
    library(if cfg!(feature = "aws") { "volume,aws" } else { "volume" })
}

/// The libraries with these features, with commas between; built once for each test program.
pub fn library(features: &'static str) -> &'static Library {
    static LIBRARIES: Mutex<BTreeMap<&str, &Library>> = Mutex::new(BTreeMap::new());
    let mut libraries = LIBRARIES.lock().unwrap_or_else(PoisonError::into_inner);
    libraries.entry(features).or_insert_with(|| Box::leak(Box::new(build(features))))
}

/// The library of XTS without Rust's standard library, as contrib/install makes it.
pub fn kernel() -> &'static Library {
    library(KERNEL)
}

/// In the place of features.
const KERNEL: &str = "without std";

fn build(features: &str) -> Library {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--locked", "--package", "atrest-capi"])
        .args(["--message-format", "json"])
        // What built this test has ended, and its lock with it: the dependencies are there already.
        .arg("--target-dir")
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in the target directory"))
        .current_dir(ROOT)
        .stderr(Stdio::inherit());
    if features == KERNEL {
        cargo.args(["--no-default-features", "--profile", "kernel"]);
    } else {
        // As this test is built. The programs do much, and take several times as long on what the profile `dev` makes.
        let profile = if cfg!(debug_assertions) { "test" } else { "release" };
        cargo.args(["--features", features, "--profile", profile]);
    }
    let output = cargo.output().expect("cargo runs");
    assert!(output.status.success(), "cargo build -p atrest-capi --features {features} failed");

    let built: Vec<PathBuf> = String::from_utf8(output.stdout)
        .expect("cargo writes UTF-8")
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact" && message["target"]["name"] == "atrest")
        .flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default())
        .filter_map(|file| file.as_str().map(PathBuf::from))
        .collect();
    // Another test program may build with other features meanwhile: these are ours.
    // A comma would end a path among the linker's options.
    let name = if features.is_empty() { "std".to_owned() } else { features.replace(',', "-") };
    let place = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("c-libraries")
        .join(format!("{name}-{}", std::process::id()));
    std::fs::create_dir_all(&place).expect("the target directory is writable");
    let take = |extensions: &[&str]| {
        let found = built.iter().find(|file| {
            file.extension().and_then(OsStr::to_str).is_some_and(|extension| extensions.contains(&extension))
        });
        let found = found.unwrap_or_else(|| panic!("cargo built none of {extensions:?}: {built:?}"));
        let ours = place.join(found.file_name().expect("a file has a name"));
        std::fs::copy(found, &ours).expect("the target directory is writable");
        ours
    };
    let library = Library { fixed: take(&["a"]), shared: take(&["so", "dylib"]) };
    // Programs ask for the library by the name that carries the version of the ABI.
    #[cfg(target_os = "linux")]
    {
        let named = place.join("libatrest.so.0");
        let _ = std::fs::remove_file(&named);
        std::os::unix::fs::symlink(&library.shared, &named).expect("the target directory is writable");
    }
    library
}
