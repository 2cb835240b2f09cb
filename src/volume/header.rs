//! The LUKS2 header as a whole: two copies, read, compared and updated so that one valid copy is always on disk.

use std::fs::File;

use super::error::{Error, HeaderFault, Warning};
use super::luks2::{self, Checksum, Contents, HeaderCopy};
use super::metadata::{Digest, Keyslot, Metadata, Segment, SegmentCipher, TokenSummary};
use super::policy;
use super::token::Token;
use super::tombstone::{self, Tombstone};
use crate::keys::{Envelope, Uuid, VolumeKeys};

mod copies;
#[cfg(all(test, target_os = "linux"))]
mod tests;
mod update;

pub(super) use copies::Source;
use copies::{CopyRead, find_second, read_copy};
pub(super) use update::fits;

/// A volume's LUKS2 header, as it was read: **nothing in it is authenticated** until [`Volume::open`] has the
/// volume's keys. It serves to describe a volume, and to replace its envelope.
///
/// Text in it (label, subsystem, names of ciphers and types) may be anything: escape it before it is printed.
///
/// [`Volume::open`]: super::Volume::open
#[derive(Clone, Debug)]
pub struct Header {
    contents: Contents,
    used: HeaderCopy,
    checksum: Checksum,
    sequences: [Option<u64>; 2],
}

impl Header {
    /// Reads the header of the volume in `file`, at most 8 MiB of it. Where one copy is damaged or unreadable the other is used,
    /// and where both are sound the one with the higher sequence number; the warnings say so.
    ///
    /// # Errors
    /// [`Error::TooShort`], [`Error::NotLuks`], [`Error::Luks1`], [`Error::Damaged`], [`Error::Destroyed`],
    /// [`Error::Io`].
    pub fn read(file: &File) -> Result<(Header, Vec<Warning>), Error> {
        Header::load(file)
    }

    /// Parses the header at the beginning of `bytes`: of a file, or of a backup of its header. It never panics and
    /// never allocates more at once than the two copies of the header take, whatever the bytes are.
    ///
    /// # Errors
    /// As for [`Header::read`].
    ///
    /// ```
    /// use atrest::volume::{Error, Header};
    ///
    /// assert!(matches!(Header::parse(&[0; 65536]), Err(Error::NotLuks)));
    /// assert!(matches!(Header::parse(b"LUKS"), Err(Error::TooShort { length: 4 })));
    /// ```
    pub fn parse(bytes: &[u8]) -> Result<Header, Error> {
        Header::load(bytes).map(|(header, _)| header)
    }

    pub(super) fn load(source: &(impl Source + ?Sized)) -> Result<(Header, Vec<Warning>), Error> {
        let length = source.length()?;
        if length < 2 * luks2::MIN_SIZE {
            return Err(Error::TooShort { length });
        }
        let first = read_copy(source, length, HeaderCopy::First, 0);
        if let Err(HeaderFault::Version(1)) = first {
            return Err(Error::Luks1);
        }
        let second = match &first {
            Ok((contents, _)) => read_copy(source, length, HeaderCopy::Second, contents.size),
            Err(_) => find_second(source, length),
        };
        Header::choose(first, second).map_err(|error| {
            let mut note = [0; tombstone::LENGTH];
            let note = source.fill(&mut note, 0).ok().and_then(|()| Tombstone::parse(&note));
            note.map_or(error, Error::Destroyed)
        })
    }

