//! The command, in a directory of its own and with a service to talk to.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::fake::REGION;
use crate::server::Server;

/// A directory with a keystore, and the command in it.
pub struct Place<'a> {
    dir: tempfile::TempDir,
    pub server: &'a Server,
}

impl Place<'_> {
    pub fn new(server: &Server) -> Place<'_> {
        Place { dir: tempfile::tempdir().unwrap(), server }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(Path::new(env!("CARGO_BIN_EXE_atrest")));
        command.args(arguments).current_dir(self.dir.path()).env("ATREST_HOME", self.path("home"));
        command.env("ATREST_STATE", self.path("state"));
        command.env("AWS_ENDPOINT_URL", &self.server.endpoint).env("AWS_REGION", REGION);
        command
    }

    #[track_caller]
    pub fn succeed(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        output
    }

    #[track_caller]
    pub fn fails(&self, arguments: &[&str], parts: &[&str]) -> Output {
        let output = self.command(arguments).output().unwrap();
        let line = text(&output.stderr);
        assert_eq!((output.status.code(), line.lines().count()), (Some(1), 1), "{arguments:?}: {line}");
        for part in parts {
            assert!(line.contains(part), "{part:?} is not in: {line}");
        }
        output
    }

    pub fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_slice(&self.succeed(arguments).stdout).unwrap()
    }
}

pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}
