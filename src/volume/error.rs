//! What can go wrong with a volume.

use std::io;

use super::differences::{HeaderDifference, joined};
use super::lease::Withdrawal;
use super::luks2::HeaderCopy;
use super::tombstone::Tombstone;
use crate::keys::{EnvelopeError, Uuid};

/// Why a volume cannot be made, opened, read or written. Each message is one line: what failed, which limit, and
/// what to do. Text from the volume's header is quoted in it escaped and cut; secrets are never in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An operation on the volume's file failed.
    #[error("{action} failed: {source}")]
    Io {
        /// What was done, for example "reading the header".
        action: &'static str,
        /// What the operating system says.
        source: io::Error,
    },
    /// The file is shorter than two headers of the smallest size.
    #[error(
        "the file is {length} bytes long, and two LUKS2 headers alone take 32768: it is another file, or it was cut off"
    )]
    TooShort {
        /// The file's length in bytes.
        length: u64,
    },
    /// Neither copy of a LUKS2 header was found.
    #[error(
        "no LUKS2 header was found: the file is not an encrypted volume, or both copies of its header are overwritten \
         (`atrest header restore` puts a backup in their place)"
    )]
    NotLuks,
    /// A volume in the older LUKS1 format.
    #[error(
        "this is a LUKS1 volume, and only LUKS2 is read: `cryptsetup convert --type luks2` converts a copy"
    )]
    Luks1,
    /// Both copies of the header are damaged.
    #[error(
        "both copies of the header are damaged (first: {first}; second: {second}): restore a backup with \
         `atrest header restore`"
    )]
    Damaged {
        /// What is wrong with the copy at the beginning of the file.
        first: HeaderFault,
        /// What is wrong with the copy behind it.
        second: HeaderFault,
    },
    /// A volume that was destroyed: a note stands in the place of its header.
    #[error("{0}")]
    Destroyed(Tombstone),
    /// A volume with keys that have a life of their own was to be destroyed.
    #[error(
        "it is no scratch volume, and its keys stay ({keys}): copies of its header, in backups and snapshots, open with \
         them whatever becomes of this one; --force overwrites this header and its keyslots all the same"
    )]
    NotScratch {
        /// The keys that open it.
        keys: String,
    },
    /// A backup of a header that is older than the header, or is not its volume's.
    #[error("the backup is not put in its place: {}; --force does it all the same", joined(.0))]
    NotRestored(Vec<HeaderDifference>),
    /// The volume is not the one that was meant.
    #[error("its UUID is {volume}, not {given}: it is another volume, and was left as it is")]
    OtherUuid {
        /// The UUID in the file.
        volume: Uuid,
        /// The UUID that was given.
        given: Uuid,
    },
    /// What was to be overwritten still comes back from the disk.
    #[error(
        "{length} bytes at offset {offset} do not read back as they were overwritten: the disk is failing, and may still \
         hold what was there; repeat it, and if that does not help destroy the disk"
    )]
    NotOverwritten {
        /// Where, in bytes from the beginning of the file.
        offset: u64,
        /// How much, in bytes.
        length: usize,
    },
    /// The header is sound, but asks for something that is not on the list of what is decrypted here.
    #[error("the header is not one that is opened here: {0}")]
    Refused(String),
    /// A LUKS2 volume without an atrest token: another tool made it.
    #[error(
        "the volume has no atrest token, so another tool made it: open it with `cryptsetup open`, or read it with its \
         volume key (`cryptsetup luksDump --dump-volume-key` writes that)"
    )]
    NoToken,
    /// The atrest token is malformed.
    #[error("the header's atrest token is damaged or forged: {0}")]
    Token(String),
    /// A token of a later version than this one knows.
    #[error(
        "the header's atrest token has version {0}, and this version of atrest knows 1 and 2: use a newer one"
    )]
    TokenVersion(u32),
    /// An envelope for other data than the one in the header.
    #[error(
        "the new envelope is for another root key or class than the header's: it is none of its rewrappings"
    )]
    OtherEnvelope,
    /// The authentication code of a header covers the wrappings, too, and must be made anew with the volume's keys.
    #[error(
        "the header is of an older version, whose wrappings change with the volume's keys only: unwrap these first"
    )]
    NeedsKeys,
    /// The header's UUID is not that of the envelope.
    #[error(
        "the header's UUID is {header}, and its keys are wrapped for volume {envelope}: if it was changed, \
         `cryptsetup luksUUID --uuid {envelope}` sets it back"
    )]
    Uuid {
        /// The UUID in the header.
        header: Uuid,
        /// The UUID in the envelope.
        envelope: Uuid,
    },
    /// The header's authentication code does not match: it was changed by someone without the volume's keys.
    #[error(
        "the header was changed by someone without the volume's keys (its authentication code does not match): \
         nothing was decrypted; restore the header from a trusted backup"
    )]
    Forged,
    /// The keys are not those of the envelope.
    #[error("the keys do not belong to this volume's envelope: give the keys of the envelope that is stored")]
    WrongKeys,
    /// The volume key given is not the one of the header's digest.
    #[error("this is not the volume's key: it does not match the digest in the header")]
    WrongVolumeKey,
    /// A volume key of an impossible length.
    #[error("the volume key is {length} bytes long: aes-xts takes 32 (AES-128) or 64 (AES-256)")]
    VolumeKeyLength {
        /// Its length in bytes.
        length: usize,
    },
    /// The volume's data does not fit in its file.
    #[error("the volume needs a file of {needed} bytes, and this one has {length}: it was cut off")]
    Truncated {
        /// The file's length in bytes.
        length: u64,
        /// The length that the header calls for, in bytes.
        needed: u64,
    },
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
    /// The new header does not fit in its area.
    #[error(
        "the header's JSON takes {needed} bytes, and its area has {limit}: remove key slots that are unused"
    )]
    HeaderFull {
        /// Bytes needed, the closing NUL included.
        needed: usize,
        /// Bytes there are.
        limit: usize,
    },
    /// The file to make a volume in has content.
    #[error(
        "the file has {length} bytes of content, and a new volume would destroy them: give an empty file"
    )]
    NotEmpty {
        /// Its length in bytes.
        length: u64,
    },
    /// Neither a regular file nor a block device.
    #[error("a volume lies in a regular file or a block device, and this is neither")]
    FileType,
    /// A block device that is too small for the volume.
    #[error(
        "the device has {length} bytes, and the volume needs {needed}: make it smaller, or the device larger"
    )]
    DeviceTooSmall {
        /// The device's length in bytes.
        length: u64,
        /// Bytes needed, the header included.
        needed: u64,
    },
    /// Read-write use of a file that is open for reading only.
    #[error("the volume's file is open for reading only: open it for reading and writing")]
    FileReadOnly,
    /// Read-write use of a file that is open for appending.
    #[error(
        "the volume's file is open for appending, which puts every write at its end: open it without that"
    )]
    FileAppends,
    /// A write to a volume that was opened for reading only.
    #[error("the volume is open for reading only: open it with Mode::ReadWrite to write")]
    ReadOnly,
    /// A discard of a volume for which they are not allowed.
    #[error(
        "discards are off for this volume: allow them where it is opened, if everybody may know which parts are unused"
    )]
    DiscardOff,
    /// A read or write beyond the volume's end.
    #[error("{length} bytes at offset {offset} reach beyond the volume's end at {size}")]
    OutOfBounds {
        /// Where the access begins, in bytes.
        offset: u64,
        /// How long it is, in bytes.
        length: u64,
        /// The volume's size in bytes.
        size: u64,
    },
    /// Another process holds the lock of the header.
    #[error("another process is changing the header (cryptsetup, perhaps): try again when it is done")]
    Busy,
    /// The header on disk is not the one that was read.
    #[error("the header was changed since it was read: read it again and repeat the change")]
    Changed,
    /// What was written to the header does not come back from the disk.
    #[error(
        "the {copy} of the header does not read back as written: the disk is failing; the other copy, where there \
         is one, is sound"
    )]
    NotVerified {
        /// The copy that was being written.
        copy: HeaderCopy,
    },
    /// The key of an open volume was withdrawn, see [`Volume::recheck`](super::Volume::recheck): the volume has to be
    /// opened again.
    #[error("{0}")]
    Withdrawn(Box<Withdrawal>),
    /// A volume's key cannot be rechecked so.
    #[error("the volume's key is not rechecked: {0}")]
    Recheck(String),
    /// No random bytes.
    #[error("the system's random number generator failed: {0}")]
    Random(getrandom::Error),
    /// The envelope is malformed, or a key provider refused.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The cipher refused its key or its arguments.
    #[error(transparent)]
    Xts(#[from] crate::xts::Error),
}

