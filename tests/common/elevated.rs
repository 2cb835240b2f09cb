//! Programs that get rights which whoever starts them has not.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

/// Nobody, by custom.
const USER: u32 = 65534;

/// The program as root's with the setuid bit, copied to `directory`, as another user starts it; `None` where this process
/// cannot make one, or the system would not heed the bit.
pub fn elevated(program: &Path, directory: &Path) -> Option<Command> {
    let why = |why: &str| {
        eprintln!("left out: a program with elevated rights ({why})");
        None
    };
    if !rustix::process::geteuid().is_root() {
        return why("not root");
    }
    let flags = rustix::fs::statvfs(directory).expect("the directory is there").f_flag;
    if flags.contains(rustix::fs::StatVfsMountFlags::NOSUID) {
        return why("files there have no setuid bit");
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if !status.lines().any(|line| line.split_whitespace().eq(["NoNewPrivs:", "0"])) {
        return why("no new privileges here");
    }
    let copy = directory.join("elevated");
    // By another process: a program that is open for writing is not started (ETXTBSY), and a child that another test starts
    // just now would have it open as long as it has not begun.
    let copied = Command::new("cp").arg(program).arg(&copy).status().expect("cp starts");
    assert!(copied.success(), "room for the program");
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o4755)).expect("it is root's");
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).expect("it is root's");
    let mut command = Command::new(copy);
    command.uid(USER).gid(USER).current_dir("/");
    Some(command)
}
