//! The token that makes a LUKS2 volume one of ours: the envelope, the exact size, and the code that authenticates
//! the header.
//!
//! LUKS2 headers carry a checksum and no authentication: whoever can write to the disk can change the cipher, move
//! the segment or exchange the wrapped key. The code is HMAC-SHA256, under a key derived from the volume's root key,
//! over everything that decides how data is decrypted. What cryptsetup changes in the course of its work (keyslots,
//! its own tokens, labels, the order and spacing of JSON) is left out.
//!
//! Tokens have three versions, which differ in what is covered. In version 1, without a field `version`, it is the whole
//! document of the envelope. From version 2 on it is the class and the commitment, and not the wrappings: these are bound to
//! the volume by their encryption context and by the commitment, and so a key service can rewrap the root key without
//! anybody here seeing it, which computing the code anew would take. Version 3, which is written now, covers the digest of
//! the volume key, too, so that another volume key is noticed; the salt from which keys are derived; its own version; and a
//! generation, which each change raises that has the root key, so that whoever remembers it knows an older header. Its code
//! is made with a key of its own.

use base64ct::{Base64, Encoding as _};
use serde_json::{Value, json};
use uuid::Uuid;

use super::error::TokenError;
use super::json::{At, Object};
use super::metadata::{Digest, Metadata, Segment};

/// The token's type.
const TYPE: &str = "atrest";
/// What holes read as, where the token says it.
const ZEROS: &str = "zeros";

/// The token that makes a volume one of ours. **Nothing in it is authenticated** until its
/// [message](Token::message) is checked against its [code](Token::authentication).
#[derive(Clone, Debug)]
pub struct Token {
    id: u32,
    envelope: String,
    size: u64,
    version: Version,
    /// 0 before version 3.
    generation: u64,
    /// Not before version 3.
    holes: bool,
    authentication: Vec<u8>,
}

/// What of the envelope the authentication code covers: which of it depends on the token's version.
#[derive(Clone, Copy, Debug)]
pub struct Covered<'a> {
    /// All of it, in its one canonical form.
    pub document: &'a str,
    /// Its class.
    pub class: &'a str,
    /// Its key commitment.
    pub commitment: &'a [u8; 32],
    /// The salt from which its keys are derived.
    pub salt: &'a [u8; 16],
}

/// What the code covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Version {
    /// All of the envelope.
    WholeEnvelope = 1,
    /// All of it but the wrappings.
    WithoutWrappings = 2,
    /// The digest of the volume key as well, and a generation.
    WithDigest = 3,
}

impl Token {
    /// The version that is written now.
    pub const VERSION: u32 = Version::WithDigest as u32;

    /// A token of the newest version, without a code so far. `envelope` is a JSON object, `size` the volume's exact size
    /// in bytes.
    #[must_use]
    pub const fn new(id: u32, envelope: String, size: u64, generation: u64) -> Token {
        let version = Version::WithDigest;
        Token { id, envelope, size, version, generation, holes: false, authentication: Vec::new() }
    }

    /// The same of a volume whose [holes are zeros](Token::holes), or are not.
    #[must_use]
    pub const fn with_holes(mut self, holes: bool) -> Token {
        self.holes = holes;
        self
    }

    /// One of an older version, 1 or 2, which is not written any more.
    #[cfg(test)]
    pub(crate) fn of_version(version: u32, id: u32, envelope: String, size: u64) -> Token {
        let version = if version == 1 { Version::WholeEnvelope } else { Version::WithoutWrappings };
        Token { version, ..Token::new(id, envelope, size, 0) }
    }

    /// The header's one atrest token; `None` when there is none.
    pub(super) fn find(metadata: &Metadata) -> Result<Option<Token>, TokenError> {
        let mut ours = metadata.tokens.iter().filter(|token| token.kind == TYPE);
        let Some(summary) = ours.next() else { return Ok(None) };
        if ours.next().is_some() {
            return Err(TokenError::Malformed("there are several, and exactly one is expected".into()));
        }
        let tokens = At::root(&metadata.object).object("tokens").map_err(TokenError::Malformed)?;
        let token = tokens.object(&summary.id.to_string()).map_err(TokenError::Malformed)?;
        Token::parse(summary.id, &token).map(Some)
    }

