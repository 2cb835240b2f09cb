//! What C is told when a call fails for a reason worth a sentence: a status, and one line of text.

use core::ffi::c_char;
use std::io::{self, ErrorKind};

use super::pointer;
use super::status::{
    ATREST_ERROR_BUSY, ATREST_ERROR_CONTEXT_MISMATCH, ATREST_ERROR_DAMAGED, ATREST_ERROR_DESCRIPTOR,
    ATREST_ERROR_DISCARD_OFF, ATREST_ERROR_ENVELOPE, ATREST_ERROR_EXISTS, ATREST_ERROR_FILE_TYPE,
    ATREST_ERROR_FORGED, ATREST_ERROR_FORKED, ATREST_ERROR_INTERNAL, ATREST_ERROR_INVALID_REQUEST,
    ATREST_ERROR_IO, ATREST_ERROR_KEY_DISABLED, ATREST_ERROR_KEY_EXISTS, ATREST_ERROR_KEY_LENGTH,
    ATREST_ERROR_KEY_NAME, ATREST_ERROR_KEY_NOT_FOUND, ATREST_ERROR_KEY_PENDING_DELETION,
    ATREST_ERROR_KEY_UNAVAILABLE, ATREST_ERROR_KEYSTORE_IO, ATREST_ERROR_KEYSTORE_PERMISSIONS,
    ATREST_ERROR_LIMIT_EXCEEDED, ATREST_ERROR_MALFORMED_ANSWER, ATREST_ERROR_NEEDS_FORCE,
    ATREST_ERROR_NO_CREDENTIALS, ATREST_ERROR_NO_MEMORY, ATREST_ERROR_NO_SPACE, ATREST_ERROR_NOT_A_VOLUME,
    ATREST_ERROR_NOT_AUTHORISED, ATREST_ERROR_NOT_FOUND, ATREST_ERROR_OUT_OF_BOUNDS,
    ATREST_ERROR_PASSPHRASE_REQUIRED, ATREST_ERROR_PERMISSION, ATREST_ERROR_RANDOM, ATREST_ERROR_READ_ONLY,
    ATREST_ERROR_REFUSED, ATREST_ERROR_SECRET_MEMORY, ATREST_ERROR_SLOT, ATREST_ERROR_THROTTLED,
    ATREST_ERROR_TIMED_OUT, ATREST_ERROR_TRUNCATED, ATREST_ERROR_UNREACHABLE, ATREST_ERROR_UNSUPPORTED,
    ATREST_ERROR_VOLUME_SECTOR_SIZE, ATREST_ERROR_VOLUME_SIZE, ATREST_ERROR_WITHDRAWN,
    ATREST_ERROR_WRONG_KEY, ATREST_ERROR_WRONG_KEY_TYPE, ATREST_ERROR_WRONG_PASSPHRASE, atrest_status,
    guarded, message,
};
use atrest::keys::{EnvelopeError, ErrorClass, KeyRefError, ProviderError, SecretError};
use atrest::volume::{Error, Warning};

/// Why a call failed.
pub(super) struct Failure {
    pub(super) status: atrest_status,
    text: String,
}

impl Failure {
    pub(super) fn new(status: atrest_status, text: impl Into<String>) -> Failure {
        Failure { status, text: text.into() }
    }
}

/// For failures that need no more words than their status has.
impl From<atrest_status> for Failure {
    fn from(status: atrest_status) -> Failure {
        Failure::new(status, message(status as i32).to_string_lossy())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::new(atrest_status::from(&error), error.to_string())
    }
}

impl From<EnvelopeError> for Failure {
    fn from(error: EnvelopeError) -> Failure {
        Failure::new(atrest_status::from(&error), error.to_string())
    }
}

impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Failure {
        Failure::new(error.class().into(), error.to_string())
    }
}

impl From<KeyRefError> for Failure {
    fn from(error: KeyRefError) -> Failure {
        Failure::new(ATREST_ERROR_KEY_NAME, error.to_string())
    }
}

impl From<SecretError> for Failure {
    fn from(error: SecretError) -> Failure {
        Failure::new(ATREST_ERROR_SECRET_MEMORY, error.to_string())
    }
}

