//! Encrypted volumes in LUKS2 containers, which cryptsetup and the Linux kernel read too.
//!
//! A [`Volume`] is made with an [`Envelope`](crate::keys::Envelope), which its header carries, and opened with
//! the key providers that can unwrap it. Then it is read and written at any offset.
//!
//! ```
//! use atrest::keys::{Class, Envelope, Expect, LocalKeystore, Providers, block_on, new_uuid};
//! use atrest::volume::{CreateOptions, Mode, Volume};
//! # use std::fs::OpenOptions;
//!
//! # let dir = tempfile::tempdir()?;
//! # let (home, path) = (dir.path().join("keys"), dir.path().join("volume"));
//! let keystore = LocalKeystore::open_or_create(&home)?;
//! keystore.ensure_key("default")?;
//! let (envelope, keys) = block_on(Envelope::create(&keystore, "default", new_uuid()?, Class::Persistent))?;
//!
//! let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
//! let volume = Volume::create(file, &CreateOptions::new(1_000_000), envelope, &keys)?;
//! volume.write_at(b"at rest", 999_990)?;
//! volume.flush()?;
//!
//! // Whoever can write the disk can exchange the header: what opens later must be the volume that was made here.
//! let expect = Expect::pin(volume.header().pin()?.ok_or("a volume of another tool")?);
//! let file = std::fs::File::open(&path)?;
//! let volume = Volume::open(file, &Providers::new().with(keystore), &expect, Mode::ReadOnly)?;
//! let mut text = [0; 7];
//! volume.read_at(&mut text, 999_990)?;
//! assert_eq!(&text, b"at rest");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Storage, and engines with I/O of their own
//! A volume lies in any [`Storage`](crate::storage::Storage): a file or a block device, memory, or a type of yours. An
//! engine that reads and writes by itself takes a [`SectorCipher`], which is a volume without I/O: header bytes and keys in,
//! sectors encrypted and decrypted by their numbers.
//!
//! # Changes of the header
//! [`edit`] and [`HeaderEdit`] are the one way: under the lock, after one read. Rewrapping ([`Volume::change_wrappings`]),
//! restoring ([`HeaderBackup::restore`]) and destroying ([`Volume::destroy`]) are calls of it.
//!
//! # Errors
//! Each operation has a type with what it can give, [`OpenError`], [`ReadError`], [`WriteError`] and so on; each has a
//! [`Code`](crate::Code), and all convert into [`Error`].
//!
//! # What is on the disk
//! LUKS2 as cryptsetup 2 makes it: two copies of a header of 16 KiB (more for large envelopes), room for keyslots,
//! and from 16 MiB on the data, encrypted with AES-256 in XTS mode ("aes-xts-plain64"); sectors of 4096 bytes have
//! tweaks 0, 8, 16 and so on, as dm-crypt counts. No keyslot is made: the key is in a token of type "atrest".
//! `cryptsetup luksAddKey` can add a passphrase, and `cryptsetup open` then opens the volume.
//!
//! LUKS2 itself authenticates nothing in a header. The token does: an HMAC under a key derived from the root key
//! covers everything that decides how data is decrypted. It cannot tell an older header of the same volume from
//! the current one. The wrappings of the root key are not covered: a forged one does not open.
//!
//! `cryptsetup luksErase` destroys keyslots and nothing else: the token still opens the volume. [`Volume::destroy`] erases
//! the key of a scratch volume ([`LocalKeystore::create_scratch`](crate::keys::LocalKeystore::create_scratch)), and
//! overwrites the header: then no copy of the volume opens.
//!
//! # Withdrawn keys
//! An open volume goes on working when its key is withdrawn. [`Volume::recheck`] makes it ask the key providers again and
//! again, and close itself when they say no, or when none of them says yes for too long.
//!
//! # Zeros and discards
//! [`Volume::write_zeros`] writes encrypted zeros. [`Volume::discard`] gives space back, and is off until
//! [`Volume::allow_discards`]: a hole shows that its sectors are unused, and what is read from it has no meaning (it is
//! not zero). dm-crypt's `allow_discards` is the same trade. A volume with [holes](CreateOptions::holes) differs: there they
//! read as zeros, and cryptsetup refuses it.

mod backup;
mod buffers;
mod cipher;
mod create;
mod data_path;
mod destroy;
mod difference;
mod edit;
mod error;
mod geometry;
mod header;
mod lease;
mod open;
mod range_locks;
mod recheck;
mod tombstone;
mod withdrawal;
mod wrappings;
mod writer;

pub use backup::{HeaderBackup, HeaderRestored};
pub use cipher::SectorCipher;
pub use create::CreateOptions;
pub use data_path::{Mode, Volume};
pub use destroy::{DestroyOptions, Destroyed};
pub use difference::HeaderDifference;
pub use edit::{HeaderEdit, edit};
pub use error::{
    AppendError, BackupError, Busy, Changed, CreateError, DestroyError, DiscardError, DiscardOff,
    EnvelopeTooLarge, Error, FinishError, Forged, HeaderError, NeedsKeys, NotAuthenticated, NotOverwritten,
    NotRechecked, NotRestored, NotScratch, NotVerified, NotVouchedFor, NotWritable, OpenError, OptionsError,
    OtherEnvelope, OtherVolume, OutOfBounds, RandomError, ReadEnvelopeError, ReadError, ReadHeaderError,
    ReadOnly, RecheckError, Reencrypted, RestoreError, SectorError, SetEnvelopeError, StillOpens,
    StorageError, TargetError, Truncated, UuidMismatch, WrappingError, WriteError, WrongKeys,
};
pub use header::Header;
pub use open::ClosedVolume;
pub use recheck::Recheck;
pub use tombstone::Tombstone;
pub use withdrawal::Withdrawal;
pub use wrappings::{WrappingChange, WrappingsChanged};
pub use writer::Writer;