    fn choose(first: CopyRead, second: CopyRead) -> Result<(Header, Vec<Warning>), Error> {
        let sequence = |copy: &CopyRead| copy.as_ref().ok().map(|(contents, _)| contents.sequence);
        let sequences = [sequence(&first), sequence(&second)];
        let (used, (contents, checksum), warning) = match (first, second) {
            (Ok(first), Ok(second)) => {
                let used =
                    if second.0.sequence > first.0.sequence { HeaderCopy::Second } else { HeaderCopy::First };
                let equal = first.0.sequence == second.0.sequence
                    && first.0.uuid == second.0.uuid
                    && first.0.metadata.object == second.0.metadata.object;
                let warning =
                    Warning::CopiesDiffer { used, first: first.0.sequence, second: second.0.sequence };
                (used, if used == HeaderCopy::First { first } else { second }, (!equal).then_some(warning))
            }
            (Ok(first), Err(fault)) => {
                (HeaderCopy::First, first, Some(Warning::CopyDamaged { copy: HeaderCopy::Second, fault }))
            }
            (Err(fault), Ok(second)) => {
                (HeaderCopy::Second, second, Some(Warning::CopyDamaged { copy: HeaderCopy::First, fault }))
            }
            (Err(HeaderFault::Magic), Err(HeaderFault::Magic)) => return Err(Error::NotLuks),
            (Err(first), Err(second)) => return Err(Error::Damaged { first, second }),
        };
        Ok((Header { contents, used, checksum, sequences }, warning.into_iter().collect()))
    }

    /// A header that is not on disk yet.
    pub(super) fn new(contents: Contents) -> Header {
        Header { contents, used: HeaderCopy::First, checksum: [0; 32], sequences: [None; 2] }
    }

    /// The volume's UUID.
    pub fn uuid(&self) -> Uuid {
        self.contents.uuid
    }

    /// The label, or an empty string; bytes that are not UTF-8 become U+FFFD.
    pub fn label(&self) -> String {
        String::from_utf8_lossy(luks2::nul_terminated(&self.contents.label)).into_owned()
    }

    /// The subsystem label, or an empty string; bytes that are not UTF-8 become U+FFFD.
    pub fn subsystem(&self) -> String {
        String::from_utf8_lossy(luks2::nul_terminated(&self.contents.subsystem)).into_owned()
    }

    /// The sequence number, which grows with each update.
    pub fn sequence(&self) -> u64 {
        self.contents.sequence
    }

    /// The sequence numbers of the first and the second copy; `None` for one that is damaged.
    pub fn sequences(&self) -> [Option<u64>; 2] {
        self.sequences
    }

    /// The copy that was used.
    pub fn used_copy(&self) -> HeaderCopy {
        self.used
    }

    /// The size of each copy in bytes, a power of two from 16 KiB to 4 MiB.
    pub fn copy_size(&self) -> u64 {
        self.contents.size
    }

    /// The size in bytes of the area for keyslots, behind both copies.
    pub fn keyslots_size(&self) -> u64 {
        self.contents.metadata.keyslots_size
    }

    /// The length in bytes of both copies and the area for keyslots: what a backup of the header holds. It may be more
    /// than the file has.
    pub(super) fn area_length(&self) -> u64 {
        // The sum was checked when the metadata was.
        2 * self.contents.size + self.keyslots_size()
    }

    /// The keyslots, by number. A volume made here has none until cryptsetup adds one.
    pub fn keyslots(&self) -> &[Keyslot] {
        &self.contents.metadata.keyslots
    }

    /// The segments, by number.
    pub fn segments(&self) -> &[Segment] {
        &self.contents.metadata.segments
    }

    /// The digests of volume keys, by number.
    pub fn digests(&self) -> &[Digest] {
        &self.contents.metadata.digests
    }

    /// The tokens, by number.
    pub fn tokens(&self) -> &[TokenSummary] {
        &self.contents.metadata.tokens
    }

    /// What a reader must know to be allowed to use the volume, for example "online-reencrypt-v2".
    pub fn requirements(&self) -> &[String] {
        &self.contents.metadata.requirements
    }

    /// The one segment that holds the volume's data, when this is a volume that is opened here.
    ///
    /// # Errors
    /// [`Error::Refused`], which says why not: a cipher other than aes-xts-plain64, several segments, a requirement,
    /// integrity tags, data in another file.
    pub fn data_segment(&self) -> Result<&Segment, Error> {
        self.data_cipher().map(|(segment, _)| segment)
    }

