//! What a command does to files, as strace sees it, done again to a model of the disk.

use std::collections::HashMap;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use super::disk::Disk;

/// What changes files, and what leads there: descriptors, processes. `read` is not among them, so that a descriptor that
/// is read and then written without an offset would be misjudged.
const CALLS: &str = "open,openat,creat,close,dup,dup2,dup3,fcntl,lseek,write,pwrite64,writev,pwritev,pwritev2,truncate,\
    ftruncate,fallocate,copy_file_range,sendfile,splice,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,\
    unlinkat,mkdir,mkdirat,rmdir,fsync,fdatasync,sync,syncfs,sync_file_range,clone,clone3,fork,vfork,chdir,fchdir";

/// What is done to a command while it runs, in strace's words: `fsync:signal=KILL:when=2`.
pub type Fault<'a> = Option<&'a str>;

/// How a command ended, and the disk at each moment at which a power cut is worth a look: before each sync, when most is
/// not written yet, and at the end.
pub struct Run {
    /// `None` if a signal ended it.
    pub code: Option<i32>,
    pub said: String,
    pub moments: Vec<Disk>,
}

/// A directory in which commands run, with the disk that it would be on.
pub struct Lab {
    root: tempfile::TempDir,
    pub disk: Disk,
}

impl Lab {
    /// With what `set_up` makes in the directory, all of it on the disk.
    pub fn new(set_up: impl FnOnce(&Path)) -> Lab {
        let root = tempfile::tempdir().unwrap();
        set_up(root.path());
        let disk = Disk::settled(root.path());
        Lab { root, disk }
    }

    pub fn path(&self) -> &Path {
        self.root.path()
    }

    /// Runs a command in the directory, and does to the disk what it does.
    pub fn run(&mut self, command: &Command, fault: Fault<'_>) -> Run {
        let logs = tempfile::tempdir().unwrap();
        let log = logs.path().join("log");
        let mut strace = Command::new("strace");
        strace
            .args(["-f", "-qq", "-y", "-xx", "-s", "100000000", "-o"])
            .arg(&log)
            .arg("-e")
            .arg(format!("trace={CALLS}"));
        if let Some(fault) = fault {
            strace.arg("-e").arg(format!("inject={fault}"));
        }
        strace.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => strace.env(name, value),
                None => strace.env_remove(name),
            };
        }
        let output = strace.current_dir(self.path()).stdin(Stdio::null()).output().unwrap();
        let mut replay = Replay {
            // As /proc and strace name it.
            root: fs::canonicalize(self.path()).unwrap(),
            disk: &mut self.disk,
            tables: HashMap::new(),
            process_of: HashMap::new(),
            unfinished: HashMap::new(),
            moments: Vec::new(),
        };
        for line in fs::read_to_string(&log).unwrap().lines() {
            replay.line(line);
        }
        let mut moments = replay.moments;
        moments.push(self.disk.clone());
        Run {
            code: output.status.code(),
            said: String::from_utf8_lossy(&output.stderr).into_owned(),
            moments,
        }
    }
}

/// An open file: descriptors that were duplicated share it.
#[derive(Clone)]
struct Open {
    node: usize,
    offset: std::rc::Rc<std::cell::Cell<u64>>,
}

struct Replay<'a> {
    root: PathBuf,
    disk: &'a mut Disk,
    /// The descriptors of each process that lead to our disk.
    tables: HashMap<u32, HashMap<i32, Open>>,
    /// Threads share their process's table; the first thread has its number.
    process_of: HashMap<u32, u32>,
    unfinished: HashMap<u32, String>,
    moments: Vec<Disk>,
}

