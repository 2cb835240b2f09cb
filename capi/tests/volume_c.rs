//! Volumes, envelopes and key providers from C: the test program, plain and under the tools that watch memory and
//! threads, and the example.
//!
//! Needs a C compiler and valgrind; without one each test says so and passes, unless `ATREST_REQUIRE_PEERS` is set.
#![cfg(all(feature = "volume", unix))]

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

#[path = "../../tests/common/c.rs"]
mod c;
#[path = "../../tests/common/library.rs"]
mod library;
#[path = "../../tests/common/peers.rs"]
mod peers;

use c::{Language, Linking, compile, compilers, compilers_with, succeed};

/// A test program, and what it says at its end.
type Program = (&'static str, &'static str);

const VOLUME: Program =
    ("capi/tests/c/volume.c", "volumes, envelopes, providers and every misuse: as they should be\n");
const STORAGE: Program = (
    "capi/tests/c/storage.c",
    "storage of the caller's, sectors without I/O, and every misuse: as they should be\n",
);
const CPP: Program = ("capi/tests/c/volume.cpp", "atrest.hpp over volumes: as it should be\n");
/// The library has threads of its own there.
const WITHDRAWAL: Program = ("capi/tests/c/withdrawal.c", "keys that go away: as it should be\n");

/// Compiles the test programs under each compiler that knows `flags`, and runs them, by way of `tool`.
fn test_programs(programs: &[Program], flags: &[&str], linkings: &[Linking], tool: &[&str]) {
    let language = if programs.contains(&CPP) { Language::Cpp } else { Language::C };
    let able = compilers_with(language, flags);
    // One compiler's code is enough for memcheck, which takes a while.
    let count = if tool.is_empty() { able.len() } else { 1 };
    // Side by side: for much of their time they wait for locks and keys.
    thread::scope(|scope| {
        for compiler in able.iter().take(count) {
            for (&linking, &program) in
                linkings.iter().flat_map(|linking| programs.iter().map(move |program| (linking, program)))
            {
                scope.spawn(move || test_program(compiler, program, flags, linking, tool));
            }
        }
    });
}

fn test_program(compiler: &OsStr, (source, end): Program, flags: &[&str], linking: Linking, tool: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    let (program, place) = (directory.path().join("program"), directory.path().join("place"));
    fs::create_dir(&place).unwrap();
    compile(compiler, source, flags, linking, &program);
    let mut command = match tool {
        [] => Command::new(&program),
        [tool, arguments @ ..] => {
            let mut command = Command::new(tool);
            command.args(arguments).arg(&program);
            command
        }
    };
    command.arg(&place).env("ATREST_HOME", place.join("home")).env_remove("ATREST_BACKEND");
    let suppressions = Path::new(c::ROOT).join("capi/tests/c/tsan.supp");
    command.env("TSAN_OPTIONS", format!("suppressions={}", suppressions.display()));
    // For a service that never answers.
    command.envs([("AWS_ACCESS_KEY_ID", "none"), ("AWS_SECRET_ACCESS_KEY", "none")]);
    assert_eq!(succeed(&mut command), end);
}

#[test]
fn c11_program() {
    test_programs(&[VOLUME, STORAGE, WITHDRAWAL], &[], &[Linking::Static, Linking::Shared], &[]);
}

/// The wrapper: its own span in C++17, the standard's in C++20; with exceptions and without; and under the sanitizers.
#[test]
fn cpp_programs() {
    for flags in [&["-Wsign-conversion"][..], &["-std=c++20"], &["-fno-exceptions"], SANITIZERS] {
        test_programs(&[CPP], flags, &[Linking::Static], &[]);
    }
}

const SANITIZERS: &[&str] =
    &["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-O1"];

#[test]
fn under_address_and_undefined_behaviour_sanitizers() {
    test_programs(&[VOLUME, STORAGE, WITHDRAWAL], SANITIZERS, &[Linking::Static], &[]);
}

