//! What this command remembers of volumes, as ssh remembers hosts: by UUID, which root key a volume had, under which keys,
//! and how far it had come; and which volume was last at a name that stays.
//!
//! ```text
//! volumes/UUID.json    one for each volume
//! names/HASH.json      one for each name: the SHA-256 of it
//! ```
//!
//! Nothing in it is secret. Where there is no such directory, or it cannot be written, there is no memory, and nothing
//! fails for that alone.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use atrest::environment::{has_elevated_rights, variable};
use atrest::keys::{Pin, Uuid};
use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::failure::{Failure, show};

/// Names another directory.
pub const VARIABLE: &str = "ATREST_STATE";

/// The longest file that is read, in bytes.
const MAX_FILE: u64 = 256 * 1024;

/// How exactly it is known when a volume was used last, in seconds.
const DAY: u64 = 86_400;

/// How long the lock of somebody else's change is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is remembered of a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// UUID, root key, and the version of the token that the header had.
    pub pin: Pin,
    /// The generation of the header: changes that have the root key raise it.
    pub generation: u64,
    /// The keys that wrapped the root key, for people.
    pub keys: Vec<String>,
    /// Where the volume was, as far as that tells something.
    pub names: Vec<String>,
    /// Whether it was made here, or somebody has accepted that it is written.
    pub accepted: bool,
    /// Whether its destruction was begun: its key may be gone, and its header still there.
    pub destroying: bool,
    /// When it was last used, in seconds since 1970-01-01T00:00:00Z.
    pub used: u64,
}

/// The directory.
#[derive(Debug)]
pub struct Memory {
    dir: PathBuf,
}