impl Error {
    /// Makes an I/O error with what was being done.
    pub(super) fn io(action: &'static str) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Io { action, source }
    }
}

/// What is wrong with one copy of a header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderFault {
    /// It does not begin with the magic bytes of a LUKS header.
    #[error("no magic bytes")]
    Magic,
    /// A version of LUKS other than 2.
    #[error("version {0} of LUKS, not 2")]
    Version(u16),
    /// A header size other than 16 KiB, 32 KiB and so on to 4 MiB.
    #[error("a header size of {0} bytes, not a power of two from 16384 to 4194304")]
    Size(u64),
    /// The copy says that it stands elsewhere.
    #[error("it says that it stands at offset {0}")]
    Offset(u64),
    /// The file ends before the copy does.
    #[error("the file ends within it")]
    Truncated,
    /// A checksum algorithm other than SHA-256.
    #[error("a checksum algorithm other than sha256")]
    ChecksumAlgorithm,
    /// The system could not read it.
    #[error("reading it failed: {0}")]
    Unreadable(io::ErrorKind),
    /// The checksum over the copy does not match.
    #[error("its checksum does not match")]
    Checksum,
    /// The UUID is not one.
    #[error("its UUID is malformed")]
    Uuid,
    /// The JSON is malformed, or breaks a rule of LUKS2.
    #[error("its metadata is malformed: {0}")]
    Metadata(String),
}

/// Something that a reader of a volume should tell its user: the volume works, and needs attention.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// One copy of the header is damaged, and the other was used.
    CopyDamaged {
        /// Which copy is damaged.
        copy: HeaderCopy,
        /// What is wrong with it.
        fault: HeaderFault,
    },
    /// Both copies are sound and differ in more than a label: an update was interrupted. The newer one was used.
    CopiesDiffer {
        /// The copy that was used.
        used: HeaderCopy,
        /// The first copy's sequence number.
        first: u64,
        /// The second copy's sequence number.
        second: u64,
    },
}

impl core::fmt::Display for Warning {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        const REPAIR: &str = "`cryptsetup repair` writes both copies anew";
        match self {
            Warning::CopyDamaged { copy, fault } => {
                write!(f, "the {copy} of the header is damaged ({fault}), and the other was used: {REPAIR}")
            }
            Warning::CopiesDiffer { used, first, second } => write!(
                f,
                "the copies of the header differ (sequence numbers {first} and {second}), and the {used} was used: an \
                 update was interrupted; {REPAIR}"
            ),
        }
    }
}