impl From<&Error> for atrest_status {
    fn from(error: &Error) -> atrest_status {
        match error {
            Error::Io { source, .. } => source.into(),
            Error::TooShort { .. }
            | Error::NotLuks
            | Error::Luks1
            | Error::NoToken
            | Error::Destroyed(_)
            | Error::OtherUuid { .. } => ATREST_ERROR_NOT_A_VOLUME,
            Error::Damaged { .. } | Error::NotVerified { .. } | Error::NotOverwritten { .. } => {
                ATREST_ERROR_DAMAGED
            }
            Error::NotScratch { .. } | Error::NotRestored(_) => ATREST_ERROR_NEEDS_FORCE,
            Error::Refused(_) | Error::HeaderFull { .. } | Error::TokenVersion(_) => ATREST_ERROR_REFUSED,
            Error::Forged | Error::Token(_) | Error::Uuid { .. } => ATREST_ERROR_FORGED,
            Error::WrongKeys | Error::WrongVolumeKey | Error::OtherEnvelope => ATREST_ERROR_WRONG_KEY,
            Error::VolumeKeyLength { .. } => ATREST_ERROR_KEY_LENGTH,
            Error::Truncated { .. } => ATREST_ERROR_TRUNCATED,
            Error::SectorSize(_) => ATREST_ERROR_VOLUME_SECTOR_SIZE,
            Error::Size { .. } | Error::DeviceTooSmall { .. } => ATREST_ERROR_VOLUME_SIZE,
            // No call takes a label, and changes of wrappings get their keys.
            Error::Label { .. } | Error::NeedsKeys => ATREST_ERROR_INTERNAL,
            Error::NotEmpty { .. } => ATREST_ERROR_EXISTS,
            Error::FileType => ATREST_ERROR_FILE_TYPE,
            Error::FileReadOnly | Error::ReadOnly => ATREST_ERROR_READ_ONLY,
            Error::FileAppends => ATREST_ERROR_DESCRIPTOR,
            Error::DiscardOff => ATREST_ERROR_DISCARD_OFF,
            Error::OutOfBounds { .. } => ATREST_ERROR_OUT_OF_BOUNDS,
            Error::Busy | Error::Changed => ATREST_ERROR_BUSY,
            Error::Withdrawn(_) => ATREST_ERROR_WITHDRAWN,
            Error::Recheck(_) => ATREST_ERROR_INVALID_REQUEST,
            Error::Random(_) => ATREST_ERROR_RANDOM,
            Error::Envelope(error) => error.into(),
            Error::Xts(error) => (*error).into(),
            _ => ATREST_ERROR_INTERNAL,
        }
    }
}

impl From<&io::Error> for atrest_status {
    fn from(error: &io::Error) -> atrest_status {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                ATREST_ERROR_NO_SPACE
            }
            ErrorKind::NotFound => ATREST_ERROR_NOT_FOUND,
            ErrorKind::AlreadyExists => ATREST_ERROR_EXISTS,
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => ATREST_ERROR_PERMISSION,
            ErrorKind::IsADirectory => ATREST_ERROR_FILE_TYPE,
            ErrorKind::OutOfMemory => ATREST_ERROR_NO_MEMORY,
            ErrorKind::Unsupported => ATREST_ERROR_UNSUPPORTED,
            _ => ATREST_ERROR_IO,
        }
    }
}

impl From<&EnvelopeError> for atrest_status {
    fn from(error: &EnvelopeError) -> atrest_status {
        match error {
            EnvelopeError::NoSuchSlot { .. } | EnvelopeError::SlotExists { .. } => ATREST_ERROR_SLOT,
            EnvelopeError::Scratch { .. } | EnvelopeError::ScratchKey { .. } => ATREST_ERROR_KEY_NAME,
            error => error.class().map_or(ATREST_ERROR_ENVELOPE, atrest_status::from),
        }
    }
}

