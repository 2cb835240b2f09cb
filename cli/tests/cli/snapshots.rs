//! What people read, as it is: the help of each command (`help/`), and what commands say when they succeed or fail
//! (`messages.txt`). A change of wording shows as a change of these files, which this writes anew:
//!
//! ```sh
//! ATREST_BLESS=1 cargo test -p atrest-cli --test cli snapshots
//! ```

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::common::{COPY, edited, header_of, noise, put_header, read_write};
use super::place::{Place, text};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli")
}

fn blessing() -> bool {
    env::var_os("ATREST_BLESS").is_some()
}

/// Fails at the first line that differs from the file, or writes the file where that is asked for.
fn compare(path: &Path, found: &str) {
    if blessing() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, found).unwrap();
        return;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    if found == expected {
        return;
    }
    let differs = |(a, b): &(&str, &str)| a != b;
    let end = [("(the end)", "(the end)")];
    let pairs = expected.lines().chain(["(the end)"]).zip(found.lines().chain(["(the end)"]));
    let (expected, found) = pairs.chain(end).find(differs).unwrap_or_default();
    panic!(
        "{}:\n  expected: {expected}\n  found:    {found}\nif that is meant, ATREST_BLESS=1 writes the file anew",
        path.display()
    );
}

/// The commands below this one, by its help: a name is indented by two columns, and the rest of a long description by more.
fn subcommands(help: &str) -> Vec<&str> {
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    list.take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect()
}

#[test]
fn help_of_every_command() {
    let place = Place::new();
    let mut pages = BTreeMap::new();
    let mut open = vec![Vec::<String>::new()];
    while let Some(command) = open.pop() {
        let mut arguments: Vec<&str> = command.iter().map(String::as_str).collect();
        arguments.push("--help");
        let output = place.command(&arguments).env("COLUMNS", "100").output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        let help = text(&output.stdout).to_owned();
        for name in subcommands(&help) {
            open.push([&command[..], &[name.to_owned()]].concat());
        }
        let name = [&["atrest".to_owned()], &command[..]].concat().join("-");
        pages.insert(format!("{name}.txt"), help);
    }
    assert!(pages.len() > 25, "{:?}", pages.keys());
    let directory = directory().join("help");
    for (name, help) in &pages {
        compare(&directory.join(name), help);
    }
    for entry in fs::read_dir(&directory).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !pages.contains_key(&name) {
            assert!(blessing(), "{name} is of no command");
            fs::remove_file(directory.join(name)).unwrap();
        }
    }
}

/// What commands said, with everything left out that differs from run to run.
struct Transcript {
    place: Place,
    said: String,
    uuids: Vec<String>,
}

impl Transcript {
    fn new() -> Transcript {
        Transcript { place: Place::new(), said: String::new(), uuids: Vec::new() }
    }

    /// A headline for what follows.
    fn about(&mut self, what: &str) {
        if !self.said.is_empty() {
            self.said.push('\n');
        }
        self.said += &format!("# {what}\n");
    }

    fn run(&mut self, arguments: &[&str]) {
        let output = self.place.run(arguments);
        let shown: Vec<String> = arguments.iter().map(|word| self.stable(word)).collect();
        self.said += &format!("$ atrest {}\n", shown.join(" "));
        // What goes to programs has tests of its own.
        for line in text(&output.stderr).lines() {
            // From the command line's parser: the usage that follows is in the help.
            if line.is_empty() {
                break;
            }
            let line = self.stable(line);
            self.said += &format!("{line}\n");
        }
        if output.status.code() != Some(0) {
            self.said += &format!("(exit code {})\n", output.status.code().unwrap());
        }
    }

    fn stable(&mut self, line: &str) -> String {
        let root = self.place.home();
        let root = root.parent().unwrap().to_str().unwrap();
        let mut line = line.replace(root, "DIR");
        // Time, rate and backend of what was encrypted or decrypted.
        let time = line
            .match_indices(" in ")
            .find(|(at, _)| line[at + 4..].starts_with(|c: char| c.is_ascii_digit()));
        if let Some((from, _)) = time
            && let Some(length) = line[from..].find(", key ")
        {
            line.replace_range(from..from + length, " in TIME, RATE, BACKEND");
        }
        while let Some(at) = find_uuid(&line) {
            let uuid = line[at..at + 36].to_owned();
            let number = self.uuids.iter().position(|known| *known == uuid).unwrap_or_else(|| {
                self.uuids.push(uuid);
                self.uuids.len() - 1
            });
            line.replace_range(at..at + 36, &format!("UUID{}", number + 1));
        }
        // A pin: the commitment behind the UUID.
        if let Some(at) = line.find(":3").filter(|at| *at > 44 && line[..*at].rfind(':') == Some(at - 44)) {
            line.replace_range(at - 43..at, "COMMITMENT");
        }
        if let Some(at) = line.find(" on 20") {
            line.replace_range(at..at + " on 2026-01-01T00:00:00Z".len(), " on DATE");
        }
        line
    }
}

