//! The keystore's files where there is no Unix: no checks of owners and modes, which these platforms do not
//! have, but the same rule that a new file never replaces another.

use super::{
    super::super::{ErrorClass, ProviderError},
    LOCK, MAX_FILE, fill, fill_zeros, io, is_leftover, leftover_name, missing,
};
use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The right to change files in a directory, which one holder has at a time, among all processes and threads.
pub struct Lock(#[allow(dead_code, reason = "closing it gives the right back")] File);

/// A directory of a keystore: its `keys`, or its home.
pub struct KeyDir {
    path: PathBuf,
}

impl KeyDir {
    /// The keys of the keystore at `home`.
    pub fn open(home: &Path) -> Result<KeyDir, ProviderError> {
        let path = home.join("keys");
        if path.is_dir() { Ok(KeyDir { path }) } else { Err(missing(home)) }
    }

    /// The keys of the keystore at `home`, after making what is missing.
    pub fn open_or_create(home: &Path) -> Result<KeyDir, ProviderError> {
        let path = home.join("keys");
        std::fs::create_dir_all(&path).map_err(|error| io("create the directory", &path, error))?;
        KeyDir::open(home)
    }

    /// The home of a keystore itself, for files that are no keys.
    pub fn open_home(home: &Path) -> Result<KeyDir, ProviderError> {
        if home.is_dir() { Ok(KeyDir { path: home.to_owned() }) } else { Err(missing(home)) }
    }

    #[cfg(test)]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is anything of that name.
    pub fn exists(&self, file: &str) -> Result<bool, ProviderError> {
        let path = self.path.join(file);
        match std::fs::symlink_metadata(&path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(io("look for", &path, error)),
        }
    }

    /// The text of a file, or `None` if there is none of that name.
    pub fn read(&self, file: &str) -> Result<Option<Zeroizing<Vec<u8>>>, ProviderError> {
        let path = self.path.join(file);
        match File::open(&path) {
            Ok(file) => read_whole(file, &path).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io("open", &path, error)),
        }
    }

    /// Puts a new file in its place, whole and synced, and tells whether it did: `false` if there is one of that
    /// name, which is left alone.
    pub fn publish(&self, _: &Lock, file: &str, text: &[u8]) -> Result<bool, ProviderError> {
        let temporary = self.path.join(leftover_name(file)?);
        let path = self.path.join(file);
        let placed = write_new(&temporary, text).and_then(|()| {
            // A link, because a rename would replace.
            match std::fs::hard_link(&temporary, &path) {
                Ok(()) => Ok(true),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
                Err(error) => Err(error),
            }
        });
        let removed = std::fs::remove_file(&temporary);
        let placed = placed.map_err(|error| io("write", &path, error))?;
        removed.map_err(|error| io("remove", &temporary, error))?;
        Ok(placed)
    }

    /// Waits for the right to change files here; then nothing is left of changes that were cut off.
    pub fn lock(&self) -> Result<Lock, ProviderError> {
        let path = self.path.join(LOCK);
        let opened = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = opened.map_err(|error| io("open", &path, error))?;
        file.lock().map_err(|error| io("lock", &path, error))?;
        let lock = Lock(file);
        for name in self.files()?.iter().filter(|name| is_leftover(name)) {
            self.erase(&lock, name)?;
        }
        Ok(lock)
    }

    /// Puts `text` in the place of the file, in one step, whole and synced. What it held is not overwritten: others
    /// may be reading it.
    pub fn replace(&self, _: &Lock, file: &str, text: &[u8]) -> Result<(), ProviderError> {
        let temporary = self.path.join(leftover_name(file)?);
        let path = self.path.join(file);
        let placed = write_new(&temporary, text).and_then(|()| std::fs::rename(&temporary, &path));
        placed.map_err(|error| {
            // The error that matters is the first one.
            let _ = std::fs::remove_file(&temporary);
            io("write", &path, error)
        })
    }

    /// Removes the file, and overwrites what it held. None of that name is fine.
    pub fn erase(&self, lock: &Lock, file: &str) -> Result<(), ProviderError> {
        self.erase_everywhere(lock, file).map(drop)
    }

    /// The same; and tells whether there was one.
    pub fn erase_everywhere(&self, _: &Lock, file: &str) -> Result<bool, ProviderError> {
        let path = self.path.join(file);
        let hidden = self.path.join(leftover_name(file)?);
        let failed = |error| io("remove", &path, error);
        match std::fs::rename(&path, &hidden) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            renamed => renamed.map_err(failed)?,
        }
        let old = OpenOptions::new().write(true).open(&hidden).map_err(failed)?;
        let length = old.metadata().map_err(failed)?.len();
        fill_zeros(&old, length).and_then(|()| std::fs::remove_file(&hidden)).map_err(failed)?;
        Ok(true)
    }

    /// Whether files can be changed here.
    pub fn writable(&self) -> Result<(), ProviderError> {
        let failed = |error| io("change files in", &self.path, error);
        match std::fs::metadata(&self.path).map_err(failed)?.permissions().readonly() {
            true => Err(failed(ErrorKind::PermissionDenied.into())),
            false => Ok(()),
        }
    }

    /// Makes sure that a file is on the disk, whoever made it.
    pub fn persist(&self, name: &str) -> Result<(), ProviderError> {
        let path = self.path.join(name);
        // Some systems sync what is open for writing alone.
        let file = OpenOptions::new().read(true).write(true).open(&path);
        file.and_then(|file| file.sync_all()).map_err(|error| io("sync", &path, error))
    }

    /// There is no portable way to sync a directory.
    pub fn sync(&self) -> Result<(), ProviderError> {
        Ok(())
    }

    /// The names of all files that are Unicode.
    pub fn files(&self) -> Result<Vec<String>, ProviderError> {
        let failed = |error| io("list", &self.path, error);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.path).map_err(failed)? {
            if let Ok(name) = entry.map_err(failed)?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }
}

fn write_new(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

/// Reads a file without a copy that is not wiped: the buffer has room for the largest, and never grows.
fn read_whole(mut file: File, path: &Path) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
    let mut text = Zeroizing::new(vec![0; MAX_FILE + 1]);
    let filled = fill(&mut file, &mut text).map_err(|error| io("read", path, error))?;
    if filled > MAX_FILE {
        let message = format!("the file {} is longer than {MAX_FILE} bytes", path.display());
        return Err(ProviderError::new(ErrorClass::Malformed, message));
    }
    text.truncate(filled);
    Ok(text)
}