    /// The same, and how it is encrypted.
    pub(super) fn data_cipher(&self) -> Result<(&Segment, &SegmentCipher), Error> {
        policy::data_segment(&self.contents.metadata, 2 * self.contents.size)
    }

    /// The envelope with the wrapped root key; `None` in a volume that another tool made.
    ///
    /// # Errors
    /// [`Error::Token`] and [`Error::Envelope`] when the token or the envelope in it is malformed.
    pub fn envelope(&self) -> Result<Option<Envelope>, Error> {
        Ok(self.token()?.map(|token| token.envelope))
    }

    /// The volume's exact size in bytes as the atrest token has it; `None` in a volume that another tool made.
    ///
    /// # Errors
    /// As for [`Header::envelope`].
    pub fn size(&self) -> Result<Option<u64>, Error> {
        Ok(self.token()?.map(|token| token.size))
    }

    pub(super) fn token(&self) -> Result<Option<Token>, Error> {
        Token::find(&self.contents.metadata)
    }

    /// The token of this volume, which must be ours.
    pub(super) fn own_token(&self) -> Result<Token, Error> {
        let token = self.token()?.ok_or(Error::NoToken)?;
        if token.envelope.volume() != self.uuid() {
            return Err(Error::Uuid { header: self.uuid(), envelope: token.envelope.volume() });
        }
        Ok(token)
    }

    /// Checks with the volume's keys that nobody else changed what decides how the data is decrypted. The very values that
    /// were parsed are checked, the header's [own token](Header::own_token) among them: nothing is read again.
    pub(super) fn authenticate(&self, token: &Token, keys: &VolumeKeys) -> Result<(), Error> {
        if !token.envelope.is_for(keys) {
            return Err(Error::WrongKeys);
        }
        token.verify(self.uuid(), self.data_segment()?, keys)
    }

    /// Replaces the envelope, for example by one with the same root key wrapped under another key, and renews the
    /// authentication code. [`Header::update`] then writes it.
    ///
    /// # Errors
    /// As for [`Volume::open`](super::Volume::open) when the header as it stands is not authentic;
    /// [`Error::WrongKeys`] when the new envelope is for another root key; [`Error::HeaderFull`].
    pub fn set_envelope(&mut self, envelope: Envelope, keys: &VolumeKeys) -> Result<(), Error> {
        let old = self.own_token()?;
        self.authenticate(&old, keys)?;
        if envelope.volume() != self.uuid() {
            return Err(Error::Uuid { header: self.uuid(), envelope: envelope.volume() });
        }
        if !envelope.is_for(keys) {
            return Err(Error::WrongKeys);
        }
        self.put(old.id, &Token::new(envelope, old.size, self.uuid(), self.data_segment()?, keys))
    }

    /// Replaces the envelope by one with other wrappings of the same root key, without that key: the authentication
    /// code stays, for it does not cover the wrappings, and is not checked. [`Header::update`] then writes it.
    ///
    /// # Errors
    /// [`Error::OtherEnvelope`] when anything but the wrappings differs; [`Error::NeedsKeys`] when the code is of the
    /// first version, which covers the wrappings ([`Header::set_envelope`] then serves); [`Error::HeaderFull`].
    pub fn set_wrappings(&mut self, envelope: Envelope) -> Result<(), Error> {
        let mut token = self.own_token()?;
        if !envelope.is_rewrapping_of(&token.envelope) {
            return Err(Error::OtherEnvelope);
        }
        if !token.takes_other_wrappings() {
            return Err(Error::NeedsKeys);
        }
        token.envelope = envelope;
        self.put(token.id, &token)
    }

    /// Puts the token in its place, if there is room.
    fn put(&mut self, id: u32, token: &Token) -> Result<(), Error> {
        let mut object = self.contents.metadata.object.clone();
        token.replace(&mut object, id)?;
        fits(&object, self.contents.size)?;
        self.contents.metadata = Metadata::new(object, self.contents.size).map_err(Error::Token)?;
        Ok(())
    }
}
