//! What callers do with the libraries beside calling them: other sanitizers, memcheck, C++ wrappers, several copies in
//! one program.

use std::{ffi::OsStr, fs, path::Path, process::Command};

use super::*;

/// Many threads with one key, among others.
#[test]
fn programs_under_thread_sanitizer() {
    let flags = &["-fsanitize=thread", "-O1"];
    test_program(Language::Cpp, &[Linking::Static], flags);
}

/// A race that is planted is seen.
#[test]
fn thread_sanitizer_finds_a_planted_race() {
    let flags = &["-fsanitize=thread", "-O1"];
    // Often, for the sanitizer remembers few accesses, and a busy machine may run one thread long after the other.
    let source = "#include \"atrest.h\"\n#include <pthread.h>\n#include <stddef.h>\nstatic volatile int shared;\n\
                  static void *add(void *nothing) { shared++; return nothing; }\n\
                  int main(void) { for (int i = 0; i < 200; i++) { pthread_t t; pthread_create(&t, NULL, add, NULL);\n\
                  shared++; pthread_join(t, NULL); } return atrest_version() == NULL; }\n";
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (file, program) = (directory.path().join("race.c"), directory.path().join("race"));
    fs::write(&file, source).expect("the directory is writable");
    for compiler in compilers_with(Language::C, flags) {
        let mut command = compile(&compiler, Language::C);
        command.args(flags).arg(&file).arg("-o").arg(&program);
        link(&mut command, Linking::Static);
        succeed(&mut command);
        let output = Command::new(&program).output().expect("the program starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("data race"), "{}: {said}", compiler.display());
    }
}

/// No leak, and no use of memory that nobody wrote. The long program takes minutes of emulation when unoptimised.
#[test]
#[cfg(target_os = "linux")]
fn programs_under_memcheck() {
    if !runs(OsStr::new("valgrind")) {
        return missing("no valgrind");
    }
    let memcheck = |program: &Path, arguments: &[&str]| {
        let mut command = Command::new("valgrind");
        command.current_dir(ROOT).env_remove("ATREST_BACKEND");
        command.args(["-q", "--error-exitcode=9", "--leak-check=full"]).arg(program).args(arguments);
        succeed(&mut command);
    };
    each_program(Language::Cpp, &["capi/tests/c/wrapper.cpp"], &[Linking::Static], &[], |program| {
        memcheck(program, &[]);
    });
    if !cfg!(debug_assertions) {
        let sources = [&["capi/tests/c/program.c"], SOURCES].concat();
        let compiler = compilers(Language::C).into_iter().next();
        let program = tempfile::NamedTempFile::new().expect("a temporary file").into_temp_path();
        if let Some(compiler) = compiler {
            let mut command = compile(&compiler, Language::C);
            command.args(&sources).arg("-o").arg(&program);
            link(&mut command, Linking::Static);
            succeed(&mut command);
            memcheck(&program, &["tests/vectors/ieee1619.txt", env!("CARGO_PKG_VERSION")]);
        }
    }
}

/// Data calls on a placed key, with what the library asks of the C library counted.
#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn data_calls_allocate_nothing() {
    let flags: Vec<String> = [
        "malloc",
        "calloc",
        "realloc",
        "free",
        "aligned_alloc",
        "posix_memalign",
        "pthread_mutex_lock",
        "pthread_mutex_trylock",
        "pthread_getspecific",
    ]
    .map(|name| format!("-Wl,--wrap={name}"))
    .into();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let linkings = &[Linking::Static, Linking::Kernel];
    each_program(Language::C, &["capi/tests/c/no_allocation.c"], linkings, &flags, |program| {
        let said = succeed(&mut Command::new(program));
        if said.contains("no strict mode") {
            missing("no right to seccomp's strict mode");
        }
        assert!(said.ends_with("no allocation, no lock, no system call\n"), "{said}");
    });
}

/// `atrest.hpp`: its own span in C++17, the standard's in C++20; and under the sanitizers.
#[test]
fn cpp_wrapper() {
    let check = |program: &Path| {
        let mut command = Command::new(program);
        command.env_remove("ATREST_BACKEND");
        assert_eq!(succeed(&mut command), "atrest.hpp: as it should be\n");
    };
    for flags in [&["-Wsign-conversion"][..], &["-std=c++20"], SANITIZERS] {
        each_program(Language::Cpp, &["capi/tests/c/wrapper.cpp"], &[Linking::Static], flags, check);
    }
}

