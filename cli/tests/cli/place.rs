//! A directory and a keystore for one test, and ways to run the program there.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::Signal;
use tempfile::TempDir;

use super::common::peers::left_out;

/// Removed at the end of the test.
pub struct Place(TempDir);

/// All files below a directory, with mode and content; `None` for a directory.
pub type Files = BTreeMap<PathBuf, (u32, Option<Vec<u8>>)>;

impl Place {
    pub fn new() -> Place {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("work")).unwrap();
        Place(dir)
    }

    /// With the key local:default, which is then not made in passing.
    pub fn with_key() -> Place {
        let place = Place::new();
        place.succeed(&["key", "create", "local:default"]);
        place
    }

    /// A file in the working directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join("work").join(name)
    }

    /// The keystore.
    pub fn home(&self) -> PathBuf {
        self.0.path().join("home")
    }

    /// What the command remembers of volumes.
    pub fn state(&self) -> PathBuf {
        self.0.path().join("state")
    }

    pub fn put(&self, name: &str, content: &[u8]) {
        fs::write(self.path(name), content).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// Any program, in the working directory and with the keystore.
    pub fn program(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.current_dir(self.path("")).env("ATREST_HOME", self.home()).env("LC_ALL", "C");
        command.env("ATREST_STATE", self.state());
        command.env_remove("ATREST_BACKEND").env_remove("ATREST_KEY").env_remove("ATREST_PASSPHRASE_FILE");
        command
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program(ATREST);
        command.args(arguments).stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    #[track_caller]
    pub fn succeed(&self, arguments: &[&str]) -> Output {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}\n{}", output.status, text(&output.stderr));
        output
    }

    /// Starts the program with pipes at all ends.
    pub fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Runs the program with this on its standard input.
    pub fn feed(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut child = self.start(arguments);
        let mut stdin = child.stdin.take().unwrap();
        std::thread::scope(|scope| {
            // A program that fails early does not read all of it.
            scope.spawn(move || stdin.write_all(input));
            child.wait_with_output().unwrap()
        })
    }

    /// The program fails with one line that holds these parts, and nothing on disk is changed, the keystore included.
    #[track_caller]
    pub fn refuses(&self, arguments: &[&str], parts: &[&str]) {
        let before = self.files();
        let output = self.run(arguments);
        failed(&output, parts);
        assert!(self.files() == before, "{arguments:?} changed something");
    }

    /// All there is, the keystore included.
    pub fn files(&self) -> Files {
        let mut files = Files::new();
        walk(self.0.path(), &mut files);
        // What the command remembers changes with what it is shown.
        files.retain(|path, _| !path.starts_with(self.state()));
        files
    }

    /// The names in the working directory.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("")).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// The program.
pub const ATREST: &str = env!("CARGO_BIN_EXE_atrest");

/// The program failed, and says why in one line that holds these parts.
#[track_caller]
pub fn failed(output: &Output, parts: &[&str]) {
    let line = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{line}");
    assert!(output.stdout.is_empty());
    assert!(line.starts_with("atrest: ") && line.ends_with('\n') && line.lines().count() == 1, "{line}");
    for part in parts {
        assert!(line.contains(part), "{part:?} is not in: {line}");
    }
}

pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn walk(path: &Path, files: &mut Files) {
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        let content = metadata.is_file().then(|| fs::read(&path).unwrap());
        files.insert(path.clone(), (metadata.permissions().mode(), content));
        if metadata.is_dir() {
            walk(&path, files);
        }
    }
}

/// Whether this process ignores the signal, as what runs in the background does, and then so does the command by intent
/// (proc(5), SigIgn).
pub fn ignored(signal: Signal) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let ignored = mask.is_some_and(|mask| mask >> (signal.as_raw() - 1) & 1 == 1);
    if ignored {
        left_out("a signal is ignored here (nohup, background), and so by the command");
    }
    ignored
}
