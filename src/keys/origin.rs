//! Which process an object was made in: locks and threads of an object do not work in a forked child.

use super::{Secret, SecretError};

/// The process that made this.
pub(crate) struct Origin {
    process: u32,
    /// Wiped by a fork, where the system does that: process numbers may repeat, in another PID namespace for example.
    mark: Secret<1>,
}

impl Origin {
    pub(crate) fn here() -> Result<Origin, SecretError> {
        Ok(Origin { process: std::process::id(), mark: Secret::new()? })
    }

    /// Whether this process is that one, and not a fork of it.
    pub(crate) fn is_here(&self) -> bool {
        self.process == std::process::id() && !self.mark.is_wiped()
    }
}
