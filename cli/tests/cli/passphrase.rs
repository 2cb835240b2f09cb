//! Local keys under passphrases: from files, and typed at a terminal that must not show them.

use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::common::noise;
use super::common::peers::{left_out, program};
use super::place::{ATREST, Place, failed, ignored, text};

/// A place whose key local:default is guarded by the passphrase "one", which is in the file `one`; and a volume `v`.
fn guarded() -> Place {
    let place = Place::new();
    place.put("one", b"one\n");
    place.put("two", b"two");
    place.put("in", &noise(5000, 1));
    place.succeed(&["key", "create", "local:default", "--passphrase-file", "one"]);
    assert!(with(&place, "one", &["encrypt", "in", "v"]).status.success());
    place
}

/// Runs the program with a passphrase from this file, and without a terminal.
fn with(place: &Place, file: &str, arguments: &[&str]) -> Output {
    let mut command = place.command(arguments);
    command.env("ATREST_PASSPHRASE_FILE", place.path(file)).output().unwrap()
}

#[test]
fn a_file_has_the_passphrase() {
    let place = guarded();
    assert!(with(&place, "one", &["decrypt", "v", "-"]).stdout == noise(5000, 1));
    failed(
        &with(&place, "two", &["decrypt", "v", "out"]),
        &["v", "not the passphrase of the local key default"],
    );
    failed(&with(&place, "none", &["decrypt", "v", "out"]), &["cannot read the passphrase from", "none"]);
    assert!(
        text(&place.succeed(&["key", "describe", "local:default"]).stdout).contains("Passphrase required")
    );
    // Lengths, and line ends.
    for (content, part) in
        [(vec![], "not 0"), (b"\n".to_vec(), "not 0"), (vec![b'x'; 5000], "1 to 1024 bytes")]
    {
        place.put("odd", &content);
        failed(&with(&place, "odd", &["decrypt", "v", "out"]), &[part]);
        place.refuses(&["key", "create", "local:odd", "--passphrase-file", "odd"], &[part]);
    }
    place.put("crlf", b"one\r\n");
    assert!(with(&place, "crlf", &["decrypt", "v", "-"]).status.success());
    place.put("longest", &[b'x'; 1024]);
    place.succeed(&["key", "create", "local:longest", "--passphrase-file", "longest"]);
    // Nobody is asked for a key that exists.
    place.refuses(&["key", "create", "local:longest", "--passphrase-file", "none"], &["exists already"]);
}

#[test]
fn passphrases_are_changed_and_removed() {
    let place = guarded();
    failed(
        &with(&place, "two", &["key", "passphrase", "local:default", "--passphrase-file", "two"]),
        &["not the passphrase"],
    );
    assert!(
        with(&place, "one", &["key", "passphrase", "local:default", "--passphrase-file", "two"])
            .status
            .success()
    );
    failed(&with(&place, "one", &["decrypt", "v", "out"]), &["not the passphrase"]);
    assert!(with(&place, "two", &["key", "rotate", "local:default", "--now"]).status.success());
    assert!(with(&place, "two", &["rewrap", "v"]).status.success());
    assert!(with(&place, "two", &["key", "passphrase", "local:default", "--remove"]).status.success());
    place.succeed(&["decrypt", "v", "out"]);
    // From standard input, where none was.
    let output = place.feed(&["key", "passphrase", "local:default", "--passphrase-file", "-"], b"three\n");
    assert!(output.status.success(), "{}", text(&output.stderr));
    place.put("three", b"three");
    assert!(with(&place, "three", &["decrypt", "v", "-"]).status.success());
    place.refuses(&["key", "passphrase", "aws:alias/x"], &["only local keys"]);
    let output = place.run(&["key", "passphrase", "local:default", "three"]);
    assert_eq!(output.status.code(), Some(2), "none is taken from the command line");
}

/// The program on a terminal of its own, by way of script(1).
struct Terminal {
    child: Child,
    stdin: ChildStdin,
    /// What is shown, as it comes.
    output: Receiver<Vec<u8>>,
}

/// Longer than a machine takes that does anything at all.
const DEADLINE: Duration = Duration::from_secs(60);

impl Terminal {
    /// `None` where script is not installed.
    fn start(place: &Place, arguments: &str) -> Option<Terminal> {
        let Some(script) = program("script") else {
            left_out("script is not installed");
            return None;
        };
        let mut script = place.program(script);
        // What stty says afterwards is whether the terminal shows what is typed.
        let command = format!("{ATREST} {arguments}; code=$?; stty -a | grep -o -- '-\\?echo '; exit $code");
        script.args(["--quiet", "--return", "--command", &command, "/dev/null"]).env("SHELL", "/bin/sh");
        let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 1000];
            while let Ok(count @ 1..) = stdout.read(&mut bytes) {
                let _ = sender.send(bytes[..count].to_vec());
            }
        });
        Some(Terminal { child, stdin, output })
    }

    /// What is shown next; `None` at the end.
    fn next(&mut self, before: &str) -> Option<String> {
        match self.output.recv_timeout(DEADLINE) {
            Ok(bytes) => Some(text(&bytes).to_owned()),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                // The program ends with its terminal.
                self.child.kill().unwrap();
                panic!("nothing more was shown in {DEADLINE:?} after: {before}");
            }
        }
    }

    /// What is shown until this is, and with it.
    fn wait_for(&mut self, what: &str) -> String {
        let mut shown = String::new();
        while !shown.contains(what) {
            let Some(more) = self.next(&shown) else { panic!("{what:?} does not come: {shown}") };
            shown.push_str(&more);
        }
        shown
    }

    fn answer(&mut self, line: &str) {
        self.stdin.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Whether the program succeeds, and what is shown until then.
    fn end(mut self) -> (bool, String) {
        let mut shown = String::new();
        while let Some(more) = self.next(&shown) {
            shown.push_str(&more);
        }
        (self.child.wait().unwrap().success(), shown)
    }
}

