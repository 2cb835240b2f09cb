//! Volumes that somebody else uses: what is refused, what is waited for, and how that ends.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use atrest::keys::{Expect, LocalKeystore, Providers};
use atrest::storage::{Claim, Lock, Shared, Storage};
use atrest::volume::{Mode, Volume};
use rustix::process::{Pid, Signal, getuid, kill_process};

use super::common::peers::{left_out, program};
use super::common::{noise, read_only, read_write};
use super::place::{ATREST, Place, failed, ignored, text};
use super::round::Loop;

/// A place with the scratch volume `v`, and a backup `b` of its header.
fn with_volume() -> Place {
    let place = Place::with_key();
    place.put("in", &noise(5000, 1));
    place.succeed(&["encrypt", "in", "v", "--scratch"]);
    place.succeed(&["header", "backup", "v", "b"]);
    place.succeed(&["encrypt", "in", "p"]);
    place
}

/// Opens a volume for writing, as a server does.
fn serve<S: Storage>(place: &Place, storage: S) -> Volume<S> {
    let providers = Providers::new().with(LocalKeystore::open(place.home()).unwrap());
    Volume::open(storage, &providers, &Expect::any(), Mode::ReadWrite).unwrap()
}

/// This process, as it is named where it holds something up.
fn here() -> String {
    format!("process {}", std::process::id())
}

#[test]
fn a_volume_that_is_served_is_neither_destroyed_nor_replaced() {
    let place = with_volume();
    let server = serve(&place, read_write(&place.path("v")));
    let holder = here();
    for arguments in [
        &["destroy", "v"][..],
        &["destroy", "v", "--shared"],
        &["header", "restore", "v", "b"],
        &["header", "restore", "v", "b", "--force"],
        &["header", "backup", "p", "v", "--force"],
        &["encrypt", "in", "v", "--force"],
        &["create", "--size", "1M", "v", "--force"],
        &["create", "--size", "1M", "v", "--force", "--scratch"],
        &["decrypt", "p", "v", "--force"],
    ] {
        place.refuses(arguments, &[" v: ", &holder, "has it open for writing"]);
    }
    // What only reads, and what changes the header alone.
    for arguments in [
        &["info", "v"][..],
        &["slot", "list", "v"],
        &["decrypt", "v", "out"],
        &["header", "backup", "v", "b", "--force"],
    ] {
        assert!(text(&place.succeed(arguments).stderr).lines().count() < 2);
    }
    drop(server);
    let server = serve(&place, read_write(&place.path("p")));
    place.succeed(&["rewrap", "p"]);
    server.write_at(b"goes on", 0).unwrap();
    drop(server);
    place.succeed(&["header", "restore", "v", "b"]);
    place.succeed(&["destroy", "v"]);
    place.succeed(&["create", "--size", "1M", "v", "--force"]);
}

#[test]
fn who_shares_goes_ahead() {
    let place = with_volume();
    let _server = serve(&place, Shared(read_write(&place.path("v"))));
    place.refuses(&["header", "restore", "v", "b"], &[&here()]);
    place.succeed(&["header", "restore", "v", "b", "--shared"]);
    place.succeed(&["destroy", "v", "--shared"]);
    place.succeed(&["create", "--size", "1M", "v", "--force", "--shared"]);
}

#[test]
fn who_may_only_read_stops_no_destruction() {
    let place = with_volume();
    let reader = read_only(&place.path("v"));
    reader.lock().unwrap();
    let output = place.succeed(&["destroy", "v"]);
    let said = text(&output.stderr);
    assert!(said.contains("destroyed v: "), "{said}");
    assert!(place.run(&["decrypt", "v", "out"]).status.code() == Some(1));
}

