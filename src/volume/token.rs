//! The token that makes a LUKS2 volume one of ours: the envelope, the exact size, and the code that authenticates
//! the header.
//!
//! LUKS2 headers carry a checksum and no authentication: whoever can write to the disk can change the cipher, move
//! the segment or exchange the wrapped key. The code is HMAC-SHA256, under a key derived from the volume's root key,
//! over everything that decides how data is decrypted. What cryptsetup changes in the course of its work (keyslots,
//! its own tokens, labels, the order and spacing of JSON) is left out.
//!
//! Tokens have two versions, which differ in what of the envelope is covered. In version 1, without a field `version`,
//! it is the whole document. In version 2, which is written now, it is the class and the commitment, and not the
//! wrappings: these are bound to the volume by their encryption context and by the commitment, and so a key service
//! can rewrap the root key without anybody here seeing it, which computing the code anew would take.

use base64ct::{Base64, Encoding as _};
use serde_json::{Value, json};

use super::error::Error;
use super::json::{At, Object};
use super::metadata::{Metadata, Segment};
use crate::keys::{Envelope, Uuid, VolumeKeys};

/// The token's type.
pub(super) const TYPE: &str = "atrest";

/// Our token.
pub(super) struct Token {
    /// Its number in the header.
    pub id: u32,
    pub envelope: Envelope,
    /// The volume's exact size in bytes.
    pub size: u64,
    version: Version,
    authentication: Vec<u8>,
}

/// What of the envelope the code covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    /// All of it.
    WholeEnvelope,
    /// All but the wrappings.
    WithoutWrappings,
}

impl Version {
    /// Its number in the token; the first one stands for itself.
    const fn number(self) -> Option<u32> {
        match self {
            Version::WholeEnvelope => None,
            Version::WithoutWrappings => Some(2),
        }
    }
}

impl Token {
    /// A new token, number 0, of the newest version, that authenticates `segment` and the rest.
    pub(super) fn new(
        envelope: Envelope,
        size: u64,
        uuid: Uuid,
        segment: &Segment,
        keys: &VolumeKeys,
    ) -> Token {
        let version = Version::WithoutWrappings;
        let mut token = Token { id: 0, envelope, size, version, authentication: Vec::new() };
        token.authentication = keys.authenticate(&token.message(uuid, segment)).to_vec();
        token
    }

    /// The header's one atrest token; `None` when there is none.
    pub(super) fn find(metadata: &Metadata) -> Result<Option<Token>, Error> {
        let mut ours = metadata.tokens.iter().filter(|token| token.kind == TYPE);
        let Some(summary) = ours.next() else { return Ok(None) };
        if ours.next().is_some() {
            return Err(Error::Token("there are several, and exactly one is expected".into()));
        }
        let tokens = At::root(&metadata.object).object("tokens").map_err(Error::Token)?;
        let token = tokens.object(&summary.id.to_string()).map_err(Error::Token)?;
        Token::parse(summary.id, &token).map(Some)
    }

    fn parse(id: u32, at: &At<'_>) -> Result<Token, Error> {
        let version = match at.has("version") {
            false => Version::WholeEnvelope,
            true => match at.number("version").map_err(Error::Token)? {
                2 => Version::WithoutWrappings,
                other => return Err(Error::TokenVersion(other)),
            },
        };
        let known = ["type", "keyslots", "version", "envelope", "size", "authentication"];
        if let Some(key) = at.keys().find(|key| !known.contains(key)) {
            return Err(Error::Token(at.wrong(key, "absent: this version does not know it")));
        }
        let size = at.decimal("size").map_err(Error::Token)?;
        let authentication = at.bytes("authentication").map_err(Error::Token)?;
        at.object("envelope").map_err(Error::Token)?;
        let envelope = at.value("envelope").unwrap_or(&Value::Null).to_string();
        let envelope = Envelope::from_json(envelope.as_bytes())?;
        Ok(Token { id, envelope, size, version, authentication })
    }

