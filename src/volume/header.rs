//! The LUKS2 header as a whole: two copies, read, compared and updated so that one valid copy is always on disk.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use super::disk::{self, Disk, HeaderLock};
use super::error::{Error, HeaderFault, Warning};
use super::luks2::{self, BINARY_SIZE, Checksum, Contents, HeaderCopy};
use super::metadata::{Digest, Keyslot, Metadata, Segment, SegmentCipher, TokenSummary};
use super::policy;
use super::token::Token;
use super::tombstone::{self, Tombstone};
use crate::envelope::{Envelope, Uuid, VolumeKeys};

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

/// Where a header is read from.
pub(super) trait Source {
    fn length(&self) -> Result<u64, Error>;
    fn fill(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

impl Source for File {
    fn length(&self) -> Result<u64, Error> {
        disk::length(self)
    }

    fn fill(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }
}

impl Source for [u8] {
    fn length(&self) -> Result<u64, Error> {
        Ok(self.len() as u64)
    }

    fn fill(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let from = usize::try_from(offset).ok().and_then(|offset| self.get(offset..));
        let from = from.and_then(|from| from.get(..buffer.len())).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(from);
        Ok(())
    }
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

    /// Writes the header to `file` with the next sequence number: first the copy that was not used, synced and
    /// read back, then the other. Whenever this is interrupted, one valid copy is on disk.
    ///
    /// The file's advisory lock (`flock`), which cryptsetup takes for a volume in a regular file, is held
    /// meanwhile, and released in the end.
    ///
    /// # Errors
    /// [`Error::Busy`] when the lock is not free within five seconds; [`Error::Changed`] when the header on disk is
    /// not the one that was read: nothing is written in both cases. [`Error::HeaderFull`], [`Error::Random`],
    /// [`Error::Io`], [`Error::NotVerified`].
    pub fn update(&mut self, file: &File) -> Result<(), Error> {
        disk::check_writable(file)?;
        let _lock = HeaderLock::take(file)?;
        let (on_disk, _) = Header::read(file)?;
        if (on_disk.used, on_disk.checksum) != (self.used, self.checksum) {
            return Err(Error::Changed);
        }
        self.write(file)
    }

    /// Writes both copies, all of each, without a look at what is there.
    pub(super) fn write(&mut self, disk: &impl Disk) -> Result<(), Error> {
        let json = fits(&self.contents.metadata.object, self.contents.size)?;
        let mut contents = self.contents.clone();
        contents.sequence = contents
            .sequence
            .checked_add(1)
            .ok_or_else(|| Error::Refused("its sequence number has reached the limit of 2^64 - 1".into()))?;
        let mut checksum = self.checksum;
        for copy in [self.used.other(), self.used] {
            let mut salt = [0; 64];
            getrandom::fill(&mut salt).map_err(Error::Random)?;
            let bytes = luks2::encode(&contents, &json, copy, &salt);
            disk::write_verified(disk, &bytes, copy.offset(contents.size), copy)?;
            if copy == HeaderCopy::First {
                checksum = luks2::checksum(&bytes);
            }
        }
        // From now on a reader finds two equal copies and uses the first.
        self.used = HeaderCopy::First;
        self.checksum = checksum;
        self.sequences = [Some(contents.sequence); 2];
        self.contents = contents;
        Ok(())
    }
}

/// For backups of a header.
impl Header {
    /// Writes both copies alike to the beginning of `bytes`, with the sequence number that the header has.
    pub(super) fn encode_both(&self, bytes: &mut [u8]) -> Result<(), Error> {
        let json = fits(&self.contents.metadata.object, self.contents.size)?;
        for (copy, to) in [HeaderCopy::First, HeaderCopy::Second]
            .into_iter()
            .zip(bytes.chunks_exact_mut(self.contents.size as usize))
        {
            let mut salt = [0; 64];
            getrandom::fill(&mut salt).map_err(Error::Random)?;
            to.copy_from_slice(&luks2::encode(&self.contents, &json, copy, &salt));
        }
        Ok(())
    }

    /// This header, to be written over another one: with a sequence number that is above both once it is written, and the
    /// copy that is not in use there first.
    pub(super) fn in_place_of(&self, current: Option<&Header>) -> Header {
        let mut header = self.clone();
        header.used = current.map_or(HeaderCopy::First, |current| current.used);
        if let Some(current) = current {
            header.contents.sequence = header.contents.sequence.max(current.contents.sequence);
        }
        header
    }

    /// A keyslot as the header has it.
    pub(super) fn keyslot_json(&self, id: u32) -> serde_json::Value {
        let keyslots = self.contents.metadata.object.get("keyslots");
        keyslots.and_then(|keyslots| keyslots.get(id.to_string())).cloned().unwrap_or_default()
    }
}

/// The JSON as it is written, when it fits in a copy of `size` bytes together with its closing NUL.
pub(super) fn fits(object: &super::json::Object, size: u64) -> Result<Vec<u8>, Error> {
    let json = serde_json::to_vec(object).map_err(|error| Error::Token(error.to_string()))?;
    let limit = size as usize - BINARY_SIZE;
    if json.len() < limit { Ok(json) } else { Err(Error::HeaderFull { needed: json.len() + 1, limit }) }
}

/// One copy, or what is wrong with it.
type CopyRead = Result<(Contents, Checksum), HeaderFault>;

/// Reads and parses one copy; each byte of it is read once. What is allocated is as large as the copy, at most
/// 4 MiB, and no larger than the source.
fn read_copy(source: &(impl Source + ?Sized), length: u64, copy: HeaderCopy, offset: u64) -> CopyRead {
    let fits = |size: u64| offset.checked_add(size).is_some_and(|end| end <= length);
    if !fits(BINARY_SIZE as u64) {
        return Err(HeaderFault::Truncated);
    }
    let unreadable = |error: io::Error| HeaderFault::Unreadable(error.kind());
    let mut binary = [0; BINARY_SIZE];
    source.fill(&mut binary, offset).map_err(unreadable)?;
    let size = luks2::peek_size(&binary, copy, offset)?;
    if !fits(size) {
        return Err(HeaderFault::Truncated);
    }
    let mut bytes = vec![0; size as usize];
    let (head, area) = bytes.split_at_mut(BINARY_SIZE);
    head.copy_from_slice(&binary);
    source.fill(area, offset + BINARY_SIZE as u64).map_err(unreadable)?;
    luks2::parse(&bytes, copy, offset)
}

/// Looks for the second copy wherever it may stand, for a first copy that does not tell its size.
fn find_second(source: &(impl Source + ?Sized), length: u64) -> CopyRead {
    let mut found = HeaderFault::Magic;
    for offset in luks2::SIZES {
        match read_copy(source, length, HeaderCopy::Second, offset) {
            Err(HeaderFault::Magic | HeaderFault::Truncated) => {}
            Err(fault) => found = fault,
            ok => return ok,
        }
    }
    Err(found)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

    use super::*;
    use crate::envelope::{Class, LocalKeystore, block_on, new_uuid};
    use crate::volume::{CreateOptions, Volume};

    fn volume() -> (File, Volume) {
        let home = tempfile::tempdir().unwrap();
        let keystore = LocalKeystore::open_or_create(home.path().join("keys")).unwrap();
        keystore.ensure_key("default").unwrap();
        let envelope = Envelope::create(&keystore, "default", new_uuid().unwrap(), Class::Persistent);
        let (envelope, keys) = block_on(envelope).unwrap();
        let file = File::from(memfd_create("volume", MemfdFlags::ALLOW_SEALING).unwrap());
        let volume = Volume::create(file.try_clone().unwrap(), &CreateOptions::new(1), envelope, &keys);
        (file, volume.unwrap())
    }

    /// Bytes of which a part is on bad sectors.
    struct Failing {
        bytes: Vec<u8>,
        bad: core::ops::Range<u64>,
    }

    impl Source for Failing {
        fn length(&self) -> Result<u64, Error> {
            self.bytes.length()
        }

        fn fill(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
            if offset < self.bad.end && offset + buffer.len() as u64 > self.bad.start {
                return Err(rustix::io::Errno::IO.into());
            }
            self.bytes.fill(buffer, offset)
        }
    }

    #[test]
    fn a_copy_on_bad_sectors_is_as_a_damaged_one() {
        let (file, volume) = volume();
        let size = volume.header().copy_size();
        let mut bytes = vec![0; 2 * size as usize];
        file.read_exact_at(&mut bytes, 0).unwrap();
        let load = |bad| Header::load(&Failing { bytes: bytes.clone(), bad });
        for (bad, used) in [
            (0..1, HeaderCopy::Second),
            (5000..5001, HeaderCopy::Second),
            (size..size + 1, HeaderCopy::First),
            (2 * size - 1..2 * size, HeaderCopy::First),
        ] {
            let (header, warnings) = load(bad).unwrap();
            assert_eq!((header.used_copy(), header.uuid()), (used, volume.header().uuid()));
            let fault = HeaderFault::Unreadable(io::Error::from(rustix::io::Errno::IO).kind());
            assert_eq!(warnings, [Warning::CopyDamaged { copy: used.other(), fault }]);
        }
        assert!(matches!(load(0..2 * size), Err(Error::Damaged { .. })));
    }

    #[test]
    fn the_copy_in_use_is_written_last() {
        let (file, volume) = volume();
        let mut header = volume.header().clone();

        // Now there is room for the first copy only, so writing the second one fails.
        let size = header.copy_size();
        file.set_len(size).unwrap();
        fcntl_add_seals(&file, SealFlags::GROW).unwrap();
        let first_copy = || {
            let mut bytes = vec![0; size as usize];
            file.read_exact_at(&mut bytes, 0).unwrap();
            bytes
        };
        let before = first_copy();
        assert_eq!(header.used_copy(), HeaderCopy::First);
        assert!(matches!(header.write(&file), Err(Error::Io { .. })));
        assert!(first_copy() == before, "the only valid copy was overwritten");
        assert_eq!(header.sequence(), volume.header().sequence());

        header.used = HeaderCopy::Second;
        assert!(matches!(header.write(&file), Err(Error::Io { .. })));
        assert!(first_copy() != before);
    }
}
