//! A disk with a cache before it: what was written and not synced may be lost when the power goes, sector by sector, and
//! so may names that were made, moved or removed in a directory that was not synced.
//!
//! What a disk can be left as is more than what any one file system leaves: ext4 or XFS would keep the order of some of
//! it. Programs that keep their promises here keep them there.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::rc::Rc;

/// What a disk writes whole, or not at all, in bytes.
const SECTOR: usize = 512;

/// A sector's content; `None` is zeros, as in a hole.
type Sector = Option<Rc<[u8; SECTOR]>>;

/// What something on the disk may be after a power cut.
#[derive(Clone)]
struct Possible<T> {
    /// The last one is what programs see now.
    values: Vec<T>,
    /// Whether it was written since it was last synced.
    dirty: bool,
}

impl<T: Clone + PartialEq> Possible<T> {
    fn settled(value: T) -> Possible<T> {
        Possible { values: vec![value], dirty: false }
    }

    fn now(&self) -> &T {
        self.values.last().expect("there is one")
    }

    fn set(&mut self, value: T) {
        if *self.now() != value {
            self.values.push(value);
        }
        // Also when it is what it was: a sync then makes sure of it, after one that failed.
        self.dirty = true;
    }

    /// After a sync that failed the cache may call clean what never reached the disk: a later sync says nothing of it.
    fn sync(&mut self, worked: bool) {
        if worked && self.dirty {
            self.values.drain(..self.values.len() - 1);
        }
        self.dirty = false;
    }
}

#[derive(Clone)]
struct FileNode {
    size: Possible<u64>,
    sectors: BTreeMap<u64, Possible<Sector>>,
}

#[derive(Clone)]
enum NameChange {
    Set(String, usize),
    Remove(String),
    /// In one step.
    Move(String, String, usize),
    /// Each of two names stands for what the other one did, in one step.
    Exchange((String, usize), (String, usize)),
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            NameChange::Set(name, node) => {
                names.insert(name.clone(), *node);
            }
            NameChange::Remove(name) => {
                names.remove(name);
            }
            NameChange::Move(from, to, node) => {
                names.remove(from);
                names.insert(to.clone(), *node);
            }
            NameChange::Exchange((one, first), (other, second)) => {
                names.insert(one.clone(), *second);
                names.insert(other.clone(), *first);
            }
        }
    }
}

#[derive(Clone, Default)]
struct DirNode {
    durable: BTreeMap<String, usize>,
    pending: Vec<NameChange>,
    now: BTreeMap<String, usize>,
}

#[derive(Clone)]
enum Node {
    File(FileNode),
    Dir(DirNode),
}

/// The files and directories below one directory. Nodes are numbered; 0 is that directory.
#[derive(Clone)]
pub struct Disk(Vec<Node>);

impl Disk {
    /// What is below `root` now, all of it taken for durable.
    pub fn settled(root: &Path) -> Disk {
        let mut disk = Disk(Vec::new());
        disk.take_in(root);
        disk
    }

    fn take_in(&mut self, path: &Path) -> usize {
        let number = self.0.len();
        if path.is_dir() {
            self.0.push(Node::Dir(DirNode::default()));
            for entry in fs::read_dir(path).unwrap() {
                let entry = entry.unwrap();
                let child = self.take_in(&entry.path());
                let dir = self.dir(number);
                let name = entry.file_name().into_string().unwrap();
                dir.durable.insert(name.clone(), child);
                dir.now.insert(name, child);
            }
        } else {
            let content = fs::read(path).unwrap();
            let mut file =
                FileNode { size: Possible::settled(content.len() as u64), sectors: BTreeMap::new() };
            for (i, bytes) in (0..).zip(content.chunks(SECTOR)) {
                let mut sector = [0; SECTOR];
                sector[..bytes.len()].copy_from_slice(bytes);
                if sector != [0; SECTOR] {
                    file.sectors.insert(i, Possible::settled(Some(Rc::new(sector))));
                }
            }
            self.0.push(Node::File(file));
        }
        number
    }

    fn dir(&mut self, number: usize) -> &mut DirNode {
        match &mut self.0[number] {
            Node::Dir(dir) => dir,
            Node::File(_) => panic!("a file is used as a directory"),
        }
    }

    fn file(&mut self, number: usize) -> &mut FileNode {
        match &mut self.0[number] {
            Node::File(file) => file,
            Node::Dir(_) => panic!("a directory is used as a file"),
        }
    }

    pub fn is_dir(&self, number: usize) -> bool {
        matches!(self.0[number], Node::Dir(_))
    }

    /// What a name in a directory stands for.
    pub fn find(&self, dir: usize, name: &str) -> Option<usize> {
        match &self.0[dir] {
            Node::Dir(dir) => dir.now.get(name).copied(),
            Node::File(_) => None,
        }
    }

