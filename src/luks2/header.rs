//! A header as a whole: its two copies, of which one is used, and what it says.

use std::io::ErrorKind;

use serde_json::{Value, json};
use uuid::Uuid;

use super::copy::{self, Checksum, Contents};
use super::error::{
    HeaderFault, HeaderFull, NotSupported, ParseError, PutTokenError, TokenError, VolumeKeyError, Warning,
};
use super::json::Object;
use super::layout::{BINARY_SIZE, HeaderCopy, LABEL_SIZE, MIN_SIZE, SIZES};
use super::metadata::{Digest, Keyslot, Metadata, Segment, SegmentCipher, TokenSummary};
use super::token::Token;
use super::{digest, policy};

/// A LUKS2 header, as it was read: **nothing in it is authenticated**, but for what the message of its
/// [token](Header::token) covers, once that was checked.
///
/// Text in it (label, subsystem, names of ciphers and types) may be anything: escape it before it is printed.
#[derive(Clone, Debug)]
pub struct Header {
    contents: Contents,
    used: HeaderCopy,
    checksum: Checksum,
    sequences: [Option<u64>; 2],
}

/// Which writing of a header this is: each update gives another one, whatever it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revision {
    used: HeaderCopy,
    checksum: Checksum,
}

/// What a new header says.
pub(crate) struct NewHeader<'a> {
    pub uuid: Uuid,
    /// At most 47 bytes, without NUL.
    pub label: &'a str,
    pub segment: &'a Segment,
    pub token: &'a Token,
    pub digest: &'a Digest,
}

/// One copy, or what is wrong with it.
type CopyRead = Result<(Contents, Checksum), HeaderFault>;

/// Fills a buffer with the bytes at an offset.
pub type Fill<'a> = &'a mut dyn FnMut(&mut [u8], u64) -> Result<(), ErrorKind>;

/// From bytes.
impl Header {
    /// The most that both copies take, in bytes: 8 MiB.
    pub const MAX_LENGTH: u64 = 2 * SIZES[SIZES.len() - 1];

    /// How many bytes from the beginning hold both copies of a header that begins with `beginning`, which should be 4096
    /// bytes at least. Where they do not tell, because the first copy is damaged or there is none, it is
    /// [`Header::MAX_LENGTH`]: the second copy may be anywhere in there.
    ///
    /// ```
    /// use atrest::luks2::Header;
    ///
    /// assert_eq!(Header::length(&[0; 4096]), Header::MAX_LENGTH);
    /// ```
    #[must_use]
    pub fn length(beginning: &[u8]) -> u64 {
        let binary = beginning.first_chunk::<BINARY_SIZE>();
        let size = binary.and_then(|binary| copy::peek_size(binary, HeaderCopy::First, 0).ok());
        size.map_or(Header::MAX_LENGTH, |size| 2 * size)
    }

    /// Parses the header at the beginning of `bytes`, as many as [`Header::length`] says or more. It never panics and
    /// never allocates more at once than the two copies of the header take, whatever the bytes are.
    ///
    /// Where one copy is damaged the other is used, and where both are sound the one with the higher sequence number;
    /// the warnings say so.
    ///
    /// # Errors
    /// Each [`ParseError`].
    pub fn parse(bytes: &[u8]) -> Result<(Header, Vec<Warning>), ParseError> {
        let mut fill = |buffer: &mut [u8], offset: u64| {
            let from = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..));
            let from = from.and_then(|from| from.get(..buffer.len())).ok_or(ErrorKind::UnexpectedEof)?;
            buffer.copy_from_slice(from);
            Ok(())
        };
        Header::load(bytes.len() as u64, &mut fill)
    }

    /// Parses the header at the beginning of something that is `length` bytes long, and is read piece by piece: `fill`
    /// fills a buffer with the bytes at an offset. Each byte is read once, and no more than is needed. What `fill` fails
    /// at makes its copy a damaged one.
    ///
    /// # Errors
    /// As for [`Header::parse`].
    pub fn load(length: u64, fill: Fill<'_>) -> Result<(Header, Vec<Warning>), ParseError> {
        if length < 2 * MIN_SIZE {
            return Err(ParseError::TooShort { length });
        }
        let first = read_copy(fill, length, HeaderCopy::First, 0);
        if let Err(HeaderFault::Version(1)) = first {
            return Err(ParseError::Luks1);
        }
        let second = match &first {
            Ok((contents, _)) => read_copy(fill, length, HeaderCopy::Second, contents.size),
            Err(_) => find_second(fill, length),
        };
        Header::choose(first, second)
    }

    fn choose(first: CopyRead, second: CopyRead) -> Result<(Header, Vec<Warning>), ParseError> {
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
            (Err(HeaderFault::Magic), Err(HeaderFault::Magic)) => return Err(ParseError::NotLuks),
            (Err(first), Err(second)) => return Err(ParseError::Damaged { first, second }),
        };
        Ok((Header { contents, used, checksum, sequences }, warning.into_iter().collect()))
    }
}