/// Where the first UUID of the text begins.
fn find_uuid(text: &str) -> Option<usize> {
    text.as_bytes().windows(36).position(|window| {
        window.iter().enumerate().all(|(i, byte)| match i {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    })
}

#[test]
fn messages() {
    let mut script = Transcript::new();
    keys(&mut script);
    volumes(&mut script);
    slots(&mut script);
    headers(&mut script);
    trust(&mut script);
    scratch(&mut script);
    inputs(&mut script);
    damage(&mut script);
    compare(&directory().join("messages.txt"), &script.said);
}

fn keys(script: &mut Transcript) {
    script.about("keys");
    for arguments in [
        &["key", "default"][..],
        &["key", "create", "local:default"],
        &["key", "create", "local:default"],
        &["key", "create", "local:../x"],
        &["key", "create", "default"],
        &["key", "create", "aws:alias/x"],
        &["key", "create", "local:second"],
        &["key", "default", "local:second"],
        &["key", "default", "local:none"],
        &["key", "default"],
        &["key", "default", "--unset"],
        &["key", "describe", "local:none"],
        &["key", "grants", "local:second"],
        &["key", "policy", "local:second"],
        &["key", "check", "local:none"],
        &["key", "rotate", "local:second", "--now"],
        &["key", "rotate", "local:second", "--enable"],
        &["key", "create", "local:third", "--passphrase-file", "none"],
        &["key", "purge", "local:second"],
        &["key", "delete", "local:second", "--days", "3"],
        &["key", "delete", "local:second", "--cancel"],
    ] {
        script.run(arguments);
    }
    script.place.put("words", b"correct horse battery\n");
    script.place.put("empty", b"");
    script.run(&["key", "create", "local:guarded", "--passphrase-file", "empty"]);
    script.run(&["key", "create", "local:guarded", "--passphrase-file", "words"]);
    script.run(&["key", "passphrase", "local:none", "--passphrase-file", "words"]);
    script.run(&["key", "passphrase", "aws:alias/x", "--passphrase-file", "words"]);
}

fn volumes(script: &mut Transcript) {
    script.about("volumes");
    script.place.put("in", &noise(5000, 1));
    script.run(&["encrypt", "in", "v"]);
    script.run(&["encrypt", "in", "v"]);
    script.run(&["decrypt", "v", "out"]);
    script.run(&["decrypt", "v", "out"]);
    script.run(&["create", "empty-volume", "--size", "1M", "--key", "local:second"]);
    script.run(&["create", "w", "--size", "15E"]);
    script.run(&["create", "w", "--size", "10X"]);
    script.run(&["create", "w", "--size", "1M", "--sector-size", "3000"]);
    script.run(&["encrypt", "in", "w", "--key", "local:none"]);
    script.run(&["encrypt", "in", "w", "--key", "vault:x"]);
    script.run(&["encrypt", "in", "w", "--key", "default"]);
    script.run(&["rewrap", "v"]);
    script.run(&["rewrap", "v", "--key", "local:second"]);
    script.run(&["rewrap", "v", "--key", "local:default"]);
    script.run(&["key", "disable", "local:default"]);
    script.run(&["decrypt", "v", "out", "--force"]);
    script.run(&["key", "enable", "local:default"]);
    script.run(&["key", "delete", "local:default"]);
    script.run(&["decrypt", "v", "out", "--force"]);
    script.run(&["key", "delete", "local:default", "--cancel"]);
    script.run(&["key", "enable", "local:default"]);
}

fn slots(script: &mut Transcript) {
    script.about("slots");
    script.run(&["slot", "remove", "v", "0"]);
    script.run(&["slot", "add", "v", "--key", "local:second"]);
    script.run(&["slot", "add", "v", "--key", "local:none"]);
    script.run(&["rewrap", "v"]);
    script.run(&["rewrap", "v", "--slot", "7"]);
    script.run(&["slot", "remove", "v", "7"]);
}

fn headers(script: &mut Transcript) {
    script.about("headers");
    script.run(&["header", "backup", "v", "saved"]);
    script.run(&["header", "backup", "v", "saved"]);
    script.run(&["header", "backup", "v", "v", "--force"]);
    script.run(&["slot", "remove", "v", "1"]);
    script.run(&["header", "restore", "v", "saved"]);
    script.run(&["header", "restore", "v", "in"]);
    script.run(&["header", "restore", "empty-volume", "saved"]);
    script.run(&["header", "restore", "v", "saved", "--force"]);
}

fn scratch(script: &mut Transcript) {
    script.about("scratch volumes");
    script.run(&["destroy", "v"]);
    script.run(&["create", "gone", "--size", "1M", "--scratch", "--key", "local:default"]);
    script.run(&["create", "gone", "--size", "1M", "--scratch"]);
    script.run(&["rewrap", "gone", "--key", "local:default"]);
    script.run(&["slot", "add", "gone", "--key", "local:default"]);
    script.run(&["destroy", "gone"]);
    script.run(&["decrypt", "gone", "out", "--force"]);
    script.run(&["destroy", "gone"]);
    script.run(&["destroy", "none"]);
    script.run(&["destroy", "empty-volume", "--force"]);
    script.run(&["decrypt", "empty-volume", "out", "--force"]);
}

fn trust(script: &mut Transcript) {
    script.about("which volume it must be");
    script.run(&["decrypt", "v", "out", "--force", "--expect", "key=local:second"]);
    script.run(&["decrypt", "v", "out", "--force", "--expect", "colour=blue"]);
    script.run(&["decrypt", "v", "out", "--force", "--expect-file", "none"]);
    script.run(&["decrypt", "v", "out", "--force", "--slot", "7"]);
    script.run(&["known", "forget", "v"]);
    script.run(&["known", "forget", "v"]);
    script.run(&["decrypt", "v", "out", "--force"]);
    script.run(&["rewrap", "v", "--slot", "0"]);
    script.run(&["rewrap", "v", "--slot", "0", "--accept"]);
    fs::copy(script.place.path("v"), script.place.path("moved")).unwrap();
    fs::copy(script.place.path("empty-volume"), script.place.path("v")).unwrap();
    script.run(&["decrypt", "v", "out", "--force"]);
    script.run(&["rewrap", "v"]);
    script.run(&["known", "forget", "empty-volume"]);
    script.run(&["decrypt", "v", "out", "--force"]);
    fs::rename(script.place.path("moved"), script.place.path("v")).unwrap();
    script.run(&["verify", "v"]);
}

fn inputs(script: &mut Transcript) {
    script.about("inputs and outputs");
    fs::create_dir(script.place.path("dir")).unwrap();
    std::os::unix::fs::symlink("nowhere", script.place.path("dangling")).unwrap();
    for arguments in [
        &["encrypt", "none", "new"][..],
        &["encrypt", ".", "new"],
        &["encrypt", "in", "-"],
        &["encrypt", "in", "dir"],
        &["encrypt", "in", "dangling"],
        &["encrypt", "in", "/dev/null"],
        &["encrypt", "in", "none/v"],
        &["encrypt", "in", "new/"],
        &["decrypt", "none", "new"],
        &["info", "/dev/null"],
        &["info", "in"],
        &["bench", "--backend", "none"],
        &["bench", "--seconds", "0"],
    ] {
        script.run(arguments);
    }
}

fn damage(script: &mut Transcript) {
    script.about("damaged and forged headers");
    script.run(&["slot", "remove", "v", "1"]);
    let volume = script.place.path("v");
    let sound = header_of(&volume);
    read_write(&volume).write_all_at(b"!", 5000).unwrap();
    script.run(&["info", "v"]);
    read_write(&volume).write_all_at(b"!", COPY as u64 + 5000).unwrap();
    script.run(&["info", "v"]);
    script.run(&["decrypt", "v", "new"]);
    let forgeries: [fn(&mut Value); 6] = [
        |json| json["segments"]["0"]["encryption"] = "aes-cbc-plain64".into(),
        |json| json["segments"]["0"]["sector_size"] = 512.into(),
        |json| json["tokens"]["0"]["authentication"] = "AAAA".into(),
        |json| json["tokens"]["0"]["envelope"]["slots"][0]["key"] = "other".into(),
        |json| json["tokens"]["0"]["envelope"]["version"] = 2.into(),
        |json| json["tokens"]["0"]["type"] = "other".into(),
    ];
    for forgery in forgeries {
        put_header(&volume, &edited(&sound, forgery));
        script.run(&["decrypt", "v", "new"]);
    }
    put_header(&volume, &sound);
    read_write(&volume).set_len(40_000).unwrap();
    script.run(&["decrypt", "v", "new"]);
    read_write(&volume).set_len(100).unwrap();
    script.run(&["decrypt", "v", "new"]);
    let key = script.place.home().join("keys/default.json");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    script.run(&["encrypt", "in", "new"]);
    fs::rename(script.place.home(), script.place.home().with_file_name("away")).unwrap();
    script.run(&["key", "describe", "local:default"]);
}
