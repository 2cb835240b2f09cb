//! Standard output, past the standard library's buffer.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;

use crate::failure::Failure;

/// Standard output as a file, for data that belongs on no terminal: `what` it is.
pub fn for_data(what: &str) -> Result<File, Failure> {
    let stdout = io::stdout();
    if stdout.is_terminal() {
        return Err(Failure::new(format!(
            "standard output is a terminal: redirect {what} to a file or a pipe"
        )));
    }
    let descriptor = stdout.as_fd().try_clone_to_owned().map_err(|error| failed(&error))?;
    Ok(File::from(descriptor))
}

/// Writes text for people or programs.
pub fn print(text: &str) -> Result<(), Failure> {
    // The standard library takes a descriptor that cannot be written for nothing to complain of.
    let descriptor = io::stdout().as_fd().try_clone_to_owned().map_err(|error| failed(&error))?;
    File::from(descriptor).write_all(text.as_bytes()).map_err(|error| failed(&error))
}

/// A failure to write there, which is quiet when nobody reads any more.
pub fn failed(error: &io::Error) -> Failure {
    match error.kind() {
        ErrorKind::BrokenPipe => Failure::quiet(),
        _ => Failure::io("cannot write to", "standard output", error),
    }
}
