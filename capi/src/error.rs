//! Errors with a reason worth a sentence: a status, and one line of text in the buffer `error` of the caller's.

use super::boundary::guarded;
use super::pointer;
use super::status::atrest_status;
use atrest::Code;
use atrest::keys::{
    EnvelopeChangeError, EnvelopeCreateError, EnvelopeFormatError, EnvelopeOpenError, ExpectError,
    KeyRefError, ProviderError, SecretError,
};
use atrest::luks2::Warning;
use atrest::text::is_unsafe;
use atrest::volume::{
    BackupError, CreateError, DestroyError, OpenError, OptionsError, ReadEnvelopeError, ReadHeaderError,
    RecheckError, RestoreError, StorageError, TargetError, Withdrawal, WrappingError,
};
use core::ffi::c_char;

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

/// Errors that have a code and a text of one line.
macro_rules! coded {
    ($($error:ty),* $(,)?) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Failure {
                Failure::new(error.code(), error.to_string())
            }
        }
    )*};
}

coded! {
    EnvelopeChangeError, EnvelopeCreateError, EnvelopeFormatError, EnvelopeOpenError, ExpectError, KeyRefError, ProviderError, SecretError,
    OpenError, CreateError, OptionsError, WrappingError, BackupError, RestoreError, DestroyError, ReadEnvelopeError,
    ReadHeaderError, RecheckError, StorageError, TargetError, Box<Withdrawal>,
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
        for character in text.chars().map(|c| if is_unsafe(c) { '?' } else { c }) {
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
