//! The nbdkit plugin of integrations/nbdkit, with Debian's nbdkit and clients that know nothing of this project.
//!
//! These programs are not part of the project: where one is missing a test prints so and passes, unless
//! `ATREST_REQUIRE_PEERS` is set. No privileges are needed but for /dev/fuse.
#![cfg(all(feature = "volume", target_os = "linux"))]

#[path = "../../tests/common/c.rs"]
mod c;
#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "../../tests/common/library.rs"]
mod library;

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use atrest::keys::Expect;
use atrest::volume::{CreateOptions, Header, Volume, WrappingChange};
use common::peers::{self, left_out, missing, program, required};
use common::{Place, header_of, noise, put_header, read_all, read_only, read_write};

/// The plugin, made once for all tests.
fn plugin() -> Option<&'static Path> {
    static PLUGIN: OnceLock<Option<PathBuf>> = OnceLock::new();
    let make = || {
        required("nbdkit")?;
        let compiler = c::compilers(c::Language::C).into_iter().next()?;
        if !c::has_header(&compiler, "nbdkit-plugin.h") {
            missing("no nbdkit-plugin.h (nbdkit-plugin-dev)");
            return None;
        }
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nbdkit-atrest-plugin.so");
        c::compile(
            &compiler,
            "integrations/nbdkit/atrest.c",
            &["-shared", "-fPIC", "-O1"],
            c::Linking::Static,
            &path,
        );
        Some(path)
    };
    PLUGIN.get_or_init(make).as_deref()
}

/// The volume `v`, and what nbdkit is told of it: that it is this very one, too.
fn arguments(place: &Place, more: &[&str]) -> Vec<String> {
    let path = |name: &str, value: &Path| format!("{name}={}", value.display());
    let expect = format!("expect={}", pin_of(place, "v"));
    let mut arguments =
        vec![path("volume", &place.path("v")), path("keystore", place.keystore.path()), expect];
    arguments.extend(more.iter().map(|&more| more.to_owned()));
    arguments
}

fn pin_of(place: &Place, name: &str) -> String {
    Header::read(&read_only(&place.path(name))).unwrap().0.pin().unwrap().unwrap().to_string()
}

/// An nbdkit with these arguments alone, which ends at once; under it runs `run`, where it starts.
fn nbdkit(place: &Place, name: &str, more: &[&str], run: &str) -> Output {
    let mut command = Command::new(program("nbdkit").unwrap());
    command.args(["--foreground", "--unix", "-"]).arg(plugin().unwrap());
    command.arg(format!("volume={}", place.path(name).display()));
    command.arg(format!("keystore={}", place.keystore.path().display()));
    command.args(more).args(["--run", run]).env("LC_ALL", "C").output().unwrap()
}

