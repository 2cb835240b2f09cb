//! The C ABI from its callers' side: C11 and C++17 programs, compiled with warnings as errors, linked both ways.
//!
//! Needs a C compiler; without one each test says so and passes, unless `ATREST_REQUIRE_PEERS` is set. `CC` and `CXX`
//! choose the compilers; clang is used besides, where it is installed.
#![cfg(unix)]

use std::{env, ffi::OsStr, fs, path::Path, process::Command};

#[path = "../../tests/common/c.rs"]
mod common;
#[path = "c/kernel.rs"]
mod kernel;
#[path = "../../tests/common/library.rs"]
mod library;
#[path = "c/linked.rs"]
mod linked;
#[path = "../../tests/common/peers.rs"]
mod peers;

use common::{Language, SYSTEM_LIBRARIES, WARNINGS, compilers, compilers_with, runs, succeed};
use library::{Library, ROOT};
use peers::missing;

/// Without volumes.
fn library() -> &'static Library {
    library::library("")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Linking {
    Static,
    Shared,
    /// The library without Rust's standard library.
    Kernel,
    KernelShared,
    /// That one, and nothing shared, not even the C library.
    KernelAlone,
}

fn compile(compiler: &OsStr, language: Language) -> Command {
    let mut command = Command::new(compiler);
    command.args(WARNINGS).args([language.standard(), "-g", "-Iinclude"]).current_dir(ROOT);
    // Whatever the source is called.
    if language == Language::Cpp {
        command.args(["-x", "c++"]);
    }
    command
}

fn link(command: &mut Command, linking: Linking) {
    // Back from `-x c++` to what the names say.
    command.args(["-x", "none"]);
    let library = match linking {
        Linking::Static | Linking::Shared => library(),
        Linking::Kernel | Linking::KernelShared | Linking::KernelAlone => library::kernel(),
    };
    match linking {
        Linking::Static => command.arg(&library.fixed).args(SYSTEM_LIBRARIES),
        Linking::Kernel => command.arg(&library.fixed),
        Linking::KernelAlone => command.arg("-static").arg(&library.fixed),
        Linking::Shared | Linking::KernelShared => common::link_shared(command, library),
    };
}

/// Compiles sources under every compiler, both ways of linking, and gives each program to `check`.
fn each_program(
    language: Language,
    sources: &[&str],
    linkings: &[Linking],
    flags: &[&str],
    check: impl Fn(&Path),
) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for compiler in compilers_with(language, flags) {
        for &linking in linkings {
            let program = directory.path().join("program");
            let mut command = compile(&compiler, language);
            command.args(flags).args(sources).arg("-o").arg(&program);
            link(&mut command, linking);
            succeed(&mut command);
            check(&program);
            fs::remove_file(&program).expect("the program is still there");
        }
    }
}

/// What the test programs of both languages share.
const SOURCES: &[&str] =
    &["capi/tests/c/iov.c", "capi/tests/c/layouts.c", "capi/tests/c/misuse.c", "capi/tests/c/place.c"];

/// The test program of a language: on the processor's own backend, then on `soft`.
fn test_program(language: Language, linkings: &[Linking], flags: &[&str]) {
    let source = match language {
        Language::C => "capi/tests/c/program.c",
        Language::Cpp => "capi/tests/c/program.cpp",
    };
    each_program(language, &[&[source], SOURCES].concat(), linkings, flags, |program| {
        for backend in [None, Some("soft")] {
            let mut command = Command::new(program);
            command.current_dir(ROOT).args(["tests/vectors/ieee1619.txt", env!("CARGO_PKG_VERSION")]);
            command.env_remove("ATREST_BACKEND");
            if let Some(backend) = backend {
                command.env("ATREST_BACKEND", backend);
            }
            let said = succeed(&mut command);
            assert_eq!(said, "19 vectors, pieces, layouts, places and every misuse: as they should be\n");
        }
    });
}

const BOTH: &[Linking] = &[Linking::Static, Linking::Shared];

#[test]
fn c11_program() {
    test_program(Language::C, BOTH, &[]);
}

#[test]
fn cpp17_program() {
    test_program(Language::Cpp, BOTH, &[]);
}

#[test]
fn programs_under_address_and_undefined_behaviour_sanitizers() {
    test_program(Language::C, &[Linking::Static], SANITIZERS);
    test_program(Language::Cpp, &[Linking::Static], SANITIZERS);
}

const SANITIZERS: &[&str] =
    &["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-O1"];

/// A sanitizer that finds nothing anywhere proves nothing: each must stop a program with a planted defect in it.
#[test]
fn sanitizers_find_planted_defects() {
    let planted = [
        // Many, since a stale register or stack slot may still point at the last one.
        (
            "keys that are never freed",
            "for (int i = 0; i < 32; i++) {
                 uint8_t key[32] = {1};
                 atrest_xts *xts;
                 if (atrest_xts_new(key, sizeof key, &xts) != ATREST_OK) return 0;
             }",
            "LeakSanitizer",
        ),
        (
            "a key that is used after it was freed",
            "uint8_t key[32] = {1};
             atrest_xts *xts;
             if (atrest_xts_new(key, sizeof key, &xts) != ATREST_OK) return 0;
             atrest_xts_free(xts);
             if (((const volatile uint8_t *)xts)[0] == 1) return 0;",
            "heap-use-after-free",
        ),
        (
            "a shift by more than the width",
            "volatile int one = 1, bits = 40, out = one << bits;
             (void)out;",
            "runtime error: shift exponent",
        ),
    ];
    let directory = tempfile::tempdir().expect("a temporary directory");
    for compiler in compilers_with(Language::C, SANITIZERS) {
        for (what, body, report) in planted {
            let (source, program) = (directory.path().join("planted.c"), directory.path().join("planted"));
            fs::write(&source, format!("#include \"atrest.h\"\nint main(void) {{\n{body}\nreturn 0;\n}}\n"))
                .expect("the directory is writable");
            let mut command = compile(&compiler, Language::C);
            // The compiler may see the defects as well.
            command.arg("-w").args(SANITIZERS).arg(&source).arg("-o").arg(&program);
            link(&mut command, Linking::Static);
            succeed(&mut command);
            let output = Command::new(&program).output().expect("the program starts");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success(), "{what}: the sanitizers of {} saw nothing", compiler.display());
            assert!(said.contains(report), "{what}: instead of {report}:\n{said}");
        }
    }
}

