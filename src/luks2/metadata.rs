//! The JSON of a LUKS2 header, checked: *LUKS2 On-Disk Format Specification* (version 1.1.1), section 3.
//!
//! What is checked here is what makes the JSON well-formed LUKS2. Whether a volume may be opened is decided later,
//! in `policy`, so that `info` can describe volumes that are not opened here, and so that a header with something
//! new in it does not look damaged and fall back to an older copy.

use base64ct::{Base64, Encoding as _};
use serde_json::Value;

use super::json::{At, Object, decimal};
use super::layout::BINARY_SIZE;

/// The one cipher that is decrypted here.
pub(super) const CIPHER: &str = "aes-xts-plain64";

/// A segment: where data lies, and how it is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Segment {
    /// Its number.
    pub id: u32,
    /// Its type: "crypt" for encrypted data, "linear" for plain data.
    pub kind: String,
    /// Where it begins, in bytes from the beginning of the file.
    pub offset: u64,
    /// Its length in bytes, or `None` when it reaches to the end of the file ("dynamic").
    pub size: Option<u64>,
    /// How it is encrypted, for the type "crypt".
    pub cipher: Option<SegmentCipher>,
    /// The names of fields beyond these, for example "integrity" or "flags".
    pub other: Vec<String>,
}

/// How a segment is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SegmentCipher {
    /// Cipher, mode and initialisation vector in dm-crypt's notation, for example "aes-xts-plain64".
    pub encryption: String,
    /// The encryption sector (the data unit of XTS) in bytes: 512, 1024, 2048 or 4096.
    pub sector_size: u32,
    /// What is added to each sector's number, in units of 512 bytes.
    pub iv_tweak: u64,
}

/// A keyslot: the volume key under a passphrase or a key of cryptsetup's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Keyslot {
    /// Its number.
    pub id: u32,
    /// Its type, "luks2" or, while a volume is being re-encrypted, "reencrypt".
    pub kind: String,
    /// Where its key material lies, in bytes from the beginning of the file.
    pub offset: u64,
    /// How long that is, in bytes.
    pub size: u64,
}

/// A digest of the volume key, by which cryptsetup tells the right key from a wrong one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Digest {
    /// Its number.
    pub id: u32,
    /// Its type; only "pbkdf2" is known, and the fields below are empty for others.
    pub kind: String,
    /// The hash of PBKDF2's HMAC, for example "sha256".
    pub hash: String,
    /// PBKDF2's iterations.
    pub iterations: u32,
    /// PBKDF2's salt.
    pub salt: Vec<u8>,
    /// PBKDF2's result.
    pub digest: Vec<u8>,
    /// The segments whose key this is about.
    pub segments: Vec<u32>,
    /// The keyslots that hold this key.
    pub keyslots: Vec<u32>,
}

/// A token: a place where a tool keeps what it needs to unlock the volume.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenSummary {
    /// Its number.
    pub id: u32,
    /// Its type, for example "atrest" or "systemd-tpm2".
    pub kind: String,
    /// The keyslots that it unlocks.
    pub keyslots: Vec<u32>,
}

/// The header's JSON.
#[derive(Clone, Debug)]
pub(super) struct Metadata {
    /// All of it, as it was read: what is not understood here is kept when the header is written again.
    pub object: Object,
    pub keyslots: Vec<Keyslot>,
    pub segments: Vec<Segment>,
    pub digests: Vec<Digest>,
    pub tokens: Vec<TokenSummary>,
    /// The length in bytes of the area for keyslots behind both copies of the header.
    pub keyslots_size: u64,
    /// What a reader must know to be allowed to use the volume.
    pub requirements: Vec<String>,
}

impl Metadata {
    /// Checks the JSON of a header of which each copy has `size` bytes.
    pub(super) fn new(object: Object, size: u64) -> Result<Metadata, String> {
        let root = At::root(&object);
        let config = root.object("config")?;
        let json_size = config.decimal("json_size")?;
        if json_size != size - BINARY_SIZE as u64 {
            return Err(config.wrong("json_size", "the header's size less 4096"));
        }
        let keyslots_size = config.decimal("keyslots_size")?;
        let keyslots_end = (2 * size).checked_add(keyslots_size);
        let keyslots_end = keyslots_end.filter(|_| keyslots_size.is_multiple_of(4096));
        let keyslots_end = keyslots_end
            .ok_or_else(|| config.wrong("keyslots_size", "a multiple of 4096 inside the file"))?;
        let requirements = match config.has("requirements") {
            true => config.object("requirements")?.texts("mandatory")?,
            false => Vec::new(),
        };
        let requirements = requirements.into_iter().map(String::from).collect();

        let keyslots = members(&root, "keyslots", |id, at| Keyslot::new(id, &at))?;
        check_areas(&keyslots, 2 * size, keyslots_end)?;
        let segments = members(&root, "segments", |id, at| Segment::new(id, &at))?;
        if segments.is_empty() {
            return Err(root.wrong("segments", "an object with at least one segment"));
        }
        let digests = members(&root, "digests", |id, at| Digest::new(id, &at))?;
        let tokens = members(&root, "tokens", |id, at| {
            Ok(TokenSummary { id, kind: at.text("type")?.into(), keyslots: ids(&at, "keyslots")? })
        })?;
        Ok(Metadata { keyslots, segments, digests, tokens, keyslots_size, requirements, object })
    }
}

