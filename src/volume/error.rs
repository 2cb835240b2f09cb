//! What can go wrong with a volume: a type for each operation, with what that operation can give, and [`Error`] for
//! whoever does not care which it was.
//!
//! Each thing that can go wrong is a type of its own, with its text and its [`Code`], and the errors of operations are
//! lists of them. Each text is one line that says what failed and which limit; what a program can do about it is that
//! program's to say, by the code or the type. Text from a header is quoted in it escaped and cut; secrets are never in it.

use core::fmt;
use std::io::{self, ErrorKind};

use super::difference::HeaderDifference;
use super::tombstone::Tombstone;
use super::withdrawal::Withdrawal;
use crate::Code;
use crate::keys::{
    EnvelopeChangeError, EnvelopeFormatError, EnvelopeOpenError, NoSlotOpened, ProviderError, Unexpected,
    Uuid,
};
use crate::luks2::{
    HeaderCopy, HeaderFull, NotSupported, ParseError, PutTokenError, TokenError, VolumeKeyError,
};
use crate::xts;

/// Errors of operations: each a list of what can go wrong.
macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident { $($variant:ident($inner:ty)),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        #[non_exhaustive]
        pub enum $name {
            $(#[doc = concat!("See `", stringify!($inner), "`.")] $variant($inner),)*
        }

        impl $name {
            /// What programs call it.
            #[must_use]
            pub fn code(&self) -> Code {
                match self {
                    $($name::$variant(error) => error.code(),)*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $($name::$variant(error) => error.fmt(f),)*
                }
            }
        }

        impl std::error::Error for $name {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                match self {
                    $($name::$variant(error) => error.source(),)*
                }
            }
        }

        $(impl From<$inner> for $name {
            fn from(error: $inner) -> $name {
                $name::$variant(error)
            }
        })*
    )*};
}