/// The process number of an nbdkit that goes into the background: the process that stays writes it there, and the one that
/// was started does not wait for that.
fn number_of(pidfile: &Path) -> String {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match fs::read_to_string(pidfile).unwrap_or_default() {
            number if number.ends_with('\n') => return number.trim().to_owned(),
            _ => assert!(Instant::now() < deadline, "nbdkit does not start"),
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// The one line of what it said.
fn said(output: &Output) -> String {
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(said.starts_with("nbdkit: error: ") && said.lines().count() == 1, "{said}");
    said
}

/// An nbdkit that serves the volume `v`, until it is dropped.
struct Server {
    child: Child,
    pid: PathBuf,
    uri: String,
}

impl Server {
    fn start(place: &Place, more: &[&str]) -> Server {
        Server::under(&[], place, more)
    }

    /// By way of another program, with its arguments.
    fn under(tool: &[&OsStr], place: &Place, more: &[&str]) -> Server {
        let (socket, pid) = (place.path("socket"), place.path("pid"));
        let _ = (fs::remove_file(&socket), fs::remove_file(&pid));
        let nbdkit = program("nbdkit").unwrap();
        let words: Vec<&OsStr> = tool.iter().copied().chain([nbdkit.as_os_str()]).collect();
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .args(["--foreground", "--exit-with-parent", "--filter=log", "--unix"])
            .arg(&socket);
        command.arg("--pidfile").arg(&pid).arg(plugin().unwrap()).args(arguments(place, more));
        command.arg(format!("logfile={}", place.path("log").display()));
        let child = command.stdout(Stdio::null()).spawn().unwrap();
        let mut server = Server { child, pid, uri: format!("nbd+unix:///?socket={}", socket.display()) };
        // nbdkit writes its process number when it accepts connections.
        let deadline = Instant::now() + Duration::from_secs(60);
        while server.number().is_empty() {
            assert!(
                server.child.try_wait().unwrap().is_none() && Instant::now() < deadline,
                "nbdkit does not start"
            );
            thread::sleep(Duration::from_millis(10));
        }
        server
    }

    /// The process number of nbdkit.
    fn number(&self) -> String {
        fs::read_to_string(&self.pid).unwrap_or_default().trim().to_owned()
    }

    /// Runs a client that must succeed, and gives what it said.
    fn client(&self, name: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(program(name).unwrap());
        let arguments = arguments.iter().map(|argument| argument.replace("URI", &self.uri));
        c::succeed(command.args(arguments).env("LC_ALL", "C"))
    }

    /// qemu-io with these commands, each of which must succeed.
    fn qemu_io(&self, commands: &[&str]) -> String {
        // Otherwise it asks for FUA with every write.
        let mut arguments = vec!["-t", "writeback", "-f", "raw", "URI"];
        for command in commands {
            arguments.extend(["-c", command]);
        }
        let said = self.client("qemu-io", &arguments);
        assert!(!said.contains("failed") && !said.contains("error"), "{said}");
        said
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            let _ = Command::new("kill").arg(self.number()).status();
        }
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.child.try_wait().unwrap().is_none() {
            if Instant::now() > deadline {
                self.child.kill().unwrap();
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Whether everything is there that a test needs.
fn ready(peers: &[&str]) -> bool {
    plugin().is_some() && peers.iter().all(|peer| required(peer).is_some())
}

const MIB: usize = 1 << 20;

fn text(path: PathBuf) -> String {
    path.into_os_string().into_string().unwrap()
}

#[test]
fn images_go_in_and_out() {
    if !ready(&["nbdinfo", "nbdcopy"]) {
        return;
    }
    for (size, sector_size) in [(24 * MIB, 4096), (5 * MIB + 512, 512)] {
        let place = Place::new();
        let image = noise(size, 1);
        fs::write(place.path("in"), &image).unwrap();
        place.volume_of("v", &noise(size, 2), sector_size);
        let (source, target) = (text(place.path("in")), text(place.path("out")));

        let server = Server::start(&place, &["key=local:default"]);
        assert_eq!(server.client("nbdinfo", &["--size", "URI"]).trim(), size.to_string());
        let info = server.client("nbdinfo", &["URI"]);
        let expected = format!("block_size_preferred: {sector_size}");
        for line in
            [&expected[..], "can_multi_conn: true", "can_fua: true", "can_trim: false", "can_zero: true"]
        {
            assert!(info.contains(line), "{line}:\n{info}");
        }
        // Several connections, several requests in each.
        server.client("nbdcopy", &["--flush", "--connections=4", "--requests=8", &source, "URI"]);
        server.client("nbdcopy", &["--connections=4", "URI", &target]);
        drop(server);
        assert!(fs::read(place.path("out")).unwrap() == image);
        assert!(read_all(&place.open("v").unwrap()) == image, "the volume holds another image");
    }
}

#[test]
fn a_file_system_in_it() {
    if !ready(&["nbdfuse", "nbdcopy", "mkfs.ext4", "debugfs", "e2fsck", "fusermount3"]) {
        return;
    }
    if File::options().read(true).write(true).open("/dev/fuse").is_err() {
        return left_out("no right to /dev/fuse");
    }
    let place = Place::new();
    place.create("v", &CreateOptions::new(32 << 20));
    let (small, large) = (noise(12_345, 1), noise(9 * MIB + 1, 2));
    fs::write(place.path("small"), &small).unwrap();
    fs::write(place.path("large"), &large).unwrap();
    let path = |name: &str| text(place.path(name));

    let server = Server::start(&place, &["discard=on"]);
    fs::create_dir(place.path("mount")).unwrap();
    let mut fuse =
        Command::new(program("nbdfuse").unwrap()).args([&path("mount/disk"), &server.uri]).spawn().unwrap();
    let disk = path("mount/disk");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !Path::new(&disk).exists() {
        assert!(fuse.try_wait().unwrap().is_none() && Instant::now() < deadline, "nbdfuse does not start");
        thread::sleep(Duration::from_millis(10));
    }
    server.client("mkfs.ext4", &["-q", "-F", &disk]);
    let put = format!("write {} small\nmkdir d\ncd d\nwrite {} large\n", path("small"), path("large"));
    fs::write(place.path("commands"), put).unwrap();
    server.client("debugfs", &["-w", "-f", &path("commands"), &disk]);
    c::succeed(Command::new(program("fusermount3").unwrap()).arg("-u").arg(place.path("mount")));
    assert!(fuse.wait().unwrap().success());
    server.client("nbdcopy", &["URI", &path("copy")]);
    drop(server);

    // What the clients saw is what is in the volume.
    let plain = read_all(&place.open("v").unwrap());
    assert!(fs::read(place.path("copy")).unwrap() == plain);
    fs::write(place.path("plain"), &plain).unwrap();
    let run =
        |name: &str, arguments: &[&str]| c::succeed(Command::new(program(name).unwrap()).args(arguments));
    run("e2fsck", &["-f", "-n", &path("plain")]);
    for (name, content) in [("small", &small), ("d/large", &large)] {
        run("debugfs", &["-R", &format!("dump {name} {}", path("dumped")), &path("plain")]);
        assert!(&fs::read(place.path("dumped")).unwrap() == content, "{name}");
    }
}

#[test]
fn fio_verifies_parallel_jobs() {
    if !ready(&["fio"]) {
        return;
    }
    let place = Place::new();
    place.create("v", &CreateOptions::new(32 << 20));
    let server = Server::start(&place, &[]);
    let uri = format!("--uri={}", server.uri);
    let arguments = [
        "--name=verify",
        "--ioengine=nbd",
        &uri,
        "--rw=randwrite",
        // Requests that cover sectors in part, too.
        "--bsrange=512-96k",
        "--bs_unaligned",
        "--size=7m",
        "--offset_increment=8m",
        "--numjobs=4",
        "--iodepth=8",
        "--fsync=64",
        "--verify=crc32c",
        "--verify_fatal=1",
        "--thread",
        "--minimal",
    ];
    // fio writes verification states where it stands.
    let mut command = Command::new(program("fio").unwrap());
    c::succeed(command.args(arguments).current_dir(place.dir.path()));
    drop(server);
    let plain = read_all(&place.open("v").unwrap());
    assert!(plain.chunks(8 * MIB).all(|job| job[..6 * MIB].iter().any(|&byte| byte != 0)));
}

#[test]
fn zeros_trims_and_flushes() {
    if !ready(&["qemu-io", "strace"]) {
        return;
    }
    let place = Place::new();
    place.volume_of("v", &vec![0x11; 4 * MIB], 4096);
    let (strace, calls) = (program("strace").unwrap(), place.path("calls"));
    let tool = [
        &strace,
        Path::new("-f"),
        Path::new("-e"),
        Path::new("trace=fdatasync,fsync"),
        Path::new("-o"),
        &calls,
    ];
    let server = Server::under(&tool.map(Path::as_os_str), &place, &["discard=on"]);
    server.qemu_io(&["write -P 0xaa 0 1M", "write -P 0xab 1M 64k", "flush"]);
    server.qemu_io(&["write -f -P 0xac 1088k 4k", "write -z -f 2M 1M", "write -z -u 3M 100000"]);
    server.qemu_io(&["discard 256k 256k", "read -P 0xaa 512k 512k"]);
    server.qemu_io(&[
        "read -P 0 2M 1M",
        "read -P 0 3M 100000",
        "read -P 0xab 1M 64k",
        "read -P 0xac 1088k 4k",
    ]);
    drop(server);
    // As many calls that wait for the disk as the clients asked for, and each of them succeeded.
    let (log, calls) = (fs::read_to_string(place.path("log")).unwrap(), fs::read_to_string(calls).unwrap());
    let requests = |word: &str| log.lines().filter(|line| line.contains(word)).count();
    let (flushes, durable) = (requests(" Flush id="), requests("fua=1"));
    assert!(flushes >= 2 && durable == 2, "{flushes} {durable}:\n{log}");
    let synced = calls.lines().filter(|line| line.contains("fdatasync") && line.ends_with("= 0")).count();
    assert_eq!(synced, flushes + durable, "{log}\n{calls}");

    let plain = read_all(&place.open("v").unwrap());
    let all = |range: core::ops::Range<usize>, byte: u8| plain[range].iter().all(|&found| found == byte);
    assert!(all(0..MIB / 4, 0xaa) && all(MIB / 2..MIB, 0xaa) && all(2 * MIB..3 * MIB + 100_000, 0));
    assert!(all(1092 * 1024..2 * MIB, 0x11) && all(3 * MIB + 100_000..4 * MIB, 0x11));
    // Trimmed: a hole, which is neither the old data nor zeros.
    let trimmed = &plain[MIB / 4..MIB / 2];
    assert!(
        !trimmed.contains(&0xaa) || trimmed.iter().filter(|&&byte| byte == 0xaa).count() < trimmed.len() / 64
    );
    let file = fs::read(place.path("v")).unwrap();
    let data = &file[common::DATA_OFFSET as usize..];
    assert!(data[MIB / 4..MIB / 2].iter().all(|&byte| byte == 0));
    assert!(data[2 * MIB..3 * MIB].iter().any(|&byte| byte != 0), "zeros are encrypted");
}

#[test]
fn what_was_flushed_outlives_a_kill() {
    if !ready(&["qemu-io"]) {
        return;
    }
    let place = Place::new();
    place.volume_of("v", &vec![0; 24 * MIB], 4096);
    for round in 1..=3 {
        let mut server = Server::start(&place, &[]);
        server.qemu_io(&[&format!("write -P {round} 0 4M"), "flush"]);
        let mut writes: Vec<String> =
            ["-t", "writeback", "-f", "raw", &server.uri].map(str::to_owned).to_vec();
        for _ in 0..200 {
            writes.extend(["-c".into(), "write -P 0xbb 8M 12M".into()]);
        }
        let mut busy = Command::new(program("qemu-io").unwrap());
        let mut busy = busy.args(writes).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        // In the middle: some writes are answered, and others are on their way.
        let mut first = [0; 16];
        std::io::Read::read_exact(busy.stdout.as_mut().unwrap(), &mut first).unwrap();
        thread::sleep(Duration::from_millis(10 * round));
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        busy.kill().unwrap();
        busy.wait().unwrap();

        let server = Server::start(&place, &[]);
        server.qemu_io(&[&format!("read -P {round} 0 4M"), "read -P 0 4M 4M", "read -P 0 20M 4M"]);
        drop(server);
        // Each sector that was being written holds what it had or what it was to get.
        let plain = read_all(&place.open("v").unwrap());
        for sector in plain[8 * MIB..20 * MIB].chunks(4096) {
            assert!(sector.iter().all(|&byte| byte == 0xbb) || sector.iter().all(|&byte| byte == 0));
        }
    }
}

/// nbdkit forks when it goes there, after the volume was opened.
#[test]
fn in_the_background() {
    if !ready(&["nbdinfo", "qemu-io"]) {
        return;
    }
    let place = Place::new();
    place.volume_of("v", &vec![7; 4 * MIB], 4096);
    let (socket, pid) = (text(place.path("socket")), text(place.path("pid")));
    let mut command = Command::new(program("nbdkit").unwrap());
    command.args(["--unix", &socket, "--pidfile", &pid]).arg(plugin().unwrap()).args(arguments(&place, &[]));
    c::succeed(command.stdout(Stdio::null()).stderr(Stdio::null()));
    let server = number_of(Path::new(&pid));
    let uri = format!("nbd+unix:///?socket={socket}");
    let mut qemu = Command::new(program("qemu-io").unwrap());
    qemu.args(["-f", "raw", &uri, "-c", "read -P 7 0 4M", "-c", "write -P 8 1M 1M", "-c", "flush"]);
    let said = qemu.output();
    c::succeed(Command::new("kill").arg(&server));
    let deadline = Instant::now() + Duration::from_secs(20);
    while Path::new("/proc").join(&server).exists() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(5));
    }
    let said = said.unwrap();
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.status.success() && !text.contains("failed"), "{text}");
    assert!(read_all(&place.open("v").unwrap())[MIB..2 * MIB].iter().all(|&byte| byte == 8));
}

#[test]
fn reading_only() {
    if !ready(&["nbdinfo", "qemu-io"]) {
        return;
    }
    let place = Place::new();
    place.volume_of("v", &vec![7; MIB], 4096);
    fs::set_permissions(place.path("v"), Permissions::from_mode(0o400)).unwrap();
    let before = fs::read(place.path("v")).unwrap();
    let server = Server::start(&place, &["readonly=true"]);
    assert!(server.client("nbdinfo", &["URI"]).contains("is_read_only: true"));
    let refused = Command::new(program("qemu-io").unwrap())
        .args(["-f", "raw", &server.uri, "-c", "write 0 4k"])
        .output()
        .unwrap();
    let said =
        String::from_utf8_lossy(&refused.stderr).into_owned() + &String::from_utf8_lossy(&refused.stdout);
    assert!(said.contains("Permission denied") || said.contains("read-only"), "{said}");
    server.client("qemu-io", &["-r", "-f", "raw", "URI", "-c", "read -P 7 0 1M"]);
    drop(server);
    assert!(fs::read(place.path("v")).unwrap() == before);
}

/// In the background, where nbdkit is after a fork: the volume was opened before, the thread that checks begins after.
#[test]
fn a_withdrawn_key_ends_a_server_that_rechecks() {
    if !ready(&["qemu-io"]) {
        return;
    }
    let place = Place::new();
    place.volume_of("v", &vec![7; MIB], 4096);
    let (socket, pid) = (place.path("socket"), place.path("pid"));
    let mut command = Command::new(program("nbdkit").unwrap());
    command.arg("--unix").arg(&socket).arg("--pidfile").arg(&pid).arg(plugin().unwrap());
    // Once the plugin is in the background its errors go to the system's log.
    command.args(arguments(&place, &["key=local:default", "recheck=1", "grace=3600"]));
    c::succeed(&mut command);
    let uri = format!("nbd+unix:///?socket={}", socket.display());
    let read = || {
        let arguments = ["-t", "writeback", "-f", "raw", &uri, "-c", "read -P 7 0 1M", "-c", "flush"];
        let output =
            Command::new(program("qemu-io").unwrap()).args(arguments).env("LC_ALL", "C").output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    };
    let fails = || read().contains("Input/output error");
    let number = number_of(&pid);
    let end = || Command::new("kill").arg(&number).status().unwrap();
    let (early, key) = (fails(), place.keystore.path().join("keys/default.json"));
    fs::rename(&key, place.path("kept")).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !fails() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(100));
    }
    let withdrawn = fails();
    // It stays so, until it is started again.
    fs::rename(place.path("kept"), &key).unwrap();
    thread::sleep(Duration::from_millis(1500));
    let (late, said) = (fails(), read());
    assert!(end().success());
    assert!(!early && withdrawn && late, "{early} {withdrawn} {late}: {said}");
    let server = Server::start(&place, &["recheck=86400", "grace=86400"]);
    server.qemu_io(&["read -P 7 0 1M"]);
}