    fn parse(id: u32, at: &At<'_>) -> Result<Token, TokenError> {
        let version = match at.has("version") {
            false => Version::WholeEnvelope,
            true => match at.number("version").map_err(TokenError::Malformed)? {
                2 => Version::WithoutWrappings,
                3 => Version::WithDigest,
                other => return Err(TokenError::Version(other)),
            },
        };
        let known = ["type", "keyslots", "version", "envelope", "size", "authentication"];
        let is_known = |key: &str| {
            known.contains(&key) || ["generation", "holes"].contains(&key) && version >= Version::WithDigest
        };
        if let Some(key) = at.keys().find(|key| !is_known(key)) {
            return Err(TokenError::Malformed(at.wrong(key, "absent: this version does not know it")));
        }
        let size = at.decimal("size").map_err(TokenError::Malformed)?;
        let generation = match version {
            Version::WithDigest => at.decimal("generation").map_err(TokenError::Malformed)?,
            _ => 0,
        };
        let holes = match at.has("holes") {
            false => false,
            true if at.text("holes").map_err(TokenError::Malformed)? == ZEROS => true,
            true => return Err(TokenError::Malformed(at.wrong("holes", "\"zeros\", or absent"))),
        };
        let authentication = at.bytes("authentication").map_err(TokenError::Malformed)?;
        at.object("envelope").map_err(TokenError::Malformed)?;
        let envelope = at.value("envelope").unwrap_or(&Value::Null).to_string();
        Ok(Token { id, envelope, size, version, generation, holes, authentication })
    }

    /// Its number in the header.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// The envelope: a JSON object, which means nothing here.
    #[must_use]
    pub fn envelope(&self) -> &str {
        &self.envelope
    }

    /// The volume's exact size in bytes.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The authentication code: an HMAC-SHA256 of the [message](Token::message).
    #[must_use]
    pub fn authentication(&self) -> &[u8] {
        &self.authentication
    }