/// What an operation can give, a larger one that contains it can.
macro_rules! includes {
    ($($small:ident { $($variant:ident),* } in $($large:ident),+;)*) => {
        $(includes!(@ $small $small { $($variant),* } $($large),+);)*
    };
    (@ $small:ident $_:ident $variants:tt $($large:ident),+) => {
        $(includes!(# $small $large $variants);)+
    };
    (# $small:ident $large:ident { $($variant:ident),* }) => {
        impl From<$small> for $large {
            fn from(error: $small) -> $large {
                match error {
                    $($small::$variant(error) => $large::$variant(error),)*
                }
            }
        }
    };
}

operations! {
    /// Why no header was read: [`Header::read`](super::Header::read) and [`Header::parse`](super::Header::parse).
    ReadHeaderError {
        Storage(StorageError),
        Header(ParseError),
        Destroyed(Tombstone),
    }

    /// Why there is no envelope to be had from a header: [`Header::envelope`](super::Header::envelope).
    ReadEnvelopeError {
        Token(TokenError),
        Uuid(UuidMismatch),
        Envelope(EnvelopeFormatError),
    }

    /// Why a volume is not opened: [`Volume::open`](super::Volume::open), [`SectorCipher`](super::SectorCipher).
    OpenError {
        Storage(StorageError),
        NotWritable(NotWritable),
        Header(ParseError),
        Destroyed(Tombstone),
        NotSupported(NotSupported),
        Token(TokenError),
        Uuid(UuidMismatch),
        Envelope(EnvelopeFormatError),
        Unexpected(Unexpected),
        NoSlotOpened(NoSlotOpened),
        Forged(Forged),
        Reencrypted(Reencrypted),
        WrongKeys(WrongKeys),
        VolumeKey(VolumeKeyError),
        Truncated(Truncated),
        Cipher(xts::Error),
    }

    /// Why sectors are not encrypted or decrypted: [`SectorCipher`](super::SectorCipher).
    SectorError {
        OutOfBounds(OutOfBounds),
        Cipher(xts::Error),
    }

    /// Why a volume is not read: [`Volume::read_at`](super::Volume::read_at).
    ReadError {
        Storage(StorageError),
        OutOfBounds(OutOfBounds),
        Truncated(Truncated),
        Withdrawn(Box<Withdrawal>),
    }

    /// Why a volume is not written: [`Volume::write_at`](super::Volume::write_at),
    /// [`Volume::write_zeros`](super::Volume::write_zeros).
    WriteError {
        Storage(StorageError),
        ReadOnly(ReadOnly),
        OutOfBounds(OutOfBounds),
        Truncated(Truncated),
        Withdrawn(Box<Withdrawal>),
    }

    /// Why a part of a volume is not discarded: [`Volume::discard`](super::Volume::discard).
    DiscardError {
        Storage(StorageError),
        ReadOnly(ReadOnly),
        OutOfBounds(OutOfBounds),
        DiscardOff(DiscardOff),
        Withdrawn(Box<Withdrawal>),
    }

    /// Why a volume is not made: [`Volume::create`](super::Volume::create), [`Writer::new`](super::Writer::new).
    CreateError {
        Options(OptionsError),
        WrongKeys(WrongKeys),
        Cipher(xts::Error),
        Target(TargetError),
        NotWritable(NotWritable),
        Envelope(EnvelopeTooLarge),
        Storage(StorageError),
        NotVerified(NotVerified),
        Random(RandomError),
    }

    /// Why a volume is not filled: [`Writer::append`](super::Writer::append).
    AppendError {
        Options(OptionsError),
        Storage(StorageError),
    }

    /// Why a volume that was filled is not completed: [`Writer::finish`](super::Writer::finish).
    FinishError {
        Envelope(EnvelopeTooLarge),
        Storage(StorageError),
        NotVerified(NotVerified),
        Random(RandomError),
    }

    /// Why another envelope is not put into a header: [`Header::set_envelope`](super::Header::set_envelope),
    /// [`Header::set_wrappings`](super::Header::set_wrappings).
    SetEnvelopeError {
        NotSupported(NotSupported),
        Token(TokenError),
        Uuid(UuidMismatch),
        Envelope(EnvelopeFormatError),
        Forged(Forged),
        Reencrypted(Reencrypted),
        WrongKeys(WrongKeys),
        OtherEnvelope(OtherEnvelope),
        NeedsKeys(NeedsKeys),
        Full(HeaderFull),
    }

    /// Why a header is not changed on its storage: [`edit`](super::edit), [`HeaderEdit`](super::HeaderEdit),
    /// [`Header::update`](super::Header::update).
    HeaderError {
        Storage(StorageError),
        NotWritable(NotWritable),
        Busy(Busy),
        Header(ParseError),
        Destroyed(Tombstone),
        Token(TokenError),
        Uuid(UuidMismatch),
        Envelope(EnvelopeFormatError),
        Unexpected(Unexpected),
        Changed(Changed),
        Full(HeaderFull),
        NotVerified(NotVerified),
        Random(RandomError),
    }

    /// Why wrappings are not changed: [`Volume::change_wrappings`](super::Volume::change_wrappings).
    WrappingError {
        Storage(StorageError),
        NotWritable(NotWritable),
        Busy(Busy),
        Header(ParseError),
        Destroyed(Tombstone),
        Unexpected(Unexpected),
        Changed(Changed),
        NotSupported(NotSupported),
        Token(TokenError),
        Uuid(UuidMismatch),
        Envelope(EnvelopeFormatError),
        Change(EnvelopeChangeError),
        NotVouchedFor(NotVouchedFor),
        Forged(Forged),
        Reencrypted(Reencrypted),
        WrongKeys(WrongKeys),
        OtherEnvelope(OtherEnvelope),
        NeedsKeys(NeedsKeys),
        Full(HeaderFull),
        NotVerified(NotVerified),
        Random(RandomError),
    }

    /// Why there is no backup of a header: [`HeaderBackup::take`](super::HeaderBackup::take).
    BackupError {
        Storage(StorageError),
        Busy(Busy),
        Header(ParseError),
        Destroyed(Tombstone),
        NotSupported(NotSupported),
        Truncated(Truncated),
        Changed(Changed),
        Full(HeaderFull),
        Random(RandomError),
    }

    /// Why a backup is not restored: [`HeaderBackup::restore`](super::HeaderBackup::restore).
    RestoreError {
        Storage(StorageError),
        NotWritable(NotWritable),
        Busy(Busy),
        Header(ParseError),
        Token(TokenError),
        Uuid(UuidMismatch),
        Envelope(EnvelopeFormatError),
        Unexpected(Unexpected),
        NotRestored(NotRestored),
        Truncated(Truncated),
        Full(HeaderFull),
        NotVerified(NotVerified),
        NotOverwritten(NotOverwritten),
        Random(RandomError),
    }

    /// Why a volume is not destroyed: [`Volume::destroy`](super::Volume::destroy).
    DestroyError {
        Storage(StorageError),
        NotWritable(NotWritable),
        Busy(Busy),
        Header(ParseError),
        Token(TokenError),
        Uuid(UuidMismatch),
        OtherVolume(OtherVolume),
        Unexpected(Unexpected),
        NotScratch(NotScratch),
        Envelope(EnvelopeFormatError),
        Forged(Forged),
        Reencrypted(Reencrypted),
        NotSupported(NotSupported),
        Key(ProviderError),
        NotAuthenticated(NotAuthenticated),
        StillOpens(StillOpens),
        NotOverwritten(NotOverwritten),
    }

    /// Why the key of an open volume is not rechecked: [`Volume::recheck`](super::Volume::recheck).
    RecheckError {
        NotRechecked(NotRechecked),
        Token(TokenError),
        Uuid(UuidMismatch),
        Envelope(EnvelopeFormatError),
        Withdrawn(Box<Withdrawal>),
        Storage(StorageError),
    }

    /// All that can go wrong with a volume: the error of each operation converts into it.
    Error {
        Storage(StorageError),
        NotWritable(NotWritable),
        Busy(Busy),
        Header(ParseError),
        Destroyed(Tombstone),
        OtherVolume(OtherVolume),
        Changed(Changed),
        NotSupported(NotSupported),
        Token(TokenError),
        Uuid(UuidMismatch),
        Envelope(EnvelopeFormatError),
        Unexpected(Unexpected),
        NoSlotOpened(NoSlotOpened),
        Change(EnvelopeChangeError),
        NotVouchedFor(NotVouchedFor),
        Key(ProviderError),
        NotAuthenticated(NotAuthenticated),
        StillOpens(StillOpens),
        Forged(Forged),
        Reencrypted(Reencrypted),
        WrongKeys(WrongKeys),
        VolumeKey(VolumeKeyError),
        OtherEnvelope(OtherEnvelope),
        NeedsKeys(NeedsKeys),
        EnvelopeTooLarge(EnvelopeTooLarge),
        Full(HeaderFull),
        NotVerified(NotVerified),
        NotOverwritten(NotOverwritten),
        Random(RandomError),
        Truncated(Truncated),
        Cipher(xts::Error),
        Options(OptionsError),
        Target(TargetError),
        NotRestored(NotRestored),
        NotScratch(NotScratch),
        ReadOnly(ReadOnly),
        OutOfBounds(OutOfBounds),
        DiscardOff(DiscardOff),
        Withdrawn(Box<Withdrawal>),
        NotRechecked(NotRechecked),
    }
}

includes! {
    ReadHeaderError { Storage, Header, Destroyed } in OpenError, HeaderError, BackupError, Error;
    ReadEnvelopeError { Token, Uuid, Envelope }
        in ExpectedError, OpenError, SetEnvelopeError, HeaderError, WrappingError, RestoreError, DestroyError, RecheckError, Error;
    AuthenticityError { NotSupported, Forged, Reencrypted, WrongKeys } in OpenError, SetEnvelopeError, WrappingError;
    OpenError {
        Storage, NotWritable, Header, Destroyed, NotSupported, Token, Uuid, Envelope, Unexpected, NoSlotOpened, Forged,
        Reencrypted, WrongKeys, VolumeKey, Truncated, Cipher
    } in Error;
    SectorError { OutOfBounds, Cipher } in Error;
    ReadError { Storage, OutOfBounds, Truncated, Withdrawn } in WriteError, Error;
    WriteError { Storage, ReadOnly, OutOfBounds, Truncated, Withdrawn } in Error;
    DiscardError { Storage, ReadOnly, OutOfBounds, DiscardOff, Withdrawn } in Error;
    AppendError { Options, Storage } in CreateError, Error;
    SetEnvelopeError {
        NotSupported, Token, Uuid, Envelope, Forged, Reencrypted, WrongKeys, OtherEnvelope, NeedsKeys, Full
    } in WrappingError, Error;
    HeaderError {
        Storage, NotWritable, Busy, Header, Destroyed, Token, Uuid, Envelope, Unexpected, Changed, Full, NotVerified,
        Random
    } in WrappingError, Error;
    WrappingError {
        Storage, NotWritable, Busy, Header, Destroyed, Unexpected, Changed, NotSupported, Token, Uuid, Envelope, Change,
        NotVouchedFor, Forged, Reencrypted, WrongKeys, OtherEnvelope, NeedsKeys, Full, NotVerified, Random
    } in Error;
    BackupError { Storage, Busy, Header, Destroyed, NotSupported, Truncated, Changed, Full, Random } in Error;
    RestoreError {
        Storage, NotWritable, Busy, Header, Token, Uuid, Envelope, Unexpected, NotRestored, Truncated, Full, NotVerified,
        NotOverwritten, Random
    } in Error;
    DestroyError {
        Storage, NotWritable, Busy, Header, Token, Uuid, OtherVolume, Unexpected, NotScratch, Envelope, Forged,
        Reencrypted, NotSupported, Key, NotAuthenticated, StillOpens, NotOverwritten
    } in Error;
    RecheckError { NotRechecked, Token, Uuid, Envelope, Withdrawn, Storage } in Error;
}

/// Their envelopes are too large alone: the error is told from a full header.
macro_rules! made {
    ($($small:ident { $($variant:ident),* } in $large:ident;)*) => {$(
        impl From<$small> for $large {
            fn from(error: $small) -> $large {
                match error {
                    $small::Envelope(error) => $large::EnvelopeTooLarge(error),
                    $($small::$variant(error) => $large::$variant(error),)*
                }
            }
        }
    )*};
}
made! {
    CreateError { Options, WrongKeys, Cipher, Target, NotWritable, Storage, NotVerified, Random } in Error;
    FinishError { Storage, NotVerified, Random } in Error;
}

/// Parts of operations.
impl From<PutTokenError> for SetEnvelopeError {
    fn from(error: PutTokenError) -> SetEnvelopeError {
        match error {
            PutTokenError::Token(error) => error.into(),
            PutTokenError::Full(error) => error.into(),
        }
    }
}

/// The keys are none of the header's, or it is not as it was made.
impl From<AuthenticityError> for DestroyError {
    fn from(error: AuthenticityError) -> DestroyError {
        match error {
            AuthenticityError::NotSupported(error) => error.into(),
            AuthenticityError::Reencrypted(error) => error.into(),
            AuthenticityError::Forged(error) => error.into(),
            AuthenticityError::WrongKeys(WrongKeys) => Forged.into(),
        }
    }
}

impl From<EnvelopeOpenError> for OpenError {
    fn from(error: EnvelopeOpenError) -> OpenError {
        match error {
            EnvelopeOpenError::Unexpected(error) => error.into(),
            EnvelopeOpenError::NoSlotOpened(error) => error.into(),
        }
    }
}

operations! {
    /// Why a header is not the one that the volume's keys authenticate.
    AuthenticityError {
        NotSupported(NotSupported),
        Forged(Forged),
        Reencrypted(Reencrypted),
        WrongKeys(WrongKeys),
    }

    /// Why a header is not the expected one.
    ExpectedError {
        Token(TokenError),
        Uuid(UuidMismatch),
        Envelope(EnvelopeFormatError),
        Unexpected(Unexpected),
    }

    /// Why there is no geometry for a volume.
    GeometryError {
        NotSupported(NotSupported),
        Token(TokenError),
        Truncated(Truncated),
    }

    /// Why a header is not written.
    WriteHeaderError {
        Storage(StorageError),
        Full(HeaderFull),
        NotVerified(NotVerified),
        Random(RandomError),
    }

    /// Why a header is not locked for a change.
    LockError {
        Storage(StorageError),
        NotWritable(NotWritable),
        Busy(Busy),
    }

    /// Why there is no header for a new volume.
    NewHeaderError {
        Envelope(EnvelopeTooLarge),
        Random(RandomError),
    }

    /// Why a lock is not taken.
    BusyError {
        Storage(StorageError),
        Busy(Busy),
    }

    /// Why a storage is not written.
    AccessError {
        Storage(StorageError),
        NotWritable(NotWritable),
    }

    /// Why a range of a storage is not overwritten.
    OverwriteError {
        Storage(StorageError),
        NotOverwritten(NotOverwritten),
    }
}

includes! {
    ExpectedError { Token, Uuid, Envelope, Unexpected } in HeaderError, RestoreError, DestroyError;
    GeometryError { NotSupported, Token, Truncated } in OpenError;
    WriteHeaderError { Storage, Full, NotVerified, Random } in HeaderError, RestoreError;
    NewHeaderError { Envelope, Random } in CreateError, FinishError;
    BusyError { Storage, Busy } in LockError, BackupError;
    AccessError { Storage, NotWritable } in LockError, OpenError, CreateError;
    LockError { Storage, NotWritable, Busy } in HeaderError, RestoreError, DestroyError;
    OverwriteError { Storage, NotOverwritten } in RestoreError, DestroyError;
}

/// For a new header, which is encoded once before it is written: it fits.
macro_rules! new_header {
    ($($large:ident),*) => {$(
        impl From<WriteHeaderError> for $large {
            fn from(error: WriteHeaderError) -> $large {
                match error {
                    WriteHeaderError::Storage(error) => error.into(),
                    WriteHeaderError::NotVerified(error) => error.into(),
                    WriteHeaderError::Random(error) => error.into(),
                    WriteHeaderError::Full(error) => EnvelopeTooLarge(error).into(),
                }
            }
        }
    )*};
}
new_header!(CreateError, FinishError);

/// An operation on the volume's storage failed.
#[derive(Debug, thiserror::Error)]
#[error("{action} failed: {source}")]
#[non_exhaustive]
pub struct StorageError {
    /// What was done, for example "reading the header".
    pub action: &'static str,
    /// What the storage says.
    pub source: io::Error,
}

impl StorageError {
    /// That of an operation which was to do this.
    #[must_use]
    pub fn new(action: &'static str, source: io::Error) -> StorageError {
        StorageError { action, source }
    }

    /// Makes one of what a storage says.
    pub(super) fn of(action: &'static str) -> impl FnOnce(io::Error) -> StorageError {
        move |source| StorageError { action, source }
    }

    /// What programs call it.
    #[must_use]
    pub fn code(&self) -> Code {
        match self.source.kind() {
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

/// What programs call each of these.
macro_rules! codes {
    ($($name:ident = $code:ident;)*) => {$(
        impl $name {
            /// What programs call it.
            #[must_use]
            pub const fn code(&self) -> Code {
                Code::$code
            }
        }
    )*};
}

codes! {
    Truncated = Truncated;
    UuidMismatch = Forged;
    Forged = Forged;
    Reencrypted = Reencrypted;
    NotVouchedFor = NoExpectation;
    NotAuthenticated = NoExpectation;
    StillOpens = KeyExists;
    WrongKeys = WrongKey;
    OtherEnvelope = WrongKey;
    NeedsKeys = Refused;
    EnvelopeTooLarge = Refused;
    Busy = Busy;
    Changed = Busy;
    OtherVolume = NotAVolume;
    NotVerified = Damaged;
    NotOverwritten = Damaged;
    RandomError = Random;
    ReadOnly = ReadOnly;
    OutOfBounds = OutOfBounds;
    DiscardOff = DiscardOff;
    NotRestored = NeedsForce;
    NotScratch = NeedsForce;
    NotRechecked = InvalidRequest;
}

/// The storage cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotWritable {
    /// It is open for reading only.
    #[error("the volume's file is open for reading only: open it for reading and writing")]
    ReadOnly,
    /// It is open for appending.
    #[error(
        "the volume's file is open for appending, which puts every write at its end: open it without that"
    )]
    Appends,
}

impl NotWritable {
    /// What programs call it.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            NotWritable::ReadOnly => Code::ReadOnly,
            NotWritable::Appends => Code::Descriptor,
        }
    }
}

