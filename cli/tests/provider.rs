//! The command with a key provider that is not the project's, the one of the examples, compiled in: this program is that
//! command, too, when its tests start it so.

#[allow(dead_code, reason = "the example is a program of its own, too")]
#[path = "../../examples/provider.rs"]
mod provider;

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Output};

use libtest_mimic::{Arguments, Trial};
use serde_json::Value;

/// Set where this program is the command.
const COMMAND: &str = "ATREST_TEST_COMMAND";

fn main() -> ExitCode {
    if std::env::var_os(COMMAND).is_some() {
        return atrest_cli::run(atrest_cli::built_in().with(provider::scheme()));
    }
    let trials = [
        ("a_volume_goes_to_it_and_back", a_volume_goes_to_it_and_back as fn()),
        ("it_is_named_in_help_and_errors", it_is_named_in_help_and_errors),
        ("what_it_cannot_do_is_said", what_it_cannot_do_is_said),
    ];
    let trial = |(name, test): (&str, fn())| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    libtest_mimic::run(&Arguments::from_args(), trials.map(trial).into()).exit_code()
}

/// A directory with two keys in files and an image, and the command in it.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        fs::create_dir(place.path("keys")).unwrap();
        for name in ["one", "two"] {
            let mut key = [0; 32];
            atrest::keys::fill_random(&mut key).unwrap();
            fs::write(place.path("keys").join(name), key).unwrap();
        }
        fs::write(place.path("image"), (0..100_000).map(|i| (i / 7) as u8).collect::<Vec<u8>>()).unwrap();
        place
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, program: &Path, arguments: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.0.path()).env(COMMAND, "1");
        command
            .env("ATREST_STATE", self.path("state"))
            .env("ATREST_HOME", self.path("home"))
            .env("FILE_KEYS", self.path("keys"));
        command.env_remove("ATREST_KEY").output().unwrap()
    }

    #[track_caller]
    fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(&std::env::current_exe().unwrap(), arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What the command says when it does not do it.
    #[track_caller]
    fn fails(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(&std::env::current_exe().unwrap(), arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn slot(&self) -> (String, String) {
        let info: Value = serde_json::from_str(&self.succeed(&["info", "v", "--json"])).unwrap();
        let text = |name: &str| info["envelope"]["slots"][0][name].as_str().unwrap().to_owned();
        (text("provider"), text("key"))
    }

    fn decrypts(&self) {
        let _ = fs::remove_file(self.path("out"));
        self.succeed(&["decrypt", "v", "out"]);
        assert!(fs::read(self.path("out")).unwrap() == fs::read(self.path("image")).unwrap());
    }
}

fn a_volume_goes_to_it_and_back() {
    let place = Place::new();
    place.succeed(&["encrypt", "image", "v", "--key", "file:one"]);
    assert_eq!(place.slot(), ("file".to_owned(), "one".to_owned()));
    assert!(place.succeed(&["info", "v"]).contains("file:one"));
    assert!(place.succeed(&["info", "v", "--keys"]).contains("enabled"));
    place.decrypts();
    for key in ["file:two", "local:default", "file:one"] {
        place.succeed(&["rewrap", "v", "--key", key]);
        assert_eq!(place.slot().1, key.split_once(':').unwrap().1);
        place.decrypts();
    }
    place.succeed(&["slot", "add", "v", "--key", "local:default"]);
    fs::remove_file(place.path("keys/one")).unwrap();
    place.decrypts();
    place.succeed(&["key", "default", "file:two"]);
    fs::remove_file(place.path("v")).unwrap();
    place.succeed(&["encrypt", "image", "v"]);
    assert_eq!(place.slot(), ("file".to_owned(), "two".to_owned()));
}

fn it_is_named_in_help_and_errors() {
    let place = Place::new();
    let help = place.succeed(&["--help"]);
    let line = "file:NAME: a key in a file, in the directory that FILE_KEYS names";
    assert!(help.contains(line) && help.contains("local:NAME: "), "{help}");
    let error = place.fails(&["encrypt", "image", "v", "--key", "file:../one"], 2);
    assert!(error.contains("\"../one\" is no name for a file key: use letters and digits"), "{error}");
    let error = place.fails(&["encrypt", "image", "v", "--key", "file:three"], 1);
    assert!(error.contains("cannot use the key file:three: cannot read the key file:three: "), "{error}");
    let error = place.fails(&["encrypt", "image", "v", "--key", "other:one"], 1);
    assert!(error.contains("this build has no provider for other: keys; use local:NAME"), "{error}");
    assert!(error.contains("file:NAME"), "{error}");

    place.succeed(&["encrypt", "image", "v", "--key", "file:one"]);
    fs::write(place.path("keys/one"), [7; 32]).unwrap();
    let error = place.fails(&["decrypt", "v", "out"], 1);
    assert!(error.contains("file:one: what file:one wrapped was changed, or belongs to another"), "{error}");
    // The command as it is built without it says so, and leaves the volume alone.
    let output = place.run(Path::new(env!("CARGO_BIN_EXE_atrest")), &["decrypt", "v", "out"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && error.contains("no key provider named file"), "{error}");
}

fn what_it_cannot_do_is_said() {
    let place = Place::new();
    for arguments in
        [&["key", "list", "file"][..], &["key", "disable", "file:one"], &["key", "policy", "file:one"]]
    {
        let error = place.fails(arguments, 1);
        assert!(error.contains("file") && error.lines().count() == 1, "{error}");
    }
    let error = place.fails(&["key", "create", "file:three"], 1);
    assert!(error.contains("file: keys are created in that service"), "{error}");
    let described = place.succeed(&["key", "describe", "file:one"]);
    assert!(described.contains("file:one") && described.contains("enabled"), "{described}");
}