/// Reads each member of an object whose keys are numbers.
fn members<T>(
    root: &At<'_>,
    name: &str,
    mut read: impl FnMut(u32, At<'_>) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let at = root.object(name)?;
    let mut all = Vec::new();
    for key in at.keys() {
        let id = id(key).ok_or_else(|| at.wrong(key, "named by its number"))?;
        all.push((id, read(id, at.object(key)?)?));
    }
    // JSON's order of keys means nothing, and text order puts 10 before 2.
    all.sort_by_key(|&(id, _)| id);
    Ok(all.into_iter().map(|(_, member)| member).collect())
}

fn id(text: &str) -> Option<u32> {
    decimal(text).and_then(|number| u32::try_from(number).ok())
}

/// An array of the numbers of other members.
fn ids(at: &At<'_>, key: &str) -> Result<Vec<u32>, String> {
    let texts = at.texts(key)?;
    let numbers: Option<Vec<u32>> = texts.into_iter().map(id).collect();
    numbers.ok_or_else(|| at.wrong(key, "an array of numbers as strings"))
}

impl Segment {
    /// All that is behind `offset`, encrypted in sectors of this size; both in bytes.
    pub(crate) fn to_the_end(offset: u64, sector_size: u32) -> Segment {
        let cipher = SegmentCipher { encryption: CIPHER.into(), sector_size, iv_tweak: 0 };
        Segment { id: 0, kind: "crypt".into(), offset, size: None, cipher: Some(cipher), other: Vec::new() }
    }

    fn new(id: u32, at: &At<'_>) -> Result<Segment, String> {
        let kind = at.text("type")?;
        let offset = at.decimal("offset")?;
        if !offset.is_multiple_of(512) {
            return Err(at.wrong("offset", "a multiple of 512"));
        }
        let size = match at.text("size")? {
            "dynamic" => None,
            _ => Some(at.decimal("size")?),
        };
        if size.is_some_and(|size| offset.checked_add(size).is_none()) {
            return Err(at.wrong("size", "such that the segment ends below 2^64"));
        }
        let cipher = if kind == "crypt" { Some(SegmentCipher::new(at, size)?) } else { None };
        let known: &[&str] = match kind {
            "crypt" => &["type", "offset", "size", "encryption", "sector_size", "iv_tweak"],
            _ => &["type", "offset", "size"],
        };
        let other = at.keys().filter(|key| !known.contains(key)).map(String::from).collect();
        Ok(Segment { id, kind: kind.into(), offset, size, cipher, other })
    }

    /// The segment as LUKS2 writes it.
    pub(super) fn to_json(&self) -> Value {
        let mut json = serde_json::json!({
            "type": self.kind,
            "offset": self.offset.to_string(),
            "size": self.size.map_or("dynamic".into(), |size| size.to_string()),
        });
        if let Some(cipher) = &self.cipher {
            json["iv_tweak"] = cipher.iv_tweak.to_string().into();
            json["encryption"] = cipher.encryption.as_str().into();
            json["sector_size"] = cipher.sector_size.into();
        }
        json
    }
}

impl SegmentCipher {
    fn new(at: &At<'_>, size: Option<u64>) -> Result<SegmentCipher, String> {
        let sector_size = at.number("sector_size")?;
        if !(512..=4096).contains(&sector_size) || !sector_size.is_power_of_two() {
            return Err(at.wrong("sector_size", "512, 1024, 2048 or 4096"));
        }
        if size.is_some_and(|size| size % u64::from(sector_size) != 0) {
            return Err(at.wrong("size", "a multiple of the sector size"));
        }
        let iv_tweak = at.decimal("iv_tweak")?;
        Ok(SegmentCipher { encryption: at.text("encryption")?.into(), sector_size, iv_tweak })
    }
}

impl Keyslot {
    fn new(id: u32, at: &At<'_>) -> Result<Keyslot, String> {
        let area = at.object("area")?;
        Ok(Keyslot {
            id,
            kind: at.text("type")?.into(),
            offset: area.decimal("offset")?,
            size: area.decimal("size")?,
        })
    }
}

/// Keyslots lie within their area, behind both copies of the header, and apart from each other.
fn check_areas(keyslots: &[Keyslot], start: u64, end: u64) -> Result<(), String> {
    let mut areas = Vec::new();
    for slot in keyslots {
        let slot_end =
            slot.offset.checked_add(slot.size).filter(|&slot_end| slot.offset >= start && slot_end <= end);
        let slot_end = slot_end
            .ok_or_else(|| format!("keyslots.{}.area must lie within bytes {start} to {end}", slot.id))?;
        areas.push((slot.offset, slot_end, slot.id));
    }
    areas.sort_unstable();
    match areas.windows(2).find(|pair| pair[0].1 > pair[1].0) {
        Some(pair) => Err(format!("keyslots.{}.area must not overlap that of {}", pair[1].2, pair[0].2)),
        None => Ok(()),
    }
}

impl Digest {
    fn new(id: u32, at: &At<'_>) -> Result<Digest, String> {
        let kind = at.text("type")?;
        let mut digest = Digest {
            id,
            kind: kind.into(),
            hash: String::new(),
            iterations: 0,
            salt: Vec::new(),
            digest: Vec::new(),
            segments: ids(at, "segments")?,
            keyslots: ids(at, "keyslots")?,
        };
        if kind == "pbkdf2" {
            digest.hash = at.text("hash")?.into();
            digest.iterations = at.number("iterations")?;
            digest.salt = at.bytes("salt")?;
            digest.digest = at.bytes("digest")?;
        }
        Ok(digest)
    }

    /// The digest as LUKS2 writes it.
    pub(super) fn to_json(&self) -> Value {
        let ids = |ids: &[u32]| ids.iter().map(u32::to_string).collect::<Vec<_>>();
        serde_json::json!({
            "type": self.kind,
            "keyslots": ids(&self.keyslots),
            "segments": ids(&self.segments),
            "hash": self.hash,
            "iterations": self.iterations,
            "salt": Base64::encode_string(&self.salt),
            "digest": Base64::encode_string(&self.digest),
        })
    }
}