#[test]
fn what_cannot_be_served_is_one_clear_line() {
    if !ready(&[]) {
        return;
    }
    let place = Place::new();
    place.volume_of("v", &[7; 100_000], 4096);
    let other = Place::new();
    let whole = fs::read(place.path("v")).unwrap();
    fs::write(place.path("short"), &whole[..whole.len() - 1]).unwrap();
    fs::write(place.path("junk"), noise(100_000, 1)).unwrap();
    let foreign = "keystore=".to_owned() + &text(other.keystore.path().to_owned());
    let cases: [(&str, &[&str], &[&str]); 20] = [
        ("none", &["expect=any"], &["/none: ", "No such file"]),
        ("junk", &["expect=any"], &["/junk: no LUKS2 header"]),
        ("short", &["expect=any"], &["/short: ", "cut off"]),
        ("v", &["expect=any", &foreign], &["/v: ", "local:default"]),
        ("v", &["key=local:other"], &["/v: ", "under local:default, and key local:other is expected"]),
        ("v", &["key=default"], &["key=default", "local:NAME"]),
        ("v", &["key=local:default any"], &["key=local:default any", "local:NAME"]),
        ("v", &["expect=volume=6f1f"], &["expect: ", "no UUID"]),
        ("v", &["expect="], &["expect: ", "empty"]),
        (
            "v",
            &["expect=any", "key=local:other"],
            &["/v: ", "under local:default, and key local:other is expected"],
        ),
        ("v", &["expect-file=none"], &["expect-file=none: No such file"]),
        ("v", &["expect-file=/"], &["expect-file=/: "]),
        ("v", &["expect=any", "slot=1"], &["/v: ", "has no slot 1"]),
        ("v", &["slot=-1"], &["slot"]),
        ("v", &["timeout=-1"], &["timeout"]),
        ("v", &["timeout=86401"], &["86400"]),
        ("v", &["recheck=0"], &["recheck=0: 1 to 86400 seconds"]),
        ("v", &["grace=86401"], &["grace=86401: 1 to 86400 seconds"]),
        ("v", &["color=red"], &["unknown parameter 'color'"]),
        ("keys", &["expect=any"], &["/keys: ", "Is a directory"]),
    ];
    for (name, more, words) in cases {
        let output = nbdkit(&place, name, more, "true");
        assert!(!output.status.success(), "{words:?}");
        let said = said(&output);
        assert!(words.iter().all(|word| said.contains(word)), "{words:?}: {said}");
    }
    assert!(nbdkit(&place, "v", &["key=local:default", "timeout=1", "slot=0"], "true").status.success());
}