    /// Its version: 1 to 3.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version as u32
    }

    /// How many changes before this header had the root key; it is covered by the code. 0 before version 3.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether a sector that is all zeros in the storage, as in a hole, reads as zeros, and not as what zeros decrypt to. It
    /// is covered by the code.
    #[must_use]
    pub const fn holes(&self) -> bool {
        self.holes
    }

    /// Whether the code covers the wrappings in the envelope, too, so that it has to be made anew when they change.
    #[must_use]
    pub fn covers_wrappings(&self) -> bool {
        self.version == Version::WholeEnvelope
    }

    /// With other wrappings, which the code [does not cover](Token::covers_wrappings).
    #[must_use]
    pub fn with_envelope(mut self, envelope: String) -> Token {
        self.envelope = envelope;
        self
    }

    /// With this code.
    #[must_use]
    pub fn with_authentication(mut self, code: &[u8; 32]) -> Token {
        self.authentication = code.to_vec();
        self
    }

    /// The token as it stands in the header.
    pub(super) fn to_json(&self) -> Result<Value, TokenError> {
        let envelope: Value = serde_json::from_str(&self.envelope)
            .map_err(|error| TokenError::Malformed(super::json::escaped(&error.to_string())))?;
        let mut token = json!({
            "type": TYPE,
            "keyslots": [],
            "envelope": envelope,
            "size": self.size.to_string(),
            "authentication": Base64::encode_string(&self.authentication),
        });
        if self.version > Version::WholeEnvelope {
            token["version"] = self.version().into();
        }
        if self.version >= Version::WithDigest {
            token["generation"] = self.generation.to_string().into();
        }
        if self.holes {
            token["holes"] = ZEROS.into();
        }
        Ok(token)
    }

    /// Puts the token in the place of the one of its number, and keeps the keyslots that cryptsetup may have assigned to
    /// that.
    pub(super) fn replace(&self, object: &mut Object) -> Result<(), TokenError> {
        let mut token = self.to_json()?;
        let place = object.get_mut("tokens").and_then(|tokens| tokens.get_mut(self.id.to_string()));
        let place = place.ok_or(TokenError::Missing)?;
        if let Some(keyslots) = place.get("keyslots") {
            token["keyslots"] = keyslots.clone();
        }
        *place = token;
        Ok(())
    }

    /// What is authenticated of the header and of this token: names and values, each after its length, so that no two
    /// headers give the same bytes. `uuid`, `segment` and its `digest` are the header's.
    #[must_use]
    pub fn message(
        &self,
        uuid: Uuid,
        segment: &Segment,
        digest: Option<&Digest>,
        envelope: &Covered<'_>,
    ) -> Vec<u8> {
        let mut message = Message::new(match self.version {
            Version::WholeEnvelope => "atrest volume header v1",
            Version::WithoutWrappings => "atrest volume header v2",
            Version::WithDigest => "atrest volume header v3",
        });
        message.field("uuid", uuid.as_bytes());
        message.field("type", segment.kind.as_bytes());
        message.field("offset", &segment.offset.to_le_bytes());
        match segment.size {
            Some(size) => message.field("segment size", &size.to_le_bytes()),
            None => message.field("segment size", b"dynamic"),
        }
        if let Some(cipher) = &segment.cipher {
            message.field("encryption", cipher.encryption.as_bytes());
            message.field("sector size", &cipher.sector_size.to_le_bytes());
            message.field("iv tweak", &cipher.iv_tweak.to_le_bytes());
        }
        message.field("size", &self.size.to_le_bytes());
        match self.version {
            Version::WholeEnvelope => message.field("envelope", envelope.document.as_bytes()),
            Version::WithoutWrappings | Version::WithDigest => {
                message.field("class", envelope.class.as_bytes());
                message.field("commitment", envelope.commitment);
            }
        }
        if self.version < Version::WithDigest {
            return message.0;
        }
        message.field("version", &self.version().to_le_bytes());
        message.field("salt", envelope.salt);
        message.field("generation", &self.generation.to_le_bytes());
        match digest {
            None => message.field("digest", b"none"),
            Some(digest) => {
                message.field("digest", digest.kind.as_bytes());
                message.field("hash", digest.hash.as_bytes());
                message.field("iterations", &digest.iterations.to_le_bytes());
                message.field("digest salt", &digest.salt);
                message.field("digest value", &digest.digest);
            }
        }
        if self.holes {
            message.field("holes", ZEROS.as_bytes());
        }
        message.0
    }
}

/// Bytes to authenticate.
struct Message(Vec<u8>);

impl Message {
    fn new(purpose: &str) -> Message {
        let mut message = Message(Vec::new());
        message.bytes(purpose.as_bytes());
        message
    }

