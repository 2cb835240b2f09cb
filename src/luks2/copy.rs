//! One copy of a header: a binary part of 4096 bytes, then JSON and zeros to the copy's end.
//!
//! *LUKS2 On-Disk Format Specification* (version 1.1.1), sections 2.1 to 2.4. All numbers are big-endian. A volume
//! has two copies, one behind the other, which differ in their magic bytes, salt, offset and checksum.

use sha2::{Digest as _, Sha256};

use super::error::HeaderFault;
use super::json;
use super::layout::{BINARY_SIZE, HeaderCopy, LABEL_SIZE, SIZES};
use super::metadata::Metadata;
use uuid::Uuid;

const MAGIC_FIRST: [u8; 6] = *b"LUKS\xba\xbe";
const MAGIC_SECOND: [u8; 6] = *b"SKUL\xba\xbe";
const VERSION: u16 = 2;
const CHECKSUM_ALGORITHM: &[u8] = b"sha256";

/// What a copy begins with.
const fn magic(copy: HeaderCopy) -> [u8; 6] {
    match copy {
        HeaderCopy::First => MAGIC_FIRST,
        HeaderCopy::Second => MAGIC_SECOND,
    }
}

/// Where each field of the binary header stands (section 2.2).
mod field {
    use core::ops::Range;
    pub const MAGIC: Range<usize> = 0..6;
    pub const VERSION: Range<usize> = 6..8;
    pub const SIZE: Range<usize> = 8..16;
    pub const SEQUENCE: Range<usize> = 16..24;
    pub const LABEL: Range<usize> = 24..72;
    pub const CHECKSUM_ALGORITHM: Range<usize> = 72..104;
    pub const SALT: Range<usize> = 104..168;
    pub const UUID: Range<usize> = 168..208;
    pub const SUBSYSTEM: Range<usize> = 208..256;
    pub const OFFSET: Range<usize> = 256..264;
    pub const CHECKSUM: Range<usize> = 448..512;
}

/// What both copies say alike.
#[derive(Clone, Debug)]
pub(super) struct Contents {
    /// The size of each copy in bytes, one of [`SIZES`].
    pub size: u64,
    /// Grows by one with each update.
    pub sequence: u64,
    /// Text up to the first NUL.
    pub label: [u8; LABEL_SIZE],
    /// Text up to the first NUL.
    pub subsystem: [u8; LABEL_SIZE],
    pub uuid: Uuid,
    pub metadata: Metadata,
}

/// The checksum of a copy: it also tells whether a copy is still the one that was read, for each update draws a
/// new salt.
pub(super) type Checksum = [u8; 32];

/// Reads the size of a copy from its binary header, before anything is allocated for the copy itself.
pub(super) fn peek_size(
    binary: &[u8; BINARY_SIZE],
    copy: HeaderCopy,
    offset: u64,
) -> Result<u64, HeaderFault> {
    // The version decides what every other field means.
    if binary[field::MAGIC] != magic(copy) {
        return Err(HeaderFault::Magic);
    }
    let version = u16::from_be_bytes(array(&binary[field::VERSION]));
    if version != VERSION {
        return Err(HeaderFault::Version(version));
    }
    let size = u64::from_be_bytes(array(&binary[field::SIZE]));
    if !SIZES.contains(&size) {
        return Err(HeaderFault::Size(size));
    }
    let stated = u64::from_be_bytes(array(&binary[field::OFFSET]));
    if stated != offset || offset != copy.offset(size) {
        return Err(HeaderFault::Offset(stated));
    }
    Ok(size)
}

/// Whose a binary header says it is, whatever else is wrong with it.
pub(crate) fn peek_uuid(binary: &[u8; BINARY_SIZE]) -> Option<Uuid> {
    let found = &binary[field::MAGIC];
    let ours = [HeaderCopy::First, HeaderCopy::Second].iter().any(|copy| found == magic(*copy));
    uuid(&binary[field::UUID]).filter(|_| ours)
}