impl Replay<'_> {
    fn line(&mut self, line: &str) {
        let (thread, rest) = line.trim_start().split_once(' ').expect("a thread's number");
        let thread: u32 = thread.parse().unwrap();
        let rest = rest.trim_start();
        if rest.starts_with("+++") || rest.starts_with("---") {
            return;
        }
        if let Some(begun) = rest.strip_suffix(" <unfinished ...>") {
            self.unfinished.insert(thread, begun.to_owned());
            return;
        }
        let whole = match rest.strip_prefix("<... ").and_then(|rest| rest.split_once(" resumed>")) {
            Some((_, end)) => self.unfinished.remove(&thread).expect("what is resumed has begun") + end,
            None => rest.to_owned(),
        };
        let (call, rest) = whole.split_once('(').expect("a call");
        let (arguments, result) = rest.rsplit_once(" = ").expect("a result");
        let arguments = arguments.trim_end().strip_suffix(')').expect("the end of the arguments");
        self.call(thread, call, arguments, result.split([' ', '<']).next().unwrap_or_default());
    }

    fn call(&mut self, thread: u32, call: &str, text: &str, result: &str) {
        // Whatever looks as if it were of several arguments is of no interest here.
        let arguments: Vec<&str> = text.split(", ").collect();
        let process = *self.process_of.entry(thread).or_insert(thread);
        let number = result.parse::<i64>().unwrap_or(-1);
        let failed = number < 0;
        match call {
            "fsync" | "fdatasync" => {
                if let Some(open) = self.open(process, arguments[0]) {
                    let node = open.node;
                    self.moments.push(self.disk.clone());
                    // Without a result it was not done.
                    if result != "?" {
                        self.disk.sync(node, !failed);
                    }
                }
            }
            _ if failed => {}
            "clone" | "clone3" | "fork" | "vfork" => {
                let child = u32::try_from(number).unwrap();
                if text.contains("CLONE_THREAD") {
                    self.process_of.insert(child, process);
                } else {
                    let table = self.tables.entry(process).or_default().clone();
                    self.tables.entry(child).or_insert(table);
                    self.process_of.insert(child, child);
                }
            }
            "openat" | "open" | "creat" => {
                self.opened(process, call, &arguments, i32::try_from(number).unwrap())
            }
            "close" => {
                self.tables.entry(process).or_default().remove(&descriptor(arguments[0]));
            }
            "dup" | "dup2" | "dup3" => self.duplicated(process, arguments[0], i32::try_from(number).unwrap()),
            "fcntl" if arguments[1].starts_with("F_DUPFD") => {
                self.duplicated(process, arguments[0], i32::try_from(number).unwrap());
            }
            "lseek" => {
                if let Some(open) = self.open(process, arguments[0]) {
                    open.offset.set(u64::try_from(number).unwrap());
                }
            }
            "write" | "pwrite64" => {
                let Some(open) = self.open(process, arguments[0]) else { return };
                let bytes = &bytes(arguments[1])[..usize::try_from(number).unwrap()];
                let offset = match call {
                    "write" => open.offset.replace(open.offset.get() + bytes.len() as u64),
                    _ => arguments[3].parse().unwrap(),
                };
                self.disk.write(open.node, offset, bytes);
            }
            "ftruncate" => {
                if let Some(open) = self.open(process, arguments[0]) {
                    self.disk.truncate(open.node, arguments[1].parse().unwrap());
                }
            }
            "fallocate" => {
                let Some(open) = self.open(process, arguments[0]) else { return };
                let (mode, offset, length) =
                    (arguments[1], arguments[2].parse().unwrap(), arguments[3].parse().unwrap());
                if mode.contains("PUNCH_HOLE") || mode.contains("ZERO_RANGE") {
                    self.disk.zero(open.node, offset, length);
                }
                assert!(mode.contains("KEEP_SIZE"), "fallocate({text}) is not modelled");
            }
            "rename" | "renameat" | "renameat2" => {
                let (from, to) = match call {
                    "rename" => (("AT_FDCWD", arguments[0]), ("AT_FDCWD", arguments[1])),
                    _ => ((arguments[0], arguments[1]), (arguments[2], arguments[3])),
                };
                let (from, to) = (self.place(from.0, from.1), self.place(to.0, to.1));
                let (Some((dir, from)), Some((other, to))) = (from, to) else { return };
                assert_eq!(dir, other, "renames from directory to directory are not modelled");
                match text.contains("EXCHANGE") {
                    true => self.disk.exchange(dir, &from, &to),
                    false => self.disk.rename(dir, &from, &to),
                }
            }
            "link" | "linkat" => {
                let (from, to) = match call {
                    "link" => (("AT_FDCWD", arguments[0]), ("AT_FDCWD", arguments[1])),
                    _ => ((arguments[0], arguments[1]), (arguments[2], arguments[3])),
                };
                let Some((dir, name)) = self.place(to.0, to.1) else { return };
                let old = String::from_utf8(bytes(from.1)).unwrap();
                let node = match old.strip_prefix("/proc/self/fd/") {
                    Some(number) => self.tables[&process][&number.parse().unwrap()].node,
                    None => {
                        let (dir, name) = self.place(from.0, from.1).expect("a link to a file of ours");
                        self.disk.find(dir, &name).expect("a file")
                    }
                };
                self.disk.link(dir, &name, node);
            }
            "unlink" | "unlinkat" | "rmdir" => {
                let (at, name) = match call {
                    "unlinkat" => (arguments[0], arguments[1]),
                    _ => ("AT_FDCWD", arguments[0]),
                };
                if let Some((dir, name)) = self.place(at, name) {
                    self.disk.unlink(dir, &name);
                }
            }
            "mkdir" | "mkdirat" => {
                let (at, name) = match call {
                    "mkdirat" => (arguments[0], arguments[1]),
                    _ => ("AT_FDCWD", arguments[0]),
                };
                if let Some((dir, name)) = self.place(at, name) {
                    let made = self.disk.new_dir();
                    self.disk.link(dir, &name, made);
                }
            }
            "fcntl" | "sync_file_range" => {}
            // What they lead to is not followed: they may not touch our disk.
            _ => {
                let touches = arguments.iter().any(|argument| self.open(process, argument).is_some());
                assert!(!touches, "{call}({text}) is not modelled");
            }
        }
    }

    fn open(&self, process: u32, argument: &str) -> Option<&Open> {
        self.tables.get(&process)?.get(&descriptor_of(argument)?)
    }

    fn duplicated(&mut self, process: u32, old: &str, new: i32) {
        let table = self.tables.entry(process).or_default();
        match table.get(&descriptor(old)).cloned() {
            Some(open) => table.insert(new, open),
            None => table.remove(&new),
        };
    }

    fn opened(&mut self, process: u32, call: &str, arguments: &[&str], descriptor: i32) {
        let (at, name, flags) = match call {
            "openat" => (arguments[0], arguments[1], arguments[2]),
            "open" => ("AT_FDCWD", arguments[0], arguments[1]),
            _ => ("AT_FDCWD", arguments[0], "O_CREAT|O_TRUNC"),
        };
        let table = |tables: &mut HashMap<u32, HashMap<i32, Open>>, node| {
            let open = Open { node, offset: std::rc::Rc::default() };
            tables.entry(process).or_default().insert(descriptor, open);
        };
        // A number that led to our disk may lead elsewhere now.
        self.tables.entry(process).or_default().remove(&descriptor);
        let Some(path) = self.absolute(at, name) else { return };
        assert!(!flags.contains("O_APPEND"), "appending is not modelled");
        if flags.contains("O_TMPFILE") {
            let node = self.disk.new_file();
            return table(&mut self.tables, node);
        }
        let (found, parent) = self.walk(&path);
        let node = match (found, parent) {
            (Some(node), _) => node,
            (None, Some((dir, name))) if flags.contains("O_CREAT") => {
                let node = self.disk.new_file();
                self.disk.link(dir, &name, node);
                node
            }
            _ => panic!("{} was opened, and is not on the disk", path.display()),
        };
        if flags.contains("O_TRUNC") && !self.disk.is_dir(node) {
            self.disk.truncate(node, 0);
        }
        table(&mut self.tables, node);
    }

    /// A path below our directory, from there; `None` for others.
    fn absolute(&self, at: &str, name: &str) -> Option<PathBuf> {
        let name = PathBuf::from(String::from_utf8(bytes(name)).unwrap());
        let path = if name.is_absolute() {
            // Also by way of /proc/self/fd, to a file without a name.
            name
        } else {
            let base = match at.split_once('<') {
                Some((_, path)) => {
                    String::from_utf8(bytes(path.split('>').next().unwrap_or_default())).unwrap()
                }
                None => self.root.to_str().unwrap().to_owned(),
            };
            Path::new(&base).join(name)
        };
        let mut clean = PathBuf::new();
        for part in path.components() {
            match part {
                Component::CurDir => {}
                Component::ParentDir => {
                    clean.pop();
                }
                part => clean.push(part),
            }
        }
        clean.strip_prefix(&self.root).ok().map(Path::to_owned)
    }

    /// What is at a path, and the directory and name of its last part.
    fn walk(&self, path: &Path) -> (Option<usize>, Option<(usize, String)>) {
        let mut node = Some(0);
        let mut parent = None;
        for part in path.components() {
            let name = part.as_os_str().to_str().unwrap().to_owned();
            let Some(dir) = node else { return (None, None) };
            node = self.disk.find(dir, &name);
            parent = Some((dir, name));
        }
        (node, parent)
    }

    /// The directory and the name that a path stands for.
    fn place(&self, at: &str, name: &str) -> Option<(usize, String)> {
        self.walk(&self.absolute(at, name)?).1
    }
}

/// The number in front of `3</path>`.
fn descriptor(argument: &str) -> i32 {
    descriptor_of(argument).expect("a descriptor")
}

fn descriptor_of(argument: &str) -> Option<i32> {
    argument.split('<').next()?.parse().ok()
}

/// What `"\x61\x62"` stands for.
fn bytes(argument: &str) -> Vec<u8> {
    let digits: Vec<u8> = argument.bytes().filter(|byte| byte.is_ascii_hexdigit()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
