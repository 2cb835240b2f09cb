//! Errors with a reason worth a sentence: a status, and one line of text in the buffer `error` of the caller's.

use core::ffi::c_char;
use std::io::{self, ErrorKind};

use super::boundary::guarded;
use super::pointer;
use super::status::atrest_status;
use atrest::Code;
use atrest::keys::{EnvelopeError, ErrorClass, KeyRefError, ProviderError, SecretError};
use atrest::volume::{Error, Warning};

/// Why a call failed.
pub(crate) struct Failure {
    pub(crate) status: atrest_status,
    text: String,
}

impl Failure {
    pub(crate) fn new(status: impl Into<atrest_status>, text: impl Into<String>) -> Failure {
        Failure { status: status.into(), text: text.into() }
    }
}

/// For failures that need no more words than their status has.
impl From<atrest_status> for Failure {
    fn from(status: atrest_status) -> Failure {
        Failure::new(status, status.text().to_string_lossy())
    }
}

impl From<Code> for Failure {
    fn from(code: Code) -> Failure {
        atrest_status::from(code).into()
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::new(error.code(), error.to_string())
    }
}

impl From<EnvelopeError> for Failure {
    fn from(error: EnvelopeError) -> Failure {
        Failure::new(error.code(), error.to_string())
    }
}

impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Failure {
        Failure::new(error.code(), error.to_string())
    }
}

impl From<KeyRefError> for Failure {
    fn from(error: KeyRefError) -> Failure {
        Failure::new(Code::KeyName, error.to_string())
    }
}

impl From<SecretError> for Failure {
    fn from(error: SecretError) -> Failure {
        Failure::new(Code::SecretMemory, error.to_string())
    }
}

/// Errors whose own `code` is still to come.
pub(crate) trait Coded {
    fn code(&self) -> Code;
}

impl Coded for Error {
    fn code(&self) -> Code {
        match self {
            Error::Io { source, .. } => source.code(),
            Error::TooShort { .. }
            | Error::NotLuks
            | Error::Luks1
            | Error::NoToken
            | Error::Destroyed(_)
            | Error::OtherUuid { .. } => Code::NotAVolume,
            Error::Damaged { .. } | Error::NotVerified { .. } | Error::NotOverwritten { .. } => Code::Damaged,
            Error::NotScratch { .. } | Error::NotRestored(_) => Code::NeedsForce,
            Error::Refused(_) | Error::HeaderFull { .. } | Error::TokenVersion(_) => Code::Refused,
            Error::Forged | Error::Token(_) | Error::Uuid { .. } => Code::Forged,
            Error::WrongKeys | Error::WrongVolumeKey | Error::OtherEnvelope => Code::WrongKey,
            Error::VolumeKeyLength { .. } => Code::KeyLength,
            Error::Truncated { .. } => Code::Truncated,
            Error::SectorSize(_) => Code::VolumeSectorSize,
            Error::Size { .. } | Error::DeviceTooSmall { .. } => Code::VolumeSize,
            // No call takes a label, and changes of wrappings get their keys.
            Error::Label { .. } | Error::NeedsKeys => Code::Internal,
            Error::NotEmpty { .. } => Code::Exists,
            Error::FileType => Code::FileType,
            Error::FileReadOnly | Error::ReadOnly => Code::ReadOnly,
            Error::FileAppends => Code::Descriptor,
            Error::DiscardOff => Code::DiscardOff,
            Error::OutOfBounds { .. } => Code::OutOfBounds,
            Error::Busy | Error::Changed => Code::Busy,
            Error::Withdrawn(_) => Code::Withdrawn,
            Error::Recheck(_) => Code::InvalidRequest,
            Error::Random(_) => Code::Random,
            Error::Envelope(error) => error.code(),
            Error::Xts(error) => error.code(),
            _ => Code::Internal,
        }
    }
}

impl Coded for io::Error {
    fn code(&self) -> Code {
        match self.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Code::NoSpace,
            ErrorKind::NotFound => Code::NotFound,
            ErrorKind::AlreadyExists => Code::Exists,
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Code::Permission,
            ErrorKind::IsADirectory => Code::FileType,
            ErrorKind::OutOfMemory => Code::NoMemory,
            ErrorKind::Unsupported => Code::Unsupported,
            _ => Code::Io,
        }
    }
}

impl Coded for EnvelopeError {
    fn code(&self) -> Code {
        match self {
            EnvelopeError::NoSuchSlot { .. } | EnvelopeError::SlotExists { .. } => Code::Slot,
            EnvelopeError::Scratch { .. } | EnvelopeError::ScratchKey { .. } => Code::KeyName,
            error => error.class().map_or(Code::Envelope, |class| class.code()),
        }
    }
}

impl Coded for ProviderError {
    fn code(&self) -> Code {
        self.class().code()
    }
}

impl Coded for ErrorClass {
    fn code(&self) -> Code {
        match self {
            ErrorClass::NotAuthorised => Code::NotAuthorised,
            ErrorClass::KeyNotFound => Code::KeyNotFound,
            ErrorClass::KeyExists => Code::KeyExists,
            ErrorClass::KeyName => Code::KeyName,
            ErrorClass::KeyDisabled => Code::KeyDisabled,
            ErrorClass::KeyPendingDeletion => Code::KeyPendingDeletion,
            ErrorClass::WrongKey => Code::WrongKey,
            ErrorClass::ContextMismatchOrCorrupt => Code::ContextMismatch,
            ErrorClass::Throttled => Code::Throttled,
            ErrorClass::Unreachable => Code::Unreachable,
            ErrorClass::TimedOut => Code::TimedOut,
            ErrorClass::NoCredentials => Code::NoCredentials,
            ErrorClass::WrongKeyType => Code::WrongKeyType,
            ErrorClass::Malformed => Code::MalformedAnswer,
            ErrorClass::LocalPermissions => Code::KeystorePermissions,
            ErrorClass::LocalIo => Code::KeystoreIo,
            ErrorClass::PassphraseRequired => Code::PassphraseRequired,
            ErrorClass::WrongPassphrase => Code::WrongPassphrase,
            ErrorClass::Secret => Code::SecretMemory,
            ErrorClass::KeyUnavailable => Code::KeyUnavailable,
            ErrorClass::LimitExceeded => Code::LimitExceeded,
            ErrorClass::InvalidRequest => Code::InvalidRequest,
            ErrorClass::Forked => Code::Forked,
            ErrorClass::Unsupported => Code::Unsupported,
            _ => Code::Internal,
        }
    }
}

/// A buffer of the caller's for one line of text.
pub(crate) struct Line<'a>(&'a mut [u8]);

impl<'a> Line<'a> {
    /// An empty line. NULL, and a buffer without a byte, take no text.
    ///
    /// # Safety
    /// `text` is NULL or writable for `len` bytes, and nobody else touches it during `'a`.
    pub(crate) unsafe fn new(text: *mut c_char, len: usize) -> Result<Line<'a>, atrest_status> {
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
    pub(crate) fn put(&mut self, text: &str) {
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
    pub(crate) fn warn(&mut self, warnings: &[Warning]) {
        if let Some(warning) = warnings.first() {
            self.put(&warning.to_string());
        }
    }
}

/// Runs the body of a C call that explains its failures in `error`.
///
/// # Safety
/// `error` is NULL or writable for `error_len` bytes.
pub(crate) unsafe fn explained(
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