/// Reads and parses one copy. What is allocated is as large as the copy, at most 4 MiB, and no larger than what it is
/// read from.
fn read_copy(fill: Fill<'_>, length: u64, copy: HeaderCopy, offset: u64) -> CopyRead {
    let fits = |size: u64| offset.checked_add(size).is_some_and(|end| end <= length);
    if !fits(BINARY_SIZE as u64) {
        return Err(HeaderFault::Truncated);
    }
    let mut binary = [0; BINARY_SIZE];
    fill(&mut binary, offset).map_err(HeaderFault::Unreadable)?;
    let size = copy::peek_size(&binary, copy, offset)?;
    if !fits(size) {
        return Err(HeaderFault::Truncated);
    }
    let mut bytes = vec![0; size as usize];
    let (head, area) = bytes.split_at_mut(BINARY_SIZE);
    head.copy_from_slice(&binary);
    fill(area, offset + BINARY_SIZE as u64).map_err(HeaderFault::Unreadable)?;
    copy::parse(&bytes, copy, offset)
}

/// Looks for the second copy wherever it may stand, for a first copy that does not tell its size.
fn find_second(fill: Fill<'_>, length: u64) -> CopyRead {
    let mut found = HeaderFault::Magic;
    for offset in SIZES {
        match read_copy(fill, length, HeaderCopy::Second, offset) {
            Err(HeaderFault::Magic | HeaderFault::Truncated) => {}
            Err(fault) => found = fault,
            ok => return ok,
        }
    }
    Err(found)
}

/// What it says.
impl Header {
    /// The volume's UUID.
    #[must_use]
    pub fn uuid(&self) -> Uuid {
        self.contents.uuid
    }

    /// The label, or an empty string; bytes that are not UTF-8 become U+FFFD.
    #[must_use]
    pub fn label(&self) -> String {
        String::from_utf8_lossy(copy::nul_terminated(&self.contents.label)).into_owned()
    }

    /// The subsystem label, or an empty string; bytes that are not UTF-8 become U+FFFD.
    #[must_use]
    pub fn subsystem(&self) -> String {
        String::from_utf8_lossy(copy::nul_terminated(&self.contents.subsystem)).into_owned()
    }