/// The header as each standard of C has it.
#[test]
fn header_in_every_standard() {
    for compiler in compilers(Language::C) {
        for standard in ["c89", "gnu89", "c99", "c11", "c2x"] {
            let mut command = Command::new(&compiler);
            command.current_dir(ROOT).arg(format!("-std={standard}"));
            command.args([
                "-pedantic",
                "-Wall",
                "-Wextra",
                "-Wconversion",
                "-Werror",
                "-Iinclude",
                "-x",
                "c",
            ]);
            succeed(
                command.args(["-fsyntax-only", "include/atrest.h"]).arg("-Wno-pragma-once-outside-header"),
            );
        }
    }
}

/// `contrib/prefix-static`: two copies under names of their own, beside the library as it is built.
#[test]
#[cfg(target_os = "linux")]
fn several_copies_in_one_program() {
    let Some(compiler) = compilers(Language::C).into_iter().next() else { return };
    if ["ld", "objcopy", "readelf"].iter().any(|tool| !runs(OsStr::new(tool))) {
        return missing("no binutils");
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let at = |name: &str| directory.path().join(name);
    let encrypts = "#include \"atrest.h\"\nint NAME(void);\nint NAME(void) { atrest_xts *xts; uint8_t data[512] = {0}, \
                    key[32] = {1};\nif (atrest_xts_new(key, sizeof key, &xts) != ATREST_OK) return 0;\n\
                    int good = atrest_xts_encrypt_sectors(xts, 1, 512, data, data, sizeof data) == ATREST_OK;\n\
                    atrest_xts_free(xts);\nreturn good && data[0] != 0 && atrest_selftest() == ATREST_OK; }\n";
    let main = "int plain(void); int a_(void); int b_(void);\nint main(void) { return !(plain() && a_() && b_()); }\n";
    fs::write(at("encrypts.c"), encrypts).expect("the directory is writable");
    fs::write(at("main.c"), main).expect("the directory is writable");

    let mut program = Command::new(&compiler);
    program.arg("-o").arg(at("program")).arg(at("main.c"));
    for name in ["a_", "b_", "plain"] {
        let mut command = compile(&compiler, Language::C);
        command.arg(format!("-DNAME={name}")).arg("-c").arg(at("encrypts.c"));
        if name != "plain" {
            let mut script = Command::new(Path::new(ROOT).join("contrib/prefix-static"));
            succeed(script.arg(&library().fixed).arg(name).arg(directory.path()));
            command.arg("-include").arg(at(&format!("{name}atrest_names.h")));
        }
        succeed(command.arg("-o").arg(at(&format!("{name}.o"))));
        program.arg(at(&format!("{name}.o")));
    }
    // Whole archives, so that every symbol of both copies meets the others.
    program.arg("-Wl,--whole-archive").arg(at("liba_atrest.a")).arg(at("libb_atrest.a"));
    program.arg("-Wl,--no-whole-archive").arg(&library().fixed).arg("-lgcc_s").args(SYSTEM_LIBRARIES);
    succeed(&mut program);
    succeed(&mut Command::new(at("program")));

    let mut symbols = Command::new("readelf");
    let symbols = succeed(symbols.args(["--wide", "--symbols"]).arg(at("liba_atrest.a")));
    let global: Vec<&str> = symbols
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields.len() == 8 && matches!(fields[4], "GLOBAL" | "WEAK") && fields[6] != "UND")
        .map(|fields| fields[7])
        .collect();
    assert!(global.len() >= 11 && global.iter().all(|name| name.starts_with("a_atrest_")), "{global:?}");
}

/// The machine code of the kernel alone, in bytes, when optimised. A fifth of it are the rows of `vaes256`.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
const MOST_CODE: u64 = 420 << 10;

#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn code_stays_small() {
    if cfg!(debug_assertions) || !runs(OsStr::new("nm")) {
        return;
    }
    let mut nm = Command::new("nm");
    let symbols = succeed(nm.args(["--print-file-name", "--print-size", "--radix=d"]).arg(&library().fixed));
    // The objects are named after the crates: all but those of the standard library.
    let crates = ["atrest", "aes", "cipher", "crypto_common", "hybrid_array", "inout", "typenum", "zeroize"];
    let mut code = crates.map(|_| 0);
    for line in symbols.lines() {
        // library:object:address size type name
        let fields: Vec<_> = line.split_whitespace().collect();
        let &[place, size, "t" | "T", _name] = &fields[..] else { continue };
        let object = place.rsplit(':').nth(1).expect("a name before the address");
        if let Some(i) = crates.iter().position(|name| object.split(['-', '.']).next() == Some(name)) {
            code[i] += size.parse::<u64>().expect("a decimal size");
        }
    }
    let all: u64 = code.iter().sum();
    assert!(code[0] > 100_000 && code[1] > 1_000, "not all was found: {crates:?}, {code:?}");
    assert!(all < MOST_CODE, "{all} bytes of code; the limit is {MOST_CODE}: {crates:?}, {code:?}");
}