impl Memory {
    /// The memory of this process's user; `None` where there is no place for one.
    pub fn of_user() -> Option<Memory> {
        let root = rustix::process::geteuid().is_root();
        // `$HOME`, in the first place.
        let home = std::env::home_dir().filter(|_| !has_elevated_rights());
        place(variable, home, root).map(|dir| Memory { dir })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// What is remembered of a volume.
    pub fn volume(&self, uuid: Uuid) -> Result<Option<Known>, Failure> {
        let path = self.of_volume(uuid);
        let Some(value) = self.read(&path)? else { return Ok(None) };
        let known = Known::from_json(&value).filter(|known| known.pin.volume() == uuid);
        known.map(Some).ok_or_else(|| damaged(&path))
    }

    /// The volume that was last at this name.
    pub fn at(&self, name: &str) -> Result<Option<Uuid>, Failure> {
        let path = self.of_name(name);
        let Some(value) = self.read(&path)? else { return Ok(None) };
        let is_its = value["name"].as_str() == Some(name);
        let uuid = value["volume"].as_str().and_then(|uuid| Uuid::try_parse(uuid).ok());
        uuid.filter(|_| is_its).map(Some).ok_or_else(|| damaged(&path))
    }

    /// All volumes, in the order of their UUIDs.
    pub fn all(&self) -> Result<Vec<Known>, Failure> {
        let dir = self.dir.join("volumes");
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Failure::io("cannot read", show(&dir), &error)),
        };
        let mut uuids = Vec::new();
        for entry in entries {
            let name = entry.map_err(|error| Failure::io("cannot read", show(&dir), &error))?.file_name();
            let uuid = name.to_str().and_then(|name| name.strip_suffix(".json"));
            uuids.extend(uuid.and_then(|uuid| Uuid::try_parse(uuid).ok()));
        }
        uuids.sort();
        let known: Result<Vec<_>, Failure> = uuids.into_iter().map(|uuid| self.volume(uuid)).collect();
        Ok(known?.into_iter().flatten().collect())
    }

    /// Remembers a volume in the place of what was known of it, but for its names, which are kept; and that it is at this
    /// one now.
    pub fn remember(&self, mut known: Known, name: Option<&str>) -> io::Result<()> {
        known.used = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        for dir in [&self.dir, &self.dir.join("volumes"), &self.dir.join("names")] {
            DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        }
        let _lock = self.lock()?;
        let uuid = known.pin.volume();
        if let Ok(Some(before)) = self.volume(uuid) {
            known.names.clone_from(&before.names);
            let named = name.is_none_or(|name| matches!(self.at(name), Ok(Some(at)) if at == uuid));
            // Reading a volume again and again is not writing this as often.
            if named
                && known.used.abs_diff(before.used) < DAY
                && known == (Known { used: known.used, ..before })
            {
                return Ok(());
            }
        }
        if let Some(name) = name {
            // A name is one volume's.
            if let Ok(Some(other)) = self.at(name)
                && other != uuid
                && let Ok(Some(mut other)) = self.volume(other)
            {
                other.names.retain(|other| other != name);
                self.write(&self.of_volume(other.pin.volume()), &other.to_json())?;
            }
            if !known.names.iter().any(|other| other == name) {
                known.names.push(name.to_owned());
            }
        }
        self.write(&self.of_volume(uuid), &known.to_json())?;
        match name {
            Some(name) => self.write(
                &self.of_name(name),
                &json!({ "version": 1, "name": name, "volume": uuid.to_string() }),
            ),
            None => Ok(()),
        }
    }

    /// Forgets a volume and its names; tells whether it was known.
    pub fn forget(&self, uuid: Uuid) -> Result<bool, Failure> {
        let failed = |error: &io::Error| Failure::io("cannot change", show(&self.dir), error);
        if !self.of_volume(uuid).try_exists().map_err(|error| failed(&error))? {
            return Ok(false);
        }
        let _lock = self.lock().map_err(|error| failed(&error))?;
        // One that is damaged is forgotten as well.
        let names = self.volume(uuid).ok().flatten().map(|known| known.names).unwrap_or_default();
        let names = names.iter().filter(|name| matches!(self.at(name), Ok(Some(at)) if at == uuid));
        for path in names.map(|name| self.of_name(name)).chain([self.of_volume(uuid)]) {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(&error)),
                _ => {}
            }
        }
        Ok(true)
    }

    fn of_volume(&self, uuid: Uuid) -> PathBuf {
        self.dir.join(format!("volumes/{uuid}.json"))
    }

    fn of_name(&self, name: &str) -> PathBuf {
        let hash: String = Sha256::digest(name).iter().map(|byte| format!("{byte:02x}")).collect();
        self.dir.join(format!("names/{hash}.json"))
    }

    fn read(&self, path: &Path) -> Result<Option<Value>, Failure> {
        let mut text = String::new();
        let read = File::open(path).and_then(|file| file.take(MAX_FILE).read_to_string(&mut text));
        match read {
            Ok(_) => {}
            // Nothing there, or nothing that this user may see.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return Ok(None),
            Err(error) if error.kind() == ErrorKind::InvalidData => return Err(damaged(path)),
            Err(error) => return Err(Failure::io("cannot read", show(path), &error)),
        }
        let value: Value = serde_json::from_str(&text).map_err(|_| damaged(path))?;
        if value["version"] != 1 {
            return Err(Failure::new(format!(
                "{} has version {}, and this command reads version 1: use a newer one",
                show(path),
                value["version"]
            )));
        }
        Ok(Some(value))
    }

    /// Puts a file into its place whole, and on the disk.
    fn write(&self, path: &Path, value: &Value) -> io::Result<()> {
        let new = path.with_extension("new");
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(format!("{value:#}\n").as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        File::open(path.parent().unwrap_or(&self.dir))?.sync_all()
    }

    fn lock(&self) -> io::Result<File> {
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.dir.join("lock"))?;
        let begun = Instant::now();
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Err(rustix::io::Errno::WOULDBLOCK) if begun.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                done => return done.map(|()| file).map_err(io::Error::from),
            }
        }
    }
}

impl Known {
    fn to_json(&self) -> Value {
        let Known { pin, generation, keys, names, accepted, destroying, used } = self;
        json!({
            "version": 1,
            "pin": pin.to_string(),
            "generation": generation.to_string(),
            "keys": keys,
            "names": names,
            "accepted": accepted,
            "destroying": destroying,
            "used": used,
        })
    }

    fn from_json(value: &Value) -> Option<Known> {
        let texts = |value: &Value| -> Option<Vec<String>> {
            value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
        };
        Some(Known {
            pin: value["pin"].as_str()?.parse().ok()?,
            generation: value["generation"].as_str()?.parse().ok()?,
            keys: texts(&value["keys"])?,
            names: texts(&value["names"])?,
            accepted: value["accepted"].as_bool()?,
            destroying: value["destroying"].as_bool()?,
            used: value["used"].as_u64()?,
        })
    }
}