    /// Whether the wrappings can be exchanged without a new code, which takes the volume's keys.
    pub(super) fn takes_other_wrappings(&self) -> bool {
        self.version == Version::WithoutWrappings
    }

    /// The token as it stands in the header.
    pub(super) fn to_json(&self) -> Result<Value, Error> {
        let envelope: Value = serde_json::from_str(&self.envelope.to_json())
            .map_err(|error| Error::Token(error.to_string()))?;
        let mut token = json!({
            "type": TYPE,
            "keyslots": [],
            "envelope": envelope,
            "size": self.size.to_string(),
            "authentication": Base64::encode_string(&self.authentication),
        });
        if let Some(number) = self.version.number() {
            token["version"] = number.into();
        }
        Ok(token)
    }

    /// Puts the token in the place of number `id`, and keeps the keyslots that cryptsetup may have assigned to it.
    pub(super) fn replace(&self, object: &mut Object, id: u32) -> Result<(), Error> {
        let mut token = self.to_json()?;
        let place = object.get_mut("tokens").and_then(|tokens| tokens.get_mut(id.to_string()));
        let place = place.ok_or(Error::NoToken)?;
        if let Some(keyslots) = place.get("keyslots") {
            token["keyslots"] = keyslots.clone();
        }
        *place = token;
        Ok(())
    }

    /// Checks the authentication code, in constant time.
    pub(super) fn verify(&self, uuid: Uuid, segment: &Segment, keys: &VolumeKeys) -> Result<(), Error> {
        let authentic = keys.verify(&self.message(uuid, segment), &self.authentication);
        if authentic { Ok(()) } else { Err(Error::Forged) }
    }