    /// A file that has no name yet.
    pub fn new_file(&mut self) -> usize {
        self.0.push(Node::File(FileNode { size: Possible::settled(0), sectors: BTreeMap::new() }));
        self.0.len() - 1
    }

    pub fn new_dir(&mut self) -> usize {
        self.0.push(Node::Dir(DirNode::default()));
        self.0.len() - 1
    }

    fn change_name(&mut self, dir: usize, change: NameChange) {
        let dir = self.dir(dir);
        change.apply(&mut dir.now);
        dir.pending.push(change);
    }

    pub fn link(&mut self, dir: usize, name: &str, node: usize) {
        self.change_name(dir, NameChange::Set(name.to_owned(), node));
    }

    pub fn unlink(&mut self, dir: usize, name: &str) {
        self.change_name(dir, NameChange::Remove(name.to_owned()));
    }

    pub fn rename(&mut self, dir: usize, from: &str, to: &str) {
        let node = self.find(dir, from).expect("what is renamed is there");
        self.change_name(dir, NameChange::Move(from.to_owned(), to.to_owned(), node));
    }

    pub fn exchange(&mut self, dir: usize, one: &str, other: &str) {
        let [first, second] = [one, other]
            .map(|name| (name.to_owned(), self.find(dir, name).expect("what is exchanged is there")));
        self.change_name(dir, NameChange::Exchange(first, second));
    }

    pub fn write(&mut self, number: usize, offset: u64, bytes: &[u8]) {
        let file = self.file(number);
        let mut at = offset;
        let mut rest = bytes;
        while !rest.is_empty() {
            let (i, from) = (at / SECTOR as u64, (at % SECTOR as u64) as usize);
            let (part, others) = rest.split_at(rest.len().min(SECTOR - from));
            let sector = file.sectors.entry(i).or_insert_with(|| Possible::settled(None));
            let mut content = sector.now().as_ref().map_or([0; SECTOR], |content| **content);
            content[from..from + part.len()].copy_from_slice(part);
            sector.set((content != [0; SECTOR]).then(|| Rc::new(content)));
            at += part.len() as u64;
            rest = others;
        }
        if at > *file.size.now() {
            file.size.set(at);
        }
    }

    pub fn truncate(&mut self, number: usize, size: u64) {
        let old = *self.file(number).size.now();
        if size < old {
            self.zero(number, size, old - size);
        }
        self.file(number).size.set(size);
    }

    /// Zeros within what there is.
    pub fn zero(&mut self, number: usize, offset: u64, length: u64) {
        let file = self.file(number);
        let end = offset + length;
        let (first, last) = (offset / SECTOR as u64, end.div_ceil(SECTOR as u64));
        for (i, sector) in file.sectors.range_mut(first..last) {
            let start = i * SECTOR as u64;
            let mut content = sector.now().as_ref().map_or([0; SECTOR], |content| **content);
            let from = offset.saturating_sub(start).min(SECTOR as u64) as usize;
            let to = (end - start).min(SECTOR as u64) as usize;
            content[from..to].fill(0);
            sector.set((content != [0; SECTOR]).then(|| Rc::new(content)));
        }
    }

    /// fsync and fdatasync of a file or a directory.
    pub fn sync(&mut self, number: usize, worked: bool) {
        match &mut self.0[number] {
            Node::File(file) => {
                file.size.sync(worked);
                file.sectors.values_mut().for_each(|sector| sector.sync(worked));
            }
            Node::Dir(dir) if worked => {
                dir.pending.clear();
                dir.durable = dir.now.clone();
            }
            Node::Dir(_) => {}
        }
    }

    /// How many questions the power cut answers, and how many answers each has.
    fn questions(&self) -> Vec<usize> {
        let mut questions = Vec::new();
        for node in &self.0 {
            match node {
                Node::Dir(dir) => questions.extend(dir.pending.iter().map(|_| 2)),
                Node::File(file) => {
                    questions.push(file.size.values.len());
                    questions.extend(file.sectors.values().map(|sector| sector.values.len()));
                }
            }
        }
        questions
    }

    /// What a power cut now can leave: all of it where that is at most `most`; else what is there when nothing and when
    /// everything was written, and others at random.
    pub fn after_power_cut(&self, most: usize, random: &mut impl FnMut() -> u64) -> Vec<Left<'_>> {
        let questions = self.questions();
        let all = questions.iter().try_fold(1_usize, |all, answers| all.checked_mul(*answers));
        let left = |answers| Left { disk: self, answers };
        match all.filter(|all| *all <= most) {
            Some(all) => (0..all)
                .map(|mut number| {
                    left(
                        questions
                            .iter()
                            .map(|answers| {
                                let answer = number % answers;
                                number /= answers;
                                answer
                            })
                            .collect(),
                    )
                })
                .collect(),
            None => {
                let mut states = vec![left(vec![0; questions.len()])];
                states.push(left(questions.iter().map(|answers| answers - 1).collect()));
                while states.len() < most {
                    // Some cuts come early and some late: then nearly nothing, or nearly all, was written.
                    let bias = random() % 8;
                    let mut answer = |answers: &usize| match bias {
                        0 if !random().is_multiple_of(8) => 0,
                        1 if !random().is_multiple_of(8) => answers - 1,
                        _ => (random() % *answers as u64) as usize,
                    };
                    states.push(left(questions.iter().map(&mut answer).collect()));
                }
                states
            }
        }
    }
}

