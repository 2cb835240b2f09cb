//! C and C++ programs against the C libraries: compilers, and what both languages must be quiet about.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, Stdio};

use super::peers::missing;

use super::library::Library;
pub use super::library::{ROOT, with_volumes as library};

/// What every source must be quiet about.
pub const WARNINGS: &[&str] = &["-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Wshadow", "-Werror"];

/// What a static library of Rust's needs from the system, where it is not part of libc.
pub const SYSTEM_LIBRARIES: &[&str] =
    if cfg!(target_os = "linux") { &["-lpthread", "-ldl", "-lm"] } else { &[] };

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Language {
    C,
    Cpp,
}

impl Language {
    /// Of the standard that the sources keep to.
    pub fn standard(self) -> &'static str {
        match self {
            Language::C => "-std=c11",
            Language::Cpp => "-std=c++17",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Linking {
    Static,
    Shared,
}

/// The system's compiler for a language, then clang where that is another one; empty where there is none.
pub fn compilers(language: Language) -> Vec<OsString> {
    let (variable, names) = match language {
        Language::C => ("CC", ["cc", "clang"]),
        Language::Cpp => ("CXX", ["c++", "clang++"]),
    };
    let first = env::var_os(variable).unwrap_or_else(|| names[0].into());
    let mut found: Vec<OsString> = [first, names[1].into()].into_iter().filter(|name| runs(name)).collect();
    found.dedup();
    if found.is_empty() {
        missing(&format!("no compiler {} (set {variable})", names[0]));
    }
    found
}

/// The compilers of a language that come with what `flags` need: some systems package the sanitizers apart.
pub fn compilers_with(language: Language, flags: &[&str]) -> Vec<OsString> {
    let all = compilers(language);
    let none = all.is_empty();
    let able: Vec<OsString> = all.into_iter().filter(|compiler| links(compiler, flags)).collect();
    if able.is_empty() && !none {
        missing(&format!("no compiler links with {}", flags.join(" ")));
    }
    able
}

pub fn runs(tool: &OsStr) -> bool {
    let mut command = Command::new(tool);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A compiler that makes `output` of a source of this project and the library.
pub fn compile(compiler: &OsStr, source: &str, flags: &[&str], linking: Linking, output: &Path) {
    let mut command = Command::new(compiler);
    let language = if source.ends_with(".cpp") { Language::Cpp } else { Language::C };
    command.current_dir(ROOT).args(WARNINGS).args([
        language.standard(),
        "-g",
        "-Iinclude",
        "-DATREST_WITH_VOLUME",
    ]);
    if cfg!(feature = "aws") {
        command.arg("-DATREST_WITH_KMS");
    }
    command.args(flags).arg(source).arg("-o").arg(output);
    match linking {
        Linking::Static => command.arg(&library().fixed),
        Linking::Shared => link_shared(&mut command, library()),
    };
    succeed(command.args(SYSTEM_LIBRARIES));
}

/// Links the shared library, which the program then finds where it is.
pub fn link_shared<'a>(command: &'a mut Command, library: &Library) -> &'a mut Command {
    let mut rpath = OsString::from("-Wl,-rpath,");
    rpath.push(library.shared.parent().unwrap());
    command.arg(&library.shared).arg(rpath)
}

/// Whether an empty program compiles and links with these flags.
fn links(compiler: &OsStr, flags: &[&str]) -> bool {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("empty.c");
    std::fs::write(&source, "int main(void) { return 0; }\n").unwrap();
    let mut command = Command::new(compiler);
    command.args(flags).arg(&source).arg("-o").arg(directory.path().join("empty")).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Runs a command that must succeed, and gives what it printed.
pub fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}{err}", output.status);
    out.into_owned()
}

/// Whether the compiler finds a header.
pub fn has_header(compiler: &OsStr, name: &str) -> bool {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("header.c");
    std::fs::write(&source, format!("#include <{name}>\n")).unwrap();
    let mut command = Command::new(compiler);
    command.arg("-E").arg(&source).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
