//! Programs that depend on the kernel alone (`default-features = false`), as their own packages: with the standard library,
//! and without it. They are built outside this checkout, whose `.cargo/config.toml` they do not see, without a network.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use atrest::xts::Backend;
use tempfile::TempDir;

/// What both of them do: the first blocks of IEEE Std 1619-2007's vector 2, on each backend that runs here.
const WORK: &str = r#"
fn works() -> bool {
    let plain = [0x44; 32];
    let cipher = [
        0xc4, 0x54, 0x18, 0x5e, 0x6a, 0x16, 0x93, 0x6e, 0x39, 0x33, 0x40, 0x38, 0xac, 0xef, 0x83, 0x8b,
        0xfb, 0x18, 0x6f, 0xff, 0x74, 0x80, 0xad, 0xc4, 0x28, 0x93, 0x82, 0xec, 0xd6, 0xd3, 0x94, 0xf0,
    ];
    Backend::supported().count() >= 1 && Backend::supported().all(|backend| {
        let Ok(key) = Key::options().backend(backend).build_from_halves(&[0x11; 16], &[0x22; 16]) else { return false };
        let mut data = plain;
        key.encrypt_sectors(0x33_3333_3333, 32, &mut data).is_ok()
            && data == cipher
            && key.decrypt_sectors(0x33_3333_3333, 32, &mut data).is_ok()
            && data == plain
    }) && selftest().is_ok()
}
"#;

const WITH_STD: &str = r#"
use atrest::xts::{Backend, Key, selftest};
fn main() {
    assert!(works());
    println!("{}", Backend::fastest());
}
"#;

/// The C library starts it; nothing of Rust's standard library is in it.
const WITHOUT_STD: &str = r#"
#![no_std]
#![no_main]
use atrest::xts::{Backend, Key, selftest};
use core::ffi::c_int;

#[link(name = "c")]
unsafe extern "C" {
    fn abort() -> !;
    fn puts(text: *const core::ffi::c_char) -> c_int;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    unsafe { abort() }
}

// The core library of this target was built to unwind, which nothing does here.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    unsafe { puts(Backend::fastest().c_name().as_ptr()) };
    if works() { 0 } else { 1 }
}
"#;

/// A package of both programs.
struct Package {
    directory: TempDir,
}

impl Package {
    fn new() -> Package {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (package, project) = (directory.path(), Path::new(env!("CARGO_MANIFEST_DIR")));
        let manifest = format!(
            "[package]\nname = \"programs\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
             [dependencies]\natrest = {{ path = {project:?}, default-features = false }}\n\n\
             [profile.dev]\npanic = \"abort\"\ndebug = false\n\n[workspace]\n"
        );
        fs::create_dir_all(package.join("src/bin")).expect("a directory");
        fs::write(package.join("Cargo.toml"), manifest).expect("a manifest");
        fs::write(package.join("src/bin/with.rs"), format!("{WITH_STD}{WORK}")).expect("a program");
        fs::write(package.join("src/bin/without.rs"), format!("{WITHOUT_STD}{WORK}")).expect("a program");
        // The versions that this checkout was built with, which are at hand.
        fs::copy(project.join("Cargo.lock"), package.join("Cargo.lock")).expect("a lock file");
        Package { directory }
    }

    fn target(&self) -> PathBuf {
        self.directory.path().join("target")
    }

    fn cargo(&self, arguments: &[&str]) {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(self.directory.path()).args(arguments).arg("--offline");
        // What this test itself is built with.
        for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "ATREST_OMIT"] {
            cargo.env_remove(name);
        }
        let output = cargo.env("CARGO_TARGET_DIR", self.target()).output().expect("cargo runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// What a program prints.
    fn run(&self, program: &str) -> String {
        let output =
            Command::new(self.target().join("debug").join(program)).env_remove("ATREST_BACKEND").output();
        let output = output.expect("the program was built");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("a name")
    }

    /// The forms of the library that were built, by their endings.
    fn built(&self) -> Vec<String> {
        let deps = fs::read_dir(self.target().join("debug/deps")).expect("a build");
        let names = deps.map(|file| file.expect("a file").file_name().into_string().expect("UTF-8"));
        let of_library = names.filter(|name| name.starts_with("libatrest"));
        let endings = of_library.filter_map(|name| name.rsplit_once('.').map(|(_, end)| end.to_owned()));
        let mut endings: Vec<String> = endings.collect();
        endings.sort();
        endings
    }
}

#[cfg(target_os = "linux")]
#[test]
fn programs_build_and_run() {
    let package = Package::new();
    package.cargo(&["build"]);
    // One form, and no library for C.
    assert_eq!(package.built(), ["rlib", "rmeta"]);
    // Detection is another one without the feature `std`, which knows VAES only with AVX-512.
    let expected = match Backend::fastest() {
        Backend::Vaes256 => Backend::Aesni,
        fastest => fastest,
    };
    for program in ["with", "without"] {
        assert_eq!(package.run(program), format!("{expected}\n"), "{program} the standard library");
    }
    package.cargo(&["check"]);
}
