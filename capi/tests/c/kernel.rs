//! The library without Rust's standard library: what it needs, how small it is, and what it can stand beside.

use super::*;

const EXAMPLE: &str = "examples/c/encrypt_sectors.c";

#[test]
fn c11_program() {
    test_program(Language::C, &[Linking::Kernel, Linking::KernelShared, Linking::KernelAlone], &[]);
}

#[test]
fn under_address_and_undefined_behaviour_sanitizers() {
    test_program(Language::C, &[Linking::Kernel], SANITIZERS);
}

/// The environment is read without the standard library, too, and what it says is refused alike.
#[test]
fn backend_of_the_environment() {
    each_program(Language::C, &[EXAMPLE], &[Linking::Kernel], &[], |program| {
        let run = |backend: &str| {
            Command::new(program).env("ATREST_BACKEND", backend).output().expect("the example starts")
        };
        let said = |backend: &str| String::from_utf8_lossy(&run(backend).stdout).into_owned();
        assert!(said("soft").ends_with(" on soft\n"), "{}", said("soft"));
        assert!(run("").status.success(), "an empty name is none");
        for unknown in ["sofft", "\u{fc}"] {
            assert_eq!(run(unknown).status.code(), Some(1), "{unknown}");
        }
    });
}

/// Neither an unwinder nor a thread library: the C library alone, and of that a few functions.
#[test]
#[cfg(target_os = "linux")]
fn needs_the_c_library_alone() {
    if !runs(OsStr::new("nm")) || !runs(OsStr::new("readelf")) {
        return missing("no nm, readelf (binutils)");
    }
    let shared = &library::kernel().shared;
    let needed = succeed(Command::new("readelf").arg("--dynamic").arg(shared));
    let needed: Vec<&str> = needed.lines().filter(|line| line.contains("(NEEDED)")).collect();
    assert!(needed.len() == 1 && needed[0].contains("[libc."), "{needed:?}");

    let undefined = succeed(Command::new("nm").args(["--dynamic", "--undefined-only"]).arg(shared));
    assert!(undefined.lines().any(|line| line.trim().starts_with("U abort")), "a panic does not abort");
    for line in undefined.lines().map(str::trim).filter(|line| line.starts_with("U ")) {
        let name = line[2..].split('@').next().expect("a name");
        const TAKEN: &[&str] = &[
            "abort",
            "bcmp",
            "free",
            "getauxval",
            "getenv",
            "memcmp",
            "memcpy",
            "memmove",
            "memset",
            "posix_memalign",
            "strlen",
        ];
        assert!(TAKEN.contains(&name), "it needs {name}");
    }
}

/// The end of a panic, which no call of the library is known to reach: from where the library has it, beside a function that
/// panics. That the library has it, and what it calls, is in the list above.
#[test]
fn a_panic_aborts() {
    use std::os::unix::process::ExitStatusExt as _;

    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = |name: &str| directory.path().join(name);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/without_std.rs");
    fs::write(
        path("panics.rs"),
        format!(
            "#![no_std]\n#![allow(dead_code)]\n#[path = {source:?}]\nmod without_std;\n\
             #[unsafe(no_mangle)]\npub extern \"C\" fn element(i: usize) -> i32 {{\n[0, 1, 0][i]\n}}\n"
        ),
    )
    .expect("the directory is writable");
    fs::write(
        path("program.c"),
        "#include <stddef.h>\nint element(size_t i);\n\
         int main(int argc, char **argv) { (void)argv; return element((size_t)argc); }\n",
    )
    .expect("the directory is writable");
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition", "2024", "-C", "opt-level=2", "-C", "panic=abort", "-C", "lto=fat"]);
    succeed(rustc.args(["--crate-type", "staticlib", "-o"]).arg(path("libpanics.a")).arg(path("panics.rs")));
    for compiler in compilers(Language::C) {
        let mut command = compile(&compiler, Language::C);
        succeed(command.arg(path("program.c")).arg(path("libpanics.a")).arg("-o").arg(path("program")));
        let run = |arguments: &[&str]| {
            let mut program = Command::new(path("program"));
            program.current_dir(directory.path()).args(arguments).output().expect("the program starts")
        };
        assert_eq!(run(&[]).status.code(), Some(1));
        assert_eq!(run(&["two"]).status.code(), Some(0));
        let panicked = run(&["one", "too", "many"]);
        assert_eq!(panicked.status.signal(), Some(rustix::process::Signal::ABORT.as_raw()));
        assert_eq!((panicked.stdout, panicked.stderr), (vec![], vec![]));
    }
}

/// A program that encrypts sectors, stripped, with the C library shared.
#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn programs_are_small() {
    const LIMIT: u64 = 400 * 1024;
    each_program(Language::C, &[EXAMPLE], &[Linking::Kernel], &["-O2", "-s"], |program| {
        let size = fs::metadata(program).expect("the program is there").len();
        println!("{size} bytes");
        assert!(size < LIMIT, "{size} bytes are too many");
    });
}

/// Two of Rust's static libraries in one program, each with what it brings along, in any order and without renaming.
#[test]
#[cfg(target_os = "linux")]
fn beside_another_static_library_of_rust() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = |name: &str| directory.path().join(name);
    fs::write(
        path("other.rs"),
        "#[unsafe(no_mangle)]\npub extern \"C\" fn other_sum(n: u32) -> u32 {\n\
         std::thread::spawn(move || (0..=n).map(|x| x.to_string().parse::<u32>().unwrap()).sum()).join().unwrap()\n}\n\
         #[unsafe(no_mangle)]\npub extern \"C\" fn other_catches() -> bool {\n\
         std::panic::catch_unwind(|| panic!(\"caught\")).is_err()\n}\n",
    )
    .expect("the directory is writable");
    fs::write(
        path("both.c"),
        "#include <stdbool.h>\n#include \"atrest.h\"\nuint32_t other_sum(uint32_t n);\nbool other_catches(void);\n\
         int main(void) {\n\
         return atrest_selftest() == ATREST_OK && other_sum(10) == 55 && other_catches() ? 0 : 1;\n}\n",
    )
    .expect("the directory is writable");
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition", "2024", "-O", "--crate-type", "staticlib", "-o"]);
    succeed(rustc.arg(path("libother.a")).arg(path("other.rs")));
    let (ours, other) = (&library::kernel().fixed, &path("libother.a"));
    for compiler in compilers(Language::C) {
        for libraries in [[ours, other], [other, ours]] {
            let mut command = compile(&compiler, Language::C);
            command.arg(path("both.c")).args(libraries).arg("-o").arg(path("both")).args(SYSTEM_LIBRARIES);
            succeed(&mut command);
            succeed(&mut Command::new(path("both")));
        }
    }
}