/// Parses one whole copy, read from `offset`. `bytes` is as long as [`peek_size`] said.
pub(super) fn parse(
    bytes: &[u8],
    copy: HeaderCopy,
    offset: u64,
) -> Result<(Contents, Checksum), HeaderFault> {
    let (binary, area) = bytes.split_first_chunk::<BINARY_SIZE>().ok_or(HeaderFault::Truncated)?;
    // Once more, on the bytes that count: the file may have changed since the size was read.
    let size = peek_size(binary, copy, offset)?;
    if bytes.len() as u64 != size {
        return Err(HeaderFault::Size(size));
    }
    if nul_terminated(&binary[field::CHECKSUM_ALGORITHM]) != CHECKSUM_ALGORITHM {
        return Err(HeaderFault::ChecksumAlgorithm);
    }
    let sum = checksum(bytes);
    // The checksum guards against accidents only: anybody can compute it, so there is no secret to time.
    if binary[field::CHECKSUM][..32] != sum {
        return Err(HeaderFault::Checksum);
    }

    let end =
        area.iter().position(|&byte| byte == 0).ok_or_else(|| metadata_fault("no NUL closes the JSON"))?;
    let (text, rest) = area.split_at(end);
    if rest.iter().any(|&byte| byte != 0) {
        return Err(metadata_fault("the JSON is followed by something other than zeros"));
    }
    let object = json::parse(text).map_err(HeaderFault::Metadata)?;
    let metadata = Metadata::new(object, size).map_err(HeaderFault::Metadata)?;

    let contents = Contents {
        size,
        sequence: u64::from_be_bytes(array(&binary[field::SEQUENCE])),
        label: array(&binary[field::LABEL]),
        subsystem: array(&binary[field::SUBSYSTEM]),
        uuid: uuid(&binary[field::UUID]).ok_or(HeaderFault::Uuid)?,
        metadata,
    };
    Ok((contents, sum))
}

/// Writes one copy: `contents.size` bytes. `json` is shorter than the copy's JSON area, which its caller checked.
pub(super) fn encode(contents: &Contents, json: &[u8], copy: HeaderCopy, salt: &[u8; 64]) -> Vec<u8> {
    let mut bytes = vec![0; contents.size as usize];
    let mut put = |field: core::ops::Range<usize>, value: &[u8]| {
        bytes[field.start..field.start + value.len()].copy_from_slice(value);
    };
    put(field::MAGIC, &magic(copy));
    put(field::VERSION, &VERSION.to_be_bytes());
    put(field::SIZE, &contents.size.to_be_bytes());
    put(field::SEQUENCE, &contents.sequence.to_be_bytes());
    put(field::LABEL, &contents.label);
    put(field::CHECKSUM_ALGORITHM, CHECKSUM_ALGORITHM);
    put(field::SALT, salt);
    put(field::UUID, contents.uuid.hyphenated().to_string().as_bytes());
    put(field::SUBSYSTEM, &contents.subsystem);
    put(field::OFFSET, &copy.offset(contents.size).to_be_bytes());
    put(BINARY_SIZE..BINARY_SIZE + json.len(), json);
    let sum = checksum(&bytes);
    bytes[field::CHECKSUM][..32].copy_from_slice(&sum);
    bytes
}

/// SHA-256 over a whole copy in which the checksum's field is zero (section 2.4).
pub(super) fn checksum(bytes: &[u8]) -> Checksum {
    let mut hash = Sha256::new();
    hash.update(&bytes[..field::CHECKSUM.start]);
    hash.update([0; field::CHECKSUM.end - field::CHECKSUM.start]);
    hash.update(&bytes[field::CHECKSUM.end..]);
    hash.finalize().into()
}

fn metadata_fault(what: &str) -> HeaderFault {
    HeaderFault::Metadata(what.into())
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("each field is read at its own length")
}

/// A text field without its closing NUL.
pub(super) fn nul_terminated(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or(field)
}

/// A UUID in its hyphenated form, the only one that cryptsetup writes.
fn uuid(field: &[u8]) -> Option<Uuid> {
    let text = core::str::from_utf8(nul_terminated(field)).ok()?;
    if text.len() == 36 { Uuid::try_parse(text).ok() } else { None }
}
