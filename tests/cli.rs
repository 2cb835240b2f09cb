//! The command, from outside: what it makes, what it refuses, and what it leaves behind.
#![cfg(feature = "cli")]

mod common;

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{COPY, DATA_OFFSET, edited, header_of, noise, put_header};
use serde_json::Value;
use tempfile::TempDir;

/// A directory to work in, with a keystore of its own.
struct Shell(TempDir);

impl Shell {
    fn new() -> Shell {
        let shell = Shell(tempfile::tempdir().unwrap());
        fs::create_dir(shell.path("work")).unwrap();
        shell
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file in the directory that the command runs in.
    fn file(&self, name: &str) -> PathBuf {
        self.path("work").join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_atrest"));
        command.args(arguments).current_dir(self.path("work")).env("ATREST_HOME", self.path("home"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn succeeds(&self, arguments: &[&str]) -> Output {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        output
    }

    /// Fails with exit code 1 and one line that holds each of `words`, and changes nothing.
    fn fails(&self, arguments: &[&str], words: &[&str]) {
        let before = self.listing();
        let output = self.run(arguments);
        refused(&output, words);
        assert_eq!(self.listing(), before, "{arguments:?} changed something");
    }

    /// An encrypted volume `name` with `content`.
    fn volume(&self, name: &str, content: &[u8]) {
        fs::write(self.file("plain"), content).unwrap();
        self.succeeds(&["encrypt", "plain", name]);
        fs::remove_file(self.file("plain")).unwrap();
    }

    /// Every file with its length, mode and a digest of its content.
    fn listing(&self) -> BTreeMap<PathBuf, (u64, u32, u64)> {
        let mut found = BTreeMap::new();
        let mut directories = vec![self.0.path().to_path_buf()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                let metadata = fs::metadata(&path).unwrap();
                if metadata.is_dir() {
                    directories.push(path);
                } else {
                    let content = fs::read(&path).unwrap();
                    let digest = content.iter().fold(14695981039346656037u64, |digest, &byte| {
                        (digest ^ u64::from(byte)).wrapping_mul(1099511628211)
                    });
                    found.insert(path, (metadata.len(), metadata.permissions().mode(), digest));
                }
            }
        }
        found
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn refused(output: &Output, words: &[&str]) {
    let line = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{line}");
    assert!(line.starts_with("atrest: ") && line.lines().count() == 1, "one line: {line:?}");
    for word in words {
        assert!(line.contains(word), "{word:?} is not in {line:?}");
    }
    assert!(output.stdout.is_empty(), "nothing goes out");
}

/// Whether a tool is there; with ATREST_REQUIRE_PEERS it must be.
fn there(tool: &str) -> bool {
    let found =
        Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().unwrap().status.success();
    assert!(found || std::env::var_os("ATREST_REQUIRE_PEERS").is_none(), "{tool} is missing");
    if !found {
        eprintln!("left out: {tool} is missing");
    }
    found
}

#[test]
fn every_length_comes_back_exactly() {
    let shell = Shell::new();
    for (i, length) in [0, 1, 511, 512, 4095, 4096, 4097, (1 << 20) + 13, 40 << 20].into_iter().enumerate() {
        let content = noise(length, i as u64);
        fs::write(shell.file("in"), &content).unwrap();
        for sector_size in ["512", "4096"] {
            let output = shell.succeeds(&["encrypt", "in", "v", "--sector-size", sector_size]);
            let said = text(&output.stderr);
            assert_eq!(said.contains("made the key local:default"), i == 0 && sector_size == "512", "{said}");
            assert!(said.contains("key local:default") && said.contains("encrypted in into v"), "{said}");
            let stored = fs::read(shell.file("v")).unwrap();
            let sector: usize = sector_size.parse().unwrap();
            assert_eq!(stored.len() as u64, DATA_OFFSET + length.next_multiple_of(sector) as u64);
            if length >= 512 {
                assert!(
                    !stored.windows(64).step_by(64).any(|part| part == &content[..64]),
                    "plaintext is stored"
                );
            }
            shell.succeeds(&["decrypt", "v", "out"]);
            assert!(fs::read(shell.file("out")).unwrap() == content, "{length} bytes");
            fs::remove_file(shell.file("v")).unwrap();
            fs::remove_file(shell.file("out")).unwrap();
        }
    }
}

#[test]
fn streams_go_in_and_out() {
    let shell = Shell::new();
    let content = noise((3 << 20) + 77, 9);
    let mut child = shell.command(&["encrypt", "-", "v"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&content).unwrap();
    assert!(child.wait().unwrap().success());
    let output = shell.succeeds(&["decrypt", "v", "-"]);
    assert!(output.stdout == content);
}

#[test]
fn an_existing_file_is_replaced_only_by_force() {
    let shell = Shell::new();
    shell.volume("v", &noise(5000, 1));
    fs::write(shell.file("in"), noise(6000, 2)).unwrap();
    shell.fails(&["encrypt", "in", "v"], &["v", "exists", "--force"]);
    shell.fails(&["decrypt", "v", "in"], &["in", "exists", "--force"]);
    shell.fails(&["create", "v", "--size", "1M"], &["v", "exists", "--force"]);
    shell.succeeds(&["encrypt", "in", "v", "--force"]);
    assert!(shell.succeeds(&["decrypt", "v", "-"]).stdout == noise(6000, 2));
}

#[test]
fn a_created_volume_has_the_size_it_was_given() {
    let shell = Shell::new();
    shell.succeeds(&["create", "v", "--size", "10M"]);
    let info: Value = serde_json::from_slice(&shell.succeeds(&["info", "v", "--json"]).stdout).unwrap();
    assert_eq!(info["size"], 10 << 20);
    assert_eq!(info["cipher"], "aes-xts-plain64");
    assert_eq!(info["sector_size"], 4096);
    assert_eq!(info["key_bits"], 512);
    assert_eq!(info["envelope"]["slots"][0]["key"], "default");
    let table = text(&shell.succeeds(&["info", "v"]).stdout);
    assert!(table.contains("aes-xts-plain64") && table.contains(info["uuid"].as_str().unwrap()), "{table}");
    for size in ["0x10", "-1", "10Q", "99999999999999999999"] {
        let output = shell.run(&["create", "w", "--size", size]);
        assert!(matches!(output.status.code(), Some(1 | 2)), "{size}");
        assert!(!shell.file("w").exists());
    }
}

/// Starts to encrypt a stream that stalls in the middle.
fn stalled(shell: &Shell) -> Child {
    let mut child = shell.command(&["encrypt", "-", "v"]).stdin(Stdio::piped()).spawn().unwrap();
    // More than the buffers hold, so that part of it is written when this returns.
    child.stdin.as_mut().unwrap().write_all(&noise(16 << 20, 4)).unwrap();
    child
}

#[test]
fn an_interrupted_run_leaves_nothing() {
    for signal in ["INT", "TERM", "KILL"] {
        let shell = Shell::new();
        shell.volume("first", b"makes the key");
        let before = shell.listing();
        let mut child = stalled(&shell);
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        // Kept open until the child is gone: `wait` would close it, and an end of input is no interruption.
        let stdin = child.stdin.take();
        assert!(!child.wait().unwrap().success(), "SIG{signal}");
        drop(stdin);
        assert_eq!(shell.listing(), before, "after SIG{signal}");
    }
}

#[test]
fn memory_is_bounded_whatever_the_size() {
    let shell = Shell::new();
    let mut child = shell.command(&["encrypt", "-", "v"]).stdin(Stdio::piped()).spawn().unwrap();
    let part = noise(1 << 20, 5);
    let stdin = child.stdin.as_mut().unwrap();
    for _ in 0..192 {
        stdin.write_all(&part).unwrap();
    }
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    match status.lines().find_map(|line| line.strip_prefix("VmHWM:")) {
        Some(peak) => {
            let kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
            assert!(kib < 64 * 1024, "{kib} KiB resident");
        }
        None => eprintln!("left out: this system has no /proc/PID/status"),
    }
}

#[test]
fn a_broken_first_header_gives_way_to_the_second() {
    let shell = Shell::new();
    let content = noise(9999, 6);
    shell.volume("v", &content);
    let good = header_of(&shell.file("v"));
    let mut broken = good.clone();
    broken[5000] ^= 1;
    put_header(&shell.file("v"), &broken);
    let output = shell.succeeds(&["decrypt", "v", "-"]);
    assert!(output.stdout == content);
    let warning = text(&output.stderr);
    assert!(warning.contains("atrest: warning: ") && warning.contains("header"), "{warning}");

    broken[COPY + 5000] ^= 1;
    put_header(&shell.file("v"), &broken);
    shell.fails(&["decrypt", "v", "out"], &["v", "header"]);
    shell.fails(&["volume-key", "v"], &["v", "header"]);
}

#[test]
fn forged_headers_are_refused_before_data_is_read() {
    let shell = Shell::new();
    shell.volume("v", &noise(20000, 7));
    let good = header_of(&shell.file("v"));
    type Edit = fn(&mut Value);
    let forgeries: [(&str, Edit); 6] = [
        ("cipher_null", |json| json["segments"]["0"]["encryption"] = "cipher_null-ecb".into()),
        ("another cipher", |json| json["segments"]["0"]["encryption"] = "aes-cbc-essiv:sha256".into()),
        ("segment moved", |json| json["segments"]["0"]["offset"] = "16781312".into()),
        ("tweaks moved", |json| json["segments"]["0"]["iv_tweak"] = "8".into()),
        ("sectors of another size", |json| json["segments"]["0"]["sector_size"] = 512.into()),
        ("size changed", |json| {
            let token = json["tokens"].as_object_mut().unwrap().values_mut().next().unwrap();
            token["size"] = "19999".into();
        }),
    ];
    for (what, edit) in forgeries {
        // The checksums are right: only the authentication code, or the list of ciphers, can tell.
        put_header(&shell.file("v"), &edited(&good, edit));
        eprintln!("{what}");
        shell.fails(&["decrypt", "v", "out"], &["v"]);
        shell.fails(&["decrypt", "v", "-"], &["v"]);
        shell.fails(&["volume-key", "v"], &["v"]);
    }
    put_header(&shell.file("v"), &good);
    assert!(shell.succeeds(&["decrypt", "v", "-"]).stdout == noise(20000, 7));
}

#[test]
fn what_is_no_volume_is_refused() {
    let shell = Shell::new();
    shell.volume("v", b"content");
    let whole = fs::read(shell.file("v")).unwrap();
    for (name, content) in [
        ("empty", &[][..]),
        ("short", &whole[..5000]),
        ("header_only", &whole[..2 * COPY]),
        ("noise", &noise(100_000, 8)),
        ("zeros", &vec![0; 1 << 20]),
    ] {
        fs::write(shell.file(name), content).unwrap();
        shell.fails(&["decrypt", name, "out"], &[name]);
        shell.fails(&["volume-key", name], &[name]);
    }
    shell.fails(&["decrypt", "nowhere", "out"], &["nowhere"]);
    shell.fails(&["encrypt", "nowhere", "w"], &["nowhere"]);
    shell.fails(&["encrypt", ".", "w"], &["."]);
}

#[test]
fn another_tools_volume_is_named_as_such() {
    if !there("cryptsetup") {
        return;
    }
    let shell = Shell::new();
    fs::File::create(shell.file("v")).unwrap().set_len(20 << 20).unwrap();
    fs::write(shell.file("pass"), "a passphrase").unwrap();
    let format = "cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 v pass";
    assert!(
        Command::new("sh").args(["-c", format]).current_dir(shell.path("work")).status().unwrap().success()
    );
    shell.fails(&["decrypt", "v", "out"], &["v", "cryptsetup"]);
    shell.succeeds(&["info", "v"]);
}

#[test]
fn cryptsetup_takes_the_volume_key_from_the_pipe() {
    if !there("cryptsetup") {
        return;
    }
    let shell = Shell::new();
    shell.volume("v", &noise(8192, 3));
    let pipe = format!(
        "{} volume-key v | cryptsetup open --test-passphrase --key-size 512 --volume-key-file /dev/stdin v x",
        env!("CARGO_BIN_EXE_atrest")
    );
    let mut command = Command::new("sh");
    command.args(["-c", &pipe]).current_dir(shell.path("work")).env("ATREST_HOME", shell.path("home"));
    assert!(command.status().unwrap().success());
    assert_eq!(shell.succeeds(&["volume-key", "v"]).stdout.len(), 64);
}

#[test]
fn volume_key_refuses_a_terminal() {
    if !there("script") {
        return;
    }
    let shell = Shell::new();
    shell.volume("v", b"x");
    let mut command = Command::new("script");
    command.args(["-qec", &format!("{} volume-key v", env!("CARGO_BIN_EXE_atrest")), "/dev/null"]);
    command.current_dir(shell.path("work")).env("ATREST_HOME", shell.path("home")).stdin(Stdio::null());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    assert!(said.contains("terminal") && said.lines().count() == 1, "{said:?}");
}

#[test]
fn another_keystore_does_not_open_the_volume() {
    let shell = Shell::new();
    shell.volume("v", b"content");
    fs::rename(shell.path("home"), shell.path("old")).unwrap();
    shell.fails(&["decrypt", "v", "out"], &["v"]);
    shell.succeeds(&["key", "create", "local:default"]);
    shell.fails(&["decrypt", "v", "out"], &["v", "default"]);
}

#[test]
fn a_keystore_that_others_can_read_is_refused() {
    let shell = Shell::new();
    shell.volume("v", b"content");
    let key = fs::read_dir(shell.path("home/keys")).unwrap().next().unwrap().unwrap().path();
    for path in [shell.path("home"), key] {
        let before = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, Permissions::from_mode(before.mode() | 0o044)).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        shell.fails(&["decrypt", "v", "out"], &[name, "chmod"]);
        fs::write(shell.file("in"), b"more").unwrap();
        shell.fails(&["encrypt", "in", "w"], &[name, "chmod"]);
        fs::remove_file(shell.file("in")).unwrap();
        fs::set_permissions(&path, before).unwrap();
    }
    shell.succeeds(&["decrypt", "v", "out"]);
}

#[test]
fn keys_that_do_not_exist_are_not_made_in_passing() {
    let shell = Shell::new();
    fs::write(shell.file("in"), b"content").unwrap();
    shell.fails(&["encrypt", "in", "v", "--key", "local:typo"], &["local:typo", "atrest key create"]);
    shell.fails(&["encrypt", "in", "v", "--key", "aws:alias/prod"], &["aws:alias/prod"]);
    shell.succeeds(&["key", "create", "local:mine"]);
    shell.succeeds(&["encrypt", "in", "v", "--key", "local:mine"]);
    assert!(text(&shell.succeeds(&["key", "list"]).stdout).contains("mine"));
    assert!(shell.succeeds(&["decrypt", "v", "-"]).stdout == b"content");
}

#[test]
fn sector_sizes_that_luks2_does_not_have_are_refused() {
    let shell = Shell::new();
    fs::write(shell.file("in"), b"content").unwrap();
    for size in ["0", "8", "3000", "8192"] {
        shell.fails(&["encrypt", "in", "v", "--sector-size", size], &[size, "512", "4096"]);
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let shell = Shell::new();
    for arguments in [&[][..], &["encrypt"], &["encrypt", "a"], &["frobnicate"], &["info", "v", "--xml"]] {
        assert_eq!(shell.run(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

/// Mounts a small file system on `work`; `None`, with a note, where that is not allowed.
struct Mounted(PathBuf);

impl Mounted {
    fn new(shell: &Shell, options: &str) -> Option<Mounted> {
        let place = shell.path("mount");
        fs::create_dir(&place).unwrap();
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "atrest-test"]).arg(&place).output();
        if mount.is_ok_and(|output| output.status.success()) {
            return Some(Mounted(place));
        }
        eprintln!("left out: mounting needs root");
        None
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

fn names(directory: &Path) -> usize {
    fs::read_dir(directory).unwrap().count()
}

#[test]
fn a_full_disk_is_reported_and_nothing_stays() {
    let shell = Shell::new();
    let Some(mounted) = Mounted::new(&shell, "size=24m") else { return };
    fs::write(shell.file("in"), noise(30 << 20, 1)).unwrap();
    let target = mounted.0.join("v");
    let output = shell.run(&["encrypt", "in", target.to_str().unwrap()]);
    refused(&output, &["v", "space"]);
    assert_eq!(names(&mounted.0), 0);
    // A stream's length is not known beforehand.
    let mut child =
        shell.command(&["encrypt", "-", target.to_str().unwrap()]).stdin(Stdio::piped()).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(&noise(40 << 20, 2));
    refused(&child.wait_with_output().unwrap(), &["v", "space"]);
    assert_eq!(names(&mounted.0), 0);
}

#[test]
fn a_read_only_target_is_reported() {
    let shell = Shell::new();
    let Some(mounted) = Mounted::new(&shell, "size=1m,ro") else { return };
    fs::write(shell.file("in"), b"content").unwrap();
    shell.succeeds(&["key", "create", "local:default"]);
    let target = mounted.0.join("v");
    refused(&shell.run(&["encrypt", "in", target.to_str().unwrap()]), &["mount", "ead-only"]);
    assert_eq!(names(&mounted.0), 0);
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let shell = Shell::new();
    shell.volume("v", &noise(4 << 20, 3));
    let mut child = shell.command(&["decrypt", "v", "-"]).spawn().unwrap();
    let mut start = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut start).unwrap();
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "still running");
        thread::sleep(Duration::from_millis(10));
    };
    assert!(!status.success());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.lines().count() <= 1, "{said}");
}