/// The volume's data does not fit in its storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the volume needs a file of {needed} bytes, and this one has {length}: it was cut off")]
pub struct Truncated {
    /// The storage's length in bytes.
    pub length: u64,
    /// The length that the header calls for, in bytes.
    pub needed: u64,
}

/// The header's UUID is not that of the envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the header's UUID is {header}, and its keys are wrapped for volume {envelope}: if it was changed, `cryptsetup \
     luksUUID --uuid {envelope}` sets it back"
)]
pub struct UuidMismatch {
    /// The UUID in the header.
    pub header: Uuid,
    /// The UUID in the envelope.
    pub envelope: Uuid,
}

/// The header's authentication code does not match: it was changed by someone without the volume's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the header was changed by someone without the volume's keys (its authentication code does not match): nothing was \
     decrypted; restore the header from a trusted backup"
)]
pub struct Forged;

/// The volume key is another one than the root key gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "its volume key was exchanged by another tool (`cryptsetup reencrypt`), and the key service's key gives the old one, with \
     which the data would be noise: open it with cryptsetup and a passphrase, and copy the data into a new volume"
)]
pub struct Reencrypted;

/// Nobody here may open the volume, so that its header cannot be authenticated; nor does a pin say which root key is its own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no key of volume {volume} may be used for decryption here, so that its header cannot be authenticated: it is changed \
     only if its pin is expected"
)]
pub struct NotVouchedFor {
    /// The volume, as its header says.
    pub volume: Uuid,
}

/// No key opens the volume that is to be destroyed, so that only its UUID, named by hand, says which one it is.
#[derive(Debug, thiserror::Error)]
#[error(
    "no key opens volume {volume}, so that nothing proves which one it is ({why}): it is destroyed only if its UUID is given"
)]
pub struct NotAuthenticated {
    /// The volume, as its header says.
    pub volume: Uuid,
    /// What the key providers say.
    pub why: String,
}

/// The volume still opens, although its key was erased.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the key of volume {volume} was erased, and still opens its header: the keystore is failing, or another process made the key again"
)]
pub struct StillOpens {
    /// The volume.
    pub volume: Uuid,
}

/// The keys are not those of the envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the keys do not belong to this volume's envelope: give the keys of the envelope that is stored")]
pub struct WrongKeys;

/// An envelope for other data than the one in the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the new envelope is for another root key or class than the header's: it is none of its rewrappings")]
pub struct OtherEnvelope;

/// The authentication code of a header covers the wrappings, too, and must be made anew with the volume's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the header is of an older version, whose wrappings change with the volume's keys only: unwrap these first"
)]
pub struct NeedsKeys;

/// The envelope of a new volume does not fit in the largest header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the envelope is too large for a header: its JSON takes {} bytes, and there are {}", .0.needed, .0.limit)]
pub struct EnvelopeTooLarge(pub HeaderFull);

/// Somebody else holds the lock of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("another process is changing the header (cryptsetup, perhaps): try again when it is done")]
pub struct Busy;

/// The header on the storage is not the one that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the header was changed since it was read: read it again and repeat the change")]
pub struct Changed;

/// The volume is not the one that was meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its UUID is {volume}, not {given}: it is another volume, and was left as it is")]
pub struct OtherVolume {
    /// The UUID in the header.
    pub volume: Uuid,
    /// The UUID that was given.
    pub given: Uuid,
}

/// What was written to the header does not come back from the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the {copy} of the header does not read back as written: the disk is failing; the other copy, where there is one, is \
     sound"
)]
pub struct NotVerified {
    /// The copy that was being written.
    pub copy: HeaderCopy,
}

/// What was to be overwritten still comes back from the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{length} bytes at offset {offset} do not read back as they were overwritten: the disk is failing, and may still hold \
     what was there; repeat it, and if that does not help destroy the disk"
)]
pub struct NotOverwritten {
    /// Where, in bytes from the beginning of the storage.
    pub offset: u64,
    /// How much, in bytes.
    pub length: usize,
}

/// No random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system's random number generator failed: {0}")]
pub struct RandomError(pub io::Error);

/// Random bytes from the system.
pub(super) fn random<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        let code = error.raw_os_error();
        RandomError(code.map_or_else(|| io::Error::other(error.to_string()), io::Error::from_raw_os_error))
    })?;
    Ok(bytes)
}

/// What no volume can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// A sector size that LUKS2 does not have.
    #[error("a sector size of {0} bytes is not possible: it must be 512, 1024, 2048 or 4096")]
    SectorSize(usize),
    /// A volume larger than a file can be.
    #[error("a volume of {size} bytes is too large: the limit is {limit}")]
    Size {
        /// The size asked for, in bytes.
        size: u64,
        /// The largest size, in bytes.
        limit: u64,
    },
    /// A label that the header has no room for.
    #[error("the label must be at most 47 bytes long and without NUL; it has {length}")]
    Label {
        /// Its length in bytes.
        length: usize,
    },
}

impl OptionsError {
    /// What programs call it.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            OptionsError::SectorSize(_) => Code::VolumeSectorSize,
            OptionsError::Size { .. } => Code::VolumeSize,
            OptionsError::Label { .. } => Code::Label,
        }
    }
}

/// No volume is made in this storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// It grows, and has content.
    #[error(
        "the file has {length} bytes of content, and a new volume would destroy them: give an empty file"
    )]
    NotEmpty {
        /// Its length in bytes.
        length: u64,
    },
    /// It is neither a regular file nor a block device.
    #[error("a volume lies in a regular file or a block device, and this is neither")]
    Unfit,
    /// It has a fixed length, which is too small.
    #[error(
        "the device has {length} bytes, and the volume needs {needed}: make it smaller, or the device larger"
    )]
    TooSmall {
        /// Its length in bytes.
        length: u64,
        /// Bytes needed, the header included.
        needed: u64,
    },
}

impl TargetError {
    /// What programs call it.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            TargetError::NotEmpty { .. } => Code::Exists,
            TargetError::Unfit => Code::FileType,
            TargetError::TooSmall { .. } => Code::VolumeSize,
        }
    }
}

/// A write to a volume that was opened for reading only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the volume is open for reading only: open it for reading and writing")]
pub struct ReadOnly;

/// A read or write beyond the volume's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{length} bytes at offset {offset} reach beyond the volume's end at {size}")]
pub struct OutOfBounds {
    /// Where the access begins, in bytes.
    pub offset: u64,
    /// How long it is, in bytes.
    pub length: u64,
    /// The volume's size in bytes.
    pub size: u64,
}

/// A discard of a volume for which they are not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "discards are off for this volume: allow them where it is opened, if everybody may know which parts are unused"
)]
pub struct DiscardOff;

/// A backup of a header that is older than the header, or is not its volume's, and is restored by force alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the backup is not put in its place: {}", joined(.0))]
pub struct NotRestored(pub Vec<HeaderDifference>);

/// All of them in one line.
fn joined(differences: &[HeaderDifference]) -> String {
    differences.iter().map(HeaderDifference::to_string).collect::<Vec<_>>().join("; ")
}

/// A volume with keys that have a life of their own is destroyed by force alone, and then only its header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is no scratch volume, and its keys stay ({keys}): copies of its header, in backups and snapshots, open with them \
     whatever becomes of this one"
)]
pub struct NotScratch {
    /// The keys that open it.
    pub keys: String,
}

/// A volume's key cannot be rechecked so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the volume's key is not rechecked: {0}")]
pub struct NotRechecked(pub String);
