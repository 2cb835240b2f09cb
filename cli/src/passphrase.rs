//! Passphrases of local keys: from a terminal that does not show them, or from a file. Never from an argument or a
//! variable, which other programs of the user can read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write as _};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use atrest::environment::variable;
use atrest::keys::{ErrorClass, LocalKeystore, Passphrase, ProviderError};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::failure::show;
use crate::signals;

/// Names a file with the passphrase of the keys that are used.
const VARIABLE: &str = "ATREST_PASSPHRASE_FILE";

/// The keystore, asking for passphrases where its keys need them.
pub fn asking(keystore: LocalKeystore) -> LocalKeystore {
    // A command may use a key several times; its user is asked once.
    let known = Mutex::new(BTreeMap::<String, Passphrase>::new());
    keystore.with_passphrase(move |key| {
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(passphrase) = known.get(key) {
            return Ok(passphrase.clone());
        }
        let passphrase = present(key)?;
        known.insert(key.to_owned(), passphrase.clone());
        Ok(passphrase)
    })
}

/// The passphrase that a key has.
fn present(key: &str) -> Result<Passphrase, ProviderError> {
    if let Some(path) = variable(VARIABLE) {
        return from_file(Path::new(&path));
    }
    let mut terminal = Terminal::open().map_err(|_| {
        let message = format!(
            "the local key {key} needs a passphrase, and there is no terminal to prompt on: set {VARIABLE} to a file that \
             holds it"
        );
        ProviderError::new(ErrorClass::PassphraseRequired, message)
    })?;
    terminal.ask(&format!("Passphrase of local:{key}: "))
}

/// A passphrase that a key is to get: from a file, or asked for twice.
pub fn new(key: &str, file: Option<&Path>) -> Result<Passphrase, ProviderError> {
    if let Some(path) = file {
        return from_file(path);
    }
    let mut terminal = Terminal::open().map_err(|_| {
        let message = "there is no terminal to prompt for the new passphrase on: give --passphrase-file FILE";
        ProviderError::new(ErrorClass::PassphraseRequired, message)
    })?;
    // Each as secret as the other, and the terminal keeps neither.
    let first = terminal.ask(&format!("New passphrase of local:{key}: "))?;
    let second = terminal.ask("Repeat the passphrase: ")?;
    if first == second {
        return Ok(first);
    }
    let message = "the passphrases differ, and nothing was changed: try again";
    Err(ProviderError::new(ErrorClass::InvalidRequest, message))
}

/// The passphrase in a file, `-` for standard input: all of it but a line end at its end.
fn from_file(path: &Path) -> Result<Passphrase, ProviderError> {
    let failed = |error| {
        ProviderError::new(ErrorClass::LocalIo, format!("cannot read the passphrase from {}", show(path)))
            .with_source(error)
    };
    // Past the standard library's buffer, which is not wiped.
    let opened = if path == Path::new("-") {
        io::stdin().as_fd().try_clone_to_owned().map(File::from)
    } else {
        File::open(path)
    };
    let mut file = opened.map_err(failed)?;
    let mut buffer = Buffer::new();
    loop {
        match file.read(&mut buffer.bytes[buffer.length..]) {
            // More than the longest passphrase fits; that is refused below.
            Ok(0) => break,
            Ok(count) => buffer.length += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
    buffer.take()
}

/// Room for a passphrase and a line end, wiped in the end.
struct Buffer {
    bytes: Zeroizing<[u8; Passphrase::MAX + 2]>,
    length: usize,
}

impl Buffer {
    fn new() -> Buffer {
        Buffer { bytes: Zeroizing::new([0; Passphrase::MAX + 2]), length: 0 }
    }

    fn take(&mut self) -> Result<Passphrase, ProviderError> {
        let text = &mut self.bytes[..self.length];
        let end = text
            .strip_suffix(b"\n")
            .map_or(text.len(), |line| line.strip_suffix(b"\r").unwrap_or(line).len());
        Passphrase::take(&mut text[..end])
    }
}

/// The terminal of this process, whatever its standard streams are.
struct Terminal(File);

impl Terminal {
    fn open() -> io::Result<Terminal> {
        let file = File::options().read(true).write(true).open("/dev/tty")?;
        tcgetattr(&file)?;
        Ok(Terminal(file))
    }

    /// Asks for one line, which is not shown.
    fn ask(&mut self, prompt: &str) -> Result<Passphrase, ProviderError> {
        let failed = |error: io::Error| {
            ProviderError::new(ErrorClass::LocalIo, "cannot prompt for the passphrase on the terminal")
                .with_source(error)
        };
        let hidden = Hidden::hide(&self.0).map_err(failed)?;
        self.0.write_all(prompt.as_bytes()).map_err(failed)?;
        let mut buffer = Buffer::new();
        let mut byte = Zeroizing::new([0]);
        loop {
            match self.0.read(&mut byte[..]) {
                Ok(0) => break,
                Ok(_) if byte[0] == b'\n' => break,
                // What is beyond the longest passphrase is read to the line's end, and refused with its length.
                Ok(_) if buffer.length < buffer.bytes.len() => {
                    buffer.bytes[buffer.length] = byte[0];
                    buffer.length += 1;
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
        drop(hidden);
        // The line end that was typed was not shown either.
        self.0.write_all(b"\n").map_err(failed)?;
        Passphrase::take(&mut buffer.bytes[..buffer.length])
    }
}

/// What stands for no character (POSIX's `_POSIX_VDISABLE`).
const DISABLED: u8 = if cfg!(any(target_os = "linux", target_os = "android")) { 0 } else { 0xff };

/// A terminal that does not show what is typed, until this is dropped or a signal ends the process.
struct Hidden {
    file: File,
    before: rustix::termios::Termios,
    _on_signal: signals::Cleanup,
}

impl Hidden {
    fn hide(file: &File) -> io::Result<Hidden> {
        let before = tcgetattr(file)?;
        let on_signal = {
            let (file, before) = (file.try_clone()?, before.clone());
            signals::before_end(move || {
                let _ = tcsetattr(&file, OptionalActions::Now, &before);
            })?
        };
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL);
        hidden.local_modes.insert(LocalModes::ICANON | LocalModes::ISIG);
        // A process that is stopped here would leave the terminal so, and find it showing everything when it goes on.
        hidden.special_codes[SpecialCodeIndex::VSUSP] = DISABLED;
        tcsetattr(file, OptionalActions::Flush, &hidden)?;
        Ok(Hidden { file: file.try_clone()?, before, _on_signal: on_signal })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // What was typed ahead, after the line, is not shown later.
        let _ = tcsetattr(&self.file, OptionalActions::Flush, &self.before);
    }
}