/// The same by somebody else, whose processes are not to be looked at from here.
#[test]
fn nor_does_another_user() {
    let Some(setpriv) = program("setpriv").filter(|_| getuid().is_root()) else {
        return left_out("not root, or no setpriv: no other user holds a lock");
    };
    let place = with_volume();
    // Up to it the directories let everybody pass.
    for path in place.path("v").ancestors().skip(1).take(2) {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::set_permissions(place.path("v"), fs::Permissions::from_mode(0o644)).unwrap();
    let program = "exec 9<v; flock -x 9; echo locked; read line";
    let mut holder = Command::new(setpriv);
    holder.args(["--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", program]);
    holder.current_dir(place.path("")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut holder = holder.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "locked\n");
    place.succeed(&["destroy", "v"]);
    drop(holder.stdin.take());
    holder.wait().unwrap();
}

/// A command that waits, with the line that says so.
struct Waiting {
    child: Child,
    said: String,
    rest: BufReader<std::process::ChildStderr>,
}

impl Waiting {
    fn start(place: &Place, arguments: &[&str]) -> Waiting {
        let mut child = place.start(arguments);
        let mut rest = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        rest.read_line(&mut said).unwrap();
        Waiting { child, said, rest }
    }

    /// A signal ends it, and it says no more, but that what is to be done at its end waits as well.
    fn interrupt(mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        let status = self.child.wait().unwrap();
        let mut more = String::new();
        self.rest.read_to_string(&mut more).unwrap();
        assert!(more.lines().all(|line| *line == *self.said.trim_end()), "{more}");
        status
    }
}

#[test]
fn a_wait_is_told_and_ends_with_ctrl_c() {
    if ignored(Signal::INT) {
        return;
    }
    let place = with_volume();
    let before = place.files();
    let file = read_write(&place.path("p"));
    // As cryptsetup has it, and as another of these commands has.
    let ways: [fn(&File) -> Option<Lock>; 2] = [
        |file| {
            file.lock().unwrap();
            None
        },
        |file| {
            file.unlock().unwrap();
            Some(file.claim(Claim::Header).unwrap())
        },
    ];
    for take in ways {
        let _lock = take(&file);
        let waiting = Waiting::start(&place, &["rewrap", "p"]);
        for part in ["atrest: waiting for ", " s at most: ", &here(), "is changing the header"] {
            assert!(waiting.said.contains(part), "{part}: {}", waiting.said);
        }
        assert_eq!(waiting.interrupt().signal(), Some(Signal::INT.as_raw()));
    }
    assert!(place.files() == before);
}

#[test]
fn a_wait_comes_to_an_end() {
    let place = with_volume();
    let file = read_write(&place.path("p"));
    let lock = file.claim(Claim::Header).unwrap();
    let output = place.run(&["rewrap", "p"]);
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 2), "{said}");
    let end = said.lines().last().unwrap();
    assert!(end.starts_with("atrest: cannot rewrap the volume p: ") && end.contains(&here()), "{end}");
    // As cryptsetup has it, and any other change.
    drop(lock);
    let cryptsetup = read_write(&place.path("v"));
    cryptsetup.lock_shared().unwrap();
    let output = place.run(&["destroy", "v"]);
    let end = text(&output.stderr).lines().last().unwrap();
    assert!(end.starts_with("atrest: cannot destroy v: ") && end.contains(&here()), "{end}");
    place.succeed(&["header", "backup", "v", "c"]);
    let lock = file.claim(Claim::Header).unwrap();
    // Or it goes on when the other one is done.
    let mut waiting = Waiting::start(&place, &["rewrap", "p"]);
    drop(lock);
    assert!(waiting.child.wait().unwrap().success());
}