/// Answers each question, and gives whether the program succeeded and all that was shown.
fn converse(place: &Place, arguments: &str, answers: &[(&str, &str)]) -> Option<(bool, String)> {
    let mut terminal = Terminal::start(place, arguments)?;
    let mut all = String::new();
    for (question, answer) in answers {
        all.push_str(&terminal.wait_for(question));
        terminal.answer(answer);
    }
    let (success, rest) = terminal.end();
    Some((success, all + &rest))
}

#[test]
fn a_terminal_is_asked_and_does_not_show_the_answer() {
    let place = Place::new();
    place.put("in", &noise(5000, 1));
    let create = "key create local:default --passphrase";
    let answers = [("New passphrase of local:default: ", "s3cret"), ("Repeat the passphrase: ", "s3cret?")];
    let Some((success, shown)) = converse(&place, create, &answers) else { return };
    assert!(!success && shown.contains("the passphrases differ") && !shown.contains("s3cret"), "{shown}");
    assert!(!place.home().join("keys/default.json").exists());
    let answers = [("New passphrase of local:default: ", "s3cret"), ("Repeat the passphrase: ", "s3cret")];
    let (success, shown) = converse(&place, create, &answers).unwrap();
    assert!(success && !shown.contains("s3cret") && shown.trim_end().ends_with("\necho"), "{shown}");

    // One question for a command that uses the key several times.
    let question = "Passphrase of local:default: ";
    let (success, shown) = converse(&place, "encrypt in v", &[(question, "s3cret")]).unwrap();
    assert!(success && shown.matches(question).count() == 1, "{shown}");
    let (success, shown) = converse(&place, "rewrap v", &[(question, "s3cret")]).unwrap();
    assert!(success && shown.matches(question).count() == 1 && !shown.contains("s3cret"), "{shown}");
    let (success, shown) = converse(&place, "decrypt v out", &[(question, "wr0ng")]).unwrap();
    assert!(!success && shown.contains("not the passphrase") && !shown.contains("wr0ng"), "{shown}");
    let long = "x".repeat(2000);
    let (success, shown) = converse(&place, "decrypt v out", &[(question, &long)]).unwrap();
    assert!(!success && shown.contains("1 to 1024 bytes") && !shown.contains("xxx"), "{shown}");
    let (success, _) = converse(&place, "decrypt v out", &[(question, "s3cret")]).unwrap();
    assert!(success && place.read("out") == noise(5000, 1));
}

#[test]
fn a_signal_gives_the_terminal_back_as_it_was() {
    for signal in [Signal::INT, Signal::TERM, Signal::QUIT, Signal::HUP] {
        if ignored(signal) {
            continue;
        }
        let place = guarded();
        let Some(mut terminal) = Terminal::start(&place, "decrypt v out") else { return };
        terminal.wait_for("Passphrase of local:default: ");
        kill_process(reader_of(&place), signal).unwrap();
        let (success, rest) = terminal.end();
        assert!(rest.trim_end().ends_with("echo") && !rest.contains("-echo"), "{signal:?}: {rest}");
        assert!(!success);
    }
}

/// The process of ours that works in this place.
fn reader_of(place: &Place) -> Pid {
    let work = place.path("").canonicalize().unwrap();
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let pid = entry.unwrap().file_name().to_str()?.parse::<i32>().ok()?;
        let ours = std::fs::read_link(format!("/proc/{pid}/exe")).ok()? == std::path::Path::new(ATREST);
        let here = std::fs::read_link(format!("/proc/{pid}/cwd")).ok()? == work;
        (ours && here).then_some(pid)
    });
    Pid::from_raw(processes.last().expect("it runs")).unwrap()
}

#[test]
fn without_a_terminal_nobody_waits() {
    let place = guarded();
    // Of a session of its own, and so without a terminal.
    let Some(setsid) = program("setsid") else { return left_out("setsid is not installed") };
    for arguments in [&["decrypt", "v", "out"][..], &["key", "create", "local:x", "--passphrase"]] {
        let output = place.program(&setsid).arg("--wait").arg(ATREST).args(arguments).output().unwrap();
        failed(
            &output,
            &["terminal", if arguments[0] == "key" { "--passphrase-file" } else { "ATREST_PASSPHRASE_FILE" }],
        );
    }
}
