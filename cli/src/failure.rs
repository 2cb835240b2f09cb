//! What a command ends with when it does not succeed.

use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::path::Path;

use atrest::keys::Class;
use atrest::luks2::{ParseError, Warning};
use atrest::text::printable;
use atrest::volume::{Error, StorageError};

use crate::advice;

/// Why a command failed, in one line; or nothing, when whoever read its output has gone away and would not
/// care.
#[derive(Debug)]
pub struct Failure(Option<String>);

impl Failure {
    /// A failure with this message.
    pub fn new(message: impl Into<String>) -> Failure {
        Failure(Some(message.into()))
    }

    /// The reader of standard output has gone away.
    pub const fn quiet() -> Failure {
        Failure(None)
    }

    /// `ACTION SUBJECT: CAUSE; ADVICE`, for an operation on a file.
    pub fn io(action: &str, subject: impl Display, error: &io::Error) -> Failure {
        let cause = cause(error);
        Failure::new(format!("{action} {subject}: {cause}{}", io_advice(error)))
    }

    /// `ACTION SUBJECT: CAUSE; ADVICE`, for an operation on a volume.
    pub fn volume(action: &str, subject: impl Display, error: impl Into<Error>) -> Failure {
        let error = error.into();
        match &error {
            Error::Storage(StorageError { action: step, source, .. }) => Failure::new(format!(
                "{action} {subject}: {step} failed: {}{}",
                cause(source),
                io_advice(source)
            )),
            error => {
                Failure::new(format!("{action} {subject}: {}{}", advice::with_volume(error), remedy(error)))
            }
        }
    }

    /// Adds what the user must know although the command failed.
    #[must_use]
    pub fn and(self, more: &str) -> Failure {
        Failure(self.0.map(|message| format!("{message}; {more}")))
    }

    /// Tells the user.
    pub fn report(&self) {
        if let Failure(Some(message)) = self {
            say(&format!("atrest: {message}"));
        }
    }
}

/// Tells the user what to look after, though the command goes on.
pub fn warn(subject: impl Display, warning: &Warning) {
    say(&format!("atrest: warning: {subject}: {warning}"));
}

/// One line on standard error. Names of files can hold line ends and escape sequences; shown as they are they could
/// pretend to be other lines.
pub fn say(line: &str) {
    // Nobody is left to be told of a failure to tell.
    let _ = io::Write::write_all(&mut io::stderr(), format!("{}\n", printable(line)).as_bytes());
}

/// A path for a message.
pub fn show(path: &Path) -> String {
    path.display().to_string()
}

/// The system's words, without the number that only a programmer would look up.
fn cause(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// Which command or option of this program helps, where one does.
fn remedy(error: &Error) -> &'static str {
    match error {
        Error::Header(ParseError::NotLuks | ParseError::Damaged { .. }) => {
            "; restore a backup with `atrest header restore`"
        }
        Error::Destroyed(note) if note.class != Some(Class::Scratch) => {
            "; restore one with `atrest header restore`"
        }
        Error::NotScratch(_) => "; --force overwrites this header and its keyslots anyway",
        Error::NotAuthenticated(_) => "; --uuid UUID destroys it all the same",
        Error::NotVouchedFor(_) => "; give it with --expect PIN",
        Error::NotRestored(_) => "; --force restores it anyway",
        _ => "",
    }
}

/// What can be done about it, where that is known.
fn io_advice(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "; free some space, or choose another location",
        ErrorKind::ReadOnlyFilesystem => "; choose a writable location",
        ErrorKind::PermissionDenied => "; check its permissions, or choose another location",
        ErrorKind::NotFound => "; check the path",
        ErrorKind::FileTooLarge => "; choose a file system (or raise a limit) that allows files of this size",
        ErrorKind::ResourceBusy => "; it is in use (perhaps mounted): release it first",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_have_no_numbers() {
        let error = io::Error::from(rustix::io::Errno::NOSPC);
        let Failure(message) = Failure::io("cannot write", "x", &error);
        assert_eq!(
            message.unwrap(),
            "cannot write x: No space left on device; free some space, or choose another location"
        );
    }
}
