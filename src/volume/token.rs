//! The token that makes a LUKS2 volume one of ours: the envelope, the exact size, and the code that authenticates
//! the header.
//!
//! LUKS2 headers carry a checksum and no authentication: whoever can write to the disk can change the cipher, move
//! the segment or exchange the wrapped key. The code is HMAC-SHA256, under a key derived from the volume's root key,
//! over everything that decides how data is decrypted. What cryptsetup changes in the course of its work (keyslots,
//! its own tokens, labels, the order and spacing of JSON) is left out.

use base64ct::{Base64, Encoding as _};
use serde_json::{Value, json};

use super::error::Error;
use super::json::{At, Object};
use super::metadata::{Metadata, Segment};
use crate::envelope::{Envelope, Uuid, VolumeKeys};

/// The token's type.
pub(super) const TYPE: &str = "atrest";

/// Our token.
pub(super) struct Token {
    /// Its number in the header.
    pub id: u32,
    pub envelope: Envelope,
    /// The volume's exact size in bytes.
    pub size: u64,
    authentication: Vec<u8>,
}

impl Token {
    /// A new token, number 0, that authenticates `segment` and the rest.
    pub(super) fn new(
        envelope: Envelope,
        size: u64,
        uuid: Uuid,
        segment: &Segment,
        keys: &VolumeKeys,
    ) -> Token {
        let mut token = Token { id: 0, envelope, size, authentication: Vec::new() };
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
        let known = ["type", "keyslots", "envelope", "size", "authentication"];
        if let Some(key) = at.keys().find(|key| !known.contains(key)) {
            return Err(Error::Token(at.wrong(key, "absent: this version does not know it")));
        }
        let size = at.decimal("size").map_err(Error::Token)?;
        let authentication = at.bytes("authentication").map_err(Error::Token)?;
        at.object("envelope").map_err(Error::Token)?;
        let envelope = at.value("envelope").unwrap_or(&Value::Null).to_string();
        let envelope = Envelope::from_json(envelope.as_bytes())?;
        Ok(Token { id, envelope, size, authentication })
    }

    /// The token as it stands in the header.
    pub(super) fn to_json(&self) -> Result<Value, Error> {
        let envelope: Value = serde_json::from_str(&self.envelope.to_json())
            .map_err(|error| Error::Token(error.to_string()))?;
        Ok(json!({
            "type": TYPE,
            "keyslots": [],
            "envelope": envelope,
            "size": self.size.to_string(),
            "authentication": Base64::encode_string(&self.authentication),
        }))
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
        let mut message = Message::new("atrest volume header v1");
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
        message.field("envelope", self.envelope.to_json().as_bytes());
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
    use crate::envelope::RootKey;
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
    fn the_code_is_that_of_version_1() {
        // HKDF, HMAC and the message, computed from their descriptions in Python. Whatever changes this makes every
        // volume that exists unreadable.
        let (token, _) = token(&keys());
        let hex: String = token.authentication.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "820b131897c91e33797484e07cdae1af269f2584cca8db3db7192a42b3c19650");
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