    /// The sequence number, which grows with each update.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.contents.sequence
    }

    /// The sequence numbers of the first and the second copy; `None` for one that is damaged.
    #[must_use]
    pub fn sequences(&self) -> [Option<u64>; 2] {
        self.sequences
    }

    /// The copy that was used.
    #[must_use]
    pub fn used_copy(&self) -> HeaderCopy {
        self.used
    }

    /// Which writing of the header this is.
    #[must_use]
    pub fn revision(&self) -> Revision {
        Revision { used: self.used, checksum: self.checksum }
    }

    /// The size of each copy in bytes, a power of two from 16 KiB to 4 MiB.
    #[must_use]
    pub fn copy_size(&self) -> u64 {
        self.contents.size
    }

    /// The size in bytes of the area for keyslots, behind both copies.
    #[must_use]
    pub fn keyslots_size(&self) -> u64 {
        self.contents.metadata.keyslots_size
    }

    /// The length in bytes of both copies and the area for keyslots: what a backup of the header holds.
    #[must_use]
    pub fn area_length(&self) -> u64 {
        // The sum was checked when the metadata was.
        2 * self.contents.size + self.keyslots_size()
    }

    /// The keyslots, by number. A volume made here has none until cryptsetup adds one.
    #[must_use]
    pub fn keyslots(&self) -> &[Keyslot] {
        &self.contents.metadata.keyslots
    }

    /// A keyslot as the header has it, in JSON.
    pub(crate) fn keyslot_json(&self, id: u32) -> String {
        let keyslots = self.contents.metadata.object.get("keyslots");
        let keyslot = keyslots.and_then(|keyslots| keyslots.get(id.to_string()));
        keyslot.map(Value::to_string).unwrap_or_default()
    }

    /// The segments, by number.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.contents.metadata.segments
    }

    /// The digests of volume keys, by number.
    #[must_use]
    pub fn digests(&self) -> &[Digest] {
        &self.contents.metadata.digests
    }

    /// The digest that the data segment's volume key is held against, if it has one.
    ///
    /// # Errors
    /// As for [`Header::data_segment`].
    pub fn data_digest(&self) -> Result<Option<&Digest>, NotSupported> {
        let segment = self.data_segment()?.id;
        Ok(digest::of_segment(self.digests(), segment))
    }

    /// The tokens, by number.
    #[must_use]
    pub fn tokens(&self) -> &[TokenSummary] {
        &self.contents.metadata.tokens
    }

    /// What a reader must know to be allowed to use the volume, for example "online-reencrypt-v2".
    #[must_use]
    pub fn requirements(&self) -> &[String] {
        &self.contents.metadata.requirements
    }

    /// The one segment that holds the volume's data, when this is a volume that is opened here.
    ///
    /// # Errors
    /// [`NotSupported`], which says why not: a cipher other than aes-xts-plain64, several segments, a requirement,
    /// integrity tags, data in another file.
    pub fn data_segment(&self) -> Result<&Segment, NotSupported> {
        self.data_cipher().map(|(segment, _)| segment)
    }

    /// The same, and how it is encrypted.
    ///
    /// # Errors
    /// As for [`Header::data_segment`].
    pub fn data_cipher(&self) -> Result<(&Segment, &SegmentCipher), NotSupported> {
        policy::data_segment(&self.contents.metadata, 2 * self.contents.size)
    }

    /// The atrest token; `None` in a volume that another tool made.
    ///
    /// # Errors
    /// [`TokenError::Malformed`], [`TokenError::Version`].
    pub fn token(&self) -> Result<Option<Token>, TokenError> {
        Token::find(&self.contents.metadata)
    }

    /// Checks a volume key of 32 or 64 bytes against the digest of the data segment, in constant time, for at most 10
    /// million iterations.
    ///
    /// # Errors
    /// Each [`VolumeKeyError`].
    pub fn check_volume_key(&self, key: &[u8]) -> Result<(), VolumeKeyError> {
        if !matches!(key.len(), 32 | 64) {
            return Err(VolumeKeyError::Length { length: key.len() });
        }
        digest::check(self.digests(), self.data_segment()?.id, key)
    }
}

/// To bytes.
impl Header {
    /// The header of a new volume: the smallest in which the JSON takes at most half of a copy, so that cryptsetup has
    /// room for keyslots and tokens of its own. An envelope of the largest size leaves that room in the larger copies.
    pub(crate) fn new(new: &NewHeader<'_>) -> Result<Header, HeaderFull> {
        let token = new.token.to_json().unwrap_or_default();
        let mut full = HeaderFull { needed: 0, limit: 0 };
        for size in SIZES {
            let object = metadata_json(new, &token, size);
            let half = (size as usize - BINARY_SIZE) / 2;
            let json = fits(&object, size).unwrap_or_default();
            if json.is_empty() || json.len() > half {
                full = HeaderFull { needed: json.len(), limit: half };
                continue;
            }
            let mut label = [0; LABEL_SIZE];
            label[..new.label.len()].copy_from_slice(new.label.as_bytes());
            let metadata = Metadata::new(object, size).expect("it is made as it is checked");
            let (uuid, subsystem) = (new.uuid, [0; LABEL_SIZE]);
            let contents = Contents { size, sequence: 0, label, subsystem, uuid, metadata };
            let (used, checksum) = (HeaderCopy::First, [0; 32]);
            return Ok(Header { contents, used, checksum, sequences: [None; 2] });
        }
        Err(full)
    }