/// Somebody who was given one volume of a key puts its header onto another one of the same key.
#[test]
fn a_transplanted_header_is_refused_under_the_pin_and_served_for_reading_without() {
    if !ready(&["nbdinfo", "qemu-io"]) {
        return;
    }
    let place = Place::new();
    place.volume_of("shared", &vec![1; MIB], 4096);
    place.volume_of("v", &vec![2; MIB], 4096);
    let pin = pin_of(&place, "v");
    let write = "qemu-io -t writeback -f raw -c 'write -P 0x42 0 64k' -c flush \"$uri\"";
    let file = text(place.path("pin"));
    fs::write(&file, format!("# of the day it was made\n{pin} # ours\n")).unwrap();
    let by_file = format!("expect-file={file}");
    // As it should be, from a file, with a key besides.
    let output = nbdkit(&place, "v", &[&by_file, "key=local:default"], write);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert!(read_all(&place.open("v").unwrap())[..65536].iter().all(|&byte| byte == 0x42));

    put_header(&place.path("v"), &header_of(&place.path("shared")));
    let before = fs::read(place.path("v")).unwrap();
    for pin in [format!("expect={pin}"), by_file] {
        for more in [&[&pin[..]][..], &[&pin, "readonly=true"], &[&pin, "key=local:default"]] {
            let output = nbdkit(&place, "v", more, write);
            assert!(!output.status.success());
            let said = said(&output);
            assert!(said.contains("/v: this is volume") && said.contains("is expected"), "{said}");
        }
    }
    // Without an expectation nobody writes for somebody else's key; and a key is that of both.
    for more in [&[][..], &["slot=0"], &["key=local:default"], &["expect=provider=local", "slot=0"]] {
        let output = nbdkit(&place, "v", more, "nbdinfo \"$uri\"");
        assert!(output.status.success());
        let told = said(&output);
        assert!(told.contains("/v is served for reading only") && told.contains("expect=PIN"), "{told}");
        assert!(String::from_utf8(output.stdout).unwrap().contains("is_read_only: true"));
        assert!(!nbdkit(&place, "v", more, write).status.success());
    }
    // Who asks for no more is told nothing.
    assert!(nbdkit(&place, "v", &["readonly=true"], "true").stderr.is_empty());
    assert!(fs::read(place.path("v")).unwrap() == before);
}

