//! The keystore's files where there is no Unix: no checks of owners and modes, which these platforms do not
//! have, but the same rule that a new file never replaces another.

use super::{
    super::super::{ErrorClass, ProviderError},
    Hidden, LOCK, Leftovers, MAX_FILE, fill, fill_zeros, io, lock_within, locked, missing,
};
use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    time::Duration,
};
use zeroize::Zeroizing;

/// The right to change files in a directory, which one holder has at a time, among all processes and threads.
pub struct Lock {
    /// Closing it gives the right back.
    _file: File,
    /// What was found of changes that were cut off.
    pub leftovers: Leftovers,
}

/// A directory of a keystore: its `keys`, or its home.
pub struct KeyDir {
    path: PathBuf,
}

impl KeyDir {
    /// The keys of the keystore at `home`, which must be there; `None` where no key was made in it yet.
    pub fn open(home: &Path) -> Result<Option<KeyDir>, ProviderError> {
        let path = home.join("keys");
        match (path.is_dir(), home.is_dir()) {
            (true, _) => Ok(Some(KeyDir { path })),
            (false, true) => Ok(None),
            (false, false) => Err(missing(home)),
        }
    }

    /// The keys of the keystore at `home`, which must be there, after making their directory where it is missing.
    pub fn open_or_make(home: &Path) -> Result<KeyDir, ProviderError> {
        let path = home.join("keys");
        match std::fs::create_dir(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Err(missing(home)),
            Err(error) if !path.is_dir() => Err(io("create the directory", &path, error)),
            _ => Ok(KeyDir { path }),
        }
    }

    /// Makes the home of a keystore where it is missing, and the keys in it.
    pub fn create(home: &Path) -> Result<KeyDir, ProviderError> {
        std::fs::create_dir_all(home).map_err(|error| io("create the directory", home, error))?;
        KeyDir::open_or_make(home)
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
        let temporary = self.path.join(Hidden::Spare.name(file)?);
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

    /// Waits for the right to change files here, for so long. Then what is left of changes that were cut off is removed;
    /// what cannot be is no reason not to change other files.
    pub fn lock(&self, wait: Duration) -> Result<Lock, ProviderError> {
        let path = self.path.join(LOCK);
        let opened = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = opened.map_err(|error| io("open", &path, error))?;
        if !lock_within(wait, &file, File::try_lock).map_err(|error| io("lock", &path, error))? {
            return Err(locked(&path, wait));
        }
        let mut leftovers = Leftovers::default();
        for name in self.files()?.iter().filter(|name| Hidden::of(name).is_some()) {
            leftovers.note(name, self.clear(name));
        }
        Ok(Lock { _file: file, leftovers })
    }

    /// Puts `text` in the place of the file, in one step, whole and synced. What it held is not overwritten: others
    /// may be reading it.
    pub fn replace(&self, _: &Lock, file: &str, text: &[u8]) -> Result<(), ProviderError> {
        let temporary = self.path.join(Hidden::Spare.name(file)?);
        let path = self.path.join(file);
        let placed = write_new(&temporary, text).and_then(|()| std::fs::rename(&temporary, &path));
        placed.map_err(|error| {
            // The error that matters is the first one.
            let _ = std::fs::remove_file(&temporary);
            io("write", &path, error)
        })
    }

    /// Removes the file, and overwrites what it held. Tells whether there was one. After a failure it is no longer in its
    /// place, and [`lock`](KeyDir::lock) finishes what was begun.
    pub fn erase(&self, _: &Lock, file: &str) -> Result<bool, ProviderError> {
        let path = self.path.join(file);
        let hidden = Hidden::Erased.name(file)?;
        match std::fs::rename(&path, self.path.join(&hidden)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            renamed => renamed.map_err(|error| io("remove", &path, error))?,
        }
        self.clear(&hidden)?;
        Ok(true)
    }

    /// Overwrites and removes a file that has a hidden name.
    fn clear(&self, hidden: &str) -> Result<(), ProviderError> {
        let path = self.path.join(hidden);
        let failed = |error| io("remove", &path, error);
        let old = OpenOptions::new().write(true).open(&path).map_err(failed)?;
        let length = old.metadata().map_err(failed)?.len();
        fill_zeros(&old, length).and_then(|()| std::fs::remove_file(&path)).map_err(failed)
    }

    /// Whether files can be changed here.
    pub fn writable(&self) -> Result<(), ProviderError> {
        let failed = |error| io("change files in", &self.path, error);
        match std::fs::metadata(&self.path).map_err(failed)?.permissions().readonly() {
            true => Err(failed(ErrorKind::PermissionDenied.into())),
            false => Ok(()),
        }
    }

    /// Makes sure that a file is on the disk, whoever made it. Tells whether there is one.
    pub fn persist(&self, name: &str) -> Result<bool, ProviderError> {
        let path = self.path.join(name);
        // Some systems sync what is open for writing alone.
        match OpenOptions::new().read(true).write(true).open(&path).and_then(|file| file.sync_all()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(io("sync", &path, error)),
        }
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