    /// Puts a token in the place of the one of its number, if there is room.
    ///
    /// # Errors
    /// [`TokenError::Missing`] where there is none of that number, [`TokenError::Malformed`] for an envelope that is no
    /// JSON; [`HeaderFull`]. The header is as it was then.
    pub fn put_token(&mut self, token: &Token) -> Result<(), PutTokenError> {
        let mut object = self.contents.metadata.object.clone();
        token.replace(&mut object)?;
        fits(&object, self.contents.size)?;
        self.contents.metadata = Metadata::new(object, self.contents.size).map_err(TokenError::Malformed)?;
        Ok(())
    }

    /// This header with the next sequence number: one more, and 2^63 after 2^64 - 1, which nothing but a forger's pen
    /// gets to.
    ///
    /// Were there none, whoever writes that number to a disk once would end all changes of the header. A lower one does no
    /// harm: a reader who finds one copy of each takes the higher one, which is the header as it was, until the second copy
    /// is written, too. cryptsetup begins at 0 again, and takes either. 2^63 leaves backups of the header, and copies of a
    /// disk, older than the header that is there.
    #[must_use]
    pub fn next(&self) -> Header {
        let mut next = self.clone();
        next.contents.sequence = next.contents.sequence.checked_add(1).unwrap_or(1 << 63);
        next
    }

    /// The bytes of one copy, [`Header::copy_size`] of them, which stand at its [offset](HeaderCopy::offset). The salt
    /// is 64 random bytes, which no two copies share.
    ///
    /// # Errors
    /// [`HeaderFull`].
    pub fn encode(&self, copy: HeaderCopy, salt: &[u8; 64]) -> Result<Vec<u8>, HeaderFull> {
        let json = fits(&self.contents.metadata.object, self.contents.size)?;
        Ok(copy::encode(&self.contents, &json, copy, salt))
    }

    /// Remembers that both copies are on the disk now: a reader finds two that are equal, and uses the first.
    pub(crate) fn written(&mut self, first: &[u8]) {
        self.used = HeaderCopy::First;
        self.checksum = copy::checksum(first);
        self.sequences = [Some(self.contents.sequence); 2];
    }

    /// This header, to be written over another one: with a sequence number that is above both once it is written, and
    /// the copy that is not in use there first.
    pub(crate) fn in_place_of(&self, current: Option<&Header>) -> Header {
        let mut header = self.clone();
        header.used = current.map_or(HeaderCopy::First, |current| current.used);
        if let Some(current) = current {
            header.contents.sequence = header.contents.sequence.max(current.contents.sequence);
        }
        header
    }
}

/// The JSON as it is written, when it fits in a copy of `size` bytes together with its closing NUL.
fn fits(object: &Object, size: u64) -> Result<Vec<u8>, HeaderFull> {
    let json = serde_json::to_vec(object).expect("text, numbers and containers of these");
    let limit = size as usize - BINARY_SIZE;
    if json.len() < limit { Ok(json) } else { Err(HeaderFull { needed: json.len() + 1, limit }) }
}

fn metadata_json(new: &NewHeader<'_>, token: &Value, size: u64) -> Object {
    let mut json = json!({
        "keyslots": {},
        "tokens": { "0": token },
        "segments": { "0": new.segment.to_json() },
        "digests": { "0": new.digest.to_json() },
        "config": {
            "json_size": (size - BINARY_SIZE as u64).to_string(),
            "keyslots_size": (new.segment.offset - 2 * size).to_string(),
        },
    });
    if new.token.holes() {
        json["config"]["requirements"] = json!({ "mandatory": [policy::HOLES] });
    }
    match json {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}