impl From<ErrorClass> for atrest_status {
    fn from(class: ErrorClass) -> atrest_status {
        match class {
            ErrorClass::NotAuthorised => ATREST_ERROR_NOT_AUTHORISED,
            ErrorClass::KeyNotFound => ATREST_ERROR_KEY_NOT_FOUND,
            ErrorClass::KeyExists => ATREST_ERROR_KEY_EXISTS,
            ErrorClass::KeyName => ATREST_ERROR_KEY_NAME,
            ErrorClass::KeyDisabled => ATREST_ERROR_KEY_DISABLED,
            ErrorClass::KeyPendingDeletion => ATREST_ERROR_KEY_PENDING_DELETION,
            ErrorClass::WrongKey => ATREST_ERROR_WRONG_KEY,
            ErrorClass::ContextMismatchOrCorrupt => ATREST_ERROR_CONTEXT_MISMATCH,
            ErrorClass::Throttled => ATREST_ERROR_THROTTLED,
            ErrorClass::Unreachable => ATREST_ERROR_UNREACHABLE,
            ErrorClass::TimedOut => ATREST_ERROR_TIMED_OUT,
            ErrorClass::NoCredentials => ATREST_ERROR_NO_CREDENTIALS,
            ErrorClass::WrongKeyType => ATREST_ERROR_WRONG_KEY_TYPE,
            ErrorClass::Malformed => ATREST_ERROR_MALFORMED_ANSWER,
            ErrorClass::LocalPermissions => ATREST_ERROR_KEYSTORE_PERMISSIONS,
            ErrorClass::LocalIo => ATREST_ERROR_KEYSTORE_IO,
            ErrorClass::PassphraseRequired => ATREST_ERROR_PASSPHRASE_REQUIRED,
            ErrorClass::WrongPassphrase => ATREST_ERROR_WRONG_PASSPHRASE,
            ErrorClass::Secret => ATREST_ERROR_SECRET_MEMORY,
            ErrorClass::KeyUnavailable => ATREST_ERROR_KEY_UNAVAILABLE,
            ErrorClass::LimitExceeded => ATREST_ERROR_LIMIT_EXCEEDED,
            ErrorClass::InvalidRequest => ATREST_ERROR_INVALID_REQUEST,
            ErrorClass::Forked => ATREST_ERROR_FORKED,
            ErrorClass::Unsupported => ATREST_ERROR_UNSUPPORTED,
            _ => ATREST_ERROR_INTERNAL,
        }
    }
}

/// A buffer of the caller's for one line of text.
pub(super) struct Line<'a>(&'a mut [u8]);

impl<'a> Line<'a> {
    /// An empty line. NULL, and a buffer without a byte, take no text.
    ///
    /// # Safety
    /// `text` is NULL or writable for `len` bytes, and nobody else touches it during `'a`.
    pub(super) unsafe fn new(text: *mut c_char, len: usize) -> Result<Line<'a>, atrest_status> {
        if text.is_null() {
            return Ok(Line(&mut []));
        }
        // SAFETY: this function's contract.
        let bytes = unsafe { pointer::bytes_mut(text.cast(), len) }?;
        if let Some(first) = bytes.first_mut() {
            *first = 0;
        }
        Ok(Line(bytes))
    }

    /// Puts as much of `text` there as fits with its NUL, in whole characters; those that would begin another line or
    /// drive a terminal become question marks.
    pub(super) fn put(&mut self, text: &str) {
        let Some(room) = self.0.len().checked_sub(1) else { return };
        let mut end = 0;
        for character in text.chars().map(|c| if c.is_control() { '?' } else { c }) {
            let next = end + character.len_utf8();
            if next > room {
                break;
            }
            character.encode_utf8(&mut self.0[end..next]);
            end = next;
        }
        self.0[end] = 0;
    }

    /// Puts the first warning there, if there is one.
    pub(super) fn warn(&mut self, warnings: &[Warning]) {
        if let Some(warning) = warnings.first() {
            self.put(&warning.to_string());
        }
    }
}

/// Runs the body of a C call that explains its failures in `error`.
///
/// # Safety
/// `error` is NULL or writable for `error_len` bytes.
pub(super) unsafe fn explained(
    error: *mut c_char,
    error_len: usize,
    body: impl FnOnce(&mut Line<'_>) -> Result<(), Failure>,
) -> atrest_status {
    guarded(|| {
        // SAFETY: this function's contract.
        let mut line = unsafe { Line::new(error, error_len) }?;
        body(&mut line).map_err(|failure| {
            line.put(&failure.text);
            failure.status
        })
    })
}