/// A key that does not open it any more, in front of one that does: it is served, and the user is told.
#[test]
fn a_slot_that_fails_is_told() {
    if !ready(&[]) {
        return;
    }
    let place = Place::new();
    place.volume_of("v", &vec![2; MIB], 4096);
    place.keystore.ensure_key("second").unwrap();
    let add = WrappingChange::Add { provider: "local", key: "second" };
    Volume::change_wrappings(&read_write(&place.path("v")), add, &place.providers(), &Expect::any()).unwrap();
    fs::remove_file(place.keystore.path().join("keys/default.json")).unwrap();
    let output = nbdkit(&place, "v", &["expect=any"], "true");
    assert!(output.status.success());
    let told = said(&output);
    assert!(told.contains("slot 0 does not open it: local:default: "), "{told}");
    let output = nbdkit(&place, "v", &["expect=any", "slot=1"], "true");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

/// One that writes, whoever else serves the volume, opens it or has it as an image; any number that read.
#[test]
fn a_volume_has_one_server_that_writes() {
    if !ready(&["qemu-io", "qemu-img"]) {
        return;
    }
    let place = Place::new();
    place.volume_of("v", &vec![7; MIB], 4096);
    // In the background: the process that opened the volume is gone, and the one that it forked goes on.
    let (socket, pid) = (place.path("background"), place.path("number"));
    let mut command = Command::new(program("nbdkit").unwrap());
    command.arg("--unix").arg(&socket).arg("--pidfile").arg(&pid).arg(plugin().unwrap());
    c::succeed(command.args(arguments(&place, &[])));
    let number = number_of(&pid);
    let second = |more: &[&str]| {
        let mut command = Command::new(program("nbdkit").unwrap());
        command.args(["--foreground", "--unix", "-"]).arg(plugin().unwrap()).args(arguments(&place, more));
        command.args(["--run", "true"]).env("LC_ALL", "C").output().unwrap()
    };
    let said = |output: &Output| {
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    };
    let volume = place.path("v");
    let qemu = |name: &str, arguments: &[&str]| {
        let mut command = Command::new(program(name).unwrap());
        command.args(arguments).arg(&volume).env("LC_ALL", "C").output().unwrap()
    };
    let refused = [second(&[]), second(&["shared=true"])];
    let reads = second(&["readonly=true"]);
    let write = qemu("qemu-io", &["-f", "raw", "-c", "write 0 512"]);
    let look = qemu("qemu-img", &["info", "--force-share", "-f", "raw"]);
    let served = said(&write);
    assert!(Command::new("kill").arg(&number).status().unwrap().success());
    for output in &refused {
        let text = said(output);
        assert!(!output.status.success() && text.lines().count() == 1, "{text}");
        assert!(text.contains(&format!("process {number} (nbdkit) has it open for writing")), "{text}");
    }
    assert!(reads.status.success(), "{}", said(&reads));
    assert!(!write.status.success() && served.contains("lock"), "{served}");
    assert!(look.status.success(), "{}", said(&look));
    // Those who say so go together, and nobody else with them.
    let server = Server::start(&place, &["shared=true"]);
    let (with, alone) = (second(&["shared=true"]), second(&[]));
    assert!(with.status.success(), "{}", said(&with));
    assert!(!alone.status.success() && said(&alone).contains(&server.number()), "{}", said(&alone));
}