/// The image is in use, or it is ours: by whoever comes first.
#[test]
fn qemu_and_this_command_keep_each_other_out() {
    let (Some(image), Some(io)) = (program("qemu-img"), program("qemu-io")) else {
        return super::common::peers::missing("qemu-img or qemu-io is not installed");
    };
    let place = with_volume();
    let qemu = |program: &Path, arguments: &[&str]| {
        let output = place.program(program).args(arguments).stdin(Stdio::null()).output().unwrap();
        (output.status.success(), text(&output.stdout).to_owned() + text(&output.stderr))
    };
    let file = read_write(&place.path("p"));
    let server = serve(&place, file);
    for (program, arguments) in [
        (&io, &["-f", "raw", "-c", "write 0 512", "p"][..]),
        (&image, &["resize", "-f", "raw", "p", "64M"]),
        (&image, &["convert", "-f", "raw", "-n", "-O", "raw", "in", "p"]),
    ] {
        let (done, said) = qemu(program, arguments);
        assert!(!done && said.contains("lock"), "{arguments:?}: {said}");
    }
    // Who only looks at it may.
    let (done, said) = qemu(&image, &["info", "--force-share", "p"]);
    assert!(done, "{said}");
    drop(server);
    let (done, said) = qemu(&io, &["-f", "raw", "-r", "-c", "read 0 512", "p"]);
    assert!(done, "{said}");

    let mut user = place.program(&io);
    user.args(["-f", "raw", "p"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut user = user.spawn().unwrap();
    let mut stdin = user.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, b"read 0 512\n").unwrap();
    let mut stdout = BufReader::new(user.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("read 512/512") {
        line.clear();
        assert!(stdout.read_line(&mut line).unwrap() > 0, "qemu-io has ended");
    }
    let holder = format!("process {} (qemu-io) has it open for writing", user.id());
    for arguments in
        [&["rewrap", "p"][..], &["destroy", "p", "--force"], &["create", "--size", "1M", "p", "--force"]]
    {
        place.refuses(arguments, &[&holder]);
    }
    drop(stdin);
    user.wait().unwrap();
    place.succeed(&["rewrap", "p"]);
}

#[test]
fn a_device_that_is_served_is_left_alone() {
    let place = with_volume();
    let volume = place.read("p");
    let Some(disk) = Loop::attach(&place, volume.len().next_multiple_of(4096) as u64) else {
        return left_out("no loop device can be attached");
    };
    let device = &*disk.0;
    std::os::unix::fs::FileExt::write_all_at(&read_write(Path::new(device)), &volume, 0).unwrap();
    let server = serve(&place, read_write(Path::new(device)));
    for arguments in [
        &["destroy", device, "--force"][..],
        &["encrypt", "in", device, "--force"],
        &["header", "restore", device, "b", "--force"],
        &["decrypt", "p", device, "--force"],
    ] {
        failed(&place.run(arguments), &[&here(), "has it open for writing"]);
    }
    place.succeed(&["rewrap", device]);
    // No mount, no mapping: the system says so to everybody who asks for the device alone.
    let exclusive = rustix::fs::OFlags::EXCL | rustix::fs::OFlags::RDONLY;
    let alone = || rustix::fs::open(Path::new(device), exclusive, rustix::fs::Mode::empty());
    assert_eq!(alone().unwrap_err(), rustix::io::Errno::BUSY);
    drop(server);
    // And the other way round.
    let other = alone().unwrap();
    failed(&place.run(&["destroy", device, "--force"]), &["the device is in use"]);
    place.succeed(&["rewrap", device]);
    drop(other);
    // cryptsetup's lock of a device's header.
    let number =
        fs::metadata(device).map(|metadata| std::os::unix::fs::MetadataExt::rdev(&metadata)).unwrap();
    let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
    let resource = format!("/run/cryptsetup/L_{major}:{minor}");
    fs::create_dir_all("/run/cryptsetup").unwrap();
    let cryptsetup = File::create(&resource).unwrap();
    cryptsetup.lock().unwrap();
    let output = place.run(&["rewrap", device]);
    assert!(text(&output.stderr).lines().last().unwrap().contains(&here()), "{}", text(&output.stderr));
    drop(cryptsetup);
    place.succeed(&["rewrap", device]);
    // Whoever is the last removes it.
    assert!(!Path::new(&resource).exists());
}

/// Somebody holds the keystore's lock: Ctrl-C ends who waits for it, although a key is to be erased then.
#[test]
fn a_wait_for_the_keystore_ends_with_ctrl_c() {
    if ignored(Signal::INT) {
        return;
    }
    let place = with_volume();
    let lock = read_write(&place.home().join("keys/.lock"));
    lock.lock().unwrap();
    let keys = fs::read_dir(place.home().join("keys")).unwrap().count();
    for arguments in [&["key", "create", "local:x"][..], &["create", "--scratch", "--size", "1M", "s"]] {
        let waiting = Waiting::start(&place, arguments);
        for part in ["atrest: waiting for ", &here()] {
            assert!(waiting.said.contains(part), "{part}: {}", waiting.said);
        }
        assert_eq!(waiting.interrupt().signal(), Some(Signal::INT.as_raw()), "{arguments:?}");
    }
    assert_eq!(fs::read_dir(place.home().join("keys")).unwrap().count(), keys);
    assert!(Path::new(ATREST).exists() && !place.path("s").exists());
}