    /// What is authenticated: names and values, each after its length, so that no two headers give the same bytes.
    fn message(&self, uuid: Uuid, segment: &Segment) -> Vec<u8> {
        let mut message = Message::new(match self.version {
            Version::WholeEnvelope => "atrest volume header v1",
            Version::WithoutWrappings => "atrest volume header v2",
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
            Version::WholeEnvelope => message.field("envelope", self.envelope.to_json().as_bytes()),
            Version::WithoutWrappings => {
                message.field("class", self.envelope.class().name().as_bytes());
                message.field("commitment", self.envelope.commitment());
            }
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
    use crate::keys::RootKey;
    use crate::volume::metadata::SegmentCipher;

    const UUID: Uuid = Uuid::from_bytes([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);

    fn keys() -> VolumeKeys {
        RootKey::take(&mut [7; 32]).unwrap().derive(UUID).unwrap()
    }

    fn token(keys: &VolumeKeys) -> (Token, Segment) {
        let envelope = concat!(
            r#"{"version":1,"volume":"00010203-0405-0607-0809-0a0b0c0d0e0f","class":"persistent","#,
            r#""commitment":"bObZ3FyIM/LCd4ipxuoZZsiqycujZ0LcSzyJIskz/yc=","#,
            r#""slots":[{"provider":"local","key":"default","material":"m","#,
            r#""context":{"atrest:version":"1","atrest:volume":"00010203-0405-0607-0809-0a0b0c0d0e0f"},"#,
            r#""wrapped":"AAAA"}]}"#,
        );
        let envelope = Envelope::from_json(envelope.as_bytes()).unwrap();
        let cipher = SegmentCipher { encryption: "aes-xts-plain64".into(), sector_size: 4096, iv_tweak: 0 };
        let segment = Segment {
            id: 0,
            kind: "crypt".into(),
            offset: 16 << 20,
            size: None,
            cipher: Some(cipher),
            other: Vec::new(),
        };
        (Token::new(envelope, 1000, UUID, &segment, keys), segment)
    }

    #[test]
    fn the_codes_are_those_of_their_versions() {
        // HKDF, HMAC and the messages, computed from their descriptions in Python. Whatever changes these makes every
        // volume that exists unreadable.
        let keys = keys();
        let (mut token, segment) = token(&keys);
        let hex = |code: &[u8]| code.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let second = "e04fe57a7bce75285a60756dece46459b937b2ca5a007a4e06db35947a441cee";
        assert_eq!(hex(&token.authentication), second);
        token.version = Version::WholeEnvelope;
        let first = keys.authenticate(&token.message(UUID, &segment));
        assert_eq!(hex(&first), "820b131897c91e33797484e07cdae1af269f2584cca8db3db7192a42b3c19650");
        // The code of one version says nothing in another.
        assert!(matches!(token.verify(UUID, &segment, &keys), Err(Error::Forged)));
    }

    #[test]
    fn a_token_without_a_version_is_one_of_the_first() {
        let (token, _) = token(&keys());
        let mut json = token.to_json().unwrap();
        let parse = |json: &Value| Token::parse(0, &At::root(json.as_object().unwrap()));
        assert_eq!(parse(&json).unwrap().version, Version::WithoutWrappings);
        for other in [0, 1, 3, u32::MAX] {
            json["version"] = other.into();
            assert!(matches!(parse(&json), Err(Error::TokenVersion(version)) if version == other));
        }
        json["version"] = "2".into();
        assert!(matches!(parse(&json), Err(Error::Token(_))));
        json.as_object_mut().unwrap().remove("version");
        assert_eq!(parse(&json).unwrap().version, Version::WholeEnvelope);
    }

    #[test]
    fn the_wrappings_alone_can_be_exchanged() {
        let keys = keys();
        let (mut token, segment) = token(&keys);
        let exchanged = |from: &str, to: &str| {
            let json = token.envelope.to_json();
            assert!(json.contains(from));
            Envelope::from_json(json.replace(from, to).as_bytes()).unwrap()
        };
        let wrapping = exchanged("AAAA", "AAAB");
        // A scratch volume has a key of its own name.
        let scratch = |json: &str| {
            let json = json.replace("persistent", "scratch").replace("default", &format!("scratch-{UUID}"));
            Envelope::from_json(json.as_bytes()).unwrap()
        };
        let others = [
            scratch(&token.envelope.to_json()),
            exchanged("bObZ3FyIM", "bObZ3FyIN"),
            exchanged("00010203", "00010204"),
        ];
        token.envelope = wrapping;
        assert!(token.verify(UUID, &segment, &keys).is_ok());
        for (other, covered) in others.into_iter().zip([true, true, false]) {
            // The volume stands in the message as the header's UUID, to which the envelope's is compared.
            token.envelope = other;
            assert_eq!(token.verify(UUID, &segment, &keys).is_err(), covered);
        }
    }

    #[test]
    fn every_field_that_decides_decryption_is_covered() {
        let keys = keys();
        let (mut token, segment) = token(&keys);
        let mut messages = vec![token.message(UUID, &segment)];
        let mut other = |edit: &dyn Fn(&mut Segment, &mut SegmentCipher)| {
            let mut changed = segment.clone();
            let mut cipher = changed.cipher.take().unwrap();
            edit(&mut changed, &mut cipher);
            changed.cipher = Some(cipher);
            assert!(matches!(token.verify(UUID, &changed, &keys), Err(Error::Forged)));
            messages.push(token.message(UUID, &changed));
        };
        other(&|segment, _| segment.kind = "crypto".into());
        other(&|segment, _| segment.offset += 512);
        other(&|segment, _| segment.size = Some(4096));
        other(&|segment, _| segment.size = Some(u64::from_le_bytes(*b"dynamic\0")));
        other(&|_, cipher| cipher.encryption = "cipher_null-ecb".into());
        other(&|_, cipher| cipher.sector_size = 512);
        other(&|_, cipher| cipher.iv_tweak = 1);
        assert!(token.verify(UUID, &segment, &keys).is_ok());
        assert!(matches!(token.verify(Uuid::from_bytes([9; 16]), &segment, &keys), Err(Error::Forged)));
        token.size += 1;
        assert!(matches!(token.verify(UUID, &segment, &keys), Err(Error::Forged)));
        messages.push(token.message(UUID, &segment));
        let count = messages.len();
        messages.sort();
        messages.dedup();
        assert_eq!(messages.len(), count, "two headers give the same message");
    }
}