/// The header is the first and only include, alone and twice, in both languages.
#[test]
fn header_stands_alone() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let source = directory.path().join("header.c");
    fs::write(
        &source,
        "#include \"atrest.h\"\n#include \"atrest.h\"\natrest_status the_unit_is_not_empty(void);\n",
    )
    .expect("the directory is writable");
    for language in [Language::C, Language::Cpp] {
        for compiler in compilers(language) {
            let mut command = compile(&compiler, language);
            command.args(["-Wstrict-aliasing", "-Wundef", "-Wcast-qual", "-Wsign-conversion"]);
            if language == Language::C {
                command.arg("-Wstrict-prototypes");
            }
            if compiler.to_string_lossy().contains("clang") {
                // What is left out: older standards than the header is for, and padding, which is no defect.
                command.args([
                    "-Weverything",
                    "-Wno-c++98-compat",
                    "-Wno-c++98-compat-pedantic",
                    "-Wno-declaration-after-statement",
                    "-Wno-padded",
                    "-Wno-unknown-warning-option",
                    // Rules for C++ that a C header cannot follow.
                    "-Wno-unsafe-buffer-usage",
                    "-Wno-pre-c++17-compat",
                ]);
            }
            succeed(command.args(["-c", "-o", "/dev/null"]).arg(&source));
        }
    }
}

/// The shared libraries export the functions of the header, and nothing else: none is missing, none is too many.
#[test]
#[cfg(target_os = "linux")]
fn shared_libraries_export_the_header_only() {
    if !runs(OsStr::new("nm")) {
        return missing("no nm (binutils)");
    }
    let Some(compiler) = compilers(Language::C).into_iter().next() else { return };
    for library in [library(), library::kernel()] {
        let mut nm = Command::new("nm");
        nm.args(["--dynamic", "--defined-only", "--format=just-symbols"]).arg(&library.shared);
        let mut exported: Vec<String> = succeed(&mut nm).lines().map(str::to_owned).collect();
        exported.sort_unstable();
        let mut preprocess = Command::new(&compiler);
        preprocess.current_dir(ROOT).args(["-E", "-P", "-x", "c", "include/atrest.h"]);
        assert_eq!(exported, declared(&succeed(&mut preprocess)));
    }
}

/// The functions that the preprocessed header declares, sorted: the names at the start of a line that a parenthesis
/// follows.
#[cfg(target_os = "linux")]
fn declared(code: &str) -> Vec<String> {
    let mut names: Vec<String> = code
        .lines()
        .filter_map(|line| line.split_once('('))
        .filter_map(|(before, _)| before.rsplit([' ', '*']).next())
        .filter(|name| name.starts_with("atrest_"))
        .map(str::to_owned)
        .collect();
    names.sort_unstable();
    assert!(names.len() >= 11, "the header declares {names:?} only");
    names
}

/// What the header begins with is a program.
#[test]
fn the_headers_first_program() {
    let header = include_str!("../../include/atrest.h");
    let start = header.find(" *     #include <atrest.h>").expect("a program");
    let end = header.find("\n *     }\n").expect("its end");
    let lines = header[start..end].lines().map(|line| line.strip_prefix(" *").expect("a comment"));
    let program = lines.collect::<Vec<_>>().join("\n") + "\n}\n";
    let directory = tempfile::tempdir().expect("a temporary directory");
    let source = directory.path().join("first.c");
    fs::write(&source, program).expect("the directory is writable");
    let source = source.to_str().expect("UTF-8");
    each_program(Language::C, &[source], BOTH, &[], |program| {
        assert_eq!(succeed(&mut Command::new(program)), "");
    });
}

#[test]
fn example_encrypts_sectors() {
    let read = |name: &str| fs::read_to_string(Path::new(ROOT).join(name)).expect("a file of the project");
    assert!(
        read("README.md").contains(&read("examples/c/encrypt_sectors.c")),
        "the README shows another example"
    );

    each_program(Language::C, &["examples/c/encrypt_sectors.c"], BOTH, &[], |program| {
        let run = |backend: Option<&str>| {
            let mut command = Command::new(program);
            command.env_remove("ATREST_BACKEND");
            if let Some(backend) = backend {
                command.env("ATREST_BACKEND", backend);
            }
            command.output().expect("the example starts")
        };
        let version = env!("CARGO_PKG_VERSION");
        let soft = run(Some("soft"));
        assert!(soft.status.success());
        let expected = format!("a page of a database, there and back with atrest {version} on soft\n");
        assert_eq!(String::from_utf8_lossy(&soft.stdout), expected);
        assert!(run(None).status.success());

        // A backend that the environment names and nobody knows is an error, not a silent choice.
        let unknown = run(Some("sofft"));
        assert_eq!(unknown.status.code(), Some(1));
        assert_eq!(unknown.stdout, b"");
        assert_eq!(
            String::from_utf8_lossy(&unknown.stderr),
            "atrest: no backend has that name (one is given, or in ATREST_BACKEND)\n"
        );
    });
}