/// One of the things that a power cut can leave.
pub struct Left<'a> {
    disk: &'a Disk,
    answers: Vec<usize>,
}

impl Left<'_> {
    /// Makes the files as they were left, in a directory that is empty.
    pub fn make(&self, root: &Path) {
        let mut answers = self.answers.iter().copied();
        let mut names = Vec::new();
        let mut files = Vec::new();
        for node in &self.disk.0 {
            match node {
                Node::Dir(dir) => {
                    let mut left = dir.durable.clone();
                    for change in &dir.pending {
                        if answers.next() == Some(1) {
                            change.apply(&mut left);
                        }
                    }
                    names.push(left);
                    files.push(None);
                }
                Node::File(file) => {
                    let mut next = || answers.next().expect("one for each question");
                    let size = file.size.values[next()];
                    let sectors: Vec<(u64, &Sector)> =
                        file.sectors.iter().map(|(i, sector)| (*i, &sector.values[next()])).collect();
                    names.push(BTreeMap::new());
                    files.push(Some((size, sectors)));
                }
            }
        }
        make_dir(0, root, &names, &files);
    }
}

type Content<'a> = Option<(u64, Vec<(u64, &'a Sector)>)>;

fn make_dir(number: usize, path: &Path, names: &[BTreeMap<String, usize>], files: &[Content<'_>]) {
    for (name, child) in &names[number] {
        let path = path.join(name);
        match &files[*child] {
            None => {
                fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
                make_dir(*child, &path, names, files);
            }
            Some((size, sectors)) => {
                let file: File =
                    File::options().write(true).create_new(true).mode(0o600).open(&path).unwrap();
                file.set_len(*size).unwrap();
                for (i, sector) in sectors {
                    let offset = i * SECTOR as u64;
                    if let Some(content) = sector
                        && offset < *size
                    {
                        let length = (*size - offset).min(SECTOR as u64) as usize;
                        file.write_all_at(&content[..length], offset).unwrap();
                    }
                }
            }
        }
    }
}

/// The model by itself.
pub fn what_is_not_synced_may_be_lost() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a"), [1; 600]).unwrap();
    let mut disk = Disk::settled(dir.path());
    let a = disk.find(0, "a").unwrap();
    disk.write(a, 500, &[2; 100]);
    let b = disk.new_file();
    disk.link(0, "b", b);
    let mut random = super::generator(1);
    let states = |disk: &Disk, random: &mut dyn FnMut() -> u64| {
        let mut found = Vec::new();
        for left in disk.after_power_cut(100, &mut || random()) {
            let made = tempfile::tempdir().unwrap();
            left.make(made.path());
            let a = fs::read(made.path().join("a")).unwrap();
            found.push((a[500], a[512], made.path().join("b").exists()));
        }
        found.sort();
        found
    };
    // Two sectors and a name, each with two answers.
    let all = states(&disk, &mut random);
    assert_eq!(all.len(), 8);
    assert_eq!((all[0], all[7]), ((1, 1, false), (2, 2, true)));

    disk.sync(a, false);
    disk.sync(a, true);
    assert_eq!(
        states(&disk, &mut random).len(),
        8,
        "a sync after one that failed says nothing of what was written before"
    );
    disk.write(a, 500, &[2; 100]);
    disk.sync(a, true);
    assert_eq!(states(&disk, &mut random), [(2, 2, false), (2, 2, true)]);
    disk.sync(0, true);
    assert_eq!(states(&disk, &mut random), [(2, 2, true)]);
    let c = disk.new_file();
    disk.link(0, "c", c);
    disk.sync(0, true);
    disk.exchange(0, "b", "c");
    assert_eq!((disk.find(0, "b"), disk.find(0, "c")), (Some(c), Some(b)));
    assert_eq!(disk.after_power_cut(100, &mut random).len(), 2, "both names, or none");
    disk.unlink(0, "c");
    disk.sync(0, true);
    disk.rename(0, "a", "b");
    disk.unlink(0, "b");
    let mut empty = 0;
    for left in disk.after_power_cut(100, &mut random) {
        let made = tempfile::tempdir().unwrap();
        left.make(made.path());
        empty += usize::from(fs::read_dir(made.path()).unwrap().count() == 0);
    }
    assert_eq!(empty, 1);
}