#[test]
fn under_the_thread_sanitizer() {
    // The threads of a recheck are not instrumented: what they lock is out of its sight. And so are the buffers that go from
    // thread to thread inside the library, which functions of the program's own would be seen to read.
    test_programs(&[VOLUME], &["-fsanitize=thread", "-O1", NO_THREADS], &[Linking::Static], &[]);
}

#[test]
fn under_memcheck() {
    let Some(valgrind) = peers::required("valgrind") else { return };
    let valgrind = valgrind.to_str().unwrap();
    let tool = [valgrind, "--quiet", "--error-exitcode=9", "--leak-check=full", LEAKS];
    test_programs(&[VOLUME, STORAGE, WITHDRAWAL], &["-O1", NO_THREADS], &[Linking::Static], &tool);
}

/// The thread of a KMS provider is not instrumented, and in a forked child what it held is out of everybody's reach.
const NO_THREADS: &str = "-UATREST_WITH_KMS";

/// The children that the program forks end with objects that are alive, and some have pointers into their middle alone.
const LEAKS: &str = "--errors-for-leak-kinds=definite";

/// The shared library exports what the header declares for it, and nothing else.
#[test]
#[cfg(target_os = "linux")]
fn shared_library_exports_the_header_only() {
    let Some(nm) = peers::required("nm") else { return };
    let Some(compiler) = compilers(Language::C).into_iter().next() else { return };
    let library = &c::library().shared;
    let exported =
        succeed(Command::new(nm).args(["-D", "--defined-only", "--format=just-symbols"]).arg(library));
    let mut exported: Vec<&str> = exported.lines().collect();
    exported.sort_unstable();
    let mut preprocess = Command::new(compiler);
    preprocess.current_dir(c::ROOT).args(["-E", "-P", "-x", "c", "-DATREST_WITH_VOLUME"]);
    if cfg!(feature = "aws") {
        preprocess.arg("-DATREST_WITH_KMS");
    }
    let header = succeed(preprocess.arg("include/atrest.h"));
    let before = header.lines().filter_map(|line| line.split_once('('));
    let names = before.filter_map(|(before, _)| before.rsplit([' ', '*']).next());
    let mut declared: Vec<&str> = names.filter(|name| name.starts_with("atrest_")).collect();
    declared.sort_unstable();
    assert!(declared.len() >= 80, "the header declares {declared:?} only");
    assert_eq!(exported, declared);
}

#[test]
fn the_examples() {
    for compiler in compilers(Language::C) {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        compile(&compiler, "examples/c/volume.c", &[], Linking::Static, &path("example"));
        let run = |keys: &str, volume: &str| {
            Command::new(path("example")).arg(path(keys)).arg(path(volume)).output().unwrap()
        };
        let said = run("keys", "v");
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        let text = String::from_utf8(said.stdout).unwrap();
        assert!(text.starts_with("at rest in ") && text.ends_with("/v\n"), "{text}");
        // It destroys nothing, and says why.
        let before = fs::metadata(path("v")).unwrap().modified().unwrap();
        let said = run("keys", "v");
        assert_eq!(said.status.code(), Some(1));
        let text = String::from_utf8(said.stderr).unwrap();
        assert!(text.contains("/v: making the file failed: File exists"), "{text}");
        assert_eq!(fs::metadata(path("v")).unwrap().modified().unwrap(), before);
        assert_eq!(Command::new(path("example")).output().unwrap().status.code(), Some(2));

        // What it wrote, by I/O of another program's own; and the same in memory.
        compile(&compiler, "examples/c/sector_cipher.c", &[], Linking::Static, &path("sectors"));
        let sector = 123456789 / 4096;
        let mut sectors = Command::new(path("sectors"));
        sectors.args([path("keys"), path("v")]).arg(sector.to_string());
        let read = sectors.output().unwrap();
        assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
        assert_eq!(read.stdout.len(), 4096);
        assert_eq!(&read.stdout[123456789 % 4096..][..8], b"at rest\0");
        compile(&compiler, "examples/c/storage.c", &[], Linking::Static, &path("storage"));
        assert_eq!(succeed(Command::new(path("storage")).arg(path("keys"))), "at rest in memory\n");
    }
}