    fn field(&mut self, name: &str, value: &[u8]) {
        self.bytes(name.as_bytes());
        self.bytes(value);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.0.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::luks2::SegmentCipher;

    const UUID: Uuid = Uuid::from_bytes([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    const COMMITMENT: [u8; 32] = [0x6c; 32];
    const COVERED: Covered<'_> =
        Covered { document: "{\"a\":1}", class: "persistent", commitment: &COMMITMENT, salt: &[3; 16] };

    fn token() -> (Token, Segment) {
        let cipher = SegmentCipher { encryption: "aes-xts-plain64".into(), sector_size: 4096, iv_tweak: 0 };
        let segment = Segment {
            id: 0,
            kind: "crypt".into(),
            offset: 16 << 20,
            size: None,
            cipher: Some(cipher),
            other: Vec::new(),
        };
        (Token::new(0, "{}".into(), 1000, 5).with_authentication(&[7; 32]), segment)
    }

    fn digest() -> Digest {
        Digest {
            id: 0,
            kind: "pbkdf2".into(),
            hash: "sha256".into(),
            iterations: 1000,
            salt: vec![1; 32],
            digest: vec![2; 32],
            segments: vec![0],
            keyslots: Vec::new(),
        }
    }

    #[test]
    fn a_token_without_a_version_is_one_of_the_first() {
        let (token, _) = token();
        let mut json = token.to_json().unwrap();
        let parse = |json: &Value| Token::parse(0, &At::root(json.as_object().unwrap()));
        let read = parse(&json).unwrap();
        assert_eq!((read.version(), read.generation(), read.envelope(), read.size()), (3, 5, "{}", 1000));
        assert_eq!(read.authentication(), [7; 32]);
        for other in [0, 1, 4, u32::MAX] {
            json["version"] = other.into();
            assert!(matches!(parse(&json), Err(TokenError::Version(version)) if version == other));
        }
        json["version"] = "3".into();
        assert!(matches!(parse(&json), Err(TokenError::Malformed(_))));
        // Older ones have no generation.
        json["version"] = 2.into();
        assert!(matches!(parse(&json), Err(TokenError::Malformed(_))));
        json.as_object_mut().unwrap().remove("generation");
        assert_eq!((parse(&json).unwrap().version(), parse(&json).unwrap().generation()), (2, 0));
        json.as_object_mut().unwrap().remove("version");
        assert_eq!(parse(&json).unwrap().version(), 1);
        json["version"] = 3.into();
        assert!(matches!(parse(&json), Err(TokenError::Malformed(_))));
    }

    #[test]
    fn the_version_says_what_is_covered() {
        let (mut token, segment) = token();
        let (digest, other_digest) = (digest(), Digest { digest: vec![3; 32], ..digest() });
        let others = [
            (&digest, Covered { document: "{}", ..COVERED }),
            (&digest, Covered { class: "scratch", ..COVERED }),
            (&digest, Covered { commitment: &[1; 32], ..COVERED }),
            (&digest, Covered { salt: &[1; 16], ..COVERED }),
            (&other_digest, COVERED),
        ];
        for (version, covered) in [
            (Version::WholeEnvelope, [true, false, false, false, false]),
            (Version::WithoutWrappings, [false, true, true, false, false]),
            (Version::WithDigest, [false, true, true, true, true]),
        ] {
            token.version = version;
            let message = token.message(UUID, &segment, Some(&digest), &COVERED);
            let differs =
                others.map(|(digest, other)| token.message(UUID, &segment, Some(digest), &other) != message);
            assert_eq!(differs, covered);
        }
    }

    #[test]
    fn every_field_that_decides_decryption_is_covered() {
        let (mut token, segment) = token();
        let digest = digest();
        let mut messages = vec![
            token.message(UUID, &segment, Some(&digest), &COVERED),
            token.clone().with_holes(true).message(UUID, &segment, Some(&digest), &COVERED),
        ];
        let mut other = |edit: &dyn Fn(&mut Segment, &mut SegmentCipher)| {
            let mut changed = segment.clone();
            let mut cipher = changed.cipher.take().unwrap();
            edit(&mut changed, &mut cipher);
            changed.cipher = Some(cipher);
            messages.push(token.message(UUID, &changed, Some(&digest), &COVERED));
        };
        other(&|segment, _| segment.kind = "crypto".into());
        other(&|segment, _| segment.offset += 512);
        other(&|segment, _| segment.size = Some(4096));
        other(&|segment, _| segment.size = Some(u64::from_le_bytes(*b"dynamic\0")));
        other(&|_, cipher| cipher.encryption = "cipher_null-ecb".into());
        other(&|_, cipher| cipher.sector_size = 512);
        other(&|_, cipher| cipher.iv_tweak = 1);
        let edits: [fn(&mut Digest); 5] = [
            |digest| digest.kind = "x".into(),
            |digest| digest.hash = "sha512".into(),
            |digest| digest.iterations += 1,
            |digest| digest.salt[0] += 1,
            |digest| digest.digest[0] += 1,
        ];
        for edit in edits {
            let mut changed = digest.clone();
            edit(&mut changed);
            messages.push(token.message(UUID, &segment, Some(&changed), &COVERED));
        }
        messages.push(token.message(UUID, &segment, None, &COVERED));
        messages.push(token.message(Uuid::from_bytes([9; 16]), &segment, Some(&digest), &COVERED));
        token.size += 1;
        messages.push(token.message(UUID, &segment, Some(&digest), &COVERED));
        token.generation += 1;
        messages.push(token.message(UUID, &segment, Some(&digest), &COVERED));
        for version in [Version::WithoutWrappings, Version::WholeEnvelope] {
            token.version = version;
            messages.push(token.message(UUID, &segment, Some(&digest), &COVERED));
        }
        let count = messages.len();
        messages.sort();
        messages.dedup();
        assert_eq!(messages.len(), count, "two headers give the same message");
    }
}