fn damaged(path: &Path) -> Failure {
    Failure::new(format!(
        "{} is damaged, so that nothing can be held against what was known of the volume: remove it if you know why, and the \
         volume is taken for a new one",
        show(path)
    ))
}

/// The directory, from the variables that `get` reads: `$ATREST_STATE`; else that of the system for root, and
/// `atrest` in the XDG state directory for others.
fn place(get: impl Fn(&str) -> Option<OsString>, home: Option<PathBuf>, root: bool) -> Option<PathBuf> {
    let variable = |name| get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let absolute = |path: &PathBuf| path.is_absolute();
    if let Some(path) = variable(VARIABLE) {
        return std::path::absolute(path).ok();
    }
    if root {
        return Some(PathBuf::from("/var/lib/atrest"));
    }
    let state = variable("XDG_STATE_HOME").filter(absolute);
    state
        .or_else(|| home.filter(absolute).map(|home| home.join(".local/state")))
        .map(|state| state.join("atrest"))
}

/// The name by which a volume is known again: the path of a regular file, and a link by the device's identity. What
/// the kernel counts (`/dev/sdb`) is another device after the next boot.
pub fn stable_name(path: &Path) -> Option<String> {
    if let Ok(whole) = std::path::absolute(path)
        && whole.as_os_str().as_bytes().starts_with(b"/dev/disk/by-id/")
    {
        return whole.to_str().map(str::to_owned);
    }
    let whole = fs::canonicalize(path).ok()?;
    let is_file = fs::metadata(&whole).is_ok_and(|metadata| metadata.is_file());
    is_file.then(|| whole.to_str().map(str::to_owned)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_the_variable_or_the_system_s_or_the_user_s() {
        let with = |variables: &[(&str, &str)], home: Option<&str>, root| {
            let get = |name: &str| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
            };
            place(get, home.map(PathBuf::from), root).map(|path| path.to_str().unwrap().to_owned())
        };
        let all = [(VARIABLE, "/state"), ("XDG_STATE_HOME", "/xdg")];
        assert_eq!(with(&all, Some("/home/a"), true).unwrap(), "/state");
        assert_eq!(with(&all[1..], Some("/home/a"), true).unwrap(), "/var/lib/atrest");
        assert_eq!(with(&all[1..], Some("/home/a"), false).unwrap(), "/xdg/atrest");
        assert_eq!(
            with(&[("XDG_STATE_HOME", "xdg")], Some("/home/a"), false).unwrap(),
            "/home/a/.local/state/atrest"
        );
        assert_eq!(with(&[], None, false), None);
    }

    #[test]
    fn a_volume_is_remembered_with_its_names_and_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let memory = Memory { dir: dir.path().join("state") };
        let [one, two] = [1, 2].map(|i| Uuid::from_bytes([i; 16]));
        let known = |uuid, generation| Known {
            pin: Pin::new(uuid, [7; 32], 3),
            generation,
            keys: vec!["local:default".to_owned()],
            names: Vec::new(),
            accepted: true,
            destroying: false,
            used: 0,
        };
        assert_eq!((memory.volume(one).unwrap(), memory.all().unwrap().len()), (None, 0));
        memory.remember(known(one, 1), Some("/a")).unwrap();
        memory.remember(known(one, u64::MAX), Some("/b")).unwrap();
        let read = memory.volume(one).unwrap().unwrap();
        assert_eq!((read.generation, read.names.len()), (u64::MAX, 2));
        assert!(read.used > 1_700_000_000);
        // A name is where one volume is.
        memory.remember(known(two, 1), Some("/a")).unwrap();
        assert_eq!((memory.at("/a").unwrap(), memory.at("/b").unwrap()), (Some(two), Some(one)));
        assert_eq!(memory.volume(one).unwrap().unwrap().names, ["/b"]);
        assert_eq!(memory.all().unwrap().len(), 2);
        assert!(memory.forget(one).unwrap() && !memory.forget(one).unwrap());
        assert_eq!((memory.volume(one).unwrap(), memory.at("/b").unwrap()), (None, None));
        assert_eq!(memory.at("/a").unwrap(), Some(two));
        // What is damaged is no stranger.
        fs::write(memory.of_volume(two), "{").unwrap();
        assert!(memory.volume(two).is_err() && memory.all().is_err());
        assert!(memory.forget(two).unwrap());
    }
}
